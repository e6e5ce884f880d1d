"""1317 answered by the gateway itself: only what uploads brought to the platform and a comparison confirmed since."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

from collections.abc import Callable
from typing import Any

import pytest_twisted
from codes_town import HOSPITAL, CodesTown, items

from adapters.store.codes_reader import CodesStore
from gateway.app.codes_files import SCRIPTS
from gateway.app.codes_serving import Libraries, serving_of
from gateway.app.facts import read_files
from gateway.core.ports import Found

AREA = "990103"


def at_once(call: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
    done(call())


def asked(town: CodesTown, area: str = AREA, institution: str = HOSPITAL, **data: object) -> Any:
    """The `output` of one 1317, None where the platform is asked."""
    store = CodesStore.open(town.store, SCRIPTS)
    libraries = Libraries(store, serving_of(read_files()), town.reactor, at_once, town.failures.append, area)
    message = {"data": {"page_num": 1, "page_size": 50, "updt_time": "2020-01-01"} | data}
    if not libraries.serves("1317", message):
        return "not served"
    told: list[Found | None] = []
    libraries.look_up("1317", institution, message, "2026-11-18", told.append)
    return None if told[0] is None else told[0].output


@pytest_twisted.ensureDeferred
async def test_own_mappings_as_uploaded_and_compared(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(12))
    assert asked(town) is None  # nothing was ever compared
    assert (await town.done("upload")).outcome == "done"

    found = asked(town, page_size=10)
    assert (found["recordCounts"], found["pages"], found["lastPage"]) == (12, 2, False)
    assert len(asked(town, page_size=10, page_num=2)["data"]) == 2
    (row,) = asked(town, medins_list_codg="L003")["data"]
    assert (row["fixmedins_code"], row["med_list_codg"], row["list_type"]) == (HOSPITAL, items(4)[3][1], "201")
    assert (row["insu_admdvs"], row["vali_flag"], row["enddate"]) == (AREA, "1", "2099-12-31")
    assert len(row["rid"]) == 40 and row["crte_time"] == row["updt_time"] > "2026-11"
    required = [one.name for one in read_files().transactions["1317"].output["_root"].fields if one.required]
    assert all(row[name] for name in required)
    assert asked(town, medins_list_codg="L999")["data"] == []

    assert asked(town, area="") == "not served"
    assert asked(town, institution="H51080200009") is None
    assert asked(town, fixmedins_code="H51080200009") is None
    assert asked(town, opter_name="谁", nonsense="1") is None
    assert asked(town, page_size=5000) is None


@pytest_twisted.ensureDeferred
async def test_what_was_taken_back_shows_as_not_valid(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    (local, old), (_, new) = items(2)
    town.mapping((local, old))
    await town.done("upload")
    town.mapping((local, new))
    await town.done("upload")
    rows = {row["med_list_codg"]: row["vali_flag"] for row in asked(town)["data"]}
    assert rows == {old: "0", new: "1"}
    assert [row["med_list_codg"] for row in asked(town, vali_flag="1")["data"]] == [new]


@pytest_twisted.ensureDeferred
async def test_a_difference_leaves_the_answer_to_the_platform(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.library()
    town.mapping(*items(3))
    await town.done("upload")
    assert asked(town)["recordCounts"] == 3
    key = next(iter(town.platform.books.mapped))
    town.platform.books.mapped.pop(key)  # somebody deleted it elsewhere
    assert (await town.done("compare")).outcome == "findings"
    assert asked(town) is None
