"""What a hospital keeps of a discharged patient: the whole list, which its pieces come to again."""

from typing import Any

import pytest
from counter import translated
from sheets import Ready

from gateway.app.lists_rules import domains, patterns, rule_set
from gateway.lists.checking import examine
from gateway.lists.collecting import Piece, merged
from gateway.lists.world import Surroundings
from simulators.day import MORE_STAYS, day_of
from simulators.discharged import pieces
from simulators.people import person
from simulators.stay import Ward
from simulators.wording import Json

# Codes of its own are no national ones; how they are translated is the gateway's.
OWN_CODES = {"SL-F006", "SL-G003", "SL-G018", "SL-O002", "SL-O006"}


def kept(*numbers: int, **how: Any) -> list[Json]:
    ready = Ready()
    found: list[Json] = []
    ready.counter.translate = translated
    for number in numbers:
        assert ready.counter.play(Ward(ready.home).stay(person(number), keep=found.append, **how)) == ""
    assert not ready.counter.platform.books.lists.kept  # nothing was sent by itself
    return found


@pytest.mark.parametrize("number", [1, 5, 12, 33])
def test_the_list_breaks_no_rule_but_for_its_own_codes(number: int) -> None:
    (whole,) = kept(number)
    found = examine(whole, rule_set(), Surroundings(domains(), patterns())).findings
    assert {one.rule for one in found if one.level == "error"} == OWN_CODES


def test_the_list_of_a_stay_settled_twice_is_that_of_the_settlement_in_force() -> None:
    (whole,) = kept(5, refund=True)
    found = examine(whole, rule_set(), Surroundings(domains(), patterns())).findings
    assert {one.rule for one in found if one.level == "error"} == OWN_CODES


def test_the_pieces_come_to_the_whole() -> None:
    (whole,) = kept(1)
    found = merged([Piece(kind, tree) for kind, tree in pieces(whole)], rule_set().nodes)
    said = {name: value for name, value in whole["setlinfo"].items() if value not in ("", "-")}
    assert found.conflicts == () and found.tree["setlinfo"] == said
    assert all(found.tree.get(node, []) == whole[node] for node in whole if node != "setlinfo")


def test_more_patients_stay_where_their_lists_are_kept() -> None:
    ready = Ready()
    plain, more = len(day_of(ready.home, 14, 0)), len(day_of(ready.home, 14, 0, keep=lambda one: None))
    assert more - plain == MORE_STAYS
