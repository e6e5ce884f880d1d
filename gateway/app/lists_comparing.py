"""Reading lists back (4103) and comparing them with what was sent; counting them (4105) against our own books.

The work behind the orders `lists_compare` and `lists_counts`. Sources: settlement_list.yaml transactions 4103, 4105.
"""

import calendar
from collections.abc import Mapping
from typing import Any

import attrs

from adapters.store.lists import Upload
from adapters.store.lists_compared import Counted, keep_compared, keep_counted, uploaded
from gateway.app.codes_orders import Ended, GaveUp, Work
from gateway.app.lists_books import our_counts
from gateway.app.lists_rules import READ_BACK, comparer
from gateway.app.lists_uploading import ListMeans, opened
from gateway.core.jsontext import encode_sorted
from gateway.exchange.errands import Outcome
from gateway.lists.message import listed, message_of
from gateway.lists.readback import Difference
from gateway.lists.reading import HEAD

COMPARE, COUNTS = "lists_compare", "lists_counts"
COUNT = "4105"
BATCH = 50
NAMED_MAX = 1000
MONTHS_MAX = 24


@attrs.define(eq=False)
class ListsComparing:
    """One order: every list of an institution that is at the platform, or those of one month of discharge."""

    means: ListMeans
    work: Work
    counts: dict[str, int] = attrs.Factory(dict)
    named: list[dict[str, str]] = attrs.Factory(list)

    async def compare(self) -> Ended:
        """Ask for one list after the other; store where each differs."""
        self.work.result = {"counts": self.counts, "lists": self.named}
        month = str(self.work.order.arguments.get("month") or "")
        after = 0
        while batch := await self.work.db(lambda _, after=after: self._batch(month, after)):  # type: ignore[misc]
            for upload, message in batch:
                await self._compared(upload, message)
                await self.work.tell("读回结算清单并比对", self.work.done + 1)
            after = batch[-1][0].visit
        wrong = any(what in self.counts for what in ("differs", "absent"))
        return Ended("findings" if wrong else "done", self.work.result)

    def _batch(self, month: str, after: int) -> list[tuple[Upload, dict[str, Any] | None]]:
        """On the orders' thread: the next lists with what was sent of them; None where that is not known any more."""
        with opened(self.means, self.work) as place:
            found = uploaded(place.writer.connection, self.means.institution.code, month, after, BATCH)
            return [(one, self._sent(place, one)) for one in found]

    def _sent(self, place: Any, one: Upload) -> dict[str, Any] | None:
        kept: dict[str, Any] | None = place.sent(one.visit, one.mdtrt_id)
        if kept is not None:
            return kept
        # Sent by an older version: what is collected now is what was sent, if it has the same digest.
        nodes = self.means.institution.link.region.transactions[self.means.settings.transaction].nodes
        message = message_of(place.translated(one.visit, one.mdtrt_id), nodes)
        return message if place.box.name(encode_sorted(message)) == one.digest else None

    async def _compared(self, one: Upload, sent: dict[str, Any] | None) -> None:
        if sent is None:
            self.counts["unsure"] = self.counts.get("unsure", 0) + 1
            return
        words = {"data": {"psn_no": str(sent[HEAD].get("psn_no", "")), "setl_id": one.setl_id}}
        link, patience_s = self.means.institution.link, self.means.settings.patience_s
        outcome = await self.work.ask(link, READ_BACK, words, patience_s)
        state, found = self._verdict(outcome, sent)
        self.counts[state] = self.counts.get(state, 0) + 1
        if found and len(self.named) < NAMED_MAX:
            self.named.append({"mdtrt_id": one.mdtrt_id, "setl_id": one.setl_id, **attrs.asdict(found[0])})
        at_ms = self.work.desk.now_ms()

        def write(_: object) -> None:
            with opened(self.means, self.work) as place, place.writer.transaction():
                rows = [(each.path, each.message) for each in found]
                keep_compared(place.writer.connection, one.visit, at_ms, one.digest, state, rows)

        await self.work.db(write)

    def _verdict(self, outcome: Outcome, sent: dict[str, Any]) -> tuple[str, list[Difference]]:
        if outcome.kind != "done" or not isinstance(outcome.output, dict) or listed(outcome.output) is None:
            return "absent", [Difference("", "平台查询没有此清单")]
        found = comparer().differences(sent, outcome.output)
        return ("differs" if found else "same"), found


@attrs.define(eq=False)
class ListsCounting:
    """One order: an institution's months (of settlement) at the platform against our own books."""

    means: ListMeans
    work: Work

    async def count(self) -> Ended:
        """Ask month by month and store both sides."""
        given = self.work.order.arguments.get("months")
        months = [str(month) for month in given][:MONTHS_MAX] if isinstance(given, list) else []
        code, config = self.means.institution.code, self.means.config
        ours = await self.work.db(lambda _: our_counts(config, code, months))
        rows: list[dict[str, object]] = []
        self.work.result = {"months": rows}
        agree = True
        for month in months:
            await self.work.tell(f"核对{month}的清单数量")
            due, there = await self._theirs(month)
            one = Counted(code, month, self.work.desk.now_ms(), due, ours[month].due, there, ours[month].there)
            await self.work.db(lambda _, one=one: self._keep(one))  # type: ignore[misc]
            rows.append({**attrs.asdict(one), "agree": one.agree})
            agree = agree and one.agree
        return Ended("done" if agree else "findings", self.work.result)

    async def _theirs(self, month: str) -> tuple[int, int]:
        year, number = int(month[:4]), int(month[5:])
        last = calendar.monthrange(year, number)[1]
        words = {
            "data": {
                "fixmedins_code": self.means.institution.code, "medtype_list": list(self.means.settings.med_types),
                "stt_begntime": f"{month}-01 00:00:00", "stt_endtime": f"{month}-{last:02d} 23:59:59",
                "refdset_flag": "0",
            }
        }  # fmt: skip
        outcome = await self.work.ask(self.means.institution.link, COUNT, words, self.means.settings.patience_s)
        if outcome.kind != "done":
            raise GaveUp(f"平台拒绝查询清单数量（{COUNT}）：{outcome.text}")
        counts = [_count(outcome.output, name) for name in ("needUploadCnt", "uploadedCnt")]
        if counts[0] is None or counts[1] is None:
            raise GaveUp(f"平台对{COUNT}的应答无法识别")
        return counts[0], counts[1]

    def _keep(self, one: Counted) -> None:
        with opened(self.means, self.work) as place, place.writer.transaction():
            keep_counted(place.writer.connection, one)


def _count(output: Any, name: str) -> int | None:
    """Return a count of 4105's output, or of its `data` or `result`."""
    holders = [output, *(output.get(inner) for inner in ("data", "result"))] if isinstance(output, Mapping) else []
    for holder in holders:
        value = holder.get(name) if isinstance(holder, Mapping) else None
        if type(value) is int and value >= 0:
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
            return int(value)
    return None
