"""Clearing by people: checking, two-person approval, what comes back from the audit, appeals, payment, deadlines."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from adapters.crypto.digest import sm3
from adapters.store.books_month import ClearingRow, DeductionRow, MonthReader, MonthWriter
from gateway.app.books_month_work import (
    apply,
    audit_facts,
    audit_of,
    deduction_of,
    frozen_facts,
    funds_by_settlement,
)
from gateway.app.books_region import calendar_of, profile_of, writing
from gateway.app.config import Config
from gateway.app.say import Outside
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.books.clearing import FUNDS, Facts, Input, Refused, State, step
from gateway.books.deductions import (
    ACCEPTED,
    APPEALED,
    APPLIED,
    NOTIFIED,
    Deduction,
    file_objections,
    move,
    totals,
)
from gateway.books.freezing import CITY, Objection
from gateway.books.month import Content
from gateway.core.approval import Approval, Person
from gateway.core.dates import day_of
from gateway.core.money import fen_of

APPROVE, WITHDRAW = "month.approve", "month.withdraw"
ATTACHMENT_BYTES_MAX = 20 << 20
FILE_BYTES_MAX = 64 << 20
COLUMNS = (
    "deduction_id", "setl_id", "feedetl_sn", "fund", "amount", "kind", "reason_code", "text", "period", "dept",
    "doctor", "notice",
)  # fmt: skip
_REQUIRED = ("deduction_id", "setl_id", "fund", "amount", "kind")


def check(config: Config, writer: MonthWriter, row: ClearingRow, who: str, at_ms: int) -> ClearingRow:
    """DRAFT -> CHECKED. Raises Refused with every reason, Moved."""
    facts = frozen_facts(config, writer, row, profile_of(config, row.scope))
    return apply(writer, row, Input.CHECK, facts, who, at_ms)


def proposal(row: ClearingRow) -> bytes:
    """Return what two people decide about: the application's content under its idempotency key."""
    plain = {"id": row.id, "idempotency": row.idempotency, "content": json.loads(row.content)}
    return json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()


def propose_approval(desk: SecurityDesk, look: MonthReader, row: ClearingRow, person: Person, reason: str) -> Approval:
    """Propose a checked application; whoever reconciled the month may be neither of the two. Raises Refused,
    NotAllowed, TrailFailed."""
    if row.state != State.CHECKED.value:
        raise Refused([Objection("BM-STATE", f"申请处于{row.state}，核对（check）之后才能提交审批")])
    return desk.approvals.propose(
        person, APPROVE, row.name, proposal(row), reason, reconcilers=look.reconcilers(row.month)
    )


def carry_out_approval(config: Config, approval: Approval, wanted: bytes, outside: Outside) -> str:
    """CHECKED -> APPROVED, once two people agreed (gateway.app.approving). Raises Refused, Moved."""
    with writing(config) as connection:
        writer = MonthWriter(connection)
        row = writer.one(int(json.loads(wanted)["id"]))
        if row is None or proposal(row) != wanted:
            raise Refused([Objection("BM-CHANGED", "申请内容与核准时不同，核准作废")])
        if row.checker == approval.checker and row.state != State.CHECKED.value:
            return f"申请{row.name}已审批"
        facts = Facts(
            maker=approval.maker, checker=approval.checker, approved=True, reconcilers=writer.reconcilers(row.month)
        )
        step(State(row.state), row.doubt, Input.APPROVE, facts)  # the trail does not tell what is refused
        with security_desk(config, outside.now, outside.entropy) as desk:
            desk.trail.record(
                approval.checker, APPROVE, row.name, before=row.state, after=State.APPROVED.value,
                reason=approval.reason, approval=approval.id,
            )  # fmt: skip
        note = f"第{approval.id}号事项，编制{approval.maker}，审核{approval.checker}"
        changes = {"checker": approval.checker}
        now_ms = int(outside.now() * 1000)
        apply(writer, row, Input.APPROVE, facts, approval.checker, now_ms, note, changes)
    return f"申请{row.name}已审批，可以申报"


def withdrawal(row: ClearingRow, reason: str) -> bytes:
    """Return what two people decide about when an application is to be withdrawn."""
    return json.dumps({"id": row.id, "event_id": row.event_id, "reason": reason}, sort_keys=True).encode()


def enter(config: Config, writer: MonthWriter, row: ClearingRow, event_id: str, who: str, at_ms: int) -> ClearingRow:
    """A person entered the application on the agency's platform. Raises Refused, Moved."""
    by_hand = profile_of(config, row.scope).manual if row.scope != CITY else not config.province.url
    if not by_hand:
        raise Refused([Objection("BM-INTERFACE", "本地区经接口申报（month submit），不能人工登记")])
    facts = Facts(event_id=event_id)
    return apply(writer, row, Input.ENTER, facts, who, at_ms, "", {"event_id": event_id, "submitted_ms": at_ms})


# --- the audit -------------------------------------------------------------------------------------


class BadFile(Exception):
    """A file cannot be used, and no part of it was. lines: what is wrong, with its line."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def rows_of(path: Path, columns: Sequence[str], required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, cells) of a small CSV with a header. Raises BadFile, OSError."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise BadFile([f"{path}: 文件超过上限{FILE_BYTES_MAX}字节"])
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            header = reader.fieldnames or []
            lacking = [name for name in required if name not in header]
            unknown = [name for name in header if name not in columns]
            if lacking or unknown:
                raise BadFile([f"{path}:1: 缺少列{'、'.join(lacking) or '无'}，不认识的列{'、'.join(unknown) or '无'}"])
            for cells in reader:
                if None in cells or None in cells.values():
                    raise BadFile([f"{path}:{reader.line_num}: 单元格数与列名不符"])
                yield reader.line_num, {name: cells.get(name, "").strip() for name in columns}
    except (UnicodeDecodeError, csv.Error) as cause:
        raise BadFile([f"{path}: 不是UTF-8的CSV文件：{cause}"]) from cause


def read_deductions(path: Path, notified: str) -> list[DeductionRow]:
    """Return the deductions of a file. Raises BadFile, OSError."""
    found, wrong = [], []
    for line, cells in rows_of(path, COLUMNS, _REQUIRED):
        fen = fen_of(cells["amount"])
        if fen is None or any(not cells[name] for name in _REQUIRED):
            wrong.append(f"{path}:{line}: {'、'.join(_REQUIRED)}必填，amount为至多两位小数的元")
            continue
        texts = {name: text for name, text in cells.items() if name != "amount"}
        found.append(
            DeductionRow(
                **texts, amount=int(fen), state=NOTIFIED, revised=None, ended="", notified=notified, changed_ms=0
            )
        )
    if wrong:
        raise BadFile(wrong)
    return found


def take_deductions(writer: MonthWriter, row: ClearingRow, rows: Sequence[DeductionRow], who: str, at_ms: int) -> int:
    """Store a file of deductions whole, or refuse it whole (§7.2). Raises Refused."""
    known = {one.deduction_id: deduction_of(one) for one in writer.deductions(row.id)}
    settlements = [*(one.setl_id for one in rows), *(one.setl_id for one in known.values())]
    frozen = funds_by_settlement(writer, row.id, settlements)
    if found := file_objections([deduction_of(one) for one in rows], known, frozen):
        raise Refused(found)
    return writer.deduct(row.id, [attrs.evolve(one, changed_ms=at_ms) for one in rows], who, at_ms)


def read_audit(path: Path) -> dict[str, dict[str, int]]:
    """Return {"approved": fund -> fen, "deposit": fund -> fen} of a file fund,approved,deposit. Raises BadFile."""
    found: dict[str, dict[str, int]] = {"approved": {}, "deposit": {}}
    for line, cells in rows_of(path, ("fund", "approved", "deposit"), ("fund", "approved")):
        for name in found:
            fen = fen_of(cells[name] or "0")
            if cells["fund"] not in FUNDS or fen is None or cells["fund"] in found[name]:
                raise BadFile([f"{path}:{line}: fund应为{'、'.join(FUNDS)}之一且不重复，金额为元"])
            found[name][cells["fund"]] = int(fen)
    return found


def take_audit(
    config: Config, writer: MonthWriter, row: ClearingRow, audit: Mapping[str, Any], who: str, at_ms: int
) -> ClearingRow:
    """Store what the audit approved by fund; what was confirmed stays as it was. Raises Refused, Moved."""
    if row.state == State.CONFIRMED.value:
        raise Refused([Objection("BM-STATE", f"申请处于{row.state}，审核结果已确认，不能再改")])
    facts = audit_facts(writer, row, profile_of(config, row.scope))
    return apply(writer, row, Input.AUDIT, facts, who, at_ms, "", {"audit": json.dumps(audit, sort_keys=True)})


@attrs.frozen(kw_only=True)
class Decision:
    """What is done to one deduction. revised: fen; file: material handed in, '' = none, and its SM3."""

    deduction_id: str
    state: str
    note: str = ""
    revised: int | None = None
    file: str = ""
    file_sm3: str = ""


def decide(config: Config, writer: MonthWriter, row: ClearingRow, given: Decision, who: str, at_ms: int) -> ClearingRow:
    """Move one deduction, and the application with it: an appeal disputes it, the last decision settles it.

    Raises Refused, Moved, CalendarError.
    """
    stored = {one.deduction_id: one for one in writer.deductions(row.id)}
    one = stored.get(given.deduction_id)
    if one is None:
        raise Refused([Objection("BD-ROW", f"申请{row.name}没有扣款{given.deduction_id}")])
    moved = judged(config, row, one, given, at_ms)
    if given.state == APPEALED:
        row = apply(writer, row, Input.DISPUTE, Facts(), who, at_ms, given.deduction_id)
    new = attrs.evolve(one, state=moved.state, revised=moved.revised, ended=moved.ended)
    writer.settle(row.id, new, one.state, (who, given.note, given.file, given.file_sm3), at_ms)
    rest = [other for other in writer.deductions(row.id) if other.state == APPEALED]
    if row.state == State.DISPUTED.value and not rest:
        row = apply(writer, row, Input.SETTLE, Facts(), who, at_ms, given.deduction_id)
    return row


def judged(config: Config, row: ClearingRow, one: DeductionRow, given: Decision, at_ms: int) -> Deduction:
    """Return what a deduction becomes. Raises Refused with the reason why not, CalendarError."""
    late = given.state == APPEALED and day_of(at_ms / 1000) > appeal_until(config, row, one)
    moved = move(deduction_of(one), given.state, given.revised, late)
    if given.state == APPEALED and not given.note.strip():
        raise Refused([Objection("BD-NOTE", "申诉须写明理由（--note），有材料的附上（--file）")])
    if row.state not in (State.AUDITED.value, State.DISPUTED.value):
        raise Refused([Objection("BM-STATE", f"申请处于{row.state}，登记审核结果之后才能处理扣款")])
    return moved


def appeal_until(config: Config, row: ClearingRow, one: DeductionRow) -> str:
    """Return the last day on which a deduction may be appealed. Raises CalendarError."""
    return calendar_of(config).after(one.notified, profile_of(config, row.scope).appeal_workdays)


def keep_attachment(config: Config, row: ClearingRow, path: Path) -> tuple[str, str]:
    """Copy material into the data directory; return (its place there, SM3). Raises BadFile, OSError."""
    if path.stat().st_size > ATTACHMENT_BYTES_MAX:
        raise BadFile([f"{path}: 附件超过上限{ATTACHMENT_BYTES_MAX}字节"])
    data = path.read_bytes()
    digest = sm3(data).hex()
    root = config.path(config.node.data_dir)
    place = root / "books" / "appeals" / row.month / f"{digest}{path.suffix[:10]}"
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not place.exists():
        place.touch(mode=0o600)
        place.write_bytes(data)
    return str(place.relative_to(root)), digest


def confirm(config: Config, writer: MonthWriter, row: ClearingRow, who: str, at_ms: int) -> ClearingRow:
    """AUDITED -> CONFIRMED, and what the deductions came to is final (APPLIED), in one. Raises Refused, Moved."""
    facts = audit_facts(writer, row, profile_of(config, row.scope))
    step(State(row.state), row.doubt, Input.CONFIRM, facts)  # what is open is told as such, before anything moves
    settled = []
    for one in writer.deductions(row.id):
        moved = move(deduction_of(one), APPLIED)
        settled.append((attrs.evolve(one, state=moved.state, ended=moved.ended), one.state))
    return apply(writer, row, Input.CONFIRM, facts, who, at_ms, settled=settled)


def paid(
    config: Config, writer: MonthWriter, row: ClearingRow, fen: int, earlier: int, who: str, at_ms: int
) -> ClearingRow:
    """CONFIRMED -> DISBURSED. fen: what arrived; earlier: of earlier months, released withholdings and deposits
    included. Raises Refused, Moved."""
    facts = attrs.evolve(audit_facts(writer, row, profile_of(config, row.scope)), paid=fen, earlier=earlier)
    return apply(writer, row, Input.DISBURSE, facts, who, at_ms, "", {"paid": fen, "earlier": earlier})


# --- figures and deadlines -------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Standing:
    """One application as people see it; amounts fen. due: (working days, date, overdue) of payment deadlines."""

    row: ClearingRow
    content: Content
    deductions: tuple[Deduction, ...]
    approved: int
    deducted: int
    withheld: int
    deposit: int
    due: tuple[tuple[int, str, bool], ...]

    @property
    def applied(self) -> int:
        return sum(self.content.funds.values())

    @property
    def overdue(self) -> bool:
        return any(late for _, _, late in self.due)


_UNPAID = ("SUBMITTED", "ACCEPTED", "AUDITED", "DISPUTED", "CONFIRMED", "IN_DOUBT", "WITHDRAWING")


def standing(config: Config, look: MonthReader, row: ClearingRow, today: str) -> Standing:
    """Return where an application stands. Raises CalendarError when the calendar does not reach."""
    deductions = tuple(deduction_of(one) for one in look.deductions(row.id))
    audit = audit_of(row, deductions)
    deducted, withheld = totals(deductions)
    due = []
    if row.submitted_ms and row.state in _UNPAID:
        calendar, start = calendar_of(config), day_of(row.submitted_ms / 1000)
        for days in profile_of(config, row.scope).pay_workdays:
            last = calendar.after(start, days)
            due.append((days, last, today > last))
    return Standing(
        row=row, content=Content.read(row.content), deductions=deductions,
        approved=sum(audit.approved.values()) if audit is not None else 0,
        deposit=sum(audit.deposit.values()) if audit is not None else 0,
        deducted=sum(deducted.values()), withheld=sum(withheld.values()), due=tuple(due),
    )  # fmt: skip


__all__ = ["ACCEPTED", "APPEALED", "APPLIED", "COLUMNS", "BadFile", "Decision", "Standing"]
