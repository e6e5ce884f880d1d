"""An import that was interrupted goes on from where it was, and only if nothing else could come of it."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from test_codes_cli import HOSPITAL, NOW_S, Desk

from adapters.store.codes import ROWS_MAX
from gateway.app.codes_library import Imported, import_library

ROWS = 9000
SYSTEM = "drug"
HEADER = "med_list_codg,generic_name,enddate,ver\n"


class Broken(Exception):
    """The command dies here."""


def line(row: int, ver: str = "F2") -> str:
    return f"T{row:09d},名{row},,{ver if row != 100 else 'F9'}\n"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def library(desk: Desk, *more: str, rows: int = ROWS) -> Path:
    return Path(desk.file("lib.csv", HEADER + "".join(map(line, range(rows))) + "".join(more)))


def broken(desk: Desk, file: Path, after: int = 6000) -> None:
    """Import until so many rows were read, and die."""
    seen = 0

    def tick(_: int) -> None:
        nonlocal seen
        seen += 1
        if seen > after / ROWS_MAX * 2:  # a tick for what is read and one for what is stored
            raise Broken

    with pytest.raises(Broken):
        import_library(desk.store.path, SYSTEM, file, "", NOW_S, "甲", tick)


def again(desk: Desk, file: Path, ver: str = "", **options: Any) -> Any:
    return import_library(desk.store.path, SYSTEM, file, ver, NOW_S, "乙", lambda _: None, **options)


def held(desk: Desk) -> tuple[int, int, int]:
    look = desk.store.tables()
    names = ("library_record", "library_raw", "library_staged")
    found = [int(look.connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in names]
    look.close()
    return found[0], found[1], found[2]


def exported(desk: Desk, system: str = SYSTEM) -> list[list[str]]:
    out = desk.folder / "out.csv"
    desk.run("export", desk.config, system, "--out", str(out))
    return list(csv.reader(io.StringIO(out.read_text("utf-8-sig"))))


def test_the_same_command_goes_on_and_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, torn = Desk(tmp_path / "a"), Desk(tmp_path / "b")
    again(whole, library(whole))
    file = library(torn)
    broken(torn, file, 4000)
    assert again(torn, file) == Imported(SYSTEM, "F9", ROWS, again(whole, library(whole)).digest, before=4000)
    assert held(torn) == (ROWS, ROWS, 0)
    assert exported(torn) == exported(whole)
    assert torn.run("search", torn.config, SYSTEM, "名8999").stdout.startswith("T000008999\t")
    assert again(torn, file).again


def test_it_may_be_interrupted_more_than_once_and_other_commands_come_in_between(desk: Desk) -> None:
    file = library(desk)
    broken(desk, file, 4000)
    mapping = desk.file("map.csv", "local_code,national_code\nL1,T000000001\n")
    desk.run("map", "import", desk.config, HOSPITAL, SYSTEM, mapping, "--maker", "甲")
    broken(desk, file, 2000)
    assert held(desk)[2] == 1 and exported(desk)[1:] == []  # nobody sees any of it
    assert again(desk, file).before == 6000
    assert len(exported(desk)) == ROWS + 1


def test_a_file_with_a_fault_is_told_of_it_again(desk: Desk) -> None:
    text = HEADER + "".join(map(line, range(3000))) + "坏,名,,F2\n" + "".join(map(line, range(3000, ROWS)))
    file = Path(desk.file("lib.csv", text))
    broken(desk, file, 6000)
    found = again(desk, file)
    assert [(one.line, one.rule) for one in found] == [(3002, "MF09")]
    assert held(desk) == (0, 0, 0)


def test_a_code_twice_is_found_on_both_sides_of_the_break(desk: Desk) -> None:
    file = library(desk, line(7))
    broken(desk, file, 6000)
    assert [(one.line, one.rule, one.message[-5:]) for one in again(desk, file)] == [(ROWS + 2, "MF10", "第9行重复")]
    assert held(desk) == (0, 0, 0)


@pytest.mark.parametrize("options", [{"ver": "F7"}, {"whole": True}])
def test_another_way_of_importing_begins_anew(desk: Desk, options: dict[str, Any]) -> None:
    file = library(desk)
    broken(desk, file)
    assert again(desk, file, **options).before == 0
    assert held(desk) == (ROWS, ROWS, 0)


def test_another_file_or_a_record_by_hand_takes_what_was_begun_away(desk: Desk) -> None:
    broken(desk, library(desk))
    assert again(desk, library(desk, rows=10)).before == 0
    broken(desk, library(desk))
    desk.run("record", "put", desk.config, SYSTEM, "T000000001", "--name", "新名", "--maker", "甲", "--reason", "急用")
    assert held(desk) == (11, 11, 0)
    assert again(desk, library(desk)).before == 0
    assert len(exported(desk)) == ROWS + 1
