"""Who keeps which register, who reviews it, what an entry carries, by when: the division table as typed data.

Sources: mapping rules §7, `schemas/duties/*.toml` (each says where its facts come from). A region's file names only its
differences; the configuration's [duties] names those of one installation. Nothing here is code: a register that wants
an `if` is not described by this table.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec

BASE = "national"
Keeper = Literal["institution", "agency"]
FieldKind = Literal[
    "text", "code", "date", "uscc", "identity", "cert_type", "division", "institution", "flag", "number"
]


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One fact of an entry. zh: its title in files; titles: others it goes by; window: stands in the national form."""

    name: str
    zh: str
    kind: FieldKind = "text"
    titles: tuple[str, ...] = ()
    required: bool = False
    personal: bool = False
    window: bool = False
    length_max: int = 200


class Days(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Calendar days each step may take; progress_day: of the month on which progress is reported."""

    correct: int
    review: int
    assign: int
    report: int
    progress_day: int


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One register. maintainers, reviewers: the only persons who may, empty = anybody (never the same one twice)."""

    maintains: str
    maintained_by: tuple[Keeper, ...]
    reviews: str
    reports_to: str
    fields: tuple[Field, ...]
    unique: tuple[tuple[str, ...], ...] = ()
    assigns: bool = False
    maintainers: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    division: str = ""
    prefix: str = ""
    serial: int = 0
    within: int = 6
    days: Days | None = None

    @property
    def code_field(self) -> str:
        """Return the name of the field that holds the code; `_wrong` has seen to it that there is one."""
        return next(field.name for field in self.fields if field.kind == "code")


class Duties(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The division table of one region."""

    id: str
    name_zh: str
    days: Days
    register: dict[str, Register]
    provenance: dict[str, str] = {}

    def days_of(self, system: str) -> Days:
        return self.register[system].days or self.days


class DutiesError(Exception):
    """The division table is wrong; whoever wrote it must mend it. problems: `path: sentence`, Chinese."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def build_duties(files: Iterable[tuple[str, bytes]], region: str, own: Mapping[str, Any], systems: set[str]) -> Duties:
    """Return the region's table over the base, and the installation's own differences over both.

    files: (path, content) of schemas/duties; own: the [duties] table without `region`; systems: code systems there are.
    Raises DutiesError with everything wrong.
    """
    tables: dict[str, tuple[str, dict[str, Any]]] = {}
    for path, content in files:
        try:
            plain = _plain(content)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
            raise DutiesError([f"{path}: 不是合法的TOML：{cause}"]) from cause
        tables[str(plain.get("id"))] = (path, plain)
    if region not in tables:
        raise DutiesError([f"$.duties.region: 没有名为{region}的分工表（可用：{'、'.join(sorted(tables))}）"])
    whole = tables[BASE][1]
    place = tables[region][0]
    if region != BASE:
        whole = _over(whole, tables[region][1])
    if own:
        whole, place = _over(whole, own), "$.duties"
    return _decoded(whole, place, systems)


@lru_cache(maxsize=8)
def _plain(content: bytes) -> dict[str, Any]:
    """Return what a file says, for reading only: the delivered table takes 10 ms."""
    return tomllib.loads(content.decode())


def _over(base: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another; lists are replaced whole."""
    found = dict(base)
    for name, value in other.items():
        old = found.get(name)
        found[name] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found


def _decoded(whole: Mapping[str, Any], place: str, systems: set[str]) -> Duties:
    problems: list[str] = []
    registers: Any = whole.get("register")
    days: Any = whole.get("days")
    for name, register in registers.items() if isinstance(registers, dict) else ():
        if isinstance(days, dict) and isinstance(register, dict) and isinstance(register.get("days"), dict):
            register = {**register, "days": {**days, **register["days"]}}
            registers = {**registers, name: register}
        # One register at a time: msgspec stops at the first thing wrong.
        try:
            table = msgspec.convert(register, Register)
        except msgspec.ValidationError as cause:
            problems.append(f"{place}.register.{name}: {_said(cause)}")
            continue
        if name not in systems:
            problems.append(f"{place}.register.{name}: 没有这个编码标准")
        problems += [f"{place}.register.{name}: {line}" for line in _wrong(table)]
    if problems:
        raise DutiesError(problems)
    try:
        found = msgspec.convert({**whole, "register": registers}, Duties)
    except msgspec.ValidationError as cause:
        raise DutiesError([f"{place}: {_said(cause)}"]) from cause
    problems = [f"{place}.days: {line}" for line in _wrong_days(found.days)]
    if problems:
        raise DutiesError(problems)
    return found


_SAYINGS = (
    (re.compile(r"Object contains unknown field `([^`]+)`"), "未知的配置项{}"),
    (re.compile(r"Object missing required field `([^`]+)`"), "缺少配置项{}"),
    (re.compile(r"Expected `([^`]+)`, got `([^`]+)`"), "类型应为{}，现在是{}"),
    (re.compile(r"Invalid enum value ('[^']*')"), "不允许的取值{}"),
)


def _said(cause: msgspec.ValidationError) -> str:
    """Say msgspec's complaint in the operator's language, with the place inside the table."""
    text, _, where = str(cause).partition(" - at ")
    for form, words in _SAYINGS:
        if found := form.search(text):
            text = words.format(*found.groups())
    return f"{where.strip('`$.')}：{text}" if where else text


def _wrong(register: Register) -> Iterator[str]:
    yield from _wrong_fields(register)
    if not 1 <= len(register.unique) <= 2:
        yield "unique应有一至两组字段"
    if not register.maintained_by:
        yield "maintained_by不能为空"
    if register.prefix and not (register.serial > 0 and register.within in (2, 4, 6) and register.division):
        yield "有prefix时，serial应大于0，within应为2、4或6，并应有division"
    if register.maintainers and len(register.reviewers) == 1 and set(register.maintainers) == set(register.reviewers):
        yield "维护人与审核人不能只是同一人"
    if register.days is not None:
        yield from _wrong_days(register.days)


def _wrong_fields(register: Register) -> Iterator[str]:
    names = [field.name for field in register.fields]
    titles = [title for field in register.fields for title in {field.name, field.zh, *field.titles}]
    if len(set(titles)) != len(titles):
        twice = sorted({title for title in titles if titles.count(title) > 1})
        yield f"列名重复：{'、'.join(twice)}"
    if sum(field.kind == "code" for field in register.fields) != 1:
        yield 'fields中应恰有一个kind = "code"的字段'
    for name in sorted({name for group in register.unique for name in group} | ({register.division} - {""})):
        if name not in names:
            yield f"fields中没有字段{name}"
    if any(field.length_max < 1 for field in register.fields):
        yield "length_max应大于0"


def _wrong_days(days: Days) -> Iterator[str]:
    for name in ("correct", "review", "assign", "report"):
        if not 1 <= getattr(days, name) <= 366:
            yield f"{name}应为1到366天"
    if not 1 <= days.progress_day <= 28:
        yield "progress_day应为1到28"
