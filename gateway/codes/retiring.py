"""Taking old tables down without anybody waiting.

A table of 300,000 mappings is given back to the system in one go when its last holder lets go of it: 50 ms in which no
other thread runs, whichever thread it is. So the watcher keeps the tables that were replaced, and its own thread takes
them apart row by row once no request holds them any more.
"""

import sys
from collections.abc import Callable

import attrs

from gateway.core.codes import Libraries, LocalsOf, Snapshot

# In `_unheld`: the list that keeps it, the name that was looked at, the argument, and the argument of getrefcount.
_OURS = 4
SLICE = 1024  # rows between two rests: a millisecond or two of building


@attrs.define(eq=False)
class Retired:
    """Tables that were replaced. Only one thread at a time may use it."""

    snapshots: list[Snapshot] = attrs.Factory(list)
    libraries: list[Libraries] = attrs.Factory(list)

    def take_down(self, rest: Callable[[], object]) -> None:
        """Take apart what nobody holds any more, and keep the rest for the next time. rest: called every few rows."""
        waiting = []
        while self.snapshots:
            snapshot = self.snapshots[-1]
            if _unheld(snapshot):
                for table in (*snapshot.tables.values(), *snapshot.reverse.values()):
                    _crumble(table.plain if isinstance(table, LocalsOf) else table, rest)
            else:
                waiting.append(snapshot)
            del snapshot
            self.snapshots.pop()
        self.snapshots = waiting
        kept = []
        while self.libraries:
            libraries = self.libraries[-1]
            if _unheld(libraries):
                for records in libraries.records.values():
                    _crumble(records, rest)
            else:
                kept.append(libraries)
            del libraries
            self.libraries.pop()
        self.libraries = kept


def _unheld(thing: object) -> bool:
    """Say whether only our list knows it. Nobody can come to hold what nobody holds, so the answer stays true."""
    return sys.getrefcount(thing) <= _OURS


def _crumble(table: object, rest: Callable[[], object]) -> None:
    if not isinstance(table, dict):
        return
    while table:
        for _ in range(min(SLICE, len(table))):
            table.popitem()
        rest()
