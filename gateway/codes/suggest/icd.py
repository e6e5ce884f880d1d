"""Diagnoses and operations: code and name of the insurance version, or the clinical version through its columns.

Code and name are two witnesses: a clinical code may be spelled like an insurance code of something else, so a code
alone is never sure. A code is never shortened to find a target (mapping rules section 4).
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from gateway.codes.suggest.columns import Icd, LocalIcd
from gateway.codes.suggest.desk import NO_LIMIT, Lens
from gateway.codes.suggest.records import Compared, Entry, Local
from gateway.codes.suggest.text import Namer, fold, verdict_of_names
from gateway.codes.suggest.verdict import Verdict

_SLIPS = str.maketrans({"O": "0", "I": "1", "L": "1"})
_CATEGORY = {"diagnosis": 3, "operation": 2}
_SUBCATEGORY = {"diagnosis": 4, "operation": 3}


@lru_cache(maxsize=1 << 16)
def compact(code: str) -> str:
    """Return a code without dots and signs: `a21.201＋j17.0*` = `A21201J170`; O and I among digits are 0 and 1."""
    plain = re.sub(r"[^0-9A-Z]", "", fold(code))
    return plain[:1] + re.sub(r"(?<=\d)[OIL]|[OIL](?=\d)", lambda found: found[0].translate(_SLIPS), plain[1:])


def codes_of(text: str) -> list[str]:
    """Return the codes one cell names; a dagger pair is one code."""
    return [code for part in re.split(r"[;,；，、|/\s]+", text) if (code := compact(part))]


class IcdDesk:
    """See `desk.Desk`. system: diagnosis or operation."""

    def __init__(self, system: str) -> None:
        self.namer = Namer(system)
        self._category = _CATEGORY[system]
        self._subcategory = _SUBCATEGORY[system]

    def entry_keys(self, entry: Entry) -> Iterable[str]:
        facts: Icd = entry.facts
        code = compact(entry.code)
        yield f"code:{code}"
        yield f"sub:{code[: self._subcategory]}"
        for text in (facts.clinical, facts.national_version, facts.society_version):
            for other in codes_of(text):
                yield f"clin:{other}"

    def local_keys(self, local: Local) -> Iterable[str]:
        code = compact(local.facts.icd_code)
        if code:
            yield f"code:{code}"
            yield f"clin:{code}"
            if len(code) >= self._subcategory:
                yield f"sub:{code[: self._subcategory]}"

    def lens(self, local: Local) -> Lens:
        facts: LocalIcd = local.facts
        code, own = compact(facts.icd_code), self.namer.name(local.name)

        def compare(entry: Entry) -> Compared:
            theirs: Icd = entry.facts
            name, alike = verdict_of_names(own, self.namer.name(entry.names[0]))
            if theirs.clinical_name and name is not Verdict.EQUAL:
                other, closer = verdict_of_names(own, self.namer.name(theirs.clinical_name))
                if other is Verdict.EQUAL:
                    name, alike = Verdict.NEAR, max(alike, closer)
            verdicts = {
                "code": self._verdict(code, entry),
                "category": self._category_verdict(code, entry),
                "name": name,
            }
            return Compared("icd", verdicts, alike)

        return compare

    def _verdict(self, code: str, entry: Entry) -> Verdict:
        """EQUAL the insurance code, NEAR through a column of another version, LIKE of the same subcategory."""
        if not code:
            return Verdict.UNKNOWN
        theirs = compact(entry.code)
        if code == theirs:
            return Verdict.EQUAL
        facts: Icd = entry.facts
        if any(
            code in codes_of(text) for text in (facts.clinical, facts.national_version, facts.society_version) if text
        ):
            return Verdict.NEAR
        # I80.8 and I80.9 are of one category and still two diseases; a code cut to I80 tells no subcategory.
        same = len(code) >= self._subcategory and code[: self._subcategory] == theirs[: self._subcategory]
        return Verdict.LIKE if same else Verdict.DIFFERS

    def _category_verdict(self, code: str, entry: Entry) -> Verdict:
        if not code:
            return Verdict.UNKNOWN
        same = code[: self._category] == compact(entry.code)[: self._category]
        return Verdict.EQUAL if same else Verdict.DIFFERS

    def texts(self, local: Local, entry: Entry) -> Mapping[str, tuple[str, str]]:
        return {"code": (local.facts.icd_code, entry.code), "name": (local.name, entry.names[0])}

    def limit(self, local: Local, entry: Entry) -> tuple[float, str]:
        named = self.namer.undecided(entry.names[0]) and compact(local.facts.icd_code) == compact(entry.code)
        if self.namer.undecided(local.name) and not named:
            return 0.5, "院内名称没有说明确定的诊断或操作，需要医师明确"
        return NO_LIMIT

    def same_product(self, old: Entry, new: Entry) -> bool:
        """A grey code names its successor for the same disease; there is no producer that could differ."""
        return compact(old.code)[: self._category] == compact(new.code)[: self._category]

    def remarks(self, local: Local, entry: Entry, day: str) -> list[str]:
        said = []
        if "+" in entry.code:
            said.append("剑号加星号的合并编码，请整体使用")
        if entry.names[0] != local.name:
            said.append(f"上传时用国家名称“{entry.names[0][:60]}”")
        return said
