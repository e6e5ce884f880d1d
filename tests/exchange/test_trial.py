"""2260 with setl_flag 0 asks what a bill would come to: a query as 2206, of which nothing is kept; else it is money."""

from typing import Any

import attrs
import msgspec
import pytest
from exchange_messages import PERSON, Json, envelope
from exchange_rig import Rig

from gateway.app.assemble import compile_region
from gateway.app.facts import read_files
from gateway.core.catalogue import CatalogueError, TransactionChange
from gateway.core.facts import is_trial
from gateway.core.regions import build_region
from simulators.city import facts

AT = "2026-03-02 08:00:00"


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    compiled = compile_region(build_region(read_files(), "national", ("2260", "2261")))
    monkeypatch.setattr("exchange_rig.facts", lambda: (compiled, facts()[1]))
    return Rig()


def bill(msgid: str, **more: Any) -> Json:
    head = {"psn_no": PERSON, "begntime": AT, "med_type": "11", "invono": "F1", **more}
    return envelope("2260", msgid, {"mdtrtinfo": head, "feedetail": {"bkkp_sn": "1", "cnt": "1"}})


def test_a_trial_is_forwarded_and_kept_nowhere_and_the_bill_is_settled_afterwards(rig: Rig) -> None:
    tried = rig.ask(bill("t1", setl_flag="0"))
    answer = rig.far.last.settled()
    rig.run()
    assert (tried.status, tried.raw) == (200, answer)
    assert (list(rig.store.journal.rows), rig.watch.results) == ([], [("2260", "ok", "")])
    for msgid in ("t2", "t1"):  # as often as one likes, of the same bill; a query's msgid is nobody's
        again = rig.ask(bill(msgid, setl_flag="0"))
        rig.far.last.settled()
        rig.run()
        assert again.answer["infcode"] == 0
    paid = rig.ask(bill("p1", setl_flag="1"))
    rig.run()
    rig.far.last.settled()
    rig.run()
    [row] = rig.store.journal.rows.values()
    assert (paid.answer["infcode"], row.msgid, row.klass, row.state) == (0, "p1", "M", "ACKED")
    twice = rig.ask(bill("p2", setl_flag="1"))
    rig.run()
    assert (twice.answer["gw_code"], len(rig.far.sent)) == ("GW-DUPLICATE-SETTLEMENT", 4)


def test_a_trial_without_an_answer_leaves_no_doubt_and_nothing_to_reverse(rig: Rig) -> None:
    rig.ask(bill("t1", setl_flag="0"))
    rig.run(120.0)
    assert not rig.store.journal.rows
    assert {one.message["infno"] for one in rig.far.sent} == {"2260"}


@pytest.mark.parametrize("flag", [{}, {"setl_flag": "1"}, {"setl_flag": ""}, {"setl_flag": "00"}, {"setl_flag": " 0"}])
def test_whatever_else_the_flag_says_the_bill_is_money(rig: Rig, flag: Json) -> None:
    rig.ask(bill("p1", **flag))
    rig.run()
    assert [(row.msgid, row.klass, row.state) for row in rig.store.journal.rows.values()] == [("p1", "M", "SENT")]


def test_a_flag_of_the_senders_own_invention_makes_no_trial(rig: Rig) -> None:
    message = bill("p1", setl_flag="1")
    message["input"] = {"setl_flag": "0", "data": {"setl_flag": "0"}, **message["input"]}
    rig.ask(message)
    rig.run()
    assert [row.klass for row in rig.store.journal.rows.values()] == ["M"]


@pytest.mark.parametrize("name", ["guangzhou", "foshan"])
def test_only_the_transaction_that_states_it_has_trials(name: str) -> None:
    known = build_region(read_files(), name).transactions
    said = {"mdtrtinfo": {"setl_flag": "0"}}
    assert is_trial(known["2260"], "mdtrtinfo", said)
    assert not is_trial(known["2260"], "mdtrtinfo", {"mdtrtinfo": {"setl_flag": "1"}, "setl_flag": "0"})
    assert [one.infno for one in known.values() if one.trial] == ["2260"]
    assert not is_trial(known["2207"], "mdtrtinfo", said)


def test_a_region_may_say_that_its_bills_have_no_trials_but_names_no_field_that_is_not_there() -> None:
    files = read_files()

    def told(trial: dict[str, str]) -> Any:
        change = {"2260": TransactionChange(trial=trial)}
        spec = msgspec.structs.replace(files.regions["guangzhou"], transactions=change)
        regions = {**files.regions, "guangzhou": spec}
        return build_region(attrs.evolve(files, regions=regions), "guangzhou").transactions["2260"]

    assert not is_trial(told({}), "mdtrtinfo", {"mdtrtinfo": {"setl_flag": "0"}})
    with pytest.raises(CatalogueError, match="unknown field setl_flags"):
        told({"setl_flags": "0"})
