"""The platform's code libraries: is this a national code, valid on that day, and how is it paid?"""

import functools
from collections.abc import Mapping
from decimal import Decimal

import attrs

from simulators import tables


@attrs.frozen
class Entry:
    """One national code. level: 1 all covered, 2 part covered, 3 own expense; price_limit: yuan a unit or None."""

    code: str
    name: str
    first_day: str
    last_day: str  # "" = open
    list_type: str = ""
    fee_type: str = ""
    level: str = "1"
    price_limit: Decimal | None = None

    def valid_on(self, day: str) -> bool:
        """day: yyyy-MM-dd. The flag of the tables says what holds today; the dates decide for any other day."""
        return self.first_day <= day and (not self.last_day or day <= self.last_day)


def _entry(system: str, row: Mapping[str, str]) -> Entry:
    _, column = tables.CODE_COLUMN[system]
    limit = row.get("price_lv3")
    return Entry(
        row[column],
        next(
            row[name]
            for name in (
                "generic_name",
                "servitem_name",
                "mcs_name",
                "diag_name",
                "oprn_oprt_name",
                "psn_name",
                "opsp_dise_name",
            )
            if name in row
        ),
        row["begndate"],
        row["enddate"],
        row.get("list_type", ""),
        row.get("med_chrgitm_type", ""),
        row.get("chrgitm_lv") or ("2" if system == "consumable" else "1"),
        Decimal(limit) * 3 if limit else None,
    )


@functools.cache
def library(system: str) -> Mapping[str, Entry]:
    """All codes of one SYSTEM."""
    stem, _ = tables.CODE_COLUMN[system]
    return {entry.code: entry for entry in (_entry(system, row) for row in tables.rows(stem))}


@functools.cache
def items() -> Mapping[str, Entry]:
    """Everything that may stand in med_list_codg."""
    return {**library("drug"), **library("service_item"), **library("consumable")}


def item(code: str) -> Entry:
    """What a code that was let in stands for; one that no library holds is the person's own expense."""
    return items().get(code) or Entry(code, "目录外项目", "", "", level="3")


PLACES: Mapping[str, tuple[str, ...]] = {
    "item": ("drug", "service_item", "consumable"),
    "disease": ("chronic_disease", "diagnosis"),
    "diagnosis": ("diagnosis",),
    "operation": ("operation",),
    "doctor": ("doctor",),
    "nurse": ("nurse",),
    "pharmacist": ("pharmacist",),
    "chronic_disease": ("chronic_disease",),
}
"""What the catalogue calls the code system of a field -> SYSTEMs that may stand there. Others are not checked here."""


def complaint(system: str, code: str, day: str) -> str | None:
    """Why code cannot be used for a field of this code system on this day, or None."""
    places = PLACES.get(system)
    if places is None:
        return None
    for place in places:
        entry = library(place).get(code)
        if entry is not None:
            return None if entry.valid_on(day) else "编码在业务日期已失效或未生效"
    return "不是国家编码"
