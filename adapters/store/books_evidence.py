"""What the books asked about single differences and heard (schemas/migrations/books/0004.sql), and which of them have
raised their alarm. A question is a row before it leaves; its answer is written once."""

import json
import sqlite3
from collections.abc import Mapping, Sequence

import attrs

from adapters.store.books_diffs import DIFF, diff_of
from adapters.store.transaction import transaction
from gateway.core.booked import DiffRow, InquiryRow

_IN_FORCE = (
    "diff.last_revision = (SELECT max(revision) FROM recon_run WHERE recon_run.role = diff.role "
    "AND recon_run.biz_date = diff.biz_date)"
)
_DIFF = ", ".join(f"diff.{name.strip()}" for name in DIFF.split(", "))
_NEWEST = (
    "SELECT diff_id, revision, asked_ms, answered_ms, finding, facts, answer_sm3 FROM inquiry AS one "
    "WHERE diff_id IN (SELECT value FROM json_each(?)) "
    "AND revision = (SELECT max(revision) FROM inquiry WHERE inquiry.diff_id = one.diff_id)"
)


@attrs.frozen
class BooksEvidence:
    """The tables of one connection."""

    connection: sqlite3.Connection

    # --- questions ---

    def unasked(
        self, role: str, biz_date: str, classes: Sequence[str], rows: Sequence[str], most: int
    ) -> list[DiffRow]:
        """Return open differences of leg 1 of the run in force that were not asked about in its revision, those that
        never were first. classes, rows: of those without a row code, and of the others."""
        found = self.connection.execute(
            f"SELECT {_DIFF} FROM diff LEFT JOIN inquiry ON inquiry.diff_id = diff.diff_id "
            "WHERE diff.role = ? AND diff.biz_date = ? AND diff.leg = 'L1' AND diff.state = 'OPEN' "
            'AND (diff."row" IN (SELECT value FROM json_each(?)) OR (diff."row" = \'\' AND diff.class IN '
            f"(SELECT value FROM json_each(?)))) AND {_IN_FORCE} AND NOT EXISTS (SELECT 1 FROM recon_day "
            "WHERE recon_day.state IN ('FROZEN', 'COLLECTING') AND recon_day.role = diff.role "
            "AND recon_day.biz_date = diff.biz_date AND recon_day.scope = diff.scope) "
            "GROUP BY diff.diff_id HAVING coalesce(max(inquiry.revision), 0) < diff.last_revision "
            "ORDER BY coalesce(max(inquiry.revision), 0), diff.diff_id LIMIT ?",
            (role, biz_date, json.dumps(rows), json.dumps(classes), most),
        )
        return [diff_of(row) for row in found.fetchall()]

    def ask(self, diff: DiffRow, now_ms: int) -> bool:
        """Note a question before it leaves; False when it was asked in this revision."""
        with transaction(self.connection):
            done = self.connection.execute(
                "INSERT INTO inquiry (diff_id, revision, asked_ms) VALUES (?,?,?) ON CONFLICT DO NOTHING",
                (diff.diff_id, diff.last_revision, now_ms),
            )
            return done.rowcount == 1

    def answer(
        self, diff: DiffRow, finding: str, facts: Mapping[str, str | int], answer_sm3: str, now_ms: int
    ) -> None:  # fmt: skip
        """Keep what came of it. no_answer is what a question says that was only noted."""
        text = json.dumps(dict(facts), ensure_ascii=False, sort_keys=True)
        with transaction(self.connection):
            self.connection.execute(
                "UPDATE inquiry SET finding = ?, facts = ?, answer_sm3 = ?, answered_ms = ? "
                "WHERE diff_id = ? AND revision = ? AND finding = ''",
                (finding, text, answer_sm3, now_ms, diff.diff_id, diff.last_revision),
            )

    def newest(self, diff_ids: Sequence[str]) -> dict[str, InquiryRow]:
        """Return what was asked and heard last, by difference."""
        found = self.connection.execute(_NEWEST, (json.dumps(list(diff_ids)),))
        return {row[0]: inquiry_of(row) for row in found}

    # --- incidents ---

    def incidents(self, role: str, biz_date: str, most: int) -> list[DiffRow]:
        """Return differences of the run in force that say somebody went past the gateway (L1-GW-MISSING) or reversed
        what it holds (S4), and have raised no alarm yet."""
        found = self.connection.execute(
            f"SELECT {_DIFF} FROM diff WHERE role = ? AND biz_date = ? AND state = 'OPEN' "
            f"AND (class = 'L1-GW-MISSING' OR \"row\" = 'S4') AND {_IN_FORCE} "
            "AND diff_id NOT IN (SELECT diff_id FROM alarmed) ORDER BY diff_id LIMIT ?",
            (role, biz_date, most),
        )
        return [diff_of(row) for row in found.fetchall()]

    def alarmed(self, diffs: Sequence[DiffRow], now_ms: int) -> None:
        with transaction(self.connection):
            self.connection.executemany(
                "INSERT INTO alarmed VALUES (?,?) ON CONFLICT DO NOTHING", [(one.diff_id, now_ms) for one in diffs]
            )


def inquiry_of(row: Sequence[object]) -> InquiryRow:
    """Return the InquiryRow of a row: diff_id, revision, asked_ms, answered_ms, finding, facts, answer_sm3."""
    values = dict(zip([one.name for one in attrs.fields(InquiryRow)], row, strict=True))
    values["finding"], values["facts"] = values["finding"] or "no_answer", json.loads(str(values["facts"]))
    return InquiryRow(**values)  # type: ignore[arg-type]  # the columns are the fields, in the table's types
