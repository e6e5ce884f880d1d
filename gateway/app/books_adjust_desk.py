"""Adjustments of frozen days by two people: what was found since, what is proposed, what carries it out (§6.5)."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from adapters.store.books_freeze import AdjustmentRow, FreezeReader
from adapters.store.books_freeze_writer import FreezeWriter
from gateway.app.books_freezing import own_inputs, three_way
from gateway.app.books_region import profile_of, reading, writing
from gateway.app.books_snapshot import read_rows
from gateway.app.config import Config
from gateway.app.say import Outside
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.books.adjusting import RELEASE, CannotAdjust, Kept, Wanted, adjustments, count_of
from gateway.books.freezing import CITY, REMOTE, Adjustment, Fee, Objection, read_back
from gateway.core.approval import Approval, Person
from gateway.core.dates import day_of

ADJUST = "books.adjust"
OPEN_DAYS_MAX = 62  # the newest; whatever stands in an older one is found when that day is frozen (BF-TWICE)
FOUND_MAX = 1_000
REFUND, HELD = "REFUND", "HELD"


@attrs.frozen(kw_only=True)
class Found:
    """Something of a frozen row that came to light later. what: REFUND (in the ledgers of the open day `date`), HELD
    (still carried or withheld since `date`); counts: how often the settlement counts now; kind: of the adjustment it
    takes, '' where the refund counts by itself when its day is frozen."""

    what: str
    scope: str
    date: str
    setl_id: str
    freeze: int
    n: int
    counts: int
    kind: str


def found_later(look: FreezeReader, data_dir: Path, role: str, scope: str) -> Iterator[Found]:
    """Yield refunds of frozen settlements in open days, and what is held still. Raises OSError, sqlite3.Error."""
    dates: dict[str, str] = {}
    for date in look.open_days(role, scope)[-OPEN_DAYS_MAX:]:
        for setl_id in refunds_of(look, data_dir, (role, scope, date)):
            dates.setdefault(setl_id, date)
    for setl_id, date in sorted(dates.items()):
        kept = kept_of(look, role, scope, setl_id)
        own = next((one for one in kept if one.own and one.fee.direction == 0), None)
        if own is not None:
            counts = count_of(one.fee for one in kept)
            kind = "" if counts == 1 else "RELEASE" if own.fee.held and counts == 0 else "CASE"
            yield Found(
                what=REFUND, scope=scope, date=date, setl_id=setl_id, freeze=own.freeze, n=own.n, counts=counts,
                kind=kind,
            )  # fmt: skip
    for date, setl_id, freeze, n, _ in look.held_fees(role, scope)[:FOUND_MAX]:
        kept = kept_of(look, role, scope, setl_id) if setl_id else []
        if all(one.fee.adjusts != (freeze, n) for one in kept):  # none waits for its day
            yield Found(
                what=HELD, scope=scope, date=date, setl_id=setl_id, freeze=freeze, n=n,
                counts=count_of(one.fee for one in kept), kind="RELEASE",
            )  # fmt: skip


def refunds_of(look: FreezeReader, data_dir: Path, day: tuple[str, str, str]) -> set[str]:
    """Return the settlements refunds of a day name, in the ledgers its last run was over."""
    role, scope, date = day
    run = look.run(role, date)
    found: set[str] = set()
    for one in own_inputs(look, run[0], scope) if run is not None else ():
        for row in read_rows(data_dir / one.path):
            if row.get("direction") == "1" and row.get("setl_id"):
                found.add(row["setl_id"])
    return found


def kept_of(look: FreezeReader, role: str, scope: str, setl_id: str) -> list[Kept]:
    """Return everything of a settlement in a scope: in force, oldest first, then adjustments that wait."""
    found = [Kept(row[0], row[1], row[2], Fee(*row[3])) for row in look.of_settlement(role, scope, setl_id)]
    for one in waiting(look, role, scope):
        for _, fees in read_back([one.line], ()):
            found += [Kept(0, one.id, one.biz_date, fee) for fee in fees if fee.setl_id == setl_id]
    return found


def waiting(look: FreezeReader, role: str, scope: str) -> list[AdjustmentRow]:
    """Return the adjustments whose day is not frozen yet."""
    return [one for one in look.adjusted(role, scope) if look.day(role, one.scope, one.biz_date) is None]


def planned(config: Config, look: FreezeReader, role: str, scope: str, wanted: Wanted, today: str) -> list[Adjustment]:
    """Return the rows that do what is wanted. Raises CannotAdjust, ProfileError, OSError."""
    found = []
    if look.day(role, scope, wanted.date) is not None:
        found.append(Objection("BA-OPEN", f"{wanted.date}已固化，调整应记在未固化的日子"))
    if wanted.date > today:
        found.append(Objection("BA-OPEN", f"{wanted.date}还没有到"))
    if found:
        raise CannotAdjust(found)
    data_dir = config.path(config.node.data_dir)
    refunds = [
        date
        for date in look.open_days(role, scope)[-OPEN_DAYS_MAX:]
        if wanted.setl_id in refunds_of(look, data_dir, (role, scope, date))
    ]
    checks_block = profile_of(config, scope).checks_block
    kept = kept_of(look, role, scope, wanted.setl_id)
    if wanted.kind == RELEASE and scope != CITY:
        far = {one.date for one in kept if one.own and one.fee.held and one.fee.clr_pay_loc in REMOTE}
        open_days = sorted(day for day in far if not three_way(look, role, day, role in config.province.roles))
        if open_days:
            text = f"异地结算{wanted.setl_id}：全市{'、'.join(open_days)}与省平台还没有对平，对平后才能放出"
            raise CannotAdjust([Objection("BA-CITY", text)])
    return adjustments(wanted, kept, refunds, checks_block)


def propose(
    config: Config, desk: SecurityDesk, person: Person, where: tuple[str, str], wanted: Wanted, reason: str, today: str
) -> tuple[Approval, list[Adjustment]]:
    """Propose adjustments of one settlement in (role, scope). Raises CannotAdjust, NotAllowed, TrailFailed, OSError."""
    role, scope = where
    with reading(config) as connection:
        if connection is None:
            raise CannotAdjust([Objection("BA-ROW", "还没有固化的日子")])
        rows = planned(config, FreezeReader(connection), role, scope, wanted, today)
    subject = f"{role}:{scope}:{wanted.date}:{wanted.setl_id}"
    return desk.approvals.propose(person, ADJUST, subject, content(where, wanted, rows, reason), reason), rows


def content(where: tuple[str, str], wanted: Wanted, rows: Sequence[Adjustment], reason: str) -> bytes:
    """Return what two people decide about: the lines as they will be frozen."""
    plain = {"where": list(where), "wanted": attrs.asdict(wanted), "lines": [one.line() for one in rows]}
    return json.dumps({**plain, "reason": reason}, ensure_ascii=False, sort_keys=True).encode()


def carry_out(config: Config, approval: Approval, wanted: bytes, outside: Outside) -> str:
    """Write the adjustments two people agreed on. Raises CannotAdjust, NotInForce, OSError."""
    plain = json.loads(wanted)
    role, scope = plain["where"]
    given, reason = Wanted(**plain["wanted"]), str(plain["reason"])
    said = f"{scope} 结算{given.setl_id}的调整已记入{given.date}"
    with writing(config) as connection:
        writer = FreezeWriter(connection)
        if any(one.approval == approval.id for one in writer.adjusted(role, scope)):
            return said
        rows = planned(config, writer, role, scope, given, day_of(outside.now()))
        if content((role, scope), given, rows, reason) != wanted:
            raise CannotAdjust([Objection("BA-CHANGED", "内容与核准时不同，核准作废，请重新提出")])
        people = (approval.maker, approval.checker, approval.id)
        with security_desk(config, outside.now, outside.entropy) as desk:
            desk.trail.record(
                approval.checker, ADJUST, f"{role}:{scope}:{given.date}:{given.setl_id}",
                after=f"{given.kind} {len(rows)}", reason=reason, approval=approval.id,
            )  # fmt: skip
        lines = [one.line() for one in rows]
        writer.adjust((role, scope, given.date), lines, reason, people, int(outside.now() * 1000))
    return said
