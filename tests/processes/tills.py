"""Tills that pay until everything is paid, whatever happens meanwhile, and the comparison of the three ledgers after.

A till does what the integration guide says: while the answer says "ask" it repeats the same bytes; when it says "new"
it pays under a new message number; what another settlement blocks it tries again later.
"""

import http.client
import json
import queue
import random  # noqa: TID251  # chance of a test
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import attrs
from town import HOSPITAL, PHARMACY, Town

from simulators import mapping
from simulators.his import Answer, GaveUp, Pause, Script, Send, answer, undecided
from simulators.mixture import Mixture
from simulators.trial import crowd

SYSTEMS = {HOSPITAL: ("drug", "service_item", "consumable", "diagnosis", "doctor"), PHARMACY: ("drug", "doctor")}
CLIENTS = 8
PERSONS = 2000
PLAN = ("2207", "2207", "2207", "2102")
AMOUNTS = {
    "medfee_sumamt": "medfee_fen", "fund_pay_sumamt": "fund_fen", "acct_pay": "acct_fen", "psn_cash_pay": "cash_fen",
}  # fmt: skip
BLOCKED = ("GW-LANE-BUSY", "GW-REVERSING", "GW-IN-DOUBT")
FAILED = ("REJECTED", "NOT_SENT", "ABSENT", "REVERSED")
Amounts = tuple[int, ...]
Book = dict[str, Amounts]


class Till:
    """One till: a keep-alive connection to the gateway."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._wire: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes) -> Answer:
        if self._wire is None:
            self._wire = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            self._wire.request("POST", path, body, {"Content-Type": "application/json"})
            found = self._wire.getresponse()
            return answer(found.status, found.read())
        except (OSError, http.client.HTTPException):
            self._wire.close()
            self._wire = None
            return answer(0, b"")

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()

    def play(self, script: Script) -> None:
        """Run one script of the simulated institutions to its end."""
        given: Answer | None = None
        while True:
            try:
                step = script.send(given)
            except (StopIteration, GaveUp):
                return
            if isinstance(step, Pause):
                time.sleep(min(step.seconds, 0.2))
                given = None
            else:
                assert isinstance(step, Send)
                given = self.post(step.path, step.body)


@attrs.frozen
class Try:
    """One message of a payment, and what the till was told about it, in order."""

    msgid: str
    body: bytes
    told: list[Answer] = attrs.Factory(list)


@attrs.define(eq=False)
class Payment:
    """One bill. tries: the messages it was paid with; only the last may succeed. stuck: an answer without sense."""

    infno: str
    path: str
    tries: list[Try]
    stuck: str = ""

    @property
    def paid(self) -> bool:
        return any(one.done for one in self.tries[-1].told)

    def hear(self, found: Answer) -> bool:
        """Take an answer; return whether to come back."""
        last = self.tries[-1]
        last.told.append(found)
        if found.done:
            return False
        if found.gw_repeat == "new":
            msgid = f"N{len(self.tries):X}{self.tries[0].msgid[2:]}"
            self.tries.append(Try(msgid, last.body.replace(last.msgid.encode(), msgid.encode())))
            return True
        if undecided(found) or found.gw_repeat == "same" or (found.envelope or {}).get("gw_code") in BLOCKED:
            return True
        self.stuck = f"{last.msgid} {found.status} {found.text}"
        return False


def import_mappings(town: Town) -> None:
    files = mapping.write_mappings(town.folder / "mapping")
    for code, systems in SYSTEMS.items():
        for system in systems:
            people = ("--maker", "a", "--reviewer", "b")
            town.tool("gateway", "codes", "map", "import", str(town.config), code, system, str(files[system]), *people)


def prepared(town: Town, dice: random.Random, how_many: int) -> list[Payment]:
    """Bring visits and charge batches onto the platform through the gateway; return bills to pay."""
    now_s = town.now_s
    mixture: Mixture = crowd(lambda: now_s, dice, (HOSPITAL, PHARMACY), PERSONS)
    plan = [PLAN[number % len(PLAN)] for number in range(how_many)]
    scripts: queue.SimpleQueue[Script] = queue.SimpleQueue()
    for script in mixture.prepare(plan):
        scripts.put(script)

    def work() -> None:
        with closing(Till(town.port)) as till:
            while not scripts.empty():
                try:
                    till.play(scripts.get_nowait())
                except queue.Empty:
                    return

    together(work)
    return [
        Payment(infno, path, [Try(json.loads(body)["msgid"], body)]) for infno, path, body in mixture.messages(plan)
    ]


def together(work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


@attrs.define(eq=False)
class Rush:
    """Pays everything while `trouble` happens. Ends when the trouble is over and everything is paid, or stuck."""

    town: Town
    dice: random.Random
    payments: list[Payment]
    limit_s: float = 180.0
    over: threading.Event = attrs.Factory(threading.Event)
    _open: int = 0
    _lock: Any = attrs.Factory(threading.Lock)

    def run(self, trouble: Callable[[], None]) -> None:
        todo: queue.SimpleQueue[Payment] = queue.SimpleQueue()
        self._open = len(self.payments)
        for payment in self.payments:
            todo.put(payment)
        failures: list[BaseException] = []

        def troubled() -> None:
            try:
                trouble()
            except BaseException as cause:  # of a thread: raised again below
                failures.append(cause)
            finally:
                self.over.set()

        maker = threading.Thread(target=troubled)
        maker.start()
        together(lambda: self._work(todo))
        maker.join()
        if failures:
            raise failures[0]
        assert not [payment.stuck for payment in self.payments if payment.stuck]
        assert not self._open, f"{self._open} bills are not paid after {self.limit_s} s"

    def wait_for_doubts(self, more: int) -> None:
        """Wait until so many doubts more than now are open, or every bill that is left is one."""
        enough = self.town.metric("liangding_in_doubt") + more
        self.town.wait_until(lambda: self.town.metric("liangding_in_doubt") >= min(enough, self._open), 60.0)

    def _work(self, todo: "queue.SimpleQueue[Payment]") -> None:
        deadline = time.monotonic() + self.limit_s
        with closing(Till(self.town.port)) as till:
            while time.monotonic() < deadline and not (self.over.is_set() and not self._open):
                try:
                    payment = todo.get_nowait()
                except queue.Empty:
                    time.sleep(0.01)
                    continue
                self._pay(till, payment, todo)

    def _pay(self, till: Till, payment: Payment, todo: "queue.SimpleQueue[Payment]") -> None:
        was_paid = payment.paid
        if payment.hear(till.post(payment.path, payment.tries[-1].body)):
            time.sleep(0.02)
            todo.put(payment)
            return
        if not was_paid:
            with self._lock:
                self._open -= 1
        if not self.over.is_set() and not payment.stuck and self.dice.random() < 0.3:
            todo.put(payment)  # an impatient till repeats what it knows already

    def ask_again(self) -> None:
        """Ask once more about every message, the failed ones too."""
        with closing(Till(self.town.port)) as till:
            for payment in self.payments:
                for one in payment.tries:
                    one.told.append(till.post(payment.path, one.body))


# --- the evening ------------------------------------------------------------------------------------------------------


def evening(rush: Rush) -> Counter[str]:
    """Wait until nothing is in doubt, compare the three ledgers to the fen; return how many rows are in which state."""
    town = rush.town
    town.wait_until(lambda: not town.metric("liangding_in_doubt") and not town.metric("liangding_saf_depth"), 60.0)
    rush.ask_again()
    rows = town.journal("--full")
    assert json.loads(town.tool("gateway", "journal", "verify", str(town.config), "--json"))["ok"]
    ledger = town.platform("ledger")["rows"]
    found = list(contradictions(rush.payments, rows, ledger))
    assert not found, found
    counts = town.platform("stats")["counts"]
    reversed_rows = sum(row["reversed"] for row in ledger)
    assert counts.get("2601", {}).get("done", 0) == reversed_rows, "something was reversed more than once"
    for infno in sorted(set(PLAN)):
        tries = sum(len(payment.tries) for payment in rush.payments if payment.infno == infno)
        assert sum(counts[infno].values()) <= tries, f"a msgid of {infno} reached the platform twice"
    return Counter(row["state"] for row in rows if row["infno"] in PLAN)


def contradictions(payments: list[Payment], rows: list[dict[str, Any]], ledger: list[dict[str, Any]]) -> Iterator[str]:
    """Yield every difference between what the tills heard, what the journal says and what the platform booked."""
    journal = {row["msgid"]: row for row in rows if row["infno"] in PLAN}
    believed: Book = {one.msgid: heard(one) for payment in payments for one in payment.tries if done(one)}
    known: Book = {
        msgid: tuple(row["settled"][name] for name in AMOUNTS)
        for msgid, row in journal.items()
        if row["state"] in ("ACKED", "CONFIRMED")
    }
    booked: Book = {
        row["msgid"]: tuple(row[name] for name in AMOUNTS.values()) for row in ledger if not row["reversed"]
    }
    yield from (f"{payment.tries[-1].msgid} is not paid" for payment in payments if not payment.paid)
    for msgid in sorted({*believed, *known, *booked}):
        three = (believed.get(msgid), known.get(msgid), booked.get(msgid))
        if not three[0] == three[1] == three[2]:
            yield f"{msgid} institution {three[0]} gateway {three[1]} platform {three[2]}"
    if len(ledger) != len({row["msgid"] for row in ledger}):
        yield "a message was booked twice"
    for row in ledger:
        if row["reversed"] and journal[row["msgid"]]["state"] != "REVERSED":
            yield f"{row['msgid']} is reversed on the platform and {journal[row['msgid']]['state']}"
    for row in rows:
        if row["state"] in ("JOURNALED", "SENT", "IN_DOUBT", "REVERSING", "MANUAL"):
            yield f"{row['msgid']} {row['infno']} is still {row['state']}"
    for payment in payments:
        for one in payment.tries:
            yield from _of_one(one, journal.get(one.msgid))


def _of_one(one: Try, row: dict[str, Any] | None) -> Iterator[str]:
    """What a till heard about one message is the same as what the journal says of it (I3, X7)."""
    state = row["state"] if row else ""
    if len({told.body for told in one.told if told.done}) > 1:
        yield f"{one.msgid} heard different successes"
    if done(one) != (state in ("ACKED", "CONFIRMED")):
        yield f"{one.msgid} heard {'success' if done(one) else 'no success'} and is {state}"
    if any(told.gw_repeat == "new" for told in one.told) and state not in FAILED:
        yield f"{one.msgid} was told to use a new msgid and is {state}"
    final = [told.body for told in one.told if told.gw_repeat == "new"]
    if len(set(final)) > 1:
        yield f"{one.msgid} heard different ends"


def done(one: Try) -> bool:
    return any(told.done for told in one.told)


def heard(one: Try) -> Amounts:
    info = next(told for told in one.told if told.done).output["setlinfo"]
    return tuple(int(Decimal(str(info[name])).scaleb(2)) for name in AMOUNTS)
