"""Rows known by their name: chronic diseases, diseases of a settlement list, institutions, pharmacies, units.

Lists of diseases are regional: the same name under another division is another code (mapping rules section 4).
"""

import re
from collections.abc import Iterable, Mapping

from gateway.codes.suggest.columns import LocalNamed, Named
from gateway.codes.suggest.desk import NO_LIMIT, Lens
from gateway.codes.suggest.records import Compared, Entry, Local
from gateway.codes.suggest.text import Namer, fold, verdict_of_names
from gateway.codes.suggest.verdict import Verdict


def licence_key(text: str) -> str:
    return re.sub(r"[^0-9A-Z\u4e00-\u9fff]", "", fold(text))


class NamedDesk:
    """See `desk.Desk`."""

    def __init__(self, system: str) -> None:
        self.namer = Namer(system)

    def entry_keys(self, entry: Entry) -> Iterable[str]:
        facts: Named = entry.facts
        for text in (facts.key, facts.licence):
            if text:
                yield f"key:{licence_key(text)}"

    def local_keys(self, local: Local) -> Iterable[str]:
        if local.facts.key:
            yield f"key:{licence_key(local.facts.key)}"

    def lens(self, local: Local) -> Lens:
        mine: LocalNamed = local.facts
        own = self.namer.name(local.name)

        def compare(entry: Entry) -> Compared:
            theirs: Named = entry.facts
            name, alike = verdict_of_names(own, self.namer.name(entry.names[0]))
            known = {licence_key(text) for text in (theirs.key, theirs.licence) if text}
            key = Verdict.UNKNOWN
            if mine.key and known:
                key = Verdict.EQUAL if licence_key(mine.key) in known else Verdict.DIFFERS
            verdicts = {"key": key, "name": name, "region": _verdict_of_regions(mine.region, theirs.region)}
            return Compared("named", verdicts, alike)

        return compare

    def texts(self, local: Local, entry: Entry) -> Mapping[str, tuple[str, str]]:
        return {
            "key": (local.facts.key, entry.facts.key),
            "name": (local.name, entry.names[0]),
            "region": (local.facts.region, entry.facts.region) if local.facts.region else ("", ""),
        }

    def limit(self, local: Local, entry: Entry) -> tuple[float, str]:
        if self.namer.undecided(local.name) and not self.namer.undecided(entry.names[0]):
            return 0.5, "院内名称没有说明确定的病种"
        return NO_LIMIT

    def same_product(self, old: Entry, new: Entry) -> bool:
        return old.names[0] == new.names[0] and old.facts.region == new.facts.region

    def remarks(self, local: Local, entry: Entry, day: str) -> list[str]:
        return []


def _verdict_of_regions(local: str, national: str) -> Verdict:
    """A county lies in its city: 990101 is served by the list of 990100."""
    if not local or not national:
        return Verdict.UNKNOWN
    wide = national.rstrip("0")
    return Verdict.EQUAL if local == national or (len(wide) >= 2 and local.startswith(wide)) else Verdict.DIFFERS
