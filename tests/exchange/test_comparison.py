"""A statement of many settlements: page by page from the journal, its files off the reactor, more than one of them.

Rules: reconciliation specification §3.2.
"""

import attrs
import pytest
from exchange_agency import GROUP, OTHERS, Agency, differing, known_group, zipped
from exchange_messages import HOME, OTHER, pay, refund
from exchange_rig import T0_S, Rig
from exchange_undo import at_once, sent_of

from gateway.core.model import Entry, Op, OpResult, Page
from gateway.exchange.statement import Statement

DAY_S = 86400.0


def asked(rig: Rig, days_back: float = 0.0, institution: str = HOME) -> list[Statement | None]:
    """Ask for a statement; what is told is put into the list."""
    told: list[Statement | None] = []
    since = Entry(
        id=0, fixmedins_code=institution, msgid="", infno="", klass="C", link="national", state="EXTERNAL", digest=b"",
        created_ms=int((rig.clock.seconds() - days_back * DAY_S) * 1000),
    )  # fmt: skip
    rig.room.office.statements.ask(rig.link, since, told.append)
    return told


def multiplied(rig: Rig, count: int, days: int = 1) -> None:
    """Put so many settlements into the journal, spread over the days before now."""
    known_group(rig)
    first = rig.row("m0")
    journal = rig.store.journal
    now_ms = int(rig.clock.seconds() * 1000)
    for number in range(count):
        when_ms = now_ms - days * int(DAY_S * 1000) + (number * days * int(DAY_S * 1000)) // count
        settled = first.settled.replace('"setl_time":"2026-03-02 08:00:00",', "")
        journal.rows[10 + number] = attrs.evolve(
            first, id=10 + number, msgid=f"n{number}", setl_id=f"N{number:06d}", created_ms=when_ms, settled=settled
        )


def spied(rig: Rig) -> list[int]:
    """Note how many rows each look into the journal returns."""
    pages: list[int] = []
    commit = rig.store.commit

    def looked(ops: list[Op]) -> list[OpResult]:
        results = commit(ops)
        pages.extend(len(one.rows) for one in results if isinstance(one, Page))
        return results

    rig.room.queue.store = attrs.make_class("Spy", ["commit"])(looked)
    return pages


def test_twenty_thousand_settlements_are_no_reason_to_have_no_statement() -> None:
    rig, agency = at_once(), Agency()
    rig.far.plays = None
    multiplied(rig, 20_100)
    pages = spied(rig)
    rig.far.plays = agency
    told = asked(rig, days_back=1)
    rig.run(60)
    assert told != [None]
    assert sum(len(text.splitlines()) for text in agency.uploads) == 20_101
    assert max(pages) <= 250  # nothing else has to wait for longer


def test_days_that_are_too_much_for_one_file_have_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.exchange.comparison.FILE_ROWS", 8)
    monkeypatch.setattr("gateway.exchange.comparison.PAGE_ROWS", 3)
    rig, agency = at_once(), Agency()
    rig.run(10 * DAY_S)
    multiplied(rig, 20, days=4)  # five a day
    rig.far.plays = agency
    told = asked(rig, days_back=3)
    rig.run(1)
    (found,) = told
    assert found is not None
    days = [one.message["input"]["data"] for one in sent_of(rig, "3202")]
    assert [(day["stmt_begndate"], day["stmt_enddate"], day["fixmedins_setl_cnt"]) for day in days] == [
        ("2026-03-09", "2026-03-09", 5), ("2026-03-10", "2026-03-10", 5), ("2026-03-11", "2026-03-12", 6),
    ]  # fmt: skip
    lines = [line.split("\t")[0] for text in agency.uploads for line in text.splitlines()]
    assert len(lines) == len(set(lines)) == 16
    names = [one.message["input"]["fsUploadIn"]["filename"] for one in sent_of(rig, "9101")]
    assert len(set(names)) == 3
    assert (found.days[0].isoformat(), found.days[1].isoformat()) == ("2026-03-09", "2026-03-12")


@attrs.define
class Wordy(Agency):
    """One whose result of more than `days_max` days is too much for one file."""

    days_max: int = 1

    def __call__(self, one: object) -> None:
        data = next(iter(one.message["input"].values()))  # type: ignore[attr-defined]
        if one.message["infno"] == "3202":  # type: ignore[attr-defined]
            days = int(data["stmt_enddate"][-2:]) - int(data["stmt_begndate"][-2:]) + 1
            fits = days <= self.days_max
            self.packed = zipped(differing(f"x{data['stmt_begndate'][-2:]}", "1.00")) if fits else zipped("?\n")
        Agency.__call__(self, one)  # type: ignore[arg-type]


def test_a_result_of_several_days_that_cannot_be_used_is_asked_for_in_halves() -> None:
    rig = at_once()
    rig.run(10 * DAY_S)
    known_group(rig)
    rig.far.plays = Wordy()
    told = asked(rig, days_back=4)
    rig.run(3)
    (found,) = told
    assert found is not None
    assert [row.msgid for row in found.theirs] == ["x08", "x09", "x10", "x11", "x12"]
    assert len(sent_of(rig, "3202")) == 9  # five days, and what was too much


def test_one_of_a_day_that_cannot_be_used_is_no_statement() -> None:
    rig = at_once()
    rig.run(10 * DAY_S)
    known_group(rig)
    rig.far.plays = Wordy(days_max=0)
    told = asked(rig, days_back=4)
    rig.run(1)
    assert told == [None]
    assert len(sent_of(rig, "3202")) == 4  # five days, three, two, one: it does not go through all of them


@pytest.mark.parametrize("limit", ["comparison.LINES_MAX", "comparison.FILE_ROWS_MAX", "comparison.GROUPS_MAX"])
def test_what_is_beyond_a_limit_is_not_asked_by_halves(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"gateway.exchange.{limit}", 0)
    rig = at_once()
    known_group(rig)
    rig.far.plays = Agency()
    told = asked(rig)
    rig.run(1)
    assert told == [None]
    assert sent_of(rig, "3202") == []


def test_a_fault_of_ours_while_a_file_is_made_is_no_statement_and_an_alarm() -> None:
    rig = at_once()
    known_group(rig)
    rig.far.plays = Agency()
    rig.room.office.helper = attrs.evolve(rig.room.office.helper, broken=True)  # type: ignore[misc]
    told = asked(rig)
    rig.run(1)
    assert told == [None]
    assert [name for name, _ in rig.watch.alarms] == ["internal_error"]


def test_statements_of_many_institutions_stand_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.exchange.statement.AT_ONCE", 1)
    rig = at_once()
    known_group(rig)
    rig.settle(pay("o1", "B0", psn_no=OTHERS, visit="V0") | {"fixmedins_code": OTHER}, **GROUP)
    rig.far.plays = Agency()
    told = asked(rig), asked(rig, institution=OTHER)
    rig.run(1)
    assert [one != [None] and len(one) for one in told] == [1, 1]
    order = [one.message["fixmedins_code"] for one in rig.far.sent if one.message["infno"] in ("9101", "3202", "9102")]
    assert order == [HOME] * 3 + [OTHER] * 3


def test_a_refund_on_another_page_than_its_settlement_is_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.exchange.comparison.PAGE_ROWS", 1)
    rig, agency = at_once(), Agency()
    setl_id = known_group(rig)
    rig.ask(refund("m1", setl_id, psn_no=OTHERS))
    rig.far.last.settled(**GROUP, setl_id="S-", psn_no=OTHERS, medfee_sumamt=-100, psn_part_amt=-100, psn_cash_pay=-100)
    rig.run()
    assert rig.row("m0").cancelled
    rig.far.plays = agency
    asked(rig)
    rig.run(1)
    (text,) = agency.uploads
    assert [line.split("\t")[0] for line in text.splitlines()] == ["S-", setl_id]
    assert rig.clock.seconds() - T0_S < 10
