"""A backup taken while everything is written: put back, every chain proves itself and the node asks first."""

import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from people import HOSPITAL, Office
from test_books_consent import by_operator, frozen, office_with

import schemas
from adapters.crypto.keyfile import load_key
from adapters.crypto.vault import Vault
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app import backup_work
from gateway.app.cli import cli
from gateway.app.config import Config, read_config
from gateway.core.model import Accept, Entry

RESTORED = "restored"


def journal(config: Config) -> SqliteJournal:
    vault = Vault(load_key(config.key_file), config.store.cipher, os.urandom)
    return SqliteJournal.open(config.journal, vault, list(schemas.read("migrations/journal", ".sql")))


def accepted(store: SqliteJournal, number: int) -> None:
    entry = Entry(
        id=number, fixmedins_code=HOSPITAL, msgid=f"m{number}", infno="2207", klass="M", link="national", state="SENT",
        digest=b"d" * 32, created_ms=1_790_000_000_000 + number, lane=f"p|{number}",
    )  # fmt: skip
    store.commit([Accept(entry=entry)])


def run(office: Office, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, list(words), obj=office.outside)
    assert result.exit_code == code, (words, result.output, result.exception)
    return result


def backed_up(office: Office) -> Path:
    """Back up, and put it back into a new folder; return its configuration."""
    folder, keys, new = (office.folder / name for name in ("backup", "keys", RESTORED))
    run(office, "backup", str(office.town.file), str(folder), "--keys", str(keys))
    assert not list(folder.rglob("*.key"))
    for one in (folder, keys):
        shutil.copytree(one, new, dirs_exist_ok=True)
    return new / office.town.file.name


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """A day frozen and consented to by one side, a journal with an entry, a day file."""
    office = office_with(tmp_path)
    frozen(office)
    by_operator(office, "AGY", "li")
    with closing(journal(office.town.config)) as store:
        accepted(store, 1)
    return office


def test_what_is_put_back_proves_itself_whatever_happens_meanwhile(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node holds the journal, and before each room something is done that two rooms tell of."""
    with closing(journal(office.town.config)) as store:
        steps = iter([lambda: by_operator(office, "INST", "zhou"), lambda: accepted(store, 2)])
        real = backup_work.copied

        def beside(source: Path, target: Path, **more: Any) -> None:
            real(source, target, **more)
            next(steps, lambda: "")()

        monkeypatch.setattr(backup_work, "copied", beside)
        config = str(backed_up(office))
    for command in (("books", "verify"), ("audit", "verify"), ("journal", "verify")):
        run(office, *command, config)
    with closing(journal(read_config(Path(config)))) as copy:
        assert copy.restored_ms == 1_790_000_000_001  # the platform is asked about everything since
    with closing(journal(office.town.config)) as live:
        assert live.restored_ms is None
    assert "1次固化" in run(office, "books", "verify", config).stdout


def test_who_writes_is_not_waited_for_and_not_copied_half(office: Office) -> None:
    with office.books() as books:
        books.connection.execute("BEGIN IMMEDIATE")
        books.connection.execute("UPDATE recon_day SET state = 'L1_DIFF'")
        config = read_config(backed_up(office))
        books.connection.execute("ROLLBACK")
    moved = Office.__new__(Office)
    moved.town, moved.folder = office.town, config.journal.parent.parent
    moved.town.move(moved.folder)
    with moved.books() as books:
        assert books.connection.execute("SELECT DISTINCT state FROM recon_day").fetchall() == [("FROZEN",)]
    assert all(one.stat().st_mode & 0o077 == 0 for one in (office.folder / "backup" / "var").glob("*.sqlite"))


def test_day_files_and_what_lies_elsewhere_are_there_and_workplaces_are_not(office: Office, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    text = office.town.file.read_text("utf-8") + f'\n[security]\ncheckpoint_file = "{outside}/audit.jsonl"\n'
    office.town.file.write_text(text, "utf-8")
    (outside / "audit.jsonl").write_text("{}\n")
    data = office.town.config.path("var")
    work = ("books/2026-03-15/.in-x/in.csv", "books/2026-03-15/work/GW", "codes/part-1-0")
    for name in (*work, "codes/1301/2026-03-15/a.bin"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("x")
    run(office, "backup", str(office.town.file), str(tmp_path / "b"))
    found = {str(one.relative_to(tmp_path / "b")) for one in (tmp_path / "b").rglob("*") if one.is_file()}
    days = {f"var/{one.relative_to(data)}" for one in (data / "books").rglob("*.csv") if ".in-x" not in one.parts}
    assert days and found == days | {
        office.town.file.name, "var/codes/1301/2026-03-15/a.bin", f"elsewhere{outside}/audit.jsonl",
        *(f"var/liangding{room}.sqlite" for room in ("", "-books", "-security")),
    }  # fmt: skip


def test_a_backup_never_mixes_with_another(office: Office, tmp_path: Path) -> None:
    words = ["backup", str(office.town.file), str(tmp_path / "b"), "--keys"]
    (tmp_path / "k").mkdir()
    (tmp_path / "k" / "old").write_text("x")
    assert "空的文件夹" in run(office, *words, str(tmp_path / "k"), code=2).stderr
    run(office, *words, str(tmp_path / "l"))
    assert "空的文件夹" in run(office, *words, str(tmp_path / "m"), code=2).stderr
    office.town.config.room("books").write_bytes(b"no database at all, and long enough to be looked at" * 40)
    assert "库不能复制" in run(office, "backup", str(office.town.file), str(tmp_path / "c"), code=1).stderr
    office.town.config.journal.unlink()
    assert "没有日志库" in run(office, "backup", str(office.town.file), str(tmp_path / "d"), code=2).stderr
