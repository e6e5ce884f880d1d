"""Answers the gateway makes itself: envelope, codes, states (contract §4; annex X4, X19-X21, X37)."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gateway.core.dates import shanghai, stamp17
from gateway.core.errors import CODES, Complaint
from gateway.core.model import Entry, State

_encode = msgspec.json.Encoder().encode


# What the institution is told about a record that is not at a stored answer (reversal specification §3; X37).
STATE_CODE: Mapping[State, str] = {
    "JOURNALED": "GW-IN-DOUBT",
    "SENT": "GW-IN-DOUBT",
    "IN_DOUBT": "GW-IN-DOUBT",
    "REVERSING": "GW-REVERSING",
    "REVERSED": "GW-REVERSED",
    "ABSENT": "GW-ABSENT",
    "NOT_SENT": "GW-NOT-SENT",
    "MANUAL": "GW-MANUAL",
    "CONFIRMED": "GW-CONFIRMED",
    "ACKED": "GW-DUPLICATE-SETTLEMENT",
    "REJECTED": "GW-NOT-SENT",
    "EXTERNAL": "GW-MANUAL",
}


def refusal(
    code: str, detail: str = "", complaints: Iterable[Complaint] = (), money: bool = False
) -> tuple[int, bytes]:
    """Return (HTTP status, body) for what is turned away before or instead of an envelope answer (contract §4).

    money: the message was read far enough to know that it is about money, so the body says whether to repeat (X37).
    """
    found = CODES[code]
    body: dict[str, Any] = {"infcode": -1, "err_msg": found.message(detail), "gw_code": code}
    if found.repeat and (money or code in ("GW-RATE", "GW-NOT-READY", "GW-NOT-ACCEPTED")):
        body["gw_repeat"] = found.repeat
    if code == "GW-NOT-ACCEPTED":
        body["gw_state"] = "NOT_SENT"
    elif money and code == "GW-SIZE":
        body["gw_state"] = "INVALID"
    rows = [{"path": c.path, "rule": c.rule, "message": c.message} for c in complaints]
    if rows:
        body["gw_complaints"] = rows
    return found.status, _encode(body)


def made(
    code: str,
    *,
    now_s: float,
    region_infcode: str,
    admdvs: str,
    sequence: int,
    detail: str = "",
    success: bool = False,
    state: str = "",
    repeat: str = "",
    complaints: Iterable[Complaint] = (),
    other_msgid: str = "",
    setl_id: str = "",
    output: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the bytes of a gateway-made envelope answer; all response fields are there, `output` is {} (X21).

    output: of a success that was rebuilt from a query.
    """
    found = CODES[code]
    number = 0 if success else -1
    stamp = stamp17(now_s)
    area = admdvs if len(admdvs) == 6 and admdvs.isascii() and admdvs.isdigit() else "000000"
    body: dict[str, Any] = {
        "infcode": number if region_infcode == "number" else str(number),
        "inf_refmsgid": f"{area}{shanghai(now_s):%Y%m%d%H%M%S}{sequence % 10**10:010d}",
        "refmsg_time": stamp,
        "respond_time": stamp,
        "err_msg": "" if success else found.message(detail),
        "output": output or {},
        "gw_code": code,
    }
    if state:
        body["gw_state"] = state
    if repeat:
        body["gw_repeat"] = repeat
    rows = [{"path": c.path, "rule": c.rule, "message": c.message} for c in complaints]
    if rows:
        body["gw_complaints"] = rows
    if other_msgid:
        body["gw_msgid"] = other_msgid
    if setl_id:
        body["setl_id"] = setl_id
    return _encode(body)


def state_made(
    entry: Entry, state: State, now_s: float, region_infcode: str, output: Mapping[str, Any] | None = None
) -> bytes:
    """Return the answer that names a record's state, for a record whose request is not at hand any more."""
    code = STATE_CODE[state]
    return made(
        code,
        now_s=now_s,
        region_infcode=region_infcode,
        admdvs=entry.mdtrtarea_admvs,
        sequence=entry.id,
        state=state,
        repeat=CODES[code].repeat,
        success=state == "CONFIRMED",
        output=output,
    )
