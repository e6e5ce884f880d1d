"""What a list is made of: structure rules (annex L3), kinds of values, and the paths of findings (annex L2)."""

from typing import Any

import pytest
from listed import EXAMPLES, changed, findings, rules_of

GOOD = EXAMPLES["good"]
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ICU = {
    "scs_cutd_ward_type": "4", "scs_cutd_inpool_time": "2026-10-10 12:00:00",
    "scs_cutd_exit_time": "2026-10-11 12:00:00", "scs_cutd_sum_dura": "1/0/0",
}  # fmt: skip


def told(changes: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one.rule, one.level, one.path) for one in findings(changed(GOOD, changes))]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"setlinfo.brdy": "1961-02-30"}, [("SL-S002", "error", "setlinfo.brdy")]),
        ({"setlinfo.age": "六十五"}, [("SL-S002", "error", "setlinfo.age")]),
        ({"setlinfo.dcla_time": "20261020"}, [("SL-S002", "error", "setlinfo.dcla_time")]),
        ({"setlinfo.medcasno": {"a": 1}}, [("SL-S002", "error", "setlinfo.medcasno")]),
        ({"setlinfo.hi_type": 310}, [("SL-S002", "error", "setlinfo.hi_type")]),
        ({"setlinfo.days_rinp_flag_31": True}, [("SL-S002", "error", "setlinfo.days_rinp_flag_31")]),
        ({"setlinfo.bed_no": "12"}, [("SL-S003", "warn", "setlinfo.bed_no")]),
        ({"setlinfo.姓\n名": "x"}, [("SL-S003", "warn", "setlinfo.???")]),
        ({"bedinfo": [{}]}, [("SL-S003", "warn", "bedinfo")]),
        ({"bedinfo": []}, []),
        ({"setlinfo.medcasno": "X" * 41}, [("SL-S004", "error", "setlinfo.medcasno")]),
        ({"setlinfo.age": "65.25"}, [("SL-S004", "error", "setlinfo.age")]),
        ({"setlinfo.hi_no": "-", "setlinfo.emp_tel": "  "}, []),
        ({"setlinfo.poscode": None}, []),
        ({"bldinfo": {"bld_cat": "11"}}, [("SL-S002", "error", "bldinfo")]),
        ({"bldinfo": ["x"]}, [("SL-B001", "error", "bldinfo[0].bld_cat"), ("SL-S002", "error", "bldinfo[0]")]),
    ],
)
def test_what_is_wrong_with_the_structure_is_told_with_its_place(
    changes: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    tree = {key: dict(value) if isinstance(value, dict) else list(value) for key, value in GOOD.items()}
    for place, value in changes.items():
        holder, _, field = place.partition(".")
        if field:
            tree[holder][field] = value
        else:
            tree[holder] = value
    assert sorted((one.rule, one.level, one.path) for one in findings(tree)) == sorted(expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"iteminfo[0].amt": "abc"}, {"SL-S002"}),
        ({"setlinfo.acct_pay": "1,000.00"}, {"SL-S002"}),
        ({"setlinfo.psn_selfpay": "1e400"}, {"SL-S002"}),
        ({"setlinfo.acct_pay": ""}, {"SL-M002", "SL-M003"}),
        ({"payinfo[0].fund_payamt": ""}, {"SL-M002", "SL-M014"}),
        ({"oprninfo[0].oprn_oprt_code": "²³.1"}, {"SL-O002"}),
        ({"setlinfo.certno": "99010119611345001X", "setlinfo.brdy": "1961-03-05"}, {"SL-F002"}),
        ({"setlinfo.patn_rlts": "012"}, {"SL-D004"}),
        ({"setlinfo.patn_rlts": "1"}, set()),
        ({"setlinfo.bed_no": "a^b"}, {"SL-S003", "SL-F010"}),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_once_and_is_not_nothing(changes: dict[str, Any], expected: set[str]) -> None:
    assert {rule for rule, _, _ in told(changes)} == expected


def test_an_impossible_day_in_an_identity_number_is_not_that_of_the_birth() -> None:
    stem = "99010119611345001"
    digit = "10X98765432"[sum(int(d) * w for d, w in zip(stem, WEIGHTS, strict=True)) % 11]
    assert [(rule, path) for rule, _, path in told({"setlinfo.certno": stem + digit})] == [
        ("SL-F003", "setlinfo.certno"),
    ]  # fmt: skip


def test_of_too_many_records_nothing_is_counted_that_nobody_looked_at() -> None:
    tree = changed(GOOD, {"setlinfo.diag_code_cnt": "60"})
    tree["diseinfo"] = [{**GOOD["diseinfo"][1], "diag_code": f"I10.x00x{n:03}"} for n in range(60)]
    assert rules_of(findings(tree)) == {"SL-S005", "SL-X003"}


def test_a_name_nobody_knows_carries_no_number_out() -> None:
    (one,) = findings({**GOOD, "setlinfo": {**GOOD["setlinfo"], "id990101196103050018": "x"}})
    assert "990101196103050018" not in one.path + one.message


def test_numbers_may_be_written_as_json_numbers() -> None:
    assert told({"setlinfo.age": 65, "setlinfo.act_ipt_days": 7, "iteminfo[0].amt": 350}) == []


def test_ten_thousand_diagnoses_are_one_finding_and_no_flood() -> None:
    tree = changed(GOOD, {})
    tree["diseinfo"] = [{**GOOD["diseinfo"][1], "diag_code": f"I10.x00x{n % 1000:03}"} for n in range(10_000)]
    found = findings(tree)
    assert [one.path for one in found if one.rule == "SL-S005"] == ["diseinfo"]
    assert [one.path for one in found if one.rule == "SL-X003"] == ["diseinfo"]
    assert len(found) < 70


def test_a_list_without_anything_misses_what_must_be_filled_and_nothing_else() -> None:
    found = findings({})
    assert {one.rule[:4] for one in found} == {"SL-R", "SL-M", "SL-P"}
    assert {"SL-R001", "SL-R002", "SL-M007", "SL-P003"} < rules_of(found)


@pytest.mark.parametrize("tree", [None, 3, "x", [], True])
def test_what_is_no_object_is_no_list(tree: Any) -> None:
    assert [(one.rule, one.path) for one in findings(tree)] == [("SL-S001", "")]


def test_an_envelope_is_taken_off() -> None:
    assert findings({"infno": "4101", "input": GOOD}) == []
    assert findings({"input": GOOD}) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"diseinfo[1].diag_code": "K80.1"}, ("SL-G003", "diseinfo[1].diag_code")),
        ({"diseinfo[1].diag_code": "K80.000"}, ("SL-G006", "diseinfo[1]")),
        ({"iteminfo[8].med_chrgitm": "01"}, ("SL-M006", "iteminfo[8]")),
        ({"diseinfo[1].maindiag_flag": "1"}, ("SL-G001", "diseinfo")),
        ({"iteminfo": []}, ("SL-M007", "iteminfo")),
        ({"setlinfo.diag_code_cnt": "3"}, ("SL-G015", "setlinfo.diag_code_cnt")),
        ({"setlinfo.curr_addr": "^"}, ("SL-F010", "setlinfo.curr_addr")),
        ({"setlinfo.dscg_time": "2026-10-08 09:00:00"}, ("SL-T001", "setlinfo.adm_time")),
        (
            {"oprninfo[0].oprn_oprt_date": "", "oprninfo[0].oprn_oprt_begntime": "2026-10-16 08:00:00"},
            ("SL-T007", "oprninfo[0].oprn_oprt_begntime"),
        ),
        ({"icuinfo": [ICU, {**ICU, "scs_cutd_inpool_time": "2026-10-11 11:59:59"}]}, ("SL-T013", "icuinfo[1]")),
        ({"setlinfo.lv3_nurscare_days": "两"}, ("SL-X006", "setlinfo.lv3_nurscare_days")),
    ],
)
def test_a_finding_names_the_field_or_the_record_or_the_node(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert expected in [(one.rule, one.path) for one in findings(changed(GOOD, changes))]


def test_the_receiver_of_a_patient_sent_to_a_community_centre_is_only_a_hint() -> None:
    for way, level in (("2", "error"), ("3", "warn")):
        tree = changed(GOOD, {"setlinfo.dscg_way": way, "setlinfo.acp_medins_name": "城北社区卫生服务中心"})
        assert [(one.rule, one.level) for one in findings(tree)] == [("SL-W002", level)]


def test_nothing_a_person_is_known_by_stands_in_a_finding() -> None:
    tree = changed(
        GOOD, {"setlinfo.certno": "990101196103050012", "setlinfo.psn_name": "测" * 80, "setlinfo.gend": "2"}
    )
    words = " ".join(f"{one.path} {one.message}" for one in findings(tree))
    assert "990101196103050012" not in words
    assert "测测" not in words
