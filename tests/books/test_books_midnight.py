"""A settlement near midnight: the agency is asked over two days (T3), and of two frozen days one alone counts it."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from days import PEOPLE, Key
from desk import BACK, DAY, FEES
from test_books_journal import Journal, entry
from test_books_run import NEXT, NOW_MS, A, City, cells
from twisted.internet.defer import Deferred, succeed

from adapters.files import parcel
from adapters.store.books_freeze_writer import FreezeWriter
from gateway.app import books_extract
from gateway.app.books_asking import Asking
from gateway.app.books_derive import derive
from gateway.app.books_extract import Extraction
from gateway.app.books_freezing import CannotFreeze, carry_out, content, plan, read_through, verify
from gateway.app.books_tasks import Asked, Derive, DeriveTask, Task
from gateway.app.codes_orders import GaveUp
from gateway.books.freezing import elsewhere_of
from gateway.core.ledgers import AGY, COMPONENTS, GW, INST
from gateway.core.tables import StatementTable
from gateway.exchange.errands import Outcome

GROUP = ("510800", "11")
TOLD = {"insutype": "310", "clr_type": "11", "clr_optins": "510800", "medfee_sumamt": 10_000,
        "fund_pay_sumamt": 6_000, "psn_part_amt": 4_000, "acct_pay": 1_000}  # fmt: skip
SPLIT = {**FEES, "insutype": "310", "clr_type": "11", "clr_optins": "510800"}
TABLE = StatementTable(
    total=("medfee_sumamt", "stmt_enddate"), detail=("file_qury_no", "stmt_begndate", "stmt_enddate"), next_day=True,
    columns=(("psn_no", "mdtrt_id", "setl_id", "msgid", "stmt_rslt", "refd_setl_flag", "memo",
              "medfee_sumamt", "fund_pay_sumamt", "acct_pay"),),
)  # fmt: skip


@attrs.define(eq=False)
class Agency:
    """What an agency has: own number -> (its date, msgid). asked: the dates of every 3202; deaf: refuses ranges."""

    booked: dict[str, tuple[str, str]]
    workplace: Path
    deaf: bool = False
    asked: list[tuple[str, str]] = attrs.Factory(list)
    _uploads: list[str] = attrs.Factory(list)
    _result: bytes = b""

    async def ask(self, link: object, infno: str, words: Mapping[str, Any], patience_s: float) -> Outcome:
        if infno == "9101":
            packed = base64.b64decode(json.loads(bytes(words["fsUploadIn"]["in"])))
            self._uploads.append(parcel.unpack(packed) or "")
        if infno != "3202":
            told = {"stmtinfo": {"stmt_rslt": "1"}} if infno == "3201" else {"file_qury_no": "F"}
            return Outcome("done", "", told)
        since, until = words["data"]["stmt_begndate"], words["data"]["stmt_enddate"]
        self.asked.append((since, until))
        if self.deaf and since != until:
            raise GaveUp("只能查询一日")
        self._result = parcel.pack("result.txt", self._compared(since, until))
        return Outcome("done", "", {"fileinfo": {"file_qury_no": "F", "filename": "result.zip"}})

    def _compared(self, since: str, until: str) -> str:
        """§3.2: what differs alone; what only the agency has is named by its message."""
        ours = {line.split("\t")[0]: line.split("\t") for line in self._uploads[-1].splitlines()}
        theirs = {number: one for number, one in self.booked.items() if since <= one[0] <= until}
        rows = [
            f"P{number}\tnull\tnull\t{msgid}\t101\t0\tnull\t100.00\t60.00\t10.00"
            for number, (_, msgid) in sorted(theirs.items()) if number not in ours
        ]  # fmt: skip
        for number, line in sorted(ours.items()):
            if number not in theirs:
                rows.append("\t".join([line[2], line[1], number, "null", "102", line[6], "null", *line[3:6]]))
        return "".join(f"{row}\n" for row in rows)

    def db(self, call: Callable[[None], Any]) -> "Deferred[Any]":
        return succeed(call(None))

    def send(
        self, path: bytes, headers: bytes, body: bytes, listener: Any, timeout_s: float, late_s: float = 0.0,
        sink: Callable[[bytes], object] = len,
    ) -> None:  # fmt: skip
        sink(self._result)
        listener.answered(200, b"application/octet-stream", b"", True)


class Town(City):
    """A city with one institution, its journal, and an agency that is asked. Days are run and frozen as people do."""

    def __init__(self, folder: Path, journal: Mapping[str, str], agency: Mapping[str, str]) -> None:
        """journal, agency: number of a settlement -> the time, the date it has there."""
        super().__init__(folder)
        self.journal = journal
        self.store().close()
        self.agency = Agency({number: (day, f"M{number}") for number, day in agency.items()}, folder)
        self.trouble: list[str] = []

    def gather(self, day: str, now_ms: int = NOW_MS, next_day: bool = True) -> None:
        """Extract, ask and derive, as the node does."""
        asked = Asked(count="gross", refund_rows="both", base64=True, empty_groups=True, next_day=next_day)
        task = Task(
            journal="", store=str(self.config.room("books")), data=str(self.folder / "var"), date=day, now_ms=now_ms,
            number=1, institutions={A: asked},
        )  # fmt: skip
        task.workplace.mkdir(parents=True, exist_ok=True)
        for left in task.workplace.glob("dz_*"):
            left.unlink()
        entries = [
            entry(told={**TOLD, "setl_time": at}, setl_id=number, msgid=f"M{number}", psn_no=f"P{number}",
                  mdtrt_id=f"V{number}", delivered=True) for number, at in self.journal.items()
        ]  # fmt: skip
        store = self.store()
        made = Extraction(task, Journal(*entries), ahead_of=books_extract._not_there_yet(task, store))  # type: ignore[arg-type]
        store.close()
        self.put(GW, "*", *made.rows(), day=day)
        group = books_extract._group(task, made, A, GROUP, {"310"})
        region = SimpleNamespace(statement=TABLE)
        link = SimpleNamespace(
            region=region, codec=SimpleNamespace(request=lambda infno, now_s: (b"", b"")),
            breaker=SimpleNamespace(admit=lambda: True, worked=lambda: None),
        )  # fmt: skip
        errands = SimpleNamespace(
            clock=SimpleNamespace(seconds=lambda: 0.0), msgid=lambda code: "1", body=lambda *words: b""
        )
        self.agency.workplace = task.workplace
        asking = Asking(
            institution=A, link=link, files=self.agency, errands=errands, work=self.agency, workplace=task.workplace,  # type: ignore[arg-type]
            day=date.fromisoformat(day), patience_s=1.0,
        )  # fmt: skip
        found: list[Derive] = []
        Deferred.fromCoroutine(asking.ask([group])).addCallback(found.append)
        self.trouble = DeriveTask(task=task, answers=found).trouble
        derive(task, found)

    def books(self, day: str, *numbers: str) -> None:
        """The institution hands in what it has of a day, by its journal's times."""
        mine = {number: at for number, at in self.journal.items() if at[:10] == day}
        rows = [self.inst(number, at) for number, at in mine.items() if not numbers or number in numbers]
        self.put(INST, A, *rows, day=day)

    def inst(self, number: str, at: str) -> dict[str, str]:
        ids = {"setl_id": number, "mdtrt_id": f"V{number}", "psn_no": f"P{number}", "msgid": f"M{number}"}
        return {"fixmedins_code": A, "direction": "0", "setl_time": at, **ids, **FEES}

    def day(self, day: str, **more: Any) -> tuple[dict[str, int], str]:
        """Gather and run; return the classes and where the institution's day stands."""
        self.gather(day, **more)
        ran = self.run(date=day)
        return ran.summary["classes"], ran.days[A]  # type: ignore[return-value]

    def freeze(self, day: str) -> None:
        store = self.store()
        writer = FreezeWriter(store.connection)
        planned = plan(writer, self.folder / "var", "care", A, day, province=False)
        approved = content(planned, read_through(planned))
        carry_out(writer, planned, approved, PEOPLE, Key(), 1, True)
        store.close()

    def frozen(self) -> list[tuple[str, str, int | None, int | None]]:
        """Return (date, number, medfee, psn_part_amt) of every fee; the chain holds."""
        look = FreezeWriter(self.store().connection)
        assert verify(look, Key()) == []
        at = [COMPONENTS.index(name) for name in ("medfee_sumamt", "psn_part_amt")]
        rows = [(one.biz_date, row) for one in look.all() if not one.opened for row in look.fees(one.id)]
        return [(day, row[1], row[11][at[0]], row[11][at[1]]) for day, row in sorted(rows)]


LATE, EARLY = f"{DAY} 23:59:58", f"{NEXT} 00:00:03"
BOTH = {"S1": f"{DAY} 10:00:00", "S2": LATE, "S3": f"{NEXT} 10:00:00"}
OURS_LATE = {"S1": DAY, "S2": NEXT, "S3": NEXT}  # the agency booked S2 after midnight


@pytest.mark.parametrize("order", [(DAY, NEXT), (NEXT, DAY)])
def test_the_agencys_next_day_is_asked_and_one_of_two_frozen_days_counts_it(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    """The day agrees in its own run, before the next one has run; whichever is frozen first, each counts once."""
    town = Town(tmp_path, BOTH, OURS_LATE)
    town.books(DAY)
    assert town.day(DAY) == ({"TIMING": 1}, "AGREED")
    assert town.agency.asked == [(DAY, DAY), (DAY, NEXT)]
    [ahead] = [one for one in town.store().inputs(NEXT) if one.ledger == "AGY"]
    assert (ahead.rows, ahead.complete, ahead.who) == (1, False, "node")
    if order[0] == DAY:
        town.freeze(DAY)
    town.books(NEXT)
    assert town.day(NEXT) == ({"TIMING": 1}, "AGREED")
    town.freeze(NEXT)
    if order[0] == NEXT:
        assert town.day(DAY) == ({"TIMING": 1}, "AGREED")
        town.freeze(DAY)
    # Every component the journal has, though 3202 carries three and the row stands under another day.
    assert town.frozen() == [(DAY, "S1", 10_000, 4_000), (NEXT, "S2", 10_000, 4_000), (NEXT, "S3", 10_000, 4_000)]


def test_the_next_day_may_be_run_and_frozen_before_the_day_was_ever_run(tmp_path: Path) -> None:
    town = Town(tmp_path, BOTH, OURS_LATE)
    town.books(DAY)
    town.books(NEXT)
    assert town.day(NEXT) == ({"TIMING": 1}, "AGREED")
    town.freeze(NEXT)
    assert town.day(DAY) == ({"TIMING": 1}, "AGREED")
    assert town.agency.asked == [(NEXT, NEXT), (DAY, DAY)]  # its own word of the next day is there: no range
    town.freeze(DAY)
    assert [one[:2] for one in town.frozen()] == [(DAY, "S1"), (NEXT, "S2"), (NEXT, "S3")]


def test_what_the_agency_booked_before_midnight_is_counted_there(tmp_path: Path) -> None:
    """The other way round: 00:00:03 in our books, the day before at the agency."""
    town = Town(tmp_path, {**BOTH, "S2": EARLY}, {**OURS_LATE, "S2": DAY})
    town.books(DAY)
    assert town.day(DAY) == ({"WAIT_NEXT_DAY": 1}, "L1_DIFF")  # the institution's next day is not there
    town.books(NEXT)
    assert town.day(DAY) == ({"TIMING": 1}, "AGREED")
    town.freeze(DAY)
    assert town.day(NEXT) == ({"TIMING": 1}, "AGREED")
    town.freeze(NEXT)
    assert [one[:2] for one in town.frozen()] == [(DAY, "S1"), (DAY, "S2"), (NEXT, "S3")]
    assert all(fee[3] == 4_000 for fee in town.frozen())


@pytest.mark.parametrize("next_day", [True, False], ids=["refuses a range", "is not asked for one"])
def test_an_agency_without_ranges_leaves_the_day_waiting(tmp_path: Path, next_day: bool) -> None:
    town = Town(tmp_path, BOTH, OURS_LATE)
    town.agency.deaf = True
    town.books(DAY)
    assert town.day(DAY, next_day=next_day) == ({"WAIT_NEXT_DAY": 1}, "L1_DIFF")
    assert [A in one and "只能查询一日" in one for one in town.trouble] == [True] * next_day
    assert not any(one.ledger == "AGY" for one in town.store().inputs(NEXT))


def test_what_the_agency_has_on_neither_day_waits_for_its_own_next_day(tmp_path: Path) -> None:
    """The range is asked while the next day goes on: what it lacks now may still come (§4.2)."""
    town = Town(tmp_path, BOTH, {"S1": DAY, "S3": NEXT})
    town.books(DAY)
    assert town.day(DAY) == ({"WAIT_NEXT_DAY": 1}, "L1_DIFF")
    assert not any(one.ledger == "AGY" for one in town.store().inputs(NEXT))
    town.books(NEXT)
    town.day(NEXT)
    assert town.day(DAY) == ({"L1-AGY-MISSING": 1}, "L1_DIFF")


def test_a_day_that_has_not_ended_asks_for_no_date_to_come(tmp_path: Path) -> None:
    town = Town(tmp_path, BOTH, OURS_LATE)
    town.gather(DAY, now_ms=NOW_MS - 2 * 86_400_000)
    assert town.agency.asked == [(DAY, DAY)]


@pytest.mark.parametrize("first", [DAY, NEXT])
def test_an_agency_that_takes_its_word_back_leaves_no_settlement_in_none(tmp_path: Path, first: str) -> None:
    """Whichever is frozen first, the other is not frozen until people have looked."""
    town = Town(tmp_path, BOTH, OURS_LATE)
    town.books(DAY)
    town.day(DAY)
    if first == DAY:
        town.freeze(DAY)
    town.agency.booked["S2"] = ("2026-02-01", "M9")
    town.books(NEXT)
    assert town.day(NEXT) == ({}, "AGREED")
    if first == NEXT:
        town.freeze(NEXT)
    other = NEXT if first == DAY else DAY
    with pytest.raises(CannotFreeze) as refused:
        town.freeze(other)
    codes = {one.code for one in refused.value.objections}
    assert codes == ({"BF-NOWHERE"} if first == DAY else {"BF-NOWHERE", "BF-NEWER"})
    if first == NEXT:
        assert town.day(DAY) == ({"L1-AGY-MISSING": 1}, "L1_DIFF")


def test_a_frozen_day_stays_as_it_is_when_the_next_one_runs(tmp_path: Path) -> None:
    town = Town(tmp_path, BOTH, OURS_LATE)
    town.books(DAY)
    town.day(DAY)
    town.freeze(DAY)
    look = FreezeWriter(town.store().connection)
    before = list(look.lines(1)), list(look.fees(1))
    town.books(NEXT)
    town.day(NEXT)
    town.freeze(NEXT)
    assert (list(look.lines(1)), list(look.fees(1))) == before
    assert [one for line in before[0] if (one := elsewhere_of(line))] == [(("S2", 0), NEXT)]


def test_an_incomplete_next_day_is_no_next_day(tmp_path: Path) -> None:
    """An undelivered settlement of the last minutes is not reversed for want of a row in a file without its end."""
    city = City(tmp_path)
    late = cells(1, setl_time=LATE, delivered="0")
    city.put(GW, "*", late)
    city.put(AGY, A, cells(1, setl_time=LATE))
    city.put(INST, A)
    city.put(INST, A, day=NEXT, whole=False)
    assert city.run().summary["classes"] == {"WAIT_NEXT_DAY": 1}
    city.put(INST, A, day=NEXT)
    assert city.run().summary["classes"] == {"L1-INST-MISSING": 1}


def test_a_refund_after_midnight_belongs_to_the_agencys_day(tmp_path: Path) -> None:
    """Settled and refunded in our last minute, refunded after midnight at the agency: +1 and -1 on two days."""
    city = Town(tmp_path, {}, {})
    back = {**SPLIT, **BACK, "direction": "1", "msgid": "N1"}
    sale, refund = cells(1, **SPLIT), cells(1, setl_time=LATE, **back)
    for ledger, scope in ((GW, "*"), (INST, A)):
        city.put(ledger, scope, sale, refund)
        city.put(ledger, scope, sale, refund, day=NEXT) if ledger == GW else city.put(INST, A, day=NEXT)
    city.put(AGY, A, sale)
    city.put(AGY, A, {**refund, "setl_time": EARLY}, day=NEXT)
    for day in (DAY, NEXT):
        assert city.run(date=day).days[A] == "AGREED"
        city.freeze(day)
    assert [one[:3] for one in city.frozen()] == [(DAY, "S1", 10_000), (NEXT, "S1", -10_000)]


def test_a_citys_file_of_one_date_and_an_own_one_of_the_next_are_both_frozen(tmp_path: Path) -> None:
    """Who has a source of his own on one date is left out of the city's file of that date, and of no other."""
    town = Town(tmp_path, {}, {})
    rows = cells(1, **SPLIT), cells(2, day=NEXT, **SPLIT)
    town.put(GW, "*", *rows)
    town.put(AGY, "*", rows[0])
    town.put(AGY, A, rows[1], day=NEXT)
    for day, row in zip((DAY, NEXT), rows, strict=True):
        town.put(INST, A, row, day=day)
    assert town.run().days[A] == "AGREED"
    town.freeze(DAY)
    assert [one[:2] for one in town.frozen()] == [(DAY, "S1")]


def test_what_a_newer_file_for_the_city_took_the_place_of_is_no_newer_file(tmp_path: Path) -> None:
    """What was found of the next day by asking early stands in nobody's way when the agency's export comes."""
    town = Town(tmp_path, BOTH, OURS_LATE)
    town.books(DAY)
    town.day(DAY)
    town.books(NEXT)
    rows = [town.inst(number, at) for number, at in BOTH.items() if number != "S1"]
    town.put(AGY, "*", *({**row, "setl_time": f"{NEXT} 09:00:00"} for row in rows), day=NEXT)
    town.put(GW, "*", *(town.inst(number, at) for number, at in BOTH.items()), day=NEXT)
    assert town.run(date=NEXT).days[A] == "AGREED"
    town.freeze(NEXT)
    assert [one[:2] for one in town.frozen()] == [(NEXT, "S2"), (NEXT, "S3")]
