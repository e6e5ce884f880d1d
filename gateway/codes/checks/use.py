"""May it be used so? MA09 price cap, MA11 not on the province's list, MA13 restrictions, MA14 staff, MA15 what the
platform holds (mapping rules §6).
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from gateway.codes.checks.findings import Finding, found
from gateway.codes.checks.ground import STAFF, Ground, institution_of
from gateway.codes.checks.national import National
from gateway.codes.checks.text import number, plain, price_number, yes
from gateway.codes.mapping import Proposed

_GENDERS = {"1": "男", "2": "女", "男": "男", "女": "女", "限男": "男", "限女": "女", "男性": "男", "女性": "女"}
ITEM_DIGITS = 9  # of a national price code (mapping rules §4)
CODE_DIGITS_MIN = 6  # the least `price_number` reads
_WORKING = ("在职", "1", "01", "执业", "注册", "有效")


def use_findings(row: Proposed, one: National, ground: Ground) -> Iterator[Finding]:
    """Yield what speaks against the use of a row's target: MA09, MA13, MA14."""
    if ground.system in STAFF:
        yield from _staff(row, one, ground)
    elif row.facts:
        yield from _unlisted(row, ground)
        yield from _price(row, one, ground)
        yield from _restrictions(row, one)


def _price(row: Proposed, one: National, ground: Ground) -> Iterator[Finding]:
    """Yield MA09. A level nobody knows is compared with the highest cap: above that it is wrong for everybody."""
    price = number(row.facts.get("price", ""))
    if price is None or not (caps := _caps(one, ground)):
        return
    level = ground.institution.level if ground.institution is not None else None
    level = institution_of("", row.facts.get("level", "")).level or level
    mine = [amount for cap_level, amount in caps if cap_level in (None, level)]
    cap = min(mine) if mine else max(amount for _, amount in caps)
    if price > cap:
        whose = f"{level}级机构限价" if mine and level else "最高限价"
        yield found(row, "price", "MA09", f"院内价格{price}超过国家编码{row.national}的{whose}{cap}")


def approved_codes(texts: Iterable[str]) -> frozenset[str]:
    """Return the codes of a province's list; an item of nine digits that the list only divides, with a star."""
    found: set[str] = set()
    for code in filter(None, map(price_number, texts)):
        found.add(code)
        found.update(f"{code[:length]}*" for length in range(ITEM_DIGITS, len(code)))
    return frozenset(found)


def _unlisted(row: Proposed, ground: Ground) -> Iterator[Finding]:
    """Yield MA11: an item under a price code the province never approved, billed as one it did.

    A local code may go on where the list's ends, and may be the item the list divides.
    """
    code, approved = price_number(row.facts.get("price_code", "")), ground.approved
    if approved is None or ground.system != "service_item" or not code or f"{code}*" in approved:
        return
    if not any(code[:length] in approved for length in range(CODE_DIGITS_MIN, len(code) + 1)):
        message = f"物价编码{code}不在省价格项目清单中，疑为自创项目，不能对到国家编码{row.national}"
        yield found(row, "price_code", "MA11", message)


def _caps(one: National, ground: Ground) -> list[tuple[int | None, Decimal]]:
    """Return (level, cap): of 1318 when given for the code, else those of the record."""
    given = [
        (cap.level, cap.amount)
        for cap in ground.caps.get(one.code, ())
        if cap.begndate <= ground.today and (not cap.enddate or ground.today <= cap.enddate)
    ]
    own = [(level, number(one.says(f"cap{level}"))) for level in (1, 2, 3)]
    return given or [(level, amount) for level, amount in own if amount is not None]


def _restrictions(row: Proposed, one: National) -> Iterator[Finding]:
    """Yield MA13: a restriction the local system does not check, or contradicts."""
    theirs = _GENDERS.get(plain(one.says("gender")), "")
    local = _GENDERS.get(plain(row.facts.get("gender", "")), "")
    if local and theirs and local != theirs:
        message = f"国家编码{row.national}限{theirs}性，院内限{local}性"
        yield found(row, "gender", "MA13", message, "warn")
    restricted = theirs or one.says("age") or yes(one.says("limited"))
    if restricted and yes(row.facts.get("his_check", "")) is False:
        message = f"国家编码{row.national}有性别、年龄或限制使用要求，院内系统没有校验"
        yield found(row, "his_check", "MA13", message, "warn")


def _staff(row: Proposed, one: National, ground: Ground) -> Iterator[Finding]:
    """Yield MA14: who left, or works elsewhere. A second place of practice is lawful, so the mapping institution alone
    makes it a warning."""
    state, place = one.says("state"), one.says("institution")
    if state and plain(state) not in _WORKING:
        yield found(row, "national_code", "MA14", f"人员{row.national}的执业状态为“{state[:20]}”")
        return
    if not place or yes(one.says("several")):
        return
    told = row.facts.get("institution", "")
    if told and told != place:
        yield found(row, "institution", "MA14", f"人员{row.national}登记在机构{place}，不在{told}")
    elif not told and ground.institution is not None and ground.institution.code != place:
        message = f"人员{row.national}登记在机构{place}，请核实是否多点执业"
        yield found(row, "national_code", "MA14", message, "warn")


def upload_findings(rows: Iterable[Proposed], ground: Ground) -> Iterator[Finding]:
    """Yield MA15: what is in force here today against what 1317 returned. Silent when it was not asked."""
    if ground.uploaded is None:
        return
    held: dict[str, set[str]] = {}
    for one in ground.uploaded:
        if one.begndate <= ground.today and (not one.enddate or ground.today <= one.enddate):
            held.setdefault(one.local, set()).add(one.national)
    known = set()
    for row in rows:
        if not row.national or not row.valid_from <= ground.today <= row.until:
            continue
        known.add(row.local)
        there = held.get(row.local)
        if not there:
            yield found(row, "national_code", "MA15", f"院内编码{row.local}的对码未上传到医保中心")
        elif there != {row.national}:
            message = f"医保中心登记的是{'、'.join(sorted(there))}，与本地{row.national}不一致"
            yield found(row, "national_code", "MA15", message)
    for local in sorted(held.keys() - known):
        national = sorted(held[local])[0]
        message = f"医保中心有院内编码{local}的对码（{national}），本地没有"
        yield Finding(0, "local_code", local, national, "MA15", "error", message)
