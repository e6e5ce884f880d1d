"""`liangding security` and `liangding audit` as people run them, over real files, from the first user on."""

import base64
import json
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from two_people import CONFIG, NOW_S, Dice, Town

from adapters.crypto.possession import keyed
from certs.authority import issue, make_authority
from gateway.app import approving
from gateway.app.acting import Credentials
from gateway.app.cli import cli
from gateway.app.config import Config, read_config
from gateway.app.say import Outside
from gateway.app.security_desk import security_desk, the_roles
from gateway.core.approval import Approval, Role
from gateway.security.accounts import Account, Policy
from gateway.security.review import remarks
from gateway.security.totp import code_at

FIRST, ROOT, CHEN = "First-Words-4711x", "Quiet-Lakes-83", "Stone-Bridges-29"
WANG, LI = "Brave-Rivers-41", "Green-Meadow-57"
CONTENT = {"summary": ["机构51080200001已退现金12.30元", "冲正网关记录"], "decision": "REVERSE"}


class Room:
    """A folder, a clock, and the command line."""

    def __init__(self, folder: Path, town: Town | None = None) -> None:
        self.folder = folder
        self.now_s = town.now_s if town else NOW_S
        self.config = str(town.file) if town else self.file("liangding.toml", CONFIG)
        self.entropy = Dice("room")
        self.said: list[str] = []

    def file(self, name: str, text: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        return str(path)

    def run(self, *words: str, code: int = 0) -> Result:
        outside = SimpleNamespace(now=lambda: self.now_s, entropy=self.entropy)
        result = CliRunner().invoke(cli, list(words), obj=outside)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.said.append(result.output)
        assert result.exit_code == code, (words, result.stdout, result.stderr)
        return result

    def security(self, *words: str, code: int = 0) -> Result:
        group, verb, *rest = words
        return self.run("security", group, verb, self.config, *rest, code=code)

    def told(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.security(*words, "--json", code=code).stdout)

    def password(self, text: str) -> str:
        return self.file(f"{text}.pw", text + "\n")

    def certificate(self, name: str) -> list[str]:
        authority = make_authority("ca", NOW_S - 86_400, NOW_S + 86_400 * 400)
        made = issue(authority, name, NOW_S - 86_400, NOW_S + 86_400 * 365)
        return [self.file(f"{name}.pem", made.certificate_pem), self.file(f"{name}.key", made.key_pem)]

    def acting(self, name: str, password: str, pem: str, key: str) -> list[str]:
        return ["--user", name, "--password-file", self.password(password), "--certificate", pem, "--key", key]

    def enrol(self, name: str, password: str) -> list[str]:
        """Change the first password, bind a certificate; return the options by which this person acts."""
        words = ("--password-file", self.password(FIRST), "--new-password-file", self.password(password))
        self.security("user", "password", name, *words)
        pem, key = self.certificate(name)
        own = ("--password-file", self.password(password))
        self.security("user", "certificate", name, "--bind", pem, "--bind-key", key, *own)
        return self.acting(name, password, pem, key)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_from_the_first_user_to_a_decision_of_two(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ("--new-password-file", room.password(FIRST))
    assert "SEC-BOOTSTRAP" in room.security("user", "add", "root", "--role", "operator", *first, code=1).stderr
    room.security("user", "add", "root", "--role", "security", *first)
    assert "SEC-WHO" in room.security("user", "add", "eve", "--role", "security", *first, code=2).stderr
    own = ("--user", "root", "--password-file", room.password(FIRST))
    assert "SEC-SECOND-FACTOR" in room.security("user", "add", "eve", "--role", "finance", *first, *own, code=1).stderr
    root = room.enrol("root", ROOT)
    alone = room.security("user", "add", "wang", "--role", "reconciler", *first, *root, code=1).stderr
    assert "SEC-BOOTSTRAP" in alone and "第二个能够复核角色的人" in alone
    assert room.told("user", "add", "chen", "--role", "system", *first, *root)["approval"] == 0
    chen = room.enrol("chen", CHEN)
    granted = [
        str(room.told("user", "add", name, "--role", role, *first, *root)["approval"])
        for name, role in (("wang", "reconciler"), ("li", "approver"))
    ]
    assert granted == ["1", "2"] and room.told("user", "show", "wang")["roles"] == []
    assert "SEC-SAME-PERSON" in room.security("approvals", "approve", *granted, *root, code=1).stderr
    assert "授予：对账员" in room.security("approvals", "show", "1", *chen[:4]).stdout
    room.security("approvals", "approve", *granted, *chen)
    wang, li = room.enrol("wang", WANG), room.enrol("li", LI)
    for name in ("wang", "li"):
        room.security("user", "confirm", name, "--reason", "当面核对", *chen)
    listed = room.told("user", "list")["rows"]
    assert [(row["name"], row["roles"], row["must_change"]) for row in listed] == [
        ("chen", ["system"], False), ("li", ["approver"], False), ("root", ["security"], False),
        ("wang", ["reconciler"], False),
    ]  # fmt: skip
    number = str(propose(room, wang))
    shown = room.security("approvals", "show", number, *li[:4]).stdout
    assert "机构51080200001已退现金12.30元\n冲正网关记录\n{" in shown and "经办 wang" in shown
    assert "SEC-SAME-PERSON" in room.security("approvals", "approve", number, *wang, code=1).stderr
    assert "SEC-LOGIN" in room.security("approvals", "approve", number, *li[:4], code=1).stderr  # one factor
    room.now_s += 60
    assert "SEC-CONTENT" in room.security("approvals", "approve", number, "--content", "00000000", *li, code=1).stderr

    done: list[bytes] = []
    broken = [True]

    def carry_out(config: Config, approval: Approval, content: bytes, outside: Outside) -> str:
        if broken:
            broken.pop()
            raise OSError("平台不通，患者电话13800138000")
        done.append(content)
        assert (approval.maker, approval.checker, approval.state) == ("wang", "li", "APPROVED")
        return "已冲正"

    monkeypatch.setitem(approving.EXECUTORS, "books.trial", f"{__name__}:carry_out")
    monkeypatch.setitem(globals(), "carry_out", carry_out)
    failed = room.security("approvals", "approve", number, *li, code=1).stderr
    assert "SEC-EXECUTE" in failed and "13800138000" not in failed
    assert [row["state"] for row in room.told("approvals", "list")["rows"]] == ["APPROVED"]
    assert "SEC-RIGHT" in room.security("approvals", "execute", number, *root, code=1).stderr
    assert room.told("approvals", "execute", number, *wang)["text"] == "已冲正"
    assert done == [json.dumps(CONTENT, ensure_ascii=False).encode()]
    assert "SEC-NOT-APPROVED" in room.security("approvals", "execute", number, *wang, code=1).stderr
    assert room.told("approvals", "list", "--kind", "books", "--state", "USED")["count"] == 1
    assert room.run("audit", "verify", room.config).stdout.startswith("审计记录完整")


def propose(room: Room, who: list[str], subject: str = "case:17", reason: str = "已核对") -> int:
    """As a command of another room proposes."""
    credentials = Credentials(who[1], Path(who[3]), "", Path(who[5]), Path(who[7]))
    content = json.dumps(CONTENT, ensure_ascii=False).encode()
    with security_desk(read_config(Path(room.config)), lambda: room.now_s, room.entropy) as desk:
        return desk.approvals.propose(credentials.person(desk), "books.trial", subject, content, reason).id


@pytest.fixture
def staffed(a_town: Callable[[], Town]) -> tuple[Room, Town]:
    """The town's people on the command line, with certificates."""
    town = a_town()
    room = Room(town.folder, town)
    with town.desk() as desk:
        for name in town.passwords:
            pem, key = room.certificate(name)
            desk.people.bind_certificate(name, name, keyed(Path(pem).read_bytes(), Path(key).read_bytes()))
    return room, town


def options(room: Room, town: Town, name: str) -> list[str]:
    return room.acting(
        name, town.passwords[name], str(room.folder / f"{name}.pem"), str(room.folder / f"{name}.key")
    )  # fmt: skip


def test_an_authenticator_is_begun_and_confirmed_by_its_owner(staffed: tuple[Room, Town]) -> None:
    room, town = staffed
    zhao = options(room, town, "zhao")
    room.security("user", "totp", "wang", "--remove", "遗失", *zhao)
    wang = options(room, town, "wang")
    made = room.told("user", "totp", "wang", *wang[2:])
    seed = base64.b32decode(made["seed"])
    assert made["uri"].startswith("otpauth://totp/")
    assert "SEC-TOTP" in room.security("user", "totp", "wang", "--confirm", "000000", *wang[2:], code=1).stderr
    room.security("user", "totp", "wang", "--confirm", code_at(seed, room.now_s), *wang[2:])
    room.now_s += 30
    code = code_at(seed, room.now_s)
    own = ["--user", "wang", "--password-file", wang[3], "--totp", code]
    assert "SEC-RIGHT" in room.security("user", "lock", "li", "--reason", "x", *own, code=1).stderr
    assert "SEC-LOGIN" in room.security("user", "lock", "li", "--reason", "x", *own, code=1).stderr  # a replay
    assert "只能由wang本人" in room.security("user", "totp", "wang", *zhao, code=1).stderr


def test_a_certificate_is_one_persons_and_its_key_is_proved(staffed: tuple[Room, Town]) -> None:
    room, town = staffed
    wang, li = options(room, town, "wang"), options(room, town, "li")
    files = {"pem": wang[5], "key": wang[7]}
    another = ("--bind", files["pem"], "--bind-key", files["key"])
    assert "已绑定用户wang" in room.security("user", "certificate", "li", *another, *li[2:], code=1).stderr
    mixed = ("--bind", li[5], "--bind-key", files["key"])
    assert "私钥不是这张证书的" in room.security("user", "certificate", "li", *mixed, *li[2:], code=1).stderr
    stolen = [*wang[:5], wang[5], "--key", li[7]]  # the certificate without its key
    number = str(propose(room, wang))
    assert "SEC-CERTIFICATE" in room.security("approvals", "withdraw", number, *stolen, code=1).stderr
    room.now_s += 86_400 * 366
    assert "已过期" in room.security("approvals", "withdraw", number, *wang, code=1).stderr


def test_the_security_administrator_locks_unlocks_and_resets(staffed: tuple[Room, Town]) -> None:
    room, town = staffed
    zhao, why = options(room, town, "zhao"), ("--reason", "离岗")
    assert "SEC-NAME" in room.security("user", "lock", "nobody", *why, *zhao, code=1).stderr
    room.security("user", "lock", "li", *why, *zhao)
    assert "已锁定" in room.security("user", "list").stdout
    room.security("user", "unlock", "li", *why, *zhao)
    words = ("--new-password-file", room.password("Reset-Words-4712x"), *zhao)
    assert "本人首次使用须修改" in room.security("user", "password", "li", *words).stdout
    rows = json.loads(room.run("audit", "list", room.config, "--who", "zhao", "--action", "account", "--json").stdout)
    assert [row["action"] for row in rows["rows"]][-4:] == [
        "account.lock", "account.lock", "account.unlock", "account.password",
    ]  # fmt: skip
    assert {row["subject"] for row in rows["rows"]} >= {"account:li"} and rows["rows"][-1]["roles"] == ["security"]


def test_refusing_needs_a_reason_and_ends_the_proposal(staffed: tuple[Room, Town]) -> None:
    room, town = staffed
    wang, li = options(room, town, "wang"), options(room, town, "li")
    number = str(propose(room, wang))
    assert "SEC-REASON" in room.security("approvals", "refuse", number, "--reason", " ", *li, code=1).stderr
    assert room.told("approvals", "refuse", number, "--reason", "凭据不足", *li)["state"] == "REFUSED"
    assert "SEC-REFUSED" in room.security("approvals", "approve", number, *li, code=1).stderr
    done = room.security("approvals", "approve", str(propose(room, wang)), *li).stdout
    assert "由提出的一方执行" in done  # a kind nobody registered


def test_several_are_approved_in_one_go_and_one_that_may_not_be_hinders_no_other(staffed: tuple[Room, Town]) -> None:
    room, town = staffed
    wang, li = options(room, town, "wang"), options(room, town, "li")
    numbers = [str(propose(room, wang, f"case:{number}")) for number in range(3)]
    room.security("approvals", "withdraw", numbers[1], *wang)
    told = room.security("approvals", "approve", *numbers, "--json", *li, code=1)
    assert [row["ok"] for row in json.loads(told.stdout)["rows"]] == [True, False, True]
    assert "SEC-VOID" in told.stderr
    room.security("approvals", "approve", *numbers, "--content", "ab" * 32, *li, code=2)
    assert room.told("approvals", "list", "--state", "APPROVED")["count"] == 2


def test_the_report_tells_unused_and_excessive_rights(staffed: tuple[Room, Town]) -> None:
    room, town = staffed
    zhao, wang = (options(room, town, name) for name in ("zhao", "wang"))
    room.security("user", "unlock", "li", "--reason", "x", *zhao)
    with town.desk() as desk:
        town.reassign(desk, "li", "approver", "reconciler", "finance")
        desk.people.add("zhao", "sun", FIRST, frozenset({"auditor"}))
    room.now_s += 80 * 86_400
    room.security("approvals", "withdraw", str(propose(room, wang)), *wang)
    room.now_s += 11 * 86_400
    made = json.loads(room.run("security", "report", room.config, "--json", code=3).stdout)
    found = {(one["kind"], one["name"], one["role"]) for one in made["remarks"]}
    assert {
        ("within", "li", "reconciler"), ("within", "li", "finance"), ("unused", "li", "approver"),
        ("unused", "zhao", "security"), ("no_second_factor", "sun", ""), ("never_login", "sun", ""),
        ("initial_password", "sun", ""), ("password_overdue", "wang", ""), ("idle", "zhao", ""),
    } <= found  # fmt: skip
    assert ("unused", "wang", "reconciler") not in found
    page, book = room.folder / "r.html", room.folder / "r.xlsx"
    room.run("security", "report", room.config, "--since", "2026-11-01", "--out", str(page), code=3)
    assert "权限长期未使用" in page.read_text() and "<script" not in page.read_text()
    room.run("security", "report", room.config, "--out", str(book), code=3)
    assert book.read_bytes()[:2] == b"PK"
    room.run("security", "report", room.config, "--out", str(room.folder / "r.pdf"), code=2)
    table = room.folder / "r.csv"
    room.run("security", "report", room.config, "--out", str(table), code=3)
    head, *lines = table.read_text("utf-8").splitlines()
    assert head == "事项,用户,角色,情况,处理" and len(lines) == made["count"]
    assert any(line.startswith("权限长期未使用,li,approver,") for line in lines)


def test_the_periodic_look_is_noted_and_told_the_next_time(staffed: tuple[Room, Town]) -> None:
    room, town = staffed
    zhao = options(room, town, "zhao")
    assert "上次检查：从未" in room.run("security", "report", room.config, code=3).stdout
    made = json.loads(room.run("security", "report", room.config, "--json", *zhao, code=3).stdout)
    assert made["reviewed"] == "" and [one["name"] for one in made["people"]] == ["li", "wang", "zhao"]
    assert {"name": "wang", "role": "对账员"}.items() <= made["uses"][1].items()
    again = json.loads(room.run("security", "report", room.config, "--json", code=3).stdout)
    assert again["reviewed"].startswith("2026-11-18 ")
    wang = options(room, town, "wang")
    assert "SEC-RIGHT" in room.run("security", "report", room.config, *wang, code=1).stderr
    rows = json.loads(room.run("audit", "list", room.config, "--action", "report", "--json").stdout)["rows"]
    assert [(row["who"], row["after"]) for row in rows] == [("zhao", f"3 people, {made['count']} remarks")]


@pytest.mark.parametrize(
    ("roles", "found"),
    [
        (("security", "system"), {("excessive", "security")}),
        (("system", "finance"), {("excessive", "system")}),
        (("operator", "approver"), set()),
        (("operator", "approver", "finance"), {("excessive", "")}),
        (("reconciler", "approver"), {("within", "reconciler")}),
    ],
)
def test_more_than_a_duty_needs_is_told(roles: tuple[Role, ...], found: set[tuple[str, str]]) -> None:
    one = Account(name="sun", created_ms=0, roles=dict.fromkeys(roles, 0))
    told = remarks([one], {}, the_roles(), Policy(), 0, 90)
    assert {(remark.kind, remark.role) for remark in told if remark.kind in ("within", "excessive")} == found


def test_what_is_wrong_with_files_is_said(staffed: tuple[Room, Town]) -> None:
    room, town = staffed
    zhao = options(room, town, "zhao")
    Path(zhao[3]).chmod(0o644)
    assert "0600" in room.security("user", "lock", "li", "--reason", "x", *zhao, code=2).stderr
    Path(zhao[3]).chmod(0o600)
    assert "须同时给出" in room.security("user", "lock", "li", "--reason", "x", *zhao[:6], code=2).stderr
    assert "没有终端" in room.security("user", "lock", "li", "--reason", "x", "--user", "zhao", code=2).stderr
    (room.folder / "var" / "signing-sm2.key").unlink()
    assert "密钥文件" in room.run("audit", "verify", room.config, code=2).stderr


def test_verify_ends_with_one_when_a_row_was_flipped(staffed: tuple[Room, Town]) -> None:
    room, town = staffed
    with sqlite3.connect(town.store, isolation_level=None) as base:
        base.execute("DROP TRIGGER audit_stays")
        base.execute("UPDATE audit SET who = 'li' WHERE id = 5")
    base.close()
    told = json.loads(room.run("audit", "verify", room.config, "--json", code=1).stdout)
    assert (told["ok"], told["row"]) == (False, 5)
    assert "第5条" in room.run("audit", "verify", room.config, code=1).stderr


def test_an_auditor_checks_a_signature_with_openssl_alone(staffed: tuple[Room, Town], tmp_path: Path) -> None:
    room, _ = staffed
    pem = room.run("audit", "key", room.config).stdout
    line = json.loads((room.folder / "var" / "audit-checkpoints.jsonl").read_text().splitlines()[-1])
    words = ("liangding audit checkpoint 1", line["store"], str(line["entries"]), line["chain"], str(line["at_ms"]))
    (tmp_path / "key.pem").write_text(pem)
    (tmp_path / "sig").write_bytes(bytes.fromhex(line["signature"]))
    (tmp_path / "message").write_text("\n".join(words))
    done = subprocess.run(
        ["openssl", "dgst", "-sm3", "-sigopt", "distid:1234567812345678", "-verify", "key.pem", "-signature", "sig",
         "message"], cwd=tmp_path, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.stdout.strip() == "Verified OK", done.stderr


def test_no_secret_and_no_person_lies_in_clear_or_is_told(staffed: tuple[Room, Town]) -> None:
    """Canaries: passwords, seeds, reasons with a person in them, contents."""
    room, town = staffed
    zhao, wang, li = (options(room, town, name) for name in ("zhao", "wang", "li"))
    identity, mobile = "110101199003077758", "13912345678"
    reason = f"患者身份证{identity}，电话{mobile}"
    number = str(propose(room, wang, reason=reason))
    room.security("approvals", "refuse", number, "--reason", reason, *li)
    room.security("user", "lock", "li", "--reason", reason, *zhao)
    room.security("user", "totp", "wang", *wang[2:])
    seeds = [base64.b32encode(town.seeds[name]).decode() for name in town.seeds]
    room.said.clear()
    for words in (("user", "list"), ("user", "show", "li"), ("approvals", "list", "--state", "REFUSED")):
        room.security(*words)
        room.told(*words)
    listed = room.run("audit", "list", room.config).output
    assert "患者身份证[身份证号]" in listed
    room.run("security", "report", room.config, "--out", str(room.folder / "var" / "r.html"), code=3)
    raw = b"".join(path.read_bytes() for path in (room.folder / "var").iterdir())
    told = "".join(room.said)
    secrets = [*town.passwords.values(), "First-Words-4711x", *seeds, identity, mobile, "冲正网关记录"]
    for canary in secrets:
        assert canary.encode() not in raw and canary not in told, canary
    for seed in town.seeds.values():
        assert seed not in raw and seed.hex() not in told
    modes = {path.name: path.stat().st_mode & 0o077 for path in (room.folder / "var").iterdir()}
    assert {name for name, mode in modes.items() if mode} <= {"r.html"}


def test_what_is_shown_cannot_move_the_cursor(staffed: tuple[Room, Town]) -> None:
    room, town = staffed
    with town.desk() as desk:
        one = desk.approvals.propose(town.person(desk, "wang"), "books.case", "c", b"\x1b[2J{not json", "r")
    room.now_s = town.now_s
    shown = room.security("approvals", "show", str(one.id), *options(room, town, "li")[:4]).stdout
    assert "\x1b" not in shown and "\\u001b[2J" in shown
