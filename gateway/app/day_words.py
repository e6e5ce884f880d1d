"""Chinese words of the books' reports: states, standings, whose move it is. A word unknown here is shown as it is."""

from collections.abc import Mapping

from gateway.core.dates import shanghai
from gateway.core.money import yuan

PARTIES: Mapping[str, str] = {
    "INST": "医药机构", "GW": "网关", "AGY": "就医地经办", "PROV": "省平台", "INS": "参保地经办",
}  # fmt: skip
PARTY_STATES: Mapping[str, str] = {"complete": "账目完整", "incomplete": "账目不完整", "missing": "没有账"}
LEGS: Mapping[str, str] = {
    "L1": "L1 机构/网关—经办", "L2": "L2 经办—省平台", "L3": "L3 就医地经办（省平台所报）—省平台",
    "L4": "L4 省平台—参保地",
}  # fmt: skip
LOOKS: Mapping[str, str] = {"agreed": "已平", "open": "未平", "waiting": "等待", "off": "未核对"}
STANDINGS: Mapping[str, str] = {
    "open": "待处理", "waiting": "等待", "withheld": "账不全暂不判定", "carried": "结转后日", "trace": "仅留痕",
    "closed": "已了结",
}  # fmt: skip
MOVERS: Mapping[str, str] = {
    "OPS": "网关管理员（发送失败）", "MAKER": "对账员提出，另一人复核", "CHECKER": "复核员（已提出，待批准）",
    "ONE": "对账员一人确认", "INST": "医药机构", "AGY": "就医地经办", "PROV": "省平台", "INS": "参保地经办",
    "GW": "网关自动处理", "LEG": "等前一段了结", "FILES": "等账目到齐", "LATER": "后日再对（已结转）",
}  # fmt: skip
DAY_STATES: Mapping[str, str] = {
    "OPEN": "未开始", "COLLECTING": "业务日未结束（预对）", "WAIT_INPUT": "等账目", "AGREED": "已平",
    "FROZEN": "已固化", "AGREED_WITH_CARRY": "已平（有结转）", "REOPENED": "已重新打开",
    **{f"{leg}_RUNNING": f"{leg}核对中" for leg in ("L1", "L2", "L3", "L4")},
    **{f"{leg}_AGREED": f"{leg}已平" for leg in ("L1", "L2", "L3", "L4")},
    **{f"{leg}_DIFF": f"{leg}有差异" for leg in ("L1", "L2", "L3", "L4")},
}  # fmt: skip
DIFF_STATES: Mapping[str, str] = {
    "OPEN": "未了结", "WAIT": "等待", "RESOLVED": "已了结", "VANISHED": "重对后消失", "CARRIED": "结转后日",
}  # fmt: skip
ACTION_STATES: Mapping[str, str] = {
    "PLANNED": "待发送", "SENT": "已发出，等回执", "DONE": "已办，有回执", "FAILED": "失败",
    "IN_DOUBT": "结果未知，查询中", "DROPPED": "差异已消失或另有决定，不必再办",
}  # fmt: skip
CASE_STATES: Mapping[str, str] = {
    "OPEN": "待提出处理", "PROPOSED": "已提出，待复核", "DECIDED": "已批准，待执行", "CLOSED": "已结案",
}  # fmt: skip
ANSWERS: Mapping[str, str] = {
    "confirmed": "有这一笔，未退费", "refunded": "有这一笔，已退费", "nothing": "没有这一笔",
    "unclear": "应答与这一笔对不上", "no_answer": "没有应答", "not_asked": "编号不全，没有查询",
}  # fmt: skip
APPROVAL_STATES: Mapping[str, str] = {
    "PROPOSED": "待复核", "APPROVED": "批准", "USED": "批准，已执行", "REFUSED": "不批准",
    "EXPIRED": "逾期作废", "VOID": "作废",
}  # fmt: skip
ROLES: Mapping[str, str] = {"care": "就医地", "insured": "参保地"}
ATTRIBUTES: Mapping[str, str] = {
    "setl_id": "结算ID", "prov_sn": "省平台流水号", "msgid": "报文ID", "fixmedins_code": "定点机构",
    "mdtrt_id": "就诊ID",
    "psn_no": "人员编号（后4位）", "direction": "方向", "status": "状态", "setl_time": "结算时间", "insutype": "险种",
    "clr_type": "清算类别", "clr_way": "清算方式", "clr_optins": "清算经办机构", "clr_pay_loc": "支付地点",
    "chrg_bchno": "收费批次号", "invono": "发票号", "delivered": "应答已送达机构",
}  # fmt: skip
_VALUES: Mapping[str, Mapping[str, str]] = {
    "direction": {"0": "0 结算", "1": "1 退费", "": "0 结算"},
    "delivered": {"0": "0 未送达", "1": "1 已送达"},
    "clr_pay_loc": {"2": "2 本地", "3": "3 省内异地", "4": "4 跨省异地"},
}
SHOWN_LAST = 4  # of a person's number (security specification: psn_no is shown masked)


def money(fen: int) -> str:
    """Return fen as yuan with thousands set apart."""
    text = yuan(fen)
    whole, point, cents = text.removeprefix("-").partition(".")
    return f"{'-' if fen < 0 else ''}{int(whole):,}{point}{cents}"


def when(ms: int) -> str:
    """Return a moment as people write it; '' for none."""
    return f"{shanghai(ms / 1000):%Y-%m-%d %H:%M:%S}" if ms else ""


def until(ms: int) -> str:
    """Return a deadline: the day alone when it is the day's end (the first moment of the next)."""
    moment, last = shanghai(ms / 1000), shanghai(ms / 1000 - 1)
    return f"{last:%Y-%m-%d}" if moment.date() != last.date() else f"{moment:%Y-%m-%d %H:%M}"


def cell(name: str, text: str) -> str:
    """Return a ledger's cell as it may be shown: a person's number by its end only."""
    if name == "psn_no":
        return f"…{text[-SHOWN_LAST:]}" if len(text) > SHOWN_LAST else "…" if text else ""
    return _VALUES.get(name, {}).get(text, text)
