"""Bringing quality control's results (4104) back to their lists: the work behind the order `lists_results`."""

import attrs

from gateway.app.codes_orders import Ended, GaveUp, Work
from gateway.app.lists_uploading import ListMeans, opened
from gateway.lists.quality import RETURNED, Quality, heads, page_of

KIND = "lists_results"
INFNO = "4104"
PAGE_ROWS = 100
PAGES_MAX = 10_000
MONTHS_MAX = 24


@attrs.define(eq=False)
class ListsResults:
    """One order: the results of some months of one institution."""

    means: ListMeans
    work: Work

    async def fetch(self) -> Ended:
        """Ask month by month, page by page; store what was said, and which lists came back."""
        months = self.work.order.arguments.get("months")
        wanted = [str(month) for month in months][:MONTHS_MAX] if isinstance(months, list) else []
        counts = {"lists": 0, "returned": 0}
        self.work.result = {"counts": counts}
        for month in wanted:
            await self.work.tell(f"取回{month}的质控结果")
            found = await self._month(month)
            counts["lists"] += len(found)
            counts["returned"] += sum(one.retn_flag == RETURNED for one in found)
            await self.work.db(lambda _, found=found: self._keep(found))  # type: ignore[misc]
        return Ended("findings" if counts["returned"] else "done", self.work.result)

    async def _month(self, month: str) -> list[Quality]:
        found: list[Quality] = []
        before: object = None
        for page in range(1, PAGES_MAX + 1):
            words = {
                "data": {
                    "setl_ym": month, "fixmedins_code": self.means.institution.code, "page_num": page,
                    "page_size": PAGE_ROWS,
                }
            }  # fmt: skip
            link, patience_s = self.means.institution.link, self.means.settings.patience_s
            outcome = await self.work.ask(link, INFNO, words, patience_s)
            if outcome.kind != "done":
                raise GaveUp(f"平台拒绝查询质控结果（{INFNO}）：{outcome.text}")
            read = page_of(outcome.output)
            if read is None:
                raise GaveUp(f"平台对{INFNO}的应答无法识别")
            rows, total = read
            if rows and outcome.output == before:
                raise GaveUp(f"平台对{INFNO}的分页无效：第{page}页与上一页相同")
            before = outcome.output
            found += rows
            if not rows or (len(rows) < PAGE_ROWS if total is None else len(found) >= total):
                return list(heads(found).values())
        raise GaveUp(f"平台对{INFNO}的应答超过{PAGES_MAX}页")

    def _keep(self, found: list[Quality]) -> None:
        """On the orders' thread: store the results; a list that came back may be sent again once it was corrected."""
        at_ms = self.work.desk.now_ms()
        with opened(self.means, self.work) as desk, desk.writer.transaction():
            known = {one.setl_id: one for one in desk.writer.uploads(desk.institution, "uploaded", "submitted")}
            for one in found:
                details = [attrs.astuple(detail) for detail in one.details]
                desk.writer.keep_quality(desk.institution, attrs.astuple(one)[:7], details, at_ms)
                upload = known.get(one.setl_id)
                if upload is not None and one.retn_flag == RETURNED:
                    desk.writer.step(attrs.evolve(upload, state="returned", at_ms=at_ms, text="质控退回"))
