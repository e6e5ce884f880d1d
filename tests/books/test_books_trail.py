"""What a node does to the books by itself stands in the audit trail, also when that could not be written at once."""

import csv
import json
import os
import queue
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from desk import FEES
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from two_people import Town

from adapters.crypto.digest import sm3
from adapters.store.books import BooksStore
from adapters.store.books_cases import BooksCases
from adapters.store.books_month import MonthWriter, NewClearing
from adapters.store.books_trail import BooksTrail
from gateway.app.books_handin import hand_in
from gateway.app.books_month_work import apply
from gateway.app.books_prune import prune
from gateway.app.books_run import run
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_tasks import Ran, RunTask
from gateway.app.books_trail import LOOK_S, BooksCarrier
from gateway.app.cli import cli
from gateway.app.node_trail import AGAIN_S
from gateway.app.rounds import Rounds
from gateway.app.say import Outside
from gateway.books.clearing import Facts, Input
from gateway.core.ledgers import AGY, GW, INST
from gateway.security.retention import FREE, HELD

DAY, CODE = "2026-11-16", "H99010300001"


class Node:
    """What of a node carries the books' changes over, on a clock moved by hand."""

    def __init__(self, town: Town) -> None:
        self.town, self.steady = town, Clock()
        self.alarms: list[str] = []
        self.causes: list[Exception] = []
        watch = SimpleNamespace(alarm=lambda name, institution, msgid: self.alarms.append(name))
        self._calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        reactor = SimpleNamespace(callFromThread=lambda call, *values: self._calls.put((call, values)))
        wall: Any = SimpleNamespace(seconds=lambda: town.now_s)
        self.carrier = BooksCarrier(
            config=town.config, reactor=reactor, clock=wall, entropy=town.entropy, watch=watch,  # type: ignore[arg-type]
            report=self.causes.append,
        )  # fmt: skip
        self.carrier.start(Rounds(self.steady, self.causes.append))

    def after(self, seconds: float) -> None:
        self.town.now_s += seconds
        self.steady.advance(seconds)
        thread, over = self.carrier._thread, list[None]()
        assert thread is not None
        thread.run(lambda: None, over.append, self.causes.append)
        self._turn(over)

    def stop(self) -> None:
        over: list[None] = []
        ensureDeferred(self.carrier.stop()).addCallback(over.append)
        self._turn(over)

    def _turn(self, over: list[None]) -> None:
        """Stand in for the reactor until something is over."""
        while not over:
            call, values = self._calls.get(timeout=20)
            call(*values)


def put(town: Town, ledger: int, scope: str, *numbers: int) -> None:
    file = town.folder / "in.csv"
    base = {"fixmedins_code": CODE, "direction": "0", "setl_time": f"{DAY} 10:00:00", **FEES}
    with file.open("w", encoding="utf-8", newline="") as stream:
        named = ("setl_id", "mdtrt_id", "psn_no", "msgid")
        writer = csv.DictWriter(stream, [*base, *named])
        writer.writeheader()
        writer.writerows([{**base, **{name: f"{name}{number}" for name in named}} for number in numbers])
    hand_in(town.config, ledger, scope, DAY, file, {"rows": len(numbers)}, f"http:{CODE}", int(town.now_s * 1000))


def ran(town: Town) -> Ran:
    return run(
        RunTask(
            store=str(town.config.room("books")), data=str(town.config.path("var")), date=DAY, role="care",
            now_ms=int(town.now_s * 1000), institutions=[CODE], asked_ms={},
        )
    )  # fmt: skip


def outside(town: Town) -> Outside:
    return Outside(
        run_node=lambda config: 0, simulate=lambda words: 0, now=lambda: town.now_s, entropy=town.entropy
    )  # fmt: skip


def listed(town: Town, action: str = "books") -> list[dict[str, Any]]:
    found = CliRunner().invoke(cli, ["audit", "list", str(town.file), "--action", action, "--json"], obj=outside(town))
    assert found.exit_code == 0, found.stderr
    rows: list[dict[str, Any]] = json.loads(found.stdout)["rows"]
    return sorted(rows, key=lambda row: row["id"])


def verified(town: Town) -> bool:
    return CliRunner().invoke(cli, ["audit", "verify", str(town.file)], obj=outside(town)).exit_code == 0


def waiting(town: Town) -> int:
    with closing(BooksStore.open(town.config.room("books"), SCRIPTS)) as store:
        return len(BooksTrail(store.connection).waiting(100))


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_files_runs_and_actions_stand_in_the_trail_in_chinese(town: Town) -> None:
    put(town, INST, CODE)
    put(town, AGY, CODE, 1)
    put(town, GW, "*")
    first = ran(town)
    with closing(BooksStore.open(town.config.room("books"), SCRIPTS)) as store:
        cases = BooksCases(store.connection)
        store.connection.execute(
            "INSERT INTO action (action_id, diff_id, kind, attempt, party, state, content, created_ms, changed_ms) "
            "SELECT 'a1', diff_id, 'REVERSE', 1, 'AGY', 'PLANNED', '{}', 1, 1 FROM diff LIMIT 1"
        )
        assert cases.move("a1", "PLANNED", "SENT", "M9", int(town.now_s * 1000))
        assert not cases.move("a1", "PLANNED", "SENT", "M9", 5)
        assert cases.move("a1", "SENT", "DONE", "M9", int(town.now_s * 1000))
    put(town, GW, "*", 1)
    town.now_s += 1
    second = ran(town)
    ran(town)  # the same inputs
    node = Node(town)
    node.after(LOOK_S)
    rows = listed(town)
    assert [row["action"] for row in rows] == [
        *["books.hand_in"] * 3, "books.run", *["books.action"] * 2, "books.hand_in", "books.run", "books.run",
    ]  # fmt: skip
    assert {row["who"] for row in rows} == {"service:gateway"}
    assert rows[1]["after"].startswith(f"AGY {CODE} {DAY} rows 1 complete 1 sm3 ") and "账目" in rows[1]["reason"]
    assert [(row["before"], row["after"]) for row in rows[4:6]] == [("PLANNED", "SENT M9"), ("SENT", "DONE M9")]
    assert "冲正" in rows[4]["reason"] and "已完成" in rows[5]["reason"]
    one, two, again = rows[3], rows[7], rows[8]
    assert (one["subject"], one["before"]) == (f"care:{DAY}", "*=-")
    assert f"revision 1 run {first.run_id} *=" in one["after"] and "对账第1次" in one["reason"]
    assert f"revision 2 run {second.run_id}" in two["after"]
    state = first.days["*"]
    assert f"*={state} INST {first.days[CODE]}=1" in one["after"] and two["before"].startswith(f"*={state} INST")
    assert one["after"].split()[-1] != two["after"].split()[-1]  # other differences, another digest
    assert two["before"] != again["before"] or first.days == second.days
    assert verified(town) and waiting(town) == 0
    node.after(LOOK_S)
    node.stop()
    assert listed(town) == rows  # nothing is told twice


def test_the_digest_of_a_run_is_that_of_the_rows_it_wrote(town: Town) -> None:
    put(town, INST, CODE)
    put(town, AGY, CODE, 1)
    put(town, GW, "*")
    ran(town)
    with closing(BooksStore.open(town.config.room("books"), SCRIPTS)) as store:
        [entry] = [one for one in BooksTrail(store.connection).waiting(9) if one.action == "books.run"]
        lines = [
            "\t".join(map(str, ("day", *row)))
            for row in store.connection.execute("SELECT scope, state, revision FROM recon_day ORDER BY scope")
        ]
        select = "SELECT diff_id, state, \"row\", component, coalesce(left_fen, ''), coalesce(right_fen, '') FROM diff"
        diffs = ["\t".join(map(str, ("diff", *row))) for row in store.connection.execute(f"{select} ORDER BY diff_id")]
        query = "SELECT diff_id, state, decision, mode, '', '' FROM recon_case ORDER BY diff_id"
        cases = ["\t".join(map(str, ("case", *row))) for row in store.connection.execute(query)]
        query = "SELECT action_id, state, kind, party, attempt, '' FROM action ORDER BY action_id"
        actions = ["\t".join(map(str, ("action", *row))) for row in store.connection.execute(query)]
    assert diffs and cases + actions
    text = "".join(f"{line}\n" for line in [*actions, *cases, *diffs, *lines])
    assert entry.became.split()[-1] == sm3(text.encode()).hex()


def test_what_a_platform_makes_of_an_application_stands_there_too(town: Town) -> None:
    with closing(BooksStore.open(town.config.room("books"), SCRIPTS)) as store:
        writer = MonthWriter(store.connection)
        content = '{"sums": {}}'
        new = NewClearing(group=("11", "310", "", "2"), revision=1, idempotency="k", content=content)
        writer.build(("care", CODE, "2026-10"), [new], [], "qian", int(town.now_s * 1000))
        store.connection.execute("UPDATE clearing SET state = 'SUBMITTED', event_id = 'E1'")
        [row] = writer.of_month("care", CODE, "2026-10")
        row = apply(writer, row, Input.ACCEPT, Facts(), "sun", int(town.now_s * 1000), "平台状态20")
        row = apply(writer, row, Input.AUDIT, Facts(), "sun", int(town.now_s * 1000) + 1)
        row = apply(writer, row, Input.ACCEPT, Facts(), "sun", int(town.now_s * 1000) + 2)  # nothing moves
        apply(writer, row, Input.CLEARED, Facts(), "sun", int(town.now_s * 1000) + 3)
    node = Node(town)
    node.stop()  # what waits is carried over at the latest then
    rows = listed(town, "books.clearing")
    assert [(row["before"], row["after"]) for row in rows] == [
        ("", "DRAFT"), ("SUBMITTED", "ACCEPTED"), ("ACCEPTED", "AUDITED"), ("AUDITED", "AUDITED"),
    ]  # fmt: skip
    assert {row["subject"] for row in rows} == {f"clearing:{row_id(town)}"}
    assert "听平台称已清算，由sun办理" in rows[3]["reason"]


def row_id(town: Town) -> int:
    with closing(BooksStore.open(town.config.room("books"), SCRIPTS)) as store:
        return MonthWriter(store.connection).of_month("care", CODE, "2026-10")[0].id


def test_a_trail_that_cannot_be_written_is_told_once_and_tried_again(town: Town) -> None:
    with town.desk() as desk:
        desk.trail.record("li", "test.row", "test:1")  # the room is there, and has signed
    put(town, INST, CODE, 1)
    kept = town.config.signing_key_file.rename(town.folder / "kept.key")
    node = Node(town)
    node.after(LOOK_S)
    node.after(LOOK_S)  # not before a minute is over
    assert (node.alarms, len(node.causes), waiting(town)) == (["books_trail_failed"], 1, 1)
    node.after(AGAIN_S)
    assert (node.alarms, len(node.causes)) == (["books_trail_failed"], 2)
    kept.rename(town.config.signing_key_file)
    node.after(AGAIN_S)
    node.after(AGAIN_S)
    [row] = listed(town)
    assert row["action"] == "books.hand_in" and "发生于" in row["reason"]
    assert waiting(town) == 0 and verified(town)
    node.stop()


def test_a_store_that_keeps_what_the_trail_has_is_not_told_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    put(town, INST, CODE, 1)
    node = Node(town)
    told = BooksTrail.told

    def refused(waiting: BooksTrail, number: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(BooksTrail, "told", refused)
    node.after(LOOK_S)
    assert (node.alarms, waiting(town), len(listed(town))) == (["books_trail_failed"], 1, 1)
    monkeypatch.setattr(BooksTrail, "told", told)
    node.after(2 * AGAIN_S)
    assert (waiting(town), [row["request"] for row in listed(town)]) == (0, ["books:1"])
    node.stop()


def test_a_pruning_stands_in_the_trail_and_a_hold_stops_it(town: Town) -> None:
    put(town, INST, CODE, 1)
    town.now_s += 1
    put(town, INST, CODE, 1, 2)
    days = town.config.path("var") / "books"
    node = Node(town)
    node.after(LOOK_S)
    town.now_s += 31 * 86_400
    words = ["books", "prune", str(town.file)]
    for name in ("day-files", "replaced"):
        held(town, name, HELD)
        for more in ([], ["--dry-run"]):
            refused = CliRunner().invoke(cli, [*words, *more], obj=outside(town))
            assert (refused.exit_code, refused.stderr.startswith("[SEC-HOLD] ")) == (1, True), refused.output
        with closing(BooksStore.open(town.config.room("books"), SCRIPTS)) as store:
            assert prune(town.config, store, int(town.now_s * 1000)).held  # and the node's own
        assert len(list(days.rglob("*.csv"))) == 2 and waiting(town) == 0
        held(town, name, FREE)
    size = min(one.stat().st_size for one in days.rglob("*.csv"))
    held(town, "temporary", HELD)
    rest = days / DAY / ".in-old"
    rest.mkdir()
    os.utime(rest, (1, 1))
    done = CliRunner().invoke(cli, words, obj=outside(town))
    assert (done.stdout, rest.exists()) == (f"已清理1个文件，{size}字节\n", True), done.output
    held(town, "temporary", FREE)
    CliRunner().invoke(cli, words, obj=outside(town))
    assert not rest.exists()
    node.after(LOOK_S)
    node.stop()
    [row] = listed(town, "books.prune")
    assert (row["subject"], row["after"]) == ("deleted:replaced", f"DELETED 1 bytes {size} inputs 1")
    assert "1个" in row["reason"] and verified(town)


def test_nothing_is_pruned_while_nobody_knows_of_holds(town: Town) -> None:
    put(town, INST, CODE, 1)
    town.now_s += 1
    put(town, INST, CODE, 1, 2)
    town.now_s += 31 * 86_400
    town.config.room("security").write_bytes(b"no database at all, and long enough to be looked at" * 40)
    done = CliRunner().invoke(cli, ["books", "prune", str(town.file)], obj=outside(town))
    assert done.exit_code == 1 and "[SEC-TRAIL] 安全库" in done.stderr
    assert len(list((town.config.path("var") / "books").rglob("*.csv"))) == 2


def held(town: Town, name: str, state: str) -> None:
    with town.desk() as desk:
        desk.trail.record("zhao", "retention.hold", f"retention:{name}", after=state)
