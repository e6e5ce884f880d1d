"""A city with witnesses: what left for the platform and when, what every counter heard, and the invariants about both.

The checker walks the platform's and the institutions' side; the gateway's journal is looked at only to compare it with
what was sent and said (reversal specification §10).
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs

from gateway.core.model import MONEY, TERMINAL, Entry
from gateway.core.ports import Exchange, Listener
from simulators.city import City, Weather
from simulators.his import Answer, Institution, Script, Send

SUCCESS = {"ACKED", "CONFIRMED"}
# What may follow what in a row's events (reversal specification §3). ACKED twice: delivery was noted.
FOLLOWS = {
    "": {"JOURNALED", "DONE"},
    "JOURNALED": {"SENT", "NOT_SENT"},
    "SENT": {"ACKED", "REJECTED", "NOT_SENT", "IN_DOUBT", "DONE"},
    "IN_DOUBT": {"ACKED", "REJECTED", "REVERSED"},
    "ACKED": {"ACKED"},
}


@attrs.frozen
class Heard:
    """One answer a counter got about one message."""

    infno: str
    status: int
    body: bytes
    done: bool
    code: str
    repeat: str

    @property
    def final(self) -> bool:
        """A success, the platform's refusal, or a failure of ours that will not change."""
        return self.done or (self.status == 200 and (not self.code or self.repeat == "new"))


@attrs.define(eq=False)
class _Gate:
    """Stands before the road to the platform and looks at the journal whenever a message passes (I1, I9)."""

    city: "WatchedCity"
    road: Exchange

    def send(
        self, path: bytes, headers: bytes, body: bytes, listener: Listener, timeout_s: float, late_s: float = 0.0
    ) -> None:
        self.city.leaves(json.loads(body))
        self.road.send(path, headers, body, listener, timeout_s, late_s)


@attrs.define(eq=False, repr=False)
class WatchedCity(City):
    """A city that remembers every message sent to the platform and every answer a counter heard."""

    sent: Counter[tuple[str, str]] = attrs.Factory(Counter)
    unmarked: list[str] = attrs.Factory(list)
    crossed: list[str] = attrs.Factory(list)
    heard: dict[tuple[str, str], list[Heard]] = attrs.Factory(dict)
    _asking: dict[int, tuple[str, str, str]] = attrs.Factory(dict)

    def start(self) -> None:
        super().start()
        for link in self.room.links.values():
            link.exchange = _Gate(self, link.exchange)
            link.files = _Gate(self, link.files)

    def leaves(self, message: dict[str, Any]) -> None:
        code, msgid, infno = message["fixmedins_code"], message["msgid"], message["infno"]
        klass = self.room.links["national"].plans[infno].transaction.klass
        if klass in MONEY:
            self.sent[code, msgid] += 1
        if klass in MONEY or klass == "C":
            number = self.store.by_msgid.get((code, msgid))
            if number is None or self.store.rows[number].state != "SENT":
                self.unmarked.append(f"{infno} {msgid}")
            elif klass in MONEY:
                self._alone(self.store.rows[number])

    def _alone(self, row: Entry) -> None:
        """I10, §7: nothing leaves for a person while another of his requests is on its way or in doubt."""
        for other in self.store.rows.values():
            open_one = other.klass in MONEY and other.state in ("SENT", "IN_DOUBT", "REVERSING")
            if open_one and other.lane and other.lane == row.lane and other.id != row.id:
                self.crossed.append(f"{row.msgid} left while {other.msgid} was {other.state}")

    def _post(self, institution: Institution, script: Script, step: Send) -> None:
        message = json.loads(step.body)
        self._asking[id(script)] = (institution.code, message["msgid"], message["infno"])
        super()._post(institution, script, step)

    def _step(self, institution: Institution, script: Script, given: Answer | None) -> None:
        if given is not None and given.status:
            code, msgid, infno = self._asking[id(script)]
            found = given.envelope or {}
            one = Heard(infno, given.status, given.body, given.done, str(found.get("gw_code", "")), given.gw_repeat)
            self.heard.setdefault((code, msgid), []).append(one)
        super()._step(institution, script, given)

    # --- invariants -------------------------------------------------------------------------------------------------

    def faults(self) -> Iterator[str]:
        """Yield everything that is wrong; the first letters say which invariant."""
        yield from (f"books: {line}" for line in self.differences())
        yield from (f"I1: left before it was marked: {line}" for line in self.unmarked)
        yield from (f"I10: {line}" for line in self.crossed)
        yield from (f"I9: sent {count} times: {key[1]}" for key, count in self.sent.items() if count > 1)
        yield from self._settled_twice()
        yield from self._contradictions()
        yield from self._stories()
        yield from self._left_over()

    def _settled_twice(self) -> Iterator[str]:
        """I4, on the platform's own ledger: one live settlement a visit and batch, a sale's invoice, a message."""
        keys: Counter[tuple[str, ...]] = Counter()
        for row in self.platform.books.settlements.values():
            if not row.live:
                continue
            keys["message", row.msgid] += 1
            if row.kind == "pharmacy":
                keys["sale", row.institution, row.psn_no, row.invono] += 1
            elif row.kind == "outpatient":
                keys["visit", row.mdtrt_id, row.batch] += 1
            elif not row.middle:
                keys["stay", row.mdtrt_id] += 1
        yield from (f"I4: settled {count} times: {key}" for key, count in keys.items() if count > 1)

    def _contradictions(self) -> Iterator[str]:
        """I3: what a counter was told about money against how the record ended, and against what it was told before."""
        plans = self.room.links["national"].plans
        for key, answers in self.heard.items():
            if plans[answers[0].infno].transaction.klass not in MONEY:
                continue
            number = self.store.by_msgid.get(key)
            row = self.store.rows[number] if number is not None else None
            state = row.state if row is not None else ""
            final = [
                one for one in answers if one.done or (one.status == 200 and (not one.code or one.repeat == "new"))
            ]
            for one in final:
                if one.done != (state in SUCCESS):
                    yield f"I3: {key[1]} was told {'success' if one.done else 'failure'} and is {state}"
            if any(one.body != final[0].body for one in final):
                yield f"X7: {key[1]} heard different bytes about one end"
            first_done = next((n for n, one in enumerate(answers) if one.done), len(answers))
            for one in answers[first_done:]:
                if not one.done and one.repeat != "ask":
                    yield f"I3: {key[1]} heard success and then {one.status} {one.code}"
            if first_done < len(answers) and not (row is not None and row.delivered):
                yield f"RV4: {key[1]} heard success but is not marked delivered"

    def _stories(self) -> Iterator[str]:
        """I2: events of every row form one allowed chain that ends in its state; sealed answers belong to an end."""
        state: dict[int, str] = {}
        for number, _, to, _ in self.store.events:
            was = state.get(number, "")
            if to not in FOLLOWS.get(was, set()):
                yield f"I2: row {number} went from {was or 'nothing'} to {to}"
            state[number] = to
        for number, row in self.store.rows.items():
            if state.get(number) != row.state:
                yield f"I2: {row.msgid} is {row.state} but its events say {state.get(number)}"
            if number in self.store.answers and row.state not in TERMINAL:
                yield f"I2: {row.msgid} has an answer while {row.state}"
        if len(self.store.by_msgid) != len(self.store.rows):
            yield "I2: a msgid has two rows"

    def _left_over(self) -> Iterator[str]:
        """After the calm: everybody was answered, every lane is free or in doubt, the journal is quiet."""
        if self.unfinished:
            yield f"calm: {self.unfinished} scripts did not end"
        for code, one in self.room.door.institutions.items():
            if one.in_flight:
                yield f"calm: {one.in_flight} requests of {code} were never answered"
        if self.room.clerk.live or self.room.relay.live or self.room.queue.depth:
            yield f"calm: still live {list(self.room.clerk.live)} {list(self.room.relay.live)} {self.room.queue.depth}"
        holders = {row.lane for row in self.store.rows.values() if row.state in ("IN_DOUBT", "REVERSING")}
        yield from (f"calm: lane {lane} is held by nobody in doubt" for lane in self.room.lanes._lanes.keys() - holders)


def played(seed: int, weather: Weather, patients: int = 6, apart: int = 20) -> WatchedCity:
    """Play one seed; its number is in every failure."""
    city = WatchedCity(seed, weather, patients, apart)
    city.run()
    return city
