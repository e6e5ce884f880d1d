"""What is uploaded, taken back, asked for; and how the centre's copy is read and compared (mapping rules §10)."""

import attrs
import pytest

from gateway.codes import uploads
from gateway.codes.uploads import CentreRow, Line
from gateway.core.catalogue import Field

FAR = "2099-12-31"
FIELDS = (
    Field(name="fixmedins_hilist_id", zh="编号", kind="text", length=30, required=True),
    Field(name="fixmedins_hilist_name", zh="名称", kind="text", length=200, required=True),
    Field(name="list_type", zh="类别", kind="text", length=30, required=True),
    Field(name="med_list_codg", zh="编码", kind="text", length=30, required=True),
    Field(name="begndate", zh="开始", kind="date", required=True),
    Field(name="enddate", zh="结束", kind="date", required=True),
    Field(name="spec", zh="规格", kind="text", length=10),
)


@attrs.frozen
class Sent:
    local: str
    national: str
    state: str = "uploaded"
    begndate: str = "2026-01-01"
    enddate: str = FAR
    list_type: str = "101"


def line(local: str, national: str, begndate: str = "2026-01-01", enddate: str = FAR) -> Line:
    return Line(local, "101", national, begndate, enddate, {}, 2)


def made(local: str = "L1", national: str = "X1", span: tuple[str, str] = ("", ""), **facts: str) -> Line:
    return uploads.line_of("drug", local, national, span, "药", facts, (), "2026-11-01", FAR, 7)


def test_an_equal_row_is_not_sent_again() -> None:
    found = uploads.plan([line("L1", "X1"), line("L2", "X2")], [Sent("L1", "X1")])
    assert (found.adds, found.same, found.changes, found.gone) == ((line("L2", "X2"),), 1, (), ())


@pytest.mark.parametrize("state", ["cancelled", "centre_rejected", "not_sent"])
def test_what_is_not_at_the_platform_is_sent(state: str) -> None:
    assert uploads.plan([line("L1", "X1")], [Sent("L1", "X1", state)]).adds == (line("L1", "X1"),)


@pytest.mark.parametrize("state", ["sending", "cancelling"])
def test_what_nobody_knows_is_asked_for(state: str) -> None:
    assert uploads.plan([], [Sent("L1", "X1", state)]).doubts == (Sent("L1", "X1", state),)


def test_another_target_or_another_end_is_taken_back_first() -> None:
    held = [Sent("L1", "X1"), Sent("L2", "X2")]
    found = uploads.plan([line("L1", "X9"), line("L2", "X2", enddate="2026-12-31")], held)
    assert [(one.local, one.cancel, one.send) for one in found.changes] == [
        ("L1", (held[0],), (line("L1", "X9"),)),
        ("L2", (held[1],), (line("L2", "X2", enddate="2026-12-31"),)),
    ]


def test_what_a_cancellation_takes_along_is_sent_again() -> None:
    """3302 names no first day: an equal row of the same target may go with the one that is meant."""
    first, second = Sent("L1", "X1"), Sent("L1", "X1", begndate="2026-06-01")
    kept = line("L1", "X1", "2026-06-01")
    (change,) = uploads.plan([kept], [first, second]).changes
    assert (change.cancel, change.send) == ((first,), (kept,))


def test_what_is_no_longer_in_force_is_only_named() -> None:
    found = uploads.plan([], [Sent("L1", "X1")])
    assert (found.gone, found.changes) == ((Sent("L1", "X1"),), ())


def test_an_open_first_day_is_that_of_the_first_sending() -> None:
    held = [Sent("L1", "X1", begndate="2025-05-05"), Sent("L1", "X2", "cancelled", begndate="2025-01-01")]

    def begins(national: str, since: str = "") -> str:
        found = uploads.line_of("drug", "L1", national, (since, ""), "药", {}, held, "2026-11-01", FAR, 2)
        return found.begndate

    assert begins("X1") == "2025-05-05"
    assert begins("X2") == "2026-11-01"  # what was taken back begins anew
    assert begins("X1", "2024-01-01") == "2024-01-01"


def test_an_open_end_is_the_agreed_far_day() -> None:
    assert made(span=("2026-01-01", "")).fields["enddate"] == FAR
    assert made(span=("2026-01-01", "2026-02-01")).fields["enddate"] == "2026-02-01"


@pytest.mark.parametrize(
    ("system", "code", "facts", "wanted"),
    [
        ("drug", "XJ01CAA900E001020299007", {}, "101"),
        ("drug", "ZA01AAA0001010100001", {}, "101"),
        ("drug", "T000100001", {}, "102"),
        ("drug", "T0001000010000000001", {}, "106"),
        ("drug", "XJ01", {"list_type": "103"}, "103"),
        ("drug", "T1", {"中药配方颗粒代码": "T1"}, "106"),
        ("drug", "Q1", {}, ""),
        ("service_item", "001102000010000-110200001", {}, "201"),
        ("consumable", "C0101", {}, "301"),
        ("doctor", "D1", {}, ""),
    ],
)
def test_the_list_type_comes_from_the_catalogue_and_last_from_the_form(
    system: str, code: str, facts: dict[str, str], wanted: str
) -> None:
    assert uploads.list_type_of(system, code, facts) == wanted


def test_a_row_that_fits_has_only_fields_the_definition_knows() -> None:
    found, fault = uploads.fitted(made(规格="0.5g", 批准文号="国药准字H1"), FIELDS)
    assert fault is None
    assert found.fields["spec"] == "0.5g" and "aprvno" not in found.fields


def test_a_key_too_long_for_its_field_forbids_the_row() -> None:
    _, fault = uploads.fitted(made(national="X" * 31), FIELDS)
    assert fault is not None and (fault.line, fault.column, fault.rule) == (7, "med_list_codg", "length")
    assert "31" in fault.message and "30" in fault.message


def test_a_description_too_long_for_its_field_is_left_out() -> None:
    found, fault = uploads.fitted(made(规格="x" * 11), FIELDS)
    assert fault is None and "spec" not in found.fields


def test_what_has_no_list_type_or_no_real_day_is_not_sent() -> None:
    _, fault = uploads.fitted(made(national="Q1"), FIELDS)
    assert fault is not None and (fault.column, fault.rule) == ("list_type", "required")
    _, fault = uploads.fitted(made(span=("2026-02-30", "")), FIELDS)
    assert fault is not None and (fault.column, fault.rule) == ("begndate", "format")


def test_batches_and_halves_lose_nothing() -> None:
    lines = [line(f"L{number}", "X1") for number in range(7)]
    assert [len(piece) for piece in uploads.batches(lines, 3)] == [3, 3, 1]
    left, right = uploads.halves(lines)
    assert ([*left, *right], len(left)) == (lines, 4)
    assert [len(piece) for piece in uploads.halves(lines[:2])] == [1, 1]


def test_a_region_that_takes_one_object_gets_one() -> None:
    (one,) = (attrs.evolve(line("L1", "X1"), fields={"a": "1"}),)
    assert uploads.upload_words([one], "data", True) == {"data": {"a": "1"}}
    assert uploads.upload_words([one], "catalogcompin", False) == {"catalogcompin": [{"a": "1"}]}


CENTRE = {"medins_list_codg": "L1", "list_type": "101", "med_list_codg": "X1", "begndate": "2026-01-01 00:00:00"}


@pytest.mark.parametrize(
    ("output", "rows", "total"),
    [
        ({"data": [{**CENTRE, "enddate": "2099-12-31"}], "recordCounts": 41}, 1, 41),
        ([CENTRE], 1, None),
        ({"data": []}, 0, None),
        ({}, 0, None),
        ({"data": [{**CENTRE, "vali_flag": "0"}]}, 0, None),
        ({"data": [{**CENTRE, "vali_flag": "1"}], "recordCounts": "x"}, 1, None),
    ],
)
def test_a_page_is_read_in_both_shapes(output: object, rows: int, total: int | None) -> None:
    found = uploads.centre_rows(output)
    assert found is not None
    assert (len(found[0]), found[1]) == (rows, total)
    assert all(row.begndate == "2026-01-01" for row in found[0])


@pytest.mark.parametrize("output", ["x", {"data": 1}, {"data": ["x"]}, {"data": [{"list_type": "101"}]}])
def test_what_is_no_page_is_none(output: object) -> None:
    assert uploads.centre_rows(output) is None


@pytest.mark.parametrize(
    ("state", "there", "after"),
    [
        ("sending", True, "uploaded"),
        ("sending", False, "not_sent"),
        ("cancelling", True, "uploaded"),
        ("cancelling", False, "cancelled"),
    ],
)
def test_the_centres_copy_ends_a_doubt(state: str, there: bool, after: str) -> None:
    rows = [CentreRow("L1", "101", "X1", "2026-01-01", "")] if there else [CentreRow("L1", "101", "X2", "", "")]
    assert uploads.settled_state(Sent("L1", "X1", state), rows) == after


def test_differences_are_told_apart_and_equal_rows_counted() -> None:
    ours = [line("A", "X1"), line("B", "X2"), line("C", "X3")]
    theirs = [
        CentreRow("A", "101", "X1", "2026-01-01", ""),  # an open end is the far day
        CentreRow("B", "101", "X9", "2026-01-01", FAR),
        CentreRow("D", "101", "X4", "2026-01-01", FAR),
    ]
    equal, found = uploads.differences(ours, theirs, FAR)
    assert equal == 1
    assert [(one.kind, one.local) for one in found] == [("different", "B"), ("local_only", "C"), ("centre_only", "D")]
    assert (found[0].ours, found[0].theirs) == (f"X2 2026-01-01..{FAR}", f"X9 2026-01-01..{FAR}")
