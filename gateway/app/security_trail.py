"""The trail as it is written: every change with its row in one transaction, the chain signed now and then.

A checkpoint is signed every 1,000 rows or 5 minutes, and when a program ends; before it signs, the rows since the last
one are recomputed, so that nothing is signed that was slipped in. It is written to the outside file first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from adapters.crypto.digest import sm3
from adapters.crypto.vault import VaultError
from adapters.files import checkpoints
from adapters.store.security import SecurityStore
from gateway.app.sealing import Box
from gateway.core.approval import Approval, NotAllowed, Signer, TrailFailed
from gateway.core.oswords import words_of
from gateway.core.trail import GENESIS, Checkpoint, HandOver, Row, clean, linked

OWN = ("account:", "approval:")  # subjects whose states only the security room writes


@attrs.frozen
class SecurityBox(Box):
    """Seals accounts, proposals and reasons."""

    purpose = "liangding security"


@attrs.define(eq=False, kw_only=True)
class ChainedTrail:
    """The audit trail (gateway.core.approval.Trail). roles_of: the roles of somebody, for the rows."""

    store: SecurityStore
    box: SecurityBox
    signer: Signer
    outside: Path
    now_ms: Callable[[], int]
    source: str
    request: str
    entries_max: int
    age_max_ms: int
    renewed: Callable[[], Signer]  # the signer of the key in force, after another program changed it
    roles_of: Callable[[str], str] = lambda _: ""

    def record(
        self, who: str, action: str, subject: str, *, before: str = "", after: str = "", reason: str = "",
        approval: int = 0, result: str = "ok",
    ) -> None:  # fmt: skip
        """Append one row, durable when this returns. Raises TrailFailed."""
        assert not (after and subject.startswith(OWN)), subject
        with self.writing():
            self.note(who, action, subject, before=before, after=after, reason=reason, approval=approval, result=result)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction of the store, for changes with their rows; then a checkpoint if one is due."""
        with self.store.transaction():
            yield
        self._sign_if_due()

    def note(
        self, who: str, action: str, subject: str, *, before: str = "", after: str = "", reason: str = "",
        approval: int = 0, result: str = "ok",
    ) -> None:  # fmt: skip
        """Append one row to the transaction that is under way."""
        number, chain = self.store.head()
        sealed = self.box.vault.seal(clean(reason).encode(), _bound_to(number + 1)) if reason else b""
        row = Row(
            id=number + 1, at_ms=self.now_ms(), who=clean(who), roles=self.roles_of(who), source=self.source,
            request=self.request, action=clean(action), subject=clean(subject), before=clean(before),
            after=clean(after), reason=sealed, approval=approval, result=clean(result),
        )  # fmt: skip
        self.store.append(row, linked(sm3, chain, row))

    @contextmanager
    def changing(self, who: str, action: str, subject: str) -> Iterator[None]:
        """A transaction as `writing`; a refusal takes it back and leaves a row of its own. Raises NotAllowed."""
        try:
            with self.writing():
                yield
        except NotAllowed as cause:
            self.record(who, action, subject, result=cause.code)
            raise

    def checkpoint(self) -> None:
        """Sign what is not signed yet. A node calls it by a timer, a program at its end. Raises TrailFailed."""
        with self.store.transaction():
            last = self._last()
            number, chain = self._recomputed(last)
            if number > (last.entries if last else 0):
                self._sign(number, chain)

    def hand_over(self, new: Signer, approval: Approval) -> None:
        """Let a new key sign from here on: the old one signs its last row, and both that one follows the other. Done
        again after a crash it goes on. Raises TrailFailed."""
        old, subject = self.signer, "key:signing"
        if not self.store.carried_out(subject, approval.id):
            self.record(
                approval.checker, "key.rotate", subject, before=old.public.hex(), after=new.public.hex(),
                reason=approval.reason, approval=approval.id,
            )  # fmt: skip
        with self.store.transaction():
            number, chain = self._recomputed(self._last())
            if number > (last.entries if (last := self._last()) else 0):
                self._sign(number, chain)
            unsigned = HandOver(
                store=self.store.id, entries=number, old=old.public, new=new.public, at_ms=self.now_ms(),
                approval=approval.id,
            )  # fmt: skip
            message = unsigned.message()
            self.store.add_hand_over(attrs.evolve(unsigned, by_old=old.sign(message), by_new=new.sign(message)))
        self.signer = new
        self._tell_outside()

    def in_force(self) -> Signer:
        """Return the signer of the key in force, also when another program changed it since."""
        if (last := self.store.hand_overs()[-1:]) and last[0].new != self.signer.public:
            self.signer = self.renewed()
        return self.signer

    def _sign_if_due(self) -> None:
        last, (number, _) = self._last(), self.store.head()
        unsigned = number - (last.entries if last else 0)
        if unsigned >= self.entries_max or (unsigned and self.now_ms() - self._since(last) >= self.age_max_ms):
            self.checkpoint()

    def _since(self, last: Checkpoint | None) -> int:
        if last is not None:
            return last.at_ms
        first = next(self.store.rows(), None)
        return first[0].at_ms if first else self.now_ms()

    def _last(self) -> Checkpoint | None:
        return next(iter(self.store.checkpoints(1)), None)

    def _recomputed(self, last: Checkpoint | None) -> tuple[int, bytes]:
        number, chain = (last.entries, last.chain) if last else (0, GENESIS)
        for row, stored in self.store.rows(number):
            number, chain = number + 1, linked(sm3, chain, row)
            if row.id != number or chain != stored:
                raise TrailFailed(f"审计链在第{number}条断开，停止签名；请运行 liangding audit verify")
        return number, chain

    def _sign(self, number: int, chain: bytes) -> None:
        self.in_force()
        self._tell_outside()
        unsigned = Checkpoint(
            store=self.store.id, entries=number, chain=chain, at_ms=self.now_ms(), public=self.signer.public
        )
        one = attrs.evolve(unsigned, signature=self.signer.sign(unsigned.message()))
        self._append(one)  # first: what is outside may be ahead, never behind
        self.store.add_checkpoint(one)

    def _tell_outside(self) -> None:
        """Let the hand-over to the key in force stand outside, before anything that key signs."""
        last = self.store.hand_overs()[-1:]
        if last and last[0] not in checkpoints.tail(self.outside):
            newest = checkpoints.newest(self.outside)
            if newest is None or newest.public != last[0].new:
                self._append(last[0])

    def _append(self, one: Checkpoint | HandOver) -> None:
        try:
            checkpoints.append(self.outside, one)
        except OSError as cause:
            raise TrailFailed(f"审计检查点无法写入：{self.outside}（{words_of(cause)}）") from cause


def check_outside(store: SecurityStore, outside: Path) -> None:
    """Raise TrailFailed when the outside file cannot be read, or says at its end what the store does not: then the
    store was cut, put in place of another or taken from a backup, or somebody added to the file.

    Whether it is signed is not asked: what the store has does no harm, what it does not have must be looked into,
    whoever signed it. `audit verify` looks at all of the file, and at signatures.
    """
    try:
        told = checkpoints.tail(outside)
    except OSError as cause:
        raise TrailFailed(f"审计检查点文件不能使用：{outside}（{words_of(cause)}）") from cause
    own, handed, before = store.id, store.hand_overs(), 0
    for one in told:
        known = one in handed if isinstance(one, HandOver) else store.chain(one.entries) == one.chain
        if one.store != own or not known or one.entries < before:
            what = "换钥记录" if isinstance(one, HandOver) else "检查点"
            text = f"安全库与库外{what}不符（第{one.entries}条）：库被截短、替换或由旧备份恢复，或有人改动了{outside}"
            raise TrailFailed(f"{text}；请运行 liangding audit verify，查清之前不得继续")
        before = one.entries


def check_writable(outside: Path) -> None:
    """Raise TrailFailed when the outside file cannot be written; makes it."""
    try:
        checkpoints.writable(outside)
    except OSError as cause:
        raise TrailFailed(f"审计检查点文件不能使用：{outside}（{words_of(cause)}）") from cause


def reason_of(box: SecurityBox, row: Row) -> str:
    """Return a row's reason in clear; words that say so where it does not open."""
    try:
        return box.vault.open(row.reason, _bound_to(row.id)).decode() if row.reason else ""
    except VaultError:
        return "（理由无法解密）"


def _bound_to(number: int) -> bytes:
    return f"audit reason {number}".encode()
