"""What is trimmed from a cell is one list for whoever reads a ledger: both engines, the reading by hand, the evidence,
the snapshots of a run and the agency's results.
"""

import sys
import unicodedata
from pathlib import Path

import duckdb
import pytest
from desk import DAY, Desk, settled, text

from adapters.ledgers import sql
from adapters.ledgers.evidence import evidence
from gateway.app.books_snapshot import read_rows
from gateway.core.ledgers import BLANKS, clean
from gateway.core.statement import read_result

ZERO_WIDTH = "\u200b\ufeff\u180e\x85\u2028"  # no separators: part of what they stand in


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_blanks_are_the_separators_of_unicode_and_tab() -> None:
    zs = {chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Zs"}
    assert set(BLANKS) == {"\t", *zs} and len(BLANKS) == len(set(BLANKS))


def test_the_embedded_engine_trims_what_python_does() -> None:
    """Every letter of the first plane around a text, and blanks in any order."""
    letters = [chr(code) for code in range(1, 0x10000) if not 0xD800 <= code < 0xE000]
    cells = [cell for one in letters for cell in (one, f"{one}S", f"S{one}", f"{one}结 1{one}")]
    cells += [f"{a}{b}{c}S{c}{a}{b}" for a in BLANKS for b in "\t \u3000" for c in f"{BLANKS}\n"]
    cells += ["", "null", "\u3000null\t", " nul l"]
    (found,) = duckdb.execute(
        f"SELECT list(coalesce({sql.cleaned('cell', sql.DUCKDB)}, '') ORDER BY place) "
        "FROM (SELECT unnest($1) AS cell, generate_subscripts($1, 1) AS place)", [cells],
    ).fetchone() or ([],)  # fmt: skip
    assert found == [clean(cell) for cell in cells]


@pytest.mark.parametrize("amount", ["100.00", " 100.00\u3000"])  # a padded amount has the file read by hand
def test_padded_cells_are_the_cells(desk: Desk, amount: str) -> None:
    rows = [settled(number) for number in range(len(BLANKS))]
    padded = [
        {**row, "setl_id": f"{row['setl_id']}{blank}", "psn_no": f"{blank} {row['psn_no']}", "medfee_sumamt": amount}
        for row, blank in zip(rows, BLANKS, strict=True)
    ]
    assert desk.run({"INST": rows, "AGY": padded}, code=0) == []
    assert desk.summary()["sums_fen"]["AGY"]["medfee_sumamt"] == len(rows) * 10_000


def test_what_is_no_blank_stays(desk: Desk) -> None:
    odd = [settled(number, setl_id=f"S{letter}", msgid="") for number, letter in enumerate(ZERO_WIDTH)]
    assert len(desk.run({"INST": [settled("")], "AGY": odd})) == len(ZERO_WIDTH) + 1


def test_every_other_reader_trims_the_same(desk: Desk) -> None:
    path = desk.file(
        "AGY.csv", text([settled(1, setl_id="\u3000S1\t", psn_no="\x85P1 "), settled(2, setl_id="\xa0null")])
    )
    first, second = read_rows(path)
    assert (first["setl_id"], first["psn_no"], second["setl_id"]) == ("S1", "\x85P1", "")
    with evidence([("AGY", path)], DAY) as found:
        (mention,) = found.mentions(["S1"])
    assert (mention.cells["setl_id"], mention.cells["psn_no"]) == ("S1", "\x85P1")
    (row,) = read_result("\x85P1\u3000\t\xa0null\tnull\tM1 \t101\t0\tnull\n") or []
    assert (row.psn_no, row.mdtrt_id, row.msgid) == ("\x85P1", "", "M1")
