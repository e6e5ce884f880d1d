"""The rules of settlement lists as delivered: `schemas/settlement_list`, compiled; its forms; a region's own."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path

import attrs
import msgspec

import schemas
from gateway.app.config import Config
from gateway.app.facts import code_forms, read_files
from gateway.core.catalogue import Files
from gateway.core.regions import build_region
from gateway.lists.forms import Needed
from gateway.lists.readback import Comparer, ReadBack
from gateway.lists.reading import FieldSpec, Kind, Nodes
from gateway.lists.rules import RegionRules, RulesError, RuleSet, build
from gateway.lists.world import Domain, domains_of

FOLDER = "settlement_list"
COLLECTED = "collected"
READ_BACK = "4103"
# Form of the message -> (transaction, region whose catalogue has it) (annex L1).
FORMS: Mapping[str, tuple[str, str]] = {
    "4101": ("4101", "national"),
    "4101A": ("4101A", "national"),
    "4101-2021": ("4101", "national_2021"),
}
_KINDS: Mapping[str, Kind] = {"text": "text", "date": "date", "datetime": "datetime", "number": "number"}


@functools.cache
def files() -> Files:
    """Read the catalogue once; raises CatalogueError."""
    return read_files()


@functools.cache
def rule_set() -> RuleSet:
    """Compile all rules; raises RulesError."""
    return build(schemas.read(f"{FOLDER}/rules", ".toml"), (schemas.ROOT / FOLDER / "fields.toml").read_bytes())


@functools.cache
def domains() -> dict[str, Domain]:
    """Return what coded fields may hold; raises RulesError for a dictionary nobody has."""
    dictionaries = {name: spec.values for name, spec in files().dictionaries.items()}
    try:
        return domains_of((schemas.ROOT / FOLDER / "domains.toml").read_bytes(), dictionaries)
    except KeyError as cause:
        raise RulesError([f"{FOLDER}/domains.toml: 没有这部字典：{cause}"]) from cause


@functools.cache
def patterns() -> Mapping[str, re.Pattern[str]]:
    """Return SYSTEM -> the form of its codes."""
    return code_forms(files())


def message_nodes(form: str, collected: Nodes) -> tuple[Nodes, tuple[Needed, ...]]:
    """Return what a form of the message has, and what it needs; kinds are those of the collected list."""
    infno, region = FORMS[form]
    found: dict[str, dict[str, FieldSpec]] = {}
    needed: list[Needed] = []
    for node in build_region(files(), region).transactions[infno].nodes:
        own = collected.get(node.name, {})
        found[node.name] = {
            field.name: FieldSpec(
                zh=field.zh,
                kind=own[field.name].kind if field.name in own else _KINDS.get(field.kind, "text"),
                len=field.whole + field.decimals if field.kind == "number" else field.length,
                decimals=field.decimals
                if field.kind == "number" and field.name in own and own[field.name].kind == "number"
                else -1,
            )
            for field in node.fields
        }
        needed += [Needed(node.name, one.name, one.zh, one.when) for one in node.fields if one.required or one.when]
    return found, tuple(needed)


@functools.cache
def comparer() -> Comparer:
    """Return what compares 4103 with what was sent; raises CatalogueError."""
    names = msgspec.toml.decode((schemas.ROOT / FOLDER / "readback.toml").read_bytes(), type=ReadBack)
    answer = files().transactions[READ_BACK].output
    there = {node: frozenset(field.name for field in spec.fields) for node, spec in answer.items()}
    return Comparer(names, rule_set().nodes, there)


def region_rules(file: Path) -> RegionRules:
    """Read what a region does differently. Raises RulesError, OSError."""
    try:
        return msgspec.toml.decode(file.read_bytes(), type=RegionRules)
    except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
        raise RulesError([f"{file}: {cause}"]) from cause


def rules_of(config: Config) -> tuple[RuleSet, Mapping[str, Domain]]:
    """Return the rules and domains lists are collected by: the delivered ones, changed as `[lists] rules` says.

    Raises RulesError, OSError.
    """
    if not config.lists.rules:
        return rule_set(), domains()
    file = config.path(config.lists.rules)
    return _regional(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _regional(file: Path, stamp: int) -> tuple[RuleSet, Mapping[str, Domain]]:
    """stamp: when the file was changed, so that a changed one is read again."""
    region = region_rules(file)
    rules = rule_set().adjusted(region)
    return attrs.evolve(rules, version=f"{rules.version} {file.stem}"), narrowed(domains(), region)


def narrowed(known: Mapping[str, Domain], region: RegionRules) -> dict[str, Domain]:
    """Return the domains with the values a region allows (annex L5). Raises RulesError for domains nobody has."""
    unknown = sorted(set(region.domains) - set(known))
    if unknown:
        raise RulesError([f"地区规则：没有这个值域{one}" for one in unknown])
    found = dict(known)
    for name, values in region.domains.items():
        found[name] = attrs.evolve(known[name], values={v: known[name].meaning(v) or "" for v in values})
    return found
