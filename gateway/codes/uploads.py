"""What to upload by 3301 and cancel by 3302, decided from approved mappings and what was sent before. Pure.

The seven meanings of the mapping rules §10: a row is told from others by (institution, local code, list type, national
code, first day), so an equal row is never sent twice; another target is 3302 of the old row, then 3301 of the new one;
what has no answer is asked for by 1317 before anything is sent again; an open end is sent as the agreed far day.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Generic, Literal, Protocol, TypeVar

import attrs

from gateway.codes.faults import Fault
from gateway.core.catalogue import Field
from gateway.core.dates import fits

# Fields of 3301 that a library's record may fill, and the titles they stand under in it.
FACTS: Mapping[str, tuple[str, ...]] = {
    "aprvno": ("aprvno", "批准文号"),
    "dosform": ("dosform", "药品剂型名称", "药品剂型", "注册剂型"),
    "exct_cont": ("exct_cont", "诊疗除外内容"),
    "item_cont": ("item_cont", "诊疗项目内涵"),
    "prcunt": ("prcunt", "计价单位名称", "计价单位"),
    "spec": ("spec", "药品规格", "spec_mol", "规格型号", "规格"),
    "pacspec": ("pacspec", "包装规格"),
}
_LIST_TYPES: Mapping[str, str] = {"service_item": "201", "consumable": "301"}
# Which download a drug came in by shows in its columns; the code's form is the last resort (pitfall 14).
_DRUG_COLUMNS = (("中药配方颗粒代码", "106"), ("单味药名称", "102"), ("药材名称", "102"), ("制剂许可证号", "103"))
LIST_TYPES_OF: Mapping[str, tuple[str, ...]] = {
    "drug": ("101", "102", "103", "104", "106"),
    "service_item": ("201",),
    "consumable": ("301",),
}
KEY_FIELDS = ("fixmedins_hilist_id", "fixmedins_hilist_name", "list_type", "med_list_codg", "begndate", "enddate")
Kind = Literal["local_only", "centre_only", "different"]


class Row(Protocol):
    """Whatever has the key of a row."""

    @property
    def local(self) -> str: ...
    @property
    def list_type(self) -> str: ...
    @property
    def national(self) -> str: ...
    @property
    def begndate(self) -> str: ...
    @property
    def enddate(self) -> str: ...


class HeldRow(Row, Protocol):
    """A row the gateway has sent before."""

    @property
    def state(self) -> str: ...


H = TypeVar("H", bound=HeldRow)


@attrs.frozen
class Line:
    """One row as 3301 carries it. fields: everything but empty values; number: of the mapping file."""

    local: str
    list_type: str
    national: str
    begndate: str
    enddate: str
    fields: Mapping[str, str]
    number: int = 0


@attrs.frozen
class CentreRow:
    """One row as 1317 brings it. Days without times."""

    local: str
    list_type: str
    national: str
    begndate: str
    enddate: str


@attrs.frozen
class Change(Generic[H]):
    """One local code: what is taken back of it first, and what is sent then."""

    local: str
    cancel: tuple[H, ...]
    send: tuple[Line, ...]


@attrs.frozen
class Plan(Generic[H]):
    """What there is to do, in this order. doubts: ask 1317 first, then plan anew; gone: at the platform, no longer in
    force here, and taken back only when somebody says so (`codes map cancel`).
    """

    doubts: tuple[H, ...]
    changes: tuple[Change[H], ...]
    adds: tuple[Line, ...]
    gone: tuple[H, ...]
    same: int


def key_of(row: Row) -> tuple[str, str, str, str]:
    """Return what tells a row from others within an institution (§10.1)."""
    return row.local, row.list_type, row.national, row.begndate


def cells_of(row: Row) -> tuple[str, str, str, str, str]:
    """Return the row as the store keeps it."""
    return (*key_of(row), row.enddate)


def list_type_of(system: str, national: str, facts: Mapping[str, str]) -> str:
    """Return the list type of a national code; '' when nothing tells. facts: the library's record, by its titles."""
    given = facts.get("list_type") or facts.get("目录类别")
    if given:
        return given
    if system != "drug":
        return _LIST_TYPES.get(system, "")
    for title, list_type in _DRUG_COLUMNS:
        if title in facts:
            return list_type
    if national[:1] in ("X", "Z"):
        return "101"
    if national[:1] == "T":
        return "106" if len(national) == 20 else "102"
    return ""


def line_of(
    system: str,
    local: str,
    national: str,
    span: tuple[str, str],
    name: str,
    facts: Mapping[str, str],
    held: Iterable[HeldRow],
    today: str,
    far: str,
    number: int,
) -> Line:
    """Return the row 3301 would carry.

    span: first and last day, '' = open; an open first day is the one this row was sent with before, else today: the
    field is required, and the key must not change from day to day. far: the agreed day of an open end (§10.7).
    """
    list_type = list_type_of(system, national, facts)
    begndate = span[0] or next(
        (
            row.begndate
            for row in held
            if (row.list_type, row.national) == (list_type, national) and row.state != "cancelled"
        ),
        today,
    )
    enddate = span[1] or far
    fields = {name: next((facts[title] for title in titles if facts.get(title)), "") for name, titles in FACTS.items()}
    fields |= {
        "fixmedins_hilist_id": local,
        "fixmedins_hilist_name": name,
        "list_type": list_type,
        "med_list_codg": national,
        "begndate": begndate,
        "enddate": enddate,
    }
    return Line(local, list_type, national, begndate, enddate, {k: v for k, v in fields.items() if v}, number)


def fitted(line: Line, fields: Collection[Field]) -> tuple[Line, Fault | None]:
    """Check a row against the message definition; return it as it may be sent, and what forbids sending it.

    A description that is too long for its field is left out: it says nothing the national code does not say. What the
    key is made of is never shortened.
    """
    kept = {}
    for field in fields:
        value = line.fields.get(field.name, "")
        if not value:
            if field.required:
                return line, Fault(line.number, field.name, "required", f"{line.local}缺少{field.zh}（{field.name}）")
            continue
        if field.length and len(value) > field.length:
            if field.name in KEY_FIELDS:
                words = f"{line.local}的{field.zh}{value}有{len(value)}个字符，接口只容{field.length}个"
                return line, Fault(line.number, field.name, "length", words)
            continue
        if field.kind in ("date", "datetime") and not fits(field.kind, field.format, value):
            return line, Fault(line.number, field.name, "format", f"{line.local}的{field.zh}{value}不是有效日期")
        kept[field.name] = value
    return attrs.evolve(line, fields=kept), None


def plan(lines: Sequence[Line], held: Sequence[H]) -> Plan[H]:
    """Decide what to do. lines: every row that should stand at the platform; held: every row ever sent."""
    doubts = tuple(row for row in held if row.state in ("sending", "cancelling"))
    there = [row for row in held if row.state == "uploaded"]
    wanted: dict[str, list[Line]] = {}
    for line in lines:
        wanted.setdefault(line.local, []).append(line)
    present = {cells_of(row) for row in there}
    stale: dict[str, list[H]] = {}
    gone = []
    for row in there:
        mine = wanted.get(row.local)
        if mine is None:
            gone.append(row)
        elif cells_of(row) not in {cells_of(line) for line in mine}:
            stale.setdefault(row.local, []).append(row)
    changes, adds = [], []
    same = 0
    for local, mine in wanted.items():
        old = tuple(stale.get(local, ()))
        # 3302 names no first day: it may take every row of that target with it, so all of them are sent again.
        taken = {(row.list_type, row.national) for row in old}
        new = [line for line in mine if cells_of(line) not in present or (line.list_type, line.national) in taken]
        same += len(mine) - len(new)
        if old:
            changes.append(Change(local, old, tuple(new)))
        else:
            adds += new
    return Plan(doubts, tuple(changes), tuple(adds), tuple(gone), same)


def batches(lines: Sequence[Line], rows_max: int) -> Iterator[Sequence[Line]]:
    """Yield the rows in pieces that fit one message."""
    for start in range(0, len(lines), rows_max):
        yield lines[start : start + rows_max]


def halves(lines: Sequence[Line]) -> tuple[Sequence[Line], Sequence[Line]]:
    """Split a refused batch: 3301 does not say which of its rows was the bad one."""
    middle = (len(lines) + 1) // 2
    return lines[:middle], lines[middle:]


# --- the messages ----------------------------------------------------------------------------------


def upload_words(lines: Sequence[Line], node: str, one: bool) -> dict[str, object]:
    """Return the input of 3301. one: the region takes a single object in the node."""
    rows = [dict(line.fields) for line in lines]
    return {node: rows[0] if one else rows}


def cancel_words(institution: str, row: Row, node: str) -> dict[str, object]:
    """Return the input of 3302."""
    return {
        node: {
            "fixmedins_code": institution,
            "fixmedins_hilist_id": row.local,
            "list_type": row.list_type,
            "med_list_codg": row.national,
        }
    }


def ask_words(
    institution: str, node: str, page: int, rows: int, local: str = "", list_type: str = ""
) -> dict[str, object]:
    """Return the input of 1317: one page of what the centre holds; local '' = everything."""
    words: dict[str, object] = {
        "fixmedins_code": institution,
        "vali_flag": "1",
        "updt_time": "2000-01-01",  # required, and everything was changed since
        "page_num": page,
        "page_size": rows,
    }
    if local:
        words["medins_list_codg"] = local
    if list_type:
        words["list_type"] = list_type
    return {node: words}


def centre_rows(output: object) -> tuple[list[CentreRow], int | None] | None:
    """Read a page of 1317: (rows in force, how many there are on all pages if told); None when it is no such page.

    The rows stand in output.data beside recordCounts, or are the output itself (pitfall 7).
    """
    total = None
    rows = output
    if isinstance(output, Mapping):
        rows = output.get("data", [])
        counted = output.get("recordCounts")
        total = counted if isinstance(counted, int) and not isinstance(counted, bool) else None
    if rows is None:
        rows = []
    if not isinstance(rows, list):
        return None
    found = []
    for row in rows:
        read = _centre_row(row)
        if read is None:
            return None
        if str(row.get("vali_flag") or "1") == "1":
            found.append(read)
    return found, total


def rows_on(output: object) -> int:
    """Return how many rows a page holds, in force or not: an incomplete page is the last."""
    rows = output.get("data") if isinstance(output, Mapping) else output
    return len(rows) if isinstance(rows, list) else 0


def _centre_row(row: object) -> CentreRow | None:
    if not isinstance(row, Mapping):
        return None
    names = ("medins_list_codg", "list_type", "med_list_codg", "begndate", "enddate")
    values = [row.get(name) for name in names]
    if not all(isinstance(value, str) and value for value in values[:3]):
        return None
    days = [value[:10] if isinstance(value, str) else "" for value in values[3:]]
    return CentreRow(str(values[0]), str(values[1]), str(values[2]), days[0], days[1])


# --- what the centre's copy says --------------------------------------------------------------------


def settled_state(row: HeldRow, centre: Iterable[CentreRow]) -> str:
    """Return the state of a row in doubt, by what the centre holds of its local code (§10.5).

    An upload that is not there was not sent, as far as anybody can tell: sending an equal row again is no second row.
    """
    there = any(key_of(one) == key_of(row) for one in centre)
    if there:
        return "uploaded"
    return "cancelled" if row.state == "cancelling" else "not_sent"


@attrs.frozen
class Difference:
    """One row of a comparison (MA15). ours, theirs: `code from..to`, '' = none."""

    kind: Kind
    local: str
    list_type: str
    ours: str
    theirs: str


def differences(ours: Iterable[Line], theirs: Iterable[CentreRow], far: str) -> tuple[int, list[Difference]]:
    """Compare what should stand at the centre with what does: (equal rows, differences by local code).

    far: the agreed day of an open end, which the centre may leave empty. Rows of one local code and list type that both
    sides have, but not equal, are put side by side.
    """
    left: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
    right: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
    for side, rows in ((left, ours), (right, theirs)):
        for row in rows:
            side.setdefault((row.local, row.list_type), set()).add((row.national, row.begndate, row.enddate or far))
    equal, found = 0, []
    for place in sorted(left.keys() | right.keys()):
        mine, centre = left.get(place, set()), right.get(place, set())
        equal += len(mine & centre)
        only, other = sorted(mine - centre), sorted(centre - mine)
        for number in range(max(len(only), len(other))):
            words = [_span(side[number]) if number < len(side) else "" for side in (only, other)]
            kind: Kind = "different" if all(words) else "local_only" if words[0] else "centre_only"
            found.append(Difference(kind, *place, *words))
    return equal, found


def _span(row: tuple[str, str, str]) -> str:
    return f"{row[0]} {row[1] or '不限'}..{row[2] or '不限'}"
