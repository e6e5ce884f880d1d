"""The settlement lists a platform keeps, and the states they go through (4102; pitfalls §4).

0 not submitted, 1 submitted, 2 approved, 3 sent back. An institution moves 0 to 1, 3 to 0 and 3 to 1; quality control
moves 1 to 2 or 3, `review_s` seconds after the submission, whenever somebody next looks: books have no timers.
"""

import attrs

from simulators.list_review import Finding
from simulators.wording import Json

DRAFT, SUBMITTED, APPROVED, SENT_BACK = "0", "1", "2", "3"
_MOVES = {(DRAFT, SUBMITTED), (SENT_BACK, DRAFT), (SENT_BACK, SUBMITTED)}
_NAMES = {DRAFT: "未提交", SUBMITTED: "已提交", APPROVED: "审核通过", SENT_BACK: "审核不通过"}


@attrs.define
class KeptList:
    """What is kept of one settlement. returned: quality control has sent it back, and it was not submitted again."""

    setl_list_id: str
    body: Json
    findings: tuple[Finding, ...]
    uploaded_s: float
    stas: str = DRAFT
    submitted_s: float = 0.0
    returned: bool = False

    @property
    def biz_sn(self) -> str:
        return str(self.body["setlinfo"]["biz_sn"])

    @property
    def faulty(self) -> bool:
        return any(finding.returns for finding in self.findings)

    def complaint(self, wanted: str) -> str:
        """Why an institution may not move the list there, or ""."""
        if (self.stas, wanted) in _MOVES:
            return ""
        return f"清单{_NAMES[self.stas]}，不能改为{_NAMES.get(wanted, wanted)}"

    def move(self, wanted: str, now_s: float) -> None:
        self.stas = wanted
        if wanted == SUBMITTED:
            self.submitted_s, self.returned = now_s, False


@attrs.define
class ListDesk:
    """All lists of a platform, by setl_id. overwrite: a draft may be uploaded again under the same biz_sn."""

    overwrite: bool = False
    review_s: float = 5.0
    kept: dict[str, KeptList] = attrs.Factory(dict)

    def find(self, setl_id: str, now_s: float) -> KeptList | None:
        """The list of a settlement as it stands now."""
        found = self.kept.get(setl_id)
        if found is not None and found.stas == SUBMITTED and now_s >= found.submitted_s + self.review_s:
            found.stas, found.returned = (SENT_BACK, True) if found.faulty else (APPROVED, False)
        return found

    def tally(self, now_s: float) -> dict[str, int]:
        """How many lists are in each state."""
        states = [found.stas for setl_id in self.kept if (found := self.find(setl_id, now_s))]
        return {stas: states.count(stas) for stas in _NAMES}

    def complaint(self, old: KeptList, biz_sn: str) -> str:
        """Why an upload under this serial number may not replace the list that is kept, or "" (SL-X001, X004)."""
        if old.stas in (SUBMITTED, APPROVED):
            return f"结算清单{_NAMES[old.stas]}，不能修改"
        if old.returned:
            return ""
        if not self.overwrite:
            return "结算清单已上传，不能重复上传"
        return "" if old.biz_sn == biz_sn else f"结算清单已以业务流水号{old.biz_sn}上传"
