"""What is told to the province: each role's records come from that role's own statements, and of two records of one
settlement the one too many is named."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from desk import FEES
from test_books_acting import DAY, DIFF
from test_books_run import City
from twisted.internet.defer import Deferred, succeed

from adapters.province.http import KEY_MAX
from adapters.store.books import BooksStore, Planned, Run
from adapters.store.books_cases import BooksCases
from adapters.store.codes_orders import WorkOrder
from gateway.app.books_province import Provincial
from gateway.app.codes_orders import Work
from gateway.core.ledgers import AGY, PROV
from gateway.core.province import FeedbackItem, FeedbackReceipt, ItemAnswer, Outcome, Reversal, ReversalAck


@attrs.define
class Port:
    """A province that takes back whatever it is told to."""

    heard: list[tuple[str, str, str]] = attrs.Factory(list)
    told: list[FeedbackItem] = attrs.Factory(list)

    def reverse(self, key: str, what: Reversal) -> "Deferred[Outcome[ReversalAck]]":
        self.heard.append((key, what.party, what.prov_sn))
        return succeed(Outcome(kind="done", value=ReversalAck(ack_no="A1", already=False)))

    def send_feedback(self, key: str, items: Sequence[FeedbackItem]) -> "Deferred[Outcome[FeedbackReceipt]]":
        self.told += items
        answers = tuple(ItemAnswer(item_id=one.item_id, taken=True) for one in items)
        return succeed(Outcome(kind="done", value=FeedbackReceipt(receipt_no="F1", received_at="", answers=answers)))


def planned(
    store: BooksStore, role: str, setl_id: str, leg: str, party: str, kind: str = "REVERSE", name: str = ""
) -> None:
    diff = attrs.evolve(
        DIFF, diff_id=role, role=role, scope="*", leg=leg, name=name or f"{leg}-MORE", setl_id=setl_id, msgid=""
    )
    plan = Planned(kind=kind, party=party, action_ids=(f"a-{role}",))
    store.write_lines([(diff, [plan])], 1)
    run = Run(run_id=role, role=role, biz_date=DAY, revision=1, at_ms=1, agreed=False, keys=1, summary={})
    store.bring_into_force(run, (), ())


def carried_out(store: BooksStore, port: Port, folder: Path) -> list[str]:
    """Do what is planned; return the states it came to."""

    def db(call: Any) -> "Deferred[Any]":
        return succeed(call(store))

    provincial = Provincial(
        port=port, roles=("care", "insured"), data=folder / "var", db=db, now_ms=lambda: 5,  # type: ignore[arg-type]
        give_up=lambda action, receipt: succeed("FAILED"),
    )  # fmt: skip
    found: list[list[str]] = []
    every = BooksCases(store.connection).actions(("PLANNED",), DAY)
    Deferred.fromCoroutine(provincial.carry_out(every)).addCallback(found.append)
    return found[0]


def test_what_both_roles_left_is_told_by_each_ones_own_statement(tmp_path: Path) -> None:
    """A node that died left actions of one role; a run of the other finds them, too."""
    city = City(tmp_path)
    row: dict[str, str] = {"fixmedins_code": DIFF.fixmedins_code, "setl_time": f"{DAY} 10:00:00", **FEES}
    city.put(PROV, "*", {**row, "setl_id": "S1", "prov_sn": "P1"})
    city.put(PROV, "insured", {**row, "setl_id": "S2", "prov_sn": "P2"})
    store = city.store()
    planned(store, "care", "S1", "L2", "PROV")
    planned(store, "insured", "S2", "L2", "PROV")
    port = Port()
    assert carried_out(store, port, tmp_path) == ["DONE", "DONE"]
    assert port.heard == [("a-care", "PROV", "P1"), ("a-insured", "PROV", "P2")]
    store.close()


@pytest.mark.parametrize(
    ("province", "surplus"),
    [
        ({"P1": "100.00", "P2": "99.99"}, "P2"), ({"P1": "99.99", "P2": "100.00"}, "P1"),
        ({"P2": "100.00", "P1": "100.00"}, "P2"),
    ],
    ids=["the later is wrong", "the earlier is wrong", "both are right: the later"],
)  # fmt: skip
def test_of_two_records_of_a_settlement_the_province_is_told_the_one_too_many(
    tmp_path: Path, province: dict[str, str], surplus: str
) -> None:
    """D6: it drops what it is told, and the other stays."""
    city = City(tmp_path)
    row: dict[str, str] = {"fixmedins_code": DIFF.fixmedins_code, "setl_time": f"{DAY} 10:00:00", **FEES}
    city.put(AGY, DIFF.fixmedins_code, {**row, "setl_id": "S1"})
    own = [{**row, "setl_id": "S1", "prov_sn": number, "medfee_sumamt": fee} for number, fee in province.items()]
    city.put(PROV, "*", *own)
    store, port = city.store(), Port()
    planned(store, "care", "S1", "L2", "PROV", "FEEDBACK", "DOUBLE_POST")
    assert carried_out(store, port, tmp_path) == ["DONE"]
    assert [(one.kind, one.setl_id, one.prov_sn) for one in port.told] == [("DUPLICATE", "S1", surplus)]
    store.close()


@attrs.define
class Asked:
    """A province that has no statement yet."""

    keys: list[str] = attrs.Factory(list)

    def fetch_statement(self, key: str, *which: Any) -> "Deferred[Outcome[Any]]":
        self.keys.append(key)
        return succeed(Outcome(kind="refused", code="NOT_READY"))


def test_no_two_rounds_ask_under_one_key(tmp_path: Path) -> None:
    """Nor an order that is taken up after a crash: the province would give the first answer again."""
    port, now_ms = Asked(), [1_900_000_000_000]
    provincial = Provincial(
        port=port, roles=("care", "insured"), data=tmp_path, db=lambda call: succeed(None),  # type: ignore[arg-type]
        now_ms=lambda: now_ms[0], give_up=lambda action, receipt: succeed("FAILED"),
    )  # fmt: skip
    order = WorkOrder(9_999_999_999, "day", "", DAY, {}, "t", 1)
    work = Work(None, order)  # type: ignore[arg-type]
    for number, role in ((0, "care"), (1, "care"), (0, "insured"), (0, "care")):
        Deferred.fromCoroutine(provincial.gather(work, DAY, role, number))  # type: ignore[arg-type]
        now_ms[0] += number
    now_ms[0] += 5_000
    Deferred.fromCoroutine(provincial.gather(work, DAY, "care", 0))
    assert len(set(port.keys)) == len(port.keys) == 11
    assert all(len(key) <= KEY_MAX for key in port.keys)
