"""T8, I9: a captured money request, sent a thousand times over several connections and across restarts: one send.

A node of its own, since it is stopped and killed here.
"""

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest
from hostile_messages import new_msgid, payment, raw
from hostile_platform import Liar, Seen, hangs_up, honest
from hostile_rig import VICTIM
from hostile_wire import Broken, Wire, post
from real_processes import Started, free_port, page_of

pytestmark = pytest.mark.processes

CONNECTIONS = 8


@attrs.define(eq=False)
class Lone:
    """One node with one institution and one platform."""

    folder: pytest.TempPathFactory
    liar: Liar
    port: int
    admin: int
    config: Path
    started: Started | None = None

    def start(self) -> None:
        self.started = Started.of(self.folder.getbasetemp(), "lone", "gateway", "run", str(self.config))
        self.started.wait_for(f"http://127.0.0.1:{self.admin}/readyz")

    def end(self, how: signal.Signals) -> int:
        assert self.started is not None
        return self.started.end(how)

    def storm(self, body: bytes, times: int) -> list[bytes]:
        """Send the same bytes `times` times over CONNECTIONS connections; return the answers that came whole."""

        def one(_: int) -> list[bytes]:
            found = []
            try:
                with Wire(self.port) as wire:
                    for _ in range(times // CONNECTIONS):
                        wire.send(post(body))
                        heard = wire.hear()
                        assert heard.status == 200
                        found.append(heard.body)
            except (Broken, ConnectionError):
                pass  # the node was stopped or killed under it: what a client sees then is no answer
            return found

        with ThreadPoolExecutor(CONNECTIONS) as pool:
            return [answer for answers in pool.map(one, range(CONNECTIONS)) for answer in answers]


@pytest.fixture
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lone]:
    folder = tmp_path_factory.mktemp("lone")
    liar, port, admin = Liar(), free_port(), free_port()
    lying = liar.open()
    config = folder / "gateway.toml"
    config.write_text(
        f"""[node]
name = "lone"
data_dir = "node"
[listen]
institutions = "tcp:{port}:interface=127.0.0.1"
admin = "tcp:{admin}:interface=127.0.0.1"
[store]
url = "sqlite:node/liangding.sqlite"
[platform.national]
url = "http://127.0.0.1:{lying}/fsi/api/call"
timeout_s = 1
late_window_s = 0.5
reversal_schedule_s = [3600]
[[institution]]
fixmedins_code = "{VICTIM}"
name = "示例机构"
link = "national"
allow_from = ["127.0.0.1/32"]
rate_per_s = 1000000
""",
        "utf-8",
    )
    one = Lone(tmp_path_factory, liar, port, admin, config)
    try:
        one.start()
        yield one
    finally:
        if one.started is not None and one.started.process.poll() is None:
            one.end(signal.SIGTERM)
        liar.close()
    assert liar.broke == []


def told(answer: bytes) -> str:
    return str(json.loads(answer).get("gw_code", ""))


def test_a_thousand_repeats_across_restarts_are_one_send(lone: Lone) -> None:
    settled, doubted = payment(VICTIM), payment(VICTIM)

    def slowly(seen: Seen, wire: object) -> bool:
        time.sleep(0.3)  # so that many repeats arrive while the first is on its way
        return honest(seen, wire)  # type: ignore[arg-type]

    lone.liar.script[settled["msgid"]] = slowly
    lone.liar.script[doubted["msgid"]] = lambda seen, wire: False
    answers = lone.storm(raw(settled), 400)
    doubts = lone.storm(raw(doubted), 80)
    assert lone.end(signal.SIGTERM) == 0
    lone.start()
    answers += lone.storm(raw(settled), 304)
    doubts += lone.storm(raw(doubted), 80)
    assert lone.end(signal.SIGKILL) == -signal.SIGKILL
    lone.start()
    answers += lone.storm(raw(settled), 304)
    doubts += lone.storm(raw(doubted), 80)
    assert len(answers) == 1008
    assert len(set(answers)) == 1
    assert b'"infcode": 0' in answers[0]
    assert len(lone.liar.of(settled["msgid"])) == 1
    assert len(doubts) == 240
    assert {told(one) for one in doubts} == {"GW-IN-DOUBT", "GW-REVERSING"}
    assert told(doubts[-1]) == "GW-REVERSING"  # durable before the first restart, and found again after each
    assert len(lone.liar.of(doubted["msgid"])) == 1
    assert lone.liar.reversals(doubted["msgid"]) == []  # no restart makes it due earlier than it was


def test_a_kill_in_the_middle_of_the_storm_sends_nothing_twice(lone: Lone) -> None:
    """The node dies while the answer is on its way: afterwards the outcome is unknown, and stays one send."""
    found = payment(VICTIM)

    def deadly(seen: Seen, wire: object) -> bool:
        time.sleep(0.2)
        lone.end(signal.SIGKILL)
        return False

    lone.liar.script[found["msgid"]] = deadly
    assert lone.storm(raw(found), 80) == []
    lone.start()
    answers = lone.storm(raw(found), 80)
    assert len(answers) == 80
    assert {told(one) for one in answers} <= {"GW-IN-DOUBT", "GW-REVERSING"}
    assert len(lone.liar.of(found["msgid"])) == 1
    assert lone.liar.reversals(found["msgid"]) == []
    assert b"liangding_in_doubt 1" in page_of(f"http://127.0.0.1:{lone.admin}/metrics")


def test_a_kill_in_the_middle_of_a_reversal_sends_it_again_under_a_new_msgid(lone: Lone) -> None:
    """§9: the reversal left, its answer was lost with the node. The person can pay again once the platform said so."""
    lone.config.write_text(lone.config.read_text("utf-8").replace("[3600]", "[0, 0.05]"), "utf-8")
    assert lone.end(signal.SIGTERM) == 0
    lone.start()
    assert lone.started is not None
    found, dying = payment(VICTIM), lone.started.process

    def deadly(seen: Seen, wire: object) -> bool:
        lone.end(signal.SIGKILL)
        return False

    lone.liar.script[found["msgid"]] = hangs_up
    lone.liar.undoing[found["msgid"]] = [deadly]
    lone.storm(raw(found), CONNECTIONS)
    assert dying.wait(20) == -signal.SIGKILL
    lone.start()
    deadline = time.monotonic() + 20
    while {told(one) for one in lone.storm(raw(found), CONNECTIONS)} != {"GW-REVERSED"}:
        assert time.monotonic() < deadline
    sent = lone.liar.reversals(found["msgid"])
    assert len(sent) == len({one.msgid for one in sent}) == 2
    assert sent[0].envelope["input"] == sent[1].envelope["input"]
    assert len(lone.liar.of(found["msgid"])) == 1
    (answer,) = lone.storm(raw(found | {"msgid": new_msgid(VICTIM)}), CONNECTIONS)[:1]
    assert json.loads(answer)["infcode"] == 0
