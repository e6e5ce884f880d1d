"""Names made comparable (mapping rules section 3), and how alike two of them are.

A name is kept in several writings: `full` as written, `bare` without decorations such as (集采), `plain` with the
abbreviations of its trade expanded, `core` without filler words, `sound` in syllables, so that a homophone typed by a
pinyin keyboard is recognised as such. Differences that are neither filler nor homophone are never called small: one
character tells 左 from 右 and 大 from 小.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache

import attrs
from opencc import OpenCC
from rapidfuzz import fuzz
from rapidfuzz.distance import Indel, Levenshtein

from gateway.codes.suggest.verdict import Verdict
from gateway.codes.suggest.words import wording, writing

LIKE_MIN = 0.6
STEM_ALIKE = 0.75
NAME_MAX = 500  # characters of a name that are compared; the national interface allows 200
TYPED_MIN = 4  # Latin letters; fewer initials fit too many names
_BRACKETS = str.maketrans({one: "(" for one in "[{【〔〖「『⟨<《"} | {one: ")" for one in "]}】〕〗」』⟩>》"})
_LETTERS = str.maketrans({"μ": "u", "µ": "u", "×": "*", "✕": "*", "╳": "*", "﹡": "*"})
_BRACKETED = re.compile(r"\([^()]*\)")
_BLANK = re.compile(r"[\s\u200b\ufeff\u00ad]+")


@cache
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """Return text in one width, one case, simplified, with one kind of brackets and no blanks."""
    if not text:
        return ""
    plain = unicodedata.normalize("NFKC", text.translate(_LETTERS)).translate(_LETTERS).translate(_BRACKETS)
    if not plain.isascii():
        plain = _simplifier().convert(plain)
    return _BLANK.sub("", plain).upper()


@cache
def _decorated() -> re.Pattern[str]:
    words = "|".join(sorted(map(re.escape, writing().decorations), key=len, reverse=True))
    return re.compile(rf"\((?:{words})\)|[{re.escape(writing().symbols)}]")


@cache
def _separated() -> re.Pattern[str]:
    return re.compile(rf"[{re.escape(writing().separators)}]+")


@cache
def _latin(character: str) -> str:
    from pypinyin import lazy_pinyin  # its phrases take a third of a second, and few commands spell

    return str(lazy_pinyin(character)[0])


@cache
def _syllable(character: str) -> str:
    """Return one private character per syllable, the character itself when it has none."""
    said = _latin(character)
    if said == character:
        return character
    return _SYLLABLES.setdefault(said, chr(0xE000 + len(_SYLLABLES)))


_SYLLABLES: dict[str, str] = {}


def sound_of(text: str) -> str:
    """Return text as a string of syllables, comparable by any string metric."""
    return "".join(map(_syllable, text))


@lru_cache(maxsize=1 << 15)
def spoken(text: str) -> tuple[str, str]:
    """Return (pinyin, initials) in Latin capitals: what a hurried hand types instead of a name."""
    syllables = [_latin(character) for character in text]
    return "".join(syllables).upper(), "".join(syllable[:1] for syllable in syllables).upper()


@attrs.frozen(slots=True)
class Name:
    """One name in its writings; see the module. stem: bare without what stands in brackets."""

    full: str
    bare: str
    stem: str
    plain: str
    core: str
    sound: str
    bag: str


class Namer:
    """Prepares names of one table of `wording.json`; remembers what it has prepared."""

    def __init__(self, table: str, reduce: Callable[[str], str] | None = None) -> None:
        self._expand = _expander(wording().expansions.get(table, {}))
        fillers = sorted(wording().fillers.get(table, []), key=len, reverse=True)
        self._fillers = re.compile("|".join(map(re.escape, fillers))) if fillers else None
        self._reduce = reduce or self._without_fillers
        self._undecided = tuple(fold(word) for word in wording().undecided.get(table, []))
        self._known: dict[str, Name] = {}

    def name(self, raw: str) -> Name:
        found = self._known.get(raw)
        if found is None:
            found = self._known[raw] = self._prepare(raw)
        return found

    def undecided(self, raw: str) -> bool:
        """Say whether the row's own words say that it has no certain target (待查, 自制, 停车费)."""
        text = _decorated().sub("", fold(raw))
        return any(word in text for word in self._undecided)

    def _prepare(self, raw: str) -> Name:
        folded = fold(raw[:NAME_MAX])
        plain = self._expand(_decorated().sub("", folded) or folded)
        core = self._reduce(plain) or plain
        core = _separated().sub("", core) or core
        bare = _separated().sub("", _decorated().sub("", folded)) or folded
        stem = _separated().sub("", _BRACKETED.sub("", _decorated().sub("", folded))) or bare
        full = _separated().sub("", folded) or folded
        plain = _separated().sub("", plain) or plain
        return Name(full, bare, stem, plain, core, sound_of(core), "".join(sorted(core)))

    def _without_fillers(self, text: str) -> str:
        return self._fillers.sub("", text) if self._fillers else text


def _expander(table: dict[str, str]) -> Callable[[str], str]:
    """Return what writes abbreviations out; Latin ones only between other characters than Latin and digits."""
    if not table:
        return lambda text: text
    pairs = {fold(short): fold(long) for short, long in table.items()}
    parts = []
    for short in sorted(pairs, key=len, reverse=True):
        rest = pairs[short][len(short) :] if pairs[short].startswith(short) else ""
        ahead = f"(?!{re.escape(rest)})" if rest else ""
        around = (r"(?<![A-Z0-9])", r"(?![A-Z0-9])") if short[0].isascii() and short[0].isalnum() else ("", "")
        parts.append(around[0] + re.escape(short) + around[1] + ahead)
    # What is written out already must not be touched again: 糖尿病 holds no abbreviation of its own.
    longs = sorted({long for long in pairs.values() if len(long) > 1}, key=len, reverse=True)
    pattern = re.compile("|".join([*map(re.escape, longs), *parts]))
    return lambda text: pattern.sub(lambda found: pairs.get(found[0], found[0]), text)


def similarity(one: Name, other: Name) -> float:
    """Return 0..1, the best of the writings; the more is changed to make them alike, the less it counts."""
    return (
        max(
            fuzz.ratio(one.plain, other.plain),
            fuzz.ratio(one.core, other.core) * 0.98,
            fuzz.ratio(one.sound, other.sound) * 0.97,
            fuzz.ratio(one.bag, other.bag) * 0.9,
        )
        / 100
    )


def verdict_of_names(local: Name, national: Name) -> tuple[Verdict, float]:
    """Return the verdict and the similarity 0..1 of a local and a national name."""
    if not local.full or not national.full:
        return Verdict.UNKNOWN, 0.0
    if national.full in (local.full, local.bare):
        return Verdict.EQUAL, 1.0
    alike = similarity(local, national)
    if len(local.bare) >= TYPED_MIN and local.bare.isascii() and local.bare in spoken(national.full):
        return Verdict.LIKE, STEM_ALIKE
    if national.full in (local.stem, local.bare[: len(national.full)]) and len(national.full) > 1:
        alike = max(alike, STEM_ALIKE)  # something was added, in brackets or behind: perhaps a note, perhaps (大)
    if national.full != national.bare:
        # A tag in the national name, as in 诊查费(门诊), is part of it and not a decoration.
        return (Verdict.LIKE if alike >= LIKE_MIN else Verdict.DIFFERS), alike
    if local.core == national.core or local.plain == national.plain:
        return Verdict.NEAR, max(alike, 0.98)
    if local.sound == national.sound and len(local.core) > 1:
        return Verdict.NEAR, max(alike, 0.97)
    if local.bag == national.bag and len(local.core) > 3:
        return Verdict.NEAR, alike
    return (Verdict.LIKE if alike >= LIKE_MIN else Verdict.DIFFERS), alike


@lru_cache(maxsize=1 << 14)
def one_character_apart(one: str, other: str) -> bool:
    """Say whether a single wrong, missing or added character would turn one name into the other."""
    return Levenshtein.distance(fold(one), fold(other), score_cutoff=1) <= 1


def difference(local: Name, national: Name) -> str:
    """Return in Chinese what the local name has more and less than the national one."""
    more, less = [], []
    for step in Indel.opcodes(local.bare, national.full):
        if step.tag == "delete":
            more.append(local.bare[step.src_start : step.src_end])
        elif step.tag == "insert":
            less.append(national.full[step.dest_start : step.dest_end])
    said = [f"院内多“{'、'.join(more)}”"] if more else []
    said += [f"国家多“{'、'.join(less)}”"] if less else []
    return "，".join(said)
