"""The demonstration's evening with all parties: rounds until the books agree, then people;
what is near midnight."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from rich.console import Console

from simulators import demo_books
from simulators.accounts import COLUMNS
from simulators.demo_books import FAULTS, BooksChapter
from simulators.processes import Failed, Processes

NAMES = {"H51080200001": "一院", "P51080200102": "药店"}
DATE = "2026-11-22"
PROVINCE = {
    "PROV": [{"setl_id": f"S{n}", "direction": flag} for n, flag in ((1, "0"), (2, "0"), (2, "1"), (3, "0"))],
    "INS": [],
}
CASES = [
    {"case": number, "class": name, "setl_id": f"S{number}", "msgid": "m", "leg": leg, "state": "OPEN"}
    for number, name, leg in ((4, "AMOUNT", "L1"), (5, "STATUS", "L2"))
]


@attrs.define
class Gateway(Processes):
    """Commands with answers laid down beforehand. days: what each `books day` says."""

    days: list[dict[str, Any]] = attrs.Factory(list)
    asked: list[tuple[str, ...]] = attrs.Factory(list)

    def tool(self, module: str, *arguments: str, accept: tuple[int, ...] = (0,)) -> str:
        self.asked.append(arguments)
        verb = arguments[1]
        if verb == "day":
            return json.dumps(self.days.pop(0) if len(self.days) > 1 else self.days[0])
        answers: dict[str, object] = {
            "cases": {"cases": CASES},
            "user": {"approval": 1},
            "decide": {"carried_out": "4" in arguments[:4], "approval": 7},
            "freeze": {"days": [{"scope": "*", "approval": 8}, {"scope": "H51080200001", "approval": 9}]},
            "frozen": {"frozen": [{"scope": scope, "fees": 1, "freeze_sm3": "ab" * 32, "maker": "wang", "checker": "li",
                                   "consents": ["AGY"]} for scope in ("*", "H51080200001")]},
        }  # fmt: skip
        if arguments[:2] == ("audit", "verify"):
            return json.dumps({"entries": 3})
        return json.dumps(answers.get(verb, {}))

    def of(self, *start: str) -> list[tuple[str, ...]]:
        return [one for one in self.asked if one[: len(start)] == start]


def day(state: str, classes: Sequence[str] = ()) -> dict[str, Any]:
    return {"days": {"*": state}, "classes": dict.fromkeys(classes, 1), "revision": 1, "keys": 2, "actions": {}}


@pytest.fixture
def chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BooksChapter:
    for code in NAMES:
        with (tmp_path / f"{code}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="0.00")
            writer.writeheader()
            writer.writerow(
                {"fixmedins_code": code, "setl_id": "S1", "setl_time": f"{DATE} 08:00:00", "direction": "0"}
            )
    planted: list[dict[str, Any]] = []
    monkeypatch.setattr(demo_books.urllib.request, "urlopen", lambda request, timeout: _answer(request, planted))
    monkeypatch.setattr(demo_books, "call", lambda url, pki, code: {"differences": [url]})
    console = Console(record=True, width=120, file=io.StringIO())
    gateway = Gateway(tmp_path)
    return BooksChapter(
        gateway, tmp_path / "g.toml", tmp_path, tmp_path, "http://p", "https://g", NAMES, console, lambda line: None
    )


class _answer(io.BytesIO):
    """The province's book, or its word that a fault is planted."""

    status = 200

    def __init__(self, request: Any, planted: list[dict[str, Any]]) -> None:
        if not isinstance(request, str):
            planted.append(json.loads(request.data))
        super().__init__(json.dumps(PROVINCE).encode())


def gateway_of(chapter: BooksChapter) -> Gateway:
    assert isinstance(chapter.processes, Gateway)
    return chapter.processes


def test_rounds_until_all_agree_and_then_two_people(chapter: BooksChapter) -> None:
    gateway = gateway_of(chapter)
    gateway.days = [day("L1_DIFF", ["AMOUNT"]), day("AGREED")]
    assert chapter.play()
    assert [one[3] for one in gateway.of("books", "decide")] == ["4", "5"]
    assert [one[1:5] for one in gateway.of("security", "approvals")] == [
        ("approvals", "approve", str(chapter.config), "1"),  # the roles
        ("approvals", "approve", str(chapter.config), "7"), ("approvals", "approve", str(chapter.config), "8"),
    ]  # fmt: skip
    handed = gateway.of("books", "hand-in")
    assert [(one[3], one[one.index("--user") + 1]) for one in handed] == [(code, "zhou") for code in FAULTS]
    spoke = [(one[one.index("--party") + 1], one[one.index("--user") + 1]) for one in gateway.of("books", "consent")]
    assert spoke == [("AGY", "wang"), ("INST", "zhou"), ("AGY", "wang")]  # the city has no institution
    (report,) = gateway.of("books", "report")
    assert Path(report[-1]).parent == chapter.folder  # a folder that is there
    assert len(gateway.of("books", "verify")) == len(gateway.of("audit", "verify")) == 1
    marker = json.loads((chapter.folder / f"H51080200001_{DATE}_corrected.csv.end.json").read_text())
    assert marker == {"rows": 1, "medfee_sumamt": "0.00", "fund_pay_sumamt": "0.00", "acct_pay": "0.00"}


def test_books_that_never_agree_are_told_and_nothing_is_frozen(chapter: BooksChapter) -> None:
    gateway_of(chapter).days = [day("L1_DIFF", ["AMOUNT"])]
    assert not chapter.play()
    assert not gateway_of(chapter).of("books", "freeze")
    assert len(gateway_of(chapter).of("books", "day")) == 4


def test_near_midnight_the_day_waits_for_the_next_and_that_is_no_fault(chapter: BooksChapter) -> None:
    gateway_of(chapter).days = [day("L1_DIFF", ["WAIT_NEXT_DAY", "NETZERO_TRACE"])]
    assert chapter.play()
    assert not gateway_of(chapter).of("books", "freeze")


def test_a_city_without_remote_patients_has_nothing_to_show(
    chapter: BooksChapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROVINCE, "PROV", PROVINCE["PROV"][:1])
    with pytest.raises(Failed, match="不足两笔"):
        chapter.play()
