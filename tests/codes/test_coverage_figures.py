"""Coverage figures: what counts as in use, maintained, coded and right, and that no percentage is ever rounded up."""

from fractions import Fraction

import pytest

from gateway.codes.coverage import (
    NOT_SEEN,
    Figures,
    Proposal,
    Ratio,
    Row,
    Seen,
    State,
    Tally,
    in_force_of,
    judge,
    standing,
)
from gateway.codes.months import last_day, months_to

DAY, LATER = "2026-11-20", 1 << 60
LIBRARY = {"N1": ("2021-01-01", ""), "N2": ("2021-01-01", ""), "OLD": ("2021-01-01", "2026-10-31")}


Batch = tuple[Proposal, list[Row]]


def row(line: int, local: str, national: str, since: str = "", until: str = "", evidence: str = "") -> Row:
    return Row(local, 0, line, national, since, until, evidence)


def proposal(number: int, *rows: Row, approved: tuple[tuple[int, set[int]], ...] = ()) -> Batch:
    approvals = tuple((at_ms, frozenset(lines)) for at_ms, lines in approved)
    return Proposal(number, number * 10, approvals), [one._replace(batch=number) for one in rows]


def judged(*batches: Batch, seen: dict[str, Seen] | None = None, before: int = LATER) -> dict[str, State]:
    stood = standing([head for head, _ in batches], before)
    rows = [one for _, rows in batches for one in rows]
    found = {}
    for local in {one.local for one in rows} | set(seen or {}):
        mine = [one for one in rows if one.local == local]
        found[local] = judge(mine, stood, (seen or {}).get(local), LIBRARY.get, DAY)
    return found


def counted(states: dict[str, State], seen: dict[str, Seen]) -> Figures:
    tally = Tally()
    for local, state in states.items():
        tally.add(state, seen.get(local, NOT_SEEN))
    return tally.figures()


@pytest.mark.parametrize(
    ("numerator", "denominator", "text"),
    [
        (98_995, 100_000, "98.99%"),
        (98_999_999, 100_000_000, "98.99%"),
        (99, 100, "99.00%"),
        (9_999_999, 10_000_000, "99.99%"),
        (100, 100, "100.00%"),
        (0, 7, "0.00%"),
        (1, 3, "33.33%"),
        (2, 3, "66.66%"),
        (1, 100_000, "0.00%"),
        (0, 0, "—"),
    ],
)
def test_a_percentage_is_cut_and_never_rounded_up(numerator: int, denominator: int, text: str) -> None:
    assert Ratio(numerator, denominator).text() == text


def test_the_target_is_compared_exactly_whatever_the_text_says() -> None:
    target = Fraction(99, 100)
    assert Ratio(98_999_999, 100_000_000).below(target)
    assert not Ratio(99, 100).below(target)
    assert not Ratio(10**18 * 99 + 1, 10**20).below(target)
    assert Ratio(10**18 * 99 - 1, 10**20).below(target)
    assert not Ratio(0, 0).below(target)


def test_every_way_to_lack_a_valid_code_is_told_apart() -> None:
    rows = (
        row(2, "ok", "N1"),
        row(3, "dead", "OLD"),
        row(4, "stranger", "N9"),
        row(5, "two", "N1"),
        row(6, "two", "N2"),
        row(7, "none", "", evidence="no_code:院内自费"),
        row(8, "closed", "N1", until="2026-11-19"),
        row(9, "future", "N1", since="2026-11-21"),
        row(10, "turned down", "N1"),
        row(11, "empty", ""),
    )
    batch = proposal(1, *rows, approved=((20, {10, 11}),))
    waiting = proposal(2, row(2, "waits", "N1"), row(3, "blank", ""))
    assert judged(batch, waiting) == {
        "ok": "coded", "dead": "library_expired", "stranger": "not_in_library", "two": "several_targets",
        "none": "no_code", "closed": "idle", "future": "idle", "turned down": "refused", "empty": "incomplete",
        "waits": "draft", "blank": "incomplete",
    }  # fmt: skip


def test_what_is_used_is_in_use_whatever_the_mapping_says() -> None:
    batch = proposal(1, row(2, "closed", "N1", until="2026-11-01"), row(3, "ok", "N1"), approved=((20, set()),))
    seen = {"closed": Seen(3, 1), "new": Seen(2, 2), "own": Seen(4, 0, True), "ok": Seen(9, 0)}
    assert judged(batch, seen=seen) == {
        "closed": "out_of_dates", "new": "never_proposed", "own": "by_itself", "ok": "coded",
    }  # fmt: skip
    figures = counted(judged(batch, seen=seen), seen)
    assert (figures.items, figures.maintained, figures.coded, figures.mapped) == (4, 2, 2, 1)
    assert (figures.lines, figures.lines_coded, figures.late) == (18, 15, 2)


def test_an_item_closed_after_its_last_use_is_no_gap_and_its_use_counts() -> None:
    batch = proposal(1, row(2, "closed", "N1", until="2026-11-10"), approved=((20, set()),))
    assert judged(batch, seen={"closed": Seen(3)}) == {"closed": "idle"}
    figures = counted({"closed": "idle"}, {"closed": Seen(3)})
    assert (figures.items, figures.lines, figures.lines_coded, figures.idle) == (0, 3, 3, 1)


def test_the_newest_proposal_with_something_in_force_decides_and_a_draft_does_not() -> None:
    first = proposal(1, row(2, "a", "OLD"), approved=((11, set()),))
    second = proposal(2, row(2, "a", "N1"), approved=((21, set()),))
    draft = proposal(3, row(2, "a", "N9"))
    assert judged(first, second, draft) == {"a": "coded"}
    refused = proposal(4, row(2, "a", "N9"), approved=((41, {2}),))
    assert judged(first, second, draft, refused) == {"a": "coded"}
    assert judged(first, refused) == {"a": "library_expired"}


def test_a_row_refused_once_and_taken_later_is_in_force_from_then_on() -> None:
    batch = proposal(1, row(2, "a", "N1"), approved=((20, {2}), (30, set())))
    assert judged(batch, before=20) == {"a": "draft"}
    assert judged(batch, before=30) == {"a": "refused"}
    assert judged(batch, before=31) == {"a": "coded"}
    assert judged(batch, before=10) == {"a": "never_proposed"}


def test_the_rates_leave_out_what_needs_no_code() -> None:
    states: list[State] = ["coded", "coded", "library_expired", "draft", "never_proposed", "no_code", "idle"]
    figures = counted({str(number): state for number, state in enumerate(states)}, {})
    rates = figures.ratios
    assert rates == {"maintained": Ratio(4, 5), "coded": Ratio(2, 5), "right": Ratio(2, 3)}
    assert (figures.no_code, figures.idle, figures.wrong) == (1, 1, 1)
    assert figures.below({"maintained": Fraction(4, 5), "coded": Fraction(41, 100), "right": Fraction(2, 3)}) == (
        "coded",
    )


def test_figures_add_up() -> None:
    total = Figures(items=3, coded=2, fen=10) + Figures(items=4, coded=4, fen_coded=5)
    assert total == Figures(items=7, coded=6, fen=10, fen_coded=5)


def test_in_force_are_the_rows_of_the_newest_proposal_that_has_any() -> None:
    first, rows = proposal(1, row(2, "a", "N1", until="2026-10-31"), row(3, "a", "N2"), approved=((20, set()),))
    assert [one.national for one in in_force_of(rows, standing([first]))] == ["N1", "N2"]
    second, more = proposal(2, row(2, "a", "", evidence="no_code:x"), approved=((30, set()),))
    stood = standing([first, second])
    assert [one.evidence for one in in_force_of(rows + more, stood)] == ["no_code:x"]
    assert in_force_of(more + rows, stood) == in_force_of(rows + more, stood)
    assert [one.national for one in in_force_of(rows + more, standing([first, second], 30))] == ["N1", "N2"]


def test_months_end_with_their_last_day_and_the_last_with_the_day_asked_for() -> None:
    months = months_to("2026-03-05", 3)
    assert [(one.name, one.day) for one in months] == [
        ("2026-01", "2026-01-31"), ("2026-02", "2026-02-28"), ("2026-03", "2026-03-05"),
    ]  # fmt: skip
    assert months[0].end_ms == months[1].start_ms
    assert months[2].end_ms - months[2].start_ms == 5 * 86_400_000
    assert months[2].start_ms == 1_772_294_400_000  # 2026-03-01 00:00 in Shanghai
    assert last_day("2028-02") == "2028-02-29"
    for wrong in ("2026-13", "2026-1", "2026", "十一月"):
        with pytest.raises(ValueError):
            last_day(wrong)
