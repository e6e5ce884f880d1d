"""The settlement machine: every (state, input) pair is a transition, a deliberate loop or, with a reason, impossible.

Expected states and effects: reversal specification §3, §4.2 step 1 (late window), §9 (order of writing), I11.
"""

from typing import Any

import pytest
from automat import NoTransition

from gateway.core.model import TERMINAL
from gateway.exchange import machine as machine_module
from gateway.exchange.machine import Effects, Note, Open, Record, Send, Settlement, new_settlement

INPUTS = ("begin", "wait", "durable", "acked", "rejected", "never_left", "fell_silent", "unclear")
LATE = (Note("LATE_RESPONSE"),)

# How to get a machine into each state.
PATHS: dict[str, tuple[str, ...]] = {
    "received": (),
    "queued": ("wait",),
    "marking": ("begin",),
    "sent": ("begin", "durable"),
    "listening": ("begin", "durable", "fell_silent"),
    "in_doubt": ("begin", "durable", "unclear"),
    "ended": ("begin", "durable", "acked"),
}

# (state, input) -> (effects, next state)
DECLARED: dict[tuple[str, str], tuple[Effects, str]] = {
    ("received", "begin"): ((Open("SENT"),), "marking"),
    ("received", "wait"): ((Open("JOURNALED"),), "queued"),
    ("queued", "begin"): ((Record("JOURNALED", "SENT", tell=False),), "marking"),
    ("queued", "never_left"): ((Record("JOURNALED", "NOT_SENT"),), "ended"),
    ("marking", "durable"): ((Send(),), "sent"),
    ("sent", "acked"): ((Record("SENT", "ACKED"),), "ended"),
    ("sent", "rejected"): ((Record("SENT", "REJECTED"),), "ended"),
    ("sent", "never_left"): ((Record("SENT", "NOT_SENT"),), "ended"),
    ("sent", "unclear"): ((Record("SENT", "IN_DOUBT"),), "in_doubt"),
    ("sent", "fell_silent"): ((Record("SENT", "IN_DOUBT", tell=False),), "listening"),
    ("listening", "acked"): ((Record("IN_DOUBT", "ACKED"),), "ended"),
    ("listening", "rejected"): ((Record("IN_DOUBT", "REJECTED"),), "ended"),
    ("listening", "unclear"): ((Record("IN_DOUBT", "IN_DOUBT"),), "in_doubt"),
    ("in_doubt", "acked"): (LATE, "in_doubt"),
    ("in_doubt", "rejected"): (LATE, "in_doubt"),
    ("in_doubt", "unclear"): (LATE, "in_doubt"),
    ("ended", "acked"): (LATE, "ended"),
    ("ended", "rejected"): (LATE, "ended"),
    ("ended", "unclear"): (LATE, "ended"),
}

_ASKED = "the lane calls a request once"
_NOT_ON_THE_WAY = "nothing is on its way to the platform in this state"
_MARK = "the mark is written once"
IMPOSSIBLE: dict[tuple[str, str], str] = {
    **{("received", name): _NOT_ON_THE_WAY for name in ("acked", "rejected", "fell_silent", "unclear")},
    ("received", "durable"): "no row was handed to the journal yet",
    ("received", "never_left"): "a request that was never taken has no row to end",
    **{("queued", name): _NOT_ON_THE_WAY for name in ("acked", "rejected", "fell_silent", "unclear")},
    ("queued", "wait"): _ASKED,
    ("queued", "durable"): "its row has no mark yet; JOURNALED becoming durable changes nothing",
    **{("marking", name): _NOT_ON_THE_WAY for name in ("acked", "rejected", "never_left", "fell_silent", "unclear")},
    ("marking", "begin"): _ASKED,
    ("marking", "wait"): _ASKED,
    ("sent", "begin"): _ASKED,
    ("sent", "wait"): _ASKED,
    ("sent", "durable"): _MARK,
    ("listening", "begin"): _ASKED,
    ("listening", "wait"): _ASKED,
    ("listening", "durable"): _MARK,
    ("listening", "never_left"): "its bytes left long ago; a late access-layer refusal counts as unclear",
    ("listening", "fell_silent"): "the link falls silent once",
    **{(state, "begin"): _ASKED for state in ("in_doubt", "ended")},
    **{(state, "wait"): _ASKED for state in ("in_doubt", "ended")},
    **{(state, "durable"): _MARK for state in ("in_doubt", "ended")},
    **{(state, "never_left"): "the link tells one outcome" for state in ("in_doubt", "ended")},
    **{(state, "fell_silent"): "silence comes before the outcome" for state in ("in_doubt", "ended")},
}


def in_state(state: str) -> Settlement:
    machine = new_settlement()
    for name in PATHS[state]:
        feed(machine, name)
    assert state_of(machine) == state
    return machine


def feed(machine: Settlement, name: str) -> Effects:
    effects: Effects = getattr(machine, name)()
    return effects


def state_of(machine: Any) -> str:
    name: str = machine.standing.name
    return name


def test_every_pair_is_declared_or_impossible_and_never_both() -> None:
    every = {(state, name) for state in PATHS for name in INPUTS}
    assert DECLARED.keys() | IMPOSSIBLE.keys() == every
    assert not DECLARED.keys() & IMPOSSIBLE.keys()
    assert set(INPUTS) == {name for name in vars(Settlement) if not name.startswith("_")}


@pytest.mark.parametrize(("state", "name"), sorted(DECLARED))
def test_a_declared_pair_gives_its_effects_and_its_next_state(state: str, name: str) -> None:
    machine = in_state(state)
    effects, next_state = DECLARED[state, name]
    assert feed(machine, name) == effects
    assert state_of(machine) == next_state


@pytest.mark.parametrize(("state", "name"), sorted(IMPOSSIBLE))
def test_an_impossible_pair_is_refused_and_changes_nothing(state: str, name: str) -> None:
    machine = in_state(state)
    with pytest.raises(NoTransition):
        feed(machine, name)
    assert state_of(machine) == state


def test_the_table_does_what_automat_does_with_every_input_in_every_state() -> None:
    theirs_of = machine_module._build().build()
    for path in PATHS.values():
        for name in INPUTS:
            theirs, ours = theirs_of(machine_module.Facts()), new_settlement()
            for step in path:
                feed(theirs, step)
                feed(ours, step)
            assert _result(theirs, name) == _result(ours, name), (path, name)
            assert theirs.__automat_transitioner__._state.name == state_of(ours), (path, name)  # type: ignore[attr-defined]


def _result(machine: Settlement, name: str) -> Effects | str:
    try:
        return feed(machine, name)
    except NoTransition as refused:
        return f"{getattr(refused.state, 'name', refused.state)} {refused.symbol}"


def test_no_path_sends_before_its_mark_is_durable_or_sends_twice() -> None:
    for path in walks(7):
        seen = 0
        machine = new_settlement()
        for position, name in enumerate(path):
            sends = feed(machine, name).count(Send())
            assert not sends or path[position] == "durable"
            seen += sends
        assert seen <= 1, path


def test_records_of_every_walk_form_one_chain_that_a_terminal_state_ends() -> None:
    """I2: the state column is a projection of the events: each Record starts where the one before it ended."""
    longest = 0
    for path in walks(8):
        state = ""
        for effect in effects_along(path):
            if isinstance(effect, Open):
                assert state == ""
                state = effect.state
            elif isinstance(effect, Record):
                assert effect.was == state, path
                assert state not in TERMINAL, path
                state = effect.to
        longest = max(longest, len(path))
    assert longest == 8


def walks(steps: int) -> list[tuple[str, ...]]:
    """Every sequence of possible inputs up to so many."""
    found: list[tuple[str, ...]] = [()]
    frontier: list[tuple[tuple[str, ...], str]] = [((), "received")]
    for _ in range(steps):
        frontier = [
            ((*path, name), target)
            for path, state in frontier
            for (where, name), (_, target) in DECLARED.items()
            if where == state
        ]
        found += [path for path, _ in frontier]
    return found


def effects_along(path: tuple[str, ...]) -> list[object]:
    machine = new_settlement()
    return [effect for name in path for effect in feed(machine, name)]
