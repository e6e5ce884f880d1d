"""What the platform's quality control says of lists (4104), and which of our rules should have caught it.

Source: settlement_list.yaml transactions 4104; pages as pitfalls §3.7 (rows directly, or `data` beside the counts).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from gateway.lists.reading import NAME_MAX
from gateway.lists.rules import RuleSet

TEXT_MAX = 200
DETAILS_MAX = 200
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
RETURNED = "1"  # retn_flag


@attrs.frozen
class Detail:
    """One thing quality control found. Values it quotes are a patient's and are not kept."""

    exam_data_fld: str
    qltctrl_chk_rslt: str
    err_lv: str
    retn_flag: str


@attrs.frozen
class Quality:
    """What quality control says of one list."""

    setl_id: str
    setl_ym: str
    qltctrl_rslt: str
    err_lv: str
    retn_flag: str
    qltctrl_ver: str
    qltctrl_time: str
    details: tuple[Detail, ...]


def page_of(output: Any) -> tuple[list[Quality], int | None] | None:
    """Return the rows of a page and how many there are in all (None: not said); None for what is no page."""
    rows = output.get("data", output.get("result")) if type(output) is dict else output
    if rows is None and output == {}:
        rows = []
    if type(rows) is not list or not all(type(row) is dict for row in rows):
        return None
    total = output.get("recordCounts") if type(output) is dict else None
    return [_quality(row) for row in rows], int(total) if type(total) is int or (
        type(total) is str and _COUNT.fullmatch(total)
    ) else None


def _quality(row: Mapping[str, Any]) -> Quality:
    details = row.get("detailinfo")
    setl_id, setl_ym, rslt, err_lv, retn_flag, ver, time = (
        _text(row.get(name))
        for name in ("setl_id", "setl_ym", "qltctrl_rslt", "err_lv", "retn_flag", "qltctrl_ver", "qltctrl_time")
    )
    found = tuple(
        Detail(*(_text(one.get(name)) for name in ("exam_data_fld", "qltctrl_chk_rslt", "err_lv", "retn_flag")))
        for one in (details if type(details) is list else [])[:DETAILS_MAX]
        if type(one) is dict
    )
    return Quality(setl_id, setl_ym, rslt, err_lv, retn_flag, ver, time, found)


def _text(value: Any) -> str:
    text = str(value) if type(value) in (str, int) else ""
    return "".join(letter for letter in text if letter.isprintable())[:TEXT_MAX]


def rules_about(field: str, rules: RuleSet) -> list[str]:
    """Return our rules that read a field quality control names (`certno`, `diag_code`, or with its node)."""
    name = field.rpartition(".")[2][:NAME_MAX]
    return [rule.spec.id for rule in rules.rules if any(one == name for _, one in rule.fields)]


def heads(found: Iterable[Quality]) -> Mapping[str, Quality]:
    """Return the rows by settlement; of several rows of one settlement the last."""
    return {one.setl_id: one for one in found if one.setl_id}
