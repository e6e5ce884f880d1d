"""What is told to the province: each role's records come from that role's own statements."""

from pathlib import Path
from typing import Any

import attrs
from desk import FEES
from test_books_acting import DAY, DIFF
from test_books_run import City
from twisted.internet.defer import Deferred, succeed

from adapters.store.books import BooksStore, Planned, Run
from adapters.store.books_cases import BooksCases
from gateway.app.books_province import Provincial
from gateway.core.ledgers import PROV
from gateway.core.province import Outcome, Reversal, ReversalAck


@attrs.define
class Port:
    """A province that takes back whatever it is told to."""

    heard: list[tuple[str, str, str]] = attrs.Factory(list)

    def reverse(self, key: str, what: Reversal) -> "Deferred[Outcome[ReversalAck]]":
        self.heard.append((key, what.party, what.prov_sn))
        return succeed(Outcome(kind="done", value=ReversalAck(ack_no="A1", already=False)))


def planned(store: BooksStore, role: str, setl_id: str, leg: str, party: str) -> None:
    diff = attrs.evolve(
        DIFF, diff_id=role, role=role, scope="*", leg=leg, name=f"{leg}-MORE", setl_id=setl_id, msgid=""
    )
    plan = Planned(kind="REVERSE", party=party, action_ids=(f"a-{role}",))
    store.write_lines([(diff, [plan])], 1)
    run = Run(run_id=role, role=role, biz_date=DAY, revision=1, at_ms=1, agreed=False, keys=1, summary={})
    store.bring_into_force(run, (), ())


def test_what_both_roles_left_is_told_by_each_ones_own_statement(tmp_path: Path) -> None:
    """A node that died left actions of one role; a run of the other finds them, too."""
    city = City(tmp_path)
    row: dict[str, str] = {"fixmedins_code": DIFF.fixmedins_code, "setl_time": f"{DAY} 10:00:00", **FEES}
    city.put(PROV, "*", {**row, "setl_id": "S1", "prov_sn": "P1"})
    city.put(PROV, "insured", {**row, "setl_id": "S2", "prov_sn": "P2"})
    store = city.store()
    planned(store, "care", "S1", "L2", "PROV")
    planned(store, "insured", "S2", "L2", "PROV")

    def db(call: Any) -> "Deferred[Any]":
        return succeed(call(store))

    port = Port()
    provincial = Provincial(
        port=port, roles=("care", "insured"), data=tmp_path / "var", db=db, now_ms=lambda: 5,  # type: ignore[arg-type]
        give_up=lambda action, receipt: succeed("FAILED"),
    )  # fmt: skip
    found: list[list[str]] = []
    every = BooksCases(store.connection).actions(("PLANNED",), DAY)
    Deferred.fromCoroutine(provincial.carry_out(every)).addCallback(found.append)
    assert found == [["DONE", "DONE"]]
    assert port.heard == [("a-care", "PROV", "P1"), ("a-insured", "PROV", "P2")]
    store.close()
