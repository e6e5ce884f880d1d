"""An outage under load: what piles up is gone within fifteen minutes of its end, and the link's bounds hold (I8)."""

from typing import Any

import attrs
from exchange_messages import pay
from exchange_rig import Rig, Sent

from gateway.exchange.saf import HALF_OPEN_MAX, IN_FLIGHT_MAX

PER_S = 300
OUTAGE_S, STORM_S = 12, 20
TIMEOUT_S, LATE_S = 5.0, 1.0


@attrs.define(eq=False)
class Platform:
    """Says nothing while it is down; else answers within 20 ms. reversing: 2601 on the road now, most: at once ever."""

    rig: Rig
    down: bool = False
    reversing: int = 0
    most: int = 0
    most_half_open: int = 0

    def __call__(self, one: Sent) -> None:
        reversal = one.message["infno"] == "2601"
        if reversal:
            self.reversing += 1
            self.most = max(self.most, self.reversing)
            if self.rig.link.breaker.state == "half_open":
                self.most_half_open = max(self.most_half_open, self.reversing)
        if self.down:
            self.rig.clock.callLater(TIMEOUT_S, one.listener.silent)
            self.rig.clock.callLater(TIMEOUT_S + LATE_S, self._end, one, reversal, True)
        else:
            self.rig.clock.callLater(0.02, self._end, one, reversal, False)

    def _end(self, one: Sent, reversal: bool, lost: bool) -> None:
        self.reversing -= reversal
        if lost:
            one.listener.lost("no answer")
        elif reversal:
            one.reply(0)
        else:
            one.settled()


def test_after_an_outage_under_load_the_queue_is_empty_in_fifteen_minutes_within_the_links_bounds() -> None:
    rig = Rig(
        timeout_s=TIMEOUT_S,
        late_s=LATE_S,
        settings={"resolve": "Q4"},
        institution={"rate_per_s": 10_000.0, "connections_max": 100_000},
    )
    platform = Platform(rig)
    rig.far.plays = platform
    number = 0
    said: list[Any] = []
    for second in range(STORM_S):
        platform.down = 5 <= second < 5 + OUTAGE_S
        for _ in range(PER_S):
            number += 1
            said.append(rig.post(pay(f"m{number}", f"B{number}", psn_no=f"{number}")))
            rig.run(1 / PER_S)
    doubts = {row.msgid for row in rig.store.journal.rows.values() if row.state in ("IN_DOUBT", "REVERSING")}
    ended = [row.msgid for row in rig.store.journal.rows.values() if row.state == "REVERSED"]
    assert len(doubts) + len(ended) > PER_S, "an outage without doubt proves nothing"
    rig.run(900)
    assert rig.room.office.depth == 0
    states = {row.state for row in rig.store.journal.rows.values() if row.klass == "M"}
    assert states == {"ACKED", "REVERSED"}
    assert rig.room.office.live == {}
    assert platform.most <= IN_FLIGHT_MAX
    assert platform.most_half_open <= HALF_OPEN_MAX
    assert all(caller.status for caller in said)
