"""Fetching a catalogue that comes by pages, into a file like those of 9102 (1304, 1312, 1316, 1318, 1319).

Every page lies in a file of ours before the next is asked for; an order that is taken up again goes on behind the last
one, as long as not too much time went by. Pages that do not fit together are thrown away whole: a catalogue with a hole
is worse than yesterday's.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import msgspec

from adapters.files.pages import PageFile, TooBig, write_rows
from adapters.files.spool import Spool
from gateway.app.codes_orders import GaveUp, Work
from gateway.app.config import CodesConfig
from gateway.codes import pages
from gateway.codes.pages import Page, Walk
from gateway.core.dates import day_of
from gateway.exchange.door import Link

GO_ON_S = 6 * 3600  # older pages may not fit the next ones


class Unfit(GaveUp):
    """What came is of no use, and so are the pages before it."""


@attrs.frozen
class Brought:
    """A catalogue as a file. ver: its version's name; rows: how many."""

    path: Path
    digest: str
    bytes: int
    ver: str
    rows: int


@attrs.define(eq=False)
class Paging:
    """One question by pages. since: what changed since this day; nothing_newer: says of a refusal that it means so."""

    work: Work
    link: Link
    settings: CodesConfig
    folder: Path
    infno: str
    since: str
    nothing_newer: Callable[[str], object]

    async def bring(self) -> Brought | None:
        """Ask for all pages; None when nothing changed. Raises GaveUp, Stopped, Fenced, OSError."""
        if self.infno not in self.link.region.transactions:
            raise GaveUp(f"链路{self.link.name}的区域没有交易{self.infno}")
        file = await self.work.db(lambda _: self._open())
        spent = False
        try:
            await self._pages(file)
            found = await self.work.db(lambda _: self._made(file))
            spent = True
        except Unfit:
            spent = True
            raise
        finally:
            await self.work.db(lambda _: file.close(drop=spent))
        return found

    @property
    def _columns(self) -> tuple[str, ...]:
        return tuple(field.name for node in self.link.region.transactions[self.infno].output for field in node.fields)

    def _open(self) -> PageFile:
        asked = {"infno": self.infno, "since": self.since, "size": self.settings.page_rows, "fields": self._columns}
        newer_than_s = self.work.now_s - GO_ON_S
        return PageFile.open(
            self.folder / f"pages-{self.infno}.jsonl", asked, self.settings.download_bytes_max, newer_than_s
        )

    async def _pages(self, file: PageFile) -> None:
        """Ask until all pages lie in the file."""
        walk = Walk(self.settings.page_rows)
        await self.work.db(lambda _: self._again(file, walk))
        node = self.link.region.transactions[self.infno].nodes[0].name
        while not walk.over:
            await self.work.tell(f"查询目录{self.infno}第{walk.number + 1}页")
            words = pages.words(node, walk.number + 1, walk.size, self.since)
            outcome = await self.work.ask(self.link, self.infno, words, self.settings.patience_s)
            if outcome.kind != "done":
                if walk.number == 0 and self.nothing_newer(outcome.text):
                    return
                raise Unfit(f"平台拒绝目录查询{self.infno}：{outcome.text}")
            page = pages.read_page(outcome.output, self._columns)
            if page is None:
                raise Unfit(f"平台对{self.infno}的应答无法识别")
            before = walk.number
            self._take(walk, page)
            if walk.number > before:
                await self.work.db(lambda _, page=page: self._add(file, page))  # type: ignore[misc]

    def _again(self, file: PageFile, walk: Walk) -> None:
        for page in _stored(file):
            self._take(walk, page)

    def _take(self, walk: Walk, page: Page) -> None:
        if why := walk.take(page):
            raise Unfit(f"平台对{self.infno}的分页前后不一致：{why}；已取的各页作废，下次重新查询")

    def _add(self, file: PageFile, page: Page) -> None:
        try:
            file.add(page)
        except TooBig as cause:
            raise Unfit(f"目录{self.infno}超过{self.settings.download_bytes_max}字节") from cause

    def _made(self, file: PageFile) -> Brought | None:
        """Make a table of all pages, under a name made of its digest."""
        given = {name for page in _stored(file) for row in page.rows for name in row}
        columns = [name for name in self._columns if name in given]
        if not columns:
            return None
        ver = pages.version_of((row for page in _stored(file) for row in page.rows), day_of(self.work.now_s))
        spool = Spool.open(self.folder, self.settings.download_bytes_max)
        try:
            rows = write_rows(spool, columns, (row for page in _stored(file) for row in page.rows))
            digest, size = spool.end()
            if spool.too_big:
                raise Unfit(f"目录{self.infno}超过{self.settings.download_bytes_max}字节")
            path = spool.keep(self.infno, day_of(self.work.now_s))
        finally:
            spool.drop()
        return Brought(path, digest, size, ver, rows)


def _stored(file: PageFile) -> Iterator[Page]:
    for raw in file.pages():
        yield msgspec.convert(raw, Page)
