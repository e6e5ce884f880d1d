"""Which producer of the national file a local producer's name means.

Hospitals abbreviate, and abbreviations fit several firms. A name is therefore resolved against all producers of the
national file at once: the exact firm wins, an abbreviation counts only when one firm fits it.
"""

import re
from functools import cache, lru_cache

from rapidfuzz import fuzz

from gateway.codes.suggest.text import fold, sound_of
from gateway.codes.suggest.verdict import Verdict
from gateway.codes.suggest.words import makers

ALIKE_MIN = 80
_BRACKETED = re.compile(r"\([^()]*\)")
_SIGNS = re.compile(r"[()·.,、\-*]+")


@cache
def _words(kind: str) -> re.Pattern[str]:
    table = makers()
    found = {"legal": table.legal, "filler": table.filler, "regions": table.regions}[kind]
    return re.compile("|".join(sorted(map(re.escape, found), key=len, reverse=True)))


@lru_cache(maxsize=1 << 15)
def _full(name: str) -> str:
    return _SIGNS.sub("", _words("legal").sub("", fold(name)))


@lru_cache(maxsize=1 << 15)
def _core(name: str) -> str:
    plain = _BRACKETED.sub("", fold(name)) or fold(name)
    return _SIGNS.sub("", _words("legal").sub("", plain))


@lru_cache(maxsize=1 << 15)
def _reduced(name: str) -> str:
    core = _core(name)
    short = _words("filler").sub("", core)
    placeless = _words("regions").sub("", short)
    return placeless if len(placeless) > 1 else short


class MakerBook:
    """All producers of a national file."""

    def __init__(self) -> None:
        self._all: dict[str, None] = {}
        self._by: dict[tuple[str, str], list[str]] = {}
        self._holding: dict[str, set[str]] = {}
        self._resolved: dict[str, tuple[frozenset[str], Verdict]] = {}

    def add(self, name: str) -> None:
        """Take note of a producer; once only."""
        if not name or name in self._all:
            return
        self._all[name] = None
        for kind, key in (
            ("exact", fold(name)),
            ("full", _full(name)),
            ("core", _core(name)),
            ("short", _reduced(name)),
        ):
            self._by.setdefault((kind, key), []).append(name)
        for character in set(_core(name)):
            self._holding.setdefault(character, set()).add(name)

    def verdict(self, local: str, nationals: tuple[str, ...]) -> Verdict:
        """Compare a local name with the names a national row goes by (producer, holder, packer)."""
        named = [name for name in nationals if name]
        if not local or not named:
            return Verdict.UNKNOWN
        firms, verdict = self._resolve(local)
        return verdict if any(name in firms for name in named) else Verdict.DIFFERS

    def _resolve(self, local: str) -> tuple[frozenset[str], Verdict]:
        found = self._resolved.get(local)
        if found is None:
            found = self._resolved[local] = self._look(local)
        return found

    def _look(self, local: str) -> tuple[frozenset[str], Verdict]:
        for kind, key in (("exact", fold(local)), ("full", _full(local)), ("core", _core(local))):
            firms = self._by.get((kind, key), [])
            if key and firms:
                return frozenset(firms), Verdict.EQUAL if len(firms) == 1 else Verdict.UNKNOWN
        firms = self._abbreviated(_core(local)) or self._by.get(("short", _reduced(local)), [])
        if firms:
            return frozenset(firms), Verdict.NEAR if len(firms) == 1 else Verdict.UNKNOWN
        return frozenset(self._alike(_core(local))), Verdict.LIKE

    def _abbreviated(self, core: str) -> list[str]:
        """Return the firms whose name holds the characters of `core` in this order."""
        if len(core) < 2 or any(character not in self._holding for character in core):
            return []
        among = set.intersection(*(self._holding[character] for character in core))
        return sorted(name for name in among if _within(core, _core(name)))

    def _alike(self, core: str) -> list[str]:
        if len(core) < 3:
            return []
        sound = sound_of(core)
        return [
            name for name in self._all if fuzz.ratio(core, _core(name)) >= ALIKE_MIN or sound == sound_of(_core(name))
        ]


def _within(short: str, long: str) -> bool:
    rest = iter(long)
    return all(character in rest for character in short)
