"""The books and the province: its statements as ledgers of the day, and what it is told: feedback, reversals.

Every call carries the action's identity as its key: an interrupted one is sent again with the same key, which has one
effect (gateway.core.province). A receipt is no correction: the next statement proves it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import attrs
from twisted.internet.defer import Deferred

from adapters.store.books import BooksStore, Input
from adapters.store.books_cases import Action, BooksCases
from gateway.app.books_shelf import keep
from gateway.app.books_snapshot import read_rows, scope_of
from gateway.app.codes_orders import Work
from gateway.core.ledgers import COMPONENTS
from gateway.core.money import fen_of
from gateway.core.province import (
    FEEDBACK_MAX,
    LEDGERS,
    FeedbackItem,
    FeedbackKind,
    FeedbackReceipt,
    Outcome,
    Party,
    ProvincialPort,
    Reversal,
    ReversalAck,
    Role,
    Snapshot,
)

T = TypeVar("T")
OPERATOR = "system"
_KINDS: Mapping[str, FeedbackKind] = {
    "L2-PROV-MISSING": "MISSING_AT_PROV", "L4-INSURED-LESS": "MISSING_AT_INS", "AMOUNT": "AMOUNT",
    "COMP_SPLIT": "AMOUNT", "STATUS": "STATUS", "DOUBLE_POST": "DUPLICATE",
}  # fmt: skip
_FACTS = (
    "fixmedins_code", "mdtrt_id", "psn_no", "msgid", "direction", "insutype", "clr_type", "setl_time", "clr_optins",
    "clr_pay_loc",
)  # fmt: skip
Rows = Mapping[tuple[str, str], Sequence[Mapping[str, str]]]


@attrs.define(eq=False, kw_only=True)
class Provincial:
    """The province of a run. db: runs a call with the store on its thread; data: the data directory."""

    port: ProvincialPort
    roles: Sequence[Role]
    data: Path
    db: Callable[[Callable[[BooksStore], Any]], "Deferred[Any]"]
    now_ms: Callable[[], int]
    give_up: Callable[[Action, str], Awaitable[str]]

    async def gather(self, work: Work, day: str, role: Role) -> list[str]:
        """Fetch the day's statements and note them as inputs; return what could not be had."""
        trouble = []
        folder = self.data / "books" / day
        for ledger in LEDGERS[role] if role in self.roles else ():
            target = folder / "work" / f"{ledger}-{role}-{work.order.id}-{self.now_ms()}.csv"
            key = f"statement-{role}-{day}-{ledger}-{work.order.id}"
            outcome = await self.port.fetch_statement(key, role, day, ledger, target)
            if outcome.value is None:
                trouble.append(f"省平台{ledger}账：{outcome.text}（{outcome.code}）")
                continue
            found = outcome.value
            await self.db(lambda store, found=found: self._note(store, found, folder))  # type: ignore[misc]
        return trouble

    def _note(self, store: BooksStore, found: Snapshot, folder: Path) -> None:
        scope = scope_of(found.role)
        digest, place = keep(folder, found.path, found.ledger, scope)
        store.add_input(
            Input(
                ledger=found.ledger, scope=scope, biz_date=found.date, source=f"province:{found.statement_no}",
                sm3=digest, rows=found.rows, complete=found.complete, sums=found.sums_fen,
                path=str(place.relative_to(self.data)), who="node", at_ms=self.now_ms(),
            )
        )  # fmt: skip

    async def carry_out(self, actions: Sequence[Action]) -> list[str]:
        """Do what is planned or interrupted towards the province; return the states they came to. Of one date; each
        role has statements of its own."""
        states = []
        for role in sorted({one.diff.role for one in actions}):
            states += await self._carry_out([one for one in actions if one.diff.role == role])
        return states

    async def _carry_out(self, actions: Sequence[Action]) -> list[str]:
        evidence, rows = await self.db(lambda store: self._found(store, actions))
        states = []
        told: list[tuple[Action, FeedbackItem]] = []
        for action in actions:
            sent = await self._sent(action)
            item = _item(sent, rows, evidence) if action.kind == "FEEDBACK" else None
            if item is not None:
                told.append((sent, item))
            elif action.kind == "REVERSE":
                states.append(await self._reversed(sent, rows))
            else:
                states.append(await self.give_up(sent, "no_record"))
        for at in range(0, len(told), FEEDBACK_MAX):
            states += await self._fed_back(told[at : at + FEEDBACK_MAX])
        return states

    async def _sent(self, action: Action) -> Action:
        """SENT durably before anything leaves; its key is its identity, so there is nothing else to remember."""
        if action.state == "PLANNED":
            now_ms = self.now_ms()
            await self.db(
                lambda store: BooksCases(store.connection).move(
                    action.action_id, "PLANNED", "SENT", action.action_id, now_ms
                )
            )
            return attrs.evolve(action, state="SENT")
        return action

    async def _reversed(self, action: Action, rows: Rows) -> str:
        diff = action.diff
        party: Party = "INS" if action.party == "INS" else "PROV"
        row = _first(rows, party, diff.setl_id or diff.msgid)
        what = Reversal(
            party=party, reason=f"{diff.name} {diff.biz_date}", operator=OPERATOR, prov_sn=row.get("prov_sn", ""),
            omsgid="" if row.get("prov_sn") else diff.msgid, fixmedins_code=diff.fixmedins_code,
            psn_no=row.get("psn_no", ""),
        )  # fmt: skip
        outcome: Outcome[ReversalAck] = await self.port.reverse(action.action_id, what)
        if outcome.value is not None:
            return await self._move(action, "DONE", outcome.value.ack_no)
        if outcome.kind == "refused" and outcome.code == "NOT_FOUND":
            return await self._move(action, "DONE", "NOT_FOUND")  # it is out; the next statement proves it
        return await self._failed(action, outcome)

    async def _fed_back(self, told: Sequence[tuple[Action, FeedbackItem]]) -> list[str]:
        items = tuple(item for _, item in told)
        key = told[0][0].action_id if len(told) == 1 else f"{told[0][0].action_id}-{len(told)}"
        outcome: Outcome[FeedbackReceipt] = await self.port.send_feedback(key, items)
        if outcome.value is None:
            return [await self._failed(action, outcome) for action, _ in told]
        answers = {one.item_id: one for one in outcome.value.answers}
        states = []
        for action, item in told:
            answer = answers.get(item.item_id)
            if answer is not None and answer.taken:
                states.append(await self._move(action, "DONE", outcome.value.receipt_no))
            else:
                states.append(await self.give_up(action, answer.code if answer is not None else "no_answer"))
        return states

    async def _failed(self, action: Action, outcome: Outcome[T]) -> str:
        if outcome.kind == "refused" and not outcome.wait:
            return await self.give_up(action, outcome.code)
        return await self._move(action, "IN_DOUBT" if outcome.kind == "unknown" else "SENT", outcome.code)

    async def _move(self, action: Action, state: Literal["DONE", "SENT", "IN_DOUBT"], receipt: str) -> str:
        now_ms = self.now_ms()
        await self.db(
            lambda store: BooksCases(store.connection).move(action.action_id, action.state, state, receipt, now_ms)
        )
        return state

    def _found(self, store: BooksStore, actions: Sequence[Action]) -> tuple[dict[str, str], Rows]:
        """Return the SM3 of each ledger, and the rows the actions speak of, by (ledger, setl_id or msgid)."""
        wanted = {text for one in actions for text in (one.diff.setl_id, one.diff.msgid) if text}
        evidence: dict[str, str] = {}
        rows: dict[tuple[str, str], list[Mapping[str, str]]] = {}
        diff = actions[0].diff
        for one in store.inputs(diff.biz_date):
            insured = one.scope == scope_of("insured")
            if insured != (diff.role == "insured") and one.ledger not in ("GW",):
                continue
            evidence[one.ledger] = one.sm3
            for row in read_rows(self.data / one.path):
                for name in ("setl_id", "msgid"):
                    if row.get(name) in wanted:
                        rows.setdefault((one.ledger, row[name]), []).append(row)
        return evidence, rows


def _item(action: Action, rows: Rows, evidence: Mapping[str, str]) -> FeedbackItem | None:
    """Return what is told of a difference: the care locality's record as it stands; None when there is none."""
    diff = action.diff
    kind = _KINDS.get(diff.name)
    key = diff.setl_id or diff.msgid
    own, agency = _first(rows, "GW", key), _first(rows, "AGY", key)
    source = {**own, **{name: text for name, text in agency.items() if text}}
    if diff.role == "insured":
        source = _first(rows, "PROV", key)
    if kind is None or not source:
        return None
    party: Party = "INS" if diff.leg == "L4" else "PROV"
    values = {name: fen for name in COMPONENTS if (fen := fen_of(source.get(name) or None)) is not None}
    speaks = "PROV" if diff.role == "insured" else "AGY" if agency else "GW"
    theirs = _first(rows, party, key) if kind != "DUPLICATE" else _surplus(rows.get((party, key), ()), source)
    return FeedbackItem(
        item_id=action.action_id, kind=kind, party=party, evidence_sm3=evidence.get("AGY") or evidence.get("PROV", ""),
        operator=OPERATOR, setl_id=diff.setl_id, prov_sn=theirs.get("prov_sn", ""),
        values_fen=values if kind in ("AMOUNT", "MISSING_AT_PROV", "MISSING_AT_INS") else {},
        status=_status(rows.get((speaks, key), ())) if kind == "STATUS" else "",
        facts={name: text for name in _FACTS if (text := source.get(name) or ("0" if name == "direction" else ""))},
    )  # fmt: skip


def _first(rows: Rows, ledger: str, key: str) -> dict[str, str]:
    """Return a ledger's settlement of a key; {} when it has none.

    Where only the refund is at hand (its settlement is of another day), its words stand for it, its amounts do not.
    """
    every = rows.get((ledger, key), ())
    settlement = next((row for row in every if row.get("direction") != "1"), None)
    if settlement is not None:
        return dict(settlement)
    return {name: "" if name in COMPONENTS else cell for row in every[:1] for name, cell in row.items()} | (
        {"direction": "0"} if every else {}
    )


def _status(every: Sequence[Mapping[str, str]]) -> Literal["SETTLED", "REFUNDED", "REVERSED"]:
    """Return what a ledger says of a settlement, net (annex B1, B10): whoever is told is told that."""
    settled = sum(row.get("direction") != "1" for row in every)
    words = {row.get("status", "") for row in every if row.get("direction") != "1"}
    if "REVERSED" in words:
        return "REVERSED"
    counted = sum(row.get("direction") == "1" and row.get("status", "") != "REVERSED" for row in every)
    return "REFUNDED" if "REFUNDED" in words or counted >= max(1, settled) else "SETTLED"


def _surplus(every: Sequence[Mapping[str, str]], source: Mapping[str, str]) -> Mapping[str, str]:
    """Return which of two records of one settlement is one too many: that with other amounts, else the later one."""
    amounts = {name: fen for name in COMPONENTS if (fen := fen_of(source.get(name) or None)) is not None}
    found = sorted((row for row in every if row.get("direction") != "1"), key=lambda row: row.get("prov_sn", ""))
    wrong = [row for row in found if any(fen_of(row.get(name) or None) != fen for name, fen in amounts.items())]
    return (wrong or found or [{}])[-1]
