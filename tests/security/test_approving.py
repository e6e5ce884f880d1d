"""The life of a proposal, every state and every deed; and who may be its second person, whatever is tried."""

import itertools
from typing import get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from gateway.core.approval import Approval, ApprovalState, Case, NotAllowed, Person, Role
from gateway.security.approving import STATES, Deed, Limits, decided, late, may_propose, moved
from gateway.security.roles import ROLES, read_roles

DELIVERED = read_roles((schemas.ROOT / "security" / "roles.toml").read_bytes())
HOUR_MS = 3_600_000
APPROVAL = Approval(
    id=7, kind="books.case", subject="case:17", content_sm3="ab", maker="wang", reason="r", proposed_ms=1_000
)
CASE = Case(approval=APPROVAL, maker_session="s1", maker_certificate="c1", caused_by=("zhao",), reconcilers=("qian",))
LI = Person("li", frozenset({"approver"}), "s2", "c2")
# (state, deed) -> state; what is not here is refused.
TABLE = {
    ("PROPOSED", "approve"): "APPROVED", ("PROPOSED", "refuse"): "REFUSED", ("PROPOSED", "void"): "VOID",
    ("PROPOSED", "expire"): "EXPIRED", ("APPROVED", "use"): "USED", ("APPROVED", "void"): "VOID",
    ("APPROVED", "expire"): "EXPIRED",
}  # fmt: skip


def in_state(state: ApprovalState) -> Case:
    return attrs.evolve(CASE, approval=attrs.evolve(APPROVAL, state=state))


@pytest.mark.parametrize(("state", "deed"), list(itertools.product(get_args(ApprovalState), get_args(Deed))))
def test_every_deed_in_every_state(state: ApprovalState, deed: Deed) -> None:
    wanted = TABLE.get((state, deed))
    if wanted is not None:
        assert moved(in_state(state), deed).state == wanted
        return
    with pytest.raises(NotAllowed, match="第7号" + STATES[state]) as refused:
        moved(in_state(state), deed)
    assert refused.value.code.startswith("SEC-")


@pytest.mark.parametrize(
    ("checker", "code"),
    [
        (attrs.evolve(LI, name="wang", session="s9", certificate="c9"), "SEC-SAME-PERSON"),
        (attrs.evolve(LI, session="s1"), "SEC-SAME-SESSION"),
        (attrs.evolve(LI, certificate="c1"), "SEC-SAME-CERTIFICATE"),
        (attrs.evolve(LI, roles=frozenset({"reconciler"})), "SEC-RIGHT"),
        (attrs.evolve(LI, roles=frozenset({"approver", "security"})), "SEC-INCOMPATIBLE"),
        (attrs.evolve(LI, name="zhao"), "SEC-CAUSED"),
        (attrs.evolve(LI, name="qian"), "SEC-RECONCILER"),
    ],
)
def test_who_may_not_be_the_second_person(checker: Person, code: str) -> None:
    for deed in ("approve", "refuse"):
        with pytest.raises(NotAllowed) as refused:
            decided(DELIVERED, CASE, checker, 2_000, deed)  # type: ignore[arg-type]
        assert refused.value.code == code


def test_the_second_person_is_kept_with_the_case() -> None:
    after = decided(DELIVERED, CASE, LI, 2_000, "approve")
    assert (after.state, after.approval.checker, after.approval.decided_ms) == ("APPROVED", "li", 2_000)
    assert (after.checker_session, after.checker_certificate) == ("s2", "c2")


NAMES, SHORT = st.sampled_from(["wang", "li", "zhao", "qian"]), st.sampled_from(["", "x", "y"])
SOME_ROLES: st.SearchStrategy[frozenset[Role]] = st.frozensets(st.sampled_from(ROLES), max_size=3)


@given(NAMES, SOME_ROLES, SHORT, SHORT, NAMES, SHORT, SHORT, st.sets(NAMES), st.sets(NAMES))
def test_no_approval_without_a_second_person(
    name: str, roles: frozenset[Role], session: str, certificate: str, maker: str, maker_session: str,
    maker_certificate: str, caused_by: set[str], reconcilers: set[str],
) -> None:  # fmt: skip
    case = Case(
        approval=attrs.evolve(APPROVAL, maker=maker), maker_session=maker_session, maker_certificate=maker_certificate,
        caused_by=tuple(caused_by), reconcilers=tuple(reconcilers),
    )  # fmt: skip
    try:
        decided(DELIVERED, case, Person(name, roles, session, certificate), 2_000, "approve")
    except NotAllowed:
        return
    assert name != maker
    assert session != maker_session
    assert not certificate or certificate != maker_certificate
    assert "approver" in roles and not roles & {"auditor", "security"}
    assert name not in caused_by | reconcilers


def test_who_caused_the_transaction_or_reconciled_the_month_proposes_nothing_about_it() -> None:
    finance = Person("wang", frozenset({"finance", "reconciler"}), "s1")
    may_propose(DELIVERED, finance, "month.submit", ("zhao",), ("qian",))
    with pytest.raises(NotAllowed, match="SEC-RECONCILER"):
        may_propose(DELIVERED, finance, "month.submit", (), ("qian", "wang"))
    with pytest.raises(NotAllowed, match="SEC-CAUSED"):
        may_propose(DELIVERED, finance, "books.case", ("wang",), ())


def test_a_day_later_nobody_decides_and_three_days_later_nobody_uses() -> None:
    limits = Limits()
    assert not late(CASE, 1_000 + 24 * HOUR_MS - 1, limits)
    assert late(CASE, 1_000 + 24 * HOUR_MS, limits)
    approved = decided(DELIVERED, CASE, LI, 2_000, "approve")
    assert not late(approved, 2_000 + 72 * HOUR_MS - 1, limits)
    assert late(approved, 2_000 + 72 * HOUR_MS, limits)
    assert not late(CASE, 0, limits)  # a clock that went back
    for state in ("USED", "VOID", "REFUSED", "EXPIRED"):
        assert not late(in_state(state), 10**15, limits)  # type: ignore[arg-type]
