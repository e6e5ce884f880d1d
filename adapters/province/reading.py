"""Reading a list that comes by pages until it is certain: by its totals, and twice alike (docs/province.md §3, A8)."""

import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from adapters.files.workplace import Workplace
from adapters.province.shelf import CHUNK_LINES, Kept, Shelf
from adapters.province.statement import Head, PageRead
from gateway.core.province import Outcome

Work = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs blocking work on a helper's thread; raises what it raises."""

FILE = "whole.csv"
_TEXTS = {
    "TOTALS": "对账单的行数或金额与它自己的总数不符，重取后仍不符（A8），请省平台核对",
    "SHIFTING": "翻页时对账单一直在变，多次读取都不相同",
    "LIMIT": "对账单超过允许的行数",
}


@attrs.frozen(kw_only=True)
class Whole:
    """A list that is certain: its file is in place."""

    head: Head
    kept: Kept
    readings: int


class _Once(Exception):
    """This reading came to nothing; another may not. code: why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Ends(Exception):
    """Nothing better can be expected now."""

    def __init__(self, outcome: Outcome[Any]) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


@attrs.frozen(kw_only=True)
class Reader:
    """Reads lists. page_of: asks for page number n (1, 2, ..) of reading r and gives it read, or an Outcome that is not
    done. pause: waits before a list is read again."""

    page_of: Callable[[int, int], Awaitable[Outcome[PageRead]]]
    columns: tuple[str, ...]
    amounts: frozenset[str]
    rows_max: int
    readings_max: int
    pause: Callable[[], Awaitable[object]]
    work: Work
    chunk_lines: int = CHUNK_LINES

    async def read(self, target: Path) -> Outcome[Whole]:
        """Read until two readings agree, and put the file in place. Raises OSError of our own disk."""
        place: Workplace = await self.work(partial(Workplace.make, ".province-", target.parent))
        try:
            return await self._read(place.path, target)
        except _Ends as cause:
            return Outcome(kind=cause.outcome.kind, code=cause.outcome.code, text=cause.outcome.text)
        finally:
            await self.work(place.remove)

    async def _read(self, folder: Path, target: Path) -> Outcome[Whole]:
        last: tuple[Head, str] | None = None
        why = "SHIFTING"
        for number in range(1, self.readings_max + 1):
            if number > 1:
                await self.pause()
            own = folder / str(number)  # one reading's files never meet another's
            await self.work(own.mkdir)
            try:
                head, kept, pages = await self._once(number, own)
            except _Once as cause:
                why, last = cause.code, None
            else:
                # One page cannot shift.
                if pages == 1 or last == (head, kept.sm3):
                    await self.work(partial((own / FILE).replace, target))
                    return Outcome(kind="done", value=Whole(head=head, kept=kept, readings=number))
                last, why = (head, kept.sm3), "SHIFTING"
            await self.work(partial(shutil.rmtree, own))
        return Outcome(kind="unknown", code=why, text=_TEXTS[why])

    async def _once(self, reading: int, folder: Path) -> tuple[Head, Kept, int]:
        """Read all pages; raises _Once, _Ends."""
        shelf = Shelf(folder=folder, columns=self.columns, amounts=self.amounts, chunk_lines=self.chunk_lines)
        head: Head | None = None
        number = 0
        while True:
            number += 1
            outcome = await self.page_of(reading, number)
            if outcome.kind != "done" or outcome.value is None:
                raise _Ends(outcome)
            page = outcome.value
            if head is not None and page.head != head:
                raise _Once("SHIFTING")
            head = page.head
            if head.total > self.rows_max:
                raise _Ends(Outcome(kind="unknown", code="LIMIT", text=_TEXTS["LIMIT"]))
            await self.work(partial(shelf.add, page.lines))
            if len(page.lines) < head.size:
                break
            # Repeated rows count once, so there may be more than the total says; a party that goes on and on is wrong.
            if shelf.count > 2 * head.total:
                raise _Once("TOTALS")
        kept: Kept = await self.work(partial(shelf.finish, folder / FILE))
        if kept.rows - kept.repeated != head.total or any(
            kept.sums_fen.get(name, 0) != fen for name, fen in head.sums_fen.items()
        ):
            raise _Once("TOTALS")
        return head, kept, number
