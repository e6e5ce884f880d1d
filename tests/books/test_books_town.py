"""Every row of the decision table to its end: actions really change the other parties' books until all of them agree
(reconciliation specification §5, §9.1, §9.2, §9.4)."""

import csv
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from book_town import BEFORE, CODE, DAY, NEXT, BookTown, cells

from adapters.store.books_cases import Case
from gateway.books.decisions import NotPossible
from schemas import ROOT
from simulators.book_parties import PARTIES, refund_of

LEGS = ("L1", "L2", "L4")
# What people decide of a case, by its class: what the table's own words say.
DECISIONS = {
    "L1-CENTER-MORE": "correct", "L1-GW-ONLY": "void", "L1-INST-ONLY": "void", "L1-GW-MISSING": "book",
    "L1-AGY-MISSING": "correct", "L2-PROV-MORE": "reverse", "L4-INSURED-MORE": "reverse", "AMOUNT": "correct",
    "COMP_SPLIT": "correct", "ATTRIBUTE": "correct", "DUP_CONFLICT": "correct", "DOUBLE_POST": "void",
    "DOUBLE_SETTLEMENT": "void", "REFUND_MISMATCH": "correct", "DOUBLE_REFUND": "correct",
    "REVERSAL_UNMATCHED": "correct", "STATUS": "void",
}  # fmt: skip


def patterns() -> list[dict[str, str]]:
    lines = (ROOT / "books" / "patterns.csv").read_text("utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def chosen(case: Case) -> str:
    if case.diff.name == "L1-INST-MISSING":
        return "book" if case.diff.action == "BOOK" else "reverse"
    if case.diff.row == "T5":
        return "carry"
    if (case.diff.name, case.diff.note) == ("REVERSAL_UNMATCHED", "GW"):
        return "accept"  # the cancellation of a settlement the journal never saw (D3)
    if case.diff.row == "S1":
        return "correct"
    if case.diff.name == "L1-AGY-MISSING" and case.diff.setl_id.endswith("V"):
        return "void"  # people may decide either
    told_already = case.diff.action == "FEEDBACK" and case.diff.mode != "TWO"
    return "" if told_already or case.diff.action.startswith("WAIT") else DECISIONS.get(case.diff.name, "")


def lay_patterns(town: BookTown) -> dict[str, dict[str, str]]:
    """Lay every pattern down, some twice because of what the journal knows or people decide; return them by key."""
    expected: dict[str, dict[str, str]] = {}
    for number, pattern in enumerate(patterns()):
        ways = {"": {"delivered": "1"}}
        if pattern["leg1"] == "L1-INST-MISSING":
            ways["U"] = {"delivered": "0"}
        if pattern["leg1"] == "L1-AGY-MISSING":
            ways["V"] = {"delivered": "1"}
        if pattern["leg1"] == "L1-CENTER-MORE" and number == 7:
            ways["R"] = {"status": "REJECTED"}
        for letter, journal in ways.items():
            there: dict[str, dict[str, str]] = {one: {} for one in PARTIES if pattern[one.lower()] == "1"}
            if "GW" in there or "status" in journal:
                there["GW"] = journal
            town.put(f"{number:02}{letter}", **there)
            expected[f"S{number:02}{letter}"] = pattern
    return expected


def test_every_pattern_of_presence_converges_in_at_most_three_actions(tmp_path: Path) -> None:
    town = BookTown(tmp_path)
    expected = lay_patterns(town)
    last = town.round(chosen)
    found = town.lines("OPEN", "WAIT")
    for key, pattern in expected.items():
        wanted = [pattern[f"leg{leg[1]}"] for leg in LEGS]
        wanted = [name for name in wanted if name.split("-", 1)[1] not in ("OK", "NONE")]
        assert [one[1] for one in sorted(found.get(key, ()))] == wanted, key
    # Nothing towards the city happens to a record whose first leg is open, above all not to a contested one.
    first = {key for key, lines in found.items() if any(one[0] == "L1" for one in lines)}
    assert {one.key for one in town.parties.received if one.party in ("PROV", "INS")} & first == set()
    rounds, tripped = 1, False
    while last.days["*"] != "AGREED" and rounds < 6:
        last, rounds = town.round(chosen), rounds + 1
        tripped = tripped or any("VOLUME_GUARD" in note for note in town.notes())
    assert (last.days, town.lines("OPEN", "WAIT")) == ({"*": "AGREED", CODE: "AGREED"}, {})
    assert tripped, "many reversals at once are people's business (B8)"
    for key in expected:
        assert town.presence(key) in ((0,) * 5, (1,) * 5), key
        own = [one for one in town.actions() if one[0] == key]
        assert len(own) <= 3 and all(state == "DONE" for *_, state in own), own
        legs = [leg for _, leg, *_ in own]
        assert legs == sorted(legs, key=LEGS.index), own
    _none_twice(town)


@attrs.frozen
class Row:
    """What is laid down for one row of §5.3-§5.6, and what it is called at first.

    changes: what happens before the second look; end: the state of its difference at the end, '' = it is gone.
    """

    code: str
    lay: Callable[[BookTown, str], object]
    leg: str
    name: str
    changes: Callable[[BookTown, str], object] = lambda town, name: None
    end: str = ""


def five(**differ: dict[str, str]) -> Callable[[BookTown, str], object]:
    """All five have it, some with other cells."""
    return lambda town, name: town.put(name, **{ledger: {"delivered": "1", **differ.get(ledger, {})}
                                                for ledger in PARTIES})  # fmt: skip


def local(**ledgers: dict[str, str]) -> Callable[[BookTown, str], object]:
    """A patient of the city: three ledgers, or those that are named `None` less."""
    here = {"clr_pay_loc": "", "delivered": "1"}
    return lambda town, name: town.put(name, **{ledger: {**here, **more} for ledger, more in ledgers.items()})


def refunded(*ledgers: str, when: str = f"{DAY} 11:00:00", **more: str) -> Callable[[BookTown, str], object]:
    """Settled by the three, refunded by some."""

    def lay(town: BookTown, name: str) -> None:
        local(INST={}, GW={}, AGY={})(town, name)
        for ledger in ledgers:
            town.add(ledger, {**refund_of(cells(name, clr_pay_loc=""), when), **more})

    return lay


def both(*lays: Callable[[BookTown, str], object]) -> Callable[[BookTown, str], object]:
    return lambda town, name: [lay(town, name) for lay in lays]


def again(town: BookTown, name: str) -> None:
    """Settled, refunded and settled again, by all three."""
    for ledger in ("INST", "GW", "AGY"):
        town.add(ledger, refund_of(cells(name, clr_pay_loc=""), f"{DAY} 11:00:00"))
        town.add(ledger, cells(name, clr_pay_loc="", msgid=f"M{name}b", setl_time=f"{DAY} 12:00:00"))


def ends(status: str) -> Callable[[BookTown, str], object]:
    """The journal comes to its end."""

    def change(town: BookTown, name: str) -> None:
        town.parties.of("GW", f"S{name}")[0]["status"] = status

    return change


def lose(*ledgers: str) -> Callable[[BookTown, str], object]:
    def change(town: BookTown, name: str) -> None:
        for ledger in ledgers:
            town.parties.books[ledger] = [row for row in town.parties.books[ledger] if row["setl_id"] != f"S{name}"]

    return change


FEE = {"medfee_sumamt": "90.00", "psn_part_amt": "30.00"}
SPLIT = {"acct_pay": "11.00"}
LATE, EARLY = {"setl_time": f"{DAY} 23:59:59"}, {"setl_time": f"{BEFORE} 23:59:58"}
MIDNIGHT = {"setl_time": f"{DAY} 00:00:01"}
NONE: dict[str, str] = {}
SAME_VISIT = {"mdtrt_id": "VD4", "psn_no": "PD4", "chrg_bchno": "B4"}
TABLE = [
    Row("A0", five(), "", ""),
    Row("A1", local(INST=FEE, GW=NONE, AGY=NONE), "L1", "AMOUNT"),
    Row("A2", local(INST=NONE, GW=FEE, AGY=NONE), "L1", "AMOUNT"),
    Row("A3", local(INST=NONE, GW=NONE, AGY=FEE), "L1", "AMOUNT"),
    Row("A4", local(INST={"medfee_sumamt": "80.00"}, GW=FEE, AGY=NONE), "L1", "AMOUNT"),
    Row("A5", local(INST=SPLIT, GW=NONE, AGY=NONE), "L1", "COMP_SPLIT"),
    Row("A5", local(INST=NONE, GW=SPLIT, AGY=NONE), "L1", "COMP_SPLIT"),
    Row("A5", local(INST=NONE, GW=NONE, AGY=SPLIT), "L1", "COMP_SPLIT"),
    Row("A6", five(PROV=FEE), "L2", "AMOUNT"),
    Row("A7", five(INS=FEE), "L4", "AMOUNT"),
    Row("A9", local(INST={"psn_no": "P?"}, GW=NONE, AGY=NONE), "L1", "ATTRIBUTE"),
    Row("S1", refunded("GW", "AGY"), "L1", "STATUS"),
    Row("S1", refunded("GW", "INST"), "L1", "STATUS"),
    Row("S1", both(five(), lambda town, name: [town.add(one, refund_of(cells(name), f"{DAY} 11:00:00"))
                                               for one in ("INST", "GW", "AGY", "INS")]), "L2", "STATUS"),
    Row("S2", refunded("AGY"), "L1", "STATUS", end="RESOLVED"),
    Row("S3", local(GW={"status": "REVERSED"}, AGY=NONE), "L1", "STATUS", end="RESOLVED"),
    Row("S4", local(INST=NONE, GW=NONE, AGY={"status": "REVERSED"}), "L1", "STATUS", end="RESOLVED"),
    Row("S5", local(INST=NONE, GW={"status": "IN_DOUBT"}, AGY=NONE), "L1", "PENDING_GW", ends("")),
    Row("S5", local(GW={"status": "REVERSING"}, AGY=NONE), "L1", "PENDING_GW", both(ends("REVERSED"), lose("AGY")),
        "RESOLVED"),
    Row("S6", local(INST=NONE, GW={"status": "MANUAL"}, AGY=NONE), "L1", "MANUAL", ends("")),
    Row("T1", local(INST=MIDNIGHT, GW=EARLY, AGY=EARLY), "L1", "TIMING", end="RESOLVED"),
    Row("T3", local(GW=LATE, AGY=LATE), "L1", "WAIT_NEXT_DAY",
        local(INST={"setl_time": f"{NEXT} 00:00:02"}), "RESOLVED"),  # then it is T2: the month changes that night
    Row("T4", both(refunded(), lambda town, name: [
        town.add(one, refund_of(cells(name, clr_pay_loc=""), f"{NEXT} 09:00:00")) for one in ("INST", "GW", "AGY")
    ]), "", ""),
    Row("T5", local(INST=NONE, GW=NONE, AGY={"setl_time": "2026-03-28 10:00:00", "file": DAY}), "L1", "L1-AGY-MISSING",
        end="CARRIED"),
    Row("T6", local(INST={"setl_time": f"{DAY} 10:02:00"}, GW=NONE, AGY=NONE), "", ""),
    Row("D1", both(local(INST=NONE, GW=NONE, AGY=NONE), local(INST=NONE)), "L1", "DUP_ROW", end="RESOLVED"),
    Row("D2", both(local(INST=NONE, GW=NONE, AGY=NONE), local(INST=FEE)), "L1", "DUP_CONFLICT"),
    Row("D3", both(local(INST=NONE, GW=NONE, AGY=NONE), lambda town, name: town.add(
        "AGY", cells(name, clr_pay_loc="", setl_id=f"S{name}x", prov_sn=""))), "L1", "DOUBLE_POST"),
    Row("D4", both(local(INST=SAME_VISIT, GW=SAME_VISIT, AGY=SAME_VISIT), lambda town, name: local(
        INST=SAME_VISIT, GW=SAME_VISIT, AGY=SAME_VISIT)(town, f"{name}x")), "L1", "DOUBLE_SETTLEMENT"),
    Row("D5", both(local(INST=NONE, GW=NONE, AGY=NONE), again), "", ""),
    Row("D6", both(five(), lambda town, name: town.add("PROV", cells(name, prov_sn=f"X{name}"))), "L2", "DOUBLE_POST"),
    Row("R1", lambda town, name: town.add("INST", refund_of(cells(name, clr_pay_loc=""), f"{DAY} 11:00:00")), "L1",
        "REVERSAL_UNMATCHED"),
    Row("R2", both(refunded("GW", "AGY"), lambda town, name: town.add(
        "INST", {**refund_of(cells(name, clr_pay_loc=""), f"{DAY} 11:00:00"), "medfee_sumamt": "-99.00"})), "L1",
        "REFUND_MISMATCH"),
    Row("R3", both(refunded("INST", "GW", "AGY"), lambda town, name: town.add(
        "INST", refund_of(cells(name, clr_pay_loc=""), f"{DAY} 12:00:00"))), "L1", "DOUBLE_REFUND"),
    Row("R4", local(GW={"status": "REVERSED"}), "L1", "NETZERO_TRACE", end="RESOLVED"),
    Row("R6", refunded("GW", status="REVERSED"), "", ""),
]  # fmt: skip


def test_every_row_of_the_table_comes_to_its_end(tmp_path: Path) -> None:
    town = BookTown(tmp_path)
    named = {f"{row.code}n{number:02}": row for number, row in enumerate(TABLE)}
    for name, row in named.items():
        row.lay(town, name)
        if row.code == "S3":
            town.parties.stubborn["AGY", f"S{name}"] = 1  # it says yes, and the settlement stands (2601 has no output)
    first = town.round(chosen, BEFORE, DAY)
    for name, row in named.items():
        told = [line for line in town.lines().get(f"S{name}", ()) if not row.leg or line[0] == row.leg]
        assert [line[1] for line in told] == ([row.name] if row.name else []), (name, told)
        assert not row.name or told[0][2] in (row.code, "A5", ""), (name, told)
    assert first.summary["rows"] == _counted()
    for name, row in named.items():
        row.changes(town, name)
    last, rounds = first, 1
    while not last.days["*"].startswith("AGREED") and rounds < 6:
        last, rounds = town.round(chosen, BEFORE, DAY, NEXT), rounds + 1
    assert last.days == {"*": "AGREED_WITH_CARRY", CODE: "AGREED_WITH_CARRY"}, town.lines("OPEN", "WAIT")
    for name, row in named.items():
        own = [one for one in town.actions() if one[0] == f"S{name}"]
        assert len(own) <= 3 and all(state == "DONE" for *_, state in own), (name, own)
        assert town.states(f"S{name}") == ({row.end} if row.end else set()), name
        assert row.end or len(set(town.presence(f"S{name}")[:3])) == 1, (name, town.presence(f"S{name}"))
    _none_twice(town)


def _counted() -> dict[str, int]:
    """The rows a summary counts: of each code how many are laid down; S4 is told by its own row, R5 is S1 or S2."""
    found: dict[str, int] = {}
    for row in TABLE:
        if row.code not in ("A0", "R6", "T4"):
            found[row.code] = found.get(row.code, 0) + 1
    # What is wrong at the province alone is wrong towards the insured person's agency, too: that leg waits.
    return found | {"S1": found["S1"] + 1, "A7": found["A7"] + 1}


def test_nothing_is_reversed_from_an_incomplete_ledger(tmp_path: Path) -> None:
    town = BookTown(tmp_path)
    town.put("1", GW={"delivered": "0"}, AGY={})  # to be reversed, were the institution's file whole
    town.put("2", PROV={}, INS={})
    town.incomplete = {"INST", "AGY", "PROV", "INS"}
    for _ in range(2):
        town.round(lambda case: "")
    assert (town.parties.received, town.actions()) == ([], [])
    town.incomplete = set()
    town.round(lambda case: "")
    assert [(one.party, one.kind, one.key) for one in town.parties.received] == [
        ("PROV", "REVERSE", "S2"), ("AGY", "REVERSE", "S1"),
    ]  # fmt: skip


@pytest.mark.parametrize(("own", "there"), [("REVERSED", False), ("REFUNDED", False), ("", True)])
def test_the_province_is_told_what_the_care_locality_really_has(tmp_path: Path, own: str, there: bool) -> None:
    town = BookTown(tmp_path)
    town.put("1", INST={"status": own}, GW={"status": "REFUNDED" if own else ""}, AGY={"status": own},
             PROV={"status": "" if own else "REVERSED"}, INS={"status": own})  # fmt: skip
    town.round(lambda case: "feedback")
    assert [(one.party, one.kind, one.effect) for one in town.parties.received] == [("PROV", "STATUS", True)]
    (row,) = town.parties.of("PROV", "S1")
    assert (row["status"], town.parties.has("PROV", "S1")) == (own, there)
    assert town.round(lambda case: "").days["*"] == "AGREED"


@pytest.mark.parametrize("decision", ["reverse", "void", "book"])
def test_what_does_not_fit_a_difference_cannot_be_decided(tmp_path: Path, decision: str) -> None:
    town = BookTown(tmp_path)
    both(five(), lambda town, name: town.add("AGY", cells(name, setl_id="S1x")))(town, "1")  # D3: one message, two
    town.put("2", PROV={})
    town.incomplete = {"PROV"}
    town.hand_in()
    town.run()
    wrong = {"reverse": "DOUBLE_POST"}.get(decision, "L2-PROV-MORE")
    with pytest.raises(NotPossible):
        town.decide(lambda case: decision if case.diff.name == wrong else "")
    assert town.actions() == []


def _none_twice(town: BookTown) -> None:
    """No party received an order twice, and each had its effect unless the party was laid down as deaf."""
    told = [one.number + one.party for one in town.parties.received]
    assert len(told) == len(set(told))
    deaf = {key for _, key in town.parties.stubborn}
    assert [one for one in town.parties.received if not one.effect and one.key not in deaf] == []
