"""A day for people: who agrees with whom, what is open, whose move it is and until when. Pure; made of plain rows.

Every difference of the tables stands at exactly one `standing`, so the counts of the page are the rows of the tables:

* open: somebody has to act. waiting: on another leg, on a next-day file, on the gateway's own open transactions.
* withheld: a ledger is incomplete, so nothing is said. carried: taken to a later day by two people.
* trace: the books agree all the same (annex B17). closed: resolved, or gone in a later revision.

What a difference moves (`fen_of`): of a missing record its medfee, of an amount the difference; None where the line
names no amount (statuses, duplicates, refunds).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import attrs

from gateway.books.plans import COLLECTING, escalates_ms
from gateway.books.rules import Rules
from gateway.core.booked import DROPPED, ActionRow, CaseRow, DayRow, DiffRow, InputRow, Item, RunRow
from gateway.core.ledgers import NAMES

Standing = Literal["open", "waiting", "withheld", "carried", "trace", "closed"]
STANDINGS: tuple[Standing, ...] = ("open", "waiting", "withheld", "carried", "trace", "closed")
UNSETTLED: tuple[Standing, ...] = ("open", "waiting", "withheld", "carried")
LEGS = ("L1", "L2", "L4")
ASIDE = "L3"  # of the insured role: two statements of the province side by side, without lines of its own (B7)
PAIRS: Mapping[str, tuple[str, ...]] = {
    "L1": ("INST", "GW", "AGY"), "L2": ("AGY", "PROV"), "L3": ("AGY", "PROV"), "L4": ("PROV", "INS"),
}  # fmt: skip
# Lines of leg L1 that say institution and gateway disagree: leg L0 is looked at inside L1 (§1).
_INSIDE = frozenset({"L1-GW-ONLY", "L1-INST-MISSING", "L1-INST-ONLY", "L1-GW-MISSING"})
_INSIDE_ROWS = frozenset({"A1", "A2", "A4"})
# Lines that close their key with one line in all (B13): nothing of it is agreed on any leg.
CLOSING = frozenset({"D2", "D3", "D4", "R1", "R2", "R3", "S5", "S6"})

Mover = Literal["GW", "MAKER", "CHECKER", "ONE", "INST", "AGY", "PROV", "INS", "OPS", "LEG", "FILES", "LATER"]


def standing_of(item: Item) -> Standing:
    """Return where a difference stands."""
    diff = item.diff
    if diff.state == "VANISHED":
        return "closed"
    if diff.agreed:
        return "trace"
    if diff.state == "RESOLVED":
        return "closed"
    if diff.state == "CARRIED":
        return "carried"
    if diff.name == "WITHHELD":
        return "withheld"
    return "waiting" if diff.state == "WAIT" or diff.action.startswith("WAIT") else "open"


def fen_of(item: Item) -> int | None:
    """Return what a difference moves, in fen, never negative; None when its line names no amount."""
    left, right = item.diff.left_fen, item.diff.right_fen
    if left is None and right is None:
        return None
    return abs((left or 0) - (right or 0))


def mover_of(item: Item) -> Mover:
    """Say whose move it is: by the case, else by what was sent last, else by the rule."""
    diff, case = item.diff, item.case
    if diff.state == "CARRIED":
        return "LATER"
    if diff.action in ("WAIT_LEG1", "WAIT_LEG2"):
        return "LEG"
    if diff.name in ("WITHHELD", "WAIT_NEXT_DAY"):
        return "FILES"
    if case is not None and case.state in ("OPEN", "PROPOSED"):
        return _of_case(item, case)
    if item.actions:
        last = item.actions[-1]
        if last.state == "FAILED":
            return "OPS"
        if last.state == "DONE" and diff.action != "REVERSE":
            return _party(last.party)
        return "GW"
    if case is not None and case.state == "DECIDED":
        return "GW"
    if diff.mode == "TWO":
        return "MAKER"
    return _single(item) if diff.mode == "ONE" else "GW"


def _of_case(item: Item, case: CaseRow) -> Mover:
    if case.state == "PROPOSED":
        return "CHECKER"
    return "MAKER" if case.mode == "TWO" else _single(item)


def _single(item: Item) -> Mover:
    """Who the one person is: the institution, the insured person's agency, or an operator who acknowledges (§5.1)."""
    if item.diff.leg == "L4":
        return "INS"
    return "INST" if item.diff.action == "FEEDBACK" else "ONE"


def _party(name: str) -> Mover:
    known: Mapping[str, Mover] = {"INST": "INST", "AGY": "AGY", "PROV": "PROV", "INS": "INS", "GW": "GW"}
    return known.get(name, "INST")  # an institution may be named by its code


def until_of(item: Item) -> int:
    """Return until when, in ms: the case's escalation, else the end of T+3."""
    if item.case is not None and item.case.state != "CLOSED":
        return item.case.until_ms
    return escalates_ms(item.diff.biz_date)


@attrs.define
class Count:
    """How many, and what they move. unknown: those whose line names no amount."""

    lines: int = 0
    fen: int = 0
    unknown: int = 0

    def add(self, fen: int | None) -> None:
        self.lines += 1
        self.fen += fen or 0
        self.unknown += fen is None


def _counts() -> dict[Standing, Count]:
    return {name: Count() for name in STANDINGS}


@attrs.define
class Leg:
    """One leg. on: both sides were given; agreed: keys and fen beside the open ones, None when the files are gone;
    inside: of L1, lines that say institution and gateway disagree (L0); apart: of L3, keys that the two statements have
    differently, None when nobody looked: they are no lines, L4 has those that matter to it."""

    name: str
    on: bool
    counts: dict[Standing, Count] = attrs.Factory(_counts)
    agreed: tuple[int, int] | None = None
    inside: Count = attrs.Factory(Count)
    apart: Count | None = None

    @property
    def look(self) -> Literal["off", "open", "waiting", "agreed"]:
        """How it is drawn."""
        if not self.on or (self.name == ASIDE and self.apart is None):
            return "off"
        if self.counts["open"].lines or (self.apart is not None and self.apart.lines):
            return "open"
        return "waiting" if any(self.counts[name].lines for name in ("waiting", "withheld", "carried")) else "agreed"


@attrs.frozen(kw_only=True)
class Party:
    """One party's ledger. files: how many; state: complete, incomplete, missing; sums: fen by component of the rows of
    the day."""

    name: str
    files: int
    state: Literal["complete", "incomplete", "missing"]
    rows: int
    sums: Mapping[str, int]
    incomplete: tuple[str, ...] = ()


@attrs.define
class Group:
    """What one party has to do about one kind of difference."""

    mover: Mover
    leg: str
    name: str
    row: str
    title: str
    todo: str
    standing: Standing
    count: Count = attrs.Factory(Count)
    until_ms: int = 0
    overdue: int = 0


@attrs.define
class Institution:
    """One institution's day on L1. state: its container's; ledgers: name -> (rows, medfee fen, fund fen) of the day."""

    code: str
    name: str = ""
    state: str = ""
    ledgers: dict[str, tuple[int, int, int]] = attrs.Factory(dict)
    counts: dict[Standing, Count] = attrs.Factory(_counts)


@attrs.define
class DayReport:
    """A day. items: those listed, unsettled first in the order given, at most `items_max`; left_out: not listed.

    Sums are complete whatever is listed. times in ms; role: care, insured; scope: fixmedins_code or ''.
    """

    role: str
    date: str
    scope: str
    now_ms: int
    days: Sequence[DayRow]
    run: RunRow | None
    inputs: Sequence[InputRow]
    parties: Sequence[Party]
    legs: dict[str, Leg]
    groups: list[Group]
    institutions: dict[str, Institution]
    items: list[Item]
    actions: dict[tuple[str, str, str], int] = attrs.Factory(dict)
    cases: dict[tuple[str, str], int] = attrs.Factory(dict)
    left_out: int = 0

    def total(self, standing: Standing) -> Count:
        """Return all legs together."""
        found = Count()
        for leg in self.legs.values():
            one = leg.counts[standing]
            found = Count(found.lines + one.lines, found.fen + one.fen, found.unknown + one.unknown)
        return found

    @property
    def provisional(self) -> bool:
        """Whether the day was not over when it was looked at last: nothing was planned of it."""
        return any(one.state == COLLECTING for one in self.days)

    @property
    def agreed(self) -> bool:
        """Whether the day agrees: it is over, a run there is, and nothing is open, waiting or withheld."""
        return (
            self.run is not None
            and not self.provisional
            and not any(self.total(name).lines for name in ("open", "waiting", "withheld"))
        )

    @property
    def lines(self) -> int:
        return sum(self.total(name).lines for name in STANDINGS)


@attrs.frozen(kw_only=True)
class Told:
    """What is known of a day besides its differences. names: fixmedins_code -> what the institution is called."""

    role: str
    date: str
    scope: str
    now_ms: int
    days: Sequence[DayRow]
    run: RunRow | None
    inputs: Sequence[InputRow]
    names: Mapping[str, str]


def day_report(told: Told, items: Iterable[Item], rules: Rules, items_max: int) -> DayReport:
    """Return the day. items: every difference of it, in the order they are to be listed."""
    given = {one.ledger for one in told.inputs}
    names = sorted({*LEGS, ASIDE}) if told.role == "insured" else LEGS
    legs = {name: Leg(name, on=_is_on(name, given, told)) for name in names}
    report = DayReport(
        role=told.role, date=told.date, scope=told.scope, now_ms=told.now_ms, days=told.days, run=told.run,
        inputs=told.inputs, parties=[_party_of(name, told) for name in NAMES], legs=legs, groups=[],
        institutions={
            one.scope: Institution(one.scope, told.names.get(one.scope, ""), one.state)
            for one in told.days
            if one.scope != "*"
        },
        items=[],
    )  # fmt: skip
    groups: dict[tuple[str, ...], Group] = {}
    settled: list[Item] = []
    for item in items:
        standing, fen = standing_of(item), fen_of(item)
        legs[item.diff.leg].counts[standing].add(fen)
        for action in item.actions:
            at = (action.kind, action.party, state_of_action(action))
            report.actions[at] = report.actions.get(at, 0) + 1
        if item.case is not None:
            key = (item.case.mode, item.case.state)
            report.cases[key] = report.cases.get(key, 0) + 1
        if item.diff.leg == "L1":
            _of_institution(report, item, told.names).counts[standing].add(fen)
        if standing in UNSETTLED:
            _inside(legs["L1"], item, fen)
            _grouped(groups, item, standing, rules, told.now_ms)
            if len(report.items) < items_max:
                report.items.append(item)
        elif len(settled) < items_max:
            settled.append(item)
    report.items += settled[: items_max - len(report.items)]
    report.left_out = report.lines - len(report.items)
    report.groups = sorted(groups.values(), key=_order)
    return report


def state_of_action(action: ActionRow) -> str:
    """Return an action's state as people read it: one that was never sent, since its difference went away, failed
    nobody."""
    return "DROPPED" if action.state == "FAILED" and action.receipt in DROPPED else action.state


def _is_on(leg: str, given: set[str], told: Told) -> bool:
    """Say whether a leg was compared: an institution's page has L1 only, the insured role L4 (B7) and L3 beside it."""
    wanted = leg == "L1" if told.scope else told.role != "insured" or leg in (ASIDE, "L4")
    return told.run is not None and wanted and len(given & set(PAIRS[leg])) > 1


def _party_of(name: str, told: Told) -> Party:
    """Sum up a party's files. A scope counts its own files and the city's."""
    files = [one for one in told.inputs if one.ledger == name and (not told.scope or one.scope in (told.scope, "*"))]
    incomplete = tuple(one.scope for one in files if not one.complete)
    return Party(
        name=name,
        files=len(files),
        state="missing" if not files else "incomplete" if incomplete else "complete",
        rows=sum(one.rows for one in files),
        sums=dict(told.run.sums.get(name, {})) if told.run and not told.scope else {},
        incomplete=incomplete,
    )


def _of_institution(report: DayReport, item: Item, names: Mapping[str, str]) -> Institution:
    code = item.diff.scope if item.diff.scope != "*" else item.diff.fixmedins_code
    return report.institutions.setdefault(code, Institution(code, names.get(code, "")))


def _inside(leg: Leg, item: Item, fen: int | None) -> None:
    diff = item.diff
    if diff.leg == "L1" and (diff.name in _INSIDE or diff.row in _INSIDE_ROWS):
        leg.inside.add(fen)


def words_about(diff: DiffRow, rules: Rules, finding: str = "") -> tuple[str, str]:
    """Return (title, what to do) of a line; the class itself where the rules no longer have it. finding: what the
    agency said when it was asked, '' = it was not."""
    if diff.row not in rules.rows and diff.name not in rules.classes:
        return rules.titles.get(diff.name, diff.name), ""
    rule = rules.rule(diff.name, diff.row)
    return rule.title, rule.answers.get(finding, rule.todo)


def _grouped(groups: dict[tuple[str, ...], Group], item: Item, standing: Standing, rules: Rules, now_ms: int) -> None:
    diff, mover, until = item.diff, mover_of(item), until_of(item)
    finding = item.inquiry.finding if item.inquiry is not None else ""
    key = (mover, diff.leg, diff.name, diff.row, standing, finding)
    if key not in groups:
        title, todo = words_about(diff, rules, finding)
        groups[key] = Group(mover, diff.leg, diff.name, diff.row, title, todo, standing, until_ms=until)
    group = groups[key]
    group.count.add(fen_of(item))
    group.until_ms = min(group.until_ms, until)
    group.overdue += until < now_ms and standing != "carried"


_MOVERS: tuple[Mover, ...] = (
    "OPS", "MAKER", "CHECKER", "ONE", "INST", "AGY", "PROV", "INS", "GW", "LEG", "FILES", "LATER",
)  # fmt: skip


def _order(group: Group) -> tuple[object, ...]:
    return _MOVERS.index(group.mover), STANDINGS.index(group.standing), group.leg, group.name, group.row
