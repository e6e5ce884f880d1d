"""Is it the same thing: MA02, MA04, MA08, MA10, MA11, MA12, MA16, each told and each silent (mapping rules §3-§6)."""

import json
from decimal import Decimal
from typing import Any

import pytest

from gateway.codes.checks import text
from gateway.codes.checks.audit import blocking, check
from gateway.codes.checks.ground import Ground
from gateway.codes.checks.national import national
from gateway.codes.mapping import Proposed

DRUG = {
    "generic_name": "阿莫西林胶囊", "alias": "羟氨苄青霉素胶囊;阿莫仙", "spec": "0.25g", "pacspec": "24粒/盒",
    "min_unit": "粒", "pack_unit": "盒", "aprvno": "国药准字H20057567", "prodentp_name": "南屿医药科技股份有限公司",
    "chrgitm_lv": "1", "med_chrgitm_type": "09",
}  # fmt: skip
OTHER = {**DRUG, "generic_name": "头孢拉定胶囊", "alias": "", "aprvno": "国药准字H19990001", "chrgitm_lv": "3"}
LIBRARY = [
    ("X1", "阿莫西林胶囊", "2021-01-01", "", "1", "0", DRUG),
    ("X2", "头孢拉定胶囊", "2021-01-01", "", "1", "0", OTHER),
    ("X3", "旧品种片", "2021-01-01", "2022-01-01", "1", "0", {}),
]


def ground(system: str = "drug", library: Any = LIBRARY) -> Ground:
    rows = [(*row[:6], json.dumps(row[6])) for row in library]
    records = {row[0]: national(row) for row in rows}
    return Ground(
        system=system, today="2026-11-22", warn_until="2026-12-22", records=records, library=lambda: rows
    )  # fmt: skip


def item(line: int, local: str, code: str = "X1", /, **facts: str) -> Proposed:
    return Proposed(line, local, code, "", "", "", facts)


def rules(*rows: Proposed, on: Ground | None = None) -> list[tuple[int, str, str]]:
    return [(one.line, one.rule, one.level) for one in check(rows, on or ground())]


def one(code: str, name: str, **attributes: str) -> list[tuple[Any, ...]]:
    return [(code, name, "2021-01-01", "", "1", "0", attributes)]


@pytest.mark.parametrize(
    ("fact", "same", "other"),
    [
        ("approval", "国药准字 H20057567", "H20057568"),
        ("approval", "见包装", "国药准字Z20057567"),
        ("maker", "南屿医药", "北岭制药厂"),
        ("maker", "南屿医药科技（中国）股份公司", "云泽华康药业"),
        ("spec", "250mg", "0.5g"),
        ("spec", "0.25ｇ*24粒", "2.5mg"),
    ],
)
def test_ma02_facts_that_differ_and_facts_written_otherwise(fact: str, same: str, other: str) -> None:
    assert rules(item(2, "A", **{fact: same})) == []
    assert (2, "MA02", "error") in rules(item(2, "A", **{fact: other}))


def test_ma02_of_devices_and_services() -> None:
    device = ground("consumable", one("C1", "输液器", reg_fil_no="国械注准20223037966", udi_di="06990340988240"))
    assert rules(item(2, "A", "C1", registration="国食药监械(准)字20223037966"), on=device) == []
    assert rules(item(2, "A", "C1", device="(01)06990340988240(17)271231"), on=device) == []
    assert rules(item(2, "A", "C1", registration="国械注准20223037967"), on=device) == [(2, "MA02", "error")]
    assert rules(item(2, "A", "C1", device="6990340988241"), on=device) == [(2, "MA02", "error")]
    service = ground("service_item", one("S1", "挂号费", local_price_code="110900001", item_cont="含病历、工本费。"))
    for same in ("110900001", "110900001a", "110900001-1", "11090000100"):
        assert rules(item(2, "A", "S1", price_code=same), on=service) == []
    assert rules(item(2, "A", "S1", price_code="110900002"), on=service) == [(2, "MA02", "error")]
    assert rules(item(2, "A", "S1", content="含病历 工本费"), on=service) == []
    assert rules(item(2, "A", "S1", content="不含病历"), on=service) == [(2, "MA02", "error")]


def test_ma02_says_all_that_differs_in_one_finding() -> None:
    (finding,) = check([item(2, "A", approval="H19990009", maker="北岭", spec="0.5g")], ground())
    assert finding.column == "local_aprvno"
    assert all(word in finding.message for word in ("批准文号", "生产企业", "规格", "H19990009"))


def test_ma02_a_name_that_is_another_codes_name() -> None:
    found = check([item(2, "A", name="头孢拉定胶囊(集采)")], ground())
    assert [(one.rule, one.level) for one in found] == [("MA02", "error")]
    assert "X2" in found[0].message


def test_ma16_names_that_differ_and_names_it_goes_by() -> None:
    for same in ("阿莫西林 胶囊", "阿莫西林胶囊【国谈】", "羟氨苄青霉素胶囊", "阿莫仙", "△阿莫西林胶囊"):
        assert rules(item(2, "A", name=same)) == []
    assert rules(item(2, "A", name="阿莫西林")) == [(2, "MA16", "warn")]
    assert rules(item(2, "A", name="旧品种片")) == [(2, "MA16", "warn")]  # no usable code has this name


def test_ma16_is_an_error_for_diagnoses_unless_the_gateway_sends_the_national_name() -> None:
    on = ground("diagnosis", one("I10.x00", "高血压"))
    findings = check([item(2, "A", "I10.x00", name="血压高")], on)
    assert [(one.rule, one.level) for one in findings] == [("MA16", "error")]
    assert blocking(findings, names_sent=True) == {}
    assert list(blocking(findings, names_sent=False)) == [2]


def test_ma16_repeats_no_persons_name() -> None:
    (finding,) = check([item(2, "A", "D1", name="甲乙丙")], ground("doctor", one("D1", "丁戊己", prac_stas="在职")))
    assert (finding.rule, finding.level) == ("MA16", "warn")
    assert "甲乙丙" not in finding.message
    assert "丁戊己" not in finding.message


def test_ma04_the_row_whose_facts_differ() -> None:
    rows = (item(2, "A", maker="南屿医药"), item(3, "B", maker="北岭制药"), item(4, "C"))
    assert [found for found in rules(*rows) if found[1] == "MA04"] == [(3, "MA04", "error")]
    assert rules(item(2, "A", maker="南屿医药"), item(3, "B", maker="南屿医药科技")) == []
    assert rules(item(2, "A"), item(3, "B")) == []


def test_ma04_without_a_national_fact_the_first_row_counts() -> None:
    on = ground("drug", one("X9", "某药"))
    rows = (item(2, "A", "X9", spec="5mg"), item(3, "B", "X9", spec="0.005g"), item(4, "C", "X9", spec="10mg"))
    assert rules(*rows, on=on) == [(4, "MA04", "error")]


def test_ma04_only_rows_that_meet_on_a_day() -> None:
    on = ground("drug", one("X9", "某药"))
    early = Proposed(2, "A", "X9", "", "2026-11-30", "", {"spec": "5mg"})
    late = Proposed(3, "B", "X9", "2026-12-01", "", "", {"spec": "10mg"})
    assert rules(early, late, on=on) == []


def test_ma04_another_store_is_a_warning() -> None:
    rows = (item(2, "A", maker="南屿医药", store="西药房"), item(3, "B", maker="南屿医药", store="急诊药房"))
    assert rules(*rows) == [(3, "MA04", "warn")]
    assert rules(rows[0], item(3, "B", maker="南屿医药", store="西药房")) == []


@pytest.mark.parametrize(
    ("facts", "wrong"),
    [
        ({"unit": "盒"}, False),
        ({"unit": "元/粒"}, False),
        ({"unit": "瓶"}, True),
        ({"pack": "24粒*1盒"}, False),
        ({"pack": "盒x24"}, False),
        ({"pack": "12粒*2板/盒"}, False),
        ({"pack": "36粒/盒"}, True),
        ({"ratio": "24"}, False),
        ({"ratio": "1"}, True),
        ({"pack": "10ml*6支/盒"}, False),
    ],
)
def test_ma08_units_and_packs(facts: dict[str, str], wrong: bool) -> None:
    assert rules(item(2, "A", **facts)) == ([(2, "MA08", "error")] if wrong else [])


def test_ma10_swapped_products() -> None:
    assert rules(item(2, "A", cover="甲类", stock_code="X1")) == []
    assert rules(item(2, "A", cover="自费")) == [(2, "MA10", "error")]
    assert rules(item(2, "A", stock_code="X2")) == [(2, "MA10", "error")]
    assert rules(item(2, "A", "X2", cover="自费")) == []  # what is not covered may be billed as what is not covered


def test_ma10_a_number_that_belongs_to_what_is_not_covered() -> None:
    found = rules(item(2, "A", approval="国药准字H19990001"))
    assert found == [(2, "MA02", "error"), (2, "MA10", "error")]
    assert rules(item(2, "A", "X2", approval="国药准字H20057567")) == [(2, "MA02", "error")]
    covered = [LIBRARY[0], ("X2", "头孢拉定胶囊", "2021-01-01", "", "1", "0", {**OTHER, "chrgitm_lv": "2"})]
    assert rules(item(2, "A", approval="国药准字H19990001"), on=ground("drug", covered)) == [(2, "MA02", "error")]


def test_ma11_self_made_items() -> None:
    assert rules(item(2, "A", self_made="是")) == [(2, "MA11", "error")]
    assert rules(item(2, "A", self_made="0")) == []
    assert rules(item(2, "A", approval="云药制字Z20190001")) == [(2, "MA02", "error"), (2, "MA11", "error")]


def test_ma12_another_class_of_charge() -> None:
    assert rules(item(2, "A", chrgitm="9")) == []
    assert rules(item(2, "A", chrgitm="10")) == [(2, "MA12", "warn")]
    assert rules(item(2, "A", chrgitm="西药费")) == []


def test_what_nobody_states_is_compared_with_nothing() -> None:
    facts = {"maker": "甲", "spec": "1g", "approval": "H20000001", "unit": "盒", "price": "1", "cover": "自费"}
    assert rules(item(2, "A", "X9", **facts), on=ground("drug", one("X9", "某药"))) == []


def test_closed_rows_are_compared_with_nothing() -> None:
    row = Proposed(2, "A", "X1", "2021-01-01", "2022-12-31", "", {"maker": "北岭", "name": "别的药"})
    assert rules(row, item(3, "A", "X1")) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("2ml:10mg", "10mg/2ml"), ("0.25g", "250mg"), ("100ml:0.5g", "0.5g/100ml"), ("1万单位", "10000IU")],
)
def test_specifications_that_measure_the_same(one: str, other: str) -> None:
    assert text.quantities(one) == text.quantities(other) != {}
    assert text.same_measure(one, other)


def test_what_cannot_be_read_is_nothing() -> None:
    assert text.pieces_in("盒") is None
    assert text.pieces_in("24粒") is None
    assert text.device_number("123") == text.registration_number("2022") == text.approval_number("H1") == ""
    assert text.number("1,000") is None
    assert text.number("12.50") == Decimal("12.50")
    assert text.yes("不详") is None
