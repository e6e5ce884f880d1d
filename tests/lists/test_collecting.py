"""Pieces of a visit put together, contradictions told, local codes translated, the settlement compared."""

import re
from typing import Any

import pytest
from listed import EXAMPLES, rules

from gateway.core.codes import Libraries, Row, Snapshot, build_snapshot
from gateway.lists.collecting import Piece, PieceRefused, merged, visit_of
from gateway.lists.translating import translated

GOOD = EXAMPLES["good"]
HOME = GOOD["setlinfo"]["fixmedins_code"]
ADMISSION = Piece("admission", {"setlinfo": {"mdtrt_id": "M1", "adm_time": "2026-10-08 10:00:00", "adm_caty": "A03"}})
DISCHARGE = Piece("discharge", {"setlinfo": {"mdtrt_id": "M1", "dscg_time": "2026-10-15 09:00:00"}})
FORMS = {"diagnosis": re.compile(r"[A-Z][0-9]{2}\.[0-9x]{3}(?:x[0-9]{3})?"), "doctor": re.compile(r"D[0-9]{12}")}


def test_pieces_of_a_visit_come_to_one_list_whatever_their_order() -> None:
    diagnoses = Piece("diagnosis", {"setlinfo": {"mdtrt_id": "M1", "poscode": ""}, "diseinfo": GOOD["diseinfo"]})
    one, other = (
        merged([ADMISSION, diagnoses, DISCHARGE], rules().nodes),
        merged([DISCHARGE, ADMISSION, diagnoses], rules().nodes),
    )
    assert one.tree == other.tree
    assert one.tree["setlinfo"] == ADMISSION.tree["setlinfo"] | DISCHARGE.tree["setlinfo"]
    assert one.tree["diseinfo"] == GOOD["diseinfo"]
    assert one.conflicts == other.conflicts == ()


def test_the_newest_piece_of_a_kind_replaces_the_one_before_with_all_it_said() -> None:
    corrected = Piece("admission", {"setlinfo": {"mdtrt_id": "M1", "adm_time": "2026-10-08 11:00:00"}})
    found = merged([ADMISSION, DISCHARGE, corrected], rules().nodes)
    assert found.tree["setlinfo"]["adm_time"] == "2026-10-08 11:00:00"
    assert "adm_caty" not in found.tree["setlinfo"]
    assert found.conflicts == ()


def test_two_kinds_that_say_different_things_contradict_each_other() -> None:
    other = Piece("settlement", {"setlinfo": {"mdtrt_id": "M1", "dscg_time": "2026-10-16 09:00:00"}, "icuinfo": [{}]})
    found = merged([ADMISSION, DISCHARGE, other], rules().nodes)
    assert [(one.rule, one.level, one.path) for one in found.conflicts] == [
        ("SL-C001", "error", "setlinfo.dscg_time"),
    ]  # fmt: skip
    assert "出院与结算" in found.conflicts[0].message
    assert "2026" not in found.conflicts[0].message
    agreed = merged([ADMISSION, DISCHARGE, Piece("settlement", DISCHARGE.tree)], rules().nodes)
    assert agreed.conflicts == ()


@pytest.mark.parametrize(
    ("field", "one", "other", "agree"),
    [
        ("acct_pay", "1000.00", "1000.0", True), ("acct_pay", 1000, "1000.00", True),
        ("dscg_time", "2026-10-15 09:30", "2026-10-15 09:30:00", True), ("acct_pay", "1000.00", "1000.01", False),
        ("psn_name", "甲", "乙", False), ("brdy", "x", "y", False), ("setl_id", "01", "1", False),
    ],
)  # fmt: skip
def test_two_ways_of_writing_one_value_are_no_contradiction(field: str, one: Any, other: Any, agree: bool) -> None:
    pieces = [Piece("fees", {"setlinfo": {field: one}}), Piece("settlement", {"setlinfo": {field: other}})]
    assert (merged(pieces, rules().nodes).conflicts == ()) is agree


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ([], ""), ({}, "setlinfo"), ({"setlinfo": []}, "setlinfo"), ({"setlinfo": {}}, "setlinfo.mdtrt_id"),
        ({"setlinfo": {"mdtrt_id": " "}}, "setlinfo.mdtrt_id"), ({"setlinfo": {"mdtrt_id": 5}}, "setlinfo.mdtrt_id"),
        ({"setlinfo": {"mdtrt_id": "a\x1b"}}, "setlinfo.mdtrt_id"),
        ({"setlinfo": {"mdtrt_id": "x" * 31}}, "setlinfo.mdtrt_id"),
        ({"setlinfo": {"mdtrt_id": "M1", "fixmedins_code": "H2"}}, "setlinfo.fixmedins_code"),
        ({"setlinfo": {"mdtrt_id": "M1"}, **{f"n{n}": [] for n in range(20)}}, ""),
        ({"setlinfo": {"mdtrt_id": "M1"}, "diseinfo": [{}] * 2001}, "diseinfo"),
        ({"setlinfo": {"mdtrt_id": "M1", **{f"f{n}": "x" for n in range(200)}}}, "setlinfo"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_under_a_visit_is_refused_with_its_place(tree: Any, path: str) -> None:
    with pytest.raises(PieceRefused) as caught:
        visit_of(tree, HOME)
    assert caught.value.path == path
    assert caught.value.message


def test_a_piece_of_the_institution_itself_names_its_visit() -> None:
    assert visit_of(GOOD, HOME) == "M202610010001"
    assert visit_of({"setlinfo": {"mdtrt_id": "M1"}}, HOME) == "M1"


NAMES = {
    "I10.x00x002": ("高血压", "2021-01-01", ""),
    "I10.x00x003": ("高血压2级", "2021-01-01", ""),
    "E11.900": ("2型糖尿病", "2021-01-01", "2026-10-01"),
}


def codes(*rows: Row) -> Snapshot:
    return build_snapshot(rows, Libraries({"diagnosis": NAMES}, FORMS))


def test_local_codes_become_national_ones_with_their_names_on_the_day_of_discharge() -> None:
    mapping = codes(
        Row("diagnosis", "ZD2", "I10.x00x002", "2026-01-01", "", "m1"),
        Row("doctor", "D0078", "D990101000001", "2026-01-01", "", "m2"),
    )
    tree = {
        "setlinfo": {"chfpdr_code": "D0078", "wm_dise_code": "I10.x00x002", "otp_wm_dise": "血压高"},
        "diseinfo": [
            {"diag_type": "1", "diag_code": "ZD2", "diag_name": "高血压病"}, {"diag_type": "2", "diag_code": "BNX010"},
        ],
    }  # fmt: skip
    done = translated(tree, rules().nodes, mapping, "2026-10-15")
    found = done.tree
    assert done.found == []
    assert done.evidence == [
        ("setlinfo.chfpdr_code", "doctor", "D0078", "D990101000001", "m2", "2026-10-15"),
        ("diseinfo[0].diag_code", "diagnosis", "ZD2", "I10.x00x002", "m1", "2026-10-15"),
    ]
    assert found["setlinfo"]["chfpdr_code"] == "D990101000001"
    assert found["setlinfo"]["otp_wm_dise"] == "血压高"  # national already: what the institution wrote stays
    assert found["diseinfo"][0] == {"diag_type": "1", "diag_code": "I10.x00x002", "diag_name": "高血压"}
    assert found["diseinfo"][1] == {"diag_type": "2", "diag_code": "BNX010"}  # Chinese medicine: another standard
    assert tree["diseinfo"][0]["diag_code"] == "ZD2"


@pytest.mark.parametrize(
    ("code", "why"),
    [("ZD9", "没有对码"), ("ZD1", "出院当天无效"), ("E11.900", "出院当天无效"), ("ZD3", "多个国家编码")],
)
def test_what_has_no_translation_that_day_is_told_and_left(code: str, why: str) -> None:
    mapping = codes(
        Row("diagnosis", "ZD1", "E11.900", "2026-01-01", "", "m1"),
        Row("diagnosis", "ZD3", "I10.x00x002", "2026-01-01", "", "m1"),
        Row("diagnosis", "ZD3", "I10.x00x003", "2026-01-01", "", "m1"),
    )
    tree = {"setlinfo": {}, "diseinfo": [{"diag_type": "1", "diag_code": code}]}
    done = translated(tree, rules().nodes, mapping, "2026-10-15")
    found, told = done.tree, done.found
    assert [(one.rule, one.path) for one in told] == [("SL-C005", "diseinfo[0].diag_code")]
    assert why in told[0].message
    assert found == tree


def test_who_operated_is_looked_up_on_the_day_of_the_operation() -> None:
    mapping = codes(Row("doctor", "D0078", "D990101000001", "2026-01-01", "2026-10-12", "m2"))
    row = {"oper_dr_code": "D0078", "anst_dr_code": "D0078", "oprn_oprt_begntime": "2026-10-12 09:00:00"}
    tree = {"setlinfo": {"chfpdr_code": "D0078"}, "oprninfo": [row, {**row, "oprn_oprt_date": "2026-10-13"}]}
    done = translated(tree, rules().nodes, mapping, "2026-10-15")
    assert [(one.path, one.message[-6:]) for one in done.found] == [
        ("setlinfo.chfpdr_code", "出院当天无效"),
        ("oprninfo[1].oper_dr_code", "手术当天无效"), ("oprninfo[1].anst_dr_code", "手术当天无效"),
    ]  # fmt: skip
    assert [one[5] for one in done.evidence] == ["2026-10-12", "2026-10-12"]
