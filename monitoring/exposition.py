"""From a snapshot of numbers to the Prometheus text format: a prometheus_client collector over frozen rows.

A snapshot holds copies, so `render` may run in a thread while the reactor goes on counting: 40,000 series take a
fifth of a second to write.
"""

from collections.abc import Iterator

import attrs
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitoring.families import Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@attrs.frozen
class HistogramRow:
    """One histogram as counted: observations per bucket (one more than the family's bounds) and their sum."""

    counts: tuple[int, ...]
    total: float

    def cumulated(self, bounds: tuple[float, ...]) -> list[tuple[str, float]]:
        """Return (upper bound as text, observations at or below it), ending with +Inf."""
        names = [*(repr(bound) for bound in bounds), "+Inf"]
        so_far, rows = 0, []
        for name, count in zip(names, self.counts, strict=True):
            so_far += count
            rows.append((name, float(so_far)))
        return rows


Labels = tuple[str, ...]
Row = tuple[Labels, float | HistogramRow]


@attrs.frozen
class Snapshot(Collector):
    """All families and their rows at one moment."""

    families: tuple[tuple[Family, tuple[Row, ...]], ...]

    def render(self) -> bytes:
        """Return the text format (CONTENT_TYPE), the process's own metrics included."""
        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Build prometheus_client's families."""
        for family, rows in self.families:
            yield _metric(family, rows)

    def describe(self) -> Iterator[Metric]:
        """Nothing: the names are checked by the table of families and by test."""
        return iter(())


def _metric(family: Family, rows: tuple[Row, ...]) -> Metric:
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, value in rows:
            assert isinstance(value, HistogramRow)
            histogram.add_metric(labels, buckets=value.cumulated(family.buckets), sum_value=value.total)
        return histogram
    metric: CounterMetricFamily | GaugeMetricFamily
    if family.kind == "counter":
        metric = CounterMetricFamily(family.name.removesuffix("_total"), family.help, labels=family.labels)
    else:
        metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in rows:
        assert not isinstance(value, HistogramRow)
        metric.add_metric(labels, value)
    return metric
