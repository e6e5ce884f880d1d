"""The log as an outsider reads it (security §7): JSON lines of few known fields, nothing an attacker wrote."""

import contextlib
import json
import re
import ssl
from typing import Any

import pytest
from hostile_messages import message, payment, question, raw
from hostile_rig import STRANGER, TRUSTING, VICTIM, Rig, client_tls
from hostile_wire import Broken, Wire, post
from real_processes import page_of

pytestmark = pytest.mark.processes

# Written down here a second time on purpose: a new field must be thought about twice.
ALLOWED = {
    "ts", "event", "infno", "klass", "institution", "result", "seconds", "msgid", "gw_code", "reason", "node", "pid",
    "namespace", "level", "template", "error", "place", "peer", "count",
}  # fmt: skip
SHAPES = {
    "ts": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "event": r"[a-z_]{1,40}",
    "infno": r"[0-9A-Za-z]{1,8}",
    "institution": r"[HP]\d{11}",
    "msgid": r"[0-9A-Za-z_.-]{1,30}",
    "gw_code": r"GW-[A-Z-]+",
    "reason": r"[a-z][a-z0-9_]{0,39}",
    "peer": r"127\.0\.0\.[0-9]{1,3}",
}
INJECTED = 'x"}\r\n{"ts":"2026-01-01T00:00:00.000Z","event":"forged"}\r\n\x1b[2J'


@pytest.fixture(scope="module")
def lines(rig: Rig) -> list[bytes]:
    """The log after a little of everything."""
    for body in (
        raw(question(VICTIM)),
        raw(payment(VICTIM)),
        raw(payment(VICTIM, fixmedins_code=INJECTED)),
        raw(payment(VICTIM, mdtrt_cert_type=INJECTED)),
        raw(message(INJECTED, VICTIM, {})),
        raw(message("1101", INJECTED, {})),
        raw(message("1101", VICTIM, {INJECTED: {INJECTED: 1}})),
        INJECTED.encode(),
    ):
        rig.ask(body)
    with Wire(rig.plain, STRANGER) as wire:
        wire.send(post(INJECTED.encode()))
        wire.hear()
    with Wire(rig.plain, STRANGER) as wire:
        wire.send(INJECTED.encode() + b"\r\n\r\n")
        wire.hear()
    for name in ("expired", "foreign"):
        bad = client_tls(rig.pki, name)
        with contextlib.suppress(ssl.SSLError, OSError, Broken), Wire(rig.tls, "127.0.0.1", bad) as wire:
            wire.send(post(raw(question(TRUSTING))))
            wire.hear()
    rig.log_lines()  # waits until they are written
    return rig.gateway.out.read_bytes().splitlines(keepends=True)


def test_failed_handshakes_are_counted_and_logged_with_their_reason(rig: Rig, lines: list[bytes]) -> None:
    told = [line for line in map(json.loads, lines) if line["event"] == "tls_handshake_failed"]
    assert told
    assert all({"peer", "reason", "count"} <= line.keys() for line in told)
    page = page_of(f"http://127.0.0.1:{rig.admin}/metrics").decode()
    counted = re.search(r"^liangding_tls_handshake_failures_total ([0-9.]+)$", page, re.MULTILINE)
    assert counted is not None
    assert float(counted[1]) >= max(2, sum(line["count"] for line in told))


def test_every_line_is_one_json_object(lines: list[bytes]) -> None:
    assert len(lines) > 8
    for line in lines:
        assert line.endswith(b"\n")
        assert not set(line[:-1]) & set(range(32))
        assert isinstance(json.loads(line), dict)


def test_every_field_is_on_the_list_and_of_its_shape(lines: list[bytes]) -> None:
    for line in lines:
        found: dict[str, Any] = json.loads(line)
        assert found.keys() <= ALLOWED
        assert {"ts", "event"} <= found.keys()
        for name, value in found.items():
            assert isinstance(value, str | int | float)
            if name in SHAPES:
                assert re.fullmatch(SHAPES[name], str(value)), line


def test_nothing_an_attacker_wrote_is_in_it(lines: list[bytes]) -> None:
    everything = b"".join(lines)
    assert b"forged" not in everything
    assert b"\x1b" not in everything
    assert b"u001b" not in everything


def test_refusals_and_alarms_are_told(lines: list[bytes]) -> None:
    found = [json.loads(line) for line in lines]
    assert {"listening", "request", "alarm"} <= {one["event"] for one in found}
    assert {"identity", "unknown_source"} <= {one["reason"] for one in found if one["event"] == "alarm"}
    codes = {one["gw_code"] for one in found if "gw_code" in one}
    assert codes >= {"GW-JSON", "GW-SOURCE", "GW-IDENTITY", "GW-INVALID", "GW-INFNO"}


def test_stderr_has_one_line_for_the_operator(rig: Rig, lines: list[bytes]) -> None:
    told = rig.gateway.err.read_text("utf-8").splitlines()
    assert len(told) == 1
    assert "已就绪" in told[0]


def test_labels_of_metrics_come_from_a_closed_list(rig: Rig, lines: list[bytes]) -> None:
    """Contract §6: no person, no msgid, no free text; what is unknown is called other."""
    exposition = page_of(f"http://127.0.0.1:{rig.admin}/metrics").decode()
    rows = re.findall(r"^liangding_requests_total\{([^}]*)\}", exposition, re.MULTILINE)
    assert rows
    for row in rows:
        labels = dict(re.findall(r'(\w+)="([^"]*)"', row))
        assert labels.keys() == {"infno", "institution", "result"}
        assert re.fullmatch(r"[0-9]{4,6}[A-Z]?|other", labels["infno"])
        assert re.fullmatch(r"[HP][0-9]{11}|other|", labels["institution"])
    assert "forged" not in exposition
