"""The use of codes by line and by money: whole visits, never a share of one."""

import attrs

from gateway.codes.coverage import Seen
from gateway.codes.months import months_to
from gateway.codes.usage import Money, OwnCodes, Usage, library_slots
from gateway.core.codes import SLOTS
from gateway.core.translation import Evidence

HOSPITAL = "H99010300001"
OCTOBER, NOVEMBER = MONTHS = months_to("2026-11-20", 2)
STANDARDS = {"drug", "service_item", "consumable", "diagnosis", "chronic_disease", "settlement_disease", "day_surgery"}


@attrs.frozen(kw_only=True)
class Sent:
    rows: tuple[Evidence, ...] = ()
    fixmedins_code: str = HOSPITAL
    infno: str = "2204"
    klass: str = "W"
    state: str = "DONE"
    cancelled: int = 0
    mdtrt_id: str = ""
    medfee_fen: int | None = None
    created_ms: int = NOVEMBER.start_ms + 1


def code(system: str, local: str, national: str = "N", version: str = "m1") -> Evidence:
    return ("input.x", system, local, national, version if national else "unmapped", "2026-11-02")


def settlement(
    visit: str, fen: int | None, at_ms: int = NOVEMBER.start_ms + 9, state: str = "ACKED", cancelled: int = 0
) -> Sent:
    return Sent(klass="M", mdtrt_id=visit, medfee_fen=fen, created_ms=at_ms, state=state, cancelled=cancelled)


def taken(*requests: Sent, own: OwnCodes | None = None) -> Usage:
    usage = Usage(MONTHS, own or OwnCodes(library_slots(SLOTS, STANDARDS)))
    usage.take(requests)
    return usage


def test_lines_are_counted_by_library_and_code_in_their_month() -> None:
    usage = taken(
        Sent(rows=(code("drug", "A"), code("drug", "A"), code("item", "B", "")), created_ms=OCTOBER.end_ms - 1),
        Sent(rows=(code("drug", "A"), code("diagnosis", "D", ""), code("item", "C", "N", ""))),
        Sent(rows=(code("drug", "A"),), created_ms=NOVEMBER.end_ms),
    )
    assert usage.of(HOSPITAL, "2026-10").seen == {"drug": {"A": Seen(2)}, "item": {"B": Seen(1, 1)}}
    assert usage.of(HOSPITAL, "2026-11").seen == {
        "drug": {"A": Seen(1)}, "diagnosis": {"D": Seen(1, 1)}, "item": {"C": Seen(1, 0, True)},
    }  # fmt: skip


def test_names_departments_and_dictionaries_are_no_codes_of_a_library() -> None:
    rows = (code("diagnosis:name", "感冒"), code("department", "01"), code("dictionary:dept", "02"))
    assert taken(Sent(rows=rows)).of(HOSPITAL, "2026-11").seen == {}


def test_telling_the_centre_of_a_mapping_is_no_use_of_its_code() -> None:
    assert taken(Sent(rows=(code("drug", "A"),), infno="3301")).of(HOSPITAL, "2026-11").seen == {}


def test_a_settlement_counts_whole_for_every_library_of_its_visit() -> None:
    usage = taken(
        Sent(rows=(code("drug", "A"), code("diagnosis", "D", "")), mdtrt_id="V1"),
        Sent(rows=(code("drug", "B"),), mdtrt_id="V1"),
        settlement("V1", 1000),
        Sent(rows=(code("drug", "A"),), mdtrt_id="V2"),
        settlement("V2", 200),
        settlement("V3", 30),
    )
    used = usage.of(HOSPITAL, "2026-11")
    assert used.by_library == {"drug": Money(1200, 1200), "diagnosis": Money(1000, 0)}
    assert used.money == Money(1230, 200, 30)


def test_the_lines_of_a_settlement_may_stand_in_itself_and_need_no_visit() -> None:
    own = attrs.evolve(settlement("", 500), rows=(code("drug", "A"), code("item", "B", "")))
    used = taken(own).of(HOSPITAL, "2026-11")
    assert used.by_library == {"drug": Money(500, 500), "item": Money(500, 0)}
    assert used.money == Money(500, 0, 0)


def test_a_stay_begun_before_the_first_month_brings_its_codes_along() -> None:
    early = Sent(rows=(code("drug", "A", ""),), mdtrt_id="V1", created_ms=OCTOBER.start_ms - 5)
    usage = taken(early, settlement("V1", 700, OCTOBER.start_ms))
    used = usage.of(HOSPITAL, "2026-10")
    assert used.seen == {}
    assert (used.by_library, used.money) == ({"drug": Money(700, 0)}, Money(700, 0, 0))


def test_what_had_no_effect_and_what_was_cancelled_is_no_money() -> None:
    usage = taken(
        Sent(rows=(code("drug", "A", ""),), mdtrt_id="V1", state="REJECTED"),
        settlement("V1", 100, state="REVERSED"),
        settlement("V1", 100, state="REJECTED"),
        settlement("V1", 100, cancelled=1),
        settlement("V1", None),
        attrs.evolve(settlement("V1", 100), klass="A"),
        settlement("V1", 40),
    )
    used = usage.of(HOSPITAL, "2026-11")
    assert (used.seen, used.money) == ({}, Money(40, 0, 40))


def test_two_institutions_may_have_visits_of_one_number() -> None:
    other = "H99010300002"
    usage = taken(
        Sent(rows=(code("drug", "A", ""),), mdtrt_id="V1"),
        attrs.evolve(settlement("V1", 60), fixmedins_code=other),
    )
    assert usage.of(other, "2026-11").money == Money(60, 0, 60)


def test_a_code_that_needs_none_spoils_no_visit() -> None:
    rows = (code("drug", "A"), code("diagnosis", "SELF", ""))
    own = OwnCodes(library_slots(SLOTS, STANDARDS), without={(HOSPITAL, "diagnosis", "SELF")})
    usage = taken(Sent(rows=rows, mdtrt_id="V1"), settlement("V1", 90), own=own)
    used = usage.of(HOSPITAL, "2026-11")
    assert (used.money, set(used.seen)) == (Money(90, 90, 0), {"drug"})


def test_a_slot_of_several_libraries_is_told_by_what_was_proposed() -> None:
    own = OwnCodes(library_slots(SLOTS, STANDARDS), {(HOSPITAL, "item", "A"): "consumable"})
    found = {slot: own.library(HOSPITAL, slot, "A") for slot in ("drug", "item", "operation", "department", "disease")}
    assert found == {"drug": "drug", "item": "consumable", "operation": "", "department": "", "disease": "disease"}
    assert own.library(HOSPITAL, "item", "B") == "item"
    assert own.library("H0", "item", "A") == "item"
