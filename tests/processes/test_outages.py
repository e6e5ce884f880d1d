"""Real processes, and a platform or a road that fails under load: doubts pile up, then all of them are ended.

Rules: reversal specification §5, §10 (I2, I4, I6, I7, I8). Nothing here is judged by how long it took.
"""

import random  # noqa: TID251  # chance of a test
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_processes import free_port
from road import Road, Weather
from tills import Rush, evening, import_mappings, prepared
from town import Town

QUICK = """timeout_s = 1.0
late_window_s = 0.3
quiesce_s = 12.0
reversal_schedule_s = [0, 0.2, 0.5]
breaker = {failures = 20, open_s = 0.3}
"""
# A frozen platform books what waits in its sockets when it thaws. quiesce_s is the promise that nothing is booked later
# than that, so it must be longer than the frost.
FROST_S = 5.0


@pytest.fixture
def quick_town(tmp_path: Path) -> Iterator[Town]:
    one = Town(tmp_path, link=QUICK, road_port=free_port())
    one.write_config()
    yield one
    one.close()


@pytest.fixture
def road(quick_town: Town) -> Iterator[Road]:
    one = Road(quick_town.road_port, quick_town.platform_port)
    one.start()
    yield one
    one.stop()


def opened(town: Town, seed: int, bills: int) -> Rush:
    dice = random.Random(seed)
    town.start_platform()
    import_mappings(town)
    town.start_gateway()
    return Rush(town, dice, prepared(town, dice, bills))


@pytest.mark.processes
@pytest.mark.timeout(400)
def test_a_platform_that_dies_freezes_and_comes_back_agrees_in_the_end(quick_town: Town, road: Road) -> None:
    """Killed: it loses what it had not answered. Frozen: it books late what the gateway has given up long ago."""
    rush = opened(quick_town, 1, 240)

    def trouble() -> None:
        platform = quick_town.running[0]
        for _ in range(2):
            time.sleep(0.1)  # under load, long before everything is paid
            platform.send_signal(signal.SIGKILL)
            platform.wait()
            platform = quick_town.start_platform()
        platform.send_signal(signal.SIGSTOP)
        time.sleep(FROST_S)
        platform.send_signal(signal.SIGCONT)

    rush.run(trouble)
    states = evening(rush)
    assert states["ACKED"] == len(rush.payments)
    assert states["REVERSED"] > 0


@pytest.mark.processes
@pytest.mark.timeout(400)
def test_a_road_that_was_cut_leaves_no_doubt_behind(quick_town: Town, road: Road) -> None:
    """Answers lost in every way a network has; when the cut ends the queue drains by itself."""
    rush = opened(quick_town, 2, 240)
    weathers: tuple[Weather, ...] = ("deaf", "reset", "silent", "closed", "half")

    def trouble() -> None:
        for weather in weathers:
            road.turn(weather)
            if weather == "closed":
                time.sleep(0.5)
            else:
                rush.wait_for_doubts(2)
        road.turn("clear")

    rush.run(trouble)
    states = evening(rush)
    assert states["ACKED"] == len(rush.payments)
    assert states["REVERSED"] >= 8
