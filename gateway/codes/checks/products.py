"""Is it the same thing? MA02 other facts, MA04 many to one, MA08 unit, MA10 swap, MA11 self-made, MA12 charge class,
MA16 name (mapping rules §3, §4, §6).

Two facts are compared only where both sides state them in a form that can be read; anything else is silence.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import attrs

from gateway.codes.checks.findings import Finding, Level, found
from gateway.codes.checks.ground import STAFF, Ground
from gateway.codes.checks.national import NUMBERS, National, Seen, Sought
from gateway.codes.checks.targets import cut_short
from gateway.codes.checks.text import (
    name_form,
    number,
    pieces_in,
    plain,
    price_number,
    same_firm,
    same_measure,
    statement,
    unit_form,
    yes,
)
from gateway.codes.mapping import Proposed

Pair = tuple[Proposed, National]
_WORDS: Mapping[str, str] = {
    "approval": "批准文号", "registration": "注册备案号", "device": "医疗器械唯一标识", "price_code": "物价编码",
    "maker": "生产企业", "spec": "规格", "content": "项目内涵",
}  # fmt: skip


def _differ_by(read: Callable[[str], str]) -> Callable[[str, str], bool]:
    """Two texts differ when both can be read and say different things."""

    def differ(local: str, national: str) -> bool:
        one, other = read(local), read(national)
        return bool(one and other and one != other)

    return differ


def _price_codes_differ(local: str, national: str) -> bool:
    """A local code may go on where the national one ends (`110900001` and its sub-item `11090000100`)."""
    short, long = sorted((price_number(local), price_number(national)), key=len)
    return bool(short) and not long.startswith(short)


def _contents_differ(local: str, national: str) -> bool:
    one, other = statement(local), statement(national)
    return bool(one and other) and one not in other and other not in one


# What tells one product from another, strongest first (mapping rules §4).
_DIFFER: Mapping[str, Callable[[str, str], bool]] = {
    **{fact: _differ_by(read) for fact, read in NUMBERS.items()},
    "price_code": _price_codes_differ,
    "maker": lambda local, national: not same_firm(local, national),
    "spec": lambda local, national: not same_measure(local, national),
    "content": _contents_differ,
}


def differing(facts: Mapping[str, str], other: Callable[[str], str]) -> list[str]:
    """Return the facts that both sides state and that differ, strongest first."""
    return [
        fact
        for fact, differ in _DIFFER.items()
        if (mine := facts.get(fact)) and (text := other(fact)) and mine != text and differ(mine, text)
    ]


@attrs.define(eq=False)
class Comparison:
    """Compares rows with their records, one by one, and says at the end what the whole library had to be asked for."""

    ground: Ground
    wrong: dict[int, list[str]] = attrs.Factory(dict)  # line -> facts that differ
    names: dict[int, str] = attrs.Factory(dict)  # line -> compared form of a name that is none of the record's
    pairs: list[Pair] = attrs.Factory(list)

    def take(self, row: Proposed, one: National) -> None:
        """Compare a row with its record."""
        if wrong := differing(row.facts, one.says):
            self.wrong[row.line] = wrong
        if form := _misnamed(row, one):
            self.names[row.line] = form
        if wrong or form:
            self.pairs.append((row, one))

    def findings(self) -> Iterator[Finding]:
        """Yield MA02, MA06, MA10 and MA16 of the rows taken."""
        seen = self.ground.search(self._sought())
        short = {one.line: one for one in cut_short([row for row, _ in self.pairs], self.names, self.ground, seen)}
        for row, one in self.pairs:
            wrong = self.wrong.get(row.line, [])
            yield from _of_facts(row, one, wrong)
            yield from _bought_as(row, one, wrong, seen)
            if row.line in self.names:
                yield short.get(row.line) or _of_name(row, one, self.names[row.line], self.ground, seen)

    def _sought(self) -> Sought:
        lines = {row.line: row for row, _ in self.pairs}
        numbers = {
            (fact, NUMBERS[fact](lines[line].facts[fact]))
            for line, facts in self.wrong.items()
            for fact in facts
            if fact in NUMBERS
        }
        short = {lines[line].national for line in self.names}
        return Sought(frozenset(self.names.values()), frozenset(numbers), frozenset(short))


def product_findings(row: Proposed, one: National) -> Iterator[Finding]:
    """Yield what a row and its record alone show: MA08, MA10, MA11, MA12."""
    if row.facts:
        yield from _swapped(row, one)
        yield from _units(row, one)
        yield from _charges(row, one)


def _misnamed(row: Proposed, one: National) -> str:
    """Return the compared form of the local name when it is none of the record's, else ''."""
    name = row.facts.get("name", "")
    if not name or not (names := one.names) or name in names:
        return ""
    form = name_form(name)
    return form if form not in {name_form(other) for other in names} else ""


def _of_facts(row: Proposed, one: National, wrong: list[str]) -> Iterator[Finding]:
    if wrong:
        said = "；".join(f"{_WORDS[fact]}：院内{row.facts[fact]}，国家{_told(one, fact)}" for fact in wrong)
        yield found(row, wrong[0], "MA02", f"与国家编码{row.national}的内容不符：{said}")


def _told(one: National, fact: str) -> str:
    return one.says(fact)[:60]


def _of_name(row: Proposed, one: National, form: str, ground: Ground, seen: Seen) -> Finding:
    """Return MA02 when the local name is another record's name, else MA16. Names of persons are not repeated."""
    if ground.system in STAFF:
        return found(row, "name", "MA16", "姓名与国家库登记的不一致", "warn")
    local, national = row.facts["name"][:60], one.record[0][:60]
    others = [other for other in seen.names.get(form, ()) if other.usable(ground.today)]
    if others:
        message = f"院内名称“{local}”是{others[0].code}的名称，而{row.national}是“{national}”"
        return found(row, "national_code", "MA02", message)
    level: Level = "error" if ground.system == "diagnosis" else "warn"
    return found(row, "name", "MA16", f"院内名称“{local}”与国家名称“{national}”不一致", level)


def _swapped(row: Proposed, one: National) -> Iterator[Finding]:
    """Yield MA10: what was bought under another code, or is not covered, billed as what is."""
    bought = plain(row.facts.get("stock_code", "")).upper()
    if bought and bought != plain(row.national).upper():
        yield found(row, "stock_code", "MA10", f"进货的国家编码是{bought}，却按{row.national}结算，涉嫌串换")
    elif _covered(row.facts.get("cover", "")) is False and _covered(one.says("cover")):
        yield found(row, "cover", "MA10", f"院内为目录外或自费，却对到目录内的{row.national}，涉嫌串换")


def _bought_as(row: Proposed, one: National, wrong: list[str], seen: Seen) -> Iterator[Finding]:
    """Yield MA10: a number that belongs to what is not covered stands on what is."""
    if not _covered(one.says("cover")):
        return
    for fact in (fact for fact in wrong if fact in NUMBERS):
        for other in seen.numbers.get((fact, NUMBERS[fact](row.facts[fact])), ()):
            if _covered(other.says("cover")) is False:
                message = f"{_WORDS[fact]}属于目录外的{other.code}，却对到目录内的{row.national}，涉嫌串换"
                yield found(row, fact, "MA10", message)
                return


def _covered(text: str) -> bool | None:
    """Read a class of payment: 01/1/甲 and 02/2/乙 are paid for, 03/3/丙/自费/目录外 are not."""
    form = plain(text).lstrip("0")
    if form in ("1", "2", "甲", "乙", "甲类", "乙类"):
        return True
    return False if form in ("3", "丙", "丙类", "自费", "全自费", "目录外") else None


def _units(row: Proposed, one: National) -> Iterator[Finding]:
    """Yield MA08: another unit of account, or another number of pieces in a pack."""
    unit = unit_form(row.facts.get("unit", ""))
    theirs = {unit_form(text) for text in (one.says("unit"), one.says("min_unit"), one.says("pack_unit")) if text}
    if unit and theirs and unit not in theirs:
        message = f"院内单位“{unit}”与国家目录的“{'、'.join(sorted(theirs))}”不符"
        yield found(row, "unit", "MA08", message)
        return
    ratio = number(row.facts.get("ratio", "")) or pieces_in(row.facts.get("pack", ""))
    right = number(one.says("ratio")) or pieces_in(one.says("pack"))
    if ratio and right and ratio != right:
        yield found(row, "pack", "MA08", f"院内转换比{ratio}与国家目录的{right}不符，单价会算错")


def _charges(row: Proposed, one: National) -> Iterator[Finding]:
    """Yield MA11 self-made items and MA12 another class of charge."""
    own = row.facts.get("self_made", "")
    number_text = plain(row.facts.get("approval", ""))
    if yes(own):
        yield found(row, "self_made", "MA11", f"自创项目不能对到国家编码{row.national}")
    elif "药制" in number_text and row.national[:1] in ("X", "Z"):
        yield found(row, "approval", "MA11", f"医疗机构制剂不能对到上市药品{row.national}")
    local, theirs = (plain(text).lstrip("0") for text in (row.facts.get("chrgitm", ""), one.says("chrgitm")))
    if local.isdigit() and theirs.isdigit() and local != theirs:
        message = f"院内收费类别{row.facts['chrgitm']}与国家目录的{one.says('chrgitm')}不符"
        yield found(row, "chrgitm", "MA12", message, "warn")


def many_to_one(rows: Iterable[Proposed], ground: Ground) -> Iterator[Finding]:
    """Yield MA04 on every row whose product facts differ from what its code stands for (annex C4).

    What the code stands for is the national record's fact; where the record does not say, the fact of the first row of
    the group that does. Rows that agree and name different stores are a warning.
    """
    groups: dict[str, list[Proposed]] = {}
    for row in rows:
        if row.national and row.facts:
            groups.setdefault(row.national, []).append(row)
    for group in groups.values():
        if len({row.local for row in group}) > 1:
            yield from _one_group(group, ground.target(group[0].national))


def _one_group(group: list[Proposed], one: National | None) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for row in group:
        for fact in _DIFFER:
            if text := (one.says(fact) if one is not None else "") or row.facts.get(fact, ""):
                first.setdefault(fact, text)
    for row in group:
        others = sorted({other.local for other in group if other.local != row.local and other.overlaps(row)})
        if not others:
            continue
        if wrong := differing(row.facts, lambda fact: first.get(fact, "")):
            said = "、".join(_WORDS[fact] for fact in wrong)
            message = f"与{'、'.join(others[:3])}共用国家编码{row.national}，但{said}不同"
            yield found(row, wrong[0], "MA04", message)
        elif _stores(group, row):
            message = f"与{'、'.join(others[:3])}共用国家编码{row.national}，仅库房不同"
            yield found(row, "store", "MA04", message, "warn")


def _stores(group: list[Proposed], row: Proposed) -> bool:
    mine = row.facts.get("store", "")
    earlier = group[: group.index(row)]
    return bool(mine) and any(other.facts.get("store", "") not in ("", mine) for other in earlier)
