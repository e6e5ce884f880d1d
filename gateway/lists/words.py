"""What the words of the rule language do: pure functions over texts, numbers, moments and records.

Source: settlement_list.yaml `rule_language`, as read by annex L4 and L5. `WORDS` names each with the kinds of what it
takes and gives; `gateway/lists/language.py` checks a rule against that when the rules are loaded.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

import attrs

from gateway.lists.reading import Empty

Sort = Literal["text", "number", "moment", "truth"]

NEWBORN_DAYS = 28
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_ID = re.compile(r"[0-9]{17}[0-9Xx]", re.ASCII)
_FEMALE = re.compile(r"O|N7[0-9]|N8|N9[0-8]|C5[1-8]|D2[5-7]")
_MALE = re.compile(r"N4|N5[01]|C6[0-3]")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)
_TWO_DECIMALS = re.compile(r"-?[0-9]+(?:\.[0-9]{1,2})?", re.ASCII)
_CHAPTER = re.compile(r"[0-9]{2}", re.ASCII)
_GRAMS = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,2})?", re.ASCII)


class World(Protocol):
    """What a rule may ask besides the list itself."""

    form: str
    day: str

    def in_domain(self, domain: str, value: str) -> bool:
        """Whether a coded field may hold this value."""

    def code_ok(self, system: str, code: str) -> bool:
        """Whether a code has its standard's form, and a record valid on the day of discharge where those are known."""

    def name_ok(self, system: str, code: str, name: str) -> bool:
        """Whether a name is that of its code; True where records are not known."""

    def gray(self, code: str) -> bool:
        """Whether a diagnosis is not for settling (灰码); False where records are not known."""

    def seen_before(self, setl_id: str) -> bool:
        """Whether another list of the same settlement came before this one."""

    def settled_total(self, setl_id: str) -> Decimal:
        """What the settlement came to, in yuan. Raises Empty where that is not known."""

    def list_state(self, setl_id: str) -> str:
        """stas_type of the list at the platform. Raises Empty where that is not known."""


def _age_days(world: World, birth: datetime, at: datetime) -> Decimal:
    return Decimal((at.date() - birth.date()).days)


def _age_years(world: World, birth: datetime, at: datetime) -> Decimal:
    """In completed years."""
    return Decimal(at.year - birth.year - ((at.month, at.day) < (birth.month, birth.day)))


def _newborn(world: World, birth: datetime, at: datetime) -> bool:
    return 0 <= (at.date() - birth.date()).days <= NEWBORN_DAYS


def _days(world: World, since: datetime, until: datetime) -> Decimal:
    """Difference of calendar dates (annex L4)."""
    return Decimal((until.date() - since.date()).days)


def _minutes(world: World, since: datetime, until: datetime) -> Decimal:
    return Decimal(int((until - since).total_seconds() // 60))


def _day(world: World, at: datetime) -> datetime:
    return datetime(at.year, at.month, at.day)  # noqa: DTZ001  # Asia/Shanghai throughout, compared only


def _id18(world: World, text: str) -> bool:
    """GB 11643: seventeen digits and their check character."""
    if not _ID.fullmatch(text):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], _ID_WEIGHTS, strict=True))
    return _ID_CHECKS[total % 11] == text[17].upper()


def _id_born_on(world: World, text: str, birth: datetime) -> bool:
    """The eight digits say the day; a day that never was is no excuse."""
    return text[6:14] == f"{birth:%Y%m%d}"


def _two_decimals(world: World, text: str) -> bool:
    if not _NUMBER.fullmatch(text):
        raise Empty  # told already: it is no amount at all
    return bool(_TWO_DECIMALS.fullmatch(text))


def _gend_of_id(world: World, text: str) -> str:
    if not _ID.fullmatch(text):
        raise Empty
    return "1" if int(text[16]) % 2 else "2"


def _grams_ok(world: World, text: str, low: Decimal, high: Decimal) -> bool:
    """`2150`, `2150.00`, `2150,2200`: every weight a number between low and high (annex L4)."""
    parts = text.split(",")
    return all(_GRAMS.fullmatch(part) and low <= Decimal(part) <= high for part in parts)


def _operation_of_other_sex(world: World, code: str, gend: str) -> bool:
    """ICD-9-CM-3: 65 to 75 are a woman's, 60 to 64 a man's (annex L4)."""
    if not _CHAPTER.match(code):
        return False
    chapter = int(code[:2])
    return (gend == "1" and 65 <= chapter <= 75) or (gend == "2" and 60 <= chapter <= 64)


def _parts_in_domain(world: World, text: str, domain: str) -> bool:
    return all(world.in_domain(domain, part) for part in text.replace(",", "→").split("→"))


@attrs.frozen
class Word:
    """A function of the language. takes: kinds of its arguments; a last "text..." takes any number of quoted texts.

    An argument "raw" is a field as it was written, whatever its kind.
    """

    takes: tuple[str, ...]
    gives: Sort
    run: Callable[..., Any]


WORDS: Mapping[str, Word] = {
    "in_domain": Word(("raw", "quoted"), "truth", lambda world, text, domain: world.in_domain(domain, text)),
    "parts_in_domain": Word(("raw", "quoted"), "truth", _parts_in_domain),
    "id18_ok": Word(("raw",), "truth", _id18),
    "id_born_on": Word(("raw", "moment"), "truth", _id_born_on),
    "gend_of_id": Word(("raw",), "text", _gend_of_id),
    "day": Word(("moment",), "moment", _day),
    "days": Word(("moment", "moment"), "number", _days),
    "minutes": Word(("moment", "moment"), "number", _minutes),
    "age_days": Word(("moment", "moment"), "number", _age_days),
    "age_years": Word(("moment", "moment"), "number", _age_years),
    "newborn": Word(("moment", "moment"), "truth", _newborn),
    "grams_ok": Word(("raw", "number", "number"), "truth", _grams_ok),
    "two_decimals": Word(("raw",), "truth", _two_decimals),
    "starts": Word(("raw", "quoted..."), "truth", lambda world, text, *heads: text.startswith(heads)),
    "characters": Word(("raw",), "number", lambda world, text: Decimal(len(text))),
    "code_ok": Word(("quoted", "raw"), "truth", lambda world, system, code: world.code_ok(system, code)),
    "name_ok": Word(("quoted", "raw", "raw"), "truth", lambda world, *three: world.name_ok(*three)),
    "gray": Word(("raw",), "truth", lambda world, code: world.gray(code)),
    "female_only": Word(("raw",), "truth", lambda world, code: bool(_FEMALE.match(code))),
    "male_only": Word(("raw",), "truth", lambda world, code: bool(_MALE.match(code))),
    "operation_of_other_sex": Word(("raw", "raw"), "truth", _operation_of_other_sex),
    "abs": Word(("number",), "number", lambda world, number: abs(number)),
    "max": Word(("number", "number"), "number", lambda world, one, other: max(one, other)),
    "seen_before": Word(("raw",), "truth", lambda world, setl_id: world.seen_before(setl_id)),
    "settled_total": Word(("raw",), "number", lambda world, setl_id: world.settled_total(setl_id)),
    "list_state": Word(("raw",), "text", lambda world, setl_id: world.list_state(setl_id)),
}
