"""Nobody alone is two people: whose password and second factor went through one administrator's hands does not act
until another one met its owner."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cli import FIRST, Room, options, staffed
from two_people import Town

from gateway.core.approval import NotAllowed
from gateway.security import passwords
from gateway.security.accounts import Account, Policy, confirmed, with_factor, with_password, without_factor

__all__ = ["staffed"]  # a fixture of the command line's tests
WHY = ("--reason", "当面核对证件")


@pytest.fixture
def office(staffed: tuple[Room, Town]) -> tuple[Room, dict[str, list[str]]]:
    """zhao administers; li, the second person, and sun could approve what zhao proposes."""
    room, town = staffed
    town.add("sun", "system")
    with town.desk() as desk:
        town.reassign(desk, "li", "system")
    room.now_s = town.now_s
    pem, key = room.certificate("sun")
    own = ("--password-file", room.password(town.passwords["sun"]), "--totp", town.code("sun"))
    room.now_s = town.now_s
    room.security("user", "certificate", "sun", "--bind", pem, "--bind-key", key, *own)
    return room, {name: options(room, town, name) for name in town.passwords}


def taken_over(room: Room, zhao: list[str]) -> list[str]:
    """What zhao does to act as li: the options by which it would be done."""
    reset = room.password("Reset-Words-4712x")
    room.security("user", "password", "li", "--new-password-file", reset, *zhao)
    for factor in ("totp", "certificate"):
        room.security("user", factor, "li", "--remove", "遗失", *zhao)
    room.now_s += 60
    password = "Stolen-Lakes-66"
    room.security(
        "user", "password", "li", "--password-file", reset, "--new-password-file", room.password(password)
    )  # fmt: skip
    pem, key = room.certificate("not-li")
    own = ("--password-file", room.password(password))
    room.security("user", "certificate", "li", "--bind", pem, "--bind-key", key, *own)
    return room.acting("li", password, pem, key)


def test_one_administrator_cannot_approve_as_somebody_else(office: tuple[Room, dict[str, list[str]]]) -> None:
    room, who = office
    number = str(room.told("user", "grant", "wang", "finance", "--reason", "调岗", *who["zhao"])["approval"])
    as_li = taken_over(room, who["zhao"])
    for words in (("approvals", "approve", number), ("user", "confirm", "li", *WHY)):
        said = room.security(*words, *as_li, code=1).stderr
        assert "SEC-UNCONFIRMED" in said and "经zhao之手" in said and "security user confirm" in said
    assert "SEC-CONFIRM" in room.security("user", "confirm", "li", *WHY, *who["zhao"], code=1).stderr
    assert "待另一名管理员确认" in room.security("user", "list").stdout
    remarks = json.loads(room.run("security", "report", room.config, "--json", code=3).stdout)["remarks"]
    assert [one["name"] for one in remarks if one["kind"] == "unconfirmed"] == ["li"]
    room.now_s += 60
    room.security("user", "confirm", "li", *WHY, *who["sun"])  # the real li was met: all was honest
    room.security("approvals", "approve", number, *as_li)
    rows = json.loads(room.run("audit", "list", room.config, "--action", "account.confirm", "--json").stdout)["rows"]
    assert [(row["who"], row["subject"], row["result"]) for row in rows[-2:]] == [
        ("zhao", "account:li", "SEC-CONFIRM"), ("sun", "account:li", "ok"),
    ]  # fmt: skip
    assert "无须确认" in room.security("user", "confirm", "li", *WHY, *who["sun"], code=1).stderr


def test_one_half_that_was_lost_is_set_by_one_administrator(office: tuple[Room, dict[str, list[str]]]) -> None:
    """A forgotten password, the authenticator still in the owner's hand: nobody has to be met."""
    room, who = office
    reset = room.password("Reset-Words-4712x")
    room.security("user", "password", "li", "--new-password-file", reset, *who["zhao"])
    own = ("--password-file", reset, *who["li"][4:])
    room.security("user", "password", "li", "--new-password-file", room.password("Third-Lakes-90"), *own)
    li = [*who["li"][:2], "--password-file", room.password("Third-Lakes-90"), *who["li"][4:]]
    number = str(room.told("user", "grant", "wang", "finance", "--reason", "调岗", *who["zhao"])["approval"])
    room.security("approvals", "approve", number, *li)


def test_the_second_person_of_all_acts_and_is_told_of_until_a_third_confirms(tmp_path: Path) -> None:
    room = Room(tmp_path)
    first = ("--new-password-file", room.password(FIRST))
    assert room.told("user", "add", "root", "--role", "security", *first)["user"]["hands"] == []
    root = room.enrol("root", "Quiet-Lakes-83")
    said = room.security("user", "add", "chen", "--role", "system", *first, *root).stdout
    assert "由root一人建立" in said
    chen = room.enrol("chen", "Stone-Bridges-29")
    assert room.told("user", "show", "chen")["founder"] and not room.told("user", "show", "chen")["unconfirmed"]
    number = str(room.told("user", "add", "sun", "--role", "system", *first, *root)["approval"])
    room.security("approvals", "approve", number, *chen)
    sun = room.enrol("sun", "Brave-Rivers-41")
    assert "SEC-UNCONFIRMED" in room.security("user", "confirm", "chen", *WHY, *sun, code=1).stderr
    room.security("user", "confirm", "sun", *WHY, *chen)
    assert "unconfirmed" in {one["kind"] for one in report(room)}
    room.security("user", "confirm", "chen", *WHY, *sun)
    assert "unconfirmed" not in {one["kind"] for one in report(room)}


def report(room: Room) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(room.run("security", "report", room.config, "--json", code=3).stdout)[
        "remarks"
    ]
    return found


PEOPLE = ("li", "zhao", "chen")  # li is the owner
STEPS = st.lists(
    st.tuples(st.sampled_from(("reset", "change", "totp", "certificate", "lose totp", "lose certificate")),
              st.sampled_from(PEOPLE)),
    max_size=14,
)  # fmt: skip


@given(STEPS)
def test_whoever_could_act_alone_in_somebodys_name_is_known(steps: list[tuple[str, str]]) -> None:
    """Everybody does all they can with what they know; the account must tell of each who could act alone."""
    account = Account(name="li", created_ms=0)
    with pytest.MonkeyPatch.context() as patch:  # what counts is who set a password, not which
        patch.setattr(passwords, "hashed", lambda *_: "")
        patch.setattr(passwords, "used_before", lambda *_: False)
        account, knows, holds = set_by(account, "zhao"), {"zhao", "li"}, dict[str, str]()
        for step, who in steps:
            can = who in knows and (not holds or who in holds.values())
            if step == "reset" and who != "li":
                account, knows = set_by(account, who), {who, "li"}  # and told the owner
            elif step == "change" and can:
                account, knows = set_by(account, "li"), {who}
            elif step in ("totp", "certificate") and can:
                new = {"seed": b"x"} if step == "totp" else {"certificate": "ab"}
                account, holds = with_factor(account, **new), {**holds, step: who}
            elif step.startswith("lose"):
                account = without_factor(account, "totp" if step == "lose totp" else "certificate")
                holds.pop(step.removeprefix("lose "), None)
            alone = knows & (set(holds.values()) if holds else knows)
            assert alone - {"li"} <= set(account.hands), (steps, account)


def set_by(account: Account, by: str) -> Account:
    return with_password(account, "Quiet-Lakes-83", bytes(16), 0, Policy(), by=by)


def test_who_vouches_is_somebody_else_and_for_an_account_in_use() -> None:
    account = Account(name="li", created_ms=0, password_hands=("zhao",), factor_hands=("zhao",), certificate="ab")
    for by, one in (("zhao", account), ("li", account), ("chen", account)):  # the last: not in use yet
        with pytest.raises(NotAllowed, match="SEC-CONFIRM"):
            confirmed(one, by)


def test_what_one_made_alone_at_the_beginning_one_does_not_make_again() -> None:
    """The exemption of the second person of all ends with the first reset by somebody else."""
    chen = Account(
        name="chen", created_ms=0, founder=True, password_hands=("root",), factor_hands=("root",), seed=b"x",
        must_change=False,
    )  # fmt: skip
    assert chen.hands == ("root",) and not chen.unconfirmed
    assert set_by(chen, "chen").founder and set_by(chen, "root").unconfirmed
    assert without_factor(chen, "totp").unconfirmed
    assert not confirmed(chen, "sun").hands
