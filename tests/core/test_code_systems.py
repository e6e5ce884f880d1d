"""Definitions of the code standards and the registers beside them: what they must say, and how a fault is told."""

from typing import Any

import msgspec
import pytest
from messages import files
from test_catalogue import ENVELOPE, MINIMAL, problems

from gateway.core.catalogue import CatalogueError, decode_files

VARIANT = {"kind": "k", "name_zh": "", "length": "", "regex": "", "regex_verified": False, "source": ""}


def definition(**changes: Any) -> bytes:
    whole = {
        "id": "d", "no": 1, "name_zh": "某标准", "regex": "^D[0-9]{3}$", "regex_verified": True,
        "record_fields": [{"title": "编码", "names": ["d_code"], "role": "code"}, {"title": "名称", "role": "name"}],
        **changes,
    }  # fmt: skip
    return msgspec.json.encode(whole)


def test_a_definition_without_fault_loads() -> None:
    found = decode_files([], [], [], [("code_systems/d.json", definition())], ENVELOPE)
    assert found.code_systems["d"].titles("code") == ("d_code", "编码")
    assert not found.code_systems["d"].is_register


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"regex": "^D[0-9"}, "$.regex: "),
        ({"variants": [{**VARIANT, "regex": "("}]}, "$.variants[0].regex: "),
        ({"examples": [{"code": "D001"}, {"code": "D01"}]}, "$.examples[1].code: D01 does not match ^D[0-9]{3}$"),
        ({"record_fields": [{"title": "名称", "role": "name"}]}, "$.record_fields: no column has the role code"),
        ({"record_fields": [{"title": "甲", "role": "code"}, {"title": "乙", "names": ["甲"]}]},
         "$.record_fields[1]: 甲 is also column 0"),
        ({"record_fields": [{"title": "甲", "role": "kode"}]}, ""),
        ({"key": ["d_code"]}, "$.key: a standard's records have a code of their own"),
        ({"key": ["nothing"]}, "$.key[0]: no column nothing"),
        ({"no": 0}, "$.no: 0 is for registers, 1 to 14 for standards"),
        ({"supply": [{"transaction": "9998", "by": "file"}]}, "$.supply[0].transaction: no transaction 9998"),
        ({"supply": [{"transaction": "9999", "by": "letter"}]}, ""),
        ({"colour": "red"}, ""),
    ],
)  # fmt: skip
def test_a_faulty_definition_is_named_with_its_place(changes: dict[str, Any], problem: str) -> None:
    found = problems(
        transactions=[("transactions/9999.json", msgspec.json.encode(MINIMAL))],
        code_systems=[("code_systems/d.json", definition(**changes))],
    )
    assert any(one.startswith(f"code_systems/d.json: {problem}") for one in found), found


def test_a_register_is_told_from_a_standard() -> None:
    with pytest.raises(CatalogueError) as caught:
        decode_files([], [], [], [], ENVELOPE, [("registers/d.json", definition())])
    assert caught.value.problems == ["registers/d.json: $.no: 0 is for registers, 1 to 14 for standards"]


def test_the_fourteen_standards_and_the_registers_beside_them() -> None:
    found = files()
    assert sorted({spec.no for spec in found.code_systems.values()}) == list(range(1, 15))
    assert {supply.transaction for spec in found.registers.values() for supply in spec.supply} == {
        "1312", "1313", "1314", "1315", "1316", "1318", "1319", "1901",
    }  # fmt: skip
    for spec in (*found.code_systems.values(), *found.registers.values()):
        assert spec.provenance, spec.id
        assert spec.titles("vali_flag"), spec.id
    for spec in found.code_systems.values():
        assert spec.maintained_by is not None and spec.reviewed_by is not None and spec.used_by, spec.id
        assert spec.check_digit is not None, spec.id


def test_every_download_has_its_code_column() -> None:
    """A file without header is read by the columns published for it."""
    found = files()
    for spec in (*found.code_systems.values(), *found.registers.values()):
        for supply in spec.supply:
            for node in found.transactions[supply.transaction].output.values():
                if supply.by == "file":
                    assert set(spec.titles("code")) & set(node.file_columns), (spec.id, supply.transaction)
                    assert set(spec.titles("name")) & set(node.file_columns), (spec.id, supply.transaction)
