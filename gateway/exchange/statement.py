"""The daily statement as a question (Q5): our settlements go up, 3202 compares, what only the agency has comes back.

Heavy, so at most one in ten minutes an institution, for everybody who waits. It needs no undo and moves nothing. A
result that cannot be had whole is no answer. Source: reversal specification §4.1; reconciliation specification §3.2.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import attrs
from msgspec import Raw

from gateway.core.dates import SHANGHAI, shanghai
from gateway.core.model import Entry, Kind, Kinds, NotAccepted, OpResult, Settled
from gateway.core.money import yuan
from gateway.core.ports import Reply
from gateway.core.statement import ROWS_MAX, Differing, Line, lines_of, read_result, upload_text
from gateway.exchange.door import Link
from gateway.exchange.question import put, rows_of

if TYPE_CHECKING:
    from gateway.exchange.saf import StoreForward

SPACING_S = 600.0
GROUPS_MAX = 64
KINDS_MAX = 20_000
GROUP_DAYS = 400  # how far back settlements tell which groups an institution has (reconciliation specification §3.1)
KIND_DAYS = 7  # how long a kind of settlement is taken to stay in the group it was in
MARGIN_DAYS = 1  # the platform's day of a settlement may be another than the one it was asked for


class Parcel(Protocol):
    """Packs one text for the road, and unpacks one (None: nothing that can be read)."""

    def pack(self, name: str, text: str, /) -> bytes: ...

    def unpack(self, packed: bytes, /) -> str | None: ...


@attrs.frozen(kw_only=True)
class Statement:
    """What one comparison showed. began_s: when its first question left; days: what it covers.

    groups: (agency, kind of clearing) that were asked. theirs: what only the agency has. kinds: (transaction, insured
    locality) whose group is known, so that a row of that kind would have been among them.
    """

    began_s: float
    days: tuple[date, date]
    groups: tuple[tuple[str, str], ...]
    theirs: tuple[Differing, ...]
    kinds: frozenset[tuple[str, str]]

    def of(self, msgid: str) -> list[Differing]:
        """Return the agency's rows that carry a msgid."""
        return [row for row in self.theirs if row.msgid == msgid]

    @property
    def unnamed(self) -> list[Differing]:
        """Return the agency's rows without a msgid: nobody can say what they are."""
        return self.of("")

    def knows(self, original: Entry) -> bool:
        """Say whether this settlement would be listed if the agency had it."""
        day = shanghai(original.created_ms / 1000).date()
        return kind_of(original) in self.kinds and self.days[0] <= day <= self.days[1]


Told = Callable[[Statement | None], None]


def kind_of(entry: Entry) -> tuple[str, str]:
    return entry.infno[:4], entry.insuplc_admdvs


@attrs.define(eq=False)
class _Round:
    """One institution's comparisons: the last one, and who waits for the next."""

    last: Statement | None = None
    began_s: float = -SPACING_S
    running: bool = False
    waiting: list[tuple[Entry, Told]] = attrs.Factory(list)


@attrs.define(eq=False)
class Statements:
    """Compares for whoever asks. parcel: how a text travels."""

    office: StoreForward
    parcel: Parcel
    _rounds: dict[tuple[str, str], _Round] = attrs.Factory(dict)

    def ask(self, link: Link, original: Entry, told: Told) -> None:
        """Have original's institution compared since original's day; told(None) when that cannot be done."""
        if any(infno not in link.plans for infno in ("9101", "3202", "9102")):
            told(None)
            return
        one = self._rounds.setdefault((original.fixmedins_code, link.name), _Round())
        one.waiting.append((original, told))
        if not one.running:
            one.running = True
            wait_s = one.began_s + SPACING_S - self.office.clock.seconds()
            self.office.clock.callLater(min(max(0.0, wait_s), SPACING_S), self._begin, link, one)

    def last(self, institution: str, link: Link) -> Statement | None:
        """Return the newest comparison with a platform while it is fresh: the next one may not leave yet."""
        one = self._rounds.get((institution, link.name))
        if one is None or one.last is None:
            return None
        return one.last if 0 <= self.office.clock.seconds() - one.last.began_s < SPACING_S else None

    def _begin(self, link: Link, one: _Round) -> None:
        one.began_s = now = self.office.clock.seconds()
        waiting, one.waiting = one.waiting, []
        original = waiting[0][0]
        days = (min(shanghai(each.created_ms / 1000).date() for each, _ in waiting), shanghai(now).date())

        def over(found: Statement | None) -> None:
            one.running, one.last = False, found or one.last
            for _, told in waiting:
                told(found)
            if one.waiting and not one.running:
                later, one.waiting = one.waiting, []
                for each, told in later:
                    self.ask(link, each, told)

        code = original.fixmedins_code

        def told(kinds: OpResult | NotAccepted) -> None:
            if not isinstance(kinds, tuple) or len(kinds) >= KINDS_MAX:
                over(None)
                return
            comparison = _Comparison(self, link, original, days, now, over, kinds)

            def listed(found: OpResult | NotAccepted) -> None:
                if isinstance(found, list) and len(found) < ROWS_MAX:
                    # another platform's are none of its
                    comparison.start([row for row in found if row.link == link.name])
                else:
                    over(None)

            since_ms = _start_ms(days[0], MARGIN_DAYS)
            self.office.queue.submit(Settled(fixmedins_code=code, since_ms=since_ms, rows_max=ROWS_MAX), listed)

        since_ms = _start_ms(days[0], GROUP_DAYS)
        asked = Kinds(fixmedins_code=code, link=link.name, since_ms=since_ms, rows_max=KINDS_MAX)
        self.office.queue.submit(asked, told)


@attrs.define(eq=False)
class _Comparison:
    """One comparison on its way: group by group, each uploaded, compared, fetched."""

    room: Statements
    link: Link
    original: Entry
    days: tuple[date, date]
    began_s: float
    over: Told
    seen: tuple[Kind, ...]
    lines: list[Line] = attrs.Factory(list)
    groups: list[tuple[str, str]] = attrs.Factory(list)  # those that are left
    theirs: list[Differing] = attrs.Factory(list)

    def start(self, rows: list[Entry]) -> None:
        self.lines = [line for line in lines_of(rows) if self.days[0] <= line.day <= self.days[1]]
        self.groups = sorted(self._groups())
        if 0 < len(self.groups) <= GROUPS_MAX:
            self._upload()
        else:
            self.over(None)  # nothing says whom to ask, or too many: asking some would look like asking all

    def _groups(self) -> set[tuple[str, str]]:
        return {(kind.clr_optins, kind.clr_type) for kind in self.seen}

    def _statement(self) -> Statement:
        lately_ms = _start_ms(self.days[0], KIND_DAYS)
        return Statement(
            began_s=self.began_s,
            days=self.days,
            groups=tuple(sorted(self._groups())),
            theirs=tuple(self.theirs),
            kinds=frozenset((kind.infno[:4], kind.insuplc_admdvs) for kind in self.seen if kind.last_ms >= lately_ms),
        )

    def _upload(self) -> None:
        optins, clr_type = self.groups[0]
        stem = f"dz_{self.original.fixmedins_code}_{self.days[0]:%Y%m%d}_{optins}_{clr_type}_{int(self.began_s)}"
        packed = self.room.parcel.pack(f"{stem}.txt", upload_text(self._ours()))
        content = base64.b64encode(packed).decode() if self.link.region.file_in == "base64" else list(packed)
        message = {"in": content, "filename": f"{stem}.zip", "fixmedins_code": self.original.fixmedins_code}
        self._put("9101", {"fsUploadIn": message}, self._uploaded)

    def _ours(self) -> list[Line]:
        return [line for line in self.lines if line.group == self.groups[0]]

    def _uploaded(self, reply: Reply | None) -> None:
        number = _word(rows_of(reply, ""), "file_qury_no")
        if not number:
            self.over(None)
            return
        ours, (optins, clr_type) = self._ours(), self.groups[0]
        message = {
            "setl_optins": optins,
            "file_qury_no": number,
            "stmt_begndate": f"{self.days[0]:%Y-%m-%d}",
            "stmt_enddate": f"{self.days[1]:%Y-%m-%d}",
            "medfee_sumamt": _amount(sum(line.medfee_fen for line in ours)),
            "fund_pay_sumamt": _amount(sum(line.fund_fen for line in ours)),
            "cash_payamt": _amount(sum(line.cash_fen for line in ours)),
            "fixmedins_setl_cnt": len(ours),
            "clr_type": clr_type,
            "refd_setl_flag": "",
            "fixmedins_refd_setl_flag": "1" if any(line.refund for line in ours) else "0",
        }
        self._put("3202", {"data": message}, self._compared)

    def _compared(self, reply: Reply | None) -> None:
        rows = rows_of(reply, "fileinfo")
        number, name = _word(rows, "file_qury_no"), _word(rows, "filename")
        if not number:
            self.over(None)
            return
        message = {"file_qury_no": number, "filename": name, "fixmedins_code": self.original.fixmedins_code}
        office, link = self.room.office, self.link
        put(office, link, self.original, "9102", {"fsDownloadIn": message}, lambda _: None, self._fetched)

    def _fetched(self, packed: bytes | None) -> None:
        text = None if packed is None else self.room.parcel.unpack(packed)
        found = None if text is None else read_result(text)
        if found is None:
            self.over(None)
            return
        ours = {line.setl_id for line in self._ours()}
        self.theirs += [row for row in found if row.setl_id not in ours]  # of the agency alone it is empty
        del self.groups[0]
        if self.groups:
            self._upload()
        else:
            self.over(self._statement())

    def _put(self, infno: str, message: dict[str, Any], told: Callable[[Reply | None], None]) -> None:
        put(self.room.office, self.link, self.original, infno, message, told)


def _start_ms(day: date, days_before: int) -> int:
    """Return when a day began in Shanghai, so many days before."""
    return int(datetime.combine(day - timedelta(days=days_before), time(), SHANGHAI).timestamp() * 1000)


def _amount(fen: int) -> Raw:
    return Raw(yuan(fen).encode())


def _word(rows: list[dict[str, Any]] | None, name: str) -> str:
    value = rows[0].get(name) if rows else None
    return value if type(value) is str else ""
