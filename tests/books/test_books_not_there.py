"""What a party has not told, or told while the day went on, is never read as nothing (§4.2, annex B4)."""

import csv
import subprocess
import sys
from pathlib import Path

import attrs
import msgspec
import pytest
from test_books_derive import answered
from test_books_run import DAY, NOW_MS, A, City, cells

from adapters.store.books import EARLY
from adapters.store.books_cases import BooksCases
from gateway.app.books_derive import derive
from gateway.app.books_handin import hand_in
from gateway.app.books_tasks import Reconcile, RunTask, Task
from gateway.books.plans import closes_ms
from gateway.books.scope import NothingToCompare
from gateway.core.ledgers import AGY, GW, INS, INST, NAMES, PROV

BAD = "P1\tx\n"  # a result of 3202 that cannot be used


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(tmp_path)


def planned(city: City) -> list[str]:
    with city.store().connection as connection:
        return [one.kind for one in BooksCases(connection).actions(("PLANNED",))]


@pytest.mark.parametrize("lacking", [AGY, PROV, INS])
def test_the_insured_role_waits_for_every_ledger_the_province_owes(city: City, lacking: int) -> None:
    """Without leg L3 the day agreed; without L4's other side the run broke."""
    for ledger in {AGY, PROV, INS} - {lacking}:
        city.put(ledger, "insured", cells(1, prov_sn="N1"))
    found = city.run(role="insured", province=True)
    told = {} if lacking == AGY else {"WITHHELD": 1}  # the two others agree whatever the care side has
    assert (found.days, found.summary["classes"]) == ({"*": "WAIT_INPUT"}, told)
    with city.store().connection as connection:
        [note] = connection.execute("SELECT note FROM recon_day WHERE role = 'insured'").fetchone()
    assert (note, planned(city)) == (NAMES[lacking], [])
    city.put(lacking, "insured", cells(1, prov_sn="N1"))
    assert city.run(role="insured", province=True).days == {"*": "AGREED"}


def test_nothing_is_reversed_at_the_place_of_insurance_by_an_incomplete_statement_of_the_care_side(city: City) -> None:
    """L4-INSURED-MORE is AUTO where the care agency has nothing either; here nobody knows whether it has."""
    city.put(INS, "insured", cells(1, prov_sn="N1"))
    city.put(PROV, "insured")
    city.put(AGY, "insured", whole=False)
    found = city.run(role="insured")
    assert (found.summary["classes"], found.days["*"], planned(city)) == ({"WITHHELD": 1}, "WAIT_INPUT", [])
    city.put(AGY, "insured")
    assert city.run(role="insured").summary["classes"] == {"L4-INSURED-MORE": 1}
    assert planned(city) == ["REVERSE"]


def test_a_city_whose_place_of_insurance_said_nothing_has_not_agreed(city: City) -> None:
    for ledger, scope in ((INST, A), (AGY, A), (GW, "*"), (PROV, "*")):
        city.put(ledger, scope, cells(1, clr_pay_loc="3"))
    assert city.run(province=True).days == {A: "AGREED", "*": "WAIT_INPUT"}
    city.put(INS, "*", cells(1, clr_pay_loc="3"))
    assert city.run(province=True).days["*"] == "AGREED"


def test_two_ledgers_that_cannot_be_compared_are_told_and_not_a_crash(city: City, tmp_path: Path) -> None:
    city.put(PROV, "insured", cells(1))
    with pytest.raises(NothingToCompare):
        city.run(role="insured")
    task = RunTask(
        store=str(city.config.room("books")), data=str(tmp_path / "var"), date=DAY, role="insured", now_ms=NOW_MS,
        institutions=[A], asked_ms={},
    )  # fmt: skip
    file = tmp_path / "task.json"
    file.write_bytes(msgspec.json.encode(Reconcile(run=task)))
    words = [sys.executable, "-m", "gateway.app.books_child", "reconcile", str(file)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert b"[BK-NOTHING]" in child.stdout.read()
    assert child.returncode == 0


# --- what was told while the day went on ---


def asked(city: City, result: str | None, early: bool = False) -> None:
    """The node asks for A's day; None = 3201 says it is balanced (nothing)."""
    task = Task(
        journal="", store=str(city.config.room("books")), data=str(city.folder / "var"), date=DAY, now_ms=1, number=1,
        institutions={}, early=early,
    )  # fmt: skip
    task.workplace.mkdir(parents=True, exist_ok=True)
    derive(task, [answered(task, result, unbalanced=bool(result))])


def test_an_agencys_word_of_the_afternoon_is_not_its_word_of_the_day(city: City) -> None:
    """At night it could not be asked; by its word of the afternoon it lacked the whole evening."""
    city.put(INST, A)
    city.put(GW, "*")
    asked(city, None, early=True)
    looked = city.run(provisional=True)
    assert (looked.days[A], looked.summary["classes"]) == ("COLLECTING", {})
    asked(city, BAD, early=True)  # in a look the last whole word will do
    city.put(INST, A, cells(1))
    city.put(GW, "*", cells(1))
    assert city.run(provisional=True).summary["classes"] == {"L1-AGY-MISSING": 1}
    asked(city, BAD)
    night = city.run()
    assert (night.days[A], night.summary["classes"]) == ("WAIT_INPUT", {"WITHHELD": 1})


def test_the_same_word_after_the_day_counts(city: City) -> None:
    """A day without settlements: the bytes are those of the afternoon."""
    for ledger, scope in ((INST, A), (GW, "*")):
        city.put(ledger, scope)
    asked(city, None, early=True)
    assert city.run().days[A] == "WAIT_INPUT"
    asked(city, None)
    assert city.run().days == {A: "AGREED", "*": "AGREED"}


def test_a_provinces_statement_of_the_afternoon_is_incomplete_at_night(city: City) -> None:
    """A reversal at the place of insurance is AUTO where neither province nor agency has the record."""
    for ledger, scope in ((INST, A), (AGY, A), (GW, "*")):
        city.put(ledger, scope)
    city.put(INS, "*", cells(1, prov_sn="N1"))
    store = city.store()
    [ins] = [one for one in store.inputs(DAY) if one.ledger == "INS"]
    [empty] = [one for one in store.inputs(DAY) if one.ledger == "GW"]
    store.add_input(attrs.evolve(empty, id=0, ledger="PROV", source=f"{EARLY}:province:1", who="node"))
    store.close()
    found = city.run(province=True)
    assert (ins.complete, found.days["*"], planned(city)) == (True, "WAIT_INPUT", [])


EVENING = {"setl_time": f"{DAY} 22:00:00"}
CLOSES_MS = closes_ms(DAY, "24:30")


def put_at(city: City, at_ms: int, ledger: int, scope: str, *rows: dict[str, str]) -> bool:
    """Hand a file with its marker in at a moment; say whether it counts as complete."""
    file = city.folder / "early.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*cells(0)])
        writer.writeheader()
        writer.writerows(rows)
    return hand_in(city.config, ledger, scope, DAY, file, {"rows": len(rows)}, "t", at_ms).complete


@pytest.mark.parametrize(("scope", "hours", "reversed_by_itself"), [(A, -7, False), ("*", -7, False), (A, 1, True)])
def test_what_was_settled_after_an_institution_closed_its_file_is_not_reversed_by_itself(
    city: City, scope: str, hours: int, reversed_by_itself: bool
) -> None:
    """A pharmacy signed off at half past five, sold something at ten, and the answer never came: its file cannot say
    that it did not (§5.3, guards 1 and 2)."""
    city.put(GW, "*", cells(1, delivered="0", **EVENING))
    city.put(AGY, A, cells(1, **EVENING))
    assert put_at(city, CLOSES_MS + hours * 3_600_000, INST, scope)
    found = city.run(closes_ms=CLOSES_MS)
    assert (found.summary["classes"], found.days[A]) == ({"L1-INST-MISSING": 1}, "L1_DIFF")
    assert city.run(closes_ms=CLOSES_MS).same
    assert planned(city) == (["REVERSE"] if reversed_by_itself else [])
    with city.store().connection as connection:
        open_ones = [one.mode for one in BooksCases(connection).cases(("OPEN",))]
    assert open_ones == ([] if reversed_by_itself else ["TWO"])


def test_a_file_that_is_handed_in_again_after_the_day_is_the_ledger_of_the_day(city: City) -> None:
    """The same bytes kept the time at which they first came: two people decided what the gateway could by itself."""
    city.put(GW, "*", cells(1, delivered="0", **EVENING))
    city.put(AGY, A, cells(1, **EVENING))
    put_at(city, CLOSES_MS - 7 * 3_600_000, INST, A)
    city.run(closes_ms=CLOSES_MS)
    put_at(city, CLOSES_MS - 1, INST, A)  # says nothing new
    assert city.run(closes_ms=CLOSES_MS).same and planned(city) == []
    put_at(city, CLOSES_MS + 1, INST, A)
    over = city.run(closes_ms=CLOSES_MS)
    assert (over.same, over.revision, planned(city)) == (False, 2, ["REVERSE"])
    put_at(city, CLOSES_MS + 2, INST, A)
    assert city.run(closes_ms=CLOSES_MS).same


@pytest.mark.parametrize(("ledger", "scope"), [(AGY, A), (AGY, "*"), (PROV, "*"), (INS, "*")])
def test_an_export_of_a_day_that_goes_on_is_not_the_ledger_of_the_day(city: City, ledger: int, scope: str) -> None:
    assert put_at(city, CLOSES_MS - 1, ledger, scope, cells(1)) is False
    assert put_at(city, CLOSES_MS, ledger, scope, cells(1)) is True
