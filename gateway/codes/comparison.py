"""What an institution of the local regime sent, judged as the national one would have (design §5, mapping rules §9).

The evidence of the local regime holds, for every code, what it means nationally, or the rule that would refuse it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import attrs

from gateway.core.beside import missed
from gateway.core.codes import Hit, Miss
from gateway.core.translation import Evidence

Resolve = Callable[[str, str, str], Hit | Miss]  # slot, local code, day -> what the tables of now say


class Request(Protocol):
    """One request of the journal."""

    @property
    def mdtrt_id(self) -> str: ...
    @property
    def medfee_fen(self) -> int | None: ...
    @property
    def rows(self) -> Sequence[Evidence]: ...


@attrs.define
class Gap:
    """One local code the national regime would have refused. now: the national code it has today, or today's rule."""

    system: str
    local_code: str
    rule: str
    lines: int = 0
    requests: int = 0
    first_day: str = "9999-12-31"
    last_day: str = ""
    now: str = ""
    mended: bool = False


@attrs.define
class Comparison:
    """The outcome. codes, missing: lines. refused_fen: totals of what would have been refused, and of the settlements
    of a visit whose details would have been.
    """

    requests: int = 0
    refused: int = 0
    still_refused: int = 0
    refused_fen: int = 0
    codes: int = 0
    missing: int = 0
    gaps: dict[tuple[str, str, str], Gap] = attrs.Factory(dict)

    def in_order(self) -> list[Gap]:
        """Return the gaps, most used first."""
        return sorted(self.gaps.values(), key=lambda gap: (-gap.lines, gap.system, gap.local_code, gap.rule))


def compare(requests: Iterable[Request], resolve: Resolve) -> Comparison:
    """Count what would have been refused, then and by the mapping tables of now."""
    found = Comparison()
    visits: set[str] = set()
    settled: list[tuple[str, int]] = []
    answers: dict[tuple[str, str, str], Hit | Miss] = {}
    for request in requests:
        found.requests += 1
        found.codes += len(request.rows)
        gone = missed(request.rows)
        found.missing += len(gone)
        if not gone:
            settled.append((request.mdtrt_id, abs(request.medfee_fen or 0)))
            continue
        found.refused += 1
        found.refused_fen += abs(request.medfee_fen or 0)
        visits.add(request.mdtrt_id)
        still, touched = False, set()
        for _, system, local, national, rule, day in request.rows:
            if national:
                continue
            key = (system, local, day)
            if key not in answers:
                answers[key] = resolve(*key)
            gap = found.gaps.setdefault((system, local, rule), Gap(system, local, rule))
            _count(gap, answers[key], day)
            still = still or isinstance(answers[key], Miss)
            touched.add((system, local, rule))
        found.still_refused += still
        for name in touched:
            found.gaps[name].requests += 1
    found.refused_fen += sum(fen for visit, fen in settled if visit and visit in visits)
    return found


def _count(gap: Gap, answer: Hit | Miss, day: str) -> None:
    gap.lines += 1
    gap.first_day, gap.last_day = min(gap.first_day, day), max(gap.last_day, day)
    if isinstance(answer, Miss):
        gap.now, gap.mended = answer.rule, False
    elif not gap.now or gap.mended:
        gap.now, gap.mended = answer.national, True
