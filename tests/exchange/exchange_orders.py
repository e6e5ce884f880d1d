"""Orders of mobile payment and purchases elsewhere for tests, and an exchange of a region that has both."""

from functools import cache
from typing import Any

from exchange_messages import HOME, VISIT, Json, envelope
from exchange_rig import Rig
from exchange_undo import Platform

from gateway.app.assemble import Compiled, compile_region
from gateway.app.facts import read_files
from gateway.core.regions import build_region
from simulators.city import facts

ELSEWHERE = ("2163", "2181")


@cache
def both() -> Compiled:
    return compile_region(build_region(read_files(), "national", ELSEWHERE))


def hunan(monkeypatch: Any, **settings: Any) -> Rig:
    """An exchange that knows purchases elsewhere as well."""
    monkeypatch.setattr("exchange_rig.facts", lambda: (both(), facts()[1]))
    return Rig(settings={"resolve": "Q4", **settings})


def order(msgid: str, number: str = "P1", visit: str = VISIT, batch: str = "B1") -> Json:
    """6202"""
    data = {
        "payAuthNo": "A1", "payOrdId": number, "payToken": "TOKEN", "orgCodg": HOME, "orgBizSer": number,
        "mdtrtId": visit, "chrgBchno": batch,
    }  # fmt: skip
    return envelope("6202", msgid, {"data": data})


def refund_order(msgid: str, number: str = "P1", serial: str = "1", kind: str = "ALL") -> Json:
    """6203"""
    data = {
        "payOrdId": number, "appRefdSn": serial, "appRefdTime": "20260302 080000", "totlRefdAmt": 100,
        "cashRefdAmt": 0, "ecToken": "TOKEN", "refdType": kind,
    }  # fmt: skip
    return envelope("6203", msgid, {"data": data})


def give_back(msgid: str, number: str = "R1") -> Json:
    """2163"""
    return envelope("2163", msgid, {"fixmedins_code": HOME, "mdtrt_regno": number, "opter_name": "测试"})


def reverse_purchase(msgid: str, number: str = "R1", status: str = "1107") -> Json:
    """2181"""
    facts = {"mdtrt_regno": number, "ssn": "999000199001010004", "status": status, "opter_name": "测试"}
    return envelope("2181", msgid, {"fixmedins_code": HOME, **facts})


def told(state: Any, number: str = "P1", **more: Any) -> Json:
    """What 6301 answers of an order."""
    amounts = {"feeSumamt": 100, "ownPayAmt": 40, "psnAcctPay": 0, "fundPay": 60}
    facts = {"ordStas": state, "payOrdId": number, "callType": "2", "orgCodg": HOME, "revsToken": "TOKEN"}
    return {"data": facts | amounts | more}


def asked(output: Json | None) -> Platform:
    """A platform that answers 6301 like this (None: it refuses), and hangs up on everything else."""

    def play(one: Any) -> None:
        if one.message["infno"] != "6301":
            one.listener.lost("connection lost")
        elif output is None:
            one.reply(-1, "订单不存在")
        else:
            one.reply(0, output=output)

    return play
