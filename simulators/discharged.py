"""What a hospital knows of a settled stay, for a gateway that collects settlement lists: the whole and its pieces.

In the hospital's own codes, as its systems hold it: the ward its operations, the cashier its fees, the records' room
the rest. Every amount is the settlement's or a fee line's.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from simulators import tables
from simulators.hospital import Hospital
from simulators.listing import settlement_list
from simulators.people import AREA, Person
from simulators.stamps import stamp
from simulators.tables import Matched
from simulators.wording import Json

# Field -> the piece that says it; whatever else stands in the head is the discharge's.
_ADMISSION = (
    "fixmedins_code", "fixmedins_name", "medcasno", "psn_name", "psn_no", "gend", "brdy", "age", "ntly", "naty",
    "patn_cert_type", "certno", "prfs", "curr_addr", "emp_name", "emp_addr", "coner_name", "patn_rlts", "coner_addr",
    "coner_tel", "hi_type", "insuplc", "ipt_med_type", "adm_way", "trt_type", "adm_time", "adm_dept_code",
    "adm_dept_name", "adm_caty", "otp_wm_dise", "wm_dise_code",
)  # fmt: skip
_SETTLEMENT = (
    "setl_id", "hi_setl_lv", "hi_no", "dcla_time", "bill_code", "bill_no", "biz_sn", "setl_begn_date", "setl_end_date",
    "psn_selfpay", "psn_ownpay", "acct_pay", "psn_cashpay", "hsorg", "hsorg_opter", "hi_paymtd",
)  # fmt: skip
_NODES: Mapping[str, tuple[str, ...]] = {
    "diagnosis": ("diseinfo",), "operation": ("oprninfo",), "fees": ("iteminfo",), "settlement": ("payinfo",),
}  # fmt: skip
_COUNTS = {"diagnosis": "diag_code_cnt", "operation": "oprn_oprt_code_cnt"}
_CATEGORY = {"X": "09", "Z": "11", "T": "10"}  # of drugs, by the first letter of the national code
_SAFE = ("I1", "I2", "I4", "I5", "J3", "K2", "K3", "K5")  # diseases of anybody, at any age
_SAFE_OPERATIONS = ("37", "38", "44", "45", "46", "47", "49")


def suited(home: Hospital, case: Json) -> Json:
    """The case with two diseases that fit any patient: whose sex and age they contradict is not this story."""
    safe = [one for one in tables.matched("diagnosis") if one.national_code.startswith(_SAFE)]
    first = home.dice.choice(safe)
    second = home.dice.choice([one for one in safe if one.national_code != first.national_code])
    return case | {"diseases": [first, second]}


def collected(home: Hospital, who: Person, case: Json, setlinfo: Json, funds: list[Json]) -> Json:
    """The whole list. case: as the ward wrote it down; charged: amounts by charge category; own: what the
    trial (2303) said the person pays wholly. funds: empty where the answer was found by a query only.
    """
    found = settlement_list(home, case, setlinfo, funds)
    head: Json = found["setlinfo"]
    begin, own = case["begin_s"], Decimal(case["own"])
    days = (dt.date.fromisoformat(home.now()[:10]) - dt.date.fromisoformat(stamp(begin)[:10])).days
    head |= {
        "fixmedins_code": home.code, "fixmedins_name": home.name, "hi_setl_lv": "3", "hi_no": who.psn_no,
        "psn_name": who.name, "gend": who.gend, "brdy": who.brdy, "age": str(_years(who, begin)), "naty": "1",
        "patn_cert_type": "01", "certno": who.certno, "prfs": "80", "curr_addr": "示例市示例路1号", "emp_name": "-",
        "hi_type": who.insutype, "insuplc": AREA, "ipt_med_type": "1", "act_ipt_days": str(days),
        "diag_code_cnt": str(len(found["diseinfo"])), "oprn_oprt_code_cnt": "1", "hsorg": "示例市医疗保障中心",
        "hsorg_opter": "测试经办", "psn_selfpay": str(Decimal(setlinfo["psn_part_amt"]) - own),
        "psn_ownpay": str(own), "acct_pay": str(setlinfo["acct_pay"]),
        "psn_cashpay": str(setlinfo["psn_cash_pay"]), "hi_paymtd": "4", "coner_tel": "00000000000",
        "patn_rlts": "1", "chfpdr_name": case["doctor"].name, "bill_code": "51080026",
    }  # fmt: skip
    operation = next(one for one in tables.matched("operation") if one.national_code.startswith(_SAFE_OPERATIONS))
    found["oprninfo"][0] |= {
        "oprn_oprt_name": operation.name, "oprn_oprt_code": operation.local_code,
        "oprn_oprt_date": stamp(begin + 3600)[:10],
        "anst_begntime": stamp(begin + 3000), "anst_endtime": stamp(begin + 7800),
    }  # fmt: skip
    found["payinfo"] = [
        one | {"fund_payamt": str(one["fund_payamt"])} for one in found["payinfo"] or _funds(who, setlinfo)
    ]
    found["iteminfo"] = _fees(case["charged"], own)
    return {**found, "setlinfo": {name: str(value) for name, value in head.items()}}


def _funds(who: Person, setlinfo: Json) -> list[Json]:
    """The fund lines of a settlement, by its own amounts."""
    basic, large = ("390100", "390200") if who.insutype == "390" else ("310100", "330100")
    kinds = {"hifp_pay": basic, "cvlserv_pay": "320100", "hifes_pay": large, "maf_pay": "610100"}
    found = {kind: Decimal(setlinfo.get(name) or 0) for name, kind in kinds.items()}
    return [{"fund_pay_type": kind, "fund_payamt": amount} for kind, amount in found.items() if amount or kind == basic]


def category(item: Matched) -> str:
    """The charge category (med_chrgitm) of a thing that was charged."""
    if item.system == "service_item":
        return _services()[item.national_code]
    return _CATEGORY[item.national_code[0]] if item.system == "drug" else "08"


def _services() -> Mapping[str, str]:
    return {row["med_list_codg"]: row["med_chrgitm_type"] for row in tables.rows("national_services")}


def _fees(charged: Mapping[str, Decimal], own: Decimal) -> list[Json]:
    """Fee items by category; what the person pays wholly is taken from one after the other."""
    rows = []
    for kind, amount in sorted(charged.items()):
        if amount:
            part = min(own, amount)
            own -= part
            money = {
                "claa_sumfee": amount - part,
                "clab_amt": Decimal(0),
                "fulamt_ownpay_amt": part,
                "oth_amt": Decimal(0),
            }
            rows.append({"med_chrgitm": kind, "amt": f"{amount:.2f}", **{k: f"{v:.2f}" for k, v in money.items()}})
    return rows


def _years(who: Person, at_s: float) -> int:
    day = stamp(at_s)[:10]
    return int(day[:4]) - int(who.brdy[:4]) - (day[5:] < who.brdy[5:])


def pieces(whole: Json) -> Iterator[tuple[str, Json]]:
    """Yield (piece, its message) in the order in which they become known; together they are the whole list."""
    head: dict[str, Any] = whole["setlinfo"]
    key = {"mdtrt_id": head["mdtrt_id"]}
    said = {*key, *_ADMISSION, *_SETTLEMENT, *_COUNTS.values()}
    yield "admission", {"setlinfo": key | {name: head[name] for name in _ADMISSION if name in head}}
    for piece in ("diagnosis", "operation", "fees"):
        own = {_COUNTS[piece]: head[_COUNTS[piece]]} if piece in _COUNTS else {}
        yield piece, {"setlinfo": key | own, **{node: whole[node] for node in _NODES[piece]}}
    yield "discharge", {"setlinfo": key | {name: value for name, value in head.items() if name not in said}}
    yield "settlement", {
        "setlinfo": key | {name: head[name] for name in _SETTLEMENT if name in head}, "payinfo": whole["payinfo"]
    }  # fmt: skip
