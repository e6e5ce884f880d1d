"""The settlement machine: what can happen to one money-moving request, and what is to be done about it.

An input returns the effects it wants and performs none. States are those of the reversal specification §3; `sent` is
split by what is still being waited for. Everything that decides the next state is in this file and in no other.

    received ──begin──► marking ──durable──► sent ──acked──► acked
        └──wait──► queued ──begin──► marking   ├──rejected──► rejected
                                               ├──never_left──► not_sent
                                               ├──fell_silent──► listening (late window) ──► acked | rejected | in_doubt
                                               └──unclear──► in_doubt
"""

from typing import Any, Protocol, cast

import attrs
from automat import NoTransition, TypeMachineBuilder

from gateway.core.model import State


@attrs.frozen
class Record:
    """Make a state durable, from `was` to `to`; then, if `tell`, answer the institution."""

    was: State
    to: State
    tell: bool = True


@attrs.frozen
class Open:
    """Make the row durable in its first state."""

    state: State


@attrs.frozen
class Send:
    """Hand the request to the platform link."""


@attrs.frozen
class Note:
    """Raise an alarm about an answer that came after the end; nothing changes (I11)."""

    what: str


Effect = Record | Open | Send | Note
Effects = tuple[Effect, ...]


class Settlement(Protocol):
    """What can happen to one settlement."""

    def begin(self) -> Effects:
        """The lane is free: the request may go."""

    def wait(self) -> Effects:
        """The lane is busy with a request on its way."""

    def durable(self) -> Effects:
        """The mark "may have been sent" is on disk."""

    def acked(self) -> Effects:
        """A whole valid answer says it is done."""

    def rejected(self) -> Effects:
        """A whole valid answer of the business layer says no."""

    def never_left(self) -> Effects:
        """It is certain that no byte reached the platform, or that the access layer turned it away."""

    def fell_silent(self) -> Effects:
        """The deadline passed; the late window opens."""

    def unclear(self) -> Effects:
        """The answer was cut, unreadable or unbelievable, or the late window closed."""


@attrs.define
class Facts:
    """The machine needs no facts yet; resolving doubt brings them."""


def _build() -> TypeMachineBuilder[Settlement, Facts]:  # noqa: C901  # one machine, one screen
    builder = TypeMachineBuilder(Settlement, Facts)
    received = builder.state("received")
    queued = builder.state("queued")
    marking = builder.state("marking")
    sent = builder.state("sent")
    listening = builder.state("listening")
    in_doubt = builder.state("in_doubt")
    ended = builder.state("ended")

    @received.upon(Settlement.begin).to(marking)
    def open_and_mark(machine: Settlement, facts: Facts) -> Effects:
        return (Open("SENT"),)  # (a) and (b) of §9 in one commit

    @received.upon(Settlement.wait).to(queued)
    def open_only(machine: Settlement, facts: Facts) -> Effects:
        return (Open("JOURNALED"),)

    @queued.upon(Settlement.begin).to(marking)
    def mark(machine: Settlement, facts: Facts) -> Effects:
        return (Record("JOURNALED", "SENT", tell=False),)

    @queued.upon(Settlement.never_left).to(ended)
    def give_up(machine: Settlement, facts: Facts) -> Effects:
        return (Record("JOURNALED", "NOT_SENT"),)

    @marking.upon(Settlement.durable).to(sent)
    def go(machine: Settlement, facts: Facts) -> Effects:
        return (Send(),)

    @sent.upon(Settlement.acked).to(ended)
    def done(machine: Settlement, facts: Facts) -> Effects:
        return (Record("SENT", "ACKED"),)

    @sent.upon(Settlement.rejected).to(ended)
    def refused(machine: Settlement, facts: Facts) -> Effects:
        return (Record("SENT", "REJECTED"),)

    @sent.upon(Settlement.never_left).to(ended)
    def not_sent(machine: Settlement, facts: Facts) -> Effects:
        return (Record("SENT", "NOT_SENT"),)

    @sent.upon(Settlement.unclear).to(in_doubt)
    def doubt(machine: Settlement, facts: Facts) -> Effects:
        return (Record("SENT", "IN_DOUBT"),)

    @sent.upon(Settlement.fell_silent).to(listening)
    def listen(machine: Settlement, facts: Facts) -> Effects:
        # The doubt is durable at once; the institution is answered when the late window closes (X6).
        return (Record("SENT", "IN_DOUBT", tell=False),)

    @listening.upon(Settlement.acked).to(ended)
    def done_late(machine: Settlement, facts: Facts) -> Effects:
        return (Record("IN_DOUBT", "ACKED"),)

    @listening.upon(Settlement.rejected).to(ended)
    def refused_late(machine: Settlement, facts: Facts) -> Effects:
        return (Record("IN_DOUBT", "REJECTED"),)

    @listening.upon(Settlement.unclear).to(in_doubt)
    def window_closed(machine: Settlement, facts: Facts) -> Effects:
        return (Record("IN_DOUBT", "IN_DOUBT"),)

    for state in (in_doubt, ended):
        for late in (Settlement.acked, Settlement.rejected, Settlement.unclear):

            @state.upon(late).loop()
            def too_late(machine: Settlement, facts: Facts) -> Effects:
                return (Note("LATE_RESPONSE"),)

    return builder


@attrs.frozen(eq=False)
class Standing:
    """A state and what every input it takes does: (effects, next state)."""

    name: str
    moves: dict[str, tuple[Effects, "Standing"]]


def _walked(automaton: Any) -> Standing:
    """Return the initial state of a table that does what the automaton does.

    Automat looks its transitions through one by one, 4 microseconds an input and three inputs a request. No effect
    here depends on facts, so each transition's are made once.
    """
    table = {state: Standing(state.name, {}) for state in automaton.states()}
    for state, given, after, outputs in automaton.allTransitions():
        (output,) = outputs
        table[state].moves[given] = output.method(None, Facts()), table[after]
    return table[automaton.initialState]


class _Machine:
    """One request's place in the table. Every input of Settlement is a method; raises NoTransition like Automat's."""

    __slots__ = ("standing",)

    def __init__(self) -> None:
        self.standing = _RECEIVED


def _input(name: str) -> Any:
    def feed(self: _Machine) -> Effects:
        found = self.standing.moves.get(name)
        if found is None:
            raise NoTransition(state=self.standing.name, symbol=name)
        effects, self.standing = found
        return effects

    return feed


_RECEIVED = _walked(_build()._automaton)
for _name in vars(Settlement):
    if not _name.startswith("_"):
        setattr(_Machine, _name, _input(_name))


def new_settlement() -> Settlement:
    """Return the machine of one request, in state received."""
    return cast(Settlement, _Machine())
