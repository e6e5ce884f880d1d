"""Metrics: names of the contract, right numbers, bounded labels, a format that promtool accepts."""

import subprocess
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.families import FAMILIES, RESULTS
from monitoring.metrics import LABELS_MAX, Metrics

HOSPITAL, PHARMACY = "H51080200001", "P51080200101"
PROMISED = {  # contract.md §6 and annex X31: name -> labels
    "liangding_requests_total": ("infno", "institution", "result"),
    "liangding_request_seconds": ("class",),
    "liangding_platform_seconds": ("link",),
    "liangding_in_doubt": (),
    "liangding_reversals_total": ("result",),
    "liangding_saf_depth": (),
    "liangding_journal_commit_seconds": (),
    "liangding_journal_batch": (),
    "liangding_translation_misses_total": ("system",),
    "liangding_breaker_state": ("link",),
    "liangding_reconciliation_differences": ("leg", "class"),
    "liangding_mapping_coverage_ratio": ("institution", "system"),
    "liangding_unknown_values_total": ("dictionary",),
}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(["1101", "2207"], [HOSPITAL, PHARMACY])


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read the exposition back with the library's own parser."""
    found = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for one in family.samples:
            key = (one.name, tuple(sorted(one.labels.items())))
            assert key not in found
            found[key] = one.value
    return found


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, tuple(sorted(labels.items()))))


def test_every_promised_metric_is_there_with_its_labels() -> None:
    assert {name: FAMILIES[name].labels for name in PROMISED} == PROMISED
    assert len(RESULTS) == 11
    assert all(name.startswith("liangding_") for name in FAMILIES)


def test_requests_are_counted_by_what_became_of_them(metrics: Metrics) -> None:
    for _ in range(3):
        metrics.request("2207", HOSPITAL, "ok", 0.004, "M")
    metrics.request("2207", HOSPITAL, "in_doubt", 21.0, "M")
    metrics.request("1101", PHARMACY, "ok", 0.002, "Q")
    assert value(metrics, "liangding_requests_total", infno="2207", institution=HOSPITAL, result="ok") == 3
    assert value(metrics, "liangding_requests_total", infno="2207", institution=HOSPITAL, result="in_doubt") == 1
    assert value(metrics, "liangding_requests_total", infno="1101", institution=PHARMACY, result="ok") == 1


def test_a_duration_by_a_clock_that_was_set_back_makes_no_sum_fall(metrics: Metrics) -> None:
    for seconds in (0.5, -3600.0):
        metrics.platform("national", seconds)
    assert value(metrics, "liangding_platform_seconds_sum", link="national") == 0.5
    assert value(metrics, "liangding_platform_seconds_count", link="national") == 2


def test_durations_fall_into_the_bucket_whose_bound_they_reach(metrics: Metrics) -> None:
    for seconds in (0.005, 0.0051, 21.0, 31.0):
        metrics.request("2207", HOSPITAL, "ok", seconds, "M")
    name, bucket = "liangding_request_seconds", {"class": "M"}
    assert value(metrics, f"{name}_bucket", le="0.0025", **bucket) == 0
    assert value(metrics, f"{name}_bucket", le="0.005", **bucket) == 1
    assert value(metrics, f"{name}_bucket", le="0.01", **bucket) == 2
    assert value(metrics, f"{name}_bucket", le="30.0", **bucket) == 3
    assert value(metrics, f"{name}_bucket", le="+Inf", **bucket) == 4
    assert value(metrics, f"{name}_count", **bucket) == 4
    assert value(metrics, f"{name}_sum", **bucket) == pytest.approx(52.0101)
    assert value(metrics, f"{name}_count", **{"class": "Q"}) == 0


def test_ends_of_doubts_and_alarms_are_counted(metrics: Metrics) -> None:
    for result in ("reversed", "reversed", "manual"):
        metrics.reversal(result)
    metrics.alarm("manual")
    assert value(metrics, "liangding_reversals_total", result="reversed") == 2
    assert value(metrics, "liangding_reversals_total", result="manual") == 1
    assert value(metrics, "liangding_alarms_total", reason="manual") == 1


def test_an_unknown_class_is_counted_as_other(metrics: Metrics) -> None:
    assert value(metrics, "liangding_request_seconds_count", **{"class": "other"}) is None
    metrics.request("2207", HOSPITAL, "ok", 0.1, "")
    assert value(metrics, "liangding_request_seconds_count", **{"class": "other"}) == 1


def test_commits_and_batches(metrics: Metrics) -> None:
    metrics.commit(0.0012, 7)
    metrics.commit(0.2, 600)
    assert value(metrics, "liangding_journal_commit_seconds_bucket", le="0.0025") == 1
    assert value(metrics, "liangding_journal_batch_bucket", le="8.0") == 1
    assert value(metrics, "liangding_journal_batch_bucket", le="512.0") == 1
    assert value(metrics, "liangding_journal_batch_sum") == 607
    assert value(metrics, "liangding_journal_batch_count") == 2


def test_tallies(metrics: Metrics) -> None:
    metrics.platform("national", 0.3)
    metrics.translation_miss("drug")
    metrics.translation_miss("dictionary:med_type")
    metrics.unknown_value("naty")
    metrics.unknown_value("naty")
    metrics.reversal("reversed")
    assert value(metrics, "liangding_platform_seconds_count", link="national") == 1
    assert value(metrics, "liangding_translation_misses_total", system="drug") == 1
    assert value(metrics, "liangding_translation_misses_total", system="dictionary:med_type") == 1
    assert value(metrics, "liangding_unknown_values_total", dictionary="naty") == 2
    assert value(metrics, "liangding_reversals_total", result="reversed") == 1


def test_what_is_not_configured_makes_no_series(metrics: Metrics) -> None:
    for index in range(5_000):
        metrics.request(f"{index:04d}", f"H{index:011d}", f"odd{index}", 0.1, f"k{index}")
        metrics.translation_miss(f"system{index}")
        metrics.unknown_value(f"测试{index}")
        metrics.platform(f"link{index}", 0.1)
    metrics.request("2207", HOSPITAL, "ok", 0.1, "M")
    found = samples(metrics)
    requests = {key: count for key, count in found.items() if key[0] == "liangding_requests_total"}
    assert sum(requests.values()) == 5_001
    assert {dict(labels)["institution"] for _, labels in requests} == {"other", HOSPITAL}
    assert {dict(labels)["infno"] for _, labels in requests} == {"other", "1101", "2207"}
    assert {dict(labels)["result"] for _, labels in requests} == {"internal", "ok"}
    for name in ("liangding_translation_misses_total", "liangding_platform_seconds_count"):
        series = [count for key, count in found.items() if key[0] == name]
        assert len(series) == LABELS_MAX + 1
        assert sum(series) == 5_000
    assert value(metrics, "liangding_unknown_values_total", dictionary="other") == 5_000


def test_only_as_many_institutions_as_allowed_have_series_of_their_own() -> None:
    metrics = Metrics(["2207"], [f"H{index:011d}" for index in range(10)], institutions_max=3)
    for index in range(10):
        metrics.request("2207", f"H{index:011d}", "ok", 0.1, "M")
    assert value(metrics, "liangding_requests_total", infno="2207", institution="H00000000002", result="ok") == 1
    assert value(metrics, "liangding_requests_total", infno="2207", institution="other", result="ok") == 7


@pytest.mark.parametrize("label", ["110105194912310021", "13800000000", "张三", "a b", 'x"} 1\n', "", "t" * 65])
def test_a_label_that_could_be_a_person_is_never_one(metrics: Metrics, label: str) -> None:
    metrics.translation_miss(label)
    metrics.unknown_value(label)
    metrics.reversal(label)
    metrics.platform(label, 0.1)
    metrics.request(label, label, label, 0.1, label)
    assert label == "" or label not in metrics.exposition().decode()
    assert value(metrics, "liangding_translation_misses_total", system="other") == 1


def test_readings_are_asked_at_every_scrape(metrics: Metrics) -> None:
    waiting = [3]
    metrics.watch("liangding_in_doubt", lambda: waiting[0])
    metrics.watch("liangding_breaker_state", lambda: {"national": 2, "city": 0})
    metrics.watch("liangding_mapping_coverage_ratio", lambda: {(HOSPITAL, "drug"): 0.75})
    metrics.watch("liangding_log_fields_dropped_total", lambda: 9)
    assert value(metrics, "liangding_in_doubt") == 3
    waiting[0] = 0
    assert value(metrics, "liangding_in_doubt") == 0
    assert value(metrics, "liangding_breaker_state", link="national") == 2
    assert value(metrics, "liangding_mapping_coverage_ratio", institution=HOSPITAL, system="drug") == 0.75
    assert value(metrics, "liangding_log_fields_dropped_total") == 9


def test_a_reading_that_fails_is_left_out_and_counted(metrics: Metrics) -> None:
    def broken() -> float:
        raise RuntimeError("psn_name=张三")

    metrics.watch("liangding_saf_depth", broken)
    metrics.watch("liangding_breaker_state", lambda: 1.0)  # no label where one belongs
    metrics.watch("liangding_in_doubt", lambda: 4)
    first = samples(metrics)
    assert first[("liangding_in_doubt", ())] == 4
    assert ("liangding_saf_depth", ()) not in first
    assert first[("liangding_reading_errors_total", (("metric", "liangding_saf_depth"),))] == 1
    assert value(metrics, "liangding_reading_errors_total", metric="liangding_breaker_state") == 2
    assert "张三" not in metrics.exposition().decode()


@pytest.mark.parametrize(
    "name", ["liangding_nothing", "liangding_requests_total", "liangding_request_seconds", "liangding_reversals_total"]
)
def test_only_readings_of_the_table_can_be_watched(metrics: Metrics, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        metrics.watch(name, lambda: 1)


def test_a_reading_is_watched_once(metrics: Metrics) -> None:
    metrics.watch("liangding_in_doubt", lambda: 1)
    with pytest.raises(ValueError, match="already"):
        metrics.watch("liangding_in_doubt", lambda: 2)


def test_promtool_accepts_the_exposition(metrics: Metrics) -> None:
    for result in RESULTS:
        metrics.request("2207", HOSPITAL, result, 0.1, "M")
    metrics.platform("national", 0.1)
    metrics.translation_miss("drug")
    metrics.unknown_value("naty")
    metrics.reversal("reversed")
    for name, family in FAMILIES.items():
        if family.kind == "gauge":
            metrics.watch(name, lambda labels=family.labels: {labels: 1.0} if labels else 1.0)
    told = subprocess.run(["promtool", "check", "metrics"], input=metrics.exposition(), capture_output=True, timeout=60)
    assert (told.returncode, told.stdout, told.stderr) == (0, b"", b"")


def test_the_process_itself_is_measured(metrics: Metrics) -> None:
    assert value(metrics, "process_open_fds")
    assert value(metrics, "process_resident_memory_bytes")


def test_a_snapshot_does_not_move_and_renders_in_a_thread(metrics: Metrics) -> None:
    metrics.request("2207", HOSPITAL, "ok", 0.1, "M")
    snapshot, pages = metrics.snapshot(), []
    metrics.request("2207", HOSPITAL, "ok", 0.1, "M")
    worker = threading.Thread(target=lambda: pages.append(snapshot.render().decode()))
    worker.start()
    worker.join()
    assert f'liangding_requests_total{{infno="2207",institution="{HOSPITAL}",result="ok"}} 1.0' in pages[0]
    assert value(metrics, "liangding_requests_total", infno="2207", institution=HOSPITAL, result="ok") == 2
