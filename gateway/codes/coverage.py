"""Coverage: how far an institution is with a library on a day, as counts and exact fractions (mapping rules §8).

Pure: what the store proposed and approved, and what the journal saw, come in as plain records. An item is one local
code.
Formulas, all over the items in use without those decided to have no national code:

* maintained: has a row of its own with a national code, approved or waiting for its second person (维护率);
* coded: has exactly one national code in force that the library holds as valid on the day (赋码率);
* right: of the items with an approved row in force on the day, those whose code is sound (对照正确率).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from fractions import Fraction
from typing import Literal, NamedTuple

import attrs

from gateway.core.codes import LATEST

NO_CODE = "no_code:"

# Why an item in use has no valid national code; the keys of what people are told to do about it.
State = Literal[
    "coded",
    "by_itself",  # the institution sends the national code itself; no row speaks of it
    "no_code",
    "idle",  # closed or not yet begun, and not needed since
    "never_proposed",
    "incomplete",
    "draft",
    "refused",
    "out_of_dates",
    "several_targets",
    "not_in_library",
    "library_expired",
]
WRONG: frozenset[State] = frozenset({"several_targets", "not_in_library", "library_expired"})
_MAINTAINED: frozenset[State] = WRONG | {"coded", "by_itself", "draft"}
LACKING: frozenset[State] = WRONG | {"never_proposed", "incomplete", "draft", "refused", "out_of_dates"}
_FOR_EVER = 1 << 62

Window = Callable[[str], tuple[str, str] | None]  # national code -> its valid days, None = the library lacks it


@attrs.frozen
class Ratio:
    """An exact fraction of counts; of nothing when the denominator is 0."""

    numerator: int
    denominator: int

    def text(self) -> str:
        """Return the percentage with two decimals, cut and never rounded up: 98.995 % is 98.99 %."""
        return "—" if not self.denominator else f"{self.hundredths() // 100}.{self.hundredths() % 100:02d}%"

    def hundredths(self) -> int:
        """Return the percentage in hundredths of a percent, cut; 0 of nothing."""
        return self.numerator * 10_000 // self.denominator if self.denominator else 0

    def below(self, target: Fraction) -> bool:
        """Say whether the target is missed. Nothing misses nothing."""
        return bool(self.denominator) and Fraction(self.numerator, self.denominator) < target


class Row(NamedTuple):
    """One row of a proposal. Dates yyyy-MM-dd, '' = open; national '' = none. A tuple, for there are very many."""

    local: str
    batch: int
    line: int
    national: str
    valid_from: str
    valid_to: str
    evidence: str

    def holds(self, day: str) -> bool:
        return self.valid_from <= day <= (self.valid_to or LATEST)

    @property
    def complete(self) -> bool:
        return bool(self.national) or self.evidence.startswith(NO_CODE)


@attrs.frozen
class Proposal:
    """One whole proposal of an institution and system, without its rows. approvals: (when, the lines it refused)."""

    id: int
    at_ms: int
    approvals: tuple[tuple[int, frozenset[int]], ...]


# Proposal made by some moment -> the lines no approval had taken by then; None when there was no approval yet.
Standing = Mapping[int, frozenset[int] | None]


def standing(proposals: Iterable[Proposal], before_ms: int = _FOR_EVER) -> Standing:
    """Return what had become of the proposals before a moment."""
    found: dict[int, frozenset[int] | None] = {}
    for proposal in proposals:
        if proposal.at_ms < before_ms:
            lines = [refused for at_ms, refused in proposal.approvals if at_ms < before_ms]
            found[proposal.id] = frozenset.intersection(*lines) if lines else None
    return found


@attrs.frozen
class Seen:
    """How often a local code stood in the requests of a period. by_itself: with a national code no row gave."""

    lines: int = 0
    uncoded: int = 0
    by_itself: bool = False


NOT_SEEN = Seen()


@attrs.frozen
class Item:
    """One local code on a day."""

    local: str
    state: State
    seen: Seen


@attrs.frozen(kw_only=True)
class Figures:
    """The counts of one institution, library and month; they add up.

    lines: codes of this library in the period's requests; fen: settlements of visits that carry such codes, coded when
    every one of them had its national code at the time. late: items used without a national code at the time.
    """

    items: int = 0
    maintained: int = 0
    coded: int = 0
    mapped: int = 0
    right: int = 0
    no_code: int = 0
    idle: int = 0
    late: int = 0
    lines: int = 0
    lines_coded: int = 0
    fen: int = 0
    fen_coded: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        mine, its = attrs.asdict(self), attrs.asdict(other)
        return Figures(**{name: mine[name] + its[name] for name in mine})

    @property
    def ratios(self) -> Mapping[str, Ratio]:
        """Return the rates the duty is about, by name."""
        return {
            "maintained": Ratio(self.maintained, self.items),
            "coded": Ratio(self.coded, self.items),
            "right": Ratio(self.right, self.mapped),
        }

    @property
    def by_use(self) -> Ratio:
        return Ratio(self.lines_coded, self.lines)

    @property
    def by_money(self) -> Ratio:
        return Ratio(self.fen_coded, self.fen)

    @property
    def wrong(self) -> int:
        return self.mapped - self.right

    def below(self, targets: Mapping[str, Fraction]) -> tuple[str, ...]:
        """Return the names of the rates under their target."""
        return tuple(name for name, ratio in self.ratios.items() if name in targets and ratio.below(targets[name]))


NOTHING = Figures()


@attrs.define(eq=False)
class Tally:
    """Counts judged items and their use; money is added by the visits (`gateway.codes.usage`)."""

    states: Counter[State] = attrs.Factory(Counter)
    late: int = 0
    lines: int = 0
    lines_coded: int = 0

    def add(self, state: State, seen: Seen) -> None:
        self.states[state] += 1
        if state != "no_code":
            self.lines += seen.lines
            self.lines_coded += seen.lines - seen.uncoded
            self.late += seen.uncoded > 0 and state != "idle"

    def figures(self, fen: int = 0, fen_coded: int = 0) -> Figures:
        """Return the counts, with the money of the visits."""
        states = self.states
        wrong = sum(states[state] for state in WRONG)
        return Figures(
            items=states.total() - states["no_code"] - states["idle"],
            maintained=sum(states[state] for state in _MAINTAINED),
            coded=states["coded"] + states["by_itself"],
            mapped=states["coded"] + wrong,
            right=states["coded"],
            no_code=states["no_code"],
            idle=states["idle"],
            late=self.late,
            lines=self.lines,
            lines_coded=self.lines_coded,
            fen=fen,
            fen_coded=fen_coded,
        )


def judge(rows: Collection[Row], stood: Standing, seen: Seen | None, window: Window, day: str) -> State:
    """Say how one local code stood on a day. rows: all of it ever proposed; seen: None = not in the period."""
    in_force = in_force_of(rows, stood)
    if not in_force:
        return _undecided(rows, stood, seen, day)
    targets = {row.national for row in in_force if row.holds(day)}
    if not targets:
        # Closed after its last use, it was coded when it was needed.
        return "out_of_dates" if seen is not None and seen.uncoded else "idle"
    if len(targets) > 1:
        return "several_targets"
    (national,) = targets
    if not national:
        return "no_code"
    days = window(national)
    if days is None:
        return "not_in_library"
    return "coded" if days[0] <= day <= (days[1] or LATEST) else "library_expired"


def in_force_of(rows: Iterable[Row], stood: Standing) -> list[Row]:
    """Return the rows of one local code that some approval took, of the newest proposal that has any (annex X2)."""
    newest = -1
    found: list[Row] = []
    for row in rows:
        refused = stood.get(row.batch)
        if refused is None or row.line in refused or row.batch < newest:
            continue
        if row.batch > newest:
            newest, found = row.batch, []
        found.append(row)
    return found


def _undecided(rows: Collection[Row], stood: Standing, seen: Seen | None, day: str) -> State:
    """Judge a code no row is in force for."""
    if seen is not None and seen.by_itself:
        return "by_itself"
    newest = max((row.batch for row in rows if row.batch in stood), default=-1)
    if newest < 0:
        return "never_proposed"
    mine = [row for row in rows if row.batch == newest]
    if seen is None and not any(row.holds(day) for row in mine):
        return "idle"
    if not all(row.complete for row in mine):
        return "incomplete"
    return "draft" if stood[newest] is None else "refused"
