"""Service items: the price code is the suffix of the national code; the unit of charging must be the same.

An item whose content or unit differs is another item (mapping rules section 4, "never"): 次, 日 and 小时 never match.
"""

import re
from collections.abc import Iterable, Mapping

from gateway.codes.suggest.amounts import verdict_of_units
from gateway.codes.suggest.columns import LocalService, Service
from gateway.codes.suggest.desk import NO_LIMIT, Lens
from gateway.codes.suggest.records import Compared, Entry, Local
from gateway.codes.suggest.text import Namer, fold, verdict_of_names
from gateway.codes.suggest.verdict import Verdict

_PREFIX = re.compile(r"^[A-Z]+-?(?=\d{9})")
_SUFFIX = re.compile(r"(?:[A-Z]+|-\d{1,2}|(?<=\d{9})0+|\.\d{1,2})$")
_SIGNS = re.compile(r"[^0-9A-Z\u4e00-\u9fff]+")
_NINE = 9


def price_code(text: str) -> str:
    return re.sub(r"[\s()]+", "", fold(text))


def trimmed(code: str) -> str:
    """Return a price code without what a hospital adds to split an item: `120800001A`, `-1`, `00`, `F120800001`."""
    return _SUFFIX.sub("", _PREFIX.sub("", code))


def price_codes_of(entry: Entry) -> frozenset[str]:
    """Return what a price code may match: the column, the suffix after `-`, the whole and the national part."""
    facts: Service = entry.facts
    base, _, suffix = entry.code.partition("-")
    return frozenset(price_code(code) for code in (facts.price_code, suffix, entry.code, base) if code)


class ServiceDesk:
    """See `desk.Desk`."""

    def __init__(self) -> None:
        self.namer = Namer("service_item")

    def entry_keys(self, entry: Entry) -> Iterable[str]:
        for code in sorted(price_codes_of(entry)):
            yield f"price:{code}"

    def local_keys(self, local: Local) -> Iterable[str]:
        code = price_code(local.facts.price_code)
        if code:
            yield f"price:{code}"
            for shorter in (trimmed(code), code[:_NINE], code + "00"):
                yield f"price:{shorter}"

    def lens(self, local: Local) -> Lens:
        mine: LocalService = local.facts
        code, own = price_code(mine.price_code), self.namer.name(local.name)

        def compare(entry: Entry) -> Compared:
            theirs: Service = entry.facts
            name, alike = verdict_of_names(own, self.namer.name(entry.names[0]))
            verdicts = {
                "code": _verdict_of_codes(code, price_codes_of(entry)),
                "name": name,
                "unit": verdict_of_units(mine.unit, theirs.unit),
                "content": _verdict_of_contents(mine.content, theirs.content),
                "exclusion": _verdict_of_contents(mine.exclusion, theirs.exclusion),
            }
            return Compared("service_item", verdicts, alike)

        return compare

    def texts(self, local: Local, entry: Entry) -> Mapping[str, tuple[str, str]]:
        mine: LocalService = local.facts
        theirs: Service = entry.facts
        return {
            "code": (mine.price_code, theirs.price_code or entry.code.partition("-")[2]),
            "name": (local.name, entry.names[0]),
            "unit": (mine.unit, theirs.unit),
            "content": (mine.content, theirs.content),
            "exclusion": (mine.exclusion, theirs.exclusion),
        }

    def limit(self, local: Local, entry: Entry) -> tuple[float, str]:
        if self.namer.undecided(local.name) and not self.namer.undecided(entry.names[0]):
            return 0.5, "院内名称表明可能是非医疗收费或自立项目，多半没有国家编码"
        return NO_LIMIT

    def same_product(self, old: Entry, new: Entry) -> bool:
        one: Service = old.facts
        other: Service = new.facts
        same = (one.unit, one.content, one.exclusion) == (other.unit, other.content, other.exclusion)
        return same and old.names[0] == new.names[0]

    def remarks(self, local: Local, entry: Entry, day: str) -> list[str]:
        mine, theirs = local.facts.charge_type, entry.facts.charge_type
        return [f"收费类别不同：院内“{mine}”，国家“{theirs}”"] if mine and theirs and mine != theirs else []


def _verdict_of_codes(code: str, codes: frozenset[str]) -> Verdict:
    if not code or not codes:
        return Verdict.UNKNOWN
    if code in codes:
        return Verdict.EQUAL
    if trimmed(code) in codes:
        return Verdict.NEAR
    return Verdict.LIKE if any(code[:_NINE] == one[:_NINE] for one in codes) else Verdict.DIFFERS


def _verdict_of_contents(local: str, national: str) -> Verdict:
    if not local or not national:
        return Verdict.UNKNOWN
    # 含材料 and 不含材料 are one character apart: only the same words are the same content.
    same = _SIGNS.sub("", fold(local)) == _SIGNS.sub("", fold(national))
    return Verdict.EQUAL if same else Verdict.DIFFERS
