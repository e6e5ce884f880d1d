"""The gateway's own ledger: what each state of the journal is in the books, refunds, where a patient is insured."""

import json

import pytest

from gateway.books.journal import ledger_row
from gateway.core.model import Entry

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
