"""What changes a province's books, over real sockets: feedback, reversals, clearing; once, however often it is sent."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import csv
from typing import Any

import attrs
import pytest
import pytest_twisted
from province_town import DAY, ProvinceTown, posted

from gateway.core.province import ClearingApp, ClearingRow, Deduction, FeedbackItem, Reversal
from simulators.postings import Posting
from simulators.province_clearing import WALK

ensure: Any = pytest_twisted.ensureDeferred
EVIDENCE = "ab" * 32
FACTS = ("fixmedins_code", "mdtrt_id", "psn_no", "msgid", "direction", "insutype", "clr_type", "setl_time")


def item(kind: Any, one: Posting | None = None, **more: Any) -> FeedbackItem:
    given: dict[str, Any] = {"item_id": f"{kind}-1", "party": "PROV", "evidence_sm3": EVIDENCE, "operator": "对账员"}
    if one is not None:
        given["setl_id"] = one.setl_id
    return FeedbackItem(kind=kind, **given | more)


def reversal(one: Posting, **more: Any) -> Reversal:
    return Reversal(**{"party": "PROV", "reason": "省平台多", "operator": "对账员", "prov_sn": one.prov_sn} | more)


@ensure
async def test_the_care_locality_prevails(province_town: ProvinceTown) -> None:
    """Missing, wrong, doubled and of another status: what is fed back is what the next statement says."""
    town = await province_town.open(rows=6)
    care = {one.setl_id: attrs.evolve(one, amounts=dict(one.amounts)) for one in town.book("PROV")}
    lost, wrong, doubled, undone, *_ = care.values()
    town.plant("missing_row", setl_id=lost.setl_id)
    town.plant("missing_row", setl_id=lost.setl_id, ledger="INS")
    town.plant("wrong_amount", setl_id=wrong.setl_id, by_fen=-7)
    town.plant("double_post", setl_id=doubled.setl_id)
    town.plant("wrong_status", setl_id=undone.setl_id, status="REFUNDED")
    extra = next(one for one in town.book("PROV") if one.setl_id == doubled.setl_id and one.prov_sn != doubled.prov_sn)
    facts = {name: getattr(lost, name) for name in FACTS}
    items = (
        item("MISSING_AT_PROV", lost, facts=facts, values_fen=lost.amounts),
        item("MISSING_AT_INS", lost, party="INS", facts=facts, values_fen=lost.amounts),
        item("AMOUNT", wrong, values_fen=wrong.amounts),
        item("DUPLICATE", doubled, prov_sn=extra.prov_sn),
        item("STATUS", undone, status="SETTLED"),
        item("AMOUNT", None, setl_id="nobody has it", values_fen={"acct_pay": 1}),
    )
    outcome = await town.port.send_feedback("f1", items)
    assert outcome.kind == "done" and outcome.value is not None
    assert [one.taken for one in outcome.value.answers] == [True, True, True, True, True, False]
    assert outcome.value.answers[-1].code == "NOT_FOUND" and outcome.value.receipt_no
    found = await town.port.fetch_statement("s", "care", DAY, "PROV", town.folder / "PROV")
    assert found.value is not None and found.value.rows == 6
    with found.value.path.open(encoding="utf-8", newline="") as file:
        rows = {row["setl_id"]: row for row in csv.DictReader(file)}
    assert {name: (row["status"], row["prov_sn"] != "") for name, row in rows.items()} == dict.fromkeys(
        care, ("", True)
    )
    assert {one.setl_id: one.amounts for one in town.book("PROV")} == {name: one.amounts for name, one in care.items()}
    assert lost.setl_id in {one.setl_id for one in town.book("INS")}


@ensure
async def test_the_same_key_has_one_effect(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=2)
    one = town.book("PROV")[0]
    items = (item("AMOUNT", one, values_fen={"acct_pay": 5}),)
    first = await town.port.send_feedback("f1", items)
    assert await town.port.send_feedback("f1", items) == first
    other = await town.port.send_feedback("f1", (item("AMOUNT", one, values_fen={"acct_pay": 6}),))
    assert (other.kind, other.code) == ("refused", "CONFLICT")
    assert town.book("PROV")[0].amounts["acct_pay"] == 5


@pytest.mark.parametrize("kind", ["lose_answer", "cut", "system_error", "foreign_id"])
@ensure
async def test_a_lost_answer_is_doubt_and_the_key_finds_it(province_town: ProvinceTown, kind: str) -> None:
    town = await province_town.open(rows=2)
    one = town.book("PROV")[0]
    town.plant(kind, op="reversal", times=1)
    outcome = await town.port.reverse("r1", reversal(one))
    assert (outcome.kind, outcome.value, outcome.wait) == ("unknown", None, True)
    assert town.province.counts["reversal"] == 1  # and was not sent again by itself
    assert one.prov_sn not in {left.prov_sn for left in town.book("PROV")}
    known = await town.port.receipt_of("r1")
    assert known.value is not None and (known.value.found, known.value.operation) == (True, "reversal")
    again = await town.port.reverse("r1", reversal(one))
    assert again.value is not None and (again.value.ack_no, again.value.already) == (known.value.data["ack_no"], False)
    unknown = await town.port.receipt_of("r2")
    assert unknown.value is not None and not unknown.value.found


@ensure
async def test_a_lost_request_is_doubt_too_and_is_not_remembered(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=1)
    town.plant("lose_request", op="reversal", times=1)
    one = town.book("PROV")[0]
    assert (await town.port.reverse("r1", reversal(one))).kind == "unknown"
    known = await town.port.receipt_of("r1")
    assert known.value is not None and not known.value.found
    assert (await town.port.reverse("r1", reversal(one))).kind == "done"


@ensure
async def test_reversals_are_idempotent_and_by_either_name(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=3)
    one, other, _ = town.book("PROV")
    first = await town.port.reverse("r1", reversal(one))
    assert first.value is not None and not first.value.already
    again = await town.port.reverse("r2", reversal(one))
    assert again.value is not None and again.value.already
    by_message = reversal(other, prov_sn="", omsgid=other.msgid, oinfno="2207", party="INS")
    assert (await town.port.reverse("r3", by_message)).kind == "done"
    assert len(town.book("PROV")) == 2 and len(town.book("INS")) == 2
    nobody = await town.port.reverse("r4", reversal(one, prov_sn="A5108002611210009999"))
    assert (nobody.kind, nobody.code, nobody.wait) == ("refused", "NOT_FOUND", False)
    nameless = await town.port.reverse("r5", reversal(one, prov_sn="", omsgid="m", oinfno=""))
    assert (nameless.kind, nameless.code) == ("refused", "BAD_REQUEST")


@ensure
async def test_a_reversal_without_effect_is_seen_by_the_next_statement_only(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=2)
    town.plant("without_effect", op="reversal", times=1)
    one = town.book("PROV")[0]
    outcome = await town.port.reverse("r1", reversal(one))
    assert outcome.value is not None and not outcome.value.already
    found = await town.port.fetch_statement("s", "care", DAY, "PROV", town.folder / "PROV")
    assert found.value is not None and found.value.rows == 2


# --- clearing ---


def application(rows: list[Posting], **more: Any) -> ClearingApp:
    sums = {
        name: sum(one.amounts.get(name, 0) for one in rows)
        for name in ("medfee_sumamt", "fund_pay_sumamt", "hifp_pay", "acct_pay")
    }
    lines = [
        ClearingRow(
            setl_id=one.setl_id, prov_sn=one.prov_sn, fixmedins_code=one.fixmedins_code, mdtrt_id=one.mdtrt_id,
            direction="0", setl_time=one.setl_time, values_fen={name: one.amounts.get(name, 0) for name in sums},
        )
        for one in rows
    ]  # fmt: skip
    given: dict[str, Any] = {
        "app_no": "APP-1", "fixmedins_code": "H51080200001", "month": "202611", "clr_type": "11", "insutype": "310",
        "clr_optins": "510000", "clr_pay_loc": "4", "clr_way": "1", "begndate": "2026-11-01", "enddate": "2026-11-30",
        "psntime": len(rows), "fund_appy_fen": sums["fund_pay_sumamt"], "rows_count": len(rows), "sums_fen": sums,
        "rows": lines,
    }  # fmt: skip
    return ClearingApp(**given | more)


@ensure
async def test_an_application_walks_to_its_payment(province_town: ProvinceTown) -> None:
    """Applied = approved + deducted + withheld + deposit, to the fen, with what the agency deducted itself."""
    town = await province_town.open(rows=1203)
    town.province.clearing.step_s = 0
    app = application(town.book("PROV"))
    assert isinstance(app.rows, list)
    cut = Deduction(
        deduction_id="D1", setl_id=app.rows[0].setl_id, fund="hifp_pay", amount_fen=101, kind="DEDUCT",
        reason_code="X", reason="重复收费", state="APPLIED",
    )  # fmt: skip
    app.rows[0] = attrs.evolve(app.rows[0], deductions=(cut,))
    outcome = await town.port.upload_clearing("c1", app)
    assert outcome.kind == "done" and outcome.value
    assert town.province.counts["clearing/rows"] == 3
    event = outcome.value
    seen = []
    for state in WALK:
        town.province.clearing.move({"event_id": event, "clr_stas": state})
        status = (await town.port.clearing_status(f"q{state}", event_id=event)).value
        assert status is not None and status.app_no == "APP-1"
        seen.append(status.clr_stas)
        if state >= "40":
            parts = status.approved_fen + status.deducted_fen + status.withheld_fen + status.deposit_fen
            assert status.applied_fen == app.fund_appy_fen == parts and status.deductions > 100
            assert status.paid_fen == (status.approved_fen if state == "60" else 0)
    assert tuple(seen) == WALK
    assert status is not None
    found, start = [], 1
    while page := (await town.port.clearing_deductions(f"d{start}", event, start)).value:
        found += page.rows
        if len(page.rows) < 100:
            break
        start += 100
    assert len(found) == page.total == status.deductions and found[0].deduction_id == "D1"
    assert sum(one.amount_fen for one in found if one.kind != "WITHHOLD") == status.deducted_fen
    assert page.sums_fen["WITHHOLD"] == status.withheld_fen > 0


@ensure
async def test_a_submission_without_answer_is_found_by_our_number(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=4)
    app = application(town.book("PROV"))
    town.plant("lose_answer", op="clearing/submit", times=1)
    outcome = await town.port.upload_clearing("c1", app)
    assert (outcome.kind, outcome.code) == ("unknown", "NO_ANSWER")
    status = (await town.port.clearing_status("q", app_no="APP-1")).value
    assert status is not None and status.event_id and status.applied_fen == app.fund_appy_fen
    second = await town.port.upload_clearing("c2", app)
    assert (second.kind, second.code) == ("refused", "CONFLICT")
    absent = (await town.port.clearing_status("q2", app_no="APP-2")).value
    assert absent is not None and absent.event_id == ""


@pytest.mark.parametrize("op", ["clearing/begin", "clearing/rows"])
@ensure
async def test_what_fails_before_the_submission_is_certainly_no_application(
    province_town: ProvinceTown, op: str
) -> None:
    town = await province_town.open(rows=4)
    app = application(town.book("PROV"))
    town.plant("lose_answer", op=op, times=1)
    outcome = await town.port.upload_clearing("c1", app)
    assert outcome.kind == "not_sent"
    status = (await town.port.clearing_status("q", app_no="APP-1")).value
    assert status is not None and status.event_id == ""
    again = await town.port.upload_clearing("c1", app)
    assert again.kind == "done"


@ensure
async def test_an_application_that_does_not_add_up_is_refused(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=4)
    rows = town.book("PROV")
    sums = application(rows).sums_fen
    for key, app in (
        ("c1", application(rows, rows_count=5)),
        ("c2", application(rows, sums_fen={**sums, "acct_pay": 1}, app_no="APP-2")),
        ("c3", application([attrs.evolve(rows[0], setl_id="nobody's"), *rows[1:]], app_no="APP-3")),
    ):
        outcome = await town.port.upload_clearing(key, app)
        assert (outcome.kind, outcome.code) == ("refused", "MISMATCH"), key


@ensure
async def test_a_fault_of_ours_is_doubt_and_is_told(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=1)
    app = attrs.evolve(application(town.book("PROV")), rows=(one / 0 for one in (1,)))
    outcome = await town.port.upload_clearing("c1", app)
    assert (outcome.kind, outcome.code) == ("unknown", "INTERNAL")
    assert [type(one) for one in town.faults] == [ZeroDivisionError]
    town.faults.clear()


@ensure
async def test_a_months_split_is_read_by_pages_and_whole(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=230)
    page = (await town.port.download_clearing_detail("d", "2026", "11", 201)).value
    assert page is not None
    assert (page.start, len(page.rows), page.total, page.rows[0].seqno) == (201, 30, 230, 201)
    expected = {
        "medfee_sumamt": sum(one.amounts["medfee_sumamt"] for one in town.book("PROV")),
        "optins_pay_sumamt": sum(one.amounts["hifp_pay"] for one in town.book("PROV")),
    }
    assert page.sums_fen == expected
    target = town.folder / "split.csv"
    whole = (await town.port.download_clearing_details("w", "2026", "11", target)).value
    assert whole is not None and (whole.rows, whole.readings, whole.sums_fen) == (230, 2, expected)
    with target.open(encoding="utf-8", newline="") as file:
        assert {row["setl_sn"] for row in csv.DictReader(file)} == {one.prov_sn for one in town.book("PROV")}
    town.plant("wrong_totals")
    spoilt = await town.port.download_clearing_details("x", "2026", "11", town.folder / "other.csv")
    assert (spoilt.kind, spoilt.code) == ("unknown", "TOTALS")
    town.province.faults.planted.clear()
    town.plant("late")
    late = await town.port.download_clearing_detail("y", "2026", "11", 1)
    assert (late.kind, late.code) == ("refused", "NOT_READY")


@ensure
async def test_what_the_platform_takes_back_leaves_both_books(province_town: ProvinceTown) -> None:
    town = await province_town.open(rows=2)
    town.province.post([posted(0) | {"reversed": True}, posted(1), posted(1, direction="1")])
    assert [(one.setl_id[-1], one.direction) for one in town.book("INS")] == [("1", "0"), ("1", "1")]
    found = (await town.port.fetch_statement("s", "care", DAY, "PROV", town.folder / "PROV")).value
    assert found is not None and (found.rows, found.sums_fen["medfee_sumamt"]) == (2, 0)
