"""One request inside the gateway: what is known of it so far, and the one way to answer it."""

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from gateway.core.answers import STATE_CODE, made, refusal
from gateway.core.errors import CODES, Complaint
from gateway.core.model import MONEY, Entry, Result, State
from gateway.core.plan import Plan
from gateway.core.ports import Clock, Incoming, Watch
from gateway.exchange.door import Institution, Link

JSON = b"application/json; charset=utf-8"


@attrs.define(eq=False, kw_only=True, slots=True)
class Job:
    """One request on its way. dispatched: it left the desk, so that nobody can say any more that nothing happened.

    insured_at: the insured locality the journal gives to a message that names none. trial: it only asks what a
    settlement would come to, and is a query.
    """

    incoming: Incoming
    institution: Institution
    link: Link
    local: bool
    infno: str
    msgid: str
    plan: Plan
    clock: Clock
    watch: Watch
    sequence: int
    began: float
    admdvs: str
    body: bytes = b""
    tree: dict[str, Any] = attrs.Factory(dict)
    digest: bytes = b""
    evidence: tuple[tuple[str, str, str, str, str, str], ...] = ()
    day: str = ""
    insured_at: str = ""
    dispatched: bool = False
    trial: bool = False
    _answered: bool = False

    @property
    def klass(self) -> str:
        return "Q" if self.trial else self.plan.transaction.klass

    @property
    def money(self) -> bool:
        return self.klass in MONEY

    def reply(
        self, body: bytes, result: Result, gw_code: str = "", status: int = 200, content_type: bytes = JSON
    ) -> bool:
        """Answer with these bytes, once; True when they were handed to a live connection."""
        if self._answered:
            return False
        self._answered = True
        self.institution.in_flight -= 1
        handed = self.incoming.respond(status, body, content_type)
        seconds = self.clock.seconds() - self.began
        self.watch.request(self.infno, self.klass, self.institution.code, result, seconds, self.msgid, gw_code)
        return handed

    def refuse(
        self,
        code: str,
        result: Result,
        *,
        detail: str = "",
        complaints: Sequence[Complaint] = (),
        other: Entry | None = None,
        repeat: str = "",
    ) -> None:
        """Answer with a refusal of the gateway's own; nothing was recorded for this request (X20, X37).

        other: the record in the way. Of another institution's the state alone is told: its number would say where the
        person is treated (security T18).
        """
        own = other if other is not None and other.fixmedins_code == self.institution.code else None
        # Blocked by another: to ask again with this msgid would tell nothing (X37).
        repeat = repeat or ("no" if other is not None else CODES[code].repeat)
        state = other.state if other is not None else "INVALID"
        body = self.made(
            code,
            detail=detail,
            complaints=complaints,
            state=state if self.money or other is not None else "",
            repeat=repeat if self.money else "",
            other_msgid=own.msgid if own is not None else "",
            setl_id=own.setl_id if own is not None else "",
        )
        self.reply(body, result, code)

    def turn_away(self, code: str, result: Result, detail: str = "", complaints: Sequence[Complaint] = ()) -> None:
        """Answer with HTTP status and body of a refusal that is not an envelope answer (429, 503, 413)."""
        status, body = refusal(code, detail, complaints, self.money)
        self.reply(body, result, code, status)

    def state_answer(self, state: State) -> tuple[bytes, str]:
        """Return (bytes, gw_code) of the answer that names a record's state."""
        code = STATE_CODE[state]
        body = self.made(code, state=state, repeat=CODES[code].repeat, success=state == "CONFIRMED")
        return body, code

    def say_state(self, state: State, result: Result = "in_doubt") -> None:
        """Answer with nothing but a record's state."""
        body, code = self.state_answer(state)
        self.reply(body, result, code)

    def made(
        self,
        code: str,
        *,
        detail: str = "",
        success: bool = False,
        state: str = "",
        repeat: str = "",
        complaints: Iterable[Complaint] = (),
        other_msgid: str = "",
        setl_id: str = "",
    ) -> bytes:
        """Return the bytes of a gateway-made envelope answer."""
        return made(
            code,
            now_s=self.clock.seconds(),
            region_infcode=self.link.infcode,
            admdvs=self.admdvs,
            sequence=self.sequence,
            detail=detail,
            success=success,
            state=state,
            repeat=repeat,
            complaints=complaints,
            other_msgid=other_msgid,
            setl_id=setl_id,
        )
