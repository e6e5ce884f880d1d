"""The node's own figure of coverage: `liangding_mapping_coverage_ratio{institution,system}` (contract §6).

Measured off the reactor's thread, and only for institutions of which something changed: their proposals, what is in
force for them, a national library, or the day. It is the coded rate of `liangding codes coverage`, this month so far.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from adapters.store.codes_past import newest_proposals
from adapters.store.codes_reader import CodesReader, CodesStore
from adapters.store.journal_reader import reading
from adapters.store.journal_usage import newest_id, without_mapping
from gateway.app.codes_coverage import cover_one, own_codes
from gateway.app.config import InstitutionConfig
from gateway.codes.loading import EVERYONE, Loaded
from gateway.codes.months import Month, months_to
from gateway.codes.usage import Usage
from gateway.core.dates import day_of
from gateway.core.ports import Clock

Ratios = dict[tuple[str, ...], float]  # (institution, SYSTEM) -> share
_Key = tuple[int, int, int, str]  # newest proposal, what is in force, the libraries, the day


@attrs.frozen
class _Measured:
    keys: Mapping[str, _Key]
    ratios: Mapping[str, Ratios]


@attrs.define(eq=False)
class CoverageRound:
    """Keeps the ratios. loaded: what translation uses now; run: calls elsewhere and brings the result back here."""

    clock: Clock  # the wall's
    store: CodesStore
    journal: Path
    institutions: Sequence[InstitutionConfig]
    loaded: Callable[[], Loaded]
    run: Callable[[Callable[[], Any], Callable[[Any], None], Callable[[Exception], None]], None]
    report: Callable[[Exception], object]
    _keys: dict[str, _Key] = attrs.Factory(dict)
    _ratios: dict[str, Ratios] = attrs.Factory(dict)
    _busy: bool = False

    def look(self) -> None:
        """Measure what changed, unless that is being done already. On the reactor's thread."""
        if not self._busy:
            self._busy = True
            measure = partial(self._measure, self.loaded(), day_of(self.clock.seconds()), dict(self._keys))
            self.run(measure, self._done, self._failed)

    def ratios(self) -> Ratios:
        """Return the share of the items in use that have a valid national code; not of libraries without items."""
        return {key: share for ratios in self._ratios.values() for key, share in ratios.items()}

    def _done(self, found: _Measured) -> None:
        self._busy = False
        self._keys |= found.keys
        self._ratios |= found.ratios

    def _failed(self, cause: Exception) -> None:
        self._busy = False  # the same is tried again at the next look
        self.report(cause)

    def _measure(self, loaded: Loaded, day: str, known: Mapping[str, _Key]) -> _Measured:
        """Elsewhere: return the new ratios of the institutions whose key changed."""
        tables = self.store.tables()
        try:
            newest, stamps = newest_proposals(tables.connection), loaded.stamps
            keys = {
                code: (newest.get(code, 0), stamps.get(code, 0), stamps.get(EVERYONE, 0), day)
                for code in (one.fixmedins_code for one in self.institutions)
            }
            changed = [one for one in self.institutions if known.get(one.fixmedins_code) != keys[one.fixmedins_code]]
            return _Measured(keys, self._ratios_of(tables, changed, loaded, months_to(day, 1)[0]) if changed else {})
        finally:
            tables.close()

    def _ratios_of(
        self, tables: CodesReader, changed: Sequence[InstitutionConfig], loaded: Loaded, month: Month
    ) -> dict[str, Ratios]:
        codes = {one.fixmedins_code for one in changed}
        with reading(self.journal) as journal:
            # Codes that a mapping gave stand in the proposals; only the others need the journal.
            odd = without_mapping(journal.connection, 0, newest_id(journal.connection), month.start_ms)
            requests = [request for request in odd if request.fixmedins_code in codes]
        usage = Usage((month,), own_codes(tables, requests))
        usage.take(requests)
        window = loaded.snapshots[EVERYONE].libraries.window
        found: dict[str, Ratios] = {}
        for one in changed:
            figures = cover_one(tables, one, (month,), usage, window).figures[month.name]
            found[one.fixmedins_code] = {
                (one.fixmedins_code, system): counted.coded / counted.items
                for system, counted in figures.items()
                if counted.items
            }
        return found
