"""Lanes: money of one insured person runs one request at a time, across the institutions of this node.

A lane with a request on its way makes the next one wait (bounded); a lane in doubt refuses at once, since a person
stands at the counter. Rebuilt from the journal before the listener opens. Source: reversal specification §7.
"""

from collections.abc import Callable, Iterable

import attrs

from gateway.core.model import DOUBT, Entry

WAITING_MAX = 8
AT_ONCE_S = 0.09  # whom a lane in doubt refuses is answered within 100 ms (I10), however slow the disk is


def call_each(calls: Iterable[Callable[[], None]]) -> None:
    """Call all of them; the first fault is raised when everybody had his turn."""
    fault: Exception | None = None
    for call in calls:
        try:
            call()
        except Exception as cause:  # boundary: one request's fault must not silence the others
            fault = fault or cause
    if fault is not None:
        raise fault


@attrs.define
class _Lane:
    holder: Entry
    waiting: list[Callable[[], None]] = attrs.Factory(list)


@attrs.define(eq=False)
class Lanes:
    """Who holds each lane. A holder whose state is IN_DOUBT or REVERSING blocks it."""

    _lanes: dict[str, _Lane] = attrs.Factory(dict)
    _visits: dict[tuple[str, str], Entry] = attrs.Factory(dict)

    def holder(self, lane: str) -> Entry | None:
        found = self._lanes.get(lane) if lane else None
        return None if found is None else found.holder

    def undoing(self, original: Entry) -> bool:
        """Say whether an institution's own reversal of this very record is on its way or in doubt."""
        holder = self.holder(original.lane)
        if holder is None or holder.klass != "R":
            return False
        return (holder.fixmedins_code, holder.omsgid) == (original.fixmedins_code, original.msgid)

    def blocked_visit(self, institution: str, mdtrt_id: str) -> Entry | None:
        """Return the record in doubt on this visit: its details must not change under it."""
        found = self._visits.get((institution, mdtrt_id)) if mdtrt_id else None
        return found if found is not None and found.state in DOUBT else None

    def held(self) -> list[str]:
        """Return the lanes somebody holds."""
        return list(self._lanes)

    def in_doubt(self) -> int:
        """Return how many lanes are held by a record whose outcome is not known."""
        return sum(lane.holder.state in DOUBT for lane in self._lanes.values())

    def enter(self, entry: Entry) -> bool:
        """Take the lane; False when somebody holds it. Requests without a lane always pass."""
        if entry.lane:
            if entry.lane in self._lanes:
                return False
            self._lanes[entry.lane] = _Lane(entry)
        if entry.mdtrt_id:
            self._visits[entry.fixmedins_code, entry.mdtrt_id] = entry
        return True

    def wait(self, entry: Entry, call: Callable[[], None]) -> bool:
        """Queue behind the holder; False when too many wait already."""
        lane = self._lanes[entry.lane]
        if len(lane.waiting) >= WAITING_MAX:
            return False
        lane.waiting.append(call)
        return True

    def leave(self, entry: Entry) -> None:
        """Give the lane up; the next in line is called and must enter by itself."""
        visit = (entry.fixmedins_code, entry.mdtrt_id)
        if self._visits.get(visit) is entry:
            del self._visits[visit]
        lane = self._lanes.get(entry.lane) if entry.lane else None
        if lane is None or lane.holder is not entry:
            return
        del self._lanes[entry.lane]
        waiting = lane.waiting
        fault: Exception | None = None
        while waiting and entry.lane not in self._lanes:
            try:
                waiting.pop(0)()
            except Exception as cause:  # boundary: whoever stumbles leaves the others in line
                fault = fault or cause
        if waiting:
            self._lanes[entry.lane].waiting.extend(waiting)
        if fault is not None:
            raise fault

    def release_waiting(self, entry: Entry) -> list[Callable[[], None]]:
        """Return and forget those who wait behind a holder that fell into doubt: they are refused, not kept."""
        lane = self._lanes.get(entry.lane)
        if lane is None or lane.holder is not entry:
            return []
        waiting, lane.waiting = lane.waiting, []
        return waiting
