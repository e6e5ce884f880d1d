"""The province beside its wire: what it posts, whom it believes, what it remembers; remote patients; the day's file."""

import csv
import hashlib
import hmac
import io
import itertools
import json
from pathlib import Path
from random import Random  # noqa: TID251 - seeded dice of a test
from typing import Any

import pytest
from click.testing import CliRunner
from counter import Counter
from twisted.internet.defer import Deferred

from gateway.core.ledgers import NAMES, header_faults, row_faults
from simulators import errands
from simulators.__main__ import main
from simulators.day_file import FAULTS, DayFile, day_files, send
from simulators.hospital import Hospital
from simulators.people import AREA, person
from simulators.postings import of_platform
from simulators.province import Province
from simulators.province_faults import fault_from_text, fault_of
from simulators.wording import write

DAY = "2026-11-21"
_NUMBERS = itertools.count()  # of requests: under a known one the province gives its first answer


@pytest.fixture(scope="module")
def remote() -> tuple[Counter, Hospital]:
    """Every second patient is insured elsewhere; one of them changes his mind."""
    counter = Counter(remote_every=2)
    home = Hospital(counter.clock.seconds, Random(5), "H51080200001", "示例医院")
    for number in range(8):
        assert counter.play(home.outpatient(person(number), refund=number == 7, lines=1)) == ""
    return counter, home


def test_remote_patients_are_cleared_by_the_province(remote: tuple[Counter, Hospital]) -> None:
    counter, home = remote
    told = {one["msgid"]: one["insuplc_admdvs"] for one in counter.seen if one["infno"] in ("2207", "2208")}
    rows = counter.platform.ledger()
    assert len(rows) == 9 and {row["insuplc_admdvs"] for row in rows} > {AREA}
    for row in rows:
        remote_one = row["insuplc_admdvs"] != AREA
        assert told[row["msgid"]] == row["insuplc_admdvs"]  # the institution said what 1101 had told it
        assert row["clr_optins"] == ("510000" if remote_one else AREA)
        assert row["clr_pay_loc"] == ("2" if not remote_one else "3" if row["insuplc_admdvs"][:2] == "51" else "4")
    assert {row.msgid: row.clr_optins for row in home.ledger} == {row["msgid"]: row["clr_optins"] for row in rows}
    assert counter.platform.remote() == [row for row in rows if row["clr_pay_loc"] != "2"]
    assert len(counter.platform.remote()) == 5


def test_the_province_is_reconciled_apart(remote: tuple[Counter, Hospital]) -> None:
    counter, home = remote
    before = len(counter.seen)
    assert counter.play(errands.evening(home)) == ""
    asked = [one["input"]["data"] for one in counter.seen[before:] if one["infno"] == "3201"]  # type: ignore[index]
    assert {one["setl_optins"] for one in asked} == {AREA, "510000"}
    counter.platform.books.settlements[home.ledger[1].setl_id].reversed = True  # person 1 is remote
    try:
        assert "3201" in counter.play(errands.evening(home))
    finally:
        counter.platform.books.settlements[home.ledger[1].setl_id].reversed = False


def test_nobody_is_insured_elsewhere_unless_it_is_asked_for() -> None:
    assert {person(number).insuplc for number in range(1000)} == {AREA}
    assert [number for number in range(9) if person(number, 3).insuplc != AREA] == [2, 5, 8]


# --- the province ---


def ask(province: Province, op: str, **facts: Any) -> Any:
    reply = province.serve(f"/province/v1/{op}", {}, write({"request_id": f"r{next(_NUMBERS)}", **facts}))
    assert reply.status == 200
    return json.loads(reply.body)


def statement(province: Province, **facts: Any) -> Any:
    given = {"role": "care", "date": DAY, "ledger": "PROV", "page_num": 1, "page_size": 100}
    return ask(province, "statement", **given | facts)


def test_what_is_forwarded_is_posted_once_at_both_parties(remote: tuple[Counter, Hospital]) -> None:
    counter, _ = remote
    province = Province(counter.clock, Random(1))
    for _ in range(3):
        province.post(counter.platform.ledger())  # local rows are no business of the province
    data = statement(province)["data"]
    assert data["rows_total"] == len(data["rows"]) == 5
    rows = counter.platform.remote()
    assert {row["msgid"] for row in data["rows"]} == {row["msgid"] for row in rows}
    assert data["totals"]["medfee_sumamt"] == f"{sum(row['medfee_fen'] for row in rows) / 100:.2f}"
    (refund,) = [row for row in data["rows"] if row["direction"] == "1"]
    (original,) = [row for row in data["rows"] if row["setl_id"] == refund["setl_id"] and row["direction"] == "0"]
    assert refund["medfee_sumamt"] == f"-{original['medfee_sumamt']}"
    assert statement(province, ledger="INS")["data"]["rows"] == data["rows"]
    assert [row["prov_sn"] for row in data["rows"] if len(row["prov_sn"]) != 20] == []


def test_who_may_ask_for_what(remote: tuple[Counter, Hospital]) -> None:
    province = Province(remote[0].clock, Random(1))
    for facts in ({"ledger": "AGY"}, {"role": "other"}, {"page_num": 0}, {"page_size": 0}, {"page_size": "x"}):
        assert statement(province, **facts)["code"] == "BAD_REQUEST", facts
    assert statement(province, date="2026-11-22")["code"] == "NOT_READY"  # tomorrow
    assert statement(province, role="insured", ledger="AGY")["code"] == "OK"
    assert ask(province, "nothing")["code"] == "BAD_REQUEST"
    assert ask(province, "feedback", items=[])["code"] == "BAD_REQUEST"


def test_people_of_ours_treated_elsewhere_are_the_insured_role_s(remote: tuple[Counter, Hospital]) -> None:
    province = Province(remote[0].clock, Random(1), outside=9)
    ledgers = {
        name: statement(province, role="insured", ledger=name)["data"]["rows"] for name in ("AGY", "PROV", "INS")
    }
    assert len(ledgers["AGY"]) == 9 and ledgers["AGY"] == ledgers["PROV"] == ledgers["INS"]
    assert statement(province)["data"]["rows"] == []  # and not the care role's
    for row in ledgers["PROV"]:
        assert row_faults(NAMES.index("PROV"), row) == [] and header_faults(list(row)) == []
        cents = {name: round(float(row[name]) * 100) for name in ("medfee_sumamt", "fund_pay_sumamt", "psn_part_amt")}
        assert cents["medfee_sumamt"] == cents["fund_pay_sumamt"] + cents["psn_part_amt"]


def signed(secret: bytes, stamp: str, nonce: str, body: bytes) -> dict[str, str]:
    digest = hashlib.new("sm3", body).hexdigest()
    text = f"POST\n/province/v1/receipt\n{stamp}\n{nonce}\n{digest}"
    signature = hmac.new(secret, text.encode(), "sm3").hexdigest()
    names = {"account": "510800", "timestamp": stamp, "nonce": nonce, "signature": signature}
    return {f"x-province-{name}": value for name, value in names.items()}


def test_signatures_are_checked_against_replay_and_change(remote: tuple[Counter, Hospital]) -> None:
    clock = remote[0].clock
    province = Province(clock, Random(1), accounts={"510800": b"k"})
    body = write({"request_id": "1", "about": "x"})
    now = str(int(clock.seconds() * 1000))
    headers = signed(b"k", now, "a" * 32, body)
    assert province.serve("/province/v1/receipt", headers, body).status == 200
    late = signed(b"k", str(int(now) - 300_001), "d" * 32, body)
    for given, content in (
        (headers, body),  # the nonce is used up
        (signed(b"k", now, "b" * 32, body), body + b" "),
        (signed(b"other", now, "c" * 32, body), body),
        (late, body),
        ({}, body),
    ):
        assert province.serve("/province/v1/receipt", given, content).status == 401


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"kind": "flood"},
        {"kind": "late", "nobody": 1},
        {"kind": "late", "times": "1"},
        {"kind": 1},
        {"kind": "wrong_text", "column": "out"},
    ],
)
def test_faults_that_do_not_exist_are_refused(facts: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        fault_of(facts)


def test_a_fault_of_the_command_line() -> None:
    fault = fault_from_text("wrong_amount,ledger=INS,nth=3,by_fen=-7")
    assert (fault.kind, fault.ledger, fault.nth, fault.by_fen) == ("wrong_amount", "INS", 3, -7)
    with pytest.raises(ValueError, match="late"):
        fault_from_text("late,until")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "flood"], "--fault不能使用：flood"),
        (["--account", "510800"], "--secret-file"),
        (["--platform", "127.0.0.1:9000"], "--platform"),
    ],
)
def test_arguments_that_cannot_be_used(arguments: list[str], words: str) -> None:
    ended = CliRunner().invoke(main, ["province", *arguments])
    assert ended.exit_code == 2 and words in ended.output


def test_a_time_that_moves_and_a_text_that_changes(remote: tuple[Counter, Hospital]) -> None:
    counter, _ = remote
    province = Province(counter.clock, Random(1))
    for fault in (
        "moved_time,ledger=PROV,nth=1,seconds=-86400",
        "wrong_text,ledger=PROV,nth=2,column=clr_type,value=21",
    ):
        province.plant(fault_from_text(fault))
    province.post(counter.platform.remote())
    assert [row["setl_time"][:10] for row in statement(province, date="2026-11-20")["data"]["rows"]] == ["2026-11-20"]
    assert sorted(row["clr_type"] for row in statement(province)["data"]["rows"]) == ["11", "11", "11", "21"]


def test_an_extra_row_is_a_settlement_nobody_else_has(remote: tuple[Counter, Hospital]) -> None:
    counter, _ = remote
    province = Province(counter.clock, Random(1))
    province.post(counter.platform.remote())
    refund = next(number for number, one in enumerate(province.books["PROV"].live(), 1) if one.direction == "1")
    province.plant(fault_from_text(f"extra_row,ledger=PROV,nth={refund}"))
    (extra,) = [one for one in province.books["PROV"].live() if one.setl_id.startswith("X")]
    assert extra.direction == "0" and extra.amounts["medfee_sumamt"] > 0
    assert extra.prov_sn not in province.books["INS"].rows


def test_faults_may_be_planted_before_and_after(remote: tuple[Counter, Hospital]) -> None:
    counter, _ = remote
    province = Province(counter.clock, Random(1))
    province.serve("/sim/faults", {}, write({"kind": "missing_row", "ledger": "PROV", "nth": 2}))
    province.post(counter.platform.remote())
    assert len(statement(province)["data"]["rows"]) == 4
    gone = province.books["INS"].of_day(DAY)[0]
    province.serve("/sim/faults", {}, write({"kind": "missing_row", "ledger": "INS", "setl_id": gone.setl_id}))
    assert len(statement(province, ledger="INS")["data"]["rows"]) == 4
    reply = province.serve("/sim/faults", {}, write({"kind": "missing_row", "setl_id": "nobody's"}))
    assert reply.status == 400


# --- the day's file ---


def rows_of(file: DayFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.content.decode())))


def test_the_days_file_is_the_ledger_with_its_marker(remote: tuple[Counter, Hospital], tmp_path: Path) -> None:
    _, home = remote
    (file,) = day_files(home)
    rows = rows_of(file)
    assert header_faults(list(rows[0])) == []
    assert [fault for row in rows for fault in row_faults(NAMES.index("INST"), row)] == []
    assert file.marker is not None and file.marker["rows"] == len(rows) == 9
    assert {(row["setl_id"], row["direction"]) for row in rows} == {
        of_platform(row, "").key for row in remote[0].platform.ledger()
    }
    assert {row["clr_pay_loc"] for row in rows} == {"2", "3", "4"}
    path = file.write(tmp_path)
    end = tmp_path / f"{path.name}.end.json"
    assert json.loads(end.read_bytes()) == file.marker and path.read_bytes() == file.content
    request = file.post("h:1").decode()
    assert request.startswith(f"POST /api/v1/books/H51080200001/{DAY}?rows=9&medfee_sumamt=")
    assert "Content-Type: text/csv" in request
    (unsigned,) = day_files(home, "no_marker")
    unsigned.write(tmp_path)
    assert not end.exists()


def test_planted_faults_are_in_the_file(remote: tuple[Counter, Hospital]) -> None:
    _, home = remote
    (good,) = day_files(home)
    right = rows_of(good)
    found = {fault: day_files(home, fault, 3)[0] for fault in FAULTS}
    assert good.marker is not None
    assert rows_of(found["missing_row"]) == [row for number, row in enumerate(right, 1) if number != 3]
    changed = [
        (number, name) for number, row in enumerate(rows_of(found["wrong_amount"])) for name in row
        if row[name] != right[number][name]
    ]  # fmt: skip
    assert changed == [(2, "medfee_sumamt"), (2, "psn_part_amt"), (2, "psn_cash_pay")]
    *same, extra = rows_of(found["extra_row"])
    assert same == right and extra["setl_id"] not in {row["setl_id"] for row in right} and extra["direction"] == "0"
    assert found["no_marker"].marker is None and found["no_marker"].content == good.content
    wrong = found["wrong_marker"]
    assert wrong.content == good.content and wrong.marker is not None
    assert wrong.marker["medfee_sumamt"] != good.marker["medfee_sumamt"]
    for name in ("missing_row", "wrong_amount", "extra_row"):  # the institution's own sums fit its own mistake
        marker = found[name].marker
        assert marker is not None and marker["rows"] == len(rows_of(found[name]))


class Gate:
    """A pool whose other end answers what it is told to."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers, self.requests = list(answers), list[bytes]()

    def send(self, request: bytes, answered: Any) -> None:
        self.requests.append(request)
        answered(*self.answers.pop(0))


def test_a_file_that_is_not_taken_is_told(remote: tuple[Counter, Hospital]) -> None:
    files = day_files(remote[1])
    misfit = '{"misfits": ["rows：日终标志8，文件9"]}'.encode()
    gate = Gate((202, b"{}"), (200, misfit), (400, '{"err_msg": "行数不符"}'.encode()), (0, b""))
    sent: Any = gate
    told = [Deferred.fromCoroutine(send(sent, "h:1", files)).result for _ in range(4)]
    assert told == [
        [],
        [f"日终文件{DAY} 与标志不符 rows：日终标志8，文件9"],
        [f"日终文件{DAY} 行数不符"],
        [f"日终文件{DAY} HTTP 0"],
    ]
    assert gate.requests == [files[0].post("h:1")] * 4
