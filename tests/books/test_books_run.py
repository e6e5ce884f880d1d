"""Runs over a store on disk: inputs chosen, look-back, the same inputs are the same run, frozen days."""

import csv
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from desk import BACK, FEES

from adapters.store import books
from adapters.store.books import BooksStore
from adapters.store.books_cases import BooksCases
from adapters.store.books_due import BooksDue
from adapters.store.books_freeze import FreezeReader
from gateway.app.books_handin import DayFrozen, WrongMarker, hand_in, marker_of
from gateway.app.books_run import run
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_snapshot import put_together, read_rows, snapshot
from gateway.app.books_tasks import Ran, RunTask
from gateway.app.config import Config, read_config
from gateway.core.booked import DayRow
from gateway.core.dates import SHANGHAI
from gateway.core.ledgers import AGY, GW, INST

DAY, NEXT, LONG_AGO = "2026-03-15", "2026-03-16", "2026-02-10"
A, B = "H51080200001", "H51080200002"
CONFIG = """[node]
name = "n"
data_dir = "var"
[listen]
institutions = "tcp:8080:interface=127.0.0.1"
[store]
url = "sqlite:var/x.sqlite"
[platform.national]
url = "http://127.0.0.1:9/x"
[[institution]]
fixmedins_code = "H51080200001"
name = "甲"
link = "national"
allow_from = ["127.0.0.1/32"]
"""
NOW_MS = 1_773_700_000_000  # 2026-03-17


def cells(number: int, code: str = A, day: str = DAY, **more: str) -> dict[str, str]:
    return {
        "fixmedins_code": code, "setl_id": f"S{number}", "mdtrt_id": f"V{number}", "psn_no": f"P{number}",
        "msgid": f"M{number}", "direction": "0", "setl_time": f"{day} 10:00:00", **FEES, **more,
    }  # fmt: skip


class City:
    """A store, and the ledgers that are put into it."""

    def __init__(self, folder: Path) -> None:
        (folder / "c.toml").write_text(CONFIG, "utf-8")
        self.config: Config = read_config(folder / "c.toml")
        self.folder = folder

    def put(
        self, ledger: int, scope: str, *rows: dict[str, str], day: str = DAY, whole: bool = True, at_ms: int = NOW_MS
    ) -> None:
        file = self.folder / "in.csv"
        with file.open("w", encoding="utf-8", newline="") as stream:
            names = list(dict.fromkeys([*cells(0), *(name for row in rows for name in row)]))
            writer = csv.DictWriter(stream, names, restval="")
            writer.writeheader()
            writer.writerows(rows)
        hand_in(self.config, ledger, scope, day, file, {"rows": len(rows)} if whole else {}, "t", at_ms)

    def run(self, **more: object) -> Ran:
        task = {
            "store": str(self.config.room("books")), "data": str(self.folder / "var"), "date": DAY, "role": "care",
            "now_ms": NOW_MS, "institutions": [A], "asked_ms": {}, **more,
        }  # fmt: skip
        return run(RunTask(**task))  # type: ignore[arg-type]

    def store(self) -> BooksStore:
        return BooksStore.open(self.config.room("books"), SCRIPTS)


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(tmp_path)


def test_the_same_inputs_are_the_same_run_and_a_new_one_is_a_revision(city: City) -> None:
    for ledger, scope in ((INST, A), (AGY, A), (GW, "*")):
        city.put(ledger, scope, cells(1))
    first, again = city.run(), city.run()
    assert (first.revision, first.same, first.days["*"]) == (1, False, "AGREED")
    assert (again.revision, again.same, again.run_id) == (1, True, first.run_id)
    city.put(INST, A, cells(1), cells(2))
    third = city.run()
    assert (third.revision, third.days[A], third.summary["classes"]) == (2, "L1_DIFF", {"L1-INST-ONLY": 1})


def test_a_file_that_comes_back_after_another_one_is_a_run_again(city: City) -> None:
    """A wrong file is replaced by the right one of before; the inputs of long ago stopped the day for good."""
    for ledger, scope in ((INST, A), (AGY, A), (GW, "*")):
        city.put(ledger, scope, cells(1))
    first = city.run()
    city.put(INST, A, cells(1), cells(2))
    city.run()
    city.put(INST, A, cells(1))
    back, again = city.run(), city.run()
    assert (back.revision, back.same, back.days[A], back.run_id != first.run_id) == (3, False, "AGREED", True)
    assert (again.revision, again.same, again.run_id) == (3, True, back.run_id)
    city.put(INST, A, cells(1), cells(2))
    assert city.run().days[A] == "L1_DIFF"


def test_a_file_that_was_wrong_only_between_two_runs_leaves_the_day_free_to_be_frozen(city: City) -> None:
    """It is the newest file, and no run was over it: the day waited for ever to be compared (BF-NEWER)."""
    for ledger, scope in ((INST, A), (AGY, A), (GW, "*")):
        city.put(ledger, scope, cells(1))
    city.run()
    city.put(INST, A, cells(1), cells(2))
    city.put(INST, A, cells(1))
    ran = city.run()
    assert (ran.same, ran.revision, ran.days[A]) == (False, 2, "AGREED")
    with city.store().connection as connection:
        assert FreezeReader(connection).unread("care", A, DAY, ran.run_id) == []


def test_a_file_that_comes_in_while_a_run_begins_is_the_next_ones(city: City, tmp_path: Path) -> None:
    """What was chosen was looked up again, by then replaced, and the run broke."""
    for ledger, scope in ((INST, A), (AGY, A), (GW, "*")):
        city.put(ledger, scope, cells(1))
    store = city.store()
    chosen = snapshot(store, "care", DAY, [A], NOW_MS)
    city.put(INST, A, cells(1), cells(2))
    files = put_together(store, chosen, tmp_path / "var", tmp_path)
    store.close()
    assert [row["setl_id"] for row in read_rows(files[INST])] == ["S1"]


def test_a_column_that_is_only_the_gateways_does_not_stop_the_citys_day(city: City) -> None:
    city.put(INST, A, cells(1, delivered="0"))
    city.put(GW, "*", cells(1))
    city.put(AGY, A, cells(1, delivered="1"))
    assert city.run().days == {"*": "AGREED", A: "AGREED"}


def test_one_institution_without_a_file_leaves_the_others_day_agreed(city: City) -> None:
    city.put(INST, A, cells(1))
    city.put(GW, "*", cells(1), cells(2, B))
    city.put(AGY, A, cells(1))
    city.put(AGY, B, cells(2, B))
    found = city.run()
    assert found.days == {"*": "WAIT_INPUT", A: "AGREED", B: "WAIT_INPUT"}
    assert found.summary["classes"] == {"WITHHELD": 1}


def test_an_empty_file_without_marker_reverses_nothing_and_one_with_it_does(city: City) -> None:
    """The most expensive mistake a reconciler can make (§4.2)."""
    city.put(GW, "*", cells(1, delivered="0"))
    city.put(AGY, A, cells(1))
    city.put(INST, A, whole=False)
    city.run()
    with city.store().connection as connection:
        assert BooksCases(connection).actions(("PLANNED",)) == []
    city.put(INST, A)
    city.run(by_hand=[A])
    assert BooksCases(city.store().connection).actions(("PLANNED",)) == []
    city.put(INST, A, day=NEXT)
    city.run()
    (action,) = BooksCases(city.store().connection).actions(("PLANNED",))
    assert (action.kind, action.party, action.diff.msgid) == ("REVERSE", "AGY", "M1")


def test_a_refund_finds_its_settlement_in_the_file_of_its_own_date(city: City) -> None:
    then, refund = cells(1, day=LONG_AGO), cells(1, direction="1", msgid="N1", **BACK)
    city.put(GW, "*", then, refund)
    city.put(INST, A, then, cells(7, day=LONG_AGO), day=LONG_AGO)
    city.put(INST, A, refund)
    city.put(AGY, A, refund)  # its file of that date was never made: the journal's word stands for it
    found = city.run()
    assert (found.days["*"], found.summary["classes"]) == ("AGREED", {})


LESS = {"medfee_sumamt": "90.00", "fund_pay_sumamt": "50.00"}


def late(city: City) -> dict[str, int]:
    with closing(city.store()) as store:
        return BooksDue(store.connection).late("care")


def test_what_a_refund_cancels_is_looked_up_again_when_the_file_of_its_date_is_corrected(city: City) -> None:
    """The files of older dates were no part of what a run goes over: the day stayed as it was."""
    then, refund = cells(1, day=LONG_AGO), cells(1, direction="1", msgid="N1", **BACK)
    city.put(GW, "*", then, refund)
    city.put(INST, A, then, day=LONG_AGO)
    city.put(INST, A, refund)
    city.put(AGY, A, refund)
    first = city.run()
    city.put(INST, A, cells(9, day=NEXT), day=NEXT)  # of a date beside it, without what this is about
    beside = city.run()
    assert (first.days["*"], beside.revision, city.run().same) == ("AGREED", 2, True)
    assert late(city) == {}
    city.put(INST, B, cells(8, B, day=LONG_AGO), day=LONG_AGO, at_ms=NOW_MS + 1)  # somebody else's
    assert late(city) == {}
    city.put(INST, A, cells(1, day=LONG_AGO, **LESS), day=LONG_AGO, at_ms=NOW_MS + 2)
    assert late(city) == {DAY: NOW_MS + 2}  # a reason for the node to run it
    corrected = city.run(now_ms=NOW_MS + 3)
    assert late(city) == {}
    assert (corrected.same, corrected.revision, corrected.days[A]) == (False, 3, "L1_DIFF")
    city.put(AGY, A, then, day=LONG_AGO)  # there was none: the journal's word stood for it
    assert (city.run().revision, city.run().same) == (4, True)


def test_a_settlement_just_after_midnight_is_found_in_the_next_days_file(city: City) -> None:
    late = {"setl_time": f"{DAY} 23:59:59"}
    city.put(GW, "*", cells(1, **late))
    city.put(AGY, A, cells(1, **late))
    city.put(INST, A)
    assert city.run().summary["classes"] == {"WAIT_NEXT_DAY": 1}
    city.put(INST, A, cells(1, setl_time=f"{NEXT} 00:00:01"), day=NEXT)
    found = city.run()
    assert (found.summary["classes"], found.days[A]) == ({"TIMING": 1}, "AGREED")


@pytest.mark.parametrize(
    ("clock", "name", "row"), [("00:29:59", "WAIT_NEXT_DAY", "T3"), ("00:30:00", "L1-GW-MISSING", "")]
)
def test_the_journals_next_day_is_there_half_an_hour_after_midnight(
    city: City, clock: str, name: str, row: str
) -> None:
    """Until then a settlement of the last minutes may still be on its way into the journal (§4.3, T3)."""
    late = {"setl_time": f"{DAY} 23:59:59"}
    city.put(GW, "*")
    city.put(AGY, A, cells(1, **late))
    city.put(INST, A, cells(1, **late))
    now_ms = int(datetime.fromisoformat(f"{NEXT} {clock}").replace(tzinfo=SHANGHAI).timestamp() * 1000)
    assert city.run(now_ms=now_ms).summary["classes"] == {name: 1}
    [diff] = city.store().diffs(DAY)
    assert (diff.name, diff.row) == (name, row)


def everything(store: BooksStore, scope: str) -> list[object]:
    """The rows a frozen day may not change: differences, actions, cases, the day."""
    own = "SELECT diff_id FROM diff WHERE scope = ?"
    return [
        store.connection.execute(query, (scope,)).fetchall()
        for query in (
            "SELECT * FROM diff WHERE scope = ? ORDER BY 1",
            f"SELECT * FROM action WHERE diff_id IN ({own}) ORDER BY 1",
            f"SELECT * FROM recon_case WHERE diff_id IN ({own}) ORDER BY 1", "SELECT * FROM recon_day WHERE scope = ?",
        )
    ]  # fmt: skip


def test_a_frozen_institution_stays_as_it_is_while_the_run_goes_on_for_the_others(city: City) -> None:
    for code, number in ((A, 1), (B, 2)):
        city.put(AGY, code, cells(number, code))
        city.put(INST, code, cells(number, code), cells(number + 10, code))
    city.put(GW, "*", cells(1), cells(2, B))
    assert city.run(institutions=[A, B]).days == {"*": "L1_DIFF", A: "L1_DIFF", B: "L1_DIFF"}
    store = city.store()
    store.connection.execute("UPDATE diff SET state = 'CARRIED' WHERE scope = ?", (A,))
    store.set_days([DayRow(role="care", scope=A, biz_date=DAY, state="FROZEN", revision=1, changed_ms=1, note="")])
    before = everything(store, A)
    with pytest.raises(DayFrozen, match="已固化"):
        city.put(INST, A, cells(1))
    # B hands in anew and agrees; the journal has one more of A, which was never delivered, and lacks another.
    city.put(INST, B, cells(2, B))
    city.put(GW, "*", cells(3, delivered="0"), cells(2, B))
    found = city.run(institutions=[A, B])
    assert (found.revision, found.days) == (2, {"*": "AGREED_WITH_CARRY", A: "FROZEN", B: "AGREED"})
    assert found.summary["frozen"] == {A: 2}
    assert everything(store, A) == before
    again = city.run(institutions=[A, B])
    assert (again.same, again.days, everything(store, A)) == (True, found.days, before)


@pytest.mark.parametrize(
    "marker", [{"medfee_sumamt": "1.00"}, {"rows": "x"}, {"rows": "1", "fee": "1"}, {"rows": "-1"}]
)
def test_a_marker_that_says_nothing_clear(marker: dict[str, object]) -> None:
    with pytest.raises(WrongMarker):
        marker_of(marker)


def test_a_new_store_is_made_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files of a first day at once: whoever changed to WAL beside another was told at once that the store is
    locked, and an institution got a 503."""
    path, before, real = tmp_path / "new.sqlite", list[bytes](), books.locked

    @contextmanager
    def watched(lock: Path) -> Iterator[None]:
        with real(lock):
            before.append(path.read_bytes()[18:20])  # of the header: 2 2 = WAL
            yield

    monkeypatch.setattr(books, "locked", watched)
    BooksStore.open(path, SCRIPTS).close()
    BooksStore.open(path, SCRIPTS).close()
    assert before == [b"", b"\2\2"]
