"""Lay a region over the national facts: `build_region(files, id)` gives the frozen `Region` plans are made of.

A region names only its differences; `extends` chains them. Every problem is reported with its file and path.
"""

import re
from collections.abc import Iterator, Mapping

import attrs
import msgspec

from gateway.core.catalogue import (
    CatalogueError,
    DictionarySpec,
    Field,
    FieldChange,
    FieldSpec,
    Files,
    Kind,
    Node,
    NodeChange,
    NodeSpec,
    Region,
    RegionSpec,
    Transaction,
    TransactionChange,
    TransactionSpec,
)
from gateway.core.tables import AnswerTable, Identity, OrderTable, ReversalTable, StatementTable, faults

_KINDS: Mapping[str, Kind] = {
    "string": "text",
    "text": "text",
    "base64": "text",
    "number": "number",
    "integer": "number",
    "number_or_text": "number",
    "date": "date",
    "datetime": "datetime",
    "list": "list",
    "object": "object",
    "bytes": "any",
    "boolean": "any",
}
# Codes that differ only by a leading zero mean the same (annex X31).
_LEADING_ZERO = frozenset({"naty", "patn_rlts"})
_LENGTHS = re.compile(r"([0-9]+(,[0-9]+)?)?")
_LINE = frozenset({"pric", "cnt", "det_item_fee_sumamt"})
ROWS_MAX = 20_000  # annex X23


@attrs.define
class _Merged:
    """The chain of region files, merged root first."""

    spec: RegionSpec
    chain: list[RegionSpec]

    def first(self, name: str) -> object:
        for spec in reversed(self.chain):
            value = getattr(spec, name)
            if value is not None:
                return value
        raise CatalogueError([f"regions/{self.spec.id}.toml: $.{name} is stated neither here nor in what it extends"])

    def field_changes(self, infno: str, node: str, field: str) -> Iterator[FieldChange]:
        for spec in self.chain:
            if field in spec.fields:
                yield spec.fields[field]
            change = spec.transactions.get(infno)
            if change and node in change.input and field in change.input[node].fields:
                yield change.input[node].fields[field]

    def node_changes(self, infno: str, node: str) -> Iterator[NodeChange]:
        for spec in self.chain:
            change = spec.transactions.get(infno)
            if change and node in change.input:
                yield change.input[node]

    def transaction_changes(self, infno: str) -> Iterator[TransactionChange]:
        for spec in self.chain:
            if infno in spec.transactions:
                yield spec.transactions[infno]


def _chain(files: Files, region_id: str) -> list[RegionSpec]:
    chain: list[RegionSpec] = []
    here: str = region_id
    while here:
        if here not in files.regions:
            raise CatalogueError([f"regions/{here}.toml: no such region (wanted by {region_id})"])
        spec = files.regions[here]
        if spec in chain:
            raise CatalogueError([f"regions/{region_id}.toml: $.extends goes round in a circle"])
        chain.insert(0, spec)
        here = spec.extends
    return chain


def build_region(files: Files, region_id: str, extensions: tuple[str, ...] = ()) -> Region:
    """Return the resolved region; raise CatalogueError listing everything wrong with it.

    extensions: further transactions a link allows (annex X16).
    """
    chain = _chain(files, region_id)
    merged = _Merged(chain[-1], chain)
    problems = [*_unknown_names(files, chain)]
    hunan = bool(merged.first("hunan_required"))
    scopes = merged.first("scopes")
    assert isinstance(scopes, tuple)
    wanted = {code for spec in chain for code in spec.extensions} | set(extensions)
    known, closed = _dictionaries(files, chain)
    resolver = _Resolver(merged, known, closed, hunan, problems)
    envelope = resolver.envelope(files)
    transactions = {
        infno: resolver.transaction(spec, files)
        for infno, spec in files.transactions.items()
        if (spec.scope in scopes or infno in wanted) and spec.direction == "institution->platform"
    }
    problems += [
        f"regions/{region_id}.toml: $.extensions: unknown transaction {x}" for x in wanted - transactions.keys()
    ]
    if problems:
        raise CatalogueError(problems)
    identities = merged.first("identities")
    return Region(
        id=region_id,
        name_zh=merged.spec.name_zh,
        envelope=envelope,
        transactions=transactions,
        dictionaries=known,
        infcode=merged.first("infcode"),  # type: ignore[arg-type]  # decoded against the Literal
        signing=str(merged.first("signing")),
        path_mode=merged.first("path_mode"),  # type: ignore[arg-type]
        file_in=merged.first("file_in"),  # type: ignore[arg-type]
        line_sum=bool(merged.first("line_sum")),
        resolve=str(merged.first("resolve")),
        reversible=merged.first("reversible"),  # type: ignore[arg-type]
        identities=msgspec.convert(identities, tuple[Identity, ...]),
        answers=msgspec.convert(merged.first("answers"), AnswerTable),
        reversal=msgspec.convert(merged.first("reversal"), ReversalTable),
        statement=msgspec.convert(merged.first("statement"), StatementTable),
        status=next((spec.status for spec in reversed(chain) if spec.status is not None), None),
        orders=next((spec.orders for spec in reversed(chain) if spec.orders is not None), OrderTable()),
    )


def _unknown_names(files: Files, chain: list[RegionSpec]) -> Iterator[str]:
    """Yield a line for every transaction, node, dictionary or pattern a region names that does not exist."""
    for spec in chain:
        where = f"regions/{spec.id}.toml: $"
        for infno, change in spec.transactions.items():
            yield from _unknown_nodes(files, f"{where}.transactions.{infno}", infno, change)
        for name in (*spec.dictionaries.closed, *spec.dictionaries.open, *spec.dictionaries.add):
            if name not in files.dictionaries:
                yield f"{where}.dictionaries: no dictionary {name}"
        others = {"statement": spec.statement, "status": spec.status, "orders": spec.orders}
        yield from faults(where, spec.answers, spec.reversal, others)


def _unknown_nodes(files: Files, where: str, infno: str, change: TransactionChange) -> Iterator[str]:
    if infno not in files.transactions:
        yield f"{where}: no such transaction"
        return
    base = files.transactions[infno]
    nodes = files.transactions.get(base.shape_of, base).input
    for node, node_change in change.input.items():
        if node not in nodes and not node_change.fields:
            yield f"{where}.input.{node}: no such node"


def _dictionaries(files: Files, chain: list[RegionSpec]) -> tuple[dict[str, dict[str, str]], set[str]]:
    known = {name: dict(spec.values) for name, spec in files.dictionaries.items()}
    closed: set[str] = set()
    for spec in chain:
        rules = spec.dictionaries
        if rules.closed_flags:
            closed |= {name for name, values in known.items() if set(values) == {"0", "1"}}
        closed |= set(rules.closed)
        closed -= set(rules.open)
        for name, values in rules.add.items():
            known.setdefault(name, {}).update(values)
    return known, closed


@attrs.define
class _Resolver:
    merged: _Merged
    known: dict[str, dict[str, str]]
    closed: set[str]
    hunan: bool
    problems: list[str]
    settling: bool = False

    def envelope(self, files: Files) -> Node:
        fields = []
        for spec in files.envelope:
            for region in self.merged.chain:
                if spec.name in region.envelope:
                    spec = _changed(spec, region.envelope[spec.name])
            fields.append(self.field(spec, "envelope", {}))
        return Node(name="", repeated="one", required=True, fields=tuple(fields))

    def transaction(self, spec: TransactionSpec, files: Files) -> Transaction:
        shape = files.transactions.get(spec.shape_of, spec) if spec.shape_of else spec
        if spec.shape_of and shape is spec:
            self.problems.append(f"transactions/{spec.infno}.json: $.shape_of: unknown transaction {spec.shape_of}")
        changes = list(self.merged.transaction_changes(spec.infno))

        def last(name: str, default: object) -> object:
            return next((v for c in reversed(changes) if (v := getattr(c, name)) is not None), default)

        self.settling = spec.kind == "money"
        nodes = self.nodes(spec.infno, shape, loose=spec.unverified)
        self.settling = False
        trial: Mapping[str, str] = last("trial", spec.trial)  # type: ignore[assignment]
        for name in trial:
            if not any(node.field(name) for node in nodes):
                self.problems.append(f"transactions/{spec.infno}: $.trial: unknown field {name}")
        return Transaction(
            infno=spec.infno,
            name_zh=spec.name_zh,
            klass=last("klass", spec.klass),  # type: ignore[arg-type]
            kind=spec.kind,
            group=spec.group,
            nodes=tuple(node for node in nodes if node.name != "_root"),
            root=next((node for node in nodes if node.name == "_root"), None),
            output=tuple(self.node(spec.infno, name, node, {}, output=True) for name, node in shape.output.items()),
            rest_path=str(last("rest_path", spec.rest_path)),
            undone_by=spec.undone_by,
            returns_file=spec.returns_file,
            rows_max=int(last("rows_max", ROWS_MAX)),  # type: ignore[call-overload]
            body_bytes_max=int(last("body_bytes_max", self.merged.first("body_bytes_max"))),  # type: ignore[call-overload]
            service_date=str(last("service_date", "")),
            trial=trial,
        )

    def nodes(self, infno: str, shape: TransactionSpec, loose: bool) -> list[Node]:
        """Return the top-level nodes; a node that is the type of a field of the same name hangs under that field."""
        specs = {name: node for name, node in shape.input.items() if name != "_file"}
        nested = {f.name for node in specs.values() for f in node.fields if f.name in specs}
        top = {name: node for name, node in specs.items() if name not in nested}
        # Several single objects side by side are type descriptions, not a wire shape we can be strict about.
        loose = loose or sum(not node.repeated and name != "_root" for name, node in top.items()) > 1
        found = []
        for name, node in top.items():
            made = self.node(infno, name, node, specs, loose=loose, only=len(top) == 1)
            if not any(change.drop for change in self.merged.node_changes(infno, name)):
                found.append(made)
        for name, change in self._added_nodes(infno, specs):
            found.append(self.node(infno, name, NodeSpec(change.repeated == "many", ()), specs))
        return found

    def _added_nodes(self, infno: str, specs: Mapping[str, NodeSpec]) -> Iterator[tuple[str, NodeChange]]:
        added = {  # a node that several of the chain speak of is still one node: its changes are merged by `node`
            name: node
            for change in self.merged.transaction_changes(infno)
            for name, node in change.input.items()
            if name not in specs
        }
        yield from added.items()

    def node(
        self,
        infno: str,
        name: str,
        spec: NodeSpec,
        siblings: Mapping[str, NodeSpec],
        *,
        loose: bool = False,
        only: bool = False,
        output: bool = False,
    ) -> Node:
        specs = {field.name: field for field in spec.fields}
        if not output:
            specs = self._changed_fields(infno, name, specs)
        fields = tuple(self.field(field, f"{infno}.{name}", siblings, infno) for field in specs.values())
        repeated: str = "many" if spec.repeated else "one"
        required = only or (not spec.repeated and any(field.required for field in fields))
        if loose:
            repeated, required = "either", only
        for change in self.merged.node_changes(infno, name):
            repeated = change.repeated or repeated
            required = required if change.required is None else change.required
        return Node(
            name=name,
            repeated=repeated,  # type: ignore[arg-type]
            required=required and not output,
            fields=fields,
            line_sum=bool(self.merged.first("line_sum")) and specs.keys() >= _LINE,
        )

    def _changed_fields(self, infno: str, name: str, specs: dict[str, FieldSpec]) -> dict[str, FieldSpec]:
        found: dict[str, FieldSpec] = {}
        for field in specs.values():
            here = field
            changes = list(self.merged.field_changes(infno, name, field.name))
            for change in changes:
                here = _changed(here, change)
            if not any(change.drop for change in changes):
                found[here.name] = here
        for node in self.merged.node_changes(infno, name):
            for added, change in node.fields.items():
                if added not in found and not change.drop:
                    found[added] = _changed(FieldSpec(name=added, zh=added, type="string"), change)
        return found

    def field(self, spec: FieldSpec, where: str, siblings: Mapping[str, NodeSpec], infno: str = "") -> Field:
        if spec.type not in _KINDS:
            self.problems.append(f"{where}.{spec.name}: unknown type {spec.type}")
        kind = _KINDS.get(spec.type, "any")
        length = whole = decimals = 0
        if spec.dict and spec.dict not in self.known:
            self.problems.append(f"{where}.{spec.name}: unknown dictionary {spec.dict}")
        if kind == "number":
            if not _LENGTHS.fullmatch(spec.len):
                self.problems.append(f"{where}.{spec.name}: {spec.len!r} is no length of a number")
            whole, decimals = _number(spec.len)
        elif spec.len.isdigit():
            length = int(spec.len)
        elif spec.len in ("1K", "1k"):
            length = 1000
        child = None
        if spec.name in siblings and spec.name != where.rsplit(".", 1)[-1]:
            child, kind = self.node(infno, spec.name, siblings[spec.name], siblings), "node"
        # A coded field whose table names no dictionary takes the one of its own name.
        dictionary = spec.dict or (spec.name if spec.coded and spec.name in self.known else "")
        values = self.known.get(dictionary, {}) or (spec.values or {})
        names = frozenset(values)
        if spec.name in _LEADING_ZERO or dictionary in _LEADING_ZERO:
            names |= {v.lstrip("0") for v in names} | {v.zfill(2) for v in names}
        return Field(
            name=spec.name,
            zh=spec.zh,
            kind=kind,
            length=length,
            whole=whole,
            decimals=decimals,
            number_or_text=spec.type == "number_or_text",
            required=spec.required and (spec.required_base or self.hunan),
            not_negative=self.settling and spec.name == "medfee_sumamt",
            when=spec.required_when if spec.required_when and spec.required_when.field else None,
            format=spec.format,
            dictionary=dictionary,
            known=names if kind == "text" else frozenset(),
            closed=dictionary in self.closed,
            # Whose message it is, is a matter of identity (X15), never of a mapping.
            system="" if spec.name == "fixmedins_code" else spec.code_system,
            child=child,
        )


def _number(text: str) -> tuple[int, int]:
    """Turn "16,2" into (14, 2): digits before and behind the point; "30" or "" name no decimals, so six may stand."""
    if _LENGTHS.fullmatch(text) and "," in text:
        precision, scale = (int(part) for part in text.split(",", 1))
        return precision - scale, scale
    return (int(text) if text.isdigit() else 16), 6


def _changed(spec: FieldSpec, change: FieldChange) -> FieldSpec:
    plain = {
        name: value
        for name in ("required", "len", "type", "format", "dict", "code_system", "zh")
        if (value := getattr(change, name)) is not None
    }
    if change.required is not None:
        plain["required_base"] = True
    return msgspec.structs.replace(spec, **plain)


def unused_dictionaries(files: Files) -> list[str]:
    """Return the dictionaries no field refers to (they serve 1901 and the settlement list)."""
    used = {
        field.dict
        for spec in files.transactions.values()
        for node in (*spec.input.values(), *spec.output.values())
        for field in node.fields
    }
    return sorted(name for name in files.dictionaries if name not in used)


__all__ = ["DictionarySpec", "build_region", "unused_dictionaries"]
