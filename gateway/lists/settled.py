"""A list against the settlement the journal knows: it exists, it stands, it is the same person's and visit's, and its
money is the settlement's.

Amounts and fund parts come from the settlement's answer (annex X38). Of fund parts only those whose kind everybody
books alike are compared one by one; where a region puts large-sum and other supplements is its custom, so they are
compared in one sum.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from gateway.core.jsontext import decode
from gateway.core.model import Entry
from gateway.core.money import yuan
from gateway.lists.reading import HEAD, Finding, Reading

STANDS = frozenset({"ACKED", "CONFIRMED", "EXTERNAL"})
PERSONAL_ACCOUNT = "310200"  # fund_pay_type that is the person's own money
# fund_pay_type -> the part of the answer it is booked in; sources: dictionary fund_pay_type, message 2304.
PARTS: Mapping[str, str] = {
    "310100": "hifp_pay", "310101": "hifp_pay", "310102": "hifp_pay", "390100": "hifp_pay", "390101": "hifp_pay",
    "390102": "hifp_pay", "320100": "cvlserv_pay", "610100": "maf_pay",
}  # fmt: skip
_PARTS_ZH: Mapping[str, str] = {"hifp_pay": "基本医保统筹", "cvlserv_pay": "公务员补助", "maf_pay": "医疗救助"}
_OWN: Mapping[str, str] = {"acct_pay": "acct_pay", "psn_cashpay": "psn_cash_pay"}  # of the list -> of the answer
_OWN_ZH: Mapping[str, str] = {"acct_pay": "个人账户支出", "psn_cashpay": "个人现金支付"}


def findings_of(reading: Reading, settlement: Entry | None) -> Iterator[Finding]:
    """Yield what contradicts the journal; a list without setl_id is told by SL-R002."""
    head = reading.head
    if "setl_id" not in head.texts:
        return
    place = f"{HEAD}.setl_id"
    if settlement is None:
        yield Finding("SL-C002", "error", place, "【结算ID】在本网关的日志中没有对应的结算")
    elif settlement.cancelled or settlement.state not in STANDS:
        yield Finding("SL-C003", "error", place, "【结算ID】对应的结算已撤销、冲正或没有成功")
    elif settlement.psn_no and head.texts.get("psn_no", settlement.psn_no) != settlement.psn_no:
        yield Finding("SL-C004", "error", f"{HEAD}.psn_no", "【人员编号】与结算的人员不同")
    elif settlement.mdtrt_id and head.texts.get("mdtrt_id", settlement.mdtrt_id) != settlement.mdtrt_id:
        yield Finding("SL-C004", "error", f"{HEAD}.mdtrt_id", "【就诊ID】与结算的就诊不同")
    else:
        told = told_of(settlement)
        yield from _funds(reading, told)
        yield from _own_money(reading, told)
        yield from _days(reading, told)


def told_of(settlement: Entry) -> Mapping[str, Any]:
    """Return what the platform's answer said of a settlement: codes, times, amounts in fen; {} when nothing is kept."""
    found: Mapping[str, Any] = decode(settlement.settled.encode()) if settlement.settled else {}
    return found


def _funds(reading: Reading, told: Mapping[str, Any]) -> Iterator[Finding]:
    whole = told.get("fund_pay_sumamt")
    rows = reading.nodes["payinfo"]
    if (
        not rows
        or type(whole) is not int
        or not all({"fund_pay_type", "fund_payamt"} <= set(row.values) for row in rows)
    ):
        return  # what is missing or unreadable was told
    paid: dict[str, Decimal] = {}
    for row in rows:
        kind = row.texts["fund_pay_type"]
        if kind != PERSONAL_ACCOUNT:
            part = PARTS.get(kind, "")
            paid[part] = paid.get(part, Decimal(0)) + Decimal(row.texts["fund_payamt"])
    total = sum(paid.values(), Decimal(0))
    if total != Decimal(yuan(whole)):
        yield Finding("SL-C006", "error", "payinfo", "基金支付合计与结算的【基金支付总额】不一致")
        return
    for part, zh in _PARTS_ZH.items():
        if type(told.get(part)) is int and paid.get(part, Decimal(0)) != Decimal(yuan(told[part])):
            yield Finding("SL-C006", "warn", "payinfo", f"{zh}的基金支付与结算的不一致，请核对【基金支付类型】")


def _own_money(reading: Reading, told: Mapping[str, Any]) -> Iterator[Finding]:
    for name, theirs in _OWN.items():
        own = reading.head.values.get(name)
        if isinstance(own, Decimal) and type(told.get(theirs)) is int and own != Decimal(yuan(told[theirs])):
            yield Finding("SL-C006", "error", f"{HEAD}.{name}", f"【{_OWN_ZH[name]}】与结算的不一致")


def _days(reading: Reading, told: Mapping[str, Any]) -> Iterator[Finding]:
    """Nobody settles what was not yet over: dates as text sort as days do."""
    settled = str(told.get("setl_time", ""))[:10]
    end = reading.head.texts.get("setl_end_date", "")[:10] if "setl_end_date" in reading.head.values else ""
    if settled and end > settled:
        yield Finding("SL-C007", "error", f"{HEAD}.setl_end_date", "【结算结束日期】晚于结算的日期")
