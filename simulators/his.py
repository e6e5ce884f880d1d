"""How an institution's own system behaves, without sockets: scripts ask to send and are told what came back.

A script is a generator: it yields `Send` or `Pause` and receives `Answer` (for a Pause: None). Whoever drives it, real
sockets or a stepped clock, is `drive`'s business.

What it believes about money is its own ledger. It obeys answers: infcode 0 books; in doubt asks again with the same
msgid and the same bytes; refused does not book.
"""

from collections.abc import Callable, Generator
from decimal import Decimal
from typing import Any

import attrs

from simulators import stamps
from simulators.booking import Booked, booked
from simulators.money import NotMoney
from simulators.people import AREA, Person
from simulators.wording import Dice, Json, read_object, write

CALL_PATH = "/fsi/api/rsfComIfsService/callService"
FILE_UP_PATH = "/fsi/api/fileupload/upload"
FILE_DOWN_PATH = "/fsi/api/fileupload/download"
ASK_AGAIN_S = (0.5, 1.0, 2.0, 5.0, 5.0, 10.0, 10.0, 15.0, 30.0, 30.0, 60.0, 60.0, 120.0)
"""Pauses before the same msgid is asked again; then the case goes to a person."""


NEW_MESSAGE_S = (5.0, 30.0)
"""Pauses before a settlement that certainly did not happen is tried with a new msgid."""


@attrs.frozen
class Send:
    """Post body to path."""

    path: str
    body: bytes


@attrs.frozen
class Pause:
    seconds: float


class GaveUp(Exception):
    """The business at the counter ended early; the text says why.

    doubted: the refused message had been sent before without an answer, so the refusal may be about its own success.
    """

    def __init__(self, text: str, doubted: bool = False) -> None:
        super().__init__(text)
        self.doubted = doubted


class Output(dict[str, Any]):
    """An answer's output. A platform that lies says yes and sends nothing: whoever needs a part of it gives up."""

    def __missing__(self, name: str) -> Any:
        raise GaveUp(f"回答缺少{name}")


@attrs.frozen
class Answer:
    """What came back. status 0: nothing whole; envelope None: not a JSON object."""

    status: int
    body: bytes
    envelope: Json | None

    @property
    def done(self) -> bool:
        return self.status == 200 and self.envelope is not None and str(self.envelope.get("infcode")) == "0"

    @property
    def output(self) -> Json:
        output = (self.envelope or {}).get("output")
        return Output(output if isinstance(output, dict) else {})

    @property
    def text(self) -> str:
        """err_msg, or what can be said of an answer without one."""
        if self.envelope is None:
            return f"HTTP {self.status} 无可读回答" if self.status else "没有回答"
        return str(self.envelope.get("err_msg") or self.envelope.get("message") or "")

    @property
    def gw_state(self) -> str:
        return str((self.envelope or {}).get("gw_state") or "")

    @property
    def gw_repeat(self) -> str:
        return str((self.envelope or {}).get("gw_repeat") or "")


def answer(status: int, body: bytes) -> Answer:
    return Answer(status, body, read_object(body) if status else None)


_NO_AMOUNT = (KeyError, TypeError, NotMoney)


Step = Send | Pause
Script = Generator[Step, Answer | None, None]
Talk = Generator[Step, Answer | None, Answer]


class Institution:
    """One institution's system: operator, msgids, ledger, and the habits every counter shares.

    clock_s: epoch seconds. first_serial: where its durable msgid counter stands.
    """

    def __init__(
        self,
        clock_s: Callable[[], float],
        dice: Dice,
        code: str,
        name: str,
        *,
        operator: str = "OP0001",
        first_serial: int = 0,
    ) -> None:
        self.code = code
        self.name = name
        self.ledger: list[Booked] = []
        self.refused: list[tuple[str, str]] = []
        self.unknown: dict[str, str] = {}
        """msgid -> infno of settlements whose end is not known yet."""
        self._asked: dict[str, tuple[str, bytes, str, str, str]] = {}
        self.counts: dict[str, int] = {}
        self.sign_no = ""
        self._clock_s = clock_s
        self.dice = dice
        self._operator = operator
        self._serial = first_serial

    def now_s(self) -> float:
        return self._clock_s()

    def now(self) -> str:
        return stamps.stamp(self._clock_s())

    def serial(self) -> int:
        self._serial += 1
        return self._serial

    def new_msgid(self) -> str:
        """Institution code, time, four digits of a counter that never repeats within a second's worth of work."""
        return f"{self.code}{stamps.dense(self._clock_s())}{self.serial() % 10000:04d}"

    def envelope(self, infno: str, body: Json, insuplc: str = "") -> Json:
        """The 18 fields of envelope.md §1."""
        return {
            "infno": infno,
            "msgid": self.new_msgid(),
            "mdtrtarea_admvs": AREA,
            "insuplc_admdvs": insuplc,
            "recer_sys_code": "YBXT",
            "dev_no": "",
            "dev_safe_info": "",
            "cainfo": "",
            "signtype": "",
            "infver": "V1.0",
            "opter_type": "1",
            "opter": self._operator,
            "opter_name": "测试收费员",
            "inf_time": self.now(),
            "fixmedins_code": self.code,
            "fixmedins_name": self.name,
            "sign_no": self.sign_no,
            "input": body,
        }

    def ask(self, infno: str, body: Json, insuplc: str = "", path: str = CALL_PATH) -> Talk:
        """One question or upload; without an answer it is repeated with the same msgid. Raises GaveUp when refused."""
        raw = write(self.envelope(infno, body, insuplc))
        found = yield from self.send(path, raw)
        doubted = False
        for pause_s in ASK_AGAIN_S[:6]:
            if not unanswered(found):
                break
            doubted = True
            yield Pause(pause_s)
            found = yield from self.send(path, raw)
        self._count(infno, found)
        if not found.done:
            self.refused.append((infno, found.text))
            raise GaveUp(f"{infno} {found.text}", doubted)
        return found

    def ask_or_redo(self, infno: str, body: Json, insuplc: str, undo: tuple[str, Json]) -> Talk:
        """A write; when its end is unclear it is taken back whole and sent again (reversal.md §2, class W)."""
        try:
            return (yield from self.ask(infno, body, insuplc))
        except GaveUp as why:
            if not why.doubted:
                raise
        yield from self.undo(*undo, insuplc)
        return (yield from self.ask(infno, body, insuplc))

    def undo(self, infno: str, body: Json, insuplc: str) -> Generator[Step, Answer | None, None]:
        """Take a write back; refused after an unanswered attempt means that attempt did it."""
        try:
            yield from self.ask(infno, body, insuplc)
        except GaveUp as why:
            if not why.doubted:
                raise

    def send(self, path: str, raw: bytes) -> Talk:
        """One message, one answer."""
        found = yield Send(path, raw)
        assert found is not None
        return found

    def settle(self, infno: str, body: Json, insuplc: str, clr_type: str, refund_of: str = "") -> Talk:
        """A request that moves money. Books what is confirmed; raises GaveUp when it is refused or stays unknown.

        When the answer says that a new message is needed (gw_repeat `new`), the cashier tries again, twice at most.
        """
        for pause_s in (*NEW_MESSAGE_S, None):
            envelope = self.envelope(infno, body, insuplc)
            self._asked[envelope["msgid"]] = (infno, write(envelope), clr_type, refund_of, insuplc)
            found = yield from self._one_settlement(envelope)
            self._count(infno, found)
            if found.done or found.gw_repeat != "new" or pause_s is None:
                break
            yield Pause(pause_s)
        if not found.done:
            self.refused.append((infno, found.text))
            raise GaveUp(f"{infno} {found.text}")
        try:
            row = booked(infno, envelope["msgid"], clr_type, found.output["setlinfo"], refund_of, insuplc)
        except (GaveUp, *_NO_AMOUNT) as cause:  # done, but nobody can say for how much: stays unknown
            raise GaveUp(f"{infno} 回答缺少结算内容") from cause
        row.psn_no = row.psn_no or (body.get("data") or {}).get("psn_no", "")
        self.ledger.append(row)
        del self.unknown[envelope["msgid"]]
        return found

    def _one_settlement(self, envelope: Json) -> Talk:
        """One message until its end is known; `unknown` holds its msgid until the books do, or it is refused."""
        self.unknown[envelope["msgid"]] = envelope["infno"]
        found = yield from self._until_decided(write(envelope))
        if not found.done and not undecided(found) and found.gw_state != "MANUAL":
            del self.unknown[envelope["msgid"]]
        return found

    def settle_free(self, infno: str, body: Json, insuplc: str) -> Talk:
        """2401: moves no money, but must not happen twice; in doubt the same message is asked again."""
        envelope = self.envelope(infno, body, insuplc)
        raw = write(envelope)
        found = yield from self._until_decided(raw)
        self._count(infno, found)
        if not found.done:
            self.refused.append((infno, found.text))
            raise GaveUp(f"{infno} {found.text}")
        return found

    def evening(self) -> Script:
        """Ask once more about every settlement whose end is not known; what the answer says goes into the ledger."""
        for msgid in list(self.unknown):
            infno, raw, clr_type, refund_of, insuplc = self._asked[msgid]
            found = yield from self.send(CALL_PATH, raw)
            for pause_s in ASK_AGAIN_S[:6]:
                if not unanswered(found):
                    break
                yield Pause(pause_s)
                found = yield from self.send(CALL_PATH, raw)
            if found.done:
                try:
                    row = booked(infno, msgid, clr_type, found.output["setlinfo"], refund_of, insuplc)
                    self.ledger.append(row)
                except (GaveUp, *_NO_AMOUNT):  # as in settle
                    continue
            if found.done or (not undecided(found) and found.gw_state != "MANUAL"):
                del self.unknown[msgid]

    def _until_decided(self, raw: bytes) -> Talk:
        found = yield from self.send(CALL_PATH, raw)
        for pause_s in ASK_AGAIN_S:
            if not undecided(found):
                break
            yield Pause(pause_s)
            found = yield from self.send(CALL_PATH, raw)
        return found

    def _count(self, infno: str, found: Answer) -> None:
        key = f"{infno} {'成功' if found.done else '未成功'}"
        self.counts[key] = self.counts.get(key, 0) + 1

    def sign_in(self) -> Script:
        """9001"""
        facts = {"opter_no": self._operator, "mac": "00-00-5E-00-53-01", "ip": "192.0.2.10"}
        found = yield from self.ask("9001", {"signIn": facts})
        self.sign_no = found.output["signinoutb"]["sign_no"]

    def sign_out(self) -> Script:
        """9002"""
        yield from self.ask("9002", {"signOut": {"sign_no": self.sign_no, "opter_no": self._operator}})
        self.sign_no = ""

    def identify(self, who: Person) -> Generator[Step, Answer | None, tuple[str, Json]]:
        """1101: the person's number and the insurance the counter chooses."""
        found = yield from self.ask("1101", {"data": self.identity_question(who)})
        insured = [row for row in found.output.get("insuinfo") or [] if row.get("psn_insu_stas") == "1"]
        if not insured:
            raise GaveUp("1101 无有效参保信息")
        return found.output["baseinfo"]["psn_no"], insured[0]

    def identity_question(self, who: Person) -> Json:
        """`data` of 1101."""
        return {
            **certificate(who),
            "card_sn": "",
            "begntime": self.now(),
            "psn_cert_type": "01",
            "certno": who.certno,
            "psn_name": who.name,
        }

    def problems(self) -> list[str]:
        """What is wrong with the institution's own books."""
        known = {row.setl_id for row in self.ledger if not row.refund_of}
        found = [f"{row.setl_id} 金额不平" for row in self.ledger if not row.consistent]
        found += [
            f"{row.setl_id} 退费没有原结算" for row in self.ledger if row.refund_of and row.refund_of not in known
        ]
        numbers = [row.setl_id for row in self.ledger if row.setl_id]
        if len(set(numbers)) != len(numbers):
            found.append("结算ID重复")
        found += [f"{msgid} {infno} 结果未知" for msgid, infno in self.unknown.items()]
        return found


_OPEN_STATES = {"IN_DOUBT", "REVERSING", "SENT", "JOURNALED"}


def unanswered(found: Answer) -> bool:
    """A question or upload nobody answered: a broken connection, no room, or a silent platform (GW-PLATFORM)."""
    if found.done:
        return False
    code = (found.envelope or {}).get("gw_code")
    return found.status in (0, 429) or found.status >= 500 or code == "GW-PLATFORM"


_NOT_TAKEN = {400, 401, 404, 405, 408, 413, 415}


def undecided(found: Answer) -> bool:
    """Nobody can say yet whether the money moved, or nothing was taken and the same message may simply be repeated.

    A gateway's word decides (gw_repeat, gw_state; annex X4, X37); without one a broken answer is doubt.
    """
    if found.done or found.gw_state == "MANUAL":
        return False
    if found.gw_repeat:
        return found.gw_repeat == "ask" or (found.gw_repeat == "same" and found.status in (429, 503))
    if found.status in _NOT_TAKEN and found.envelope is not None and "gw_code" in found.envelope:
        return False
    return found.status != 200 or found.envelope is None or found.gw_state in _OPEN_STATES


def certificate(who: Person) -> Json:
    """How the person shows who he is: the identity card."""
    return {"mdtrt_cert_type": "02", "mdtrt_cert_no": who.certno}


def plain(amount: Decimal) -> Decimal:
    """An amount as a system writes it: without trailing zeros, 128.6 rather than 128.60."""
    shorter = amount.normalize()
    return shorter.quantize(Decimal(1)) if shorter == shorter.to_integral_value() else shorter
