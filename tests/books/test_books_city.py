"""A run for a city: what is complete is said for each institution (decision 0011), and what follows from its lines."""

import attrs
import pytest

from gateway.app.books_rules import rules
from gateway.books.deciding import Decider
from gateway.books.decisions import NotPossible, following
from gateway.books.lines import Line
from gateway.books.plans import CITY, Standing, city_state, day_state, plan_of, standing_of, state_of
from gateway.books.scope import Scope
from gateway.core.ledgers import AGY, COMPONENTS, GW, INST, Row

A, B = "H51080200001", "H51080200002"


def row(ledger: int, code: str, number: str, second: int = 36_000) -> Row:
    blank = dict.fromkeys(("prov_sn", "insutype", "clr_type", "clr_way", "clr_optins", "clr_pay_loc"), "")
    return Row(
        ledger=ledger, key=number, setl_id=number, fixmedins_code=code, mdtrt_id=f"V{number}", psn_no=f"P{number}",
        msgid=f"M{number}", **blank, chrg_bchno="", invono="", direction=0, status=0, delivered=0, day=0,
        second=second, amounts=(100, *([None] * (len(COMPONENTS) - 1))),
    )  # fmt: skip


def scope(**more: object) -> Scope:
    return attrs.evolve(Scope(date="2026-03-15", given=frozenset({INST, GW, AGY})), **more)  # type: ignore[arg-type]


def lines(at: Scope, *rows: Row) -> dict[str, Line]:
    decider = Decider(rules(), at)
    return {line.key: line for number in sorted({one.key for one in rows})
            for line in decider.decide([one for one in rows if one.key == number], frozenset())}  # fmt: skip


def test_an_institution_without_a_file_withholds_its_own_records_and_nobody_elses() -> None:
    rows = [row(ledger, code, f"S{code[-1]}") for code in (A, B) for ledger in (GW, AGY)]
    found = lines(scope(incomplete_at=frozenset({(INST, B)}), later_at=frozenset({(INST, A), (INST, B)})), *rows)
    assert (found["S1"].name, found["S1"].action, found["S1"].mode) == ("L1-INST-MISSING", "REVERSE", "AUTO")
    assert (found["S2"].name, found["S2"].action) == ("WITHHELD", "WAIT")


def test_near_midnight_only_the_institutions_own_next_day_counts() -> None:
    rows = [row(ledger, code, f"S{code[-1]}", 86_000) for code in (A, B) for ledger in (GW, AGY)]
    found = lines(scope(later_at=frozenset({(INST, A)})), *rows)
    assert (found["S1"].name, found["S2"].name) == ("L1-INST-MISSING", "WAIT_NEXT_DAY")


@pytest.mark.parametrize("direction", [0, 1])
def test_nobody_covers_or_disturbs_what_is_anothers(direction: int) -> None:
    """An institution hands in a row under the number of its neighbour's settlement."""
    theirs = [row(ledger, B, "S1") for ledger in (GW, AGY)]
    foreign = row(INST, A, "S1")._replace(msgid="MX", direction=direction)
    at = scope(later_at=frozenset({(INST, A), (INST, B)}))
    found = {
        (line.fixmedins_code, line.name): line for line in Decider(rules(), at).decide([*theirs, foreign], frozenset())
    }
    line = found[B, "L1-INST-MISSING"]
    assert (line.mode, line.action, line.msgid) == ("AUTO", "REVERSE", "MS1")
    own = [line for (code, _), line in found.items() if code == A]
    assert [(one.name, one.mode) for one in own] == [
        ("REVERSAL_UNMATCHED", "TWO") if direction else ("L1-INST-ONLY", "ONE")
    ]  # fmt: skip
    complete = Decider(rules(), at).decide([*theirs, row(INST, B, "S1"), foreign], frozenset())
    assert {line.fixmedins_code for line in complete} == {A}


def test_a_run_over_files_keeps_its_meaning() -> None:
    rows = [row(ledger, A, "S1") for ledger in (GW, AGY)]
    assert lines(scope(), *rows)["S1"].action == "REVERSE"
    assert lines(scope(incomplete=frozenset({INST})), *rows)["S1"].name == "WITHHELD"


BLANK = Line(
    key="S1", setl_id="S1", msgid="M1", fixmedins_code=A, leg="L1", name="L1-INST-MISSING", row="", mode="AUTO",
    action="REVERSE", prevails="INST", biz_date="2026-03-15",
)  # fmt: skip


def test_only_what_is_automatic_is_sent_and_the_rest_is_a_case() -> None:
    plan = plan_of(BLANK)
    assert (plan.kind, plan.party, plan.attempts, plan.mode) == ("REVERSE", "AGY", 3, "")
    assert plan_of(attrs.evolve(BLANK, mode="TWO")).kind == ""
    assert plan_of(attrs.evolve(BLANK, mode="TWO")).mode == "TWO"
    told = plan_of(attrs.evolve(BLANK, mode="ONE", action="FEEDBACK"))
    assert (told.kind, told.party, told.mode) == ("FEEDBACK", "INST", "ONE")
    assert plan_of(attrs.evolve(BLANK, leg="L2")).party == "PROV"
    for action in ("WAIT", "WAIT_LEG1", "WAIT_LEG2"):
        assert state_of(attrs.evolve(BLANK, action=action)) == "WAIT"
        assert plan_of(attrs.evolve(BLANK, action=action)) == plan_of(attrs.evolve(BLANK, agreed=True))


def test_a_day_is_agreed_only_when_nothing_is_missing_and_nothing_is_open() -> None:
    assert day_state(Standing(), ["INST"]) == "WAIT_INPUT"
    assert day_state(standing_of([("L1", "OPEN", False)]), ()) == "L1_DIFF"
    assert day_state(standing_of([("L1", "RESOLVED", False), ("L1", "RESOLVED", True)]), ()) == "AGREED"
    assert day_state(standing_of([("L1", "CARRIED", False)]), ()) == "AGREED_WITH_CARRY"


@pytest.mark.parametrize(
    ("institutions", "own", "waits", "state"),
    [
        (["AGREED", "WAIT_INPUT"], Standing(), False, "WAIT_INPUT"),
        (["AGREED", "L1_DIFF"], Standing(), False, "L1_DIFF"),
        (["AGREED"], standing_of([("L4", "OPEN", False), ("L2", "OPEN", False)]), False, "L2_DIFF"),
        (["AGREED"], Standing(), True, "L1_AGREED"),
        (["AGREED_WITH_CARRY"], Standing(), False, "AGREED_WITH_CARRY"),
        (["AGREED"], Standing(), False, "AGREED"),
    ],
)
def test_the_citys_day_waits_for_every_institution(
    institutions: list[str], own: Standing, waits: bool, state: str
) -> None:
    assert city_state(institutions, own, waits) == state
    assert CITY == "*"


def test_what_moves_money_or_leaves_it_out_takes_two_whatever_the_case_says() -> None:
    assert following("reverse", "L1", "ONE", "CASE", "M1").two
    carried = following("carry", "L1", "ONE", "CASE", "")
    assert (carried.two, carried.diff_state, carried.kind) == (True, "CARRIED", "")
    accepted = following("accept", "L1", "ONE", "BOOK", "")
    assert (accepted.two, accepted.diff_state) == (False, "RESOLVED")
    assert following("accept", "L1", "TWO", "BOOK", "").two
    assert following("void", "L1", "TWO", "VOID", "M1", "L1-GW-ONLY").party == "GW"
    assert following("void", "L1", "ONE", "FEEDBACK", "M1", "L1-INST-ONLY").party == "INST"


@pytest.mark.parametrize(
    ("decision", "action", "msgid"), [("reverse", "WAIT_LEG1", "M1"), ("reverse", "CASE", ""), ("forget", "CASE", "M1")]
)
def test_what_may_not_be_decided(decision: str, action: str, msgid: str) -> None:
    with pytest.raises(NotPossible):
        following(decision, "L1", "TWO", action, msgid)


@pytest.mark.parametrize(
    ("name", "row", "note"),
    [
        ("AMOUNT", "A1", ""), ("AMOUNT", "A6", ""), ("AMOUNT", "A7", ""), ("COMP_SPLIT", "A5", ""),
        ("DUP_CONFLICT", "D2", ""), ("REFUND_MISMATCH", "R2", ""), ("L1-GW-MISSING", "", "A1 medfee_sumamt,acct_pay"),
        ("L1-INST-MISSING", "T5", "TIMING; A3 medfee_sumamt"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["ONE", "TWO"])
def test_a_difference_in_money_is_never_written_off(name: str, row: str, note: str, mode: str) -> None:
    with pytest.raises(NotPossible, match=r"\[BD-MONEY\] .*更正.*结转") as refused:
        following("accept", "L1", mode, "FEEDBACK", "M1", name, row, note=note)
    assert refused.value.code == "BD-MONEY"
    assert following("carry", "L1", mode, "FEEDBACK", "M1", name, row, note=note).two


def test_what_differs_in_no_amount_may_be_accepted_as_it_stands() -> None:
    for name, row, note in (("L1-GW-MISSING", "", ""), ("ATTRIBUTE", "A9", "A9 psn_no"), ("DUP_ROW", "D1", "DUP_ROW")):
        assert following("accept", "L1", "ONE", "BOOK", "M1", name, row, note=note).diff_state == "RESOLVED"


def test_a_double_of_more_settlements_than_a_note_names_is_not_carried() -> None:
    """What is carried must be left out whole, and the line does not say what it is."""
    with pytest.raises(NotPossible, match="BD-MANY"):
        following("carry", "L1", "TWO", "CASE", "M1", "DOUBLE_POST", "D3", note="S2; S3; +4")
    assert following("carry", "L1", "TWO", "CASE", "M1", "DOUBLE_POST", "D3", note="S2; S3").diff_state == "CARRIED"
