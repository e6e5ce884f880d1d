"""The node's own figure of coverage: measured elsewhere, when something changed, and right again after a failure."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from coverage_desk import DAY_S, HOSPITAL, NOW_S, PHARMACY, Desk, drug, evidence
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock

from adapters.store.codes_reader import CodesStore
from gateway.app.codes_files import SCRIPTS
from gateway.app.config import read_config
from gateway.app.coverage_round import CoverageRound
from gateway.app.facts import code_forms, read_files
from gateway.codes.loading import NOTHING_LOADED, Loaded, load
from monitoring.metrics import Metrics


class Node:
    """As much of a node as the round needs; work is done when `work` is called, as another thread would."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.clock = Clock()
        self.clock.advance(NOW_S)
        self.store = CodesStore.open(desk.codes, SCRIPTS)
        self.loaded: Loaded = NOTHING_LOADED
        self.jobs: list[Callable[[], None]] = []
        self.told: list[Exception] = []
        self.reload()
        institutions = read_config(Path(desk.config)).institution
        self.round = CoverageRound(
            self.clock, self.store, desk.journal, institutions, lambda: self.loaded, self._later, self.told.append
        )

    def reload(self) -> None:
        look = self.store.tables()
        self.loaded = load(look, code_forms(read_files()), self.loaded)
        look.close()

    def _later(self, call: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        def work() -> None:
            try:
                found = call()
            except Exception as cause:
                failed(cause)
            else:
                done(found)

        self.jobs.append(work)

    def work(self) -> dict[tuple[str, ...], float]:
        self.round.look()
        while self.jobs:
            self.jobs.pop(0)()
        return self.round.ratios()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path)
    opened.library([(drug(number), "" if number < 4 else "2026-11-20") for number in range(1, 5)])
    opened.map(*[f"L{number},{drug(number)},,," for number in range(1, 5)])
    yield opened
    opened.close()


def test_the_figure_is_that_of_the_command(desk: Desk) -> None:
    desk.send(evidence("chronic_disease", "GXY"))
    desk.send(evidence("item", "NEW"), who=PHARMACY)
    desk.send(evidence("item", "LONG AGO"), ago=40)
    assert Node(desk).work() == {
        (HOSPITAL, "drug"): 1.0, (HOSPITAL, "chronic_disease"): 0.0, (PHARMACY, "item"): 0.0,
    }  # fmt: skip
    found = desk.coverage(code=3)
    told = {
        (one["institution"], system["system"]): system["coded"]["numerator"] / system["coded"]["denominator"]
        for one in found["institutions"]
        for system in one["systems"]
    }
    assert told == Node(desk).work()


def test_a_proposal_an_approval_and_a_new_day_show(desk: Desk) -> None:
    node = Node(desk)
    assert node.work()[HOSPITAL, "drug"] == 1.0
    desk.map(f"L5,{drug(1)},,,", reviewer="", ago=0)
    assert node.work()[HOSPITAL, "drug"] == 4 / 5
    desk.run("map", "approve", desk.config, HOSPITAL, "drug", "--reviewer", "乙")
    node.reload()
    assert node.work()[HOSPITAL, "drug"] == 1.0
    node.clock.advance(3 * DAY_S)  # the national code of L4 has ended
    assert node.work()[HOSPITAL, "drug"] == 4 / 5


def test_nothing_is_measured_again_when_nothing_changed(desk: Desk) -> None:
    node = Node(desk)
    before = node.work()
    desk.close()
    for file in desk.folder.glob("var/liangding.sqlite*"):
        file.unlink()  # whoever reads the journal now fails
    assert node.work() == before
    assert not node.told
    desk.map(f"L6,{drug(1)},,,", reviewer="", ago=0)
    assert node.work() == before
    assert len(node.told) == 1


def test_two_looks_at_a_time_are_one_and_a_failure_is_no_end(desk: Desk) -> None:
    node = Node(desk)
    node.round.look()
    node.round.look()
    assert len(node.jobs) == 1
    node.jobs.clear()
    node.round = Node(desk).round
    hidden = desk.journal.with_name("away")
    desk.journal.rename(hidden)
    broken = Node(desk)
    assert broken.work() == {} and len(broken.told) == 1
    hidden.rename(desk.journal)
    assert broken.work()[HOSPITAL, "drug"] == 1.0


def test_the_metric_carries_every_institution_and_library(desk: Desk) -> None:
    node = Node(desk)
    many = {(f"H{number:011d}", "drug"): 0.5 for number in range(1_200)}
    metrics = Metrics([], [])
    metrics.watch("liangding_mapping_coverage_ratio", lambda: node.work() | many)
    text = metrics.exposition().decode()
    found = {
        (one.labels["institution"], one.labels["system"]): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == "liangding_mapping_coverage_ratio"
    }
    assert found == {(HOSPITAL, "drug"): 1.0, **many}
