"""From verdicts to a rule and its confidence, as `schemas/suggest/rules.json` lays it down."""

from functools import cache

from gateway.codes.suggest.records import Compared, Entry, Match
from gateway.codes.suggest.verdict import Verdict
from gateway.codes.suggest.words import Rule, RuleSet, rules


@cache
def rule_set(kind: str) -> RuleSet:
    return rules().systems[kind]


def judged(entry: Entry, compared: Compared) -> Match:
    """Return the match of the first rule whose needs are met, else of the factors."""
    verdicts = compared.verdicts
    rule, confidence = _pattern(compared.rules, tuple(verdicts), tuple(verdicts.values()))
    table = rule_set(compared.rules)
    if rule == table.similar.id:
        if verdicts["name"] in (Verdict.LIKE, Verdict.DIFFERS):
            # Among names that are merely alike the more alike one comes first.
            confidence *= 0.5 + compared.alike / 2
        if any(verdicts[field] is Verdict.EQUAL for field in table.strong):
            confidence = max(confidence, rules().pointed_min)
        confidence = min(confidence, rules().unsure_max)
    return Match(entry, rule, confidence, compared)


@cache
def _pattern(kind: str, fields: tuple[str, ...], verdicts: tuple[Verdict, ...]) -> tuple[str, float]:
    """Return (rule, confidence) of a pattern of verdicts; there are few patterns and many rows."""
    table, found = rule_set(kind), dict(zip(fields, verdicts, strict=True))
    for rule in table.rules:
        if all(found[field] in accepted for field, accepted in rule.needs.items()):
            return rule.id, rule.confidence
    confidence = table.similar.base
    for field, factors in table.similar.factors.items():
        confidence *= factors.get(found[field], 1.0)
    return table.similar.id, confidence


@cache
def rule_of(kind: str, rule: str) -> Rule | None:
    """Return a rule; None for the one of mere similarity."""
    return next((one for one in rule_set(kind).rules if one.id == rule), None)


def title_of(kind: str, rule: str) -> str:
    """Return the Chinese title of a rule."""
    if rule == rules().crosswalk.id:
        return rules().crosswalk.title
    found = rule_of(kind, rule)
    return found.title if found else rule_set(kind).similar.title
