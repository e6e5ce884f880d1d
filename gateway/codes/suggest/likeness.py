"""Similar names without comparing with every name: pairs of syllables first, string metric on the short list.

Pairs are taken one and two apart, so that a wrong, missing or swapped character leaves most of them; syllables, so that
a homophone leaves all. What many names share (注射, 胶囊) is not looked up: it would cost most and tell least.
"""

from collections import Counter

from rapidfuzz import fuzz

from gateway.codes.suggest.text import Name, sound_of, spoken

SHORT_LIST = 80  # cores whose names are compared exactly
NAMES_MAX = 12
SCORE_MIN = 45
COMMON = 3000  # names sharing a pair from which on it tells too little
SHORT = 4  # up to this length single syllables count too


class NameIndex:
    """Writings of names by the core they share. Add all, then ask."""

    def __init__(self) -> None:
        self._writings: dict[str, dict[str, str]] = {}  # core -> writing -> its sound
        self._cores: list[str] = []
        self._pairs: dict[str, list[int]] = {}
        self._typed: dict[str, list[str]] = {}  # pinyin and initials -> writings

    def add(self, name: Name, writing: str) -> None:
        """Take a writing of a name."""
        known = self._writings.get(name.core)
        if known is None:
            known = self._writings[name.core] = {}
            for pair in _pairs(name.sound):
                self._pairs.setdefault(pair, []).append(len(self._cores))
            self._cores.append(name.core)
        known[writing] = sound_of(writing)
        for typed in spoken(writing):
            self._typed.setdefault(typed, []).append(writing)

    def same_core(self, name: Name) -> list[str]:
        """Return the writings of names that differ in filler words only."""
        return list(self._writings.get(name.core, ()))

    def similar(self, name: Name) -> list[str]:
        """Return the most similar writings, best first."""
        if name.bare.isascii() and name.bare in self._typed:
            return self._typed[name.bare][:NAMES_MAX]
        sound = sound_of(name.plain)
        scored = []
        for core in self._short_list(name):
            for writing, said in self._writings[core].items():
                score = max(fuzz.ratio(name.plain, writing), fuzz.ratio(sound, said), fuzz.ratio(name.core, core) - 3)
                if score >= SCORE_MIN:
                    scored.append((-score, writing))
        return [writing for _, writing in sorted(scored)[:NAMES_MAX]]

    def _short_list(self, name: Name) -> list[str]:
        found = [postings for pair in _pairs(name.sound) if (postings := self._pairs.get(pair))]
        rare = [postings for postings in found if len(postings) <= COMMON]
        counts: Counter[int] = Counter()
        for postings in rare or sorted(found, key=len)[:1]:
            counts.update(postings)
        return [self._cores[place] for place, _ in counts.most_common(SHORT_LIST)]


def _pairs(sound: str) -> set[str]:
    pairs = {sound[at] + sound[at + 1] for at in range(len(sound) - 1)}
    pairs |= {sound[at] + sound[at + 2] for at in range(len(sound) - 2)}
    return pairs | set(sound) if len(sound) <= SHORT else pairs
