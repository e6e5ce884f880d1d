"""Uploading settlement lists over real sockets: 4101, 4102, lost answers and 4103, quality control's results (4104)."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import pytest_twisted
from codes_town import HOSPITAL, CodesTown, Nth
from lists_bed import Bed

from adapters.store.lists import reading
from gateway.app.lists_desk import SCRIPTS
from gateway.core.codes import EMPTY_SNAPSHOT
from simulators.faults import Fault

QUICK = "[lists]\ndoubt_ask_s = [0.01, 0.05]\npatience_s = 20\n"


async def opened(town: CodesTown, more: str = "", timeout_s: float = 20.0) -> Bed:
    await town.open(codes=f"{QUICK}{more}", timeout_s=timeout_s)
    return Bed(town)


@pytest_twisted.ensureDeferred
async def test_what_is_complete_is_uploaded_submitted_and_never_sent_again(codes_town: CodesTown) -> None:
    bed = await opened(codes_town)
    assert bed.collect() == []
    status = await codes_town.done("lists_upload", "")
    assert (status.outcome, status.result["counts"]) == ("done", {"uploaded": 1, "submitted": 1}), status.result
    assert (bed.state(), bed.count("4101"), bed.count("4102")) == ("submitted", 1, 1)
    sent = next(one["input"] for one in codes_town.arrived if one["infno"] == "4101")
    assert "psn_name" not in sent["setlinfo"] and "certno" not in sent["setlinfo"] and "iteminfo" not in sent
    assert sent["bldinfo"][0]["psn_no"] == bed.row.psn_no
    upload = bed.upload()
    assert upload is not None and len(upload.setl_list_id) == 9
    again = await codes_town.done("lists_upload", "")
    assert (again.outcome, again.result["counts"]) == ("done", {})
    assert bed.collect() == []
    looked_at = await codes_town.done("lists_upload", "")
    assert (looked_at.outcome, looked_at.result["counts"]) == ("done", {"same": 1})
    assert bed.count("4101") == 1


@pytest_twisted.ensureDeferred
async def test_a_list_with_errors_stays_here(codes_town: CodesTown) -> None:
    bed = await opened(codes_town)
    assert bed.collect(bill_no="") == ["SL-R032"]
    status = await codes_town.done("lists_upload", "")
    assert (status.outcome, status.result["counts"], bed.count("4101")) == ("done", {}, 0)


@pytest_twisted.ensureDeferred
async def test_what_became_wrong_after_it_was_collected_stays_here(codes_town: CodesTown) -> None:
    bed = await opened(codes_town)
    assert bed.collect() == []
    codes_town.desk.institutions[HOSPITAL].snapshot = EMPTY_SNAPSHOT  # no code means anything any more
    status = await codes_town.done("lists_upload", "")
    assert (status.outcome, status.result["counts"], bed.count("4101")) == ("findings", {"faulty": 1}, 0)
    assert "SL-C005" in str(status.result["lists"])


@pytest_twisted.ensureDeferred
async def test_a_lost_answer_is_asked_for_and_nothing_is_sent_twice(codes_town: CodesTown) -> None:
    bed = await opened(codes_town)
    assert bed.collect() == []
    codes_town.platform.faults = Nth("4101", 1, fault=Fault(drop="reset"))
    status = await codes_town.done("lists_upload", "")
    assert status.result["counts"] == {"found": 1}, status.result
    assert (bed.state(), bed.count("4101")) == ("uploaded", 1)
    later = await codes_town.done("lists_upload", "")
    assert (later.result["counts"], bed.state(), bed.count("4101")) == (
        {"submitted": 1}, "submitted", 1,
    )  # fmt: skip


@pytest_twisted.ensureDeferred
async def test_a_lost_request_stays_unknown_where_nothing_is_overwritten(codes_town: CodesTown) -> None:
    bed = await opened(codes_town)
    assert bed.collect() == []
    codes_town.platform.faults = Nth("4101", fault=Fault(drop="reset", processed=False))
    status = await codes_town.done("lists_upload", "")
    assert (status.outcome, bed.state(), bed.count("4101")) == ("findings", "unknown", 0)
    lists = status.result["lists"]
    assert isinstance(lists, dict) and lists["unknown"][0]["mdtrt_id"] == bed.row.mdtrt_id


@pytest_twisted.ensureDeferred
async def test_a_lost_request_is_sent_again_where_the_platform_overwrites(codes_town: CodesTown) -> None:
    bed = await opened(codes_town, "overwrites = true\n")
    assert bed.collect() == []
    codes_town.platform.faults = Nth("4101", 1, fault=Fault(drop="reset", processed=False))
    first = await codes_town.done("lists_upload", "")
    assert bed.state() == "not_sent", first.result
    second = await codes_town.done("lists_upload", "")
    assert (second.result["counts"], bed.state()) == ({"uploaded": 1, "submitted": 1}, "submitted")


@pytest_twisted.ensureDeferred
async def test_what_the_platform_refuses_is_told_and_goes_again_only_when_it_changed(codes_town: CodesTown) -> None:
    bed = await opened(codes_town)
    assert bed.collect() == []
    codes_town.platform.faults = Nth("4101", 1, fault=Fault(business_error="业务流水号不合规"))
    first = await codes_town.done("lists_upload", "")
    assert (first.outcome, bed.state()) == ("findings", "refused")
    second = await codes_town.done("lists_upload", "")
    assert second.outcome == "findings" and "没有变化" in str(second.result["lists"])
    assert bed.collect(biz_sn="BIZ2") == []
    third = await codes_town.done("lists_upload", "")
    assert (third.outcome, bed.state()) == ("done", "submitted")


@pytest_twisted.ensureDeferred
async def test_quality_control_sends_back_and_the_corrected_list_goes_again(codes_town: CodesTown) -> None:
    bed = await opened(codes_town)
    assert bed.collect() == []
    await codes_town.done("lists_upload", "")
    kept = codes_town.platform.books.lists.kept[bed.row.setl_id]
    kept.stas, kept.returned = "3", True  # whatever the reviewer did not like
    status = await codes_town.done("lists_results", "", months=["202611"])
    assert (status.outcome, status.result["counts"]) == ("findings", {"lists": 1, "returned": 1}), status.result
    assert bed.state() == "returned"
    with reading(codes_town.config.room("lists"), len(SCRIPTS)) as look:
        assert look is not None
        assert {row[0] for row in look.quality(HOSPITAL, "202611")} == {bed.row.setl_id}
    unchanged = await codes_town.done("lists_upload", "")
    assert (unchanged.outcome, bed.state()) == ("findings", "returned")
    assert bed.collect(medcasno="BA2") == []
    corrected = await codes_town.done("lists_upload", "")
    assert (corrected.result["counts"], bed.state()) == ({"uploaded": 1, "submitted": 1}, "submitted")


@pytest_twisted.ensureDeferred
async def test_without_submitting_it_stays_a_draft(codes_town: CodesTown) -> None:
    bed = await opened(codes_town, "submit = false\n")
    assert bed.collect() == []
    await codes_town.done("lists_upload", "")
    assert (bed.state(), bed.count("4102")) == ("uploaded", 0)


@pytest_twisted.ensureDeferred
async def test_a_node_that_ends_between_sending_and_hearing_asks_first(codes_town: CodesTown) -> None:
    bed = await opened(codes_town, timeout_s=1.0)
    assert bed.collect() == []
    codes_town.platform.faults = Nth("4101", 1, fault=Fault(drop="silent"))
    number = codes_town.order("lists_upload", "")
    await codes_town.until(lambda: bed.count("4101") == 1)
    await codes_town.desk.stop()
    codes_town.open_desk()
    status = await codes_town.ended(number)
    if bed.state() != "submitted":  # it was found by the order itself, which leaves submitting to the next
        status = await codes_town.done("lists_upload", "")
    assert status.outcome == "done", status.result
    assert (bed.state(), bed.count("4101")) == ("submitted", 1)
