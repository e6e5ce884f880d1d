"""Replaced day files go after their time; what a run used, and the newest of every date, stay."""

import csv
import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_books_run import DAY, NEXT, NOW_MS, A, City, cells
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from adapters.files.workplace import Workplace
from adapters.store.books import BooksStore
from gateway.app.books_handin import hand_in
from gateway.app.books_prune import DailyPruning, prune
from gateway.app.books_shelf import SCRIPTS
from gateway.app.cli import cli
from gateway.app.say import Outside
from gateway.core.ledgers import AGY, GW, INST

DAY_MS = 86_400_000


class Shelf(City):
    """A city whose institution hands in again and again. A file is named by the settlements it has."""

    def file(self, *numbers: int, day: str = DAY, at_ms: int = NOW_MS, ledger: int = INST, scope: str = A) -> Path:
        path = self.folder / "in.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(cells(0)))
            writer.writeheader()
            writer.writerows(cells(number, day=day) for number in numbers)
        done = hand_in(self.config, ledger, scope, day, path, {"rows": len(numbers)}, "t", at_ms)
        with closing(self.store()) as store:
            [one] = [one for one in store.inputs(day) if one.id == done.input]
        return self.config.path(self.config.node.data_dir) / one.path

    def store(self) -> BooksStore:
        return BooksStore.open(self.config.room("books"), SCRIPTS)

    def prune(self, days: float, dry: bool = False) -> tuple[int, bool]:
        with closing(self.store()) as store:
            done = prune(self.config, store, NOW_MS + int(days * DAY_MS), dry)
        return done.files, done.bytes > 0


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_what_was_replaced_and_never_used_goes_after_its_time(shelf: Shelf) -> None:
    first, second, newest = shelf.file(1), shelf.file(1, 2, at_ms=NOW_MS + 1), shelf.file(1, 2, 3, at_ms=NOW_MS + 2)
    other = shelf.file(1, day=NEXT)
    assert shelf.prune(29.9) == (0, False)
    assert shelf.prune(31, dry=True) == (2, True) and first.exists()
    assert shelf.prune(31) == (2, True)
    assert [one.exists() for one in (first, second, newest, other)] == [False, False, True, True]
    assert shelf.prune(32) == (0, False)
    with closing(shelf.store()) as store:
        assert store.connection.execute("SELECT count(*), sum(rows) FROM input").fetchone() == (4, 7)


def test_what_a_run_used_is_evidence_and_stays(shelf: Shelf) -> None:
    shelf.file(1, ledger=GW, scope="*")
    shelf.file(1, ledger=AGY)
    used = shelf.file(1)
    shelf.run()
    unused, newest = shelf.file(1, 2, at_ms=NOW_MS + 5), shelf.file(1, 2, 3, at_ms=NOW_MS + 6)
    assert shelf.prune(31) == (1, True)
    assert [one.exists() for one in (used, unused, newest)] == [True, False, True]


def test_a_file_that_came_again_is_the_newest_and_stays(shelf: Shelf) -> None:
    first, second = shelf.file(1), shelf.file(1, 2, at_ms=NOW_MS + 1)
    assert shelf.file(1, at_ms=NOW_MS + 2) == first
    assert shelf.prune(31) == (1, True)
    assert (first.exists(), second.exists()) == (True, False)
    assert shelf.file(1, 2, at_ms=NOW_MS + 40 * DAY_MS) == second and second.exists()  # and may come back after that


def test_a_file_is_measured_from_when_it_was_replaced(shelf: Shelf) -> None:
    old = shelf.file(1)
    shelf.file(1, 2, at_ms=NOW_MS + 20 * DAY_MS)
    assert shelf.prune(31) == (0, False) and old.exists()
    assert shelf.prune(51) == (1, True)


def test_whoever_dies_between_removing_and_noting_does_it_again(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shelf.file(1)
    shelf.file(1, 2, at_ms=NOW_MS + 1)
    with monkeypatch.context() as patched:
        patched.setattr("adapters.store.books_pruning.BooksPruning.pruned", _dies)
        with pytest.raises(OSError, match="dies"):
            shelf.prune(31)
    assert not first.exists()
    assert shelf.prune(31) == (0, False)
    with closing(shelf.store()) as store:
        assert store.connection.execute("SELECT count(*) FROM input_pruned").fetchone() == (1,)


def _dies(*words: Any) -> None:
    raise OSError("dies")


def test_what_a_dead_upload_left_behind_is_swept(shelf: Shelf) -> None:
    folder = shelf.file(1).parent
    old, young = folder / ".in-old", folder / ".in-young"
    for one in (old, young):
        one.mkdir()
        (one / "in.csv").write_text("x")
    for one, days in ((old, 2), (old / "in.csv", 2), (young / "in.csv", 0), (young, 2)):  # young: still written
        os.utime(one, (NOW_MS / 1000 - days * 86_400,) * 2)
    with Workplace.make(".in-", folder) as used:
        os.utime(used, (1, 1))
        shelf.prune(0)
        assert (old.exists(), young.exists(), used.exists()) == (False, True, True)


def test_a_node_prunes_once_a_day_and_the_command_tells(shelf: Shelf) -> None:
    shelf.file(1)
    shelf.file(1, 2, at_ms=NOW_MS + 1)
    clock, store = Clock(), shelf.store()
    clock.advance(NOW_MS / 1000 + 31 * 86_400)
    outside = Outside(run_node=lambda config: 1, simulate=lambda words: 1, now=clock.seconds, entropy=lambda size: b"")
    words = ["books", "prune", str(shelf.folder / "c.toml"), "--json"]
    told = CliRunner().invoke(cli, [*words, "--dry-run"], obj=outside)
    assert (told.exit_code, json.loads(told.stdout)["files"]) == (0, 1), told.output
    looked = []

    def db(call: Callable[[BooksStore], object]) -> "Deferred[object]":
        looked.append(call(store))
        return succeed(looked[-1])

    daily = DailyPruning(shelf.config, clock, db)
    for _ in range(3):
        Deferred.fromCoroutine(daily.tick())
    assert [one.files for one in looked] == [1]  # type: ignore[attr-defined]
    clock.advance(86_400)
    Deferred.fromCoroutine(daily.tick())
    assert len(looked) == 2
    store.close()
    told = CliRunner().invoke(cli, words, obj=outside)
    assert json.loads(told.stdout) == {"files": 0, "bytes": 0, "left": False, "dry_run": False}
