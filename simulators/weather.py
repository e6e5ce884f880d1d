"""What may go wrong in a city, and how often: roads, the platform's mistakes and lies, disks, crashes, clocks."""

import attrs

from simulators.faults import Fault


@attrs.frozen(kw_only=True)
class Weather:
    """Chances per event. storm_s: how long it lasts, then it is calm.

    Roads: lost_request (no connection), lost_answer, slow_answer (up to 25 s), cut_answer, reset, garbled_answer,
    server_error, doubled_request (a middle box sends it again), broken_counter (the institution hangs up),
    doubled_counter (it sends the same message twice at once), outage (for minutes no connection at all). Platform:
    system_error, refusal, odd_code (nobody has documented it), foreign_answer (it names another message), mixed_up (a
    query finds another settlement or another total), books_late (says nothing and books up to late_s later), held
    (takes a request up only up to held_s later, longer than it may, and answers then), closes_day (nothing booked
    before can be taken back any more; a chance a minute). Lies, which only the books of other parties can show:
    no_effect (says yes and does nothing), twice (books twice). Gateway: crash (at any write, sending or answer),
    slow_disk, disk_full, disk_broken, clock_jump, jump_under_way (the wall clock jumps while a request is on its way),
    rival (a second gateway opens the same journal). Counters: impatient (reverses by itself when in doubt), takes_back
    (a reversal of what it knows), careless (the same business or another content once more, a reversal of what is not
    its own).
    """

    storm_s: float = 1800.0
    lost_request: float = 0.0
    lost_answer: float = 0.0
    slow_answer: float = 0.0
    cut_answer: float = 0.0
    reset: float = 0.0
    garbled_answer: float = 0.0
    server_error: float = 0.0
    doubled_request: float = 0.0
    broken_counter: float = 0.0
    doubled_counter: float = 0.0
    outage: float = 0.0
    system_error: float = 0.0
    refusal: float = 0.0
    odd_code: float = 0.0
    foreign_answer: float = 0.0
    mixed_up: float = 0.0
    books_late: float = 0.0
    late_s: float = 100.0
    held: float = 0.0
    held_s: float = 131.0
    closes_day: float = 0.0
    no_effect: float = 0.0
    twice: float = 0.0
    crash: float = 0.0
    slow_disk: float = 0.0
    disk_full: float = 0.0
    disk_broken: float = 0.0
    clock_jump: float = 0.0
    jump_under_way: float = 0.0
    rival: float = 0.0
    impatient: float = 0.0
    takes_back: float = 0.0
    careless: float = 0.0


CALM = Weather(storm_s=600.0)
STORM = Weather(
    lost_request=0.02, lost_answer=0.05, slow_answer=0.05, cut_answer=0.02, reset=0.02, garbled_answer=0.01,
    server_error=0.02, doubled_request=0.01, broken_counter=0.03, doubled_counter=0.03, system_error=0.02, refusal=0.02,
    books_late=0.02, crash=0.004, slow_disk=0.02, disk_full=0.002, disk_broken=0.001, clock_jump=0.01, rival=0.001,
    impatient=0.05, takes_back=0.03, odd_code=0.01, foreign_answer=0.01, mixed_up=0.05,
    jump_under_way=0.01,
)  # fmt: skip
CRASHES = attrs.evolve(STORM, crash=0.03, disk_broken=0.01, rival=0.01, broken_counter=0.1)
DISKS = attrs.evolve(STORM, disk_full=0.05, slow_disk=0.2, disk_broken=0.01)
SILENCE = attrs.evolve(STORM, slow_answer=0.3, lost_answer=0.2, books_late=0.15, impatient=0.2)
LIARS = attrs.evolve(STORM, no_effect=0.03, twice=0.03, books_late=0.1)
# By a wall that does not jump the witness can tell how late an answer was believed.
OUTAGES = attrs.evolve(STORM, outage=0.1, slow_answer=0.1, clock_jump=0.0, jump_under_way=0.0)
# No copies: one refused because of another is not remembered, and its copy may be taken when the other is gone.
CARELESS = attrs.evolve(
    SILENCE, careless=0.3, takes_back=0.2, doubled_counter=0.0, odd_code=0.03, foreign_answer=0.03, mixed_up=0.3
)
SLEEPERS = attrs.evolve(STORM, held=0.15, lost_answer=0.02, crash=0.0005, rival=0.0, disk_broken=0.0)
CLOSING = attrs.evolve(SILENCE, closes_day=0.1)
WEATHERS = {
    "storm": STORM, "crashes": CRASHES, "disks": DISKS, "silence": SILENCE, "liars": LIARS, "outages": OUTAGES,
    "careless": CARELESS, "sleepers": SLEEPERS, "closing": CLOSING, "calm": CALM,
}  # fmt: skip
"""By name, for the command line and for a line that replays a failure."""

PLATFORM: tuple[tuple[str, Fault], ...] = (
    ("lost_answer", Fault(drop="silent")),
    ("cut_answer", Fault(truncate_bytes=20)),
    ("reset", Fault(drop="reset")),
    ("garbled_answer", Fault(garbage=True)),
    ("server_error", Fault(http_status=502)),
    ("system_error", Fault(system_error="系统繁忙")),
    ("refusal", Fault(business_error="账户余额不足")),
    ("odd_code", Fault(infcode=-99)),
    ("foreign_answer", Fault(foreign_msgid=True)),
)
