"""Frozen days: what may be frozen, its bytes, its chain, its triggers, its re-opening (reconciliation §6.5, §9.6)."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from days import PEOPLE, Room, room
from desk import BACK, DAY, FEES, HOSPITAL, refunded, settled
from hypothesis import given
from hypothesis import strategies as st
from pure import row_of

from adapters.crypto.digest import sm3
from adapters.store.books_freeze import Consent, NotInForce, frozen
from gateway.app.books_freezing import CannotFreeze, carry_out, content, plan, read_through, verify
from gateway.books.freezing import (
    CITY,
    Adjustment,
    DayFacts,
    Fee,
    fees_of,
    line_of,
    lines_of,
    objections,
    read_back,
    reopening_objections,
)
from gateway.core.ledgers import AGY, COMPONENTS, GW, INST

NEXT = "2026-03-16"


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Room]:
    with room(tmp_path) as opened:
        yield opened


GOOD = DayFacts(state="AGREED")


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        (GOOD, []),
        (attrs.evolve(GOOD, state="AGREED_WITH_CARRY"), []),
        (attrs.evolve(GOOD, state="L1_DIFF"), ["BF-STATE"]),
        (attrs.evolve(GOOD, state=""), ["BF-STATE"]),
        (attrs.evolve(GOOD, state="WAIT_INPUT", pending_actions=2), ["BF-STATE", "BF-ACTION"]),
        (attrs.evolve(GOOD, pending_gw=1), ["BF-PENDING"]),
        (attrs.evolve(GOOD, open_diffs=1), ["BF-DIFF"]),
        (attrs.evolve(GOOD, check_faults=1), ["BF-CHECK"]),
        (attrs.evolve(GOOD, unread=["INST H1"]), ["BF-NEWER"]),
        (attrs.evolve(GOOD, frozen=True, state="FROZEN"), ["BF-FROZEN"]),
    ],
)
def test_only_an_agreed_day_without_anything_on_its_way_is_frozen(facts: DayFacts, codes: list[str]) -> None:
    assert [one.code for one in objections(facts, checks_block=True)] == codes


def test_internal_checks_block_only_where_the_region_says_so() -> None:
    assert objections(attrs.evolve(GOOD, check_faults=1), checks_block=False) == []


@pytest.mark.parametrize(
    ("is_frozen", "applications", "reason", "codes"),
    [
        (True, [("a", "DRAFT"), ("b", "RETURNED"), ("c", "WITHDRAWN")], "x", []),
        (True, [("a", "CHECKED")], "x", ["BF-APPLIED"]),
        (True, [("a", "IN_DOUBT")], "x", ["BF-APPLIED"]),
        (True, [], " ", ["BF-REASON"]),
        (False, [], "x", ["BF-OPEN"]),
    ],
)
def test_a_day_that_was_applied_for_stays_shut(
    is_frozen: bool, applications: list[tuple[str, str]], reason: str, codes: list[str]
) -> None:
    assert [one.code for one in reopening_objections(is_frozen, applications, reason)] == codes


def test_the_lines_of_a_key_have_fixed_bytes() -> None:
    rows = [row_of(name, settled(1, psn_no="P\t1\\")) for name in ("AGY", "INST")]
    amounts = "\t".join(
        {"medfee_sumamt": "10000", "fund_pay_sumamt": "6000", "psn_part_amt": "4000", "acct_pay": "1000"}.get(name, "")
        for name in COMPONENTS
    )
    texts = f"S1\t{HOSPITAL}\tV1\tP\\t1\\\\\tM1" + "\t" * 8
    expected = [f"S1\t{name}\t{texts}\t0\tSETTLED\t{DAY} 10:00:00\t{amounts}" for name in ("INST", "AGY")]
    assert lines_of(rows, DAY, "") == expected
    assert lines_of([*rows, rows[0]], DAY, "CARRIED") == [*expected, "S1\tHELD\tCARRIED"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("INST", "GW", "AGY")), st.integers(0, 1), st.text("a\t\\\nn中 ", max_size=5),
            st.none() | st.integers(-(10**16), 10**16), st.integers(0, 86399),
        ),
        min_size=1, max_size=6,
    ),
    st.sampled_from(("", "CARRIED", "WITHHELD")),
)  # fmt: skip
def test_fees_follow_from_the_lines_alone(facts: list[tuple[str, int, str, int | None, int]], held: str) -> None:
    rows = []
    for name, direction, odd, fen, second in facts:
        row = row_of(name, settled(1, psn_no=odd, direction=str(direction)))
        amounts = tuple(fen if at == 2 else amount for at, amount in enumerate(row.amounts))
        rows.append(row._replace(amounts=amounts, second=second))
    order = (AGY, GW, INST)
    [(lines, fees)] = list(read_back(lines_of(rows, DAY, held), order))
    assert lines == lines_of(rows, DAY, held)
    assert fees == fees_of(rows, order, held)


def test_rows_of_one_second_stand_in_one_order_whoever_reads_them() -> None:
    """A set of them has another order in every process: `books verify` found fees that were not those of the lines."""
    rows = [
        row_of("AGY", settled(1, direction="1"))._replace(amounts=(fen, *[None] * (len(COMPONENTS) - 1)))
        for fen in range(-40, 0)
    ]
    fees = fees_of(rows[::-1], (AGY, GW, INST), "CARRIED")
    assert [one.amounts[0] for one in fees] == sorted(range(-40, 0), key=str)
    twice = [row_of("GW", settled(1))._replace(delivered=told) for told in (True, False)]
    assert len(fees_of(twice, (GW,), "")) == len(lines_of(twice, DAY, "")) == 1


def test_a_component_the_agency_does_not_carry_comes_from_the_journal_then_the_institution() -> None:
    inst = row_of("INST", settled(1, hifp_pay="59.00", hosp_part_amt="1.00"))
    gateway = row_of("GW", settled(1, hifp_pay="60.00"))
    agency = row_of("AGY", settled(1, psn_part_amt=""))
    [fee] = fees_of([inst, agency, gateway], (AGY, GW, INST), "")
    found = dict(zip(COMPONENTS, fee.amounts, strict=True))
    assert (found["hifp_pay"], found["hosp_part_amt"], found["psn_part_amt"]) == (6000, 100, 4000)


def test_what_was_reversed_at_the_agency_is_no_fee() -> None:
    assert fees_of([row_of("AGY", settled(1, status="REVERSED")), row_of("INST", settled(1))], (AGY, INST), "") == []


def test_a_frozen_day_is_chained_signed_and_verified(books: Room) -> None:
    first = books.agreed([settled(2), settled(1), refunded(2)])
    second = books.agreed([settled(3, setl_time=f"{NEXT} 08:00:00")], NEXT)
    assert (first.prev_sm3, second.prev_sm3) == ("", first.freeze_sm3)
    lines = list(books.writer.lines(first.id))
    content_of = "".join(f"{line}\n" for line in ["", first.header, *lines])
    assert first.freeze_sm3 == sm3(content_of.encode()).hex()
    assert [line.split("\t")[:2] for line in lines] == [
        ["S1", "INST"],
        ["S1", "AGY"],
        ["S2", "INST"],
        ["S2", "INST"],
        ["S2", "AGY"],
        ["S2", "AGY"],
    ]
    [(kind, *_, settlements, refunds, medfee)] = [one[:9] for one in books.writer.sums(first.id)]
    assert (kind, settlements, refunds, medfee) == ("DAY", 2, 1, 10_000)
    assert verify(books.writer, books.key) == []
    assert frozen(books.connection, "care", HOSPITAL, DAY)
    assert books.writer.state("care", HOSPITAL, DAY) == "FROZEN"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE frozen_row SET line = 'x'", "DELETE FROM frozen_row", "INSERT INTO frozen_row VALUES (1, 99, 'x')",
        "INSERT OR REPLACE INTO frozen_row VALUES (1, 1, 'x')", "UPDATE frozen_fee SET medfee_sumamt = 1",
        "DELETE FROM frozen_fee", "UPDATE freeze SET freeze_sm3 = 'x'", "DELETE FROM freeze",
        "DELETE FROM freeze_sum", "UPDATE freeze_sum SET medfee_sumamt = 1", "DELETE FROM freeze_consent",
        "UPDATE freeze_consent SET who = 'x'",
    ],
)  # fmt: skip
def test_the_database_refuses_to_change_what_is_frozen(books: Room, statement: str) -> None:
    row = books.agreed([settled(1)])
    books.writer.consent(row.id, Consent("INST", "operator", "zhang", "zhang", 1))
    with pytest.raises(sqlite3.IntegrityError, match="frozen"):
        books.connection.execute(statement)


@pytest.mark.parametrize(
    ("table", "change", "code"),
    [
        ("frozen_row", "UPDATE frozen_row SET line = replace(line, '10000', '10001') WHERE n = 1", "BV-ROWS"),
        ("frozen_fee", "UPDATE frozen_fee SET medfee_sumamt = medfee_sumamt + 1", "BV-FEES"),
        ("freeze_sum", "UPDATE freeze_sum SET acct_pay = 0", "BV-SUMS"),
        ("freeze", "UPDATE freeze SET signature = '00' || substr(signature, 3) WHERE id = 2", "BV-SIGN"),
        ("freeze", "UPDATE freeze SET scope = 'H2' WHERE id = 2", "BV-HEAD"),
        ("freeze", "DELETE FROM freeze WHERE id = 1", "BV-CHAIN"),
        ("frozen_row", "UPDATE frozen_row SET line = 'x'", "BV-LINE"),
    ],
)  # fmt: skip
def test_whoever_takes_the_triggers_away_is_found(books: Room, table: str, change: str, code: str) -> None:
    books.agreed([settled(1)])
    books.agreed([settled(3, setl_time=f"{NEXT} 08:00:00")], NEXT)
    triggers = books.connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)
    )
    for (name,) in triggers.fetchall():
        books.connection.execute(f"DROP TRIGGER {name}")
    books.connection.execute("PRAGMA foreign_keys = OFF")
    books.connection.execute(change)
    assert code in {one.code for one in verify(books.writer, books.key)}


def test_carried_and_withheld_records_stay_in_the_freeze_and_do_not_count(books: Room) -> None:
    rows = [settled(1), settled(2), settled(3)]
    books.ran(books.hand_in({"INST": rows, "AGY": rows}), state="AGREED_WITH_CARRY")
    books.differs("AMOUNT", "CARRIED", "S2")
    books.differs("WITHHELD", "WAIT", "S3")
    row = books.freeze()
    assert [(fee[0], fee[9]) for fee in books.writer.fees(row.id)] == [
        ("S1", ""),
        ("S2", "CARRIED"),
        ("S3", "WITHHELD"),
    ]
    assert [(one[0], one[6]) for one in books.writer.sums(row.id)] == [("DAY", 3), ("HELD", 2)]
    assert verify(books.writer, books.key) == []


def test_the_days_left_overs_forbid_freezing(books: Room) -> None:
    books.ran(books.hand_in({"INST": [settled(1)], "AGY": [settled(1)]}))
    books.differs("PENDING_GW", "OPEN", "S1")
    books.connection.execute(
        "INSERT INTO action VALUES ('a', 'dPENDING_GWS1', 'REVERSE', 1, 'AGY', 'SENT', '', '', 0, 0, 0)"
    )
    with pytest.raises(CannotFreeze) as refused:
        books.freeze()
    assert {one.code for one in refused.value.objections} == {"BF-ACTION", "BF-PENDING"}
    assert not frozen(books.connection, "care", HOSPITAL, DAY)


def test_a_record_held_on_a_leg_of_the_city_does_not_count_at_its_institution_either(books: Room) -> None:
    """Only what passed both the institution's and the three-way check is cleared (003 7.6.4.5 b)."""
    rows = [settled(1, clr_pay_loc="3"), settled(2, clr_pay_loc="3")]
    books.ran(books.hand_in({"INST": rows, "AGY": rows}))
    books.differs("L2", "OPEN", "S1", scope="*")
    books.connection.execute("UPDATE diff SET fixmedins_code = ?", (HOSPITAL,))
    with pytest.raises(CannotFreeze, match="BF-DIFF"):
        books.freeze()
    books.connection.execute("UPDATE diff SET state = 'CARRIED'")
    row = books.freeze()
    assert [(fee[0], fee[9]) for fee in books.writer.fees(row.id)] == [("S1", "CARRIED"), ("S2", "")]


def test_content_that_changed_after_the_approval_is_not_frozen(books: Room) -> None:
    inputs = books.hand_in({"INST": [settled(1)], "AGY": [settled(1)]})
    books.ran(inputs)
    planned = plan(books.writer, books.folder, "care", HOSPITAL, DAY, province=False)
    approved = content(planned, read_through(planned))
    books.ran(books.hand_in({"INST": [settled(1), settled(2)], "AGY": [settled(1), settled(2)]}))
    later = plan(books.writer, books.folder, "care", HOSPITAL, DAY, province=False)
    with pytest.raises(CannotFreeze, match="BF-CHANGED"):
        carry_out(books.writer, later, approved, PEOPLE, books.key, 1, True)
    # What was begun is cleared away, and the next try succeeds.
    assert books.freeze().rows == 4
    assert books.connection.execute("SELECT count(DISTINCT freeze) FROM frozen_row").fetchone() == (1,)


def test_a_file_that_changed_since_the_run_is_noticed(books: Room) -> None:
    books.ran(books.hand_in({"INST": [settled(1)], "AGY": [settled(1)]}))
    next((books.folder / "books" / DAY).glob("AGY*")).write_text("changed")
    with pytest.raises(CannotFreeze, match="BF-FILE"):
        books.freeze()


@pytest.mark.parametrize("state", ["AGREED", "L1_DIFF"])
def test_a_run_that_ends_while_a_day_is_being_frozen_is_not_passed_over(books: Room, state: str) -> None:
    books.ran(books.hand_in({"INST": [settled(1)], "AGY": [settled(1)]}))
    planned = plan(books.writer, books.folder, "care", HOSPITAL, DAY, province=False)
    approved = content(planned, read_through(planned))

    def newer(row: object) -> None:
        books.ran(books.hand_in({"INST": [settled(1)], "AGY": [settled(1), settled(2)]}), state=state)

    with pytest.raises(NotInForce):
        carry_out(books.writer, planned, approved, PEOPLE, books.key, 1, True, newer)
    assert books.writer.state("care", HOSPITAL, DAY) == state
    assert verify(books.writer, books.key) == []


def test_the_same_day_is_not_frozen_twice(books: Room) -> None:
    books.agreed([settled(1)])
    with pytest.raises(CannotFreeze, match="BF-FROZEN"):
        books.freeze()


def test_a_reopened_day_keeps_its_old_freeze_and_the_new_one_links_to_it(books: Room) -> None:
    old = books.agreed([settled(1)])
    books.writer.reopen(old, "漏记一笔", PEOPLE, 5)
    assert not frozen(books.connection, "care", HOSPITAL, DAY)
    assert books.writer.state("care", HOSPITAL, DAY) == "REOPENED"
    with pytest.raises(NotInForce):
        books.writer.reopen(old, "again", PEOPLE, 6)
    new = books.agreed([settled(1), settled(2)])
    assert (new.reopens, new.prev_sm3) == (old.id, old.freeze_sm3)
    assert f'"reopened":"{old.freeze_sm3}"' in new.header
    assert len(list(books.writer.lines(old.id))) == 2
    assert verify(books.writer, books.key) == []


def test_an_adjustment_is_dated_in_an_open_day_and_points_at_the_frozen_row(books: Room) -> None:
    old = books.agreed([settled(1)])
    fee = Fee(
        "S1",
        "S1",
        1,
        HOSPITAL,
        "310",
        "11",
        "",
        "",
        "",
        "",
        (0, 0),
        tuple(-1 if at == 0 else None for at in range(len(COMPONENTS))),
    )
    line = Adjustment(kind="CORRECTION", of=(old.id, 1), fee=fee).line()
    with pytest.raises(NotInForce):
        books.writer.adjust(("care", HOSPITAL, DAY), [line], "金额更正", PEOPLE, 2)
    books.writer.adjust(("care", HOSPITAL, NEXT), [line], "金额更正", PEOPLE, 2)
    late = settled(9, setl_time=f"{NEXT} 08:00:00")
    new = books.agreed([late], NEXT)
    found = [fee[10] for fee in books.writer.fees(new.id)]
    assert found == [(old.id, 1), (0, 0)]
    assert [(one[0], one[8]) for one in books.writer.sums(new.id)] == [("ADJ", -1), ("DAY", 10_000)]
    assert verify(books.writer, books.key) == []


def test_a_cancellation_of_a_later_day_is_a_row_of_that_day(books: Room) -> None:
    """2103, 2208 and 2305 may cancel what was cleared: the negative goes into the next clearing (§6.5)."""
    books.agreed([settled(1)])
    back = settled(1, direction="1", msgid="N1", setl_time=f"{NEXT} 08:00:00", **BACK)
    row = books.agreed([back], NEXT)
    assert [one[6:9] for one in books.writer.sums(row.id)] == [(0, 1, -10_000)]


def test_the_citys_day_holds_remote_patients_only(books: Room) -> None:
    remote = settled(1, clr_pay_loc="3", fixmedins_code="H2")
    inputs = books.hand_in({"AGY": [remote, settled(2)], "PROV": [remote]}, scope=CITY)
    books.ran(inputs, scope=CITY)
    row = books.freeze(scope=CITY)
    assert [fee[0] for fee in books.writer.fees(row.id)] == ["S1"]


def test_two_files_of_a_ledger_are_one_ledger(books: Room) -> None:
    inputs = books.hand_in({"AGY": [settled(1), settled(2, fixmedins_code="H2")]}, scope=CITY)
    inputs += books.hand_in({"INST": [settled(1)]})
    inputs += books.hand_in({"INST": [settled(2, fixmedins_code="H2")]}, scope="H2")
    books.ran(inputs)
    row = books.freeze()
    assert [line.split("\t")[0:2] for line in books.writer.lines(row.id)] == [["S1", "INST"], ["S1", "AGY"]]


def test_each_party_consents_once(books: Room) -> None:
    row = books.agreed([settled(1)])
    assert books.writer.consent(row.id, Consent("INST", "operator", "zhang", "zhang", 1))
    assert not books.writer.consent(row.id, Consent("INST", "operator", "other", "other", 2))
    assert [(one.party, one.who) for one in books.writer.consents(row.id)] == [("INST", "zhang")]
    with pytest.raises(sqlite3.IntegrityError):
        books.writer.consent(row.id, Consent("PROV", "operator", "x", "x", 1))


def test_the_fees_of_the_day_equal_its_file(books: Room) -> None:
    row = books.agreed([settled(number) for number in range(2_500)])
    assert (row.rows, row.fees) == (5_000, 2_500)
    [(*_, medfee)] = [one[:9] for one in books.writer.sums(row.id)]
    assert medfee == 2_500 * round(float(FEES["medfee_sumamt"]) * 100)
    assert line_of(row_of("INST", settled(0)), DAY) == next(books.writer.lines(row.id))
