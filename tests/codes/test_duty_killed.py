"""Real processes: a command killed in the middle of its transaction leaves nothing half, and the next one works."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import schemas
from adapters.store.codes import CodesStore
from adapters.store.codes_duties import DutiesReader, DutiesWriter, Filing, NewEntry, StepRefused, StepRow

SCRIPTS = list(schemas.read("migrations/codes", ".sql"))
PROGRAM = """
import sys
from pathlib import Path
import schemas
from adapters.store.codes_duties import DutiesWriter, Filing, NewEntry

def entries():
    for line in range(2, 1000):
        if line == 500:
            print("half", flush=True)
            sys.stdin.read()
        yield NewEntry(line, "", "990103", 0, "d", "k", "", b"x")

writer = DutiesWriter.begin(Path(sys.argv[1]), list(schemas.read("migrations/codes", ".sql")))
writer.file(Filing("H99010300001", "doctor", "add", "maker", 1), entries())
"""


def count(path: Path) -> int:
    look = CodesStore.open(path, SCRIPTS).tables()
    try:
        found: int = look.connection.execute("SELECT count(*) FROM duty_entry").fetchone()[0]
        return found + int(look.connection.execute("SELECT count(*) FROM duty_filing").fetchone()[0])
    finally:
        look.close()


def entry(line: int) -> NewEntry:
    return NewEntry(line, "", "990103", 0, "d", "", "", b"x")


@pytest.mark.processes
def test_a_request_killed_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "liangding-codes.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
    assert count(path) == 0
    writer = DutiesWriter.begin(path, SCRIPTS)
    try:
        number, ids = writer.file(Filing("H99010300001", "doctor", "add", "maker", 1), [entry(2), entry(3)])
    finally:
        writer.close()
    assert (len(ids), count(path)) == (2, 3)
    assert number == 1


def test_steps_are_taken_all_or_none(tmp_path: Path) -> None:
    path = tmp_path / "liangding-codes.sqlite"
    writer = DutiesWriter.begin(path, SCRIPTS)
    try:
        _, (one, two) = writer.file(Filing("H99010300001", "doctor", "add", "m", 1), [entry(2), entry(3)])
        reviewed = [StepRow(number, "reviewed", "r", 2) for number in (one, two)]
        writer.add_steps(reviewed, {one: 0, two: 0})
        with pytest.raises(StepRefused):
            writer.add_steps(reviewed, {one: 1, two: 0})  # somebody was faster with the second
        with pytest.raises(StepRefused):  # one code for two
            codes = [StepRow(number, "assigned", "r", 3, "D990103000001") for number in (one, two)]
            writer.add_steps(codes, {one: 1, two: 1})
        with CodesStore.open(path, SCRIPTS).tables().connection as look:
            steps = DutiesReader(look).steps((one, two))
        look.close()
    finally:
        writer.close()
    assert [[step.step for step in steps[number]] for number in (one, two)] == [["reviewed"], ["reviewed"]]
