"""Translations alone, among 300,000 mappings: `python -m bench.lookups`.

Two rows: the plan's own code for the item of a bill line (the compiled row check of 2204, cut down to its two item
fields: find, replace, keep evidence), and the full rules, which are asked where the plan's short way ends.
"""

import gc
import json
import random
import time
from collections.abc import Callable

import attrs

from bench.bodies import HOSPITAL
from bench.idle import MAPPINGS, national
from gateway.app.facts import read_files
from gateway.core.codes import NO_LIBRARIES, Row, Snapshot, build_snapshot
from gateway.core.plan import RowCheck, compile_plan
from gateway.core.regions import build_region
from gateway.core.translation import ITEM, LOCAL_ITEM, Work

LOOKUPS = 400_000
LINES = 10  # of one message
DAY = "2026-03-15"
Line = dict[str, str]


def line_check() -> RowCheck:
    """The compiled check of a bill line that has nothing but its item."""
    region = build_region(read_files(), "national")
    whole = region.transactions["2204"]
    (node,) = (one for one in whole.nodes if one.name == "feedetail")
    items = tuple(field for field in node.fields if field.system in (ITEM, LOCAL_ITEM))
    bare = attrs.evolve(node, fields=items, line_sum=False)
    ((_, check),) = compile_plan(region, attrs.evolve(whole, nodes=(bare,))).nodes
    return check


def lookups(mappings: int = MAPPINGS, how_many: int = LOOKUPS) -> dict[str, float]:
    """A second, hits in random order."""
    rows = (Row("drug", f"YP{n:07d}", national(n), "2024-01-01", "", "m1") for n in range(mappings))
    snapshot = build_snapshot(rows, NO_LIBRARIES)
    check = line_check()
    dice = random.Random(1)
    wanted = [f"YP{dice.randrange(mappings):07d}" for _ in range(how_many)]
    messages = [[_lines(wanted[at : at + LINES]) for at in range(0, how_many, LINES)] for _ in range(2)]
    gc.collect()
    gc.freeze()
    return {
        "look_up_per_s": _timed(how_many, lambda: _by_the_rules(snapshot, wanted)),
        "plan_lines_per_s": _timed(how_many, lambda: _by_the_plan(check, snapshot, messages.pop())),
    }


def _lines(codes: list[str]) -> list[Line]:
    return [{"medins_list_codg": code, "med_list_codg": ""} for code in codes]


def _timed(how_many: int, call: Callable[[], int]) -> float:
    """Once for the caches, once for the clock; raises ValueError when something was not found."""
    call()
    began = time.process_time()
    hits = call()
    took = time.process_time() - began
    if hits != how_many:
        raise ValueError(f"对码查询只命中{hits}/{how_many}")
    return how_many / took


def _by_the_rules(snapshot: Snapshot, wanted: list[str]) -> int:
    look_up = snapshot.look_up
    return sum(1 for code in wanted if look_up("item", code, DAY) is not None)


def _by_the_plan(check: RowCheck, snapshot: Snapshot, messages: list[list[Line]]) -> int:
    found = 0
    for lines in messages:
        work = Work(snapshot, DAY, HOSPITAL)
        for line in lines:
            if check(line, work, "input.feedetail[0]", DAY) < 0:
                return found
        found += len(work.evidence)
    return found


if __name__ == "__main__":
    print(json.dumps(lookups()))
