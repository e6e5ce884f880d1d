"""A month told by a provincial clearing platform: 2172 declared applications, 2173 their settlements, 2174 fund lines.

Facts: reconciliation §3.3 and the field tables of the transactions. What they leave open is decided here: everything
comes from our own ledger and not from what was declared; 2174 carries the audited amounts (dfr_amt, det_sumamt,
whld_sumamt, dpst_sumamt) from state 40 on; pages are cut from the lists as they stand at that moment.
"""

from collections.abc import Mapping
from typing import Any

from simulators import stamps
from simulators.clearing_book import Application
from simulators.ledger import Books, Call, Refusal, Settlement
from simulators.money import share, yuan
from simulators.visits import Handler
from simulators.wording import Json

AUDITED = 40
_BASIC = {"310": "310100", "390": "390100"}
_OTHER = {"cvlserv_pay": "320100", "hifes_pay": "370100", "maf_pay": "610100"}
_ACCOUNT = {"310": "310200", "390": "390500"}


def _applications(books: Books, call: Call) -> list[Application]:
    """Those of the month, kind and agency that were asked for, that stand."""
    asked: Mapping[str, Any] = call.body.get("_root", call.body)
    if asked["fixmedins_code"] != call.institution:
        raise Refusal("只能查询本机构的清算数据")
    found = []
    for one in books.clearing.standing(call.institution):
        head = one.head
        fits = str(head["clr_type"]) == asked["clr_type"] and head.get("clr_optins") == asked["clr_optins"]
        if fits and asked["start_clrym"] <= str(head["setlym"]) <= asked["end_clrym"]:
            found.append(one)
    if asked["clr_stas"] == "0":
        return []
    return found


def _settlements(books: Books, one: Application) -> list[Settlement]:
    """What of our own ledger an application is about."""
    head = one.head
    return [
        row
        for row in books.settlements.values()
        if row.institution == one.institution and not row.reversed and row.clr_type == str(head["clr_type"])
        and row.clr_optins == head["clr_optins"] and head.get("insutype") in (None, row.insutype)
        and stamps.day(row.now_s)[:7].replace("-", "") == str(head["setlym"])
    ]  # fmt: skip


def _yuan(fen: int) -> str:
    return str(yuan(fen))


def _page(books: Books, call: Call, rows: list[Json]) -> Json:
    asked: Mapping[str, Any] = call.body.get("_root", call.body)
    books.clearing.shift(rows)
    number, size = int(asked.get("page_num") or 1), int(asked.get("page_size") or 100)
    if number < 1 or not 1 <= size <= 1000:
        raise Refusal("页码或每页条数不符合规定")
    cut = rows[(number - 1) * size : number * size]
    return {
        "parameters": {"pageNum": number, "pageSize": size, "recordCounts": len(rows), "size": len(cut)},
        "n_output": cut,
    }


def sums(books: Books, call: Call) -> Json:
    """2172."""
    found = []
    for one in _applications(books, call):
        rows = _settlements(books, one)
        total = {
            name: sum(row.sign * getattr(row.split, f"{name}_fen") for row in rows)
            for name in ("medfee", "cash", "acct", "fund")
        }
        month = str(one.head["setlym"])
        found.append({
            "setl_dcla_no": one.event_id, "fixmedins_code": one.institution, "fixmedins_name": call.institution_name,
            "clr_optins": one.head["clr_optins"], "clr_type": one.head["clr_type"], "clr_stas": one.clr_stas,
            "clr_stas_name": "", "start_clrym": month, "end_clrym": month, "begndate": one.head["begndate"],
            "enddate": one.head["enddate"], "setl_ids_key": f"K{one.event_id}", "sumamt": _yuan(total["medfee"]),
            "cash_payamt": _yuan(total["cash"]), "acct_pay_sumamt": _yuan(total["acct"]),
            "fund_pay_sumamt": _yuan(total["fund"]), "clr_psntime": sum(row.sign for row in rows),
        })  # fmt: skip
    return _page(books, call, found)


def details(books: Books, call: Call) -> Json:
    """2173: one row a settlement, refunds negative."""
    found = [
        {
            "fixmedins_code": one.institution, "fixmedins_name": call.institution_name, "out_type": row.clr_pay_loc,
            "med_type": row.med_type, "insutype": row.insutype, "psn_type": "11", "psn_no": row.psn_no,
            "sumamt": _yuan(row.sign * row.split.medfee_fen), "cash_payamt": _yuan(row.sign * row.split.cash_fen),
            "acct_payamt": _yuan(row.sign * row.split.acct_fen), "clr_psntime": row.sign,
            "mdtrt_setl_time": stamps.stamp(row.now_s), "mdtrt_regno": row.setl_id, "mdtrtsn": row.mdtrt_id,
        }
        for one in _applications(books, call)
        for row in _settlements(books, one)
    ]  # fmt: skip
    return _page(books, call, found)


def funds_of(row: Settlement) -> dict[str, int]:
    """Component -> fen of the funds that pay a settlement, and the personal account."""
    part = row.split
    parts = {"hifp_pay": part.hifp_fen, "cvlserv_pay": part.cvlserv_fen, "hifes_pay": part.hifes_fen}
    parts |= {"maf_pay": part.maf_fen, "acct_pay": part.acct_fen}
    return {name: row.sign * fen for name, fen in parts.items() if fen}


def funds(books: Books, call: Call) -> Json:
    """2174: one line a fund of an insurance type; what the audit took stands beside it once it has spoken."""
    found = []
    for one in _applications(books, call):
        declared: dict[tuple[str, str], int] = {}
        for row in _settlements(books, one):
            for fund, fen in funds_of(row).items():
                declared[row.insutype, fund] = declared.get((row.insutype, fund), 0) + fen
        insutypes = {row.setl_id: row.insutype for row in _settlements(books, one)}
        for (insutype, fund), fen in sorted(declared.items()):
            own = [cut for cut in one.findings if (insutypes.get(cut.setl_id), cut.fund) == (insutype, fund)]
            taken = sum(cut.stands_fen for cut in own if cut.kind != "2")
            held = sum(cut.stands_fen for cut in own if cut.kind == "2")
            kept = share(fen - taken - held, books.clearing.deposit)
            code = {"hifp_pay": _BASIC, "acct_pay": _ACCOUNT}.get(fund, {}).get(insutype) or _OTHER.get(fund, "999997")
            line = {
                "fixmedins_code": one.institution, "fixmedins_name": call.institution_name, "insutype": insutype,
                "clr_optins": one.head["clr_optins"], "clr_type": one.head["clr_type"], "clr_way": "1",
                "med_type": "11", "psn_type": "11", "clr_stas": one.clr_stas, "clr_stas_name": "",
                "fund_pay_type": code, "fund_pay_type_name": fund, "fund_appy_sum": _yuan(fen),
            }  # fmt: skip
            if int(one.clr_stas) >= AUDITED:
                line |= {
                    "dfr_amt": _yuan(fen - taken - held - kept), "det_sumamt": _yuan(taken), "whld_sumamt": _yuan(held),
                    "dpst_sumamt": _yuan(kept),
                }  # fmt: skip
            found.append(line)
    return _page(books, call, found)


HANDLERS: Mapping[str, Handler] = {"2172": sums, "2173": details, "2174": funds}
