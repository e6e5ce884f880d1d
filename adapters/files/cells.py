"""Cells of tables: what counts as empty, and which would be run as a formula by a spreadsheet (annex C3, C6)."""

import re
import unicodedata

BLANKS = " \t\r\n\u00a0\u3000\ufeff\u200b"
# A number, or a number with its unit: `+20.0D` is a lens, not a formula (it names no cell and calls nothing).
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:%|\u00b0?[A-Za-z]{1,4})?")
# ASCII starters and every character NFKC folds to one (full-width, small and superscript forms).
_STARTERS = frozenset("=+-@＝＋－＠﹢﹣﹦﹫⁺⁻⁼₊₋₌")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _is_cjk(character: str) -> bool:
    return unicodedata.name(character, "").startswith(("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH"))


def is_formula(cell: str) -> bool:
    """Say whether a spreadsheet could take the cell for a formula (C6).

    Numbers, a lone `-` and `-` followed by a Chinese character are text people write and are not.
    """
    if not cell:
        return False
    if cell[0] in "\t\r":
        return True
    text = cell.strip(BLANKS)
    if not text or text[0] not in _STARTERS:
        return False
    plain = unicodedata.normalize("NFKC", text)
    if plain[0] == "-" and (len(plain) == 1 or _is_cjk(plain[1])):
        return False
    return _NUMBER.fullmatch(plain) is None


def clean(cell: str) -> str:
    """Return the cell without blanks around it; the literal `null` is empty (C3)."""
    text = cell.strip(BLANKS)
    return "" if text == "null" else text


def has_control(cell: str) -> bool:
    """Say whether a cell holds control characters, which no code and no name has."""
    return _CONTROL.search(cell) is not None


def safe(cell: str) -> str:
    """Return the cell as it may be exported: `'` in front of what a spreadsheet would run (C6)."""
    return f"'{cell}" if is_formula(cell) else cell
