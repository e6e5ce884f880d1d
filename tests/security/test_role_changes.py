"""Roles are granted and taken away by two people, and never so that one person holds what must be held apart."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from test_cli import FIRST, Room, options, staffed
from two_people import Town

from gateway.app.config import read_config
from gateway.app.security_roles import carry_out
from gateway.core.approval import NotAllowed
from gateway.security.changing import change_of

WHY = ("--reason", "调岗")
__all__ = ["staffed"]  # a fixture of the command line's tests


@pytest.fixture
def office(staffed: tuple[Room, Town]) -> tuple[Room, dict[str, list[str]]]:
    """The town with a second person for roles; the options by which everybody acts."""
    room, town = staffed
    with town.desk() as desk:
        town.reassign(desk, "li", "approver", "system")
    room.now_s = town.now_s
    return room, {name: options(room, town, name) for name in town.passwords}


def roles(room: Room, name: str) -> list[str]:
    found: list[str] = room.told("user", "show", name)["roles"]
    return found


def test_a_role_is_held_only_after_a_second_person_approved(office: tuple[Room, dict[str, list[str]]]) -> None:
    room, who = office
    said = room.security("user", "grant", "wang", "finance", *WHY, *who["zhao"]).stdout
    typed = said.split("liangding ")[1].split(" --user")[0].split()  # as somebody copies it
    assert typed[:-1] == ["security", "approvals", "approve", room.config] and roles(room, "wang") == ["reconciler"]
    number = typed[-1]
    assert "SEC-SAME-PERSON" in room.security("approvals", "approve", number, *who["zhao"], code=1).stderr
    assert "SEC-RIGHT" in room.security("approvals", "approve", number, *who["wang"], code=1).stderr
    assert "授予：财务（wang）" in room.security("approvals", "approve", number, *who["li"]).stdout
    assert roles(room, "wang") == ["reconciler", "finance"]
    number = str(room.told("user", "revoke", "wang", "reconciler", *WHY, *who["zhao"])["approval"])
    assert roles(room, "wang") == ["reconciler", "finance"]
    room.security("approvals", "approve", number, *who["li"])
    assert roles(room, "wang") == ["finance"]
    rows = json_rows(room)
    assert [(row["who"], row["subject"], row["approval"]) for row in rows][-1] == ("li", "account:wang", int(number))
    assert "收回：对账员：调岗" in rows[-1]["reason"]
    assert room.run("audit", "verify", room.config).stdout.startswith("审计记录完整")


def json_rows(room: Room) -> list[dict[str, object]]:
    told = room.run("audit", "list", room.config, "--action", "account.roles", "--json").stdout
    found: list[dict[str, object]] = json.loads(told)["rows"]
    return found


@pytest.mark.parametrize(
    ("verb", "name", "role", "code"),
    [
        ("grant", "wang", "auditor", "SEC-INCOMPATIBLE"), ("grant", "wang", "security", "SEC-INCOMPATIBLE"),
        ("grant", "zhao", "system", "SEC-OWN-ROLES"), ("grant", "wang", "reconciler", "SEC-ROLE"),
        ("revoke", "wang", "finance", "SEC-ROLE"), ("grant", "nobody", "finance", "SEC-NAME"),
    ],
)  # fmt: skip
def test_what_may_not_be_is_refused_when_it_is_asked_for(
    office: tuple[Room, dict[str, list[str]]], verb: str, name: str, role: str, code: str
) -> None:
    room, who = office
    assert code in room.security("user", verb, name, role, *WHY, *who["zhao"], code=1).stderr
    assert room.told("approvals", "list", "--kind", "security")["count"] == 0
    assert "SEC-RIGHT" in room.security("user", "grant", "wang", "finance", *WHY, *who["li"], code=1).stderr


def test_what_became_impossible_meanwhile_is_refused_when_it_is_approved(
    office: tuple[Room, dict[str, list[str]]], staffed: tuple[Room, Town]
) -> None:
    room, who = office
    _, town = staffed
    number = str(room.told("user", "grant", "wang", "finance", *WHY, *who["zhao"])["approval"])
    with town.desk() as desk:
        town.reassign(desk, "wang", "system")
    refused = room.security("approvals", "approve", number, *who["li"], code=1).stderr
    assert "SEC-CHANGED" in refused and roles(room, "wang") == ["system"]
    assert [row["state"] for row in room.told("approvals", "list")["rows"]] == ["PROPOSED"]  # not used up
    # The rules themselves may have changed since: granted on today's rules, looked at under tomorrow's.
    with town.desk() as desk:
        zhao, li = town.person(desk, "zhao"), town.person(desk, "li")
        content = change_of("wang", ["system"], ["auditor"], [], desk.roles).content()
        desk.approvals.judges = {}
        one = desk.approvals.propose(zhao, "security.roles", "wang", content, "r")
    with town.desk() as desk, pytest.raises(NotAllowed, match="SEC-INCOMPATIBLE"):
        desk.approvals.approve(li, one.id)


def test_nobody_approves_a_change_of_the_own_roles(
    office: tuple[Room, dict[str, list[str]]], staffed: tuple[Room, Town]
) -> None:
    room, who = office
    number = str(room.told("user", "grant", "li", "finance", *WHY, *who["zhao"])["approval"])
    assert "SEC-OWN-ROLES" in room.security("approvals", "approve", number, *who["li"], code=1).stderr
    assert roles(room, "li") == ["approver", "system"]


def test_carried_out_twice_it_is_done_once(
    office: tuple[Room, dict[str, list[str]]], staffed: tuple[Room, Town]
) -> None:
    """A crash between the change and the note that the approval was used: `execute` does nothing more."""
    room, who = office
    number = room.told("user", "grant", "wang", "finance", *WHY, *who["zhao"])["approval"]
    room.security("approvals", "approve", str(number), *who["li"])
    _, town = staffed
    with town.desk() as desk:
        one, content = desk.approvals.get(number), desk.approvals.content(number)
        town.reassign(desk, "wang", "reconciler")  # taken away again since

    class Again:
        now = staticmethod(lambda: room.now_s)
        entropy = staticmethod(room.entropy)

    assert carry_out(read_config(Path(room.config)), one, content, Again).endswith("先前已办")  # type: ignore[arg-type]
    assert roles(room, "wang") == ["reconciler"]


def test_the_second_person_comes_without_two_exactly_once(tmp_path: Path) -> None:
    room = Room(tmp_path)
    first = ("--new-password-file", room.password(FIRST))
    room.security("user", "add", "root", "--role", "security", *first)
    root = room.enrol("root", "Quiet-Lakes-83")
    assert room.told("user", "add", "chen", "--role", "security", *first, *root)["user"]["roles"] == ["security"]
    third = room.told("user", "add", "eve", "--role", "system", *first, *root)
    assert third["approval"] == 1 and third["user"]["roles"] == []
    with closing(sqlite3.connect(tmp_path / "var" / "liangding-security.sqlite")) as base:
        assert base.execute("SELECT count(*) FROM audit WHERE who = 'bootstrap'").fetchone() == (1,)
