"""Orders in the room's file: taken once, fenced, taken up again; and how a command knows that a node runs."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import schemas
from adapters.store.codes import CodesWriter
from adapters.store.codes_orders import LEASE_MS, Fenced, NodeMark, OrdersStore, node_runs
from adapters.store.codes_uploads import Step, UploadsStore, local_names

SCRIPTS = tuple(schemas.read("migrations/codes", ".sql"))
ROW = ("L1", "201", "X1", "2026-01-01", "2099-12-31")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "liangding-codes.sqlite"


@pytest.fixture
def orders(path: Path) -> Iterator[OrdersStore]:
    store = OrdersStore.open(path, SCRIPTS)
    yield store
    store.close()


def test_an_order_is_taken_by_one_only(orders: OrdersStore) -> None:
    number = orders.place("upload", "H1", "drug", {"a": 1}, "who", 10)
    (waiting,) = orders.waiting(10)
    assert (waiting.id, waiting.kind, waiting.arguments, waiting.who) == (number, "upload", {"a": 1}, "who")
    assert orders.take(number, "one", 10)
    assert not orders.take(number, "two", 10)
    assert orders.waiting(10) == []


def test_a_lease_that_ran_out_is_taken_over_and_the_first_is_fenced(orders: OrdersStore) -> None:
    number = orders.place("upload", "H1", "drug", {}, "who", 10)
    orders.take(number, "one", 10)
    orders.progress(number, "one", 3, 9, "上传", 1000)
    seen = orders.status(number)
    assert seen is not None and (seen.done, seen.total, seen.note, seen.taken) == (3, 9, "上传", True)
    assert orders.waiting(1000 + LEASE_MS) == []
    later = 1001 + LEASE_MS
    assert orders.take(number, "two", later)
    with pytest.raises(Fenced):
        orders.progress(number, "one", 4, 9, "", later)
    with pytest.raises(Fenced):
        orders.finish(number, "one", "done", {}, later)
    with pytest.raises(Fenced):
        UploadsStore(orders.connection, "one").mark(number, "H1", "drug", [ROW], Step("sending", "3301", "m"), later)
    assert UploadsStore(orders.connection).held("H1", "drug") == []
    orders.finish(number, "two", "findings", {"n": 1}, later)
    status = orders.status(number)
    assert status is not None
    assert (status.outcome, status.result) == ("findings", {"n": 1})
    with pytest.raises(Fenced):  # what is at its end has no owner
        orders.progress(number, "two", 5, 9, "", later)
    assert orders.waiting(later * 2) == []


def test_what_is_let_go_may_be_taken_at_once(orders: OrdersStore) -> None:
    one, two = (orders.place("upload", "H1", "drug", {}, "who", 10) for _ in range(2))
    orders.take(one, "mine", 10)
    orders.take(two, "other", 10)
    orders.let_go("mine")
    assert [order.id for order in orders.waiting(10)] == [one]
    orders.let_go()
    assert [order.id for order in orders.waiting(10)] == [one, two]


def test_orders_are_written_while_an_import_holds_the_writers_lock(path: Path) -> None:
    CodesWriter.open(path, SCRIPTS).close()
    writer = CodesWriter.open(path, SCRIPTS)
    try:
        store = OrdersStore.open(path, SCRIPTS)
        assert store.place("upload", "H1", "drug", {}, "who", 10) == 1
        store.close()
    finally:
        writer.close()


def test_history_is_only_appended_to(orders: OrdersStore) -> None:
    number = orders.place("upload", "H1", "drug", {}, "who", 10)
    orders.take(number, "me", 10)
    uploads = UploadsStore(orders.connection, "me")
    for at_ms, state in ((11, "sending"), (12, "uploaded")):
        uploads.mark(number, "H1", "drug", [ROW], Step(state, "3301", "M1"), at_ms)
    (held,) = uploads.held("H1", "drug")
    assert (held.state, held.changed_ms, held.msgid) == ("uploaded", 12, "M1")
    assert [step[7] for step in uploads.history("H1", "drug", "L1")] == ["sending", "uploaded"]
    for statement in (
        "UPDATE upload_event SET state = 'x'",
        "DELETE FROM upload_event",
        "UPDATE work_order SET who = 'x'",
    ):
        with pytest.raises(Exception, match=r"append only|never changed"):
            orders.connection.execute(statement)


def test_what_an_institution_calls_its_items_is_read_where_the_store_keeps_it(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE batch (id, institution, system); INSERT INTO batch VALUES (1, 'H1', 'drug'), (2, 'H2', 'drug');"
        "CREATE TABLE mapping (batch, line);"
    )
    assert local_names(connection, "H1", "drug") == {}
    connection.executescript(
        "ALTER TABLE mapping ADD COLUMN facts TEXT NOT NULL DEFAULT '';"
        """INSERT INTO mapping VALUES (1, 2, '{"name":"阿莫西林"}'), (1, 3, ''), (1, 4, '{"spec":"x"}');"""
        """INSERT INTO mapping VALUES (1, 5, '{"name":""}'), (2, 2, '{"name":"别家"}');"""
    )
    assert local_names(connection, "H1", "drug") == {(1, 2): "阿莫西林"}
    connection.close()


def test_a_node_is_seen_by_its_lock_and_not_after_its_death(path: Path) -> None:
    assert not node_runs(path)
    program = (
        "import sys, time, pathlib\n"
        "from adapters.store.codes_orders import NodeMark\n"
        "mark = NodeMark.take(pathlib.Path(sys.argv[1]))\n"
        "print(mark is not None, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None and node.stdout.readline() == "True\n"
        assert node_runs(path)
        assert NodeMark.take(path) is None
        node.kill()
    assert not node_runs(path)
    mark = NodeMark.take(path)
    assert mark is not None
    mark.let_go()
