"""The small language of the list rules: an analyst writes `adm_time <= dscg_time`, the gateway compiles it at start.

    truth    = truth "or" truth | truth "and" truth | "not" truth | "(" truth ")"
             | sum ("=" | "!=" | "<" | "<=" | ">" | ">=") sum | field ["not"] "in" "(" quoted, ... ")"
             | "filled(" field ")" | "empty(" field ")" | "matches(" field, quoted ")" | word "(" ... ")"
    sum      = product (("+" | "-") product)* ; product = atom ("*" atom)*
    atom     = number | quoted | field | "form" | "or0(" field ")" | "count(" node ["where" truth] ")"
             | "sum(" node.field ["where" truth] ")" | word "(" ... ")" | "(" sum ")"

A bare name is a field of the record at hand (setlinfo, or the record of `each` or `where`); `setlinfo.name` is always
the head's. What is empty or unreadable ends the rule (annex L3); within `where` it only leaves the record out.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

import attrs

from gateway.lists.pieces import Run, Scope, aggregated, both, comparison, either, fetch, filled, matches, or_zero
from gateway.lists.reading import HEAD, Empty, Kind, Nodes, Record
from gateway.lists.words import WORDS, Sort

_TOKEN = re.compile(
    r'\s*(?:(?P<quoted>"[^"]*")|(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)'
    r"|(?P<sign><=|>=|!=|[=<>+\-*(),]))"
)
_KEYWORDS = frozenset({"and", "or", "not", "in", "where"})
_COMPARED = ("=", "!=", "<", "<=", ">", ">=")
_SORT_OF: Mapping[Kind, Sort] = {
    "text": "text", "weights": "text", "date": "moment", "datetime": "moment", "number": "number", "whole": "number",
    "money": "number", "duration": "number",
}  # fmt: skip


class BadRule(Exception):
    """A rule's text cannot be understood; says where."""


@attrs.frozen
class Expr:
    """A compiled piece. fields: (node, field) in the order of the text, field '' = the whole node."""

    run: Run
    sort: Sort
    fields: tuple[tuple[str, str], ...] = ()


def compile_truth(text: str, nodes: Nodes, node: str = HEAD) -> Expr:
    """Compile a condition over records of `node`. Raises BadRule."""
    parser = _Parser(text, nodes, node)
    found = parser.truth()
    if parser.here:
        parser.fail("多余的内容")
    if found.sort != "truth":
        parser.fail("应是一个判断")
    return found


@attrs.define
class _Parser:
    text: str
    nodes: Nodes
    node: str
    lenient: bool = False  # within `where`
    at: int = 0
    here: str = ""
    kind: str = ""

    def __attrs_post_init__(self) -> None:
        self.next()

    def fail(self, why: str) -> NoReturn:
        raise BadRule(f"第{self.at - len(self.here) + 1}个字符处：{why}（{self.here or '结尾'}）：{self.text}")

    def next(self) -> str:
        """Step on; return what was left behind."""
        before = self.here
        if not self.text[self.at :].strip():
            self.here = self.kind = ""
            self.at = len(self.text)
            return before
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            self.here = self.text[self.at : self.at + 1]
            self.fail("不认识的写法")
        self.at, self.kind = found.end(), found.lastgroup or ""
        self.here = found.group(self.kind)
        return before

    def take(self, token: str) -> None:
        if self.here != token:
            self.fail(f"应为{token}")
        self.next()

    # --- truths ---

    def truth(self) -> Expr:
        found = self.both()
        while self.here == "or":
            self.next()
            other = self.both()
            self._truths(found, other)
            found = Expr(either(found.run, other.run), "truth", found.fields + other.fields)
        return found

    def both(self) -> Expr:
        found = self.no()
        while self.here == "and":
            self.next()
            other = self.no()
            self._truths(found, other)
            found = Expr(both(found.run, other.run), "truth", found.fields + other.fields)
        return found

    def no(self) -> Expr:
        if self.here != "not":
            return self.compared()
        self.next()
        found = self.no()
        self._truths(found)
        run = found.run
        return Expr(lambda scope, row: not run(scope, row), "truth", found.fields)

    def _truths(self, *found: Expr) -> None:
        if any(one.sort != "truth" for one in found):
            self.fail("and、or、not两边应是判断")

    def compared(self) -> Expr:
        left = self.sum()
        if self.here in ("in", "not"):
            return self._membership(left)
        chain: list[tuple[str, Expr, Expr]] = []
        while self.here in _COMPARED:
            sign = self.next()
            right = self.sum()
            if left.sort != right.sort or left.sort == "truth" or (left.sort == "text" and sign not in ("=", "!=")):
                self.fail(f"不能比较{left.sort}和{right.sort}")
            chain.append((sign, left, right))
            left = right
        if not chain:
            return left
        fields = chain[0][1].fields + tuple(one for _, _, right in chain for one in right.fields)
        runs = [comparison(sign, one.run, other.run, self.lenient) for sign, one, other in chain]
        run = runs[0] if len(runs) == 1 else (lambda scope, row: all(one(scope, row) for one in runs))
        return Expr(run, "truth", fields)

    def _membership(self, left: Expr) -> Expr:
        wanted = self.here == "in"
        if not wanted:
            self.take("not")
        self.take("in")
        self.take("(")
        values = {self._quoted()}
        while self.here == ",":
            self.next()
            values.add(self._quoted())
        self.take(")")
        if left.sort != "text":
            self.fail("in只用于文本")
        run, lenient, among = left.run, self.lenient, frozenset(values)

        def member(scope: Scope, row: Record) -> bool:
            try:
                return (run(scope, row) in among) is wanted
            except Empty:
                if lenient:
                    return not wanted
                raise

        return Expr(member, "truth", left.fields)

    def _quoted(self) -> str:
        if self.kind != "quoted":
            self.fail("应为带引号的文本")
        return self.next()[1:-1]

    # --- numbers, moments, texts ---

    def sum(self) -> Expr:
        found = self.product()
        while self.here in ("+", "-"):
            sign = self.next()
            found = self._arithmetic(sign, found, self.product())
        return found

    def product(self) -> Expr:
        found = self.atom()
        while self.here == "*":
            self.next()
            found = self._arithmetic("*", found, self.atom())
        return found

    def _arithmetic(self, sign: str, one: Expr, other: Expr) -> Expr:
        if one.sort != "number" or other.sort != "number":
            self.fail("只能计算数值")
        left, right = one.run, other.run
        runs: dict[str, Run] = {
            "+": lambda scope, row: left(scope, row) + right(scope, row),
            "-": lambda scope, row: left(scope, row) - right(scope, row),
            "*": lambda scope, row: left(scope, row) * right(scope, row),
        }
        return Expr(runs[sign], "number", one.fields + other.fields)

    def atom(self) -> Expr:
        if self.here == "(":
            self.next()
            inner = self.truth()
            self.take(")")
            return inner
        if self.kind == "number":
            value: Any = Decimal(self.next())
            return Expr(lambda scope, row: value, "number")
        if self.kind == "quoted":
            text = self._quoted()
            return Expr(lambda scope, row: text, "text")
        if self.kind != "name" or self.here in _KEYWORDS:
            self.fail("应为字段、数值或文本")
        name = self.next()
        if self.here == "(":
            return self._called(name)
        if name == "form":
            return Expr(lambda scope, row: scope.world.form, "text")
        return self._field(name, raw=False)

    def _field(self, name: str, raw: bool) -> Expr:
        node, _, field = name.rpartition(".")
        node = node or self.node
        spec = self.nodes.get(node, {}).get(field)
        if spec is None or (node != self.node and node != HEAD):
            self.fail(f"没有这个字段：{name}")
        return Expr(fetch(field, node != self.node, raw), "text" if raw else _SORT_OF[spec.kind], ((node, field),))

    def _called(self, name: str) -> Expr:
        self.take("(")
        if name in ("count", "sum"):
            found = self._aggregate(name)
        elif name in ("filled", "empty", "or0", "matches"):
            found = self._special(name)
        else:
            found = self._word(name)
        self.take(")")
        return found

    def _special(self, name: str) -> Expr:
        field = self._field(self.next(), raw=name != "or0")
        run = field.run
        if name == "or0":
            if field.sort != "number":
                self.fail("or0只用于数值字段")
            node, own = field.fields[0]
            return Expr(or_zero(own, node != self.node), "number", field.fields)
        if name == "matches":
            self.take(",")
            try:
                pattern = re.compile(self._quoted(), re.ASCII)
            except re.error as cause:
                self.fail(f"正则表达式有误：{cause}")
            return Expr(matches(run, pattern), "truth", field.fields)
        node, own = field.fields[0]
        return Expr(filled(own, node != self.node, name == "filled"), "truth", field.fields)

    def _aggregate(self, name: str) -> Expr:
        target = self.next()
        node, _, field = target.partition(".")
        if node not in self.nodes or node == HEAD or (name == "sum") != bool(field):
            self.fail(f"{name}应写节点{'.字段' if name == 'sum' else ''}：{target}")
        if field and (field not in self.nodes[node] or _SORT_OF[self.nodes[node][field].kind] != "number"):
            self.fail(f"没有这个数值字段：{target}")
        chosen: Expr | None = None
        if self.here == "where":
            self.next()
            outer, self.node = self.node, node
            lenient, self.lenient = self.lenient, True
            chosen = self.truth()
            self._truths(chosen)
            self.node, self.lenient = outer, lenient
        own = ((node, ""), (node, field)) if field else ((node, ""),)
        fields = own + (chosen.fields if chosen is not None else ())
        return Expr(aggregated(node, field, chosen.run if chosen is not None else None), "number", fields)

    def _word(self, name: str) -> Expr:
        word = WORDS.get(name)
        if word is None:
            self.fail(f"没有这个词：{name}")
        takes = list(word.takes)
        arguments: list[Expr] = []
        while takes:
            wanted = takes.pop(0)
            arguments.append(self._argument(wanted.removesuffix("...")))
            if wanted.endswith("...") and self.here == ",":
                takes.insert(0, wanted)
            if takes:
                self.take(",")
        runs, act = [one.run for one in arguments], word.run
        fields = tuple(one for argument in arguments for one in argument.fields)
        return Expr(lambda scope, row: act(scope.world, *[run(scope, row) for run in runs]), word.gives, fields)

    def _argument(self, wanted: str) -> Expr:
        if wanted == "quoted":
            text = self._quoted()
            return Expr(lambda scope, row: text, "text")
        if wanted == "raw":
            return self._field(self.next(), raw=True)
        found = self.sum()
        if found.sort != wanted:
            self.fail(f"应为{wanted}")
        return found
