"""The life of a proposal (security.md §5): maker, checker, once, within a day. Pure.

    PROPOSED → APPROVED → USED
    PROPOSED → REFUSED | VOID (changed content) | EXPIRED (24 h)
    APPROVED → VOID (changed content) | EXPIRED (not carried out in time)

A content is never changed: a new one is a new proposal, and what waited under the same kind and subject is void.
"""

from typing import Literal

import attrs

from gateway.core.approval import ApprovalState, Case, NotAllowed, Person
from gateway.security.roles import Roles

Deed = Literal["approve", "refuse", "void", "expire", "use"]

TRANSITIONS: dict[tuple[ApprovalState, Deed], ApprovalState] = {
    ("PROPOSED", "approve"): "APPROVED",
    ("PROPOSED", "refuse"): "REFUSED",
    ("PROPOSED", "void"): "VOID",
    ("PROPOSED", "expire"): "EXPIRED",
    ("APPROVED", "use"): "USED",
    ("APPROVED", "void"): "VOID",
    ("APPROVED", "expire"): "EXPIRED",
}
STATES: dict[ApprovalState, str] = {
    "PROPOSED": "待复核", "APPROVED": "已批准，待执行", "REFUSED": "已退回", "EXPIRED": "已过期", "VOID": "已作废",
    "USED": "已执行",
}  # fmt: skip
_CODES: dict[ApprovalState, str] = {
    "REFUSED": "SEC-REFUSED", "EXPIRED": "SEC-EXPIRED", "VOID": "SEC-VOID", "USED": "SEC-USED",
    "APPROVED": "SEC-APPROVED", "PROPOSED": "SEC-NOT-APPROVED",
}  # fmt: skip


@attrs.frozen(kw_only=True)
class Limits:
    """How long a proposal waits for its checker (24 h, security.md §5), and an approval for being carried out."""

    decide_ms: int = 24 * 3_600_000
    use_ms: int = 72 * 3_600_000  # a platform may be away over a weekend; later the facts are others


def moved(case: Case, deed: Deed) -> Case:
    """Return the case after a deed; raise NotAllowed when its state does not allow it."""
    state = TRANSITIONS.get((case.state, deed))
    if state is None:
        text = f"第{case.approval.id}号{STATES[case.state]}，不能再{_WORDS[deed]}；需要时请重新提出"
        raise NotAllowed(_CODES[case.state], text)
    return attrs.evolve(case, approval=attrs.evolve(case.approval, state=state))


_WORDS: dict[Deed, str] = {"approve": "批准", "refuse": "退回", "void": "作废", "expire": "作过期处理", "use": "执行"}


def late(case: Case, now_ms: int, limits: Limits) -> bool:
    """Say whether an open proposal has waited too long. A clock that went back makes nothing late, and nothing new."""
    if case.state == "PROPOSED":
        return now_ms - case.approval.proposed_ms >= limits.decide_ms
    return case.state == "APPROVED" and now_ms - case.approval.decided_ms >= limits.use_ms


def may_propose(roles: Roles, maker: Person, kind: str, caused_by: tuple[str, ...], months: tuple[str, ...]) -> None:
    """Raise NotAllowed unless this person may propose this. months: who reconciled the month in question."""
    roles.maker(maker, kind)
    _outside(maker, caused_by, months)


def decided(roles: Roles, case: Case, checker: Person, now_ms: int, deed: Literal["approve", "refuse"]) -> Case:
    """Return the case after its checker's decision; raise NotAllowed. The caller has let it expire before."""
    maker = case.approval.maker
    if checker.name == maker:
        raise NotAllowed("SEC-SAME-PERSON", "经办人不得复核自己提出的事项")
    if checker.session == case.maker_session:
        raise NotAllowed("SEC-SAME-SESSION", "提出和复核不得在同一会话中进行")
    if checker.certificate and checker.certificate == case.maker_certificate:
        raise NotAllowed("SEC-SAME-CERTIFICATE", "提出和复核不得使用同一张证书")
    roles.checker(checker, case.approval.kind)
    _outside(checker, case.caused_by, case.reconcilers)
    found = moved(case, deed)
    approval = attrs.evolve(found.approval, checker=checker.name, decided_ms=now_ms)
    return attrs.evolve(
        found, approval=approval, checker_session=checker.session, checker_certificate=checker.certificate
    )


def _outside(person: Person, caused_by: tuple[str, ...], reconcilers: tuple[str, ...]) -> None:
    if person.name in caused_by:
        raise NotAllowed("SEC-CAUSED", f"{person.name}是原交易的经手人，不得提出或复核对它的处理")
    if person.name in reconcilers:
        raise NotAllowed("SEC-RECONCILER", f"{person.name}是该月份的对账员，不得提出或复核该月的财务事项")
