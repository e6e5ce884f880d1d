"""Uploading settlement lists (4101, or 4101A by the region's custom): the work behind the order `lists_upload`.

A list is durable as `sending` before its request leaves; whatever stands so at a start is asked for by 4103 before
anything is sent. What was sent and cannot be found there is sent again only where the platform overwrites by the
settlement (`[lists] overwrites`); else it stays unknown, for a person. Sources: settlement_list.yaml transactions; X8.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import attrs

from adapters.store.lists import Upload
from gateway.app.codes_orders import Ended, GaveUp, Work
from gateway.app.config import Config, ListsConfig
from gateway.app.lists_desk import Desk, desk
from gateway.core.jsontext import encode_sorted
from gateway.exchange.door import Institution
from gateway.exchange.errands import Outcome
from gateway.lists.message import listed, message_of
from gateway.lists.reading import HEAD

KIND = "lists_upload"
ASK, MOVE = "4103", "4102"
SUBMITTED, APPROVED = "1", "2"  # stas_type
_SENT_BACK = {"refused": "平台拒绝", "returned": "质控退回"}
BATCH = 50
NAMED_MAX = 1000
WHO = "node"


@attrs.frozen
class Prepared:
    """A list that should be sent."""

    upload: Upload
    message: dict[str, Any]


@attrs.frozen(kw_only=True)
class ListMeans:
    """What the work needs besides its order. count: result -> lists, for the metric."""

    config: Config
    institution: Institution
    entropy: Callable[[int], bytes]
    count: Callable[[str], object]

    @property
    def settings(self) -> ListsConfig:
        return self.config.lists


def opened(means: ListMeans, work: Work) -> AbstractContextManager[Desk]:
    """Open an institution's desk, on the orders' thread."""
    one = means.institution
    return desk(means.config, one.code, WHO, means.entropy, lambda: work.now_s, one.snapshot)


@attrs.define(eq=False)
class ListsUploading:
    """One order: every list of an institution that is complete and not at the platform."""

    means: ListMeans
    work: Work
    counts: dict[str, int] = attrs.Factory(dict)
    named: dict[str, list[dict[str, str]]] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        self.work.result = {"counts": self.counts, "lists": self.named}
        infno = self.means.settings.transaction
        transaction = self.means.institution.link.region.transactions.get(infno)
        if transaction is None:
            raise GaveUp(f"链路{self.means.institution.link.name}的区域没有交易{infno}")
        self.nodes = transaction.nodes

    nodes: Any = attrs.field(init=False)

    async def upload(self) -> Ended:
        """Ask for what is in doubt, submit what waits for it, then send what is ready."""
        await self._resolve()
        await self._unsubmitted()
        after = 0
        while True:
            last, batch = await self.work.db(lambda _, after=after: self._prepare(after))  # type: ignore[misc]
            for one in batch:
                await self._send(one)
            if last == after:
                break
            after = last
        return Ended("findings" if self.named else "done", self.work.result)

    # --- preparing: on the orders' thread -------------------------------------------------------------

    def _prepare(self, after: int) -> tuple[int, list[Prepared]]:
        """Return the last visit that was looked at, and of those after `after` what should be sent."""
        found: list[Prepared] = []
        with opened(self.means, self.work) as place:
            visits = place.writer.ready(self.means.institution.code, after, BATCH)
            for visit, mdtrt_id in visits:
                tree = place.translated(visit, mdtrt_id)
                message = message_of(tree, self.nodes)
                digest = place.box.name(encode_sorted(message))
                known = place.writer.upload(visit)
                if known is not None and not self._again(known, digest):
                    continue
                now_ms, setl_id = self.work.desk.now_ms(), str(tree[HEAD]["setl_id"])
                one = Upload(visit, mdtrt_id, "", now_ms, "", setl_id, digest)
                # Since it was collected the settlement may have been taken back, or a code may have ended.
                wrong = [finding for finding in place.examine_again(visit, mdtrt_id) if finding.level == "error"]
                if wrong:
                    self._counted("faulty")
                    self._name("faulty", one, f"{wrong[0].rule} {wrong[0].message}")
                    continue
                found.append(Prepared(one, message))
        return (visits[-1][0] if visits else after), found

    def _again(self, known: Upload, digest: str) -> bool:
        """Whether a list that was sent before may be sent (again)."""
        if known.state == "not_sent":
            return True
        if known.state in ("uploaded", "submitted"):
            if known.digest == digest:
                self._counted("same")
                return False
            if not self.means.settings.overwrites:
                self._name("changed", known, "上传后内容有变化：平台不接受覆盖，请先在平台退回（4102）")
            return self.means.settings.overwrites
        if known.state in ("refused", "returned") and known.digest == digest:
            self._name(known.state, known, f"{_SENT_BACK[known.state]}后内容没有变化：{known.text}")
            return False
        return known.state in ("refused", "returned")

    # --- sending --------------------------------------------------------------------------------------

    async def _send(self, one: Prepared) -> None:
        msgid = self.work.msgid()
        sending = attrs.evolve(one.upload, state="sending", msgid=msgid)
        await self._leave(one, sending)
        link, infno = self.means.institution.link, self.means.settings.transaction
        try:
            outcome = await self.work.send(link, infno, msgid, one.message, self.means.settings.patience_s)
        except GaveUp as cause:  # certainly not executed
            await self._note(attrs.evolve(sending, state="not_sent", text=str(cause)))
            raise
        if outcome.kind == "done":
            there = attrs.evolve(sending, state="uploaded", setl_list_id=_list_id(outcome))
            await self._note(there)
            self._counted("uploaded")
            await self._submit(there, str(one.message[HEAD].get("psn_no", "")))
        elif outcome.kind == "refused":
            await self._note(attrs.evolve(sending, state="refused", text=outcome.text))
            self._counted("refused")
            self._name("refused", sending, outcome.text)
        else:
            await self._resolve()  # and whether the platform lives shows before the next list
        await self.work.tell("上传结算清单", self.work.done + 1)

    async def _submit(self, one: Upload, psn_no: str) -> None:
        """Move the draft to submitted (4102 0 -> 1); where the answer does not say so, 4103 does."""
        if not self.means.settings.submit:
            return
        link, patience_s = self.means.institution.link, self.means.settings.patience_s
        words = {"stastinfo": [{"psn_no": psn_no, "setl_id": one.setl_id, "stas_type": SUBMITTED}]}
        outcome = await self.work.send(link, MOVE, self.work.msgid(), words, patience_s)
        if outcome.kind != "done":
            asked = {"data": {"psn_no": psn_no, "setl_id": one.setl_id}}
            shown = await self.work.ask(link, ASK, asked, patience_s)
            head = listed(shown.output) if shown.kind == "done" else None
            if head is None or head.texts.get("stas_type", "") not in (SUBMITTED, APPROVED):
                self._name("unsubmitted", one, f"已上传，但没有提交成功：{outcome.text}")
                return
        await self._note(attrs.evolve(one, state="submitted"))
        self._counted("submitted")

    async def _unsubmitted(self) -> None:
        """Submit what an earlier order had uploaded and could not submit."""
        for one in await self.work.db(lambda _: self._uploads("uploaded")) if self.means.settings.submit else []:
            await self._submit(one, await self._psn_no(one))

    async def _resolve(self) -> None:
        """Ask for every list whose answer was lost (4103); what is not there at the last asking stays unknown."""
        steps = self.means.settings.doubt_ask_s
        for number, delay in enumerate(steps, start=1):
            doubtful = await self.work.db(lambda _: self._uploads("sending", "unknown"))
            if not doubtful:
                return
            age_s = self.work.now_s - max(one.at_ms for one in doubtful) / 1000
            await self.work.wait(max(0.0, delay - max(0.0, age_s)), f"{len(doubtful)}份清单结果未知，向平台查询")
            for one in doubtful:
                await self._asked(one, number == len(steps))

    async def _asked(self, one: Upload, last: bool) -> None:
        words = {"data": {"psn_no": await self._psn_no(one), "setl_id": one.setl_id}}
        outcome = await self.work.ask(self.means.institution.link, ASK, words, self.means.settings.patience_s)
        if outcome.kind == "done" and listed(outcome.output) is not None:
            await self._note(attrs.evolve(one, state="uploaded", text="应答丢失，按平台查询结果"))
            self._counted("found")
        elif last and self.means.settings.overwrites:
            await self._note(attrs.evolve(one, state="not_sent", text="平台查无此清单，将再次上传"))
        elif last:
            text = f"应答丢失，平台查询没有此清单：{outcome.text}".rstrip("：")
            await self._note(attrs.evolve(one, state="unknown", text=text))
            self._name("unknown", one, text)

    async def _psn_no(self, one: Upload) -> str:
        def look(_: object) -> str:
            with opened(self.means, self.work) as place:
                return str(place.translated(one.visit, one.mdtrt_id)[HEAD].get("psn_no", ""))

        return await self.work.db(look)

    def _uploads(self, *states: str) -> list[Upload]:
        with opened(self.means, self.work) as place:
            return place.writer.uploads(self.means.institution.code, *states)

    # --- noting ---------------------------------------------------------------------------------------

    async def _note(self, one: Upload) -> None:
        at = attrs.evolve(one, at_ms=self.work.desk.now_ms())

        def write(_: object) -> None:
            with opened(self.means, self.work) as place, place.writer.transaction():
                place.writer.step(at)

        await self.work.db(write)

    async def _leave(self, one: Prepared, sending: Upload) -> None:
        """Note that it may arrive from now on, and what it was."""
        at = attrs.evolve(sending, at_ms=self.work.desk.now_ms())

        def write(_: object) -> None:
            with opened(self.means, self.work) as place, place.writer.transaction():
                place.keep_sent(at.visit, at.mdtrt_id, at.digest, one.message)
                place.writer.step(at)

        await self.work.db(write)

    def _counted(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
        self.means.count(what)

    def _name(self, what: str, one: Upload, text: str) -> None:
        rows = self.named.setdefault(what, [])
        if len(rows) < NAMED_MAX:
            rows.append({"mdtrt_id": one.mdtrt_id, "setl_id": one.setl_id, "message": text})


def _list_id(outcome: Outcome) -> str:
    """The serial number the platform gives a list: setl_list_id of `data`, or of the output itself."""
    output = outcome.output if isinstance(outcome.output, dict) else {}
    data = output.get("data")
    rows: Sequence[Any] = [data if isinstance(data, dict) else {}, output]
    return next((str(row["setl_list_id"]) for row in rows if row.get("setl_list_id")), "")
