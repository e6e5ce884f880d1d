"""What was found after a freeze: cancelled, corrected, released in a later open day by two; never counted twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from days import Room
from desk import BACK, Cells, settled
from people import HOSPITAL, Office
from pure import row_of

from adapters.store.books_month import MonthReader
from gateway.app.books_freezing import CannotFreeze, verify
from gateway.app.books_month_work import month_sums
from gateway.books.adjusting import CANCEL, CORRECT, RELEASE, CannotAdjust, Kept, Wanted, adjustments
from gateway.books.freezing import Fee, fees_of
from gateway.core.ledgers import COMPONENTS

FIRST, SECOND, THIRD = "2026-03-15", "2026-03-16", "2026-03-17"
DIMS = {"insutype": "310", "clr_type": "11", "clr_optins": "510800", "clr_pay_loc": "2", "fixmedins_code": HOSPITAL}
MEDFEE, FUND = COMPONENTS.index("medfee_sumamt"), COMPONENTS.index("fund_pay_sumamt")


def fee(number: int, day: str, **cells: str) -> Cells:
    return settled(number, **{"setl_time": f"{day} 09:00:00", **DIMS, **cells})


def back(number: int, day: str) -> Cells:
    return fee(number, day, direction="1", msgid=f"N{number}", **BACK)


def reconciled(books: Room, rows: Sequence[Cells], day: str, state: str = "AGREED") -> None:
    books.ran(books.hand_in({"INST": rows, "AGY": rows}, day, HOSPITAL), day, HOSPITAL, state)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """The first day is frozen: S1 and S2 count, S3 was carried. The second is reconciled and open."""
    office = Office(tmp_path)
    with office.books() as books:
        reconciled(books, [fee(number, FIRST) for number in (1, 2, 3)], FIRST, "AGREED_WITH_CARRY")
        books.differs("AMOUNT", "CARRIED", "S3", FIRST, HOSPITAL)
        books.freeze(FIRST, HOSPITAL)
        reconciled(books, [fee(4, SECOND)], SECOND)
    return office


def adjust(office: Office, setl_id: str, kind: str, *more: str, date: str = SECOND, code: int = 0) -> dict[str, object]:
    words = ("--scope", HOSPITAL, "--setl", setl_id, "--kind", kind, "--date", date, "--reason", "事后发现", *more)
    found: dict[str, object] = office.run("adjust", *words, user="li", code=code)
    return found


def counted(office: Office, month: str = "2026-03") -> tuple[int, int, int, int]:
    """(settlements, refunds, medfee, fund) of what clearing counts; the days' own sums say the same."""
    with office.books() as books:
        rows, faults = month_sums(MonthReader(books.connection), ("care", HOSPITAL, month))
    assert faults == {}
    [one] = rows.values()
    return one.settlements, one.refunds, one.sums[MEDFEE], one.sums[FUND]


def freeze(office: Office, day: str = SECOND) -> None:
    with office.books() as books:
        books.freeze(day, HOSPITAL)


def test_cancelled_corrected_and_released_count_in_the_next_clearing(office: Office) -> None:
    """Sum of rows = sum of the days' freezes + adjustments - what is carried, to the fen."""
    assert counted(office) == (2, 0, 20_000, 12_000)
    for setl_id, kind, more in (
        ("S1", "cancel", ()),
        ("S2", "correct", ("--set", "fund_pay_sumamt=59.00", "--set", "psn_part_amt=41.00")),
        ("S3", "release", ()),
    ):
        approval = adjust(office, setl_id, kind, *more)["approval"]
        assert "已记入2026-03-16" in office.approve(int(str(approval)))
    listed = office.run("adjust", code=0)
    assert listed["found"] == []  # what was carried is released
    made = [(one["kind"], one["of"], one["frozen"]) for one in listed["adjustments"]]
    assert made == [("CANCEL", [1, 1], False), ("CORRECTION", [1, 2], False), ("RELEASE", [1, 3], False)]
    assert counted(office) == (2, 0, 20_000, 12_000)  # nothing of it before its day is frozen
    freeze(office)
    # S1 gone, S2 less one yuan of the fund, S3 and S4 new.
    assert counted(office) == (4, 1, 30_000, 17_900)
    assert {one["frozen"] for one in office.run("adjust")["adjustments"]} == {True}
    with office.books() as books:
        assert verify(books.writer, books.key) == []


def test_nothing_is_cancelled_or_released_twice(office: Office) -> None:
    for setl_id, kind, why in (("S1", "cancel", "BA-COUNT"), ("S3", "release", "BA-HELD")):
        office.approve(int(str(adjust(office, setl_id, kind)["approval"])))
        assert why in str(adjust(office, setl_id, kind, code=1))
    freeze(office)
    with office.books() as books:
        reconciled(books, [], THIRD)
    for setl_id, kind, why in (("S1", "cancel", "BA-COUNT"), ("S3", "release", "BA-HELD")):
        assert why in str(adjust(office, setl_id, kind, date=THIRD, code=1))


def test_two_proposals_of_one_thing_are_carried_out_once(office: Office) -> None:
    first, second = (int(str(adjust(office, "S1", "cancel", date=day)["approval"])) for day in (SECOND, THIRD))
    office.approve(first)
    with pytest.raises(CannotAdjust, match="BA-COUNT"):
        office.approve(second)


def test_a_refund_in_an_open_day_is_found_and_counts_by_itself(office: Office) -> None:
    with office.books() as books:
        reconciled(books, [fee(4, SECOND), back(2, SECOND), back(3, SECOND)], SECOND)
    found = {(one["setl_id"], one["what"]): one["kind"] for one in office.run("adjust", code=3)["found"]}
    assert found == {("S2", "REFUND"): "", ("S3", "REFUND"): "RELEASE", ("S3", "HELD"): "RELEASE"}
    assert "BA-REFUND" in str(adjust(office, "S2", "cancel", code=1))  # it would be taken back twice
    # The refund of what never counted would take back somebody else's money: the day waits for the release.
    with pytest.raises(CannotFreeze, match=r"BF-TWICE.*S3"):
        freeze(office)
    office.approve(int(str(adjust(office, "S3", "release")["approval"])))
    freeze(office)
    assert counted(office) == (4, 2, 20_000, 12_000)


def test_a_refund_that_comes_after_the_cancellation_is_not_frozen(office: Office) -> None:
    office.approve(int(str(adjust(office, "S1", "cancel")["approval"])))
    freeze(office)
    with office.books() as books:
        reconciled(books, [back(1, THIRD)], THIRD)
    with pytest.raises(CannotFreeze, match="S1"):
        freeze(office, THIRD)


def test_a_day_frozen_anew_does_not_count_what_was_released_meanwhile(office: Office) -> None:
    office.approve(int(str(adjust(office, "S3", "release")["approval"])))
    freeze(office)
    with office.books() as books:
        row = books.writer.day("care", HOSPITAL, FIRST)
        assert row is not None
        books.writer.reopen(row, "x", ("li", "wang", 9), 5)
        books.connection.execute("UPDATE diff SET state = 'RESOLVED'")
        books.connection.execute("UPDATE recon_day SET state = 'AGREED' WHERE biz_date = ?", (FIRST,))
    with pytest.raises(CannotFreeze, match="BF-TWICE"):
        freeze(office, FIRST)


@pytest.mark.parametrize(
    ("setl_id", "kind", "more", "date", "code", "why"),
    [
        ("S9", "cancel", (), SECOND, 1, "BA-ROW"),
        ("S1", "cancel", (), FIRST, 1, "BA-OPEN"),
        ("S1", "cancel", (), "2026-03-14", 1, "BA-DATE"),
        ("S1", "cancel", (), "2027-03-14", 1, "BA-OPEN"),
        ("S1", "release", (), SECOND, 1, "BA-HELD"),
        ("S3", "cancel", (), SECOND, 1, "BA-COUNT"),
        ("S3", "correct", ("--set", "acct_pay=1"), SECOND, 1, "BA-COUNT"),
        ("S1", "correct", ("--set", "fund_pay_sumamt=60.00"), SECOND, 1, "BA-SAME"),
        ("S1", "correct", ("--set", "fund_pay_sumamt=59.00"), SECOND, 1, "BA-CHECK"),
        ("S1", "correct", ("--set", "fund=59.00"), SECOND, 2, "--set"),
        ("S1", "correct", (), SECOND, 2, "--set"),
    ],
)
def test_what_may_not_be_adjusted_says_why(
    office: Office, setl_id: str, kind: str, more: tuple[str, ...], date: str, code: int, why: str
) -> None:
    assert why in str(adjust(office, setl_id, kind, *more, date=date, code=code))
    assert office.run("adjust", code=3)["adjustments"] == []


def test_only_a_reconciler_proposes(office: Office) -> None:
    words = ("--scope", HOSPITAL, "--setl", "S1", "--kind", "cancel", "--date", SECOND, "--reason", "x")
    assert "SEC-" in str(office.run("adjust", *words, user="qian", code=1))


def kept(number: int, held: str = "") -> Kept:
    [one] = fees_of([row_of("AGY", settled(1))], (2,), held)
    return Kept(1, number, FIRST, one)


def test_amounts_a_correction_made_are_cancelled_with_the_rest() -> None:
    origin = kept(1)
    [fix] = adjustments(Wanted(kind=CORRECT, setl_id="S1", date=SECOND, values={"acct_pay": 900}), [origin], [], False)
    waiting = Kept(0, 1, SECOND, fix.fee)
    [gone] = adjustments(Wanted(kind=CANCEL, setl_id="S1", date=THIRD), [origin, waiting], [], True)
    columns = zip(origin.fee.amounts, fix.fee.amounts, gone.fee.amounts, strict=True)
    whole = [sum(fen or 0 for fen in column) for column in columns]
    assert set(whole) == {0} and gone.of == (1, 1)


def test_what_another_day_counts_already_is_not_released() -> None:
    carried, other = kept(1, "CARRIED"), Kept(2, 5, "2026-03-10", kept(1).fee)
    with pytest.raises(CannotAdjust, match="BA-COUNT"):
        adjustments(Wanted(kind=RELEASE, setl_id="S1", date=SECOND), [carried, other], [], True)
    assert isinstance(carried.fee, Fee)


def test_remote_patients_are_held_and_not_let_out_before_the_citys_day_agrees(tmp_path: Path) -> None:
    """Two people's word is no three-way check: they release what passed it."""
    (tmp_path / "province.secret").write_bytes(b"a secret of a test, 32 bytes long")
    (tmp_path / "province.secret").chmod(0o600)
    province = '[province]\nurl = "http://127.0.0.1:9"\naccount = "510800"\nsecret_file = "province.secret"\n'
    office = Office(tmp_path, province)
    with office.books() as books:
        reconciled(books, [fee(1, FIRST), fee(2, FIRST, clr_pay_loc="3")], FIRST)
        inputs = books.hand_in({"INST": [], "AGY": []}, SECOND, HOSPITAL)
        books.ran(inputs, SECOND, HOSPITAL)
    [day] = office.run("freeze", "--date", FIRST, "--scope", HOSPITAL, user="li")["days"]
    assert (day["fees"], day["held"], day["unchecked"]) == (2, 1, 1)
    office.approve(day["approval"])
    assert counted(office) == (1, 0, 10_000, 6_000)
    assert "BA-CITY" in str(adjust(office, "S2", "release", code=1))
    with office.books() as books:
        books.connection.execute("INSERT INTO recon_day VALUES ('care', '*', ?, 'AGREED', 1, 0, '')", (FIRST,))
    office.approve(int(str(adjust(office, "S2", "release")["approval"])))
