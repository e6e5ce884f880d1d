"""The libraries at the exchange's door: `serve_catalogue` look-ups on a thread of their own (contract §4)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from adapters.crypto.digest import sm3
from adapters.store.codes import CodesReader
from adapters.store.codes_library_reader import LibraryLook, StoredRecord
from adapters.store.codes_matched import agreed, names_in_force, standing_rows
from adapters.store.codes_reader import CodesStore, standing
from gateway.codes import matched
from gateway.codes.serving import FILE_DAYS, Serving
from gateway.codes.uploads import LIST_TYPES_OF
from gateway.core.catalogue import Files
from gateway.core.dates import shanghai
from gateway.core.ports import Clock, Found

DAY_S = 86_400
Answer = Found | None
Offload = Callable[[Callable[[], Answer], Callable[[Answer], None], Callable[[Exception], None]], None]


def serving_of(files: Files) -> Serving:
    """Return what can be answered by the definitions in `schemas/`."""
    columns: dict[str, tuple[str, ...]] = {}
    fields: dict[str, tuple[str, ...]] = {}
    for infno, transaction in files.transactions.items():
        for node in transaction.output.values():
            if node.file_columns:
                columns[infno] = node.file_columns
            if node.fields:
                fields.setdefault(infno, tuple(field.name for field in node.fields))
    return Serving.of((*files.code_systems.values(), *files.registers.values()), columns, fields)


@attrs.frozen
class _Shelf:
    """One library in one look, as `gateway.codes.serving` reads it."""

    look: LibraryLook

    def vers(self) -> Sequence[tuple[int, str]]:
        return [(version.id, version.ver) for version in standing(self.look.versions)]

    def records(self, prefix: str = "") -> Iterator[tuple[StoredRecord, int, Mapping[str, str]]]:
        for record in self.look.records(standing(self.look.versions), prefix):
            yield record, record.library, json.loads(record.raw)

    def find(self, code: str) -> tuple[StoredRecord, Mapping[str, str]] | None:
        found = self.look.find(code, standing(self.look.versions))
        return None if found is None else (found, json.loads(found.raw))


@attrs.define(eq=False)
class Libraries:
    """The Catalogue port. offload: runs a call on another thread and brings the result back on the reactor's; area:
    where institutions are (mdtrtarea_admvs), '' = 1317 is the platform's.
    """

    store: CodesStore
    serving: Serving
    clock: Clock
    offload: Offload
    report: Callable[[Exception], None]
    area: str = ""

    def serves(self, infno: str, message: Mapping[str, Any]) -> bool:
        return (infno == matched.INFNO and bool(self.area)) or self.serving.serves(infno, message)

    def look_up(
        self, infno: str, institution: str, message: Mapping[str, Any], day: str, told: Callable[[Answer], None]
    ) -> None:
        """Look a query up; what fails is reported and asked of the platform."""

        def failed(cause: Exception) -> None:
            self.report(cause)
            told(None)

        self.offload(lambda: self._found(infno, institution, message), told, failed)

    def _found(self, infno: str, institution: str, message: Mapping[str, Any]) -> Answer:
        """Off the reactor: one consistent look at the store."""
        reader = self.store.tables()
        try:
            if infno == matched.INFNO:
                return self._matched(reader, institution, message)
            return self._file(reader, message) if infno == "9102" else self._rows(reader, infno, message)
        finally:
            reader.close()

    def _rows(self, reader: CodesReader, infno: str, message: Mapping[str, Any]) -> Answer:
        until = f"{shanghai(self.clock.seconds() + FILE_DAYS * DAY_S):%Y-%m-%d %H:%M:%S}"
        output = self.serving.answer(infno, message, lambda system: _Shelf(LibraryLook.of(reader, system)), until)
        return None if output is None else Found(output)

    def _file(self, reader: CodesReader, message: Mapping[str, Any]) -> Answer:
        file = self.serving.file(message, lambda system: _Shelf(LibraryLook.of(reader, system)))
        return None if file is None else Found(content=file.content, content_type=b"application/octet-stream")

    def _matched(self, reader: CodesReader, institution: str, message: Mapping[str, Any]) -> Answer:
        data = message.get("data")
        if not isinstance(data, Mapping) or not agreed(reader.connection, institution, frozenset(LIST_TYPES_OF)):
            return None
        names = {system: names_in_force(reader, institution, system) for system in LIST_TYPES_OF}
        rows = [
            matched.Standing(
                cells, names.get(system, {}).get(cells[0], ""), state != "cancelled", _time(since), _time(at)
            )
            for cells, system, state, since, at in standing_rows(reader.connection, institution)
        ]
        output = matched.answer(data, institution, self.area, rows, sm3, self.serving.fields[matched.INFNO])
        return None if output is None else Found(output)


def _time(at_ms: int) -> str:
    return f"{shanghai(at_ms / 1000):%Y-%m-%d %H:%M:%S}"
