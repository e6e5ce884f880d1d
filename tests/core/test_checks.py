"""Complaints (annex X15-X19, X31, X38): each rule with its path and its words, and all of them at once."""

import re
from typing import Any

import attrs
import pytest
from messages import (
    HERE,
    INSTITUTION,
    complaints,
    envelope,
    lines,
    mapped,
    message,
    region,
    settled,
    unmapped,
    walked,
    work,
)

from gateway.core.catalogue import Field, Node, WhenSpec
from gateway.core.checks import examine, examine_slices
from gateway.core.jsontext import Raw, decode, encode
from gateway.core.translation import COMPLAINTS_MAX, blank

# --- one rule each


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"psn_no": ""}, ("psn_no", "required", "人员编号不能为空")),
        ({"psn_no": None}, ("psn_no", "required", "人员编号不能为空")),
        ({"psn_no": "  　"}, ("psn_no", "required", "人员编号不能为空")),
        ({"psn_no": 43}, ("psn_no", "type", "人员编号应为字符串")),
        ({"psn_no": []}, ("psn_no", "type", "人员编号应为字符串")),
        ({"psn_no": "1" * 31}, ("psn_no", "length", "人员编号长度31，超过上限30")),
        ({"mdtrt_cert_type": "99"}, ("mdtrt_cert_type", "dictionary", "就诊凭证类型的值不在字典mdtrt_cert_type中")),
        ({"insutype": "999"}, ("insutype", "dictionary", "险种类型的值不在字典insutype中")),
        ({"medfee_sumamt": "1e3"}, ("medfee_sumamt", "type", "医疗费总额应为数字")),
        ({"medfee_sumamt": Raw(b"1e3")}, ("medfee_sumamt", "type", "医疗费总额应为数字")),
        ({"medfee_sumamt": "1,000.00"}, ("medfee_sumamt", "type", "医疗费总额应为数字")),
        ({"medfee_sumamt": True}, ("medfee_sumamt", "type", "医疗费总额应为数字")),
        ({"medfee_sumamt": {}}, ("medfee_sumamt", "type", "医疗费总额应为数字")),
        ({"medfee_sumamt": "1.234"}, ("medfee_sumamt", "scale", "医疗费总额整数位不超过14位，小数位不超过2位")),
        ({"medfee_sumamt": 10**14}, ("medfee_sumamt", "scale", "医疗费总额整数位不超过14位，小数位不超过2位")),
        ({"fulamt_ownpay_amt": " "}, ("fulamt_ownpay_amt", "required", "全自费金额不能为空")),
    ],
)
def test_a_field_that_breaks_a_rule(values: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert complaints(settled(**values)) == [("input.data." + expected[0], *expected[1:])]


@pytest.mark.parametrize(
    ("value", "rule", "words"),
    [
        ("2024-02-30 00:00:00", "format", "应为有效日期，格式yyyy-MM-dd HH:mm:ss"),
        ("2024/01/05 00:00:00", "format", "应为有效日期，格式yyyy-MM-dd HH:mm:ss"),
        (20240105, "type", "应为字符串"),
        ("", "required", "不能为空"),
    ],
)
def test_a_date_that_is_none(value: Any, rule: str, words: str) -> None:
    tree = lines({"fee_ocur_time": value})
    ((path, found, text),) = complaints(tree)
    assert (path, found) == ("input.feedetail[0].fee_ocur_time", rule)
    assert text.endswith(words)


def test_an_optional_number_or_date_is_not_made_of_blanks() -> None:
    """X17: empty is absent; blanks are a text where a number should be."""
    optional = next(
        f
        for f in HERE.transactions["2204"].nodes[0].fields
        if f.kind == "number" and not f.required and not f.number_or_text
    )
    assert complaints(lines({optional.name: ""}, {optional.name: None})) == []
    assert complaints(lines({optional.name: "  "})) == [
        (f"input.feedetail[0].{optional.name}", "type", f"{optional.zh}不能是空白字符")
    ]


@pytest.mark.parametrize("infno", ["2207", "2204"])
def test_an_input_that_is_no_object(infno: str) -> None:
    odd: tuple[Any, ...] = ([], "x", 7, [{}])
    for value in odd:
        found = complaints(envelope(infno, value))
        assert ("input", "type", "交易输入应为对象") in found
    assert [row[:2] for row in complaints(envelope(infno, None))] == [("input", "required")]


@pytest.mark.parametrize(
    ("infno", "node", "value", "expected"),
    [
        ("2207", "data", None, ("input.data", "required", "缺少节点")),
        ("2204", "feedetail", None, ("input.feedetail", "required", "缺少节点")),
        ("2204", "feedetail", [], ("input.feedetail", "required", "节点至少应有一条记录")),
        ("2207", "data", [], ("input.data", "type", "节点应为对象")),
        ("2207", "data", 7, ("input.data", "type", "节点应为对象或数组")),
        ("2207", "data", "x", ("input.data", "type", "节点应为对象或数组")),
        ("2204", "feedetail", [7], ("input.feedetail[0]", "type", "数组元素应为对象")),
    ],
)
def test_a_node_that_has_the_wrong_shape(infno: str, node: str, value: Any, expected: tuple[str, str, str]) -> None:
    tree = message(infno)
    tree["input"][node] = value
    assert complaints(tree) == [expected]


def test_a_list_where_an_object_belongs_and_the_other_way_round() -> None:
    tree = message("2207")
    tree["input"]["data"] = [tree["input"]["data"]]
    assert complaints(tree) == [("input.data", "type", "节点应为对象")]
    tree = lines({"psn_no": ""})
    tree["input"]["feedetail"] = tree["input"]["feedetail"][0]
    assert [row[:2] for row in complaints(tree)] == [
        ("input.feedetail", "type"),
        ("input.feedetail.psn_no", "required"),
    ]


def test_what_is_none_of_the_nodes_is_named() -> None:
    tree = message("2207")
    tree["input"] = {"Data": tree["input"]["data"], "x": 1}
    found = complaints(tree)
    assert ("input.Data", "unknown_node", "交易2207没有此节点") in found
    assert ("input.x", "unknown_node", "交易2207没有此节点") in found
    assert ("input.data", "required", "缺少节点") in found


@pytest.mark.parametrize(("kind", "words"), [("list", "应为数组"), ("object", "应为对象")])
def test_lists_and_objects_inside_a_row(kind: str, words: str) -> None:
    infno, node, field = next(
        (infno, node, field)
        for infno, t in HERE.transactions.items()
        for node in t.nodes
        for field in node.fields
        if field.kind == kind and field.required
    )
    tree = message(infno)
    holder = tree["input"][node.name]
    many = isinstance(holder, list)
    (holder[0] if many else holder)[field.name] = 7
    path = f"input.{node.name}[0]" if many else f"input.{node.name}"
    assert complaints(tree) == [(f"{path}.{field.name}", "type", f"{field.zh}{words}")]


def test_a_required_node_inside_a_row() -> None:
    tree = message("3101")
    patient = tree["input"]["data"]["patient_dtos"][0]
    patient["fsi_encounter_dtos"][1]["fsi_diagnose_dtos"] = ""
    patient["fsi_encounter_dtos"][0]["fsi_order_dtos"] = [7]
    path = "input.data.patient_dtos[0].fsi_encounter_dtos"
    assert [row[:2] for row in complaints(tree)] == [
        (f"{path}[0].fsi_order_dtos[0]", "type"),
        (f"{path}[1].fsi_diagnose_dtos", "required"),
    ]


def test_too_many_rows_in_all() -> None:
    transaction = attrs.evolve(HERE.transactions["2204"], rows_max=3)
    for rows, expected in ((3, []), (4, [("input", "count", "明细共4条，超过上限3条")])):
        found = examine(HERE, transaction, lines(*[{}] * rows), work()).complaints
        assert [(c.path, c.rule, c.message) for c in found] == expected


# --- required under a condition


def test_a_card_needs_its_serial_number() -> None:
    """card_sn is required when mdtrt_cert_type is 03."""
    for value, card, expected in (
        ("03", "", [("input.data.card_sn", "required")]),
        ("03", None, [("input.data.card_sn", "required")]),
        ("03", "0001", []),
        ("02", "", []),
        ("02", None, []),
    ):
        tree = message("1101")
        tree["input"]["data"] |= {"mdtrt_cert_type": value, "card_sn": card}
        assert [row[:2] for row in complaints(tree)] == expected


@pytest.mark.parametrize(
    ("other", "required"), [("甲", True), (0, True), (False, True), ("", False), (" ", False), (None, False)]
)
def test_a_field_that_is_required_when_another_is_present(other: Any, required: bool) -> None:
    asked = Field(name="asked", zh="被问", kind="text", when=WhenSpec(field="other", present=True))
    here = attrs.evolve(HERE, transactions={"x": attrs.evolve(HERE.transactions["2207"], nodes=(
        Node(name="data", repeated="one", required=True, fields=(asked,)),))})  # fmt: skip
    tree = envelope("x", {"data": {"other": other}})
    found = [(c.path, c.rule) for c in examine(here, here.transactions["x"], tree, work()).complaints]
    assert found == ([("input.data.asked", "required")] if required else [])


# --- null, blanks, unknown fields (X17)


def test_null_and_empty_are_absent_for_an_optional_field_and_go_on_as_they_came() -> None:
    tree = message("2207", code="N1")
    optional = [f.name for f in HERE.transactions["2207"].nodes[0].fields if not f.required and f.when is None]
    assert len(optional) > 3
    for value in (None, ""):
        tree["input"]["data"] |= dict.fromkeys(optional, value)
        raw = encode(tree)
        found = decode(raw)
        assert complaints(found, unmapped()) == []
        assert encode(found) == raw


def test_unknown_fields_and_nodes_pass() -> None:
    tree = settled(app_id="x", more={"a": [1, {"b": None}]})
    tree["input"]["note"] = [1]
    tree["fixmedins_soft_fcty"] = "某厂商"
    tree["enc_type"] = {"x": 1}
    raw = encode(tree)
    found = decode(raw)
    assert complaints(found, mapped()) == []
    assert found["input"]["data"]["more"] == {"a": [1, {"b": None}]}
    assert found["enc_type"] == {"x": 1}


def test_fields_only_hunan_requires_are_optional() -> None:
    """X17, required_base: false."""
    tree = message("2102", full=False)
    assert "psn_name" not in tree["input"]["druginfo"]
    assert complaints(tree) == []
    found = examine(region("hunan"), region("hunan").transactions["2102"], tree, work()).complaints
    assert {"input.druginfo.psn_name", "input.druginfo.certno"} <= {c.path for c in found if c.rule == "required"}


# --- the envelope


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("mdtrtarea_admvs", "", "required"),
        ("recer_sys_code", None, "required"),
        ("infver", "V1.0.000", "length"),
        ("opter_type", "9", "dictionary"),
        ("opter", 7, "type"),
        ("opter_name", "甲" * 51, "length"),
        ("inf_time", "2024-01-05", "format"),
        ("inf_time", "20240105093000", "format"),
        ("fixmedins_name", "", "required"),
        ("sign_no", "1" * 31, "length"),
        ("msgid", "1" * 31, "length"),
    ],
)
def test_a_field_of_the_envelope(name: str, value: Any, rule: str) -> None:
    tree = {**message("2207"), name: value}
    assert [row[:2] for row in complaints(tree)] == [(name, rule)]


def test_an_empty_insured_place_means_here() -> None:
    assert complaints({**message("2207"), "insuplc_admdvs": ""}) == []
    assert complaints({**message("2207"), "insuplc_admdvs": None}) == []


# --- identity (X15)


def test_another_institution_anywhere_in_input_is_foreign() -> None:
    for where in (("data",), (), ("data", "more"), ("list",)):
        tree = message("2207")
        tree["input"]["list"] = [{}]
        here = tree["input"]
        for name in where:
            here = here.setdefault(name, {})
        target = here[0] if isinstance(here, list) else here
        for code, foreign in ((INSTITUTION, False), ("", False), (None, False), ("P99999999999", True), (7, True)):
            target["fixmedins_code"] = code
            assert walked(tree).foreign is foreign, (where, code)


def test_foreign_is_no_complaint() -> None:
    """It is answered GW-IDENTITY, not GW-INVALID, and raises an alarm."""
    assert complaints(settled(fixmedins_code="P99999999999")) == []


# --- everything at once


def test_every_complaint_at_once_with_its_place() -> None:
    tree = lines({}, {"psn_no": "", "pric": "x"}, {"medins_list_codg": "X7", "med_list_codg": ""}, {"cnt": 7})
    tree |= {"opter_type": "9", "inf_time": "now"}
    assert [(path, rule) for path, rule, _ in complaints(tree)] == [
        ("opter_type", "dictionary"),
        ("inf_time", "format"),
        ("input.feedetail[1].psn_no", "required"),
        ("input.feedetail[1].pric", "type"),
        ("input.feedetail[2].med_list_codg", "unmapped"),
        ("input.feedetail[3].det_item_fee_sumamt", "sum"),
    ]


def test_complaints_speak_chinese_and_never_show_a_person() -> None:
    """security.md §6: no name, number or certificate of a person in an error."""
    secret = {
        "psn_no": "43000000000000000001" * 2,
        "mdtrt_cert_no": "990000199001010004" * 9,
        "psn_setlway": 990000199001010004,
    }
    found = complaints(settled(**secret, medfee_sumamt="990000199001010004x"))
    assert len(found) == 4
    for _, _, words in found:
        assert re.search(r"[\u4e00-\u9fff]", words)
        assert not re.search(r"\d{8}", words)


def test_a_long_message_is_walked_in_slices() -> None:
    tree = lines(*[{}] * 450)
    assert len(list(examine_slices(HERE, HERE.transactions["2204"], tree, work(None, True)))) == 4


@pytest.mark.parametrize("mark", ["\n", "\0", "\u202e", "\x7f"])
def test_an_id_holds_no_control_characters(mark: str) -> None:
    """security T16; the plan is compared in test_plan."""
    assert complaints(settled(psn_no=f"43{mark}1")) == [("input.data.psn_no", "format", "人员编号不能含有控制字符")]


def test_complaints_are_bounded() -> None:
    found = walked(lines(*[{"psn_no": "", "pric": "x", "cnt": "x"}] * 1_000))
    assert len(found.complaints) == COMPLAINTS_MAX == 2_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        ("", True),
        (" ", True),
        ("　\t\n", True),
        ("0", False),
        (0, False),
        (False, False),
        ([], False),
        ({}, False),
    ],
)
def test_what_counts_as_absent(value: Any, expected: bool) -> None:
    assert blank(value) is expected
