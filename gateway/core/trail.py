"""The audit trail's rows and how they are chained (reconciliation §6.6, security.md §4). Pure: the digest is an
argument.

    chain(n) = SM3(chain(n-1) ‖ row n), chain(0) = 32 zero bytes, row = JSON array of its fields, reason sealed, in hex.
"""

from collections.abc import Callable

import attrs
import msgspec

GENESIS = bytes(32)
TEXT_MAX = 300
_encode = msgspec.json.Encoder().encode


@attrs.frozen(kw_only=True)
class Row:
    """One entry. roles: of who acted, sorted; source: from where; before, after: hashes or states; reason: sealed, or
    empty; request: of one run of a program; result: `ok` or the code of a refusal."""

    id: int
    at_ms: int
    who: str
    roles: str
    source: str
    request: str
    action: str
    subject: str
    before: str
    after: str
    reason: bytes
    approval: int
    result: str


def linked(digest: Callable[[bytes], bytes], previous: bytes, row: Row) -> bytes:
    """Return the chain value of a row."""
    return digest(previous + content(row))


def content(row: Row) -> bytes:
    """Return the bytes of a row that the chain covers: all of it."""
    return _encode((*attrs.astuple(attrs.evolve(row, reason=b""))[:10], row.reason.hex(), row.approval, row.result))


@attrs.frozen(kw_only=True)
class Checkpoint:
    """A signed statement: the trail of this store had so many entries, and this was its chain. Times in ms."""

    store: str
    entries: int
    chain: bytes
    at_ms: int
    public: bytes
    signature: bytes = b""

    def message(self) -> bytes:
        """Return the bytes that are signed."""
        lines = ("liangding audit checkpoint 1", self.store, str(self.entries), self.chain.hex(), str(self.at_ms))
        return "\n".join(lines).encode()


@attrs.frozen(kw_only=True)
class HandOver:
    """A change of the signing key: the old key answers for the trail up to an entry, the new one from there on. by_old,
    by_new: their signatures; approval: of the two people. Times in ms."""

    store: str
    entries: int
    old: bytes
    new: bytes
    at_ms: int
    approval: int
    by_old: bytes = b""
    by_new: bytes = b""

    def message(self) -> bytes:
        """Return the bytes that both sign."""
        keys, facts = (self.old.hex(), self.new.hex()), (self.entries, self.at_ms, self.approval)
        return "\n".join(("liangding signing key 1", self.store, *keys, *map(str, facts))).encode()


def clean(text: str) -> str:
    """Return a text as it may stand in a row: no control characters (T16), bounded."""
    plain = "".join(char if char.isprintable() else "�" for char in text)
    return plain if len(plain) <= TEXT_MAX else plain[: TEXT_MAX - 1] + "…"
