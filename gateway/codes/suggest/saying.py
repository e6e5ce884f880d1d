"""The note of a suggestion: in Chinese, what differs and what is missing, so that a person knows what to check."""

from gateway.codes.suggest.desk import Desk
from gateway.codes.suggest.judging import rule_set
from gateway.codes.suggest.records import Entry, Local, Match
from gateway.codes.suggest.text import difference, similarity
from gateway.codes.suggest.verdict import Verdict

SHOWN_MAX = 60


def differences(local: Local, match: Match, desk: Desk) -> list[str]:
    """Return one sentence for each field that is not simply equal."""
    table = rule_set(match.compared.rules)
    texts = desk.texts(local, match.entry)
    said = []
    for field, verdict in match.compared.verdicts.items():
        if verdict is not Verdict.EQUAL:
            mine, theirs = texts.get(field, ("", ""))
            strong = field in table.strong
            sentence = (
                _name(local, match, desk)
                if field == "name"
                else _field(table.fields[field], verdict, mine, theirs, strong)
            )
            if sentence:
                said.append(sentence)
    return said


def _field(title: str, verdict: Verdict, mine: str, theirs: str, strong: bool) -> str:
    if verdict is Verdict.UNKNOWN:
        if mine and theirs:
            return f"{title}不能确定是否一致{_both(mine, theirs)}"
        return "" if not theirs and not mine else f"{title}{'国家目录' if mine else '院内'}未填"
    if verdict is Verdict.NEAR:
        return f"{title}不完全一致{_both(mine, theirs)}" if strong and mine and theirs else ""
    return f"{title}{'只部分一致' if verdict is Verdict.LIKE else '不同'}{_both(mine, theirs)}"


def _both(mine: str, theirs: str) -> str:
    return f"：院内“{mine[:SHOWN_MAX]}”，国家“{theirs[:SHOWN_MAX]}”" if mine or theirs else ""


def _name(local: Local, match: Match, desk: Desk) -> str:
    mine, theirs = desk.texts(local, match.entry).get("name", ("", ""))
    if not mine or not theirs:
        return "名称写法不同"
    best = max(match.entry.names, key=lambda raw: _closeness(desk, local.name, raw))
    said = difference(desk.namer.name(local.name), desk.namer.name(best))
    return f"名称“{best[:SHOWN_MAX]}”，{said}" if said else ""


def _closeness(desk: Desk, mine: str, theirs: str) -> float:
    return similarity(desk.namer.name(mine), desk.namer.name(theirs))


def contrast(local: Local, target: Entry, runner: Entry, rules: str, desk: Desk) -> list[str]:
    """Return in what the runner-up differs from the suggestion."""
    titles = rule_set(rules).fields
    first, second = desk.texts(local, target), desk.texts(local, runner)
    found = []
    for field, title in titles.items():
        one, other = first.get(field, ("", ""))[1], second.get(field, ("", ""))[1]
        if one != other and other != runner.code:
            found.append(f"{title}“{other[:SHOWN_MAX] or '空'}”")
    return [f"备选{runner.code}：{'，'.join(found)}"] if found else []
