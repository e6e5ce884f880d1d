"""Cases and actions in the books' store: what people decide, what was sent, each step compared and set.

An action moves PLANNED -> SENT -> DONE, FAILED or IN_DOUBT. SENT is durable before anything leaves, with what the party
can be asked by (`receipt`), so whoever finds it after a crash looks it up before anything new.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence

import attrs

from adapters.store.books import ROWS_MAX
from adapters.store.books_diffs import DIFF, diff_of
from adapters.store.transaction import transaction
from gateway.core.booked import REPLACED, VANISHED, Correction, DiffRow

_DIFF = ", ".join(f"diff.{name.strip()}" for name in DIFF.split(", "))
_ACTION = "action_id, kind, attempt, party, action.state, content, receipt, approval, created_ms, action.changed_ms"
_CASE = "recon_case.id, recon_case.mode, recon_case.state, decision, reason, maker, approval, opened_ms, until_ms"


@attrs.frozen(kw_only=True)
class Action:
    action_id: str
    kind: str
    attempt: int
    party: str
    state: str
    content: Mapping[str, object]
    receipt: str
    approval: int
    created_ms: int
    changed_ms: int
    diff: DiffRow


@attrs.frozen(kw_only=True)
class Case:
    id: int
    mode: str
    state: str
    decision: str
    reason: str
    maker: str
    approval: int
    opened_ms: int
    until_ms: int
    diff: DiffRow


@attrs.frozen
class BooksCases:
    """The tables of one connection."""

    connection: sqlite3.Connection

    def actions(
        self, states: Sequence[str], biz_date: str = "", party: str = "", scope: str = "",
        among: Sequence[str] | None = None,
    ) -> list[Action]:  # fmt: skip
        """Return actions in some states whose difference is that of a run in force, oldest first.

        among: differences, None = whichever. Planned ones of a frozen day are left out: it may have been frozen while
        the run went on.
        """
        marks = ",".join("?" * len(states))
        these = "" if among is None else "AND action.diff_id IN (SELECT value FROM json_each(?)) "
        found = self.connection.execute(
            f"SELECT {_ACTION}, {_DIFF} FROM action JOIN diff ON diff.diff_id = action.diff_id "
            f"WHERE action.state IN ({marks}) AND (diff.biz_date = ? OR ? = '') AND (party = ? OR ? = '') "
            "AND (diff.scope = ? OR ? = '') AND diff.last_revision <= (SELECT coalesce(max(revision), 0) "
            "FROM recon_run WHERE recon_run.role = diff.role AND recon_run.biz_date = diff.biz_date) "
            "AND (action.state <> 'PLANNED' OR NOT EXISTS (SELECT 1 FROM recon_day WHERE recon_day.state = 'FROZEN' "
            "AND recon_day.role = diff.role AND recon_day.biz_date = diff.biz_date AND recon_day.scope = diff.scope)) "
            f"{these}ORDER BY action.created_ms, action_id",
            (*states, biz_date, biz_date, party, party, scope, scope, *([json.dumps(among)] if these else [])),
        )
        return [_action(row) for row in found.fetchall()]

    def move(self, action_id: str, was: str, to: str, receipt: str, now_ms: int) -> bool:
        """Move an action from one state to another; False when somebody else moved it."""
        with transaction(self.connection):
            done = self.connection.execute(
                "UPDATE action SET state = ?, receipt = ?, changed_ms = ? WHERE action_id = ? AND state = ?",
                (to, receipt, now_ms, action_id, was),
            )
            return done.rowcount == 1

    def received(self, actions: Sequence[Action], receipt: str, now_ms: int) -> None:
        """Note that whoever should do something has been told: DONE, whoever moved it meanwhile apart."""
        for at in range(0, len(actions), ROWS_MAX):
            with transaction(self.connection):
                self.connection.executemany(
                    "UPDATE action SET state = 'DONE', receipt = ?, changed_ms = ? WHERE action_id = ? AND state = ?",
                    [(receipt, now_ms, one.action_id, one.state) for one in actions[at : at + ROWS_MAX]],
                )

    def withdraw(self, biz_date: str, scope: str, now_ms: int) -> None:
        """Take back what an institution was to be told of differences that stand no more: it never heard of it."""
        with transaction(self.connection):
            self.connection.execute(
                "UPDATE action SET state = 'FAILED', receipt = ?, changed_ms = ? WHERE party = 'INST' "
                "AND state = 'PLANNED' AND diff_id IN (SELECT diff_id FROM diff WHERE role = 'care' "
                "AND biz_date = ? AND scope = ? AND state NOT IN ('OPEN', 'WAIT', 'CARRIED'))",
                (VANISHED, now_ms, biz_date, scope),
            )

    def cases(self, states: Sequence[str], biz_date: str = "") -> list[Case]:
        marks = ",".join("?" * len(states))
        found = self.connection.execute(
            f"SELECT {_CASE}, {_DIFF} FROM recon_case JOIN diff ON diff.diff_id = recon_case.diff_id "
            f"WHERE recon_case.state IN ({marks}) AND (diff.biz_date = ? OR ? = '') ORDER BY recon_case.id",
            (*states, biz_date, biz_date),
        )
        return [_case(row) for row in found.fetchall()]

    def case(self, number: int) -> Case | None:
        found = self.connection.execute(
            f"SELECT {_CASE}, {_DIFF} FROM recon_case JOIN diff ON diff.diff_id = recon_case.diff_id "
            "WHERE recon_case.id = ?",
            (number,),
        ).fetchone()
        return None if found is None else _case(found)

    def propose(self, case: Case, decision: str, reason: str, maker: str, approval: int, now_ms: int) -> bool:
        """Note what was proposed for a case; False when it is decided already."""
        with transaction(self.connection):
            done = self.connection.execute(
                "UPDATE recon_case SET state = 'PROPOSED', decision = ?, reason = ?, maker = ?, approval = ?, "
                "changed_ms = ? WHERE id = ? AND state IN ('OPEN', 'PROPOSED')",
                (decision, reason, maker, approval, now_ms, case.id),
            )
            return done.rowcount == 1

    def decide(
        self, case: Case, decision: str, reason: str, maker: str, approval: int, diff_state: str,
        action: tuple[str, str, str, Mapping[str, object]] | None, now_ms: int, checker: str = "",
    ) -> bool:  # fmt: skip
        """Decide a case, with the action that follows in the same transaction; False when it was decided before.

        diff_state: what becomes of its difference; OPEN = the next run says. action: (action_id, kind, party, content);
        checker: who approved, '' where one decides.
        """
        with transaction(self.connection):
            done = self.connection.execute(
                "UPDATE recon_case SET state = ?, decision = ?, reason = ?, maker = ?, approval = ?, changed_ms = ? "
                "WHERE id = ? AND state IN ('OPEN', 'PROPOSED')",
                ("DECIDED" if action else "CLOSED", decision, reason, maker, approval, now_ms, case.id),
            )
            if done.rowcount != 1:
                return False
            self.connection.execute(
                "INSERT INTO recon_decision (diff_id, decision, maker, checker, approval, at_ms) VALUES (?,?,?,?,?,?)",
                (case.diff.diff_id, decision, maker, checker, approval, now_ms),
            )
            self.connection.execute(
                "UPDATE diff SET state = ?, changed_ms = ? WHERE diff_id = ?", (diff_state, now_ms, case.diff.diff_id)
            )
            # What was planned before and never left is not what was decided.
            self.connection.execute(
                "UPDATE action SET state = 'FAILED', receipt = ?, changed_ms = ? WHERE diff_id = ? AND "
                "state = 'PLANNED'",
                (REPLACED, now_ms, case.diff.diff_id),
            )
            if action is not None:
                action_id, kind, party, content = action
                text = json.dumps(content, ensure_ascii=False, sort_keys=True)
                self.connection.execute(
                    "INSERT INTO action (action_id, diff_id, kind, attempt, party, state, content, approval, "
                    "created_ms, changed_ms) VALUES (?,?,?,?,?,'PLANNED',?,?,?,?)",
                    (action_id, case.diff.diff_id, kind, self.attempts(case.diff.diff_id, kind) + 1, party, text,
                     approval, now_ms, now_ms),
                )  # fmt: skip
            return True

    def corrections(self) -> list[Correction]:
        """Return what people decided of the gateway's own ledger, oldest first; what an institution takes back because
        the agency does not have it, the journal takes back, too (L1-AGY-MISSING, STATUS)."""
        found = self.connection.execute(
            "SELECT kind, fixmedins_code, setl_id, msgid, content FROM action JOIN diff "
            "ON diff.diff_id = action.diff_id WHERE party = 'GW' OR (kind = 'VOID' AND party = 'INST' "
            "AND class IN ('L1-AGY-MISSING', 'STATUS')) ORDER BY action.created_ms, action_id"
        )
        return [
            Correction(
                kind=kind, fixmedins_code=code, setl_id=setl_id, msgid=msgid,
                record=json.loads(content).get("record", {}),
            )
            for kind, code, setl_id, msgid, content in found
        ]  # fmt: skip

    def attempts(self, diff_id: str, kind: str) -> int:
        query = "SELECT coalesce(max(attempt), 0) FROM action WHERE diff_id = ? AND kind = ?"
        return int(self.connection.execute(query, (diff_id, kind)).fetchone()[0])

    def give_to_people(self, diff_id: str, until_ms: int, now_ms: int) -> None:
        """Open a case of two for a difference whose action failed or needs a person; an open one stays."""
        with transaction(self.connection):
            self.connection.execute(
                "INSERT INTO recon_case (diff_id, mode, state, opened_ms, until_ms, changed_ms) "
                "VALUES (?,'TWO','OPEN',?,?,?) ON CONFLICT (diff_id) DO UPDATE SET state = 'OPEN', decision = '', "
                "changed_ms = excluded.changed_ms WHERE recon_case.state IN ('CLOSED', 'DECIDED')",
                (diff_id, now_ms, until_ms, now_ms),
            )


def _action(row: Sequence[object]) -> Action:
    names = [one.name for one in attrs.fields(Action)][:-1]
    values = dict(zip(names, row[: len(names)], strict=True))
    values["content"] = json.loads(str(values["content"]))
    return Action(**values, diff=diff_of(row[len(names) :]))  # type: ignore[arg-type]  # the columns are the fields


def _case(row: Sequence[object]) -> Case:
    names = [one.name for one in attrs.fields(Case)][:-1]
    return Case(**dict(zip(names, row[: len(names)], strict=True)), diff=diff_of(row[len(names) :]))  # type: ignore[arg-type]
