"""A city's month goes to the province over real sockets: page by page, once, asked for when the answer is lost."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random  # noqa: TID251  (a seeded one)
from typing import Any

import attrs
import pytest_twisted
from month_town import HOSPITAL, MONTH, Cells, MonthTown, Room
from test_books_city_month import CONFIG, SECRET, remote
from test_journal_decide import enrol, run
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from wall import Wall

from adapters.store.books_month import DeductionRow, MonthWriter, NewClearing
from adapters.store.books_upload import UploadRow, UploadStore
from adapters.store.books_writing import writing
from gateway.app.books_shelf import SCRIPTS
from gateway.books.month import days_of
from simulators.platform import Reply
from simulators.province import Province
from simulators.province_faults import fault_of
from simulators.wire import PlatformFactory

ROWS = 520  # a page of 500 and one of 20, less what stays behind
PLACE = {"insutype": "310", "clr_type": "11", "clr_optins": "510000", "clr_pay_loc": "4"}


@attrs.define
class Quiet:
    """A province that books and says nothing, as long as it is silent."""

    province: Province
    silent: bool = False

    def serve(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        reply = self.province.serve(path, headers, body)
        return reply._replace(drop="silent") if self.silent and path.endswith("monthly/submit") else reply


class WholeTown(MonthTown):
    """The hospital's own days are frozen beside the city's. S2 has another amount there, S3 is not in it."""

    def _freeze(self, rows: list[Cells]) -> None:
        own = [dict(row, fixmedins_code=HOSPITAL) for row in rows]
        theirs = [dict(row) for row in own if row is not own[3]]
        theirs[2]["medfee_sumamt"] = "999.00"
        with writing(self.store, SCRIPTS) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            room = Room(self.folder / "node", connection)
            for at, day in enumerate(days_of(MONTH)):
                # The city first: the hospital's file came later, and a run over it left its day as it is.
                for scope, ledgers, some in (("*", ("AGY", "PROV"), own), (HOSPITAL, ("INST", "AGY"), theirs)):
                    room.hand_in(dict.fromkeys(ledgers, some if at == 0 else []), day, scope)
                    room.ran(room.inputs_of(day), day, scope)
                    room.freeze(day, scope, block=False)


def deduct(writer: MonthWriter, setl_id: str) -> int:
    """The hospital's application was audited: two deductions of one settlement."""
    new = NewClearing(group=("11", "310", "510000", "4"), revision=1, idempotency="own", content="{}")
    [number] = writer.build(("care", HOSPITAL, MONTH), [new], [], "qian", 1)
    one = DeductionRow(
        deduction_id="K1", setl_id=setl_id, feedetl_sn="", fund="hifp_pay", amount=150, kind="DEDUCT",
        reason_code="A01", text="超限定", period="", dept="", doctor="", notice="", state="NOTIFIED", revised=None,
        ended="", notified=f"{MONTH}-28", changed_ms=0,
    )  # fmt: skip
    writer.deduct(number, [one, attrs.evolve(one, deduction_id="K2", amount=50, kind="WITHHOLD")], "qian", 1)
    return number


def uploads(town: MonthTown) -> list[UploadRow]:
    return town.work(lambda writer: UploadStore(writer.connection).of_month("care", MONTH))


@pytest_twisted.ensureDeferred
async def test_a_month_is_booked_once_with_its_deductions(reactor: Any, tmp_path: Path) -> None:
    wall = Wall(reactor=reactor)
    province = Province(wall, Random(1), accounts={"510800": SECRET})
    province.post([{**remote(number), "fixmedins_code": HOSPITAL} for number in range(ROWS)])
    wire = Quiet(province)
    endpoint: Any = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
    port = await endpoint.listen(PlatformFactory(wire, reactor))
    (tmp_path / "province.secret").write_bytes(SECRET + b"\n")
    (tmp_path / "province.secret").chmod(0o600)
    town = WholeTown(reactor, tmp_path, "jilin", more=CONFIG.format(port=port.getHost().port), wall=wall)
    try:
        await town.open([one.row() for one in province.books["PROV"].live()])
        await _uploaded(town, province)
        await _killed(town, province, wire)
    finally:
        await town.close()
        await port.stopListening()


async def _uploaded(town: MonthTown, province: Province) -> None:
    every = sorted(one.setl_id for one in province.books["PROV"].live())
    clearing = town.work(lambda writer: deduct(writer, every[7]))
    sent = lambda: province.counts.get("monthly/submit", 0)  # noqa: E731

    # The request is lost: asked, certainly absent, and not sent again by itself.
    province.plant(fault_of({"kind": "lose_request", "op": "monthly/submit", "times": 1}))
    absent = await town.order("month_upload", month=MONTH)
    assert (absent.outcome, absent.result["state"], sent()) == ("findings", "NOT_SENT", 1), absent
    assert province.monthly.booked == {}

    # The answer is lost: asked, found with the sums that were sent, and not sent again.
    province.plant(fault_of({"kind": "lose_answer", "op": "monthly/submit", "times": 1}))
    lost = await town.order("month_upload", month=MONTH)
    [booked] = province.monthly.booked.values()
    last = uploads(town)[-1]
    assert (last.state, last.receipt, sent()) == ("DONE", booked.receipt, 2), lost
    assert (len(booked.lines), sorted(booked.pages), booked.head["upload_key"]) == (ROWS - 2, [1, 2], last.request)
    assert {line["setl_id"] for line in booked.lines} == set(every) - {every[2], every[3]}
    assert (lost.outcome, lost.result["kept_back"], lost.result["alarms"]) == ("findings", 2, [])
    cuts = [(cut["deduction_id"], cut["setl_id"], cut["kind"], cut["amount"]) for cut in booked.cuts]
    assert cuts == [("K1", every[7], "DEDUCT", "1.50"), ("K2", every[7], "WITHHOLD", "0.50")]

    # The same month is not sent twice; what an appeal changed goes as a revision of its own.
    again = await town.order("month_upload", month=MONTH)
    assert (again.result["revision"], sent()) == (last.revision, 2), again

    def revoked(writer: MonthWriter) -> None:
        one = writer.deductions(clearing)[0]
        writer.settle(clearing, attrs.evolve(one, state="REVOKED"), "NOTIFIED", ("qian", "", "", ""), 2)

    town.work(revoked)
    # The province compares with its own book, and says no.
    wrong = province.books["PROV"].find("", every[9])
    assert wrong is not None
    wrong.amounts["medfee_sumamt"] += 1
    refused = await town.order("month_upload", month=MONTH)
    assert (refused.result["state"], "MISMATCH" in str(refused.result)) == ("REFUSED", True), refused
    assert list(province.monthly.booked.values()) == [booked]
    wrong.amounts["medfee_sumamt"] -= 1
    later = await town.order("month_upload", month=MONTH)
    [new] = province.monthly.booked.values()
    assert (later.result["state"], new.head["revision"], [cut["deduction_id"] for cut in new.cuts]) == (
        "DONE", 4, ["K2"],
    ), later  # fmt: skip


async def _killed(town: MonthTown, province: Province, wire: Quiet) -> None:
    """The node dies after the province booked and before it could be told: its successor asks, and sends nothing."""
    town.work(lambda writer: writer.connection.execute("UPDATE deduction SET state = 'REVOKED' WHERE state <> 'x'"))
    before = province.counts["monthly/submit"]
    wire.silent = True
    order = await town.place("month_upload", month=MONTH)
    while province.counts["monthly/submit"] == before:
        await deferLater(town.reactor, 0.05)
    await town.kill()
    assert uploads(town)[-1].state == "SENDING"
    wire.silent = False
    await town.start()
    ended = await town.end(order)
    last = uploads(town)[-1]
    [booked] = province.monthly.booked.values()
    assert (last.state, last.receipt, province.counts["monthly/submit"]) == ("DONE", booked.receipt, before + 1), ended
    assert booked.cuts == []
    await deferToThread(_commanded, town, last.revision)


def _commanded(town: Any, revision: int) -> None:
    """As the person gives it: nothing new is there, two records stay behind, and the month says so."""
    qian = ("qian", *enrol(town, "qian", "finance"))
    words = ["books", "month", str(town.town.config), "--month", MONTH]
    code, said = run(town, [*words, "upload", "--json"], qian)
    told = json.loads(said)
    assert (code, told["revision"], told["kept_back"]) == (3, revision, 2) and "没有再次上传" in said
    code, said = run(town, [*words, "status", "--scope", "*", "--json"])
    assert (code, [one["state"] for one in json.loads(said)["uploads"]]) == (
        0, ["NOT_SENT", "DONE", "REFUSED", "DONE", "DONE"],
    ), said  # fmt: skip
