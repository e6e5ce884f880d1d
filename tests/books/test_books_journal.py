"""The gateway's own ledger: what each state of the journal is in the books, refunds, where a patient is insured."""

import json
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred

from gateway.app.books_asking import Asking
from gateway.app.books_extract import Extraction, unasked
from gateway.app.books_tasks import Asked, Derive, Task
from gateway.app.facts import read_files
from gateway.books.corrections import Corrections
from gateway.books.journal import ledger_row
from gateway.core.booked import Correction
from gateway.core.model import Entry
from gateway.core.regions import build_region

SETTLED = {"setl_time": "2026-03-15 10:00:00", "insutype": "310", "clr_type": "11", "clr_optins": "510800",
           "medfee_sumamt": 10_000, "fund_pay_sumamt": 6_000, "hifp_pay": 6_000}  # fmt: skip


def entry(state: str = "ACKED", told: dict[str, object] | None = None, **more: object) -> Entry:
    facts = {
        "id": 1, "fixmedins_code": "H51080200001", "msgid": "M1", "infno": "2207", "klass": "M", "link": "national",
        "state": state, "digest": b"", "created_ms": 1_773_536_400_000, "psn_no": "P1", "mdtrt_id": "V1",
        "settled": json.dumps(SETTLED if told is None else told) if told != {} else "", "setl_id": "S1", **more,
    }  # fmt: skip
    return Entry(**facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("ACKED", ""), ("CONFIRMED", ""), ("EXTERNAL", ""), ("SENT", "IN_DOUBT"), ("JOURNALED", "IN_DOUBT"),
        ("IN_DOUBT", "IN_DOUBT"), ("REVERSING", "REVERSING"), ("MANUAL", "MANUAL"), ("REVERSED", "REVERSED"),
        ("REJECTED", "REJECTED"), ("NOT_SENT", "REJECTED"), ("ABSENT", "REJECTED"),
    ],
)  # fmt: skip
def test_every_state_has_its_status(state: str, status: str) -> None:
    row = ledger_row(entry(state), set())
    assert row is not None and row["status"] == status


def test_every_component_of_the_answer_is_carried_and_nothing_else() -> None:
    row = ledger_row(entry(delivered=True), set())
    assert row is not None
    assert (row["medfee_sumamt"], row["hifp_pay"], row["delivered"], row["setl_time"]) == (
        "100.00", "60.00", "1", "2026-03-15 10:00:00",
    )  # fmt: skip
    assert "acct_pay" not in row


def test_what_was_taken_back_without_a_refund_is_reversed_and_with_one_stands() -> None:
    taken = entry(cancelled=True)
    without, with_refund = ledger_row(taken, set()), ledger_row(taken, {"S1"})
    assert without is not None and with_refund is not None
    assert (without["status"], with_refund["status"]) == ("REVERSED", "")


def test_a_refund_carries_the_number_of_what_it_cancels_and_negative_amounts() -> None:
    own = {"setl_time": "2026-03-15 11:00:00", "medfee_sumamt": -10_000}
    refund = entry(told=own, infno="2208", msgid="M2", setl_id="S9", business_key="undo|H51080200001|S1")
    row = ledger_row(refund, {"S1"}, entry())
    assert row is not None
    assert (row["setl_id"], row["direction"], row["medfee_sumamt"], row["clr_type"]) == ("S1", "1", "-100.00", "11")


def test_a_refund_that_says_no_amounts_takes_those_of_what_it_cancels() -> None:
    refund = entry(told={}, msgid="M2", setl_id="S9", business_key="undo|H51080200001|S1")
    row = ledger_row(refund, {"S1"}, entry())
    assert row is not None and (row["medfee_sumamt"], row["hifp_pay"]) == ("-100.00", "-60.00")


def test_a_refund_that_failed_is_no_row_and_one_that_was_reversed_does_not_count() -> None:
    undo = {"business_key": "undo|H51080200001|S1", "told": {}}
    assert ledger_row(entry("REJECTED", **undo), set()) is None  # type: ignore[arg-type]
    reversed_one = ledger_row(entry("ACKED", cancelled=True, **undo), {"S1"})  # type: ignore[arg-type]
    assert reversed_one is not None and reversed_one["status"] == "REVERSED"


@pytest.mark.parametrize(
    ("theirs", "where"), [("510802", ""), ("510100", "3"), ("500100", "4"), ("", "")]
)  # fmt: skip
def test_where_a_patient_is_insured(theirs: str, where: str) -> None:
    row = ledger_row(entry(insuplc_admdvs=theirs, mdtrtarea_admvs="510802"), set())
    assert row is not None and row["clr_pay_loc"] == where


def test_what_never_got_an_answer_bears_the_gateways_own_time_and_the_total_that_was_sent() -> None:
    row = ledger_row(entry("IN_DOUBT", {}, setl_id="", medfee_fen=777), set())
    assert row is not None
    assert (row["setl_id"], row["medfee_sumamt"], row["setl_time"]) == ("", "7.77", "2026-03-15 09:00:00")


class Journal:
    """Stands where adapters.store.journal_reader stands."""

    def __init__(self, *entries: Entry, back: Sequence[Entry] = ()) -> None:
        self.entries, self.back = entries, back

    def asked_back(self) -> list[Entry]:
        return list(self.back)

    def settlements(self, since_ms: int, until_ms: int) -> Iterator[list[Entry]]:
        yield list(self.entries)

    def numbered(self, institution: str, setl_id: str) -> list[Entry]:
        return [entry(setl_id=setl_id, msgid="M0", created_ms=1_773_000_000_000)]


def extraction(
    *entries: Entry, decided: Sequence[Correction] = (), back: Sequence[Entry] = ()
) -> tuple[Extraction, list[dict[str, str]]]:
    asked = Asked(count="gross", refund_rows="both", base64=True, empty_groups=True)
    task = Task(
        journal="", store="", data="", date="2026-03-15", now_ms=0, number=1, institutions={"H51080200001": asked}
    )
    made = Extraction(task, Journal(*entries, back=back), Corrections(decided))  # type: ignore[arg-type]
    return made, list(made.rows())


@pytest.mark.parametrize(("state", "status"), [("SENT", "IN_DOUBT"), ("IN_DOUBT", "IN_DOUBT"), ("MANUAL", "MANUAL")])
def test_what_an_institution_is_taking_back_is_open_until_that_is_over(state: str, status: str) -> None:
    """RV10, RV11: else its day could agree and be solidified, and the reversal take effect afterwards."""
    back = [entry(state, {}, id=9, msgid="R1", klass="R", omsgid="M1")]
    other = entry(id=2, msgid="M2", setl_id="S2")
    _, rows = extraction(entry(), other, back=back)
    assert [(row["msgid"], row["status"]) for row in rows] == [("M1", status), ("M2", "")]
    _, rows = extraction(entry("REJECTED"), entry("MANUAL", id=2, msgid="M2"), back=back)
    assert [row["status"] for row in rows] == ["REJECTED", "MANUAL"]  # its own end counts


def test_what_two_people_voided_counts_as_nothing_and_is_not_uploaded() -> None:
    made, rows = extraction(entry(), decided=[decided("VOID")])
    assert [row["status"] for row in rows] == ["REJECTED"]
    assert made.lines == {}


def decided(kind: str, about: str = "S1", **record: str) -> Correction:
    return Correction(kind=kind, fixmedins_code="H51080200001", setl_id=about, msgid="", record=record)


def test_what_was_corrected_is_told_and_uploaded_as_corrected() -> None:
    made, rows = extraction(entry(), decided=[decided("VOID"), decided("CORRECT", medfee_sumamt="99.99")])
    assert [(row["status"], row["medfee_sumamt"]) for row in rows] == [("", "99.99")]
    assert [one.medfee for one in made.lines["H51080200001"]["510800", "11"]] == [9_999]


def test_what_was_settled_past_the_gateway_has_a_shadow_on_its_own_days_only() -> None:
    cells = {"fixmedins_code": "H51080200001", "setl_id": "S7", "msgid": "M7", "medfee_sumamt": "7.00"}
    near = decided("BOOK", "S7", **cells, setl_time="2026-03-14 08:00:00")
    far = decided("BOOK", "S8", **{**cells, "setl_id": "S8"}, setl_time="2026-03-13 08:00:00")
    _, rows = extraction(entry(), decided=[near, far])
    assert [(row["setl_id"], row["direction"], row["status"]) for row in rows] == [("S1", "0", ""), ("S7", "0", "")]
    _, rows = extraction(entry("REVERSED"), decided=[decided("BOOK", medfee_sumamt="7.00", setl_time="2026-03-15")])
    assert [(row["setl_id"], row["status"], row["medfee_sumamt"]) for row in rows] == [("S1", "", "7.00")]


def test_the_last_decision_holds_by_whichever_number_it_was_made() -> None:
    """The first knew the message alone (a row of 3202 without setl_id); it came last, being found last."""
    code = "H51080200001"
    first = Correction(kind="VOID", fixmedins_code=code, setl_id="", msgid="M1")
    later = Correction(kind="CORRECT", fixmedins_code=code, setl_id="S1", msgid="M1", record={"medfee_sumamt": "1.00"})
    _, rows = extraction(entry(msgid="M1"), decided=[first, later])
    assert [(row["status"], row["medfee_sumamt"]) for row in rows] == [("", "1.00")]
    _, rows = extraction(entry(msgid="M1"), decided=[later, first])
    assert [row["status"] for row in rows] == ["REJECTED"]


def test_a_shadow_that_was_voided_is_gone() -> None:
    code = "H51080200001"
    cells = {"fixmedins_code": code, "setl_id": "S7", "msgid": "M7", "setl_time": "2026-03-15 08:00:00"}
    book = Correction(kind="BOOK", fixmedins_code=code, setl_id="S7", msgid="M7", record=cells)
    void = Correction(kind="VOID", fixmedins_code=code, setl_id="", msgid="M7")
    assert [row["setl_id"] for row in extraction(decided=[book])[1]] == ["S7"]
    assert extraction(decided=[book, void])[1] == []
    assert [row["setl_id"] for row in extraction(decided=[void, book])[1]] == ["S7"]


def test_settlements_nobody_can_be_asked_about_are_not_what_the_agency_lacks() -> None:
    """Their answers name no agency, no group was ever seen: without a question the agency had nothing, completely."""
    told = {name: text for name, text in SETTLED.items() if name not in ("clr_optins", "clr_type")}
    made, rows = extraction(entry(told=told))
    [group] = unasked(made, "H51080200001")
    assert (len(rows), group.whole.count, unasked(made, "H51080200002")) == (1, 1, [])
    link = SimpleNamespace(region=build_region(read_files(), "national"))
    asking = Asking(
        institution="H51080200001", link=link, files=None, errands=None, work=None, workplace=Path(),  # type: ignore[arg-type]
        day=date(2026, 3, 15), patience_s=1.0,
    )  # fmt: skip
    told_of: list[Derive] = []
    Deferred.fromCoroutine(asking.ask([group])).addCallback(told_of.append)
    assert (told_of[0].groups, "1笔结算" in told_of[0].why) == ([], True)


def test_what_a_refund_cancels_comes_along_from_before() -> None:
    refund = entry(
        told={**SETTLED, "medfee_sumamt": -10_000, "setl_time": "2026-03-15 11:00:00"}, msgid="M2", setl_id="S9",
        business_key="undo|H51080200001|S1",
    )  # fmt: skip
    made, rows = extraction(refund)
    assert [(row["setl_id"], row["direction"], row["msgid"]) for row in rows] == [("S1", "1", "M2"), ("S1", "0", "M0")]
    assert made.refunded == {"S1"}


def test_a_day_with_a_doubt_is_looked_at_closely() -> None:
    made, _ = extraction(entry(), entry("IN_DOUBT", {}, setl_id="", msgid="M2"))
    assert made.closely == {"H51080200001"}
    plain, _ = extraction(entry())
    assert plain.closely == set() and [one.own_id for one in plain.lines["H51080200001"]["510800", "11"]] == ["S1"]
