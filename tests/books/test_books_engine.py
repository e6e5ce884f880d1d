"""The engine beside the rules: what it sets aside has no line, and what it hands over is what the file says."""

from itertools import product
from pathlib import Path

import pytest
from desk import DAY, FEES, Cells, Desk, settled
from pure import decide
from test_books_core import OF_GATEWAY, WORDS, said

from gateway.books.scope import Scope
from gateway.core.ledgers import AGY, GW, INST, NAMES, PROV

SOME = ("nothing", "settled", "another amount", "no amount", "the day before", "refunded")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


THREE = [(*words, "nothing") for words in product(SOME, [*WORDS, *OF_GATEWAY], WORDS)]
FOUR = list(product(SOME, repeat=4))


@pytest.mark.parametrize(("words", "incomplete"), [(THREE, frozenset()), (FOUR, frozenset({INST, PROV}))])
def test_setting_aside_changes_no_line(desk: Desk, words: list[tuple[str, ...]], incomplete: frozenset[int]) -> None:
    """Thousands of keys, every word of each ledger against those of the others, with and without the engine."""
    ledgers: dict[str, list[Cells]] = {name: [] for name in ("INST", "GW", "AGY", "PROV")}
    for number, told in enumerate(words):
        for name, word in zip(ledgers, told, strict=True):
            ledgers[name] += said(f"{number:05d}", word)
    scope = Scope(date=DAY, given=frozenset({INST, GW, AGY, PROV}), incomplete=incomplete)
    lines, counted = decide(ledgers, scope)
    options = [word for ledger in sorted(incomplete) for word in ("--incomplete", NAMES[ledger])]
    found = desk.run(ledgers, *options)
    names = ("setl_id", "leg", "class", "row", "biz_date", "component")
    wanted = [(one.setl_id, one.leg, one.name, one.row, one.biz_date, one.component) for one in lines]
    assert [tuple(line[name] for name in names) for line in found] == wanted
    summary = desk.summary()
    assert {row: count for row, count in summary["rows"].items() if row in ("T6", "D5")} == counted
    assert sum(summary["classes"].values()) == len(lines) > 1_000


def test_columns_that_only_some_ledgers_fill_are_compared_where_two_do(desk: Desk) -> None:
    """Three of the ledgers carry what 3202 does; one of them leaves cells empty now and then."""
    bare = {name: "" for name in ("psn_part_amt", "msgid", "psn_no")}
    ledgers = {
        "INST": [settled(1), settled(2), settled(3, acct_pay="9.99"), settled(4, psn_no="other")],
        "GW": [settled(1), settled(2, psn_part_amt="39.99"), settled(3), settled(4)],
        "AGY": [settled(1, **bare), settled(2, **bare), settled(3), settled(4, **bare)],
    }
    lines = desk.run(ledgers, code=3)
    assert [(line["setl_id"], line["row"], line["component"]) for line in lines] == [
        ("S2", "A1", "psn_part_amt"), ("S3", "A5", "acct_pay"), ("S4", "A9", "psn_no"),
    ]  # fmt: skip


def test_many_rows_are_taken_in_several_steps(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.ledgers.engine.ROWS_AT_ONCE", 20)
    monkeypatch.setattr("adapters.ledgers.engine.MEMORY_BYTES", 0)
    rows = [settled(number) for number in range(50)]
    lines = desk.run({"INST": rows, "GW": rows, "AGY": rows[1:]}, code=3)
    assert [line["setl_id"] for line in lines] == ["S0"] and desk.summary()["keys"] == 50
    assert desk.summary()["sums_fen"]["AGY"]["medfee_sumamt"] == 49 * 100 * 100


def test_messages_posted_twice_are_found_in_long_chains(desk: Desk) -> None:
    """One message links two settlements, the business key of the second a third."""
    visit = {"mdtrt_id": "V2", "psn_no": "P2", "invono": "I1"}
    rows = [settled(1), settled(2, msgid="M1", **visit), settled(3, **visit), settled(4)]
    lines = desk.run({"GW": rows, "AGY": rows}, code=3)
    assert [(line["setl_id"], line["class"], line["note"]) for line in lines] == [("S1", "DOUBLE_POST", "S2")]
    assert desk.summary()["keys"] == 4


def test_one_message_id_for_everything_is_one_line_and_no_flood(desk: Desk) -> None:
    rows = [settled(f"{number:04d}", msgid="0") for number in range(3_000)]
    lines = desk.run({"GW": rows, "AGY": rows}, code=3)
    assert [(line["setl_id"], line["class"]) for line in lines] == [("S0000", "DOUBLE_POST")]
    assert lines[0]["note"].startswith("S0001; S0002; ") and lines[0]["note"].endswith("; S0050; +2949")


def test_nothing_is_left_behind(desk: Desk) -> None:
    desk.run({"INST": [settled(1)], "AGY": [settled(1)]}, code=0)
    assert len(list(desk.out.iterdir())) == 4
    assert set(FEES) == set(desk.summary()["sums_fen"]["INST"])
