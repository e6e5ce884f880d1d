"""What changes between two versions, and how far it reaches."""

import json

import attrs
import pytest

from gateway.codes.difference import Change, Comparison, Radius, refused

COLUMNS = frozenset({"医疗目录编码", "药品规格", "批准文号", "版本号", "有效标志"})
DAY = "2026-11-22"


@attrs.frozen
class Row:
    code: str = "X1"
    name: str = "甲"
    begndate: str = "2021-01-01"
    enddate: str = ""
    vali_flag: str = "1"
    gray: str = "0"
    replaced_by: str = ""
    raw: str = "{}"


def row(code: str = "X1", raw: dict[str, str] | None = None, **changes: str) -> Row:
    return Row(code=code, raw=json.dumps(raw or {}), **changes)


def compare(old: Row | None, new: Row | None, after: frozenset[str] = COLUMNS) -> list[Change]:
    comparison = Comparison({"spec": "药品规格"}, frozenset({"医疗目录编码", "有效标志"}), DAY)
    return list(comparison.changes([(old, new, COLUMNS, after)]))


def test_a_new_code_and_one_that_is_gone() -> None:
    assert [(one.kind, one.dead, one.revived) for one in compare(None, row())] == [("added", False, True)]
    assert [(one.kind, one.dead) for one in compare(row(), None)] == [("removed", True)]
    assert [(one.kind, one.dead) for one in compare(row(vali_flag="0"), None)] == [("removed", False)]
    assert compare(None, None) == []


def test_a_changed_column_is_named_with_both_values() -> None:
    (one,) = compare(row(raw={"药品规格": "1g"}), row(raw={"药品规格": "2g"}))
    assert (one.kind, one.columns, one.dead) == ("changed", (("药品规格", "1g", "2g"),), False)
    (one,) = compare(row(raw={"药品规格": "1g"}), row())
    assert one.columns == (("药品规格", "1g", ""),)


def test_bookkeeping_is_no_change() -> None:
    assert compare(row(raw={"版本号": "F1"}), row(raw={"版本号": "F2"})) == []


def test_a_column_only_one_file_has_is_no_change() -> None:
    """A file with fewer columns deletes nothing."""
    assert compare(row(raw={"批准文号": "H1"}), row(), after=frozenset({"医疗目录编码"})) == []


def test_one_column_under_two_titles_is_compared() -> None:
    after = frozenset({"spec"})
    assert compare(row(raw={"药品规格": "1g"}), row(raw={"spec": "1g"}), after) == []
    (one,) = compare(row(raw={"药品规格": "1g"}), row(raw={"spec": "2g"}), after)
    assert one.columns == (("药品规格", "1g", "2g"),)


@pytest.mark.parametrize(
    ("change", "dead"),
    [
        ({"enddate": "2026-11-21"}, True),
        ({"enddate": DAY}, False),
        ({"vali_flag": "0"}, True),
        ({"gray": "1"}, True),
        ({"begndate": "2026-11-23"}, True),
        ({"name": "乙"}, False),
    ],
)
def test_what_kills_a_code_on_the_day(change: dict[str, str], dead: bool) -> None:
    (one,) = compare(row(), row(**change))
    assert one.dead is dead
    assert one.columns == ((*change, attrs.asdict(row())[next(iter(change))], change[next(iter(change))]),)


def test_the_radius_counts_codes_uses_and_the_dead() -> None:
    changes = [
        Change(code="A", name="", kind="changed", dead=True, replaced_by="B"),
        Change(code="C", name="", kind="removed"),
        Change(code="D", name="", kind="added"),
    ]
    radius = Radius({"A": 5, "C": 2, "D": 9, "Z": 100})
    assert list(radius.meets(changes)) == changes
    assert (radius.count, radius.changes) == ({"added": 1, "removed": 1, "changed": 1}, 3)
    assert (radius.used_codes, radius.uses, radius.dead) == (2, 7, {"A": "B"})  # nobody's use of D was of the new one


def test_a_request_is_refused_once_however_many_dead_codes_it_has() -> None:
    uses = [(1, "H1", "A"), (1, "H1", "A"), (1, "H1", "B"), (2, "H1", "B"), (3, "H2", "C"), (3, "H2", "A")]
    assert refused({"A": "", "B": ""}, uses) == {"H1": 2, "H2": 1}
    assert refused({}, uses) == {}
