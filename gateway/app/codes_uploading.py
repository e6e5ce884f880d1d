"""Uploading mappings (3301), taking them back (3302), comparing with the centre (1317): the work behind three orders.

Decisions are `gateway.codes.uploads`; here they are carried out in an order that survives a death at any line: a row is
durable as `sending` or `cancelling` before its request leaves, and whatever stands so at a start is asked for by 1317
before anything is sent. Sources: mapping rules §7, §10; MA15.
"""

from collections.abc import Callable, Iterable, Sequence

import attrs
from twisted.internet.defer import Deferred

from adapters.store.codes_uploads import Held, Step
from gateway.app.codes_orders import Books, Ended, GaveUp, Work
from gateway.app.config import CodesConfig
from gateway.codes import uploads
from gateway.codes.faults import Fault
from gateway.codes.uploads import CentreRow, Change, Line, Plan
from gateway.core.catalogue import Field, Node
from gateway.core.dates import day_of
from gateway.exchange.door import Link
from gateway.exchange.errands import Outcome

NAMED_MAX = 1000  # rows named one by one in a result
PAGES_MAX = 50_000
ALIKE_MAX = 20  # rows refused in the same words before anything was taken: the platform means all of them
ROUNDS_MAX = 3  # how often one order sends a row whose answer was lost
UPLOAD, CANCEL, ASK = "3301", "3302", "1317"


@attrs.frozen
class Wanted:
    """What should stand at the centre. refused: rows that may not be sent, by line of their mapping file."""

    lines: tuple[Line, ...]
    refused: tuple[Fault, ...]


@attrs.frozen(kw_only=True)
class Means:
    """What the work needs besides its order. wanted: reads what is in force, off the reactor; unsettled: which of a
    system's local codes stand in fee lines that are not settled; count, alarm: metrics and log.
    """

    settings: CodesConfig
    link_of: Callable[[str], Link]
    wanted: Callable[[str, str, Sequence[Held], str, tuple[Field, ...]], Wanted]
    unsettled: Callable[[str, str, Sequence[str]], set[str]]
    count: Callable[[str, int], object]
    alarm: Callable[[str, str], object]


@attrs.define(eq=False)
class Uploading:
    """One order about an institution's mappings at its platform."""

    means: Means
    work: Work
    link: Link = attrs.field(init=False)
    named: dict[str, list[dict[str, str]]] = attrs.Factory(dict)  # rows a person should look at, by why
    counts: dict[str, int] = attrs.Factory(dict)
    _given_up: set[str] = attrs.Factory(set)  # local codes this order does not touch again
    _words: dict[str, int] = attrs.Factory(dict)  # how many rows were refused in which words

    def __attrs_post_init__(self) -> None:
        self.link = self.means.link_of(self.work.order.institution)
        self.work.result = {"rows": self.named, "counts": self.counts}

    # --- the three orders --------------------------------------------------------------------------

    async def upload(self) -> Ended:
        """3301 for what is in force and not at the platform; where a target changed, 3302 of the old one before it."""
        try:
            await self._resolve()
            for _ in range(ROUNDS_MAX):
                todo = await self._plan()
                if not todo.changes and not todo.adds:
                    break
                await self.work.tell("上传对码", 0, len(todo.adds) + sum(len(one.send) for one in todo.changes))
                await self._changes(todo.changes)
                await self._adds(todo.adds)
        finally:
            if not self.work.desk.stopping:  # whatever ended it, an item without a code is raised
                await self._tell_uncoded()
        todo = await self._plan()
        for line in (*todo.adds, *(line for one in todo.changes for line in one.send)):
            self._name("unsent", line, "平台多次没有应答，请稍后再次执行")
        self.counts["gone"] = len(todo.gone)
        return await self._ended()

    async def cancel(self) -> Ended:
        """3302 for the local codes of the order, or for what is no longer in force."""
        await self._resolve()
        codes = self.work.order.arguments.get("codes") or []
        chosen = {str(code) for code in codes} if isinstance(codes, list) else set()
        if self.work.order.arguments.get("retired"):
            chosen |= {row.local for row in (await self._plan()).gone}
        held = await self._held("", "uploaded")
        for code in sorted(chosen - {row.local for row in held}):
            self.named.setdefault("absent", []).append({"local_code": code, "message": "没有已上传的对码"})
        for _ in range(ROUNDS_MAX):
            left = chosen - self._given_up
            rows = [row for row in await self._held("", "uploaded") if row.local in left]
            free = await self._free(rows)
            if not free:
                break
            await self.work.tell("撤销对码", 0, len(free))
            await self._take_back(free)
        return await self._ended()

    async def compare(self) -> Ended:
        """Page through what the centre holds and store what differs."""
        await self._resolve()
        return await self._compared()

    # --- reading what is ours ------------------------------------------------------------------------

    def _held(self, local: str = "", *states: str) -> "Deferred[list[Held]]":
        order = self.work.order
        return self.work.db(lambda books: books.uploads.held(order.institution, order.system, local, states))

    def _wanted(self, books: Books) -> tuple[Wanted, list[Held]]:
        """What should be at the platform, and what is or was. On the orders' thread: it may be many."""
        order = self.work.order
        held = books.uploads.held(order.institution, order.system)
        fields, today = self._node(UPLOAD).fields, day_of(self.work.now_s)
        return self.means.wanted(order.institution, order.system, held, today, fields), held

    async def _plan(self) -> Plan[Held]:
        given_up = frozenset(self._given_up)

        def decide(books: Books) -> tuple[Plan[Held], tuple[Fault, ...]]:
            wanted, held = self._wanted(books)
            lines = [line for line in wanted.lines if line.local not in given_up]
            return uploads.plan(lines, [row for row in held if row.local not in given_up]), wanted.refused

        found, refused = await self.work.db(decide)
        if "same" not in self.counts:
            self._tell_refused(refused)
            self.counts["same"] = found.same
        return found

    def _tell_refused(self, refused: Sequence[Fault]) -> None:
        if refused:
            self._counted("refused", len(refused))
        self.named["refused"] = [
            {"row": str(one.line), "column": one.column, "rule": one.rule, "message": one.message}
            for one in refused[:NAMED_MAX]
        ]

    def _node(self, infno: str) -> Node:
        transaction = self.link.region.transactions.get(infno)
        if transaction is None:
            raise GaveUp(f"链路{self.link.name}的区域没有交易{infno}")
        return transaction.nodes[0]

    # --- sending -------------------------------------------------------------------------------------

    async def _adds(self, lines: Sequence[Line]) -> None:
        """Send rows in batches. A refused batch is halved until the bad rows stand alone."""
        node = self._node(UPLOAD)
        size = 1 if node.repeated == "one" else self.means.settings.upload_rows
        left = list(uploads.batches(lines, size))[::-1]
        while left:
            piece = left.pop()
            msgid = self.work.msgid()
            await self._mark(piece, Step("sending", UPLOAD, msgid))
            words = uploads.upload_words(piece, node.name, node.repeated == "one")
            outcome = await self._send(UPLOAD, msgid, words, piece)
            if outcome.kind == "done":
                await self._mark(piece, Step("uploaded", UPLOAD, msgid))
                self._counted("uploaded", len(piece))
            elif outcome.kind == "unknown":
                self._counted("unknown", len(piece))
                await self._resolve()  # and whether the platform lives shows before the next batch
            elif len(piece) > 1:
                await self._mark(piece, Step("not_sent", UPLOAD, msgid, f"整批被拒，拆开重发：{outcome.text}"))
                left += uploads.halves(piece)[::-1]
                continue
            else:
                await self._rejected(piece[0], msgid, outcome.text)
            await self.work.tell("上传对码", self.work.done + len(piece))

    async def _send(self, infno: str, msgid: str, words: dict[str, object], rows: Sequence[uploads.Row]) -> Outcome:
        try:
            return await self.work.send(self.link, infno, msgid, words, self.means.settings.patience_s)
        except GaveUp as cause:  # certainly not executed; a 3302 that never left leaves the row where it was
            state = "not_sent" if infno == UPLOAD else "uploaded"
            await self._mark(rows, Step(state, infno, msgid, f"未办理：{cause}"))
            raise

    async def _rejected(self, line: Line, msgid: str, text: str) -> None:
        """One row was refused. What a lost request had brought before may be the reason: the centre's copy decides."""
        centre = await self._centre(line.local, line.list_type)
        if any(uploads.key_of(row) == uploads.key_of(line) for row in centre):
            await self._mark([line], Step("uploaded", UPLOAD, msgid, f"平台已有此行：{text}"))
            self._counted("uploaded", 1)
            return
        await self._mark([line], Step("centre_rejected", UPLOAD, msgid, text))
        self._counted("rejected", 1)
        self._given_up.add(line.local)
        self._name("rejected", line, text)
        self._words[text] = self._words.get(text, 0) + 1
        if self._words[text] >= ALIKE_MAX and not self.counts.get("uploaded"):
            raise GaveUp(f"平台以同样的理由拒绝了{ALIKE_MAX}行，没有一行上传成功，已停止：{text}")

    async def _changes(self, changes: Sequence[Change[Held]]) -> None:
        """Of each local code: take the old target back, then send the new one at once (§10.2)."""
        free = {row.local for row in await self._free([one.cancel[0] for one in changes])}
        for change in (one for one in changes if one.local in free):
            if await self._take_back(change.cancel):
                await self._adds(change.send)

    async def _free(self, rows: Sequence[Held]) -> list[Held]:
        """Return the rows that may be taken back: no fee line of theirs waits for its settlement (§10.4)."""
        if not rows:
            return []
        order, codes = self.work.order, sorted({row.local for row in rows})
        if self.work.order.arguments.get("settled"):
            return list(rows)  # somebody has said so, and the order says who
        bound = await self.work.db(lambda books: self.means.unsettled(order.institution, order.system, codes))
        for row in rows:
            if row.local in bound:
                self._given_up.add(row.local)
                self._name("unsettled", row, "有未结算的费用明细，请先结算或撤销明细")
        return [row for row in rows if row.local not in bound]

    async def _take_back(self, rows: Sequence[Held]) -> bool:
        """3302 for every target among the rows; return whether all of them are gone."""
        gone = True
        for target in dict.fromkeys((row.local, row.list_type, row.national) for row in rows):
            # 3302 names no first day: what it takes is every row of this target.
            held = await self._held(target[0], "uploaded")
            group = [row for row in held if (row.local, row.list_type, row.national) == target]
            if group and not await self._cancel(group):
                gone = False
        return gone

    async def _cancel(self, group: Sequence[Held]) -> bool:
        row, msgid = group[0], self.work.msgid()
        await self._mark(group, Step("cancelling", CANCEL, msgid))
        words = uploads.cancel_words(self.work.order.institution, row, self._node(CANCEL).name)
        outcome = await self._send(CANCEL, msgid, words, group)
        if outcome.kind == "unknown":
            self._counted("unknown", len(group))
            await self._resolve()
            keys = {uploads.key_of(one) for one in group}
            return not any(uploads.key_of(one) in keys for one in await self._held(row.local, "uploaded", "cancelling"))
        if outcome.kind != "done":
            centre = await self._centre(row.local, row.list_type)
            if any(one.national == row.national for one in centre):
                await self._mark(group, Step("uploaded", CANCEL, msgid, f"平台拒绝撤销：{outcome.text}"))
                self._counted("cancel_rejected", len(group))
                self._given_up.add(row.local)
                self._name("cancel_rejected", row, outcome.text)
                return False
        await self._mark(group, Step("cancelled", CANCEL, msgid, outcome.text))
        self._counted("cancelled", len(group))
        return True

    # --- doubt ---------------------------------------------------------------------------------------

    async def _resolve(self) -> None:
        """Ask the centre for every row whose answer was lost (§10.5). What is not there at the last asking is not."""
        steps = self.means.settings.doubt_ask_s
        for number, delay in enumerate(steps, start=1):
            rows = await self._held("", "sending", "cancelling")
            if not rows:
                return
            age_s = self.work.now_s - max(row.changed_ms for row in rows) / 1000
            await self.work.wait(max(0.0, delay - max(0.0, age_s)), f"{len(rows)}行结果未知，向平台查询")
            for row in rows:
                centre = await self._centre(row.local, row.list_type)
                state = uploads.settled_state(row, centre)
                proven = state == ("uploaded" if row.state == "sending" else "cancelled")
                if proven or number == len(steps):
                    await self._mark([row], Step(state, ASK, row.msgid, "应答丢失，按平台查询结果"))
                    self._counted(f"found_{state}", 1)

    # --- the centre's copy ---------------------------------------------------------------------------

    async def _centre(self, local: str = "", list_type: str = "") -> list[CentreRow]:
        """Return every row in force the centre holds of a local code, or of a list type."""
        settings, node = self.means.settings, self._node(ASK).name
        found: list[CentreRow] = []
        before: object = None
        seen = 0
        for page in range(1, PAGES_MAX + 1):
            words = uploads.ask_words(self.work.order.institution, node, page, settings.page_rows, local, list_type)
            outcome = await self.work.ask(self.link, ASK, words, settings.patience_s)
            if outcome.kind != "done":
                raise GaveUp(f"平台拒绝查询已上传的对码（{ASK}）：{outcome.text}")
            read = uploads.centre_rows(outcome.output)
            if read is None:
                raise GaveUp(f"平台对{ASK}的应答无法识别")
            rows, total = read
            count = uploads.rows_on(outcome.output)
            seen += count
            if count and outcome.output == before:
                raise GaveUp(f"平台对{ASK}的分页无效：第{page}页与上一页相同")
            before = outcome.output
            # Some platforms take the filter for a prefix: what was not asked for is not looked at.
            found += [row for row in rows if (not local or row.local == local) and row.list_type == list_type]
            # A platform may give fewer rows a page than were asked for: its own count says when all have come.
            if not count or (count < settings.page_rows if total is None else seen >= total):
                return found
        raise GaveUp(f"平台对{ASK}的应答超过{PAGES_MAX}页")

    async def _ended(self) -> Ended:
        """End with a comparison; a platform that does not show its copy leaves what was done as done."""
        try:
            return await self._compared()
        except GaveUp as cause:
            return Ended("findings", {"message": f"已办理，但没能与平台比对：{cause}", **self.work.result})

    async def _compared(self) -> Ended:
        """Compare, store the comparison, and end the order."""
        order, far = self.work.order, self.means.settings.far_date
        await self.work.tell("与平台比对")
        wanted, held = await self.work.db(self._wanted)
        types = {row.list_type for row in wanted.lines} | {row.list_type for row in held}
        types.update(uploads.LIST_TYPES_OF[order.system])
        centre = [row for list_type in sorted(types) for row in await self._centre(list_type=list_type)]
        equal, found = await self.work.db(lambda _: uploads.differences(wanted.lines, centre, far))
        by_kind = {kind: sum(one.kind == kind for one in found) for kind in ("local_only", "centre_only", "different")}
        rows = [(one.kind, one.local, one.list_type, one.ours, one.theirs) for one in found]
        counts = (equal, by_kind["local_only"], by_kind["centre_only"], by_kind["different"])
        place, now_ms = (order.institution, order.system), self.work.desk.now_ms()
        await self.work.db(lambda books: books.uploads.keep_comparison(order.id, place, counts, rows, now_ms))
        self.counts.update(equal=equal, **by_kind)
        self.named["differences"] = [attrs.asdict(one) for one in found[:NAMED_MAX]]
        return Ended("findings" if any(self.named.values()) else "done", self.work.result)

    # --- telling -------------------------------------------------------------------------------------

    async def _tell_uncoded(self) -> None:
        """Raise what was taken back and is not there anew: the item has no code at the platform now (§10.2)."""

        def look(books: Books) -> set[str]:
            wanted, held = self._wanted(books)
            there = {row.local for row in held if row.state in ("uploaded", "sending")}
            return {row.local for row in held if row.state == "cancelled"} & {one.local for one in wanted.lines} - there

        for local in sorted(await self.work.db(look)):
            words = "旧对码已撤销，新对码未上传成功，平台上此项目现无编码；请尽快处理后再次执行上传"
            self.named.setdefault("uncoded", []).append({"local_code": local, "message": words})
            self.means.alarm("mapping_uncoded", self.work.order.institution)

    async def _mark(self, rows: Iterable[uploads.Row], step: Step) -> None:
        order, now_ms = self.work.order, self.work.desk.now_ms()
        cells = [uploads.cells_of(row) for row in rows]
        await self.work.db(
            lambda books: books.uploads.mark(order.id, order.institution, order.system, cells, step, now_ms)
        )

    def _name(self, why: str, row: uploads.Row, message: str) -> None:
        rows = self.named.setdefault(why, [])
        if len(rows) < NAMED_MAX:
            rows.append({"local_code": row.local, "national_code": row.national, "message": message})

    def _counted(self, what: str, rows: int) -> None:
        self.counts[what] = self.counts.get(what, 0) + rows
        self.means.count(what, rows)
