"""Real processes: an import that is killed leaves what was in force in force, and the next one cleans up and works."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import schemas
from adapters.store.codes import CodesStore, CodesWriter

HOSPITAL = "H99010300001"
ROWS = 100_000
PROGRAM = """
import sys
from pathlib import Path
from gateway.app.codes_work import import_mapping
store, institution, file = sys.argv[1:]
import_mapping(Path(store), institution, "department", Path(file), "maker", "reviewer", 1.8e9, lambda _: None)
"""

END = """
import sys
from pathlib import Path
from gateway.app.codes_life import retire
store, institution = sys.argv[1:]
codes = [f"K{row}" for row in range(100_000)]
retire(Path(store), institution, "department", codes, "maker", "reviewer", "2026-01-01", "why", 1.8e9)
"""


def start(store: Path, file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(store), HOSPITAL, str(file)], stderr=subprocess.PIPE)


def mapping_file(path: Path, rows: int, target: str) -> Path:
    path.write_text("local_code,national_code\n" + "".join(f"K{row},{target}\n" for row in range(rows)), "utf-8")
    return path


def targets(store: CodesStore) -> list[str]:
    look = store.tables()
    found = sorted({row[2] for row in look.mappings(HOSPITAL)})
    look.close()
    return found


def stored(path: Path) -> int:
    if not path.exists():
        return 0
    look = CodesStore.open(path, SCRIPTS).tables()
    count: int = look.connection.execute("SELECT count(*) FROM mapping").fetchone()[0]
    look.close()
    return count


SCRIPTS = list(schemas.read("migrations/codes", ".sql"))


@pytest.mark.processes
def test_a_killed_import_leaves_the_old_version_in_force(tmp_path: Path) -> None:
    path = tmp_path / "liangding-codes.sqlite"
    store = CodesStore.open(path, SCRIPTS)
    first = start(path, mapping_file(tmp_path / "old.csv", 10, "A01"))
    assert first.wait(60) == 0, first.communicate()
    assert targets(store) == ["A01"]

    second = start(path, mapping_file(tmp_path / "new.csv", ROWS, "A02"))
    deadline = time.monotonic() + 60
    while not 10 < stored(path) < ROWS + 10:
        assert second.poll() is None, "the import ended before it could be killed"
        assert time.monotonic() < deadline
    os.kill(second.pid, signal.SIGKILL)
    assert second.wait(10) == -signal.SIGKILL
    second.communicate()
    assert 10 < stored(path) < ROWS + 10  # in the middle indeed
    assert targets(store) == ["A01"]

    CodesWriter.open(path, SCRIPTS).close()
    assert stored(path) == 10
    third = start(path, tmp_path / "new.csv")
    assert third.wait(60) == 0, third.communicate()
    third.communicate()
    first.communicate()
    assert targets(store) == ["A02"]


LIBRARY_PROGRAM = """
import sys
from pathlib import Path
from gateway.app.codes_library import import_library
store, file = sys.argv[1:]
found = import_library(Path(store), "drug", Path(file), "", 1.8e9, "maker", lambda _: None)
assert not hasattr(found, "kept"), list(found)
print(found.before, file=sys.stderr)
"""


def library_file(path: Path, rows: int, name: str, ver: str) -> Path:
    lines = (f"T{row:09d},{name},{ver}\n" for row in range(rows))
    path.write_text("med_list_codg,generic_name,ver\n" + "".join(lines), "utf-8")
    return path


def import_of(store: Path, file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", LIBRARY_PROGRAM, str(store), str(file)], stderr=subprocess.PIPE)


def records(path: Path, table: str) -> int:
    if not path.exists():
        return 0
    look = CodesStore.open(path, SCRIPTS).tables()
    try:
        count: int = look.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        look.close()
    return count


@pytest.mark.processes
@pytest.mark.parametrize("table", ["library_record", "library_code"])
def test_a_killed_library_import_leaves_the_old_version_and_goes_on_from_there(tmp_path: Path, table: str) -> None:
    """Killed while its records are appended, and killed while its codes are entered."""
    path = tmp_path / "liangding-codes.sqlite"
    store = CodesStore.open(path, SCRIPTS)
    first = import_of(path, library_file(tmp_path / "old.csv", 10, "旧", "F1"))
    assert first.wait(60) == 0, first.communicate()
    first.communicate()

    second = import_of(path, library_file(tmp_path / "new.csv", ROWS, "新", "F2"))
    deadline = time.monotonic() + 60
    while not 10 < records(path, table) < ROWS + 10:
        assert second.poll() is None, "the import ended before it could be killed"
        assert time.monotonic() < deadline
    os.kill(second.pid, signal.SIGKILL)
    assert second.wait(10) == -signal.SIGKILL
    second.communicate()
    assert 10 < records(path, table) < ROWS + 10  # in the middle indeed
    look = store.tables()
    assert {row[1] for row in look.library("drug")} == {"旧"}
    look.close()
    kept = records(path, "library_record") - 10

    CodesWriter.open(path, SCRIPTS).close()  # another command in between takes nothing away
    third = import_of(path, tmp_path / "new.csv")
    assert third.wait(60) == 0, third.communicate()
    assert int(third.communicate()[1]) == kept > 0
    look = store.tables()
    assert {row[1] for row in look.library("drug")} == {"新"}
    shelf = look.shelf("drug")
    look.close()
    assert shelf.find(f"T{ROWS - 1:09d}") is not None
    assert (records(path, "library_record"), records(path, "library_code")) == (ROWS + 10, ROWS + 10)


@pytest.mark.processes
def test_a_killed_end_of_mappings_ends_none(tmp_path: Path) -> None:
    path = tmp_path / "liangding-codes.sqlite"
    store = CodesStore.open(path, SCRIPTS)
    first = start(path, mapping_file(tmp_path / "old.csv", ROWS, "A01"))
    assert first.wait(60) == 0, first.communicate()
    first.communicate()
    ending = subprocess.Popen([sys.executable, "-c", END, str(path), HOSPITAL], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not ROWS < stored(path) < 2 * ROWS:
        assert ending.poll() is None, ending.communicate()
        assert time.monotonic() < deadline
    os.kill(ending.pid, signal.SIGKILL)
    assert ending.wait(10) == -signal.SIGKILL
    ending.communicate()
    assert ROWS < stored(path) < 2 * ROWS  # in the middle indeed
    look = store.tables()
    assert {row[4] for row in look.mappings(HOSPITAL)} == {""}
    look.close()
    CodesWriter.open(path, SCRIPTS).close()
    assert stored(path) == ROWS
