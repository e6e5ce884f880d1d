"""What a day is frozen without, and what it waits for: remote patients before the three-way check, doubles whole, files
nobody compared yet (reconciliation §1, §6.5, §7.1; decision 0014)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from days import PEOPLE, Room, room
from desk import DAY, HOSPITAL, settled

from adapters.store.books_freeze import NotInForce, frozen
from gateway.app.books_freezing import CannotFreeze, carry_out, content, plan, read_through, verify
from gateway.books.freezing import CITY

NEXT = "2026-03-16"


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Room]:
    with room(tmp_path) as opened:
        yield opened


REMOTE = [settled(1, clr_pay_loc="3"), settled(2, clr_pay_loc="4"), settled(3, clr_pay_loc="2")]


def remote_day(books: Room, city: str, province: bool) -> list[tuple[str, str]]:
    """Freeze a day of two remote patients and one of the city; return what counts and what does not."""
    inputs = books.hand_in({"INST": REMOTE, "AGY": REMOTE})
    books.ran(inputs)
    if city:
        books.ran(inputs, scope=CITY, state=city)
    row = books.freeze(province=province)
    return [(fee[0], fee[9]) for fee in books.writer.fees(row.id)]


@pytest.mark.parametrize("city", ["", "L1_AGREED", "WAIT_INPUT", "L2_DIFF", "REOPENED"])
def test_remote_patients_wait_for_the_three_way_check(books: Room, city: str) -> None:
    """The city's day had no statement of the province, and the institution's month was applied for all the same."""
    assert remote_day(books, city, True) == [("S1", "WITHHELD"), ("S2", "WITHHELD"), ("S3", "")]
    [row] = books.writer.all()
    assert [(one[0], one[5], one[6]) for one in books.writer.sums(row.id)] == [
        ("DAY", "2", 1), ("DAY", "3", 1), ("DAY", "4", 1), ("HELD", "3", 1), ("HELD", "4", 1),
    ]  # fmt: skip
    assert verify(books.writer, books.key) == []


@pytest.mark.parametrize("city", ["AGREED", "AGREED_WITH_CARRY", "FROZEN"])
def test_they_count_once_the_citys_day_agrees(books: Room, city: str) -> None:
    assert remote_day(books, city, True) == [("S1", ""), ("S2", ""), ("S3", "")]


def test_where_nobody_knows_a_province_leg_1_decides(books: Room) -> None:
    assert remote_day(books, "L1_AGREED", False) == [("S1", ""), ("S2", ""), ("S3", "")]


def test_a_statement_handed_in_is_waited_for_without_a_configured_province(books: Room) -> None:
    books.ran([*books.hand_in({"INST": REMOTE, "AGY": REMOTE}), *books.hand_in({"PROV": []}, scope=CITY)])
    row = books.freeze()
    assert [fee[9] for fee in books.writer.fees(row.id)] == ["WITHHELD", "WITHHELD", ""]


def test_of_an_institutions_own_statement_and_one_for_the_city_one_speaks(books: Room) -> None:
    """Joined, every settlement would stand there twice; of others the city's file speaks as before."""
    first, second = settled(1, clr_pay_loc="3"), settled(2, clr_pay_loc="3")
    other = settled(9, clr_pay_loc="3", fixmedins_code="H51080200002")
    inputs = books.hand_in({"AGY": [first, second, other]}, scope=CITY)
    inputs += books.hand_in({"INST": [first], "AGY": [first]})
    for scope in (HOSPITAL, CITY):
        books.ran(inputs, scope=scope)
    own, city = (books.freeze(scope=scope) for scope in (HOSPITAL, CITY))
    assert (own.rows, [fee[0] for fee in books.writer.fees(own.id)]) == (2, ["S1"])
    assert (city.rows, sorted(fee[0] for fee in books.writer.fees(city.id))) == (2, ["S1", "S9"])
    assert verify(books.writer, books.key) == []


@pytest.mark.parametrize(("row", "name"), [("D3", "DOUBLE_POST"), ("D4", "DOUBLE_SETTLEMENT")])
def test_all_settlements_of_a_double_are_left_out_not_only_the_one_the_line_names(
    books: Room, row: str, name: str
) -> None:
    rows = [settled(number) for number in (1, 2, 3, 4)]
    books.ran(books.hand_in({"INST": rows, "AGY": rows}), state="AGREED_WITH_CARRY")
    books.differs(name, "CARRIED", "S1")
    books.connection.execute('UPDATE diff SET "row" = ?, note = ?', (row, "S2; S4"))
    frozen_row = books.freeze()
    assert [(fee[0], fee[9]) for fee in books.writer.fees(frozen_row.id)] == [
        ("S1", "CARRIED"), ("S2", "CARRIED"), ("S3", ""), ("S4", "CARRIED"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ledger", "of", "scope"),
    [
        ("INST", HOSPITAL, HOSPITAL), ("AGY", CITY, HOSPITAL), ("PROV", CITY, HOSPITAL), ("PROV", CITY, CITY),
        ("INST", "H2", CITY),
    ],
)  # fmt: skip
def test_a_newer_file_the_run_never_read_forbids_freezing(books: Room, ledger: str, of: str, scope: str) -> None:
    inputs = books.hand_in({"INST": [settled(1)], "AGY": [settled(1)]})
    books.ran(inputs, scope=scope)
    newer = books.hand_in({ledger: [settled(2)]}, scope=of)
    with pytest.raises(CannotFreeze, match=rf"BF-NEWER.*{ledger}"):
        books.freeze(scope=scope)
    books.ran([*inputs, *newer], scope=scope)
    assert books.freeze(scope=scope).scope == scope


@pytest.mark.parametrize(("ledger", "of"), [("INST", "H2"), ("PROV", "insured")])
def test_a_newer_file_of_others_is_no_reason_to_wait(books: Room, ledger: str, of: str) -> None:
    books.ran(books.hand_in({"INST": [settled(1)], "AGY": [settled(1)]}))
    books.hand_in({ledger: [settled(9)]}, scope=of)
    books.hand_in({"INST": [settled(8)]}, date=NEXT)
    assert books.freeze().rows == 2


def test_a_file_that_comes_while_a_day_is_being_frozen_is_not_passed_over(books: Room) -> None:
    books.ran(books.hand_in({"INST": [settled(1)], "AGY": [settled(1)]}))
    planned = plan(books.writer, books.folder, "care", HOSPITAL, DAY, province=False)
    approved = content(planned, read_through(planned))

    def newer(row: object) -> None:
        books.hand_in({"INST": [settled(1), settled(2)]})

    with pytest.raises(NotInForce):
        carry_out(books.writer, planned, approved, PEOPLE, books.key, 1, True, newer)
    assert not frozen(books.connection, "care", HOSPITAL, DAY)
