"""Settlement lists as a set of tables (CSV, Excel, DBF): one a node, joined by the visit; and what its titles mean.

The tables lie in a folder, or are the sheets of one workbook.

A hospital's export has its own titles and values; a mapping file (TOML) says what they mean:

    [setlinfo]
    "住院流水号" = "mdtrt_id"
    [values.gend]
    "男" = "1"
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import msgspec

from adapters.files.dbf import DbfRefused, rows_of
from adapters.files.excel import SheetRefused, sheet_names
from adapters.files.tables import Limits, Shape
from gateway.app.codes_files import lines_of, opened
from gateway.codes.faults import Faults
from gateway.lists.collecting import VISIT
from gateway.lists.reading import HEAD, Nodes

VALUES = "values"
ENDINGS = (".csv", ".xlsx", ".xls", ".dbf")
LIMITS = Limits(size_bytes=1 << 30, rows=2_000_000)


class BadMapping(Exception):
    """The mapping file is wrong; the text says where."""


@attrs.frozen
class TitleMapping:
    """What titles and values mean. titles: node -> their title -> field; values: field -> theirs -> ours."""

    titles: Mapping[str, Mapping[str, str]] = attrs.Factory(dict)
    values: Mapping[str, Mapping[str, str]] = attrs.Factory(dict)


def read_mapping(file: Path, nodes: Nodes) -> TitleMapping:
    """Read a mapping file. Raises BadMapping, OSError."""
    try:
        found = msgspec.toml.decode(file.read_bytes(), type=dict[str, dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
        raise BadMapping(f"{file}: {cause}") from cause
    values = found.pop(VALUES, {})
    for node, titles in found.items():
        for title, field in titles.items():
            if node not in nodes or type(field) is not str or field not in {*nodes[node], VISIT}:
                raise BadMapping(f"{file}: [{node}] {title} = {field}：没有这个节点或字段")
    known = {field for fields in nodes.values() for field in fields}
    for field, pairs in values.items():
        if field not in known or not isinstance(pairs, dict) or not all(type(one) is str for one in pairs.values()):
            raise BadMapping(f"{file}: [values.{field}]：没有这个字段，或值不是文本")
    return TitleMapping(found, values)


def trees_of(folder: Path, nodes: Nodes, mapping: TitleMapping, faults: Faults) -> Iterator[dict[str, Any]]:
    """Yield a list a visit of a folder with setlinfo.csv, diseinfo.csv, ..., or of a workbook with such sheets.

    With a fault nothing should be taken.

    Raises ColumnMissing, OSError.
    """
    visits: dict[str, dict[str, Any]] = {}
    sheets = sheets_of(folder) if folder.is_file() else frozenset()
    for node, fields in nodes.items():
        path = (folder if node in sheets else None) if folder.is_file() else table_of(folder, node)
        if path is None:
            continue
        titles: dict[str, tuple[str, ...]] = {name: (name, spec.zh) for name, spec in fields.items()}
        titles[VISIT] = (VISIT, "就诊ID")
        for title, field in mapping.titles.get(node, {}).items():
            titles[field] = (title, *titles[field])
        for line, row in _records(path, titles, faults, node if folder.is_file() else ""):
            visit = row.pop(VISIT, "")
            if not visit:
                faults.add(line, VISIT, "MF02", f"{path.name}：就诊ID没有填写")
                continue
            record = {name: mapping.values.get(name, {}).get(text, text) for name, text in row.items() if text}
            tree = visits.setdefault(visit, {HEAD: {VISIT: visit}})
            if node != HEAD:
                tree.setdefault(node, []).append(record)
            elif len(tree[HEAD]) > 1:
                faults.add(line, VISIT, "MF10", f"{path.name}中一次就诊有两行")
            else:
                tree[HEAD] |= record
    yield from visits.values()


def sheets_of(workbook: Path) -> frozenset[str]:
    """Return the names of a workbook's sheets in small letters; none of a damaged one, which reading it tells."""
    try:
        return frozenset(one.strip().lower() for one in sheet_names(workbook))
    except SheetRefused:
        return frozenset({HEAD})


def table_of(folder: Path, node: str) -> Path | None:
    """Return a node's table in a folder, whatever its kind."""
    return next((path for ending in ENDINGS if (path := folder / f"{node}{ending}").is_file()), None)


def _records(
    path: Path, titles: Mapping[str, tuple[str, ...]], faults: Faults, sheet: str
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, our name -> text) of a table. Raises ColumnMissing, OSError."""
    if path.suffix == ".dbf":
        yield from _of_dbf(path, titles, faults)
        return
    with ExitStack() as stack:
        table = opened(path, Shape(titles=titles, key=(VISIT,), sheet=sheet), faults, stack, LIMITS)
        if table is not None:
            for line, cells in lines_of(table, faults, lambda _: None):
                yield line, {name: cells[column] for name, column in table.at.items()}


def _of_dbf(path: Path, titles: Mapping[str, tuple[str, ...]], faults: Faults) -> Iterator[tuple[int, dict[str, str]]]:
    ours = {title.lower(): name for name, wanted in titles.items() for title in wanted}
    try:
        for number, row in rows_of(path):
            yield number, {ours[title]: text for title, text in row.items() if title in ours}
    except DbfRefused as cause:
        faults.add(cause.line, "", "MF12", f"{path.name}：{cause.message}")
