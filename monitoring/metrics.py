"""Counts and durations of the product, cheap to keep and exposed for Prometheus.

The hot path adds to plain dicts and lists (0.1 to 0.3 µs a call); prometheus_client objects are made only when
somebody scrapes (`exposition.py`). One thread: call everything here from the reactor thread.

Label sets are bounded whatever the world sends: transactions and institutions are those of the configuration, every
other label set has a ceiling; what is beyond is counted under `other`.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

from monitoring.exposition import CONTENT_TYPE, HistogramRow, Row, Snapshot
from monitoring.families import FAMILIES, KLASSES, RESULTS, Family

__all__ = ["CONTENT_TYPE", "Metrics", "OTHER", "Reading"]

INSTITUTIONS_MAX = 1_000
REQUEST_SERIES_MAX = 50_000
LABELS_MAX = 500
READING_ROWS_MAX = 20_000  # of a reading with two labels: 1,000 institutions with all their libraries
OTHER = "other"

Reading = float | Mapping[str, float] | Mapping[tuple[str, ...], float]
"""A number for a metric without labels; a mapping from label value (or values, in order) to number for others."""

_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,63}").fullmatch
_TALLIED = (
    "liangding_translation_misses_total",
    "liangding_unknown_values_total",
    "liangding_reversals_total",
    "liangding_alarms_total",
    "liangding_reading_errors_total",
)


class _Histogram:
    """Counts per bucket (the last is +Inf) and the sum; cumulated only when exposed."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, name: str) -> None:
        self.bounds = FAMILIES[name].buckets
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        # bisect_left: a value equal to a bound belongs to that bucket (`le`).
        self.counts[bisect_left(self.bounds, value)] += 1
        if value > 0:  # a wall clock that was set back; a sum never falls
            self.total += value

    def row(self) -> HistogramRow:
        return HistogramRow(tuple(self.counts), self.total)


class _Tally:
    """A counter with one label: as many values as LABELS_MAX of plain form, the rest under `other`."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, label: str) -> None:
        try:
            self.counts[label] += 1
        except KeyError:
            name = label if len(self.counts) < LABELS_MAX and _LABEL(label) else OTHER
            self.counts[name] = self.counts.get(name, 0) + 1


class Metrics:
    """What the rooms report to and what `/metrics` shows.

    infnos, institutions: those of the configuration; at most institutions_max institutions (in code order) keep
    series of their own. Readings (`watch`) are asked for their value at each scrape.
    """

    def __init__(
        self, infnos: Iterable[str], institutions: Iterable[str], institutions_max: int = INSTITUTIONS_MAX
    ) -> None:
        self._infnos = frozenset(infnos)
        self._institutions = frozenset(sorted(set(institutions))[:institutions_max])
        self._requests: dict[tuple[str, str, str], int] = {}
        self._request_seconds = {klass: _Histogram("liangding_request_seconds") for klass in (*KLASSES, OTHER)}
        self._platform_seconds: dict[str, _Histogram] = {}
        self._commit_seconds = _Histogram("liangding_journal_commit_seconds")
        self._batch = _Histogram("liangding_journal_batch")
        self._tallies = {name: _Tally() for name in _TALLIED}
        self._misses = self._tallies["liangding_translation_misses_total"]
        self._unknown = self._tallies["liangding_unknown_values_total"]
        self._reversals = self._tallies["liangding_reversals_total"]
        self._alarms = self._tallies["liangding_alarms_total"]
        self._reading_errors = self._tallies["liangding_reading_errors_total"]
        self._readings: dict[str, Callable[[], Reading]] = {}

    def request(self, infno: str, institution: str, result: str, seconds: float, klass: str) -> None:
        """Count one answered request. result: one of RESULTS; klass: M A R C W Q, anything else is `other`."""
        try:
            self._requests[infno, institution, result] += 1
        except KeyError:
            self._first_request(infno, institution, result)
        self._request_seconds[klass if klass in self._request_seconds else OTHER].add(seconds)

    def _first_request(self, infno: str, institution: str, result: str) -> None:
        known = institution in self._institutions and len(self._requests) < REQUEST_SERIES_MAX
        key = (
            infno if infno in self._infnos else OTHER,
            institution if known else OTHER,
            result if result in RESULTS else "internal",
        )
        self._requests[key] = self._requests.get(key, 0) + 1

    def platform(self, link: str, seconds: float) -> None:
        """Add one exchange with a platform, whatever its end."""
        histogram = self._platform_seconds.get(link)
        if histogram is None:
            name = link if len(self._platform_seconds) < LABELS_MAX and _LABEL(link) else OTHER
            histogram = self._platform_seconds.setdefault(name, _Histogram("liangding_platform_seconds"))
        histogram.add(seconds)

    def commit(self, seconds: float, batch: int) -> None:
        """Add one durable commit of `batch` records."""
        self._commit_seconds.add(seconds)
        self._batch.add(batch)

    def translation_miss(self, system: str) -> None:
        """Count one code of `system` (code_systems ids, `department`, `dictionary:NAME`) without translation."""
        self._misses.add(system)

    def unknown_value(self, dictionary: str) -> None:
        """Count one value outside an open dictionary (annex X31)."""
        self._unknown.add(dictionary)

    def reversal(self, result: str) -> None:
        """Count one doubt that came to an end."""
        self._reversals.add(result)

    def alarm(self, reason: str) -> None:
        """Count one alarm; who and which message stand in the log."""
        self._alarms.add(reason)

    def watch(self, name: str, read: Callable[[], Reading]) -> None:
        """Have metric `name` read by calling `read` at every scrape, in the thread that takes the snapshot.

        Raises ValueError when the name is not in the table of families, is kept by a method here, or is watched.
        """
        family = FAMILIES.get(name)
        if family is None or family.kind == "histogram" or name in (*_TALLIED, "liangding_requests_total"):
            raise ValueError(f"no such reading: {name}")
        if name in self._readings:
            raise ValueError(f"watched already: {name}")
        self._readings[name] = read

    def snapshot(self) -> Snapshot:
        """Return a copy of all numbers now; its `render()` may run in another thread."""
        # Readings first: one that fails is counted in this very snapshot.
        families = [(FAMILIES[name], self._read(FAMILIES[name], read)) for name, read in sorted(self._readings.items())]
        families += [(FAMILIES[name], rows) for name, rows in self._kept().items()]
        return Snapshot(tuple(families))

    def exposition(self) -> bytes:
        """Return everything in the Prometheus text format (CONTENT_TYPE), here and now."""
        return self.snapshot().render()

    def _kept(self) -> dict[str, tuple[Row, ...]]:
        """The rows of what is counted here."""
        # `other` shows only once it was used: a class nobody has is noise on every dashboard.
        used = {klass: one for klass, one in self._request_seconds.items() if klass != OTHER or any(one.counts)}
        kept: dict[str, tuple[Row, ...]] = {
            "liangding_requests_total": tuple(self._requests.items()),
            "liangding_request_seconds": tuple(((klass,), one.row()) for klass, one in used.items()),
            "liangding_platform_seconds": tuple(((link,), one.row()) for link, one in self._platform_seconds.items()),
            "liangding_journal_commit_seconds": (((), self._commit_seconds.row()),),
            "liangding_journal_batch": (((), self._batch.row()),),
        }
        for name, tally in self._tallies.items():
            kept[name] = tuple(((label,), count) for label, count in tally.counts.items())
        return kept

    def _read(self, family: Family, read: Callable[[], Reading]) -> tuple[Row, ...]:
        """Ask one reading. One that fails must not take the others with it: it is left out and counted."""
        try:
            found = read()
            most = LABELS_MAX if len(family.labels) < 2 else READING_ROWS_MAX
            rows = list(found.items())[:most] if isinstance(found, Mapping) else [((), found)]
            values = tuple(((key,) if isinstance(key, str) else tuple(key), float(value)) for key, value in rows)
            if any(len(labels) != len(family.labels) for labels, _ in values):
                raise ValueError(family.name)
        except Exception:  # boundary to other rooms' code: counted, and there is an alert on the count
            self._reading_errors.add(family.name)
            return ()
        return values
