"""Recompute a journal's chain and everything it covers: what `liangding journal verify` says (annex X29; T23)."""

import sqlite3
from collections.abc import Iterator

from adapters.store.sqlite_batch import event_chain, outcome_facts, request_facts
from gateway.core.model import Entry

_EVENTS = "SELECT number, journal_id, at_ms, state, reason, facts, chain FROM journal_event ORDER BY number"

_NAMES = (
    "id", "fixmedins_code", "msgid", "infno", "klass", "link", "state", "digest", "business_key", "soft_key", "lane",
    "psn_no", "mdtrt_id", "omsgid", "insuplc_admdvs", "mdtrtarea_admvs", "med_type", "medfee_fen", "created_ms",
)  # fmt: skip
_ROWS = f"SELECT {', '.join(_NAMES)} FROM journal ORDER BY id"  # noqa: S608


def findings(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield one Chinese sentence a fault; nothing when the journal is as it was written."""
    first: dict[int, bytes] = {}
    outcome: dict[int, bytes] = {}
    last: dict[int, str] = {}
    number, chain = 0, b"\0" * 32
    for at, journal_id, at_ms, state, reason, facts, stored in connection.execute(_EVENTS):
        chain = event_chain(chain, journal_id, at_ms, state, reason, facts)
        if at != number + 1 or chain != stored:
            yield f"日志链在第{at}条事件处断开：该条或其前一条被改动或删除"
            return
        number = at
        if journal_id not in first:
            first[journal_id] = facts
        elif facts:
            outcome[journal_id] = facts
        last[journal_id] = state
    head = connection.execute("SELECT number, chain FROM chain_head").fetchone()
    if head is None:
        yield "日志链的链头记录不见了"
    elif head != (number, chain):
        yield f"日志链末尾与记录的链头不符：链头为第{head[0]}条，现有{number}条"
    yield from _rows(connection, first, outcome, last)


def _rows(
    connection: sqlite3.Connection, first: dict[int, bytes], outcome: dict[int, bytes], last: dict[int, str]
) -> Iterator[str]:
    """Compare every row with what its events say of it."""
    packed = dict(connection.execute("SELECT journal_id, rows FROM evidence_packed"))
    known = {
        row[0]: row[1:] for row in connection.execute("SELECT journal_id, setl_id, mdtrt_id, settled FROM outcome")
    }
    seen = set()
    for row in connection.execute(_ROWS):
        entry = Entry(**dict(zip(_NAMES, row, strict=True)))
        seen.add(entry.id)
        if entry.id not in first:
            yield f"报文{entry.msgid}没有任何事件"
            continue
        if request_facts(entry, packed.get(entry.id, "")) != first[entry.id]:
            yield f"报文{entry.msgid}的登记内容或翻译凭据被改动"
        if outcome_facts(*known.get(entry.id, ("", "", ""))) != outcome.get(entry.id, b""):
            yield f"报文{entry.msgid}的结算内容被改动"
        if entry.state != last[entry.id]:
            yield f"报文{entry.msgid}的状态与其事件不一致"
    for journal_id in first.keys() - seen:
        yield f"第{journal_id}号记录被删除，其事件仍在"
