"""The gateway's ledger of a business date, and what is uploaded for 3202: read from the journal in a child process.

A day either side comes along as look-back (T1-T3), and whatever a refund of these days cancels, of the last 400 days by
its setl_id. The journal is read in short looks (design §3).
"""

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import attrs
import msgspec

from adapters.files import parcel
from adapters.store.books import EVERYWHERE, BooksStore, Input
from adapters.store.books_cases import BooksCases
from adapters.store.journal_reader import JournalReader, reading
from gateway.app.books_shelf import SCRIPTS, keep, write_rows
from gateway.app.books_tasks import Asked, Extracted, Group, Task
from gateway.books.agency import Ours, counted, text_of, uploaded
from gateway.books.corrections import Corrections
from gateway.books.journal import COLUMNS, day_of_row, is_refund, ledger_row
from gateway.core.dates import day_start_ms
from gateway.core.facts import paid_by, undone_setl_id
from gateway.core.ledgers import COMPONENTS
from gateway.core.model import Entry
from gateway.core.money import fen_of

LOOK_BACK_DAYS = 400
GW = "GW"
RENAMED = "renamed.json"  # institution -> msgid of a refund -> msgid under which its row stands
CONTENT_MAX = 64 << 20  # bytes of 9101's `in` as JSON: the node holds it whole; half a million rows and more
_PIECE = 3 << 15
# What 3201 and 3202 are told needs of a row; the rest waits on disk for what the agency answers.
_SLIM = ("setl_id", "mdtrt_id", "psn_no", "direction")
LATE = "23:30:00"  # from when on a row may stand under the next day at the agency (T3, annex B5)
Lines = dict[str, dict[tuple[str, str], list[Ours]]]  # by institution, then by agency and kind of clearing


@attrs.define
class Extraction:
    task: Task
    journal: JournalReader
    corrections: Corrections = attrs.Factory(Corrections)
    refunded: set[str] = attrs.Factory(set)
    ahead_of: frozenset[str] = frozenset()  # institutions whose lines of the next day are wanted, too
    lines: Lines = attrs.Factory(dict)
    next_lines: Lines = attrs.Factory(dict)
    elsewhere: set[tuple[str, str]] = attrs.Factory(set)  # purchases that were given back (2163), by their number
    renamed: dict[str, dict[str, str]] = attrs.Factory(dict)  # refund's msgid -> that under which its row stands
    # Institutions with a reversal, a doubt, a remote settlement or rows without a group; and those with such rows.
    closely: set[str] = attrs.Factory(set)
    apart: dict[str, int] = attrs.Factory(dict)
    undoing: dict[tuple[str, str], str] = attrs.Factory(dict)  # of whose 2601 the end is open: its state
    _unwritten: dict[str, bytearray] = attrs.Factory(dict)

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield the ledger's rows; the lines of the day are set aside by institution and group."""
        day = self.task.day
        since, until = day_start_ms(day, 1), day_start_ms(day + timedelta(days=2))
        here, originals = self._looked_ahead(since, until)
        self.undoing = {(one.fixmedins_code, one.omsgid): one.state for one in self.journal.asked_back()}
        for page in self.journal.settlements(since, until):
            for entry in page:
                original = originals.get((entry.fixmedins_code, _undone(entry)))
                undoing = self.undoing.get((entry.fixmedins_code, entry.msgid), "")
                row = ledger_row(entry, self.refunded, original, undoing)
                if row is not None:
                    if row["msgid"] != entry.msgid:
                        self.renamed.setdefault(entry.fixmedins_code, {})[entry.msgid] = row["msgid"]
                    row = self.corrections.corrected(row)
                    self._set_aside(entry, row)
                    yield row
        for (code, _), original in sorted(originals.items(), key=lambda pair: pair[0]):
            if (code, original.setl_id or original.msgid) not in here:
                yield from map(self.corrections.corrected, filter(None, [ledger_row(original, self.refunded)]))
        for shadow in self.corrections.shadows("", "9"):
            near = abs((day_of_row(shadow) - day).days) <= 1
            if near or (shadow["fixmedins_code"], shadow.get("setl_id", "")) in self.elsewhere:
                yield shadow

    def _looked_ahead(self, since: int, until: int) -> tuple[set[tuple[str, str]], dict[tuple[str, str], Entry]]:
        """Return the settlements of these days, and what their refunds cancel, by (institution, setl_id)."""
        back: set[tuple[str, str]] = set()
        here: set[tuple[str, str]] = set()
        for page in self.journal.settlements(since, until):
            for entry in page:
                if undone := _undone(entry):
                    if entry.state in ("ACKED", "CONFIRMED") and not entry.cancelled:
                        self.refunded.add(undone)
                    back.add((entry.fixmedins_code, undone))
                elif entry.infno == "2163":
                    self.elsewhere.add((entry.fixmedins_code, entry.mdtrt_id))
                else:
                    here.add((entry.fixmedins_code, entry.setl_id or entry.msgid))
        return here, self._originals(back)

    def _originals(self, back: set[tuple[str, str]]) -> dict[tuple[str, str], Entry]:
        oldest = day_start_ms(self.task.day, LOOK_BACK_DAYS)
        found = {}
        for code, setl_id in sorted(back):
            for entry in self._named(code, setl_id):
                if not is_refund(entry) and entry.created_ms >= oldest:
                    found[code, setl_id] = entry
                    break
        return found

    def _named(self, code: str, undone: str) -> list[Entry]:
        """Return what a refund may give back. undone: as `_undone` says."""
        if not undone.startswith("6202|"):
            return self.journal.numbered(code, undone)
        paid = self.journal.keyed(undone)
        return [] if paid is None else [paid]

    def _set_aside(self, entry: Entry, row: dict[str, str]) -> None:
        code, day = entry.fixmedins_code, day_of_row(row)
        if code in self.ahead_of and day == self.task.day + timedelta(days=1) and _stands(entry, row):
            self._lined(entry, row, self.next_lines)
        if code not in self.task.institutions or day != self.task.day:
            return
        stands = _stands(entry, row)
        if not stands or row["clr_pay_loc"]:
            self.closely.add(code)
        line = self._lined(entry, row, self.lines) if stands else None
        if line is None:
            self.closely.add(code)
            self.apart[code] = self.apart.get(code, 0) + stands
            return
        stem = _stem(self.task, code, line.group, line.cells.get("clr_way", ""))
        unwritten = self._unwritten.setdefault(stem, bytearray())
        unwritten += msgspec.json.encode({**row, "": line.own_id}) + b"\n"
        if len(unwritten) >= _PIECE:
            self.write_lines(stem)

    def _lined(self, entry: Entry, row: dict[str, str], into: Lines) -> Ours | None:
        """Put a row among the lines of its group; None where it lacks what names it to the agency."""
        code, optins, clr_type = entry.fixmedins_code, row.get("clr_optins", ""), row.get("clr_type", "")
        if not entry.setl_id or not optins or not clr_type:
            return None
        asked = self.task.institutions[code]
        way = (row.get("clr_way") or asked.way) if asked.by_way else ""
        amounts = [fen_of(row.get(name)) or 0 for name in ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")]
        line = Ours(
            own_id=entry.setl_id, optins=optins, clr_type=clr_type, insutype=row.get("insutype", ""), medfee=amounts[0],
            fund=amounts[1], acct=amounts[2], cash=fen_of(row.get("psn_cash_pay")) or 0,
            cells={name: row.get(name, "") for name in _SLIM} | ({"clr_way": way} if asked.by_way else {}),
            late=row["setl_time"][11:] >= LATE,
        )  # fmt: skip
        into.setdefault(code, {}).setdefault(line.group, []).append(line)
        return line

    def write_lines(self, stem: str) -> None:
        """Write what was set aside of a group and is not on disk yet. Raises OSError."""
        with (self.task.workplace / f"{stem}.lines").open("ab") as stream:
            stream.write(self._unwritten.pop(stem, b""))


def extract(task: Task) -> Extracted:
    """Write the ledger, note it as an input, and prepare the uploads. Raises NotAJournal, OSError, sqlite3.Error."""
    task.workplace.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in task.workplace.glob("dz_*"):  # of earlier runs; what they came to is kept elsewhere
        left.unlink()
    store = BooksStore.open(Path(task.store), SCRIPTS)
    try:
        with reading(Path(task.journal)) as journal:
            corrections = Corrections(BooksCases(store.connection).corrections())
            made = Extraction(task, journal, corrections, ahead_of=_not_there_yet(task, store))
            plain = task.workplace / f"{GW}.csv"
            rows = write_rows(plain, COLUMNS, made.rows())
            (task.workplace / RENAMED).write_bytes(msgspec.json.encode(made.renamed))
            known = journal.groups(day_start_ms(task.day, LOOK_BACK_DAYS))
        digest, place = keep(task.folder, plain, GW, EVERYWHERE)
        number = store.add_input(
            Input(
                ledger=GW, scope=EVERYWHERE, biz_date=task.date, source="journal", sm3=digest, rows=rows, complete=True,
                sums={}, path=str(place.relative_to(task.data)), who="node", at_ms=task.now_ms,
            )
        )  # fmt: skip
        seen = {(code, *group, one.insutype) for code, own in made.lines.items() for group in own for one in own[group]}
        store.see_groups(sorted(seen), task.date)
        since = (task.day - timedelta(days=LOOK_BACK_DAYS)).isoformat()
        kinds = _kinds(task, store.groups(since), known)
    finally:
        store.close()
    institutions = {
        code: [
            _group(task, made, code, group, kinds[code][group], way)
            for group in sorted(kinds.get(code, {}))
            for way in _ways(task, made, code, group)
        ]
        or unasked(made, code)
        for code in sorted(task.institutions)
    }
    return Extracted(input=number, rows=rows, institutions=institutions)


def unasked(made: Extraction, code: str) -> list[Group]:
    """Return what stands for settlements nobody can be asked about: no group was ever seen, and the answers of these
    name none. Else the agency, never asked, would have nothing of them."""
    count = made.apart.get(code, 0)
    nothing = attrs.evolve(counted([], "net"), count=count)
    empty = Group(optins="", clr_type="", stem="", file="", closely=True, totals={}, whole=nothing)
    return [empty] if count else []


def _not_there_yet(task: Task, store: BooksStore) -> frozenset[str]:
    """Return the institutions whose agency is asked about the next day, too (T3): it has begun, their region takes a
    range, and the agency's own ledger of it is not there whole."""
    if task.now_ms < day_start_ms(task.day + timedelta(days=1)):
        return frozenset()
    whole = {one.scope for one in store.inputs(task.next_date) if one.ledger == "AGY" and one.complete}
    wanted = [code for code, asked in task.institutions.items() if asked.next_day]
    return frozenset() if EVERYWHERE in whole else frozenset(wanted) - whole


def _kinds(
    task: Task, seen: list[tuple[str, str, str, str]], known: list[tuple[str, str, str]]
) -> dict[str, dict[tuple[str, str], set[str]]]:
    """Return institution -> group -> its kinds of insurance; none known of a group that only the journal names."""
    found: dict[str, dict[tuple[str, str], set[str]]] = {}
    for code, optins, clr_type in known:
        found.setdefault(code, {}).setdefault((optins, clr_type), set())
    for code, optins, clr_type, insutype in seen:
        found.setdefault(code, {}).setdefault((optins, clr_type), set()).add(insutype)
    return found


def _ways(task: Task, made: Extraction, code: str, group: tuple[str, str]) -> list[str]:
    """Return the ways of clearing a group is asked about apart; '' = together, as most regions do."""
    asked = task.institutions[code]
    if not asked.by_way:
        return [""]
    lines = made.lines.get(code, {}).get(group, [])
    return [*sorted({one.cells["clr_way"] for one in lines} or {asked.way})]


def _group(
    task: Task, made: Extraction, code: str, group: tuple[str, str], insutypes: set[str], way: str = ""
) -> Group:
    asked = task.institutions[code]
    lines = _own(made.lines, asked, code, group, way)
    stem = _stem(task, code, group, way)
    ours = uploaded(lines, asked.refund_rows)
    file = _packed(task, asked, stem, ours)
    made.write_lines(stem)
    totals = {
        insutype: counted([one for one in lines if one.insutype == insutype], asked.count)
        for insutype in sorted(insutypes | {one.insutype for one in lines})
        if lines or asked.empty_groups
    }
    return Group(
        optins=group[0], clr_type=group[1], stem=stem, file=file, closely=code in made.closely,
        totals={name: one for name, one in totals.items() if name}, whole=counted(ours, asked.count),
        clr_way=way, ahead=_ahead(task, made, code, group, way),
    )  # fmt: skip


def _ahead(task: Task, made: Extraction, code: str, group: tuple[str, str], way: str) -> Group | None:
    """Return the question over two days for the lines near midnight that both days' files list; None without any."""
    asked = task.institutions[code]
    lines = _own(made.lines, asked, code, group, way)
    if code not in made.ahead_of or not any(one.late for one in lines):
        return None
    ours = uploaded([*lines, *_own(made.next_lines, asked, code, group, way)], asked.refund_rows)
    listed = {id(one) for one in ours}
    late = [one.own_id for one in uploaded(lines, asked.refund_rows) if one.late and id(one) in listed]
    if not late:
        return None
    stem = _stem(task, code, group, way) + "n"
    return Group(
        optins=group[0], clr_type=group[1], stem=stem, file=_packed(task, asked, stem, ours), closely=True, totals={},
        whole=counted(ours, asked.count), clr_way=way, until=task.next_date, late=late,
    )  # fmt: skip


def _own(lines: Lines, asked: Asked, code: str, group: tuple[str, str], way: str) -> list[Ours]:
    found = lines.get(code, {}).get(group, [])
    return [one for one in found if one.cells["clr_way"] == way] if asked.by_way else found


def _packed(task: Task, asked: Asked, stem: str, ours: list[Ours]) -> str:
    """Write the content of 9101; return its name, '' when it is too large to be sent."""
    packed = parcel.pack(f"{stem}.txt", text_of(ours))
    with (task.workplace / f"{stem}.in").open("w", encoding="ascii") as stream:
        stream.writelines(_content(packed, asked.base64))
        return f"{stem}.in" if stream.tell() <= CONTENT_MAX else ""


def _undone(entry: Entry) -> str:
    """Return what a refund gives back: the number of a settlement, the business key of a payment; '' of all else."""
    return undone_setl_id(entry.business_key) or paid_by(entry.business_key)


def _stands(entry: Entry, row: dict[str, str]) -> bool:
    return entry.state in ("ACKED", "CONFIRMED", "EXTERNAL") and row["status"] not in ("REVERSED", "REJECTED")


def _stem(task: Task, code: str, group: tuple[str, str], way: str) -> str:
    apart = f"{way}_" if way else ""
    return f"dz_{code}_{task.day:%Y%m%d}_{group[0]}_{group[1]}_{apart}{task.number}"


def _content(packed: bytes, in_base64: bool) -> Iterator[str]:
    """Yield the bytes of a file as JSON: a text in base64, or a list of numbers."""
    pieces = (packed[at : at + _PIECE] for at in range(0, len(packed), _PIECE))
    yield '"' if in_base64 else "["
    for number, piece in enumerate(pieces):
        yield base64.b64encode(piece).decode() if in_base64 else "," * (number > 0) + ",".join(map(str, piece))
    yield '"' if in_base64 else "]"


def lines_of(workplace: Path, group: Group) -> Iterator[Ours]:
    """Yield the lines of a group as `extract` set them aside. Raises OSError."""
    with (workplace / f"{group.stem}.lines").open("rb") as stream:
        for text in stream:
            cells = msgspec.json.decode(text, type=dict[str, str])
            own_id = cells.pop("")
            amounts = {name: fen_of(cells.get(name)) or 0 for name in COMPONENTS}
            yield Ours(
                own_id=own_id, optins=group.optins, clr_type=group.clr_type, insutype=cells.get("insutype", ""),
                medfee=amounts["medfee_sumamt"], fund=amounts["fund_pay_sumamt"], acct=amounts["acct_pay"],
                cash=amounts["psn_cash_pay"], cells=cells,
            )  # fmt: skip
