"""Coverage: how far an institution is with a library on a day, as counts and exact fractions (mapping rules §8).

Pure: what the store proposed and approved, and what the journal saw, come in as plain records. An item is one local
code.
Formulas, all over the items in use without those decided to have no national code:

* maintained: has a row of its own with a national code, approved or waiting for its second person (维护率);
* coded: has exactly one national code in force that the library holds as valid on the day (赋码率);
* right: of the items with an approved row in force on the day, those whose code is sound (对照正确率).
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from fractions import Fraction
from typing import Literal

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


@attrs.frozen
class Row:
    """One row of a proposal. Dates yyyy-MM-dd, '' = open; national '' = none."""

    line: int
    local: str
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
    """One whole proposal of an institution and system. approvals: (when, the lines it refused)."""

    id: int
    at_ms: int
    approvals: tuple[tuple[int, frozenset[int]], ...]
    rows: tuple[Row, ...]

    def refused(self, before_ms: int) -> frozenset[int] | None:
        """Return the lines no approval had taken by then; None when there was no approval yet."""
        lines = [refused for at_ms, refused in self.approvals if at_ms < before_ms]
        return frozenset.intersection(*lines) if lines else None


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


def items_on(
    proposals: Iterable[Proposal], seen: Mapping[str, Seen], window: Window, day: str, before_ms: int
) -> list[Item]:
    """Judge every local code proposed, or seen in the period, as things stood on a day.

    proposals: of one institution and system, oldest first; before_ms: what was decided from then on does not count.
    """
    in_force, newest = _standing(proposals, before_ms)
    return [
        Item(
            local,
            _state(in_force.get(local, ()), newest.get(local), seen.get(local), window, day),
            seen.get(local, NOT_SEEN),
        )
        for local in sorted(in_force.keys() | newest.keys() | seen.keys())
    ]


def count(items: Collection[Item]) -> Figures:
    """Count judged items and their use; money is added by the visits (`gateway.codes.usage`)."""
    needing = [item for item in items if item.state != "no_code"]
    used = [item for item in needing if item.state != "idle"]
    mapped = sum(item.state == "coded" or item.state in WRONG for item in used)
    return Figures(
        items=len(used),
        maintained=sum(item.state in _MAINTAINED for item in used),
        coded=sum(item.state in ("coded", "by_itself") for item in used),
        mapped=mapped,
        right=mapped - sum(item.state in WRONG for item in used),
        no_code=sum(item.state == "no_code" for item in items),
        idle=sum(item.state == "idle" for item in items),
        late=sum(item.seen.uncoded > 0 for item in used),
        lines=sum(item.seen.lines for item in needing),
        lines_coded=sum(item.seen.lines - item.seen.uncoded for item in needing),
    )


def without_code(proposals: Iterable[Proposal]) -> frozenset[str]:
    """Return the local codes two persons decided to have no national one, by the rows in force now."""
    in_force, _ = _standing(proposals, _FOR_EVER)
    return frozenset(local for local, rows in in_force.items() if not any(row.national for row in rows))


_Newest = tuple[list[Row], bool]  # a local code's rows in its newest proposal; whether the second person refused them


def _standing(proposals: Iterable[Proposal], before_ms: int) -> tuple[dict[str, list[Row]], dict[str, _Newest]]:
    """Return local code -> its rows in force, and -> its rows in the newest proposal.

    In force are the rows some approval took, of the newest proposal that has any for the code (annex X2).
    """
    in_force: dict[str, list[Row]] = {}
    newest: dict[str, _Newest] = {}
    for proposal in proposals:
        if proposal.at_ms >= before_ms:
            continue
        refused = proposal.refused(before_ms)
        taken: dict[str, list[Row]] = {}
        mine: dict[str, list[Row]] = {}
        for row in proposal.rows:
            mine.setdefault(row.local, []).append(row)
            if refused is not None and row.line not in refused:
                taken.setdefault(row.local, []).append(row)
        in_force |= taken
        newest |= {local: (rows, refused is not None and local not in taken) for local, rows in mine.items()}
    return in_force, newest


def _state(in_force: Collection[Row], newest: _Newest | None, seen: Seen | None, window: Window, day: str) -> State:
    if not in_force:
        return _undecided(newest, seen, day)
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


def _undecided(newest: _Newest | None, seen: Seen | None, day: str) -> State:
    """Judge a code no row is in force for."""
    if seen is not None and seen.by_itself:
        return "by_itself"
    if newest is None:
        return "never_proposed"
    rows, refused = newest
    if seen is None and not any(row.holds(day) for row in rows):
        return "idle"
    if not all(row.complete for row in rows):
        return "incomplete"
    return "refused" if refused else "draft"
