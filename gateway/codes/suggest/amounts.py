"""Strengths and packs as numbers (mapping rules section 3.3 and 3.4): `0.25g` = `250mg`, `24粒/盒` = `24粒*1盒`.

Pure text to Decimal; what cannot be read is compared as text. A wrong conversion ratio is a price error, so a pack that
cannot be read never counts as equal.
"""

import re
from collections import Counter
from decimal import Decimal
from functools import cache, lru_cache

import attrs

from gateway.codes.suggest.text import fold
from gateway.codes.suggest.verdict import Verdict
from gateway.codes.suggest.words import measures

_NUMBER = r"\d+(?:\.\d+)?|\.\d+"
_PUFF = "puff"
_OUTER = frozenset({"box", "blister"})
_PER = re.compile(r"^(?:元?/|每|按)")
_FILL = re.compile(r"[\s,，、()]+")


@attrs.frozen(slots=True)
class Pack:
    """How many counted units (group `inner`, "" = unsaid) lie in one `container` ("" = unsaid)."""

    count: Decimal
    inner: str
    container: str


@cache
def _amount_units() -> dict[str, tuple[str, Decimal]]:
    units = {}
    for dimension, words in measures().amounts.items():
        for word, factor in words.items():
            units[fold(word)] = (dimension, Decimal(factor))
    return units


@cache
def _counted_units() -> dict[str, str]:
    return {fold(word): group for group, words in measures().counted.items() for word in words}


@cache
def _amount_pattern() -> re.Pattern[str]:
    words = [*_amount_units(), *(word for word, group in _counted_units().items() if group == _PUFF)]
    return re.compile(rf"({_NUMBER})({_choice(words)})(?![A-Z])")


@cache
def _pack_pattern() -> re.Pattern[str]:
    words = [word for word, group in _counted_units().items() if group != _PUFF]
    return re.compile(rf"({_NUMBER})?({_choice(words)})(?![A-Z])|(?<![\d.])({_NUMBER})(?![\d.A-Z%])")


def _choice(words: list[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


@lru_cache(maxsize=1 << 15)
def strength(text: str) -> Counter[tuple[str, Decimal]]:
    """Return the amounts a specification names, each with its dimension, in base units."""
    folded = fold(text)
    # `0.5g/ml` means in one ml.
    folded = re.sub(r"/(ML|L|G|MG)(?![A-Z0-9])", r"/1\1", folded)
    found: Counter[tuple[str, Decimal]] = Counter()
    for number, unit in _amount_pattern().findall(folded):
        dimension, factor = _amount_units().get(unit, (_PUFF, Decimal(1)))
        found[(dimension, (Decimal(number) * factor).normalize())] += 1
    return _percent_as_mass(found)


def _percent_as_mass(found: Counter[tuple[str, Decimal]]) -> Counter[tuple[str, Decimal]]:
    """Turn `0.9% 100ml` into 0.9 g in 100 ml, as `100ml:0.9g` says it."""
    percents = [value for dimension, value in found if dimension == "percent"]
    volumes = [value for dimension, value in found if dimension == "volume"]
    if len(percents) != 1 or len(volumes) != 1:
        return found
    mass = (percents[0] * volumes[0] * 10000).normalize()  # 1 % of 1 ml is 10 mg = 10,000 ug
    if any(dimension == "mass" and value != mass for dimension, value in found):
        return found
    return Counter({("volume", volumes[0]): 1, ("mass", mass): 1})


def verdict_of_strengths(local: str, national: str) -> Verdict:
    """Compare two specifications of medicines."""
    if not local or not national:
        return Verdict.UNKNOWN
    one, other = fold(local), fold(national)
    if one == other:
        return Verdict.EQUAL
    mine, theirs = strength(local), strength(national)
    if mine and mine == theirs:
        return Verdict.EQUAL
    if not mine or not theirs:
        return _plain_numbers(one, other, theirs)
    if not mine - theirs or not theirs - mine:
        return Verdict.LIKE  # one of them says less
    return Verdict.DIFFERS


def _plain_numbers(one: str, other: str, theirs: Counter[tuple[str, Decimal]]) -> Verdict:
    """A number without its unit is a hint; text without numbers is compared as text."""
    numbers = [Decimal(found) for found in re.findall(_NUMBER, one)]
    national = [Decimal(found) for found in re.findall(_NUMBER, other)]
    if numbers and national:
        return Verdict.LIKE if Counter(numbers) == Counter(national) else Verdict.DIFFERS
    if numbers or national or theirs:
        return Verdict.DIFFERS if numbers else Verdict.UNKNOWN
    return Verdict.LIKE if one in other or other in one else Verdict.DIFFERS


@lru_cache(maxsize=1 << 15)
def pack(text: str) -> Pack | None:
    """Return what a pack holds; None when it cannot be read."""
    folded = _FILL.sub("", fold(text))
    # `盒X24`: the letter as a sign, wherever it is no unit.
    folded = re.sub(r"(?<=[^A-Z])X(?=\d)|(?<=\d)X(?=\d)", "*", folded)
    parts = [(number or bare, _counted_units().get(unit, "")) for number, unit, bare in _matches(folded)]
    counted = [(Decimal(number), group) for number, group in parts if number]
    groups = [group for _, group in parts if group]
    if not counted and not groups:
        return None
    count = Decimal(1)
    for number, _ in counted:
        count *= number
    inner = next((group for _, group in counted if group and group not in _OUTER), "")
    loose = [group for number, group in parts if group and not number]
    container = loose[-1] if loose else ""
    if not loose and groups and (len(groups) > 1 or groups[-1] == "box"):
        container = groups[-1]
    return Pack(count.normalize(), inner, container)


def _matches(folded: str) -> list[tuple[str, str, str]]:
    return [(number, unit, bare) for number, unit, bare in _pack_pattern().findall(folded)]


def verdict_of_packs(local: str, national: str) -> Verdict:
    """Compare two packs: count first, then what is counted and what holds it."""
    if not local or not national:
        return Verdict.UNKNOWN
    if fold(local) == fold(national):
        return Verdict.EQUAL
    mine, theirs = pack(local), pack(national)
    if mine is None or theirs is None:
        return Verdict.LIKE if mine is theirs else Verdict.DIFFERS
    if mine.count != theirs.count:
        return Verdict.DIFFERS
    if mine.container and theirs.container and mine.container != theirs.container:
        return Verdict.DIFFERS
    if mine.inner and theirs.inner and mine.inner != theirs.inner:
        return Verdict.LIKE
    silent = not (mine.container and theirs.container) or (not mine.inner and mine.count != 1)
    return Verdict.NEAR if silent else Verdict.EQUAL


@lru_cache(maxsize=1 << 15)
def split_spec(spec: str, packed: str) -> tuple[str, str]:
    """Return (strength text, pack text) of a local row; `0.25g*24粒/盒` in one cell is taken apart."""
    if packed or not spec:
        return spec, packed
    head, sign, rest = fold(spec).partition("*")
    if not sign:
        return spec, packed
    found = pack(rest)
    if found is None or (not found.inner and not found.container) or not strength(head):
        return spec, packed
    return head, rest


@lru_cache(maxsize=1 << 15)
def model(text: str) -> str:
    """Return the model of a device without signs that differ by habit: `3.0×23mm` = `3*23MM`."""
    plain = re.sub(r"(?<=\d)\.0+(?!\d)", "", fold(text))
    plain = re.sub(r"(?<=\d)X(?=[\d+.])", "*", plain)
    plain = plain.replace("毫米", "MM").replace("厘米", "CM").replace("毫升", "ML")
    return re.sub(r"[\s,;:()_]+", "", plain)


def verdict_of_models(local: str, national: str) -> Verdict:
    """Compare two models of devices; a model that is only part of the other is alike."""
    if not local or not national:
        return Verdict.UNKNOWN
    one, other = model(local), model(national)
    if one == other:
        return Verdict.EQUAL
    if re.findall(r"[\d.]+", one) == re.findall(r"[\d.]+", other) and re.sub(r"MM|CM|ML|型|号", "", one) == re.sub(
        r"MM|CM|ML|型|号", "", other
    ):
        return Verdict.LIKE if _both_have_units(one, other) else Verdict.NEAR
    return Verdict.LIKE if one in other or other in one else Verdict.DIFFERS


def _both_have_units(one: str, other: str) -> bool:
    """Say whether both name units, and other ones: `3mm` is not `3cm`."""
    units = [set(re.findall(r"MM|CM|ML", text)) for text in (one, other)]
    return bool(units[0] and units[1] and units[0] != units[1])


@cache
def _service_units() -> dict[str, int]:
    return {fold(word): group for group, words in enumerate(measures().service_units) for word in words}


def verdict_of_units(local: str, national: str) -> Verdict:
    """Compare two units of charging: 次 is not 日 (mapping rules section 4: never)."""
    if not local or not national:
        return Verdict.UNKNOWN
    one, other = (_PER.sub("", fold(unit)) for unit in (local, national))
    if one == other:
        return Verdict.EQUAL
    known = _service_units()
    same = one in known and known[one] == known.get(other, -1)
    return Verdict.EQUAL if same else Verdict.DIFFERS
