"""A hospital's day with remote patients; the province and the insured agencies have their books wrong. Whatever `books
files` finds is told to them or reversed, and after at most three rounds all parties agree: nothing here knows what was
planted."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import csv
from pathlib import Path
from random import Random  # noqa: TID251  (a seeded one)
from typing import Any

import attrs
import pytest
import pytest_twisted
from province_town import DAY, NEXT_MORNING_S, ProvinceTown
from twisted.internet.task import Clock

from gateway.app.books_files import reconcile_files
from gateway.core.ledgers import COMPONENTS, NAMES
from gateway.core.money import scaled
from gateway.core.province import LEDGERS, FeedbackItem, Reversal
from simulators.citycore import CityCore
from simulators.day_file import day_files
from simulators.drive import run_script
from simulators.hospital import Hospital
from simulators.people import person
from simulators.postings import of_platform
from simulators.wire import Answered

ensure: Any = pytest_twisted.ensureDeferred
PLANTED = (
    {"kind": "missing_row", "ledger": "PROV", "nth": 1},
    {"kind": "wrong_amount", "ledger": "PROV", "nth": 2, "by_fen": -1},
    {"kind": "extra_row", "ledger": "PROV", "nth": 3},
    {"kind": "double_post", "ledger": "PROV", "nth": 4},
    {"kind": "missing_row", "ledger": "INS", "nth": 5},
    {"kind": "extra_row", "ledger": "INS", "nth": 6},
    {"kind": "wrong_amount", "ledger": "INS", "nth": 7, "by_fen": 12},
)
FACTS = ("fixmedins_code", "mdtrt_id", "psn_no", "msgid", "direction", "insutype", "clr_type", "setl_time")
Rows = list[dict[str, str]]


def rows_of(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@attrs.define
class Counter:
    """A hospital before a city's core, which takes the hospital's own codes, on a clock that stands at noon of DAY."""

    clock: Clock = attrs.Factory(Clock)
    core: CityCore = attrs.field(init=False)
    home: Hospital = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock.advance(NEXT_MORNING_S - 20 * 3600)
        self.core = CityCore(self.clock, Random(1), persons=50, remote_every=2)
        self.home = Hospital(self.clock.seconds, Random(5), "H51080200001", "示例医院")
        for number in range(20):
            ended = run_script(self.clock, self, self.home.outpatient(person(number), refund=number == 19, lines=1))
            assert ended.result == ""

    def post(self, path: str, body: bytes, answered: Answered) -> None:
        reply = self.core.serve(path, {}, body)
        answered(reply.status, reply.body)


@pytest.fixture(scope="module")
def busy() -> Counter:
    return Counter()


async def collect(town: ProvinceTown, busy: Counter, number: int) -> dict[int, Path]:
    """The four ledgers of the care role's day, as they stand now."""
    folder = town.folder / f"round{number}"
    folder.mkdir()
    (file,) = [one for one in day_files(busy.home) if one.date == DAY]
    agency = [of_platform(row, "").row() for row in busy.core.ledger()]
    with (folder / "AGY").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, agency[0])
        writer.writeheader()
        writer.writerows(agency)
    found = {"INST": file.write(folder), "AGY": folder / "AGY"}
    return {NAMES.index(name): path for name, path in found.items()} | await stated(town, "care", folder)


async def stated(town: ProvinceTown, role: Any, folder: Path) -> dict[int, Path]:
    """What the province states to a role."""
    found = {}
    for ledger in LEDGERS[role]:
        outcome = await town.port.fetch_statement(f"{folder.name}-{role}-{ledger}", role, DAY, ledger, folder / ledger)
        assert outcome.value is not None
        found[NAMES.index(ledger)] = outcome.value.path
    return found


def reconciled(files: dict[int, Path], out: Path, role: str = "care") -> tuple[int, Rows]:
    with pytest.raises(SystemExit) as end:
        reconcile_files(files, frozenset(), DAY, role, out, as_json=True)
    return int(end.value.code or 0), rows_of(out / "differences.csv")


def feedback(line: dict[str, str], books: dict[str, Rows]) -> FeedbackItem:
    """What to tell about one line: the care locality's row prevails."""
    party: Any = "PROV" if line["leg"] == "L2" else "INS"
    (care,) = [row for row in books["AGY"] if (row["setl_id"], row["direction"]) == (line["setl_id"], "0")]
    theirs = [row for row in books[party] if (row["setl_id"], row["direction"]) == (line["setl_id"], "0")]
    kind: Any = "AMOUNT" if theirs else f"MISSING_AT_{party}"
    return FeedbackItem(
        item_id=line["diff_id"], kind="DUPLICATE" if len(theirs) > 1 else kind, party=party, evidence_sm3="0" * 64,
        operator="system", setl_id=line["setl_id"], prov_sn=theirs[-1]["prov_sn"] if len(theirs) > 1 else "",
        values_fen={name: scaled(care[name], 2) or 0 for name in COMPONENTS if care.get(name)},
        facts={name: care[name] for name in FACTS},
    )  # fmt: skip


async def act(town: ProvinceTown, lines: Rows, files: dict[int, Path]) -> int:
    books = {name: rows_of(files[NAMES.index(name)]) for name in ("AGY", "PROV", "INS")}
    items = tuple(feedback(line, books) for line in lines if line["action"] == "FEEDBACK")
    if items:
        outcome = await town.port.send_feedback(f"f-{lines[0]['diff_id'][:16]}-{len(lines)}", items)
        assert outcome.value is not None and all(one.taken for one in outcome.value.answers), outcome
    undone = [line for line in lines if line["action"] == "REVERSE"]
    for line in undone:
        party: Any = "PROV" if line["leg"] == "L2" else "INS"
        (row,) = [row for row in books[party] if row["setl_id"] == line["setl_id"]]
        what = Reversal(party=party, reason=line["class"], operator="system", prov_sn=row["prov_sn"])
        assert (await town.port.reverse(line["diff_id"], what)).kind == "done"
    return len(items) + len(undone)


@ensure
async def test_planted_faults_are_found_and_resolved(province_town: ProvinceTown, busy: Counter) -> None:
    town = await province_town.open(rows=0)
    for fault in PLANTED:
        town.plant(**fault)
    town.province.post(busy.core.remote())
    assert town.province.faults.planted == []  # every one of them struck
    acted = []
    for number in range(1, 5):
        files = await collect(town, busy, number)
        code, lines = reconciled(files, town.folder / f"out{number}")
        if code == 0:
            break
        acted.append(await act(town, lines, files))
        assert acted[-1] > 0, lines
    assert code == 0
    assert acted == [len(PLANTED)]  # what waited for another leg needed nothing more
    assert {(row["setl_id"], row["direction"]) for row in rows_of(files[NAMES.index("PROV")])} == {
        (row["refund_of"] or row["setl_id"], "1" if row["refund_of"] else "0") for row in busy.core.remote()
    }


@ensure
async def test_where_our_people_are_insured_the_agency_there_is_put_right(province_town: ProvinceTown) -> None:
    """The insured role: AGY is what the province reports of the care agency; our own agency's book is mended."""
    town = await province_town.open(rows=0, outside=12)
    town.province.treat_elsewhere(DAY)
    for nth, kind in enumerate(("missing_row", "extra_row", "wrong_amount", "double_post"), 1):
        town.plant(kind, ledger="INS", nth=nth)
    acted = []
    for number in range(1, 4):
        folder = town.folder / f"round{number}"
        folder.mkdir()
        files = await stated(town, "insured", folder)
        code, lines = reconciled(files, town.folder / f"out{number}", "insured")
        if code == 0:
            break
        assert {line["leg"] for line in lines} == {"L4"}
        acted.append(await act(town, lines, files))
    assert code == 0 and acted == [4], lines
