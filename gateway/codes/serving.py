"""Look-ups answered from the gateway's own libraries in the platform's shapes: 13xx with 9102, 1312, 1316, 1318, 1319,
1901, 1201, 5102 (contract §4). None means: this cannot be said for certain here, ask the platform.

Shapes: the interface specification's output nodes; pages as seen on the wire (`output.data[]` with pageNum, pageSize,
pages, recordCounts). A condition on something a register does not hold is never answered by leaving it out.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import attrs

from gateway.codes.library import Kept
from gateway.core.code_systems import KEY_JOIN, CodeSystemSpec, SupplySpec

FILE_ROWS_MAX = 200_000  # a bigger file is the platform's business: nobody's memory is for catalogues of millions
SCAN_MAX = 50_000  # records looked at for one query
PAGE_MAX = 500
FILE_DAYS = 7
_EPOCH = (2026, 1, 1, 0, 0, 0)  # of every zip entry: the same records give the same bytes
_NUMBER = re.compile(r"GW([0-9]{4}A?)-([0-9]{1,9})-([0-9]{1,9})", re.ASCII)
# Said of the query, not of a record: the day, the page, "changed since" (left out below), and who asks.
_OF_QUERY = frozenset({"query_date", "page_num", "page_size", "updt_time"})
Names = Mapping[str, tuple[str, tuple[str, ...]]]  # name or title of a column -> (its role, all its names and titles)
_STAFF = {"D": "doctor", "N": "nurse", "H": "pharmacist", "Y": "pharmacist"}
_PLACES = {"H": "medical_institution", "P": "retail_pharmacy"}
_STAFF_TYPES = {"1": "doctor", "2": "nurse", "3": "pharmacist"}  # dictionary medins_psn_type
_PLACE_TYPES = {"1": "medical_institution", "2": "retail_pharmacy"}  # dictionary fixmedins_type


class Look(Protocol):
    """One library within one look at the store."""

    def vers(self) -> Sequence[tuple[int, str]]:
        """Return (id, ver) of every version that counts, oldest first; none = never imported."""

    def records(self, prefix: str = "") -> Iterator[tuple[Kept, int, Mapping[str, str]]]:
        """Yield (record, its version's id, its file's cells by title) of what is in force."""

    def find(self, code: str) -> tuple[Kept, Mapping[str, str]] | None: ...


Open = Callable[[str], Look]  # a library or register by id


@attrs.frozen
class File:
    """A catalogue as 9102 brings it."""

    number: str
    name: str
    count: int
    content: bytes


@attrs.frozen
class Serving:
    """Which query is answered from which library.

    specs: all definitions by id; ways: infno -> what answers it; columns: infno -> titles of its file; fields: infno ->
    names of its output's fields.
    """

    specs: Mapping[str, CodeSystemSpec]
    ways: Mapping[str, tuple[CodeSystemSpec, SupplySpec]]
    columns: Mapping[str, tuple[str, ...]]
    fields: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(
        cls,
        specs: Iterable[CodeSystemSpec],
        columns: Mapping[str, tuple[str, ...]],
        fields: Mapping[str, tuple[str, ...]],
    ) -> "Serving":
        """Find out what can be answered: a file whose columns and codes are known, pages of a register, 1901."""
        known = {spec.id: spec for spec in specs}
        ways = {
            supply.transaction: (spec, supply)
            for spec in known.values()
            for supply in spec.supply
            if _answerable(spec, supply, columns)
        }
        return cls(known, ways, columns, fields)

    def serves(self, infno: str, message: Mapping[str, Any]) -> bool:
        """Say whether a query is one of those answered here; its libraries may still not know."""
        if infno == "9102":
            return _NUMBER.fullmatch(_text(message.get("fsDownloadIn"), "file_qury_no")) is not None
        if infno == "5102":
            return bool(_staff_system(message.get("data")))
        if infno == "1201":
            return bool(_place_system(message.get("medinsinfo")))
        return infno in self.ways

    # --- answers ---

    def answer(self, infno: str, message: Mapping[str, Any], open_: Open, until: str) -> Mapping[str, Any] | None:
        """Return the `output` of a query, None = ask the platform. until: when a file's number ends, yyyy-MM-dd ..."""
        if infno == "1201":
            return self._place(message, open_)
        data = message.get("data")
        if not isinstance(data, Mapping):
            return None
        if infno == "5102":
            return self._staff(data, open_)
        found = self.ways.get(infno)
        if found is None:
            return None
        spec, supply = found
        look = open_(spec.id)
        if not look.vers():
            return None
        if supply.by == "file":
            made = self._catalogue(spec, supply, look, _text(data, "ver"), None)
            if made is None:
                return None
            return {"file_qury_no": made.number, "filename": made.name, "dld_end_time": until, "data_cnt": made.count}
        if infno == "1901":
            return self._dictionary(spec, look, data)
        return self._pages(infno, spec, look, data)

    def file(self, message: Mapping[str, Any], open_: Open) -> File | None:
        """Return the file a number of ours names, None when there is none (any more)."""
        asked = _NUMBER.fullmatch(_text(message.get("fsDownloadIn"), "file_qury_no"))
        found = self.ways.get(asked[1]) if asked is not None else None
        if asked is None or found is None:
            return None
        spec, supply = found
        look = open_(spec.id)
        after, last = int(asked[2]), int(asked[3])
        if supply.by != "file" or not look.vers() or look.vers()[-1][0] != last:
            return None  # the library has moved on: the number is as good as expired
        return self._catalogue(spec, supply, look, "", after)

    def _catalogue(
        self, spec: CodeSystemSpec, supply: SupplySpec, look: Look, ver: str, after: int | None
    ) -> File | None:
        vers = look.vers()
        if after is None:  # a version nobody here knows: everything
            after = max((number for number, name in vers if name == ver), default=0)
        wanted, holds = re.compile(supply.codes), False
        titles = self.columns[supply.transaction]
        names = _accepted(spec)
        lines = []
        for record, version, cells in look.records():
            if not wanted.search(record.code):
                continue
            holds = True
            if version > after:
                lines.append("\t".join(_cell(names, record, cells, title) or "null" for title in titles))
            if len(lines) > FILE_ROWS_MAX:
                return None
        if not holds:
            return None  # this kind of code was never imported: that says nothing of the platform's
        last, name = vers[-1]
        text = "".join(f"{line}\n" for line in lines)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(zipfile.ZipInfo(f"{supply.transaction}.txt", _EPOCH), text.encode(), zipfile.ZIP_DEFLATED)
        number = f"GW{supply.transaction}-{after}-{last}"
        return File(number, f"{supply.transaction}_{_plain(name)}.zip", len(lines), packed.getvalue())

    def _pages(self, infno: str, spec: CodeSystemSpec, look: Look, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
        place, names = place_of(data), _accepted(spec)
        wanted = wanted_of(data)
        if place is None or not all(name in names for name in wanted):
            return None
        (number, size), (since, day) = place, moments_of(data)
        first = spec.key[0]
        prefix = wanted[first] + KEY_JOIN if first in wanted else ""
        rows = []
        for seen, (record, _, cells) in enumerate(look.records(prefix)):
            if seen >= SCAN_MAX:
                return None
            row = {name: _value(names, record, cells, name) for name in self.fields[infno]}
            if meets(row, wanted, since, day):
                rows.append(row)
        return page_of(rows, number, size)

    def _dictionary(self, spec: CodeSystemSpec, look: Look, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
        kind, parent, flag = _text(data, "type"), _text(data, "parent_value"), _text(data, "Vali_Flag")
        names = _accepted(spec)
        rows = []
        for seen, (record, _, cells) in enumerate(look.records(kind + KEY_JOIN)):
            if seen >= SCAN_MAX:
                return None
            rows.append({name: _value(names, record, cells, name) for name in self.fields["1901"]})
        if not rows:
            return None  # a dictionary nobody imported is not an empty one
        if flag:
            rows = [row for row in rows if (row["valiFlag"] or "1") == flag]
        under = [row for row in rows if row["parentValue"] == parent]
        # "0" and nothing at all ask for the top of a dictionary without levels.
        return {"list": under or (rows if not any(row["parentValue"] not in ("", "0") for row in rows) else [])}

    def _place(self, message: Mapping[str, Any], open_: Open) -> Mapping[str, Any] | None:
        """Answer 1201 about one code, or about a part of a name."""
        asked = message["medinsinfo"]
        system = _place_system(asked)
        names = _accepted(self.specs[system])
        found = _asked_for(
            open_(system), _text(asked, "fixmedins_code"), _text(asked, "fixmedins_name"), str.__contains__
        )
        if not found:
            return None
        rows = []
        for record, cells in found:
            row = {name: _value(names, record, cells, name) for name in self.fields["1201"]}
            row |= {"fixmedins_code": record.code, "fixmedins_name": record.name}
            row["fixmedins_type"] = row["fixmedins_type"] or _text(asked, "fixmedins_type")
            if all(_text(asked, name) in ("", row[name]) for name in _place_conditions(asked)):
                rows.append(row)
        return {"medinsinfo": rows}

    def _staff(self, data: Mapping[str, Any], open_: Open) -> Mapping[str, Any] | None:
        """Answer 5102 about one code or name. Identity numbers are not kept: a question by one is the platform's."""
        system, name = _staff_system(data), _text(data, "prac_psn_name")
        if _text(data, "certno"):
            return None
        found = _asked_for(open_(system), _text(data, "prac_psn_code"), name, str.__eq__)
        if not found:
            return None
        names, rows = _accepted(self.specs[system]), []
        for record, cells in found:
            row = {name: _value(names, record, cells, name) for name in self.fields["5102"]}
            row |= {"prac_psn_code": record.code, "prac_psn_name": record.name}
            row |= {"prac_psn_type": _text(data, "prac_psn_type")}
            row |= {"begntime": record.begndate, "endtime": record.enddate}
            rows.append(row)
        return {"feedetail": [row for row in rows if name in ("", row["prac_psn_name"])]}


def _staff_system(asked: Any) -> str:
    """Return the register that knows a practitioner: by the code's letter, else by the kind asked for; '' = none."""
    code = _text(asked, "prac_psn_code")
    named = _STAFF_TYPES.get(_text(asked, "prac_psn_type"), "") if _text(asked, "prac_psn_name") else ""
    return _STAFF.get(code[:1], "") if code else named


def _place_system(asked: Any) -> str:
    code = _text(asked, "fixmedins_code")
    named = _PLACE_TYPES.get(_text(asked, "fixmedins_type"), "") if _text(asked, "fixmedins_name") else ""
    return _PLACES.get(code[:1], "") if code else named


def _place_conditions(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """A name beside a code must be the whole name; alone it may be a part, and was looked for already."""
    return ("fixmedins_name", "fixmedins_type") if _text(asked, "fixmedins_code") else ("fixmedins_type",)


def _asked_for(
    look: Look, code: str, name: str, fits: Callable[[str, str], bool]
) -> list[tuple[Kept, Mapping[str, str]]]:
    """Return the records of a code, else those with a name. Nothing found says nothing: others' may not be here."""
    if not look.vers():
        return []
    if code:
        found = look.find(code)
        return [] if found is None else [found]
    rows: list[tuple[Kept, Mapping[str, str]]] = []
    for seen, (record, _, cells) in enumerate(look.records()):
        if seen >= SCAN_MAX:
            return []
        if fits(record.name, name):
            rows.append((record, cells))
    return rows


def _answerable(spec: CodeSystemSpec, supply: SupplySpec, columns: Mapping[str, tuple[str, ...]]) -> bool:
    if supply.by == "file":
        return bool(columns.get(supply.transaction)) and (len(spec.supply) == 1 or bool(supply.codes))
    return spec.is_register


def _accepted(spec: CodeSystemSpec) -> Names:
    return {name: (column.role, column.accepted) for column in reversed(spec.record_fields) for name in column.accepted}


def _value(names: Names, record: Kept, cells: Mapping[str, str], name: str) -> str:
    """Return what a record holds under a name of the interface or a title of a download, '' = nothing."""
    role, accepted = names.get(name, ("", (name,)))
    if role in ("code", "name", "begndate", "enddate", "vali_flag"):
        return str(getattr(record, role))
    return next((cells[title] for title in accepted if title in cells), "")


def _cell(names: Names, record: Kept, cells: Mapping[str, str], title: str) -> str:
    # What the file itself said under this title comes first: dates and names in its own writing.
    found = cells.get(title) or _value(names, record, cells, title)
    return found.replace("\t", " ").replace("\r", " ").replace("\n", " ")


def place_of(data: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return (page_num, page_size) of a paged query; None when it asks for none, or for too much."""
    number, size = _whole(data.get("page_num")), _whole(data.get("page_size"))
    return None if number is None or size is None or size > PAGE_MAX else (number, size)


def wanted_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Return what a query says of the records themselves."""
    return {name: _text(data, name) for name in data if name not in _OF_QUERY and data[name] not in (None, "")}


def moments_of(data: Mapping[str, Any]) -> tuple[str, str]:
    """Return ("changed since", "in force on"), days or ''."""
    return _text(data, "updt_time")[:10], _text(data, "query_date")[:10]


def page_of(rows: Sequence[Mapping[str, str]], number: int, size: int) -> dict[str, Any]:
    """Return one page as it is seen on the wire."""
    page = rows[(number - 1) * size : number * size]
    return {
        "data": page,
        "pageNum": number,
        "pageSize": size,
        "size": len(page),
        "startRow": (number - 1) * size + 1 if page else 0,
        "pages": -(-len(rows) // size),
        "recordCounts": len(rows),
        "firstPage": number == 1,
        "lastPage": number * size >= len(rows),
    }


def meets(row: Mapping[str, str], wanted: Mapping[str, str], since: str, day: str) -> bool:
    """Say whether a row is one of those a query means."""
    for name, value in wanted.items():
        if name.endswith("_name"):
            if value not in row.get(name, ""):
                return False
        elif row.get(name, "")[: len(value)] != value if name.endswith("date") else row.get(name, "") != value:
            return False
    # A record that says nothing of when it changed cannot be told from a new one: it is shown.
    if since and row.get("updt_time", "") and row["updt_time"][:10] < since:
        return False
    return not day or (row.get("begndate", "")[:10] <= day and (not row.get("enddate") or day <= row["enddate"][:10]))


def _text(node: Any, name: str) -> str:
    value = node.get(name) if isinstance(node, Mapping) else None
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    """Return a positive whole number, written as number or text."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isascii():
        return None
    return int(value) if str(value).isdigit() and len(str(value)) <= 9 and int(value) > 0 else None


def _plain(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z_.]", "", name)[:30] or "0"
