"""What 3201 and 3202 are asked with: the fields of the region, filled from the rows and the profile."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import msgspec
from twisted.internet.defer import Deferred, succeed

import schemas
from adapters.files import parcel
from gateway.app.books_asking import Asking
from gateway.app.books_extract import Extraction, _group, _ways
from gateway.app.books_tasks import Asked, Derive, Group, Task
from gateway.books.agency import Ours
from gateway.core.catalogue import Region, decode_files
from gateway.core.regions import build_region
from gateway.exchange.errands import Outcome

A, DAY = "H51080200001", "2026-03-15"
GROUP = ("440100", "11")


def region(name: str) -> Region:
    files = decode_files(
        schemas.read("transactions", ".json"), schemas.read("dictionaries", ".json"), schemas.read("regions", ".toml"),
        schemas.read("code_systems", ".json"), (schemas.ROOT / "envelope.json").read_bytes(),
    )  # fmt: skip
    return build_region(files, name)


@attrs.define
class Platform:
    """Stands where the orders' work stands: every question is kept; 3201 says what it is told to say."""

    result: str = "0"
    asked: list[tuple[str, dict[str, Any]]] = attrs.Factory(list)

    async def ask(self, link: object, infno: str, words: dict[str, Any], patience_s: float) -> Outcome:
        self.asked.append((infno, words.get("data", {})))
        output = {
            "3201": {"stmtinfo": {"stmt_rslt": self.result}},
            "9101": {"file_qury_no": "U1"},
            "3202": {"fileinfo": {"file_qury_no": "D1", "filename": "result.zip"}},
        }[infno]
        return Outcome(kind="done", output=output)

    def db(self, call: Any) -> "Deferred[Any]":
        return succeed(call(None))


@attrs.define
class Link:
    region: Region


class Fetching(Asking):
    """9102 gives a result without differences; its road is the exchange's business."""

    async def _fetch(self, words: Mapping[str, str]) -> bytes:
        return parcel.pack("result.txt", "")


class Town:
    """An institution's lines of a day, grouped and asked about in a region."""

    def __init__(self, folder: Path, name: str) -> None:
        self.region, self.platform = region(name), Platform()
        table = self.region.statement
        asked = Asked(
            count=table.count, refund_rows=table.refund_rows, base64=False, empty_groups=table.empty_groups,
            by_way=table.by_way, way=table.fill.get("clr_way", ""),
        )  # fmt: skip
        self.task = Task(
            journal="", store="", data=str(folder), date=DAY, now_ms=1, number=1, institutions={A: asked}
        )  # fmt: skip
        self.task.workplace.mkdir(parents=True)
        self.made = Extraction(self.task, None)  # type: ignore[arg-type]

    def settle(self, number: int, way: str, fen: int) -> None:
        cells = {
            "setl_id": f"S{number}", "mdtrt_id": "V", "psn_no": "P", "direction": "0",
            "clr_way": way or self.task.institutions[A].way, "setl_time": f"{DAY} 10:00:00",
        }  # fmt: skip
        line = Ours(
            own_id=f"S{number}", optins=GROUP[0], clr_type=GROUP[1], insutype="310", medfee=fen, fund=0, acct=0,
            cash=fen, cells=cells,
        )  # fmt: skip
        self.made.lines.setdefault(A, {}).setdefault(GROUP, []).append(line)

    def groups(self) -> list[Group]:
        return [_group(self.task, self.made, A, GROUP, {"310"}, way) for way in _ways(self.task, self.made, A, GROUP)]

    def ask(self, groups: Sequence[Group]) -> Derive:
        asking = Fetching(
            institution=A, link=Link(self.region), files=None, errands=None, work=self.platform,  # type: ignore[arg-type]
            workplace=self.task.workplace, day=date.fromisoformat(DAY), patience_s=1,
        )  # fmt: skip
        found: list[Derive] = []
        Deferred.fromCoroutine(asking.ask(list(groups))).addCallback(found.append)
        return found[0]


def test_guangzhou_is_asked_by_its_way_of_clearing_and_its_own_fields(tmp_path: Path) -> None:
    town = Town(tmp_path, "guangzhou")
    town.settle(1, "1", 100)
    town.settle(2, "3", 250)
    town.settle(3, "", 7)  # its answer named no way: the profile's
    town.platform.result = "1"
    assert town.ask(town.groups()).why == ""
    told = [(infno, words["clr_way"], bytes(words["medfee_sumamt"])) for infno, words in town.platform.asked
            if infno != "9101"]  # fmt: skip
    assert told == [("3201", "1", b"1.07"), ("3202", "1", b"1.07"), ("3201", "3", b"2.50"), ("3202", "3", b"2.50")]
    total, detail = town.platform.asked[0][1], town.platform.asked[2][1]
    assert tuple(total) == town.region.statement.total and tuple(detail) == town.region.statement.detail
    assert "setl_optins" not in total and total["clr_optins"] == "440100"


def test_a_group_without_rows_is_asked_for_in_the_profiles_way(tmp_path: Path) -> None:
    town = Town(tmp_path, "guangzhou")
    town.ask(town.groups())
    assert [(infno, words["clr_way"]) for infno, words in town.platform.asked] == [("3201", "1")]


def test_where_no_way_is_wanted_all_ways_are_one_group(tmp_path: Path) -> None:
    town = Town(tmp_path, "hunan")
    town.settle(1, "1", 100)
    town.settle(2, "3", 250)
    town.ask(town.groups())
    ((_, words),) = town.platform.asked
    assert "clr_way" not in words and bytes(words["medfee_sumamt"]) == b"3.50"


def test_a_field_that_neither_rows_nor_profile_have_is_told_and_not_left_out(tmp_path: Path) -> None:
    town = Town(tmp_path, "guangzhou")
    town.settle(1, "", 100)
    (group,) = town.groups()
    town.region = attrs.evolve(town.region, statement=_without_fill(town.region))
    found = town.ask([_other_way(group)])
    assert "clr_way" in found.why and town.platform.asked == []


def _without_fill(found: Region) -> Any:
    return msgspec.structs.replace(found.statement, fill={})


def _other_way(group: Group) -> Group:
    return msgspec.structs.replace(group, clr_way="")
