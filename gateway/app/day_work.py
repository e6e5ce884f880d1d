"""A day's report put together: the books store, the run's files, the journal. Reads only; what is gone is left out.

Drilling down: for the first differences that still want somebody, every ledger's rows and the journal's story.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from adapters.ledgers.evidence import Evidence, EvidenceLost, Mention, Totals, evidence, names_of
from adapters.store.books_report import BooksReader, books_reading
from adapters.store.journal_reader import JournalReader, NotAJournal, reading
from adapters.store.security_opening import reading as security_reading
from gateway.app.books_rules import rules
from gateway.app.config import Config
from gateway.app.security_room import SCRIPTS
from gateway.app.story import lines_of, story_of
from gateway.books.report import (
    ASIDE,
    CLOSING,
    PAIRS,
    UNSETTLED,
    Count,
    DayReport,
    Institution,
    Party,
    Told,
    day_report,
    standing_of,
)
from gateway.core.approval import Approval, TrailFailed
from gateway.core.booked import DiffRow, FreezeRow, Item

ITEMS_MAX = 100_000  # listed in the workbook
STORIES_MAX = 3  # rows of the journal told of one difference
_REFERENCE: Mapping[str, tuple[str, ...]] = {"L1": ("AGY", "GW", "INST"), "L2": ("PROV",), "L4": ("PROV",)}
_PROV_SN = "prov_sn="  # how a line without setl_id and msgid says what it is about (B16)


@attrs.frozen
class Proof:
    """The evidence of one difference. mentions: rows of the ledgers; stories: lines of the journal's; approvals: what
    two people decided about it."""

    item: Item
    mentions: tuple[Mention, ...]
    stories: tuple[tuple[str, ...], ...]
    approvals: tuple[Approval, ...] = ()


@attrs.frozen
class Gathered:
    """A day, and the evidence of what wants somebody. lost: why the files tell nothing, or ''."""

    report: DayReport
    proofs: Mapping[str, Proof]
    freezes: Sequence[FreezeRow] = ()
    lost: str = ""


@attrs.define
class Keys:
    """What differences are about. open: by leg, what is not agreed there; repeated: keys with identical rows."""

    open: dict[str, set[str]] = attrs.Factory(lambda: {leg: set() for leg in _REFERENCE})
    repeated: set[str] = attrs.Factory(set)

    def noting(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items again, keeping their keys."""
        for item in items:
            diff = item.diff
            key = next(iter(names_about(diff)), "")
            if diff.name == "DUP_ROW":
                self.repeated.add(key)
            elif standing_of(item) in UNSETTLED:
                for leg in self.open if diff.row in CLOSING else (diff.leg,):
                    self.open[leg].add(key)
            yield item


class NoSuchDay(Exception):
    """The books know nothing of the day."""


def gather(config: Config, role: str, date: str, scope: str, now_ms: int, proofs_max: int) -> Gathered:
    """Return a day. role '': care where it is known, else the one that is. Raises NoSuchDay, NotABooksStore."""
    names = {one.fixmedins_code: one.name for one in config.institution}
    with books_reading(config.room("books")) as reader:
        known = reader.roles(date)
        if (role or "care") not in known and (role or not known):
            raise NoSuchDay
        role = role or ("care" if "care" in known else known[0])
        told = _told(reader, role, date, scope, now_ms, names)
        if scope and not told.days and not told.inputs:
            raise NoSuchDay
        keys = Keys()
        freezes = reader.freezes(role, date, date, scope)
        report = day_report(told, keys.noting(reader.items(role, date, scope)), rules(), ITEMS_MAX)
    files = [(one.ledger, config.path(config.node.data_dir) / one.path) for one in told.inputs]
    wanted = [one for one in report.items if standing_of(one) in UNSETTLED][:proofs_max]
    lost, mentions = "", {}
    if report.run is not None:
        try:
            with evidence(files, date) as found:
                _look(report, found, keys)
                mentions = _mentions(found, wanted)
        except EvidenceLost as cause:
            lost = str(cause)
    stories = _stories(config.journal, wanted, mentions)
    approvals = _approvals(config, wanted)
    proofs = {
        diff_id: Proof(
            one, tuple(mentions.get(diff_id, ())), stories.get(diff_id, ()),
            tuple(approvals[number] for number in numbers_of(one) if number in approvals),
        )
        for one in wanted
        for diff_id in (one.diff.diff_id,)
    }  # fmt: skip
    return Gathered(report, proofs, freezes, lost)


def _told(reader: BooksReader, role: str, date: str, scope: str, now_ms: int, names: Mapping[str, str]) -> Told:
    run = reader.run(role, date)
    inputs = reader.inputs(run.run_id) if run else []
    if scope:
        inputs = [one for one in inputs if one.scope in (scope, "*")]
    return Told(
        role=role, date=date, scope=scope, now_ms=now_ms, days=reader.days(role, date, date, scope), run=run,
        inputs=inputs, names=names,
    )  # fmt: skip


def names_about(diff: DiffRow) -> tuple[str, ...]:
    """Return what the record of a line may be known by, its key first."""
    prov_sn = next(
        (part.removeprefix(_PROV_SN) for part in diff.note.split("; ") if part.startswith(_PROV_SN)), ""
    )  # fmt: skip
    return names_of(diff.setl_id, diff.fixmedins_code, diff.msgid, prov_sn)


def _look(report: DayReport, found: Evidence, keys: Keys) -> None:
    """Fill in what only the files tell: sums of each institution, and what the legs agree on."""
    totals = found.totals()
    for (ledger, code), one in totals.items():
        if ledger in ("INST", "GW", "AGY") and (not report.scope or code == report.scope):
            place = report.institutions.setdefault(code, Institution(code))
            fees = (one.sums.get("medfee_sumamt", 0), one.sums.get("fund_pay_sumamt", 0))
            place.ledgers[ledger] = (one.rows, *fees)
    if report.scope:
        report.parties = [_own(party, totals.get((party.name, report.scope))) for party in report.parties]
    else:
        report.parties = [_own(party, _together(totals, party.name)) for party in report.parties]
    given = {one.ledger for one in report.inputs}
    aside = report.legs.get(ASIDE)
    whole = {one.name for one in report.parties if one.state == "complete"}
    if aside is not None and aside.on and whole.issuperset(PAIRS[ASIDE]):  # absence in half a file proves nothing
        aside.agreed, (apart, fen) = found.between(*PAIRS[ASIDE])
        aside.apart = Count(lines=apart, fen=fen)
    for name, leg in report.legs.items():
        reference = next((ledger for ledger in _REFERENCE.get(name, ()) if ledger in given), "")
        if leg.on and reference:
            leg.agreed = found.agreed(reference, keys.open[name], keys.repeated, report.scope)


def _together(totals: Mapping[tuple[str, str], Totals], ledger: str) -> Totals:
    """Sum up a ledger's institutions."""
    sums: Counter[str] = Counter()
    mine = [one for (name, _), one in totals.items() if name == ledger]
    for one in mine:
        sums.update(one.sums)
    return Totals(rows=sum(one.rows for one in mine), sums=dict(sums))


def _own(party: Party, totals: Totals | None) -> Party:
    return attrs.evolve(party, rows=totals.rows if totals else 0, sums=totals.sums if totals else {})


def _mentions(found: Evidence, wanted: Sequence[Item]) -> dict[str, list[Mention]]:
    """Return the ledgers' rows by difference."""
    about: dict[str, list[str]] = {}
    for item in wanted:
        for name in names_about(item.diff):
            about.setdefault(name, []).append(item.diff.diff_id)
    mentions: dict[str, list[Mention]] = {}
    for mention in found.mentions(about) if about else ():
        for diff_id in dict.fromkeys(one for name in mention.names for one in about.get(name, ())):
            mentions.setdefault(diff_id, []).append(mention)
    return mentions


def _stories(
    journal: Path, wanted: Sequence[Item], mentions: Mapping[str, Sequence[Mention]]
) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return what the journal tells of the messages of each difference; nothing when there is no journal."""
    if not journal.exists() or not wanted:
        return {}
    try:
        with reading(journal) as reader:
            return {one.diff.diff_id: _story(reader, one, mentions.get(one.diff.diff_id, ())) for one in wanted}
    except NotAJournal:
        return {}  # a report without the journal's word is still a report; `journal verify` says what is wrong


def _story(reader: JournalReader, item: Item, mentions: Sequence[Mention]) -> tuple[tuple[str, ...], ...]:
    diff = item.diff
    pairs = [(diff.fixmedins_code, diff.msgid)]
    pairs += [(one.cells.get("fixmedins_code", ""), one.cells.get("msgid", "")) for one in mentions]
    told = []
    for institution, msgid in dict.fromkeys(pairs):
        if institution and msgid:
            told += [tuple(lines_of(story_of(reader, entry))) for entry in reader.rows(institution, msgid)]
    return tuple(told[:STORIES_MAX])


def numbers_of(item: Item) -> list[int]:
    """Return the numbers of the approvals a difference hangs on."""
    found = [one.approval for one in item.actions] + ([item.case.approval] if item.case else [])
    return [number for number in dict.fromkeys(found) if number]


def _approvals(config: Config, wanted: Sequence[Item]) -> dict[int, Approval]:
    """Return the approvals by number, as far as the security room can be read."""
    numbers = {number for one in wanted for number in numbers_of(one)}
    if not numbers:
        return {}
    try:
        with security_reading(config.room("security"), len(SCRIPTS)) as store:
            cases = [] if store is None else [store.case(number) for number in sorted(numbers)]
            return {one.case.approval.id: one.case.approval for one in cases if one is not None}
    except TrailFailed:
        return {}  # who approved is then told by its number alone; `audit verify` says what is wrong
