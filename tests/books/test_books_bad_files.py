"""What a ledger file may not be: refused whole, with its line, and nothing written (annex B15, specification §6.3)."""

from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from desk import DAY, FEES, Desk, settled, text

from adapters.ledgers import sql
from adapters.ledgers.engine import Engine
from adapters.ledgers.parquet import described
from adapters.ledgers.source import LedgerRefused
from gateway.core.ledgers import AGY

HEAD = "fixmedins_code,setl_id,medfee_sumamt,setl_time,direction,status\n"
GOOD = "H1,S1,1.00,2026-03-15 10:00:00,0,SETTLED\n"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("content", "line", "rule"),
    [
        ("", 1, "LB01"),
        ("\n", 1, "LB01"),
        ("setl_id,amount\n", 1, "LB02"),
        ("setl_id,Status\n", 1, "LB02"),
        ("setl_id,msgid,setl_id\n", 1, "LB03"),
        (HEAD + GOOD + "H1,S2,1.00,2026-03-15 10:00:00,0\n", 3, "LB13"),
        (HEAD + GOOD + "H1,S2,1.00,2026-03-15 10:00:00,0,SETTLED,\n", 3, "LB13"),
        (HEAD + "H1,S1,1.00,2026-03-15 10:00:00,0,SETTLED,\n" * 2, 2, "LB13"),
        (HEAD + "H1,S1,1.00,2026-03-15 10:00:00,0,SETTLED,9\n" * 2, 2, "LB13"),
        (HEAD + GOOD + "\n" + GOOD, 3, "LB13"),
        (HEAD + GOOD.replace("1.00", "1e3"), 2, "LB06"),
        (HEAD + GOOD.replace("1.00", "1.005"), 2, "LB06"),
        (HEAD + GOOD.replace("1.00", '"1,000.00"'), 2, "LB06"),
        (HEAD + GOOD.replace("1.00", "+1.00"), 2, "LB06"),
        (HEAD + GOOD.replace("1.00", ".5"), 2, "LB06"),
        (HEAD + GOOD.replace("1.00", "1_000"), 2, "LB06"),
        (HEAD + GOOD.replace("1.00", "１２"), 2, "LB06"),
        (HEAD + GOOD.replace("1.00", "NaN"), 2, "LB06"),
        (HEAD + GOOD.replace("1.00", "100000000000000.00"), 2, "LB06"),
        (HEAD + GOOD + GOOD.replace(",0,", ",2,"), 3, "LB07"),
        (HEAD + GOOD + GOOD.replace("SETTLED", "settled"), 3, "LB07"),
        (HEAD + GOOD + GOOD.replace("SETTLED", "IN_DOUBT"), 3, "LB07"),  # the gateway's alone
        (HEAD + GOOD.replace("2026-03-15 10:00:00", "2026-02-30 10:00:00"), 2, "LB08"),
        (HEAD + GOOD.replace("2026-03-15 10:00:00", "2026/03/15"), 2, "LB08"),
        (HEAD + GOOD.replace("2026-03-15 10:00:00", "2026-03-15 24:00:00"), 2, "LB08"),
        (HEAD + GOOD.replace("S1", "null"), 2, "LB09"),
        (HEAD + GOOD.replace("S1", "S" * 1001), 2, "LB05"),
        (HEAD + GOOD.replace("S1", '"S1'), 2, "LB12"),
        (HEAD + GOOD.replace("S1", '"S1"x'), 2, "LB12"),
        (HEAD + GOOD.replace("S1", "S" * 70_000), 2, "LB05"),
        ((HEAD + GOOD).encode() + "H1,西,1.00,,0,\n".encode("gb18030"), 3, "LB11"),
    ],
)
def test_a_bad_file_is_refused_whole_and_by_line(desk: Desk, content: str | bytes, line: int, rule: str) -> None:
    desk.run({"AGY": content, "INST": [settled(1)]}, code=1)
    assert desk.result is not None
    assert f"AGY.csv:{line}:" in desk.result.stderr and rule in desk.result.stderr
    assert not desk.out.exists()


@pytest.mark.parametrize("ends", ["\n", "\r"])
def test_a_file_without_a_header_or_of_one_line_tells_no_number_of_a_person(desk: Desk, ends: str) -> None:
    row = "H51080200001,S1,510802199001011234,2026-03-15 10:00:00"
    content = ends.join([*(["setl_id,psn_no"] if ends == "\r" else []), row, row]) + ends
    desk.run({"AGY": content, "INST": [settled(1)]}, code=1)
    assert desk.result is not None
    told = desk.result.stderr
    assert "AGY.csv:1:" in told and "LB02" in told
    assert "5108" not in told and "\r" not in told


def test_every_fault_is_told_at_once_and_no_value_of_a_person(desk: Desk) -> None:
    rows = [settled(1, medfee_sumamt="P1x"), settled(2), settled(3, direction="P3")]
    desk.run({"AGY": rows, "INST": [settled(1)]}, code=1)
    assert desk.result is not None
    told = desk.result.stderr
    assert "AGY.csv:2:medfee_sumamt LB06" in told and "AGY.csv:4:direction LB07" in told
    assert "P1x" not in told and "P3" not in told


CELLS = [
    ("setl_time", time)
    for time in (
        "0000-01-01", "0000-12-31 23:59:59", "0001-01-01", "9999-12-31 23:59:59", "2024-02-29", "1900-02-29",
        "2026-03-15T10:00:00", "2026-03-15 10:00:60", "2026-3-15", "2026-03-15 10:00", "2026-03-15 10:00:00.0",
    )
] + [("medfee_sumamt", "-0"), ("medfee_sumamt", "1."), ("direction", "00"), ("status", "REVERSING")]  # fmt: skip


@pytest.mark.parametrize(("column", "cell"), CELLS)
def test_what_a_cell_means_does_not_hang_on_its_neighbours(desk: Desk, column: str, cell: str) -> None:
    """A padded amount has the whole file read by hand."""
    told: list[object] = []
    for neighbour in ("100.00", " 100.00"):
        rows = [{**settled(1, direction="0", status=""), column: cell}, settled(2, medfee_sumamt=neighbour)]
        folder = desk.folder / str(len(told))
        folder.mkdir()
        with closing(Engine(folder, DAY, 0)) as engine:
            try:
                engine.load(AGY, desk.file("AGY.csv", text(rows)), lambda done: None)
                told.append(engine.sums())
            except LedgerRefused as cause:
                told.append(cause.faults)
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "content",
    [
        HEAD + GOOD,
        HEAD + GOOD[:-1],
        (HEAD + GOOD).replace("\n", "\r\n"),
        HEAD + GOOD.replace("\n", "\r\n") + GOOD.replace("S1", "S2"),  # both kinds of line end
        "\ufeff" + HEAD + GOOD,
        HEAD + GOOD.replace("1.00", " 1.00 ").replace("S1", " S1 "),
        HEAD + GOOD.replace("1.00", "1.0").replace(",0,", ",,"),
        HEAD + GOOD.replace("SETTLED", "null"),
        '"setl_id",fixmedins_code,"setl_time","medfee_sumamt",status,direction\n"S1","H1",2026-03-15,"1",,\n',
        HEAD.replace("fixmedins_code", "invono") + GOOD.replace("H1", '"a ""quoted"",\nname"'),
    ],
)
def test_what_rfc_4180_allows_is_read(desk: Desk, content: str) -> None:
    desk.run({"AGY": content, "INST": content}, code=0)
    sums = desk.summary()["sums_fen"]
    assert sums["AGY"] == sums["INST"] == {"medfee_sumamt": 100 * desk.summary()["keys"]}


def test_a_header_alone_is_zero_records_and_complete(desk: Desk) -> None:
    lines = desk.run({"AGY": HEAD, "INST": [settled(1)]}, code=3)
    assert [line["class"] for line in lines] == ["L1-AGY-MISSING"]
    assert desk.summary()["sums_fen"]["AGY"] == {}


def test_quotes_globs_and_blanks_in_names_are_only_names(tmp_path: Path) -> None:
    folder = tmp_path / "it's *a* [day]"
    folder.mkdir()
    desk = Desk(folder)
    desk.out = tmp_path / "out's"
    desk.run({"AGY": [settled(1)], "INST": [settled(1)]}, code=0)
    desk.out = tmp_path / "out*"
    desk.run({"AGY": [settled(1)], "INST": [settled(1)]}, code=2)


def parquet(path: Path, source: Path, amount: str = "DECIMAL(16, 2)") -> None:
    fees = ", ".join(f"{name}::{amount} AS {name}" for name in FEES)
    duckdb.execute(f"COPY (SELECT * REPLACE ({fees}) FROM read_csv('{source}', all_varchar = true)) TO '{path}'")


def test_parquet_is_read_as_csv_is(desk: Desk) -> None:
    rows = [settled(1), settled(2, medfee_sumamt="99.99")]
    parquet(desk.folder / "a.parquet", desk.file("a.csv", text(rows)))
    lines = desk.run({"INST": [settled(1), settled(2)]}, "--ledger", f"AGY={desk.folder / 'a.parquet'}", code=3)
    assert [(line["setl_id"], line["class"], line["right_amt"]) for line in lines] == [("S2", "AMOUNT", "99.99")]


@pytest.mark.parametrize(
    ("amount", "time", "told"),
    [("DOUBLE", "", "a.parquet:0:medfee_sumamt LB14"), ("VARCHAR", "soon", "a.parquet:2:setl_time LB08")],
)
def test_parquet_is_refused_as_csv_is(desk: Desk, amount: str, time: str, told: str) -> None:
    parquet(desk.folder / "a.parquet", desk.file("a.csv", text([settled(1, setl_time=time or "")])), amount)
    desk.run({"INST": [settled(1)]}, "--ledger", f"AGY={desk.folder / 'a.parquet'}", code=1)
    assert desk.result is not None and told in desk.result.stderr


@pytest.mark.parametrize(
    "kind", ["1::DOUBLE", "['S1']", "[1.5]", "{'a': 1}", "'a'::BLOB", "now()", "'2026-03-15'::TIMESTAMP_NS", "true"]
)
@pytest.mark.parametrize("column", ["setl_id", "setl_time", "acct_pay"])
def test_parquet_of_odd_kinds_is_refused(desk: Desk, column: str, kind: str) -> None:
    """What two engines turn into different texts is nobody's number: `1.0`, `[S1]`."""
    path = desk.folder / "a.parquet"
    duckdb.execute(f"COPY (SELECT {kind} AS {column}, 'M1' AS msgid) TO '{path}'")
    with duckdb.connect() as base, pytest.raises(LedgerRefused) as caught:
        described(base, sql.parquet_source(str(path)), path)
    rule = "LB14" if (column, kind) == ("acct_pay", "1::DOUBLE") else "LB17"
    assert [(fault.line, fault.column, fault.rule) for fault in caught.value.faults] == [(0, column, rule)]


def test_parquet_with_numbers_for_names_and_empty_columns_is_read(desk: Desk) -> None:
    path = desk.folder / "a.parquet"
    columns = "7::UINTEGER AS setl_id, 8::DECIMAL(18, 0) AS psn_no, NULL AS msgid, 1.5 AS medfee_sumamt"
    duckdb.execute(f"COPY (SELECT {columns}) TO '{path}'")
    ledger = text([{"setl_id": "7", "psn_no": "8", "medfee_sumamt": "1.50"}], ["setl_id"])
    assert desk.run({"INST": ledger}, "--ledger", f"AGY={path}", code=0) == []
    duckdb.execute(f"COPY (SELECT 7::DOUBLE AS setl_id) TO '{path}'")
    desk.run({"INST": ledger}, "--ledger", f"AGY={path}", code=1)
    assert desk.result is not None and "a.parquet:0:setl_id LB17" in desk.result.stderr


def test_a_broken_parquet_file_is_refused(desk: Desk) -> None:
    desk.run({"INST": [settled(1)], "AGY": b"PAR1 and then nothing of the kind"}, code=1)
    assert desk.result is not None and "LB15" in desk.result.stderr


def test_cells_a_spreadsheet_would_run_are_made_harmless(desk: Desk) -> None:
    desk.run({"INST": [settled(1, setl_id="=1+1", msgid="<b>M</b>")], "AGY": []}, code=3)
    assert b"'=1+1" in (desk.out / "differences.csv").read_bytes()
    page = (desk.out / "report.html").read_text("utf-8")
    assert "<b>M</b>" not in page and "=1+1" in page and "<script" not in page
