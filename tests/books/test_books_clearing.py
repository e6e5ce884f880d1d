"""The clearing application's machine: every state and input is declared or refused; each guard; identities (B19)."""

import tomllib
from collections.abc import Mapping
from itertools import product

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from adapters.crypto.digest import sm3
from gateway.books.clearing import (
    FUNDS,
    QUIET,
    SAID,
    TABLE,
    Audit,
    Facts,
    Input,
    Refused,
    State,
    identity_faults,
    read_status,
    step,
    unconfirmed,
)
from gateway.books.deductions import (
    ACCEPTED,
    APPEALED,
    APPLIED,
    MOVES,
    NOTIFIED,
    REVISED,
    REVOKED,
    UPHELD,
    Deduction,
    file_objections,
    move,
    totals,
)
from gateway.books.freezing import FUND_PARTS
from gateway.books.month import Content, Counted, ProfileError, days_of, funds_of, missing_days, profile, sum_faults
from gateway.core.ledgers import COMPONENTS

FULL = Facts(
    maker="qian", checker="sun", approved=True, stored=True, event_id="E1", applied={"hifp_pay": 100},
    audit=Audit(approved={"hifp_pay": 100}), paid=100,
)  # fmt: skip
MEANINGS = {"10": "found", "20": "accept", "40": "audit", "60": "disburse", "70": ""}


def test_every_pair_is_declared_or_refused() -> None:
    """With every guard content, exactly the declared pairs go on. (One test: 300 of their own cost a minute.)"""
    for state, what in product(State, Input):
        doubt = "submit" if state is State.IN_DOUBT else ""
        if (state, what) in TABLE or (state, what) in QUIET:
            new, _ = step(state, doubt, what, FULL)
            assert new is (state if (state, what) in QUIET else TABLE[state, what]), (state, what)
        else:
            with pytest.raises(Refused, match="BM-STATE"):
                step(state, doubt, what, FULL)


def test_every_state_is_reached_and_only_ends_are_ends() -> None:
    reached = {State.DRAFT, *TABLE.values()}
    assert reached == set(State)
    assert {state for state in State if not any(pair[0] is state for pair in TABLE)} == {
        State.RETURNED, State.WITHDRAWN, State.CLOSED,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "given", "facts", "code"),
    [
        (State.DRAFT, Input.CHECK, {"missing": ["2026-03-01"]}, "BM-DAY"),
        (State.DRAFT, Input.CHECK, {"unconsented": ["2026-03-01"]}, "BM-CONSENT"),
        (State.DRAFT, Input.CHECK, {"consent_faults": ["x"]}, "BM-CONSENT"),
        (State.DRAFT, Input.CHECK, {"sums": ["x"]}, "BM-SUM"),
        (State.CHECKED, Input.APPROVE, {"approved": False}, "BM-TWO"),
        (State.CHECKED, Input.APPROVE, {"checker": "qian"}, "BM-SAME"),
        (State.CHECKED, Input.APPROVE, {"reconcilers": frozenset({"sun"})}, "BM-DUTY"),
        (State.APPROVED, Input.SUBMIT, {"stored": False}, "BM-STORED"),
        (State.APPROVED, Input.SUBMIT, {"manual": True}, "BM-MANUAL"),
        (State.APPROVED, Input.SUBMIT, {"missing": ["2026-03-01"]}, "BM-DAY"),
        (State.APPROVED, Input.ENTER, {"event_id": ""}, "BM-EVENT"),
        (State.SUBMITTING, Input.ANSWERED, {"event_id": ""}, "BM-EVENT"),
        (State.IN_DOUBT, Input.FOUND, {"event_id": ""}, "BM-EVENT"),
        (State.SUBMITTED, Input.WITHDRAW, {"approved": False}, "BM-TWO"),
        (State.ACCEPTED, Input.WITHDRAW, {"clr_stas": 40}, "BM-AUDITED"),
        (State.ACCEPTED, Input.AUDIT, {"unmatched": 1}, "BM-DEDUCT"),
        (State.AUDITED, Input.CONFIRM, {"audit": None}, "BM-AUDIT"),
        (State.AUDITED, Input.CONFIRM, {"open_deductions": 1}, "BM-OPEN"),
        (State.AUDITED, Input.CONFIRM, {"applied": {"hifp_pay": 101}}, "BM-FUND"),
        (State.CONFIRMED, Input.DISBURSE, {"paid": None}, "BM-PAID"),
        (State.CONFIRMED, Input.DISBURSE, {"paid": 99}, "BM-PAID"),
        (State.CONFIRMED, Input.DISBURSE, {"applied": {"hifp_pay": 101}}, "BM-FUND"),
    ],
)
def test_each_guard_holds_its_step_back(state: State, given: Input, facts: Mapping[str, object], code: str) -> None:
    with pytest.raises(Refused) as refused:
        step(state, "", given, attrs.evolve(FULL, **facts))
    assert [one.code for one in refused.value.objections] == [code]


def test_doubt_is_left_only_by_asking_and_remembers_what_it_is_about() -> None:
    assert step(State.SUBMITTING, "", Input.SILENT, FULL) == (State.IN_DOUBT, "submit")
    assert step(State.WITHDRAWING, "", Input.SILENT, FULL) == (State.IN_DOUBT, "withdraw")
    assert step(State.IN_DOUBT, "submit", Input.ABSENT, FULL) == (State.APPROVED, "")
    assert step(State.IN_DOUBT, "withdraw", Input.ABSENT, FULL) == (State.WITHDRAWN, "")
    assert step(State.IN_DOUBT, "withdraw", Input.FOUND, FULL) == (State.SUBMITTED, "")
    accepted = attrs.evolve(FULL, was=State.ACCEPTED)  # a withdrawal in vain leaves it as it was
    assert step(State.IN_DOUBT, "withdraw", Input.FOUND, accepted) == (State.ACCEPTED, "")
    for vain in (Input.REFUSED, Input.NOT_SENT):
        assert step(State.WITHDRAWING, "", vain, accepted) == (State.ACCEPTED, "")
    assert step(State.IN_DOUBT, "submit", Input.FOUND, accepted) == (State.SUBMITTED, "")
    assert step(State.IN_DOUBT, "submit", Input.SILENT, FULL) == (State.IN_DOUBT, "submit")
    assert {given for state, given in TABLE if state is State.IN_DOUBT} == {Input.FOUND, Input.ABSENT, Input.SILENT}


@pytest.mark.parametrize(
    ("value", "before", "given", "number", "alarm"),
    [
        ("20", 10, Input.ACCEPT, 20, ""), ("70", 60, None, 70, ""), ("999", 20, None, 20, "对照表"),
        ("", 20, None, 20, "对照表"), ("10", 40, None, 40, "退回到10"), ("40", 40, Input.AUDIT, 40, ""),
    ],
)  # fmt: skip
def test_what_the_platform_says_is_read_by_the_table(
    value: str, before: int, given: Input | None, number: int, alarm: str
) -> None:
    heard = read_status(value, before, MEANINGS)
    assert (heard.input, heard.number) == (given, number)
    assert alarm in heard.alarm and bool(alarm) == bool(heard.alarm)


def test_only_the_institution_confirms() -> None:
    """Whatever the platform says, an audited application waits for it (§7.1)."""
    for said, state in product(SAID, (State.AUDITED, State.DISPUTED)):
        try:
            new, _ = step(state, "", said, FULL)
        except Refused:
            continue
        assert new in (State.AUDITED, State.DISPUTED, State.RETURNED), (said, state)
    assert {given for (_, given), new in TABLE.items() if new is State.CONFIRMED} == {Input.CONFIRM}
    assert {state for state in State if unconfirmed(state, Input.CLEARED)} == {
        State.SUBMITTED, State.ACCEPTED, State.AUDITED, State.DISPUTED,
    }  # fmt: skip
    assert not unconfirmed(State.AUDITED, Input.AUDIT)


def test_a_region_whose_platform_would_confirm_for_the_institution_is_refused() -> None:
    plain = tomllib.loads((schemas.ROOT / "books" / "clearing.toml").read_text("utf-8"))
    plain["region"]["jilin"]["clr_stas"] = {"50": "confirm"}
    with pytest.raises(ProfileError, match="confirm"):
        profile(plain, "jilin")
    assert profile(plain, "hunan").clr_stas["50"] == "cleared"


FENS = st.dictionaries(st.sampled_from(FUNDS), st.integers(0, 10**12), max_size=4)


@given(FENS, FENS, FENS, FENS, st.sampled_from(FUNDS), st.sampled_from((0, 1, -1)))
def test_the_identity_holds_to_the_fen_by_fund(
    approved: dict[str, int], deducted: dict[str, int], withheld: dict[str, int], deposit: dict[str, int], fund: str,
    off: int,
) -> None:  # fmt: skip
    audit = Audit(approved=approved, deducted=deducted, withheld=withheld, deposit=deposit)
    applied = {name: sum(part.get(name, 0) for part in (approved, deducted, withheld, deposit)) for name in FUNDS}
    applied[fund] += off
    assert [one.text.split("：")[0] for one in identity_faults(applied, audit)] == ([fund] if off else [])


# --- deductions ------------------------------------------------------------------------------------

ONE = Deduction(deduction_id="D1", setl_id="S1", fund="hifp_pay", amount=100, kind="DEDUCT")


STATES = (NOTIFIED, ACCEPTED, APPEALED, UPHELD, REVISED, REVOKED, APPLIED)


def test_a_deduction_moves_as_declared() -> None:
    for before, after in product(STATES, repeat=2):
        one = attrs.evolve(ONE, state=before)
        if (before, after) in MOVES:
            assert move(one, after, 50 if after == REVISED else None).state == after
        else:
            with pytest.raises(Refused, match="BD-STATE"):
                move(one, after)


def test_an_appeal_after_its_deadline_and_a_revision_out_of_bounds_are_refused() -> None:
    with pytest.raises(Refused, match="BD-LATE"):
        move(ONE, APPEALED, late=True)
    for fen in (None, 0, 100):
        with pytest.raises(Refused, match="BD-AMOUNT"):
            move(attrs.evolve(ONE, state=APPEALED), REVISED, fen)


@pytest.mark.parametrize(
    ("states", "kind", "deducted", "withheld"),
    [
        ((ACCEPTED,), "DEDUCT", 100, 0), ((ACCEPTED, APPLIED), "PENALTY", 100, 0),
        ((APPEALED, UPHELD), "DEDUCT", 100, 0),
        ((APPEALED, REVISED, APPLIED), "DEDUCT", 30, 0), ((APPEALED, REVOKED, APPLIED), "DEDUCT", 0, 0),
        ((ACCEPTED,), "WITHHOLD", 0, 100),
    ],
)  # fmt: skip
def test_what_counts_of_a_deduction(states: tuple[str, ...], kind: str, deducted: int, withheld: int) -> None:
    one = attrs.evolve(ONE, kind=kind)
    for state in states:
        one = move(one, state, 30 if state == REVISED else None)
    found = totals([one])
    assert (found[0].get("hifp_pay", 0), found[1].get("hifp_pay", 0)) == (deducted, withheld)


FROZEN = {"S1": {"hifp_pay": 150, "acct_pay": 10}}


@pytest.mark.parametrize(
    ("rows", "known", "codes"),
    [
        ([ONE], [], []),
        ([attrs.evolve(ONE, amount=151)], [], ["BD-OVER"]),
        ([ONE], [attrs.evolve(ONE, deduction_id="D0", amount=51)], ["BD-OVER"]),
        ([ONE], [attrs.evolve(ONE, deduction_id="D0", amount=51, state=APPLIED, ended=REVOKED)], []),
        ([ONE, attrs.evolve(ONE, deduction_id="D2", amount=51)], [], ["BD-OVER"]),
        ([attrs.evolve(ONE, fund="maf_pay")], [], ["BD-OVER"]),
        ([attrs.evolve(ONE, setl_id="S9")], [], ["BD-ROW"]),
        ([attrs.evolve(ONE, kind="X")], [], ["BD-FORM"]),
        ([attrs.evolve(ONE, amount=0)], [], ["BD-FORM"]),
        ([ONE, ONE], [], ["BD-TWICE"]),
        ([ONE], [ONE], []),
        ([ONE], [attrs.evolve(ONE, amount=99)], ["BD-CHANGED"]),
    ],
)
def test_a_file_of_deductions_is_taken_whole_or_refused(
    rows: list[Deduction], known: list[Deduction], codes: list[str]
) -> None:
    found = file_objections(rows, {one.deduction_id: one for one in known}, FROZEN)
    assert [one.code for one in found] == codes


# --- the month -------------------------------------------------------------------------------------


def test_a_month_lacks_the_days_that_are_not_frozen() -> None:
    assert len(days_of("2026-02")) == 28
    assert missing_days("2026-02", [day for day in days_of("2026-02") if day != "2026-02-17"]) == ["2026-02-17"]


@given(st.dictionaries(st.sampled_from(COMPONENTS), st.integers(-(10**13), 10**13)))
def test_the_funds_add_up_to_what_is_applied_for(sums: dict[str, int]) -> None:
    funds = funds_of(sums)
    assert sum(funds.values()) == sums.get("fund_pay_sumamt", 0) + sums.get("acct_pay", 0)
    assert {*funds} <= {*FUND_PARTS, "fund_pay_sumamt", "acct_pay"}


def test_sums_are_those_of_the_days_plus_adjustments_minus_what_is_held() -> None:
    def counted(settlements: int, refunds: int, medfee: int) -> Counted:
        return Counted(settlements, refunds, (medfee, *(0 for _ in COMPONENTS[1:])))

    days = {"DAY": counted(10, 2, 900), "ADJ": counted(0, 1, -50), "HELD": counted(1, 0, 100)}
    group = ("11", "310", "510800", "2")
    assert sum_faults(group, counted(9, 3, 750), days) == []
    found = sum_faults(group, counted(9, 2, 751), days)
    assert [text.split("：")[0] for text in found] == ["11/310/510800/2的退费笔数", "11/310/510800/2的medfee_sumamt"]


def test_the_key_of_an_application_lasts_and_differs_by_revision() -> None:
    content = Content(
        role="care", scope="H1", month="2026-03", group=("11", "310", "5108", "2"), revision=1, clr_way="",
        settlements=2, refunds=1, sums={"medfee_sumamt": 5},
    )  # fmt: skip
    assert Content.read(content.text()) == content
    keys = {attrs.evolve(content, revision=revision).key(sm3) for revision in (1, 2)}
    assert len(keys) == 2 and content.persontime == 1


def test_hunan_has_no_interface_for_applications() -> None:
    plain = tomllib.loads((schemas.ROOT / "books" / "clearing.toml").read_text("utf-8"))
    assert profile(plain, "hunan").manual and not profile(plain, "national").manual
    assert profile(plain, "jilin").status == "3205A"
    for region in ("", *plain["region"]):
        for word in profile(plain, region).clr_stas.values():
            assert not word or Input(word)
