"""Real processes: orders of a command, a node that is killed in the middle of one, a command that is interrupted."""

import csv
import json
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from real_processes import free_port
from road import Road
from town import HOSPITAL, Town

from adapters.store.codes import CodesReader
from adapters.store.sqlite_journal import migrate
from gateway.app.codes_files import SCRIPTS
from gateway.app.codes_library import import_library
from gateway.app.codes_work import import_mapping
from simulators import tables

pytestmark = pytest.mark.processes
ROWS = 45
CODES = """
[codes]
mdtrtarea_admvs = "990103"
recer_sys_code = "SIM"
doubt_ask_s = [0.1, 0.3]
upload_rows = 10
"""


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[tuple[Town, Road]]:
    """A town whose hospital has service items mapped, and the road to its platform."""
    town = Town(tmp_path, road_port=free_port())
    road = Road(town.road_port, town.platform_port)
    config = town.write_config()
    config.write_text(config.read_text("utf-8") + CODES, "utf-8")
    store = tmp_path / "node" / "liangding-codes.sqlite"
    national = tables.DATA / "national_services.csv"
    import_library(store, "service_item", national, "", 1.8e9, "op", lambda _: None)
    usable = [row for row in tables.rows("national_services") if row["vali_flag"] == "1" and not row["enddate"]]
    file = tmp_path / "mapping.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerow(("local_code", "national_code"))
        csv.writer(stream).writerows((f"L{n:03}", row["med_list_codg"]) for n, row in enumerate(usable[:ROWS]))
    import_mapping(store, HOSPITAL, "service_item", file, "a", "b", 1.8e9, lambda _: None)
    road.start()
    yield town, road
    town.close()
    road.stop()


def sent(town: Town) -> Counter[str]:
    """How often the platform was given each local code by 3301."""
    lines = (town.folder / "platform.diary").read_text("utf-8").splitlines()
    found = [one for one in (json.loads(line)["request"] for line in lines) if one["infno"] == "3301"]
    return Counter(row["fixmedins_hilist_id"] for one in found for row in one["input"]["data"])


def orders(town: Town) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(town.tool("gateway", "codes", "orders", str(town.config), "--json"))[
        "orders"
    ]
    return found


def test_without_a_node_a_command_that_needs_one_ends_at_once(mapped: tuple[Town, Road]) -> None:
    town, _ = mapped
    words = ("codes", "map", "upload", str(town.config), HOSPITAL, "service_item")
    town.tool("gateway", *words, code=2)
    assert orders(town) == []
    planned = json.loads(town.tool("gateway", *words, "--dry-run", "--json"))
    assert (len(planned["upload"]), planned["refused"]) == (ROWS, [])


def test_a_store_of_an_older_version_is_migrated_by_the_nodes_start(town: Town) -> None:
    store = town.folder / "node" / "liangding-codes.sqlite"
    store.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(store, isolation_level=None)) as old:
        migrate(old, SCRIPTS[:1])
    town.start_gateway()
    assert orders(town) == []
    CodesReader.open(store, len(SCRIPTS)).close()


def test_a_node_killed_in_the_middle_of_an_upload_goes_on_after_its_start_and_doubles_nothing(
    mapped: tuple[Town, Road],
) -> None:
    town, road = mapped
    town.start_platform()
    gateway = town.start_gateway()
    road.turn("deaf")  # the platform works, and nobody hears of it
    command = town.start("gateway", "codes", "map", "upload", str(town.config), HOSPITAL, "service_item")
    town.wait_until(lambda: town.platform("stats")["counts"].get("3301", {}).get("done", 0) >= 1, 20)
    gateway.send_signal(signal.SIGKILL)
    gateway.wait(10)
    road.turn("clear")
    town.start_gateway()
    assert command.wait(60) == 0  # the command has waited for the node to come back
    assert sent(town) == dict.fromkeys((f"L{n:03}" for n in range(ROWS)), 1)
    assert [one["state"] for one in orders(town)] == ["done"]


def test_an_interrupted_command_leaves_its_order_to_the_node(mapped: tuple[Town, Road]) -> None:
    town, road = mapped
    town.start_platform()
    town.start_gateway()
    road.turn("silent")
    command = town.start("gateway", "codes", "map", "upload", str(town.config), HOSPITAL, "service_item")
    town.wait_until(lambda: any(one["state"] == "running" for one in orders(town)), 20)
    command.send_signal(signal.SIGINT)
    assert command.wait(20) == 1
    told = (town.folder / f"gateway-{town.running.index(command)}.log").read_text("utf-8")
    assert "任务1仍由节点执行" in told
    road.turn("clear")
    town.wait_until(lambda: [one["state"] for one in orders(town)] == ["done"], 60)
    assert len(sent(town)) == ROWS
