"""Doctors and nurses of a list against the libraries of staff, on the day each acted (`lists check --codes`).

A collected list needs no look of its own: translating has looked its codes up on the same days.
"""

from collections.abc import Iterator, Mapping

from gateway.lists.reading import HEAD, Finding, Nodes, Reading, Record, day_of
from gateway.lists.translating import STAFF, operated_on
from gateway.lists.world import Records

SYSTEMS = (STAFF, "nurse")


def findings_of(reading: Reading, nodes: Nodes, records: Mapping[str, Records]) -> Iterator[Finding]:
    """Yield whose code no library holds, or holds for other days. Libraries that were not given ask nothing."""
    for node, rows in reading.nodes.items():
        for name, spec in nodes[node].items():
            library = records.get(spec.slot) if spec.slot in SYSTEMS else None
            if library is None:
                continue
            for row in rows:
                if name in row.texts:
                    place = node if node == HEAD else f"{node}[{row.index}]"
                    yield from _asked(library, row, name, spec.zh, place, day_of(reading.head))


def _asked(library: Records, row: Record, name: str, zh: str, place: str, discharged: str) -> Iterator[Finding]:
    operated = operated_on(row.texts) if place != HEAD else ""
    day, which = (operated, "手术") if operated else (discharged, "出院")
    found = library.get(row.texts[name])
    if found is None:
        yield Finding("SL-C010", "error", f"{place}.{name}", f"【{zh}】不在编码库中")
    elif not found.on(day).usable(day):
        yield Finding("SL-C010", "error", f"{place}.{name}", f"【{zh}】在{which}当天无效")
