"""`liangding books files` from outside: files in, files and exit code out (contract §2, §7; annex B)."""

import csv
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from desk import DAY, Desk, brief, refunded, settled, text

from schemas import ROOT


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


NAMES = ("INST", "GW", "AGY", "PROV", "INS")


def pattern_rows() -> dict[str, list[dict[str, str]]]:
    """All 32 patterns in one set of ledgers: the number of a settlement is its pattern in bits."""
    ledgers: dict[str, list[dict[str, str]]] = {name: [] for name in NAMES}
    for bits in itertools.product((0, 1), repeat=5):
        number = "".join(map(str, bits))
        for name, bit in zip(NAMES, bits, strict=True):
            if bit:
                ledgers[name].append(settled(number, clr_pay_loc="3"))
    return ledgers


def test_all_32_patterns_are_called_what_the_table_says(desk: Desk) -> None:
    lines = desk.run(pattern_rows(), code=3)
    found = {(line["setl_id"][1:], line["leg"]): line["class"] for line in lines}
    table = (ROOT / "books" / "patterns.csv").read_text("utf-8").splitlines()[1:]
    patterns = list(csv.DictReader(table))
    assert len(patterns) == 32
    for pattern in patterns:
        number = "".join(pattern[name.lower()] for name in NAMES)
        told = [found.get((number, leg), "") for leg in ("L1", "L2", "L4")]
        wanted = [pattern[name] for name in ("leg1", "leg2", "leg4")]
        # The volume guard and B3 change what is done, never the class.
        assert told == ["" if name.endswith(("-OK", "-NONE")) else name for name in wanted], number
        modes = [line["mode"] for line in lines if line["setl_id"] == f"S{number}"]
        # What waits by itself first is told as AUTO (B12): INSURED-MORE-CARE-HAS goes to two people at T+3 only.
        wanted_mode = {"10101": "ONE", "11101": "AUTO"}.get(number, pattern["overall_mode"])
        assert max(modes, default="AUTO", key=("AUTO", "ONE", "TWO").index) == wanted_mode, number
    assert desk.summary()["keys"] == 31


def test_a_later_leg_waits_for_the_earlier_one(desk: Desk) -> None:
    lines = desk.run(pattern_rows())
    by_key = {(line["setl_id"][1:], line["leg"]): (line["mode"], line["action"]) for line in lines}
    assert by_key["00101", "L1"] == ("TWO", "CASE")
    assert by_key["00101", "L2"] == ("AUTO", "WAIT_LEG1")
    assert by_key["00101", "L4"] == ("AUTO", "WAIT_LEG1")
    assert by_key["00010", "L2"] == ("AUTO", "REVERSE")
    assert by_key["00010", "L4"] == ("AUTO", "WAIT_LEG2")
    assert by_key["11101", "L2"] == ("AUTO", "FEEDBACK")
    assert by_key["11101", "L4"] == ("AUTO", "WAIT_LEG2")
    assert by_key["11110", "L4"] == ("ONE", "FEEDBACK")
    assert by_key["00001", "L4"] == ("AUTO", "REVERSE")
    assert by_key["10000", "L1"] == ("ONE", "FEEDBACK")
    assert by_key["10010", "L1"] == ("TWO", "FEEDBACK")
    assert by_key["10010", "L2"] == ("TWO", "WAIT_LEG1")
    for (number, leg), (_, action) in by_key.items():
        earlier = [one for (other, one) in by_key if other == number and one < leg]
        assert not (action == "REVERSE" and earlier)


def test_equal_books_agree_and_write_all_four_files(desk: Desk) -> None:
    rows = [settled(1), settled(2)]
    assert desk.run({"INST": rows, "GW": rows, "AGY": rows}, code=0) == []
    assert sorted(path.name for path in desk.out.iterdir()) == [
        "differences.csv", "report.html", "report.xlsx", "summary.json",
    ]  # fmt: skip
    assert desk.summary() == {
        "date": DAY, "agreed": True, "classes": {}, "rows": {}, "keys": 2,
        "sums_fen": {
            name: {"medfee_sumamt": 20000, "fund_pay_sumamt": 12000, "acct_pay": 2000, "psn_part_amt": 8000}
            for name in ("INST", "GW", "AGY")
        },
    }  # fmt: skip
    header = (desk.out / "differences.csv").read_text("utf-8").strip()
    assert header == (
        "diff_id,setl_id,msgid,fixmedins_code,leg,class,row,mode,action,prevails,biz_date,component,left_amt,"
        "right_amt,note"
    )


def test_one_fen_is_a_difference_and_says_whose(desk: Desk) -> None:
    rows = [settled(1)]
    lines = desk.run({"INST": [settled(1, medfee_sumamt="100.01")], "GW": rows, "AGY": rows}, code=3)
    assert brief(lines) == [("S1", "L1", "AMOUNT", "A1", "ONE", "FEEDBACK")]
    line = lines[0]
    assert (line["component"], line["left_amt"], line["right_amt"]) == ("medfee_sumamt", "100.01", "100.00")
    assert (line["prevails"], line["biz_date"], line["fixmedins_code"]) == ("AGY", DAY, "H51080200001")


def test_the_identity_of_a_difference_is_the_digest_of_what_it_is_about(desk: Desk) -> None:
    lines = desk.run({"GW": [settled(1)], "AGY": []})
    # SM3 of `L1|H51080200001|2026-03-15|S1|L1-AGY-MISSING`, computed with `openssl dgst -sm3`.
    assert [line["diff_id"] for line in lines] == ["e6e3bb061e8db3b405e48e014bca2bee"]


def test_the_order_of_rows_and_a_second_run_change_no_byte(desk: Desk) -> None:
    ledgers = pattern_rows()
    desk.run(ledgers)
    before = {path.name: path.read_bytes() for path in desk.out.iterdir()}
    for rows in ledgers.values():
        rows.reverse()
    desk.run(ledgers)
    assert {path.name: path.read_bytes() for path in desk.out.iterdir()} == before


def test_json_prints_one_object(desk: Desk) -> None:
    rows = [settled(1), refunded(1)]
    desk.run({"INST": rows, "AGY": rows}, "--json", code=0)
    assert desk.result is not None
    assert json.loads(desk.result.stdout) == desk.summary()
    desk.run({"INST": rows, "AGY": "a\n1\n"}, "--json", code=1)
    assert json.loads(desk.result.stdout)["ok"] is False


@pytest.mark.parametrize(
    "words",
    [
        ["--ledger", "INST={a}"],
        ["--ledger", "INST={a}", "--ledger", "BANK={a}"],
        ["--ledger", "INST={a}", "--ledger", "AGY={a}.none"],
        ["--ledger", "INST={a}", "--ledger", "AGY"],
        ["--ledger", "INST={a}", "--ledger", "INST={a}"],
        ["--ledger", "INST={a}", "GW={a}", "--date", "2026-02-30"],
        ["--ledger", "INST={a}", "GW={a}", "--incomplete", "BANK"],
        ["--ledger", "INST={a}", "GW={a}", "--incomplete", "AGY"],
        ["--ledger", "INST={a}", "GW={a}", "--engine", "hadoop"],
        ["--ledger", "INST={a}", "GW={a}", "--threads", "0"],
        ["--ledger", "INST={a}", "GW={a}", "--role", "nobody"],
        ["--ledger", "INST={a}", "PROV={a}"],
        ["--ledger", "INST={a}", "GW={a}", "--out", "{a}"],
    ],
)
def test_wrong_usage_ends_with_2_and_writes_nothing(desk: Desk, words: list[str]) -> None:
    path = str(desk.file("a.csv", text([settled(1)])))
    desk.run({}, *(word.format(a=path) for word in words), code=2)
    assert not desk.out.exists()


def test_other_commands_do_not_load_the_engine() -> None:
    source = "import sys, gateway.app.cli_books, gateway.app.node; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


def test_several_ledgers_may_follow_one_option(desk: Desk) -> None:
    path = str(desk.file("a.csv", text([settled(1)])))
    desk.run({}, "--ledger", f"INST={path}", f"GW={path}", f"AGY={path}", code=0)
    assert desk.summary()["keys"] == 1
