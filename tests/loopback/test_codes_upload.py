"""Mapping uploads over real sockets: batches, refused rows, lost answers, changed targets, comparisons (rules §10)."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

from collections import Counter

import pytest_twisted
from codes_town import HOSPITAL, CodesTown, Nth, items

import schemas
from adapters.crypto.vault import Vault
from adapters.store.sqlite_journal import SqliteJournal
from gateway.core.model import Entry, Keep
from simulators.faults import Fault


@pytest_twisted.ensureDeferred
async def test_what_is_in_force_is_uploaded_in_batches_and_never_again(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(25))
    status = await town.done("upload")
    assert (status.outcome, status.result["counts"]) == (
        "done",
        {"same": 0, "uploaded": 25, "gone": 0, "equal": 25, "local_only": 0, "centre_only": 0, "different": 0},
    )
    assert [len(one["input"]["data"]) for one in town.arrived if one["infno"] == "3301"] == [10, 10, 5]
    assert town.at_platform() == dict(items(25))
    msgids = [one["msgid"] for one in town.arrived]
    assert len(set(msgids)) == len(msgids) and all(HOSPITAL in msgid for msgid in msgids)
    row = town.sent("3301")[0]
    assert (row["list_type"], row["enddate"]) == ("201", "2099-12-31")

    again = await town.done("upload")
    assert (again.outcome, again.result["counts"]["same"]) == ("done", 25)  # type: ignore[index]
    assert len(town.sent("3301")) == 25


@pytest_twisted.ensureDeferred
async def test_one_refused_row_keeps_no_other_back(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(10))
    other = items(1, first=50)[0][1]
    mine = {"fixmedins_hilist_name": "x", "begndate": "2026-01-01", "enddate": "2099-12-31", "updated": "2026-01-01"}
    town.platform.books.mapped[HOSPITAL, "L006", "201", other] = mine  # somebody mapped it elsewhere
    status = await town.done("upload")
    assert status.outcome == "findings"
    assert set(town.at_platform()) == {local for local, _ in items(10)}
    assert Counter(town.states().values()) == {"uploaded": 9, "centre_rejected": 1}
    rows = status.result["rows"]
    assert isinstance(rows, dict)
    assert [row["local_code"] for row in rows["rejected"]] == ["L006"] and "请先撤销" in rows["rejected"][0]["message"]
    assert [(row["kind"], row["local"]) for row in rows["differences"]] == [("different", "L006")]


@pytest_twisted.ensureDeferred
async def test_a_platform_that_refuses_everything_in_the_same_words_is_not_asked_row_by_row(
    codes_town: CodesTown,
) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(60))
    town.platform.faults = weather = Nth("3301", fault=Fault(business_error="机构未开通目录对照"))
    status = await town.done("upload")
    assert status.outcome == "failed" and "机构未开通目录对照" in str(status.result["message"])
    assert Counter(town.states().values())["centre_rejected"] == 20
    assert weather.seen < 60


@pytest_twisted.ensureDeferred
async def test_another_target_is_taken_back_first(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    (local, old), (_, new) = items(2)
    town.mapping((local, old))
    await town.done("upload")
    town.mapping((local, new))
    status = await town.done("upload")
    assert status.outcome == "done"
    assert [one["infno"] for one in town.arrived if one["infno"] != "1317"] == ["3301", "3302", "3301"]
    assert town.at_platform() == {local: new}
    assert town.states() == {f"{local}>{old}": "cancelled", f"{local}>{new}": "uploaded"}


@pytest_twisted.ensureDeferred
async def test_a_change_whose_second_half_fails_is_raised_and_the_old_row_is_not_made_again(
    codes_town: CodesTown,
) -> None:
    town = codes_town
    await town.open()
    town.library()
    (local, old), (_, new) = items(2)
    town.mapping((local, old))
    await town.done("upload")
    town.mapping((local, new))
    town.platform.faults = Nth("3301", fault=Fault(business_error="目录已停止受理"))
    status = await town.done("upload")
    rows = status.result["rows"]
    assert isinstance(rows, dict)
    assert status.outcome == "findings" and [row["local_code"] for row in rows["uncoded"]] == [local]
    assert town.ears.alarms == ["mapping_uncoded"]
    assert town.at_platform() == {}

    town.platform.faults = lambda infno, msgid: None
    assert (await town.done("upload")).outcome == "done"
    assert town.at_platform() == {local: new}


@pytest_twisted.ensureDeferred
async def test_a_platform_without_1317_leaves_what_was_uploaded_as_uploaded(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(3))
    town.platform.faults = Nth("1317", fault=Fault(business_error="交易未开通"))
    status = await town.done("upload")
    assert status.outcome == "findings" and "没能与平台比对" in str(status.result["message"])
    assert set(town.states().values()) == {"uploaded"}


@pytest_twisted.ensureDeferred
async def test_what_is_no_longer_in_force_is_taken_back_only_when_asked(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    today_gone = [(*row, "2026-01-01", "2026-01-02") for row in items(1)]
    town.mapping(*items(2))
    await town.done("upload")
    town.mapping(*today_gone)
    status = await town.done("upload")
    counts = status.result["counts"]
    assert isinstance(counts, dict) and (counts["gone"], counts["centre_only"]) == (1, 1)
    assert set(town.at_platform()) == {"L000", "L001"}
    assert (await town.done("cancel", retired=True)).outcome == "done"
    assert set(town.at_platform()) == {"L001"}


@pytest_twisted.ensureDeferred
async def test_a_row_too_long_for_its_field_is_never_sent(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(("X" * 31, items(1)[0][1]), *items(1, first=1))
    status = await town.done("upload")
    rows = status.result["rows"]
    assert isinstance(rows, dict)
    assert status.outcome == "findings"
    assert [(row["column"], row["rule"]) for row in rows["refused"]] == [("fixmedins_hilist_id", "length")]
    assert set(town.at_platform()) == {"L001"} and len(town.sent("3301")) == 1


@pytest_twisted.ensureDeferred
async def test_a_platform_with_smaller_pages_than_asked_for_is_read_to_its_end(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open("page_rows = 1000")  # the platform gives a hundred a page
    row = {"fixmedins_hilist_name": "x", "begndate": "2026-01-01", "enddate": "2099-12-31", "updated": "2026-01-01"}
    for number in range(130):
        town.platform.books.mapped[HOSPITAL, f"OTHER{number:03}", "201", "X"] = row
    status = await town.done("compare")
    counts = status.result["counts"]
    assert isinstance(counts, dict) and counts["centre_only"] == 130


@pytest_twisted.ensureDeferred
async def test_a_comparison_pages_through_everything_and_says_what_differs(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open("page_rows = 7")
    town.library()
    town.mapping(*items(20))
    await town.done("upload")
    mapped = town.platform.books.mapped
    foreign = items(1, first=60)[0][1]
    mapped[HOSPITAL, "OTHER", "201", foreign] = {**next(iter(mapped.values()))}
    gone = next(key for key in mapped if key[1] == "L003")
    del mapped[gone]
    status = await town.done("compare")
    assert status.outcome == "findings"
    rows, counts = status.result["rows"], status.result["counts"]
    assert isinstance(rows, dict) and isinstance(counts, dict)
    assert [(row["kind"], row["local"]) for row in rows["differences"]] == [
        ("local_only", "L003"),
        ("centre_only", "OTHER"),
    ]
    assert counts["equal"] == 19
    stored = await town.desk.orders.db(lambda books: books.uploads.compared(HOSPITAL, "service_item"))
    assert stored is not None and stored[1:5] == (19, 1, 1, 0)


@pytest_twisted.ensureDeferred
async def test_fee_lines_without_a_settlement_forbid_a_cancellation_unless_somebody_answers_for_it(
    codes_town: CodesTown,
) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(2))
    await town.done("upload")
    journal = SqliteJournal.open(
        town.config.journal, Vault(bytes(32), "aes-256-gcm", bytes), list(schemas.read("migrations/journal", ".sql"))
    )
    entry = Entry(
        id=1, fixmedins_code=HOSPITAL, msgid="W1", infno="2204", klass="W", link="national", state="DONE",
        digest=b"", mdtrt_id="V1", created_ms=int(town.reactor.seconds() * 1000),
    )  # fmt: skip
    evidence = (("input.feedetail[0].med_list_codg", "service_item", "L000", "X", "m1", "2026-11-22"),)
    journal.commit([Keep(entry=entry, evidence=evidence, answer=b"{}")])
    journal.close()

    status = await town.done("cancel", codes=["L000", "L001"])
    rows = status.result["rows"]
    assert isinstance(rows, dict)
    assert [row["local_code"] for row in rows["unsettled"]] == ["L000"]
    assert set(town.at_platform()) == {"L000"}
    assert (await town.done("cancel", codes=["L000"], settled=True)).outcome == "findings"
    assert town.at_platform() == {}
