"""Which code a new entry may get: proposed from what is known, never given by itself (赋码).

The proposal is the highest serial known in the division's range and one more. Gaps are not filled: a code once given,
even to an entry that was returned afterwards, stays that entry's.
"""

import re
from collections.abc import Collection, Iterable

import attrs

from gateway.codes.duties import Register


@attrs.frozen
class Proposal:
    """A code for an entry, or why there is none to propose."""

    entry: int
    code: str
    why: str


def propose(register: Register, wanted: Iterable[tuple[int, str]], known: Iterable[str]) -> list[Proposal]:
    """Propose codes for (entry, division) in order; known: every code of the register ever seen here."""
    if not register.prefix:
        why = "该标准的编码结构未公布，请由赋码人用--code给出"
        return [Proposal(entry, "", why) for entry, _ in wanted]
    form = re.compile(f"{register.prefix}([0-9]{{6}})([0-9]{{{register.serial}}})")
    highest: dict[str, int] = {}
    for code in known:
        if found := form.fullmatch(code):
            scope = found[1][: register.within]
            highest[scope] = max(highest.get(scope, 0), int(found[2]))
    proposals = []
    for entry, division in wanted:
        if not division:
            proposals.append(Proposal(entry, "", "申报内容没有区划，请用--division或--code给出"))
            continue
        scope = division[: register.within]
        highest[scope] = highest.get(scope, 0) + 1
        serial = f"{highest[scope]:0{register.serial}d}"
        if len(serial) > register.serial:
            proposals.append(Proposal(entry, "", f"区划{scope}的顺序码已用完"))
        else:
            proposals.append(Proposal(entry, f"{register.prefix}{division}{serial}", ""))
    return proposals


def unfit(code: str, division: str, register: Register, form: re.Pattern[str], known: Collection[str]) -> str:
    """Return why a code cannot be given to an entry of the division, '' when it can."""
    if not form.fullmatch(code):
        return f"编码{code}不符合该标准的编码规则"
    if code in known:
        return f"编码{code}已被使用，编码不重复使用"
    # A register whose codes carry the division: the one in the code is the entry's.
    if register.prefix and division and re.match(r"[A-Z]+[0-9]{6}", code):
        inside = re.sub(r"^[A-Z]+", "", code)[:6]
        if inside != division:
            return f"编码{code}中的区划{inside}与申报的区划{division}不同"
    return ""
