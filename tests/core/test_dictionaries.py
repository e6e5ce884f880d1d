"""Value domains (annex X31): open unless a region closes them, and what is unknown goes on as it came, counted."""

from typing import Any

import pytest
from messages import HERE, complaints, lines, message, settled, walked

from gateway.core.jsontext import Raw


def test_an_open_dictionary_lets_an_unknown_value_pass_and_counts_it() -> None:
    found = walked(settled(med_type="ZZ", psn_setlway="77"))
    assert found.complaints == []
    assert found.unknown == ["med_type", "psn_setlway"]


@pytest.mark.parametrize("value", ["11", "12", "21", "23", "24", "53", "91", "92"])
def test_national_adds_to_hunans_list_of_visit_types(value: str) -> None:
    assert walked(settled(med_type=value)).unknown == []


def test_a_leading_zero_makes_no_difference() -> None:
    """naty 1 = 01, patn_rlts likewise; forwarded as written."""
    asked = {
        infno: field.name
        for infno, t in HERE.transactions.items()
        for node in t.nodes
        for field in node.fields
        if field.dictionary in ("naty", "patn_rlts") and node.repeated == "one"
    }
    assert asked
    for infno, name in asked.items():
        for value, expected in (("1", []), ("01", []), ("ZZ", [name])):
            tree = message(infno)
            for node in tree["input"].values():
                if type(node) is dict and name in node:
                    node[name] = value
            found = walked(tree)
            assert found.complaints == []
            assert [field for field in found.unknown if field == name] == expected
            assert any(type(node) is dict and node.get(name) == value for node in tree["input"].values())


def test_flags_of_two_values_are_closed() -> None:
    tree = message("2203")
    tree["input"]["diseinfo"][0]["vali_flag"] = "2"
    assert [row[:2] for row in complaints(tree)] == [("input.diseinfo[0].vali_flag", "dictionary")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, []),
        ("F0001", []),
        (Raw(b"7.5"), []),
        ("x" * 30, []),
        ("x" * 31, ["length"]),
        (True, ["type"]),
        ([], ["type"]),
    ],
)
def test_a_line_number_may_be_number_or_text(value: Any, expected: list[str]) -> None:
    assert [row[1] for row in complaints(lines({"feedetl_sn": value}))] == expected
