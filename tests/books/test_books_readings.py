"""The readings of annex B about states, unknowns, dates and amounts, by what the output files say."""

from pathlib import Path

import pytest
from desk import DAY, Desk, brief, refunded, settled, three

BEFORE, AFTER, FAR = "2026-03-14", "2026-03-16", "2026-03-20"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# B1, B2: states


@pytest.mark.parametrize("status", ["IN_DOUBT", "REVERSING"])
def test_an_open_journal_stops_the_whole_key(desk: Desk, status: str) -> None:
    here = settled(1, clr_pay_loc="3")
    journal = settled(1, status=status, setl_id="", medfee_sumamt="")
    lines = desk.run({**three([], [journal], [here]), "PROV": []}, code=3)
    assert brief(lines) == [("S1", "L1", "PENDING_GW", "S5", "AUTO", "WAIT")]
    assert (lines[0]["component"], lines[0]["left_amt"], lines[0]["right_amt"]) == ("", "", "")


def test_a_key_a_person_works_on_is_left_to_that_person(desk: Desk) -> None:
    lines = desk.run(three([settled(1)], [settled(1, status="MANUAL")], []), code=3)
    assert brief(lines) == [("S1", "L1", "MANUAL", "S6", "TWO", "CASE")]


def test_what_the_journal_reversed_and_the_agency_still_has_is_reversed_again(desk: Desk) -> None:
    lines = desk.run(three([], [settled(1, status="REVERSED")], [settled(1)]), code=3)
    assert brief(lines) == [("S1", "L1", "STATUS", "S3", "AUTO", "REVERSE")]
    assert lines[0]["prevails"] == "GW"


def test_a_journal_that_reversed_what_institution_and_agency_have_is_contradicted(desk: Desk) -> None:
    lines = desk.run(three([settled(1)], [settled(1, status="REVERSED")], [settled(1)]), code=3)
    assert [line[2:5] for line in brief(lines)] == [("L1-GW-MISSING", "", "TWO")]
    assert "INST-CONTRADICTS-GW" in lines[0]["note"]


@pytest.mark.parametrize("status", ["REVERSED", "REJECTED"])
def test_an_institution_that_books_what_was_refused_contradicts_the_journal(desk: Desk, status: str) -> None:
    lines = desk.run(three([settled(1)], [settled(1, status=status)], []), code=3)
    assert brief(lines) == [("S1", "L1", "L1-INST-ONLY", "", "ONE", "FEEDBACK")]
    assert "INST-CONTRADICTS-GW" in lines[0]["note"]


def test_only_a_message_the_journal_knows_as_rejected_is_reversed_by_itself(desk: Desk) -> None:
    rejected = settled(1, status="REJECTED", setl_id="")
    lines = desk.run(three([], [rejected], [settled(1), settled(2)]), code=3)
    assert [line[2:] for line in brief(lines)] == [
        ("L1-CENTER-MORE", "", "AUTO", "REVERSE"),
        ("L1-CENTER-MORE", "", "TWO", "CASE"),
    ]


def test_a_refund_of_the_gateway_one_side_missed(desk: Desk) -> None:
    both = [settled(1), refunded(1)]
    lines = desk.run(three([settled(1)], both, both), code=3)
    assert brief(lines) == [("S1", "L1", "STATUS", "S1", "AUTO", "FEEDBACK")]
    assert lines[0]["prevails"] == "REFUND"
    lines = desk.run(three([settled(1)], [settled(1, status="REFUNDED")], [settled(1, status="REFUNDED")]))
    assert brief(lines) == [("S1", "L1", "STATUS", "S1", "AUTO", "FEEDBACK")]


def test_a_refund_the_gateway_does_not_know(desk: Desk) -> None:
    lines = desk.run(three([settled(1)], [settled(1)], [settled(1), refunded(1)]), code=3)
    assert brief(lines) == [("S1", "L1", "STATUS", "S2", "TWO", "CASE")]


def test_a_reversal_the_gateway_did_not_send(desk: Desk) -> None:
    lines = desk.run(three([settled(1)], [settled(1)], [settled(1, status="REVERSED")]), code=3)
    assert brief(lines) == [("S1", "L1", "STATUS", "S4", "TWO", "CASE")]


def test_status_stands_before_presence_on_later_legs_too(desk: Desk) -> None:
    here = settled(1, clr_pay_loc="3")
    lines = desk.run(
        {**three([here], [here], [here]), "PROV": [settled(1, clr_pay_loc="3", status="REVERSED")], "INS": [here]}
    )
    assert brief(lines) == [
        ("S1", "L2", "STATUS", "S4", "TWO", "CASE"),
        ("S1", "L4", "STATUS", "S4", "TWO", "WAIT_LEG2"),
    ]


# B4: unknown is not absent


def test_absence_in_an_incomplete_ledger_says_nothing(desk: Desk) -> None:
    here = settled(1, clr_pay_loc="3")
    ledgers = {**three([], [here], [here]), "PROV": [here], "INS": []}
    lines = desk.run(ledgers, "--incomplete", "INST", code=3)
    assert brief(lines) == [
        ("S1", "L1", "WITHHELD", "", "AUTO", "WAIT"),
        ("S1", "L4", "L4-INSURED-LESS", "", "ONE", "WAIT_LEG1"),
    ]


def test_no_ledger_of_a_leg_that_is_incomplete_lets_it_reverse(desk: Desk) -> None:
    ledgers = {**three([], [], []), "PROV": [settled(1, clr_pay_loc="3")]}
    assert brief(desk.run(ledgers, code=3)) == [("S1", "L2", "L2-PROV-MORE", "", "AUTO", "REVERSE")]
    assert brief(desk.run(ledgers, "--incomplete", "PROV")) == [("S1", "L2", "L2-PROV-MORE", "", "TWO", "CASE")]
    for name in ("INST", "GW", "AGY"):
        assert brief(desk.run(ledgers, "--incomplete", name)) == [("S1", "L2", "WITHHELD", "", "AUTO", "WAIT")]


def test_a_reversal_in_vain_is_withheld_when_the_institution_is_incomplete(desk: Desk) -> None:
    ledgers = three([], [settled(1, status="REVERSED")], [settled(1)])
    assert [line[2] for line in brief(desk.run(ledgers, "--incomplete", "INST"))] == ["WITHHELD"]
    lines = desk.run(ledgers, "--incomplete", "GW")
    assert brief(lines) == [("S1", "L1", "STATUS", "S3", "TWO", "CASE")]


@pytest.mark.parametrize(
    ("ledgers", "told"),
    [
        ({"INST": [1], "AGY": []}, [("L1", "L1-AGY-MISSING", "TWO")]),  # no GW: as the institution says
        ({"INST": [], "AGY": [1]}, [("L1", "L1-CENTER-MORE", "TWO")]),
        ({"GW": [1], "AGY": []}, [("L1", "L1-AGY-MISSING", "TWO")]),  # no INST: as the gateway says
        ({"INST": [1], "GW": []}, [("L1", "L1-INST-ONLY", "ONE")]),  # no AGY: as the gateway says
        ({"INST": [], "GW": [1]}, [("L1", "L1-INST-MISSING", "TWO")]),
        ({"INST": [1], "GW": [], "PROV": [1]}, [("L1", "L1-INST-ONLY", "TWO")]),
        ({"AGY": [1], "PROV": []}, [("L2", "L2-PROV-MISSING", "AUTO")]),
        ({"AGY": [], "PROV": [1]}, [("L2", "L2-PROV-MORE", "TWO")]),  # nobody to ask: never reversed
    ],
)
def test_a_ledger_not_given_is_not_compared(
    desk: Desk, ledgers: dict[str, list[int]], told: list[tuple[str, str, str]]
) -> None:
    rows = {name: [settled(number, clr_pay_loc="3") for number in numbers] for name, numbers in ledgers.items()}
    lines = desk.run(rows, code=3)
    assert [(line["leg"], line["class"], line["mode"]) for line in lines] == told
    assert all(line["action"] != "REVERSE" for line in lines)


# B5: dates


def test_an_equal_pair_a_day_apart_is_timing_and_agrees(desk: Desk) -> None:
    late = settled(1, setl_time=f"{DAY} 23:59:58")
    lines = desk.run(three([late], [late], [settled(1, setl_time=f"{AFTER} 00:00:03")]), code=0)
    assert brief(lines) == [("S1", "L1", "TIMING", "T1", "AUTO", "NONE")]
    assert lines[0]["biz_date"] == AFTER
    assert desk.summary()["agreed"] is True and desk.summary()["keys"] == 1


def test_another_month_is_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    first, last = settled(1, setl_time="2026-04-01 00:00:03"), settled(1, setl_time="2026-03-31 23:59:58")
    lines = desk.run(three([last], [last], [first]), "--date", "2026-03-31", code=0)
    assert brief(lines) == [("S1", "L1", "TIMING_MONTH", "T2", "AUTO", "NONE")]


def test_an_unequal_pair_a_day_apart_is_an_amount(desk: Desk) -> None:
    other = settled(1, setl_time=f"{BEFORE} 23:59:58", medfee_sumamt="99.99")
    lines = desk.run(three([other], [settled(1)], [settled(1)]), code=3)
    assert brief(lines) == [("S1", "L1", "AMOUNT", "A1", "ONE", "FEEDBACK")]
    assert "TIMING" in lines[0]["note"]


def test_near_midnight_the_next_day_is_waited_for(desk: Desk) -> None:
    late = settled(1, setl_time=f"{DAY} 23:30:00")
    assert [line[2:] for line in brief(desk.run(three([late], [late], [])))] == [
        ("WAIT_NEXT_DAY", "T3", "AUTO", "WAIT")
    ]
    reached = [settled(2, setl_time=f"{AFTER} 09:00:00")]
    assert [line[2] for line in brief(desk.run(three([late], [late], reached)))] == ["L1-AGY-MISSING"]
    early = settled(1, setl_time=f"{DAY} 23:29:59")
    assert [line[2] for line in brief(desk.run(three([early], [early], [])))] == ["L1-AGY-MISSING"]


@pytest.mark.parametrize(
    ("reached", "expected"),
    [([], ("WAIT_NEXT_DAY", "T3", "AUTO", "WAIT")), ([2], ("L1-CENTER-MORE", "", "AUTO", "REVERSE"))],
)
def test_near_midnight_what_the_journal_has_as_rejected_counts_as_lacking(
    desk: Desk, reached: list[int], expected: tuple[str, ...]
) -> None:
    late = f"{DAY} 23:45:00"
    journal = [settled(1, setl_time=late, status="REJECTED")]
    after = [settled(2, setl_time=f"{AFTER} 09:00:00")]
    lines = desk.run(three(after, journal + after * len(reached), [settled(1, setl_time=late)]), code=3)
    assert [line[2:] for line in brief(lines)] == [expected]


def test_two_days_away_is_absent_and_never_reversed(desk: Desk) -> None:
    rejected = settled(1, status="REJECTED")
    far = settled(1, setl_time=f"{FAR} 10:00:00")
    lines = desk.run(three([far], [rejected], [settled(1)]), code=3)
    assert brief(lines) == [("S1", "L1", "L1-CENTER-MORE", "T5", "TWO", "CASE")]
    lines = desk.run(three([settled(1)], [settled(1)], [far]), code=3)
    assert [line[1:4] for line in brief(lines)] == [("L1", "L1-AGY-MISSING", "T5")]
    assert lines[0]["biz_date"] == DAY


def test_a_clock_that_is_off_is_counted_and_no_difference(desk: Desk) -> None:
    rows = [settled(1, setl_time=f"{DAY} 10:01:00"), settled(2, setl_time=f"{DAY} 10:01:01"), settled(3)]
    agency = [settled(1), settled(2), settled(3, medfee_sumamt="1.00", setl_time=f"{DAY} 12:00:00")]
    lines = desk.run(three(rows, rows, agency), code=3)
    assert [line[0] for line in brief(lines)] == ["S3"]
    assert desk.summary()["rows"] == {"A3": 1, "T6": 2}


def test_other_days_of_a_file_are_not_reported(desk: Desk) -> None:
    rows = [settled(1), settled(2, setl_time=f"{BEFORE} 10:00:00"), settled(3, setl_time=f"{AFTER} 10:00:00")]
    assert desk.run(three(rows, rows[:1], rows[:1]), code=0) == []
    assert desk.summary()["keys"] == 1
    assert desk.summary()["sums_fen"]["INST"]["medfee_sumamt"] == 10000


def test_without_a_time_a_row_is_of_the_day(desk: Desk) -> None:
    rows = [settled(1, setl_time=""), settled(2, setl_time=DAY)]
    assert desk.run(three(rows, rows, [settled(1), settled(2)]), code=0) == []
    assert desk.summary()["keys"] == 2


# B6: amounts and attributes


@pytest.mark.parametrize(
    ("inst", "gw", "agy", "row", "left", "right"),
    [
        ("1.00", "2.00", "2.00", "A1", "1.00", "2.00"),
        ("2.00", "1.00", "2.00", "A2", "1.00", "2.00"),
        ("2.00", "2.00", "1.00", "A3", "1.00", "2.00"),
        ("1.00", "2.00", "3.00", "A4", "1.00", "3.00"),
        ("", "1.00", "2.00", "A3", "2.00", "1.00"),
        ("1.00", "", "2.00", "A1", "1.00", "2.00"),
        ("1.00", "2.00", "", "A1", "1.00", "2.00"),
    ],
)
def test_who_is_the_odd_one_out(desk: Desk, inst: str, gw: str, agy: str, row: str, left: str, right: str) -> None:
    told = [[settled(1, medfee_sumamt=fee)] for fee in (inst, gw, agy)]
    lines = desk.run(three(*told), code=3)
    assert [(line["class"], line["row"], line["left_amt"], line["right_amt"]) for line in lines] == [
        ("AMOUNT", row, left, right)
    ]


def test_different_verdicts_on_different_components_are_a4(desk: Desk) -> None:
    rows = [[settled(1, medfee_sumamt="1.00")], [settled(1)], [settled(1, psn_part_amt="39.99")]]
    lines = desk.run(three(*rows), code=3)
    assert [(line["row"], line["component"], line["prevails"]) for line in lines] == [("A4", "medfee_sumamt", "")]
    assert "psn_part_amt" in lines[0]["note"]


def test_equal_totals_and_another_split(desk: Desk) -> None:
    other = [settled(1, acct_pay="9.99")]
    same = [settled(1)]
    assert brief(desk.run(three(other, same, same))) == [("S1", "L1", "COMP_SPLIT", "A5", "ONE", "FEEDBACK")]
    assert brief(desk.run(three(same, other, same))) == [("S1", "L1", "COMP_SPLIT", "A5", "TWO", "CASE")]
    assert brief(desk.run(three(same, same, other))) == [("S1", "L1", "COMP_SPLIT", "A5", "TWO", "QUERY")]


def test_later_legs_have_their_own_rows(desk: Desk) -> None:
    here, less = settled(1, clr_pay_loc="4"), settled(1, acct_pay="9.99", clr_pay_loc="4")
    lines = desk.run({**three([here], [here], [here]), "PROV": [less], "INS": [here]}, code=3)
    assert brief(lines) == [
        ("S1", "L2", "AMOUNT", "A6", "AUTO", "FEEDBACK"),
        ("S1", "L4", "AMOUNT", "A7", "ONE", "WAIT_LEG2"),
    ]
    assert [(line["component"], line["left_amt"], line["right_amt"]) for line in lines] == [
        ("acct_pay", "10.00", "9.99"),
        ("acct_pay", "9.99", "10.00"),
    ]


def test_an_attribute_differs_only_where_both_have_one(desk: Desk) -> None:
    rows = [[settled(1, psn_no="P9", insutype="310")], [settled(1, insutype="")], [settled(1, insutype="310")]]
    lines = desk.run(three(*rows), code=3)
    assert brief(lines) == [("S1", "L1", "ATTRIBUTE", "A9", "TWO", "CASE")]
    assert "P9" not in ",".join(lines[0].values())


def test_amounts_are_exact_to_fourteen_digits(desk: Desk) -> None:
    big = [settled(1, medfee_sumamt="99999999999999.99", acct_pay="-0.00")]
    less = [settled(1, medfee_sumamt="99999999999999.98", acct_pay="0")]
    assert desk.run({"INST": big, "AGY": big}, code=0) == []
    assert desk.summary()["sums_fen"]["AGY"]["medfee_sumamt"] == 9999999999999999
    lines = desk.run({"INST": big, "AGY": less}, code=3)
    assert (lines[0]["left_amt"], lines[0]["right_amt"]) == ("99999999999999.99", "99999999999999.98")
