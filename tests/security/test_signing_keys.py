"""The signing key is changed by two people; what older keys signed stays proved, and nothing else does."""

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import attrs
import pytest
from test_cli import Room, options, staffed
from two_people import Town

from adapters.crypto.keyfile import KeyFileError, load_key
from adapters.crypto.sm2 import Sm2Signer, pem_of
from adapters.files import checkpoints
from gateway.app.audit_verify import keys_of, verify_audit
from gateway.app.signing_keys import new_signer, next_file
from gateway.core.approval import TrailFailed
from gateway.core.trail import Checkpoint, HandOver

__all__ = ["staffed"]  # a fixture of the command line's tests
WHY = ("--reason", "年度更换")
HANDED = ("store", "old", "new", "entries", "at_ms", "approval")  # as they are signed


@attrs.frozen
class Office:
    room: Room
    town: Town

    def rotate(self) -> str:
        """Two people change the key; return what was said."""
        with self.town.desk() as desk:
            if desk.people.roles_of("li") != "approver,system":
                self.town.reassign(desk, "li", "approver", "system")
        self.room.now_s = self.town.now_s
        zhao, li = (options(self.room, self.town, name) for name in ("zhao", "li"))
        told = self.room.security("key", "rotate", *WHY, "--json", *zhao).stdout
        number = str(json.loads(told)["approval"])
        assert "SEC-SAME-PERSON" in self.room.security("approvals", "approve", number, *zhao, code=1).stderr
        said: str = self.room.security("approvals", "approve", number, *li).stdout
        self.town.now_s = self.room.now_s = self.room.now_s + 86_400
        return said

    def a_day(self) -> None:
        """Something is done and signed."""
        with self.town.desk() as desk:
            desk.trail.record("service:books", "books.run", "care:1", after="ab")

    def findings(self) -> tuple[str, ...]:
        return verify_audit(self.town.config).findings

    def public(self) -> bytes:
        return Sm2Signer.of(load_key(self.town.config.signing_key_file)).public


@pytest.fixture
def office(staffed: tuple[Room, Town]) -> Office:
    return Office(*staffed)


def test_what_every_key_signed_stays_proved(office: Office) -> None:
    publics = [office.public()]
    for _ in range(2):
        office.a_day()
        assert "已更换签名密钥" in office.rotate()
        publics.append(office.public())
    office.a_day()
    assert office.findings() == () and len(set(publics)) == 3
    listed = json.loads(office.room.security("key", "list", "--json").stdout)
    assert [bytes.fromhex(row["public"]) for row in listed["keys"]] == publics and listed["faults"] == []
    told = [one for _, one in checkpoints.read(office.town.config.checkpoint_file)]
    signed = {one.public for one in told if isinstance(one, Checkpoint)}
    assert signed == set(publics)  # outside, each names its key
    assert office.room.run("audit", "key", office.room.config).stdout == listed["keys"][-1]["pem"]
    assert not next_file(office.town.config.signing_key_file).exists()
    rows = json.loads(office.room.run("audit", "list", office.room.config, "--action", "key", "--json").stdout)["rows"]
    assert [bytes.fromhex(row["after"]) for row in rows] == publics[1:]


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE signing_key SET by_old = zeroblob(70)", "第1次更换签名密钥的记录不成立"),
        ("UPDATE signing_key SET at_ms = at_ms + 1", "第1次更换签名密钥的记录不成立"),
        ("UPDATE signing_key SET entries = entries + 1", "第1次更换签名密钥的记录不成立"),
        ("DELETE FROM signing_key", "签名所用的密钥不是当时登记的那一把"),
        ("UPDATE checkpoint SET public = zeroblob(64) WHERE entries = (SELECT min(entries) FROM checkpoint)",
         "签名所用的密钥不是当时登记的那一把"),
        ("UPDATE checkpoint SET signature = zeroblob(70) WHERE entries = (SELECT min(entries) FROM checkpoint)",
         "签名不符"),
    ],
)  # fmt: skip
def test_a_flipped_byte_is_found(office: Office, statement: str, finding: str) -> None:
    office.rotate()
    with closing(sqlite3.connect(office.town.store, isolation_level=None)) as base:
        texts = dict(base.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        for name in texts:
            base.execute(f"DROP TRIGGER {name}")
        assert base.execute(statement).rowcount == 1
        for text in texts.values():
            base.execute(text)
    assert any(finding in one for one in office.findings())


def test_an_old_key_signs_nothing_any_more(office: Office) -> None:
    """A copy of the old key in a thief's hand: what it signs is no word of ours."""
    old = Sm2Signer.of(load_key(office.town.config.signing_key_file))
    office.rotate()
    office.a_day()
    outside = office.town.config.checkpoint_file
    last = checkpoints.newest(outside)
    assert last is not None and last.public != old.public
    forged = attrs.evolve(last, public=old.public, at_ms=last.at_ms + 1)
    checkpoints.append(outside, attrs.evolve(forged, signature=old.sign(forged.message())))
    assert any("不是当时登记的那一把" in one for one in office.findings())
    keys = keys_of(office.town.config)
    at = keys.keys[0].last_entry
    known = [(keys.answers(old.public, row), keys.answers(office.public(), row)) for row in (1, at, at + 1)]
    assert known == [(True, False), (True, False), (False, True)]  # nor did the new one before it was made


def test_a_change_that_was_cut_short_goes_on_at_the_next_opening(office: Office) -> None:
    path = office.town.config.signing_key_file
    before = office.public()
    with office.town.desk() as desk:
        one = desk.approvals.propose(office.town.person(desk, "wang"), "books.case", "c", b"{}", "r")
        desk.trail.hand_over(new_signer(path, os.urandom), one)  # and killed before the file took its place
    assert office.public() == before and office.findings() == ()
    office.a_day()
    assert office.public() != before and office.findings() == () and not next_file(path).exists()


def test_a_program_that_was_open_meanwhile_signs_with_the_new_key(office: Office) -> None:
    with office.town.desk() as slow:
        slow.trail.record("service:x", "x", "1")
        office.rotate()
        assert slow.signer.public == office.public()  # for whoever signs anything else by it
        slow.trail.record("service:x", "x", "2")
    assert office.findings() == ()


def kept(office: Office) -> Path:
    """A backup of the room and its key."""
    folder = office.town.folder / "backup"
    folder.mkdir()
    files = [*office.town.store.parent.glob(f"{office.town.store.name}*"), office.town.config.signing_key_file]
    for file in files:
        shutil.copy2(file, folder)
    return folder


def put_back(office: Office, folder: Path) -> None:
    for file in office.town.store.parent.glob(f"{office.town.store.name}*"):
        file.unlink()
    for file in folder.iterdir():
        shutil.copy2(file, office.town.store.parent)


def refused(office: Office, text: str) -> bool:
    """Say whether nobody can go on, and a node says why."""
    with pytest.raises(TrailFailed, match=text):
        office.a_day()
    return bool(office.findings())


def test_a_backup_from_before_a_change_of_keys_is_not_gone_on_with(office: Office) -> None:
    """The newest checkpoint outside is then by a key that store has never heard of."""
    office.a_day()
    backup = kept(office)
    office.rotate()
    office.a_day()
    put_back(office, backup)
    assert refused(office, "安全库与库外检查点不符") and "换钥记录，安全库里没有" in "".join(office.findings())


def test_what_is_put_behind_the_newest_checkpoint_hides_no_older_backup(office: Office) -> None:
    """Whoever may only append to the outside file: a spoilt line, an old one again, rubbish."""
    office.a_day()
    backup, outside = kept(office), office.town.config.checkpoint_file
    old = outside.read_bytes().splitlines(keepends=True)[-1]
    office.a_day()
    put_back(office, backup)
    whole = outside.read_bytes()
    last = json.loads(whole.splitlines()[-1])
    spoilt = json.dumps({**last, "signature": "00" * 70}).encode() + b"\n"
    for more in (b"", spoilt, old, b"rubbish\n", b"rubbish\n" * 20_000):
        outside.write_bytes(whole + more)
        assert refused(office, "安全库与库外检查点不符")


def test_whoever_kept_an_older_key_follows_the_outside_file_with_openssl(office: Office, tmp_path: Path) -> None:
    pem = office.room.run("audit", "key", office.room.config).stdout
    for _ in range(2):
        office.a_day()
        office.rotate()
    handed = json.loads(office.room.security("key", "list", "--json").stdout)["hand_overs"]
    outside = office.town.config.checkpoint_file
    assert [checkpoints.plain(one) for _, one in checkpoints.read(outside) if isinstance(one, HandOver)] == handed
    for one in handed:
        keys = {"by_old": pem, "by_new": (pem := pem_of(bytes.fromhex(one["new"])))}
        words = ["liangding signing key 1", *(str(one[name]) for name in HANDED)]
        (tmp_path / "message").write_text("\n".join(words))
        for whose, text in keys.items():
            (tmp_path / "key.pem").write_text(text)
            (tmp_path / "sig").write_bytes(bytes.fromhex(one[whose]))
            done = subprocess.run(
                ["openssl", "dgst", "-sm3", "-sigopt", "distid:1234567812345678", "-verify", "key.pem",
                 "-signature", "sig", "message"], cwd=tmp_path, capture_output=True, text=True, timeout=30,
            )  # fmt: skip
            assert done.stdout.strip() == "Verified OK", done.stderr
    assert pem == office.room.run("audit", "key", office.room.config).stdout


def test_a_new_outside_file_begins_with_the_last_hand_over(office: Office) -> None:
    office.rotate()
    outside = office.town.config.checkpoint_file
    outside.rename(outside.with_suffix(".old"))
    office.a_day()
    first, *rest = [one for _, one in checkpoints.read(outside)]
    assert isinstance(first, HandOver) and all(isinstance(one, Checkpoint) for one in rest) and rest
    assert office.findings() == ()


def test_a_key_that_is_lost_or_another_is_said(office: Office) -> None:
    office.rotate()
    path: Path = office.town.config.signing_key_file
    kept = path.rename(path.with_suffix(".kept"))
    for words in (("audit", "verify"), ("security", "user", "list"), ("audit", "key")):
        said = office.room.run(*words, office.room.config, code=2).stderr
        assert "[SEC-KEY] " in said and "由备份恢复密钥文件" in said
    path.write_bytes(b"\x01" * 31 + b"\x02")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="不是登记的那一把"), office.town.desk():
        raise AssertionError("nobody acts")
    assert any("更换签名密钥的记录不成立" in one for one in office.findings())
    kept.rename(path)
    assert office.findings() == ()
