"""Commands that only look leave a fresh place as they found it: no key, no empty store, no file of their own."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from two_people import CONFIG, NOW_S

from gateway.app.cli import cli

CODE = "H99010300001"
# command -> exit code and what it says; C: the configuration, OUT: a file to be written, PW: a password file
EMPTY = {
    "audit list C": "SEC-EMPTY",
    "audit key C": "SEC-EMPTY",
    "audit verify C": "SEC-EMPTY",
    "security report C": "SEC-EMPTY",
    "security report C --user wang --password-file PW": "SEC-EMPTY",
    "security user list C": "SEC-EMPTY",
    "security user show C wang": "SEC-EMPTY",
    "security user grant C wang approver --reason r --user root --password-file PW": "SEC-EMPTY",
    "security approvals list C": "SEC-EMPTY",
    "security approvals show C 1 --user wang --password-file PW": "SEC-EMPTY",
    "books verify C": "BV-EMPTY",
}
NOTHING = [
    "books cases C", "books status C", "books status C --date 2026-11-01", "books frozen C",
    "books month C --month 2026-11 status", f"codes map uploads C {CODE} drug", f"codes map uploads C {CODE} drug X",
    f"codes map upload C {CODE} drug --dry-run", "codes orders C", "codes libraries C", "codes history C drug",
    f"codes map export C {CODE} drug", f"codes map history C {CODE} drug", f"codes map check C {CODE} drug",
    "codes round list C", "codes search C drug x", "codes coverage C", "codes duty list C", "codes analysis C drug",
    "lists status C", "lists report C", "check C",
]  # fmt: skip
NOT_THERE = [
    "books report C --date 2026-11-01 --out OUT", "books month C --month 2026-11 report --scope * --out OUT",
    "books month C --month 2026-11 check --id 1 --user wang --password-file PW", "journal list C",
    "security user add C wang --role approver --new-password-file PW",
    "journal show C m", "journal recovered C", "journal verify C", "recover C",
    "codes show C drug x", "lists evidence C H99010300001 1",
]  # fmt: skip


def looked(folder: Path, command: str) -> tuple[int, str, set[str]]:
    """Run a command in a fresh place; return its exit code, what it said and the names of what it made."""
    (folder / "gateway.toml").write_text(CONFIG, "utf-8")
    (folder / "pw").write_text("Quiet-Lakes-0-83", "utf-8")
    (folder / "pw").chmod(0o600)
    words = {"C": str(folder / "gateway.toml"), "OUT": str(folder / "out.html"), "PW": str(folder / "pw")}
    before = set(folder.rglob("*"))
    outside = SimpleNamespace(now=lambda: NOW_S, entropy=os.urandom, run_node=None, simulate=None)
    result = CliRunner().invoke(cli, [words.get(word, word) for word in command.split()], obj=outside)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output, {str(one) for one in set(folder.rglob("*")) - before}


@pytest.mark.parametrize("command", [*EMPTY, *NOTHING, *NOT_THERE])
def test_a_command_that_only_looks_writes_nothing(tmp_path: Path, command: str) -> None:
    if len(command) % 2:  # half of them in a place that has its folder already
        (tmp_path / "var").mkdir()
    code, said, made = looked(tmp_path, command)
    assert made == set()
    if command in EMPTY:
        assert code == 2 and f"[{EMPTY[command]}] " in said and "还没有建立" in said
    elif command in NOTHING:
        assert code == 0
    else:
        assert code in (1, 2) and said


def test_the_first_administrator_makes_the_room(tmp_path: Path) -> None:
    code, _, made = looked(tmp_path, "security user add C root --role security --new-password-file PW")
    assert code == 0
    names = {Path(one).name for one in made}
    assert {"liangding-security.sqlite", "signing-sm2.key", "answers.key", "audit-checkpoints.jsonl"} <= names


def test_a_room_that_was_taken_away_is_no_fresh_one(tmp_path: Path) -> None:
    looked(tmp_path, "security user add C root --role security --new-password-file PW")
    store = tmp_path / "var" / "liangding-security.sqlite"
    for one in store.parent.glob(f"{store.name}*"):
        one.unlink()
    code, said, made = looked(tmp_path, "security user list C")
    assert (code, made) == (1, set()) and "[SEC-TRAIL] 安全库不见了" in said
