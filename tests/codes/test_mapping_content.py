"""What mapping rows say, judged against the library: MA01, MA03, MA05, MA06, MA17 (annex C2, mapping rules §6)."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.codes.content import judge, same_person
from gateway.codes.library import record_of
from gateway.codes.mapping import Proposed
from gateway.core.codes import Record

TODAY = "2026-11-21"
LIBRARY: dict[str, Record] = {
    "N1": record_of("在用", "2021-01-01", "", "1", "0"),
    "N2": record_of("在用", "", "2027-06-30", "1", "0"),
    "ENDED": record_of("已过期", "2021-01-01", "2025-12-31", "1", "0"),
    "OFF": record_of("停用", "2021-01-01", "", "0", "0"),
    "GRAY": record_of("灰码", "2021-01-01", "", "1", "1"),
    "SOON": record_of("未生效", "2027-01-01", "", "1", "0"),
}


def row(line: int, local: str, national: str, since: str = "", until: str = "", evidence: str = "") -> Proposed:
    return Proposed(line, local, national, since, until, evidence)


def rules(*rows: Proposed, library: dict[str, Record] | None = LIBRARY) -> dict[int, str]:
    find = library.get if library is not None else None
    return {line: fault.rule for line, fault in judge(rows, find, TODAY).items()}


def test_sound_rows_have_no_finding() -> None:
    assert rules(row(2, "A", "N1"), row(3, "B", "N1"), row(4, "C", "N2", "2022-01-01", "2022-12-31")) == {}


def test_an_empty_target_needs_a_decision() -> None:
    assert rules(row(2, "A", ""), row(3, "B", "", evidence="no_code:自费项目")) == {2: "MA01"}


def test_targets_that_are_not_usable() -> None:
    found = rules(row(2, "A", "ENDED"), row(3, "B", "OFF"), row(4, "C", "GRAY"), row(5, "D", "NOWHERE"))
    assert found == {2: "MA05", 3: "MA05", 4: "MA05", 5: "MA06"}


def test_a_closed_row_is_judged_in_its_own_time() -> None:
    assert rules(row(2, "A", "ENDED", "2022-01-01", "2025-12-31")) == {}
    assert rules(row(2, "A", "ENDED", "2022-01-01", "2026-12-31")) == {2: "MA05"}
    assert rules(row(2, "A", "ENDED", "2026-01-01", "2026-03-31")) == {2: "MA05"}


def test_a_target_that_begins_later_is_sound_when_the_row_lasts_that_long() -> None:
    assert rules(row(2, "A", "SOON")) == {}
    assert rules(row(2, "A", "SOON", "", "2026-12-31")) == {2: "MA05"}


def test_without_a_library_only_form_and_number_count() -> None:
    assert rules(row(2, "A", "ANY"), row(3, "B", ""), library=None) == {3: "MA01"}


def test_several_targets_on_one_day_blame_every_row_concerned() -> None:
    assert rules(row(2, "A", "N1"), row(3, "A", "N2")) == {2: "MA03", 3: "MA03"}
    assert rules(row(2, "A", "N1", "", "2022-12-31"), row(3, "A", "N2", "2023-01-01", "")) == {}
    three = (
        row(2, "A", "N1", "2021-01-01", "2021-12-31"),
        row(3, "A", "N2", "2021-06-01", "2021-06-30"),
        row(4, "A", "N1", "2022-01-01", ""),
    )
    assert rules(*three) == {2: "MA03", 3: "MA03"}


def test_an_unusable_target_still_makes_two() -> None:
    assert rules(row(2, "A", "N1"), row(3, "A", "NOWHERE")) == {2: "MA03", 3: "MA06"}
    assert rules(row(2, "A", "N1"), row(3, "A", "")) == {3: "MA01"}


DAYS = st.sampled_from(["", *(f"2021-01-{day:02d}" for day in range(1, 8))])
ROWS = st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(["N1", "N2", "N3"]), DAYS, DAYS), max_size=7)


@given(ROWS)
def test_several_targets_are_found_exactly(drawn: list[tuple[str, str, str, str]]) -> None:
    """The sweeps agree with the definition: some row of the same local code and another target shares a day."""
    rows = [row(line, *cells) for line, cells in enumerate(drawn) if not cells[3] or cells[2] <= cells[3]]
    expected = {
        one.line: "MA03"
        for one in rows
        if any(one.local == two.local and one.national != two.national and one.overlaps(two) for two in rows)
    }
    assert rules(*rows, library=None) == expected


def test_two_people_are_two_people() -> None:
    assert not same_person("张三", "李四")
    assert same_person("Zhang", " ｚｈａｎｇ ")
    assert same_person("张工", "张 工")
    assert same_person("张三", "")
    assert same_person("", "李四")
