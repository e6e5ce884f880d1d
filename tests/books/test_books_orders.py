"""Refunds whose answers name no settlement: of orders of mobile payment (6203) and of purchases elsewhere (2163)."""

import json
from pathlib import Path

import pytest
from test_books_derive import answered
from test_books_journal import Journal, entry
from test_books_run import DAY, A, City, cells

from adapters.store.books import BooksStore
from gateway.app.books_derive import derive
from gateway.app.books_extract import RENAMED, Extraction
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_tasks import Asked, Task
from gateway.books.corrections import Corrections
from gateway.books.journal import ledger_row
from gateway.core.booked import Correction
from gateway.core.ledgers import AGY, GW, INST
from gateway.core.model import Entry

PAID = {"setl_time": f"{DAY} 10:00:00", "medfee_sumamt": 10_000, "fund_pay_sumamt": 6_000, "acct_pay": 1_000,
        "psn_cash_pay": 3_000}  # fmt: skip
CELLS = {"medfee_sumamt": "100.00", "fund_pay_sumamt": "60.00", "acct_pay": "10.00"}


def order(**more: object) -> Entry:
    facts: dict[str, object] = {"infno": "6202", "told": PAID, "setl_id": "", "msgid": "M1", "psn_no": "",
             "mdtrt_id": "V1",
             "business_key": f"6202|{A}|P1"}  # fmt: skip
    return entry(**{**facts, **more})  # type: ignore[arg-type]


def refund(serial: str = "", **more: object) -> Entry:
    """6203 of the whole order, or of a part of it, under its serial number."""
    key = f"6203|{A}|P1" + (f"|{serial}" if serial else "")
    facts: dict[str, object] = {"infno": "6203", "told": {}, "setl_id": "", "msgid": "M2", "psn_no": "", "mdtrt_id": "",
             "business_key": key, "medfee_fen": 10_000 if not serial else 2_500}  # fmt: skip
    return entry(**{**facts, **more})  # type: ignore[arg-type]


def elsewhere(**more: object) -> Entry:
    told = {"medfee_sumamt": 8_000, "psn_cash_pay": 3_000, "acct_pay": 5_000, "insutype": "310"}
    facts: dict[str, object] = {"infno": "2163", "told": told, "setl_id": "", "msgid": "M3", "psn_no": "",
             "mdtrt_id": "R1",
             "business_key": f"2163|{A}|R1"}  # fmt: skip
    return entry(**{**facts, **more})  # type: ignore[arg-type]


class Orders(Journal):
    """A journal that finds a payment by its key. paid: payments of long ago."""

    def __init__(self, entries: tuple[Entry, ...], paid: tuple[Entry, ...]) -> None:
        super().__init__(*entries)
        self.paid = paid

    def keyed(self, business_key: str) -> Entry | None:
        return next((one for one in (*self.entries, *self.paid) if one.business_key == business_key), None)


def rows_of(*entries: Entry, paid: tuple[Entry, ...] = (), decided: tuple[Correction, ...] = ()) -> Extraction:
    asked = Asked(count="gross", refund_rows="both", base64=True, empty_groups=True)
    task = Task(journal="", store="", data="", date=DAY, now_ms=0, number=1, institutions={A: asked})
    return Extraction(task, Orders(entries, paid), Corrections(decided))  # type: ignore[arg-type]


def test_an_order_given_back_whole_is_the_exact_negative_under_the_message_of_its_payment() -> None:
    made = rows_of(order(), refund())
    paid, back = made.rows()
    assert [paid[name] for name in ("setl_id", "msgid", "direction", "medfee_sumamt", "psn_cash_pay")] == [
        "", "M1", "0", "100.00", "30.00",
    ]  # fmt: skip
    assert [back[name] for name in ("setl_id", "msgid", "direction", "medfee_sumamt", "psn_cash_pay", "mdtrt_id")] == [
        "", "M1", "1", "-100.00", "-30.00", "V1",
    ]  # fmt: skip
    assert made.renamed == {A: {"M2": "M1"}}


def test_a_payment_of_long_ago_comes_along_with_its_refund() -> None:
    old = order(created_ms=1_773_000_000_000, told={**PAID, "setl_time": "2026-03-09 10:00:00"})
    made = rows_of(refund(), paid=(old,))
    assert [(row["msgid"], row["direction"], row["setl_time"][:10]) for row in made.rows()] == [
        ("M1", "1", DAY), ("M1", "0", "2026-03-09"),
    ]  # fmt: skip


def test_a_part_given_back_is_told_with_what_was_asked_for() -> None:
    _, back = rows_of(order(), refund("7")).rows()
    assert (back["direction"], back["medfee_sumamt"], "fund_pay_sumamt" in back) == ("1", "-25.00", False)


def test_a_refund_of_a_payment_the_journal_never_saw_is_a_refund_all_the_same() -> None:
    [back] = rows_of(refund()).rows()
    assert (back["direction"], back["setl_id"], back["msgid"], back["medfee_sumamt"]) == ("1", "", "M2", "-100.00")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_purchase_elsewhere_given_back_is_negative_and_has_its_visits_number(sign: int) -> None:
    told = {name: sign * fen if type(fen) is int else fen for name, fen in json.loads(elsewhere().settled).items()}
    row = ledger_row(elsewhere(told=told), set())
    assert row is not None
    assert [row[name] for name in ("setl_id", "direction", "medfee_sumamt", "psn_cash_pay", "acct_pay")] == [
        "R1", "1", "-80.00", "-30.00", "-50.00",
    ]  # fmt: skip


@pytest.mark.parametrize("one", [refund(state="REJECTED"), elsewhere(state="NOT_SENT")])
def test_what_was_not_given_back_is_no_row(one: Entry) -> None:
    assert ledger_row(one, set()) is None


def test_a_purchase_elsewhere_that_people_booked_is_what_its_refund_gives_back() -> None:
    record = {"fixmedins_code": A, "setl_id": "R1", "msgid": "", "medfee_sumamt": "80.00",
              "setl_time": "2026-02-01 09:00:00"}  # fmt: skip
    booked = Correction(kind="BOOK", fixmedins_code=A, setl_id="R1", msgid="", record=record)
    other = Correction(kind="BOOK", fixmedins_code=A, setl_id="R2", msgid="", record={**record, "setl_id": "R2"})
    found = list(rows_of(elsewhere(), decided=(booked, other)).rows())
    assert [(row["setl_id"], row["direction"]) for row in found] == [("R1", "1"), ("R1", "0")]


def test_the_agencys_refund_is_found_under_the_payment(tmp_path: Path) -> None:
    """3202 names what only the agency has by its own message: the refund's, which is not the payment's."""
    store = tmp_path / "x-books.sqlite"
    BooksStore.open(store, SCRIPTS).close()
    task = Task(journal="", store=str(store), data=str(tmp_path), date=DAY, now_ms=1, number=1, institutions={})
    task.workplace.mkdir(parents=True)
    (task.workplace / RENAMED).write_text(json.dumps({A: {"M2": "M1"}}), "utf-8")
    text = (
        "P1\tnull\tnull\tM1\t101\t0\tnull\t100.00\t60.00\t10.00\n"
        "P1\tnull\tnull\tM2\t101\t1\tnull\t-100.00\t-60.00\t-10.00\n"
    )
    derive(task, [answered(task, text, True)])
    look = BooksStore.open(store, SCRIPTS)
    [one] = look.inputs(DAY)
    look.close()
    told = (tmp_path / one.path).read_text("utf-8").splitlines()[1:]
    assert [line.split(",")[4:6] for line in told] == [["M1", "0"], ["M1", "1"]]


def test_an_order_and_its_refund_agree_and_the_day_sums_up_to_nothing(tmp_path: Path) -> None:
    city = City(tmp_path)
    plain = {**CELLS, "psn_part_amt": "", "setl_id": "", "msgid": "M1", "mdtrt_id": "V1", "psn_no": ""}
    back = {name: f"-{fee}" for name, fee in CELLS.items()}
    both = [cells(1, **plain), cells(1, **{**plain, **back, "direction": "1", "setl_time": f"{DAY} 11:00:00"})]
    city.put(GW, "*", *rows_of(order(), refund()).rows())
    city.put(INST, A, *both)
    city.put(AGY, A, *both)
    found = city.run()
    assert (found.summary["classes"], found.days[A]) == ({}, "AGREED")
    assert {sums["medfee_sumamt"] for sums in found.summary["sums_fen"].values()} == {0}  # type: ignore[attr-defined]
