"""Mapping uploads over real sockets: batches, refused rows, lost answers, changed targets, comparisons (rules §10)."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

from collections import Counter

import pytest_twisted
from codes_town import HOSPITAL, CodesTown, items

import schemas
from adapters.crypto.vault import Vault
from adapters.store.sqlite_journal import SqliteJournal
from gateway.core.model import Entry, Keep
from simulators.faults import Fault


class Nth:
    """A Weather: what happens to the n-th message of a transaction, counted from 1."""

    def __init__(self, infno: str, *numbers: int, fault: Fault) -> None:
        self.infno, self.numbers, self.fault, self.seen = infno, numbers, fault, 0

    def __call__(self, infno: str, msgid: str) -> Fault | None:
        if infno != self.infno:
            return None
        self.seen += 1
        return self.fault if not self.numbers or self.seen in self.numbers else None


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
async def test_a_sign_in_that_is_not_accepted_refuses_no_row(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(3))
    town.platform.faults = Nth("3301", fault=Fault(business_error="未签到，请先签到"))
    status = await town.done("upload")
    assert status.outcome == "failed" and "签到" in str(status.result["message"])
    assert set(town.states().values()) == {"not_sent"}
    assert [one["infno"] for one in town.arrived].count("9001") == 2


@pytest_twisted.ensureDeferred
async def test_a_fault_of_ours_ends_the_order_and_is_reported(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    number = town.order("upload", "no_such_system")
    orders = town.desk.orders
    await town.until(lambda: bool(town.failures))
    assert isinstance(town.failures.pop(), KeyError)
    status = await orders.db(lambda books: books.orders.status(number))
    while status is None or not status.outcome:
        await orders.sleep(0.05)
        status = await orders.db(lambda books: books.orders.status(number))
    assert status.outcome == "failed" and "内部错误" in str(status.result["message"])


@pytest_twisted.ensureDeferred
async def test_a_lost_answer_is_asked_for_and_nothing_is_sent_twice(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(25))
    town.platform.faults = Nth("3301", 2, fault=Fault(drop="reset"))
    status = await town.done("upload")
    assert status.outcome == "done"
    assert Counter(row["fixmedins_hilist_id"] for row in town.sent("3301")) == dict.fromkeys(dict(items(25)), 1)
    assert set(town.states().values()) == {"uploaded"}
    asked = {row["medins_list_codg"] for row in town.sent("1317") if row.get("medins_list_codg")}
    assert asked == {local for local, _ in items(10, first=10)}


@pytest_twisted.ensureDeferred
async def test_a_lost_request_is_sent_again_once_the_centre_does_not_know_it(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(25))
    town.platform.faults = Nth("3301", 1, fault=Fault(drop="silent", processed=False))
    status = await town.done("upload")
    assert status.outcome == "done"
    assert Counter(row["fixmedins_hilist_id"] for row in town.sent("3301")) == dict.fromkeys(dict(items(25)), 1)


@pytest_twisted.ensureDeferred
async def test_an_answer_that_comes_too_late_is_no_answer(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(5))
    town.platform.faults = Nth("3301", 1, fault=Fault(delay_s=0.8))
    assert (await town.done("upload")).outcome == "done"
    assert len(town.sent("3301")) == 5


@pytest_twisted.ensureDeferred
async def test_a_platform_that_never_answers_3301_is_given_up_after_three_rounds(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(3))
    town.platform.faults = weather = Nth("3301", fault=Fault(drop="silent", processed=False))
    status = await town.done("upload")
    assert (status.outcome, weather.seen) == ("findings", 3)
    rows = status.result["rows"]
    assert isinstance(rows, dict)
    assert [row["local_code"] for row in rows["unsent"]] == ["L000", "L001", "L002"]
    assert set(town.states().values()) == {"not_sent"}


@pytest_twisted.ensureDeferred
async def test_what_nobody_can_say_stays_in_doubt_until_the_platform_answers(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(5))
    lost, mute = Fault(drop="reset"), Fault(drop="silent", processed=False)
    town.platform.faults = lambda infno, msgid: lost if infno == "3301" else mute
    status = await town.done("upload")
    assert status.outcome == "failed" and "1317" in str(status.result["message"])
    assert set(town.states().values()) == {"sending"}

    town.platform.faults = lambda infno, msgid: None
    assert (await town.done("upload")).outcome == "done"
    assert len(town.sent("3301")) == 5
    assert set(town.states().values()) == {"uploaded"}


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
async def test_a_lost_answer_to_a_cancellation_is_asked_for(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(2))
    await town.done("upload")
    town.platform.faults = Nth("3302", 1, fault=Fault(drop="reset"))
    status = await town.done("cancel", codes=["L000"])
    assert status.outcome == "findings"  # it is still in force here, and no longer there
    assert town.at_platform() == dict(items(1, first=1))
    assert len(town.sent("3302")) == 1
    assert town.states()[">".join(items(1)[0])] == "cancelled"


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
async def test_who_is_not_signed_in_signs_in(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open(require_sign_in=True)
    town.library()
    town.mapping(*items(3))
    assert (await town.done("upload")).outcome == "done"
    assert [one["infno"] for one in town.arrived][:3] == ["3301", "9001", "3301"]
    assert town.heads[HOSPITAL]["sign_no"]


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_while_others_wait_for_the_link(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(3))
    town.crowded = True
    number = town.order("upload")
    orders = town.desk.orders
    await town.until(lambda: bool(orders._running))
    seen = await orders.db(lambda books: books.orders.status(number))
    while seen is None or "让行" not in seen.note:
        await orders.sleep(0.02)
        seen = await orders.db(lambda books: books.orders.status(number))
    assert town.arrived == []
    town.crowded = False
    assert (await town.ended(number)).outcome == "done"


@pytest_twisted.ensureDeferred
async def test_a_stop_in_the_middle_is_gone_on_with_after_the_next_start(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(25))
    town.platform.faults = Nth("3301", 2, fault=Fault(delay_s=0.3))
    number = town.order("upload")
    await town.until(lambda: len(town.sent("3301")) > 10)
    await town.desk.stop()
    town.open_desk()
    assert (await town.ended(number)).outcome == "done"
    assert Counter(row["fixmedins_hilist_id"] for row in town.sent("3301")) == dict.fromkeys(dict(items(25)), 1)


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
