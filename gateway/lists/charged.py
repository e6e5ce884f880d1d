"""A list against what was charged in the visit: the codes of fee lines (2301, 2204) in the journal's evidence rows.

Requests are not kept (annex X34): amounts of lines are not known, and a line whose both codes were national leaves no
evidence. So only what WAS charged is held against a list, never what was not; and since a charge may have been taken
back, it is a warning. Classes of services: the national price catalogue of 2001 and 2012, by which the nine digits of
the code begin (code_systems, service_item); kinds of drugs: the first letter (drug); charge categories: med_chrgitm,
of services not compared, because libraries put operations under treatment (05) too.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs

from gateway.lists.reading import HEAD, Finding, Reading

# Kind of what was charged -> (charge category of the list, what it is).
CATEGORIES: Mapping[str, tuple[str, str]] = {
    "western": ("09", "西药"), "patent": ("11", "中成药"), "pieces": ("10", "中药饮片"),
    "consumable": ("08", "医用耗材"),
}  # fmt: skip
_SURGERY, _INTENSIVE = "33", "120100001"  # 三（三）手术治疗; 一（二）重症监护
_SYSTEMS = ("service_item", "drug", "consumable")
_DRUGS: Mapping[str, str] = {"X": "western", "Z": "patent", "T": "pieces"}


@attrs.frozen
class Charged:
    """What was charged in one visit, as far as the journal knows. Days: first and last of service, '' = not known."""

    kinds: frozenset[str]
    first_day: str
    last_day: str

    def __or__(self, other: "Charged") -> "Charged":
        days = [one for one in (self.first_day, other.first_day) if one]
        return Charged(self.kinds | other.kinds, min(days, default=""), max(self.last_day, other.last_day))


NOTHING = Charged(frozenset(), "", "")


def charged_of(evidence: Iterable[tuple[str, str, str, str, str, str]]) -> Charged:
    """Return what the evidence rows of one request of fee lines come to."""
    rows = [row for row in evidence if row[3] and row[1] in _SYSTEMS]
    kinds = {kind_of(system, national) for _, system, _, national, _, _ in rows} - {""}
    days = [day for *_, day in rows if day]
    return Charged(frozenset(kinds), min(days, default=""), max(days, default=""))


def kind_of(system: str, national: str) -> str:
    """Return the kind of what was charged, '' where the list has nothing to show for it."""
    if system == "service_item":
        item = national[2:11]  # behind the edition
        if not national.startswith("00"):
            return ""  # the new guides are ordered otherwise
        return "surgery" if item.startswith(_SURGERY) else "intensive" if item == _INTENSIVE else ""
    if system == "drug":
        return _DRUGS.get(national[:1], "")
    return system if system == "consumable" else ""


def findings_of(reading: Reading, charged: Charged) -> Iterator[Finding]:
    """Yield what was charged and does not show in the list."""
    kinds = charged.kinds
    if "surgery" in kinds and not reading.given.get("oprninfo") and not reading.given.get("opspdiseinfo"):
        yield Finding("SL-C008", "warn", "oprninfo", "就诊中有手术治疗收费，清单没有手术操作")
    if "intensive" in kinds and not reading.given.get("icuinfo"):
        yield Finding("SL-C008", "warn", "icuinfo", "就诊中有重症监护收费，清单没有重症监护记录")
    if reading.nodes["iteminfo"]:
        for kind, (category, zh) in CATEGORIES.items():
            if kind in kinds and not _has(reading, category):
                yield Finding("SL-C008", "warn", "iteminfo", f"就诊中有{zh}收费，清单的收费项目{category}没有金额")
    yield from _days(reading, charged)


def _has(reading: Reading, category: str) -> bool:
    return any(
        row.texts.get("med_chrgitm") == category and _amount(row.values) != 0 for row in reading.nodes["iteminfo"]
    )


def _amount(values: Mapping[str, Any]) -> Decimal:
    found = values.get("amt")
    return found if isinstance(found, Decimal) else Decimal(0)


def _days(reading: Reading, charged: Charged) -> Iterator[Finding]:
    head = reading.head
    begin, end = (head.texts[name][:10] if name in head.values else "" for name in ("adm_time", "dscg_time"))
    if begin and charged.first_day and charged.first_day < begin:
        yield Finding("SL-C009", "warn", f"{HEAD}.adm_time", "就诊中有入院之前发生的收费")
    if end and charged.last_day > end:
        yield Finding("SL-C009", "warn", f"{HEAD}.dscg_time", "就诊中有出院之后发生的收费")
