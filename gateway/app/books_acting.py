"""Actions of the books, each exactly once: reversals through the exchange of this node, feedback through the province.

An action is PLANNED with its difference. Before anything leaves it is SENT, durably, with what the other side can be
asked by; what is found SENT is looked up there first (specification §6.4). Feedback to institutions waits until they
fetch it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import attrs
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from adapters.store.books_cases import Action, BooksCases
from gateway.books.plans import escalates_ms
from gateway.core.booked import DiffRow
from gateway.core.jsontext import encode
from gateway.core.money import fen_of
from gateway.core.ports import Watch
from gateway.exchange.ordered import Ordered, Stated, Told

T = TypeVar("T")
_TRIED_AGAIN: frozenset[Told] = frozenset({"under_way", "busy"})


class Elsewhere(Protocol):
    """What carries out the actions towards the province."""

    def carry_out(self, actions: Sequence[Action]) -> Awaitable[list[str]]:
        """Do them; return the states they came to."""


@attrs.define(eq=False, kw_only=True)
class Acting:
    """Carries out what a run planned. db: runs a call on the thread of the store."""

    ordered: Ordered
    clock: IReactorTime
    db: Callable[[Callable[[BooksCases], object]], "Deferred[object]"]
    msgid: Callable[[str], str]
    watch: Watch
    wait_s: float
    elsewhere: Elsewhere | None = None

    async def carry_out(self, biz_date: str = "") -> dict[str, int]:
        """Do what is planned or interrupted; return how many came to which state. '': of every date."""
        found = await self._actions(("SENT", "IN_DOUBT", "PLANNED"), biz_date)
        counts: dict[str, int] = {}
        afar = [one for one in found if one.party in ("PROV", "INS")]
        states = await self.elsewhere.carry_out(afar) if self.elsewhere is not None else [one.state for one in afar]
        states += [await self._one(one) for one in found if one.party not in ("PROV", "INS")]
        for state in states:
            counts[state] = counts.get(state, 0) + 1
        return counts

    async def _one(self, action: Action) -> str:
        if action.party == "INST":
            return "waiting"  # the institution fetches it
        if action.party == "GW":  # the next reading of the journal leaves it out
            await self._move(action, action.state, "DONE", "ledger")
            return "DONE"
        if action.kind == "REVERSE":
            return await self._reverse(action)
        await self._move(action, action.state, "DONE", "people")  # there is no interface: who decided it, tells it
        return "DONE"

    async def _reverse(self, action: Action) -> str:
        diff, receipt = action.diff, action.receipt
        if not diff.msgid or not diff.fixmedins_code:
            return await self.give_up(action, "no_msgid")
        if action.state == "PLANNED":
            receipt = self.msgid(diff.fixmedins_code)
            if not await self._move(action, "PLANNED", "SENT", receipt):
                return "elsewhere"
            action = attrs.evolve(action, state="SENT", receipt=receipt)
        unheard = diff.name == "L1-INST-MISSING" and not action.approval
        told = await self._told(diff, receipt, unheard, stated_of(action))
        if told in _TRIED_AGAIN:
            return "SENT"
        if told == "done":
            await self._move(action, action.state, "DONE", receipt)
            return "DONE"
        return await self.give_up(action, f"{receipt} {told}")

    async def _told(self, diff: DiffRow, msgid: str, unheard: bool, stated: Stated | None) -> Told:
        """Order the reversal; one that takes long is asked for at the next occasion."""
        heard: Deferred[Told] = Deferred()

        def told(what: Told) -> None:
            if not heard.called:
                heard.callback(what)

        self.ordered.reverse(diff.fixmedins_code, diff.msgid, msgid, told, unheard, stated)
        heard.addTimeout(self.wait_s, self.clock)
        try:
            return await heard
        except TimeoutError:
            return "under_way"

    async def give_up(self, action: Action, receipt: str) -> str:
        """An action that failed is a person's business from now on."""
        await self._move(action, action.state, "FAILED", receipt)
        self.watch.alarm("books_action_failed", action.diff.fixmedins_code, action.diff.msgid)
        now_ms, until = self._now_ms(), escalates_ms(action.diff.biz_date)
        await self.db(lambda cases: cases.give_to_people(action.diff.diff_id, until, now_ms))
        return "FAILED"

    async def _actions(self, states: tuple[str, ...], biz_date: str) -> list[Action]:
        found = await self.db(lambda cases: cases.actions(states, biz_date))
        assert isinstance(found, list)
        return found

    async def _move(self, action: Action, was: str, to: str, receipt: str) -> bool:
        now_ms = self._now_ms()
        return bool(await self.db(lambda cases: cases.move(action.action_id, was, to, receipt, now_ms)))

    def _now_ms(self) -> int:
        return int(self.clock.seconds() * 1000)


def stated_of(action: Action) -> Stated | None:
    """Return what two people state of a record the journal never saw; None where it knows the record."""
    told = action.content.get("original")
    if not isinstance(told, dict):
        return None
    fen = fen_of(told["medfee_sumamt"] or None)
    settled = {"setl_time": action.diff.biz_date, **({} if fen is None else {"medfee_sumamt": int(fen)})}
    words = {name: told[name] for name in ("clr_type", "clr_optins") if told[name]}
    return Stated(
        oinfno=told["oinfno"], psn_no=told["psn_no"], link=told["link"], medfee_fen=fen,
        settled=encode({**settled, **words}).decode(),
    )  # fmt: skip
