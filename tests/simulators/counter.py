"""A counter without sockets: plays scripts against a Platform, with the translation a gateway would do in between."""

from collections.abc import Callable
from random import Random  # noqa: TID251 - seeded dice of a test

from twisted.internet.task import Clock

from simulators import tables
from simulators.his import Answer, GaveUp, Pause, Script, Talk, answer
from simulators.platform import Platform
from simulators.wording import read_object, write

MORNING = 1_795_219_200.0  # 2026-11-21 08:00:00 in Beijing
_FIELDS = {
    "diag_code": ("diagnosis",),
    "dscg_maindiag_code": ("diagnosis",),
    "wm_dise_code": ("diagnosis",),
    "dise_codg": ("chronic_disease", "diagnosis"),
    "oprn_oprt_code": ("operation",),
    "atddr_no": ("doctor",),
    "bilg_dr_codg": ("doctor",),
    "dise_dor_no": ("doctor",),
    "chfpdr_code": ("doctor",),
    "oper_dr_code": ("doctor",),
    "anst_dr_code": ("doctor",),
    "dr_codg": ("doctor",),
    "drord_dr_codg": ("doctor",),
    "resp_nurs_code": ("nurse",),
}
_ITEMS = ("drug", "service_item", "consumable")


def translated(value: object) -> object:
    """The message with national codes, as a gateway forwards it."""
    if isinstance(value, list):
        return [translated(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: translated(item) for key, item in value.items()}
    for name, systems in _FIELDS.items():
        if name in found:
            found[name] = national(systems, found[name])
    for local, target in (("medins_list_codg", "med_list_codg"), ("fixmedins_hilist_id", "med_list_codg")):
        if local in found:
            found[target] = national(_ITEMS, found[local])
    return found


def national(systems: tuple[str, ...], code: object) -> object:
    for system in systems:
        for entry in tables.matched(system):
            if entry.local_code == code:
                return entry.national_code
    return code


class Counter:
    """One platform, one clock, and who stands before it."""

    def __init__(self, clock: Clock | None = None, **options: object) -> None:
        self.clock = clock or Clock()
        self.clock.advance(MORNING)
        self.platform = Platform(self.clock, Random(1), persons=50, **options)  # type: ignore[arg-type]
        self.seen: list[dict[str, object]] = []
        self.translate: Callable[[object], object] = translated

    def post(self, path: str, body: bytes) -> Answer:
        envelope = read_object(body)
        assert envelope is not None
        envelope["input"] = self.translate(envelope["input"])
        self.seen.append(envelope)
        reply = self.platform.serve(path, {}, write(envelope))
        return answer(0, b"") if reply.drop else answer(reply.status, reply.body)

    def play(self, script: Script | Talk) -> str:
        """Run a script to its end; "" or why it ended early."""
        given: Answer | None = None
        while True:
            try:
                step = script.send(given)
            except StopIteration:
                return ""
            except GaveUp as why:
                return str(why)
            if isinstance(step, Pause):
                self.clock.advance(step.seconds)
                given = None
            else:
                self.clock.advance(0.25)
                given = self.post(step.path, step.body)
