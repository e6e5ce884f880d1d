"""What an entry request says: read from a file, checked by itself, and compared with what is there already.

Two kinds of fault, as for mappings (annex C2). Faults of form refuse the file whole, nothing is stored: MF.. of the
table and DU01 a required fact is missing · DU02 a value has no place there · DU03 code against the pattern of its
standard · DU04 credit code · DU05 identity number · DU06 dates · DU07 the same entry twice in the file.
Findings keep an entry from passing the review: DU08 there is such an entry already · DU09 the code that changes or
retires is not in force. Messages name columns and codes, never what a person's fact says.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import attrs
import msgspec

from gateway.codes.check_digits import is_credit_code, is_identity_number
from gateway.codes.duties import Field, Register
from gateway.codes.faults import Faults
from gateway.core.dates import is_date

Action = Literal["add", "change", "retire"]
ACTIONS: Mapping[Action, str] = {"add": "新增", "change": "变更", "retire": "停用"}
IDENTITY_CARD = "01"  # psn_cert_type: 居民身份证
RETIRE_DAY = Field(name="retire_date", zh="停用日期", kind="date", required=True)
RETIRE_WHY = Field(name="retire_reason", zh="停用原因", required=True, length_max=500)
# Which returned entry this one mends, where nothing else could tell (the number itself was wrong).
CORRECTS = Field(name="corrects", zh="更正申报号", kind="number")

_DIVISION = re.compile(r"[0-9]{6}")
_INSTITUTION = re.compile(r"[HP][0-9]{11}")
_CERT_TYPE = re.compile(r"[0-9]{2}(?:[0-9]{4})?")
_SPANS = (("begndate", "enddate"), ("begntime", "endtime"), ("cntr_begntime", "cntr_endtime"))


@attrs.frozen
class Entry:
    """One entry as its maker wrote it: field -> text, empty ones left out."""

    line: int
    values: Mapping[str, str]

    def content(self) -> bytes:
        """Return the one spelling that is hashed and sealed."""
        return msgspec.json.encode(dict(sorted(self.values.items())))


def values_of(content: bytes) -> dict[str, str]:
    """Return the facts of `Entry.content`."""
    return msgspec.json.decode(content, type=dict[str, str])


def fields_for(register: Register, action: Action) -> tuple[Field, ...]:
    """Return the columns a file of this action may have."""
    return (*register.fields, *((RETIRE_DAY, RETIRE_WHY) if action == "retire" else ()), CORRECTS)


def titles_for(register: Register, action: Action) -> dict[str, tuple[str, ...]]:
    """Return our name -> titles, for the table reader."""
    return {field.name: (field.zh, field.name, *field.titles) for field in fields_for(register, action)}


def required_for(register: Register, action: Action) -> tuple[str, ...]:
    """Return the columns that must be there and filled: retiring needs the code, the day and the reason only."""
    if action == "retire":
        return register.code_field, RETIRE_DAY.name, RETIRE_WHY.name
    names = tuple(field.name for field in register.fields if field.required)
    return names if action == "add" else (register.code_field, *names)


def read_entries(
    lines: Iterable[tuple[int, Sequence[str]]],
    header: Sequence[str],
    at: Mapping[str, int],
    register: Register,
    action: Action,
    form: re.Pattern[str],
    faults: Faults,
) -> list[Entry]:
    """Turn lines of cells into entries; add every fault of form to `faults`, under the titles the file itself uses.

    at: field -> cell number.
    """
    entries = []
    seen: dict[tuple[str, ...], int] = {}
    fields = fields_for(register, action)
    for line, cells in lines:
        values = {name: cells[number] for name, number in at.items() if cells[number]}
        for name in required_for(register, action):
            if name not in values:
                faults.add(line, header[at[name]], "DU01", f"{_zh(fields, name)}不能为空")
        for field in fields:
            if field.name in values and (fault := _fault(field, values, form)):
                faults.add(line, header[at[field.name]], *fault)
        for end in _reversed_spans(values):
            faults.add(line, header[at[end]], "DU06", "结束日期早于开始日期")
        if action == "add" and register.assigns and register.code_field in values:
            faults.add(line, header[at[register.code_field]], "DU02", "新增时不填编码：编码由审核机构赋予")
        for key in _keys(register, values, action):
            first = seen.setdefault(key, line)
            if first != line:
                faults.add(line, "", "DU07", f"与第{first}行是同一条信息")
                break
        entries.append(Entry(line, values))
    return entries


def _zh(fields: Iterable[Field], name: str) -> str:
    return next(field.zh for field in fields if field.name == name)


def _fault(field: Field, values: Mapping[str, str], form: re.Pattern[str]) -> tuple[str, str] | None:
    text = values[field.name]
    if len(text) > field.length_max:
        return "DU02", f"{field.zh}超过{field.length_max}个字符"
    if field.kind == "identity":
        # Only the resident card has a check digit; other papers are numbered as their issuers like.
        if values.get("psn_cert_type", IDENTITY_CARD) == IDENTITY_CARD and not is_identity_number(text):
            return "DU05", f"{field.zh}不是有效的居民身份证号码（18位，末位校验码，X大写）；其他证件请填证件类型"
        return None
    check, rule, words = _CHECKS.get(field.kind, (None, "", ""))
    if field.kind == "code":
        check, rule, words = form.fullmatch, "DU03", "不符合该标准的编码规则"
    if check is not None and not check(text):
        return rule, f"{field.zh}{words}"
    return None


_CHECKS: Mapping[str, tuple[Callable[[str], object], str, str]] = {
    "uscc": (is_credit_code, "DU04", "不是有效的统一社会信用代码（18位，末位校验码）"),
    "date": (is_date, "DU06", "应为yyyy-MM-dd的真实日期"),
    "division": (_DIVISION.fullmatch, "DU02", "应为6位行政区划代码"),
    "institution": (_INSTITUTION.fullmatch, "DU02", "应为H或P开头的12位定点医药机构编号"),
    "cert_type": (_CERT_TYPE.fullmatch, "DU02", "应为字典psn_cert_type的代码，居民身份证为01"),
    "number": (re.compile("[1-9][0-9]{0,15}").fullmatch, "DU02", "应为申报号"),
    "flag": (re.compile("[01]").fullmatch, "DU02", "应为0或1"),
}


def _reversed_spans(values: Mapping[str, str]) -> list[str]:
    return [end for begin, end in _SPANS if begin in values and end in values and values[end] < values[begin]]


def unique_keys(register: Register, values: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return what makes this entry one person or place: a group counts when all its fields are filled.

    The key starts with the names of its fields, so that equal texts of different groups stay apart.
    """
    found = []
    for group in register.unique:
        if all(name in values for name in group):
            found.append((",".join(group), *(values[name] for name in group)))
    return found


def _keys(register: Register, values: Mapping[str, str], action: Action) -> list[tuple[str, ...]]:
    code = values.get(register.code_field, "")
    if action == "add":
        return unique_keys(register, values)
    return [("code", code)] if code else []


def division_of(register: Register, values: Mapping[str, str]) -> str:
    """Return the six digits a new code is numbered in, '' when the entry does not say."""
    text = values.get(register.division, "")
    if _INSTITUTION.fullmatch(text):
        return text[1:7]
    return text if _DIVISION.fullmatch(text) else ""


def masked(field: Field, text: str) -> str:
    """Return a value as anybody at the screen may see it: of a person's fact only that it is there."""
    if not field.personal or not text:
        return text
    return text[0] + "*" * min(len(text) - 1, 8) if field.kind == "text" and len(text) <= 8 else "*" * 8


def library_values(register: Register, raw: str) -> dict[str, str]:
    """Return what a record of the national library says of the fields that name an entry. raw: its columns, JSON."""
    cells = msgspec.json.decode(raw, type=dict[str, str])
    wanted = {name for group in register.unique for name in group}
    found = {}
    for field in register.fields:
        if field.name in wanted:
            text = next((cells[title] for title in (field.name, field.zh, *field.titles) if title in cells), "")
            if text:
                found[field.name] = text
    return found
