"""What became of one message, as a person reads it: its events, the sendings of its reversal, the queue, the answer.

Built once as a plain object (`--json`) and told from that.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.store.journal_reader import JournalReader
from gateway.app.journal_words import DECIDED, QUEUE, STATES, reason_in_chinese
from gateway.core.answers import STATE_CODE
from gateway.core.dates import shanghai
from gateway.core.errors import CODES
from gateway.core.model import DOUBT, LATE, TERMINAL, Compared, Entry, Saf
from gateway.core.money import yuan

_EVIDENCE = ("path", "system", "local_code", "national_code", "version", "day")
_BY = {"reversal": "gateway", "books": "books", "late_success": "late"}  # by the reason it begins with; 2601 of whom
_ORDERS = {"books": "按对账结果的冲正", "late": "后续冲正"}
_SUCCESS = ("ACKED", "CONFIRMED", "EXTERNAL")
_ENDS = {
    "NOT_SENT": "请求没有到达平台，交易没有发生；可用新报文ID重新办理。",
    "REJECTED": "平台业务上拒绝，交易没有发生；平台的答复已原样交给机构。",
    "IN_DOUBT": "平台做没做还不知道，网关正在确认；此间不要重新收费。",
    "REVERSING": "平台做没做不知道，网关正在冲正；此间不要重新收费。",
    "ABSENT": "查明平台没有这笔交易；可用新报文ID重新办理。",
    "JOURNALED": "已登记，还没有发往平台。",
    "SENT": "已发往平台，还没有答复。",
    "EXTERNAL": "平台有这笔交易，但不是经本网关办理的；它的应答没有人知道。",
    "CONFIRMED": "应答丢失，但查询证实平台已办理成功；机构用原报文再问即得成功答复。",
}


def when(ms: int) -> str:
    return f"{shanghai(ms / 1000):%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}"


def plain(entry: Entry) -> dict[str, Any]:
    """Return a row as `journal list` shows it (annex X29)."""
    amount = entry.medfee_fen
    return {
        "msgid": entry.msgid,
        "infno": entry.infno,
        "fixmedins_code": entry.fixmedins_code,
        "state": entry.state,
        "setl_id": entry.setl_id,
        "omsgid": entry.omsgid,
        "medfee_sumamt": None if amount is None else yuan(amount),
        "created_at": when(entry.created_ms),
        "delivered": entry.delivered,
    }


def more_of(reader: JournalReader, entry: Entry) -> dict[str, Any]:
    """Return what the journal holds beyond that: the answer's part for the books, and everything that happened."""
    return {
        "mdtrt_id": entry.mdtrt_id,
        "klass": entry.klass,
        "settled": json.loads(entry.settled or "{}"),
        "events": _events(reader, entry),
    }


def queue_row(saf: Saf) -> dict[str, Any]:
    return {
        "state": saf.state,
        "attempt": saf.attempt,
        "refusals": saf.refusals,
        "opened_at": when(saf.opened_ms),
        "next_at": when(saf.next_ms) if saf.state == "QUEUED" else "",
    }


def story_of(reader: JournalReader, entry: Entry) -> dict[str, Any]:
    """Return everything the journal holds of one message."""
    saf = reader.queue(entry)
    return {
        **plain(entry),
        **more_of(reader, entry),
        "cancelled": entry.cancelled,
        "reversals": [_reversal(reader, one) for one in (reader.reversals(entry) if entry.klass in ("M", "A") else [])],
        "queue": None if saf is None else queue_row(saf),
        "told": _told(entry),
        "evidence": [dict(zip(_EVIDENCE, row, strict=True)) for row in reader.evidence(entry)],
    }


def _reversal(reader: JournalReader, sending: Entry) -> dict[str, Any]:
    """Return one 2601: a sending of the gateway's own, the record of an order of its own, or the institution's."""
    events = _events(reader, sending)
    return {
        "msgid": sending.msgid,
        "by": _BY.get(events[0]["reason"], "institution") if events else "institution",
        "state": sending.state,
        "created_at": when(sending.created_ms),
        "events": events,
    }


def _events(reader: JournalReader, entry: Entry) -> list[dict[str, Any]]:
    return [
        {"number": number, "at": when(at), "state": state, "reason": reason}
        for number, at, state, reason in reader.events(entry)
    ]


def _told(entry: Entry) -> dict[str, Any]:
    """What the institution hears when it asks with this message; '' where that is the platform's own answer."""
    own = entry.klass in ("M", "A", "R") and entry.state not in ("ACKED", "REJECTED", "DONE")
    if entry.state in _SUCCESS and entry.cancelled and not entry.delivered:
        code = STATE_CODE["REVERSED"]  # as `exchange.known` answers: reversed before anybody heard of it
    else:
        code = STATE_CODE[entry.state] if own else ""
    return {"delivered": entry.delivered, "gw_code": code, "gw_repeat": CODES[code].repeat if code else ""}


# --- telling ----------------------------------------------------------------------------------------------------------


def lines_of(story: dict[str, Any]) -> Iterator[str]:
    """Yield a story's lines."""
    yield f"报文 {story['msgid']}  交易 {story['infno']}  机构 {story['fixmedins_code']}"
    yield f"  结果：{STATES[story['state']]}  结算ID {story['setl_id'] or '-'}"
    yield f"  医疗费总额 {story['medfee_sumamt'] or '-'}  已交付机构：{'是' if story['delivered'] else '否'}"
    if story["klass"] in ("M", "A"):
        yield f"  结论：{_conclusion(story)}"
    elif story["omsgid"]:
        yield f"  冲正的原报文：{story['omsgid']}"
    for _, line in sorted(_happened(story)):
        yield f"  {line}"
    if story["queue"]:
        yield f"  {_queue_line(story['queue'])}"
    if story["told"]["gw_code"]:
        code = story["told"]["gw_code"]
        yield f"  机构问起时的答复：{CODES[code].message() if CODES[code].text else f'[{code}] 成功'}"
    for row in story["evidence"]:
        yield (
            f"    {row['path']}  {row['system']}  {row['local_code']} → {row['national_code'] or '未对码'}  "
            f"{row['day']} {row['version']}"
        )


def _happened(story: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield (number in the chain, line) of the message's own events and of every sending of its reversal."""
    sending = story["klass"] == "R"
    for event in story["events"]:
        said = reason_in_chinese(event["reason"], sending)
        yield event["number"], f"{event['at']}  {STATES[event['state']]}：{said}"
    times = 0
    for one in story["reversals"]:
        if one["by"] in _ORDERS:
            yield from _order(one)
            continue
        own = one["by"] == "gateway"
        times += own
        more = f"，报文 {one['msgid']}" if own else "，转发平台"
        name = f"网关第{times}次冲正" if own else f"机构发来的2601（报文 {one['msgid']}）"
        for event in one["events"]:
            if event["state"] == "JOURNALED":
                yield event["number"], f"{event['at']}    → {name}{more}"
            elif event["reason"] == "done" and not own:
                yield event["number"], f"{event['at']}    ← {name}：网关答复原交易没有成功，不必冲正"
            elif event["state"] != "SENT":
                said = reason_in_chinese(event["reason"], sending=True)
                yield event["number"], f"{event['at']}    ← {name}：{said}"


def _order(one: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """The record of a reversal that was ordered: its sendings stand beside it."""
    for event in one["events"]:
        said = reason_in_chinese(event["reason"])
        yield (
            event["number"],
            f"{event['at']}    · {_ORDERS[one['by']]}（{one['msgid']}）{STATES[event['state']]}：{said}",
        )


def _queue_line(row: dict[str, Any]) -> str:
    times = f"冲正队列：{QUEUE[row['state']]}，已发送{row['attempt']}次"
    refused = f"，其中{row['refusals']}次被不认识的原因拒绝" if row["refusals"] else ""
    following = f"，下次 {row['next_at']}" if row["next_at"] else ""
    return f"{times}{refused}，自 {row['opened_at']}{following}"


def _conclusion(story: dict[str, Any]) -> str:
    """Say in one sentence how a money message ended, and what that means for the institution."""
    told = [event["reason"] for event in story["events"]]
    state, reasons = story["state"], [reason for reason in told if not reason.startswith(LATE)]
    if state in _SUCCESS and story["cancelled"]:
        return "平台办理成功，后来已被撤销或冲正。"
    if state == "ACKED":
        heard = "成功答复已交给机构。" if story["delivered"] else "答复还没有交给机构，机构用原报文再问即得。"
        return f"平台办理成功，{heard}"
    if state in TERMINAL and reasons[-1].startswith(DECIDED):
        return f"网关不能自行了结，{reason_in_chinese(reasons[-1])}：{STATES[state]}。"
    if state == "REVERSED":
        absent = "平台没有记到这笔账" if reasons[-1] == "reversed_absent" else "平台记的账已冲回"
        more = _followed(story)
        return f"{_why_doubt(story)}，网关自动冲正：{absent}，本笔没有成功；可用新报文ID重新办理。{more}"
    if state == "MANUAL":
        return f"网关不能自行了结（{reason_in_chinese(reasons[-1])}）；请与平台核实后人工处理。"
    if state in DOUBT:
        return f"{_why_doubt(story)}。{_ENDS[state]}"
    return f"{_ENDS[state]}{_followed(story)}"


def _followed(story: dict[str, Any]) -> str:
    """Say what became of a late success of what was ended as never booked (reversal specification §4.4)."""
    for one in story["reversals"]:
        if one["by"] == "late":
            ends = {"CONFIRMED": "已再次冲正", "MANUAL": "再次冲正不成，请与平台核实后人工处理"}
            return f"平台后来迟到的答复说记了账，网关{ends.get(one['state'], '正在再次冲正')}。"
    return ""


def _why_doubt(story: dict[str, Any]) -> str:
    first = next((event["reason"] for event in story["events"] if event["state"] == "IN_DOUBT"), "silent")
    return reason_in_chinese(first)


def comparison(one: Compared) -> dict[str, Any]:
    """Return what a recovery from a backup asked one platform about an institution."""
    return {
        "fixmedins_code": one.fixmedins_code,
        "link": one.link,
        "at": when(one.at_ms),
        "days": [day.isoformat() for day in one.days],
        "groups": [{"clr_optins": optins, "clr_type": clr_type} for optins, clr_type in one.groups],
        "rows": one.theirs,
        "without_msgid": one.unnamed,
    }


def comparison_line(row: Mapping[str, Any]) -> str:
    """Tell it."""
    groups = "、".join(f"{one['clr_optins']}/{one['clr_type']}" for one in row["groups"])
    more = f"，其中没有报文ID的{row['without_msgid']}笔" if row["without_msgid"] else ""
    return (
        f"{row['at']}  {row['fixmedins_code']}  {row['link']}  {row['days'][0]}至{row['days'][1]}  "
        f"问过（清算经办机构/清算类别）{groups}；平台单方有{row['rows']}笔{more}"
    )
