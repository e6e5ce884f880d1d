"""What changes from one version of a national library to another, and what that means for real traffic.

A change is: a code that is new, a code that is gone, or a record of which something but its bookkeeping differs. What a
change means is decided on one day: a code that could be used and no longer can is `dead`, and requests like those of
the past month that use it would be refused.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Protocol

import attrs
import msgspec

from gateway.codes.library import Kept, record_of

Kind = Literal["added", "removed", "changed"]
# They say when and in which delivery a row came, nothing of what it says.
BOOKKEEPING = frozenset(
    {
        "ver", "版本号", "ver_name", "版本名称", "rid", "唯一记录号", "数据唯一记录号", "crte_time", "数据创建时间",
        "updt_time", "数据更新时间", "传输数据ID", "下发标志", "创建人ID", "创建人姓名", "创建机构编号", "经办人ID",
        "经办人姓名", "经办时间", "经办机构编号", "crter_id", "crter_name", "crte_optins_no", "opter_id", "opter_name",
        "opt_time", "optins_no", "code_origin",
    }
)  # fmt: skip
_OURS = ("name", "begndate", "enddate", "vali_flag", "gray", "replaced_by")


class Recorded(Kept, Protocol):
    """One record as the store or a file holds it, whole."""

    @property
    def gray(self) -> str: ...
    @property
    def replaced_by(self) -> str: ...
    @property
    def raw(self) -> str: ...


@attrs.frozen(kw_only=True)
class Change:
    """One code's change. columns: what differs, (title, before, after); dead: usable before, not after, on the day."""

    code: str
    name: str
    kind: Kind
    columns: tuple[tuple[str, str, str], ...] = ()
    replaced_by: str = ""
    dead: bool = False
    revived: bool = False


@attrs.define(eq=False)
class Comparison:
    """Compares records column by column.

    as_one: title -> the title it is compared under; skip: titles that were read into fields of the record; day:
    yyyy-MM-dd, of `dead`. What only one of the two files has as a column is no difference: a file with fewer columns
    deletes nothing.
    """

    as_one: Mapping[str, str]
    skip: frozenset[str]
    day: str

    def changes(
        self, pairs: Iterable[tuple[Recorded | None, Recorded | None, frozenset[str], frozenset[str]]]
    ) -> Iterator[Change]:
        """Yield the changes among (old, new, columns of the old one's file, columns of the new one's)."""
        for old, new, before, after in pairs:
            known = new or old
            if known is None:
                continue
            columns = self._columns(old, new, before, after) if old and new else ()
            if old and new and not columns:
                continue
            was, now = self.usable(old), self.usable(new)
            yield Change(
                code=known.code,
                name=known.name,
                kind="added" if old is None else "removed" if new is None else "changed",
                columns=columns,
                replaced_by=known.replaced_by,
                dead=was and not now,
                revived=now and not was,
            )

    def usable(self, record: Recorded | None) -> bool:
        """Say whether a record may be used on the day."""
        if record is None:
            return False
        _, since, until = record_of(record.name, record.begndate, record.enddate, record.vali_flag, record.gray)
        return since <= self.day <= until

    def _columns(
        self, old: Recorded, new: Recorded, before: frozenset[str], after: frozenset[str]
    ) -> tuple[tuple[str, str, str], ...]:
        found = [
            (title, one, other)
            for title in _OURS
            if (one := getattr(old, title)) != (other := getattr(new, title))
        ]  # fmt: skip
        if old.raw == new.raw:
            return tuple(found)
        first, second = self._cells(old.raw), self._cells(new.raw)
        shared = self._titles(before) & self._titles(after)
        for title in sorted(shared):
            if (one := first.get(title, "")) != (other := second.get(title, "")):
                found.append((title, one, other))
        return tuple(found)

    def _titles(self, titles: Iterable[str]) -> frozenset[str]:
        return frozenset(self.as_one.get(title, title) for title in titles if title not in self.skip) - BOOKKEEPING

    def _cells(self, raw: str) -> dict[str, str]:
        return {self.as_one.get(title, title): cell for title, cell in _decode(raw).items()}


_decode = msgspec.json.Decoder(dict[str, str]).decode


@attrs.define(eq=False)
class Radius:
    """How far changes reach: uses of the codes that change, and requests that would be refused.

    used: code -> uses in the period. dead: code -> what replaces it, '' = nothing named.
    """

    used: Mapping[str, int]
    count: dict[Kind, int] = attrs.Factory(lambda: {"added": 0, "removed": 0, "changed": 0})
    uses: int = 0
    used_codes: int = 0
    dead: dict[str, str] = attrs.Factory(dict)

    def meets(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Count each change on its way."""
        for change in changes:
            self.count[change.kind] += 1
            used = self.used.get(change.code, 0)
            if used and change.kind != "added":
                self.used_codes += 1
                self.uses += used
            if change.dead:
                self.dead[change.code] = change.replaced_by
            yield change

    @property
    def changes(self) -> int:
        """Return how many codes change."""
        return sum(self.count.values())


@attrs.frozen(order=True)
class Dying:
    """A mapping in force whose national code can be used no more."""

    institution: str
    local: str
    national: str
    replaced_by: str


def refused(dead: Mapping[str, str], uses: Iterable[tuple[int, str, str]]) -> dict[str, int]:
    """Return institution -> requests like which would be refused. uses: (request, institution, national code), of one
    request one after the other."""
    found: dict[str, int] = {}
    last = -1
    for request, institution, national in uses:
        if request != last and national in dead:
            found[institution] = found.get(institution, 0) + 1
            last = request
    return found
