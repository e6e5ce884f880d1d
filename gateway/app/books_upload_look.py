"""Uploads of a month to the province as people see them: in `month status` and in the month's reports."""

from typing import Any

import attrs

from adapters.store.books_freeze import FreezeReader
from adapters.store.books_upload import UploadRow, UploadStore
from gateway.books.freezing import CITY
from gateway.books.month_upload import DONE, IN_DOUBT, NOT_SENT, REFUSED, SENDING, Content
from gateway.core.money import yuan

STATES = {
    SENDING: "上传中", DONE: "已上传", IN_DOUBT: "结果未知", REFUSED: "被拒绝", NOT_SENT: "没有送到",
}  # fmt: skip


@attrs.frozen(kw_only=True)
class Uploaded:
    """One upload. stale: the city's days were frozen anew since, so it has to go again."""

    row: UploadRow
    content: Content
    stale: bool

    @property
    def doubt(self) -> bool:
        return self.row.state in (SENDING, IN_DOUBT)

    @property
    def state(self) -> str:
        return STATES[self.row.state] + ("，其后重新固化过，须再次上传" if self.stale else "")

    @property
    def medfee(self) -> int:
        return self.content.sums.get("medfee_sumamt", 0)

    @property
    def fund(self) -> int:
        return self.content.sums.get("fund_pay_sumamt", 0)

    @property
    def deducted(self) -> int:
        return sum(self.content.deducted.values())

    @property
    def text(self) -> str:
        one = self.content
        kept = f"，不上传{one.kept_back}笔" if one.kept_back else ""
        receipt = f"，回执{self.row.receipt}" if self.row.receipt else ""
        return (
            f"上传#{self.row.revision} {self.state}：{one.rows}行，医疗费{yuan(self.medfee)}元，"
            f"基金{yuan(self.fund)}元，扣款{one.deductions}条{yuan(self.deducted)}元{kept}{receipt}"
        )

    @property
    def plain(self) -> dict[str, Any]:
        one = self.content
        return {
            "revision": one.revision, "state": self.row.state, "stale": self.stale, "receipt": self.row.receipt,
            "rows": one.rows, "medfee_fen": self.medfee, "fund_fen": self.fund, "deductions": one.deductions,
            "deducted_fen": self.deducted, "kept_back": one.kept_back, "who": self.row.who,
        }  # fmt: skip


def uploads_of(connection: Any, role: str, month: str) -> list[Uploaded]:
    """Return the uploads of a month, oldest first."""
    rows = UploadStore(connection).of_month(role, month)
    current = sorted(one.id for one in FreezeReader(connection).month(role, CITY, month)) if rows else []
    found = []
    for row in rows:
        content = Content.read(row.content)
        last = row is rows[-1] and row.state == DONE
        found.append(Uploaded(row=row, content=content, stale=last and list(content.freezes) != current))
    return found
