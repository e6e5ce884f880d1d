"""The sample tables in simulators/data: national code libraries, a hospital's own lists, and what fits what."""

import csv
import functools
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import attrs

DATA = Path(__file__).parent / "data"
Row = Mapping[str, str]

ITEM_TABLES = {"drug": "drugs", "service_item": "services", "consumable": "consumables"}
CODE_COLUMN = {
    "drug": ("national_drugs", "med_list_codg"),
    "service_item": ("national_services", "med_list_codg"),
    "consumable": ("national_consumables", "med_list_codg"),
    "diagnosis": ("national_diagnoses", "diag_code"),
    "operation": ("national_operations", "oprn_oprt_code"),
    "doctor": ("doctors", "dr_code"),
    "nurse": ("nurses", "nurs_code"),
    "pharmacist": ("pharmacists", "phar_code"),
    "chronic_disease": ("chronic_diseases", "opsp_dise_code"),
}
"""SYSTEM -> (table, column of the code)."""

LOCAL_STEM = {
    **ITEM_TABLES,
    "diagnosis": "diagnoses",
    "operation": "operations",
    "doctor": "doctors",
    "nurse": "nurses",
    "pharmacist": "pharmacists",
    "chronic_disease": "chronic_diseases",
}
"""SYSTEM -> stem of local_*.csv and truth_*.csv."""


@functools.cache
def rows(stem: str) -> tuple[Row, ...]:
    """All rows of data/<stem>.csv in file order."""
    with (DATA / f"{stem}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@attrs.frozen
class Matched:
    """One entry of an institution's own list and the national code it stands for."""

    system: str
    local_code: str
    name: str
    national_code: str
    price: Decimal


@functools.cache
def matched(system: str) -> tuple[Matched, ...]:
    """Local entries with exactly one right national code (match_type `one`), in file order: what is in daily use.

    Who has left works here no more: no node lets such a mapping come into force.
    """
    stem = LOCAL_STEM[system]
    table, column = CODE_COLUMN[system]
    left = {row[column] for row in rows(table) if row.get("prac_stas", "在职") != "在职"}
    local = {row["local_code"]: row for row in rows(f"local_{stem}")}
    return tuple(
        Matched(
            system,
            truth["local_code"],
            local[truth["local_code"]]["local_name"],
            truth["national_code"],
            Decimal(local[truth["local_code"]].get("local_price") or "0"),
        )
        for truth in rows(f"truth_{stem}")
        if truth["match_type"] == "one" and truth["national_code"] not in left
    )
