"""Settlement lists on paper: the printed form, item by item, with the findings beside them. One file, no scripts."""

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import jinja2
import msgspec

import schemas
from gateway.app.lists_rules import COLLECTED, FOLDER, domains
from gateway.lists.reading import HEAD, Finding, Reading, Record
from gateway.lists.rules import RuleSet
from gateway.lists.world import Domain

CELL_MAX = 200
FORMS_MAX = 100  # lists on one page; the findings file has all
_TEMPLATES = Path(__file__).parent / "templates"
_PLAIN = re.compile(r"\w+")
# Whose paper it is stays recognisable to its owner and to nobody else.
_HIDDEN = frozenset({"certno", "hi_no", "psn_no", "coner_tel", "emp_tel", "curr_addr", "coner_addr", "emp_addr"})
_NAMES = frozenset({"psn_name", "coner_name"})
_DOMAIN_OF = {"adm_caty": "dept", "dscg_caty": "dept"}
# The nodes of records: title, and the section of the form they stand in.
_TABLES = {
    "opspdiseinfo": ("门诊慢特病诊断", 1), "diseinfo": ("出院诊断", 2), "oprninfo": ("手术及操作", 2),
    "icuinfo": ("重症监护", 2), "bldinfo": ("输血", 2), "iteminfo": ("收费项目", 3), "payinfo": ("基金支付", 3),
}  # fmt: skip


class ItemSpec(msgspec.Struct, frozen=True):
    """One item of the printed form."""

    no: int
    zh: str
    field: str


class SectionSpec(msgspec.Struct, frozen=True):
    """One section of the printed form."""

    title: str
    items: tuple[ItemSpec, ...]


class _Form(msgspec.Struct, frozen=True):
    section: tuple[SectionSpec, ...]


@attrs.frozen
class Sheet:
    """One list to be printed."""

    number: int
    reading: Reading | None
    findings: tuple[Finding, ...]


@functools.cache
def _form() -> tuple[SectionSpec, ...]:
    return msgspec.toml.decode((schemas.ROOT / FOLDER / "form.toml").read_bytes(), type=_Form).section


@functools.cache
def _domains() -> Mapping[str, Domain]:
    return domains()


def page(file: str, form: str, lists: int, clean: int, sheets: Sequence[Sheet], made_at: str, rules: RuleSet) -> str:
    """Return the lists as HTML: those with findings, at most FORMS_MAX of them, or the first when none has any."""
    faulty = [one for one in sheets if one.findings]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("settlement_lists.html").render(
        file=file, form="全部采集项目" if form == COLLECTED else f"交易{form}", lists=lists, clean=clean,
        faulty=lists - clean, made_at=made_at, version=rules.version, rules=len(rules.rules),
        sheets=[_drawn(one, rules) for one in faulty or sheets[:1]], left_out=max(0, lists - clean - len(faulty)),
    )  # fmt: skip


def _drawn(sheet: Sheet, rules: RuleSet) -> dict[str, Any]:
    """One list for the template: sections of items, tables of records, and findings that have no place on the form."""
    at: dict[str, list[Finding]] = {}
    for one in sheet.findings:
        at.setdefault(one.path, []).append(one)
    sections = [] if sheet.reading is None else [_section(one, sheet.reading, at) for one in _form()]
    if sheet.reading is not None:
        for node, (_, number) in _TABLES.items():
            table = _table(node, sheet.reading, rules, at)
            if table["rows"] or table["findings"]:
                sections[number]["tables"].append(table)
    return {
        "number": sheet.number,
        "setl_id": sheet.reading.head.texts.get("setl_id", "") if sheet.reading else "",
        "institution": sheet.reading.head.texts.get("fixmedins_name", "") if sheet.reading else "",
        "sections": sections,
        "rest": [one for findings in at.values() for one in findings],
        "levels": Counter(one.level for one in sheet.findings),
    }


def _section(section: SectionSpec, reading: Reading, at: dict[str, list[Finding]]) -> dict[str, Any]:
    items = []
    for item in section.items:
        if _PLAIN.fullmatch(item.field):
            found = at.pop(f"{HEAD}.{item.field}", [])
            items.append({"no": item.no, "zh": item.zh, "value": _shown(item.field, reading.head), "findings": found})
    return {"title": section.title, "items": items, "tables": []}


def _table(node: str, reading: Reading, rules: RuleSet, at: dict[str, list[Finding]]) -> dict[str, Any]:
    records = reading.nodes.get(node, [])
    fields = rules.nodes.get(node, {})
    filled = [name for name in fields if any(name in record.texts for record in records)]
    rows = []
    for record in records:
        places = [
            path for path in at if path == f"{node}[{record.index}]" or path.startswith(f"{node}[{record.index}].")
        ]
        own = [one for path in places for one in at.pop(path)]
        rows.append({"cells": [_shown(name, record) for name in filled], "findings": own})
    head = [fields[name].zh for name in filled]
    return {"title": _TABLES[node][0], "head": head, "rows": rows, "findings": at.pop(node, [])}


def _shown(field: str, record: Record) -> str:
    text = record.texts.get(field, "")[:CELL_MAX]
    if field in _HIDDEN:
        return f"{text[:2]}…{text[-2:]}" if len(text) > 4 else "…" if text else ""
    if field in _NAMES:
        return f"{text[:1]}{'*' * (len(text) - 1)}"
    domain = _domains().get(_DOMAIN_OF.get(field, field))
    meaning = domain.meaning(text) if domain is not None and text else None
    return f"{text} {meaning}" if meaning is not None else text
