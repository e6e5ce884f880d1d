"""Amounts as exact text (annex X18): what is a number, how large it may be, and what it is in fen."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import money
from gateway.core.jsontext import Raw
from gateway.core.money import Fen, fen_of, number_fault, reader, scaled, yuan

NOT_NUMBERS = [
    "",
    " ",
    "1e3",
    "1E3",
    "+1",
    ".5",
    "5.",
    "1,000.00",
    "NaN",
    "Infinity",
    "-",
    "--1",
    "- 1",
    " 1",
    "1 ",
    "1\n",
]
NOT_NUMBERS += ["1_000", "１２", "٣", "0x10", "1.2.3", "1.-2", "甲", "1.5元"]


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_what_is_no_number(text: str) -> None:
    assert scaled(text, 2) is None
    assert number_fault(text, 14, 2) == "type"
    assert fen_of(text) is None
    assert reader(14, 2)(text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("99999999999999.99", ""),
        ("-99999999999999.99", ""),
        ("100000000000000", "scale"),
        ("100000000000000.00", "scale"),
        ("1.234", "scale"),
        ("1.230", "scale"),
        ("0", ""),
        ("-0", ""),
        ("-0.00", ""),
        ("00012.30", ""),
        ("000000000000000000001", ""),
    ],
)
def test_len_16_2_is_fourteen_digits_and_two_decimals(text: str, fault: str) -> None:
    assert number_fault(text, 14, 2) == fault
    assert (reader(14, 2)(text) is None) is bool(fault)
    assert (reader(14, 2)(Raw(text.encode())) is None) is bool(fault)


def test_a_ratio_below_one_needs_no_digit_before_the_point() -> None:
    """ "4,4": 0.1234 fits, 1 does not."""
    assert [number_fault(text, 0, 4) for text in ("0.1234", "0", "-0.5", "1", "1.0", "0.12345")] == [
        "", "", "", "scale", "scale", "scale",
    ]  # fmt: skip
    read = reader(0, 4)
    assert (read("0.1234"), read(0), read(1), read("1")) == (1234, 0, None, None)


@pytest.mark.parametrize(
    ("value", "fen"),
    [
        ("128.60", 12860),
        ("128.6", 12860),
        (Raw(b"128.6"), 12860),
        (Raw(b"-0.01"), -1),
        (128, 12800),
        (-7, -700),
        (0, 0),
        ("-0", 0),
        ("0.001", None),
        (Raw(b"1e2"), None),
        (None, None),
        (True, None),
        (1.5, None),
        ([], None),
        ("9" * 5_000, None),
        ("0" * 5_000 + "1", 100),
    ],
    ids=lambda value: str(value)[:12],
)
def test_fen_of_a_value(value: Any, fen: int | None) -> None:
    assert fen_of(value) == fen


@given(st.integers(-(10**16), 10**16))
def test_yuan_and_fen_are_inverse(fen: int) -> None:
    assert fen_of(yuan(Fen(fen))) == fen
    assert Decimal(yuan(Fen(fen))) * 100 == fen


def test_yuan_has_two_decimals() -> None:
    assert [yuan(fen) for fen in (0, 5, -5, 100, 12860, -12860)] == [
        "0.00",
        "0.05",
        "-0.05",
        "1.00",
        "128.60",
        "-128.60",
    ]


@given(st.from_regex(r"-?[0-9]{1,18}(\.[0-9]{1,8})?", fullmatch=True), st.integers(0, 14), st.integers(0, 6))
def test_a_reader_agrees_with_the_explanation(text: str, whole: int, decimals: int) -> None:
    read = reader(whole, decimals)
    fault = number_fault(text, whole, decimals)
    for value in (text, Raw(text.encode()), text):  # the third time from memory
        found = read(value)
        assert (found is None) is bool(fault)
        if found is not None:
            assert found == Decimal(text).scaleb(decimals)
    if "." not in text and text.strip("0-"):
        assert read(int(text)) == (read(str(int(text))))


@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, b"1"])
def test_a_reader_refuses_other_types(value: Any) -> None:
    assert reader(14, 2)(value) is None


def test_the_memory_of_a_reader_is_bounded() -> None:
    """An attacker must not fill memory with padded numbers, nor with many."""
    read = reader.__wrapped__(14, 2)  # one of our own: the form's reader is shared
    cells = [cell.cell_contents for cell in read.__closure__ or () if isinstance(cell.cell_contents, dict)]
    (memo,) = cells
    assert read("0" * 100_000 + "1.50") == 150
    assert not memo
    for number in range(money._MEMO_MAX + 5):
        assert read(str(number)) == number * 100
    assert len(memo) == 5
