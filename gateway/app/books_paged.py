"""A platform's list read whole (reconciliation §7.3): to an empty or short page, with the stated count, twice alike."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from adapters.crypto.digest import sm3
from gateway.app.codes_orders import Work
from gateway.books.monthly import union
from gateway.core.rows import rows_in
from gateway.exchange.door import Link

PAGES_MAX = 20_000
Rows = list[Mapping[str, Any]]


class NotWhole(Exception):
    """The list could not be had whole. str: Chinese."""


@attrs.frozen(kw_only=True)
class Paged:
    """How lists of one order are read. readings_max: how often at most."""

    work: Work
    link: Link
    patience_s: float
    readings_max: int

    async def whole(
        self, infno: str, words: Mapping[str, Any], names: tuple[str, str], size: int,
        rows_of: Callable[[Any], Sequence[Mapping[str, Any]]],
    ) -> Rows:  # fmt: skip
        """Return every row. names: the fields that say which page and how many rows; rows_of: rows of an answer.

        Raises NotWhole, GaveUp, Stopped, Fenced.
        """
        before, why = "", ""
        for number in range(1, self.readings_max + 1):
            rows, why = await self._reading(infno, words, names, size, rows_of, number)
            found, digest = union(rows, sm3)
            if not why and digest == before:
                return found
            before = "" if why else digest
        raise NotWhole(why or f"{infno}读了{self.readings_max}次，每次都不同：平台的数据正在变动，请稍后再试")

    async def _reading(
        self, infno: str, words: Mapping[str, Any], names: tuple[str, str], size: int,
        rows_of: Callable[[Any], Sequence[Mapping[str, Any]]], number: int,
    ) -> tuple[Rows, str]:  # fmt: skip
        """Read every page once; return the rows, and why they are not all, ''."""
        rows: Rows = []
        for page in range(1, PAGES_MAX + 1):
            asked = {**words, names[0]: str(page), names[1]: str(size)}
            outcome = await self.work.ask(self.link, infno, asked, self.patience_s)
            if outcome.kind != "done":
                raise NotWhole(f"平台没有给出{infno}：{outcome.text}")
            some = rows_of(outcome.output)
            rows += some
            await self.work.tell(f"第{number}次读取{infno}", len(rows))
            if len(some) < size:
                stated = [str(one["recordCounts"]) for one in rows_in(outcome.output, "recordCounts")[:1]]
                count = len(union(rows, sm3)[0])
                return rows, "" if stated == [
                    str(count)
                ] else f"{infno}有{count}行，平台称{''.join(stated) or '未说'}行，不完整"
        raise NotWhole(f"{infno}超过{PAGES_MAX}页，平台的分页不会结束")
