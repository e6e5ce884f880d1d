"""The messages of the bench: those of the simulated hospital and pharmacy, in their local codes, as moulds.

A mould is a message cut where its numbers stand (msgid, and what makes its business key: invoice, charge batch,
settlement, admission number), so that thousands a second can be cast without one repeating another. Preparation
(visits, batches, stays) is played against the far end's own answers; no platform is needed.
"""

import random
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import msgspec

from bench.answers import answer
from simulators import goods
from simulators.his import Pause, Script
from simulators.his import answer as read_answer
from simulators.mixture import BusyHospital, BusyPharmacy, Mixture, Numbers
from simulators.people import person
from simulators.wording import write

KINDS = ("2102", "2207", "1101", "mix")
HOSPITAL, PHARMACY = "H51080200001", "P51080200101"
PERSONS = 2000
START_S = 1_773_538_200.0  # 2026-03-15 09:30:00 in Shanghai
TICK_S = 0.002  # messages of one second share a stamp, as they do in life
DRUG_LINES = 10
_FIRST_DAY = date(2026, 3, 15)

# What makes the business key of each money transaction (reversal specification §8).
_KEY_FIELD = {
    "2102": "invono", "2207": "chrg_bchno", "2304": "invono", "2208": "setl_id", "2103": "setl_id",
    "2305": "setl_id", "2401": "ipt_no",
}  # fmt: skip
_DAY = re.compile(rb"20\d{6}(?=\d{10}\Z)")  # of a number that ends in day, time and four digits
_DIGITS = re.compile(rb"000(?=\d{7})")  # the three leading digits of a serial of ten
_SERIALS = 1_000_000  # each kind has serials and a time of day of its own, so that no two kinds share a number


class Mould(msgspec.Struct, frozen=True, array_like=True):
    """parts: the fixed bytes. slots: what stands between them: `d` a day of eight digits, `n` three digits."""

    parts: list[bytes]
    slots: str

    def cast(self, variant: int) -> bytes:
        """The message with the numbers of variant 0..999."""
        if not 0 <= variant <= 999:
            raise ValueError(f"variant {variant}")
        day = f"{_FIRST_DAY + timedelta(days=variant):%Y%m%d}".encode()
        number = b"%03d" % variant
        pieces = [self.parts[0]]
        for slot, part in zip(self.slots, self.parts[1:], strict=True):
            pieces += (day if slot == "d" else number, part)
        return b"".join(pieces)


def mould(infno: str, body: bytes) -> Mould:
    """Cut a message at its numbers; raises ValueError when one of them has no room for a variant."""
    spots = [_spot(body, "msgid")]
    field = _KEY_FIELD.get(infno)
    if field is not None:
        spots.append(_spot(body, field))
    spots.sort()
    parts, at = [], 0
    for begin, end, _ in spots:
        parts.append(body[at:begin])
        at = end
    return Mould([*parts, body[at:]], "".join(slot for _, _, slot in spots))


def _spot(body: bytes, field: str) -> tuple[int, int, str]:
    """Where the variable digits of a field's value stand, and of which kind they are."""
    value = re.search(rb'"%b":"([^"]*)"' % field.encode(), body)
    if value is None:
        raise ValueError(f"no {field}")
    day = _DAY.search(body, *value.span(1))
    if day is not None:
        return day.start(), day.end(), "d"
    zeros = _DIGITS.search(body, *value.span(1))
    if zeros is None:
        raise ValueError(f"no room in {field}")
    return zeros.start(), zeros.end(), "n"


def write_moulds(path: Path, moulds: Sequence[Mould]) -> None:
    path.write_bytes(msgspec.msgpack.encode(moulds))


def read_moulds(path: Path) -> list[Mould]:
    return msgspec.msgpack.decode(path.read_bytes(), type=list[Mould])


def _clock() -> Callable[[], float]:
    now = START_S

    def tick() -> float:
        nonlocal now
        now += TICK_S
        return now

    return tick


def crowd(kind: str) -> tuple[Mixture, BusyHospital, BusyPharmacy]:
    """One hospital and one pharmacy with numbers of the kind's own, that have room for variants."""
    place = KINDS.index(kind)
    clock, dice = _clock(), random.Random(place)
    first, start_s = place * _SERIALS, START_S + place * 3600
    hospital = BusyHospital(clock, dice, HOSPITAL, "压力医院", first_serial=first)
    shop = BusyPharmacy(clock, dice, PHARMACY, "压力药店", first_serial=first)
    hospital.numbers, shop.numbers = Numbers(HOSPITAL, start_s), Numbers(PHARMACY, start_s)
    return Mixture(dice, [hospital], [shop], PERSONS), hospital, shop


def play(script: Script) -> None:
    """Play a script against the far end's answers; raises GaveUp when it does not get what it needs."""
    step = next(script, None)
    try:
        while step is not None:
            step = script.send(None if isinstance(step, Pause) else read_answer(200, answer(step.body)))
    except StopIteration:
        return


def sales(how_many: int) -> list[Mould]:
    """2102 with ten drug lines, every one another person's."""
    _, _, shop = crowd("2102")
    found = []
    for number in range(how_many):
        who = person(number % PERSONS)
        bill = goods.pick(shop.dice, ("drug",), DRUG_LINES)
        body = shop.sale(who, who.psn_no, who.insutype, bill)
        body["druginfo"]["invono"] = f"YD{shop.serial():010d}"
        found.append(mould("2102", write(shop.envelope("2102", shop.traced(body), who.insuplc))))
    return found


def mixed(kind: str, how_many: int) -> list[Mould]:
    """Messages of one kind, or of the load generator's mix, in its order."""
    mixture, _, _ = crowd(kind)
    plan = mixture.plan("default" if kind == "mix" else kind, how_many)
    for script in mixture.prepare(plan):
        play(script)
    for script in mixture.finish(plan):
        play(script)
    if mixture.refusals():
        raise ValueError("; ".join(mixture.refusals()))
    return [mould(infno, body) for infno, _, body in mixture.messages(plan)]


def make_all(directory: Path, how_many: int) -> dict[str, int]:
    """Write `<kind>.moulds` for every kind; return the mean size of a message in bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    sizes = {}
    for kind in KINDS:
        found = sales(how_many) if kind == "2102" else mixed(kind, how_many)
        write_moulds(directory / f"{kind}.moulds", found)
        sizes[kind] = sum(len(one.cast(0)) for one in found) // len(found)
    return sizes
