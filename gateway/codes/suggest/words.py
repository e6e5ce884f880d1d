"""The word tables of `schemas/suggest`, typed: decorations, units, dosage forms, firms' words, wordings, rules."""

from functools import cache
from typing import TypeVar

import msgspec

import schemas

T = TypeVar("T")


class Writing(msgspec.Struct, frozen=True):
    """Decorations of names that say nothing about the item, and characters that do not tell names apart."""

    decorations: list[str]
    symbols: str
    separators: str


class Form(msgspec.Struct, frozen=True):
    """Words of one dosage form. kind: its release or make; "" = the word leaves it open."""

    family: str
    words: list[str]
    kind: str


class Medicines(msgspec.Struct, frozen=True):
    """Dosage forms, salts, old and trade names, processing of herbs.

    salts_kept: salts that belong to the name; telling: words whose absence makes it another medicine.
    """

    forms: list[Form]
    salts: list[str]
    salts_kept: list[str]
    generic_of: dict[str, str]
    telling: list[str]
    processing: list[str]
    granule_words: list[str]
    piece_units: list[str]


class Measures(msgspec.Struct, frozen=True):
    """Units. amounts: dimension -> unit -> factor; counted: group -> words; service_units: synonyms."""

    amounts: dict[str, dict[str, str]]
    counted: dict[str, list[str]]
    service_units: list[list[str]]


class Makers(msgspec.Struct, frozen=True):
    """Words of firms' names that do not tell two firms apart."""

    legal: list[str]
    filler: list[str]
    regions: list[str]


class Wording(msgspec.Struct, frozen=True):
    """By table: filler words, abbreviations with what they stand for, words of rows that have no certain target."""

    fillers: dict[str, list[str]]
    expansions: dict[str, dict[str, str]]
    undecided: dict[str, list[str]]


class Rule(msgspec.Struct, frozen=True):
    """One rule. needs: field -> accepted verdicts (E N L U D); alone: it holds only while no other row of the library
    has the same name, however written; apart: nor one that a single character tells from it.
    """

    id: str
    confidence: float
    title: str
    needs: dict[str, str]
    alone: bool = False
    apart: bool = False


class Similar(msgspec.Struct, frozen=True):
    """What holds without a rule. factors: field -> verdict -> factor; a verdict without factor counts 1."""

    id: str
    title: str
    base: float
    factors: dict[str, dict[str, float]]


class RuleSet(msgspec.Struct, frozen=True):
    """The rules of one kind of rows. strong: fields that identify by themselves; name_decides: a row whose name fits
    better contradicts; fields: field -> Chinese title.
    """

    strong: list[str]
    name_decides: bool
    fields: dict[str, str]
    rules: list[Rule]
    similar: Similar


class Pointer(msgspec.Struct, frozen=True):
    """A rule of every system: something outside the row names the target."""

    id: str
    confidence: float
    title: str


class Rules(msgspec.Struct, frozen=True):
    """All rule sets. sure: from here on a suggestion counts as sure; unsure_max: the most without a rule; pointed_min:
    the least for a row to which a strong field points; crosswalk: where a city's crosswalk names the row.
    """

    sure: float
    unsure_max: float
    pointed_min: float
    crosswalk: Pointer
    systems: dict[str, RuleSet]


@cache
def writing() -> Writing:
    return _table("writing", Writing)


@cache
def medicines() -> Medicines:
    return _table("medicines", Medicines)


@cache
def measures() -> Measures:
    return _table("measures", Measures)


@cache
def makers() -> Makers:
    return _table("makers", Makers)


@cache
def wording() -> Wording:
    return _table("wording", Wording)


@cache
def rules() -> Rules:
    return _table("rules", Rules)


def _table(name: str, form: type[T]) -> T:
    found = dict(schemas.read("suggest", ".json"))
    return msgspec.json.decode(found[f"suggest/{name}.json"], type=form)
