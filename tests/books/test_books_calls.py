"""Calls to the province that were interrupted: looked up, or sent again as they left, each effect once (§6.4)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from desk import FEES
from test_books_acting import DAY, DIFF
from test_books_run import City
from twisted.internet.defer import Deferred, succeed

from adapters.store.books import BooksStore, Planned, Run
from adapters.store.books_cases import BooksCases
from gateway.app.books_province import Provincial
from gateway.core.ledgers import AGY, GW, PROV
from gateway.core.province import FeedbackItem, FeedbackReceipt, ItemAnswer, Outcome, Remembered, Reversal, ReversalAck

A, B = "H51080200001", "H51080200002"
UNKNOWN: Outcome[Any] = Outcome(kind="unknown", code="NO_ANSWER")


@attrs.define
class Strict:
    """A province as docs/province.md promises it: a key has one content, one effect, one answer. lost: how many answers
    do not arrive; deaf: requests do not, either; receipts: it tells what it remembers."""

    lost: int = 0
    deaf: bool = False
    receipts: bool = True
    effects: list[str] = attrs.Factory(list)
    sent: list[tuple[str, Any]] = attrs.Factory(list)
    answers: dict[str, tuple[Any, dict[str, Any]]] = attrs.Factory(dict)

    def _once(self, key: str, content: Any, op: str, data: dict[str, Any], effects: list[str]) -> "Outcome[Any] | None":
        self.sent.append((key, content))
        if self.lost and self.deaf:
            self.lost -= 1
            return UNKNOWN
        if key in self.answers and self.answers[key][0] != content:
            return Outcome(kind="refused", code="CONFLICT")
        if key not in self.answers:
            self.answers[key] = (content, {"operation": op, "data": data})
            self.effects += effects
        if self.lost:
            self.lost -= 1
            return UNKNOWN
        return None

    def send_feedback(self, key: str, items: tuple[FeedbackItem, ...]) -> "Deferred[Outcome[FeedbackReceipt]]":
        said = [{"item_id": one.item_id, "taken": True, "code": ""} for one in items]
        wrong = self._once(
            key, items, "feedback", {"receipt_no": f"F{key}", "received_at": "", "items": said},
            [one.item_id for one in items],
        )  # fmt: skip
        answers = tuple(ItemAnswer(item_id=one.item_id, taken=True) for one in items)
        return succeed(
            wrong or Outcome(kind="done", value=FeedbackReceipt(receipt_no=f"F{key}", received_at="", answers=answers))
        )

    def reverse(self, key: str, what: Reversal) -> "Deferred[Outcome[ReversalAck]]":
        wrong = self._once(key, what, "reversal", {"ack_no": f"R{key}", "result": "REVERSED"}, [key])
        return succeed(wrong or Outcome(kind="done", value=ReversalAck(ack_no=f"R{key}", already=False)))

    def receipt_of(self, key: str) -> "Deferred[Outcome[Remembered]]":
        if not self.receipts:
            return succeed(Outcome(kind="not_sent", code="NOT_SENT"))
        _, known = self.answers.get(key, (None, None))
        if known is None:
            return succeed(Outcome(kind="done", value=Remembered(found=False)))
        return succeed(Outcome(kind="done", value=Remembered(found=True, code="OK", **known)))


class Bench:
    """A store with differences of one day, and a province."""

    def __init__(self, folder: Path) -> None:
        self.city, self.port = City(folder), Strict()
        self.store: BooksStore = self.city.store()
        self.numbers: list[int] = []

    def ledgers(self, *numbers: int, more: str = "") -> None:
        rows = [
            {"fixmedins_code": (A, B)[number % 2], "setl_id": f"S{number}", "mdtrt_id": f"V{number}{more}",
             "setl_time": f"{DAY} 10:00:00", **FEES}
            for number in numbers
        ]  # fmt: skip
        self.city.put(GW, "*", *rows)
        for code in (A, B):
            self.city.put(AGY, code, *[row for row in rows if row["fixmedins_code"] == code])
        self.city.put(PROV, "*", *[{**row, "prov_sn": f"P{row['setl_id']}"} for row in rows])

    def plan(self, *numbers: int, kind: str = "FEEDBACK") -> None:
        names = {"FEEDBACK": "L2-PROV-MISSING", "REVERSE": "L2-PROV-MORE"}
        for number in numbers:
            diff = attrs.evolve(
                DIFF, diff_id=f"d{number}", scope="*", leg="L2", name=names[kind], setl_id=f"S{number}", msgid="",
                fixmedins_code=(A, B)[number % 2], last_revision=1,
            )  # fmt: skip
            plan = Planned(kind=kind, party="PROV", action_ids=(f"a{number}",), until_ms=99)
            self.store.write_lines([(diff, [plan])], number)
        if self.store.last_run("care", DAY) is None:
            run = Run(run_id="r", role="care", biz_date=DAY, revision=1, at_ms=1, agreed=False, keys=1, summary={})
            self.store.bring_into_force(run, (), ())

    def act(self) -> list[str]:
        """A new process looks what is planned or in doubt."""

        def db(call: Any) -> "Deferred[Any]":
            return succeed(call(self.store))

        provincial = Provincial(
            port=self.port, roles=("care",), data=self.city.folder / "var", db=db, now_ms=lambda: 5,  # type: ignore[arg-type]
            give_up=lambda action, receipt: succeed(f"GAVE UP {receipt}"),
        )  # fmt: skip
        found: list[list[str]] = []
        every = BooksCases(self.store.connection).actions(("SENT", "IN_DOUBT", "PLANNED"), DAY)
        Deferred.fromCoroutine(provincial.carry_out(every)).addCallback(found.append)
        return found[0]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize(("deaf", "receipts"), [(False, True), (False, False), (True, True), (True, False)])
def test_a_batch_in_doubt_is_ended_as_it_left_and_a_new_item_goes_by_itself(
    bench: Bench, deaf: bool, receipts: bool
) -> None:
    """Meanwhile the ledgers became others: neither the rows nor the evidence of what left may change with them."""
    bench.port = Strict(lost=1, deaf=deaf, receipts=receipts)
    bench.ledgers(1, 2, 3)
    bench.plan(1, 2, 3)
    assert bench.act() == ["IN_DOUBT"] * 3
    bench.ledgers(1, 2, 3, 4, more="x")
    bench.plan(4)
    assert bench.act() == ["DONE"] * 4
    assert sorted(bench.port.effects) == ["a1", "a2", "a3", "a4"]
    (first, content), *again = bench.port.sent
    assert again[:-1] == ([] if receipts and not deaf else [(first, content)])
    assert [one.item_id for one in again[-1][1]] == ["a4"] and again[-1][0] != first


def test_other_items_under_the_same_first_one_and_number_have_another_key(bench: Bench) -> None:
    """Of three that were told one became people's by itself; a fourth takes its place: no conflict."""
    bench.port = Strict(lost=1)
    bench.ledgers(1, 2, 3, 4)
    bench.plan(1, 2, 3)
    bench.act()
    cases = BooksCases(bench.store.connection)
    assert cases.move("a2", "IN_DOUBT", "FAILED", "people", 9)
    bench.plan(4)
    assert bench.act() == ["DONE"] * 3
    assert sorted(bench.port.effects) == ["a1", "a2", "a3", "a4"]


def test_every_item_names_the_evidence_of_its_own_institution(bench: Bench) -> None:
    bench.ledgers(1, 2)
    bench.plan(1, 2)
    bench.act()
    files = {one.scope: one.sm3 for one in bench.store.inputs(DAY) if one.ledger == "AGY"}
    ((_, items),) = bench.port.sent
    assert {one.item_id: one.evidence_sm3 for one in items} == {"a1": files[B], "a2": files[A]}
    assert files[A] != files[B]


@pytest.mark.parametrize("receipts", [True, False])
def test_a_reversal_in_doubt_is_ended_as_it_left_though_the_record_is_out_of_the_statement(
    bench: Bench, receipts: bool
) -> None:
    bench.port = Strict(lost=1, receipts=receipts)
    bench.ledgers(1)
    bench.plan(1, kind="REVERSE")
    assert bench.act() == ["IN_DOUBT"]
    bench.city.put(PROV, "*")
    assert (bench.act(), bench.port.effects) == (["DONE"], ["a1"])
    assert {content.prov_sn for _, content in bench.port.sent} == {"PS1"}
    assert len(bench.port.sent) == (1 if receipts else 2)


def test_what_an_older_version_sent_without_keeping_it_is_told_anew(bench: Bench) -> None:
    bench.ledgers(1)
    bench.plan(1)
    BooksCases(bench.store.connection).move("a1", "PLANNED", "SENT", "a1", 5)
    assert (bench.act(), bench.port.effects) == (["DONE"], ["a1"])


@pytest.mark.parametrize(("code", "state"), [("NOT_FOUND", "DONE"), ("FROZEN", "GAVE UP FROZEN")])
def test_a_record_that_is_out_of_the_provinces_book_needs_no_person(bench: Bench, code: str, state: str) -> None:
    """What was to be taken back is not there; the next statement proves it. Any other refusal is a person's."""

    @attrs.define
    class Refusing(Strict):
        def reverse(self, key: str, what: Reversal) -> "Deferred[Outcome[ReversalAck]]":
            return succeed(Outcome(kind="refused", code=code))

    bench.port = Refusing()
    bench.ledgers(1)
    bench.plan(1, kind="REVERSE")
    assert bench.act() == [state]
