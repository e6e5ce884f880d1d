"""Proposals of two people in the store (gateway.core.approval.Approvals); what may happen is decided in
`gateway.security.approving`, and every step has its row in the trail, refusals too."""

from collections.abc import Callable, Collection, Mapping
from typing import Literal

import attrs
import msgspec

from adapters.crypto.digest import sm3
from adapters.crypto.vault import VaultError
from adapters.store.security import SecurityStore, StoredCase, facts
from gateway.app.security_people import People
from gateway.app.security_trail import ChainedTrail, SecurityBox
from gateway.core.approval import Approval, ApprovalState, Case, NotAllowed, Person
from gateway.core.trail import clean
from gateway.security.accounts import check_confirmed, check_session
from gateway.security.approving import Deed, Limits, decided, late, may_propose, moved
from gateway.security.roles import Roles

CONTENT_MAX = 4 * 1024 * 1024
_encode = msgspec.json.Encoder().encode


@attrs.define(eq=False, kw_only=True)
class ApprovalDesk:
    """Proposals, their checking and their use."""

    store: SecurityStore
    box: SecurityBox
    trail: ChainedTrail
    people: People
    roles: Roles
    limits: Limits
    now_ms: Callable[[], int]
    judges: Mapping[str, Callable[[Person, bytes], None]] = attrs.Factory(dict)  # by kind: is asked at both steps

    def propose(
        self, maker: Person, kind: str, subject: str, content: bytes, reason: str, *,
        caused_by: Collection[str] = (), reconcilers: Collection[str] = (),
    ) -> Approval:  # fmt: skip
        """Propose; see gateway.core.approval.Approvals. A reason is needed; content: at most 4 MiB."""
        causes, months = tuple(sorted(set(caused_by))), tuple(sorted(set(reconcilers)))
        digest = sm3(content).hex()
        if not reason.strip():
            raise NotAllowed("SEC-REASON", "提出事项须写明理由")
        if len(content) > CONTENT_MAX or not content or subject != clean(subject):
            raise NotAllowed("SEC-CONTENT", f"事项内容应为1至{CONTENT_MAX}字节，对象编号不得含控制字符或过长")
        with self.trail.changing(maker.name, "approval.propose", clean(f"{kind}:{subject}")):
            self._expire()
            self._real(maker)
            may_propose(self.roles, maker, kind, causes, months)
            self._judge(maker, kind, content)
            for stored in self.store.cases(kind, subject):
                if stored.case.approval.kind == kind:
                    self._step(self._whole(stored).case, "void", maker.name)
            approval = Approval(
                id=self.store.next_case(), kind=kind, subject=subject, content_sm3=digest, maker=maker.name,
                reason=clean(reason), proposed_ms=self.now_ms(),
            )  # fmt: skip
            case = Case(
                approval=approval, maker_session=maker.session, maker_certificate=maker.certificate,
                caused_by=causes, reconcilers=months,
            )  # fmt: skip
            self._add(case, content)
            self.people.acted(maker.name, self.roles.maker(maker, kind))
        return approval

    def approve(self, checker: Person, number: int) -> Approval:
        """Approve as the second person. Raises NotAllowed, TrailFailed."""
        return self._decide(checker, number, "approve", "")

    def refuse(self, checker: Person, number: int, reason: str) -> Approval:
        """Refuse, with a reason. Raises NotAllowed, TrailFailed."""
        if not reason.strip():
            raise NotAllowed("SEC-REASON", "退回须写明理由")
        return self._decide(checker, number, "refuse", reason)

    def withdraw(self, maker: Person, number: int) -> Approval:
        """Take one's own proposal back. Raises NotAllowed, TrailFailed."""
        with self.trail.changing(maker.name, "approval.void", f"approval:{number}"):
            self._real(maker)
            case = self._whole(self._there(number)).case
            if case.approval.maker != maker.name:
                raise NotAllowed("SEC-RIGHT", "只有提出人可以撤回")
            return self._step(case, "void", maker.name).approval

    def open(self, kind: str = "", subject: str = "") -> list[Approval]:
        """Return what waits for a checker. kind: with all below it."""
        return [one for one in self.listed(kind, subject, ("PROPOSED",)) if one.state == "PROPOSED"]

    def listed(
        self, kind: str = "", subject: str = "", states: tuple[ApprovalState, ...] = ("PROPOSED", "APPROVED")
    ) -> list[Approval]:
        """Return proposals in some states, oldest first; what is late is told as EXPIRED."""
        now_ms = self.now_ms()
        found = [self._whole(one).case for one in self.store.cases(kind, subject, states)]
        return [(moved(one, "expire") if late(one, now_ms, self.limits) else one).approval for one in found]

    def get(self, number: int) -> Approval:
        """Return one proposal, its reason in clear. Raises NotAllowed (SEC-APPROVAL, SEC-TAMPERED)."""
        case = self._whole(self._there(number)).case
        return (moved(case, "expire") if late(case, self.now_ms(), self.limits) else case).approval

    def content(self, number: int) -> bytes:
        """Return exactly the bytes that were proposed."""
        stored = self._there(number)
        self._whole(stored)
        content = self._unsealed(stored.content, f"approval content {number}", number)
        if sm3(content).hex() != stored.case.approval.content_sm3:
            raise _tampered(number)
        return content

    def use(self, kind: str, subject: str, content: bytes) -> Approval:
        """Use up the approval of exactly this content, once. Raises NotAllowed when there is none; TrailFailed."""
        digest = sm3(content).hex()
        with self.trail.changing("service", "approval.use", f"{kind}:{subject}"):
            self._expire()
            for stored in self.store.cases(kind, subject, ("APPROVED",)):
                one = stored.case.approval
                if one.kind == kind and one.content_sm3 == digest:
                    return self._step(self._whole(stored).case, "use", one.checker).approval
            raise NotAllowed("SEC-NOT-APPROVED", f"这项内容没有可用的批准：{kind} {subject}；须由两人提出并复核")

    def use_up(self, number: int) -> Approval:
        """Note that an approval was carried out; one that is USED already stays so."""
        with self.trail.writing():
            case = self._whole(self._there(number)).case
            return case.approval if case.state == "USED" else self._step(case, "use", case.approval.checker).approval

    def _decide(self, checker: Person, number: int, deed: Literal["approve", "refuse"], reason: str) -> Approval:
        with self.trail.writing():  # of its own: what is late stays so when the decision is refused
            self._expire()
        with self.trail.changing(checker.name, f"approval.{deed}", f"approval:{number}"):
            self._real(checker)
            case = self._whole(self._there(number)).case
            after = decided(self.roles, case, checker, self.now_ms(), deed)
            if deed == "approve":
                self._judge(checker, case.approval.kind, self.content(number))
            self._keep(after, f"approval.{deed}", checker.name, case.state, reason)
            self.people.acted(checker.name, self.roles.checker(checker, case.approval.kind))
            return after.approval

    def _real(self, person: Person) -> None:
        """Raise NotAllowed unless two factors proved the person, its roles are those of now, and the account is its
        owner's: who was locked or lost one, acts no more."""
        check_session(person)
        account = self.people.load(person.name)
        if account is None or account.locked or not person.roles <= account.roles.keys():
            raise NotAllowed("SEC-RIGHT", f"{person.name}的角色已变更或账户已锁定，请重新登录")
        check_confirmed(account)

    def _judge(self, person: Person, kind: str, content: bytes) -> None:
        """Raise NotAllowed when what is to be done may not be: by what is so now, not when it was proposed."""
        if (judge := self.judges.get(kind)) is not None:
            judge(person, content)

    def _expire(self) -> None:
        now_ms = self.now_ms()
        for stored in self.store.cases():
            if late(stored.case, now_ms, self.limits):
                self._step(self._whole(stored).case, "expire", "service")

    def _step(self, case: Case, deed: Deed, who: str) -> Case:
        after = moved(case, deed)
        if deed == "use":
            after = attrs.evolve(after, used_ms=self.now_ms())
        self._keep(after, f"approval.{deed}", who, case.state, "")
        return after

    def _keep(self, case: Case, action: str, who: str, before: str, reason: str) -> None:
        mac = self._mac(case)
        self.store.put_case(case, mac)
        number = case.approval.id
        after = f"{case.state} {mac}"
        self.trail.note(who, action, f"approval:{number}", before=before, after=after, reason=reason, approval=number)

    def _add(self, case: Case, content: bytes) -> None:
        one, mac = case.approval, self._mac(case)
        seal = self.box.vault.seal
        self.store.add_case(
            StoredCase(
                case, seal(content, f"approval content {one.id}".encode()),
                seal(one.reason.encode(), f"approval reason {one.id}".encode()), mac,
            )
        )  # fmt: skip
        self.trail.note(
            one.maker, "approval.propose", f"approval:{one.id}", after=f"{case.state} {mac}", reason=one.reason,
            approval=one.id,
        )  # fmt: skip

    def _mac(self, case: Case) -> str:
        return self.box.name(mac_content(facts(case)))

    def _there(self, number: int) -> StoredCase:
        stored = self.store.case(number)
        if stored is None:
            raise NotAllowed("SEC-APPROVAL", f"没有第{number}号事项")
        return stored

    def _whole(self, stored: StoredCase) -> StoredCase:
        """Return a case as it is kept, with its reason; raise NotAllowed when it was changed past us or put back."""
        number, state = stored.case.approval.id, stored.case.state
        mac = self._mac(stored.case)
        if mac != stored.mac or self.store.last_after(f"approval:{number}") != f"{state} {mac}":
            raise _tampered(number)
        reason = self._unsealed(stored.reason, f"approval reason {number}", number).decode()
        case = attrs.evolve(stored.case, approval=attrs.evolve(stored.case.approval, reason=reason))
        return attrs.evolve(stored, case=case)

    def _unsealed(self, sealed: bytes, bound_to: str, number: int) -> bytes:
        try:
            return self.box.vault.open(sealed, bound_to.encode())
        except VaultError as cause:
            raise _tampered(number) from cause


def mac_content(columns: tuple[object, ...]) -> bytes:
    """Return what the keyed digest of a proposal covers."""
    return b"approval\0" + _encode(columns)


def _tampered(number: int) -> NotAllowed:
    text = f"第{number}号事项与审计记录不符，可能被绕过程序改动；请运行 liangding audit verify"
    return NotAllowed("SEC-TAMPERED", text)
