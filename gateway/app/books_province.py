"""The books and the province: its statements as ledgers of the day, and what it is told: feedback, reversals.

A call is kept with its key and its content before it leaves: an interrupted one is looked up at the province, or sent
again as it was, which has one effect (gateway.core.province). A receipt is no correction: the next statement proves it.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import attrs
from twisted.internet.defer import Deferred

from adapters.crypto.digest import sm3
from adapters.store.books import EARLY, EVERYWHERE, BooksStore, Input
from adapters.store.books_calls import BooksCalls, Call, Moved
from adapters.store.books_cases import Action, BooksCases
from gateway.app.books_shelf import keep
from gateway.app.books_snapshot import INSURED_SCOPE, read_rows, scope_of
from gateway.app.books_sources import counts, one_source, own_sources
from gateway.app.codes_orders import Work
from gateway.core.booked import DiffRow
from gateway.core.ledgers import COMPONENTS
from gateway.core.money import fen_of
from gateway.core.province import (
    FEEDBACK_MAX,
    LEDGERS,
    FeedbackItem,
    FeedbackKind,
    FeedbackReceipt,
    ItemAnswer,
    Outcome,
    Party,
    ProvincialPort,
    Remembered,
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
Evidence = Mapping[tuple[str, str], str]


@attrs.define(eq=False, kw_only=True)
class Provincial:
    """The province of a run. db: runs a call with the store on its thread; data: the data directory."""

    port: ProvincialPort
    roles: Sequence[Role]
    data: Path
    db: Callable[[Callable[[BooksStore], Any]], "Deferred[Any]"]
    now_ms: Callable[[], int]
    give_up: Callable[[Action, str], Awaitable[str]]

    async def gather(self, work: Work, day: str, role: Role, round_: int, early: bool = False) -> list[str]:
        """Fetch the day's statements and note them as inputs; return what could not be had. early: the day goes on.

        round_: of the order; each round, and whoever comes after a crash, asks anew: under one key the province gives
        its first answer again (docs/province.md §1).
        """
        trouble = []
        folder = self.data / "books" / day
        for ledger in LEDGERS[role] if role in self.roles else ():
            now_ms = self.now_ms()
            target = folder / "work" / f"{ledger}-{role}-{work.order.id}-{now_ms}.csv"
            key = f"st{role[0]}-{day}-{ledger}-{work.order.id}-{round_}-{now_ms:x}"
            outcome = await self.port.fetch_statement(key, role, day, ledger, target)
            if outcome.value is None:
                trouble.append(f"省平台{ledger}账：{outcome.text}（{outcome.code}）")
                continue
            found = outcome.value
            await self.db(lambda store, found=found: self._note(store, found, folder, early))  # type: ignore[misc]
        return trouble

    def _note(self, store: BooksStore, found: Snapshot, folder: Path, early: bool) -> None:
        scope, marked = scope_of(found.role), f"{EARLY}:" if early else ""
        digest, place = keep(folder, found.path, found.ledger, scope)
        store.add_input(
            Input(
                ledger=found.ledger, scope=scope, biz_date=found.date, source=f"{marked}province:{found.statement_no}",
                sm3=digest, rows=found.rows, complete=found.complete, sums=found.sums_fen,
                path=str(place.relative_to(self.data)), who="node", at_ms=self.now_ms(),
            )
        )  # fmt: skip

    async def carry_out(self, actions: Sequence[Action]) -> list[str]:
        """Do what is planned or interrupted towards the province; return the states they came to. Each role has
        statements of its own."""
        states = []
        for where in sorted({(one.diff.role, one.diff.biz_date) for one in actions}):
            states += await self._carry_out([one for one in actions if (one.diff.role, one.diff.biz_date) == where])
        return states

    async def _carry_out(self, actions: Sequence[Action]) -> list[str]:
        begun = [one.action_id for one in actions if one.state != "PLANNED"]
        calls: list[Call] = await self.db(lambda store: BooksCalls(store.connection).carrying(begun))
        by_id = {one.action_id: one for one in actions}
        states = []
        for call in calls:  # as it left, before anything new: what it is about may look otherwise by now
            states += await self._told(call, [by_id.pop(one) for one in call.action_ids if one in by_id], doubtful=True)
        # What is left was planned, or sent by a version that kept no calls.
        return states + await self._begun(list(by_id.values())) if by_id else states

    async def _begun(self, actions: Sequence[Action]) -> list[str]:
        evidence, rows = await self.db(lambda store: self._found(store, actions))
        states = []
        items: list[tuple[Action, FeedbackItem]] = []
        for action in actions:
            item = _item(action, rows, evidence) if action.kind == "FEEDBACK" else None
            if item is not None:
                items.append((action, item))
            elif action.kind == "REVERSE":
                what = _reversal(action, rows)
                states += await self._new(action.action_id, _text(attrs.asdict(what)), [action])
            else:
                states.append(await self.give_up(action, "no_record"))
        for at in range(0, len(items), FEEDBACK_MAX):
            batch = items[at : at + FEEDBACK_MAX]
            content = _text([attrs.asdict(item) for _, item in batch])
            key = f"f{sm3(content.encode()).hex()[:31]}"  # of other content another one
            states += await self._new(key, content, [action for action, _ in batch])
        return states

    async def _new(self, key: str, content: str, actions: Sequence[Action]) -> list[str]:
        """SENT durably, with the exact content, before anything leaves."""
        call, now_ms = Call(key, content, tuple(one.action_id for one in actions)), self.now_ms()
        try:
            await self.db(lambda store: BooksCalls(store.connection).send(call, now_ms))
        except Moved:
            return [one.state for one in actions]
        return await self._told(call, [attrs.evolve(one, state="SENT") for one in actions], doubtful=False)

    async def _told(self, call: Call, actions: Sequence[Action], doubtful: bool) -> list[str]:
        """Send a call; one in doubt is looked up at the province first."""
        known = (await self.port.receipt_of(call.key)).value if doubtful else None
        plain = json.loads(call.content)
        if isinstance(plain, dict):
            return [await self._reversed(call.key, Reversal(**plain), action, known) for action in actions]
        return await self._fed_back(call.key, tuple(FeedbackItem(**one) for one in plain), actions, known)

    async def _reversed(self, key: str, what: Reversal, action: Action, known: Remembered | None) -> str:
        if known is not None and known.operation == "reversal" and isinstance(known.data.get("ack_no"), str):
            return await self._move(action, "DONE", known.data["ack_no"])
        outcome: Outcome[ReversalAck] = await self.port.reverse(key, what)
        if outcome.value is not None:
            return await self._move(action, "DONE", outcome.value.ack_no)
        if outcome.kind == "refused" and outcome.code == "NOT_FOUND":
            return await self._move(action, "DONE", "NOT_FOUND")  # it is out; the next statement proves it
        return await self._failed(action, outcome)

    async def _fed_back(
        self, key: str, items: tuple[FeedbackItem, ...], actions: Sequence[Action], known: Remembered | None
    ) -> list[str]:
        receipt = _receipt(known, items)
        if receipt is None:
            outcome: Outcome[FeedbackReceipt] = await self.port.send_feedback(key, items)
            if outcome.value is None:
                return [await self._failed(action, outcome) for action in actions]
            receipt = outcome.value
        answers = {one.item_id: one for one in receipt.answers}
        states = []
        for action in actions:
            answer = answers.get(action.action_id)
            if answer is not None and answer.taken:
                states.append(await self._move(action, "DONE", receipt.receipt_no))
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

    def _found(self, store: BooksStore, actions: Sequence[Action]) -> tuple[Evidence, Rows]:
        """Return the SM3 of each input by (ledger, scope), and the rows the actions speak of, by (ledger, setl_id or
        msgid)."""
        wanted = {text for one in actions for text in (one.diff.setl_id, one.diff.msgid) if text}
        evidence: dict[tuple[str, str], str] = {}
        rows: dict[tuple[str, str], list[Mapping[str, str]]] = {}
        diff = actions[0].diff
        insured = diff.role == "insured"
        every = store.inputs(diff.biz_date)
        inputs = one_source([one for one in every if (one.scope == INSURED_SCOPE) == insured or one.ledger == "GW"])
        own = own_sources(inputs)
        for one in inputs:
            evidence[one.ledger, one.scope] = one.sm3
            for row in read_rows(self.data / one.path):
                if not counts(one, row.get("fixmedins_code", ""), own):
                    continue
                for name in ("setl_id", "msgid"):
                    if row.get(name) in wanted:
                        rows.setdefault((one.ledger, row[name]), []).append(row)
        return evidence, rows


def _text(plain: object) -> str:
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)


def _receipt(known: Remembered | None, items: tuple[FeedbackItem, ...]) -> FeedbackReceipt | None:
    """Read what the province remembers it answered; None where that does not tell of every item."""
    if known is None or known.operation != "feedback":
        return None
    said, number = known.data.get("items"), known.data.get("receipt_no")
    if not isinstance(said, list) or not isinstance(number, str) or any(not isinstance(one, dict) for one in said):
        return None
    if [(one.get("item_id"), type(one.get("taken"))) for one in said] != [(one.item_id, bool) for one in items]:
        return None
    answers = tuple(
        ItemAnswer(item_id=one["item_id"], taken=one["taken"], code=str(one.get("code") or "")) for one in said
    )
    return FeedbackReceipt(receipt_no=number, received_at=str(known.data.get("received_at") or ""), answers=answers)


def _reversal(action: Action, rows: Rows) -> Reversal:
    diff = action.diff
    party: Party = "INS" if action.party == "INS" else "PROV"
    row = _first(rows, party, diff.setl_id or diff.msgid)
    return Reversal(
        party=party, reason=f"{diff.name} {diff.biz_date}", operator=OPERATOR, prov_sn=row.get("prov_sn", ""),
        omsgid="" if row.get("prov_sn") else diff.msgid, fixmedins_code=diff.fixmedins_code,
        psn_no=row.get("psn_no", ""),
    )  # fmt: skip


def _evidence(evidence: Evidence, diff: DiffRow) -> str:
    """Return the SM3 of the agency's ledger that holds a record: its institution's own, not just anybody's."""
    scope = INSURED_SCOPE if diff.role == "insured" else EVERYWHERE
    named = (("AGY", diff.fixmedins_code), ("AGY", scope), ("PROV", scope))
    return next((evidence[one] for one in named if one in evidence), "")


def _item(action: Action, rows: Rows, evidence: Evidence) -> FeedbackItem | None:
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
        item_id=action.action_id, kind=kind, party=party, evidence_sm3=_evidence(evidence, diff),
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
