"""Who watches how long a city's reversals wait, and what becomes of answers that come when nobody waits any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from gateway.core.model import LATE, Entry

if TYPE_CHECKING:
    from simulators.city import City
    from simulators.life import Life

AT_MOST_S, OUTAGE_OVER_S = 60.0, 900.0
KEPT_S = 60.0  # a disk may be full that long


@attrs.define(eq=False, repr=False)
class Patience:
    """heard: msgid -> who heard a late answer to it, and when; found: what waited too long.

    Of requests that were held up, _due: msgid -> who could have heard the answer, and when it was there; _missed: those
    whose answer said no success, or came when it had been listened for as long as it must be.
    """

    city: City
    heard: dict[str, list[tuple[Life, float]]] = attrs.Factory(dict)
    _due: dict[str, tuple[Life, float]] = attrs.Factory(dict)
    _missed: set[str] = attrs.Factory(set)
    found: list[str] = attrs.Factory(list)
    _queued_s: dict[int, float] = attrs.Factory(dict)

    def answers(self, life: Life, msgid: str) -> None:
        """An answer came for whoever had given it up (reversal specification §4.4)."""
        self.heard.setdefault(msgid, []).append((life, self.city.clock.now_s))

    def is_due(self, life: Life, msgid: str, at_s: float, success: bool) -> None:
        """The platform has worked on what was held up; its answer is there at at_s, or never (inf)."""
        self._due[msgid] = (life, at_s)
        if not success:
            self._missed.add(msgid)

    def misses(self, msgid: str) -> None:
        """Nobody listened for the answer any more, and nobody had to."""
        self._missed.add(msgid)

    def could_not_hear(self, msgid: str) -> bool:
        """No success was there to be heard, or it came too late, or its gateway ended before it was kept."""
        if msgid in self._missed or msgid not in self._due:
            return msgid in self._missed
        life, at_s = self._due[msgid]
        times = [at_s for one, at_s in self.heard.get(msgid, ()) if one is life]
        return life.ended_s <= (times[0] + KEPT_S if times else at_s)

    def looks(self) -> None:
        """I8, once a minute after the storm: in a calm a reversal ends within 60 s, what a storm left within 15 min.

        One the platform knew nothing of waits until that can be believed (§5.3).
        """
        now_s, journal = self.city.clock.now_s, self.city.journal
        storm_ended_s = self.city.began_s + self.city.weather.storm_s
        for saf in journal.saf.values():
            if saf.state not in ("QUEUED", "INFLIGHT"):
                continue
            first_s = self._queued_s.setdefault(saf.id, now_s)
            allowed_s = OUTAGE_OVER_S if first_s <= storm_ended_s else AT_MOST_S
            if now_s - first_s >= allowed_s and not self._not_found(journal.rows[saf.original_id]):
                self.found.append(f"I8: the reversal of row {saf.original_id} waits for more than {allowed_s:.0f} s")

    def _not_found(self, original: Entry) -> bool:
        """The platform said so of one of its sendings."""
        rows = self.city.journal.rows
        told = (number for number, _, _, reason in self.city.journal.events if reason == "not_found")
        return any(rows[number].omsgid == original.msgid for number in told)

    def faults(self) -> Iterator[str]:
        """Yield what waited too long, every late answer that was heard and not kept, and late successes left alone."""
        journal = self.city.journal
        yield from self.found
        kept = {journal.rows[number].msgid for number, _, _, reason in journal.events if reason.startswith(LATE)}
        for msgid, times in self.heard.items():
            if msgid not in kept and any(life.ended_s > at_s + KEPT_S for life, at_s in times):
                yield f"I11: the late answer to {msgid} was heard and not kept"
        yield from (f"I11: nobody followed the late success of {row.msgid} up" for row in journal.overheard())
