"""The security desk on a real store: two people, each step in the trail, nothing past either (T24, T29)."""

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import attrs
import pytest
from two_people import Town

from adapters.store.security import AuditFilter
from adapters.store.security_opening import opened, reading
from gateway.app.security_desk import SCRIPTS, SecurityDesk
from gateway.core.approval import NotAllowed, Person

KIND, SUBJECT, CONTENT = "books.case", "case:17", b'{"decision":"REVERSE"}'


@pytest.fixture
def desk(town: Town) -> Iterator[SecurityDesk]:
    with town.desk() as desk:
        yield desk


def told(desk: SecurityDesk, action: str) -> list[tuple[str, str, str]]:
    return [(row.who, row.subject, row.result) for row in desk.store.found(AuditFilter(action=action), 100)]


def refused(code: str) -> pytest.RaisesExc[NotAllowed]:
    return pytest.RaisesExc(NotAllowed, match=rf"\[{code}\]")


def test_two_people_agree_on_one_content_and_it_is_used_once(town: Town, desk: SecurityDesk) -> None:
    one = desk.approvals.propose(town.person(desk, "wang"), KIND, SUBJECT, CONTENT, "机构已退现金")
    assert [(found.id, found.state, found.reason) for found in desk.approvals.open("books")] == [
        (one.id, "PROPOSED", "机构已退现金")
    ]
    assert desk.approvals.content(one.id) == CONTENT
    with refused("SEC-NOT-APPROVED"):
        desk.approvals.use(KIND, SUBJECT, CONTENT)
    assert desk.approvals.approve(town.person(desk, "li"), one.id).state == "APPROVED"
    for kind, subject, content in ((KIND, SUBJECT, CONTENT + b" "), ("books", SUBJECT, CONTENT), (KIND, "x", CONTENT)):
        with refused("SEC-NOT-APPROVED"):
            desk.approvals.use(kind, subject, content)
    used = desk.approvals.use(KIND, SUBJECT, CONTENT)
    assert (used.state, used.maker, used.checker) == ("USED", "wang", "li")
    with refused("SEC-NOT-APPROVED"):  # a replay
        desk.approvals.use(KIND, SUBJECT, CONTENT)
    with refused("SEC-USED"):
        desk.approvals.approve(town.person(desk, "li"), one.id)
    subject = f"approval:{one.id}"
    assert told(desk, "approval.propose") == [("wang", subject, "ok")]
    assert told(desk, "approval.approve") == [("li", subject, "ok"), ("li", subject, "SEC-USED")]
    assert [row[2] for row in told(desk, "approval.use")] == ["SEC-NOT-APPROVED"] * 4 + ["ok", "SEC-NOT-APPROVED"]


def test_the_same_person_in_two_sessions_is_one_person(town: Town, desk: SecurityDesk) -> None:
    town.reassign(desk, "wang", "reconciler", "approver")  # may hold both roles, but not in one case
    one = desk.approvals.propose(town.person(desk, "wang"), KIND, SUBJECT, CONTENT, "r")
    with refused("SEC-SAME-PERSON"):
        desk.approvals.approve(town.person(desk, "wang"), one.id)
    assert desk.approvals.get(one.id).state == "PROPOSED"
    assert told(desk, "approval.approve") == [("wang", f"approval:{one.id}", "SEC-SAME-PERSON")]


def test_one_session_and_one_certificate_are_one_person(town: Town, desk: SecurityDesk) -> None:
    maker = attrs.evolve(town.person(desk, "wang"), certificate="ab" * 32)
    one = desk.approvals.propose(maker, KIND, SUBJECT, CONTENT, "r")
    checker = town.person(desk, "li")
    with refused("SEC-SAME-SESSION"):
        desk.approvals.approve(attrs.evolve(checker, session=maker.session), one.id)
    with refused("SEC-SAME-CERTIFICATE"):
        desk.approvals.approve(attrs.evolve(checker, certificate=maker.certificate), one.id)
    desk.approvals.approve(checker, one.id)


def test_a_changed_content_voids_what_was_proposed_and_what_was_approved(town: Town, desk: SecurityDesk) -> None:
    wang = town.person(desk, "wang")
    first = desk.approvals.propose(wang, KIND, SUBJECT, CONTENT, "r")
    other = desk.approvals.propose(wang, KIND, "case:18", CONTENT, "r")
    second = desk.approvals.propose(wang, KIND, SUBJECT, CONTENT + b"2", "r")
    with refused("SEC-VOID"):
        desk.approvals.approve(town.person(desk, "li"), first.id)
    desk.approvals.approve(town.person(desk, "li"), second.id)
    desk.approvals.propose(wang, KIND, SUBJECT, CONTENT + b"3", "r")
    with refused("SEC-NOT-APPROVED"):
        desk.approvals.use(KIND, SUBJECT, CONTENT + b"2")
    assert desk.approvals.get(second.id).state == "VOID"
    assert desk.approvals.get(other.id).state == "PROPOSED"


def test_a_proposal_waits_a_day_and_an_approval_three(town: Town, desk: SecurityDesk) -> None:
    wang = town.person(desk, "wang")
    one = desk.approvals.propose(wang, KIND, "a", CONTENT, "r")
    two = desk.approvals.propose(wang, KIND, "b", CONTENT, "r")
    desk.approvals.approve(town.person(desk, "li"), two.id)
    town.now_s += 24 * 3600 + 1
    assert [(found.id, found.state) for found in desk.approvals.listed()] == [(one.id, "EXPIRED"), (two.id, "APPROVED")]
    assert desk.approvals.open() == []
    with refused("SEC-EXPIRED"):
        desk.approvals.approve(town.person(desk, "li"), one.id)
    town.now_s += 48 * 3600
    with refused("SEC-NOT-APPROVED"):
        desk.approvals.use(KIND, "b", CONTENT)
    assert desk.approvals.get(two.id).state == "EXPIRED"


def test_only_who_may_proposes_and_only_the_maker_takes_back(town: Town, desk: SecurityDesk) -> None:
    wang, li, zhao = (town.person(desk, name) for name in ("wang", "li", "zhao"))
    for person in (li, zhao):
        with refused("SEC-RIGHT"):
            desk.approvals.propose(person, KIND, SUBJECT, CONTENT, "r")
    with refused("SEC-KIND"):
        desk.approvals.propose(wang, "codes.map", SUBJECT, CONTENT, "r")
    with refused("SEC-REASON"):
        desk.approvals.propose(wang, KIND, SUBJECT, CONTENT, " ")
    with refused("SEC-CAUSED"):
        desk.approvals.propose(wang, KIND, SUBJECT, CONTENT, "r", caused_by=["wang"])
    one = desk.approvals.propose(wang, KIND, SUBJECT, CONTENT, "r", caused_by=["li"])
    with refused("SEC-CAUSED"):
        desk.approvals.approve(li, one.id)
    with refused("SEC-RIGHT"):
        desk.approvals.withdraw(li, one.id)
    assert desk.approvals.withdraw(wang, one.id).state == "VOID"
    with refused("SEC-APPROVAL"):
        desk.approvals.approve(li, 99)


def test_a_role_that_was_taken_away_acts_no_more_in_a_session_that_is_open(town: Town, desk: SecurityDesk) -> None:
    wang, li = town.person(desk, "wang"), town.person(desk, "li")
    one = desk.approvals.propose(wang, KIND, SUBJECT, CONTENT, "r")
    town.reassign(desk, "li")
    with refused("SEC-RIGHT"):
        desk.approvals.approve(li, one.id)
    desk.people.lock("zhao", "wang", "离岗")
    with refused("SEC-RIGHT"):
        desk.approvals.propose(wang, KIND, SUBJECT, CONTENT, "r")
    with refused("SEC-LOGIN"):
        town.person(desk, "wang")


def test_roles_that_do_not_go_together_are_refused_when_granted_and_when_used(town: Town, desk: SecurityDesk) -> None:
    with refused("SEC-INCOMPATIBLE"):
        town.reassign(desk, "wang", "reconciler", "security")
    with refused("SEC-INCOMPATIBLE"):
        desk.people.add("zhao", "sun", "First-Words-4711x", frozenset({"auditor", "system"}))
    assert desk.people.load("sun") is None
    assert [row[2] for row in told(desk, "account.roles")] == ["SEC-INCOMPATIBLE"]
    # Granted under older rules: the file forbids today what it allowed yesterday.
    desk.people._change("zhao", "account.roles", "wang", "", roles={"reconciler": 1, "auditor": 1})
    with refused("SEC-INCOMPATIBLE"):
        town.person(desk, "wang")


def test_whoever_guesses_is_locked_out_and_learns_no_names(town: Town, desk: SecurityDesk) -> None:
    """T29: five failures lock for half an hour; the name of nobody behaves as that of somebody."""
    codes: dict[str, list[str]] = {}
    for name in ("wang", "nobody"):
        for _ in range(7):
            with pytest.raises(NotAllowed) as cause:
                desk.authenticate(name, "Wrong-Guess-123", totp="000000")
            codes.setdefault(name, []).append(str(cause.value))
            town.now_s += 9
    assert codes["wang"] == codes["nobody"]
    assert [text[1:-1].split("]")[0] for text in codes["wang"]] == ["SEC-LOGIN"] * 5 + ["SEC-LOCKED"] * 2
    with refused("SEC-LOCKED"):  # the right password does not help now
        town.person(desk, "wang")
    town.now_s += 1800
    assert town.person(desk, "wang").name == "wang"
    who = [row[0] for row in told(desk, "login.refused")]
    assert set(who) == {"wang", "unknown"}  # what was typed as a name may have been a password
    assert len(who) == 15


def test_the_security_administrator_unlocks(town: Town, desk: SecurityDesk) -> None:
    for _ in range(5):
        with refused("SEC-LOGIN"):
            desk.authenticate("wang", "Wrong-Guess-123", totp="000000")
        town.now_s += 9
    assert desk.people.unlocks_ms("wang")
    desk.people.unlock("zhao", "wang", "本人申请")
    assert town.person(desk, "wang").name == "wang"


def test_too_early_after_a_failure_nothing_is_looked_at(town: Town, desk: SecurityDesk) -> None:
    with refused("SEC-LOGIN"):
        desk.authenticate("wang", "Wrong-Guess-123", totp="000000")
    with refused("SEC-WAIT"):
        desk.authenticate("wang", town.passwords["wang"], totp="000000")
    town.person(desk, "wang")  # half a minute later
    assert desk.store.attempts(desk.people._attempt("wang")) == (0, 0, 0)


def test_a_one_time_code_is_good_once_across_programs(town: Town) -> None:
    code = town.code("wang")
    with town.desk() as desk:
        desk.authenticate("wang", town.passwords["wang"], totp=code)
    with town.desk() as desk, refused("SEC-LOGIN"):
        desk.authenticate("wang", town.passwords["wang"], totp=code)


def test_a_first_password_and_an_old_one_are_changed_before_anything_else(town: Town, desk: SecurityDesk) -> None:
    desk.people.set_password("zhao", "wang", "Reset-Words-4712x")
    with refused("SEC-PASSWORD-CHANGE"):
        desk.authenticate("wang", "Reset-Words-4712x", totp=town.code("wang"))
    desk.people.set_password("wang", "wang", "Third-Lakes-90")
    town.passwords["wang"] = "Third-Lakes-90"
    town.person(desk, "wang")
    town.now_s += 91 * 86_400
    with refused("SEC-PASSWORD-CHANGE"):
        town.person(desk, "wang")


def test_a_session_of_one_factor_looks_and_does_nothing(town: Town, desk: SecurityDesk) -> None:
    looking = desk.authenticate("wang", town.passwords["wang"], factors="one")
    desk.allow(looking, "books.view")
    with refused("SEC-SECOND-FACTOR"):
        desk.allow(looking, "books.run")
    with refused("SEC-SECOND-FACTOR"):
        desk.approvals.propose(looking, KIND, SUBJECT, CONTENT, "r")
    one = desk.approvals.propose(town.person(desk, "wang"), KIND, SUBJECT, CONTENT, "r")
    with refused("SEC-SECOND-FACTOR"):
        desk.approvals.approve(desk.authenticate("li", town.passwords["li"], factors="one"), one.id)


def test_every_row_of_a_person_names_its_roles(town: Town, desk: SecurityDesk) -> None:
    town.person(desk, "wang")
    desk.people.lock("wang", "wang", "r")  # a row about oneself
    rows = desk.store.found(AuditFilter(who="wang"), 100)
    assert [(row.action, row.roles) for row in rows[-2:]] == [("login", "reconciler"), ("account.lock", "reconciler")]


def test_what_somebody_may_is_asked_and_noted(town: Town, desk: SecurityDesk) -> None:
    wang = town.person(desk, "wang")
    desk.allow(wang, "books.run")
    assert desk.store.uses() == {("wang", "reconciler"): int(town.now_s * 1000)}
    with refused("SEC-RIGHT"):
        desk.allow(wang, "month.build")
    assert told(desk, "right.refused") == [("wang", "month.build", "SEC-RIGHT")]


def test_an_account_or_an_approval_put_back_by_hand_is_not_taken(town: Town) -> None:
    """A database administrator who undoes a revocation, or makes a used approval usable again."""
    with closing(sqlite3.connect(town.store, isolation_level=None)) as base:
        before = base.execute("SELECT sealed FROM account WHERE name = 'wang'").fetchone()[0]
        with town.desk() as desk:
            wang: Person = town.person(desk, "wang")
            one = desk.approvals.propose(wang, KIND, SUBJECT, CONTENT, "r")
            desk.approvals.approve(town.person(desk, "li"), one.id)
            approved = base.execute("SELECT state, used_ms, mac FROM approval").fetchone()
            desk.approvals.use(KIND, SUBJECT, CONTENT)
            desk.people.lock("zhao", "wang", "离岗")
        with pytest.raises(sqlite3.IntegrityError, match="what has ended stays"):
            base.execute("UPDATE approval SET state = 'APPROVED'")
        base.execute("DROP TRIGGER approval_end_stays")
        base.execute("UPDATE approval SET state = ?, used_ms = ?, mac = ?", approved)
        base.execute("UPDATE account SET sealed = ? WHERE name = 'wang'", (before,))
    with town.desk() as desk:
        with refused("SEC-TAMPERED"):
            desk.approvals.use(KIND, SUBJECT, CONTENT)
        with refused("SEC-TAMPERED"):
            town.person(desk, "wang")


def test_who_looks_while_the_store_is_made_waits_for_it(tmp_path: Path) -> None:
    """A node makes its room at its first start, and asks it whether anything is on hold."""
    path, ready, seen = tmp_path / "s.sqlite", tmp_path / "ready", list[object]()
    with opened(ready, SCRIPTS, lambda: "x"):
        pass
    path.touch()

    def look() -> None:
        with reading(path, len(SCRIPTS)) as store:
            seen.append(store is not None and store.head()[0])

    beside = threading.Thread(target=look)
    with open(f"{path}.lock", "w") as lock:  # as one holds it that makes the store
        fcntl.flock(lock, fcntl.LOCK_EX)
        beside.start()
        beside.join(0.3)
        assert beside.is_alive()
        with closing(sqlite3.connect(ready)) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)
    beside.join()
    assert seen == [0]
