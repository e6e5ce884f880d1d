"""What the agency is asked of a day: 3202 follows wherever 3201 does not say plainly that it is balanced, and on days
on which equal sums may hide two errors (specification §3.1, §3.2)."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, succeed

from gateway.app.books_asking import Asking
from gateway.app.books_tasks import Derive, Group
from gateway.books.agency import Sums
from gateway.core.tables import StatementTable
from gateway.exchange.errands import Outcome

A, DAY = "H51080200001", "2026-03-15"
ONE = Sums(count=1, medfee=10_000, fund=6_000, acct=1_000, cash=3_000, refunds=False)
NUMBER = {"file_qury_no": "F1", "filename": "result.zip"}


@attrs.define(eq=False)
class Agency:
    """An agency that says of 3201 what it is told to, and has a result for whoever asks 3202. asked: by number."""

    said: dict[str, Any]
    workplace: Path
    asked: list[str] = attrs.Factory(list)

    async def ask(self, link: object, infno: str, words: object, patience_s: float) -> Outcome:
        self.asked.append(infno)
        output = {"3201": {"stmtinfo": self.said}, "9101": NUMBER, "3202": {"fileinfo": NUMBER}}[infno]
        return Outcome("done", "", output)

    def db(self, call: Callable[[None], Any]) -> "Deferred[Any]":
        return succeed(call(None))

    def send(
        self, path: bytes, headers: bytes, body: bytes, listener: Any, timeout_s: float, late_s: float = 0.0,
        sink: Callable[[bytes], object] = len,
    ) -> None:  # fmt: skip
        self.asked.append("9102")
        sink(b"packed")
        listener.answered(200, b"application/octet-stream", b"", True)

    def day(self, closely: bool = False) -> Derive:
        (self.workplace / "g.in").write_bytes(b"[1]")
        group = Group(
            optins="510800", clr_type="11", stem="g", file="g.in", closely=closely, totals={"310": ONE}, whole=ONE
        )
        region = SimpleNamespace(
            statement=StatementTable(total=("medfee_sumamt",), detail=("file_qury_no",), columns=())
        )
        link = SimpleNamespace(
            region=region, codec=SimpleNamespace(request=lambda infno, now_s: (b"", b"")),
            breaker=SimpleNamespace(admit=lambda: True, worked=lambda: None),
        )  # fmt: skip
        errands = SimpleNamespace(
            clock=SimpleNamespace(seconds=lambda: 0.0), msgid=lambda code: "1", body=lambda *words: b""
        )
        asking = Asking(
            institution=A, link=link, files=self, errands=errands, work=self, workplace=self.workplace,  # type: ignore[arg-type]
            day=date.fromisoformat(DAY), patience_s=1.0,
        )  # fmt: skip
        found: list[Derive] = []
        Deferred.fromCoroutine(asking.ask([group])).addCallback(found.append)
        return found[0]


TOTAL, DETAILS = ["3201"], ["3201", "9101", "3202", "9102"]


@pytest.mark.parametrize("result", ["0", "000000", " 0 "])
def test_what_is_balanced_is_not_asked_for_in_detail(tmp_path: Path, result: str) -> None:
    agency = Agency({"stmt_rslt": result}, tmp_path)
    [answer] = agency.day().groups
    assert (agency.asked, answer.result, answer.unbalanced) == (TOTAL, "", False)


@pytest.mark.parametrize(
    "said",
    [{"stmt_rslt": "1"}, {"stmt_rslt": "000101"}, {"stmt_rslt": ""}, {"stmt_rslt": " "}, {"stmt_rslt": None}, {}],
)
def test_only_a_nought_that_stands_there_is_balanced(tmp_path: Path, said: dict[str, Any]) -> None:
    agency = Agency(said, tmp_path)
    told = agency.day()
    assert (agency.asked, told.why, told.groups[0].unbalanced) == (DETAILS, "", True)
    assert (tmp_path / told.groups[0].result).read_bytes() == b"packed"


def test_a_day_that_is_looked_at_closely_is_asked_for_though_its_sums_agree(tmp_path: Path) -> None:
    """A reversal, a doubt or a remote patient: two errors may cancel out in three equal sums."""
    agency = Agency({"stmt_rslt": "0"}, tmp_path)
    [answer] = agency.day(closely=True).groups
    assert (agency.asked, answer.unbalanced) == (DETAILS, False)
    assert (tmp_path / answer.result).read_bytes() == b"packed"
