"""Statements of a province, over real sockets: whole, true to their totals, and alike before they count."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import csv
import stat
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from province_town import DAY, ProvinceTown

from adapters.crypto.digest import sm3
from adapters.ledgers.source import count, rewrite
from gateway.core.ledgers import NAMES
from gateway.core.money import yuan
from gateway.core.province import LEDGERS, Outcome, Snapshot

ensure: Any = pytest_twisted.ensureDeferred


async def fetch(town: ProvinceTown, ledger: str = "PROV", role: Any = "care", name: str = "") -> Outcome[Snapshot]:
    outcome: Outcome[Snapshot] = await town.port.fetch_statement(
        f"k{ledger}{name}", role, DAY, ledger, town.folder / (name or ledger)
    )
    return outcome


def got(outcome: Outcome[Snapshot]) -> Snapshot:
    assert outcome.kind == "done", outcome
    assert outcome.value is not None
    return outcome.value


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def nothing_is_left(town: ProvinceTown) -> bool:
    return {path.name for path in town.folder.iterdir()} == {"gateway.toml", "province.secret"}


@ensure
async def test_a_statement_becomes_a_ledger_file(province_town: ProvinceTown, tmp_path: Path) -> None:
    town = await province_town.open(rows=10, outside=7)
    for role, ledgers in LEDGERS.items():
        for ledger in ledgers:
            found = got(await fetch(town, ledger, role, f"{role}{ledger}"))
            rows = rows_of(found.path)
            booked = {one.prov_sn: one for one in town.book(ledger) if (one.care == "510800") == (role == "care")}
            assert {row["prov_sn"] for row in rows} == booked.keys()
            assert found.rows == len(rows) == len(booked) == (10 if role == "care" else 7)
            for row in rows:
                one = booked[row["prov_sn"]]
                assert (row["setl_id"], row["msgid"], row["clr_pay_loc"]) == (one.setl_id, one.msgid, one.clr_pay_loc)
                assert {name: row[name] for name in one.amounts} == {n: yuan(fen) for n, fen in one.amounts.items()}
                assert row["hifmi_pay"] == ""  # what the ledger does not carry is absent, not zero
            assert found.sums_fen["medfee_sumamt"] == sum(one.amounts["medfee_sumamt"] for one in booked.values())
            content = found.path.read_bytes()
            assert found.sm3 == sm3(content).hex()
            assert content.splitlines()[1:] == sorted(content.splitlines()[1:])
            assert stat.S_IMODE(found.path.stat().st_mode) == 0o600
            assert (found.complete, found.repeated, found.readings) == (True, 0, 1)  # one page cannot shift
            counted = count(found.path, lambda done: None)
            assert (counted.records, counted.even) == (len(rows), True)
            rewritten = rewrite(found.path, NAMES.index(ledger), counted.header, tmp_path / "again", lambda done: None)
            assert rewritten == len(rows)  # `books files` finds nothing wrong with it


@ensure
async def test_the_same_rows_are_the_same_bytes_however_they_came(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=10)
    whole = got(await fetch(town, name="a"))
    town.wire("page_rows = 3")
    paged = got(await fetch(town, name="b"))
    town.wire("page_rows = 5")  # the last page is empty
    even = got(await fetch(town, name="c"))
    assert whole.sm3 == paged.sm3 == even.sm3
    assert (whole.readings, paged.readings, even.readings) == (1, 2, 2)
    assert town.province.counts["statement"] == 1 + 2 * 4 + 2 * 3


@ensure
async def test_a_province_with_smaller_pages_than_asked_for_is_read_to_its_end(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=10, page_max=4)
    found = got(await fetch(town))
    assert (found.rows, found.readings, town.province.counts["statement"]) == (10, 2, 6)


@ensure
async def test_a_day_without_rows_is_zero_rows_and_complete(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=0)
    found = got(await fetch(town))
    assert (found.rows, found.complete, rows_of(found.path)) == (0, True, [])


@ensure
async def test_a_late_statement_is_not_ready(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=3)
    town.plant("late", until="2026-11-22 09:00:00", ledger="PROV")
    outcome = await fetch(town)
    assert (outcome.kind, outcome.code, outcome.wait) == ("refused", "NOT_READY", True)
    assert nothing_is_left(town)
    assert got(await fetch(town, "INS")).rows == 3  # the other ledger is there
    town.province.faults.planted[0].until = "2026-11-22 07:00:00"
    assert got(await fetch(town)).rows == 3


@ensure
async def test_a_statement_that_calls_itself_incomplete_is_never_complete(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=5)
    town.plant("incomplete", rows=2)
    found = got(await fetch(town))
    assert (found.rows, found.complete) == (3, False)


@pytest.mark.parametrize(
    ("kind", "facts", "code"),
    [
        ("missing_last_page", {}, "TOTALS"),
        ("wrong_totals", {"by_fen": 1}, "TOTALS"),
        ("wrong_totals", {"by_fen": -1}, "TOTALS"),
        ("endless", {}, "TOTALS"),
        ("shifted_pages", {"rows": -1}, "TOTALS"),
    ],
)
@ensure
async def test_a_statement_untrue_to_its_totals_is_no_use(
    province_town: ProvinceTown, kind: str, facts: dict[str, Any], code: str
) -> None:
    """A8: asked for again, as often as is allowed, then nothing of it is used."""
    town = await province_town.open(rows=10)
    town.wire("page_rows = 3\nreadings_max = 3")
    town.plant(kind, **facts)
    outcome = await fetch(town)
    assert (outcome.kind, outcome.code, outcome.wait, outcome.value) == ("unknown", code, True, None)
    assert nothing_is_left(town)
    assert town.province.counts["statement"] <= 3 * 8  # endless pages end


@pytest.mark.parametrize("kind", ["missing_last_page", "wrong_totals", "shifted_pages"])
@ensure
async def test_what_was_wrong_once_is_read_again(province_town: ProvinceTown, kind: str) -> None:
    town = await province_town.open(rows=10)
    undisturbed = got(await fetch(town, name="a"))
    town.wire("page_rows = 3")
    town.plant(kind, times=4)  # the four pages of the first reading
    found = got(await fetch(town, name="b"))
    assert (found.readings, found.sm3) == (3, undisturbed.sm3)


@ensure
async def test_a_book_that_moves_under_the_reading_is_read_until_it_stands(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=10)
    town.wire("page_rows = 3")
    said = town.province.statements.page
    pages = iter(range(100))

    def page(facts: Any) -> Any:
        if next(pages) == 6:  # in the midst of the second reading
            town.plant("missing_row", ledger="PROV", nth=1)
        return said(facts)

    town.province._does = {**town.province._does, "statement": lambda ask: page(ask.facts)}
    found = got(await fetch(town))
    assert (found.rows, found.readings) == (9, 4)


@ensure
async def test_a_repeated_row_stays_and_counts_once(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=4)
    town.plant("repeated_row")
    found = got(await fetch(town))
    assert (found.rows, found.repeated) == (5, 1)
    assert found.sums_fen["medfee_sumamt"] == sum(one.amounts["medfee_sumamt"] for one in town.book("PROV"))


@ensure
async def test_a_statement_with_too_many_rows_is_not_taken(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=6)
    town.wire("rows_max = 5")
    outcome = await fetch(town)
    assert (outcome.kind, outcome.code) == ("unknown", "LIMIT")
    assert nothing_is_left(town)


@ensure
async def test_questions_are_asked_again_when_the_answer_is_lost(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=4)
    for kind in ("lose_answer", "cut"):
        town.plant(kind, op="statement", times=1)
    town.plant("system_error", op="statement", times=1)
    outcome = await fetch(town)
    assert outcome.kind == "unknown"  # three in a row are enough: it waits for another time
    assert got(await fetch(town)).rows == 4


@ensure
async def test_nobody_there_and_a_foreign_secret_are_not_sent(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=1)
    town.wire(secret=b"another")
    outcome = await fetch(town)
    assert (outcome.kind, outcome.code) == ("not_sent", "DENIED")
    town.wire(port=9)
    outcome = await fetch(town)
    assert (outcome.kind, outcome.code) == ("not_sent", "NOT_SENT")
    assert nothing_is_left(town)


@ensure
async def test_a_disk_that_does_not_take_the_file_is_told(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=1)
    outcome = await town.port.fetch_statement("k", "care", DAY, "PROV", town.folder / "nowhere" / "PROV")
    assert (outcome.kind, outcome.code) == ("not_sent", "DISK")


@ensure
async def test_the_same_question_gets_the_first_answer_and_another_one_a_conflict(province_town: ProvinceTown) -> None:
    """docs/province.md §1: whoever wants to know how it stands now, asks under a new key."""
    town = await province_town.open(rows=3)
    assert got(await fetch(town, name="first")).rows == 3
    town.plant("missing_row", ledger="PROV", nth=1)
    again = await town.port.fetch_statement("kPROVfirst", "care", DAY, "PROV", town.folder / "again")
    assert got(again).rows == 3
    assert got(await fetch(town, name="second")).rows == 2
    other = await town.port.fetch_statement("kPROVfirst", "care", DAY, "INS", town.folder / "other")
    assert (other.kind, other.code) == ("refused", "CONFLICT")
