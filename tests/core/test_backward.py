"""Answers in the institution's own codes (annex X14, X39): only where it is certain, and all else stays as it came."""

import re
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from messages import region

from gateway.core.backward import Backward, compile_backward, only_local, rewritten, translate_back
from gateway.core.catalogue import Field, Node
from gateway.core.codes import EMPTY_SNAPSHOT, Libraries, Row, Snapshot, build_snapshot
from gateway.core.jsontext import decode
from gateway.core.ports import Reply

DAY = "2024-01-05"
NATIONAL, OTHER = "D430100000001", "D430100000002"


def tables(*rows: Row) -> Snapshot:
    return build_snapshot(rows, Libraries({}, {"doctor": re.compile("D[0-9]{12}")}))


def doctor(local: str, national: str = NATIONAL, since: str = "", until: str = "") -> Row:
    return Row("doctor", local, national, since, until, "v1")


def nothing_sent(slot: str, national: str) -> str:
    return ""


def back(nodes: Mapping[str, tuple[tuple[str, str], ...]]) -> Backward:
    return Backward(nodes, frozenset(slot for fields in nodes.values() for _, slot in fields))


DOCTORS = back({"data": (("bilg_dr_codg", "doctor"),)})


def translated(raw: bytes, snapshot: Snapshot, backward: Backward = DOCTORS, sent: Any = nothing_sent) -> Any:
    found = translate_back(backward, decode(raw), snapshot, DAY, sent)
    return found if found is None else decode(found)


# --- which fields


def test_coded_fields_of_the_output_are_found() -> None:
    found = compile_backward(region("national").transactions["5205"])
    assert found.slots
    assert all(fields for fields in found.nodes.values())
    assert compile_backward(region("national").transactions["2601"]) == Backward({}, frozenset())


def test_a_line_with_a_local_slot_needs_no_translation_of_its_item() -> None:
    item = Field(name="med_list_codg", zh="", kind="text", system="item")
    local = Field(name="medins_list_codg", zh="", kind="text", system="local_item")
    person = Field(name="psn_no", zh="", kind="text", system="person")
    doctor_field = Field(name="dr", zh="", kind="text", system="doctor")
    transaction = region("national").transactions["2204"]

    def compiled(*fields: Field) -> Any:
        node = Node(name="data", repeated="many", required=False, fields=fields)
        return compile_backward(attrs.evolve(transaction, output=(node,))).nodes

    assert compiled(item, local, person) == {}
    assert compiled(item, person) == {"data": (("med_list_codg", "item"),)}
    assert compiled(item, local, doctor_field) == {"data": (("dr", "doctor"),)}


def test_without_a_mapping_nothing_needs_to_be_decoded() -> None:
    assert not DOCTORS.wanted(EMPTY_SNAPSHOT)
    assert not DOCTORS.wanted(tables(Row("nurse", "a", "N1", "", "", "v")))
    assert DOCTORS.wanted(tables(doctor("张")))
    assert not Backward({}, frozenset()).wanted(tables(doctor("张")))


# --- which code


def test_the_code_this_visit_was_sent_with_comes_first() -> None:
    asked = []

    def sent(slot: str, national: str) -> str:
        asked.append((slot, national))
        return "章"

    raw = b'{"infcode":0,"output":{"data":{"bilg_dr_codg":"%s"}}}' % NATIONAL.encode()
    found = translated(raw, tables(doctor("张"), doctor("章")), sent=sent)
    assert found["output"]["data"]["bilg_dr_codg"] == "章"
    assert found["gw_codes"] == [{"path": "output.data.bilg_dr_codg", "national": NATIONAL, "local": "章"}]
    assert asked == [("doctor", NATIONAL)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([doctor("张")], "张"),
        ([doctor("张"), doctor("章")], ""),
        ([doctor("张", until="2023-12-31"), doctor("章")], "章"),
        ([doctor("张", until="2023-12-31")], ""),
        ([doctor("张", since="2024-01-06")], ""),
        ([doctor("张", until="2023-12-31"), doctor("张", since="2024-01-05")], "张"),
        ([doctor("张", OTHER)], ""),
        ([doctor("张", until="2023-12-31"), doctor("张", OTHER, since="2024-01-01")], ""),
        ([], ""),
    ],
)
def test_else_the_only_local_code_in_force(rows: list[Row], expected: str) -> None:
    assert only_local(tables(*rows), "doctor", NATIONAL, DAY) == expected
    raw = b'{"output":{"data":{"bilg_dr_codg":"%s"}}}' % NATIONAL.encode()
    found = translated(raw, tables(*rows))
    assert (found is None) is (not expected)
    assert found is None or found["output"]["data"]["bilg_dr_codg"] == expected


# --- which bytes


@pytest.mark.parametrize(
    "raw",
    [
        b'{"output":{"data":{"bilg_dr_codg":"D430100000009"}}}',
        b'{"output":{"data":{"bilg_dr_codg":""}}}',
        b'{"output":{"data":{"bilg_dr_codg":null}}}',
        b'{"output":{"data":{"bilg_dr_codg":7}}}',
        b'{"output":{"data":[1,null,"x",[]]}}',
        b'{"output":{"data":"D430100000001"}}',
        b'{"output":{"other":{"bilg_dr_codg":"D430100000001"}}}',
        b'{"output":null}',
        b'{"output":""}',
        b"{}",
    ],
)
def test_where_nothing_is_translated_the_bytes_stay(raw: bytes) -> None:
    tree = decode(raw)
    assert translate_back(DOCTORS, tree, tables(doctor("张")), DAY, nothing_sent) is None
    assert tree == decode(raw)


def test_every_other_value_keeps_its_text() -> None:
    raw = (
        '{"infcode":0,"err_msg":"成功","output":{"data":[{"bilg_dr_codg":"D430100000001","pric":10.860000,"n":1e2},'
        '{"bilg_dr_codg":"D430100000002","cnt":-0.50,"memo":"a\\"b"}]},"warn_msg":null}'
    ).encode()
    found = translate_back(DOCTORS, decode(raw), tables(doctor("张")), DAY, nothing_sent)
    expected = raw.replace(b"D430100000001", "张".encode())[:-1]
    expected += ',"gw_codes":[{"path":"output.data[0].bilg_dr_codg","national":"D430100000001","local":"张"}]}'.encode()
    assert found == expected


def test_a_code_that_is_its_own_translation_is_no_translation() -> None:
    raw = b'{"output":{"data":{"bilg_dr_codg":"D430100000001"}}}'
    assert translated(raw, tables(doctor(NATIONAL))) is None


# --- where (X39: output[0].bilg_dr_codg)


@pytest.mark.parametrize("node", ["data", "_root"])
def test_an_output_that_is_an_array(node: str) -> None:
    raw = b'{"output":[{"bilg_dr_codg":"D430100000001"},7,{"bilg_dr_codg":"D430100000001"}]}'
    found = translated(raw, tables(doctor("张")), back({node: (("bilg_dr_codg", "doctor"),)}))
    assert [row["path"] for row in found["gw_codes"]] == ["output[0].bilg_dr_codg", "output[2].bilg_dr_codg"]


def test_a_row_is_translated_once_though_two_nodes_know_its_field() -> None:
    """What was translated must not be looked up again: 张 may be a national code to somebody."""
    snapshot = tables(doctor("张"), doctor("赵", "张"))
    twice = back({"data": (("bilg_dr_codg", "doctor"),), "more": (("bilg_dr_codg", "doctor"),)})
    found = translated(b'{"output":[{"bilg_dr_codg":"D430100000001"}]}', snapshot, twice)
    assert found["output"] == [{"bilg_dr_codg": "张"}]
    assert len(found["gw_codes"]) == 1
    root = back({"_root": (("bilg_dr_codg", "doctor"),), "data": (("bilg_dr_codg", "doctor"),)})
    found = translated(b'{"output":{"data":{"bilg_dr_codg":"D430100000001"}}}', snapshot, root)
    assert found["output"]["data"] == {"bilg_dr_codg": "张"}


def test_fields_directly_under_output_and_in_its_data() -> None:
    root = back({"_root": (("bilg_dr_codg", "doctor"),)})
    raw = b'{"output":{"bilg_dr_codg":"D430100000001","data":[{"bilg_dr_codg":"D430100000001"}]}}'
    found = translated(raw, tables(doctor("张")), root)
    assert [row["path"] for row in found["gw_codes"]] == ["output.bilg_dr_codg", "output.data[0].bilg_dr_codg"]


# --- the bytes of the whole answer


def rewrite(raw: bytes, wrapper: str = "") -> bytes:
    outer = decode(raw)
    tree = outer[wrapper] if wrapper else outer
    new = translate_back(DOCTORS, tree, tables(doctor("张")), DAY, nothing_sent)
    return rewritten(Reply("0", "", False, tree, outer), raw, new)


def test_a_minus_before_a_zero_stays() -> None:
    """X14: all other values keep their text; the quick decoder reads -0 as 0."""
    raw = (
        '{"a":-0,"b":[-0,0,{"c":-0}],"gw_codes":[-0],"output":{"data":{"bilg_dr_codg":"%s","d":-0,"e":-0.00,"f":"-0"}}}'
    )
    found = rewrite((raw % NATIONAL).encode()).decode()
    assert found.startswith('{"a":-0,"b":[-0,0,{"c":-0}],"gw_codes":[{"path":"output.data.bilg_dr_codg",')
    assert found.endswith('],"output":{"data":{"bilg_dr_codg":"张","d":-0,"e":-0.00,"f":"-0"}}}')


@pytest.mark.parametrize("minus", [b"0", b"-0"])
def test_an_envelope_in_a_wrapper_stays_in_it(minus: bytes) -> None:
    raw = b'{"code":0,"data":{"infcode":0,"output":{"data":{"bilg_dr_codg":"%s","n":%s}}},"message":""}'
    found = rewrite(raw % (NATIONAL.encode(), minus), "data")
    assert found.startswith(
        b'{"code":0,"data":{"infcode":0,"output":{"data":{"bilg_dr_codg":"\xe5\xbc\xa0","n":%s}}' % minus
    )
    assert found.endswith(
        b'"gw_codes":[{"path":"output.data.bilg_dr_codg","national":"D430100000001","local":"\xe5\xbc\xa0"}]},"message":""}'
    )


@pytest.mark.parametrize("raw", [b'{"infcode" : 0, "x":-0}', b'{"code":0, "data":{"infcode":0}}'])
def test_nothing_translated_is_nothing_rewritten(raw: bytes) -> None:
    assert rewrite(raw, "data" if b"data" in raw else "") == raw
