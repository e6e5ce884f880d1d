"""Rows in any order, by any number of runs, are one sorted file; a repeated line stays and counts once."""

import csv
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from adapters.crypto.digest import sm3
from adapters.province.shelf import Kept, Shelf, line_of

COLUMNS = ("setl_id", "note", "medfee_sumamt", "acct_pay")
AMOUNTS = frozenset({"medfee_sumamt", "acct_pay"})
CELLS = st.tuples(
    st.sampled_from(["a", "b", 'c"d', "e,f", "一", ""]), st.sampled_from(["", " x", "null"]),
    st.sampled_from(["1.00", "-2.50", "0.00"]), st.sampled_from(["", "0.01"]),
)  # fmt: skip


def kept(folder: Path, rows: list[tuple[str, ...]], chunk_lines: int) -> tuple[Kept, bytes]:
    folder.mkdir()
    shelf = Shelf(folder=folder, columns=COLUMNS, amounts=AMOUNTS, chunk_lines=chunk_lines)
    for row in rows:
        shelf.add([line_of(row)])
    found = shelf.finish(folder / "whole")
    assert [path.name for path in folder.iterdir()] == ["whole"]
    return found, (folder / "whole").read_bytes()


@given(st.lists(CELLS, max_size=30), st.randoms(use_true_random=False), st.integers(1, 9))
def test_order_and_runs_change_nothing(
    tmp_path_factory: object, rows: list[tuple[str, ...]], dice: object, chunk: int
) -> None:
    folder = tmp_path_factory.mktemp("shelf")  # type: ignore[attr-defined]
    shuffled = list(rows)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    one, content = kept(folder / "a", rows, 1000)
    assert kept(folder / "b", shuffled, chunk) == (one, content)
    with (folder / "a" / "whole").open(encoding="utf-8", newline="") as file:
        header, *read = csv.reader(file)
    assert tuple(header) == COLUMNS and sorted(map(tuple, read)) == sorted(rows)
    assert (one.rows, one.repeated, one.sm3) == (len(rows), len(rows) - len(set(rows)), sm3(content).hex())
    for place, name in ((2, "medfee_sumamt"), (3, "acct_pay")):
        cells = [row[place] for row in set(rows) if row[place]]
        assert one.sums_fen.get(name, 0) == sum(round(float(cell) * 100) for cell in cells)
        assert (name in one.sums_fen) == bool(cells)
