"""Writes the source of one compiled row check (see `gateway.core.plan`).

The source is generated from field facts of our own schema files, with every name and value passed as a constant through
the function's globals or `repr`; nothing of a message is ever compiled.
"""

from collections.abc import Callable
from typing import Any

import attrs

from gateway.core.beside import coded, find_beside, relaxed
from gateway.core.catalogue import Field, Node, Region, Transaction
from gateway.core.checks import IDS, SERVICE_DAY
from gateway.core.codes import SLOTS, Hit
from gateway.core.dates import moments
from gateway.core.jsontext import Raw
from gateway.core.money import reader
from gateway.core.sums import broken_identities, identity_gates, line_broken
from gateway.core.translation import ITEM, LOCAL_ITEM, NAME_OF, put


@attrs.define
class Writer:
    """Writes the source of one row check; constants go into `scope`."""

    region: Region
    transaction: Transaction
    totals: tuple[Node, Node] | None
    child: Callable[[Node], Callable[..., int]]
    node: Node
    top: bool
    beside: bool
    lines: list[str] = attrs.Factory(list)
    scope: dict[str, Any] = attrs.Factory(dict)
    done: set[str] = attrs.Factory(set)

    def const(self, value: Any) -> str:
        name = f"k{len(self.scope)}"
        self.scope[name] = value
        return name

    def emit(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def source(self) -> str:
        self.scope |= {"Raw": Raw, "Hit": Hit, "put": put, "broken": broken_identities, "region": self.region}
        self.emit(0, "def check(r, w, path, day):")
        self.emit(1, "if type(r) is not dict: return -1")
        self.emit(1, "n = len(r); g = r.get")
        if not self.top:
            self._day()
            self._translation()
        for field in self.node.fields:
            if field.name not in self.done:
                self._field(field)
        if not self.top:
            self._sums()
            self._identity()
        self.emit(1, "return n")
        return "\n".join(self.lines)

    # The date of service of this row (X13).
    def _day(self) -> None:
        service = self.transaction.service_date
        names = [name for name in ((service,) if service else ()) + SERVICE_DAY if self.node.field(name)]
        times = moments("datetime", "")
        known, prove = self.const(times.known), self.const(times.prove)
        for depth, name in enumerate(names, start=1):
            self.emit(depth, f"v = g({name!r})")
            self.emit(depth, "if v:")
            self.emit(depth + 1, f"if type(v) is not str or (v not in {known} and not {prove}(v)): return -1")
            self.emit(depth + 1, "day = v[:10]")
            if depth < len(names):
                self.emit(depth, "else:")

    def _translation(self) -> None:
        if not coded(self.node):
            return
        if self.beside:
            self.scope["find_beside"] = find_beside
            self.emit(1, f"find_beside({self.const(self.node)}, r, path, day, w)")
            return
        fields = [f for f in self.node.fields if f.system in SLOTS or f.dictionary]
        self.emit(1, "codes = w.codes; T = codes.tables; D = codes.dictionaries")
        local = next((f for f in self.node.fields if f.system == LOCAL_ITEM), None)
        for field in fields:
            if field.system == ITEM and local is not None:
                self._two_slot(field, local)
                if field.when is None and not field.known:
                    self.done.add(field.name)
            elif field.system in SLOTS:
                self._one_slot(field)
            elif field.dictionary:
                self._dictionary(field)

    def _two_slot(self, field: Field, local: Field) -> None:
        name = field.name
        self.emit(1, f"v = g({name!r}); u = g({local.name!r})")
        self.emit(1, "if type(u) is str and u and (v is None or type(v) is str):")
        self.emit(2, 'e = T["item"].get(u)')
        self.emit(2, "if type(e) is tuple and e[1] <= day <= e[2] and (not v or v == e[0] or v == u):")
        self.emit(3, f"if v != e[0]: r[{name!r}] = e[0]; w.changed = True")
        self.emit(3, f"w.evidence.append((path + {'.' + name!r}, e[4], u, e[0], e[3], day))")
        self.emit(2, "else:")
        self.emit(3, 'h = None if u.isspace() else codes.two_slot(u, v or "", day)')
        self.emit(3, "if type(h) is not Hit: return -1")
        self.emit(3, f"put(r, {name!r}, path + {'.' + name!r}, u, h, day, w)")
        if field.length:
            self.emit(2, f"if len(r[{name!r}]) > {field.length}: return -1")
        self.emit(1, "elif u or (v is not None and v != ''): return -1")
        if field.required:
            self.emit(1, "else: return -1")

    def _one_slot(self, field: Field) -> None:
        name, slot = field.name, field.system
        self.emit(1, f"v = g({name!r})")
        guard = ' and g("diag_type") not in ("2", "3")' if slot == "diagnosis" else ""
        self.emit(1, f"if v{guard}:")
        self.emit(2, "if type(v) is not str: return -1")
        self.emit(2, f"e = T[{slot!r}].get(v)")
        self.emit(2, "if type(e) is tuple and e[1] <= day <= e[2]:")
        self.emit(3, f"if v != e[0]: r[{name!r}] = e[0]; w.changed = True")
        self.emit(3, f"w.evidence.append((path + {'.' + name!r}, e[4], v, e[0], e[3], day))")
        self.emit(2, "else:")
        self.emit(3, f"h = None if v.isspace() else codes.one_slot({slot!r}, v, day)")
        self.emit(3, "if type(h) is not Hit: return -1")
        self.emit(3, f"put(r, {name!r}, path + {'.' + name!r}, v, h, day, w)")
        words = NAME_OF.get(name)
        words_field = self.node.field(words) if words else None
        if words is not None and words_field is not None:
            limit = f" and len(m) <= {words_field.length}" if words_field.length else ""
            self.emit(2, f"if w.names and {words!r} in r:")
            self.emit(3, f"m = codes.libraries.name({slot!r}, r[{name!r}]); v = r[{words!r}]")
            self.emit(3, f"if m and m != v{limit}:")
            evidence = f"(path + {'.' + words!r}, {slot + ':name'!r}, str(v or ''), m, '', day)"
            self.emit(4, f"w.evidence.append({evidence}); r[{words!r}] = m; w.changed = True")

    def _dictionary(self, field: Field) -> None:
        table = f"dictionary:{field.dictionary}"
        self.emit(1, f"if D and {table!r} in T:")
        self.emit(2, f"v = g({field.name!r})")
        self.emit(2, "if type(v) is str and v:")
        self.emit(3, f"h = codes.dictionary({field.dictionary!r}, v, day)")
        self.emit(3, f"if h is not None: put(r, {field.name!r}, path + {'.' + field.name!r}, v, h, day, w)")

    def _field(self, field: Field) -> None:
        if self.beside and relaxed(self.node, field):
            field = attrs.evolve(field, required=False)
        if field.kind == "any" and not field.required and field.when is None:
            return
        self.emit(1, f"v = g({field.name!r})")
        if field.when is not None:
            self._when(field)
        if field.kind == "text":
            self._text(field)
        elif field.kind == "number":
            self._number(field)
        elif field.kind in ("date", "datetime"):
            self._date(field)
        elif field.kind == "node":
            self._child(field)
        elif field.kind in ("list", "object"):
            absent = "v is None or v == ''"
            kind = "list" if field.kind == "list" else "dict"
            test = f"type(v) is not {kind}" if field.required else f"not ({absent}) and type(v) is not {kind}"
            self.emit(1, f"if {test}: return -1")
        elif field.required:
            self.emit(1, "if v is None or (type(v) is str and (not v or v.isspace())): return -1")

    def _when(self, field: Field) -> None:
        assert field.when is not None
        other = f"g({field.when.field!r})"
        test = f"{other} not in (None, '')" if field.when.present else f"{other} in {field.when.equals!r}"
        self.emit(1, f"if not v and {test}: return -1")
        if not field.required:
            self.emit(1, f"if type(v) is str and v.isspace() and {test}: return -1")

    def _text(self, field: Field) -> None:
        limit = f" or len(v) > {field.length}" if field.length else ""
        if field.name in IDS:
            limit += " or not v.isprintable()"
        if field.required:
            self.emit(1, f"if type(v) is not str or not v{limit} or v.isspace(): return -1")
        else:
            self.emit(1, f"if v is not None and (type(v) is not str{limit}): return -1")
        if field.known:
            known = self.const(field.known)
            test = f"v not in {known}" if field.required else f"v and v not in {known}"
            if field.closed:
                self.emit(1, f"if {test}: return -1")
            elif field.dictionary:
                self.emit(1, f"if {test} and not v.isspace(): w.unknown.append({field.dictionary!r})")

    def _number(self, field: Field) -> None:
        read = self.const(reader(field.whole, field.decimals))
        if field.number_or_text:
            self.emit(1, "if type(v) is str:")
            text = f"len(v) > {field.whole}" + (" or not v or v.isspace()" if field.required else "")
            self.emit(2, f"if {text}: return -1")
            absent = "" if field.required else "v is not None and "
            self.emit(1, f"elif {absent}{read}(v) is None: return -1")
            return
        variable = f"x_{field.name}" if field.name.isidentifier() else "x_"
        if field.required:
            self.emit(1, f"{variable} = {read}(v)")
            below = f" or {variable} < 0" if field.not_negative else ""
            self.emit(1, f"if {variable} is None{below}: return -1")
        else:
            self.emit(1, f"{variable} = None")
            self.emit(1, "if v is not None and v != '':")
            self.emit(2, f"{variable} = {read}(v)")
            self.emit(2, f"if {variable} is None: return -1")

    def _date(self, field: Field) -> None:
        times = moments(field.kind, field.format)
        known, prove = self.const(times.known), self.const(times.prove)
        proof = f"type(v) is not str or (v not in {known} and not {prove}(v))"
        if field.required:
            self.emit(1, f"if {proof}: return -1")
        else:
            self.emit(1, f"if v is not None and v != '' and ({proof}): return -1")

    def _child(self, field: Field) -> None:
        assert field.child is not None
        run = self.const(self.child(field.child))
        if field.required:
            self.emit(1, "if v is None or v == '': return -1")
        self.emit(1, "if v is not None and v != '':")
        self.emit(2, f"m = {run}(v, w, path + {'.' + field.name!r}, day)")
        self.emit(2, "if m < 0: return -1")
        self.emit(2, "n += m")

    def _sums(self) -> None:
        node, totals = self.node, self.totals
        line = [f for x in ("pric", "cnt", "det_item_fee_sumamt") if (f := node.field(x)) and f.required and f.adds_up]
        if node.line_sum and len(line) == 3:
            # Each is an integer of its own scale (10^-6, 10^-4, 10^-2 yuan in the national tables).
            scale = line[0].decimals + line[1].decimals
            cent = 10 ** (scale - 2)
            amount = f"x_det_item_fee_sumamt * {10 ** (scale - line[2].decimals)}"
            self.emit(1, f"m = x_pric * x_cnt - {amount}")
            self.emit(1, f"if m > {cent} or m < -{cent}: return -1")
        elif node.line_sum:
            self.emit(1, f"if {self.const(line_broken)}(r): return -1")
        if totals is not None and (node is totals[0] or node is totals[1]):
            self._total(node is totals[0])
        gates = identity_gates(self.region)
        if gates:
            test = " or ".join(f"{name!r} in r" for name in gates)
            self.emit(1, f"if ({test}) and any(broken(region, r)): return -1")

    def _total(self, head: bool) -> None:
        """Add up in fen; an amount that is not one of two decimals is left to the walk."""
        name = "medfee_sumamt" if head else "det_item_fee_sumamt"
        field = self.node.field(name)
        if field is None or not field.adds_up or field.decimals != 2:
            self.emit(1, f"if {name!r} in r: return -1")
        elif head:
            self.emit(1, f"w.total_fen = x_{name} or 0")
        else:
            self.emit(1, f"w.lines_fen += x_{name} or 0")

    def _identity(self) -> None:
        if self.transaction.may_name_others:
            return
        self.emit(1, "v = g('fixmedins_code')")
        self.emit(1, "if v is not None and v != '' and v != w.institution: return -1")
