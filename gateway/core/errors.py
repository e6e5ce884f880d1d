"""The gateway's own codes: what each means, its HTTP status, and what the other side should do.

One table decides code, status and advice (contract-annex X4, X37); no other module invents a code.
"""

from typing import Literal

import attrs

Repeat = Literal["", "same", "new", "ask", "no"]


@attrs.frozen
class Code:
    """One gateway code.

    status: HTTP status (200 = the message parsed as an envelope).
    text: Chinese sentence for the person at the counter.
    advice: Chinese sentence saying what to do next.
    repeat: `gw_repeat` of X37 for money; empty when it depends on the record.
    """

    name: str
    status: int
    text: str
    advice: str
    repeat: Repeat = "same"

    def message(self, detail: str = "") -> str:
        """Return `[GW-X] text；detail；advice` as it stands in `err_msg`."""
        parts = [part for part in (self.text, detail, self.advice) if part]
        return f"[{self.name}] " + "；".join(parts)


_TABLE = (
    # Not HTTP 200: what did not parse as an envelope, or was turned away at the door.
    Code("GW-JSON", 400, "报文不是合法的JSON", "请按接口规范检查报文格式"),
    Code("GW-ENVELOPE", 400, "报文头没有文本形式的交易编号infno和报文ID msgid", "请按接口规范补全报文头"),
    Code("GW-HTTP", 400, "HTTP请求格式错误", "请检查HTTP客户端"),
    Code("GW-DAY-AHEAD", 400, "交账的日期还没有到，没有收", "请核对日期，当日结束后再交"),
    Code("GW-SOURCE", 401, "来源未登记，无法识别定点医药机构", "请联系医保信息部门登记来源地址或证书"),
    Code("GW-PATH", 404, "请求地址不存在", "交易请求请发往 /fsi/api/ 下的地址"),
    Code("GW-METHOD", 405, "请求方法不允许", "交易请求请使用POST"),
    Code("GW-DEADLINE", 408, "请求接收超时，连接已关闭", "请检查网络后重新发送"),
    Code("GW-DAY-FROZEN", 409, "此日的账已固化，不再收账", "请联系医保办：由两人重开此日，或以调整更正"),
    Code("GW-SIZE", 413, "报文超过允许的大小", "请拆分后分批上传"),
    Code("GW-ENCODING", 415, "内容类型或编码不支持", "请使用UTF-8编码的application/json，且不要压缩"),
    Code("GW-RATE", 429, "请求过于频繁或连接过多", "请求未受理，请稍后用原报文重试"),
    Code("GW-NOT-READY", 503, "网关暂不能受理", "请求未受理，请稍后用原报文重试"),
    Code("GW-NOT-ACCEPTED", 503, "网关暂不能保证记账安全，交易未受理", "请求未受理，请稍后用原报文重试"),
    # HTTP 200: an envelope was read, and this is the gateway's answer to it.
    Code("GW-IDENTITY", 200, "报文中的定点医药机构编号与登记来源不符", "请核对fixmedins_code"),
    Code("GW-INFNO", 200, "不支持的交易编号", "请核对infno"),
    Code("GW-INVALID", 200, "报文校验未通过", "请按gw_complaints逐项修改后重新提交"),
    Code("GW-UNMAPPED", 200, "存在未对码或对码无效的项目", "请完成对码后重新提交"),
    Code("GW-MSGID-REUSED", 200, "报文ID已被内容不同的请求使用", "请使用新的报文ID", "new"),
    Code(
        "GW-DUPLICATE-SETTLEMENT",
        200,
        "该笔业务已办理成功，不能重复办理",
        "请勿重复收费，原报文见gw_msgid",
        "no",
    ),
    Code("GW-LANE-BUSY", 200, "该参保人有一笔交易正在处理", "请等待处理完成后再试", "no"),
    Code("GW-IN-DOUBT", 200, "交易结果未知，系统正在确认", "请用原报文ID查询，勿重新收费", "ask"),
    Code("GW-REVERSING", 200, "冲正正在进行", "请稍后处理", "ask"),
    Code("GW-REVERSED", 200, "原交易未成功(已冲正)", "可用新的报文ID重新发起", "new"),
    Code("GW-ABSENT", 200, "原交易未成功(平台无此记录)", "可用新的报文ID重新发起", "new"),
    Code("GW-NOT-SENT", 200, "请求未送达医保平台，交易未发生", "可以重新发起，是否换报文ID见gw_repeat", "new"),
    Code("GW-CONFIRMED", 200, "", "", "no"),
    Code("GW-MANUAL", 200, "交易需要人工处理", "请联系医保办处理", "no"),
    Code("GW-CATALOGUE", 200, "", "", ""),
    Code("GW-PLATFORM", 200, "医保平台没有应答", "请用原报文ID重试", "same"),
    Code("GW-REVERSAL-REFUSED", 200, "冲正请求被拒绝", "请核对原报文ID、原交易编号和人员编号", "no"),
)

CODES = {code.name: code for code in _TABLE}

Rule = Literal[
    "required",
    "type",
    "length",
    "format",
    "dictionary",
    "scale",
    "range",
    "count",
    "identity",
    "sum",
    "unmapped",
    "expired",
    "code_conflict",
    "size",
    "unknown_node",
]

TRANSLATION_RULES = frozenset({"unmapped", "expired", "code_conflict"})


@attrs.frozen
class Complaint:
    """One thing wrong with a message (annex X19).

    path starts at the envelope, 0-based (`input.feedetail[3].cnt`); message is Chinese and shows the shape of a
    value, never a person's data.
    """

    path: str
    rule: Rule
    message: str


class BadJson(Exception):
    """The bytes are not JSON we accept (X22, X23). The sender's fault; answer GW-JSON, nothing is recorded."""
