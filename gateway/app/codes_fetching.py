"""Fetching national libraries and registers (13xx, 9102, pages), taking files from the inbox: two orders' work.

A file comes piece by piece into a file of ours, named by its digest and never by the platform; it is imported by a
child process of its own (design §3, security T11). Versions follow each other until the platform has none newer. A file
that cannot be imported leaves the old version in force and alarms. Sources: code systems, catalogue_download; mapping
rules §7.
"""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from adapters.files.spool import Spool, empty_archive, has_text
from adapters.store.codes_uploads import Download
from gateway.app.codes_files import code_systems, digest_of, paged
from gateway.app.codes_files import downloads as system_of_file
from gateway.app.codes_orders import RETRY_S, Ended, GaveUp, Work
from gateway.app.codes_paging import Paging
from gateway.app.config import CodesConfig
from gateway.codes import downloads, pages
from gateway.codes.downloads import Offer
from gateway.core.dates import day_of
from gateway.exchange.door import Link
from gateway.exchange.errands import Errands, Fetched, FileErrand, FileExchange, outcome_of

WORDS_BYTES = 65_536
Import = Callable[[str, Path, str, str], Awaitable[dict[str, object]]]  # system, file, version or '', operator
Announce = Callable[[str, str, str], Awaitable[dict[str, object]]]  # system, version, operator


@attrs.frozen(kw_only=True)
class FetchMeans:
    """What the work needs besides its order.

    place: the link libraries come by; folder: where files are kept; importer: raises Stopped when the node stops;
    announcer: says whose mappings a release touches, opens a round; count(system, result), alarm(name): metrics and
    log.
    """

    settings: CodesConfig
    link: Link
    files: FileExchange
    errands: Errands
    folder: Path
    inbox: Path
    importer: Import
    announcer: Announce
    count: Callable[[str, str], object]
    alarm: Callable[[str], object]


@attrs.define(eq=False)
class Fetching:
    """One order about libraries."""

    means: FetchMeans
    work: Work
    told: list[dict[str, object]] = attrs.Factory(list)  # one line a transaction
    _news: dict[tuple[str, str], dict[str, object]] = attrs.Factory(dict)  # of (system, version): whom it concerns

    def __attrs_post_init__(self) -> None:
        self.work.result = {"libraries": self.told}

    async def fetch(self) -> Ended:
        """Bring the libraries of the order up to date; one that fails does not keep the others from it."""
        chosen = self.work.order.arguments.get("infnos")
        infnos = [str(infno) for infno in chosen] if isinstance(chosen, list) else []
        for number, infno in enumerate(infnos):
            await self.work.tell(f"下载目录{infno}", number, len(infnos))
            await self._one(infno)
        return Ended("failed" if any(one["state"] == "failed" for one in self.told) else "done", self.work.result)

    async def receive(self) -> Ended:
        """Import a file somebody laid into the inbox."""
        arguments = self.work.order.arguments
        name, system, ver = (str(arguments.get(key, "")) for key in ("file", "system", "ver"))
        path = self.means.inbox / name
        if not path.is_file():
            return Ended("failed", {"message": f"收件目录中已没有文件{name}"})
        await self.work.tell(f"导入{name}")
        digest, size = await self.work.db(lambda _: _measured(path))
        row = self._row(system, "", Offer("", name, -1))
        row = attrs.evolve(row, state="fetched", path=str(path), digest=digest, bytes=size)
        row = await self._import(await self._keep(row), ver)
        target = self.means.inbox / ("done" if row.state == "imported" else "refused")
        await self.work.db(lambda _: _moved(path, target, row.detail))
        self.told.append(self._line(row))
        return Ended("done" if row.state == "imported" else "failed", self.work.result)

    # --- one transaction -----------------------------------------------------------------------------

    async def _one(self, infno: str) -> None:
        before = len(self.told)
        try:
            await (self._changed(infno) if infno in paged() else self._versions(infno))
        except GaveUp as cause:
            self.means.count(system_of_file()[infno], "failed")
            self.told.append(
                {"infno": infno, "system": system_of_file()[infno], "state": "failed", "message": str(cause)}
            )
            return
        if len(self.told) == before:
            self.means.count(system_of_file()[infno], "current")
            last = await self._last(infno)
            self.told.append({"infno": infno, "system": system_of_file()[infno], "state": "current", "ver": last})

    async def _versions(self, infno: str) -> None:
        """Bring file after file, each the version after the one before."""
        asked = set[str]()
        ver = self._asked_from or await self._last(infno) or downloads.FIRST_VERSION
        while ver not in asked and len(asked) < self.means.settings.versions_max:
            asked.add(ver)
            row = await self._next(infno, ver)
            if row is None:
                break
            self.told.append(self._line(row))
            if row.state != "imported":
                break
            ver = row.ver

    async def _changed(self, infno: str) -> None:
        """Bring by pages what changed since the newest change that is held."""
        if row := await self._waiting(infno):
            self.told.append(self._line(await self._import(row, row.ver)))
            return
        since = pages.day_after(self._asked_from or await self._last(infno))
        means = self.means
        paging = Paging(self.work, means.link, means.settings, means.folder, infno, since, self._means_none)
        found = await paging.bring()
        if found is None:
            return
        offer = Offer("", f"{infno}.csv", found.rows)
        row = attrs.evolve(
            self._row(system_of_file()[infno], infno, offer), asked_ver=since, state="fetched", path=str(found.path),
            digest=found.digest, bytes=found.bytes, ver=found.ver,
        )  # fmt: skip
        if await self._is_held(row):
            return
        self.told.append(self._line(await self._import(await self._keep(row), row.ver)))

    @property
    def _asked_from(self) -> str:
        return str(self.work.order.arguments.get("ver") or "")

    def _means_none(self, refusal: str) -> bool:
        """Say whether a refusal means that there is nothing newer."""
        return re.search(self.means.settings.no_newer, refusal) is not None

    async def _waiting(self, infno: str) -> Download | None:
        """Return what this order brought and did not import yet: a node that died goes on with it."""
        order = self.work.order.id
        rows = await self.work.db(lambda books: books.uploads.unfinished(order))
        return next((row for row in rows if row.infno == infno and Path(row.path).is_file()), None)

    async def _is_held(self, row: Download) -> bool:
        """Say whether a file is in force already: a platform that sends everything every time."""
        known = await self.work.db(lambda books: books.uploads.released(row.system, row.digest))
        return known is not None and bool(await self._last(row.infno))

    async def _last(self, infno: str) -> str:
        """Return the version imported last by this transaction; '' = none."""
        found = await self.work.db(lambda books: books.uploads.downloads(infno, 1, "imported"))
        return found[0].ver if found else ""

    async def _next(self, infno: str, asked: str) -> Download | None:
        """Bring and import the version after the one asked with; None when there is none."""
        if waiting := await self._waiting(infno):
            return await self._import(waiting, "")
        offer = await self._offer(infno, asked)
        if offer is None:
            return None
        row = await self._bring(attrs.evolve(self._row(system_of_file()[infno], infno, offer), asked_ver=asked))
        if await self.work.db(lambda _: empty_archive(Path(row.path))):
            return None
        if await self._is_held(row):
            return None
        return await self._import(await self._keep(row), "")

    async def _offer(self, infno: str, asked: str) -> Offer | None:
        settings, link = self.means.settings, self.means.link
        transaction = link.region.transactions.get(infno)
        if transaction is None:
            raise GaveUp(f"链路{link.name}的区域没有交易{infno}")
        words = {transaction.nodes[0].name: {"ver": asked}}
        outcome = await self.work.ask(link, infno, words, settings.patience_s)
        if outcome.kind != "done":
            if self._means_none(outcome.text):
                return None
            raise GaveUp(f"平台拒绝目录下载{infno}：{outcome.text}")
        offer = downloads.read_offer(outcome.output)
        if offer is None and outcome.output not in (None, {}, []):
            raise GaveUp(f"平台对{infno}的应答中没有文件查询号")
        return None if offer is None or offer.rows == 0 else offer

    # --- the file ------------------------------------------------------------------------------------

    async def _bring(self, row: Download) -> Download:
        """9102, repeated while there is patience; return the row with its file."""
        settings = self.means.settings
        deadline, tries = self.work.now_s + settings.patience_s, 0
        while True:
            await self.work.tell(f"下载文件（{row.infno}）")
            spool = await self.work.db(lambda _: Spool.open(self.means.folder, settings.download_bytes_max))
            try:
                found, why = await self._into(spool, row)
            finally:
                await self.work.db(lambda _, spool=spool: spool.drop())  # type: ignore[misc]
            if found is not None:
                return found
            if self.work.now_s >= deadline:
                raise GaveUp(f"目录文件下载失败（9102）：{why or '平台没有给出文件'}")
            await self.work.wait(RETRY_S[min(tries, len(RETRY_S) - 1)], "目录文件下载中断，等待重试")
            tries += 1

    async def _into(self, spool: Spool, row: Download) -> tuple[Download | None, str]:
        """Fetch once: (the row with its file, '') or (None, why it may be tried again)."""
        fetched = await self._fetched(downloads.fetch_words(row.file_qury_no, row.filename), spool)
        digest, size = await self.work.db(lambda _: spool.end())
        if spool.too_big:
            raise GaveUp(f"目录文件超过{self.means.settings.download_bytes_max}字节")
        if fetched.kind == "file" and not await self.work.db(lambda _: has_text(spool.path, b"{")):
            day = day_of(self.work.now_s)
            path = await self.work.db(lambda _: spool.keep(row.infno, day))
            return attrs.evolve(row, state="fetched", path=str(path), digest=digest, bytes=size), ""
        if fetched.kind in ("file", "answer"):
            self._refused(row, fetched, await self.work.db(lambda _: spool.head(WORDS_BYTES)))
        return None, fetched.text

    def _fetched(self, words: dict[str, object], spool: Spool) -> "Deferred[Fetched]":
        told: Deferred[Fetched] = Deferred()
        errand = FileErrand(self.means.errands, self.means.link, told.callback)

        def spoil(failure: Failure) -> None:
            spool.spoil(failure.value or OSError("piece not written"))

        def take(piece: bytes) -> None:
            self.work.db(lambda _: spool.write(piece)).addErrback(spoil)

        timeout_s = self.means.settings.download_timeout_s
        errand.go(self.means.files, self.work.order.institution, words, take, timeout_s)
        return told

    def _refused(self, row: Download, fetched: Fetched, body: bytes) -> None:
        """Raise GaveUp when the platform said no; a system error or a page of a proxy is tried again."""
        link = self.means.link
        outcome = outcome_of(link.judge, fetched.status, link.codec.read(fetched.status, body, True, True), body)
        if outcome.kind == "refused":
            raise GaveUp(f"平台拒绝下载目录文件（{row.infno}）：{outcome.text}")

    # --- the import ----------------------------------------------------------------------------------

    async def _import(self, row: Download, ver: str) -> Download:
        """Import a file that is here; return the row as imported or refused."""
        known = await self.work.db(lambda books: books.uploads.released(row.system, row.digest))
        if known is not None:  # a node that died after the import, before it could say so
            found: dict[str, object] = {"ok": True, "ver": known[0], "rows": known[1]}
        else:
            await self.work.tell(f"导入目录（{row.infno or row.filename}）")
            found = await self._watched(self.means.importer(row.system, Path(row.path), ver, self.work.order.who))
        if found.get("ok"):
            rows = found.get("rows")
            done = attrs.evolve(
                row, state="imported", ver=str(found.get("ver")), rows=rows if isinstance(rows, int) else 0
            )
            self.means.count(row.system, "imported")
            await self._announce(done)
        else:
            complaints = found.get("complaints")
            lines = [str(line) for line in complaints] if isinstance(complaints, list) else []
            done = attrs.evolve(row, state="refused", detail="\n".join([str(found.get("message")), *lines]))
            self.means.count(row.system, "refused")
            self.means.alarm("catalogue_refused")
        return await self._keep(done)

    async def _announce(self, row: Download) -> None:
        """Say whom a release concerns, before it counts as done: a node that dies meanwhile does it again."""
        if row.system not in code_systems():
            return
        await self.work.tell(f"核对受影响的对码（{row.infno or row.filename}）")
        announcing = self.means.announcer(row.system, row.ver, self.work.order.who)
        self._news[row.system, row.ver] = await self._watched(announcing)

    def _line(self, row: Download) -> dict[str, object]:
        return _line(row) | (self._news.get((row.system, row.ver), {}) if row.state == "imported" else {})

    async def _watched(self, importing: Awaitable[dict[str, object]]) -> dict[str, object]:
        """Wait for a child of ours and keep the lease meanwhile."""
        ended: list[dict[str, object]] = []
        failed: list[Failure] = []

        async def run() -> None:
            ended.append(await importing)

        Deferred.fromCoroutine(run()).addErrback(failed.append)
        while not ended and not failed:
            await self.work.wait(0.2)
        if failed:
            failed[0].raiseException()
        return ended[0]

    def _row(self, system: str, infno: str, offer: Offer) -> Download:
        return Download(
            id=0, work_order=self.work.order.id, system=system, infno=infno, asked_ver="",
            file_qury_no=offer.file_qury_no, filename=offer.filename, announced=offer.rows, state="asked",
        )  # fmt: skip

    async def _keep(self, row: Download) -> Download:
        now_ms = self.work.desk.now_ms()
        return await self.work.db(lambda books: books.uploads.keep_download(row, now_ms))


def _line(row: Download) -> dict[str, object]:
    state = "imported" if row.state == "imported" else "failed"
    found: dict[str, object] = {
        "infno": row.infno,
        "system": row.system,
        "state": state,
        "ver": row.ver,
        "rows": row.rows,
    }
    return found | ({"file": row.filename, "message": row.detail} if state == "failed" else {})


def _measured(path: Path) -> tuple[str, int]:
    return digest_of(path), path.stat().st_size


def _moved(path: Path, folder: Path, complaints: str) -> None:
    """Put a file of the inbox aside; what is wrong with it lies beside it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / path.name
    if complaints:
        target.with_name(f"{target.name}.txt").write_text(complaints + "\n", "utf-8")
    path.replace(target)
