"""One message of 2 MB: 2301 with 2,000 lines, checked and translated by the real desk, turn by turn of the loop.

Reported: CPU time of all turns together, and of the longest single turn, which is how long everybody else would wait.
`python -m bench.bigbody` prints JSON.
"""

import gc
import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import attrs

from adapters.store.memory import MemoryJournal
from bench import bodies
from gateway.app.assemble import assemble_exchange, compile_region, make_institution, make_link
from gateway.app.config import InstitutionConfig, Platform
from gateway.app.facts import code_forms, read_files
from gateway.core.codes import Libraries, Row, build_snapshot
from gateway.core.model import OpResult, Source
from gateway.core.regions import build_region
from simulators import mapping
from simulators.goods import DEPARTMENTS
from simulators.mixture import BusyHospital
from simulators.people import person
from simulators.stay import Ward
from simulators.wording import write

LINES = 2000
BYTES = 2_000_000
ROUNDS = 7


def message() -> bytes:
    """2301 with 2,000 lines, padded with remarks to just under 2 MB."""
    _, hospital, _ = bodies.crowd("2102")
    return _message(hospital)


def _message(hospital: BusyHospital) -> bytes:
    ward = Ward(hospital)
    who = person(1)
    case = ward.new_case(who, who.psn_no, who.insutype, who.insuplc, 2)
    case["mdtrt_id"] = "V202603150930000001"
    rows: list[dict[str, Any]] = []
    day = 0
    while len(rows) < LINES:
        rows += ward.bill(case, 2 * day, "A")["feedetail"]
        day += 1
    rows = rows[:LINES]
    for number, row in enumerate(rows):
        row["feedetl_sn"] = f"C{number:08d}"
    body = {"feedetail": rows}
    short = BYTES - len(write(hospital.envelope("2301", body)))
    for row in rows:
        row["memo"] = "记" * max(0, short // LINES // 3 - 4)
    return write(hospital.envelope("2301", body))


@attrs.define
class Turns:
    """A loop that runs what is due, one call after the other, and times each."""

    due: deque[tuple[Callable[..., object], tuple[object, ...]]] = attrs.Factory(deque)
    took_ms: list[float] = attrs.Factory(list)

    def seconds(self) -> float:
        return bodies.START_S

    def callLater(self, delay: float, call: Callable[..., object], *args: object) -> Any:  # Twisted's name
        if delay <= 0.1:
            self.due.append((call, args))
        return None

    def turn(self, call: Callable[..., object], *args: object) -> None:
        began = time.thread_time()
        call(*args)
        self.took_ms.append((time.thread_time() - began) * 1000)

    def run(self) -> None:
        while self.due:
            call, args = self.due.popleft()
            self.turn(call, *args)


@attrs.define
class AtOnce:
    """The journal's thread, played on the loop: a later turn."""

    turns: Turns

    def run(
        self,
        call: Callable[[], list[OpResult]],
        done: Callable[[list[OpResult]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.turns.due.append((lambda: done(call()), ()))


@attrs.define
class Wire:
    """The platform's side: keeps what would leave."""

    sent: list[bytes] = attrs.Factory(list)

    def send(
        self, path: bytes, headers: bytes, body: bytes, listener: Any, timeout_s: float, late_s: float = 0.0
    ) -> None:
        self.sent.append(body)


@attrs.define
class Request:
    """What the transport hands over."""

    body: bytes
    alive: bool = True
    answers: list[bytes] = attrs.Factory(list)

    def respond(self, status: int, body: bytes, content_type: bytes = b"", extra: bytes = b"") -> bool:
        self.answers.append(body)
        return True


class Deaf:
    """The Watch port when nobody listens."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: None


def rows_of() -> list[Row]:
    """The example institution's mappings as approved rows."""
    found = []
    for system in mapping.SYSTEMS:
        for local, national, since, *_ in mapping.mapping_rows(system):
            found.append(Row(system, local, national, since, "", "m1"))
    return found + [Row("department", local, national, "2024-01-01", "", "m1") for local, _, national in DEPARTMENTS]


def _desk(turns: Turns, wire: Wire) -> Any:
    files = read_files()
    region = build_region(files, "national", ())
    settings = Platform(url="http://127.0.0.1:1/")
    quiet: Any = Deaf()
    signer: Any = lambda infno, now_s: b""  # noqa: E731
    link = make_link("national", settings, compile_region(region), wire, wire, b"/", signer, turns)
    config = InstitutionConfig(
        fixmedins_code=bodies.HOSPITAL, name="压力医院", link="national", allow_from=["127.0.0.1/32"]
    )
    institution = make_institution(config, {link.name: link})
    institution.snapshot = build_snapshot(rows_of(), Libraries({}, code_forms(files)))
    store: Any = MemoryJournal()
    room = assemble_exchange(
        clock=turns, institutions={bodies.HOSPITAL: institution}, links={"national": link}, store=store, last_id=0,
        runner=AtOnce(turns), watch=quiet, on_broken=_broken, dice=quiet, helper=quiet,
    )  # fmt: skip
    return room.desk


def _broken(cause: Exception) -> None:
    raise cause


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Best and median over the rounds, milliseconds."""
    turns, wire = Turns(), Wire()
    desk = _desk(turns, wire)
    raw = message()
    gc.collect()
    gc.freeze()
    totals, longest = [], []
    for number in range(rounds + 1):
        body = raw.replace(b"20260315093000", b"202603150930%02d" % number, 1)
        request = Request(body)
        turns.took_ms.clear()
        before = len(wire.sent)
        turns.turn(desk.receive, request, Source(address="127.0.0.1"))
        turns.run()
        if len(wire.sent) != before + 1 or request.answers:
            raise ValueError(request.answers[0][:400].decode() if request.answers else "nothing was sent")
        if number:
            totals.append(sum(turns.took_ms))
            longest.append(max(turns.took_ms))
    return {
        "bytes": len(raw), "lines": LINES, "turns": len(turns.took_ms), "total_ms": sorted(totals)[len(totals) // 2],
        "total_ms_min": min(totals), "longest_ms": sorted(longest)[len(longest) // 2], "longest_ms_min": min(longest),
        "each_ms": [round(one, 2) for one in turns.took_ms],
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure()))
