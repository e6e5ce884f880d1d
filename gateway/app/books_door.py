"""The books at the institutions' door (docs/books.md).

    POST /api/v1/books/{institution}/{date}?rows=N&medfee_sumamt=X...    body: the day's ledger (text/csv)
    GET  /api/v1/books/{institution}/{date}?after=...&limit=N            the institution's differences of the date

Whoever calls is bound to the institution (security T9), as for pieces of lists. Files are checked and kept on a few
threads, those of one institution one after the other, so that a slow one holds up nobody else. Fetching differences is
the receipt of what was to be fed back of those: a page of them at a time, the next `after` what the last one named.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import attrs
import msgspec

from adapters.crypto.digest import sm3
from adapters.ledgers.source import LedgerRefused
from adapters.store.books import BooksStore
from adapters.store.books_cases import Action, BooksCases
from adapters.transport.server import HttpRequest
from gateway.app.books_handin import DayAhead, DayFrozen, WrongMarker, hand_in, marker_of
from gateway.app.books_shelf import SCRIPTS
from gateway.app.config import Config
from gateway.core.answers import refusal
from gateway.core.booked import DiffRow
from gateway.core.dates import is_date
from gateway.core.errors import Complaint
from gateway.core.ledgers import INST
from gateway.core.money import yuan
from gateway.core.ports import Clock
from gateway.exchange.door import Institution

PREFIX = b"/api/v1/books/"
WAITING_MAX = 16
EACH_MAX = 2  # of them of one institution
# What one institution may hand in within a day (security T30): a file is kept for good, beside the journal.
WINDOW_MS = 24 * 3_600_000
FILES_MAX, BYTES_MAX = 200, 1 << 30
PAGE_MAX = 10_000  # differences of one answer
LIMIT_DIGITS = 6
_encode = msgspec.json.Encoder().encode


class Lanes(Protocol):
    """Runs a call on another thread, those of one lane one after the other, and brings the result back."""

    def __call__(
        self, lane: str, call: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None], /
    ) -> None: ...


class WrongPage(Exception):
    """What is asked for is no page of an institution's differences. str: Chinese."""


class TooMuch(Exception):
    """An institution has handed in as much as it may."""


@attrs.define(eq=False)
class BooksDoor:
    """Takes day files and hands out differences. report: hears what went wrong of ours."""

    config: Config
    clock: Clock
    run: Lanes
    report: Callable[[Exception], None]
    _waiting: Counter[str] = attrs.Factory(Counter)

    def receive(self, request: HttpRequest, bound: Mapping[str, Institution]) -> None:
        """Take one request of who may speak for `bound`; answered when it is durable, or turned away."""
        institution, _, day = request.path[len(PREFIX) :].decode("ascii", "replace").partition("/")
        if institution not in bound:
            request.respond(*refusal("GW-SOURCE"))
        elif not is_date(day):
            request.respond(*refusal("GW-PATH", "日期应为yyyy-MM-dd"))
        elif request.method not in (b"POST", b"GET"):
            request.respond(*refusal("GW-METHOD"), extra=b"Allow: GET, POST\r\n")
        elif request.method == b"POST" and not request.content_type.startswith(b"text/csv"):
            request.respond(*refusal("GW-ENCODING"))
        elif (
            self._waiting.total() >= WAITING_MAX
            or self._waiting[institution] >= EACH_MAX
            or not bound[institution].take(self.clock.seconds())
        ):
            request.respond(*refusal("GW-RATE"))
        else:
            now_ms = int(self.clock.seconds() * 1000)
            work = partial(self._take if request.method == b"POST" else self._show, institution, day, request, now_ms)
            self._waiting[institution] += 1
            self.run(
                institution,
                work,
                partial(self._done, institution, request),
                partial(self._failed, institution, request),
            )

    # --- on the other thread ---

    def _take(self, institution: str, day: str, request: HttpRequest, now_ms: int) -> bytes:
        query = dict(parse_qsl(bytes(request.query or b"").decode("ascii", "replace"), keep_blank_values=True))
        marker = marker_of(query)
        self._within_limits(f"http:{institution}", now_ms)
        with tempfile.NamedTemporaryFile(prefix=f"{day}-", suffix=".csv") as stream:
            stream.write(request.body)
            stream.flush()
            found = hand_in(
                self.config, INST, institution, day, Path(stream.name), marker, f"http:{institution}", now_ms
            )
        return _encode({"infcode": 0, "err_msg": "", **found.record()})

    def _within_limits(self, who: str, now_ms: int) -> None:
        """Raise TooMuch when who has handed in as much as it may."""
        store = BooksStore.open(self.config.room("books"), SCRIPTS)
        try:
            paths = store.handed_in(who, now_ms - WINDOW_MS, FILES_MAX)
        finally:
            store.close()
        data = self.config.path(self.config.node.data_dir)
        sizes = ((data / path).stat().st_size for path in set(paths) if (data / path).exists())
        if len(paths) >= FILES_MAX or sum(sizes) >= BYTES_MAX:
            raise TooMuch

    def _show(self, institution: str, day: str, request: HttpRequest, now_ms: int) -> bytes:
        """Return a page of an institution's differences, encoded here and not on the reactor's thread; what is to be
        fed back of them is received by that, and of no others."""
        after, most = _page(request)
        store = BooksStore.open(self.config.room("books"), SCRIPTS)
        try:
            if after and not store.is_diff(after, day, "care", institution):
                raise WrongPage(f"after应为上一页的next，{day}没有这条差异")
            days = [one for one in store.days(day, day, "care") if one.scope == institution]
            found = store.diffs(day, "care", institution, most=most + 1, after=after)
            page = found[:most]
            rows = [_row(one) for one in page]
            cases = BooksCases(store.connection)
            receipt = f"fetched:{sm3(_encode(rows)).hex()[:32]}"
            among = [one.diff_id for one in page]
            orders = cases.actions(("PLANNED", "SENT", "DONE"), day, "INST", institution, among)
            cases.received([one for one in orders if one.state != "DONE"], receipt, now_ms)
            if len(found) == len(page):
                cases.withdraw(day, institution, now_ms)
        finally:
            store.close()
        state = days[0].state if days else "OPEN"
        told = {
            "infcode": 0, "err_msg": "", "fixmedins_code": institution, "date": day, "state": state,
            "revision": days[0].revision if days else 0, "receipt": receipt, "differences": rows,
            "actions": [_asked(one) for one in orders],
            "next": page[-1].diff_id if len(found) > len(page) else "",
        }  # fmt: skip
        return _encode(told)

    # --- back on the reactor's ---

    def _done(self, institution: str, request: HttpRequest, body: bytes) -> None:
        self._waiting[institution] -= 1
        request.respond(200, body)

    def _failed(self, institution: str, request: HttpRequest, cause: Exception) -> None:
        self._waiting[institution] -= 1
        if isinstance(cause, LedgerRefused):
            places = [
                Complaint(f"{one.line}:{one.column}", "format", f"{one.rule} {one.message}") for one in cause.faults
            ]
            _, body = refusal("GW-INVALID", complaints=places)
            request.respond(400, body)  # nothing was kept
        elif isinstance(cause, DayAhead | DayFrozen):
            request.respond(*refusal(cause.code, str(cause)))
        elif isinstance(cause, WrongMarker | WrongPage):
            _, body = refusal("GW-INVALID", str(cause))
            request.respond(400, body)
        elif isinstance(cause, TooMuch):
            request.respond(
                *refusal("GW-RATE", f"一家机构24小时内至多交账{FILES_MAX}次、{BYTES_MAX >> 20}MB，请稍后再交")
            )
        else:
            self.report(cause)
            request.respond(*refusal("GW-NOT-READY"))


def _page(request: HttpRequest) -> tuple[str, int]:
    """Return (the difference a page comes after, how many it has). Raises WrongPage."""
    query = dict(parse_qsl(bytes(request.query or b"").decode("ascii", "replace"), keep_blank_values=True))
    if not query.keys() <= {"after", "limit"}:
        raise WrongPage("查询参数只有after（上一页的next）和limit（一页的条数）")
    limit = query.get("limit", str(PAGE_MAX))
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= LIMIT_DIGITS and 1 <= int(limit) <= PAGE_MAX):
        raise WrongPage(f"limit应为1到{PAGE_MAX}之间的整数")
    return query.get("after", ""), int(limit)


def _row(one: DiffRow) -> dict[str, str]:
    return {
        "diff_id": one.diff_id, "setl_id": one.setl_id, "msgid": one.msgid, "leg": one.leg, "class": one.name,
        "row": one.row, "mode": one.mode, "action": one.action, "prevails": one.prevails, "component": one.component,
        "left_amt": _yuan(one.left_fen), "right_amt": _yuan(one.right_fen), "state": one.state, "note": one.note,
    }  # fmt: skip


def _asked(action: Action) -> dict[str, Any]:
    """Return what an institution is asked to do, under a number that stays the same however often it is fetched."""
    diff = action.diff
    return {
        "action_id": action.action_id, "kind": action.kind, "diff_id": diff.diff_id, "class": diff.name,
        "row": diff.row, "setl_id": diff.setl_id, "msgid": diff.msgid, "note": diff.note,
        "reason": str(action.content.get("reason", "")),
    }  # fmt: skip


def _yuan(fen: int | None) -> str:
    return "" if fen is None else yuan(fen)
