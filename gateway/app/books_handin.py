"""Day files as they come in: checked cell by cell, closed by the end-of-day marker or kept as incomplete (contract §7;
reconciliation specification §1, §4.2, §5.3 A8).

The marker says how many rows the file has and what they sum up to. Without one, or where one does not fit its rows, the
file is kept and counts as incomplete: nothing is derived from what it does not have. So does a file whose rows are of
another day: whoever sends yesterday's again would have a whole day voided.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import attrs

from adapters.files.workplace import Workplace
from adapters.ledgers.source import LedgerRefused, count, rewrite
from adapters.store.books import EVERYWHERE, BooksStore, Input
from gateway.app.books_prune import filing
from gateway.app.books_shelf import SCRIPTS, keep
from gateway.app.books_snapshot import INSURED_SCOPE, read_rows
from gateway.app.config import Config
from gateway.books.plans import closes_ms
from gateway.core.dates import day_of
from gateway.core.faults import Fault
from gateway.core.ledgers import COMPONENTS, INST, NAMES
from gateway.core.money import fen_of, yuan

MARKED = ("rows", *COMPONENTS)
FOREIGN_MAX = 20
DIGITS_MAX = 9  # of a number of rows
# Either side of midnight a row may be its neighbour's (§4.3, §5.4): such a row speaks neither for the day nor against.
BEFORE_MIDNIGHT, AFTER_MIDNIGHT = "23:30:00", "00:30:00"


class WrongMarker(Exception):
    """The end-of-day marker cannot be read. str: Chinese."""


class DayFrozen(Exception):
    """The day of this scope is frozen and takes no files. str: Chinese."""

    code = "GW-DAY-FROZEN"


class DayAhead(Exception):
    """The day has not begun: nobody can have a complete ledger of it. str: Chinese."""

    code = "GW-DAY-AHEAD"


@attrs.frozen(kw_only=True)
class HandedIn:
    """What came of it. misfits: `name: marker ≠ rows`, of a marker that does not fit (A8); rows of another day."""

    input: int
    ledger: str
    scope: str
    biz_date: str
    rows: int
    sums: Mapping[str, int]
    sm3: str
    complete: bool
    misfits: tuple[str, ...]

    def record(self) -> dict[str, object]:
        sums = {name: yuan(fen) for name, fen in self.sums.items()}
        return {**attrs.asdict(self), "sums": sums, "misfits": list(self.misfits)}


def marker_of(plain: Mapping[str, object]) -> dict[str, int]:
    """Return a marker's numbers: rows as a count, amounts in fen; {} when there is none. Raises WrongMarker."""
    if not plain:
        return {}
    known = f"（rows是行数，其余是各金额合计：{'、'.join(COMPONENTS[:2])}等）"
    if unknown := sorted(set(plain) - set(MARKED)):
        raise WrongMarker(f"日终标志中不认识：{'、'.join(unknown)}{known}")
    if "rows" not in plain:
        raise WrongMarker(f"日终标志缺rows，请补上{known}")
    found = {}
    for name, value in plain.items():
        text = str(value)
        number = (
            (int(text) if text.isdecimal() and len(text) <= DIGITS_MAX else None) if name == "rows" else fen_of(text)
        )
        if number is None:
            raise WrongMarker(f"日终标志的{name}不是合法的数：应为{'行数' if name == 'rows' else '元，至多两位小数'}")
        found[name] = number
    return found


def marker_beside(file: Path) -> dict[str, object]:
    """Return the marker of FILE.end.json, {} when there is none. Raises WrongMarker, OSError."""
    beside = file.with_name(f"{file.name}.end.json")
    if not beside.exists():
        return {}
    try:
        plain = json.loads(beside.read_text("utf-8"), parse_float=str)
    except ValueError as cause:
        raise WrongMarker(f"{beside.name}不是JSON对象") from cause
    if not isinstance(plain, dict):
        raise WrongMarker(f"{beside.name}不是JSON对象")
    return plain


def hand_in(
    config: Config,
    ledger: int,
    scope: str,
    biz_date: str,
    file: Path,
    marker: Mapping[str, int],
    who: str,
    now_ms: int,
    tell: Callable[[str], object] = lambda sm3: None,
) -> HandedIn:
    """Check a file, keep its bytes below the data directory and note it as the newest of its ledger and scope.

    marker: as `marker_of` gives it; {} = none. tell: hears the SM3 of the file before it counts. A file of another
    institution's rows is refused. Raises DayAhead, DayFrozen, LedgerRefused, OtherBooks, OSError, sqlite3.Error, and
    what tell raises.
    """
    if biz_date > (today := day_of(now_ms / 1000)):
        raise DayAhead(f"{biz_date}还没有到（今天是{today}），请核对账目日期，当日结束后再交")
    _refuse_frozen(config, scope, biz_date)
    data = config.path(config.node.data_dir)
    folder = data / "books" / biz_date
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Workplace.make(".in-", folder) as place:
        copy = place / "in.csv"
        with file.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        days = _Days(biz_date)
        rows, sums = _checked(copy, ledger, scope, place / "plain.csv", file, days)
        misfits = (*_misfits(marker, rows, sums), *days.misfits(), *_early(config, ledger, biz_date, now_ms))
        with filing(config):  # nobody prunes it between its place and its note
            digest, kept = keep(folder, copy, NAMES[ledger], scope)
            tell(digest)
            one = Input(
                ledger=NAMES[ledger], scope=scope, biz_date=biz_date, source="handed_in" if not misfits else "MISFIT",
                sm3=digest, rows=rows, complete=bool(marker) and not misfits, sums=sums,
                path=str(kept.relative_to(data)), who=who, at_ms=now_ms,
            )  # fmt: skip
            store = BooksStore.open(config.room("books"), SCRIPTS)
            try:
                number = store.add_input(one, closes_ms(biz_date, config.books.day_closes))
            finally:
                store.close()
    return HandedIn(
        input=number, ledger=one.ledger, scope=scope, biz_date=biz_date, rows=rows, sums=sums, sm3=digest,
        complete=one.complete, misfits=misfits,
    )  # fmt: skip


def _refuse_frozen(config: Config, scope: str, biz_date: str) -> None:
    role, of = ("insured", EVERYWHERE) if scope == INSURED_SCOPE else ("care", scope)
    store = BooksStore.open(config.room("books"), SCRIPTS)
    try:
        days = store.days(biz_date, biz_date, role)
    finally:
        store.close()
    if any(one.scope == of and one.state == "FROZEN" for one in days):
        raise DayFrozen(f"{scope} {biz_date}已固化，须先由两人重开（books reopen），或以调整更正（books adjust）")


@attrs.define
class _Days:
    """Of which days a file's rows are. own: of its date, or without a time; near: the neighbours' around midnight."""

    biz_date: str
    rows: int = 0
    own: int = 0
    near: int = 0
    _eve: str = attrs.field(init=False)
    _morrow: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        day = date.fromisoformat(self.biz_date)
        self._eve, self._morrow = ((day + timedelta(days=off)).isoformat() for off in (-1, 1))

    def add(self, when: str) -> None:
        """Count a row. when: its setl_time, a moment or a day alone."""
        day, clock = when[:10], when[11:]
        self.rows += 1
        self.own += day in ("", self.biz_date)
        self.near += day == self._eve and clock >= BEFORE_MIDNIGHT
        self.near += day == self._morrow and "" < clock < AFTER_MIDNIGHT

    def misfits(self) -> list[str]:
        """Return what speaks against its being the ledger of its date: no row of it, or only a minority (§6.2)."""
        if not self.rows or (self.own and 2 * (self.own + self.near) >= self.rows):
            return []
        return [f"日期：文件{self.rows}行中只有{self.own}行是{self.biz_date}的，像是别日的账"]


def _checked(
    copy: Path, ledger: int, scope: str, plain: Path, told: Path, days: _Days
) -> tuple[int, dict[str, int]]:  # fmt: skip
    """Return the rows and what they sum up to; days hears of each. Raises LedgerRefused, naming the file as it was
    handed in."""
    try:
        counted = count(copy, lambda done: None)
        rows = rewrite(copy, ledger, counted.header, plain, lambda done: None)
    except LedgerRefused as cause:
        raise LedgerRefused(told, cause.faults, cause.more) from cause
    sums: dict[str, int] = {}
    foreign: list[Fault] = []
    for line, row in enumerate(read_rows(plain), start=2):
        days.add(row.get("setl_time", ""))
        code = row.get("fixmedins_code", "")
        if ledger == INST and scope != EVERYWHERE and code not in ("", scope) and len(foreign) < FOREIGN_MAX:
            foreign.append(Fault(line, "fixmedins_code", "LB16", "不是本机构的记录，请删去或分开提供"))
        for name in COMPONENTS:
            if row.get(name):
                sums[name] = sums.get(name, 0) + (fen_of(row[name]) or 0)
    if foreign:
        raise LedgerRefused(told, foreign)
    return rows, sums


def _early(config: Config, ledger: int, biz_date: str, now_ms: int) -> Iterator[str]:
    """Yield why an agency's or the province's file of a day that goes on is not its ledger of the day. An institution
    closes its own day when it likes."""
    if ledger != INST and now_ms < closes_ms(biz_date, config.books.day_closes):
        yield f"日期：{biz_date}还没有结束（books day_closes），不是全日的账，请结束后再交"


def _misfits(marker: Mapping[str, int], rows: int, sums: Mapping[str, int]) -> list[str]:
    found = []
    for name, value in sorted(marker.items()):
        actual = rows if name == "rows" else sums.get(name, 0)
        if value != actual:
            texts = (str(value), str(actual)) if name == "rows" else (yuan(value), yuan(actual))
            found.append(f"{name}：日终标志{texts[0]}，文件{texts[1]}")
    return found
