"""One daily statement being made: our settlements read page by page, uploaded group by group, compared, fetched.

Nothing of it holds the reactor: a page of the journal is small, and files are made and read by the helper's thread. A
file covers the days asked about; where these are more rows than one file should have, several files cover them, and a
result of several days that cannot be used is asked for again in two halves. Source: reconciliation specification §3.2.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import attrs
from msgspec import Raw

from gateway.core.dates import day_start_ms
from gateway.core.jsontext import encode
from gateway.core.model import Entry, Kind, Kinds, NotAccepted, OpResult, Page, Settled
from gateway.core.money import yuan
from gateway.core.ports import Reply
from gateway.core.statement import FILE_ROWS_MAX, Differing, Line, in_order, lines_of, read_result, upload_text
from gateway.exchange.door import Link
from gateway.exchange.question import put, rows_of

if TYPE_CHECKING:
    from gateway.exchange.statement import Statements

LINES_MAX = 200_000  # of one institution and all its days: some 100 MB while the statement is made
FILE_ROWS = 20_000  # beyond them days are no longer put together in one file
PAGE_ROWS, PAGE_IDS = 250, 20_000  # what one look into the journal returns, and passes over, at most
GROUPS_MAX = 64
KINDS_MAX = 20_000
GROUP_DAYS = 400  # how far back settlements tell which groups an institution has (reconciliation specification §3.1)
MARGIN_DAYS = 1  # the platform's day of a settlement may be another than the one it was asked for

Group = tuple[str, str]


@attrs.frozen(kw_only=True)
class File:
    """What is uploaded for one group: the content of 9101 as JSON, and its sums in fen."""

    content: Raw
    count: int
    medfee_fen: int
    fund_fen: int
    cash_fen: int
    refunds: bool


@attrs.frozen
class Part:
    """A group and days, asked about with one file."""

    group: Group
    first: date
    last: date

    def halves(self) -> list[Part]:
        middle = self.first + (self.last - self.first) // 2
        return [Part(self.group, self.first, middle), Part(self.group, middle + timedelta(days=1), self.last)]


@attrs.define(eq=False)
class Comparison:
    """One on its way. told: its end, with the rows only the agency has; None when it failed.

    original: whose institution and area the messages carry. days: what is asked about, both inclusive.
    """

    room: Statements
    link: Link
    original: Entry
    days: tuple[date, date]
    began_s: float
    told: Callable[[list[Differing] | None], None]
    kinds: tuple[Kind, ...] = ()
    _lines: dict[Group, dict[date, list[Line]]] = attrs.Factory(dict)
    _ours: set[str] = attrs.Factory(set)  # every setl_id of ours
    _refunded: set[str] = attrs.Factory(set)
    _parts: list[Part] = attrs.Factory(list)  # those that are left, the next one last
    _files: int = 0
    _theirs: list[Differing] = attrs.Factory(list)
    _listed: set[Differing] = attrs.Factory(set)

    # --- what the journal knows ---

    def start(self) -> None:
        since_ms = day_start_ms(self.days[0], GROUP_DAYS)
        code = self.original.fixmedins_code
        op = Kinds(fixmedins_code=code, link=self.link.name, since_ms=since_ms, rows_max=KINDS_MAX)
        self.room.office.queue.submit(op, self._found_kinds)

    def _found_kinds(self, found: OpResult | NotAccepted) -> None:
        if not isinstance(found, tuple) or len(found) >= KINDS_MAX:
            self.told(None)
            return
        self.kinds = found
        if 0 < len(self.groups) <= GROUPS_MAX:
            self._turn_page(None)
        else:
            self.told(None)  # nothing says whom to ask, or too many: asking some would look like asking all

    @property
    def groups(self) -> list[Group]:
        """Every group that is asked about."""
        return sorted({(kind.clr_optins, kind.clr_type) for kind in self.kinds})

    def _turn_page(self, before: int | None) -> None:
        op = Settled(
            fixmedins_code=self.original.fixmedins_code,
            link=self.link.name,
            since_ms=day_start_ms(self.days[0], MARGIN_DAYS),
            before=before,
            rows_max=PAGE_ROWS,
            ids_max=PAGE_IDS,
        )
        self.room.office.queue.submit(op, self._read_page)

    def _read_page(self, found: OpResult | NotAccepted) -> None:
        if not isinstance(found, Page):
            self.told(None)
            return
        for line in lines_of(found.rows, self._refunded):
            self._ours.add(line.setl_id)
            if self.days[0] <= line.day <= self.days[1]:
                self._lines.setdefault(line.group, {}).setdefault(line.day, []).append(line)
        if len(self._ours) > LINES_MAX:
            self.told(None)
        elif found.before:
            self._turn_page(found.before)
        else:
            spans = self._spans()
            self._parts = [Part(group, *days) for group in reversed(self.groups) for days in reversed(spans)]
            self._next()

    def _spans(self) -> list[tuple[date, date]]:
        """Return the days in order, put together as long as their rows fit one file."""
        spans: list[tuple[date, date]] = []
        rows, day = 0, self.days[0]
        while day <= self.days[1]:
            more = sum(len(days.get(day, ())) for days in self._lines.values())
            if spans and rows + more <= FILE_ROWS:
                spans[-1] = (spans[-1][0], day)
                rows += more
            else:
                spans.append((day, day))
                rows = more
            day += timedelta(days=1)
        return spans

    # --- one part after the other ---

    def _next(self) -> None:
        if not self._parts:
            self.told(self._theirs)
            return
        part = self._parts[-1]
        lines = [
            each for day, each in sorted(self._lines.get(part.group, {}).items()) if part.first <= day <= part.last
        ]
        if sum(map(len, lines)) > FILE_ROWS_MAX:
            self.told(None)
            return
        self._files += 1
        stem = (
            f"dz_{self.original.fixmedins_code}_{part.first:%Y%m%d}_{part.group[0]}_{part.group[1]}_"
            f"{int(self.began_s)}{self._files:03d}"
        )
        parcel, base64_in = self.room.parcel, self.link.region.file_in == "base64"

        def make() -> File:
            ours = in_order([line for each in lines for line in each])
            return make_file(ours, parcel.pack(f"{stem}.txt", upload_text(ours)), base64_in)

        self.room.office.helper.run(make, lambda file: self._upload(part, stem, file), self._failed)

    def _failed(self, cause: Exception) -> None:
        """A fault of ours; whoever asked must not wait for ever."""
        self.room.office.watch.alarm("internal_error", self.original.fixmedins_code, self.original.msgid)
        self.told(None)

    def _upload(self, part: Part, stem: str, file: File) -> None:
        code = self.original.fixmedins_code
        message = {"in": file.content, "filename": f"{stem}.zip", "fixmedins_code": code}
        self._put("9101", {"fsUploadIn": message}, lambda reply: self._compare(part, file, reply))

    def _compare(self, part: Part, file: File, reply: Reply | None) -> None:
        number = _word(rows_of(reply, ""), "file_qury_no")
        if not number:
            self.told(None)
            return
        message = {
            "setl_optins": part.group[0],
            "file_qury_no": number,
            "stmt_begndate": f"{part.first:%Y-%m-%d}",
            "stmt_enddate": f"{part.last:%Y-%m-%d}",
            "medfee_sumamt": _amount(file.medfee_fen),
            "fund_pay_sumamt": _amount(file.fund_fen),
            "cash_payamt": _amount(file.cash_fen),
            "fixmedins_setl_cnt": file.count,
            "clr_type": part.group[1],
            "refd_setl_flag": "",
            "fixmedins_refd_setl_flag": "1" if file.refunds else "0",
        }
        self._put("3202", {"data": message}, lambda compared: self._fetch(part, compared))

    def _fetch(self, part: Part, reply: Reply | None) -> None:
        rows = rows_of(reply, "fileinfo")
        number, name = _word(rows, "file_qury_no"), _word(rows, "filename")
        if not number:
            self.told(None)
            return
        message = {"file_qury_no": number, "filename": name, "fixmedins_code": self.original.fixmedins_code}
        parcel, ours = self.room.parcel, self._ours

        def read(packed: bytes) -> list[Differing] | None:
            text = parcel.unpack(packed)
            found = None if text is None else read_result(text)
            # Of what the agency alone has the setl_id is empty.
            return None if found is None else [row for row in found if row.setl_id not in ours]

        def fetched(packed: bytes | None) -> None:
            if packed is None:
                self.told(None)
            else:
                self.room.office.helper.run(lambda: read(packed), lambda found: self._shown(part, found), self._failed)

        office, link = self.room.office, self.link
        put(office, link, self.original, "9102", {"fsDownloadIn": message}, lambda _: None, fetched)

    def _shown(self, part: Part, found: list[Differing] | None) -> None:
        if found is None and part.first == part.last:
            self.told(None)
            return
        self._parts.pop()
        if found is None:  # perhaps it was too much for one file
            self._parts += reversed(part.halves())
        else:
            # Some platforms list the same whatever group is asked for; twice in one file is booked twice.
            self._theirs += [row for row in found if not row.msgid or row not in self._listed]
            self._listed.update(found)
        self._next()

    def _put(self, infno: str, message: dict[str, Any], told: Callable[[Reply | None], None]) -> None:
        put(self.room.office, self.link, self.original, infno, message, told)


def make_file(ours: list[Line], packed: bytes, base64_in: bool) -> File:
    """Return an upload of lines that were packed already. base64_in: how the platform takes bytes (annex X24)."""
    content = b'"' + base64.b64encode(packed) + b'"' if base64_in else encode(list(packed))
    return File(
        content=Raw(content),
        count=len(ours),
        medfee_fen=sum(line.medfee_fen for line in ours),
        fund_fen=sum(line.fund_fen for line in ours),
        cash_fen=sum(line.cash_fen for line in ours),
        refunds=any(line.refund for line in ours),
    )


def _amount(fen: int) -> Raw:
    return Raw(yuan(fen).encode())


def _word(rows: list[dict[str, Any]] | None, name: str) -> str:
    value = rows[0].get(name) if rows else None
    return value if type(value) is str else ""
