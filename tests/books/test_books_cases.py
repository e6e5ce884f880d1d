"""Cases on the command line: one person decides at once, two through the security room, and nothing twice."""

import copy
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from two_people import Town

from adapters.store.books import BooksStore, Planned, Run
from adapters.store.books_cases import BooksCases
from adapters.store.books_month import MonthReader
from gateway.app.books_shelf import SCRIPTS
from gateway.app.cli import cli
from gateway.app.say import Outside
from gateway.core.booked import DayRow, DiffRow

DAY, CODE = "2026-11-17", "H99010300001"
DIFF = DiffRow(
    diff_id="d1", role="care", scope=CODE, biz_date=DAY, leg="L1", name="L1-CENTER-MORE", row="", mode="TWO",
    action="CASE", prevails="INST", setl_id="", msgid="M1", fixmedins_code=CODE, component="medfee_sumamt",
    left_fen=None, right_fen=12_345, note="", agreed=False, first_revision=1, last_revision=1, state="OPEN",
    changed_ms=1,
)  # fmt: skip
ONE = attrs.evolve(DIFF, diff_id="d2", name="L1-GW-MISSING", mode="ONE", action="BOOK", setl_id="S2", msgid="M2")


class Desk:
    """A town's books with one case of each kind, and its command line."""

    def __init__(self, town: Town, folder: Path) -> None:
        shutil.copytree(town.folder, folder, dirs_exist_ok=True)
        self.town = copy.copy(town)
        self.town.folder, self.town.file = folder, folder / town.file.name
        with self.store() as store:
            plans = {one.diff_id: [Planned(mode=one.mode, until_ms=2_000_000_000_000)] for one in (DIFF, ONE)}
            store.write_lines([(one, plans[one.diff_id]) for one in (DIFF, ONE)], 1)
            run = Run(run_id="r", role="care", biz_date=DAY, revision=1, at_ms=1, agreed=False, keys=2, summary={})
            store.bring_into_force(run, (), ())

    def store(self) -> Any:
        return closing(BooksStore.open(self.town.config.room("books"), SCRIPTS))

    def run(self, *words: str, who: str = "", code: int = 0) -> Any:
        """Run a command as somebody; return its object."""
        if who:
            password = self.town.folder / f"{who}.password"
            password.write_text(self.town.passwords[who], "utf-8")
            password.chmod(0o600)
            words = (*words, "--user", who, "--password-file", str(password), "--totp", self.town.code(who))
        outside = Outside(
            run_node=lambda config: 1, simulate=lambda words: 1, now=lambda: self.town.now_s, entropy=self.town.entropy
        )
        done = CliRunner().invoke(cli, [*words, "--json"], obj=outside)
        assert done.exit_code == code, (done.output, done.exception)
        return json.loads(done.stdout)

    def decide(self, case: int, decision: str, who: str = "zhang", code: int = 0) -> Any:
        words = ("books", "decide", str(self.town.file), str(case), "--decision", decision, "--reason", "已电话核实")
        return self.run(*words, who=who, code=code)

    def approve(self, number: int, who: str = "li", code: int = 0) -> Any:
        return self.run("security", "approvals", "approve", str(self.town.file), str(number), who=who, code=code)

    def actions(self) -> list[tuple[str, str, str, str]]:
        with self.store() as store:
            found = BooksCases(store.connection).actions(("PLANNED", "SENT", "DONE", "FAILED"))
            return [(one.diff.diff_id, one.kind, one.party, one.state) for one in found]

    def states(self) -> dict[str, tuple[str, str]]:
        with self.store() as store:
            cases = BooksCases(store.connection).cases(("OPEN", "PROPOSED", "DECIDED", "CLOSED"))
            return {one.diff.diff_id: (one.state, one.diff.state) for one in cases}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A town with three people, made once: passwords are slow on purpose."""
    town = Town(tmp_path_factory.mktemp("town"))
    town.add("zhang", "reconciler")
    town.add("li", "approver")
    town.add("wang", "operator")
    return town


@pytest.fixture
def desk(people: Town, tmp_path: Path) -> Desk:
    return Desk(people, tmp_path)


def test_cases_are_listed_with_who_decides_and_until_when(desk: Desk) -> None:
    found = desk.run("books", "cases", str(desk.town.file), "--date", DAY, code=3)
    assert [(one["class"], one["mode"], one["right_amt"]) for one in found["cases"]] == [
        ("L1-CENTER-MORE", "TWO", "123.45"), ("L1-GW-MISSING", "ONE", "123.45"),
    ]  # fmt: skip


def test_one_person_decides_at_once_and_only_once(desk: Desk) -> None:
    assert desk.decide(2, "accept", who="wang")["carried_out"] is True
    assert desk.states()["d2"] == ("CLOSED", "RESOLVED")
    assert desk.actions() == []
    assert "已经有了决定" in str(desk.decide(2, "accept", code=1))


def test_nobody_writes_off_a_difference_in_money(desk: Desk) -> None:
    """A5 cannot be frozen, A7 knows no write-off (§5.3); a single person's word made the day agree all the same."""
    with desk.store() as store:
        store.connection.execute("UPDATE diff SET class = 'COMP_SPLIT', \"row\" = 'A5' WHERE diff_id = 'd2'")
    assert "[BD-MONEY]" in str(desk.decide(2, "accept", who="wang", code=1))
    assert desk.states()["d2"] == ("OPEN", "OPEN")
    proposed = desk.decide(2, "carry")
    assert proposed["carried_out"] is False
    desk.approve(proposed["approval"])
    assert desk.states()["d2"] == ("CLOSED", "CARRIED")


def test_two_people_reverse_and_the_node_finds_the_action_planned(desk: Desk) -> None:
    proposed = desk.decide(1, "reverse")
    assert (proposed["carried_out"], desk.states()["d1"], desk.actions()) == (False, ("PROPOSED", "OPEN"), [])
    desk.approve(proposed["approval"], who="zhang", code=1)  # not by the same person
    assert desk.actions() == []
    desk.approve(proposed["approval"])
    assert desk.states()["d1"] == ("DECIDED", "OPEN")
    assert desk.actions() == [("d1", "REVERSE", "AGY", "PLANNED")]
    desk.approve(proposed["approval"], code=1)
    assert len(desk.actions()) == 1


def test_what_changed_meanwhile_is_not_carried_out(desk: Desk) -> None:
    proposed = desk.decide(1, "reverse")
    with desk.store() as store:
        store.write_lines([(attrs.evolve(DIFF, right_fen=99, last_revision=1), [])], 2)
    desk.approve(proposed["approval"], code=1)
    assert (desk.states()["d1"][0], desk.actions()) == ("PROPOSED", [])


def test_carrying_over_takes_two_and_leaves_it_out(desk: Desk) -> None:
    proposed = desk.decide(2, "carry")
    assert proposed["carried_out"] is False
    desk.approve(proposed["approval"])
    assert (desk.states()["d2"], desk.actions()) == (("CLOSED", "CARRIED"), [])


def test_all_who_ever_decided_a_case_reconciled_its_month(desk: Desk) -> None:
    """A case that was opened again forgot who decided it first, and never knew who approved (BM-DUTY)."""
    desk.decide(2, "accept", who="wang")
    with desk.store() as store:
        assert MonthReader(store.connection).reconcilers(DAY[:7]) == {"wang"}
        BooksCases(store.connection).give_to_people("d2", 9, 9)
    proposed = desk.decide(2, "carry")
    with desk.store() as store:
        assert MonthReader(store.connection).reconcilers(DAY[:7]) == {"wang", "zhang"}
    desk.approve(proposed["approval"])
    with desk.store() as store:
        look = MonthReader(store.connection)
        assert (look.reconcilers(DAY[:7]), look.reconcilers("2025-01")) == ({"wang", "zhang", "li"}, frozenset())
        with pytest.raises(sqlite3.IntegrityError, match="kept"):
            store.connection.execute("DELETE FROM recon_decision")


def test_an_approver_may_not_decide_and_a_frozen_day_takes_no_decision(desk: Desk) -> None:
    desk.decide(2, "accept", who="li", code=1)
    with desk.store() as store:
        frozen = DayRow(role="care", scope="*", biz_date=DAY, state="FROZEN", revision=1, changed_ms=1, note="")
        store.set_days([frozen])
    assert "已固化" in str(desk.decide(2, "accept", code=1))
    assert desk.states()["d2"] == ("OPEN", "OPEN")
