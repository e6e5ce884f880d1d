"""Two people and a trail: what rooms need of the security room (security specification §4, §5). Records and ports.

A maker proposes one content; a checker sees the same content and approves it once, within a day, with a second factor.
Whatever is changed leaves a row in the trail; where no row can be written nothing is changed.
"""

from collections.abc import Collection
from typing import Literal, Protocol

import attrs

Role = Literal["operator", "reconciler", "approver", "finance", "auditor", "security", "system"]
ApprovalState = Literal["PROPOSED", "APPROVED", "REFUSED", "EXPIRED", "VOID", "USED"]


class NotAllowed(Exception):
    """A person may not do this. code: stable, `SEC-...`; the text is Chinese and says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"[{code}] {message}")
        self.code = code


class TrailFailed(Exception):
    """The trail cannot be written; the action must not happen."""


class NoSecurityRoom(Exception):
    """There is no security room yet where the configuration says it lies. The operator's: a wrong path, or nobody has
    begun. code: `SEC-EMPTY`; the text is Chinese and says what to do; exit 2."""

    code = "SEC-EMPTY"

    def __init__(self, path: object, config: str) -> None:
        begin = f"liangding security user add {config} NAME --role security"
        super().__init__(
            f"[{self.code}] 安全库还没有建立：{path}；请核对配置中的数据位置，首次使用先建立第一个安全管理员：{begin}"
        )


@attrs.frozen
class Person:
    """Who acts, proved by password and second factor. session: of this proof; certificate: SHA-256 in hex, or ''."""

    name: str
    roles: frozenset[Role]
    session: str
    certificate: str = ""


@attrs.frozen(kw_only=True)
class Approval:
    """One proposal and what became of it. kind: `books.freeze`, `books.case`, ...; subject: what it is about, in ids;
    content_sm3: hex of what both have seen. Times in ms."""

    id: int
    kind: str
    subject: str
    content_sm3: str
    maker: str
    reason: str
    proposed_ms: int
    state: ApprovalState = "PROPOSED"
    checker: str = ""
    decided_ms: int = 0


OPEN: tuple[ApprovalState, ...] = ("PROPOSED", "APPROVED")


@attrs.frozen(kw_only=True)
class Case:
    """A proposal with what is known of its two people. *_session, *_certificate: of the proofs they gave; caused_by,
    reconcilers: names that may be neither."""

    approval: Approval
    maker_session: str
    maker_certificate: str = ""
    checker_session: str = ""
    checker_certificate: str = ""
    caused_by: tuple[str, ...] = ()
    reconcilers: tuple[str, ...] = ()
    used_ms: int = 0

    @property
    def state(self) -> ApprovalState:
        return self.approval.state


class Trail(Protocol):
    """The audit trail: append-only and chained."""

    def record(
        self, who: str, action: str, subject: str, *, before: str = "", after: str = "", reason: str = "",
        approval: int = 0, result: str = "ok",
    ) -> None:  # fmt: skip
        """Append one row, durable when this returns; before, after: hashes or states, no content. Raises
        TrailFailed."""


class Approvals(Protocol):
    """Proposals of two people."""

    def propose(
        self, maker: Person, kind: str, subject: str, content: bytes, reason: str, *,
        caused_by: Collection[str] = (), reconcilers: Collection[str] = (),
    ) -> Approval:  # fmt: skip
        """Propose; a proposal of the same kind and subject that is still open becomes VOID. Raises NotAllowed,
        TrailFailed.

        caused_by: names of who caused the original transaction; reconcilers: of who reconciled the month in question.
        Neither maker nor checker may be among them.
        """

    def open(self, kind: str = "", subject: str = "") -> list[Approval]:
        """Return what waits for a checker."""

    def use(self, kind: str, subject: str, content: bytes) -> Approval:
        """Use up the approval of exactly this content, once. Raises NotAllowed when there is none."""


class Verifier(Protocol):
    """Knows whether a signature is of one key."""

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether signature is this key's, of exactly message."""


class Keys(Protocol):
    """Knows every key by which the operating party ever signed."""

    def proves(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Say whether a signature is of this key, and the key one of them."""

    def answers(self, public: bytes, entry: int) -> bool:
        """Say whether a public key is the one that answers for a row of the trail, and for what that row tells of."""


class Signer(Verifier, Protocol):
    """Signs for the operating party (SM2 with SM3; DER)."""

    @property
    def public(self) -> bytes:
        """The public key: 64 bytes, x and y."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of message."""
