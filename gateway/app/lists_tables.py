"""Settlement lists as a set of CSV tables: one file a node, joined by the visit (mdtrt_id); and what its titles mean.

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

from adapters.files.tables import Limits, Shape
from gateway.app.codes_files import lines_of, opened
from gateway.codes.faults import Faults
from gateway.lists.collecting import VISIT
from gateway.lists.reading import HEAD, Nodes

VALUES = "values"
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
    except msgspec.MsgspecError as cause:
        raise BadMapping(f"{file}: {cause}") from cause
    values = found.pop(VALUES, {})
    for node, titles in found.items():
        for title, field in titles.items():
            if node not in nodes or field not in {*nodes[node], VISIT}:
                raise BadMapping(f"{file}: [{node}] {title} = {field}：没有这个节点或字段")
    known = {field for fields in nodes.values() for field in fields}
    for field, pairs in values.items():
        if field not in known or not isinstance(pairs, dict) or not all(type(one) is str for one in pairs.values()):
            raise BadMapping(f"{file}: [values.{field}]：没有这个字段，或值不是文本")
    return TitleMapping(found, values)


def trees_of(folder: Path, nodes: Nodes, mapping: TitleMapping, faults: Faults) -> Iterator[dict[str, Any]]:
    """Yield a list a visit of a folder with setlinfo.csv, diseinfo.csv, ...; with a fault nothing should be taken.

    Raises ColumnMissing, OSError.
    """
    visits: dict[str, dict[str, Any]] = {}
    for node, fields in nodes.items():
        path = folder / f"{node}.csv"
        if not path.is_file():
            continue
        titles: dict[str, tuple[str, ...]] = {name: (name, spec.zh) for name, spec in fields.items()}
        titles[VISIT] = (VISIT, "就诊ID")
        for title, field in mapping.titles.get(node, {}).items():
            titles[field] = (title, *titles[field])
        for visit, row in _rows(path, Shape(titles=titles, key=(VISIT,)), mapping, faults):
            tree = visits.setdefault(visit, {HEAD: {VISIT: visit}})
            if node != HEAD:
                tree.setdefault(node, []).append(row)
            elif len(tree[HEAD]) > 1:
                faults.add(0, VISIT, "MF10", f"{path.name}中一次就诊有两行")
            else:
                tree[HEAD] |= row
    yield from visits.values()


def _rows(path: Path, shape: Shape, mapping: TitleMapping, faults: Faults) -> Iterator[tuple[str, dict[str, str]]]:
    with ExitStack() as stack:
        table = opened(path, shape, faults, stack, LIMITS)
        if table is None:
            return
        at = table.at
        for line, cells in lines_of(table, faults, lambda _: None):
            visit = cells[at[VISIT]]
            if not visit:
                faults.add(line, VISIT, "MF02", "就诊ID没有填写")
                continue
            yield (
                visit,
                {
                    name: mapping.values.get(name, {}).get(cells[column], cells[column])
                    for name, column in at.items()
                    if cells[column] and name != VISIT
                },
            )
