"""The form of mapping rows: what refuses a file, with line and column (annex C2)."""

import re

import pytest

from gateway.codes.faults import KEPT_MAX, Faults
from gateway.codes.mapping import Proposed, parse
from gateway.codes.systems import is_library, is_mappable
from gateway.core.catalogue import CodeSystemSpec

AT = {"local_code": 0, "national_code": 1, "valid_from": 2, "valid_to": 3, "evidence": 4}
FORM = re.compile(r"^M[0-9]{5}$")


def read(
    *rows: tuple[str, ...], form: re.Pattern[str] | None = FORM
) -> tuple[list[Proposed], list[tuple[int, str, str]]]:
    faults = Faults()
    found = parse(enumerate(rows, start=2), AT, form, faults)
    return found, [(fault.line, fault.column, fault.rule) for fault in faults]


def test_good_rows_have_no_fault() -> None:
    rows, faults = read(("MB1", "M03900", "2021-01-01", "", "甲"), ("MB2", "", "", "", "no_code:自费"))
    assert faults == []
    assert rows[0] == Proposed(2, "MB1", "M03900", "2021-01-01", "", "甲")
    assert rows[1].until == "9999-12-31"


def test_the_optional_columns_may_be_absent() -> None:
    faults = Faults()
    rows = parse([(2, ["MB1", "M03900"])], {"local_code": 0, "national_code": 1}, FORM, faults)
    assert rows == [Proposed(2, "MB1", "M03900", "", "", "")]
    assert not faults


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (("", "M03900", "", "", ""), ("local_code", "MF07")),
        (("L" * 151, "M03900", "", "", ""), ("local_code", "MF07")),
        (("MB1", "M0390O", "", "", ""), ("national_code", "MF09")),
        (("MB1", "m03900", "", "", ""), ("national_code", "MF09")),
        (("MB1", "M03900\n", "", "", ""), ("national_code", "MF09")),
        (("MB1", "M" * 51, "", "", ""), ("national_code", "MF07")),
        (("MB1", "M03900", "2021-02-30", "", ""), ("valid_from", "MF08")),
        (("MB1", "M03900", "2021/02/03", "", ""), ("valid_from", "MF08")),
        (("MB1", "M03900", "", "20210203", ""), ("valid_to", "MF08")),
        (("MB1", "M03900", "2021-02-02", "2021-02-01", ""), ("valid_to", "MF08")),
        (("MB1", "M03900", "", "", "x" * 2001), ("evidence", "MF05")),
    ],
)
def test_each_fault_of_form(row: tuple[str, ...], fault: tuple[str, str]) -> None:
    assert read(row)[1] == [(2, *fault)]


def test_a_system_without_pattern_takes_any_code() -> None:
    assert read(("K1", "A03.04", "", "", ""), form=None)[1] == []


def test_the_same_target_twice_on_a_day_is_a_duplicate() -> None:
    assert read(("MB1", "M03900", "", "", ""), ("MB1", "M03900", "", "", ""))[1] == [(3, "local_code", "MF10")]
    overlapping = (("MB1", "M03900", "2021-01-01", "2021-06-30", ""), ("MB1", "M03900", "2021-06-30", "", ""))
    assert read(*overlapping)[1] == [(3, "local_code", "MF10")]
    apart = (("MB1", "M03900", "2021-01-01", "2021-06-30", ""), ("MB1", "M03900", "2021-07-01", "", ""))
    assert read(*apart)[1] == []


def test_a_long_row_reaches_over_a_short_one() -> None:
    rows = (
        ("MB1", "M03900", "2021-01-01", "2021-12-31", ""),
        ("MB1", "M03900", "2021-02-01", "2021-02-28", ""),
        ("MB1", "M03900", "2021-03-01", "2021-03-31", ""),
    )
    assert read(*rows)[1] == [(3, "local_code", "MF10"), (4, "local_code", "MF10")]


def test_different_targets_are_no_fault_of_form() -> None:
    assert read(("MB1", "M03900", "", "", ""), ("MB1", "M01600", "", "", ""))[1] == []


def test_a_thousand_faults_are_kept_and_all_are_counted() -> None:
    faults = Faults()
    parse(((line, ["", "M03900"]) for line in range(3000)), {"local_code": 0, "national_code": 1}, FORM, faults)
    assert len(list(faults)) == KEPT_MAX
    assert faults.count >= 3000


def test_a_fault_is_one_line_and_one_record() -> None:
    _, _ = read()
    faults = Faults()
    faults.add(3, "national_code", "MF09", "不符合")
    (fault,) = faults
    assert fault.text("a.csv") == "a.csv:3:national_code MF09 不符合"
    assert fault.record("a.csv") == {
        "file": "a.csv", "row": 3, "column": "national_code", "rule": "MF09", "message": "不符合",
    }  # fmt: skip


def test_which_systems_there_are() -> None:
    specs = {"drug": CodeSystemSpec("drug", 3, "药品", "^X$", True)}
    assert is_mappable("drug", specs)
    assert is_library("drug", specs)
    assert is_mappable("department", specs)
    assert not is_library("department", specs)
    assert is_mappable("dictionary:med_type", specs)
    for wrong in ("dictionary:", "dictionary:a b", "dictionary:../x", "drugs", ""):
        assert not is_mappable(wrong, specs)
