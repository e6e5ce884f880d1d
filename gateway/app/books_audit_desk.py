"""What the audit of a city's application came to, fund by fund, where the province tells totals alone: by two people.

An institution's amounts are its agency's word and are confirmed by the institution afterwards. Of the city's
application nobody else looks at what is entered by hand, so one proposes and another approves the same amounts; what
does not add up fund by fund is refused before it is proposed (reconciliation §7.1, annex B19).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.store.books_month import ClearingRow, MonthReader, MonthWriter
from gateway.app.books_month_desk import BadFile, read_audit, take_audit
from gateway.app.books_month_work import audit_of, deduction_of
from gateway.app.books_region import writing
from gateway.app.config import Config
from gateway.app.say import Outside
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.books.clearing import FUNDS, Audit, Refused, State, identity_faults
from gateway.books.deductions import totals
from gateway.books.freezing import Objection
from gateway.books.month import Content
from gateway.core.approval import Approval, Person
from gateway.core.errors import BadJson
from gateway.core.jsontext import decode
from gateway.core.money import fen_of

AUDIT = "month.audit"
JSON_BYTES_MAX = 1 << 20
Fens = dict[str, dict[str, int]]
_OPEN = (State.SUBMITTED.value, State.ACCEPTED.value, State.AUDITED.value, State.DISPUTED.value)


def read_amounts(path: Path) -> Fens:
    """Return {"approved": fund -> fen, "deposit": fund -> fen} of a CSV (`read_audit`), or of a JSON file: one object,
    fund -> yuan as text, or fund -> {"approved": yuan, "deposit": yuan}. Raises BadFile, OSError."""
    if path.suffix.lower() != ".json":
        return read_audit(path)
    if path.stat().st_size > JSON_BYTES_MAX:
        raise BadFile([f"{path}: 文件超过上限{JSON_BYTES_MAX}字节"])
    try:
        plain = decode(path.read_bytes())
    except BadJson as cause:
        raise BadFile([f"{path}: 不是合法的JSON：{cause}"]) from cause
    if not isinstance(plain, dict):
        raise BadFile([f"{path}: 应为一个对象：基金分项 → 金额，或 → {{approved, deposit}}"])
    found: Fens = {"approved": {}, "deposit": {}}
    for fund, given in plain.items():
        cells = given if isinstance(given, dict) else {"approved": given}
        fens = {name: fen_of(cells.get(name, "0")) for name in found}
        if fund not in FUNDS or "approved" not in cells or cells.keys() - found.keys() or None in fens.values():
            raise BadFile([f"{path}: {fund}：基金应为{'、'.join(FUNDS)}之一，approved、deposit为至多两位小数的元"])
        for name, fen in fens.items():
            found[name][fund] = int(fen or 0)
    return found


def amounts_text(row: ClearingRow, audit: Mapping[str, Any]) -> bytes:
    """Return what two people decide about."""
    plain = {"id": row.id, "event_id": row.event_id, "idempotency": row.idempotency, "audit": audit}
    return json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()


def check_amounts(look: MonthReader, row: ClearingRow, audit: Mapping[str, Any]) -> None:
    """Raise Refused unless applied = approved + deducted + withheld + deposit holds for every fund."""
    if row.state not in _OPEN:
        raise Refused([Objection("BM-STATE", f"申请处于{row.state}，不能登记审核结果")])
    deducted, withheld = totals([deduction_of(one) for one in look.deductions(row.id)])
    found = Audit(approved=audit["approved"], deposit=audit["deposit"], deducted=deducted, withheld=withheld)
    if faults := identity_faults(Content.read(row.content).funds, found):
        raise Refused(faults)


def propose_audit(
    desk: SecurityDesk, look: MonthReader, row: ClearingRow, audit: Mapping[str, Any], person: Person, reason: str
) -> Approval:
    """Propose the amounts. Raises Refused, NotAllowed, TrailFailed."""
    check_amounts(look, row, audit)
    text = amounts_text(row, audit)
    return desk.approvals.propose(person, AUDIT, row.name, text, reason, reconcilers=look.reconcilers(row.month))


def carry_out(config: Config, approval: Approval, wanted: bytes, outside: Outside) -> str:
    """Store what both agreed to (gateway.app.approving). Raises Refused, Moved."""
    plain = json.loads(wanted)
    with writing(config) as connection:
        writer = MonthWriter(connection)
        row = writer.one(int(plain["id"]))
        if row is None or amounts_text(row, plain["audit"]) != wanted:
            raise Refused([Objection("BM-CHANGED", "申请与核准时不同，核准作废")])
        known = audit_of(row, ())
        if known is not None and {"approved": known.approved, "deposit": known.deposit} == plain["audit"]:
            return f"申请{row.name}的审核金额已登记"
        check_amounts(writer, row, plain["audit"])
        with security_desk(config, outside.now, outside.entropy) as desk:
            desk.trail.record(
                approval.checker, AUDIT, row.name, after=json.dumps(plain["audit"], sort_keys=True),
                reason=approval.reason, approval=approval.id,
            )  # fmt: skip
        take_audit(config, writer, row, plain["audit"], approval.checker, int(outside.now() * 1000))
    return f"申请{row.name}的审核金额已登记，可以确认"
