"""The codes store: one last row brings a thing into force; nothing is edited; a dead writer leaves nothing behind."""

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import schemas
from adapters.store.codes import CodesReader, CodesStore, CodesWriter, Deed
from adapters.store.codes_libraries import LibraryWriter, RecordCells
from adapters.store.codes_library_reader import LibraryLook
from adapters.store.codes_reader import OtherVersion
from gateway.codes.spelling import words

SCRIPTS = list(schemas.read("migrations/codes", ".sql"))
HOSPITAL, OTHER = "H99010300001", "H99010300002"
MAKER, REVIEWER = Deed("甲", 1000), Deed("乙", 2000)


@pytest.fixture
def store(tmp_path: Path) -> CodesStore:
    return CodesStore.open(tmp_path / "room" / "liangding-codes.sqlite", SCRIPTS)


@pytest.fixture
def writer(store: CodesStore) -> Iterator[CodesWriter]:
    opened = CodesWriter.open(store.path, SCRIPTS)
    yield opened
    opened.close()


def library(writer: CodesWriter, system: str, ver: str, *rows: tuple[str, str]) -> int:
    version = LibraryWriter.begin(writer, system, "file.csv", MAKER)
    assert list(version.add(record(code, name, line) for line, (code, name) in enumerate(rows, start=2))) == [len(rows)]
    assert [one.code for one in version.enter()] == sorted(code for code, _ in rows)
    version.release(ver, "00", MAKER)
    return version.library


def record(code: str, name: str = "", line: int = 2) -> RecordCells:
    return code, name, "2021-01-01", "", "1", "0", "", line, "{}", words(name)


def propose(writer: CodesWriter, rows: list[tuple[str, str]], institution: str = HOSPITAL) -> int:
    batch = writer.begin_batch(institution, "drug", "file.csv", MAKER)
    cells = [(line, local, national, "", "", "") for line, (local, national) in enumerate(rows, start=2)]
    list(writer.add_mappings(batch, cells))
    writer.propose(batch, len(rows), "00", MAKER)
    return batch


def in_force(store: CodesStore, institution: str = HOSPITAL) -> dict[str, tuple[str, str]]:
    look = store.tables()
    found = {row[1]: (row[2], row[5]) for row in look.mappings(institution)}
    look.close()
    return found


def test_a_store_that_was_never_made_reads_as_empty_and_is_not_made(store: CodesStore) -> None:
    look = store.tables()
    assert look.stamps() == {"": 0}
    assert list(look.libraries({"drug"})) == []
    assert list(look.mappings(HOSPITAL)) == []
    assert look.batches(HOSPITAL, "drug") == []
    assert LibraryLook.of(look, "drug").history("X") == []
    assert look.sizes() == {}
    assert look.history(HOSPITAL, "") == []
    look.close()
    assert not store.path.exists()


def test_a_proposal_is_not_in_force_until_it_is_approved(store: CodesStore, writer: CodesWriter) -> None:
    batch = propose(writer, [("L1", "N1"), ("L2", "N2")])
    assert in_force(store) == {}
    assert store.stamp() == 0
    writer.approve(batch, 2, [], REVIEWER)
    assert in_force(store) == {"L1": ("N1", "m1"), "L2": ("N2", "m1")}
    assert in_force(store, OTHER) == {}
    assert store.stamp() > 0


def test_a_newly_approved_batch_supersedes_by_local_code_and_the_rest_stays(
    store: CodesStore, writer: CodesWriter
) -> None:
    writer.approve(propose(writer, [("L1", "N1"), ("L2", "N2")]), 2, [], REVIEWER)
    second = propose(writer, [("L2", "N9"), ("L3", "N3")])
    assert in_force(store) == {"L1": ("N1", "m1"), "L2": ("N2", "m1")}
    writer.approve(second, 2, [], REVIEWER)
    assert in_force(store) == {"L1": ("N1", "m1"), "L2": ("N9", "m2"), "L3": ("N3", "m2")}


def test_refused_rows_stay_out_until_a_review_takes_them(store: CodesStore, writer: CodesWriter) -> None:
    writer.approve(propose(writer, [("L1", "N1"), ("L2", "N2")]), 2, [], REVIEWER)
    batch = propose(writer, [("L1", "N8"), ("L2", "N9")])
    writer.approve(batch, 1, [(3, "MA06", "不在目录")], REVIEWER)
    assert in_force(store) == {"L1": ("N8", "m2"), "L2": ("N2", "m1")}
    look = store.tables()
    assert look.undecided(look.batches(HOSPITAL, "drug")[1]) == {3}
    look.close()
    writer.approve(batch, 1, [], REVIEWER)
    assert in_force(store) == {"L1": ("N8", "m2"), "L2": ("N9", "m2")}


def test_several_rows_of_one_local_code_in_a_batch_all_count(store: CodesStore, writer: CodesWriter) -> None:
    batch = writer.begin_batch(HOSPITAL, "drug", "f", MAKER)
    list(writer.add_mappings(batch, [(2, "L1", "N1", "", "2025-12-31", ""), (3, "L1", "N2", "2026-01-01", "", "")]))
    writer.propose(batch, 2, "00", MAKER)
    writer.approve(batch, 2, [], REVIEWER)
    look = store.tables()
    assert [row[2:5] for row in look.mappings(HOSPITAL)] == [("N1", "", "2025-12-31"), ("N2", "2026-01-01", "")]
    look.close()


def test_a_newer_library_version_replaces_by_code_and_keeps_the_rest(store: CodesStore, writer: CodesWriter) -> None:
    library(writer, "drug", "F1", ("X1", "旧名"), ("X2", "二"))
    library(writer, "drug", "F2", ("X1", "新名"), ("X3", "三"))
    library(writer, "diagnosis", "F1", ("A01.000", "伤寒"))
    look = store.tables()
    assert {row[0]: row[1] for row in look.library("drug")} == {"X1": "新名", "X2": "二", "X3": "三"}
    assert [one.name for one in LibraryLook.of(look, "drug").history("X1")] == ["新名", "旧名"]
    assert {row[0] for row in look.libraries({"drug", "diagnosis"})} == {"drug", "diagnosis"}
    assert {row[0] for row in look.libraries({"diagnosis"})} == {"diagnosis"}
    assert look.sizes() == {"drug": 4, "diagnosis": 1}
    look.close()


def test_a_code_twice_in_one_version_is_told_with_both_lines(store: CodesStore, writer: CodesWriter) -> None:
    version = LibraryWriter.begin(writer, "drug", "f", MAKER)
    list(version.add(record(code, line=line) for line, code in ((2, "X2"), (3, "X1"), (4, "X2"))))
    assert [(one.code, one.line) for one in version.enter()] == [("X1", 3), ("X2", 2), ("X2", 4)]
    writer.abandon()
    look = store.tables()
    assert list(look.library("drug")) == []
    look.close()


def test_a_reader_keeps_its_look_while_something_comes_into_force(store: CodesStore, writer: CodesWriter) -> None:
    writer.approve(propose(writer, [("L1", "N1")]), 1, [], REVIEWER)
    look = store.tables()
    before = look.stamps()
    writer.approve(propose(writer, [("L1", "N2")]), 1, [], REVIEWER)
    assert [row[2] for row in look.mappings(HOSPITAL)] == ["N1"]
    assert look.stamps() == before
    look.close()
    assert in_force(store)["L1"] == ("N2", "m2")


def test_stamps_move_for_the_institution_concerned_only(store: CodesStore, writer: CodesWriter) -> None:
    writer.approve(propose(writer, [("L1", "N1")]), 1, [], REVIEWER)
    look = store.tables()
    before = dict(look.stamps())
    look.close()
    writer.approve(propose(writer, [("L1", "N1")], OTHER), 1, [], REVIEWER)
    look = store.tables()
    after = dict(look.stamps())
    look.close()
    stamp = store.stamp()
    number = library(writer, "drug", "F1", ("X1", "一"))
    look = store.tables()
    assert look.stamps() == {**after, "": number}
    look.close()
    assert store.stamp() != stamp
    assert after[HOSPITAL] == before[HOSPITAL]
    assert after[""] == before[""]
    assert after[OTHER] > 0


def test_what_a_dead_writer_left_is_swept_and_ids_are_not_used_again(store: CodesStore) -> None:
    first = CodesWriter.open(store.path, SCRIPTS)
    first.approve(propose(first, [("L1", "N1")]), 1, [], REVIEWER)
    batch = first.begin_batch(HOSPITAL, "drug", "f", MAKER)
    list(first.add_mappings(batch, [(line, f"L{line}", "N", "", "", "") for line in range(5000)]))
    library(first, "drug", "F1", ("X1", "一"), ("X2", "二"))
    dead = LibraryWriter.begin(first, "drug", "f", MAKER)
    list(dead.add(record(f"X{n}", "名", n) for n in range(5000)))
    for one in dead.enter():
        if one.code == "X3000":
            break
    first.close()  # no last row: as if it had been killed here
    assert in_force(store) == {"L1": ("N1", "m1")}

    second = CodesWriter.open(store.path, SCRIPTS)
    counts = [
        second.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("mapping", "batch")
    ]
    for table in ("library_record", "library_code", "library"):
        counts.append(second.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    assert counts == [1, 1, 2, 2, 1]
    assert propose(second, [("L2", "N2")]) > batch
    second.close()
    assert in_force(store) == {"L1": ("N1", "m1")}


def test_a_writer_leaves_the_locks_of_its_own_process_alone(store: CodesStore) -> None:
    CodesWriter.open(store.path, SCRIPTS).close()
    held = sqlite3.connect(store.path)
    held.execute("SELECT count(*) FROM library").fetchone()
    CodesWriter.open(store.path, SCRIPTS).close()
    other = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM library'); c.close()"
    subprocess.run([sys.executable, "-c", other, str(store.path)], check=True)
    assert store.path.with_name(
        f"{store.path.name}-wal"
    ).exists()  # the last to close takes it away, and that is not it
    held.close()


def test_no_transaction_is_longer_than_two_thousand_rows(writer: CodesWriter) -> None:
    statements: list[str] = []
    writer.connection.set_trace_callback(lambda text: statements.append(text.split()[0]))
    batch = writer.begin_batch(HOSPITAL, "drug", "f", MAKER)
    list(writer.add_mappings(batch, [(line, f"L{line}", "N", "", "", "") for line in range(4500)]))
    longest = inside = 0
    for statement in statements:
        inside = 0 if statement in ("BEGIN", "COMMIT") else inside + 1
        longest = max(longest, inside)
    assert longest == 2000
    assert statements.count("COMMIT") == 1 + 3


def test_rows_and_trail_cannot_be_edited(writer: CodesWriter) -> None:
    propose(writer, [("L1", "N1")])
    for statement in ("UPDATE mapping SET national_code = 'N2'", "UPDATE audit SET who = 'x'", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError):
            writer.connection.execute(statement)


def test_the_trail_says_who_did_what_when(store: CodesStore, writer: CodesWriter) -> None:
    batch = propose(writer, [("L1", "N1"), ("L2", "N2")])
    writer.approve(batch, 1, [(3, "MA06", "不在目录")], REVIEWER)
    look = store.tables()
    assert [(at, who, what) for at, who, what, _, _ in look.history(HOSPITAL, "drug")] == [
        (1000, "甲", "propose"),
        (2000, "乙", "approve"),
    ]
    assert look.history(HOSPITAL, "")[1][4] == "batch=1 approved=1 refused=1"
    assert look.history(OTHER, "drug") == []
    look.close()


def test_there_is_one_writer_at_a_time(store: CodesStore, writer: CodesWriter) -> None:
    second = os.open(f"{store.path}.lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(second)


def test_a_reader_cannot_write_and_another_version_is_refused(store: CodesStore, writer: CodesWriter) -> None:
    look = store.tables()
    with pytest.raises(sqlite3.OperationalError):
        look.connection.execute("DELETE FROM batch")
    look.close()
    with pytest.raises(OtherVersion):
        CodesReader.open(store.path, len(SCRIPTS) + 1)


def test_the_file_is_private_to_its_owner(store: CodesStore, writer: CodesWriter) -> None:
    assert store.path.stat().st_mode & 0o777 == 0o600
