"""What follows from a run: which differences are open, what is done about them by itself, what people get, and where
each day stands (reconciliation specification §4.1, §4.2, §5). Pure.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from typing import Literal

import attrs

from gateway.books.lines import Line
from gateway.core.dates import day_start_ms, shanghai

DiffState = Literal["OPEN", "WAIT", "RESOLVED"]
CITY = "*"
COLLECTING = "COLLECTING"  # the state of a day that is not over: it was only looked at
ATTEMPTS_MAX = 3  # of one reversal (S3)
ESCALATES_DAYS = 4  # T+3, its end
REVERSE, FEEDBACK = "REVERSE", "FEEDBACK"
_WAITING = ("WAIT", "WAIT_LEG1", "WAIT_LEG2")
_PARTY: Mapping[tuple[str, str], str] = {
    ("L1", REVERSE): "AGY", ("L2", REVERSE): "PROV", ("L4", REVERSE): "INS",
    ("L1", FEEDBACK): "INST", ("L2", FEEDBACK): "PROV", ("L4", FEEDBACK): "PROV",
}  # fmt: skip


@attrs.frozen(kw_only=True)
class Plan:
    """What goes with one difference. kind, party: what the gateway sends by itself, '' = nothing; mode: of the case
    people get, '' = none; attempts: of kind."""

    kind: str = ""
    party: str = ""
    attempts: int = 1
    mode: str = ""


def state_of(line: Line) -> DiffState:
    if line.agreed:
        return "RESOLVED"
    return "WAIT" if line.action in _WAITING else "OPEN"


def plan_of(line: Line) -> Plan:
    """Return what is done about a line: REVERSE only by AUTO; FEEDBACK also where one person confirms it."""
    if state_of(line) != "OPEN":
        return Plan()
    mode = "" if line.mode == "AUTO" else line.mode
    if line.action == REVERSE and line.mode == "AUTO":
        return Plan(kind=REVERSE, party=_PARTY[line.leg, REVERSE], attempts=ATTEMPTS_MAX)
    if line.action == FEEDBACK and line.missed == "AGY":
        return Plan(mode="TWO")  # there is no interface to feed back to the agency: people do (S1)
    if line.action == FEEDBACK and line.mode != "TWO":
        return Plan(kind=FEEDBACK, party=_PARTY[line.leg, FEEDBACK], mode=mode)
    return Plan(mode=mode or "ONE")


def vain_ms(row: str, biz_date: str, looked_ms: int, now_ms: int) -> int:
    """Return before when feedback must have been taken to have been in vain by now, 0 = the party still has time.

    A receipt is no correction, a look on a later day proves it: A6 (and A5 on L2) is repeated when that still finds it;
    of everything else T+3 is waited for (§5.1, §5.3). looked_ms: when the other side was looked at, 0 = it was not.
    """
    at_ms = now_ms if now_ms >= escalates_ms(biz_date) else looked_ms if row in ("A5", "A6") else 0
    return day_start_ms(shanghai(at_ms / 1000).date()) if at_ms else 0


def party_of(leg: str, kind: str) -> str:
    """Return towards whom an action on a leg goes."""
    return _PARTY.get((leg, kind), "INST")


def closes_ms(biz_date: str, closes: str) -> int:
    """Return when a business date is over (§4.3). closes: HH:MM from the date's own midnight, 24:30 being half an hour
    after it. A run before that only looks: nothing is derived of a day that is still going on."""
    hours, minutes = closes.split(":")
    return day_start_ms(date.fromisoformat(biz_date)) + (int(hours) * 60 + int(minutes)) * 60_000


def escalates_ms(biz_date: str) -> int:
    """T+3: when a case of a date is everybody's business."""
    return day_start_ms(date.fromisoformat(biz_date) + timedelta(days=ESCALATES_DAYS))


@attrs.frozen(kw_only=True)
class Standing:
    """What the open differences of one day say. legs: those with one that is open or waits; carried: some are carried
    to a later day."""

    legs: frozenset[str] = frozenset()
    carried: bool = False


def standing_of(diffs: Iterable[tuple[str, str, bool]]) -> Standing:
    """diffs: (leg, state, agreed)."""
    legs, carried = set(), False
    for leg, state, agreed in diffs:
        if state in ("OPEN", "WAIT") and not agreed:
            legs.add(leg)
        carried = carried or state == "CARRIED"
    return Standing(legs=frozenset(legs), carried=carried)


def day_state(standing: Standing, missing: Collection[str]) -> str:
    """Return the state of a day (§4.2). missing: ledgers that are not there or not complete."""
    if missing:
        return "WAIT_INPUT"
    first = min(standing.legs, default="")
    if first:
        return f"{first}_DIFF"
    return "AGREED_WITH_CARRY" if standing.carried else "AGREED"


def city_state(institutions: Collection[str], own: Standing, waits_for_province: bool) -> str:
    """Return the state of the city's day: nothing of it is agreed before every institution's day is."""
    if "WAIT_INPUT" in institutions:
        return "WAIT_INPUT"
    if "L1_DIFF" in institutions:
        return "L1_DIFF"
    if own.legs:
        return day_state(own, ())
    if waits_for_province:
        return "L1_AGREED"
    carried = own.carried or "AGREED_WITH_CARRY" in institutions
    return "AGREED_WITH_CARRY" if carried else "AGREED"
