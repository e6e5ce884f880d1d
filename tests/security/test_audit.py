"""The trail: nothing is changed or taken away unseen (T23), and what cannot be written is not done."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
import pytest
from two_people import Town

from adapters.crypto.digest import sm3
from adapters.files import checkpoints
from gateway.app.audit_verify import Verified, verify_audit
from gateway.core.approval import NotAllowed, TrailFailed
from gateway.core.trail import GENESIS, Row, linked

ROWS = 25
TRIGGERS = ("audit_stays", "audit_is_kept", "audit_grows", "checkpoint_stays", "checkpoint_is_kept")


@pytest.fixture
def town(a_town: Callable[[], Town]) -> Town:
    town = a_town()
    with town.desk() as desk:
        for number in range(ROWS):
            desk.trail.record("service:books", "books.run", f"care:{number}", after="ab", reason="定时")
    return town


@contextmanager
def administrator(town: Town) -> Iterator[sqlite3.Connection]:
    """Somebody with the file in hand: drops the triggers, does something, puts them back."""
    with closing(sqlite3.connect(town.store, isolation_level=None)) as base:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        texts = dict(base.execute(query))
        for name in TRIGGERS:
            base.execute(f"DROP TRIGGER {name}")
        yield base
        for name in TRIGGERS:
            base.execute(texts[name])
        assert dict(base.execute(query)) == texts


def verified(town: Town) -> Verified:
    return verify_audit(town.config)


def entries(town: Town) -> int:
    return verified(town).entries


def rechain(base: sqlite3.Connection, since: int) -> None:
    """Make the chain whole again from a row on, as one would who knows how it is made."""
    names = ", ".join(attrs.fields_dict(Row))
    row = base.execute("SELECT chain FROM audit WHERE id = ?", (since - 1,)).fetchone()
    chain = row[0] if row else GENESIS
    for values in base.execute(f"SELECT {names} FROM audit WHERE id >= ? ORDER BY id", (since,)).fetchall():
        one = Row(**dict(zip(attrs.fields_dict(Row), values, strict=True)))
        chain = linked(sm3, chain, one)
        base.execute("UPDATE audit SET chain = ? WHERE id = ?", (chain, one.id))


def test_an_untouched_trail_is_whole_and_signed_to_its_end(town: Town) -> None:
    found = verified(town)
    assert (found.findings, found.row, found.notices) == ((), 0, ())
    assert found.entries == found.signed > ROWS
    assert found.inside == found.outside > 0


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET subject = 'x'", "DELETE FROM audit", "DELETE FROM audit WHERE id = 3",
    "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE id = 3", "UPDATE checkpoint SET entries = 1",
    "DELETE FROM checkpoint", "DELETE FROM approval"],
)  # fmt: skip
def test_the_database_itself_refuses(town: Town, statement: str) -> None:
    with town.desk() as desk:
        wang = town.person(desk, "wang")
        desk.approvals.propose(wang, "books.case", "case:1", b"{}", "r")
    with closing(sqlite3.connect(town.store, isolation_level=None)) as base, pytest.raises(sqlite3.IntegrityError):
        base.execute(statement)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at_ms", 1), ("who", "li"), ("roles", "x"), ("source", "x"), ("request", "x"), ("action", "x"),
        ("subject", "x"), ("before", "x"), ("after", "ac"), ("reason", b"x"), ("approval", 9), ("result", "x"),
        ("chain", b"x" * 32),
    ],
)  # fmt: skip
def test_any_column_of_any_row_that_was_flipped_is_named(town: Town, column: str, value: object) -> None:
    row = entries(town) - 5
    with administrator(town) as base:
        assert base.execute(f"UPDATE audit SET {column} = ? WHERE id = ?", (value, row)).rowcount == 1
    found = verified(town)
    assert found.row == row
    assert found.findings[0].startswith(f"审计记录第{row}条")


def flip(town: Town, at: int) -> None:
    raw = bytearray(town.store.read_bytes())
    raw[at] ^= 1
    town.store.write_bytes(raw)


def places(town: Town, text: bytes) -> list[int]:
    raw = town.store.read_bytes()
    return [at for at in range(len(raw)) if raw.startswith(text, at)]


def test_one_bit_of_the_file_is_found(town: Town) -> None:
    """The row itself, and the index by which states are looked up."""
    with closing(sqlite3.connect(town.store)) as base:
        (row,) = base.execute("SELECT id FROM audit WHERE subject = 'care:7'").fetchone()
    named = []
    for at in places(town, b"care:7"):
        flip(town, at)
        found = verified(town)
        assert found.findings
        named.append(found.row)
        flip(town, at)
    assert sorted(named) == [0, row]  # by the index no row was changed
    assert verified(town).findings == ()


def test_a_row_that_was_taken_out_is_named(town: Town) -> None:
    with administrator(town) as base:
        base.execute("DELETE FROM audit WHERE id = 9")
    found = verified(town)
    assert found.row == 9 and "第9条不见了" in found.findings[0]


def test_a_chain_made_whole_again_does_not_fit_what_was_signed(town: Town) -> None:
    row = entries(town) - 5
    with administrator(town) as base:
        base.execute("UPDATE audit SET who = 'li' WHERE id = ?", (row,))
        rechain(base, row)
    found = verified(town)
    assert found.row and found.row <= row
    assert "被改动并重算过" in found.findings[0]


def test_a_tail_that_was_cut_off_with_its_checkpoints_is_missed_outside(town: Town) -> None:
    whole = entries(town)
    with administrator(town) as base:
        base.execute("DELETE FROM audit WHERE id > ?", (whole - 3,))
        base.execute("DELETE FROM checkpoint WHERE entries > ?", (whole - 3,))
    found = verified(town)
    assert found.row == whole - 2
    assert f"第{whole - 2}至{whole}条不见了" in found.findings[0] and "库外检查点" in found.findings[0]
    with pytest.raises(TrailFailed, match="库被截短"), town.desk():
        raise AssertionError("nobody goes on with a trail that was cut")


def test_a_store_that_is_gone_or_another_is_noticed(town: Town, tmp_path: Path) -> None:
    town.store.unlink()
    assert "安全库不见了" in verified(town).findings[0]
    with pytest.raises(TrailFailed, match=r"安全库不见了.*库外检查点文件.*签名密钥"), town.desk():
        raise AssertionError("a new store would let anybody become the first administrator")


def test_a_checkpoint_of_another_key_is_no_checkpoint(town: Town) -> None:
    path = town.config.checkpoint_file
    line = json.loads(path.read_text().splitlines()[-1])
    line["signature"] = line["signature"][:-2] + ("00" if line["signature"][-2:] != "00" else "01")
    path.write_text(path.read_text() + json.dumps(line) + "\n")
    assert any("签名不符" in text for text in verified(town).findings)
    with administrator(town) as base:
        base.execute("UPDATE checkpoint SET signature = x'00' WHERE entries = (SELECT min(entries) FROM checkpoint)")
    assert "库内检查点" in verified(town).findings[0]


def test_a_line_a_crash_cut_is_told_and_no_fault(town: Town) -> None:
    path = town.config.checkpoint_file
    path.write_bytes(path.read_bytes() + b'{"store":"x","entr')
    with town.desk() as desk:
        desk.trail.record("service:books", "books.run", "care:99")
    found = verified(town)
    assert found.findings == () and "不完整" in found.notices[0]
    assert found.outside == found.inside


@pytest.mark.parametrize("name", ["audit_stays", "approval_is_kept"])
def test_a_trigger_that_was_not_put_back_is_named(town: Town, name: str) -> None:
    with closing(sqlite3.connect(town.store)) as base:
        base.execute(f"DROP TRIGGER {name}")
    assert verified(town).findings == (f"安全库缺少触发器{name}：有人改过库结构",)


def test_accounts_and_proposals_are_what_the_trail_says(town: Town) -> None:
    with town.desk() as desk:
        one = desk.approvals.propose(town.person(desk, "wang"), "books.case", "case:1", b"{}", "r")
    with closing(sqlite3.connect(town.store, isolation_level=None)) as base:
        sealed = base.execute("SELECT sealed FROM account WHERE name = 'li'").fetchone()[0]
        base.execute("UPDATE account SET sealed = ? WHERE name = 'wang'", (sealed,))
        base.execute("DELETE FROM account WHERE name = 'zhao'")
        base.execute("UPDATE approval SET state = 'APPROVED', checker = 'li'")
    found = "\n".join(verified(town).findings)
    assert "用户wang的记录" in found and "用户zhao被绕过程序删除" in found and f"第{one.id}号事项" in found


def test_other_rooms_add_their_chains(town: Town) -> None:
    seen = []

    def freezes(config: object, verifier: object) -> list[str]:
        seen.append((config, verifier))
        return ["冻结链第3天断开"]

    assert verify_audit(town.config, [freezes]).findings == ("冻结链第3天断开",)
    assert len(seen) == 1


def test_a_thousand_rows_or_five_minutes_are_signed_while_the_program_goes_on(a_town: Callable[[], Town]) -> None:
    town = a_town()
    with town.desk() as desk:
        before = len(desk.store.checkpoints())
        for number in range(1_000):
            desk.trail.record("service:node", "x", str(number))
        assert len(desk.store.checkpoints()) == before + 1
        desk.trail.record("service:node", "x", "1000")
        assert len(desk.store.checkpoints()) == before + 1
        town.now_s += 300
        desk.trail.record("service:node", "x", "1001")
        assert [one.entries for one in desk.store.checkpoints(1)] == [desk.store.head()[0]]


def test_nothing_is_signed_that_was_slipped_in(town: Town) -> None:
    with town.desk() as desk:
        desk.trail.record("service:node", "x", "1")
        with administrator(town) as base:
            base.execute("UPDATE audit SET who = 'li' WHERE id = (SELECT max(id) FROM audit)")
        with pytest.raises(TrailFailed, match="断开，停止签名"):
            desk.checkpoint()
        with administrator(town) as base:
            base.execute("UPDATE audit SET who = 'service:node' WHERE id = (SELECT max(id) FROM audit)")


def test_what_leaves_no_row_does_not_happen(town: Town) -> None:
    """A full disk, played by SQLite's own limit."""
    with town.desk() as desk:
        wang = town.person(desk, "wang")
        desk.checkpoint()
        pages = desk.store.connection.execute("PRAGMA page_count").fetchone()[0]
        desk.store.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(TrailFailed, match=r"操作未执行.*磁盘空间不足"):
            desk.approvals.propose(wang, "books.case", "case:1", b"x" * 100_000, "r")
        with pytest.raises(TrailFailed, match="磁盘空间不足"):
            for number in range(1000):
                desk.trail.record("service:node", "x", str(number))
        desk.store.connection.execute("PRAGMA max_page_count = 1000000")
        assert desk.approvals.listed() == []
    assert verified(town).findings == ()


LIMITED = """
import resource, sys
from pathlib import Path
from two_people import Dice, Town
from gateway.core.approval import TrailFailed
town = Town.__new__(Town)
town.move(Path(sys.argv[1]))
town.now_s, town.entropy = float(sys.argv[2]), Dice("other")
with town.desk() as desk:
    size = max(path.stat().st_size for path in town.store.parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        for number in range(100_000):
            desk.people.lock("zhao", "wang", str(number))
    except TrailFailed as cause:
        print(cause)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


def test_a_disk_that_takes_no_more_stops_every_change(town: Town) -> None:
    """A real program under a real limit of file size."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(town.folder), str(town.now_s)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "操作未执行" in done.stdout
    assert verified(town).findings == ()


def test_a_store_or_a_checkpoint_file_that_cannot_be_written_lets_nobody_act(town: Town) -> None:
    with town.desk() as desk:
        desk.store.connection.execute("PRAGMA query_only = ON")
        with pytest.raises(TrailFailed, match="文件只读"):
            desk.people.lock("zhao", "wang", "x")
        with pytest.raises(TrailFailed):
            town.person(desk, "wang")
        desk.store.connection.execute("PRAGMA query_only = OFF")
        account = desk.people.load("wang")
        assert account is not None and not account.locked
    outside = town.config.checkpoint_file
    outside.rename(outside.with_suffix(".old"))
    outside.mkdir()
    with pytest.raises(TrailFailed, match="检查点文件不能使用"), town.desk():
        raise AssertionError("nobody acts")


def test_two_programs_write_one_chain(town: Town) -> None:
    with town.desk("a") as one, town.desk("b") as other:
        for number in range(20):
            (one if number % 2 else other).trail.record("service:x", "x", str(number))
        with pytest.raises(NotAllowed):
            one.people.lock("zhao", "nobody", "r")
    assert verified(town).findings == ()


def test_a_row_holds_no_control_characters_and_no_endless_text(town: Town) -> None:
    with town.desk() as desk:
        desk.trail.record("x\nroot", "a\x1b[2J", "s" * 5000, reason="r\r\n")
        *_, (row, _) = desk.store.rows()
        assert (row.who, row.action) == ("x�root", "a�[2J")
        assert len(row.subject) == 300


def test_the_newest_checkpoint_is_found_without_reading_all(tmp_path: Path, town: Town) -> None:
    path = town.config.checkpoint_file
    last = [one for _, one in checkpoints.read(path)][-1]
    assert checkpoints.newest(path) == last
    with path.open("ab") as file:
        file.write(b"rubbish\n" * 20_000)
    assert checkpoints.newest(path) == last  # however much somebody puts behind it
    assert checkpoints.newest(tmp_path / "none") is None
