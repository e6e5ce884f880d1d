"""The table of planted bugs does not rot, and the hunt for them works. All of them: `make mutants`."""

from collections import Counter

import attrs
import pytest
from mutation import Mutation
from mutations import MUTATIONS
from run import ROOT, hunted, planted

QUICK = ("SENT written after sending", "the delivered flag not in the same commit", "wrong omsgid")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_every_bug_can_still_be_planted_and_the_file_still_compiles(mutation: Mutation) -> None:
    compile(planted(mutation), mutation.file, "exec")
    assert mutation.why
    assert all((ROOT / name).exists() for name in mutation.tests)


def test_no_bug_stands_in_the_table_twice() -> None:
    assert len(MUTATIONS) >= 30
    assert max(Counter(one.name for one in MUTATIONS).values()) == 1
    assert max(Counter((one.file, one.old, one.new) for one in MUTATIONS).values()) == 1


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_noticed(name: str) -> None:
    outcome = hunted(next(one for one in MUTATIONS if one.name == name), seeds=3)
    assert outcome.by, outcome.note


def test_what_breaks_nothing_and_what_does_not_start_are_no_kills() -> None:
    same = attrs.evolve(MUTATIONS[0], name="nothing planted", new=MUTATIONS[0].old)
    assert not hunted(same, seeds=1).by
    dead = attrs.evolve(MUTATIONS[0], name="does not start", new="        return _no_such(\n")
    outcome = hunted(dead, seeds=1)
    assert not outcome.by
    assert outcome.note.startswith("does not start")
