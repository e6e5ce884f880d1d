"""What should stand at the platform, read from the codes store: approved rows in force, as 3301 would carry them."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from adapters.store.codes_library_reader import LibraryLook, StoredRecord
from adapters.store.codes_reader import CodesReader, standing
from adapters.store.codes_uploads import Held, local_names
from gateway.app.codes_files import reading
from gateway.app.codes_uploading import Wanted
from gateway.codes import uploads
from gateway.codes.faults import Fault
from gateway.codes.library import record_of
from gateway.core.catalogue import Field


def wanted(
    store: Path, institution: str, system: str, held: Sequence[Held], today: str, far: str, fields: tuple[Field, ...]
) -> Wanted:
    """Return every row that should be uploaded today, and why others may not be. Raises OtherVersion, sqlite3.Error."""
    with reading(store) as reader:
        return Wanted(*_judged(reader, institution, system, held, today, far, fields))


def _judged(
    reader: CodesReader,
    institution: str,
    system: str,
    held: Sequence[Held],
    today: str,
    far: str,
    fields: tuple[Field, ...],
) -> tuple[tuple[uploads.Line, ...], tuple[Fault, ...]]:
    mine: dict[str, list[Held]] = {}
    for row in held:
        mine.setdefault(row.local, []).append(row)
    look, lines, refused = _looker(reader, system), [], []
    names = local_names(reader.connection, institution, system)
    for local, national, since, until, _, number, batch in reader.in_force(institution, system):
        if not national or (until and until < today):
            continue  # decided to have no code, or over
        record = look(national)
        if record is None or not record.usable(today, since, until):
            words = f"{local}的国家编码{national}" + (
                "不在已导入的国家目录中" if record is None else "已停用或不在有效期内"
            )
            refused.append(Fault(number, "national_code", "expired" if record else "unmapped", words))
            continue
        line = uploads.line_of(
            system, local, national, (since, until), names.get((batch, number)) or record.name, record.facts,
            mine.get(local, ()), today, far, number,
        )  # fmt: skip
        line, fault = uploads.fitted(line, fields)
        if fault is None:
            lines.append(line)
        else:
            refused.append(fault)
    return tuple(lines), tuple(refused)


@attrs.frozen
class _National:
    """The newest record of a national code. span: its first and last usable day."""

    name: str
    span: tuple[str, str]
    facts: Mapping[str, str]

    def usable(self, today: str, since: str, until: str) -> bool:
        """Say whether it holds today, or on the day of the row's own life nearest to it."""
        day = max(today, since)
        return self.span[0] <= day <= self.span[1]


def _looker(reader: CodesReader, system: str) -> Callable[[str], _National | None]:
    """Return how to find the newest record of a code; each code is read once."""
    known: dict[str, _National | None] = {}
    library = LibraryLook.of(reader, system)
    versions = standing(library.versions)

    def look(code: str) -> _National | None:
        if code not in known:
            known[code] = _record(library.find(code, versions))
        return known[code]

    return look


def _record(found: StoredRecord | None) -> _National | None:
    if found is None:
        return None
    record = record_of(found.name, found.begndate, found.enddate, found.vali_flag, found.gray)
    facts = {str(title): str(value) for title, value in json.loads(found.raw).items()}
    return _National(found.name, (record[1], record[2]), facts)
