"""What becomes of a doubt: it is asked about, reversed, or given to a person. The second page of the machine. Pure.

An input returns the effects it wants and performs none. `weigh` turns an answer into an input; everything that decides
the next state is in this file. Source: reversal specification §4 (resolving), §5 (reversals), RV11; decision 0006.

    doubt ──ask──► asking ──found──► ended (CONFIRMED)
      │              ├──nothing──► ended (ABSENT)
      │              ├──ask──► asking (again, later)
      └──reverse─────┴──reverse──► due ──attempt──► attempting ──undone──► ended (REVERSED)
                                    ▲                  ├──absent──► ended (REVERSED, nothing was booked)
                                    └──────again───────┘
      doubt, asking, due, attempting ──compare──► comparing ──found, nothing, absent──► ended
      any of these ──beyond_us──► manual
"""

from typing import Any, Literal, Protocol

import attrs
from automat import TypeMachineBuilder

from gateway.core.model import Saf

# What an answer to 2601 says (§5.2). silent: none that can be read; refused: a business error nobody has words for.
Answer = Literal["done", "not_found", "impossible", "refused", "silent", "never_left"]
# What a query says of the settlement in doubt; normal: of a cancellation, the settlement still stands.
Finding = Literal["found", "nothing", "normal", "unknown"]
How = Literal["confirmed", "nothing", "undone", "absent", "manual"]
Step = Literal["ask", "found", "nothing", "reverse", "attempt", "undone", "absent", "again", "compare", "beyond_us"]


@attrs.frozen
class Ask:
    """Ask the platform what it knows."""


@attrs.frozen
class Compare:
    """Ask for the daily statement: the last question before a person (Q5)."""


@attrs.frozen
class Queue:
    """Make the reversal durable: its row on the queue, and the record's state, in one commit."""


@attrs.frozen
class Attempt:
    """Send 2601 under a msgid of its own, once that is durable."""


@attrs.frozen
class Wait:
    """Put the row back on the queue until its next time."""


@attrs.frozen
class End:
    """Make the end durable; then the lane is free and whoever waits hears it."""

    how: How


Effect = Ask | Compare | Queue | Attempt | Wait | End
Effects = tuple[Effect, ...]


class Resolution(Protocol):
    """What can happen to one record in doubt."""

    def ask(self) -> Effects:
        """There is somebody to ask, and time to."""

    def found(self) -> Effects:
        """The platform has it, and late successes are kept."""

    def nothing(self) -> Effects:
        """The platform certainly does not have it, and will not."""

    def reverse(self) -> Effects:
        """Nobody can tell, or it is to be taken back."""

    def resume(self) -> Effects:
        """A restart found the reversal on the queue."""

    def attempt(self) -> Effects:
        """It is time, and the link has room."""

    def undone(self) -> Effects:
        """The platform says it is taken back."""

    def absent(self) -> Effects:
        """The platform says there is nothing to take back, late enough to be believed (§5.3)."""

    def again(self) -> Effects:
        """No end yet."""

    def compare(self) -> Effects:
        """Nothing else can end it, and a daily statement may."""

    def beyond_us(self) -> Effects:
        """Limits are reached, or the platform says that it cannot be undone."""


@attrs.define
class Nothing:
    """The machine needs no facts of its own: `weigh` has them."""


def _build() -> TypeMachineBuilder[Resolution, Nothing]:
    builder = TypeMachineBuilder(Resolution, Nothing)
    doubt = builder.state("doubt")
    asking = builder.state("asking")
    due = builder.state("due")
    attempting = builder.state("attempting")
    comparing = builder.state("comparing")
    ended = builder.state("ended")
    manual = builder.state("manual")

    def when(before: Any, given: Any, after: Any, *effects: Effect) -> None:  # Any: Automat's types are internal
        before.upon(given).to(after)(lambda machine, nothing: effects)

    when(doubt, Resolution.ask, asking, Ask())
    when(doubt, Resolution.reverse, due, Queue())
    when(doubt, Resolution.resume, due)
    when(doubt, Resolution.beyond_us, manual, End("manual"))
    when(asking, Resolution.ask, asking, Ask())
    when(asking, Resolution.found, ended, End("confirmed"))
    when(asking, Resolution.nothing, ended, End("nothing"))
    when(asking, Resolution.reverse, due, Queue())
    when(asking, Resolution.beyond_us, manual, End("manual"))
    when(due, Resolution.attempt, attempting, Attempt())
    when(due, Resolution.beyond_us, manual, End("manual"))
    when(attempting, Resolution.undone, ended, End("undone"))
    when(attempting, Resolution.absent, ended, End("absent"))
    when(attempting, Resolution.again, due, Wait())
    when(attempting, Resolution.beyond_us, manual, End("manual"))
    for before in (doubt, asking, due, attempting):
        when(before, Resolution.compare, comparing, Compare())
    when(comparing, Resolution.found, ended, End("confirmed"))
    when(comparing, Resolution.nothing, ended, End("nothing"))
    when(comparing, Resolution.absent, ended, End("absent"))
    when(comparing, Resolution.beyond_us, manual, End("manual"))
    return builder


_factory = _build().build()


def new_resolution() -> Resolution:
    """Return the machine of one record in doubt."""
    return _factory(Nothing())


# --- deciding ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Policy:
    """How one record's doubt is ended; from its link, region and transaction.

    asks: when queries are sent, counted from the doubt, () = reverse at once (Q4). confirm: a settlement found stays.
    cancels: the record is a cancellation. reversible: 2601 may take it back. consistent: a query that finds nothing
    proves it, once quiesce_ms have passed since it was sent. give_up_s: how long in all. compares: the daily statement
    is asked for before a person takes over; proves: one without its row proves that there is nothing. order: it is
    asked about as an order of mobile payment.
    """

    asks: tuple[float, ...]
    confirm: bool
    cancels: bool
    reversible: bool
    consistent: bool
    quiesce_ms: int
    refusals_max: int
    schedule_s: tuple[float, ...]
    attempts_alarm: int
    give_up_s: float
    compares: bool = False
    proves: bool = False
    order: bool = False


def first_step(policy: Policy) -> Step:
    """Return what to do with a doubt."""
    if policy.asks:
        return "ask"
    return "reverse" if policy.reversible else "beyond_us"


def weigh_finding(finding: Finding, policy: Policy, asked: int, quiet: bool) -> Step:
    """Return what follows from a query's result (§4.2, §4.3).

    asked: queries so far; quiet: when this one left, nothing that was still on its way could be booked any more.
    """
    if finding == "found" and (policy.confirm or not policy.reversible):
        return "found"
    if finding == "found":
        return "reverse"
    if finding == "nothing" and policy.consistent and quiet and not policy.cancels:
        return "nothing"
    if finding == "normal" and quiet and policy.reversible:
        return "reverse"
    if asked < len(policy.asks):
        return "ask"
    return "reverse" if policy.reversible else "beyond_us"


def weigh_comparison(finding: Finding, policy: Policy, queued: bool) -> Step:
    """Return what follows from a daily statement (§4.1 Q5); it left when nothing could be booked any more.

    A settlement it shows is no success to hand on: the row names no setl_id. Of a cancellation it is what was missing,
    and that it is missing is a person's business (§4.3). queued: its reversal is on the queue.
    """
    if finding == "found" and policy.cancels:
        return "found"
    if finding == "nothing" and policy.proves and not policy.cancels:
        return "absent" if queued else "nothing"
    return "beyond_us"


def weigh_answer(answer: Answer, policy: Policy, row: Saf, quiet: bool, over: bool) -> Step:
    """Return what follows from an answer to 2601 (§5.2, §5.3). quiet: as above; over: time is up."""
    if answer == "done":
        return "undone"
    if answer == "not_found" and quiet:
        return "absent"
    if answer == "impossible" or over or row.refusals > policy.refusals_max:
        return "beyond_us"
    return "again"


def next_time_ms(answer: Answer, policy: Policy, row: Saf, now_ms: int, dice: float) -> int:
    """Return when the next sending is due, by the schedule ±20 %; after "not found" when that can be believed.

    dice: a number in [0, 1).
    """
    if answer == "not_found":
        return now_ms + policy.quiesce_ms  # at the latest: the driver's own timer knows what is left of it
    delay_s = policy.schedule_s[min(row.attempt, len(policy.schedule_s) - 1)]
    return now_ms + int(delay_s * 1000 * (0.8 + 0.4 * dice))
