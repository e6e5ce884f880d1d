"""Reconciliation on the platform's side: 3201 totals and the 3202 detail file (reconciliation.md §3.1, §3.2)."""

from collections.abc import Mapping

from simulators import archives, stamps
from simulators.ledger import Books, Call, Refusal, Settlement
from simulators.money import NotMoney, fen, yuan
from simulators.people import PROVINCE
from simulators.visits import Handler
from simulators.wording import Json

_WEEK_S = 7 * 86_400
_COLUMNS = 7


def _on_the_books(books: Books, call: Call, facts: Json) -> list[Settlement]:
    """Rows of the institution in the period, refunds as rows of their own, reversed ones gone.

    What the province clears (remote patients) stands on its statement and on no other.
    """
    provincial = facts["setl_optins"] == PROVINCE
    first, last = facts["stmt_begndate"][:10], facts["stmt_enddate"][:10]
    insutype = facts.get("insutype")
    return [
        row
        for row in books.settlements.values()
        if row.institution == call.institution
        and not row.reversed
        and row.clr_type == facts["clr_type"]
        and (row.clr_optins == PROVINCE) == provincial
        and insutype in (None, "", row.insutype)
        and first <= stamps.day(row.now_s) <= last
    ]


def _given(facts: Json, name: str) -> int:
    try:
        return fen(facts[name])
    except NotMoney as cause:
        raise Refusal(f"{name}金额格式错误") from cause


def totals(books: Books, call: Call) -> Json:
    """3201: both a settlement and its refund count as rows (example exchange 12)."""
    facts = call.body["data"]
    rows = _on_the_books(books, call, facts)
    differs = [
        name
        for name, ours, theirs in (
            ("医疗费总额", sum(row.sign * row.split.medfee_fen for row in rows), _given(facts, "medfee_sumamt")),
            ("基金支付总额", sum(row.sign * row.split.fund_fen for row in rows), _given(facts, "fund_pay_sumamt")),
            ("个人账户支付", sum(row.sign * row.split.acct_fen for row in rows), _given(facts, "acct_pay")),
            ("结算笔数", len(rows), int(facts["fixmedins_setl_cnt"])),
        )
        if ours != theirs
    ]
    return {
        "stmtinfo": {
            "setl_optins": facts["setl_optins"],
            "stmt_rslt": "1" if differs else "0",
            "stmt_rslt_dscr": f"{'、'.join(differs)}不符" if differs else "平",
        }
    }


def _uploaded(text: str) -> dict[str, tuple[int, int, int]]:
    found = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line:
            continue
        cells = line.rstrip("\r").split("\t")
        if len(cells) < _COLUMNS:
            raise Refusal(f"对账文件第{number}行列数不符")
        try:
            found[cells[0]] = (fen(cells[3]), fen(cells[4]), fen("0" if cells[5] == "null" else cells[5]))
        except NotMoney as cause:
            raise Refusal(f"对账文件第{number}行金额格式错误") from cause
    return found


def _result_row(row: Settlement, result: str, known: bool) -> list[str]:
    """A row only we have names no setl_id and no mdtrt_id (`如果比对结果为中心端有多条明细...为空`)."""
    return [
        row.psn_no,
        row.mdtrt_id if known else "",
        row.setl_id if known else "",
        row.msgid,
        result,
        "1" if row.sign < 0 else "0",
        "",
        str(yuan(row.sign * row.split.medfee_fen)),
        str(yuan(row.sign * row.split.fund_fen)),
        str(yuan(row.sign * row.split.acct_fen)),
    ]


def details(books: Books, call: Call) -> Json:
    """3202: compares the uploaded file with the books; only differing rows are listed."""
    facts = call.body["data"]
    stored = books.files.get(facts["file_qury_no"])
    if stored is None:
        raise Refusal("对账文件不存在")
    theirs = _uploaded(archives.unzipped(stored[1]))
    ours = {row.setl_id: row for row in _on_the_books(books, call, facts)}
    result = []
    for setl_id, row in sorted(ours.items()):
        mine = tuple(row.sign * part for part in (row.split.medfee_fen, row.split.fund_fen, row.split.acct_fen))
        if setl_id not in theirs:
            result.append(_result_row(row, "101", known=False))
        elif theirs[setl_id] != mine:
            result.append(_result_row(row, "103", known=True))
    for setl_id in sorted(theirs.keys() - ours.keys()):
        amounts = [str(yuan(value)) for value in theirs[setl_id]]
        result.append(["", "", setl_id, "", "102", "1" if theirs[setl_id][0] < 0 else "0", "", *amounts])
    content = archives.zipped("result.txt", archives.tab_rows(result))
    number = books.keep_file("D", "result.zip", content, call.now_s)
    return {
        "fileinfo": {
            "file_qury_no": number,
            "filename": "result.zip",
            "dld_endtime": stamps.stamp(call.now_s + _WEEK_S),
        }
    }


HANDLERS: Mapping[str, Handler] = {"3201": totals, "3202": details}
