"""Who watches a city: what left for the platform and when, what every counter heard, and the invariants about both.

It stands on the roads. The gateway's journal is read only to compare it with what was sent and said; the books compared
are the platform's and the institutions' (reversal specification §10).
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from gateway.core.model import FAILED, LATE, MONEY, TERMINAL, Entry, followup_msgid
from simulators.cases import SUCCESS, cases_of
from simulators.patience import Patience
from simulators.platform import Reply
from simulators.wording import Json, read_object

if TYPE_CHECKING:
    from simulators.city import City
    from simulators.life import Counter

OPEN = {"JOURNALED", "SENT", "IN_DOUBT", "REVERSING"}
# What may follow what in a row's events (reversal specification §3); a state twice: delivery was noted, or the reversal
# of a known success was put on the queue.
FOLLOWS = {
    "": {"JOURNALED", "DONE"},
    "JOURNALED": {"SENT", "NOT_SENT"},
    "SENT": {"ACKED", "REJECTED", "NOT_SENT", "IN_DOUBT", "DONE"},
    "IN_DOUBT": {"IN_DOUBT", "ACKED", "REJECTED", "REVERSING", "CONFIRMED", "ABSENT", "MANUAL"},
    "REVERSING": {"REVERSED", "MANUAL"},
    "ACKED": {"ACKED"},
    "CONFIRMED": {"CONFIRMED"},
}
LATE_MS = 3_000
GIVEN_UP_SHARE, GIVEN_UP_MIN = 0.08, 4  # of a day's money; 2 of 57 in the worst of 420 days
REFUSED_AT_ONCE = {"GW-LANE-BUSY", "GW-REVERSING"}
AT_ONCE_S = 0.1
_decode = msgspec.json.Decoder().decode
Booking = tuple[str, Any]
"""(setl_id, amounts): the total in fen, or all amounts."""


@attrs.frozen
class Heard:
    """One answer a counter got about one message."""

    infno: str
    status: int
    body: bytes
    done: bool
    code: str
    state: str
    repeat: str
    recorded: bool  # the journal held its message when this was said

    @property
    def final(self) -> bool:
        """A success, the platform's refusal, or a failure of ours that will not change."""
        return self.done or (self.status == 200 and (not self.code or self.repeat == "new"))


@attrs.define(eq=False, repr=False)
class Witness:
    """Remembers every message sent to the platform and every answer a counter heard; found: what was wrong at once."""

    city: City
    found: list[str] = attrs.Factory(list)
    sent: Tally[tuple[str, str]] = attrs.Factory(Tally)
    heard_of: dict[tuple[str, str], list[Heard]] = attrs.Factory(dict)
    said: dict[tuple[str, str], set[bytes]] = attrs.Factory(dict)
    doubled: list[bytes] = attrs.Factory(list)
    twins: set[bytes] = attrs.Factory(set)
    _reversing: Tally[tuple[int, str, str]] = attrs.Factory(Tally)
    _in_lane: dict[str, list[Entry]] = attrs.Factory(dict)
    undoing: dict[tuple[str, str], str] = attrs.Factory(dict)
    contents: dict[tuple[str, str], bytes] = attrs.Factory(dict)
    patience: Patience = attrs.field(init=False)
    _businesses: dict[tuple[str, ...], list[Entry]] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        self.patience = Patience(self.city)

    # --- on the road to the platform ---

    def leaves(self, life: int, body: bytes) -> None:
        message = _decode(body)
        code, msgid, infno = message["fixmedins_code"], message["msgid"], message["infno"]
        klass = self.city.compiled.region.transactions[infno].klass
        if infno in ("2204", "2205"):
            self._lines_leave(message)
        if klass not in MONEY and klass != "C":
            return
        row = self.row(code, msgid)
        if row is None or row.state != "SENT":
            self.found.append(f"I1: {infno} {msgid} left before it was marked")
        elif klass == "R":
            self._reversal_leaves(life, message, row)
        elif klass in MONEY:
            self._alone(row)
            self._only_one(message, row)
        if klass in MONEY:
            self.sent[code, msgid] += 1

    def row(self, code: str, msgid: str) -> Entry | None:
        number = self.city.journal.by_msgid.get((code, msgid))
        return None if number is None else self.city.journal.rows[number]

    def _alone(self, row: Entry) -> None:
        """I10, §7: nothing leaves for a person while another of his requests is on its way or in doubt."""
        others = self._in_lane.setdefault(row.lane, [])
        others[:] = [other for other in others if other.state in ("SENT", "IN_DOUBT", "REVERSING")]
        for other in others:
            if row.lane and other.id != row.id:
                self.found.append(f"I10: {row.msgid} left while {other.msgid} was {other.state}")
        others.append(row)

    def _only_one(self, message: Json, row: Entry) -> None:
        """§8: no business leaves under two numbers, unless the first is known to have come to nothing."""
        key = _business_of(message)
        others = self._businesses.setdefault(key, [])
        for other in others:
            if key and other.id != row.id and other.state not in FAILED and not other.cancelled:
                self.found.append(f"I4: {row.msgid} is the same business as {other.msgid}, which is {other.state}")
        others.append(row)

    def _lines_leave(self, message: Json) -> None:
        """§7: the lines of a visit do not change under a settlement in doubt."""
        first = next(iter(message["input"].values()))
        visit = (first[0] if isinstance(first, list) else first)["mdtrt_id"]
        for rows in self._in_lane.values():
            for row in rows:
                mine = (row.fixmedins_code, row.mdtrt_id) == (message["fixmedins_code"], visit)
                if mine and row.state in ("IN_DOUBT", "REVERSING"):
                    self.found.append(f"I10: lines of {visit} were changed while {row.msgid} was {row.state}")

    def _reversal_leaves(self, life: int, message: dict[str, Any], row: Entry) -> None:
        """I5, I7, RV1: of what, for whom, and never of a success that was handed over, unless it was asked for."""
        data, code = message["input"]["data"], message["fixmedins_code"]
        original = self.row(code, data["omsgid"])
        self._reversing[life, code, data["omsgid"]] += 1
        if self._reversing[life, code, data["omsgid"]] > 1:
            self.found.append(f"I7: two reversals of {data['omsgid']} on the road")
        if original is None:
            self.found.append(f"I7: {row.msgid} reverses {data['omsgid']}, which nobody sent")
            return
        told = (original.psn_no, original.infno, original.insuplc_admdvs)
        if (data["psn_no"], data["oinfno"], message["insuplc_admdvs"]) != told:
            self.found.append(f"I7: {row.msgid} says {data} of {told}")
        asked = data["omsgid"] in self.city.people.asked()
        if original.delivered and original.state != "CONFIRMED" and asked and not self.city.may_reverse:
            self.found.append(f"I5: {row.msgid} reverses {data['omsgid']}, which no institution here may")
        if original.delivered and not asked:
            self.found.append(f"I5: {row.msgid} reverses {data['omsgid']}, which was handed over")
        followed = self.row(code, followup_msgid(original)) is not None and data["omsgid"] in self.patience.heard
        if original.state in TERMINAL and not asked and not followed:
            self.found.append(f"I2: {row.msgid} reverses {data['omsgid']}, which is {original.state}")

    def back(self, life: int, body: bytes) -> None:
        """A message's way is over for the gateway that sent it."""
        message = _decode(body)
        if message["infno"] == "2601":
            self._reversing[life, message["fixmedins_code"], message["input"]["data"]["omsgid"]] -= 1

    def answers(self, body: bytes, reply: Reply) -> None:
        message = _decode(body)
        self.said.setdefault((message["fixmedins_code"], message["msgid"]), set()).add(reply.body)

    # --- at the counters ---

    def heard(self, counter: Counter, status: int, body: bytes) -> None:
        if not status:
            return
        message = _decode(counter.body)
        key, infno = (message["fixmedins_code"], message["msgid"]), message["infno"]
        if self.city.compiled.region.transactions[infno].klass not in MONEY:
            return
        answer = self._believable(key, infno, counter.body, status, body)
        if answer is None:
            return
        code, state = answer.get("gw_code", ""), answer.get("gw_state", "")
        done = status == 200 and str(answer.get("infcode")) == "0"
        one = Heard(infno, status, body, done, code, state, answer.get("gw_repeat", ""), self.row(*key) is not None)
        self.heard_of.setdefault(key, []).append(one)
        if infno == "2601":
            self.undoing[key] = message["input"]["data"]["omsgid"]
        if code and not state and code not in ("GW-RATE", "GW-NOT-READY"):
            self.found.append(f"I13: {key[1]} was told {code} without a state")
        if not code and body not in self.said.get(key, ()) and b"gw_codes" not in body:
            self.found.append(f"I13: {key[1]} heard what nobody said")
        waited_s = self.city.clock.now_s - counter.entered_s
        if code in REFUSED_AT_ONCE and waited_s > AT_ONCE_S and infno != "2601":
            self.found.append(f"I10: {key[1]} heard {code} only after {waited_s:.1f} s")

    def _believable(self, key: tuple[str, str], infno: str, asked: bytes, status: int, body: bytes) -> Json | None:
        """Return an answer that is about what was first asked under this number; None for any other."""
        answer = read_object(body)
        if answer is None:
            self.found.append(f"I13: {key[1]} heard what nobody can read")
            return None
        done = status == 200 and str(answer.get("infcode")) == "0"
        if self.contents.setdefault(key, asked) != asked:
            if done:
                self.found.append(f"I3: {key[1]} was told success about another content")
            return None
        if done and infno in ("2102", "2207", "2304") and named(answer) not in ("", key[1]):
            self.found.append(f"I3: {key[1]} was told success by an answer about {named(answer)}")
        return answer

    # --- when all is over ---

    def faults(self) -> Iterator[str]:
        yield from self.found
        yield from self._books()
        yield from (f"I9: sent {count} times: {key[1]}" for key, count in self.sent.items() if count > 1)
        yield from self._settled_twice()
        yield from self._contradictions()
        yield from self._stories()
        yield from (*self._left_over(), *self._given_up(), *self.patience.faults())

    def cases(self) -> dict[str, str]:
        """msgid -> why a person looks at it."""
        return cases_of(self)

    def _books(self) -> Iterator[str]:
        """I6: to the fen, and as many bookings; every difference is a case."""
        people, cases = self.city.people, self.cases()
        theirs: dict[str, list[Booking]] = {}
        ours: dict[str, list[Booking]] = {}
        for books, rows in ((theirs, people.booked()), (ours, people.believed())):
            for msgid, setl_id, amounts in rows:
                books.setdefault(msgid, []).append((setl_id, amounts))
        for msgid in theirs.keys() | ours.keys():
            if msgid not in cases and not _agree(theirs.get(msgid, []), ours.get(msgid, [])):
                yield f"I6: {msgid}: platform {theirs.get(msgid)}, institution {ours.get(msgid)}"
        yield from (f"I6: {msgid} is still unknown" for msgid in people.unknown() if msgid.split()[-1] not in cases)

    def _settled_twice(self) -> Iterator[str]:
        keys: dict[str, list[str]] = {}
        for key, msgid in self.city.people.businesses():
            keys.setdefault(key, []).append(msgid)
        cases = self.cases()
        for key, msgids in keys.items():
            if len(msgids) > 1 and not any(msgid in cases for msgid in msgids):
                yield f"I4: settled {len(msgids)} times: {key} {msgids}"

    def _contradictions(self) -> Iterator[str]:
        """I3: what a counter was told about money against how the record ended, and against what it was told before."""
        for key, answers in self.heard_of.items():
            row = self.row(*key)
            state = row.state if row is not None else ""
            reversal = answers[0].infno == "2601"
            final = [one for one in answers if one.final]
            for one in final:
                success = self._is_undone(key) if reversal and state not in TERMINAL - {"DONE"} else state in SUCCESS
                if row is not None and row.cancelled and not row.delivered:
                    success = False  # reversed before anybody heard of it: its msgid says so from then on
                if one.done != success:
                    yield f"I3: {key[1]} was told {'success' if one.done else 'failure'} and is {state}"
            if any(one.body != final[0].body for one in final):
                yield f"X7: {key[1]} heard different bytes about one end"
            first = next((n for n, one in enumerate(answers) if one.done), len(answers))
            for one in answers[first:]:
                if not one.done and one.repeat != "ask" and one.code not in ("GW-RATE", "GW-NOT-READY"):
                    yield f"I3: {key[1]} heard success and then {one.status} {one.code}"
            if first < len(answers) and not reversal and not (row is not None and row.delivered):
                yield f"RV4: {key[1]} heard success but is not marked delivered"

    def _is_undone(self, key: tuple[str, str]) -> bool:
        """Of a 2601 that was answered without the platform: its original failed."""
        original = self.row(key[0], self.undoing[key])
        return original is not None and original.state in FAILED

    def _stories(self) -> Iterator[str]:
        """I2, I11: events of every row form one allowed chain that ends in its state."""
        state: dict[int, tuple[str, int]] = {}
        journal = self.city.journal
        for number, at_ms, to, reason in journal.events:
            was, since = state.get(number, ("", 0))
            if reason.startswith(LATE) and to == was:
                continue
            if to not in FOLLOWS.get(was, set()) and (was or reason != "late_success"):
                yield f"I2: row {number} went from {was or 'nothing'} to {to}"
            late = was == "IN_DOUBT" and to in ("ACKED", "REJECTED")
            if late and at_ms - since > LATE_MS and not self.city.weather.clock_jump:
                yield f"I11: row {number} went to {to} {at_ms - since} ms after it fell into doubt"
            state[number] = (to, at_ms)
        for number, row in journal.rows.items():
            if state.get(number, ("", 0))[0] != row.state:
                yield f"I2: {row.msgid} is {row.state} but its events say {state.get(number)}"
            yield from _of_one(row, number in journal.answers)
        if len(journal.by_msgid) != len(journal.rows):
            yield "I2: a msgid has two rows"

    def _given_up(self) -> Iterator[str]:
        """I2: a person takes over what nobody can end, not whatever is hard."""
        journal = self.city.journal
        rows = [row for row in journal.rows.values() if row.klass in ("M", "A")]
        # Of a closed day nothing can be taken back: the platform said so of these.
        told = {number for number, _, to, why in journal.events if (to, why) == ("MANUAL", "impossible")}
        excused = told if self.city.weather.closes_day else set()
        given_up = sum(row.state == "MANUAL" and row.id not in excused for row in rows)
        if given_up > max(GIVEN_UP_MIN, GIVEN_UP_SHARE * len(rows)):
            yield f"I2: {given_up} of {len(rows)} were given to a person"

    def _left_over(self) -> Iterator[str]:
        """I2, I8: after the calm everybody was answered, every record is at its end, every lane is free."""
        city = self.city
        if city.unfinished:
            yield f"calm: {city.unfinished} scripts did not end"
        for row in city.journal.rows.values():
            if row.state in OPEN and row.klass in MONEY:
                yield f"I2: {row.infno} {row.msgid} is still {row.state}"
        for saf in city.journal.saf.values():
            if saf.state in ("QUEUED", "INFLIGHT"):
                yield f"I8: the reversal of row {saf.original_id} is still {saf.state}"
        life = city.front
        if life is None:
            yield "calm: no gateway lives"
            return
        room = life.room
        if room.clerk.live or room.relay.live or room.queue.depth or room.office.live:
            yield f"calm: still live {list(room.clerk.live)} {list(room.relay.live)} {list(room.office.live)}"
        yield from (
            f"calm: {one.in_flight} requests of {code} were never answered"
            for code, one in room.door.institutions.items()
            if one.in_flight
        )
        yield from (f"calm: lane {lane} is still held" for lane in room.lanes.held())


def _of_one(row: Entry, answered: bool) -> Iterator[str]:
    if answered and row.state not in TERMINAL:
        yield f"I2: {row.msgid} has an answer while {row.state}"
    if row.klass == "Q":
        yield f"I14: {row.infno} {row.msgid} has a row"


_BUSINESS = {
    "2207": ("psn_no", "mdtrt_id", "chrg_bchno"),
    "2304": ("psn_no", "mdtrt_id", "mid_setl_flag", "invono"),
    "2102": ("psn_no", "invono"),
    "2208": ("setl_id",),
    "2103": ("setl_id",),
    "2305": ("setl_id",),
    "2401": ("psn_no", "ipt_no"),
}


def _business_of(message: Json) -> tuple[str, ...]:
    """What a message is about (reversal specification §8); () when the table knows nothing of it."""
    names = _BUSINESS.get(message["infno"])
    if names is None:
        return ()
    node = next(iter(message["input"].values()))
    kind = "undo" if names == ("setl_id",) else message["infno"]
    return (kind, message["fixmedins_code"], *(str(node.get(name, "")) for name in names))


def named(answer: Json) -> str:
    """The msgid an answer says it is about, '' when it says none."""
    output = answer.get("output")
    info = output.get("setlinfo") if isinstance(output, dict) else None
    named = info.get("medins_setl_id") if isinstance(info, dict) else None
    return named if isinstance(named, str) else ""


def _agree(theirs: list[Booking], ours: list[Booking]) -> bool:
    """As many bookings, of the same amounts, under the same numbers; a refund that was found has no number."""
    pairs = zip(sorted(theirs, key=lambda row: row[1]), sorted(ours, key=lambda row: row[1]), strict=False)
    return len(theirs) == len(ours) and all(a[1] == b[1] and b[0] in ("", a[0]) for a, b in pairs)
