"""Names, strengths, packs, firms, numbers made comparable (mapping rules section 3)."""

from decimal import Decimal
from pathlib import Path

import pytest

from gateway.codes.suggest import amounts, consumable, drug, icd, service, staff
from gateway.codes.suggest.columns import COLUMNS, columns
from gateway.codes.suggest.makers import MakerBook
from gateway.codes.suggest.text import Namer, fold, one_character_apart, verdict_of_names
from gateway.codes.suggest.verdict import Verdict
from gateway.codes.suggest.words import rules

E, N, L, U, D = Verdict.EQUAL, Verdict.NEAR, Verdict.LIKE, Verdict.UNKNOWN, Verdict.DIFFERS


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ａｂ１２（甲）", "AB12(甲)"),
        ("左 甲狀腺\u3000素鈉片", "左甲状腺素钠片"),
        ("50μg×2", "50UG*2"),
        ("【国谈】", "(国谈)"),
        ("", ""),
    ],
)
def test_width_case_brackets_blanks_and_script_do_not_count(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("table", "local", "national", "verdict"),
    [
        ("service_item", "换药【大】", "换药(大)", E),
        ("service_item", "△换药(大)(急诊)", "换药(大)", E),
        ("service_item", "换药(中)", "换药(大)", L),
        ("service_item", "换药", "换药(大)", L),
        ("service_item", "ALT", "丙氨酸氨基转移酶测定", N),
        ("service_item", "诊查费(住院)", "诊查费(门诊)", L),
        ("service_item", "诊查费(门诊)", "诊查费(门诊)", E),
        ("service_item", "总胆红素", "血清总胆红素测定", N),
        ("diagnosis", "T2DM", "2型糖尿病", N),
        ("diagnosis", "1型糖尿病", "2型糖尿病", L),
        ("diagnosis", "慢性胃炎", "急性胃炎", L),
        ("diagnosis", "股古骨折", "股骨骨折", N),
        ("diagnosis", "左侧股骨骨折", "右侧股骨骨折", L),
        ("diagnosis", "", "股骨骨折", U),
        ("diagnosis", "GGGZ", "股骨骨折", L),
        ("diagnosis", "gugu guzhe", "股骨骨折", L),
        ("staff", "张 三", "张三", E),
    ],
)
def test_names(table: str, local: str, national: str, verdict: Verdict) -> None:
    namer = Namer(table)
    assert verdict_of_names(namer.name(local), namer.name(national))[0] is verdict


def test_abbreviations_are_read_once() -> None:
    namer = Namer("diagnosis")
    assert namer.name("慢性胃炎").plain == namer.name("慢胃炎").plain == "慢性胃炎"
    assert one_character_apart("Ⅰ级护理", "Ⅱ级护理") and not one_character_apart("特级护理费", "一级护理")


@pytest.mark.parametrize(
    ("local", "national", "verdict"),
    [
        ("0.25g", "250mg", E),
        ("２５０毫克", "0.25g", E),
        ("10mg/2ml", "2ml:10mg", E),
        ("0.9% 100ml", "100ml:0.9g", E),
        ("50万单位", "500000IU", E),
        ("50ug", "50μg", E),
        ("0.5g/100ml", "100ml:0.5g", E),
        ("100ug×200揿", "100μg*200揿", E),
        ("20mg", "40mg", D),
        ("0.2g", "0.02g", D),
        ("5mg", "5ml:5mg", L),
        ("20", "20mg", L),
        ("", "20mg", U),
        ("20mg", "", U),
    ],
)
def test_strengths(local: str, national: str, verdict: Verdict) -> None:
    assert amounts.verdict_of_strengths(local, national) is verdict


@pytest.mark.parametrize(
    ("local", "national", "verdict"),
    [
        ("24粒*1盒", "24粒/盒", E),
        ("12片*2板/盒", "24片/盒", E),
        ("12片/板×2板/盒", "24片/盒", E),
        ("24T*1盒", "24片/盒", E),
        ("盒×24", "24片/盒", N),
        ("每盒24片", "24片/盒", E),
        ("10ml*10支/盒", "10支/盒", E),
        ("24片", "24片/盒", N),
        ("1支/支", "1支/支", E),
        ("24片/瓶", "24片/盒", D),
        ("12片/盒", "24片/盒", D),
        ("1袋/袋", "1瓶/瓶", D),
        ("24粒/盒", "24片/盒", L),
        ("盒装", "24片/盒", D),
        ("", "24片/盒", U),
    ],
)
def test_packs(local: str, national: str, verdict: Verdict) -> None:
    assert amounts.verdict_of_packs(local, national) is verdict


def test_a_pack_says_how_many_it_holds() -> None:
    found = amounts.pack("12片/板*2板/盒")
    assert found is not None and (found.count, found.inner, found.container) == (Decimal(24), "tablet", "box")
    assert amounts.pack("遮光密封") is None


@pytest.mark.parametrize(
    ("spec", "pack", "apart"),
    [
        ("0.25g*24粒/盒", "", ("0.25G", "24粒/盒")),
        ("0.25g", "24粒/盒", ("0.25g", "24粒/盒")),
        ("100μg*200揿", "", ("100μg*200揿", "")),
        ("8丸相当于3g", "", ("8丸相当于3g", "")),
    ],
)
def test_strength_and_pack_in_one_cell_are_taken_apart(spec: str, pack: str, apart: tuple[str, str]) -> None:
    assert amounts.split_spec(spec, pack) == apart


@pytest.mark.parametrize(
    ("local", "national", "verdict"),
    [
        ("3．0x23mm", "3.0*23mm", E),
        ("3*23MM", "3.0*23mm", E),
        ("2.5*18", "2.5*18mm", N),
        ("3*23cm", "3*23mm", L),
        ("10*15cm", "6*11cm", D),
        ("8孔 左", "8孔", L),
        ("", "8孔", U),
    ],
)
def test_models(local: str, national: str, verdict: Verdict) -> None:
    assert amounts.verdict_of_models(local, national) is verdict


@pytest.mark.parametrize(
    ("local", "national", "verdict"),
    [
        ("人次", "次", E),
        ("元/次", "次", E),
        ("每日", "床日", E),
        ("天", "日", E),
        ("每部位", "部位", E),
        ("次", "日", D),
        ("小时", "日", D),
        ("", "日", U),
    ],
)
def test_units_of_charging(local: str, national: str, verdict: Verdict) -> None:
    assert amounts.verdict_of_units(local, national) is verdict


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("国药准字H20057567", "H20057567"),
        ("国药准字：ｈ20057567", "H20057567"),
        ("准字 H2005-7567", "H20057567"),
        ("国药准字H2OO57567", "H20057567"),
        ("进口药品注册证号HJ20150123", "HJ20150123"),
        ("20057567", "20057567"),
        ("", ""),
    ],
)
def test_approval_numbers(text: str, number: str) -> None:
    assert drug.approval_of(text) == number


def test_a_single_wrong_character_of_an_approval_number_is_only_near() -> None:
    national = "国药准字H20057567"
    verdicts = [
        drug.verdict_of_approvals(text, national) for text in ("H20057567", "20057567", "H20057568", "H20057668")
    ]
    assert verdicts == [E, E, N, D]
    assert drug.verdict_of_approvals("", national) is U


@pytest.mark.parametrize(
    ("local", "verdict"),
    [
        ("远山制药有限公司", E),
        ("遠山製藥有限責任公司", E),
        ("远山制药", E),
        ("远山生物", N),
        ("长河", U),
        ("长河药业", E),
        ("无名药业", D),
        ("", U),
    ],
)
def test_firms(local: str, verdict: Verdict) -> None:
    book = MakerBook()
    names = {
        "": "",
        "长河": "长河药业股份有限公司",
        "长河药业": "长河药业股份有限公司",
        "远山生物": "远山生物制品有限公司",
    }
    for name in ("远山制药有限公司", "长河药业股份有限公司", "长河制药(中国)有限公司", "远山生物制品有限公司"):
        book.add(name)
    assert book.verdict(local, (names.get(local, "远山制药有限公司") or "远山制药有限公司",)) is verdict


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("06991816402086", "06991816402086"),
        ("6991816402086", "06991816402086"),
        ("(01)06991816402086(17)271231(10)A", "06991816402086"),
        ("010699181640208617271231", "06991816402086"),
        ("UDI：06991816402086", "06991816402086"),
        ("A-12", "A12"),
    ],
)
def test_device_identifiers(text: str, identifier: str) -> None:
    assert consumable.device_identifier(text) == identifier


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("国械注准20233070333", ("20233070333", "准")),
        ("国食药监械(准)字2023第3070333号", ("20233070333", "准")),
        ("20233070333", ("20233070333", "")),
        ("国械注准20233070333(延续1)", ("20233070333", "准")),
        ("国械注进20233070333", ("20233070333", "进")),
    ],
)
def test_registration_numbers(text: str, found: tuple[str, str]) -> None:
    assert consumable.registration(text) == found


def test_price_codes_lose_what_a_hospital_appends() -> None:
    assert [service.trimmed(code) for code in ("120800001A", "120800001-1", "12080000100", "F120800001")] == [
        "120800001"
    ] * 4


@pytest.mark.parametrize(
    ("text", "code"), [("a21.201＋j17.0*", "A21201J170"), ("I63.9O0", "I63900"), ("I10．x00", "I10X00"), ("", "")]
)
def test_diagnosis_codes(text: str, code: str) -> None:
    assert icd.compact(text) == code


@pytest.mark.parametrize(
    ("local", "verdict"),
    [
        ("99901219800101123x", E),
        ("999012********123X", N),
        ("999***********123X", N),
        ("999012********1234", D),
        ("999012800101123", E),
        ("99901219800101132X", L),
        ("999999199912319999", D),
        ("******************", U),
        ("", U),
    ],
)
def test_identity_numbers(local: str, verdict: Verdict) -> None:
    assert staff.verdict_of_identities(local, "99901219800101123X") is verdict


def test_licences_may_be_cut_but_not_to_pieces() -> None:
    verdicts = [
        staff.verdict_of_licences(text, "110000012345678") for text in ("110000012345678", "12345678", "345678", "")
    ]
    assert verdicts == [E, N, D, U]


def test_columns_stand_in_the_order_of_their_facts() -> None:
    for system in (*COLUMNS, "chronic_disease"):
        found = columns(system)
        assert tuple(found.local) == found.local_facts._fields  # type: ignore[attr-defined]
        assert tuple(found.national) == found.facts._fields  # type: ignore[attr-defined]


def test_rules_name_fields_that_exist_and_come_surest_first() -> None:
    ids = []
    for table in rules().systems.values():
        confidences = [rule.confidence for rule in table.rules]
        assert confidences == sorted(confidences, reverse=True)
        for rule in table.rules:
            assert set(rule.needs) == set(table.fields), rule.id
            assert all(set(accepted) <= set("ENLUD") for accepted in rule.needs.values())
        assert set(table.similar.factors) <= set(table.fields) and set(table.strong) <= set(table.fields)
        assert table.similar.base < rules().sure
        ids += [rule.id for rule in table.rules] + [table.similar.id]
    assert len(ids) == len(set(ids))


def test_the_page_for_analysts_tells_every_rule_with_its_confidence() -> None:
    page = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text("utf-8")
    for table in rules().systems.values():
        for rule in table.rules:
            (line,) = (line for line in page.splitlines() if line.startswith(f"| `{rule.id}` |"))
            assert line.endswith(f"| {rule.confidence:g} |"), line
        assert f"| `{table.similar.id}` |" in page
