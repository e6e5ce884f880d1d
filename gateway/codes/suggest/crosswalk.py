"""A city's old codes against the national ones, as evidence for a suggestion (`--crosswalk`).

The institution's list says under which old code of the city an item was paid; the crosswalk says which national code
took its place. Crosswalks are known to be wrong here and there (annex C4 audits them), so what one says makes nobody
sure by itself: it lifts a row that nothing speaks against and decides between rows that fit alike, and where it points
elsewhere a person must look.
"""

from collections.abc import Collection, Mapping

import attrs

from gateway.codes.suggest.records import Entry, Match
from gateway.codes.suggest.verdict import Verdict
from gateway.codes.suggest.words import rules

Crosswalk = Mapping[str, Collection[str]]  # old code of the city -> national codes on the day
NO_CROSSWALK: Crosswalk = {}
SHOWN_MAX = 60  # characters of a code that nobody checked, in a note


@attrs.frozen
class Crossing:
    """What the crosswalk says of one local row. national '' = nothing that can be used; said: so in Chinese."""

    national: str = ""
    said: str = ""


NO_CROSSING = Crossing()


def crossing_of(old: str, crosswalk: Crosswalk, by_code: Mapping[str, Entry]) -> Crossing:
    """Return what the crosswalk says of an old code; several national codes on one day say nothing."""
    targets = sorted(crosswalk.get(old, ())) if old else []
    if not targets:
        return NO_CROSSING
    old = old[:SHOWN_MAX]
    if len(targets) > 1:
        return Crossing("", f"城市旧编码{old}对照了{len(targets)}个国家编码，未采用")
    if targets[0] not in by_code:
        return Crossing("", f"城市旧编码{old}对照的{targets[0]}不在国家目录中")
    return Crossing(targets[0], f"城市旧编码{old}对照到{targets[0]}")


def lifted(match: Match, crossing: Crossing) -> Match:
    """Return the match, lifted when the crosswalk names it, its name is the same and no field is different."""
    rule = rules().crosswalk
    verdicts = match.compared.verdicts
    if (
        match.entry.code != crossing.national
        or verdicts["name"] not in (Verdict.EQUAL, Verdict.NEAR)
        or Verdict.DIFFERS in verdicts.values()
    ):
        return match
    if match.confidence >= rule.confidence:
        return attrs.evolve(match, pointed=True)
    return attrs.evolve(match, rule=rule.id, confidence=rule.confidence, pointed=True)
