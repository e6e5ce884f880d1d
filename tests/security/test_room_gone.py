"""A room that was taken away is not followed by an empty one: not by a node, not by a command, not by a question."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_cli import FIRST, Room
from two_people import Town

from adapters.store.books import BooksStore
from adapters.store.security_opening import opened
from gateway.app.audit_verify import verify_audit
from gateway.app.books_people import demanded
from gateway.app.books_shelf import SCRIPTS as BOOKS
from gateway.app.holds import is_held
from gateway.app.node_trail import RUNNING, note
from gateway.app.security_room import SCRIPTS, room_is_there
from gateway.core.approval import NoSecurityRoom, TrailFailed


def removed(town: Town) -> None:
    for file in town.store.parent.glob(f"{town.store.name}*"):
        file.unlink()


def outside_gone(town: Town) -> None:
    removed(town)
    town.config.checkpoint_file.unlink()


def frozen(town: Town) -> None:
    """Days in the books that two people agreed to freeze; nothing else is left."""
    with closing(BooksStore.open(town.config.room("books"), BOOKS)) as books:
        row = ("care", "*", "2026-11-17", "", "{}", 0, 0, "ab" * 32, "", "", "wang", "li", 7, 0, 1)
        marks = ",".join("?" * len(row))
        names = (
            "role,scope,biz_date,prev_sm3,header,rows,fees,freeze_sm3,key_id,signature,maker,checker,approval,reopens"
        )
        books.connection.execute(f"INSERT INTO freeze ({names},at_ms) VALUES ({marks})", row)
        books.connection.commit()
    outside_gone(town)
    town.config.signing_key_file.unlink()


def emptied(town: Town) -> None:
    """An empty room put in its place, as a node made it that did not ask."""
    removed(town)
    with opened(town.store, SCRIPTS, lambda: "another"):
        pass


TAKEN = [
    (removed, r"不见了.*库外检查点文件.*签名密钥"),
    (outside_gone, r"不见了.*签名密钥"),
    (frozen, r"不见了.*由两人批准的记录"),
    (emptied, r"是空的.*库外检查点文件"),
]


@pytest.mark.parametrize(("take", "text"), TAKEN)
def test_nothing_goes_on_and_nothing_is_made(
    town: Town, take: Callable[[Town], None], text: str, tmp_path: Path
) -> None:
    take(town)
    before = sorted(one.name for one in town.store.parent.iterdir())
    clock = SimpleNamespace(seconds=lambda: town.now_s)

    def start() -> None:
        note(town.config, clock, town.entropy, RUNNING, town.now_s, 0.0)  # type: ignore[arg-type]

    for deed in (start, lambda: demanded(town.config), lambda: is_held(town.config, "answers")):
        for _ in range(2):
            with pytest.raises(TrailFailed, match=text):
                deed()
    room = Room(town.folder, town)
    first = ("--new-password-file", room.password(FIRST))
    assert "SEC-TRAIL" in room.security("user", "add", "eve", "--role", "security", *first, code=1).stderr
    for words in (("security", "user", "list"), ("audit", "list"), ("security", "retention", "list")):
        assert "SEC-TRAIL" in room.run(*words, room.config, code=1).stderr
    said = room.run("audit", "verify", room.config, code=1).stderr
    assert "安全库" in said and "说明曾经有过" in said
    assert sorted(one.name for one in town.store.parent.iterdir()) == before


def test_where_there_never_was_one_a_node_makes_it(tmp_path: Path) -> None:
    town = Town(tmp_path)
    assert not demanded(town.config) and not is_held(town.config, "answers") and not room_is_there(town.config)
    with pytest.raises(NoSecurityRoom):
        verify_audit(town.config)
    assert not town.store.parent.exists()
    clock = SimpleNamespace(seconds=lambda: town.now_s)
    note(town.config, clock, town.entropy, RUNNING, town.now_s, 0.0)  # type: ignore[arg-type]
    assert room_is_there(town.config) and not demanded(town.config)
    assert verify_audit(town.config).findings == ()


def test_a_room_of_a_node_alone_does_not_do_away_with_people(town: Town) -> None:
    """As a node before this one made it: rows, but nobody; the trail outside tells of another."""
    removed(town)
    with opened(town.store, SCRIPTS, lambda: "another") as store, store.transaction():
        values = (1, 1, "service:gateway", "", "", "", "node.start", "node:n", "", "RUNNING", b"", 0, "ok", b"x" * 32)
        store.connection.execute(f"INSERT INTO audit VALUES ({','.join('?' * 14)})", values)
    with pytest.raises(TrailFailed, match="与库外检查点不符"):
        demanded(town.config)
    town.config.checkpoint_file.unlink()
    assert not demanded(town.config)
    with closing(BooksStore.open(town.config.room("books"), BOOKS)) as books:
        values = ("d", "TWO", "CLOSED", 7, 1, 1, 1)
        books.connection.execute("PRAGMA foreign_keys = OFF")
        books.connection.execute(
            "INSERT INTO recon_case (diff_id, mode, state, approval, opened_ms, until_ms, changed_ms) "
            "VALUES (?,?,?,?,?,?,?)", values
        )  # fmt: skip
    with pytest.raises(TrailFailed, match="安全库里却没有任何用户"):
        demanded(town.config)


def test_a_file_that_is_no_store_is_told_by_whoever_opens_it(town: Town) -> None:
    removed(town)
    town.store.write_bytes(b"not a database at all" * 100)
    with pytest.raises(TrailFailed, match="打不开"), town.desk():
        raise AssertionError("nobody acts")
    with pytest.raises(sqlite3.DatabaseError), closing(sqlite3.connect(town.store)) as base:
        base.execute("SELECT * FROM audit")
