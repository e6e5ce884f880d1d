"""The readings of annex B about roles, guards, duplicates, refunds and keys, by what the output files say."""

from pathlib import Path

import pytest
from desk import BACK, DAY, Cells, Desk, brief, refunded, settled, three

FAR = "2026-03-20"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# B7, B8: roles and guards


def test_the_insured_role_sees_leg_4_only(desk: Desk) -> None:
    one, two, three_ = settled(1), settled(2), settled(3)
    ledgers = {"PROV": [one, two], "INS": [two, three_]}
    lines = desk.run(ledgers, code=3)  # the default when nothing else is given
    assert brief(lines) == [
        ("S1", "L4", "L4-INSURED-LESS", "", "ONE", "FEEDBACK"),
        ("S3", "L4", "L4-INSURED-MORE", "", "AUTO", "REVERSE"),
    ]
    lines = desk.run({**ledgers, "AGY": [three_]}, code=3)
    assert brief(lines) == [
        ("S1", "L4", "L4-INSURED-LESS-PENDING-L2", "", "AUTO", "WAIT_LEG2"),
        ("S3", "L4", "L4-INSURED-MORE-CARE-HAS", "", "AUTO", "WAIT_LEG2"),
    ]
    lines = desk.run({**three([one], [one], []), **ledgers}, "--role", "insured", code=3)
    assert [line[1] for line in brief(lines)] == ["L4", "L4"]


def test_a_local_patient_has_no_later_legs(desk: Desk) -> None:
    here = [settled(1, clr_pay_loc="2")]
    assert desk.run({**three(here, here, here), "PROV": [], "INS": []}, code=0) == []
    here = [settled(1, clr_pay_loc="3")]
    lines = desk.run({**three(here, here, here), "PROV": [], "INS": []}, code=3)
    assert [line[1:3] for line in brief(lines)] == [("L2", "L2-PROV-MISSING")]


def missing(desk: Desk, journal: Cells, *others: Cells) -> tuple[str, ...]:
    lines = desk.run(three(list(others), [journal, *others], [settled(1), *others]))
    return brief(lines)[0][2:]


def test_what_was_never_delivered_is_reversed_only_when_every_guard_holds(desk: Desk) -> None:
    lost = settled(1, delivered="0")
    assert missing(desk, lost) == ("L1-INST-MISSING", "", "AUTO", "REVERSE")
    assert missing(desk, settled(1, delivered="1")) == ("L1-INST-MISSING", "", "TWO", "BOOK")
    assert missing(desk, settled(1)) == ("L1-INST-MISSING", "", "TWO", "BOOK")
    later, earlier = f"{DAY} 10:00:01", f"{DAY} 09:00:00"
    assert missing(desk, lost, settled(2, psn_no="P1", setl_time=later))[2:] == ("TWO", "CASE")
    assert missing(desk, lost, settled(2, mdtrt_id="V1", setl_time=later))[2:] == ("TWO", "CASE")
    assert missing(desk, lost, settled(2, psn_no="P1", setl_time=f"{FAR} 01:00:00"))[2:] == ("TWO", "CASE")
    assert missing(desk, lost, settled(2, psn_no="P1", setl_time=earlier))[2:] == ("AUTO", "REVERSE")
    assert missing(desk, lost, settled(2, setl_time=later))[2:] == ("AUTO", "REVERSE")
    assert missing(desk, lost, settled(2, psn_no="P1"))[2:] == ("AUTO", "REVERSE")  # at the same second is not later


@pytest.mark.parametrize(
    ("count", "fee", "mode"),
    [(5, "100.00", "AUTO"), (6, "100.00", "TWO"), (2, "50000.00", "AUTO"), (2, "50000.01", "TWO")],
)
def test_many_reversals_are_all_cases(desk: Desk, count: int, fee: str, mode: str) -> None:
    more = [settled(number, clr_pay_loc="3", medfee_sumamt=fee) for number in range(count)]
    lines = desk.run({**three([], [], []), "PROV": more}, code=3)
    assert {(line["class"], line["mode"]) for line in lines} == {("L2-PROV-MORE", mode)}
    assert all(("VOLUME_GUARD" in line["note"]) == (mode == "TWO") for line in lines)


def undelivered(desk: Desk, fee: str, count: int, agency: dict[str, str] | None) -> set[tuple[str, str, str]]:
    """The modes of so many reversals of what was never delivered. agency: what its rows say otherwise, None = it is
    not given."""
    journal = [settled(number, delivered="0", medfee_sumamt=fee) for number in range(count)]
    told = {} if agency is None else {"AGY": [settled(number, **agency) for number in range(count)]}
    lines = desk.run({"INST": [], "GW": journal, **told}, code=3)
    assert len(lines) == count
    return {(line["class"], line["mode"], line["action"]) for line in lines}


@pytest.mark.parametrize("agency", [None, {"medfee_sumamt": ""}], ids=["no agency", "an agency that does not say"])
def test_the_limit_in_yuan_counts_what_any_ledger_of_the_leg_says(desk: Desk, agency: dict[str, str] | None) -> None:
    assert undelivered(desk, "90000.00", 1, agency) == {("L1-INST-MISSING", "AUTO", "REVERSE")}
    assert undelivered(desk, "90000.00", 4, agency) == {("L1-INST-MISSING", "TWO", "CASE")}


def test_a_reversal_of_nobody_knows_how_much_is_a_case(desk: Desk) -> None:
    assert undelivered(desk, "", 1, {"medfee_sumamt": ""}) == {("L1-INST-MISSING", "TWO", "CASE")}
    assert undelivered(desk, "", 1, {}) == {("L1-INST-MISSING", "AUTO", "REVERSE")}  # the agency's 100.00
    province = [settled(1, clr_pay_loc="3", medfee_sumamt="")]
    assert [line["mode"] for line in desk.run({**three([], [], []), "PROV": province}, code=3)] == ["TWO"]


def test_a_reversal_in_vain_counts_with_what_the_journal_says_where_the_agency_does_not(desk: Desk) -> None:
    ledgers = [settled(number, status="REVERSED", medfee_sumamt="60000.00") for number in range(2)]
    silent = [settled(number, medfee_sumamt="") for number in range(2)]
    assert {line["mode"] for line in desk.run(three([], ledgers, silent), code=3)} == {"TWO"}
    assert {line["mode"] for line in desk.run(three([], ledgers[:1], silent[:1]), code=3)} == {"AUTO"}


def test_the_volume_guard_counts_each_leg_and_vain_reversals(desk: Desk) -> None:
    journal = [settled(number, status="REVERSED") for number in range(6)]
    agency = [settled(number) for number in range(6)]
    lines = desk.run({**three([], journal, agency), "PROV": [settled(9, clr_pay_loc="3")]}, code=3)
    assert {(line["leg"], line["row"], line["action"]) for line in lines} == {
        ("L1", "S3", "CASE"),
        ("L2", "", "REVERSE"),
    }


# B9, B10: duplicates and refunds


def test_an_identical_row_counts_once(desk: Desk) -> None:
    rows = [settled(1)]
    lines = desk.run(three(rows * 2, rows, rows), code=0)
    assert brief(lines) == [("S1", "L1", "DUP_ROW", "D1", "AUTO", "NONE")]
    assert desk.summary()["sums_fen"]["INST"]["medfee_sumamt"] == 10000
    remote = [settled(1, clr_pay_loc="3")]
    ledgers = {**three(remote, remote, remote), "PROV": remote * 2, "INS": remote * 3}
    assert [line[1:3] for line in brief(desk.run(ledgers, code=0))] == [("L2", "DUP_ROW"), ("L4", "DUP_ROW")]


def test_an_identical_row_never_hides_what_is_missing(desk: Desk) -> None:
    lines = desk.run(three([settled(1)] * 2, [settled(1)], []), code=3)
    assert [line[1:3] for line in brief(lines)] == [("L1", "L1-AGY-MISSING")]
    assert "DUP_ROW" in lines[0]["note"]


def test_one_id_with_two_contents_is_not_evaluated_further(desk: Desk) -> None:
    twice = [settled(1), settled(1, medfee_sumamt="1.00")]
    lines = desk.run(three(twice, twice, twice), code=3)
    assert brief(lines) == [("S1", "L1", "DUP_CONFLICT", "D2", "TWO", "CASE")]


def test_one_message_with_two_settlements(desk: Desk) -> None:
    agency = [settled(1), settled(2, msgid="M1")]
    lines = desk.run(three([settled(2, msgid="M1")], [settled(2, msgid="M1")], agency), code=3)
    assert brief(lines) == [("S2", "L1", "DOUBLE_POST", "D3", "TWO", "CASE")]
    assert "S1" in lines[0]["note"] and desk.summary()["keys"] == 2
    lines = desk.run(three([], [], agency), code=3)
    assert brief(lines) == [("S1", "L1", "DOUBLE_POST", "D3", "TWO", "CASE")]


def test_one_business_settled_twice_by_two_messages(desk: Desk) -> None:
    visit = {"psn_no": "P1", "mdtrt_id": "V1"}
    rows = [settled(1, chrg_bchno="B1"), settled(2, chrg_bchno="B1", **visit), settled(3, chrg_bchno="B2", **visit)]
    lines = desk.run(three(rows, rows, rows), code=3)
    assert brief(lines) == [("S1", "L1", "DOUBLE_SETTLEMENT", "D4", "TWO", "CASE")]
    assert "S2" in lines[0]["note"]
    again = [*rows[:2], refunded(2, chrg_bchno="B1", **visit)]
    assert desk.run(three(again, again, again), code=0) == []


def test_settled_refunded_and_settled_again_is_no_duplicate(desk: Desk) -> None:
    rows = [settled(1), refunded(1), settled(1, setl_time=f"{DAY} 12:00:00", msgid="M1b")]
    assert desk.run(three(rows, rows, rows), code=0) == []
    assert desk.summary()["rows"] == {"D5": 1}


def test_two_serials_for_one_settlement_at_the_province(desk: Desk) -> None:
    here = [settled(1, clr_pay_loc="3", prov_sn="A1")]
    twice = [*here, settled(1, clr_pay_loc="3", prov_sn="A2")]
    lines = desk.run({**three(here, here, here), "PROV": twice, "INS": here}, code=3)
    assert brief(lines) == [("S1", "L2", "DOUBLE_POST", "D6", "AUTO", "FEEDBACK")]
    lines = desk.run({**three(here, here, here), "PROV": here, "INS": twice}, code=3)
    assert brief(lines) == [("S1", "L4", "DOUBLE_POST", "D6", "AUTO", "FEEDBACK")]


@pytest.mark.parametrize(
    ("rows", "name", "row"),
    [
        ([refunded(1)], "REVERSAL_UNMATCHED", "R1"),
        ([settled(1), refunded(1, medfee_sumamt="-99.99")], "REFUND_MISMATCH", "R2"),
        ([settled(1), refunded(1, **{name: fee[1:] for name, fee in BACK.items()})], "REFUND_MISMATCH", "R2"),
        ([settled(1), refunded(1), refunded(1, setl_time=f"{DAY} 12:00:00")], "DOUBLE_REFUND", "R3"),
    ],
)
def test_refunds_that_do_not_pair_stop_the_key(desk: Desk, rows: list[Cells], name: str, row: str) -> None:
    lines = desk.run(three([settled(1)], [settled(1)], rows), code=3)
    assert brief(lines) == [("S1", "L1", name, row, "TWO", "CASE")]


def test_a_refund_is_found_in_the_days_before(desk: Desk) -> None:
    past = settled(1, setl_time="2026-02-01 10:00:00")
    rows = [past, refunded(1)]
    assert desk.run(three(rows, rows, rows), code=0) == []
    lines = desk.run(three([past], rows, rows), code=3)
    assert brief(lines) == [("S1", "L1", "STATUS", "S1", "AUTO", "FEEDBACK")]


def test_a_refund_nobody_else_knows_the_settlement_of_leaves_a_trace(desk: Desk) -> None:
    both = [settled(1), refunded(1)]
    lines = desk.run(three([], both, both), code=0)
    assert brief(lines) == [("S1", "L1", "NETZERO_TRACE", "", "AUTO", "NONE")]
    assert desk.run(three(both, both, both), code=0) == []
    lines = desk.run(three([], [settled(1, status="REVERSED")], []), code=0)
    assert brief(lines) == [("S1", "L1", "NETZERO_TRACE", "R4", "AUTO", "NONE")]


def test_a_reversed_cancellation_leaves_the_settlement_alive(desk: Desk) -> None:
    journal = [settled(1), refunded(1, status="REVERSED")]
    assert desk.run(three([settled(1)], journal, [settled(1)]), code=0) == []


# B14: keys


def test_rows_find_each_other_by_message_and_by_serial(desk: Desk) -> None:
    journal = [settled(1, prov_sn="A1", clr_pay_loc="3")]
    agency = [settled(1, setl_id="", mdtrt_id="", clr_pay_loc="3")]
    province = [settled(1, setl_id="", msgid="", prov_sn="A1", clr_pay_loc="3")]
    assert desk.run({**three(journal, journal, agency), "PROV": province}, code=0) == []
    other_visit = [settled(1, setl_id="", msgid="", prov_sn="A1", mdtrt_id="V9", clr_pay_loc="3")]
    lines = desk.run({**three(journal, journal, agency), "PROV": other_visit}, code=3)
    assert [(line["setl_id"], line["class"]) for line in lines] == [
        ("", "L2-PROV-MORE"), ("S1", "L2-PROV-MISSING"),
    ]  # fmt: skip
    assert lines[0]["note"] == "prov_sn=A1"


SHARED = [  # the record that is one too many, who else bears its serial A1
    ({"setl_id": "", "msgid": "", "mdtrt_id": "V9"}, "AGY"),
    ({"setl_id": "", "msgid": "", "mdtrt_id": "V9"}, "AGY PROV"),
    ({"setl_id": "S2", "msgid": "M2"}, "AGY"),
    ({"setl_id": "", "msgid": "M2", "mdtrt_id": "V9"}, "INST"),
]


@pytest.mark.parametrize(("more", "holders"), SHARED)
@pytest.mark.parametrize("leg", ["L2", "L4"])
def test_a_serial_that_two_keys_bear_is_taken_back_by_nobody_alone(
    desk: Desk, leg: str, more: dict[str, str], holders: str
) -> None:
    """The order to take a record back goes by its serial: it could take out the other one, agreed or not (B14)."""
    names = ("INST", "GW", "AGY", "PROV", "INS")
    ledgers = {name: [settled(1, prov_sn="A1" if name in holders.split() else "", clr_pay_loc="3")] for name in names}
    party = {"L2": "PROV", "L4": "INS"}[leg]
    ledgers[party].append(settled(9, **{**more, "prov_sn": "A1", "clr_pay_loc": "3"}))
    told = [(line["class"], line["mode"], line["action"]) for line in desk.run(ledgers, code=3) if line["leg"] == leg]
    assert told == [({"L2": "L2-PROV-MORE", "L4": "L4-INSURED-MORE"}[leg], "TWO", "CASE")]
    ledgers[party][-1]["prov_sn"] = "A2"  # its own
    told = [(line["mode"], line["action"]) for line in desk.run(ledgers, code=3) if line["leg"] == leg]
    assert told == [("AUTO", "REVERSE")]


def test_rows_without_any_setl_id_meet_by_their_message(desk: Desk) -> None:
    nameless = [settled(1, setl_id="")]
    assert desk.run(three(nameless, nameless, nameless), code=0) == []
    lines = desk.run(three([], nameless, [settled(1, setl_id="", fixmedins_code="H51080200009")]), code=3)
    assert [(line["setl_id"], line["msgid"], line["class"]) for line in lines] == [
        ("", "M1", "L1-GW-ONLY"), ("", "M1", "L1-CENTER-MORE"),
    ]  # fmt: skip
