"""Consumables: the device identifier, else registration number, model and producer together.

The 27-character code tells models apart, so without the model nothing is sure, and without identifier and registration
number a name is only a list of candidates.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from gateway.codes.suggest.amounts import verdict_of_models
from gateway.codes.suggest.columns import Consumable, LocalConsumable
from gateway.codes.suggest.desk import NO_LIMIT, Lens
from gateway.codes.suggest.makers import MakerBook
from gateway.codes.suggest.records import Compared, Entry, Local
from gateway.codes.suggest.text import Namer, fold, verdict_of_names
from gateway.codes.suggest.verdict import Verdict
from gateway.codes.suggest.words import measures

_CARRIED = re.compile(r"\(01\)(\d{14})|^\]?(?:D2|C1|Q3)?01(\d{14})(?:1[0-7]|2[01]|$)")
_ALONE = re.compile(r"(?<!\d)\d{13,14}(?!\d)")
_REMARK = re.compile(r"\((?![准进许]\))[^()]*\)")
_ROUTES = ("准", "进", "许")


@lru_cache(maxsize=1 << 15)
def device_identifier(text: str) -> str:
    """Return the 14 digits of the device identifier, GS1 (01), of a cell or a whole barcode; else folded text."""
    plain = fold(text)
    found = _CARRIED.search(plain)
    if found:
        return found[1] or found[2]
    if (alone := _ALONE.findall(plain)) and len(alone) == 1:
        return str(alone[0]).zfill(14)
    digits = re.sub(r"[^0-9A-Z]", "", plain)
    return digits.zfill(14) if digits.isdigit() and 12 <= len(digits) <= 14 else digits


@lru_cache(maxsize=1 << 15)
def registration(text: str) -> tuple[str, str]:
    """Return (digits, route) of a registration number: year, class, group, serial; route 准 进 许 or ""."""
    plain = _REMARK.sub("", fold(text))
    digits = "".join(re.findall(r"\d+", plain))
    return digits, next((route for route in _ROUTES if route in plain), "")


class ConsumableDesk:
    """See `desk.Desk`."""

    def __init__(self) -> None:
        self.namer = Namer("consumable")
        self._makers = MakerBook()

    def entry_keys(self, entry: Entry) -> Iterable[str]:
        facts: Consumable = entry.facts
        for name in (facts.maker, facts.registrant):
            self._makers.add(name)
        if facts.udi:
            yield f"udi:{device_identifier(facts.udi)}"
        if facts.reg_no:
            yield f"reg:{registration(facts.reg_no)[0]}"

    def local_keys(self, local: Local) -> Iterable[str]:
        facts: LocalConsumable = local.facts
        if facts.udi:
            yield f"udi:{device_identifier(facts.udi)}"
        if facts.reg_no:
            yield f"reg:{registration(facts.reg_no)[0]}"

    def lens(self, local: Local) -> Lens:
        mine: LocalConsumable = local.facts
        own = self.namer.name(local.name)

        def compare(entry: Entry) -> Compared:
            theirs: Consumable = entry.facts
            names = [verdict_of_names(own, self.namer.name(raw)) for raw in entry.names]
            name, alike = max(names, key=lambda found: (_ORDER[found[0]], found[1]))
            verdicts = {
                "udi": _verdict_of_identifiers(mine.udi, theirs.udi),
                "reg": _verdict_of_registrations(mine.reg_no, theirs.reg_no),
                "name": name,
                "spec": verdict_of_models(mine.spec, theirs.spec),
                "maker": self._makers.verdict(mine.maker, (theirs.maker, theirs.registrant)),
                "unit": _verdict_of_pieces(mine.unit, theirs.unit),
            }
            return Compared("consumable", verdicts, alike)

        return compare

    def texts(self, local: Local, entry: Entry) -> Mapping[str, tuple[str, str]]:
        mine: LocalConsumable = local.facts
        theirs: Consumable = entry.facts
        return {
            "udi": (mine.udi, theirs.udi),
            "reg": (mine.reg_no, theirs.reg_no),
            "name": (local.name, entry.names[0]),
            "spec": (mine.spec, theirs.spec),
            "maker": (mine.maker, theirs.maker),
            "unit": (mine.unit, theirs.unit),
        }

    def limit(self, local: Local, entry: Entry) -> tuple[float, str]:
        if self.namer.undecided(local.name) and not self.namer.undecided(entry.names[0]):
            return 0.5, "院内名称表明可能是自制或赠送"
        return NO_LIMIT

    def same_product(self, old: Entry, new: Entry) -> bool:
        one: Consumable = old.facts
        other: Consumable = new.facts
        same = (one.maker, one.material, one.feature) == (other.maker, other.material, other.feature)
        return same and verdict_of_models(one.spec, other.spec) is Verdict.EQUAL and old.names[0] == new.names[0]

    def remarks(self, local: Local, entry: Entry, day: str) -> list[str]:
        end = entry.facts.reg_end[:10]
        return [f"注册证有效期至{end}，已过，请核对是否已延续"] if end and end < day else []


_ORDER = {Verdict.EQUAL: 3, Verdict.NEAR: 2, Verdict.LIKE: 1, Verdict.DIFFERS: 0, Verdict.UNKNOWN: 0}


def _verdict_of_identifiers(local: str, national: str) -> Verdict:
    if not local or not national:
        return Verdict.UNKNOWN
    return Verdict.EQUAL if device_identifier(local) == device_identifier(national) else Verdict.DIFFERS


def _verdict_of_registrations(local: str, national: str) -> Verdict:
    if not local or not national:
        return Verdict.UNKNOWN
    (mine, way), (theirs, other_way) = registration(local), registration(national)
    if not mine or not theirs:
        return Verdict.EQUAL if fold(local) == fold(national) else Verdict.DIFFERS
    if mine == theirs:
        return Verdict.DIFFERS if way and other_way and way != other_way else Verdict.EQUAL
    slips = sum(a != b for a, b in zip(mine, theirs, strict=True)) if len(mine) == len(theirs) else 9
    return Verdict.NEAR if slips == 1 else Verdict.DIFFERS


def _verdict_of_pieces(local: str, national: str) -> Verdict:
    """Single pieces are called 个, 只, 支 by habit; a box of them is another quantity."""
    if not local or not national:
        return Verdict.UNKNOWN
    groups = {fold(word): group for group, words in measures().counted.items() for word in words}
    mine, theirs = (groups.get(fold(unit), fold(unit)) for unit in (local, national))
    single = {"piece", "ampoule", "grain", "tablet", "patch"}
    return Verdict.EQUAL if mine == theirs or {mine, theirs} <= single else Verdict.DIFFERS
