"""Doctors, nurses, pharmacists: by identity number and licence; a name alone is nobody.

Identity and licence numbers are compared in memory and appear in no note and no error.
"""

import re
from collections.abc import Iterable, Mapping

from gateway.codes.suggest.columns import LocalStaff, Staff
from gateway.codes.suggest.desk import NO_LIMIT, Lens
from gateway.codes.suggest.records import Compared, Entry, Local
from gateway.codes.suggest.text import Namer, fold, verdict_of_names
from gateway.codes.suggest.verdict import Verdict

LICENCE_MIN = 8  # digits; a shorter piece of a licence number fits too many
SLIPS_MAX = 2  # mistyped characters of an identity number; two neighbours in the wrong order are two
LEFT = ("离职", "离岗", "退休", "注销", "吊销", "调出", "停止执业", "死亡", "终止")
_MASK = re.compile(r"[*XＸ×•]{4,}")


def identity_of(text: str) -> str:
    return re.sub(r"[^0-9A-Z*]", "", fold(text).replace("×", "*"))


def visible_parts(identity: str) -> tuple[str, str]:
    """Return what a masked identity number shows at both ends."""
    found = _MASK.search(identity)
    return (identity[: found.start()], identity[found.end() :]) if found else (identity, "")


def verdict_of_identities(local: str, national: str) -> Verdict:
    """EQUAL whole, NEAR masked with six or more visible characters that fit, LIKE mistyped, DIFFERS otherwise."""
    one, other = identity_of(local), identity_of(national)
    if not one or not other or set(one) == {"*"}:
        return Verdict.UNKNOWN
    if one == other:
        return Verdict.EQUAL
    if _MASK.search(one) or _MASK.search(other):
        return _verdict_of_masked(one, other)
    # Fifteen-digit numbers of the first generation: no century, no check character.
    old, new = sorted((one, other), key=len)
    if len(old) == 15 and len(new) == 18 and old == new[:6] + new[8:17]:
        return Verdict.EQUAL
    slips = sum(a != b for a, b in zip(one, other, strict=True)) if len(one) == len(other) else SLIPS_MAX + 1
    return Verdict.LIKE if slips <= SLIPS_MAX else Verdict.DIFFERS


def _verdict_of_masked(one: str, other: str) -> Verdict:
    if not _MASK.search(one):
        one, other = other, one
    head, tail = visible_parts(one)
    head_2, tail_2 = visible_parts(other) if _MASK.search(other) else (other, other)
    fits = _starts(head, head_2) and _ends(tail, tail_2)
    if not fits:
        return Verdict.DIFFERS
    return Verdict.NEAR if len(head) + len(tail) >= 6 and tail else Verdict.UNKNOWN


def _starts(one: str, other: str) -> bool:
    return one.startswith(other[: len(one)]) or other.startswith(one)


def _ends(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)


def licence_of(text: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", fold(text)).lstrip("0")


def verdict_of_licences(local: str, national: str) -> Verdict:
    """EQUAL whole; NEAR when one is the end of the other (systems that cut to ten characters)."""
    one, other = licence_of(local), licence_of(national)
    if not one or not other:
        return Verdict.UNKNOWN
    if one == other:
        return Verdict.EQUAL
    short, long = sorted((one, other), key=len)
    return Verdict.NEAR if len(short) >= LICENCE_MIN and long.endswith(short) else Verdict.DIFFERS


class StaffDesk:
    """See `desk.Desk`."""

    def __init__(self) -> None:
        self.namer = Namer("staff")

    def entry_keys(self, entry: Entry) -> Iterable[str]:
        facts: Staff = entry.facts
        yield f"id:{identity_of(facts.identity)}"
        yield f"cert:{licence_of(facts.licence)[-LICENCE_MIN:]}"

    def local_keys(self, local: Local) -> Iterable[str]:
        facts: LocalStaff = local.facts
        if facts.identity:
            yield f"id:{identity_of(facts.identity)}"
        licence = licence_of(facts.licence)
        if len(licence) >= LICENCE_MIN:
            yield f"cert:{licence[-LICENCE_MIN:]}"

    def lens(self, local: Local) -> Lens:
        mine: LocalStaff = local.facts
        own = self.namer.name(local.name)

        def compare(entry: Entry) -> Compared:
            theirs: Staff = entry.facts
            name, alike = verdict_of_names(own, self.namer.name(entry.names[0]))
            verdicts = {
                "identity": verdict_of_identities(mine.identity, theirs.identity),
                "licence": verdict_of_licences(mine.licence, theirs.licence),
                "name": name,
                "place": _same(mine.place, theirs.place),
            }
            return Compared("staff", verdicts, alike)

        return compare

    def texts(self, local: Local, entry: Entry) -> Mapping[str, tuple[str, str]]:
        return {"place": (local.facts.place, entry.facts.place)}

    def limit(self, local: Local, entry: Entry) -> tuple[float, str]:
        state = entry.facts.state
        if any(word in state for word in LEFT):
            return 0.8, f"国家目录登记该人员{state}，请先核实是否仍在本机构执业"
        return NO_LIMIT

    def same_product(self, old: Entry, new: Entry) -> bool:
        return bool(old.facts.identity) and identity_of(old.facts.identity) == identity_of(new.facts.identity)

    def remarks(self, local: Local, entry: Entry, day: str) -> list[str]:
        return []


def _same(local: str, national: str) -> Verdict:
    if not local or not national:
        return Verdict.UNKNOWN
    return Verdict.EQUAL if fold(local) == fold(national) else Verdict.DIFFERS
