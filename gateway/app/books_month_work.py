"""A month's clearing in the books room: building applications, the facts its guards ask, one step at a time.

Everything here works on an open store and decides nothing by itself: what may follow is `gateway.books.clearing`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from adapters.crypto.digest import sm3
from adapters.store.books_freeze import FreezeReader
from adapters.store.books_month import ClearingRow, DeductionRow, MonthReader, MonthWriter, NewClearing, Sum
from gateway.app.config import Config
from gateway.app.consent_keys import faults_of
from gateway.books.clearing import Audit, Facts, Input, Refused, State, step
from gateway.books.consenting import PARTIES
from gateway.books.deductions import OPEN, Deduction, totals
from gateway.books.freezing import Objection
from gateway.books.month import Content, Counted, Group, Profile, days_of, funds_of, missing_days, named, sum_faults

HELD_SHOWN = 1_000
_REPLACES = (State.DRAFT,)  # building anew gives these up
_GONE = (State.RETURNED, State.WITHDRAWN)


class CannotBuild(Exception):
    """Nothing was built. missing: days that are not frozen; objections: other reasons."""

    def __init__(self, missing: Sequence[str], objections: Sequence[Objection] = ()) -> None:
        super().__init__("；".join([*missing, *(one.text for one in objections)]))
        self.missing, self.objections = tuple(missing), tuple(objections)


@attrs.frozen(kw_only=True)
class Built:
    """What building came to. held: rows as `MonthReader.held`."""

    applications: tuple[ClearingRow, ...]
    held: tuple[tuple[Any, ...], ...]


def build(writer: MonthWriter, where: tuple[str, str, str], who: str, at_ms: int) -> Built:
    """Build the applications of (role, scope, month) from frozen days only, as DRAFT; drafts of before are given up.

    Raises CannotBuild: days are missing, sums do not fit, or an application is on its way.
    """
    role, scope, month = where
    freezes = FreezeReader(writer.connection).month(role, scope, month)
    if missing := missing_days(month, (row.biz_date for row in freezes)):
        raise CannotBuild(missing)
    rows, faults = month_sums(writer, where)
    before: dict[Group, list[ClearingRow]] = {}
    for row in writer.of_month(role, scope, month):
        before.setdefault(group_of(row), []).append(row)
    busy = [row for found in before.values() for row in found if State(row.state) not in (*_REPLACES, *_GONE)]
    found = [
        Objection("BM-BUSY", f"申请{row.name}处于{row.state}，不能重新生成；请先作废、撤回或等待退回") for row in busy
    ]
    found += [Objection("BM-SUM", text) for texts in faults.values() for text in texts]
    if found:
        raise CannotBuild((), found)
    for olds in before.values():
        for old in olds:
            if State(old.state) in _REPLACES:
                apply(writer, old, Input.DISCARD, Facts(), who, at_ms, "重新生成")
    new = []
    for group, one in rows.items():
        revision = 1 + max((row.revision for row in before.get(group, [])), default=0)
        content = Content(
            role=role, scope=scope, month=month, group=group, revision=revision, clr_way=one.clr_way,
            settlements=one.settlements, refunds=one.refunds, sums=named(one.sums),
        )  # fmt: skip
        new.append(NewClearing(group=group, revision=revision, idempotency=content.key(sm3), content=content.text()))
    numbers = writer.build(where, new, [row.id for row in freezes], who, at_ms)
    made = tuple(row for row in writer.of_month(role, scope, month) if row.id in numbers)
    return Built(applications=made, held=tuple(writer.held(role, scope, month, HELD_SHOWN)))


def group_of(row: ClearingRow) -> Group:
    return (row.clr_type, row.insutype, row.clr_optins, row.clr_pay_loc)


def month_sums(look: MonthReader, where: tuple[str, str, str]) -> tuple[dict[Group, Sum], dict[Group, list[str]]]:
    """Return (group -> what counts, group -> where it is not what the days summed up to); one pass over the month."""
    rows = {one.group: one for one in look.rows(*where)}
    days: dict[Group, dict[str, Counted]] = {}
    for one in look.days(*where):
        days.setdefault(one.group, {})[one.kind] = Counted(one.settlements, one.refunds, one.sums)
    faults = {}
    for group in sorted({*rows, *days}):
        one_row = rows.get(group)
        counted = Counted(one_row.settlements, one_row.refunds, one_row.sums) if one_row is not None else Counted()
        if texts := sum_faults(group, counted, days.get(group, {})):
            faults[group] = texts
    return rows, faults


def frozen_facts(config: Config, look: MonthReader, row: ClearingRow, profile: Profile) -> Facts:
    """Return what the guards ask about the frozen days of an application."""
    freezes = FreezeReader(look.connection)
    current = {one.biz_date: one for one in freezes.month(row.role, row.scope, row.month)}
    own = set(look.freezes(row.id))
    missing = [day for day in days_of(row.month) if day not in current or current[day].id not in own]
    unconsented, doubtful = [], []
    if profile.consent:
        for day, freeze in sorted(current.items()):
            consents = freezes.consents(freeze.id)
            if not {one.party for one in consents}.issuperset(PARTIES):
                unconsented.append(day)
            doubtful += [f"{day}：{text}" for text in faults_of(config, row.scope, freeze.freeze_sm3, consents)]
    rows, faults = month_sums(look, (row.role, row.scope, row.month))
    texts = list(faults.get(group_of(row), []))
    counted, content = rows.get(group_of(row)), Content.read(row.content)
    if counted is None or named(counted.sums) != dict(content.sums):
        texts.append("申请的金额与固化明细不符，请重新生成")
    return Facts(
        missing=missing, unconsented=unconsented, consent_faults=doubtful, sums=texts, stored=bool(row.idempotency),
        manual=profile.manual,
    )  # fmt: skip


def deduction_of(row: DeductionRow) -> Deduction:
    names = {field.name for field in attrs.fields(Deduction)}
    return Deduction(**{name: value for name, value in attrs.asdict(row).items() if name in names})


def audit_of(row: ClearingRow, deductions: Sequence[Deduction]) -> Audit | None:
    """Return what the audit came to, None before there is one."""
    if not row.audit:
        return None
    plain: dict[str, Mapping[str, int]] = json.loads(row.audit)
    deducted, withheld = totals(deductions)
    return Audit(approved=plain["approved"], deposit=plain["deposit"], deducted=deducted, withheld=withheld)


def audit_facts(look: MonthReader, row: ClearingRow, profile: Profile) -> Facts:
    """Return what the guards ask once the platform has audited."""
    deductions = [deduction_of(one) for one in look.deductions(row.id)]
    found = look.funds(row.id, [one.setl_id for one in deductions])
    return Facts(
        applied=Content.read(row.content).funds,
        audit=audit_of(row, deductions),
        open_deductions=sum(one.state in OPEN for one in deductions),
        unmatched=sum(one.setl_id not in found for one in deductions),
        paid=row.paid, earlier=row.earlier, event_id=row.event_id, clr_stas=row.clr_stas,
        audited_from=profile.audited_from,
    )  # fmt: skip


def funds_by_settlement(look: MonthReader, number: int, setl_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return setl_id -> fund -> fen of the settlements an application counts (§7.2)."""
    return {setl_id: funds_of(named(sums)) for setl_id, sums in look.funds(number, setl_ids).items()}


def apply(
    writer: MonthWriter, row: ClearingRow, given: Input, facts: Facts, who: str, at_ms: int, note: str = "",
    changes: Mapping[str, Any] | None = None, settled: Sequence[tuple[DeductionRow, str]] = (),
) -> ClearingRow:  # fmt: skip
    """Take one step and store it. settled: as of `MonthWriter.move`. Raises Refused, Moved."""
    if row.state == State.WITHDRAWING.value or row.doubt == "withdraw":
        facts = attrs.evolve(facts, was=_began(writer, row))
    state, doubt = step(State(row.state), row.doubt, given, facts)
    return writer.move(row, given.value, state.value, who, at_ms, note, {**(changes or {}), "doubt": doubt}, settled)


def _began(look: MonthReader, row: ClearingRow) -> State:
    """Return the state in which the withdrawal under way was ordered."""
    began = [before for given, before, *_ in look.events(row.id) if given == Input.WITHDRAW.value]
    return State(began[-1]) if began else State.SUBMITTED


__all__ = [
    "Built", "CannotBuild", "Refused", "apply", "audit_facts", "audit_of", "build", "deduction_of", "frozen_facts",
    "funds_by_settlement", "group_of", "month_sums",
]  # fmt: skip
