"""The audit trail shows when the gateway ran: real starts, stops and kills of a real node."""

import json
import signal
import sqlite3
from contextlib import closing
from importlib.metadata import version
from typing import Any

import pytest
from town import Town

from adapters.crypto.digest import sm3

pytestmark = pytest.mark.processes


def rows(town: Town) -> list[dict[str, Any]]:
    """What the trail says of the node; waited for by whoever asks after a start."""
    outside = town.folder / "node" / "audit-checkpoints.jsonl"
    if not outside.exists() or not outside.stat().st_size:  # the room is still being made
        return []
    told = json.loads(town.tool("gateway", "audit", "list", str(town.config), "--action", "node", "--json"))
    found: list[dict[str, Any]] = told["rows"]
    return found


def signed(town: Town) -> bool:
    found: dict[str, Any] = json.loads(town.tool("gateway", "audit", "verify", str(town.config), "--json"))
    assert found["ok"], found
    return bool(found["entries"] == found["signed"])


def test_the_trail_shows_when_the_gateway_ran_and_when_not(town: Town) -> None:
    town.write_config()
    digest = sm3(town.config.read_bytes()).hex()
    one = town.start_gateway()
    town.wait_until(lambda: len(rows(town)) == 1, 20)
    one.send_signal(signal.SIGTERM)
    assert one.wait(20) == 0
    told = [(row["action"], row["who"], row["subject"], row["before"], row["after"]) for row in rows(town)]
    program = f"version {version('liangding-gateway')} config {digest}"
    assert told == [
        ("node.start", "service:gateway", "node:test", "", f"RUNNING {program}"),
        ("node.stop", "service:gateway", "node:test", f"RUNNING {program}", f"STOPPED {program}"),
    ]
    assert signed(town)
    with town.config.open("a", encoding="utf-8") as file:
        file.write("# another configuration\n")
    two = town.start_gateway()
    town.wait_until(lambda: len(rows(town)) == 3, 20)
    two.kill()
    two.wait()
    third = town.start_gateway()
    town.wait_until(lambda: len(rows(town)) == 4, 20)
    third.kill()
    third.wait()
    *_, started, again = rows(town)
    assert sm3(town.config.read_bytes()).hex() in started["after"] and digest not in started["after"]
    assert started["reason"] == "" and "上次没有记下停止" in again["reason"] and "日志最后写于20" in again["reason"]


def test_a_trail_that_cannot_be_written_is_said_and_stops_no_settlement(town: Town) -> None:
    town.write_config()
    one = town.start_gateway()
    town.wait_until(lambda: len(rows(town)) == 1, 20)
    one.send_signal(signal.SIGTERM)
    assert one.wait(20) == 0
    (town.folder / "node" / "signing-sm2.key").unlink()
    two = town.start_gateway()  # it is ready all the same
    log = town.folder / f"gateway-{len(town.running) - 1}.log"
    town.wait_until(lambda: "[SEC-TRAIL] 网关的启停未能记入审计" in log.read_text("utf-8"), 20)
    two.send_signal(signal.SIGTERM)
    assert two.wait(20) == 0
    assert "trail_failed" in log.read_text("utf-8")
    with closing(sqlite3.connect(town.folder / "node" / "liangding-security.sqlite")) as base:
        assert base.execute("SELECT count(*) FROM audit WHERE action GLOB 'node.*'").fetchone() == (2,)
