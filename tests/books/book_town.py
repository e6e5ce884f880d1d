"""A town of books in one process: five parties with ledgers on disk, and the product's own runs, actions and decisions.

Nothing here decides: a ledger is handed in, a run goes over it, what follows from it is delivered to the parties of
`simulators.book_parties`, and their changed ledgers are handed in again.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import attrs
from desk import FEES, Cells
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from adapters.store.books import BooksStore
from adapters.store.books_cases import BooksCases, Case
from gateway.app.books_acting import Acting
from gateway.app.books_deciding import KIND, carry_out, decide
from gateway.app.books_door import BooksDoor
from gateway.app.books_handin import hand_in
from gateway.app.books_province import Provincial
from gateway.app.books_run import run
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_tasks import Ran, RunTask
from gateway.app.config import Config, read_config
from gateway.app.say import Outside
from gateway.books.corrections import Corrections
from gateway.core.approval import Approval, Person
from gateway.core.ledgers import NAMES
from gateway.core.province import FeedbackItem, FeedbackReceipt, ItemAnswer, Outcome, Reversal, ReversalAck
from gateway.exchange.ordered import Stated, Told
from simulators.book_parties import BookParties

BEFORE, DAY, NEXT = "2026-03-30", "2026-03-31", "2026-04-01"
CODE = "H51080200001"
NOW_S = 1_775_200_000  # 2026-04-03
SCOPES = {"INST": CODE, "GW": "*", "AGY": CODE, "PROV": "*", "INS": "*"}
CONFIG = f"""[node]
name = "n"
data_dir = "var"
[listen]
institutions = "tcp:8080:interface=127.0.0.1"
[store]
url = "sqlite:var/x.sqlite"
[platform.national]
url = "http://127.0.0.1:9/x"
[[institution]]
fixmedins_code = "{CODE}"
name = "甲"
link = "national"
allow_from = ["127.0.0.1/32"]
"""
EVERY = ("PLANNED", "SENT", "IN_DOUBT", "DONE", "FAILED")
_NUMBERS = count(1)  # of messages: whoever comes after a crash has others
Tick = Callable[[str], None]
Chosen = Callable[[Case], str]


def cells(name: str, **more: str) -> Cells:
    """One remote settlement of the day, of an own person, visit and message."""
    return {
        "fixmedins_code": CODE, "setl_id": f"S{name}", "mdtrt_id": f"V{name}", "psn_no": f"P{name}",
        "msgid": f"M{name}", "prov_sn": f"N{name}", "direction": "0", "status": "", "insutype": "310",
        "clr_type": "11", "clr_pay_loc": "3", "setl_time": f"{DAY} 10:00:00", "chrg_bchno": "",
        "delivered": "", "file": "", **FEES, **more,
    }  # fmt: skip


@attrs.define
class Proposals:
    """Stands where the security room stands: the second person sees the content and approves it."""

    contents: list[bytes] = attrs.Factory(list)

    def propose(self, person: Person, kind: str, subject: str, content: bytes, reason: str) -> Approval:
        self.contents.append(content)
        return Approval(
            id=len(self.contents), kind=kind, subject=subject, content_sm3="", maker=person.name, reason=reason,
            proposed_ms=0,
        )  # fmt: skip


@attrs.define
class Wire:
    """The transport: what leaves the gateway arrives at a party at once. tick: hears of every delivery, twice."""

    parties: BookParties
    tick: Tick
    orders: dict[str, str] = attrs.Factory(dict)
    stated: list[Stated] = attrs.Factory(list)

    def reverse(
        self, institution: str, omsgid: str, msgid: str, told: Callable[[Told], None], unheard: bool = False,
        stated: Stated | None = None,
    ) -> None:  # fmt: skip
        """The exchange: an order it knows by its msgid is never begun again; what the journal never saw wants its
        transaction, and the agency wants the person's number."""
        self.tick("2601 leaves")
        known = any(row["msgid"] == omsgid for row in self.parties.books["GW"])
        if stated is not None:
            self.stated.append(stated)
        people = {one["psn_no"] for one in self.parties.of("AGY", omsgid)}
        if not known and (stated is None or stated.psn_no not in people):
            told("unknown")
            return
        if self.orders.setdefault(msgid, omsgid) != omsgid:
            raise AssertionError(msgid)
        self.parties.reversal(omsgid, msgid)
        self.tick("2601 is answered")
        told("done")

    def send_feedback(self, key: str, items: Sequence[FeedbackItem]) -> "Deferred[Outcome[FeedbackReceipt]]":
        self.tick("feedback leaves")
        answers = tuple(
            ItemAnswer(item_id=one.item_id, taken=self.parties.feedback(one.item_id, attrs.asdict(one)))
            for one in items
        )
        self.tick("feedback is answered")
        return succeed(
            Outcome(kind="done", value=FeedbackReceipt(receipt_no=f"F{key}", received_at="", answers=answers))
        )

    def withdraw(self, key: str, what: Reversal) -> "Deferred[Outcome[ReversalAck]]":
        self.tick("reversal leaves")
        done = self.parties.withdrawal(key, what.party, what.prov_sn, what.omsgid)
        self.tick("reversal is answered")
        if not done:
            return succeed(Outcome(kind="refused", code="NOT_FOUND"))
        return succeed(Outcome(kind="done", value=ReversalAck(ack_no=key, already=False)))


@attrs.define
class Port:
    """The province as the gateway calls it."""

    wire: Wire

    def send_feedback(self, key: str, items: Sequence[FeedbackItem]) -> Any:
        return self.wire.send_feedback(key, items)

    def reverse(self, key: str, what: Reversal) -> Any:
        return self.wire.withdraw(key, what)

    def receipt_of(self, key: str) -> Any:
        return succeed(Outcome(kind="refused", code="NOT_FOUND"))  # a province without receipts: the key alone tells


class Request:
    """A fetch of an institution's differences."""

    method, path, query, content_type, body = b"GET", f"/api/v1/books/{CODE}/{DAY}".encode(), b"", b"", b""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}

    def respond(self, code: int, body: bytes, extra: bytes = b"") -> None:
        assert code == 200, body
        self.answer = json.loads(body)


@attrs.define
class Alarms:
    names: list[str] = attrs.Factory(list)

    def alarm(self, name: str, institution: str, msgid: str) -> None:
        self.names.append(name)


class Reported(list[Exception]):
    def __call__(self, cause: Exception) -> None:
        raise cause


class BookTown:
    """A store on disk, five parties, and the way from one to the other. incomplete: ledgers without end-of-day mark."""

    def __init__(self, folder: Path, parties: BookParties | None = None, tick: Tick = lambda what: None) -> None:
        folder.mkdir(exist_ok=True, parents=True)
        (folder / "c.toml").write_text(CONFIG, "utf-8")
        self.config: Config = read_config(folder / "c.toml")
        self.folder, self.parties = folder, parties or BookParties()
        self.clock, self.alarms = Clock(), Alarms()
        self.clock.advance(NOW_S)
        self.wire = Wire(self.parties, tick)
        self.tick = tick
        self.incomplete: set[str] = set()
        self.proposals = Proposals()

    @property
    def now_ms(self) -> int:
        return int(self.clock.seconds() * 1000)

    @contextmanager
    def store(self) -> Iterator[BooksStore]:
        found = BooksStore.open(self.config.room("books"), SCRIPTS)
        try:
            yield found
        finally:
            found.close()

    # --- ledgers ---

    def put(self, name: str, **ledgers: Cells) -> None:
        """Lay one record down. ledgers: by name, the cells that differ from the plain settlement."""
        for ledger, more in ledgers.items():
            self.add(ledger, cells(name, **more))

    def add(self, ledger: str, row: Cells) -> None:
        if ledger != "GW":
            row["delivered"] = ""
        self.parties.books[ledger].append(row)

    def standing(self, ledger: str) -> list[Cells]:
        """A party's ledger as it hands it in; the gateway's with what people decided of it."""
        rows = self.parties.books[ledger]
        if ledger != "GW":
            return rows
        with self.store() as store:
            corrections = Corrections(BooksCases(store.connection).corrections())
        return [*(corrections.corrected(row) for row in rows), *corrections.shadows(BEFORE, NEXT)]

    def hand_in(self, *days: str) -> None:
        for day in days or (DAY,):
            for ledger in NAMES:
                rows = [row for row in self.standing(ledger) if (row.get("file") or row["setl_time"][:10]) == day]
                if ledger == "GW" and day == DAY:
                    rows = self.standing(ledger)
                self._file(ledger, day, rows)

    def _file(self, ledger: str, day: str, rows: Sequence[Mapping[str, str]]) -> None:
        names = [name for name in cells("") if name != "file" and (ledger == "GW" or name != "delivered")]
        path = self.folder / f"{ledger}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, names, restval="", extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        mark = {} if ledger in self.incomplete else {"rows": len(rows)}
        hand_in(self.config, NAMES.index(ledger), SCOPES[ledger], day, path, mark, "t", self.now_ms)

    # --- the product ---

    def run(self, provisional: bool = False) -> Ran:
        self.clock.advance(60)
        return run(
            RunTask(
                store=str(self.config.room("books")), data=str(self.folder / "var"), date=DAY, role="care",
                now_ms=self.now_ms, institutions=[CODE], asked_ms={CODE: self.now_ms, "*": self.now_ms},
                province=True, provisional=provisional,
            )
        )  # fmt: skip

    def act(self) -> dict[str, int]:
        """Carry out what is planned."""
        with self.store() as store:

            def db(call: Callable[[Any], Any]) -> "Deferred[Any]":
                return succeed(call(store))

            def cases(call: Callable[[Any], Any]) -> "Deferred[Any]":
                return succeed(call(BooksCases(store.connection)))

            afar = Provincial(
                port=Port(self.wire), roles=("care",), data=self.folder / "var", db=db,  # type: ignore[arg-type]
                now_ms=lambda: self.now_ms, give_up=lambda action, receipt: acting.give_up(action, receipt),
            )  # fmt: skip
            acting = Acting(
                ordered=self.wire, clock=self.clock, db=cases, msgid=self._msgid, watch=self.alarms, wait_s=5.0,  # type: ignore[arg-type]
                elsewhere=afar,
            )  # fmt: skip
            found: list[Any] = []
            Deferred.fromCoroutine(acting.carry_out(DAY)).addBoth(found.append)
        if not isinstance(found[0], dict):
            found[0].raiseException()
        return dict(found[0])

    def _msgid(self, code: str) -> str:
        return f"O{next(_NUMBERS)}"

    def fetch(self) -> None:
        """The institution fetches its differences and does what it is asked to; what people tell the agency, too."""
        request = Request()
        door = BooksDoor(self.config, self.clock, lambda lane, work, done, failed: done(work()), Reported())  # type: ignore[arg-type]
        door.receive(request, {CODE: _Free()})  # type: ignore[arg-type, dict-item]
        for order in request.answer["actions"]:
            self.parties.institution(order)
        with self.store() as store:
            for one in BooksCases(store.connection).actions(("DONE",), DAY, "AGY"):
                if one.kind != "REVERSE":
                    diff = one.diff
                    self.parties.agency(one.kind, diff.name, diff.setl_id or diff.msgid, one.action_id)

    def decide(self, choose: Chosen, oinfno: str = "") -> int:
        """Decide every open case by its people; return how many decisions there were. choose: '' = not yet."""
        with self.store() as store:
            cases = BooksCases(store.connection).cases(("OPEN", "PROPOSED"), DAY)
        decided = [(one, decision) for one in cases if (decision := choose(one))]
        for case, decision in decided:
            person = Person("zhang", frozenset(), "")
            done = decide(
                self.config, case.id, decision, "已核实", person, lambda: self.proposals,  # type: ignore[arg-type, return-value]
                self.now_ms, oinfno,
            )  # fmt: skip
            if not done.carried_out:
                self.approve(done.approval)
        return len(decided)

    def approve(self, number: int) -> None:
        """The second person sees the content and approves it."""
        content = self.proposals.contents[number - 1]
        approval = Approval(
            id=number, kind=KIND, subject="", content_sm3="", maker="zhang", reason="", proposed_ms=0
        )  # fmt: skip
        outside = Outside(
            run_node=lambda config: 1, simulate=lambda words: 1, now=self.clock.seconds, entropy=lambda size: b""
        )
        assert carry_out(self.config, approval, content, outside)

    def round(self, choose: Chosen, *days: str) -> Ran:
        """A day as it comes: ledgers, run, actions, decisions, what follows from them, the institution."""
        self.hand_in(*days)
        ran = self.run()
        self.act()
        self.decide(choose)
        self.act()
        self.fetch()
        return ran

    # --- looking ---

    def lines(self, *states: str) -> dict[str, list[tuple[str, ...]]]:
        """Return key -> (leg, class, row, mode, action) of the differences in some states, of the last run."""
        found: dict[str, list[tuple[str, ...]]] = {}
        with self.store() as store:
            for one in store.diffs(DAY, "care", states=states or ("OPEN", "WAIT", "RESOLVED", "CARRIED")):
                told = (one.leg, one.name, one.row, one.mode, one.action)
                found.setdefault(one.setl_id or one.msgid, []).append(told)
        return found

    def notes(self) -> list[str]:
        with self.store() as store:
            return [one.note for one in store.diffs(DAY, "care", states=("OPEN",))]

    def states(self, key: str) -> set[str]:
        """Return where the differences of a record stand that the last run found."""
        with self.store() as store:
            live = store.diffs(DAY, "care", states=("OPEN", "WAIT", "RESOLVED", "CARRIED"))
        return {one.state for one in live if one.setl_id == key}

    def actions(self) -> list[tuple[str, str, str, str, str]]:
        """Return (key, leg, kind, party, state) of every action."""
        with self.store() as store:
            found = BooksCases(store.connection).actions(EVERY, DAY)
        return [(one.diff.setl_id or one.diff.msgid, one.diff.leg, one.kind, one.party, one.state) for one in found]

    def presence(self, key: str) -> tuple[int, ...]:
        """Return who has a record, of the five, the gateway as corrected."""
        kept = self.parties.books["GW"]
        self.parties.books["GW"] = self.standing("GW")
        try:
            return tuple(int(self.parties.has(name, key)) for name in NAMES)
        finally:
            self.parties.books["GW"] = kept


class _Free:
    """An institution that may ask as often as it likes."""

    def take(self, now_s: float) -> bool:
        return True


__all__ = ["BEFORE", "CODE", "DAY", "NEXT", "BookTown", "cells"]
