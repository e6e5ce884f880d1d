"""The rule language: what it means, what empty operands do, and how a faulty rule is told."""

from typing import Any

import pytest
from listed import EXAMPLES, changed, findings, rules, rules_of, world

from gateway.lists.language import BadRule, compile_truth
from gateway.lists.pieces import Scope
from gateway.lists.reading import HEAD, Empty, FieldSpec, read
from gateway.lists.rules import RegionRules, RulesError, build

NODES = rules().nodes
GOOD = EXAMPLES["good"]


def truth(text: str, tree: dict[str, Any] = GOOD, node: str = HEAD) -> bool:
    reading = read(tree, NODES)
    around = world()
    around.turn_to(reading.head)
    row = reading.head if node == HEAD else reading.nodes[node][0]
    return bool(compile_truth(text, NODES, node).run(Scope(reading, around), row))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("adm_time <= dscg_time", True),
        ("act_ipt_days = 7 and not act_ipt_days = 8", True),
        ("5 <= act_ipt_days <= 6", False),
        ("act_ipt_days - 1 < 2 * 3", False),
        ("(act_ipt_days + 1) * 2 = 16", True),
        ('hi_type in ("310", "390") or age > 200', True),
        ('hi_type not in ("310")', False),
        ("filled(poscode) or empty(poscode)", True),
        ("or0(nwb_age) = 0", True),
        ('matches(poscode, "^[0-9]{6}$")', True),  # annex L3: empty matches
        ('count(diseinfo) = 2 and count(diseinfo where maindiag_flag = "1") = 1', True),
        ('sum(iteminfo.amt where med_chrgitm != "06") = 6800.00', True),
        ('count(oprninfo where starts(oprn_oprt_code, "51.", "52.")) = 1', True),
        ("count(diseinfo where filled(diag_name) and setlinfo.age > 60) = 2", True),
        ('count(icuinfo where scs_cutd_ward_type = "2") = 0', True),
        ('form = "4101"', True),
    ],
)
def test_what_a_condition_means(text: str, expected: bool) -> None:
    assert truth(text) is expected


def test_a_record_left_out_by_an_empty_field_is_counted_by_what_it_is_not() -> None:
    tree = changed(GOOD, {"payinfo": [{"fund_payamt": "1.00"}, {"fund_pay_type": "310200", "fund_payamt": "2.00"}]})
    assert truth('sum(payinfo.fund_payamt where fund_pay_type != "310200") = 1', tree)
    assert truth('count(payinfo where fund_pay_type = "310200") = 1', tree)
    assert truth('count(payinfo where fund_pay_type not in ("310200")) = 1', tree)


@pytest.mark.parametrize("text", ["age > 3", 'hi_type = "1"', 'hi_type not in ("1")', "days(brdy, adm_time) > 1"])
def test_an_empty_operand_ends_the_rule(text: str) -> None:
    empty = {"setlinfo": {}}
    with pytest.raises(Empty):
        truth(text, empty)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("adm_tme <= dscg_time", "没有这个字段：adm_tme"),
        ("adm_time <= hi_type", "不能比较moment和text"),
        ('hi_type < "3"', "不能比较text和text"),
        ("adm_time", "应是一个判断"),
        ("adm_time <= dscg_time dscg_time", "多余的内容"),
        ("guess(adm_time) = 1", "没有这个词：guess"),
        ("count(setlinfo) = 1", "count应写节点"),
        ("sum(iteminfo.med_chrgitm) = 1", "没有这个数值字段"),
        ('matches(poscode, "[")', "正则表达式有误"),
        ('in_domain(gend, gend)', "应为带引号的文本"),
        ("age in (1)", "应为带引号的文本"),
        ('age in ("1")', "in只用于文本"),
        ("not age = 1 and age", "两边应是判断"),
        ("(age = 1", "应为)"),
        ("age = 1;", "不认识的写法"),
        ("diseinfo.diag_code = \"1\"", "没有这个字段"),
        ("hi_type + 1 = 2", "只能计算数值"),
        ("or0(hi_type) = 2", "or0只用于数值字段"),
        ("days(age, adm_time) = 2", "应为moment"),
    ],
)  # fmt: skip
def test_a_faulty_condition_is_told_with_its_place(text: str, why: str) -> None:
    with pytest.raises(BadRule, match=r"第[0-9]+个字符处") as caught:
        compile_truth(text, NODES)
    assert why in str(caught.value)


RULE = """version = "1"
[[rule]]
id = "{id}"
level = "error"
kind = "x"
message = "m"
source = "s"
verified = true
{body}
"""
FIELDS = b'[setlinfo]\na = {zh = "a", kind = "text"}\n[diseinfo]\nb = {zh = "b", kind = "text"}\n'


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "应恰有一项"),
        ('assert = "filled(a)"\nforbid_text = "^"', "应恰有一项"),
        ('assert = "filled(a)"\nwhere = "filled(a)"', "where只用于each"),
        ('assert = "filled(a)"\neach = "nothing"', "没有这个节点"),
        ('each = "diseinfo"\ndistinct = ["c"]', "应写each中节点的字段"),
        ('each = "diseinfo"\napart = ["b"]', "应写each中节点的字段"),
        ('assert = "filled(a)"\nnobody = 1', "nobody"),
    ],
)
def test_every_faulty_rule_is_told_with_its_file(body: str, why: str) -> None:
    files = [("one.toml", RULE.format(id="SL-X001", body=body).encode()), ("two.toml", b"x = [")]
    with pytest.raises(RulesError) as caught:
        build(files, FIELDS)
    assert len(caught.value.problems) == 2
    assert why in caught.value.problems[0]
    assert caught.value.problems[1].startswith("two.toml")


def test_a_number_is_given_once_and_looks_like_one() -> None:
    good = RULE.format(id="SL-X001", body='assert = "filled(a)"').encode()
    with pytest.raises(RulesError, match="重复或不合规"):
        build([("one.toml", good), ("two.toml", good)], FIELDS)
    with pytest.raises(RulesError, match="重复或不合规"):
        build([("one.toml", good.replace(b"SL-X001", b"X1"))], FIELDS)


def test_a_rule_is_in_force_between_its_days() -> None:
    body = 'assert = "filled(a)"\nsince = "2026-10-16"\nuntil = "2026-10-31"'
    fields = FIELDS + b'[setlinfo.dscg_time]\nzh = "d"\nkind = "datetime"\n'
    made = build([("one.toml", RULE.format(id="SL-X001", body=body).encode())], fields)
    for day, expected in (("2026-10-15", set()), ("2026-10-16", {"SL-X001"}), ("2026-11-01", set())):
        tree = {"setlinfo": {"dscg_time": f"{day} 09:00:00"}}
        assert rules_of(findings(tree, by=made)) == expected


def test_a_region_switches_rules_off_and_moves_their_level() -> None:
    tree = changed(GOOD, {"setlinfo.dscg_time": "2026-10-01 09:00:00"})
    moved = rules().adjusted(RegionRules(source="x", off=("SL-T001",), levels={"SL-T006": "error"}))
    found = findings(tree, by=moved)
    assert "SL-T001" not in rules_of(found)
    assert [one.level for one in found if one.rule == "SL-T006"] == ["error"]
    with pytest.raises(RulesError, match="SL-Z999"):
        rules().adjusted(RegionRules(source="x", off=("SL-Z999",)))


def test_rules_are_cut_to_those_whose_fields_a_form_has() -> None:
    nodes = {"setlinfo": {"setl_id": FieldSpec(zh="结算ID", kind="text")}}
    cut = rules().cut(nodes)
    assert {rule.spec.id for rule in cut.rules} >= {"SL-R002", "SL-F010", "SL-X001"}
    assert "SL-R001" not in {rule.spec.id for rule in cut.rules}
    assert "SL-G003" not in {rule.spec.id for rule in cut.rules}
