"""What the content checks stand on: everything given, nothing guessed. What is None or empty keeps its rules silent."""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Literal

import attrs

from gateway.codes.checks.national import National, RawRow, Seen, Sought, search
from gateway.codes.content import Find

WARN_DAYS = 30  # mapping rules §6, MA05: a hypothesis, so a setting
_LEVEL = re.compile(r"([一二三123])[级甲乙丙特]")
STAFF = frozenset({"doctor", "nurse", "pharmacist"})


@attrs.frozen(kw_only=True)
class Institution:
    """Whose mapping it is. kind: by the first letter of its code; level: 1, 2, 3 of the hospital, None = not known."""

    code: str
    kind: Literal["hospital", "pharmacy"]
    level: int | None = None


@attrs.frozen(kw_only=True)
class Cap:
    """A price cap of 1318. level: 1, 2, 3 or None = every institution; amount in yuan; days inclusive, '' = open."""

    amount: Decimal
    level: int | None = None
    begndate: str = ""
    enddate: str = ""


@attrs.frozen(kw_only=True)
class Uploaded:
    """One row of what 1317 returned: what the platform holds for an institution. Days '' = open."""

    local: str
    national: str
    begndate: str = ""
    enddate: str = ""


@attrs.frozen(kw_only=True)
class Ground:
    """What one run of the checks is given.

    form: pattern of the system's codes; forms: of the other systems; records: the national records of the codes
    proposed, None = no library was imported; library: reads the whole library anew; warn_until: the day up to which a
    record that ends is told in advance; caps: national code -> caps; approved: price codes of the items the province
    approved (`approved_codes`), None = no list was given; uploaded: None = 1317 was not asked; closing: local codes
    whose rows somebody closed on purpose; judge_closed: an item whose only rows are closed is a finding (annex C4).
    """

    system: str
    today: str
    warn_until: str
    form: re.Pattern[str] | None = None
    forms: Mapping[str, re.Pattern[str]] = attrs.Factory(dict)
    records: Mapping[str, National] | None = None
    library: Callable[[], Iterable[RawRow]] = tuple
    institution: Institution | None = None
    caps: Mapping[str, tuple[Cap, ...]] = attrs.Factory(dict)
    approved: frozenset[str] | None = None
    uploaded: tuple[Uploaded, ...] | None = None
    closing: frozenset[str] = frozenset()
    judge_closed: bool = False

    def find(self) -> Find | None:
        """Return how the target rules look a record up."""
        records = self.records
        if records is None:
            return None
        return lambda code: found.record if (found := records.get(code)) is not None else None

    def target(self, code: str) -> National | None:
        """Return the record of a code, None when there is none or no library."""
        return self.records.get(code) if self.records is not None else None

    def search(self, sought: Sought) -> Seen:
        """Look through the whole library."""
        return search(self.library(), sought) if sought else Seen()


def institution_of(code: str, level: str = "") -> Institution:
    """Return whose mapping it is. level: in words (`3甲`, `三级`); a bare digit is one of two dictionaries' and read as
    none."""
    found = _LEVEL.match(level)
    return Institution(
        code=code,
        kind="pharmacy" if code.startswith("P") else "hospital",
        level="一二三123".index(found[1]) % 3 + 1 if found else None,
    )
