"""Which of two days counts what stands near midnight: over all days and parties, by chance, and in a month's sums."""

from collections.abc import Sequence

from desk import BACK, FEES
from hypothesis import given
from hypothesis import strategies as st
from pure import row_of
from test_books_midnight import EARLY, LATE, SPLIT
from test_books_run import DAY, NEXT, A

from gateway.books.freezing import fees_of, lines_of
from gateway.books.midnight import parted
from gateway.books.monthly import visits_of
from gateway.books.splitting import remote_amounts
from gateway.core.dates import shifted
from gateway.core.ledgers import AGY, COMPONENTS, GW, INST, Row


def test_what_another_day_counts_is_in_no_sum_of_this_one() -> None:
    """A month's comparison with the platform goes over the frozen lines of all its days."""
    plain = {**SPLIT, "setl_id": "S2", "mdtrt_id": "V2", "clr_pay_loc": "3", "fixmedins_code": A}
    ours = [row_of(name, {**plain, "setl_time": LATE}) for name in ("INST", "GW")]
    theirs = row_of("AGY", {**plain, "setl_time": EARLY})
    day, following = (
        lines_of(*_frozen([*ours, theirs], DAY)),
        lines_of(*_frozen([row._replace(day=row.day - 1) for row in (*ours, theirs)], NEXT)),
    )
    assert (remote_amounts(day), visits_of(day, "11", "510800")) == ({}, {})
    assert visits_of(following, "11", "510800") == {"V2": 10_000}
    assert remote_amounts(following) == {("S2", "V2"): (10_000, 6_000)}


def _frozen(group: Sequence[Row], date: str) -> tuple[list[Row], str, str, dict[int, str]]:
    kept, elsewhere = parted(group, (AGY, GW, INST))
    return kept, date, "", {way: shifted(date, off) for way, off in elsewhere.items()}


# --- every day of every party's books, by chance ---------------------------------------------------

CLOCKS = st.sampled_from([-1, 0, 1])


@given(st.lists(st.tuples(CLOCKS, CLOCKS, CLOCKS, st.booleans(), CLOCKS, CLOCKS), max_size=6))
def test_every_event_is_counted_on_exactly_one_day(events: Sequence[tuple[int, int, int, bool, int, int]]) -> None:
    """Parties put a settlement, and perhaps its refund, on days at most one apart. What is frozen over all days is what
    the journal has, component by component, and each event stands where the agency has it."""
    rows: list[Row] = []
    for number, (day, inst, gw, refunded, inst_back, gw_back) in enumerate(events):
        for direction in (0, 1) if refunded else (0,):
            own = {INST: inst, GW: gw} if direction == 0 else {INST: inst_back, GW: gw_back}
            where = {AGY: 10 * number + day} | {one: 10 * number + day + off for one, off in own.items()}
            if max(where.values()) - min(where.values()) > 1:
                where = dict.fromkeys(where, where[AGY])
            rows += [_row(ledger, number, direction, at) for ledger, at in where.items()]
    seen: dict[tuple[str, int], int] = {}
    for today in range(-3, 70):
        for key in sorted({row.key for row in rows if row.day == today}):
            group = [row._replace(day=row.day - today) for row in rows if row.key == key and abs(row.day - today) < 2]
            kept, elsewhere = parted(group, (AGY, GW, INST))
            for fee in fees_of(kept, (AGY, GW, INST), ""):
                assert (fee.key, fee.direction) not in seen
                seen[fee.key, fee.direction] = today
                assert fee.amounts[1] == (-6_000 if fee.direction else 6_000) and fee.setl_id == key
                assert fee.amounts[_PART] == (-4_000 if fee.direction else 4_000)
            for direction, off in elsewhere.items():
                there = [row for row in rows if (row.ledger, row.key, row.direction) == (AGY, key, direction)]
                assert [row.day for row in there] == [today + off]
    assert seen == {(row.key, row.direction): row.day for row in rows if row.ledger == AGY}


_PART = COMPONENTS.index("psn_part_amt")


def _row(ledger: int, number: int, direction: int, day: int) -> Row:
    """3202 carries three components, and of a record only the agency has no number."""
    amounts = {**(BACK if direction else FEES)}
    if ledger == AGY:
        amounts = {name: amounts[name] for name in ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")}
    found = row_of("GW", {"setl_id": f"S{number}", "fixmedins_code": A, "direction": str(direction), **amounts})
    return found._replace(ledger=ledger, day=day, setl_id="" if ledger == AGY else found.setl_id)
