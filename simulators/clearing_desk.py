"""Monthly clearing on the platform's side: 3203 apply, 3204 withdraw, 3205A status, 3260-3262 the month's split.

Facts: reconciliation specification §3.3, §7; transactions.yaml. What they leave open is decided here: an application of
the same institution, kind and month that stands with the same sums is refused; nothing audited is withdrawn; the answer
of 3260 carries its rows in `data`; 3261 tells how many it took.
"""

from collections.abc import Mapping
from typing import Any

from simulators import stamps
from simulators.clearing_book import SUMS, Application
from simulators.ledger import Books, Call, Refusal
from simulators.visits import Handler
from simulators.wording import Json

AUDITED = 40
PAGE_ROWS = 100


def _body(call: Call) -> Mapping[str, Any]:
    found = call.body.get("input", call.body)
    return found if isinstance(found, dict) else {}


def _data(call: Call) -> Mapping[str, Any]:
    body = _body(call)
    found = body.get("data", body)
    if isinstance(found, list):
        found = found[0] if found else {}
    return found if isinstance(found, dict) else {}


def apply(books: Books, call: Call) -> Json:
    """3203."""
    head = dict(_data(call))
    if str(head["begndate"])[:7].replace("-", "") != str(head["setlym"]):
        raise Refusal("开始日期与结算年月不符")
    one = Application(call.institution, head, books.new_id("Q", call.now_s), call.now_s)
    if any(other.same == one.same for other in books.clearing.standing(call.institution)):
        raise Refusal("该机构本月同类清算已申报，不能重复申报")
    books.clearing.applications[one.event_id] = one
    return {"result": {"clr_appy_evt_id": one.event_id}}


def withdraw(books: Books, call: Call) -> Json:
    """3204: before the audit only."""
    one = books.clearing.applications.get(str(_data(call)["clr_appy_evt_id"]))
    if one is None or one.institution != call.institution or not one.clr_stas:
        raise Refusal("清算申请不存在")
    if int(one.clr_stas) >= AUDITED:
        raise Refusal("清算申请已审核，不能撤销")
    one.clr_stas = ""
    return {}


def status(books: Books, call: Call) -> Json:
    """3205A: every application that stands and fits what was asked."""
    asked = _data(call)
    found = []
    for one in books.clearing.standing(call.institution):
        facts = {"clr_appy_evt_id": one.event_id, "clr_ym": one.head["setlym"], "clr_type": one.head["clr_type"]}
        if all(str(asked[name]) == str(facts[name]) for name in facts if asked.get(name)):
            sums = {name: one.head.get(name) for name in SUMS}
            dates = {name: one.head.get(name) for name in ("begndate", "enddate")}
            found.append({**facts, **sums, **dates, "clr_stas": one.clr_stas, "opt_time": stamps.dense(one.at_s)})
    return {"data": [*found, *books.clearing.extra]}


def _rows(books: Books, call: Call, facts: Mapping[str, Any]) -> tuple[tuple[str, str, str], list[Json]]:
    place = (call.institution, str(facts.get("trt_year", "")), str(facts.get("trt_month", "")))
    if place not in books.clearing.splits:
        raise Refusal("没有该期的清分数据")
    return place, books.clearing.splits[place]


def fetch(books: Books, call: Call) -> Json:
    """3260: 100 rows from startrow on."""
    facts = _data(call)
    place, rows = _rows(books, call, facts)
    if any(where == place for where, _ in books.clearing.confirmed.values()):
        raise Refusal("该期清分已确认，不能再次提取")
    books.clearing.shift(rows)
    start = int(str(facts["startrow"])) - 1
    page = rows[start : start + PAGE_ROWS]
    return {"data": [{**row, "seqno": str(start + at)} for at, row in enumerate(page, start=1)]}


def confirm(books: Books, call: Call) -> Json:
    """3261: at most 100 rows, each of the period, each once. The batch goes by the message it came in."""
    facts, detail = _data(call), _body(call).get("detail")
    place, rows = _rows(books, call, facts)
    if not isinstance(detail, list) or not 0 < len(detail) <= PAGE_ROWS:
        raise Refusal("每批应为1至100行")
    if str(facts.get("totalrow")) != str(len(detail)):
        raise Refusal("总行数与明细行数不符")
    known = {(str(row["setl_sn"]), str(row["mdtrt_id"])): row for row in rows}
    done = {
        str(row["setl_sn"]) for where, batch in books.clearing.confirmed.values() if where == place for row in batch
    }
    for row in detail:
        found = known.get((str(row.get("setl_sn")), str(row.get("mdtrt_id"))))
        if found is None or any(str(found[name]) != str(row.get(name)) for name in ("certno", "medfee_sumamt")):
            raise Refusal("确认的明细与清分数据不符")
        if str(row.get("cnfm_flag")) not in ("0", "1") or str(row["setl_sn"]) in done:
            raise Refusal("确认标志不正确或明细已确认")
    books.clearing.confirmed[call.msgid] = (place, list(detail))
    return {"output": str(len(detail))}


def roll_back(books: Books, call: Call) -> Json:
    """3262: one batch by the number its answer had, or "0" for the period."""
    facts = _data(call)
    place, _ = _rows(books, call, facts)
    wanted = str(facts.get("otransid", ""))
    batches, numbers = books.clearing.confirmed, books.clearing.answered
    gone = [msgid for msgid, (where, _) in batches.items() if where == place and wanted in ("0", numbers.get(msgid))]
    if not gone and wanted != "0":
        raise Refusal("没有这次确认")
    for msgid in gone:
        del batches[msgid]
    return {"output": str(len(gone))}


HANDLERS: Mapping[str, Handler] = {
    "3203": apply, "3204": withdraw, "3205A": status, "3260": fetch, "3261": confirm, "3262": roll_back,
}  # fmt: skip
