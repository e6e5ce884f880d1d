"""The insurance platform: takes request bodies, gives answers, keeps books. Without sockets, so that it also runs on a
stepped clock; `simulators.wire` puts it on the network.

It reads the specification by itself (`simulators.shapes`, `simulators.checks`), is stateful like a real platform, and
does not de-duplicate by msgid: whatever arrives twice is judged by its business twice.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import attrs

from simulators import archives, checks, lookups, national, settling, shapes, stamps, statements, visits
from simulators.access import Gatekeeper, open_gate
from simulators.appeals import HANDLERS as APPEALS
from simulators.clearing_desk import HANDLERS as CLEARING
from simulators.clearing_monthly import HANDLERS as MONTHLY
from simulators.faults import Fault, Weather, calm
from simulators.ledger import Books, Call, Refusal
from simulators.list_desk import ListDesk
from simulators.lists import HANDLERS as LISTS
from simulators.people import AREA
from simulators.visits import Handler
from simulators.wording import Dice, Json, read_object, write

JSON_TYPE = "application/json;charset=utf-8"
HANDLERS: Mapping[str, Handler] = {
    **lookups.HANDLERS,
    **CLEARING,
    **MONTHLY,
    **APPEALS,
    **LISTS,
    **visits.HANDLERS,
    **settling.HANDLERS,
    **statements.HANDLERS,
    **archives.HANDLERS,
}
_LISTED = 3


class Clock(Protocol):
    """What the platform needs of a reactor."""

    def seconds(self) -> float: ...
    def callLater(self, delay: float, function: Callable[..., object], /, *args: object) -> object: ...


class Reply(NamedTuple):
    """An answer and how it goes out. body_sent < len(body): the rest never comes; drop: see Fault."""

    status: int
    content_type: str
    body: bytes
    delay_s: float = 0.0
    drop: str = ""
    body_sent: int = -1


@attrs.frozen
class _Then:
    """A clock that stands at the time something happened."""

    at_s: float

    def seconds(self) -> float:
        return self.at_s

    def callLater(self, delay: float, function: Callable[..., object], /, *args: object) -> object:
        raise AssertionError("what is done again is done at once")


class Platform:
    """One platform.

    clock: seconds() is the time of all stamps, callLater books late when a fault says so. dice: a pinch of real life in
    the receiver's message numbers. persons: insured persons (numbers 0..persons-1 of `simulators.people`).
    lists: how it treats settlement lists. remote_every: each so-many-th person is insured elsewhere, 0 = none. faults
    may be set at any time. diary: told the time and the envelope of everything before it is processed.
    """

    def __init__(
        self,
        clock: Clock,
        dice: Dice,
        *,
        persons: int = 2000,
        gate: Gatekeeper = open_gate,
        require_sign_in: bool = False,
        lists: ListDesk | None = None,
        remote_every: int = 0,
        diary: Callable[[float, Json], None] = lambda at_s, request: None,
    ) -> None:
        self.faults: Weather = calm
        self.known: checks.Known = national.complaint
        self._diary = diary
        self.books = Books(persons, lists, remote_every)
        self._clock = clock
        self._dice = dice
        self._gate = gate
        self._require_sign_in = require_sign_in
        self.counts: dict[str, dict[str, int]] = {}

    def handle(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        """(HTTP status, content type, body) of one request; headers with lower-case names."""
        reply = self.serve(path, headers, body)
        return reply.status, reply.content_type, reply.body

    def ledger(self) -> list[Json]:
        """Every settlement and refund, reversed ones marked; amounts in fen."""
        return self.books.rows()

    def remote(self) -> list[Json]:
        """What is forwarded to the province: the ledger's rows of people insured elsewhere."""
        return [row.row() for row in self.books.settlements.values() if row.clr_pay_loc != "2"]

    def serve(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Like handle, with the weather: delays, silence, cut answers."""
        if path.startswith("/sim/"):
            return self._about(path)
        if not path.startswith("/fsi/api/"):
            return Reply(404, JSON_TYPE, write({"code": 404, "message": "地址不存在"}))
        envelope = read_object(body)
        infno = str((envelope or {}).get("infno", ""))
        denied = self._gate(headers, infno, self._clock.seconds())
        if denied:
            self._count(infno, "denied")
            return Reply(401, JSON_TYPE, write({"code": 401, "message": denied}))
        if envelope is None:
            return Reply(200, JSON_TYPE, self._envelope(-1, "报文不是合法的JSON对象", {}))
        fault = self.faults(infno, str(envelope.get("msgid", "")))
        return self._process(envelope, infno) if fault is None else self._misbehave(envelope, infno, fault)

    def again(self, at_s: float, request: Json) -> None:
        """Process once more what was processed at that time, before a restart; nobody gets the answer."""
        clock, diary = self._clock, self._diary
        self._clock, self._diary = _Then(at_s), lambda at_s, request: None
        try:
            self._process(request, str(request.get("infno", "")))
        finally:
            self._clock, self._diary = clock, diary

    def _process(self, envelope: Json, infno: str) -> Reply:
        """Do one request, all of it at one moment: numbers are made of the time, and the diary knows but one."""
        clock, at_s = self._clock, self._clock.seconds()
        self._diary(at_s, envelope)
        self._clock = _Then(at_s)
        try:
            return self._processed(envelope, infno)
        finally:
            self._clock = clock

    def _processed(self, envelope: Json, infno: str) -> Reply:
        try:
            if infno == "9102":
                content = archives.fetch(self.books, self._call(envelope, infno))
                self._count(infno, "done")
                return Reply(200, "application/octet-stream", content)
            output = self._do(envelope, infno)
        except Refusal as refusal:
            self._count(infno, "refused")
            return Reply(200, JSON_TYPE, self._envelope(-1, str(refusal)[:200], {}))
        self._count(infno, "done")
        body = self._envelope(0, "", output)
        if infno == "3261":  # 3262 names a batch by the number its answer had
            self.books.clearing.answered[str(envelope["msgid"])] = str((read_object(body) or {})["inf_refmsgid"])
        return Reply(200, JSON_TYPE, body)

    def _do(self, envelope: Json, infno: str) -> object:
        call = self._call(envelope, infno)
        handler = HANDLERS.get(infno)
        if handler is None:
            raise Refusal(f"平台未开通交易{infno}")
        return handler(self.books, call)

    def _call(self, envelope: Json, infno: str) -> Call:
        """The request, checked. Raises Refusal."""
        if infno not in shapes.shapes():
            raise Refusal("交易编号不存在")
        wrong = checks.envelope_complaints(envelope)
        if not wrong:
            body = shapes.unwrapped(infno, envelope["input"])
            day = checks.service_day(infno, body) or envelope["inf_time"][:10]
            wrong = checks.input_complaints(infno, body, day, self.known)
        if wrong:
            raise Refusal("；".join(wrong[:_LISTED]))
        if self._require_sign_in and infno != "9001" and envelope.get("sign_no") not in self.books.signed_in:
            raise Refusal("签到流水号无效，请先签到")
        return Call(
            infno,
            envelope["msgid"],
            envelope["fixmedins_code"],
            envelope["fixmedins_name"],
            envelope["opter"],
            self._clock.seconds(),
            body,
        )

    def _misbehave(self, envelope: Json, infno: str, fault: Fault) -> Reply:
        self._count(infno, "fault")
        if fault.book_late_s:
            self._clock.callLater(fault.book_late_s, self._process, envelope, infno)
            return Reply(200, JSON_TYPE, b"", drop=fault.drop or "silent")
        if fault.business_error:
            return Reply(200, JSON_TYPE, self._envelope(-1, fault.business_error, {}), fault.delay_s, fault.drop)
        if fault.without_effect or not fault.processed:
            reply = Reply(200, JSON_TYPE, self._envelope(0, "", {}))
        else:
            reply = self._process(envelope, infno)
        if fault.twice:
            self._book_again(str(envelope.get("msgid", "")))
        return self._disguise(reply, fault)

    def _disguise(self, reply: Reply, fault: Fault) -> Reply:
        status, kind, body = reply.status, reply.content_type, reply.body
        if fault.system_error:
            body = self._envelope(-1, fault.system_error, {})
        if fault.infcode:
            body = self._envelope(fault.infcode, "处理未完成", {})
        if fault.http_status:
            status, kind, body = fault.http_status, "text/html", b"<html><body>Bad Gateway</body></html>"
        if fault.garbage:
            body = b"\xff\xfe{" + body[:40]
        if fault.foreign_msgid:
            answer = read_object(body) or {}
            output = answer.get("output") or {}
            if isinstance(output, dict) and "setlinfo" in output:
                output["setlinfo"]["medins_setl_id"] = "X00000000000000000000000000000"
            body = write(answer)
        sent = fault.truncate_bytes if fault.truncate_bytes else -1
        return Reply(status, kind, body, fault.delay_s, fault.drop, sent)

    def _book_again(self, msgid: str) -> None:
        """The platform's own mistake: the same settlement under a second number (difference class D3)."""
        rows = self.books.by_msgid.get(msgid)
        if rows:
            self.books.add(attrs.evolve(rows[-1], setl_id=self.books.new_id("S", self._clock.seconds())))

    def _envelope(self, infcode: int, err_msg: str, output: object) -> bytes:
        now_s = self._clock.seconds()
        number = self._dice.randrange(0, 10**10)
        return write(
            {
                "infcode": infcode,
                "inf_refmsgid": f"{AREA}{stamps.dense(now_s)}{number:010d}",
                "refmsg_time": stamps.dense_ms(now_s),
                "respond_time": stamps.dense_ms(now_s),
                "err_msg": err_msg,
                "output": output,
            }
        )

    def _count(self, infno: str, result: str) -> None:
        row = self.counts.setdefault(infno if infno in shapes.shapes() else "?", {})
        row[result] = row.get(result, 0) + 1

    def _about(self, path: str) -> Reply:
        if path == "/sim/ledger":
            return Reply(200, JSON_TYPE, write({"rows": self.ledger(), "count": len(self.books.settlements)}))
        if path == "/sim/remote":
            return Reply(200, JSON_TYPE, write({"rows": self.remote()}))
        if path == "/sim/stats":
            lists = self.books.lists.tally(self._clock.seconds())
            return Reply(
                200, JSON_TYPE, write({"counts": self.counts, "visits": len(self.books.visits), "lists": lists})
            )
        return Reply(404, JSON_TYPE, write({"code": 404, "message": "地址不存在"}))
