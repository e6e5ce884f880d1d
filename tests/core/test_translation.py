"""Translation on the way out (annex X11-X13, X39): which fields, as of which day, with which evidence."""

from typing import Any

import pytest
from messages import HERE, complaints, field_of, lines, message, walked

from gateway.core.checks import service_day


def test_misses_name_code_and_reason() -> None:
    found = complaints(lines(*({"medins_list_codg": code, "med_list_codg": ""} for code in ("L1", "X7", "L3", "L4"))))
    zh = field_of(HERE.transactions["2204"], "med_list_codg")
    assert zh is not None
    assert found == [
        ("input.feedetail[1].med_list_codg", "unmapped", f"{zh.zh}“X7”未对码"),
        ("input.feedetail[2].med_list_codg", "code_conflict", f"{zh.zh}“L3”对应多个国家编码"),
        ("input.feedetail[3].med_list_codg", "expired", f"{zh.zh}“L4”对码在费用发生日未生效或已失效"),
    ]


def test_a_long_code_is_shown_short() -> None:
    found = complaints(lines({"medins_list_codg": "X7", "med_list_codg": "Y" * 60}))
    assert any("“" + "Y" * 50 + "…”" in words for _, rule, words in found if rule == "unmapped")


def test_the_local_slot_is_never_changed_and_the_national_one_filled() -> None:
    tree = lines({"med_list_codg": ""}, {"med_list_codg": "L1"}, {"med_list_codg": "N1"}, {"med_list_codg": None})
    del tree["input"]["feedetail"][3]["med_list_codg"]
    found = walked(tree)
    assert found.complaints == []
    assert {(r["medins_list_codg"], r["med_list_codg"]) for r in tree["input"]["feedetail"]} == {("L1", "N1")}
    evidence = [row for row in found.evidence if row[0].endswith("med_list_codg")]
    assert [row[0] for row in evidence] == [f"input.feedetail[{i}].med_list_codg" for i in range(4)]
    assert {row[2:4] for row in evidence} == {("L1", "N1")}


def test_a_local_code_in_the_only_filled_slot_is_what_the_evidence_says() -> None:
    tree = message("3512")
    tree["input"]["data"] |= {"medins_list_codg": "", "med_list_codg": "L1"}
    found = walked(tree)
    assert tree["input"]["data"]["med_list_codg"] == "N1"
    assert ("L1", "N1") in {row[2:4] for row in found.evidence if row[0] == "input.data.med_list_codg"}


@pytest.mark.parametrize("kind", ["1", "2", "3", "4"])
def test_lines_of_chinese_medicine_carry_other_codes(kind: str) -> None:
    """diag_type 2 and 3 are diseases and syndromes of 1314 and 1315, not ICD-10."""
    tree = message("2203")
    tree["input"]["diseinfo"][0] |= {"diag_type": kind, "diag_code": "BNP010"}
    rules = [row[1] for row in complaints(tree)]
    assert rules == ([] if kind in "23" else ["unmapped"])


def test_national_names_are_sent_and_the_doctors_words_kept() -> None:
    """X12; only with national_names = true."""
    for names, expected in ((True, "国家诊断一"), (False, "感冒")):
        tree = message("2203")
        tree["input"]["diseinfo"][0]["diag_name"] = "感冒"
        found = walked(tree, names=names)
        assert tree["input"]["diseinfo"][0]["diag_name"] == expected
        kept = [row for row in found.evidence if row[0] == "input.diseinfo[0].diag_name"]
        assert [row[1:4] for row in kept] == ([("diagnosis:name", "感冒", "国家诊断一")] if names else [])


def test_a_dictionary_value_may_be_mapped() -> None:
    tree = message("2207")
    tree["input"]["data"]["med_type"] = "L1"
    found = walked(tree)
    assert tree["input"]["data"]["med_type"] == "N1"
    assert ("input.data.med_type", "dictionary:med_type", "L1", "N1", "v1", "2024-01-05") in found.evidence


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"fee_ocur_time": "2023-06-01 08:00:00"}, "2023-06-01"),
        ({"fee_ocur_time": ""}, "2000-01-01"),
        ({"fee_ocur_time": "2023-06-32 08:00:00"}, "2000-01-01"),
        ({"fee_ocur_time": 7}, "2000-01-01"),
        ({}, "2000-01-01"),
        ({"begntime": "2023-06-02"}, "2000-01-01"),  # the node has no such field
    ],
)
def test_the_date_of_service_of_a_row(row: dict[str, Any], expected: str) -> None:
    transaction = HERE.transactions["2204"]
    assert service_day(transaction, transaction.nodes[0], row, "2000-01-01") == expected


def test_each_row_is_translated_as_of_its_own_day() -> None:
    """X13: fee_ocur_time of the line, else inf_time. L2 changes its meaning with the year."""
    tree = lines({"medins_list_codg": "L2", "fee_ocur_time": "2023-12-31 23:59:59", "med_list_codg": ""},
                 {"medins_list_codg": "L2", "fee_ocur_time": "2024-01-01 00:00:00", "med_list_codg": ""})  # fmt: skip
    assert complaints(tree) == []
    assert [row["med_list_codg"] for row in tree["input"]["feedetail"]] == ["N1", "N2"]


@pytest.mark.parametrize(
    ("infno", "node", "name", "coded"),
    [
        ("2201", "data", "begntime", "atddr_no"),
        ("2401", "mdtrtinfo", "begntime", "atddr_no"),
        ("2402", "dscginfo", "endtime", "dscg_dept_codg"),
    ],
)
def test_registration_admission_and_discharge_have_their_own_day(infno: str, node: str, name: str, coded: str) -> None:
    for day, code in (("2023-12-31", "N1"), ("2024-01-02", "N2")):
        tree = message(infno)
        tree["input"][node] |= {"begntime": "2022-01-01 00:00:00", name: f"{day} 10:00:00", coded: "L2"}
        walked(tree)
        assert tree["input"][node][coded] == code
