"""Translation tables (annex X11-X13, X39): a code is mapped, is national itself, or is a precise miss."""

import re
from typing import Any, get_args, get_type_hints

import pytest

from gateway.core.codes import (
    EMPTY_SNAPSHOT,
    LATEST,
    NO_LIBRARIES,
    SLOTS,
    Hit,
    Libraries,
    Miss,
    Row,
    Snapshot,
    build_snapshot,
)
from gateway.core.translation import WHY

DAY = "2024-01-05"
FORMS = {
    "drug": re.compile(r"X[A-Z0-9]{22}"),
    "service_item": re.compile(r"[0-9]{15}-[0-9]{10}"),
    "diagnosis": re.compile(r"[A-Z][0-9]{2}\.[0-9x]{3}"),
    "doctor": re.compile(r"D[0-9]{12}"),
}
DRUG, OTHER_DRUG = "XA00AAA000A000000000001", "XB00BBB000B000000000002"


def tables(*rows: Row, records: Any = None) -> Snapshot:
    return build_snapshot(rows, Libraries(records or {}, FORMS))


def row(system: str, local: str, national: str, since: str = "", until: str = "", version: str = "v1") -> Row:
    return Row(system, local, national, since, until, version)


def target(found: Hit | Miss | None) -> object:
    """Return the national code of a hit, rule and reason of a miss."""
    if isinstance(found, Hit):
        return found.national
    return None if found is None else (found.rule, found.why)


# --- one slot ------------------------------------------------------------------------------------------------


def test_a_mapped_local_code_is_replaced_with_its_evidence() -> None:
    found = tables(row("diagnosis", "GM", "J06.900", "2024-01-01", "2024-12-31", "v7")).one_slot("diagnosis", "GM", DAY)
    assert found == Hit("J06.900", ("J06.900", "2024-01-01", "2024-12-31", "v7", "diagnosis"))


def test_a_mapped_local_code_wins_over_national_form() -> None:
    """X39: J06.900 is of national form, but this hospital means something else by it."""
    both = {"diagnosis": {"J06.900": ("急性上呼吸道感染", "", LATEST), "J00.x00": ("急性鼻咽炎", "", LATEST)}}
    for records in ({}, both):
        snapshot = tables(row("diagnosis", "J06.900", "J00.x00"), records=records)
        assert target(snapshot.one_slot("diagnosis", "J06.900", DAY)) == "J00.x00"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("J06.900", "J06.900"),
        ("J06.90", ("unmapped", "no_row")),
        ("感冒", ("unmapped", "no_row")),
        ("", ("unmapped", "no_row")),
    ],
)
def test_without_a_library_national_form_passes(value: str, expected: object) -> None:
    found = tables().one_slot("diagnosis", value, DAY)
    assert target(found) == expected
    assert not isinstance(found, Hit) or found.entry is None


@pytest.mark.parametrize(
    ("value", "day", "expected"),
    [
        ("J06.900", DAY, "J06.900"),
        ("J06.900", "2019-12-31", ("expired", "library_expired")),
        ("J00.x00", DAY, ("expired", "library_expired")),
        ("J00.x00", "2023-06-01", "J00.x00"),
        ("K35.800", DAY, "K35.800"),
        ("A00.000", DAY, ("unmapped", "no_row")),  # of national form, but the library does not hold it
    ],
)
def test_an_imported_library_decides(value: str, day: str, expected: object) -> None:
    library = {
        "J06.900": ("急性上呼吸道感染", "2020-01-01", LATEST),
        "J00.x00": ("急性鼻咽炎", "2020-01-01", "2023-12-31"),
        "K35.800": ("阑尾炎", "", ""),
    }
    assert target(tables(records={"diagnosis": library}).one_slot("diagnosis", value, day)) == expected


def test_one_expired_library_does_not_hide_a_valid_one() -> None:
    """An item may be a drug, a service or a consumable."""
    records = {"drug": {"A": ("旧", "2020-01-01", "2020-12-31")}, "consumable": {"A": ("新", "2020-01-01", LATEST)}}
    assert target(tables(records=records).one_slot("item", "A", DAY)) == "A"
    assert target(tables(records=records).one_slot("item", "A", "2019-01-01")) == ("expired", "library_expired")


# --- days (X13) ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2023-12-31", ("expired", "row_not_in_force")),
        ("2024-01-01", "D430100000001"),
        ("2024-06-30", "D430100000001"),
        ("2024-07-01", "D430100000002"),
        ("2030-01-01", "D430100000002"),
    ],
)
def test_both_ends_of_a_period_belong_to_it_and_empty_is_open(day: str, expected: object) -> None:
    snapshot = tables(
        row("doctor", "张", "D430100000001", "2024-01-01", "2024-06-30"),
        row("doctor", "张", "D430100000002", "2024-07-01"),
    )
    assert target(snapshot.one_slot("doctor", "张", day)) == expected


def test_two_targets_on_one_day_are_a_conflict() -> None:
    snapshot = tables(
        row("doctor", "张", "D430100000001", "", "2024-06-30"), row("doctor", "张", "D430100000002", "2024-06-01")
    )
    assert target(snapshot.one_slot("doctor", "张", "2024-06-15")) == ("code_conflict", "several_targets")
    assert target(snapshot.one_slot("doctor", "张", "2024-05-31")) == "D430100000001"


def test_the_same_target_twice_is_no_conflict() -> None:
    snapshot = tables(row("doctor", "张", "D430100000001"), row("doctor", "张", "D430100000001", "2024-01-01"))
    assert target(snapshot.one_slot("doctor", "张", DAY)) == "D430100000001"


def test_a_row_is_in_force_only_while_its_target_is_valid() -> None:
    records = {"diagnosis": {"J06.900": ("感冒", "2022-01-01", "2024-06-30")}}
    snapshot = tables(row("diagnosis", "GM", "J06.900", "2020-01-01"), records=records)
    assert target(snapshot.one_slot("diagnosis", "GM", DAY)) == "J06.900"
    for day in ("2021-12-31", "2024-07-01"):
        assert target(snapshot.one_slot("diagnosis", "GM", day)) == ("expired", "row_not_in_force")


def test_a_target_outside_the_library_says_so() -> None:
    snapshot = tables(row("diagnosis", "GM", "J99.999"), records={"diagnosis": {}})
    assert target(snapshot.one_slot("diagnosis", "GM", DAY)) == ("expired", "not_in_library")
    also = tables(row("diagnosis", "GM", "J99.999"), row("diagnosis", "GM", "J06.900", "2025-01-01"),
                  records={"diagnosis": {"J06.900": ("感冒", "", "")}})  # fmt: skip
    assert target(also.one_slot("diagnosis", "GM", DAY)) == ("expired", "row_not_in_force")
    assert target(also.one_slot("diagnosis", "GM", "2025-01-01")) == "J06.900"


# --- two slots (X11) -----------------------------------------------------------------------------------------

ITEMS = (
    row("drug", "YP1", DRUG),
    row("service_item", "ZL1", "001100000000000-0000000000"),
    row("drug", "YP9", DRUG, "", "2020-12-31"),
)


@pytest.mark.parametrize(
    ("local", "national", "expected"),
    [
        ("YP1", "", DRUG),  # absent: filled
        ("YP1", "YP1", DRUG),  # equal to the local code: filled
        ("YP1", DRUG, DRUG),
        ("YP1", OTHER_DRUG, ("code_conflict", "differs")),
        ("ZL1", "", "001100000000000-0000000000"),
        ("YP2", DRUG, DRUG),  # no mapping, a national code was given
        ("YP2", "", ("unmapped", "no_row")),
        ("YP2", "nonsense", ("unmapped", "no_row")),
        ("YP2", "YP1", ("unmapped", "no_row")),  # the national slot holds the local code of another item
        (DRUG, "", DRUG),  # the local slot holds a national code
        (DRUG, DRUG, DRUG),
        (DRUG, OTHER_DRUG, OTHER_DRUG),
        ("YP9", "", ("expired", "row_not_in_force")),
        ("YP9", "YP9", ("expired", "row_not_in_force")),
        ("YP9", DRUG, ("expired", "row_not_in_force")),
        ("", DRUG, DRUG),
        ("", "YP1", DRUG),  # the only slot that is filled holds a local code
        ("", "nonsense", ("unmapped", "no_row")),
    ],
)
def test_a_line_with_a_local_and_a_national_slot(local: str, national: str, expected: object) -> None:
    assert target(tables(*ITEMS).two_slot(local, national, DAY)) == expected


def test_what_passes_by_itself_leaves_no_evidence() -> None:
    for local, national in ((DRUG, ""), ("YP2", DRUG), ("", DRUG)):
        found = tables(*ITEMS).two_slot(local, national, DAY)
        assert isinstance(found, Hit)
        assert found.entry is None


# --- departments, institutions, dictionaries -----------------------------------------------------------------


@pytest.mark.parametrize("slot", ["department", "institution"])
def test_without_a_mapping_a_department_passes_unchanged(slot: str) -> None:
    assert tables().one_slot(slot, "内一科", DAY) == Hit("内一科", None)


def test_with_a_mapping_only_mapped_departments_and_their_targets_pass() -> None:
    snapshot = tables(row("department", "内一科", "A03"), row("department", "旧科", "A04", "", "2020-12-31"))
    assert target(snapshot.one_slot("department", "内一科", DAY)) == "A03"
    assert snapshot.one_slot("department", "A03", DAY) == Hit("A03", None)
    assert target(snapshot.one_slot("department", "外一科", DAY)) == ("unmapped", "no_row")
    assert target(snapshot.one_slot("department", "旧科", DAY)) == ("expired", "row_not_in_force")


def test_a_dictionary_value_is_mapped_or_left_alone() -> None:
    snapshot = tables(row("dictionary:med_type", "M1", "11"), row("dictionary:med_type", "M2", "12", "2025-01-01"))
    assert target(snapshot.dictionary("med_type", "M1", DAY)) == "11"
    assert snapshot.dictionary("med_type", "M2", DAY) is None
    assert snapshot.dictionary("med_type", "11", DAY) is None
    assert snapshot.dictionary("gend", "M1", DAY) is None


# --- the snapshot --------------------------------------------------------------------------------------------


def test_one_system_may_serve_several_fields() -> None:
    """A chronic disease stands in fields of its own and among the diseases of a visit."""
    snapshot = tables(row("chronic_disease", "MB1", "M00100"))
    assert target(snapshot.look_up("chronic_disease", "MB1", DAY)) == "M00100"
    assert target(snapshot.look_up("disease", "MB1", DAY)) == "M00100"
    assert snapshot.look_up("diagnosis", "MB1", DAY) is None


def test_back_from_a_national_code_to_every_local_one() -> None:
    snapshot = tables(
        row("doctor", "张", "D430100000001", "", "2020-12-31"),
        row("doctor", "张", "D430100000001", "2021-01-01"),
        row("doctor", "章", "D430100000001"),
        row("doctor", "李", "D430100000002"),
        row("doctor", "王", "D430100000003"),
        row("doctor", "汪", "D430100000003"),
        row("doctor", "网", "D430100000003"),
    )
    assert {code: tuple(found) for code, found in snapshot.reverse["doctor"].items()} == {
        "D430100000001": ("张", "章"),
        "D430100000002": ("李",),
        "D430100000003": ("王", "汪", "网"),
    }
    assert snapshot.rows == 7


def test_names_come_from_whichever_library_holds_the_code() -> None:
    libraries = Libraries({"drug": {"A": ("药", "", "")}, "consumable": {"B": ("材料", "", "")}}, {})
    assert [libraries.name("item", code) for code in "ABC"] == ["药", "材料", ""]


def test_a_window_says_when_a_target_is_valid() -> None:
    libraries = Libraries({"drug": {"A": ("药", "2020-01-01", "2020-12-31")}}, {})
    assert libraries.window("drug", "A") == ("2020-01-01", "2020-12-31")
    assert libraries.window("drug", "B") is None
    assert libraries.window("consumable", "B") == ("", LATEST)


def test_an_empty_snapshot_has_a_table_for_every_slot() -> None:
    """Compiled plans reach into the tables without asking."""
    assert EMPTY_SNAPSHOT.tables.keys() == SLOTS.keys()
    assert target(EMPTY_SNAPSHOT.one_slot("doctor", "张", DAY)) == ("unmapped", "no_row")
    assert NO_LIBRARIES.national("doctor", "D430100000001", DAY) == "unknown"


def test_every_reason_can_be_told_to_a_person() -> None:
    assert set(WHY) == set(get_args(get_type_hints(Miss)["why"]))
