"""A node in the role of the place of insurance, as a process of its own: legs L3 and L4 through the province to FROZEN.

The province and the agencies behind it are simulated on real sockets; one difference of every kind leg L4 knows is
planted, and the product's own actions and people's decisions lead to agreement.
"""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import json
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from random import Random  # noqa: TID251  (a seeded one)
from typing import Any
from unittest import mock

import attrs
import pytest
import pytest_twisted
from click.testing import CliRunner
from twisted.internet.endpoints import serverFromString
from twisted.internet.threads import deferToThread
from two_people import Town as People
from wall import Wall

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "processes"))

from town import Town

from adapters.store.books import BooksStore
from adapters.store.books_cases import BooksCases
from gateway.app.approving import executor
from gateway.app.books_shelf import SCRIPTS
from gateway.app.cli import cli
from gateway.app.say import Outside
from gateway.core.dates import day_of
from gateway.security import passwords
from simulators.postings import Posting
from simulators.province import Province
from simulators.province_faults import fault_of
from simulators.wire import PlatformFactory

SECRET = b"not much of a secret"
CONFIG = """
[books]
day_closes = "00:00"

[province]
url = "http://127.0.0.1:{port}"
role = "insured"
account = "510800"
secret_file = "province.secret"
again_s = 0
"""
EVERY = ("PLANNED", "SENT", "IN_DOUBT", "DONE", "FAILED")
# Of the n-th of our people treated elsewhere that day: what somebody has wrong.
PLANTED: tuple[tuple[int, str, str, Mapping[str, Any]], ...] = (
    (0, "missing_row", "INS", {}),
    (1, "extra_row", "INS", {}),
    (2, "wrong_amount", "INS", {"component": "fund_pay_sumamt", "by_fen": 7}),
    (3, "double_post", "INS", {}),
    (4, "wrong_status", "INS", {"status": "REVERSED"}),
    (5, "wrong_text", "INS", {"column": "insutype", "value": "340"}),
    (6, "missing_row", "PROV", {}),
    (7, "missing_row", "AGY", {}),
    (7, "missing_row", "INS", {}),
    (8, "moved_time", "INS", {"seconds": 86_400}),
)
FOUND = {
    ("L4-INSURED-LESS", ""), ("L4-INSURED-MORE", ""), ("AMOUNT", "A7"), ("DOUBLE_POST", "D6"), ("STATUS", "S4"),
    ("ATTRIBUTE", "A9"), ("L4-INSURED-MORE-CARE-HAS", ""), ("L4-INSURED-LESS-PENDING-L2", ""), ("TIMING", "T1"),
    ("DUP_ROW", "D1"),
}  # fmt: skip


@attrs.define
class Node:
    """The gateway's process, its two people, and the commands they give."""

    town: Town
    people: People

    @property
    def outside(self) -> Outside:
        return Outside(
            run_node=lambda config: 1, simulate=lambda words: 1, now=lambda: self.people.now_s,
            entropy=self.people.entropy,
        )  # fmt: skip

    def day(self, date: str, code: int) -> Any:
        return self.run("day", "--date", date, "--role", "insured", user="li", code=code)

    def run(self, *words: str, user: str = "", code: int = 0) -> Any:
        """Run `liangding books VERB ...` as somebody with a second factor; return its object."""
        arguments = ["books", words[0], str(self.town.config), *words[1:], "--json"]
        if user:
            secret = self.town.folder / f"{user}.txt"
            secret.write_text(self.people.passwords[user])
            secret.chmod(0o600)
            arguments += ["--user", user, "--password-file", str(secret), "--totp", self.people.code(user)]
        result = CliRunner().invoke(cli, arguments, obj=self.outside)
        assert result.exit_code == code, (result.output, result.exception)
        return json.loads(result.stdout.splitlines()[0])

    def approve(self, number: int) -> None:
        with self.people.desk() as desk:
            approval = desk.approvals.approve(self.people.person(desk, "wang"), number)
            content = desk.approvals.content(number)
        carry_out = executor(approval.kind)
        assert carry_out is not None and carry_out(self.people.config, approval, content, self.outside)
        with self.people.desk() as desk:
            desk.approvals.use_up(number)

    def decide(self, case: Mapping[str, Any], decision: str) -> None:
        words = ("decide", str(case["case"]), "--decision", decision, "--reason", "与参保地核对凭证")
        done = self.run(*words, user="li")
        assert not done["carried_out"]  # it takes two
        self.approve(done["approval"])

    def store(self) -> "closing[BooksStore]":
        return closing(BooksStore.open(self.people.config.room("books"), SCRIPTS))


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor  # noqa: TID251  (a province on a real socket)

    return reactor


@pytest.mark.timeout(300)  # fifteen processes, one after the other
@pytest_twisted.ensureDeferred
async def test_every_difference_of_leg_l4_ends_agreed_and_the_day_is_frozen(reactor: Any, tmp_path: Path) -> None:
    wall = Wall(reactor=reactor)
    province = Province(wall, Random(1), accounts={"510800": SECRET}, outside=12)
    endpoint: Any = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
    port = await endpoint.listen(PlatformFactory(province, reactor))
    (tmp_path / "province.secret").write_bytes(SECRET + b"\n")
    (tmp_path / "province.secret").chmod(0o600)
    town = Town(tmp_path, ahead_s=wall.ahead_s)
    config = town.write_config()
    config.write_text(config.read_text("utf-8") + CONFIG.format(port=port.getHost().port), "utf-8")
    try:
        day = day_of(wall.seconds() - 86_400)  # its statements are made
        known = planted(province, day)
        await deferToThread(play, town, province, known, day)
    finally:
        await deferToThread(town.close)
        await port.stopListening()


def planted(province: Province, day: str) -> dict[str, Posting]:
    """Let everybody's mistakes be made; return what the province lost, and what it has and should not."""
    province.treat_elsewhere(day)
    whom = [one.setl_id for one in province.books["PROV"].live()]
    kept = {one.setl_id: attrs.evolve(one) for one in province.books["PROV"].live()}
    for number, kind, ledger, facts in PLANTED:
        province.plant(fault_of({"kind": kind, "ledger": ledger, "setl_id": whom[number], **facts}))
    province.plant(fault_of({"kind": "repeated_row", "ledger": "INS"}))
    return {"lost": kept[whom[6]], "surplus": kept[whom[7]]}


def play(town: Town, province: Province, known: Mapping[str, Posting], day: str) -> None:
    with mock.patch.object(passwords, "_N", 2):  # a hash names its own cost
        (town.folder / "people").mkdir()
        people = People(town.folder / "people")
        people.file, people.now_s = town.config, town.now_s
        people.add("li", "reconciler")
        people.add("wang", "approver")
    node = Node(town, people)
    town.start_gateway()
    node.day(day, 3)
    node.day(day_of(town.now_s), 0)  # only with its statements it is seen that one record lies a day later there
    first = node.day(day, 3)
    with node.store() as store:
        every = store.diffs(day, "insured", states=("OPEN", "WAIT", "RESOLVED", "CARRIED", "VANISHED"))
    assert {(one.name, one.row) for one in every} == FOUND, sorted((one.name, one.row) for one in every)
    assert {one.leg for one in every} == {"L4"} and first["days"] == {"*": "L4_DIFF"}

    # What the gateway may do by itself is done, and proved by the next statement: five records, one action each.
    with node.store() as store:
        done = [
            (one.diff.name, one.kind, one.party, one.state) for one in BooksCases(store.connection).actions(EVERY, day)
        ]
    assert sorted(done) == [
        ("AMOUNT", "FEEDBACK", "PROV", "DONE"), ("DOUBLE_POST", "FEEDBACK", "PROV", "DONE"),
        ("L4-INSURED-LESS", "FEEDBACK", "PROV", "DONE"), ("L4-INSURED-LESS", "FEEDBACK", "PROV", "DONE"),
        ("L4-INSURED-MORE", "REVERSE", "INS", "DONE"),
    ]  # fmt: skip
    assert set(first["classes"]) == {
        "ATTRIBUTE", "DUP_ROW", "L4-INSURED-LESS-PENDING-L2", "L4-INSURED-MORE-CARE-HAS", "STATUS", "TIMING",
    }  # fmt: skip
    drawn = node.run("report", "--date", day, "--role", "insured", code=3)["legs"]["L3"]
    assert (drawn["state"], drawn["apart"]["count"], drawn["agreed"]["count"]) == ("open", 2, 10)

    # People decide the rest; the care locality and the province put right what is theirs (leg L2 there).
    cases = {one["class"]: one for one in node.run("cases", "--date", day, code=3)["cases"]}
    assert {name: one["mode"] for name, one in cases.items()} == {"ATTRIBUTE": "TWO", "STATUS": "TWO"}
    node.decide(cases["STATUS"], "feedback")
    node.decide(cases["ATTRIBUTE"], "accept")
    province.books["PROV"].add(known["lost"])
    surplus = province.books["PROV"].find("", known["surplus"].setl_id)
    assert surplus is not None
    surplus.out = True
    second = node.day(day, 0)
    assert (second["days"], set(second["classes"])) == ({"*": "AGREED"}, {"ATTRIBUTE", "DUP_ROW", "TIMING"}), second
    told = [one.status for one in province.insured.book.live() if one.setl_time[:10] == day]
    assert set(told) == {""}  # the agency was told that it stands
    drawn = node.run("report", "--date", day, "--role", "insured")["legs"]["L3"]
    assert (drawn["state"], drawn["apart"]["count"], drawn["agreed"]["count"]) == ("agreed", 0, 11)

    # Frozen by two people and verified; a frozen day is not reconciled again.
    [one] = node.run("freeze", "--date", day, "--role", "insured", "--scope", "*", user="li")["days"]
    assert not one.get("objections"), one
    node.approve(one["approval"])
    [frozen] = node.run("frozen")["frozen"]  # without the one that counts on our agency's day, the day after
    assert (frozen["role"], frozen["scope"], frozen["biz_date"], frozen["fees"]) == ("insured", "*", day, 10), frozen
    assert node.run("verify")["freezes"] == 1
    node.day(day, 1)
    with node.store() as store:
        assert len(BooksCases(store.connection).actions(EVERY, day)) == len(done) + 1
