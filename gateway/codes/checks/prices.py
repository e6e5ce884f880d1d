"""Do prices of one code fit together? MA08 a pack's price for a piece's, MA10 cheap billed as dear (mapping rules §6).

Compared are the prices of an institution's own items on one national code, each for the smallest unit the national
record names. Which of two is wrong nobody can tell from prices alone, so these are warnings. A price that another item
shares is not told. How far prices may lie apart is a hypothesis: no text says.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import attrs

from gateway.codes.checks.findings import Finding, found
from gateway.codes.checks.ground import Ground
from gateway.codes.checks.national import National
from gateway.codes.checks.text import number, pieces_in, unit_form
from gateway.codes.mapping import Proposed

APART = 3  # times; dearer products of one code differ in the price, not in its size
CLOSE = Decimal("0.05")
ROWS_MAX = 200  # of one code, each compared with all others: more items on one code are another trouble (MA04)


@attrs.frozen
class _Priced:
    """A row with its price for the smallest unit, in yuan."""

    row: Proposed
    price: Decimal


def price_findings(rows: Iterable[Proposed], ground: Ground) -> Iterator[Finding]:
    """Yield what the prices of each code's rows say against each other."""
    groups: dict[str, list[Proposed]] = {}
    for row in rows:
        if row.national and row.facts.get("price"):
            groups.setdefault(row.national, []).append(row)
    for code, group in groups.items():
        one = ground.target(code)
        if one is not None and len({row.local for row in group}) > 1:
            yield from _one_code(group, one)


def _one_code(group: list[Proposed], one: National) -> Iterator[Finding]:
    ratio = number(one.says("ratio")) or Decimal(pieces_in(one.says("pack")) or 1)
    priced = [_Priced(row, price) for row in group if (price := _smallest(row, one, ratio))][:ROWS_MAX]
    for mine in priced:
        others = [other for other in priced if other.row.local != mine.row.local and other.row.overlaps(mine.row)]
        if not others or any(_near(mine.price / other.price, Decimal(1)) for other in others):
            continue
        others.sort(key=lambda other: (other.price, other.row.line))
        other = others[(len(others) - 1) // 2]
        times = max(mine.price, other.price) / min(mine.price, other.price)
        said = f"按最小单位折算{_yuan(mine.price)}元，{other.row.local}为{_yuan(other.price)}元"
        if ratio > 1 and _near(times, ratio):
            yield found(mine.row, "price", "MA08", f"{said}，正好差转换比{ratio}倍，疑似单位或转换比有误", "warn")
        elif times >= APART:
            words = f"{said}，共用国家编码{one.code}而相差{times:.1f}倍，请核对是否低价套用高价"
            yield found(mine.row, "price", "MA10", words, "warn")


def _smallest(row: Proposed, one: National, ratio: Decimal) -> Decimal | None:
    """Return a row's price for the smallest unit; None where its unit is not one of the record's."""
    price, unit = number(row.facts.get("price", "")), unit_form(row.facts.get("unit", ""))
    if not price or not unit:
        return None
    smallest = [unit_form(text) for text in (one.says("min_unit"), one.says("unit")) if text]
    if unit in smallest:
        return price
    return price / ratio if unit == unit_form(one.says("pack_unit")) else None


def _near(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= other * CLOSE


def _yuan(price: Decimal) -> str:
    return f"{price.quantize(Decimal('0.0001')).normalize():f}"
