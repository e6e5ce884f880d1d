"""Settlement lists: 4101 and 4101A upload, 4102 state, 4103 read back, 4104 quality control, 4105 counts.

Facts: settlement_list.yaml and transactions.yaml of these numbers. What they leave open is told in the README.
"""

import re
from collections.abc import Mapping

from simulators import list_answer, list_checks, list_review, stamps
from simulators.ledger import Books, Call, Refusal, Settlement
from simulators.list_desk import DRAFT, SUBMITTED, KeptList
from simulators.list_sheet import Sheet, text
from simulators.visits import Handler
from simulators.wording import Json, paged

_TOLD = 3


def _settlement(books: Books, call: Call, setl_id: str) -> Settlement:
    row = books.settlements.get(setl_id)
    if row is None or row.institution != call.institution or not row.live:
        raise Refusal("结算ID不存在或已撤销")
    return row


def upload(books: Books, call: Call) -> Json:
    """4101, 4101A: one list of a settlement in force; refused with the items that are wrong, or kept."""
    head = call.body["setlinfo"]
    row = _settlement(books, call, text(head, "setl_id"))
    if row.mdtrt_id != text(head, "mdtrt_id"):
        raise Refusal("【就诊ID】与结算不符")
    sheet = Sheet(call.body, call.institution, row, books.visits[row.mdtrt_id], books.people[row.psn_no])
    wrong = list_checks.complaints(sheet)
    if wrong:
        raise Refusal("；".join(wrong[:_TOLD]))
    stas = text(head, "stas_type") or DRAFT
    if stas not in (DRAFT, SUBMITTED):
        raise Refusal("【状态分类】上传时只能为0未提交或1已提交")
    desk = books.lists
    old = desk.find(row.setl_id, call.now_s)
    why = desk.complaint(old, text(head, "biz_sn")) if old is not None else ""
    if why:
        raise Refusal(why)
    number = old.setl_list_id if old is not None else books.new_list_id()
    kept = KeptList(number, call.body, list_review.findings(sheet), call.now_s)
    kept.move(stas, call.now_s)
    desk.kept[row.setl_id] = kept
    return {"data": {"setl_list_id": number}}


def _kept(books: Books, call: Call, facts: Json) -> tuple[Settlement, KeptList]:
    """The list a query or a change of state names by settlement and person. Raises Refusal."""
    row = books.settlements.get(text(facts, "setl_id"))
    kept = books.lists.find(row.setl_id, call.now_s) if row is not None else None
    if row is None or kept is None or row.institution != call.institution:
        raise Refusal(f"未查询到结算清单{text(facts, 'setl_id')}")
    if text(facts, "psn_no") not in ("", row.psn_no):
        raise Refusal("【人员编号】与结算不符")
    return row, kept


def change_state(books: Books, call: Call) -> Json:
    """4102: all rows or none, since the answer has no place to tell of each; the refusal names those to blame."""
    given = call.body["stastinfo"]
    asked = given if isinstance(given, list) else [given]
    rows = [(_kept(books, call, facts), text(facts, "stas_type")) for facts in asked]
    wrong = [f"{row.setl_id}{why}" for (row, kept), stas in rows if (why := _state_complaint(row, kept, stas))]
    if len({row.setl_id for (row, _), _ in rows}) != len(rows):
        wrong.append("结算ID重复")
    if wrong:
        raise Refusal("；".join(wrong[:_TOLD]))
    for (_, kept), stas in rows:
        kept.move(stas, call.now_s)
    return {}


def _state_complaint(row: Settlement, kept: KeptList, stas: str) -> str:
    return kept.complaint(stas) if row.live else "结算已撤销"


def read_back(books: Books, call: Call) -> Json:
    """4103"""
    return list_answer.whole(books, *_kept(books, call, call.body["data"]))


def results(books: Books, call: Call) -> Json:
    """4104: every list of the month, those without findings too; pages as 1312 has them (pitfalls §3.7)."""
    facts = call.body["data"]
    if not re.fullmatch("[0-9]{4}(0[1-9]|1[0-2])", facts["setl_ym"]):
        raise Refusal("setl_ym格式应为yyyyMM")
    _own_code(call, facts)
    found = []
    for setl_id in books.lists.kept:
        row, kept = books.settlements[setl_id], books.lists.find(setl_id, call.now_s)
        if row.institution != call.institution or kept is None:
            continue
        shown = list_answer.verdict(books, row, kept)
        if all(
            text(facts, name) in ("", shown[name]) for name in ("setl_ym", "setl_id", "psn_no", "err_lv", "retn_flag")
        ):
            found.append(shown)
    return paged(found, dict, facts)


def _own_code(call: Call, facts: Json) -> None:
    if text(facts, "fixmedins_code") not in ("", call.institution):
        raise Refusal("fixmedins_code与报文不符")


def counts(books: Books, call: Call) -> Json:
    """4105: settlements of some medical types in a time, and how many of them have a list.

    refdset_flag 1 counts what was refunded and the refunds themselves as well.
    """
    facts = call.body["data"]
    _own_code(call, facts)
    given = facts["medtype_list"]
    kinds = {str(one) for one in (given if isinstance(given, list) else re.split("[,，;；]", str(given)))}
    begin, end, refunds = facts["stt_begntime"], facts["stt_endtime"], text(facts, "refdset_flag") == "1"
    rows = [
        row
        for row in books.settlements.values()
        if row.institution == call.institution
        and row.med_type in kinds
        and begin <= stamps.stamp(row.now_s)
        and stamps.stamp(row.now_s)[: len(end)] <= end
        and (row.live or (refunds and not row.reversed))
    ]
    return {"needUploadCnt": len(rows), "uploadedCnt": sum(row.setl_id in books.lists.kept for row in rows)}


HANDLERS: Mapping[str, Handler] = {
    "4101": upload,
    "4101A": upload,
    "4102": change_state,
    "4103": read_back,
    "4104": results,
    "4105": counts,
}
