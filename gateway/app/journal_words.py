"""The journal's stable words as Chinese sentences: states, and why a row is in them. Words without a sentence stay."""

from collections.abc import Mapping

from gateway.core.model import LATE

STATES: Mapping[str, str] = {
    "JOURNALED": "已登记，等待发送",
    "SENT": "已标记发送，等待平台应答",
    "ACKED": "平台确认成功",
    "REJECTED": "平台业务拒绝",
    "NOT_SENT": "未送达平台，交易未发生",
    "IN_DOUBT": "结果未知",
    "REVERSING": "冲正进行中",
    "REVERSED": "已冲正",
    "CONFIRMED": "查询确认成功",
    "ABSENT": "平台无此记录",
    "MANUAL": "待人工处理",
    "DONE": "已了结",
    "EXTERNAL": "平台对账得知，不是经本网关办理",
}
QUEUE: Mapping[str, str] = {
    "QUEUED": "等待发送",
    "INFLIGHT": "已发出，等待应答",
    "DONE": "已了结",
    "DEAD": "已停止，转人工",
}
_REASONS: Mapping[str, str] = {
    # coming in
    "accepted": "收到机构的请求，已落盘",
    "reversal": "网关自动发起冲正，已落盘",
    "books": "按对账结果冲正",
    "late_success": "平台迟到的成功答复说它记了账，后续冲正一次",
    "sent": "落盘后开始发往平台",
    "answered": "平台答复成功",
    "done": "处理完毕，答复已存",
    "delivered": "成功答复交给了机构",
    "restored_external": "由备份恢复后与平台核对：平台有，日志没有",
    "restored_unnamed": "由备份恢复后与平台核对：平台有，日志没有，平台也没有给出报文ID，编号是网关代拟的",
    "restored_twice": "由备份恢复后与平台核对：平台把同一报文ID记了不止一笔，这是多出的一笔，编号是网关代拟的",
    "restored": "日志由备份恢复，其后的经过已丢失",
    "restarted": "网关重新启动时发现它没有做完",
    "refused": "平台业务上拒绝",
    # no answer that counts
    "silent": "平台在时限内没有应答",
    "no answer in time": "等到最后也没有应答",
    "connection lost": "应答之前连接中断",
    "answer truncated": "应答只收到一部分",
    "answer unreadable": "应答不是合法的HTTP报文",
    "answer too large": "应答超过允许的大小",
    "no_infcode": "应答读不出结果代码",
    "keys_twice": "应答中同一个键出现两次，自相矛盾",
    "unknown_code": "平台答了不认识的结果代码",
    "no_err_msg": "平台答失败但没有说明原因",
    "system_error": "平台答系统异常，做没做不知道",
    "other_msgid": "应答里是别的报文ID",
    "other_person": "应答里是别的人员编号",
    "other_order": "应答里是别的支付订单号",
    "order_not_paid": "应答里的订单状态（ordStas）不是已支付",
    "amount_unreadable": "应答里的金额读不出来",
    "fund_over_total": "应答里基金支付大于医疗费总额",
    "sums_off": "应答里的金额合计不平",
    "no_number": "应答里的结算ID或就诊ID不像编号",
    "internal": "网关自己出错，按结果未知处理",
    # certainly never executed
    "never_left": "没有发出：等候过久或链路已熔断",
    "access_refused": "平台接入层拒绝，没有到达业务系统",
    "connection refused": "平台拒绝连接，一个字节也没有发出",
    "connect timed out": "连接平台超时，没有发出",
    "name not found": "平台域名解析不到，没有发出",
    "no route": "到平台的网络不通，没有发出",
    "cannot bind": "本机地址不能用来连接平台，没有发出",
    "connect failed": "连接平台失败，没有发出",
    "tls handshake failed": "与平台的TLS握手失败，没有发出",
    "certificate names another host": "平台证书与域名不符，没有发出",
    "certificate refused": "平台不接受网关的证书，没有发出",
    "no free connection": "等不到空闲连接，没有发出",
    "queue full": "等候发送的请求过多，没有发出",
    "link closed": "链路已关闭，没有发出",
    # how a doubt ends
    "reversal_queued": "冲正已排入队列，到时自动发送",
    "reversed": "平台确认已冲正",
    "reversed_absent": "静默期过后平台仍无此交易，没有可冲正的",
    "found": "查询查到了这笔交易",
    "nothing": "静默期过后查询，平台没有这笔交易",
    "normal": "查询得知原结算仍然有效，撤销没有生效",
    "unknown": "查询没有得到确定的结论",
    "time_is_up": "到了最晚时限，冲正仍无结果",
    "statement": "网关为查清结果未知的交易做日对账",
    "statement_found": "平台的日对账明细里有这笔交易",
    "statement_nothing": "平台的日对账明细里没有这笔交易",
    "manual": "本地区不能冲正这种交易，也没有可以查询的",
    "impossible": "平台答复不能冲正",
    "cancelled": "平台答复原交易已经撤销",
    "not_found": "平台没有这笔交易",
    "sign_in": "平台要求先签到",
}
DECIDED = "decided_"  # and the number of the approval
# What a late answer said (reversal specification §4.4): of a request, or of one sending of a reversal.
_LATE: Mapping[str, str] = {
    "acked": "成功",
    "rejected": "业务上拒绝",
    "doubt": "读不出结论",
    "not_sent": "接入层拒绝",
    "done": "已经冲正、已撤销或本来就没有成功",
    "not_found": "没有原交易",
    "impossible": "不能冲正",
    "cancelled": "原交易已经撤销",
    "refused": "拒绝，原因不认识",
    "sign_in": "要求先签到",
    "silent": "读不出结论",
    "never_left": "接入层拒绝",
}
# The same words, of one sending of a reversal.
_SENDING: Mapping[str, str] = {
    "answered": "平台答复成功",
    "done": "平台答复原交易已经冲正、已撤销或本来就没有成功",
    "not_found": "平台答复没有原交易",
    "refused": "平台拒绝，原因不认识",
    "internal": "网关读不懂应答，将再发",
    "restarted": "网关重新启动前没有等到应答，将再发",
}


def reason_in_chinese(reason: str, sending: bool = False) -> str:
    """Return the sentence of an event's reason; sending: of one sending of a reversal."""
    if sending and reason in _SENDING:
        return _SENDING[reason]
    if reason.startswith(LATE):
        said, _, setl_id = reason.removeprefix(LATE).strip().partition(" ")
        number = f"，结算ID {setl_id}" if setl_id else ""
        return f"平台的答复迟到了：{_LATE.get(said, said)}{number}（只作证据，状态不变）"
    if reason.startswith(DECIDED):
        return f"由两人决定（第{reason.removeprefix(DECIDED)}号事项）"
    if reason.startswith("http_"):
        return f"平台或中间设备答HTTP {reason.removeprefix('http_')}"
    for words in ("connection lost", "connect failed"):  # more may follow, for whoever looks closer
        if reason.startswith(words):
            return _REASONS[words]
    return _REASONS.get(reason, reason)
