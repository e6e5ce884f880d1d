"""Lists read back (4103), counted (4105), and sent by the clock, over real sockets; the figures that come of it."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import json
from typing import Any

import pytest_twisted
from click.testing import CliRunner
from codes_town import HOSPITAL, CodesTown, Nth
from lists_bed import KEY, Bed

import schemas
from adapters.crypto.vault import Vault
from adapters.store.codes_orders import OrdersStore, WorkStatus
from adapters.store.lists import Filter, reading
from adapters.store.lists_compared import counted, differences
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app.cli import cli
from gateway.app.codes_files import SCRIPTS as ORDERS
from gateway.app.lists_desk import SCRIPTS
from gateway.app.say import Outside
from gateway.core.dates import day_of, shanghai
from gateway.core.model import Accept, Advance, Entry
from simulators.faults import Fault

QUICK = "[lists]\njitter_s = 0\ndoubt_ask_s = [0.01, 0.05]\npatience_s = 20\n"


async def opened(town: CodesTown, more: str = "") -> Bed:
    await town.open(codes=f"{QUICK}{more}")
    return Bed(town)


def settle(bed: Bed) -> None:
    """Let the journal know the settlement the platform has."""
    town, row = bed.town, bed.row
    journal = SqliteJournal.open(
        town.config.journal, Vault(KEY, "aes-256-gcm", town.entropy), list(schemas.read("migrations/journal", ".sql"))
    )
    entry = Entry(
        id=1, fixmedins_code=HOSPITAL, msgid="m1", infno="2304", klass="M", link="national", state="SENT",
        digest=b"d" * 32, created_ms=int(row.now_s * 1000), psn_no=row.psn_no, mdtrt_id=row.mdtrt_id, med_type="21",
        business_key=f"2304|{HOSPITAL}|{row.mdtrt_id}|||{row.psn_no}",
    )  # fmt: skip
    journal.commit([Accept(entry=entry)])
    done = Advance(entry=entry, was="SENT", to="ACKED", at_ms=entry.created_ms, reason="answered", setl_id=row.setl_id)
    journal.commit([done])
    journal.close()


def found(town: CodesTown) -> list[tuple[str, ...]]:
    with reading(town.config.room("lists"), len(SCRIPTS)) as look:
        assert look is not None
        return differences(look.connection, Filter(), 100)


def report(town: CodesTown, now_s: float) -> tuple[int, Any]:
    def never(*_: object) -> Any:
        raise AssertionError

    outside = Outside(run_node=never, simulate=never, now=lambda: now_s, entropy=town.entropy)
    words = ["lists", "report", str(town.folder / "gateway.toml"), "--json"]
    result = CliRunner().invoke(cli, words, obj=outside)
    return result.exit_code, json.loads(result.stdout)["figures"]


@pytest_twisted.ensureDeferred
async def test_what_the_platform_keeps_is_compared_with_what_was_sent(codes_town: CodesTown) -> None:
    bed = await opened(codes_town)
    assert bed.collect() == []
    await codes_town.done("lists_upload", "")
    same = await codes_town.done("lists_compare", "")
    assert (same.outcome, same.result["counts"]) == ("done", {"same": 1}), same.result
    assert found(codes_town) == []
    kept = codes_town.platform.books.lists.kept[bed.row.setl_id]
    kept.body["setlinfo"]["medcasno"] = "OTHER"
    kept.body["diseinfo"].pop()
    status = await codes_town.done("lists_compare", "", month="2026-11")
    assert (status.outcome, status.result["counts"]) == ("findings", {"differs": 1})
    rows = found(codes_town)
    assert {row[4:6] for row in rows} == {
        ("differs", "setlinfo.medcasno"), ("differs", "diseinfo"), ("differs", "diseinfo[1]"),
    }  # fmt: skip
    assert "OTHER" not in str(rows) and "OTHER" not in str(status.result)
    assert bed.collect(medcasno="BA2") == []  # what is collected since then is not what was sent
    del codes_town.platform.books.lists.kept[bed.row.setl_id]
    status = await codes_town.done("lists_compare", "")
    assert (status.outcome, status.result["counts"]) == ("findings", {"absent": 1})
    other = await codes_town.done("lists_compare", "", month="2026-10")
    assert (other.outcome, other.result["counts"]) == ("done", {})


@pytest_twisted.ensureDeferred
async def test_the_platforms_counts_are_compared_with_our_books(codes_town: CodesTown) -> None:
    bed = await opened(codes_town)
    month = day_of(bed.row.now_s)[:7]
    status = await codes_town.done("lists_counts", "", months=[month])
    assert status.outcome == "findings", status.result  # a settlement that went past this gateway
    settle(bed)
    status = await codes_town.done("lists_counts", "", months=[month])
    assert status.outcome == "done", status.result
    assert bed.collect() == []
    await codes_town.done("lists_upload", "")
    status = await codes_town.done("lists_counts", "", months=[month])
    assert status.outcome == "done", status.result
    with reading(codes_town.config.room("lists"), len(SCRIPTS)) as look:
        assert look is not None
        (one,) = counted(look.connection, HOSPITAL, month)
    assert (one.due_theirs, one.due_ours, one.there_theirs, one.there_ours) == (1, 1, 1, 1)


@pytest_twisted.ensureDeferred
async def test_figures_follow_a_list_from_its_settlement_to_its_acceptance(codes_town: CodesTown) -> None:
    bed = await opened(codes_town)
    settle(bed)
    soon, later = bed.row.now_s + 86_400, bed.row.now_s + 11 * 86_400
    code, (figure,) = report(codes_town, soon)
    assert (code, figure["due"], figure["late"], figure["missing"]) == (0, 1, 0, 1)
    code, (figure,) = report(codes_town, later)
    assert (code, figure["late"]) == (3, 1)
    assert bed.collect(bill_no="") != []
    assert report(codes_town, soon)[1][0]["faulty"] == 1
    assert bed.collect() == []
    assert report(codes_town, soon)[1][0]["ready"] == 1
    await codes_town.done("lists_upload", "")
    kept = codes_town.platform.books.lists.kept[bed.row.setl_id]
    kept.stas, kept.returned = "3", True
    assert report(codes_town, soon)[1][0]["waiting"] == 1
    await codes_town.done("lists_results", "", months=["202611"])
    code, (figure,) = report(codes_town, soon)
    assert (code, figure["returned"], figure["judged"], figure["first_pass"]) == (3, 1, 1, 0)
    assert bed.collect(medcasno="BA2") == []
    await codes_town.done("lists_upload", "")
    await codes_town.done("lists_results", "", months=["202611"])
    code, (figure,) = report(codes_town, soon)
    assert (figure["accepted"], figure["judged"], figure["first_pass"]) == (1, 1, 0)


def scheduled(town: CodesTown, kind: str) -> list[WorkStatus]:
    orders = OrdersStore.open(town.store, ORDERS)
    try:
        return [one for one in orders.newest(100, kind, "schedule") if one.outcome]
    finally:
        orders.close()


@pytest_twisted.ensureDeferred
async def test_lists_go_by_the_clock_once_a_day_and_not_again_after_a_restart(codes_town: CodesTown) -> None:
    moment = f"{shanghai(codes_town.reactor.seconds()):%H}:00"  # this hour has begun
    bed = await opened(codes_town, f'upload = "{moment}"\nresults = "{moment}"\n')
    settle(bed)
    await codes_town.desk.stop()
    assert bed.collect() == []
    bed.open_desk()
    await codes_town.until(lambda: len(scheduled(codes_town, "lists_counts")) > 0)
    assert [one.outcome for one in scheduled(codes_town, "lists_upload")] == ["done"]
    assert bed.state() == "submitted"
    await codes_town.desk.stop()
    bed.open_desk()  # now there are results to fetch, and nothing to send twice
    await codes_town.until(lambda: len(scheduled(codes_town, "lists_results")) > 0)
    assert len(scheduled(codes_town, "lists_upload")) == 1
    assert bed.count("4101") == 1
    assert [one.order.arguments["months"] for one in scheduled(codes_town, "lists_results")] == [["202611"]]


@pytest_twisted.ensureDeferred
async def test_a_platform_that_refuses_to_count_ends_the_order(codes_town: CodesTown) -> None:
    await opened(codes_town)
    codes_town.platform.faults = Nth("4105", 1, fault=Fault(business_error="不支持"))
    status = await codes_town.done("lists_counts", "", months=["2026-11"])
    assert (status.outcome, "4105" in str(status.result["message"])) == ("failed", True)
