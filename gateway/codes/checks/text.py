"""Texts brought into a form in which two of them can be compared (mapping rules §3).

Each function answers '' or None where it cannot read the text: what cannot be read is not compared, and so never a
finding.
"""

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal

_BRACKETS = str.maketrans("[]{}【】〔〕〈〉《》", "()()()()()()")
_STARS = str.maketrans("×X✕∗", "****")
# What shops write around a name: who pays, where it is kept, whether it is in use (mapping rules §3.2).
_DECORATION = re.compile(
    r"\((?:集采|国谈|国采|基|基药|停|停用|住院|门诊|急诊|院|自|自费|新|旧|备用|甲|乙|丙|医保)\)|[△※*#★☆]+$|^[△※*#★☆]+"
)
_PUNCTUATION = re.compile(r"[\W_]+")
_APPROVAL = re.compile(r"[HZSJBFT][0-9]{8}")
_DIGITS = re.compile(r"[0-9]+")
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(mg|ug|μg|µg|g|kg|ml|ul|l|万iu|万u|万单位|iu|u|单位)(?![a-z])")
_SCALE: dict[str, tuple[str, Decimal]] = {
    "kg": ("mg", Decimal(1_000_000)), "g": ("mg", Decimal(1000)), "mg": ("mg", Decimal(1)),
    "ug": ("mg", Decimal("0.001")), "μg": ("mg", Decimal("0.001")), "µg": ("mg", Decimal("0.001")),
    "l": ("ml", Decimal(1000)), "ml": ("ml", Decimal(1)), "ul": ("ml", Decimal("0.001")),
    "万iu": ("u", Decimal(10_000)), "万u": ("u", Decimal(10_000)), "万单位": ("u", Decimal(10_000)),
    "iu": ("u", Decimal(1)), "u": ("u", Decimal(1)), "单位": ("u", Decimal(1)),
}  # fmt: skip
_PRICE = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")
_FIRM = re.compile(r"\(.*?\)|股份|有限责任|有限|责任|公司|集团|总公司|厂$|科技|生物|国际|中国")
_UNIT_NOISE = re.compile(r"^(?:元?/|每|一)|/$")


def plain(text: str) -> str:
    """Return the text in half width and lower case, without blanks, brackets all alike."""
    if not text:
        return ""
    if text.isalnum() and unicodedata.is_normalized("NFKC", text):
        return text.casefold()  # most texts are in order already, and there are millions
    folded = unicodedata.normalize("NFKC", text).translate(_BRACKETS)
    return "".join(folded.split()).casefold()


def name_form(text: str) -> str:
    """Return a name without what is only written around it."""
    form = plain(text)
    if form.isalnum():
        return form
    while (shorter := _DECORATION.sub("", form)) != form:
        form = shorter
    return form


def names_of(text: str) -> Iterator[str]:
    """Yield the names in a cell that may hold several aliases."""
    for part in re.split(r"[;；,，、|]", text):
        if part.strip():
            yield part.strip()


def approval_number(text: str) -> str:
    """Return letter and eight digits of a drug's approval number; prefix and blanks are noise."""
    numbers = set(_APPROVAL.findall(plain(text).upper()))
    return numbers.pop() if len(numbers) == 1 else ""


def registration_number(text: str) -> str:
    """Return the eleven digits of a device's registration: year, class, two of the kind, serial."""
    digits = _DIGITS.findall(plain(text))
    long = [one for one in digits if len(one) == 11]
    return long[0] if len(long) == 1 else ""


def device_number(text: str) -> str:
    """Return the GTIN-14 of a UDI-DI, also out of a scanned barcode `(01)...(17)...`."""
    form = plain(text)
    found = re.match(r"\(01\)([0-9]{14})", form)
    if found:
        return found[1]
    return form.zfill(14) if re.fullmatch(r"[0-9]{13,14}", form) else ""


def price_number(text: str) -> str:
    """Return the digits of a local price code; a letter or `-1` behind them only tells two local rows apart."""
    found = re.match(r"[0-9]{6,}", plain(text))
    return found[0] if found else ""


def firm(text: str) -> str:
    """Return the core of a producer's name."""
    return _FIRM.sub("", plain(text))


def same_firm(one: str, other: str) -> bool:
    """Say whether two producers may be one: short forms leave out words but keep their order."""
    short, long = sorted((firm(one), firm(other)), key=len)
    letters = iter(long)
    return all(letter in letters for letter in short)


def quantities(text: str) -> dict[str, set[Decimal]]:
    """Return what a specification measures: kind (mg, ml, u) -> amounts. `0.25g` = `250mg`, `2ml:10mg` = `10mg/2ml`."""
    measured: dict[str, set[Decimal]] = {}
    for number, unit in _QUANTITY.findall(plain(text)):
        kind, scale = _SCALE[unit]
        measured.setdefault(kind, set()).add(Decimal(number) * scale)
    return measured


def same_measure(one: str, other: str) -> bool:
    """Say whether no kind that both measure once each has two amounts."""
    first, second = quantities(one), quantities(other)
    return not any(
        len(first[kind]) == len(second[kind]) == 1 and first[kind] != second[kind] for kind in first.keys() & second
    )


def pieces_in(pack: str) -> int | None:
    """Return how many pieces a pack holds: `24粒/盒`, `24粒*1盒`, `盒x24`; None where it is not said plainly."""
    form = plain(pack).upper().translate(_STARS).casefold()
    counts = [int(one) for one in _DIGITS.findall(form)]
    if not 0 < len(counts) <= 3 or "." in form or _QUANTITY.search(form) or not re.search(r"[/*]", form):
        return None
    product = 1
    for count in counts:
        product *= count
    return product or None


def unit_form(text: str) -> str:
    """Return a unit of account: `元/次`, `每次`, `/次` are `次`."""
    form = plain(text)
    while (shorter := _UNIT_NOISE.sub("", form)) != form:
        form = shorter
    return form


def number(text: str) -> Decimal | None:
    """Return a price or ratio; None if it is not a plain number."""
    form = plain(text)
    return Decimal(form) if _PRICE.fullmatch(form) else None


def statement(text: str) -> str:
    """Return a description without punctuation."""
    return _PUNCTUATION.sub("", plain(text))


def yes(text: str) -> bool | None:
    """Read a flag; None when it says neither."""
    form = plain(text)
    if form in ("1", "是", "有", "y", "yes", "true", "√"):
        return True
    return False if form in ("0", "否", "无", "n", "no", "false", "×", "x") else None
