"""What a spreadsheet would run, and what an export makes of it (annex C6)."""

import csv
from pathlib import Path

import pytest

from adapters.files.cells import is_formula, safe
from adapters.files.export import write_table


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "\rx", "\tA", " =1", "＝1+1", "＋A1", "－A1", "＠x", "-A1",
        "+86-10", "-1,000", "-1D5", "--", "-(1)", "﹢A1", "\ufeff=1", "+", "=",
    ],
)  # fmt: skip
def test_formula_cells(cell: str) -> None:
    assert is_formula(cell)
    assert safe(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell",
    ["", "-1", "+1.50", "-", "－", "-阿莫西林", "－阿莫西林", "-5%", "-1.00D", "+20.0D", "-20℃", "a=b", "阿莫西林=x"],
)
def test_cells_people_write(cell: str) -> None:
    assert not is_formula(cell)
    assert safe(cell) == cell


def test_an_export_is_harmless_and_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    assert write_table(path, ("a", "b"), [("=1+1", '甲,"乙"')]) == 1
    with path.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [["a", "b"], ["'=1+1", '甲,"乙"']]

    def broken() -> object:
        yield ("c", "d")
        raise RuntimeError("the source died")

    with pytest.raises(RuntimeError):
        write_table(path, ("a", "b"), broken())  # type: ignore[arg-type]  # a generator of rows
    assert "甲" in path.read_text("utf-8")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.csv"]
