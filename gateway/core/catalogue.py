"""The catalogue: what the specification says of transactions, fields and dictionaries, and one region's differences.

Raw files are decoded into `TransactionSpec`, `DictionarySpec`, `RegionSpec`; `build_region` lays a region over the
national facts and resolves everything a check needs into frozen `Transaction` / `Node` / `Field` records.
Errors are complete and located: `CatalogueError.problems` lists every file and path that is wrong.

Sources: 《医疗保障信息平台定点医药机构接口规范》 (per-file provenance in schemas/), contract-annex X16-X18, X31, X38.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Literal, TypeVar

import attrs
import msgspec

from gateway.core import code_systems as definitions
from gateway.core.code_systems import CodeSystemSpec as CodeSystemSpec
from gateway.core.tables import AnswerTable, Identity, OrderTable, ReversalTable, StatementTable, StatusTable

T = TypeVar("T")
# Queries about institutions, and record-keeping at another institution.
_MAY_NAME_OTHERS = frozenset({"1201", "2505", "2507"})
NAMED = ("setl_id", "mdtrt_id", "psn_no")  # what an answer calls a settlement, a visit, a person
Klass = Literal["M", "A", "R", "C", "W", "Q"]
Kind = Literal["text", "number", "date", "datetime", "list", "object", "any", "node"]


class CatalogueError(Exception):
    """Some schema files are wrong. Ours or the region author's fault; the node does not start."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


# --- what the files hold -------------------------------------------------------------------------


class WhenSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A condition: another field of the same node equals one of some values, or is present; a note is prose only."""

    field: str = ""
    equals: tuple[str, ...] = ()
    present: bool = False
    note: str = ""


class FieldSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field as the specification prints it."""

    name: str
    zh: str
    type: str
    len: str = ""
    format: str = ""
    required: bool = False
    required_base: bool = True
    required_when: WhenSpec | None = None
    coded: bool = False
    dict: str = ""
    code_system: str = ""
    values: Mapping[str, str] | None = None
    len_alt: Mapping[str, str] | None = None
    unverified: bool = False
    conditional: bool = False
    seen: int | None = None


class NodeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One node: an object or a list of objects under input or output (`_root` = directly under it)."""

    repeated: bool
    fields: tuple[FieldSpec, ...]
    wire_note: str = ""
    file_columns: tuple[str, ...] = ()


class TransactionSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One transaction file."""

    infno: str
    name_zh: str
    name_en: str
    group: str
    direction: str
    kind: str
    money_moving: bool
    scope: str
    input: dict[str, NodeSpec]
    output: dict[str, NodeSpec]
    provenance: dict[str, msgspec.Raw]
    klass: Klass = msgspec.field(name="class")
    rest_path: str = ""
    undone_by: str = ""
    reversible_by_2601: str = ""
    preview_of: str = ""
    trial: Mapping[str, str] = msgspec.field(default_factory=dict)
    returns_file: bool = False
    shape_of: str = ""
    unverified: bool = False


class DictionarySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One value domain: code -> Chinese label."""

    name: str
    name_zh: str
    source: str
    scope: str
    values: dict[str, str]
    note: str = ""
    unverified: bool = False
    duplicate_codes_in_source: object = None


class EnvelopeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The 18 request fields and the response fields."""

    request: tuple[msgspec.Raw, ...]
    response: tuple[msgspec.Raw, ...]
    extras_seen: dict[str, tuple[str, ...]]
    provenance: dict[str, str]


class FieldChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A region's difference for one field; unset = as before. `drop` removes it, `zh` and `type` add a new one."""

    required: bool | None = None
    len: str | None = None
    type: str | None = None
    format: str | None = None
    dict: str | None = None
    code_system: str | None = None
    zh: str | None = None
    drop: bool = False
    reason: str = ""


class NodeChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A region's difference for one input node. `repeated`: "one", "many" or "either"."""

    required: bool | None = None
    repeated: Literal["one", "many", "either"] | None = None
    fields: dict[str, FieldChange] = msgspec.field(default_factory=dict)
    drop: bool = False
    reason: str = ""


class TransactionChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A region's difference for one transaction."""

    input: dict[str, NodeChange] = msgspec.field(default_factory=dict)
    rest_path: str | None = None
    klass: Klass | None = msgspec.field(default=None, name="class")
    trial: dict[str, str] | None = None
    rows_max: int | None = None
    body_bytes_max: int | None = None
    service_date: str | None = None
    reason: str = ""


class DictionaryRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dictionaries a region closes, and which values it adds (X31)."""

    closed_flags: bool | None = None
    closed: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    add: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)


class RegionSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One region file: only its differences from the region it extends."""

    id: str
    name_zh: str
    extends: str = ""
    scopes: tuple[str, ...] | None = None
    extensions: tuple[str, ...] = ()
    hunan_required: bool | None = None
    infcode: Literal["number", "text"] | None = None
    signing: Literal["plain", "tif", "csb"] | None = None
    path_mode: Literal["single", "infno", "rest"] | None = None
    file_in: Literal["base64", "bytes"] | None = None
    line_sum: bool | None = None
    resolve: str | None = None
    reversible: tuple[str, ...] | None = None
    dictionaries: DictionaryRules = DictionaryRules()
    answers: AnswerTable | None = None
    reversal: ReversalTable | None = None
    statement: StatementTable | None = None
    status: StatusTable | None = None
    orders: OrderTable | None = None
    identities: tuple[Identity, ...] | None = None
    envelope: dict[str, FieldChange] = msgspec.field(default_factory=dict)
    fields: dict[str, FieldChange] = msgspec.field(default_factory=dict)
    transactions: dict[str, TransactionChange] = msgspec.field(default_factory=dict)
    body_bytes_max: int | None = None
    provenance: dict[str, str] = msgspec.field(default_factory=dict)


# --- what checks and translation work with -------------------------------------------------------


@attrs.frozen(kw_only=True)
class Field:
    """One field, resolved for a region.

    length: characters at most (0 = no limit); whole, decimals: digits at most of a number; closed: complain about
    values outside `known`;
    not_negative: a settlement's total; known: every value of the dictionary (empty = not coded).
    """

    name: str
    zh: str
    kind: Kind
    length: int = 0
    whole: int = 0
    decimals: int = 0
    number_or_text: bool = False
    required: bool = False
    not_negative: bool = False
    when: WhenSpec | None = None
    format: str = ""
    dictionary: str = ""
    known: frozenset[str] = frozenset()
    closed: bool = False
    system: str = ""
    child: "Node | None" = None

    @property
    def adds_up(self) -> bool:
        """Whether a value that passes is always a number."""
        return self.kind == "number" and not self.number_or_text


@attrs.frozen(kw_only=True)
class Node:
    """One node, resolved. repeated: "one" (an object), "many" (a list), "either"."""

    name: str
    repeated: Literal["one", "many", "either"]
    required: bool
    fields: tuple[Field, ...]
    line_sum: bool = False

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)


@attrs.frozen(kw_only=True)
class Transaction:
    """One transaction, resolved for a region. nodes hold the input; `root` is the node directly under input.

    trial: the fields of its head node that say, with these values, that nothing is settled; {} = it has no such form.
    """

    infno: str
    name_zh: str
    klass: Klass
    kind: str
    group: str
    nodes: tuple[Node, ...]
    root: Node | None
    output: tuple[Node, ...]
    rest_path: str
    undone_by: str
    returns_file: bool
    rows_max: int
    body_bytes_max: int
    service_date: str
    trial: Mapping[str, str] = attrs.Factory(dict)

    @cached_property
    def naming(self) -> tuple[str, ...]:
        """The nodes of the output that name a settlement, a visit or a person."""
        return tuple(node.name for node in self.output if any(map(node.field, NAMED)))

    @property
    def may_name_others(self) -> bool:
        """Whether another institution may stand inside input (annex X15: 1201, 5xxx, 2505, 2507)."""
        return self.infno in _MAY_NAME_OTHERS or self.infno.startswith("5")


@attrs.frozen(kw_only=True)
class Region:
    """Everything one region needs at run time."""

    id: str
    name_zh: str
    envelope: Node
    transactions: Mapping[str, Transaction]
    dictionaries: Mapping[str, Mapping[str, str]]
    infcode: Literal["number", "text"]
    signing: str
    path_mode: Literal["single", "infno", "rest"]
    file_in: Literal["base64", "bytes"]
    line_sum: bool
    resolve: str
    reversible: tuple[str, ...]
    identities: tuple[Identity, ...]
    answers: AnswerTable
    reversal: ReversalTable
    statement: StatementTable
    orders: OrderTable
    status: StatusTable | None = None


@attrs.frozen(kw_only=True)
class Files:
    """All schema files, decoded."""

    transactions: Mapping[str, TransactionSpec]
    dictionaries: Mapping[str, DictionarySpec]
    regions: Mapping[str, RegionSpec]
    code_systems: Mapping[str, CodeSystemSpec]
    registers: Mapping[str, CodeSystemSpec]
    envelope: tuple[FieldSpec, ...]
    response: tuple[str, ...]


def decode_files(
    transactions: Iterable[tuple[str, bytes]],
    dictionaries: Iterable[tuple[str, bytes]],
    regions: Iterable[tuple[str, bytes]],
    code_systems: Iterable[tuple[str, bytes]],
    envelope: bytes,
    registers: Iterable[tuple[str, bytes]] = (),
) -> Files:
    """Decode every file; raise CatalogueError with one line per faulty file."""
    problems: list[str] = []

    def many(files: Iterable[tuple[str, bytes]], kind: type[T], key: str, toml: bool = False) -> dict[str, T]:
        found: dict[str, T] = {}
        decode = msgspec.toml.decode if toml else msgspec.json.decode
        for name, content in files:
            try:
                spec = decode(content, type=kind)
            except (msgspec.DecodeError, UnicodeDecodeError) as cause:
                problems.append(f"{name}: {cause}")
                continue
            if not name.rsplit("/", 1)[-1].startswith(f"{getattr(spec, key)}."):
                problems.append(f"{name}: $.{key} does not match the file name")
            found[getattr(spec, key)] = spec
        return found

    def defined(files: Iterable[tuple[str, bytes]], registers: bool) -> dict[str, CodeSystemSpec]:
        found = many(files, CodeSystemSpec, "id")
        folder = "registers" if registers else "code_systems"
        for spec in found.values():
            if spec.is_register is not registers:
                problems.append(f"{folder}/{spec.id}.json: $.no: 0 is for registers, 1 to 14 for standards")
            problems.extend(f"{folder}/{spec.id}.json: {one}" for one in definitions.problems(spec, known))
        return found

    fields, response = _envelope(envelope, problems)
    calls = many(transactions, TransactionSpec, "infno")
    known = calls.keys()
    files = Files(
        transactions=calls,
        dictionaries=many(dictionaries, DictionarySpec, "name"),
        regions=many(regions, RegionSpec, "id", toml=True),
        code_systems=defined(code_systems, registers=False),
        registers=defined(registers, registers=True),
        envelope=fields,
        response=response,
    )
    if problems:
        raise CatalogueError(problems)
    return files


def _envelope(content: bytes, problems: list[str]) -> tuple[tuple[FieldSpec, ...], tuple[str, ...]]:
    """Return the request fields and the names of the response fields; what is wrong goes to problems."""
    try:
        head = msgspec.json.decode(content, type=EnvelopeSpec)
    except (msgspec.DecodeError, UnicodeDecodeError) as cause:
        problems.append(f"envelope.json: {cause}")
        return (), ()
    fields = []
    for index, raw in enumerate(head.request):
        plain = msgspec.json.decode(raw, type=dict[str, object])
        try:
            fields.append(msgspec.convert({k: v for k, v in plain.items() if k not in ("note", "values")}, FieldSpec))
        except msgspec.ValidationError as cause:
            problems.append(f"envelope.json: $.request[{index}]: {cause}")
    return tuple(fields), tuple(msgspec.json.decode(raw, type=_Named).name for raw in head.response)


class _Named(msgspec.Struct):
    name: str
