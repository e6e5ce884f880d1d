"""What a provincial clearing platform tells of a month (2172 sums, 2173 settlements, 2174 fund lines), compared.

Numbers and field names are the province's (schemas/books/clearing.toml). Rows are maps as the platform wrote them; what
identifies a person in 2173 is neither kept nor told. Source: reconciliation §3.3, §7.1-§7.3.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import attrs
import msgspec

from gateway.books.clearing import Audit, Fens
from gateway.books.freezing import HELD, OWN, elsewhere_of, ledger_rows
from gateway.core.jsontext import encode_sorted
from gateway.core.ledgers import COMPONENTS, SETTLED
from gateway.core.money import fen_of

Rows = Sequence[Mapping[str, Any]]
PARTS = ("approved", "deducted", "withheld", "deposit")
_MEDFEE = COMPONENTS.index("medfee_sumamt")


class BadMonthly(Exception):
    """What the platform tells cannot be used. str: Chinese."""


class Monthly(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one region tells a month. sums, details, funds: numbers of the queries, "" = none; the rest: field names and
    codes, see schemas/books/clearing.toml."""

    sums: str
    details: str
    funds: str
    page_rows: int
    asked_stas: str
    visit: str
    fund_type: str
    declared: str
    approved: str
    deducted: str
    withheld: str
    deposit: str
    fund_types: dict[str, str]


def amount(row: Mapping[str, Any], name: str) -> int:
    """Return an amount in fen, 0 when the row does not carry it. Raises BadMonthly."""
    value = row.get(name)
    if value is None or value == "":
        return 0
    fen = fen_of(value)
    if fen is None:
        raise BadMonthly(f"{name}不是金额，整份不采用")
    return int(fen)


def total(rows: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(amount(row, name) for row in rows)


def union(rows: Iterable[Mapping[str, Any]], digest: Callable[[bytes], bytes]) -> tuple[list[Mapping[str, Any]], str]:
    """Put the pages of one reading together, each row once and in order; return them and the SM3 of all (§7.3)."""
    by_text = {encode_sorted(dict(row)): row for row in rows}
    ordered = sorted(by_text.items())
    return [row for _, row in ordered], digest(b"\n".join(text for text, _ in ordered)).hex()


def sum_faults(sums: Rows, details: Rows, funds: Rows, names: Monthly) -> list[str]:
    """Return where the three lists of one query contradict each other: then none of them is complete."""
    pairs = [
        (f"{names.details}的医疗总费用", total(details, "sumamt"), total(sums, "sumamt")),
        (f"{names.details}的现金支付", total(details, "cash_payamt"), total(sums, "cash_payamt")),
        (f"{names.details}的个人账户", total(details, "acct_payamt"), total(sums, "acct_pay_sumamt")),
    ] if names.details else []  # fmt: skip
    if names.funds:
        own = sum(amount(row, names.declared) for row in funds if fund_of(row, names) != "acct_pay")
        pairs.append((f"{names.funds}的基金申报总额", own, total(sums, "fund_pay_sumamt")))
    return [
        f"{title}合计{left}分，{names.sums}为{right}分，下载不完整，不采用"
        for title, left, right in pairs
        if left != right
    ]


def fund_of(row: Mapping[str, Any], names: Monthly) -> str:
    """Return the fund a line of 2174 is about. Raises BadMonthly."""
    code = str(row.get(names.fund_type) or "")
    fund = names.fund_types.get(code)
    if fund is None:
        raise BadMonthly(f"基金支付类型{code or '为空'}不在对照表中，审核金额不采用")
    return fund


def visit_faults(details: Rows, ours: Mapping[str, int], names: Monthly) -> list[str]:
    """Return the visits of which the platform has another total than the frozen rows. ours: visit -> fen."""
    theirs: dict[str, int] = {}
    for row in details:
        visit = str(row.get(names.visit) or "")
        theirs[visit] = theirs.get(visit, 0) + amount(row, "sumamt")
    found = []
    for visit in sorted({*theirs, *ours}):
        left, right = theirs.get(visit, 0), ours.get(visit, 0)
        if left != right:
            found.append(f"就诊{visit}：平台{left}分，固化{right}分")
    return found


def visits_of(lines: Iterable[str], clr_type: str, clr_optins: str) -> dict[str, int]:
    """Return visit -> medfee in fen of frozen lines that count, by whose word clearing goes, net of refunds."""
    found: dict[str, int] = {}
    for _, group in groupby(lines, key=lambda line: line.partition("\t")[0]):  # the lines of a key are neighbours
        own = list(group)
        if any(line.split("\t", 2)[1] == HELD for line in own):
            continue
        apart = {one[0][1] for line in own if (one := elsewhere_of(line)) is not None}
        rows = [row for row, _ in ledger_rows(own) if row.status == SETTLED and row.direction not in apart]
        leader = min((row.ledger for row in rows), key=OWN["L1"].index, default=None)
        visit = next((row.mdtrt_id for row in rows if row.mdtrt_id), "")
        place = {(row.clr_type, row.clr_optins) for row in rows if row.clr_type}
        if visit and (clr_type, clr_optins) in place:
            fen = sum(row.amounts[_MEDFEE] or 0 for row in rows if row.ledger == leader)
            found[visit] = found.get(visit, 0) + fen
    return {visit: fen for visit, fen in found.items() if fen}


@attrs.frozen(kw_only=True)
class Lines:
    """Fund lines of one application together: fund -> fen."""

    declared: Fens
    audit: Audit


def lines_of(funds: Rows, insutype: str, names: Monthly) -> Lines:
    """Sum up an application's fund lines. Raises BadMonthly: one tells no audited amount, or does not add up (B19)."""
    sums: dict[str, dict[str, int]] = {name: {} for name in ("declared", *PARTS)}
    fields = {name: str(getattr(names, name)) for name in sums}
    for row in funds:
        if str(row.get("insutype") or "") != insutype:
            continue
        fund = fund_of(row, names)
        if row.get(fields["approved"]) in (None, ""):
            raise BadMonthly(f"{names.funds}没有给出核准金额（{fields['approved']}）：请以 month audit 登记")
        for name, field in fields.items():
            sums[name][fund] = sums[name].get(fund, 0) + amount(row, field)
    for fund, fen in sums["declared"].items():
        parts = sum(sums[name].get(fund, 0) for name in PARTS)
        if fen != parts:
            raise BadMonthly(f"{fund}：申报{fen}分，核准、扣款、暂扣、保证金合计{parts}分，审核金额不采用")
    return Lines(
        declared=_some(sums["declared"]), audit=Audit(**{name: _some(sums[name]) for name in PARTS})
    )  # fmt: skip


def _some(fens: Mapping[str, int]) -> dict[str, int]:
    return {fund: fen for fund, fen in fens.items() if fen}


def audit_faults(applied: Fens, found: Lines, deducted: Fens, withheld: Fens) -> list[str]:
    """Return where the platform's lines are not what we applied for, or its deductions not those we hold (§7.1)."""
    texts = []
    for title, theirs, ours in (
        ("申报", found.declared, applied), ("扣款", found.audit.deducted, deducted),
        ("暂扣", found.audit.withheld, withheld),
    ):  # fmt: skip
        for fund in sorted({*theirs, *ours}):
            left, right = theirs.get(fund, 0), ours.get(fund, 0)
            if left != right:
                hint = "" if title == "申报" else "，请先取得全部扣款"
                texts.append(f"{fund}的{title}：平台{left}分，本方{right}分{hint}")
    return texts
