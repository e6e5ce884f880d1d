"""What the province is told of an application: every row that counts, adjustments too, each with its deductions."""

import io
from pathlib import Path

import attrs
import msgspec
from days import Room, room
from desk import BACK, settled

from adapters.store.books_freeze import FreezeReader
from adapters.store.books_month import DeductionRow, MonthWriter, NewClearing
from gateway.app.books_adjust_desk import kept_of
from gateway.app.books_city_clearing import spool_rows
from gateway.books.adjusting import CANCEL, CORRECT, RELEASE, Wanted, adjustments
from gateway.books.freezing import CITY
from gateway.core.ledgers import COMPONENTS
from gateway.core.province import ClearingRow

FIRST, SECOND = "2026-03-15", "2026-03-16"
PLACE = {"insutype": "310", "clr_type": "11", "clr_optins": "510800", "clr_pay_loc": "3"}
GROUP = ("11", "310", "510800", "3")


def frozen(books: Room) -> None:
    rows = [settled(n, setl_time=f"{FIRST} 09:00:0{n}", prov_sn=f"A{n}", **PLACE) for n in range(1, 5)]
    books.ran(books.hand_in({"AGY": rows, "PROV": rows}, FIRST, CITY), FIRST, CITY, "AGREED_WITH_CARRY")
    books.differs("AMOUNT", "CARRIED", "S3", FIRST, CITY)
    books.freeze(FIRST, CITY)
    values = {"fund_pay_sumamt": 5_900, "psn_part_amt": 4_100}
    for setl_id, kind in (("S1", CANCEL), ("S2", CORRECT), ("S3", RELEASE)):
        wanted = Wanted(kind=kind, setl_id=setl_id, date=SECOND, values=values if kind == CORRECT else {})
        found = adjustments(wanted, kept_of(books.writer, "care", CITY, setl_id), [], True)
        books.writer.adjust(("care", CITY, SECOND), [one.line() for one in found], "x", ("li", "wang", 1), 2)
    back = settled(4, direction="1", msgid="N4", setl_time=f"{SECOND} 11:00:00", prov_sn="A9", **PLACE, **BACK)
    books.ran(books.hand_in({"AGY": [back], "PROV": [back]}, SECOND, CITY), SECOND, CITY)
    books.freeze(SECOND, CITY)


def cut(writer: MonthWriter, number: int, name: str, state: str) -> None:
    one = DeductionRow(
        deduction_id=name, setl_id="S2", feedetl_sn="", fund="fund_pay_sumamt", amount=100, kind="DEDUCT",
        reason_code="A", text="x", period="", dept="", doctor="", notice="", state="NOTIFIED", revised=None, ended="",
        notified=FIRST, changed_ms=0,
    )  # fmt: skip
    writer.deduct(number, [one], "qian", 1)
    writer.settle(number, attrs.evolve(one, state=state), "NOTIFIED", ("qian", "", "", ""), 2)


def test_rows_adjustments_and_deductions_add_up_to_the_application(tmp_path: Path) -> None:
    with room(tmp_path) as books:
        frozen(books)
        writer, days = MonthWriter(books.connection), [one.id for one in FreezeReader(books.connection).all()]
        new = NewClearing(group=GROUP, revision=1, idempotency="a", content="{}")
        [own] = writer.build(("care", "H1", "2026-03"), [new], [], "qian", 1)
        cut(writer, own, "D1", "ACCEPTED")
        cut(writer, own, "D2", "REVOKED")
        [number] = writer.build(("care", CITY, "2026-03"), [attrs.evolve(new, idempotency="b")], days, "qian", 1)
        row, spool = writer.one(number), io.BytesIO()
        assert row is not None
        found = spool_rows(writer, row, spool)
        [month] = writer.rows("care", CITY, "2026-03")
    told = [msgspec.json.decode(line, type=ClearingRow) for line in spool]
    seen = [(one.setl_id, one.direction, one.prov_sn, one.values_fen["fund_pay_sumamt"]) for one in told]
    assert sorted(seen) == [
        ("S1", "0", "A1", 6_000), ("S1", "1", "A1", -6_000), ("S2", "0", "A2", -100), ("S2", "0", "A2", 6_000),
        ("S3", "0", "A3", 6_000), ("S4", "0", "A4", 6_000), ("S4", "1", "A9", -6_000),
    ]  # fmt: skip
    assert {one.setl_time for one in told if one.setl_id in ("S1", "S3")} == {f"{FIRST} 09:00:01", f"{FIRST} 09:00:03"}
    assert found.rows == len(told) == 7 and (found.deductions, found.deducted) == (1, {"DEDUCT": 100})
    assert found.sums == {name: fen for name, fen in zip(COMPONENTS, month.sums, strict=True) if fen}
    cuts = [(one.setl_id, each.deduction_id, each.amount_fen) for one in told for each in one.deductions]
    assert cuts == [("S2", "D1", 100)]  # not once more with the correction, and not what was revoked
