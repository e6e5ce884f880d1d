"""Every metric of the product: name, kind, labels, help. The promise of contract.md §6, in one place.

Names never change without a line in the change log; labels never carry a person, a msgid or free text.
"""

from typing import Literal

import attrs

Kind = Literal["counter", "gauge", "histogram"]

RESULTS = (
    "ok",
    "refused",
    "invalid",
    "unmapped",
    "identity",
    "duplicate",
    "in_doubt",
    "not_sent",
    "platform_error",
    "rate",
    "internal",
)
"""`result` of liangding_requests_total (annex X33)."""

KLASSES = ("M", "A", "R", "C", "W", "Q")
"""Transaction classes (reversal.md §2)."""

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)
COMMIT_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
BATCH = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)


@attrs.frozen
class Family:
    """One metric family; `name` as it is exposed, counters with `_total`. buckets: upper bounds, histograms only."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_TABLE = (
    Family(
        "liangding_requests_total",
        "counter",
        "Requests answered, by transaction, institution and result.",
        ("infno", "institution", "result"),
    ),
    Family(
        "liangding_request_seconds",
        "histogram",
        "From the last byte of a request to its answer, by transaction class.",
        ("class",),
        SECONDS,
    ),
    Family(
        "liangding_platform_seconds",
        "histogram",
        "From a call to a platform to its answer or its end, by link.",
        ("link",),
        SECONDS,
    ),
    Family("liangding_journal_commit_seconds", "histogram", "One durable commit of the journal.", (), COMMIT_SECONDS),
    Family("liangding_journal_batch", "histogram", "Records that went into one commit of the journal.", (), BATCH),
    Family(
        "liangding_translation_misses_total",
        "counter",
        "Codes that had no translation in force, by code system.",
        ("system",),
    ),
    Family(
        "liangding_unknown_values_total",
        "counter",
        "Values outside an open dictionary, forwarded as they came.",
        ("dictionary",),
    ),
    Family(
        "liangding_reversals_total",
        "counter",
        "Doubts that came to an end, by result: reversed, absent, confirmed, manual.",
        ("result",),
    ),
    Family("liangding_in_doubt", "gauge", "Insured persons held up by a transaction whose outcome is not known now."),
    Family("liangding_saf_depth", "gauge", "Reversals waiting to be sent or answered."),
    Family("liangding_alarms_total", "counter", "Alarms that stand in the log, by reason.", ("reason",)),
    Family("liangding_breaker_state", "gauge", "Breaker of a link: 0 closed, 1 half-open, 2 open.", ("link",)),
    Family("liangding_ready", "gauge", "1 while the node may take money, else 0."),
    Family("liangding_connections", "gauge", "Open connections, by listener or link.", ("side",)),
    Family(
        "liangding_tls_handshake_failures_total",
        "counter",
        "TLS handshakes with institutions that did not come about.",
    ),
    Family("liangding_in_flight", "gauge", "Requests being worked on."),
    Family("liangding_journal_free_bytes", "gauge", "Free space where the journal lies."),
    Family(
        "liangding_certificate_expires_timestamp_seconds",
        "gauge",
        "Seconds since the epoch at which a certificate in use ends.",
        ("certificate",),
    ),
    Family(
        "liangding_reconciliation_differences",
        "gauge",
        "Differences of the last reconciliation, by leg and class.",
        ("leg", "class"),
    ),
    Family(
        "liangding_clearing_attention",
        "gauge",
        "Months' clearing that needs a person: payments and appeals past their working days, applications in doubt, "
        "deadlines that no calendar tells, cleared at the platform and not confirmed by the institution.",
        ("what",),
    ),
    Family(
        "liangding_mapping_coverage_ratio",
        "gauge",
        "Share of the local codes in use that have a valid national code.",
        ("institution", "system"),
    ),
    Family(
        "liangding_codes_upload_total",
        "counter",
        "Mapping rows sent to or taken back from platforms, by result.",
        ("result",),
    ),
    Family(
        "liangding_lists_upload_total",
        "counter",
        "Settlement lists sent to platforms, by result.",
        ("result",),
    ),
    Family(
        "liangding_settlement_lists",
        "gauge",
        "Settlement lists of the last three months that are due or collected, by where they stand.",
        ("institution", "stage"),
    ),
    Family(
        "liangding_settlement_lists_late",
        "gauge",
        "Settlement lists of the last three months that missed their deadline.",
        ("institution",),
    ),
    Family(
        "liangding_settlement_lists_first_pass_ratio",
        "gauge",
        "Share of the judged settlement lists that were never refused and never sent back.",
        ("institution",),
    ),
    Family(
        "liangding_settlement_lists_count_difference",
        "gauge",
        "Settlement lists the platform counts (4105) more or less than our books: due, or there.",
        ("institution", "what"),
    ),
    Family(
        "liangding_codes_downloads_total",
        "counter",
        "Looks for a newer national library, by library and result: imported, current, refused, failed.",
        ("system", "result"),
    ),
    Family(
        "liangding_codes_download_timestamp_seconds",
        "gauge",
        "Seconds since the epoch at which a library was last known to be the newest there is.",
        ("system",),
    ),
    Family("liangding_log_fields_dropped_total", "counter", "Log fields that were not on the allow-list."),
    Family("liangding_log_lines_lost_total", "counter", "Log lines a failing stream lost."),
    Family(
        "liangding_reading_errors_total",
        "counter",
        "Readings that failed while metrics were collected, by metric.",
        ("metric",),
    ),
)

FAMILIES = {family.name: family for family in _TABLE}
