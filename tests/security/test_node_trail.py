"""What a node notes of its own starts and stops, and that it tries again when the trail could not be written."""

import io
import threading
from types import SimpleNamespace

from twisted.internet.task import Clock
from two_people import Town

from adapters.store.security import AuditFilter
from gateway.app.node_trail import AGAIN_S, RUNNING, STOPPED, NodeTrail, note
from gateway.app.rounds import Rounds
from gateway.app.security_trail import reason_of
from monitoring.logs import make_logger


def rows(town: Town) -> list[tuple[str, str]]:
    """(action, reason in clear) of the node's rows."""
    with town.desk() as desk:
        found = desk.store.found(AuditFilter(action="node"), 10)
        return [(row.action, reason_of(desk.trail.box, row)) for row in found]


def test_an_end_without_a_word_is_told_at_the_next_start_only(town: Town) -> None:
    clock = SimpleNamespace(seconds=lambda: town.now_s)
    for state, lived_s in ((RUNNING, 0.0), (RUNNING, town.now_s), (STOPPED, 0.0), (RUNNING, 0.0)):
        note(town.config, clock, town.entropy, state, town.now_s, lived_s)  # type: ignore[arg-type]
    told = rows(town)
    assert [action for action, _ in told] == ["node.start", "node.start", "node.stop", "node.start"]
    assert [("上次没有记下停止" in reason, "日志最后写于" in reason) for _, reason in told] == [
        (False, False), (True, True), (False, False), (False, False),
    ]  # fmt: skip


def test_a_start_that_could_not_be_written_is_written_later_with_its_moment(town: Town) -> None:
    steady, said = Clock(), list[str]()
    reactor = SimpleNamespace(callFromThread=lambda call, *values: call(*values))
    wall = SimpleNamespace(seconds=lambda: town.now_s)
    log = make_logger(io.BytesIO(), steady)  # type: ignore[arg-type]
    trail = NodeTrail(town.config, reactor, wall, town.entropy, log, said.append)  # type: ignore[arg-type]

    def settled() -> None:
        assert trail._thread is not None
        over = threading.Event()
        trail._thread.run(lambda: None, lambda _: over.set(), lambda _: None)
        assert over.wait(20)

    kept = town.config.signing_key_file.rename(town.folder / "kept.key")
    trail.started(Rounds(steady, lambda cause: said.append(str(cause))))
    settled()
    town.now_s += AGAIN_S
    steady.advance(AGAIN_S)
    settled()
    assert [line[:11] for line in said] == ["[SEC-TRAIL]"]  # said once, tried twice
    kept.rename(town.config.signing_key_file)
    for _ in range(3):
        town.now_s += AGAIN_S
        steady.advance(AGAIN_S)
        settled()
    assert trail._thread is not None
    trail._thread.stop()
    ((action, reason),) = rows(town)
    assert action == "node.start" and "发生于2026-11-18" in reason and "当时审计写不下" in reason
