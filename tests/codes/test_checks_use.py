"""May it be used so: MA09, MA13, MA14, MA15, each told and each silent (mapping rules §6)."""

import json
from decimal import Decimal
from typing import Any

import pytest

from gateway.codes.checks.audit import check
from gateway.codes.checks.ground import Cap, Ground, Institution, Uploaded, institution_of
from gateway.codes.checks.national import national
from gateway.codes.mapping import Proposed

HOSPITAL = "H99010300001"


def ground(system: str, code: str, attributes: dict[str, str], **more: Any) -> Ground:
    row = (code, "名", "2021-01-01", "", "1", "0", json.dumps(attributes))
    values: dict[str, Any] = {
        "system": system, "today": "2026-11-22", "warn_until": "2026-12-22", "records": {code: national(row)},
        "library": lambda: [row],
    }  # fmt: skip
    return Ground(**(values | more))


def rules(on: Ground, code: str, /, **facts: str) -> list[tuple[int, str, str]]:
    return [(one.line, one.rule, one.level) for one in check([Proposed(2, "A", code, "", "", "", facts)], on)]


CAPS = {"price_lv1": "10", "price_lv2": "12.5", "price_lv3": "15.00"}


@pytest.mark.parametrize(
    ("level", "price", "wrong"),
    [(1, "10.00", False), (1, "10.01", True), (3, "15", False), (3, "15.001", True), (None, "14", False),
     (None, "15.01", True), (3, "面议", False)],
)  # fmt: skip
def test_ma09_the_cap_of_the_institutions_level(level: int | None, price: str, wrong: bool) -> None:
    on = ground("service_item", "S1", CAPS, institution=Institution(code=HOSPITAL, kind="hospital", level=level))
    assert rules(on, "S1", price=price) == ([(2, "MA09", "error")] if wrong else [])


def test_ma09_the_level_may_stand_in_the_file() -> None:
    assert rules(ground("service_item", "S1", CAPS), "S1", price="11", level="1级") == [(2, "MA09", "error")]
    assert rules(ground("service_item", "S1", CAPS), "S1", price="11", level="二级甲等") == []


def test_ma09_caps_of_1318_come_first_and_have_their_days() -> None:
    caps = {"S1": (Cap(amount=Decimal(5), enddate="2026-01-01"), Cap(amount=Decimal(20), begndate="2026-01-02"))}
    on = ground("service_item", "S1", CAPS, caps=caps)
    assert rules(on, "S1", price="19") == []
    assert rules(on, "S1", price="20.5") == [(2, "MA09", "error")]


def test_ma13_restrictions_the_local_system_does_not_check() -> None:
    limited = ground("drug", "X1", {"lmt_used_flag": "1"})
    assert rules(limited, "X1", his_check="否") == [(2, "MA13", "warn")]
    assert rules(limited, "X1", his_check="是") == []
    assert rules(limited, "X1") == []  # nobody says whether it is checked
    assert rules(ground("drug", "X1", {}), "X1", his_check="否") == []
    women = ground("diagnosis", "O80.000", {"gender_limit": "2"})
    assert rules(women, "O80.000", gender="男") == [(2, "MA13", "warn")]
    assert rules(women, "O80.000", gender="限女") == []


@pytest.mark.parametrize("system", ["doctor", "nurse", "pharmacist"])
def test_ma14_staff_who_left_or_work_elsewhere(system: str) -> None:
    here = institution_of(HOSPITAL)
    working = {"prac_stas": "在职", "fixmedins_code": HOSPITAL}
    assert rules(ground(system, "D1", working, institution=here), "D1") == []
    assert rules(ground(system, "D1", working | {"prac_stas": "离职"}), "D1") == [(2, "MA14", "error")]
    elsewhere = working | {"fixmedins_code": "H99010300002"}
    assert rules(ground(system, "D1", elsewhere), "D1", institution=HOSPITAL) == [(2, "MA14", "error")]
    assert rules(ground(system, "D1", elsewhere, institution=here), "D1") == [(2, "MA14", "warn")]
    assert rules(ground(system, "D1", elsewhere | {"mul_prac_flag": "1"}, institution=here), "D1") == []
    assert rules(ground(system, "D1", {}, institution=here), "D1") == []


def test_ma15_what_the_platform_holds() -> None:
    def with_1317(*held: Uploaded) -> list[tuple[int, str, str]]:
        return rules(ground("drug", "X1", {}, uploaded=held), "X1")

    mine = Uploaded(local="A", national="X1")
    assert with_1317(mine) == []
    assert with_1317() == [(2, "MA15", "error")]
    assert with_1317(Uploaded(local="A", national="X2")) == [(2, "MA15", "error")]
    assert with_1317(Uploaded(local="A", national="X1", enddate="2026-01-01")) == [(2, "MA15", "error")]
    assert with_1317(mine, Uploaded(local="B", national="X1")) == [(0, "MA15", "error")]
    assert rules(ground("drug", "X1", {}), "X1") == []  # 1317 was not asked
