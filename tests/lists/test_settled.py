"""A list against what the journal knows: its settlement, what was charged; and against libraries of staff."""

from typing import Any

import pytest
from listed import EXAMPLES, changed, rules

from gateway.core.jsontext import encode
from gateway.core.model import Entry
from gateway.lists import charged, staff
from gateway.lists.charged import NOTHING, Charged, charged_of
from gateway.lists.reading import Reading, read
from gateway.lists.settled import findings_of
from gateway.lists.world import CodeRecord

GOOD = EXAMPLES["good"]
OUTSIDE = ("2026-10-07", "2026-10-16")  # of the stay
HOME = GOOD["setlinfo"]["fixmedins_code"]
ANSWER = {
    "setl_time": "2026-10-15 10:00:00", "fund_pay_sumamt": 760_000, "hifp_pay": 760_000, "cvlserv_pay": 0, "maf_pay": 0,
    "acct_pay": 100_000, "psn_cash_pay": 140_000,
}  # fmt: skip


def reading_of(**changes: Any) -> Reading:
    return read(changed(GOOD, {"setlinfo.psn_no": "P1", **changes}), rules().nodes)


def settlement(state: Any = "ACKED", **changes: Any) -> Entry:
    facts: dict[str, Any] = {
        "id": 1, "fixmedins_code": HOME, "msgid": "m", "infno": "2304", "klass": "M", "link": "national",
        "state": state, "digest": b"d", "created_ms": 1, "psn_no": "P1", "mdtrt_id": GOOD["setlinfo"]["mdtrt_id"],
    }  # fmt: skip
    return Entry(**(facts | changes))


@pytest.mark.parametrize(
    ("known", "psn_no", "expected"),
    [
        (settlement(), "P1", []),
        (settlement("CONFIRMED"), "", []),
        (None, "P1", [("SL-C002", "setlinfo.setl_id")]),
        (settlement("REVERSED"), "P1", [("SL-C003", "setlinfo.setl_id")]),
        (settlement("IN_DOUBT"), "P1", [("SL-C003", "setlinfo.setl_id")]),
        (settlement(cancelled=True), "P1", [("SL-C003", "setlinfo.setl_id")]),
        (settlement(), "P2", [("SL-C004", "setlinfo.psn_no")]),
        (settlement(mdtrt_id="M9"), "P1", [("SL-C004", "setlinfo.mdtrt_id")]),
    ],
)
def test_a_list_must_be_of_a_settlement_that_stands(
    known: Entry | None, psn_no: str, expected: list[tuple[str, str]]
) -> None:
    tree = {"setlinfo": {**GOOD["setlinfo"], "psn_no": psn_no}}
    reading = read(tree, rules().nodes)
    assert [(one.rule, one.path) for one in findings_of(reading, known)] == expected


def test_a_list_not_settled_yet_is_not_compared() -> None:
    reading = read({"setlinfo": {"mdtrt_id": "M1"}}, rules().nodes)
    assert list(findings_of(reading, None)) == []


PUBLIC = {"fund_pay_type": "310100", "fund_payamt": "7000.00"}


@pytest.mark.parametrize(
    ("answer", "changes", "expected"),
    [
        ({}, {}, []),
        ({}, {"setlinfo.acct_pay": "1000"}, []),  # another way of writing it
        ({}, {"setlinfo.acct_pay": "1000.01"}, [("SL-C006", "error", "setlinfo.acct_pay")]),
        ({"psn_cash_pay": 1}, {}, [("SL-C006", "error", "setlinfo.psn_cashpay")]),
        ({"fund_pay_sumamt": 760_001}, {}, [("SL-C006", "error", "payinfo")]),
        # The sum is right and the kinds are not: somebody else's fund.
        ({"hifp_pay": 700_000, "cvlserv_pay": 60_000}, {}, [("SL-C006", "warn", "payinfo")] * 2),
        (
            {"hifp_pay": 700_000, "hifes_pay": 60_000},
            {"payinfo": [PUBLIC, {"fund_pay_type": "330100", "fund_payamt": "600.00"}]},
            [],
        ),
        ({}, {"payinfo": [*GOOD["payinfo"], {"fund_pay_type": "310200", "fund_payamt": "1000.00"}]}, []),
        ({"setl_time": "2026-10-14 23:59:59"}, {}, [("SL-C007", "error", "setlinfo.setl_end_date")]),
        ({}, {"payinfo": []}, []),  # that it is missing is another rule's
        ({}, {"payinfo[0].fund_payamt": "much"}, []),
    ],
)
def test_the_money_of_a_list_is_the_settlements(
    answer: dict[str, Any], changes: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    known = settlement(settled=encode(ANSWER | answer).decode())
    found = findings_of(reading_of(**changes), known)
    assert [(one.rule, one.level, one.path) for one in found] == expected


def test_a_settlement_of_which_no_amounts_are_known_is_not_held_against_a_list() -> None:
    assert list(findings_of(reading_of(), settlement(settled=""))) == []


def row(system: str, national: str, day: str = "2026-10-09") -> tuple[str, str, str, str, str, str]:
    return ("feedetail[0].med_list_codg", system, "L1", national, "m1", day)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("service_item", "003309000140000-330900014")], {"surgery"}),
        ([row("service_item", "001201000010000-120100001")], {"intensive"}),
        ([row("service_item", "001201000030000-120100003")], set()),
        ([row("service_item", "013309000140000")], set()),  # a new guide: another order
        ([row("drug", "XA01ABD075A002010100483"), row("drug", "ZA01BAY0318010100048")], {"western", "patent"}),
        ([row("drug", "T001700001"), row("consumable", "C0101010010000100001")], {"pieces", "consumable"}),
        ([row("drug", ""), row("drug:name", "XA01"), row("diagnosis", "K80.000")], set()),
    ],
)
def test_what_fee_lines_come_to(rows: Any, expected: set[str]) -> None:
    found = charged_of(rows)
    assert found.kinds == expected
    assert (found.first_day != "") is any(one[1] in ("service_item", "drug", "consumable") and one[3] for one in rows)


def test_what_was_charged_at_several_times_comes_together() -> None:
    one = charged_of([row("drug", "XA01", "2026-10-09")]) | charged_of([row("drug", "ZA01", "2026-10-08")])
    assert one == Charged(frozenset({"western", "patent"}), "2026-10-08", "2026-10-09")
    assert one | NOTHING == one


@pytest.mark.parametrize(
    ("kinds", "days", "changes", "expected"),
    [
        ({"surgery", "western", "consumable"}, ("2026-10-08", "2026-10-15"), {}, []),
        ({"surgery"}, ("", ""), {"oprninfo": []}, [("SL-C008", "oprninfo")]),
        ({"intensive"}, ("", ""), {}, [("SL-C008", "icuinfo")]),
        ({"patent"}, ("", ""), {}, [("SL-C008", "iteminfo")]),
        ({"surgery"}, ("", ""), {"iteminfo[5].amt": "0.00"}, []),  # some libraries call an operation a treatment
        ({"consumable"}, ("", ""), {"iteminfo[7].amt": "0.00"}, [("SL-C008", "iteminfo")]),
        ({"patent"}, ("", ""), {"iteminfo": []}, []),  # without fees another rule speaks
        (
            set(),
            ("2026-10-07", "2026-10-16"),
            {},
            [("SL-C009", "setlinfo.adm_time"), ("SL-C009", "setlinfo.dscg_time")],
        ),
        (set(), OUTSIDE, {"setlinfo.adm_time": "", "setlinfo.dscg_time": "?"}, []),
    ],
)
def test_what_was_charged_must_show_in_the_list(
    kinds: set[str], days: tuple[str, str], changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = list(charged.findings_of(reading_of(**changes), Charged(frozenset(kinds), *days)))
    assert [(one.rule, one.path) for one in found] == expected
    assert {one.level for one in found} <= {"warn"}


DOCTORS = {
    "D990101000001": CodeRecord("甲", "2021-01-01", "2026-10-12"),
    "D990101000002": CodeRecord("乙", "2021-01-01", "", valid=False),
    "D990101000003": CodeRecord("丙", "2021-01-01"),
}


def test_staff_is_looked_up_on_the_day_they_acted() -> None:
    reading = reading_of(
        **{"setlinfo.chfpdr_code": "D990101000001", "setlinfo.resp_nurs_code": "N1", "oprninfo[0].anst_dr_code": "D9"}
    )
    found = {one.path: one.message for one in staff.findings_of(reading, rules().nodes, {"doctor": DOCTORS})}
    # Operated on the 10th, left on the 15th; nobody gave a library of nurses.
    assert {path: text[-6:] for path, text in found.items()} == {
        "setlinfo.chfpdr_code": "出院当天无效", "oprninfo[0].anst_dr_code": "不在编码库中",
    }  # fmt: skip
    with_nurses = staff.findings_of(reading, rules().nodes, {"nurse": {}})
    assert [one.path for one in with_nurses] == ["setlinfo.resp_nurs_code"]


def test_who_is_marked_invalid_is_told() -> None:
    reading = reading_of(**{"setlinfo.chfpdr_code": "D990101000003", "oprninfo[0].oper_dr_code": "D990101000002"})
    reading.nodes["oprninfo"][0].texts.pop("anst_dr_code")
    found = list(staff.findings_of(reading, rules().nodes, {"doctor": DOCTORS}))
    assert [(one.path, one.message) for one in found] == [
        ("oprninfo[0].oper_dr_code", "【术者医师代码】在手术当天无效")
    ]
