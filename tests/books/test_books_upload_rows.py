"""Which records of a city's month go to the province: what passed leg L1 and the three-way check, and nothing else."""

import io
from pathlib import Path

import msgspec
import pytest
from days import Room, room
from desk import BACK, HOSPITAL, Cells, settled
from people import Office
from python_calamine import CalamineWorkbook

from adapters.store.books_upload import Moved, UploadRow, UploadStore
from gateway.app.books_upload_job import prepare
from gateway.app.codes_orders import GaveUp
from gateway.books.freezing import CITY
from gateway.books.month import days_of
from gateway.books.month_upload import Content, misfits
from gateway.core.province import ClearingRow

MONTH = "2026-02"
DIMS = {"insutype": "310", "clr_type": "11", "clr_optins": "510800", "clr_pay_loc": "3"}


def fee(number: int, **cells: str) -> Cells:
    return settled(number, setl_time=f"{MONTH}-01 09:00:00", prov_sn=f"A{number}", **{**DIMS, **cells})


def frozen(books: Room, own: list[Cells], city: list[Cells], skip: tuple[str, str] = ("", "")) -> None:
    """Freeze the month; all rows are of the first day. own: the hospital's; skip: (scope, day) that stays open."""
    for at, day in enumerate(days_of(MONTH)):
        # The city first: the hospital's file came later, and a run over it left the hospital's day as it is.
        for scope, ledgers, rows in ((CITY, ("AGY", "PROV"), city), (HOSPITAL, ("INST", "AGY"), own)):
            if (scope, day) == skip:
                continue
            books.hand_in(dict.fromkeys(ledgers, rows if at == 0 else []), day, scope)
            books.ran(books.inputs_of(day), day, scope, "AGREED_WITH_CARRY")
            if at == 0:
                books.differs("AMOUNT", "CARRIED", "S5" if scope == CITY else "S6", day, scope)
            books.freeze(day, scope, block=False)


def test_what_passed_one_check_alone_stays_behind(tmp_path: Path) -> None:
    """S2 has another fund at the hospital, S3 is not there, S4 was taken back there only, S5 is carried in the city and
    S6 at the hospital, S7 was taken back by both; S8 is a local patient's."""
    city = [fee(n) for n in range(1, 8)]
    back = settled(7, direction="1", msgid="N7", setl_time=f"{MONTH}-01 11:00:00", prov_sn="A9", **DIMS, **BACK)
    only = settled(4, direction="1", msgid="N4", setl_time=f"{MONTH}-01 11:00:00", prov_sn="A8", **DIMS, **BACK)
    own = [fee(n) for n in (1, 2, 4, 5, 6, 7)] + [fee(8, clr_pay_loc="2"), back, only]
    own[1]["fund_pay_sumamt"] = "59.99"
    with room(tmp_path) as books:
        frozen(books, own, [*city, back])
        spool = io.BytesIO()
        found = prepare(UploadStore(books.connection), MONTH, 1, spool)
        again = prepare(UploadStore(books.connection), MONTH, 1, io.BytesIO())
    rows = [msgspec.json.decode(line, type=ClearingRow) for line in spool]
    assert [(one.setl_id, one.direction) for one in rows] == [("S1", "0"), ("S7", "0"), ("S7", "1")]
    assert list(found.behind) == [
        ("S2", HOSPITAL, "OTHER_AMOUNT"), ("S3", HOSPITAL, "NOT_COUNTED"), ("S4", HOSPITAL, "OTHER_TIMES"),
        ("S6", HOSPITAL, "NOT_COUNTED"),
    ]  # fmt: skip
    content = found.content
    assert (content.rows, content.kept_back, content.sums["medfee_sumamt"], content.sums["fund_pay_sumamt"]) == (
        3, 4, 10_000, 6_000,
    )  # fmt: skip
    assert again.content == content and len(content.freezes) == 28


@pytest.mark.parametrize(
    ("skip", "told"),
    [((HOSPITAL, f"{MONTH}-01"), f"{HOSPITAL} {MONTH}-01"), ((CITY, f"{MONTH}-20"), f"全市{MONTH}-20")],
)
def test_a_day_that_is_not_frozen_stops_the_upload_by_name(tmp_path: Path, skip: tuple[str, str], told: str) -> None:
    with room(tmp_path) as books:
        frozen(books, [fee(1)], [fee(1)], skip)
        with pytest.raises(GaveUp, match=told):
            prepare(UploadStore(books.connection), MONTH, 1, io.BytesIO())


def test_rows_that_do_not_come_to_what_was_frozen_are_not_uploaded(tmp_path: Path) -> None:
    """Rows come from the frozen lines, sums from the fees beside them: somebody changed one of the two."""
    with room(tmp_path) as books:
        frozen(books, [fee(1)], [fee(1)])
        books.connection.execute("DROP TRIGGER frozen_fee_stays")
        books.connection.execute("UPDATE frozen_fee SET medfee_sumamt = medfee_sumamt + 1")
        with pytest.raises(GaveUp, match="books verify"):
            prepare(UploadStore(books.connection), MONTH, 1, io.BytesIO())


def test_what_the_province_booked_is_compared_to_the_fen() -> None:
    content = Content(
        role="care", month=MONTH, revision=1, rows=2, rows_sm3="", sums={"medfee_sumamt": 10}, deductions=1,
        deducted={"DEDUCT": 3}, freezes=[],
    )  # fmt: skip
    assert misfits(content, (2, {"medfee_sumamt": 10}, 1, {"DEDUCT": 3, "PENALTY": 0})) == []
    wrong = misfits(content, (3, {"medfee_sumamt": 9}, 1, {"DEDUCT": 3, "PENALTY": 1}))
    assert [text.split("：")[0] for text in wrong] == ["省平台记3行、扣款1条，上传2行、1条", "medfee_sumamt", "PENALTY"]


def test_the_month_shows_its_uploads_and_that_one_is_out_of_date(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with office.books() as books:
        frozen(books, [fee(1), fee(2)], [fee(1), fee(2)])
        store = UploadStore(books.connection)
        content = prepare(store, MONTH, 1, io.BytesIO()).content
        row = UploadRow(
            id=0, role="care", month=MONTH, revision=1, request="k1", content=content.text(), state="SENDING",
            receipt="", who="qian", changed_ms=1,
        )  # fmt: skip
        begun = store.begin(row, "")
        sent = store.move(begun, "IN_DOUBT", "node", "", 2)
        with pytest.raises(Moved):
            store.move(begun, "DONE", "node", "", 2)
    doubt = office.run(f"month {MONTH}", "status", code=3)
    assert [one["state"] for one in doubt["uploads"]] == ["IN_DOUBT"]
    with office.books() as books:
        UploadStore(books.connection).move(sent, "DONE", "node", "", 3, "N1")
    shown = office.run(f"month {MONTH}", "status")["uploads"][0]
    assert (shown["state"], shown["receipt"], shown["stale"], shown["medfee_fen"]) == ("DONE", "N1", False, 20_000)
    page, workbook = tmp_path / "m.html", tmp_path / "m.xlsx"
    told = office.run(f"month {MONTH}", "report", "--scope", "*", "--out", str(page), "--out", str(workbook))
    assert told["uploads"][0]["receipt"] == "N1"
    assert "上传到省平台" in page.read_text("utf-8") and "200.00" in page.read_text("utf-8")
    [head, line] = CalamineWorkbook.from_path(str(workbook)).get_sheet_by_name("上传").to_python()[1:]
    assert dict(zip(head, line, strict=True))["回执"] == "N1"
    folder = tmp_path / "whole"
    told = office.run("report", "--month", MONTH, "--out", str(folder), code=3)
    assert told["uploads"][0]["receipt"] == "N1" and "五、上传到省平台" in (folder / "month.html").read_text("utf-8")
    [_, line] = CalamineWorkbook.from_path(str(folder / "month.xlsx")).get_sheet_by_name("上传").to_python()[1:]
    assert line[-1] == "N1"
    with office.books() as books:
        freeze = next(one for one in books.writer.month("care", CITY, MONTH) if one.biz_date.endswith("-09"))
        books.writer.reopen(freeze, "漏账", ("li", "wang", 1), 4)
        day = f"{MONTH}-09"
        books.hand_in({"AGY": [], "PROV": []}, day, CITY)
        books.ran(books.inputs_of(day), day, CITY)
        books.freeze(day, CITY)
    assert office.run(f"month {MONTH}", "status")["uploads"][0]["stale"] is True
