"""Uploads whose answers are lost, late or never come; a stop in the middle; who goes first (mapping rules §10.5)."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

from collections import Counter

import pytest_twisted
from codes_town import HOSPITAL, CodesTown, Nth, items

from adapters.store.codes_orders import OrdersStore
from gateway.app.codes_files import SCRIPTS
from gateway.app.codes_orders import POLL_S, Ended, Work
from simulators.faults import Fault


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
    await town.open(timeout_s=1.0)
    town.library()
    town.mapping(*items(25))
    town.platform.faults = Nth("3301", 1, fault=Fault(drop="silent", processed=False))
    status = await town.done("upload")
    assert status.outcome == "done"
    assert Counter(row["fixmedins_hilist_id"] for row in town.sent("3301")) == dict.fromkeys(dict(items(25)), 1)


@pytest_twisted.ensureDeferred
async def test_an_answer_that_comes_too_late_is_no_answer(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open(timeout_s=0.5)
    town.library()
    town.mapping(*items(5))
    town.platform.faults = Nth("3301", 1, fault=Fault(delay_s=0.8))
    assert (await town.done("upload")).outcome == "done"
    assert len(town.sent("3301")) == 5


@pytest_twisted.ensureDeferred
async def test_a_platform_that_never_answers_3301_is_given_up_after_three_rounds(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open(timeout_s=0.5)
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
async def test_without_a_head_nothing_is_sent_and_the_setting_is_named(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(3))
    town.desk.errands.fallback = {"recer_sys_code": "SIM"}
    status = await town.done("upload")
    assert status.outcome == "failed" and "mdtrtarea_admvs" in str(status.result["message"])
    assert town.arrived == [] and set(town.states().values()) == {"not_sent"}
    town.heads[HOSPITAL] = {"mdtrtarea_admvs": "990103"}  # it has sent something meanwhile
    assert (await town.done("upload")).outcome == "done"


@pytest_twisted.ensureDeferred
async def test_what_nobody_can_say_stays_in_doubt_until_the_platform_answers(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open(timeout_s=0.5, patience_s=1.0)
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
async def test_a_change_cut_in_two_by_an_outage_is_raised_and_made_whole_later(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open(timeout_s=0.5, patience_s=1.0)
    town.library()
    (local, old), (_, new) = items(2)
    town.mapping((local, old))
    await town.done("upload")
    town.mapping((local, new))
    gone = False

    def weather(infno: str, msgid: str) -> Fault | None:
        nonlocal gone
        gone = gone or infno == "3302"
        return Fault(drop="silent", processed=False) if gone and infno != "3302" else None

    town.platform.faults = weather
    status = await town.done("upload")
    assert status.outcome == "failed" and town.at_platform() == {}
    assert town.states()[f"{local}>{new}"] == "sending"
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
async def test_only_a_few_institutions_are_worked_for_at_once_and_all_in_the_end(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    working: list[str] = []
    most = 0
    open_now = False

    async def job(work: Work) -> Ended:
        nonlocal most
        working.append(work.order.institution)
        most = max(most, len(working))
        while not open_now:
            await work.wait(0.02)
        working.remove(work.order.institution)
        return Ended("done", {})

    town.desk.orders.jobs = {"compare": job, "fetch": job}
    store = OrdersStore.open(town.store, SCRIPTS)
    for number in range(7):
        store.place("compare", f"H{number}", "drug", {}, "tester", 1)
    store.place("compare", "H0", "consumable", {}, "tester", 1)
    store.place("fetch", "LIBRARY", "drug", {}, "tester", 1)
    await town.until(lambda: "LIBRARY" in working)
    await town.desk.orders.sleep(2 * POLL_S)
    assert sorted(working) == ["H0", "H1", "H2", "H3", "LIBRARY"]
    open_now = True
    while not all(one.outcome == "done" for one in store.newest(9)):
        await town.desk.orders.sleep(0.05)
    assert most == 5
    store.close()
