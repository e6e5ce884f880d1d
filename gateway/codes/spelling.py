"""How names are found: by any piece of them, or by the pinyin initials a clerk types (amxljn for 阿莫西林胶囊).

The index of the store holds, for every name, its pairs of neighbouring characters and its initials; a question is put
as pairs that must all be there, and what the index offers is looked at once more, since pairs know no order.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

INITIALS_MARK = "q0"  # a token of initials is told from a pair of letters by it
INITIALS_MAX = 40
# Names repeat their phrases by the thousand; a phrase is spelled once.
_PHRASES = 1 << 15


def plain(text: str) -> str:
    """Return letters, digits and Chinese characters only, full width folded, in lower case."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def initials(text: str) -> str:
    """Return the pinyin initials of a name, its Latin letters and digits kept."""
    runs = groupby(plain(text), key=str.isascii)
    return "".join("".join(run) if latin else _spelled("".join(run)) for latin, run in runs)[:INITIALS_MAX]


@lru_cache(maxsize=_PHRASES)
def _spelled(phrase: str) -> str:
    """Spell a run of Chinese characters; phrases decide how a character of several readings is read."""
    from pypinyin import Style, lazy_pinyin  # its phrases take a third of a second; a start spells nothing

    return "".join(part[0] for part in lazy_pinyin(phrase, style=Style.FIRST_LETTER, errors="ignore") if part)


def words(name: str) -> str:
    """Return what the index holds of a name."""
    text = plain(name)
    return " ".join((*_pairs(text), text[-1], INITIALS_MARK + initials(name))) if text else ""


def _pairs(text: str) -> Iterator[str]:
    return (text[at : at + 2] for at in range(len(text) - 1))


def question(text: str) -> str:
    """Return the question to put to the index, '' when nothing can be asked."""
    wanted = plain(text)
    if not wanted:
        return ""
    pairs = " AND ".join(f'"{pair}"' for pair in dict.fromkeys(_pairs(wanted))) or f'"{wanted}"*'
    return f'({pairs}) OR "{INITIALS_MARK}{wanted}"*' if wanted.isascii() else pairs


def fits(text: str, name: str) -> bool:
    """Say whether a name is meant: it contains the text, or its initials begin with it."""
    wanted = plain(text)
    return bool(wanted) and (wanted in plain(name) or initials(name).startswith(wanted))
