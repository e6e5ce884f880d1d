"""Bytes of a province's JSON, both ways: signed requests, answers read with suspicion (docs/province.md §1, §2). Pure.

Whatever an answer lacks, holds twice or too much of is `Unreadable`: then nobody knows what the party did.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from adapters.crypto.digest import hmac_sm3, sm3
from gateway.core.errors import BadJson
from gateway.core.jsontext import crowded, decode, encode, number_text, shape_complaint
from gateway.core.ledgers import AMOUNT
from gateway.core.money import scaled, yuan
from gateway.core.province import (
    ClearingApp,
    ClearingDetail,
    ClearingRow,
    ClearingStatus,
    ClearingWithdrawal,
    Deduction,
    FeedbackItem,
    FeedbackReceipt,
    FundStatus,
    ItemAnswer,
    Kind,
    MonthBooked,
    MonthUpload,
    Outcome,
    Page,
    Remembered,
    Reversal,
    ReversalAck,
)

PREFIX = "province/v1/"
REFUSALS = frozenset({"NOT_READY", "NOT_FOUND", "BAD_REQUEST", "CONFLICT", "CLOSED", "MISMATCH"})
PAGE_ROWS = 100
TEXT_MAX = 200
FUNDS_MAX = 50  # lines of one application by fund
CELL_MAX = 1_000
_AMOUNT = re.compile(AMOUNT, re.ASCII)
_CODE = re.compile(r"[A-Z][A-Z_]{0,31}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")

Data = Mapping[str, Any]


class Unreadable(Exception):
    """An answer is not what the protocol says. The party is at fault, and may have acted; the text is Chinese."""


@attrs.frozen
class Signer:
    """Signs requests of one account. secret: content of its file without the line end, never shown."""

    account: str
    secret: bytes = attrs.field(repr=False)

    def headers(self, path: bytes, body: bytes, now_s: float, nonce: str) -> bytes:
        """Return the header lines of one request."""
        stamp = b"%d" % (now_s * 1000)
        text = b"\n".join((b"POST", path, stamp, nonce.encode(), sm3(body).hex().encode()))
        pairs = (
            (b"Account", self.account.encode()),
            (b"Timestamp", stamp),
            (b"Nonce", nonce.encode()),
            (b"Signature", hmac_sm3(self.secret, text).hex().encode()),
        )
        return b"".join(b"X-Province-%b: %b\r\n" % pair for pair in pairs)


def request(request_id: str, fields: Data) -> bytes:
    """Return the body of one request."""
    return encode({"request_id": request_id, **fields})


def read(status: int, body: bytes, request_id: str) -> Outcome[Data]:
    """Read an answer; never raises. Bytes that are not exactly such an answer are `unknown`."""
    if status == 401:
        return Outcome(kind="not_sent", code="DENIED", text="省平台不认账号或签名，请核对account、secret_file和时钟")
    if status != 200:
        return unreadable(f"HTTP状态{status}")
    try:
        tree = _tree(body)
        if tree.get("request_id") != request_id:
            raise Unreadable("回答的不是这个请求")
        code, data = tree.get("code"), tree.get("data")
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise Unreadable("没有code")
        if code == "OK":
            if not isinstance(data, dict):
                raise Unreadable("没有data")
            return Outcome(kind="done", value=data)
    except Unreadable as cause:
        return unreadable(str(cause))
    said: Kind = "refused" if code in REFUSALS else "unknown"
    return Outcome(kind=said, code=code, text=words(tree.get("message")))


def unreadable(text: str) -> Outcome[Any]:
    return Outcome(kind="unknown", code="UNREADABLE", text=f"省平台的回答读不懂：{text}")


def _tree(body: bytes) -> dict[str, Any]:
    if crowded(body):
        raise Unreadable("内容过多")
    try:
        tree = decode(body)
    except BadJson as cause:
        raise Unreadable("不是合法的JSON") from cause
    if not isinstance(tree, dict):
        raise Unreadable("不是JSON对象")
    if complaint := shape_complaint(body, tree):
        raise Unreadable(complaint)
    return tree


def words(value: object) -> str:
    """Return a party's words fit for a terminal."""
    return "".join(letter for letter in value if letter.isprintable())[:TEXT_MAX] if isinstance(value, str) else ""


# --- single values ---


def text(data: Data, name: str, *, required: bool = False) -> str:
    """Return a text field, '' when it is absent or null. Raises Unreadable."""
    value = data.get(name)
    if value is None or value == "":
        if required:
            raise Unreadable(f"缺少{name}")
        return ""
    if not isinstance(value, str) or len(value) > CELL_MAX or _CONTROL.search(value):
        raise Unreadable(f"{name}不是文本，或过长，或含控制字符")
    return value


def whole_number(data: Data, name: str) -> int:
    """Return a count of zero or more. Raises Unreadable."""
    value = data.get(name)
    if type(value) is not int or not 0 <= value < 10**9:
        raise Unreadable(f"{name}不是笔数")
    return value


def flag(data: Data, name: str) -> bool:
    value = data.get(name)
    if not isinstance(value, bool):
        raise Unreadable(f"{name}不是true或false")
    return value


def amount(data: Data, name: str) -> int:
    """Return an amount in fen, 0 when it is absent. Raises Unreadable."""
    found = amount_or_none(data, name)
    return 0 if found is None else found


def amount_or_none(data: Data, name: str) -> int | None:
    """Return an amount in fen, None when it is absent (§6.3). Raises Unreadable."""
    value = data.get(name)
    if value is None or value == "":
        return None
    form = number_text(value)
    fen = scaled(form, 2) if form is not None and _AMOUNT.fullmatch(form) else None
    if fen is None:
        raise Unreadable(f"{name}不是金额")
    return fen


def rows(data: Data, most: int) -> list[dict[str, Any]]:
    """Return `rows`, objects all. Raises Unreadable."""
    return _objects(data.get("rows"), most, "rows")


def _objects(value: object, most: int, name: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > most or not all(isinstance(one, dict) for one in value):
        raise Unreadable(f"{name}不是数组，或超过{most}行")
    return value


def sums(data: Data, name: str = "totals") -> dict[str, int]:
    """Return `totals` in fen. Raises Unreadable."""
    totals = data.get(name)
    if not isinstance(totals, dict):
        raise Unreadable(f"缺少{name}")
    return {name: amount(totals, name) for name in totals}


# --- what is sent ---


def feedback(items: Sequence[FeedbackItem]) -> Data:
    return {"items": [attrs.asdict(one, filter=_not_values) | {"values": _yuan(one.values_fen)} for one in items]}


def _not_values(field: "attrs.Attribute[Any]", value: object) -> bool:
    return field.name != "values_fen"


def _yuan(values: Mapping[str, int]) -> dict[str, str]:
    return {name: yuan(fen) for name, fen in values.items()}


def reversal(what: Reversal) -> Data:
    return attrs.asdict(what)


def clearing_head(app: ClearingApp) -> Data:
    names = (
        "app_no", "fixmedins_code", "month", "clr_type", "insutype", "clr_optins", "clr_pay_loc", "clr_way", "begndate",
        "enddate", "psntime",
    )  # fmt: skip
    return {name: getattr(app, name) for name in names} | {
        "fund_appy_sum": yuan(app.fund_appy_fen),
        "rows_total": app.rows_count,
        "totals": _yuan(app.sums_fen),
    }


def withdrawal(what: ClearingWithdrawal) -> Data:
    names = ("reason", "maker", "checker")
    return {"clr_appy_evt_id": what.event_id, **{name: getattr(what, name) for name in names}}


def month_head(upload: MonthUpload) -> Data:
    return {
        "upload_key": upload.upload_key, "month": upload.month, "revision": upload.revision,
        "rows_total": upload.rows_count, "totals": _yuan(upload.sums_fen),
        "deductions_total": upload.deductions_count, "deduction_totals": _yuan(upload.deducted_fen),
    }  # fmt: skip


def clearing_row(row: ClearingRow) -> Data:
    names = ("setl_id", "prov_sn", "fixmedins_code", "mdtrt_id", "direction", "setl_time")
    cuts = [
        {name: getattr(one, name) for name in _DEDUCTION} | {"amount": yuan(one.amount_fen)} for one in row.deductions
    ]
    return {name: getattr(row, name) for name in names} | {"values": _yuan(row.values_fen), "deductions": cuts}


_DEDUCTION = ("deduction_id", "setl_id", "fund", "kind", "reason_code", "reason", "state")


# --- what comes back; each raises Unreadable ---


def receipt(data: Data, items: Sequence[FeedbackItem]) -> FeedbackReceipt:
    said = _objects(data.get("items"), len(items), "items")
    if [one.get("item_id") for one in said] != [one.item_id for one in items]:
        raise Unreadable("回执的条目与反馈的不同")
    return FeedbackReceipt(
        receipt_no=text(data, "receipt_no", required=True),
        received_at=text(data, "received_at"),
        answers=tuple(
            ItemAnswer(
                item_id=text(one, "item_id"), taken=flag(one, "taken"), code=text(one, "code"),
                text=words(one.get("message")),
            )
            for one in said
        ),
    )  # fmt: skip


def ack(data: Data) -> ReversalAck:
    result = text(data, "result")
    if result not in ("REVERSED", "ALREADY"):
        raise Unreadable("冲正的结果不明")
    return ReversalAck(ack_no=text(data, "ack_no", required=True), already=result == "ALREADY")


def status(data: Data) -> ClearingStatus:
    if not flag(data, "found"):
        return ClearingStatus(event_id="", app_no="", clr_stas="", opt_time="")
    return ClearingStatus(
        event_id=text(data, "clr_appy_evt_id", required=True),
        app_no=text(data, "app_no"),
        clr_stas=text(data, "clr_stas", required=True),
        opt_time=text(data, "opt_time"),
        applied_fen=amount(data, "fund_appy_sum"),
        approved_fen=amount(data, "dfr_amt"),
        deducted_fen=amount(data, "det_sumamt"),
        withheld_fen=amount(data, "whld_sumamt"),
        deposit_fen=amount(data, "dpst_sumamt"),
        earlier_fen=amount(data, "earlier_sumamt"),
        paid_fen=amount(data, "act_dfr_amt"),
        deductions=whole_number(data, "deductions"),
        reason=words(data.get("reason")),
        funds=_funds(data),
    )


def _funds(data: Data) -> dict[str, FundStatus]:
    """Return what is told fund by fund; nothing where the party has no such list. A fund told twice is none."""
    found: dict[str, FundStatus] = {}
    for row in _objects(data.get("funds") or [], FUNDS_MAX, "funds"):
        fund = text(row, "fund", required=True)
        if fund in found:
            raise Unreadable(f"funds中{fund}重复")
        found[fund] = FundStatus(
            applied_fen=amount(row, "fund_appy_sum"), approved_fen=amount(row, "dfr_amt"),
            deducted_fen=amount(row, "det_sumamt"), withheld_fen=amount(row, "whld_sumamt"),
            deposit_fen=amount(row, "dpst_sumamt"),
        )  # fmt: skip
    return found


def month_booked(data: Data) -> MonthBooked:
    if not flag(data, "found"):
        return MonthBooked(receipt_no="")
    return MonthBooked(
        receipt_no=text(data, "receipt_no", required=True),
        revision=whole_number(data, "revision"),
        rows_count=whole_number(data, "rows_total"),
        sums_fen=sums(data),
        deductions_count=whole_number(data, "deductions_total"),
        deducted_fen=sums(data, "deduction_totals"),
    )


def deductions(data: Data, start: int) -> Page[Deduction]:
    return _page(data, start, tuple(_deduction(one) for one in rows(data, PAGE_ROWS)))


def _deduction(row: Data) -> Deduction:
    kind, taken = text(row, "kind"), amount(row, "amount")
    if kind not in ("DEDUCT", "WITHHOLD", "PENALTY") or taken < 0:
        raise Unreadable("扣款的种类或金额不明")
    texts = {name: text(row, name) for name in _DEDUCTION if name != "kind"}
    if not texts["deduction_id"] or not texts["setl_id"]:
        raise Unreadable("扣款没有编号或结算ID")
    return Deduction(kind=kind, amount_fen=taken, **texts)  # type: ignore[arg-type]  # one of the three


def details(data: Data, start: int) -> Page[ClearingDetail]:
    return _page(data, start, tuple(detail(one) for one in rows(data, PAGE_ROWS)))


def detail(row: Data) -> ClearingDetail:
    names = ("mdtrtarea", "medins_no", "mdtrt_id", "mdtrt_setl_time", "setl_sn", "fulamt_advpay_flag")
    return ClearingDetail(
        seqno=whole_number(row, "seqno"),
        medfee_sumamt_fen=amount(row, "medfee_sumamt"),
        optins_pay_sumamt_fen=amount(row, "optins_pay_sumamt"),
        **{name: text(row, name, required=name == "setl_sn") for name in names},
    )


def _page(data: Data, start: int, found: tuple[Any, ...]) -> Page[Any]:
    if whole_number(data, "startrow") != start:
        raise Unreadable("不是所要的一页")
    return Page(start=start, rows=found, total=whole_number(data, "rows_total"), sums_fen=sums(data))


def remembered(data: Data) -> Remembered:
    if not flag(data, "found"):
        return Remembered(found=False)
    answer = data.get("data")
    if not isinstance(answer, dict):
        raise Unreadable("没有当时的回答")
    return Remembered(
        found=True,
        operation=text(data, "operation", required=True),
        code=text(data, "code", required=True),
        data=answer,
    )
