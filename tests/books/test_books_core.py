"""The pure core: the table against the rules it was made from, and what holds for whatever ledgers say."""

import csv
from collections import Counter
from itertools import product
from typing import Any

import attrs
import pytest
from desk import DAY, Cells, refunded, settled
from hypothesis import given, settings
from hypothesis import strategies as st
from pure import decide

from gateway.app.books_rules import rules
from gateway.app.books_work import Spool
from gateway.books.lines import Line
from gateway.books.rules import RulesError, compile_rules
from gateway.books.scope import CARE, INSURED, Scope, default_role
from gateway.books.volume import Volume, guarded
from gateway.core.ledgers import AGY, GW, INS, INST, NAMES, PROV
from schemas import ROOT

FOLDER = ROOT / "books"


def first_leg(i: int, g: int, a: int) -> str:
    """The rules of §5.1 in their own words, not from the file."""
    return {
        (0, 0, 0): "NONE", (0, 0, 1): "CENTER-MORE", (0, 1, 0): "GW-ONLY", (0, 1, 1): "INST-MISSING",
        (1, 0, 0): "INST-ONLY", (1, 0, 1): "GW-MISSING", (1, 1, 0): "AGY-MISSING", (1, 1, 1): "OK",
    }[i, g, a]  # fmt: skip


def second_leg(i: int, g: int, a: int, p: int) -> str:
    if a == p:
        return "OK" if a else "NONE"
    if a:
        return "PROV-MISSING"
    return "PROV-MORE-CONTESTED" if i or g else "PROV-MORE"


def fourth_leg(i: int, g: int, a: int, p: int, n: int) -> str:
    if p == n:
        return "OK" if p else "NONE"
    if p:
        return "INSURED-LESS" if a else "INSURED-LESS-PENDING-L2"
    if a:
        return "INSURED-MORE-CARE-HAS"
    return "INSURED-MORE-CONTESTED" if i or g else "INSURED-MORE"


def test_the_table_is_what_its_rules_make() -> None:
    patterns = rules().patterns
    assert len(patterns) == 32
    for i, g, a, p, n in product((0, 1), repeat=5):
        assert patterns[i, g, a, p, n] == {
            "L1": f"L1-{first_leg(i, g, a)}",
            "L2": f"L2-{second_leg(i, g, a, p)}",
            "L4": f"L4-{fourth_leg(i, g, a, p, n)}",
        }


def test_nothing_contested_or_waiting_ever_reverses() -> None:
    reversing = {rule.row or rule.name for rule in (*rules().classes.values(), *rules().rows.values())
                 if "REVERSE" in (rule.action, *(way.action for way in rule.when.values()))}  # fmt: skip
    assert reversing == {"L1-CENTER-MORE", "L1-INST-MISSING", "L2-PROV-MORE", "L4-INSURED-MORE", "S3"}
    agreed = {rule.name for rule in (*rules().classes.values(), *rules().rows.values()) if rule.agreed}
    assert agreed == {"NETZERO_TRACE", "TIMING", "TIMING_MONTH", "DUP_ROW"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('action = "REVERSE"', 'action = "PAY"', "mode或action"),
        ('mode = "ONE"', 'mode = "ANY"', "mode或action"),
        ('prevails = "INST"', 'prevails = "BANK"', "prevails"),
        ("when.guarded", "when.sunny", "when不认识"),
        ('class = "TIMING"\n', "", "没有class"),
        ("[class.L2-PROV-MISSING]", "[class.L2-PROV-LONELY]", "L2-PROV-MISSING不在"),
        ("answers]\nconfirmed", "answers]\nconfirm", "answers应有"),
        ("agreed = true", "agree = true", "rules.toml"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(old: str, new: str, told: str) -> None:
    text = (FOLDER / "rules.toml").read_text("utf-8")
    assert old in text
    with pytest.raises(RulesError, match=told):
        compile_rules((FOLDER / "patterns.csv").read_bytes(), text.replace(old, new).encode())


def test_a_table_with_a_pattern_too_few_or_twice_is_refused() -> None:
    lines = (FOLDER / "patterns.csv").read_bytes().splitlines(keepends=True)
    for wrong in (lines[:-1], [*lines, lines[-1]]):
        with pytest.raises(RulesError, match=r"patterns\.csv"):
            compile_rules(b"".join(wrong), (FOLDER / "rules.toml").read_bytes())


@pytest.mark.parametrize(
    ("names", "role"),
    [("PROV INS", INSURED), ("AGY PROV INS", INSURED), ("AGY PROV", CARE), ("INST GW AGY PROV INS", CARE)],
)
def test_the_role_follows_from_what_is_given(names: str, role: str) -> None:
    assert default_role(frozenset(NAMES.index(name) for name in names.split())) == role


# What one ledger may say of a key: several rows at most, of three days.
WORDS: dict[str, Any] = {
    "nothing": [],
    "settled": [{}],
    "remote": [{"clr_pay_loc": "3"}],
    "another amount": [{"medfee_sumamt": "99.99"}],
    "no amount": [{"medfee_sumamt": ""}],
    "another person": [{"psn_no": "other"}],
    "late": [{"setl_time": f"{DAY} 23:45:00"}],
    "the day before": [{"setl_time": "2026-03-14 23:59:00"}],
    "far": [{"setl_time": "2026-03-11 10:00:00"}],
    "refunded status": [{"status": "REFUNDED"}],
    "reversed": [{"status": "REVERSED"}],
    "twice": [{}, {}],
    "conflict": [{}, {"acct_pay": "1.00"}],
    "refunded": [{}, {"direction": "1"}],
    "only refund": [{"direction": "1"}],
    "refunded twice": [{}, {"direction": "1"}, {"direction": "1", "setl_time": f"{DAY} 12:00:00"}],
}
OF_GATEWAY = {status.lower(): [{"status": status}] for status in ("IN_DOUBT", "REVERSING", "REJECTED", "MANUAL")}
OF_GATEWAY["undelivered"] = [{"delivered": "0"}]


def said(number: str, word: str) -> list[Cells]:
    """The rows of one word."""
    words = WORDS | OF_GATEWAY
    return [(refunded if row.get("direction") else settled)(number, **row) for row in words[word]]


anything = st.fixed_dictionaries(
    {name: st.sampled_from([*WORDS, *(OF_GATEWAY if name == "GW" else ())]) for name in NAMES}
)
some_ledgers = st.sets(st.integers(0, 4), min_size=2)
scopes = st.builds(
    lambda given, incomplete, role, later: Scope(
        date=DAY, given=frozenset(given), incomplete=frozenset(given & incomplete), role=role, later=frozenset(later)
    ),
    some_ledgers, st.sets(st.integers(0, 4)), st.sampled_from([CARE, INSURED]), st.sets(st.integers(0, 4)),
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(words=anything, scope=scopes, seed=st.randoms(use_true_random=False))
def test_what_holds_for_whatever_ledgers_say(words: dict[str, str], scope: Scope, seed: Any) -> None:
    ledgers = {name: said("1", word) for name, word in words.items() if NAMES.index(name) in scope.given}
    lines, counted = decide(ledgers, scope)
    shuffled = {name: seed.sample(rows, len(rows)) for name, rows in seed.sample(list(ledgers.items()), len(ledgers))}
    assert decide(shuffled, scope) == (lines, counted)
    # One line a leg at most (B13).
    assert max(Counter(line.leg for line in lines).values(), default=1) == 1
    open_legs = [line.leg for line in lines if not line.agreed]
    for line in lines:
        assert scope.role == CARE or line.leg == "L4"
        if line.action == "REVERSE":
            assert line.leg == min(open_legs)  # nothing is reversed behind an open leg (B3)
            assert not scope.incomplete & set(scope.members(line.leg))  # nor from an incomplete ledger (B4)
            assert "far" not in words.values() or line.name == "STATUS" or line.row == ""
    if words["GW"] in ("in_doubt", "reversing", "manual") and GW in scope.given and scope.role == CARE:
        assert len(lines) == 1 and lines[0].action != "REVERSE"


@settings(max_examples=60, deadline=None)
@given(words=anything, missing=some_ledgers)
def test_less_knowledge_never_reverses_more(words: dict[str, str], missing: set[int]) -> None:
    """Whatever an incomplete run reverses, a complete one of the same rows reverses too."""
    ledgers = {name: said("1", word) for name, word in words.items()}
    whole = Scope(date=DAY, given=frozenset(range(5)), later=frozenset(range(5)))
    lines, _ = decide(ledgers, whole)
    less, _ = decide(ledgers, attrs.evolve(whole, incomplete=frozenset(missing)))
    reversed_legs = {line.leg for line in less if line.action == "REVERSE"}
    assert reversed_legs <= {line.leg for line in lines if line.action == "REVERSE"}


def test_agreement_is_only_where_every_ledger_says_the_same() -> None:
    """All words of the three ledgers of leg 1 against each other: silence needs three settlements, or three zeros."""
    scope = Scope(date=DAY, given=frozenset({INST, GW, AGY}))
    zero = {"refunded", "refunded status"}
    there = {"settled", "no amount"}
    for inst, gw, agy in product(there | zero | {"nothing", "late"}, [*WORDS, *OF_GATEWAY], WORDS):
        lines, _ = decide({"INST": said("1", inst), "GW": said("1", gw), "AGY": said("1", agy)}, scope)
        told = {inst, gw, agy}
        if (
            told <= there | {"undelivered", "remote", "late"}
            or told == {"another amount"}
            or told == {"another person"}
        ):
            assert lines == [], told
        elif told & there and told & zero and not told & {"manual", "in_doubt", "reversing"}:
            assert lines and not any(line.agreed for line in lines), told
        if inst == "nothing" and gw in ("settled", "undelivered") and agy == "settled":
            assert [line.name for line in lines] == ["L1-INST-MISSING"]


def test_the_volume_guard_grows_with_the_run() -> None:
    line = Line(
        key="S1", setl_id="S1", msgid="", fixmedins_code="", leg="L2", name="L2-PROV-MORE", row="", mode="AUTO",
        action="REVERSE", prevails="AGY", biz_date=DAY, guard_fen=100,
    )  # fmt: skip
    volume = Volume()
    for _ in range(7):
        volume.add(line)
    assert volume.tripped(keys=6_999) == {"L2"} and volume.tripped(keys=7_000) == frozenset()
    assert guarded(line, frozenset({"L2"})).action == "CASE" and guarded(line, frozenset({"L4"})) == line
    waiting = attrs.evolve(line, action="WAIT_LEG1")
    assert guarded(waiting, frozenset({"L2"})) == waiting


def test_lines_beyond_memory_come_back_in_order(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.app.books_work.RUN_LINES", 4)
    spool = Spool(tmp_path)
    scope = Scope(date=DAY, given=frozenset({INST, AGY, PROV, INS}))
    lines, _ = decide({"INST": [settled(number) for number in range(11)]}, scope)
    for line in reversed(lines):
        spool.add(line)
    assert list(spool.lines()) == lines and list(spool.lines()) == lines
    assert len(list(tmp_path.iterdir())) == 2


def test_the_carried_table_names_its_source() -> None:
    first = (FOLDER / "patterns.csv").read_text("utf-8").splitlines()
    assert first[0].startswith("# Source:") and len(list(csv.DictReader(first[1:]))) == 32
