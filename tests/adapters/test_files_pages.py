"""Pages kept in a file: gone on with behind the last whole line, begun anew for another question or after a while."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.files.pages import PageFile, TooBig, write_rows
from adapters.files.spool import Spool, sweep

ASKED = {"infno": "1304", "since": "2000-01-01"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "codes" / "pages-1304.jsonl"


def kept(path: Path, asked: dict[str, str] = ASKED, newer_than_s: float = 0.0, bytes_max: int = 1000) -> list[object]:
    file = PageFile.open(path, asked, bytes_max, newer_than_s)
    found = list(file.pages())
    file.close()
    return found


def filled(path: Path) -> None:
    file = PageFile.open(path, ASKED, 1000, 0.0)
    for page in ({"rows": [1]}, {"rows": ["甲\n"]}):
        file.add(page)
    assert list(file.pages()) == [{"rows": [1]}, {"rows": ["甲\n"]}]
    file.close()


def test_what_was_added_is_there_after_another_start(path: Path) -> None:
    filled(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept(path) == [{"rows": [1]}, {"rows": ["甲\n"]}]


@pytest.mark.parametrize("tail", [b'{"rows": [2', b"\0" * 40 + b"\n", b'{"rows": []}'])
def test_a_line_cut_by_a_death_is_dropped_and_written_anew(path: Path, tail: bytes) -> None:
    filled(path)
    with path.open("ab") as stream:
        stream.write(tail)
    file = PageFile.open(path, ASKED, 1000, 0.0)
    file.add({"rows": [3]})
    file.close()
    assert kept(path) == [{"rows": [1]}, {"rows": ["甲\n"]}, {"rows": [3]}]


def test_another_question_and_old_pages_begin_anew(path: Path) -> None:
    filled(path)
    os.utime(path, (1000.0, 1000.0))
    assert len(kept(path, newer_than_s=999.0)) == 2
    assert kept(path, newer_than_s=1001.0) == []
    filled(path)
    assert kept(path, {**ASKED, "since": "2026-01-01"}) == []


def test_a_file_has_a_largest_size(path: Path) -> None:
    file = PageFile.open(path, ASKED, 100, 0.0)
    with pytest.raises(TooBig):
        file.add({"rows": ["x" * 100]})
    file.close(drop=True)
    assert not path.exists()


def test_pages_nobody_came_back_for_are_swept(path: Path) -> None:
    filled(path)
    os.utime(path, (1000.0, 1000.0))
    sweep(path.parent, 999.0)
    assert path.exists()
    sweep(path.parent, 1001.0)
    assert not path.exists()


def test_rows_become_a_table(tmp_path: Path) -> None:
    def rows() -> Iterator[dict[str, str]]:
        yield {"code": "A", "name": '甲"\n乙'}
        for number in range(9000):
            yield {"code": f"B{number}", "name": "名" * 10}
        yield {"code": "C"}

    spool = Spool.open(tmp_path, 1 << 20)
    assert write_rows(spool, ("code", "name"), rows()) == 9002
    spool.end()
    table = list(csv.reader(io.StringIO(spool.path.read_text("utf-8"), newline="")))
    spool.drop()
    assert (table[:2], table[-1], len(table)) == ([["code", "name"], ["A", '甲"\n乙']], ["C", ""], 9003)
