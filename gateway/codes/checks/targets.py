"""Is the target one? MA01 missing, MA03 one to many, MA05 expired, MA06 form, MA07 wrong kind.

A row gets one finding of these: the first that holds makes the others moot.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from gateway.codes.checks.findings import Finding, found
from gateway.codes.checks.ground import STAFF, Ground
from gateway.codes.checks.national import National, Seen
from gateway.codes.checks.text import name_form, plain
from gateway.codes.content import judge
from gateway.codes.mapping import Proposed

KINDS: Mapping[str, str] = {
    "drug": "药品", "service_item": "医疗服务项目", "consumable": "医用耗材", "diagnosis": "疾病诊断",
    "operation": "手术操作", "chronic_disease": "门诊慢特病病种", "medical_institution": "医疗机构",
    "retail_pharmacy": "零售药店", "doctor": "医师", "nurse": "护士", "pharmacist": "药师",
}  # fmt: skip
# `used_by` of the code systems: what a pharmacy has no use for.
NOT_FOR_PHARMACIES = frozenset({"service_item", "operation", "settlement_disease", "day_surgery", "nurse"})
# list_type of the national dictionary by the form of the code (mapping rules §1).
_LIST_TYPES = (
    (re.compile(r"X.{22}"), ("101",)),
    (re.compile(r"Z.{19}"), ("101", "104")),
    (re.compile(r"T[0-9]{9}"), ("102",)),
    (re.compile(r"T[0-9]{19}"), ("106",)),
    (re.compile(r"[0-9]{15}(?:-.+)?"), ("201",)),
    (re.compile(r"C[0-9]{19}(?:[0-9]{7})?"), ("301",)),
)
# Letters people type for digits, and the other way round.
_SLIPS = str.maketrans("OoIl", "0011")


def target_findings(rows: Iterable[Proposed], ground: Ground) -> dict[int, Finding]:
    """Return line -> the finding about the row's target."""
    rows = list(rows)
    # A code that breaks the pattern is judged with the others first: it makes two of its local code all the same.
    judged = judge(rows, ground.find(), ground.today)
    findings: dict[int, Finding] = {}
    for row in rows:
        fault = judged.get(row.line)
        finding = _wrong_code(row, ground)
        if finding is None and fault is not None:
            finding = found(row, fault.column, fault.rule, fault.message + _note(row, fault.rule, ground))
        if finding is not None:
            findings[row.line] = finding
    for row in _closed_items(rows, ground):
        message = f"院内编码{row.local}只有已失效的对码（最后一天{row.valid_to}），没有现行的国家编码"
        findings.setdefault(row.line, found(row, "valid_to", "MA05", message))
    return findings


def cut_short(rows: Iterable[Proposed], names: Mapping[int, str], ground: Ground, seen: Seen) -> Iterator[Finding]:
    """Yield MA06 for a code that lost its extension `x002`: the name is that of the longer code.

    names: line -> the compared form of the local name, where it is not the target's.
    """
    for row in rows:
        longer = {one.code for one in seen.short.get(row.national, ()) if one.usable(ground.today)}
        meant = [one.code for one in seen.names.get(names.get(row.line, ""), ()) if one.code in longer]
        if meant:
            message = f"国家编码{row.national}疑似漏了扩展位：院内名称是{meant[0]}的国家名称"
            yield found(row, "national_code", "MA06", message)


def dying(rows: Iterable[Proposed], ground: Ground) -> Iterator[Finding]:
    """Yield a warning for every row that outlives its target by the day up to which it is told (MA05)."""
    for row in rows:
        one = ground.target(row.national)
        if one is None or not ground.today <= one.record[2] <= ground.warn_until or row.until <= one.record[2]:
            continue
        if row.valid_from <= one.record[2]:
            message = f"国家编码{row.national}将在{one.record[2]}后停用{replacement(one, ground)}"
            yield found(row, "national_code", "MA05", message, "warn")


def useless(rows: Iterable[Proposed], ground: Ground) -> Iterator[Finding]:
    """Yield a warning for every row of a catalogue this kind of institution has no use for (MA07).

    No text forbids such a mapping, so it is told and holds nothing up.
    """
    institution = ground.institution
    if institution is None or institution.kind != "pharmacy" or ground.system not in NOT_FOR_PHARMACIES:
        return
    for row in rows:
        message = f"零售药店不使用{KINDS.get(ground.system, '这类')}编码"
        yield found(row, "national_code", "MA07", message, "warn")


def replacement(one: National, ground: Ground) -> str:
    """Return what to say of why a record ended, and of the code it names in its place."""
    why = "，最新的全量目录不再列出" if one.dropped else ""
    code = one.says("replaced_by")
    if not code:
        return why
    other = ground.target(code)
    return f"{why}，替代编码为{code}" + (f"（{other.record[0]}）" if other is not None and other.record[0] else "")


def _wrong_code(row: Proposed, ground: Ground) -> Finding | None:
    """Return MA07 for a code of another catalogue, MA06 for one that breaks the pattern of its own."""
    code = row.national
    if not code:
        return None
    if ground.form is None or ground.form.fullmatch(code):
        return _other_list(row)
    for system, kind in KINDS.items():
        form = ground.forms.get(system)
        if form is not None and form.fullmatch(code):
            message = f"国家编码{code}是{kind}的编码，不能用于{KINDS.get(ground.system, ground.system)}"
            return found(row, "national_code", "MA07", message)
    return found(row, "national_code", "MA06", f"国家编码{code}不符合编码规则{_slip(code, ground.form)}")


def _other_list(row: Proposed) -> Finding | None:
    """Return MA07 when the list the local side names is not that of the code."""
    given = plain(row.facts.get("list_type", ""))
    if given.isdigit():
        for pattern, types in _LIST_TYPES:
            if given not in types and pattern.fullmatch(row.national):
                message = f"目录类别{given}与国家编码{row.national}的类别（{'、'.join(types)}）不符"
                return found(row, "national_code", "MA07", message)
    return None


def _slip(code: str, form: re.Pattern[str]) -> str:
    """Say which slip of the hand would explain a malformed code."""
    if re.fullmatch(form.pattern, code, re.IGNORECASE):
        return "：字母大小写不符"
    for at in range(len(code), 0, -1):
        mended = code[: at - 1] + code[at - 1 :].translate(_SLIPS)
        if mended != code and form.fullmatch(mended):
            return f"：第{at}位疑似把数字误作字母{code[at - 1]}"
    return ""


def _note(row: Proposed, rule: str, ground: Ground) -> str:
    """Say what helps the person who must put it right: the code in place of a dead one, which of two is misnamed."""
    one = ground.target(row.national)
    if one is None:
        return ""
    if rule == "MA05":
        return replacement(one, ground)
    name = name_form(row.facts.get("name", ""))
    if rule != "MA03" or not name or ground.system in STAFF or name in {name_form(text) for text in one.names}:
        return ""
    return f"；本行的国家名称是“{one.record[0][:60]}”，与院内名称不一致"


def _closed_items(rows: Iterable[Proposed], ground: Ground) -> Iterator[Proposed]:
    """Yield the last row of every local code none of whose rows lasts until today (annex C4)."""
    if not ground.judge_closed:
        return
    last: dict[str, Proposed] = {}
    for row in rows:
        known = last.get(row.local)
        if known is None or row.until > known.until:
            last[row.local] = row
    for local, row in last.items():
        if row.until < ground.today and local not in ground.closing:
            yield row
