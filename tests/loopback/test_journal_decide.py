"""A record nobody can end by itself: two people decide on the command line, the running node carries it out."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import json
import os
from pathlib import Path
from unittest import mock

import pytest_twisted
from books_town import BooksTown, Once
from forked import command
from test_books_day import Weather
from town import HOSPITAL
from twisted.internet.threads import deferToThread

from gateway.app.config import read_config
from gateway.app.security_desk import security_desk
from gateway.core.approval import Role
from gateway.security import passwords
from gateway.security.totp import code_at
from simulators.faults import Fault

PASSWORD = "Quiet-Lakes-7-83"


def enrol(town: BooksTown, name: str, role: Role) -> tuple[Path, bytes]:
    """Make an account that may act; return its password file and the seed of its authenticator."""
    now = town.town.now_s
    # A hash names its own cost: theirs is the least there is, so that signing in is quick here.
    cheap = mock.patch.object(passwords, "_N", 2)
    with cheap, security_desk(read_config(town.town.config), lambda: now, os.urandom, make=True) as desk:
        desk.people.add("root", name, "First-Words-4711x", frozenset({role}))
        desk.people.set_password(name, name, PASSWORD)
        seed = desk.people.begin_totp(name)
        desk.people.confirm_totp(name, code_at(seed, now - 30))
        desk.people.confirm("notary", name, "met in person")
    file = town.folder / f"{name}.pw"
    file.write_text(PASSWORD, "utf-8")
    file.chmod(0o600)
    return file, seed


def run(
    town: BooksTown, words: list[str], who: tuple[str, Path, bytes] | None = None, ahead_s: int = 0
) -> tuple[int, str]:
    """One command in a process of its own. ahead_s: of the code, which is good once; 30 for a second one."""
    more: list[str] = []
    if who is not None:
        name, file, seed = who
        code = code_at(seed, town.town.now_s + ahead_s)
        more = ["--user", name, "--password-file", str(file), "--totp", code]
    done = command("gateway", *words, *more, ahead_s=town.town.ahead_s)
    return done.returncode, done.stdout + done.stderr


@pytest_twisted.ensureDeferred
async def test_two_people_take_back_what_the_platform_would_not(books_town: BooksTown) -> None:
    town = books_town
    bills = await town.bills(1)
    town.platform.faults = Weather(
        Once("2207", Fault(drop="reset")), Once("2601", Fault(business_error="存在后续业务，不能冲正"))
    )
    assert not (await town.pay(bills))[0].done
    await town.until_quiet()
    msgid, config = bills[0].tries[-1].msgid, str(town.town.config)
    assert town.standing() == {msgid}

    def story() -> dict[str, object]:
        code, said = run(town, ["journal", "show", config, msgid, "--json"])
        assert code == 0, said
        found: dict[str, object] = json.loads(said)["rows"][0]
        return found

    def work() -> None:
        assert story()["state"] == "MANUAL"
        wang, li = ("wang", *enrol(town, "wang", "reconciler")), ("li", *enrol(town, "li", "approver"))
        words = ["journal", "decide", config, msgid, "--institution", HOSPITAL, "--reason", "医保办核实"]
        code, said = run(town, [*words, "--outcome", "reverse", "--json"], wang)
        assert code == 0, said
        number = json.loads(said)["approval"]
        assert story()["state"] == "MANUAL"  # one person alone changes nothing
        code, said = run(town, ["security", "approvals", "approve", config, str(number)], li)
        assert code == 0, said
        code, said = run(town, [*words, "--outcome", "absent"], ("nobody", wang[1], wang[2]))
        assert code == 1, said

    await deferToThread(work)
    await town.until_quiet()
    assert town.standing() == set()
    told = await deferToThread(story)
    assert told["state"] == "REVERSED"
    assert any("两人决定" in str(event) or "decided_" in str(event) for event in told["events"])  # type: ignore[attr-defined]
