"""One transaction of the journal, in as few statements as can be.

Every step of a statement lets go of the interpreter lock and has to win it back from the reactor's thread, on one core
two context switches each; so rows of a table are written by one multi-row statement, and rows that move from one state
to another by one UPDATE a pair of states (docs/performance.md). Where a batch holds what must see its own earlier rows
(two moves of one row, a cancellation, a repeat), it is taken apart and done in order.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from adapters.crypto.digest import sm3
from adapters.crypto.vault import Vault, VaultError
from adapters.store.sqlite_cancelled import take_back, withdraw_admission
from adapters.store.sqlite_kinds import Row, SeenKinds, write_kinds
from adapters.store.sqlite_reads import COLUMNS, SELECT, admission, entry_of, look_up, unfollowed
from gateway.core.jsontext import encode
from gateway.core.model import (
    FAILED,
    READS,
    Accept,
    Accepted,
    Admitted,
    Advance,
    Compared,
    Duplicate,
    Entry,
    Keep,
    Kinds,
    Known,
    LateAnswer,
    Later,
    Numbered,
    Op,
    OpResult,
    Recall,
    Remember,
    Reopen,
    Saf,
    Settled,
)
from gateway.core.translation import Evidence

SOFT_WINDOW_MS = 600_000  # reversal specification §8: a possible duplicate within 10 minutes
_STORED = (
    "id, fixmedins_code, msgid, infno, klass, link, state, digest, business_key, soft_key, lane, psn_no, mdtrt_id, "
    "omsgid, insuplc_admdvs, mdtrtarea_admvs, med_type, medfee_fen, created_ms, changed_ms"
)
_BY_MSGID = f"SELECT sealed, {COLUMNS} FROM journal_row WHERE fixmedins_code = ? AND msgid = ?"  # noqa: S608
_BY_BUSINESS = f"{SELECT} WHERE business_key = ? AND business_key <> '' AND live = 1"
# Of the requests for its reversal, not of their sendings, which have no business key; one that waits for people first.
_UNDOING = (
    "SELECT state FROM journal WHERE fixmedins_code = ? AND omsgid = ? AND omsgid <> '' AND klass = 'R' AND live = 1 "
    "AND business_key <> '' ORDER BY state <> 'MANUAL', id LIMIT 1"
)
# What may still be settled, or is a person's to find out, is no matter of ten minutes.
_BY_SOFT = (
    f"{SELECT} WHERE soft_key = ? AND soft_key <> '' AND live = 1 AND "
    "(created_ms > ? OR state NOT IN ('ACKED', 'CONFIRMED')) ORDER BY id DESC LIMIT 1"
)
# What is said later adds to what was said before; delivered is never taken back.
_UPSERT = (
    " ON CONFLICT (journal_id) DO UPDATE SET "
    "setl_id = CASE WHEN excluded.setl_id = '' THEN setl_id ELSE excluded.setl_id END, "
    "mdtrt_id = CASE WHEN excluded.mdtrt_id = '' THEN mdtrt_id ELSE excluded.mdtrt_id END, "
    "settled = CASE WHEN excluded.settled = '' THEN settled ELSE excluded.settled END, "
    "delivered = max(delivered, excluded.delivered), sealed = coalesce(excluded.sealed, sealed)"
)
HEAD = "UPDATE chain_head SET number = ?, chain = ? WHERE owner = ?"
_SAF_COLUMNS = "id, original_id, state, opened_ms, sent_ms, attempt, refusals, next_ms"
_SAF = (  # names are this module's own, values are parameters
    f"INSERT INTO saf ({_SAF_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "  # noqa: S608
    "state = excluded.state, attempt = excluded.attempt, refusals = excluded.refusals, next_ms = excluded.next_ms, "
    "opened_ms = excluded.opened_ms"  # another one only when people begin it again
)
_SAF_TAKEN = "SELECT 1 FROM saf WHERE original_id = ? AND id <> ? AND state IN ('QUEUED', 'INFLIGHT')"
LIVE_SAF = f"SELECT {_SAF_COLUMNS} FROM saf WHERE state IN ('QUEUED', 'INFLIGHT') ORDER BY id"  # noqa: S608
_REMEMBER = "INSERT INTO envelope_head VALUES (?, ?) ON CONFLICT (fixmedins_code) DO UPDATE SET head = excluded.head"
_COMPARED = "INSERT OR REPLACE INTO restored_asked VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_TABLES = {"journal": 20, "journal_event": 7, "evidence_packed": 2, "outcome": 6}
_BY_THEMSELVES = READS | {LateAnswer}
_CARRIES_SAF = frozenset({Accept, Advance})
_IGNORING = frozenset({"journal", "evidence_packed"})
_ROWS_MAX = 64  # of one statement; powers of two keep the statements few enough to stay prepared


def saf_of(row: tuple[object, ...]) -> Saf:
    """Return the Saf of a row selected by LIVE_SAF."""
    return Saf(**dict(zip(_SAF_COLUMNS.split(", "), row, strict=True)))  # type: ignore[arg-type]  # the table's types


def bound_to(fixmedins_code: str, msgid: str) -> bytes:
    """Return what a sealed answer is tied to, so that it cannot be moved to another row."""
    return f"{fixmedins_code}|{msgid}".encode()


def event_chain(before: bytes, journal_id: int, at_ms: int, state: str, reason: str, facts: bytes) -> bytes:
    """Return the chain value of an event row."""
    return sm3(before + f"|{journal_id}|{at_ms}|{state}|{reason}|".encode() + facts)


def request_facts(e: Entry, evidence: str) -> bytes:
    """Return the digest of what a request's first event made known. evidence: packed, '' for none."""
    row = (e.id, e.fixmedins_code, e.msgid, e.infno, e.klass, e.link, e.business_key, e.soft_key, e.lane, e.psn_no)
    more = (e.mdtrt_id, e.omsgid, e.insuplc_admdvs, e.medfee_fen, e.created_ms, e.digest.hex(), evidence)
    # Rows of earlier versions have neither area nor kind of treatment.
    later = (e.mdtrtarea_admvs, e.med_type) if e.med_type else (e.mdtrtarea_admvs,) if e.mdtrtarea_admvs else ()
    return sm3(repr((*row, *more, *later)).encode())


def outcome_facts(setl_id: str, mdtrt_id: str, settled: str) -> bytes:
    """Return the digest of what an outcome made known, b'' when it named nothing."""
    return sm3(f"{setl_id}|{mdtrt_id}|{settled}".encode()) if setl_id or mdtrt_id or settled else b""


def inserts(table: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, list[Any]]]:
    """Yield (statement, values) that write all rows, the largest powers of two first."""
    names = f"({_STORED})" if table == "journal" else ""
    row = f"({','.join('?' * _TABLES[table])})"
    start = 0
    size = _ROWS_MAX
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        values: list[Any] = []
        for one in rows[start : start + size]:
            values += one
        # Table, column and verb names are constants of this module; every value is a parameter.
        verb = "INSERT OR IGNORE" if table in _IGNORING else "INSERT"
        more = _UPSERT if table == "outcome" else ""
        yield f"{verb} INTO {table} {names} VALUES {','.join([row] * size)}{more}", values
        start += size


class NotTogether(Exception):
    """Some rows of one UPDATE did not move, and it does not say which. Rare: somebody's picture of a row was wrong."""


@attrs.define(eq=False)
class Batch:
    """The work of one transaction. number, chain: the newest event before, and afterwards. seen: before."""

    connection: sqlite3.Connection
    vault: Vault
    number: int
    chain: bytes
    seen: SeenKinds
    kinds: list[Row] = attrs.Factory(list)  # those that were written down
    _events: list[tuple[Any, ...]] = attrs.Factory(list)
    _evidence: list[tuple[Any, ...]] = attrs.Factory(list)
    _outcomes: list[tuple[Any, ...]] = attrs.Factory(list)

    def run(self, ops: Sequence[Op], together: bool = True) -> list[OpResult]:
        """Do every operation; results in their order.

        together: as few statements as can be. Raises NotTogether when that cannot tell whose move failed (roll back
        and do it one by one), and sqlite3.Error.
        """
        moved = [op.entry.id for op in ops if type(op) is Advance]
        together = together and len(set(moved)) == len(moved)
        together = together and not any(type(op) is Accept and op.entry.soft_key for op in ops)
        safs = [op.saf.original_id for op in ops if type(op) in _CARRIES_SAF and op.saf is not None]  # type: ignore[union-attr]
        together = together and len(set(safs)) == len(safs)
        results: dict[int, OpResult] = {}
        for group in [list(enumerate(ops))] if together else [[pair] for pair in enumerate(ops)]:
            self._group(group, results)
        return [results[index] for index in range(len(ops))]

    def _group(self, pairs: list[tuple[int, Op]], results: dict[int, OpResult]) -> None:
        self._accept([(index, op) for index, op in pairs if type(op) is Accept], results)
        self._keep([(index, op) for index, op in pairs if type(op) is Keep], results)
        self._advance([(index, op) for index, op in pairs if type(op) is Advance], results)
        self._flush()
        for index, op in pairs:
            if type(op) is Advance and (op.cancels or op.undoes) and results[index]:
                take_back(self.connection, op)
            elif type(op) is Keep and op.cancels:
                withdraw_admission(self.connection, op)
            elif type(op) is Remember:
                self.connection.execute(_REMEMBER, (op.fixmedins_code, op.head))
                results[index] = True
            elif type(op) is Compared:
                self.connection.execute(_COMPARED, _report(op))
                results[index] = True
            elif type(op) is Reopen:
                self.connection.execute("DELETE FROM restored")
                results[index] = True
            elif type(op) in _BY_THEMSELVES:
                results[index] = self._read(op)

    def _read(self, op: Op) -> OpResult:
        if type(op) is LateAnswer:
            return self._late(op)
        if type(op) is Recall:
            return self.recall(op.fixmedins_code, op.msgid)
        assert isinstance(op, Later | Settled | Numbered | Admitted | Kinds)
        return look_up(self.connection, op)

    # --- new rows ---

    def _accept(self, pairs: list[tuple[int, Accept]], results: dict[int, OpResult]) -> None:
        fresh = []
        for index, op in pairs:
            found = self._soft(op.entry) if op.entry.soft_key else None
            if found is not None:
                results[index] = found
            else:
                fresh.append((index, op))
        new = self._insert([(op.entry, op.state) for _, op in fresh])
        for index, op in fresh:
            entry = op.entry
            if entry.id not in new:
                results[index] = self.recall(entry.fixmedins_code, entry.msgid) or self._duplicate(entry)
                continue
            facts = request_facts(entry, self._prove(entry, op.evidence))
            first = "JOURNALED" if op.state == "SENT" else op.state
            self._event(entry, entry.created_ms, first, op.reason, facts)
            if op.state == "SENT":
                self._event(entry, entry.created_ms, "SENT", "sent")
            if op.saf is not None:
                self._queue(op.saf)
            results[index] = Accepted()

    def _soft(self, entry: Entry) -> Known | Duplicate | None:
        values = (entry.soft_key, entry.created_ms - SOFT_WINDOW_MS)
        soft = self.connection.execute(_BY_SOFT, values).fetchone()
        if soft is None or soft[2] == entry.msgid:
            return None
        # A late repeat of a known msgid is that msgid first (X7), whatever was sold since.
        other = entry_of(soft)
        near = other.created_ms > entry.created_ms - SOFT_WINDOW_MS
        return self.recall(entry.fixmedins_code, entry.msgid) or Duplicate(other, soft=near)

    def _duplicate(self, entry: Entry) -> Duplicate:
        return Duplicate(entry_of(self.connection.execute(_BY_BUSINESS, (entry.business_key,)).fetchone()))

    def _insert(self, entries: list[tuple[Entry, str]]) -> set[int]:
        """Insert rows; return the ids of those that were new."""
        rows = [
            (
                e.id, e.fixmedins_code, e.msgid, e.infno, e.klass, e.link, state, e.digest, e.business_key, e.soft_key,
                e.lane, e.psn_no, e.mdtrt_id, e.omsgid, e.insuplc_admdvs, e.mdtrtarea_admvs, e.med_type,
                e.medfee_fen, e.created_ms, e.created_ms,
            )
            for e, state in entries
        ]  # fmt: skip
        written = sum(self.connection.execute(*one).rowcount for one in inserts("journal", rows))
        ids = [row[0] for row in rows]
        if written == len(rows):
            return set(ids)
        marks = ",".join("?" * len(ids))
        return {row[0] for row in self.connection.execute(f"SELECT id FROM journal WHERE id IN ({marks})", ids)}  # noqa: S608

    def _keep(self, pairs: list[tuple[int, Keep]], results: dict[int, OpResult]) -> None:
        new = self._insert([(op.entry, op.entry.state) for _, op in pairs]) if pairs else set()
        for index, op in pairs:
            entry = op.entry
            results[index] = True
            if entry.id in new:
                facts = request_facts(entry, self._prove(entry, op.evidence))
                self._event(entry, entry.created_ms, entry.state, "done", facts)
                self._outcomes.append((entry.id, "", "", "", 1, self._sealed(entry, op.answer)))

    # --- rows that move ---

    def _advance(self, pairs: list[tuple[int, Advance]], results: dict[int, OpResult]) -> None:
        groups: dict[tuple[str, str], list[tuple[int, Advance]]] = {}
        for index, op in pairs:
            if op.saf is not None and self._taken(op.saf):
                results[index] = False
            else:
                groups.setdefault((op.was, op.to), []).append((index, op))
        settled: list[Advance] = []
        for (was, to), group in groups.items():
            done = self._move(was, to, group)
            for index, op in group:
                results[index] = op.entry.id in done
                if op.entry.id not in done:
                    continue
                facts = outcome_facts(op.setl_id, op.mdtrt_id, op.settled)
                self._event(op.entry, op.at_ms, op.to, op.reason, facts)
                if op.saf is not None:
                    self._queue(op.saf)
                if op.settled:
                    settled.append(op)
                if op.answer is not None or op.delivered or op.setl_id or op.mdtrt_id or op.settled:
                    sealed = None if op.answer is None else self._sealed(op.entry, op.answer)
                    row = (op.entry.id, op.setl_id, op.mdtrt_id, op.settled, int(op.delivered), sealed)
                    self._outcomes.append(row)
        if fresh := self.seen.fresh(settled, self._treatment):
            write_kinds(self.connection, fresh)
            self.kinds += fresh

    def _late(self, op: LateAnswer) -> bool:
        (state,) = self.connection.execute("SELECT state FROM journal WHERE id = ?", (op.entry.id,)).fetchone()
        self._event(op.entry, op.at_ms, state, op.reason)
        self._flush()
        return op.success and unfollowed(self.connection, op.entry)

    def _treatment(self, entry: Entry) -> str:
        """Return the kind of treatment of a discharge, which only its admission names."""
        found = admission(self.connection, entry.fixmedins_code, entry.psn_no, entry.mdtrt_id)
        return "" if found is None else found.med_type

    def _move(self, was: str, to: str, group: list[tuple[int, Advance]]) -> set[int]:
        """Compare and set; return the ids that moved. The success path leaves `live`, and so its index, alone."""
        ids = [op.entry.id for _, op in group]
        at_ms = group[0][1].at_ms
        live = ", live = 0" if to in FAILED else ""
        padded = ids + [-1] * (_padded(len(ids)) - len(ids))  # few lengths keep the statements prepared
        marks = ",".join("?" * len(padded))
        statement = f"UPDATE journal SET state = ?, changed_ms = ?{live} WHERE state = ? AND id IN ({marks})"  # noqa: S608
        if self.connection.execute(statement, (to, at_ms, was, *padded)).rowcount == len(ids):
            return set(ids)
        if len(ids) > 1:
            raise NotTogether
        return set()

    # --- the queue of reversals ---

    def _taken(self, saf: Saf) -> bool:
        """Say whether another live row reverses the same original (RV5)."""
        return self.connection.execute(_SAF_TAKEN, (saf.original_id, saf.id)).fetchone() is not None

    def _queue(self, saf: Saf) -> None:
        row = (saf.id, saf.original_id, saf.state, saf.opened_ms, saf.sent_ms, saf.attempt, saf.refusals, saf.next_ms)
        self.connection.execute(_SAF, row)

    # --- reading ---

    def recall(self, fixmedins_code: str, msgid: str) -> Known | None:
        """Return what is known of a msgid, rows of this very batch included."""
        self._flush()
        row = self.connection.execute(_BY_MSGID, (fixmedins_code, msgid)).fetchone()
        if row is None:
            return None
        sealed, entry = row[0], entry_of(row[1:])
        undoing = "" if entry.delivered or entry.state not in ("ACKED", "CONFIRMED") else self._undoing(entry)
        if sealed is None:
            return Known(entry, None, undoing)
        try:
            return Known(entry, self.vault.open(sealed, bound_to(fixmedins_code, msgid)), undoing)
        except VaultError:
            # One answer that cannot be opened must not stop the node; the clerk raises the alarm.
            return Known(entry, None, undoing)

    def _undoing(self, original: Entry) -> str:
        row = self.connection.execute(_UNDOING, (original.fixmedins_code, original.msgid)).fetchone()
        return "" if row is None else str(row[0])

    # --- the append-only tables ---

    def _event(self, entry: Entry, at_ms: int, state: str, reason: str, facts: bytes = b"") -> None:
        self.number += 1
        self.chain = event_chain(self.chain, entry.id, at_ms, state, reason, facts)
        self._events.append((entry.id, self.number, at_ms, state, reason, facts, self.chain))

    def _prove(self, entry: Entry, evidence: tuple[Evidence, ...]) -> str:
        """Keep the evidence; return it packed."""
        packed = encode(evidence).decode() if evidence else ""
        if packed:
            self._evidence.append((entry.id, packed))
        return packed

    def _sealed(self, entry: Entry, answer: bytes) -> bytes:
        return self.vault.seal(answer, bound_to(entry.fixmedins_code, entry.msgid))

    def _flush(self) -> None:
        for table, rows in (
            ("journal_event", self._events), ("evidence_packed", self._evidence), ("outcome", self._outcomes),
        ):  # fmt: skip
            if rows:
                for one in inserts(table, rows):
                    self.connection.execute(*one)
                rows.clear()


def _report(op: Compared) -> tuple[Any, ...]:
    days = [day.isoformat() for day in op.days]
    return op.fixmedins_code, op.link, op.at_ms, *days, encode(op.groups).decode(), op.theirs, op.unnamed


def _padded(count: int) -> int:
    """Return the next power of two."""
    size = 1
    while size < count:
        size *= 2
    return size
