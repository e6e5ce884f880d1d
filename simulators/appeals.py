"""Audit findings and appeals on the platform's side: 3701 query, 3702 appeal, 3703 joint review, 3704 material.

Facts: the field tables of the transactions. What they leave open is decided here: `input` is the inner node itself; a
document is a settlement, its visit stands in mdtrtsn; susptCode 1 = taken; results are chkProcrslt 1 upheld, 2 revised
(cnfmVolaAmt), 3 revoked; an appeal wants a reason, a joint review an appeal before it.
"""

from collections.abc import Mapping
from typing import Any

from simulators.clearing_book import Finding
from simulators.ledger import Books, Call, Refusal
from simulators.money import NotMoney, fen, yuan
from simulators.visits import Handler
from simulators.wording import Json


def _input(call: Call) -> Mapping[str, Any]:
    (node,) = call.body.values()
    found = (node[0] if isinstance(node, list) else node)["input"]
    return found if isinstance(found, dict) else {}


def _findings(books: Books, call: Call) -> dict[str, list[Finding]]:
    """Document -> what was found in it."""
    found: dict[str, list[Finding]] = {}
    for one in books.clearing.standing(call.institution):
        for each in one.findings:
            found.setdefault(f"D{each.setl_id}", []).append(each)
    return found


def query(books: Books, call: Call) -> Json:
    """3701."""
    asked = _input(call)
    if asked["medinsCodg"] != call.institution:
        raise Refusal("只能查询本机构的扣款")
    documents = []
    for number, own in sorted(_findings(books, call).items()):
        settlement = books.settlements[own[0].setl_id]
        rows = [
            {
                "docId": number, "docSusptId": one.suspt_id, "ruleCode": "A01", "detRea": "超限定支付范围",
                "detFlag": one.kind, "volaDetAmt": str(yuan(one.amount_fen)),
                "cnfmVolaAmt": str(yuan(one.stands_fen)), "applFlag": "1" if one.appealed else "0",
                "appyClglFlag": "1" if one.reviewed else "0", "chkProcrslt": one.outcome,
            }
            for one in own
        ]  # fmt: skip
        documents.append({
            "docId": number, "rid": f"R{number}", "taskId": "T1", "mdtrtsn": settlement.mdtrt_id,
            "medinsId": call.institution, "dscgDeptCodg": "A03", "drCode": "D1", "docSusptDTOS": rows,
        })  # fmt: skip
    books.clearing.shift(documents)
    page, size = int(asked["currentPage"]), int(asked["pageSize"])
    if page < 1 or not 1 <= size <= 100:
        raise Refusal("页码或每页条数不符合规定")
    cut = documents[(page - 1) * size : page * size]
    return {
        "pageResult": {"recordCounts": str(len(documents)), "pageSize": str(size), "pageNum": str(page), "data": cut}
    }


def _each(books: Books, call: Call, review: bool) -> Json:
    asked, known = _input(call), _findings(books, call)
    results = []
    for document in asked["docs"]:
        own = {one.suspt_id: one for one in known.get(document["docId"], ())}
        said = []
        for row in document["docSusptDTOS"]:
            one = own.get(row["docSusptId"])
            why = "疑点不存在" if one is None else _why_not(books, one, row, review)
            if one is not None and not why:
                one.appealed, one.reviewed = True, review or one.reviewed
                one.reason, one.attachment = row["auditOpinion"], row.get("attUploadId") or ""
            said.append({"susptId": row["docSusptId"], "susptCode": "0" if why else "1", "susptReason": why})
        results.append({"docId": document["docId"], "docCode": "1", "docReason": "", "docsuspt": said})
    return {"FsiApplDocResultDTO": results}


def _why_not(books: Books, one: Finding, row: Mapping[str, Any], review: bool) -> str:
    try:
        amount = fen(str(row.get("susptAmt")))
    except NotMoney:
        return "申诉金额格式错误"
    if row.get("applyFlag") != "1" or not row.get("auditOpinion") or not 0 < amount <= one.amount_fen:
        return "申诉标识、原因或金额不符合规定"
    if row.get("attUploadId") and row["attUploadId"] not in books.clearing.materials:
        return "申诉材料不存在"
    if one.outcome:
        return "疑点已处理完毕"
    if review:
        return "尚未申诉，不能申请合议" if not one.appealed else "已申请合议" if one.reviewed else ""
    return "疑点已申诉" if one.appealed else ""


def appeal(books: Books, call: Call) -> Json:
    """3702."""
    return _each(books, call, review=False)


def review(books: Books, call: Call) -> Json:
    """3703."""
    return _each(books, call, review=True)


def attach(books: Books, call: Call) -> Json:
    """3704: the bytes as an array of numbers."""
    files = _input(call)["fsiAppealFileDTOList"]
    number = books.new_id("J", call.now_s)
    books.clearing.materials[number] = [(str(one["name"]), bytes(one["bytes"])) for one in files]
    return {"FsiFileUploadRsltDTO": {"attUploadId": number}}


HANDLERS: Mapping[str, Handler] = {"3701": query, "3702": appeal, "3703": review, "3704": attach}
