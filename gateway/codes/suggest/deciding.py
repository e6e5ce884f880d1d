"""Which of the matches to suggest, how sure to be, and what to say about it (annex C5).

Confidence only ever falls here: an unusable row is followed to its successor, two rows that fit alike share what there
is, and a key or a name that points elsewhere makes nobody sure.
"""

from collections.abc import Mapping

import attrs

from gateway.codes.suggest.crosswalk import NO_CROSSING, Crossing
from gateway.codes.suggest.desk import Desk
from gateway.codes.suggest.judging import rule_of, rule_set, title_of
from gateway.codes.suggest.records import Entry, Local, Match, Suggestion
from gateway.codes.suggest.saying import contrast, differences
from gateway.codes.suggest.text import one_character_apart, verdict_of_names
from gateway.codes.suggest.verdict import Verdict
from gateway.codes.suggest.words import rules

FLOOR = 0.3  # below, a suggestion would be a guess
RUNNER_MIN = 0.1
CLOSE = 0.02
SUCCESSORS_MAX = 5
OTHERS_MAX = 8
SUCCESSOR_SURE = 0.96
UNSURE = 0.94
CONTRADICTED = 0.9
KEPT = 0.1  # how much better another row must fit than the one the institution has mapped to so far
CHANGED = 0.8
DEAD_END = 0.6
NEWCOMER = "successor"
_SAME = (Verdict.EQUAL, Verdict.NEAR)


@attrs.frozen(slots=True)
class Option:
    """A match whose target may be used. target: the matched row or what replaced it; gone: why not the row itself."""

    match: Match
    target: Entry
    confidence: float
    rule: str
    gone: str


@attrs.define
class _Certainty:
    """The falling confidence, and why it fell."""

    confidence: float
    said: list[str]

    def at_most(self, limit: float, why: str) -> None:
        if why and limit < 1:
            self.said.append(why)
        self.confidence = min(self.confidence, limit)


def decide(
    local: Local,
    matches: list[Match],
    by_code: Mapping[str, Entry],
    day: str,
    desk: Desk,
    crossing: Crossing = NO_CROSSING,
) -> Suggestion:
    """Return the line of one local row. matches: all that was compared, in any order; day: yyyy-MM-dd."""
    ranked = sorted(
        (match for match in matches if match.confidence >= RUNNER_MIN),
        key=lambda match: (
            -match.confidence - (KEPT if match.entry.code == local.mapped_now else CLOSE if match.pointed else 0),
            match.entry.unusable(day) != "",
            -match.compared.alike,
            match.entry.code,
        ),
    )
    options = [option for match in ranked if (option := _option(local, match, by_code, day, desk)) is not None]
    if not options or options[0].match.confidence < FLOOR:
        gone = bool(ranked) and ranked[0].confidence >= FLOOR
        return Suggestion(local.code, note=_dead_end(ranked[0], day) if gone else "国家目录中没有相近的记录")
    best = options[0]
    certainty = _Certainty(best.confidence, [best.gone] if best.gone else [])
    if ranked[0].confidence > best.match.confidence and ranked[0].entry.unusable(day):
        certainty.at_most(DEAD_END, _dead_end(ranked[0], day))
    rivals = _rivals(best, options)
    _weigh(certainty, best, rivals, ranked)
    certainty.at_most(*desk.limit(local, best.target))
    _cross(certainty, best, crossing)
    runner = rivals[0] if rivals else None
    title = title_of(best.match.compared.rules, best.match.rule)
    note = [f"与{best.match.entry.code}{title}" if best.gone else title, *certainty.said]
    note += [*differences(local, best.match, desk), *desk.remarks(local, best.target, day)]
    if local.mapped_now not in ("", best.target.code, best.match.entry.code):
        note.append(f"院内现对应{local.mapped_now}")
    if runner:
        note += contrast(local, best.target, runner.target, best.match.compared.rules, desk)
    return Suggestion(
        local.code,
        best.target.code,
        round(certainty.confidence, 3),
        best.rule,
        runner.target.code if runner else "",
        round(min(runner.confidence, certainty.confidence), 3) if runner else None,
        "；".join(note),
        tuple(option.target.code for option in rivals[:OTHERS_MAX]),
    )


def _option(local: Local, match: Match, by_code: Mapping[str, Entry], day: str, desk: Desk) -> Option | None:
    """Return the match, or what replaced its row; None when the row is unusable and nothing usable replaced it."""
    why = match.entry.unusable(day)
    if not why:
        return Option(match, match.entry, match.confidence, match.rule, "")
    target, hops = _successor(match.entry, by_code, day)
    if target is None:
        return None
    said = f"原对应{match.entry.code}{why}，按国家目录由{target.code}替代"
    if not desk.same_product(match.entry, target):
        return Option(match, target, min(match.confidence, CHANGED), NEWCOMER, f"{said}，两者不是同一产品，请核对")
    if hops > 1:
        # Each successor was chosen for its own predecessor; two steps on it may be another disease.
        return Option(
            match, target, min(match.confidence, CONTRADICTED), NEWCOMER, f"{said}（先后替代{hops}次，请核对）"
        )
    if verdict_of_names(desk.namer.name(local.name), desk.namer.name(target.names[0]))[0] is Verdict.DIFFERS:
        renamed = f"{said}，替代后的名称不同，请核对"
        return Option(match, target, min(match.confidence, UNSURE), NEWCOMER, renamed)
    return Option(match, target, min(match.confidence, SUCCESSOR_SURE), NEWCOMER, said)


def _successor(entry: Entry, by_code: Mapping[str, Entry], day: str) -> tuple[Entry | None, int]:
    """Follow `replaced_by` to a usable row; return it (None when there is none) and the number of steps."""
    target: Entry | None = entry
    for hops in range(1, SUCCESSORS_MAX + 1):
        target = by_code.get(target.replaced_by) if target and target.replaced_by else None
        if target is None or not target.unusable(day):
            return target, hops
    return None, SUCCESSORS_MAX


def _rivals(best: Option, options: list[Option]) -> list[Option]:
    """Return the other targets, each once, best first."""
    found: dict[str, Option] = {}
    for option in options:
        if option.target.code != best.target.code:
            found.setdefault(option.target.code, option)
    return sorted(
        found.values(), key=lambda option: (-option.confidence, -option.match.compared.alike, option.target.code)
    )


def _weigh(certainty: _Certainty, best: Option, rivals: list[Option], ranked: list[Match]) -> None:
    """Lower the confidence for what fits as well, and for what contradicts."""
    mine = best.match
    close = [option for option in rivals if option.match.confidence >= mine.confidence - CLOSE]
    if close and mine.pointed:
        certainty.at_most(rules().crosswalk.confidence, f"另有{len(close)}条同样相符，城市旧编码只对照到这一条")
    elif close:
        certainty.at_most(1 / (1 + len(close)), f"另有{len(close)}条同样相符，现有资料不能区分")
    table = rule_set(mine.compared.rules)
    others = [match for match in ranked if match.entry.code not in (mine.entry.code, best.target.code)]
    others = [match for match in others if match.entry.replaced_by != best.target.code]
    for field in table.strong:
        if mine.compared.verdicts[field] in _SAME:
            continue
        if any(match.compared.verdicts.get(field) is Verdict.EQUAL for match in others):
            certainty.at_most(CONTRADICTED, f"{table.fields[field]}指向另一条记录")
    exact = mine.compared.verdicts["name"] is Verdict.EQUAL
    if table.name_decides and not exact and any(match.compared.verdicts["name"] is Verdict.EQUAL for match in others):
        certainty.at_most(CONTRADICTED, "名称与另一条记录更相符")
    rule = rule_of(mine.compared.rules, mine.rule)
    others = [match for match in others if match.compared.verdicts.get("kind") is not Verdict.DIFFERS]
    if rule and rule.alone and any(match.compared.verdicts["name"] in _SAME for match in others):
        certainty.at_most(UNSURE, "目录中还有同名或名称只有写法不同的记录")
    if rule and rule.apart and any(one_character_apart(best.target.names[0], one.entry.names[0]) for one in others):
        certainty.at_most(UNSURE, "目录中有名称只差一个字的记录，没有编码佐证")


def _cross(certainty: _Certainty, best: Option, crossing: Crossing) -> None:
    """Say what a city's crosswalk says; one that names another row makes nobody sure."""
    if crossing.national in ("", best.target.code, best.match.entry.code):
        certainty.said += [crossing.said] if crossing.said else []
    else:
        certainty.at_most(CONTRADICTED, f"{crossing.said}，与建议不同")


def _dead_end(match: Match, day: str) -> str:
    return f"最相符的{match.entry.code}{match.entry.unusable(day)}，目录没有给出可用的替代编码"
