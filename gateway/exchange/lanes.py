"""Lanes: money of one insured person runs one request at a time, across the institutions of this node.

A lane with a request on its way makes the next one wait (bounded); a lane in doubt refuses at once, since a person
stands at the counter. What names its visit and no person (an order of mobile payment) is in the way of everything else
about that visit. Rebuilt from the journal before the listener opens. Source: reversal specification §7.
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

    def in_the_way(self, entry: Entry) -> Entry | None:
        """Return who holds the lane of a request that wants in; or its visit, where one of both names no person."""
        found = self._lanes.get(entry.lane)
        if found is not None:
            return found.holder
        visit = self._visits.get((entry.fixmedins_code, entry.mdtrt_id))
        return visit if visit is not None and not (visit.psn_no and entry.psn_no) else None

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
        """Take lane and visit; False when somebody is in the way. Requests without a lane always pass."""
        if self.in_the_way(entry) is not None:
            return False
        self.take_back(entry)
        return True

    def take_back(self, entry: Entry) -> None:
        """Take a free lane whoever has its visit: an older version let both run side by side, and both are in doubt."""
        if entry.lane:
            self._lanes.setdefault(entry.lane, _Lane(entry))
        if entry.mdtrt_id:
            self._visits[entry.fixmedins_code, entry.mdtrt_id] = entry

    def wait(self, entry: Entry, call: Callable[[], None]) -> bool:
        """Queue behind who is in the way; False when too many wait already."""
        holder = self.in_the_way(entry)
        lane = self._lanes.get(holder.lane) if holder is not None else None
        if lane is None or len(lane.waiting) >= WAITING_MAX:
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
