"""How doubt ends: the machine's every (state, input) pair, and the tables that choose the input.

Expected values: reversal specification §4.2, §4.3 (asking), §5.1 (times), §5.2 (answers), §5.3 ("not found").
"""

from typing import Any, get_args

import attrs
import pytest
from automat import NoTransition

from gateway.core.model import Saf
from gateway.exchange.resolution import (
    Answer,
    Ask,
    Attempt,
    Compare,
    Effects,
    End,
    Finding,
    Policy,
    Queue,
    Resolution,
    Step,
    Wait,
    first_step,
    new_resolution,
    next_time_ms,
    weigh_answer,
    weigh_comparison,
    weigh_finding,
)

INPUTS = (
    "ask", "found", "nothing", "reverse", "resume", "attempt", "undone", "absent", "again", "compare", "beyond_us",
)  # fmt: skip

# How to get a machine into each state.
PATHS: dict[str, tuple[str, ...]] = {
    "doubt": (),
    "asking": ("ask",),
    "due": ("reverse",),
    "attempting": ("reverse", "attempt"),
    "comparing": ("compare",),
    "ended": ("reverse", "attempt", "undone"),
    "manual": ("beyond_us",),
}

# (state, input) -> (effects, next state)
DECLARED: dict[tuple[str, str], tuple[Effects, str]] = {
    ("doubt", "ask"): ((Ask(),), "asking"),
    ("doubt", "reverse"): ((Queue(),), "due"),
    ("doubt", "resume"): ((), "due"),  # the row is durable already
    ("doubt", "beyond_us"): ((End("manual"),), "manual"),
    ("asking", "ask"): ((Ask(),), "asking"),
    ("asking", "found"): ((End("confirmed"),), "ended"),
    ("asking", "nothing"): ((End("nothing"),), "ended"),
    ("asking", "reverse"): ((Queue(),), "due"),
    ("asking", "beyond_us"): ((End("manual"),), "manual"),
    ("due", "attempt"): ((Attempt(),), "attempting"),
    ("due", "beyond_us"): ((End("manual"),), "manual"),
    ("attempting", "undone"): ((End("undone"),), "ended"),
    ("attempting", "absent"): ((End("absent"),), "ended"),
    ("attempting", "again"): ((Wait(),), "due"),
    ("attempting", "beyond_us"): ((End("manual"),), "manual"),
    **{(state, "compare"): ((Compare(),), "comparing") for state in ("doubt", "asking", "due", "attempting")},
    ("comparing", "found"): ((End("confirmed"),), "ended"),
    ("comparing", "nothing"): ((End("nothing"),), "ended"),
    ("comparing", "absent"): ((End("absent"),), "ended"),
    ("comparing", "beyond_us"): ((End("manual"),), "manual"),
}

_NOBODY_ASKED = "nobody was asked"
_NOTHING_SENT = "no 2601 is on its way"
_ON_THE_QUEUE = "its reversal is durable: it will be sent, and what a query says now comes too late"
_LAST = "the statement is the last question"
_OVER = "its end is durable, and ends never change (I2)"
_QUERIES, _ANSWERS = ("ask", "found", "nothing"), ("undone", "absent", "again")
IMPOSSIBLE: dict[tuple[str, str], str] = {
    **{("doubt", name): _NOBODY_ASKED for name in ("found", "nothing")},
    **{("doubt", name): _NOTHING_SENT for name in _ANSWERS},
    ("doubt", "attempt"): "a sending needs a row on the queue first",
    **{("asking", name): _NOTHING_SENT for name in _ANSWERS},
    ("asking", "attempt"): "a sending needs a row on the queue first",
    ("asking", "resume"): "a restart begins in doubt",
    **{("due", name): _ON_THE_QUEUE for name in _QUERIES},
    **{("due", name): _NOTHING_SENT for name in _ANSWERS},
    ("due", "reverse"): "at most one live reversal (RV5)",
    ("due", "resume"): "a restart begins in doubt",
    **{("attempting", name): _ON_THE_QUEUE for name in _QUERIES},
    ("attempting", "reverse"): "at most one live reversal (RV5)",
    ("attempting", "attempt"): "one in flight a lane (X32)",
    ("attempting", "resume"): "a restart begins in doubt",
    **{("comparing", name): _LAST for name in ("ask", "reverse", "resume", "attempt", "undone", "again", "compare")},
    **{(state, name): _OVER for state in ("ended", "manual") for name in INPUTS},
}


def in_state(state: str) -> Resolution:
    machine = new_resolution()
    for name in PATHS[state]:
        feed(machine, name)
    assert state_of(machine) == state
    return machine


def feed(machine: Resolution, name: str) -> Effects:
    effects: Effects = getattr(machine, name)()
    return effects


def state_of(machine: Any) -> str:
    name: str = machine.__automat_transitioner__._state.name
    return name


def test_every_pair_is_declared_or_impossible_and_never_both() -> None:
    every = {(state, name) for state in PATHS for name in INPUTS}
    assert DECLARED.keys() | IMPOSSIBLE.keys() == every
    assert not DECLARED.keys() & IMPOSSIBLE.keys()
    assert set(INPUTS) == {name for name in vars(Resolution) if not name.startswith("_")}


def test_every_step_that_can_be_weighed_is_an_input_of_the_machine() -> None:
    assert set(get_args(Step)) == set(INPUTS) - {"resume"}


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


def walks(steps: int) -> list[tuple[str, ...]]:
    """Every sequence of possible inputs up to so many."""
    found: list[tuple[str, ...]] = [()]
    frontier: list[tuple[tuple[str, ...], str]] = [((), "doubt")]
    for _ in range(steps):
        frontier = [
            ((*path, name), target)
            for path, state in frontier
            for (where, name), (_, target) in DECLARED.items()
            if where == state
        ]
        found += [path for path, _ in frontier]
    return found


def test_no_walk_sends_without_a_durable_row_or_ends_twice() -> None:
    longest = 0
    for path in walks(8):
        machine = new_resolution()
        effects = [effect for name in path for effect in feed(machine, name)]
        sendings, ends = effects.count(Attempt()), [one for one in effects if isinstance(one, End)]
        assert effects.count(Queue()) + path.count("resume") >= (1 if sendings else 0), path
        assert effects.count(Queue()) <= 1, path
        assert len(ends) <= 1, path
        assert not ends or effects[-1] == ends[0], path
        longest = max(longest, len(path))
    assert longest == 8


# --- the tables -------------------------------------------------------------------------------------------------------

QUIESCE_MS = 120_000
POLICY = Policy(
    asks=(3.0, 5.0, 12.0), confirm=False, cancels=False, reversible=True, consistent=True, quiesce_ms=QUIESCE_MS,
    refusals_max=3, schedule_s=(0.0, 5.0, 15.0, 45.0), attempts_alarm=6, give_up_s=86400.0,
)  # fmt: skip
ROW = Saf(id=1, original_id=1, state="QUEUED", opened_ms=0, sent_ms=1_000_000)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "ask"),
        ({"asks": ()}, "reverse"),  # Q4
        ({"asks": (), "reversible": False}, "beyond_us"),
        ({"reversible": False}, "ask"),
    ],
)
def test_a_doubt_is_asked_about_where_it_can_be_else_reversed_else_given_to_a_person(
    changes: dict[str, Any], expected: str
) -> None:
    assert first_step(attrs.evolve(POLICY, **changes)) == expected


_KEPT = {"confirm": True}
_UNDO = {"cancels": True, "confirm": True}  # a cancellation that took place is kept
_HUNAN = {**_UNDO, "reversible": False}


@pytest.mark.parametrize(
    ("finding", "changes", "asked", "quiet", "expected"),
    [
        # A settlement that is there: kept where the profile says so, else reversed (§4.2).
        ("found", {}, 1, False, "reverse"),
        ("found", _KEPT, 1, False, "found"),
        ("found", {"reversible": False}, 1, False, "found"),  # nobody could take it back
        # Nothing there: proves it only late enough and only where queries are consistent.
        ("nothing", {}, 1, True, "nothing"),
        ("nothing", {}, 1, False, "ask"),
        ("nothing", {}, 3, False, "reverse"),
        ("nothing", {"consistent": False}, 1, True, "ask"),
        ("nothing", {"consistent": False}, 3, True, "reverse"),
        ("nothing", {"consistent": False, "reversible": False}, 3, True, "beyond_us"),
        ("nothing", _UNDO, 1, True, "ask"),  # of a cancellation "nothing" says nothing
        # Don't know.
        ("unknown", _KEPT, 2, True, "ask"),
        ("unknown", _KEPT, 3, True, "reverse"),
        ("unknown", _HUNAN, 3, True, "beyond_us"),
        # A cancellation (§4.3).
        ("found", _UNDO, 1, False, "found"),
        ("normal", _UNDO, 1, False, "ask"),
        ("normal", _UNDO, 1, True, "reverse"),
        ("normal", _HUNAN, 1, True, "ask"),
        ("normal", _HUNAN, 3, True, "beyond_us"),
    ],
)
def test_what_follows_from_a_query(
    finding: Finding, changes: dict[str, Any], asked: int, quiet: bool, expected: str
) -> None:
    assert weigh_finding(finding, attrs.evolve(POLICY, **changes), asked, quiet) == expected


@pytest.mark.parametrize(
    ("answer", "refusals", "quiet", "over", "expected"),
    [
        ("done", 0, False, False, "undone"),
        ("done", 9, False, True, "undone"),  # proved is proved, however late
        ("not_found", 0, False, False, "again"),
        ("not_found", 0, True, False, "absent"),
        ("not_found", 0, False, True, "beyond_us"),
        ("not_found", 0, True, True, "absent"),
        ("impossible", 0, True, False, "beyond_us"),
        ("refused", 3, True, False, "again"),  # the first, and two of the three repeats
        ("refused", 4, True, False, "beyond_us"),
        ("refused", 1, True, True, "beyond_us"),
        ("silent", 0, True, False, "again"),
        ("silent", 0, True, True, "beyond_us"),
        ("never_left", 0, True, False, "again"),
        ("never_left", 0, True, True, "beyond_us"),
    ],
)
def test_what_follows_from_an_answer_to_2601(
    answer: Answer, refusals: int, quiet: bool, over: bool, expected: str
) -> None:
    assert weigh_answer(answer, POLICY, attrs.evolve(ROW, refusals=refusals), quiet, over) == expected


@pytest.mark.parametrize("answer", ["silent", "refused", "never_left", "impossible", "done"])
@pytest.mark.parametrize(("attempt", "delay_s"), [(0, 0), (1, 5), (2, 15), (3, 45), (4, 45), (99, 45)])
def test_the_next_sending_is_due_by_the_schedule_and_its_last_delay_repeats(
    answer: Answer, attempt: int, delay_s: int
) -> None:
    row = attrs.evolve(ROW, attempt=attempt)
    assert next_time_ms(answer, POLICY, row, 7_000_000, 0.5) == 7_000_000 + delay_s * 1000


def test_a_fifth_of_chance_is_added_or_taken_away() -> None:
    row = attrs.evolve(ROW, attempt=3)
    assert next_time_ms("silent", POLICY, row, 0, 0.0) == 36_000
    assert next_time_ms("silent", POLICY, row, 0, 0.999999) in (53_999, 54_000)


def test_after_not_found_the_next_sending_waits_until_it_can_be_believed_without_chance() -> None:
    row = attrs.evolve(ROW, attempt=1)
    for dice in (0.0, 0.9):
        assert next_time_ms("not_found", POLICY, row, 7_000_000, dice) == 7_000_000 + QUIESCE_MS


@pytest.mark.parametrize(
    ("finding", "cancels", "proves", "queued", "expected"),
    [
        ("found", False, True, True, "beyond_us"),  # it names no setl_id: no success to hand on
        ("found", True, True, False, "found"),
        ("nothing", False, True, True, "absent"),
        ("nothing", False, True, False, "nothing"),
        ("nothing", False, False, True, "beyond_us"),  # a region whose statements do not prove it
        ("nothing", True, True, False, "beyond_us"),  # §4.3: still normal is a person's business
        ("unknown", False, True, True, "beyond_us"),
        ("unknown", True, True, False, "beyond_us"),
    ],
)
def test_what_a_daily_statement_means(
    finding: Finding, cancels: bool, proves: bool, queued: bool, expected: str
) -> None:
    policy = attrs.evolve(POLICY, cancels=cancels, proves=proves)
    assert weigh_comparison(finding, policy, queued) == expected
