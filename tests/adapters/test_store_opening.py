"""A journal that cannot be opened says why in the operator's language, and leaves nothing open behind it."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from journals import KEY, SCRIPTS, Book, Counted, open_sqlite
from twisted.internet.error import CannotListenError

import schemas
from adapters.crypto.vault import Vault
from adapters.store.codes import CodesWriter
from adapters.store.codes_reader import OtherVersion
from adapters.store.sqlite_journal import SqliteJournal, StoreLocked, WrongKey
from gateway.app.explain import explain
from gateway.core.model import StoreBroken, StoreFull


def open_files() -> list[str]:
    """What this process has open, without the sockets and pipes of the tests themselves."""
    found = []
    for one in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{one}"))
        except FileNotFoundError:  # the listing's own
            continue
    return sorted(name for name in found if name.startswith("/") and "journal" in name)


def altered(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "journal.sqlite", isolation_level=None)
    connection.executescript(statement)
    connection.close()


def foreign(folder: Path) -> None:
    (folder / "journal.sqlite").write_bytes(b"this is no database at all" * 400)


def torn(folder: Path) -> None:
    raw = (folder / "journal.sqlite").read_bytes()
    (folder / "journal.sqlite").write_bytes(raw[: len(raw) // 2])


def folder_instead(folder: Path) -> None:
    (folder / "journal.sqlite").unlink()
    (folder / "journal.sqlite").mkdir()


HARMS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a later version's": (lambda folder: altered(folder, "PRAGMA user_version = 99"), "库版本99，本程序支持到5"),
    "without its head": (lambda folder: altered(folder, "DELETE FROM chain_head"), "链头记录不见了"),
    "another program's": (lambda folder: altered(folder, "DROP TABLE chain_head"), "内容与本程序不符（SQLITE_ERROR）"),
    "no database": (foreign, "不是数据库文件，或已损坏（SQLITE_NOTADB）"),
    "torn": (torn, "文件已损坏（SQLITE_CORRUPT"),
    "a folder": (folder_instead, "是目录，不是文件"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_file_that_is_no_journal_of_ours_is_said_and_let_go_of(tmp_path: Path, harm: str) -> None:
    open_sqlite(tmp_path).close()
    spoil, words = HARMS[harm]
    spoil(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreBroken) as refused:
            open_sqlite(tmp_path)
        code, text = explain(refused.value)
        assert code == 1 and text.startswith("日志库无法打开或写入：") and words in text, text
        assert open_files() == []


def test_a_later_version_is_left_as_it_is(tmp_path: Path) -> None:
    open_sqlite(tmp_path).close()
    altered(tmp_path, "PRAGMA user_version = 99")
    with pytest.raises(StoreBroken):
        open_sqlite(tmp_path)
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone() == (99,)
    connection.close()
    altered(tmp_path, f"PRAGMA user_version = {len(SCRIPTS)}")
    open_sqlite(tmp_path).close()


def test_a_wrong_key_and_a_second_owner_leave_nothing_open_either(tmp_path: Path) -> None:
    first = open_sqlite(tmp_path)
    before = open_files()
    with pytest.raises(StoreLocked):
        open_sqlite(tmp_path)
    assert open_files() == before
    book = Book(first)
    book.advance(book.accept("m1"), "SENT", "ACKED", answer=b"sealed")
    first.close()
    with pytest.raises(WrongKey):
        open_sqlite(tmp_path, key=bytes(32))
    assert open_files() == []


def test_an_interruption_leaves_nothing_open(tmp_path: Path) -> None:
    def interrupted() -> Iterator[tuple[str, bytes]]:
        yield from SCRIPTS[:1]
        raise KeyboardInterrupt

    vault = Vault(KEY, "aes-256-gcm", Counted())
    with pytest.raises(KeyboardInterrupt):
        SqliteJournal.open(tmp_path / "journal.sqlite", vault, interrupted())
    assert open_files() == []
    open_sqlite(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreBroken, match="路径中有一段不是目录"):
        open_sqlite(tmp_path / "file" / "below")


def test_no_space_at_start_is_no_space(tmp_path: Path) -> None:
    with pytest.raises(StoreFull):
        SqliteJournal.open(
            tmp_path / "journal.sqlite",
            Vault(KEY, "aes-256-gcm", Counted()),
            [("0001.sql", b"PRAGMA max_page_count = 3; CREATE TABLE a (b); INSERT INTO a VALUES (zeroblob(90000))")],
        )
    assert open_files() == []


def test_rows_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    journal = open_sqlite(tmp_path)
    journal.connection.execute("DROP VIEW journal_row")
    with pytest.raises(StoreBroken, match="内容与本程序不符"):
        journal.open_entries()
    journal.close()


def test_closing_lets_go_of_everything_even_when_the_log_cannot_be_moved(tmp_path: Path) -> None:
    journal = open_sqlite(tmp_path)
    journal.connection.execute("BEGIN IMMEDIATE")  # a checkpoint inside a transaction is refused
    journal.close()
    assert open_files() == []


def test_a_codes_store_of_a_later_version_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    altered(tmp_path, "PRAGMA user_version = 99")
    scripts = list(schemas.read("migrations/codes", ".sql"))
    with pytest.raises(OtherVersion, match=f"编码库由更新的程序建立（库版本99，本程序支持到{len(scripts)}）"):
        CodesWriter.open(path, scripts)
    assert open_files() == []


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (CannotListenError("127.0.0.1", 8080, OSError(errno.EADDRINUSE, "in use")), "127.0.0.1:8080：端口已被占用"),
        (PermissionError(errno.EACCES, "Permission denied", "/data"), "/data（没有权限）"),
        (OSError(errno.ENOTRECOVERABLE, "State not recoverable"), "系统错误ENOTRECOVERABLE"),
    ],
)
def test_what_the_system_refuses_is_said_in_chinese(cause: Exception, words: str) -> None:
    code, text = explain(cause)
    assert code == 1
    assert words in text
    assert str(cause) not in text
