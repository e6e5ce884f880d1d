"""A day's group of any size: what is uploaded for 3202, what waits on disk meanwhile, what is too large to be sent."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from desk import DAY
from msgspec.structs import replace
from test_books_journal import Journal, entry

from adapters.files import parcel
from adapters.store.books import BooksStore
from gateway.app import books_extract
from gateway.app.books_asking import Asking
from gateway.app.books_derive import derive
from gateway.app.books_extract import Extraction, lines_of
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_tasks import Answered, Asked, Derive, Group, Task
from gateway.core.statement import RESULT_COLUMNS

CODE, GROUP = "H51080200001", ("510800", "11")
COLUMNS = tuple(tuple(one) for one in RESULT_COLUMNS)


def task(folder: Path, in_base64: bool = False) -> Task:
    asked = Asked(count="gross", refund_rows="both", base64=in_base64, empty_groups=True)
    made = Task(
        journal="", store=str(folder / "x-books.sqlite"), data=str(folder), date=DAY, now_ms=0, number=1,
        institutions={CODE: asked},
    )  # fmt: skip
    made.workplace.mkdir(parents=True)
    return made


def grouped(of: Task, numbers: Iterator[int]) -> tuple[Extraction, Group]:
    made = Extraction(of, Journal(*(entry(setl_id=f"S{number}", msgid=f"M{number}") for number in numbers)))  # type: ignore[arg-type]
    for _ in made.rows():
        pass
    return made, books_extract._group(of, made, CODE, GROUP, {"310"})


@pytest.mark.parametrize("in_base64", [False, True])
@pytest.mark.parametrize("piece", [3, 3 << 15])
def test_what_is_uploaded_and_set_aside_does_not_hang_on_the_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_base64: bool, piece: int
) -> None:
    monkeypatch.setattr(books_extract, "_PIECE", piece)
    of = task(tmp_path, in_base64)
    made, group = grouped(of, iter(range(100, 120)))
    content: Any = json.loads((of.workplace / group.file).read_bytes())
    text = parcel.unpack(base64.b64decode(content) if in_base64 else bytes(content)) or ""
    assert [line.split("\t")[0] for line in text.splitlines()] == [f"S{number}" for number in range(100, 120)]
    kept = list(lines_of(of.workplace, group))
    assert [one.own_id for one in kept] == [one.own_id for one in made.lines[CODE][GROUP]]
    assert kept[0].cells["msgid"] == "M100" and kept[0].amounts == made.lines[CODE][GROUP][0].amounts
    assert "msgid" not in made.lines[CODE][GROUP][0].cells  # what is only needed later is not kept in memory


def test_more_rows_than_a_doubt_would_list_are_compared(tmp_path: Path) -> None:
    """50,000 is what the end of a doubt lists; a day's comparison takes what 3202 may say (§3.2: 2,000,000)."""
    of, many = task(tmp_path), 50_001
    BooksStore.open(tmp_path / "x-books.sqlite", SCRIPTS).close()
    _, group = grouped(of, iter(range(10)))
    rows = (f"P\tnull\tnull\tX{number}\t101\t0\tnull\t1.00\t0.00\t0.00\n" for number in range(many))
    (of.workplace / "g.result").write_bytes(parcel.pack("result.txt", "".join(rows)))
    answer = Answered(group=group, result="g.result", unbalanced=True)
    found = derive(of, [Derive(institution=CODE, columns=COLUMNS, groups=[answer])])
    look = BooksStore.open(tmp_path / "x-books.sqlite", SCRIPTS)
    (one,) = look.inputs(DAY)
    look.close()
    assert found.bad == [] and (one.rows, one.complete) == (many + 10, True)


def test_what_is_too_large_to_be_sent_is_said_with_its_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books_extract, "CONTENT_MAX", 500)
    _, group = grouped(task(tmp_path), iter(range(5)))
    assert group.file == "" and group.whole.count == 5
    table = SimpleNamespace(columns=COLUMNS, balanced=("",), total=(), detail=())
    asking = Asking(
        institution=CODE, link=SimpleNamespace(region=SimpleNamespace(statement=table)), files=None, errands=None,
        work=None, workplace=tmp_path, day=None, patience_s=1.0,
    )  # type: ignore[arg-type]  # fmt: skip
    with pytest.raises(StopIteration) as ended:
        asking.ask([replace(group, totals={})]).send(None)
    told = ended.value.value
    assert told.groups == [] and "510800的清算类别11当日5笔" in told.why and "books files" in told.why
