"""Catalogues that come by pages over real sockets: all of them, what changed since, pages that do not fit, breaks."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

from typing import Any

import pytest_twisted
from codes_town import CodesTown
from test_codes_fetch import in_force, line

from simulators.faults import Fault
from simulators.wording import Json

ETHNIC = 11
SMALL = "page_rows = 3"
FIRST: dict[str, Any] = {"infnos": ["1304"], "ver": ""}


def asked(town: CodesTown, infno: str = "1304") -> list[tuple[str, int]]:
    found = [one["input"]["data"] for one in town.arrived if one["infno"] == infno]
    return [(one["updt_time"], one["page_num"]) for one in found]


def showing(town: CodesTown, change: Any) -> None:
    """Let the platform's pages say something else; change: is given the right answer and the page's number."""
    do = town.platform._do

    def instead(envelope: Json, infno: str) -> Any:
        answer = do(envelope, infno)
        return change(answer, envelope["input"]["data"]["page_num"]) if infno == "1304" else answer

    town.platform._do = instead  # type: ignore[method-assign]


@pytest_twisted.ensureDeferred
async def test_all_pages_come_and_the_next_time_only_what_changed(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open(SMALL)
    status = await town.done("fetch", "drug", **FIRST)
    assert (status.outcome, line(status)["state"], line(status)["rows"]) == ("done", "imported", ETHNIC)
    assert in_force(town, "drug") == (ETHNIC, "U20240301000000")
    assert asked(town) == [("2000-01-01", number) for number in (1, 2, 3, 4)]
    assert not list((town.folder / "node" / "codes").glob("pages-*"))

    town.arrived.clear()
    again = await town.done("fetch", "drug", **FIRST)  # the rows of the newest day, for more may have come on it
    assert (line(again)["state"], line(again)["rows"]) == ("imported", 4)
    assert asked(town) == [("2024-03-01", 1), ("2024-03-01", 2)]
    assert in_force(town, "drug")[0] == ETHNIC
    third = await town.done("fetch", "drug", **FIRST)
    assert (third.outcome, line(third)["state"]) == ("done", "current")
    whole = await town.done("fetch", "drug", infnos=["1304"], ver="v0000")
    assert line(whole)["state"] == "current"  # the same rows, digest for digest


@pytest_twisted.ensureDeferred
async def test_the_registers_come_by_pages_too(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    systems = {"1316": "catalogue_match", "1318": "price_cap", "1319": "own_payment", "1312": "insurance_catalogue"}
    status = await town.done("fetch", "", infnos=list(systems), ver="")
    found = status.result["libraries"]
    assert isinstance(found, list) and status.outcome == "done", found
    for one in found:
        assert (one["state"], one["system"]) == ("imported", systems[one["infno"]])
        assert in_force(town, one["system"])[0] == one["rows"] > 100
    assert set(systems) <= set(town.desk._downloads())


@pytest_twisted.ensureDeferred
async def test_pages_whose_counts_do_not_fit_bring_nothing(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open(SMALL)
    showing(town, lambda answer, page: {**answer, "recordCounts": 11 if page < 3 else 10})
    status = await town.done("fetch", "drug", **FIRST)
    assert (status.outcome, line(status)["state"]) == ("failed", "failed")
    assert "第1页称共11行，第3页称共10行" in line(status)["message"]
    assert in_force(town, "drug") == (0, "")
    assert not list((town.folder / "node" / "codes").glob("pages-*"))
    assert town.desk.tally.downloads == {("drug", "failed"): 1}


@pytest_twisted.ensureDeferred
async def test_rows_without_counts_are_asked_for_until_a_page_is_empty(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open(SMALL)
    showing(town, lambda answer, page: answer["data"])
    status = await town.done("fetch", "drug", **FIRST)
    assert (line(status)["state"], line(status)["rows"], len(asked(town))) == ("imported", ETHNIC, 5)


@pytest_twisted.ensureDeferred
async def test_a_refusal_that_means_nothing_new_is_no_failure_and_another_one_is(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.platform.faults = lambda infno, msgid: Fault(business_error="没有更新的数据") if infno == "1304" else None
    assert line(await town.done("fetch", "drug", **FIRST))["state"] == "current"
    town.platform.faults = lambda infno, msgid: Fault(business_error="无权限") if infno == "1304" else None
    assert "无权限" in line(await town.done("fetch", "drug", **FIRST))["message"]


@pytest_twisted.ensureDeferred
async def test_more_than_may_be_kept_is_not_kept(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open("download_bytes_max = 1024\npage_rows = 3")
    status = await town.done("fetch", "drug", **FIRST)
    assert "超过1024字节" in line(status)["message"]
    assert [path for path in (town.folder / "node" / "codes").rglob("*") if path.is_file()] == []


@pytest_twisted.ensureDeferred
async def test_a_stop_between_two_pages_is_gone_on_with_behind_the_last_one(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open(SMALL, timeout_s=1.0)
    town.platform.faults = lambda infno, msgid: Fault(drop="silent") if len(asked(town)) >= 3 else None
    number = town.order("fetch", "drug", **FIRST)
    await town.until(lambda: len(asked(town)) >= 4)
    await town.desk.stop()
    town.platform.faults = lambda infno, msgid: None
    town.arrived.clear()
    town.open_desk()
    status = await town.ended(number)
    assert (status.outcome, in_force(town, "drug")[0]) == ("done", ETHNIC)
    assert [page for _, page in asked(town)] == [4]
