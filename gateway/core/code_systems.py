"""Definitions of the national code standards and of the registers beside them, as `schemas/` writes them.

A definition says what a code is made of, how its records' columns are called, where its records come from, and who
uses, maintains and reviews it. Facts only; what nobody of us has seen is marked `verified: false`.
Sources: the interface specification's 13xx downloads and queries; provenance stands in every file.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Literal

import msgspec

Role = Literal["code", "name", "begndate", "enddate", "vali_flag", "gray", "replaced_by", "ver", "rid"]
Party = Literal["hospital", "clinic", "pharmacy", "agency"]
# Joins the parts of a register's key to the one text it is stored under; no code holds it.
KEY_JOIN = "|"


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something somebody says, who says it, and whether it was seen by hand."""

    value: str
    source: str
    verified: bool


class SegmentSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One part of a code, in order. len: characters, as the source writes it; chars: a pattern or words."""

    len: str
    chars: str
    meaning: str
    verified: bool | None = None


class ExampleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code as an example; name '' = the source names none."""

    code: str
    name: str = ""


class StructureSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a code is made of. total_length '' = not known."""

    source: str
    verified: bool
    total_length: str = ""
    segments: tuple[SegmentSpec, ...] = ()
    note: str = ""


class VariantSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of code within a standard (Western drug, herb piece, ...). regex '' = form not known."""

    kind: str
    name_zh: str
    length: str
    regex: str
    regex_verified: bool
    source: str
    segments: tuple[SegmentSpec, ...] = ()
    examples: tuple[ExampleSpec, ...] = ()


class SupplySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A transaction that brings records. by: a file to download, a query in pages, or one answer for one person."""

    transaction: str
    by: Literal["file", "pages", "query"]
    what: str = ""


class ColumnSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of a record: its title in the downloads, the names the interface gives it, what it means to us.

    role '' = carried along. Several columns may have one role: the first that a file has counts.
    """

    title: str
    names: tuple[str, ...] = ()
    role: Role | Literal[""] = ""

    @property
    def accepted(self) -> tuple[str, ...]:
        """Return every title a file may give the column, the interface's names first."""
        return (*self.names, self.title)


class CodeSystemSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One national code standard, or one register beside them (no 0).

    key: of a register whose records have no code of their own, the columns that together are one, in order.
    record_fields '...' never stands: what a file has beyond them is kept under its own title.
    """

    id: str
    no: int
    name_zh: str
    regex: str
    regex_verified: bool
    provenance: dict[str, str] = msgspec.field(default_factory=dict)
    record_fields: tuple[ColumnSpec, ...] = ()
    record_fields_source: str = ""
    identifies: str = ""
    structure: StructureSpec | None = None
    variants: tuple[VariantSpec, ...] = ()
    check_digit: Said | None = None
    examples: tuple[ExampleSpec, ...] = ()
    examples_verified: bool = False
    supply: tuple[SupplySpec, ...] = ()
    supply_note: str = ""
    lifecycle: Literal["common", "none"] = "common"
    used_by: tuple[Party, ...] = ()
    maintained_by: Said | None = None
    reviewed_by: Said | None = None
    key: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_register(self) -> bool:
        """Whether it stands beside the standards: never mapped, never looked up while a request waits."""
        return self.no == 0

    def titles(self, role: str) -> tuple[str, ...]:
        """Return every title of the columns with a role, in order of preference."""
        return tuple(title for column in self.record_fields if column.role == role for title in column.accepted)


def problems(spec: CodeSystemSpec, transactions: Collection[str] = ()) -> Iterator[str]:
    """Yield `$.place: what is wrong` for everything types cannot say. transactions: known infnos, () = not checked."""
    yield from _patterns(spec)
    yield from _columns(spec)
    if transactions:
        for number, supply in enumerate(spec.supply):
            if supply.transaction not in transactions:
                yield f"$.supply[{number}].transaction: no transaction {supply.transaction}"


def _patterns(spec: CodeSystemSpec) -> Iterator[str]:
    forms: dict[str, re.Pattern[str]] = {}
    regexes = {"$.regex": spec.regex} | {f"$.variants[{n}].regex": one.regex for n, one in enumerate(spec.variants)}
    for place, regex in regexes.items():
        if not regex and place != "$.regex":
            continue
        try:
            forms[place] = re.compile(regex)
        except re.error as cause:
            yield f"{place}: {cause}"
    yield from _examples("$.examples", spec.examples, forms.get("$.regex"))
    for number, variant in enumerate(spec.variants):
        for form in (forms.get("$.regex"), forms.get(f"$.variants[{number}].regex")):
            yield from _examples(f"$.variants[{number}].examples", variant.examples, form)


def _examples(place: str, examples: tuple[ExampleSpec, ...], form: re.Pattern[str] | None) -> Iterator[str]:
    for number, example in enumerate(examples):
        if form is not None and not form.fullmatch(example.code):
            yield f"{place}[{number}].code: {example.code} does not match {form.pattern}"


def _columns(spec: CodeSystemSpec) -> Iterator[str]:
    taken: dict[str, int] = {}
    for number, column in enumerate(spec.record_fields):
        for title in column.accepted:
            if taken.setdefault(title, number) != number:
                yield f"$.record_fields[{number}]: {title} is also column {taken[title]}"
    for number, name in enumerate(spec.key):
        if name not in taken:
            yield f"$.key[{number}]: no column {name}"
    if not spec.key and not spec.titles("code"):
        yield "$.record_fields: no column has the role code"
    if spec.key and not spec.is_register:
        yield "$.key: a standard's records have a code of their own"


def translations(spec: CodeSystemSpec) -> Mapping[str, str]:
    """Return every title a column goes by -> the one it is compared under."""
    return {title: column.accepted[0] for column in spec.record_fields for title in column.accepted}
