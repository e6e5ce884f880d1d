"""A way out of MANUAL: two people decide what became of a record, the running node carries it out (RV3; annex X35)."""

import json
from collections.abc import Mapping

from twisted.internet.defer import Deferred

from adapters.store.books import BooksStore
from adapters.store.codes_orders import OrdersStore
from gateway.app.books_shelf import SCRIPTS
from gateway.app.codes_orders import Ended, GaveUp, Work
from gateway.app.config import Config
from gateway.app.orders_wait import order_and_wait
from gateway.app.say import Outside
from gateway.books.journal import date_of
from gateway.core.approval import Approval
from gateway.core.model import Entry
from gateway.core.money import yuan
from gateway.exchange.deciding import Decision, Decisions, Hindrance, Outcome
from gateway.exchange.saf import StoreForward

KIND = "books.journal"  # who proposes and who checks: as for any decision of the books
ORDER = "decide"
OUTCOMES: Mapping[str, tuple[Outcome, str]] = {
    "confirmed": ("CONFIRMED", "已成功（平台有此笔，以平台记录为准）"),
    "reversed": ("REVERSED", "已冲正或已撤销"),
    "absent": ("ABSENT", "没有发生"),
    "reverse": ("REVERSE", "现在冲正（2601）"),
}
_HINDRANCES: Mapping[Hindrance, str] = {
    "unknown": "日志中没有此笔交易",
    "not_manual": "此笔交易不是“待人工处理”（已有结果，或正在了结）",
    "no_link": "此笔交易所用的平台链路已不在配置中",
    "lane_busy": "该参保人有另一笔交易正在办理，请稍后再执行",
    "not_reversible": "本地区此类交易不支持冲正",
    "no_setl_id": "认定成功须给出平台记录，其中要有setl_id",
    "amounts": "平台记录的金额读不出，或总金额与请求不符",
    "not_accepted": "日志暂时不能写入（磁盘空间），请稍后再执行",
}


class NotCarriedOut(Exception):
    """The node did not carry the decision out; str: Chinese, why."""


def carry_out(config: Config, approval: Approval, content: bytes, outside: Outside) -> str | None:
    """The executor of KIND (gateway.app.approving): order it from the running node and wait. Raises NotCarriedOut;
    without a node the command ends with exit code 2, and the approval stays to be carried out."""
    plain = json.loads(content)
    store = config.room("books")
    status = order_and_wait(
        store, lambda: OrdersStore(BooksStore.open(store, SCRIPTS).connection),
        (ORDER, str(plain["fixmedins_code"]), str(plain["msgid"])), {**plain, "approval": approval.id},
        approval.checker, outside.now, False,
    )  # fmt: skip
    if status.outcome != "done":
        raise NotCarriedOut(str(status.result.get("message", "没有完成")))
    return f"{plain['msgid']}：{dict(OUTCOMES.values())[plain['outcome']]}"


async def decide(office: StoreForward, work: Work, frozen: bool) -> Ended:
    """Do what an order says, in the node. frozen: the record's day is solidified. Raises GaveUp."""
    told = work.order.arguments
    node = told.get("node")
    decision = Decision(
        fixmedins_code=str(told["fixmedins_code"]),
        msgid=str(told["msgid"]),
        outcome=next(one for one, _ in OUTCOMES.values() if one == told["outcome"]),
        approval=int(str(told["approval"])),
        node=node if isinstance(node, dict) else {},
    )
    if frozen and decision.outcome == "REVERSE":
        raise GaveUp("该日已固化，不能冲正（RV10）：请作调整，或先由两人重新打开")
    ended: Deferred[Hindrance] = Deferred()
    Decisions(office).carry_out(decision, ended.callback)
    hindrance = await ended
    if hindrance:
        raise GaveUp(_HINDRANCES[hindrance])
    return Ended("done", {"msgid": decision.msgid, "outcome": decision.outcome})


def proposal(record: Entry, original: Entry, outcome: Outcome, node: Mapping[str, str]) -> bytes:
    """Return the content two people see and agree on: the record as it stands, and what is decided of it.

    original: what a reversal would take back, the record itself or what it names: its day is the one that may be
    solidified (RV10).
    """
    plain = {
        "fixmedins_code": record.fixmedins_code, "msgid": record.msgid, "infno": record.infno,
        "medfee_sumamt": "" if record.medfee_fen is None else yuan(record.medfee_fen),
        "date": date_of(original), "outcome": outcome,
        "outcome_text": dict(OUTCOMES.values())[outcome], "node": dict(sorted(node.items())),
    }  # fmt: skip
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, indent=1).encode()
