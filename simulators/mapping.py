"""Files for the gateway's code desk: mapping CSVs of an example institution and the national libraries.

Mapping CSV: local_code,national_code,valid_from,valid_to,evidence (contract §7) plus local_name. Only entries with
exactly one right answer are written; what is ambiguous or has no national code stays unmapped, as in real life.
"""

import csv
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from simulators import tables
from simulators.goods import DEPARTMENTS

SYSTEMS = tuple(tables.LOCAL_STEM)
_HEADER = ("local_code", "national_code", "valid_from", "valid_to", "evidence", "local_name")
_SINCE = "2024-01-01"


def mapping_rows(system: str) -> Iterator[tuple[str, ...]]:
    """Rows of one SYSTEM in file order."""
    for entry in tables.matched(system):
        yield entry.local_code, entry.national_code, _SINCE, "", "样例对照", entry.name


def _write(path: Path, rows: Iterable[tuple[str, ...]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows(rows)
    return path


def write_mappings(directory: Path) -> dict[str, Path]:
    """<SYSTEM>.csv for every mapped SYSTEM; gives SYSTEM -> file. The same lists serve every example institution."""
    directory.mkdir(parents=True, exist_ok=True)
    return {system: _write(directory / f"{system}.csv", mapping_rows(system)) for system in SYSTEMS}


def write_departments(directory: Path) -> Path:
    """department.csv; departments pass unchanged when it is not imported (annex X11)."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = [(local, national, _SINCE, "", "样例对照", name) for local, name, national in DEPARTMENTS]
    return _write(directory / "department.csv", rows)


def write_libraries(directory: Path) -> dict[str, Path]:
    """<SYSTEM>.csv of every national library, columns as in the sample tables; gives SYSTEM -> file."""
    directory.mkdir(parents=True, exist_ok=True)
    found = {}
    for system, (stem, _) in tables.CODE_COLUMN.items():
        found[system] = directory / f"{system}.csv"
        shutil.copyfile(tables.DATA / f"{stem}.csv", found[system])
    return found
