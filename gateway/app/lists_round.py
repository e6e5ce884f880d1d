"""The node's own figures of settlement lists, for metrics: by institution and stage, no department, no person.

Measured off the reactor's thread, some minutes apart: of the months that are still being worked on.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from adapters.store.lists import reading
from adapters.store.lists_compared import counted
from gateway.app.config import Config
from gateway.app.lists_books import known
from gateway.app.lists_desk import SCRIPTS
from gateway.core.dates import day_of
from gateway.core.ports import Clock
from gateway.lists.figures import STAGES, added_up

MONTHS = 3  # the present one and those before
Gauge = dict[tuple[str, ...], float]


@attrs.frozen
class _Measured:
    lists: Gauge = attrs.Factory(dict)  # (institution, stage)
    late: Gauge = attrs.Factory(dict)
    first: Gauge = attrs.Factory(dict)
    differing: Gauge = attrs.Factory(dict)  # (institution, due or there)


@attrs.define(eq=False)
class ListsRound:
    """Keeps the figures. run: calls elsewhere and brings the result back here."""

    clock: Clock
    config: Config
    run: Callable[[Callable[[], Any], Callable[[Any], None], Callable[[Exception], None]], None]
    report: Callable[[Exception], object]
    found: _Measured = attrs.Factory(_Measured)
    _busy: bool = False

    def look(self) -> None:
        """Measure, unless that is being done already. On the reactor's thread."""
        if not self._busy:
            self._busy = True
            today = day_of(self.clock.seconds())
            self.run(lambda: self._measure(today), self._done, self._failed)

    def gauges(self) -> Mapping[str, Callable[[], Gauge]]:
        """Return the metrics' names and what reads each."""
        return {
            "liangding_settlement_lists": lambda: self.found.lists,
            "liangding_settlement_lists_late": lambda: self.found.late,
            "liangding_settlement_lists_first_pass_ratio": lambda: self.found.first,
            "liangding_settlement_lists_count_difference": lambda: self.found.differing,
        }

    def _done(self, found: _Measured) -> None:
        self._busy, self.found = False, found

    def _failed(self, cause: Exception) -> None:
        self._busy = False  # the same is tried again at the next look
        self.report(cause)

    def _measure(self, today: str) -> _Measured:
        if not self.config.room("lists").exists():
            return _Measured()  # nobody collects lists here: what is due then is no news
        first = _months_before(today[:7], MONTHS - 1)
        codes = [one.fixmedins_code for one in self.config.institution]
        rows = [one for one in known(self.config, codes, today) if not one.month or one.month >= first]
        found = _Measured()
        for (code,), one in added_up(rows, "institution").items():
            found.lists.update({(code, stage): float(n) for stage, n in zip(STAGES, one.stages, strict=True)})
            found.late[code,] = float(one.late)
            if one.judged:
                found.first[code,] = one.first / one.judged
        with reading(self.config.room("lists"), len(SCRIPTS)) as look:
            for row in counted(look.connection) if look is not None else []:
                if row.month >= first:
                    due, there = row.due_theirs - row.due_ours, row.there_theirs - row.there_ours
                    for what, less in (("due", due), ("there", there)):
                        key = (row.fixmedins_code, what)
                        found.differing[key] = found.differing.get(key, 0.0) + abs(less)
        return found


def _months_before(month: str, number: int) -> str:
    """Return the month so many before: 2026-01 and 1 is 2025-12."""
    years, months = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 - number, 12)
    return f"{years:04d}-{months + 1:02d}"
