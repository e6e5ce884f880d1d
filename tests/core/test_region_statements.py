"""The daily statement of a region: its own fields, each of which somebody fills."""

import copy

import attrs
import msgspec
import pytest
from test_regions import FILES, PROVINCES, RAW, node

from gateway.core.catalogue import CatalogueError, Region, RegionSpec
from gateway.core.regions import build_region


@pytest.fixture(scope="module")
def regions() -> dict[str, Region]:
    return {name: build_region(FILES, name) for name in PROVINCES}


@pytest.mark.parametrize("name", PROVINCES)
@pytest.mark.parametrize(("infno", "label"), [("3201", "total"), ("3202", "detail")])
def test_the_daily_statement_has_the_fields_of_its_region_and_no_others(
    regions: dict[str, Region], name: str, infno: str, label: str
) -> None:
    """A field that was dropped (Guangzhou's setl_optins) goes nowhere, and one that is required is sent."""
    found = node(regions[name], infno, "data")
    assert found is not None
    fields = {one.name: one for one in found.fields}
    stated = set(getattr(regions[name].statement, label))
    assert {one.name for one in fields.values() if one.required} <= stated
    dropped = set(RAW[name].get("transactions", {}).get(infno, {}).get("input", {}).get("data", {}).get("fields", {}))
    assert not {one for one in dropped & stated if one not in fields}


@pytest.mark.parametrize(
    ("label", "field", "fill", "fault"),
    [
        ("total", "exp_content", {}, "$.statement.total: 网关不能填写“exp_content”"),
        ("total", "exp_content", {"exp_content": ""}, ""),
        ("detail", "insutype", {}, "$.statement.detail: 网关不能填写“insutype”"),
        ("total", "file_qury_no", {}, "$.statement.total: 网关不能填写“file_qury_no”"),
        ("total", "clr_way", {}, ""),
    ],
)
def test_a_statement_with_a_field_that_nobody_fills_is_no_region(
    label: str, field: str, fill: dict[str, str], fault: str
) -> None:
    """It was dropped without a word, and the platform missed it."""
    raw = copy.deepcopy(RAW)
    raw["national"]["statement"][label].append(field)
    raw["national"]["statement"]["fill"] = fill
    files = attrs.evolve(FILES, regions={one: msgspec.convert(plain, RegionSpec) for one, plain in raw.items()})
    if not fault:
        assert field in getattr(build_region(files, "hunan").statement, label)
        return
    with pytest.raises(CatalogueError) as refused:
        build_region(files, "hunan")
    assert fault in str(refused.value)
