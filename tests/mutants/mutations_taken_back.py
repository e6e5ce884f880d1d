"""Planted bugs about what is taken back, and in the store of production. See `mutations`."""

from mutation import (
    CALL,
    DECIDING,
    MEMORY,
    ORDERED,
    REVERSAL,
    SQLITE,
    SQLITE_BATCH,
    SQLITE_CANCELLED,
    VERDICT,
    Mutation,
)

TAKEN_BACK = (
    # --- an institution's own 2601 ---
    Mutation(
        "an institution's 2601 decided before it has the lane", CALL,
        "        if self.look is None:\n", "        if self.machine is not None:\n",
        "a settlement is taken back that another was built on meanwhile",
        tests=("tests/exchange/test_reversal.py",),
    ),
    Mutation(
        "what waited for the lane sent whatever the last look says", CALL,
        "        self._with_lane(lambda why: self.do(self.machine.never_left()))",
        "        self._with_lane(lambda why: self.do(self.machine.begin()))",
        "a settlement is taken back that another was built on meanwhile",
        tests=("tests/exchange/test_reversal.py",),
    ),
    Mutation(
        "the last look forgets whether it was told", REVERSAL,
        "                why = self._hindrance(found.entry) if isinstance(found, Known) else None",
        "                why = \"\" if isinstance(found, Known) else None",
        "a success the counter was just told of is taken back",
        tests=("tests/exchange/test_reversal.py",),
    ),
    Mutation(
        "an order for what 2601 may not reverse", ORDERED,
        "        if link is not None and original.infno not in link.region.reversible:", "        if False:",
        "a cancellation is reversed where the province has no such thing",
        tests=("tests/exchange/test_ordered.py",),
    ),
    Mutation(
        "a decided reversal begun though the journal did not take it", DECIDING,
        "            if hindrance:\n                office.lanes.leave(record)\n            else:",
        "            if True:",
        "a reversal leaves that nobody finds again after a crash",
        tests=("tests/exchange/test_deciding.py",),
    ),
    Mutation(
        "success of a reversal believed under any status", VERDICT,
        "            return (\"done\", \"answered\") if status == 200 else (\"silent\", f\"http_{status}\")",
        "            return \"done\", \"answered\"",
        "a settlement counts as taken back that stands", tests=("tests/exchange/test_verdict.py",),
    ),
    # --- the store ---
    Mutation(
        "a cancellation taken back leaves its settlement cancelled", MEMORY,
        "                other.cancelled = False", "                other.cancelled = True",
        "the same bill is settled twice", tests=("tests/adapters/test_store_undone.py",),
    ),
    Mutation(
        "the same, in SQLite", SQLITE_CANCELLED,
        "        if setl_id := undone_setl_id(key):", "        if setl_id := \"\":",
        "the same bill is settled twice", tests=("tests/adapters/test_store_undone.py",),
    ),
    Mutation(
        "a success in MANUAL told as a success, in SQLite", SQLITE_BATCH,
        "        return \"\" if row is None else str(row[0])", "        return \"\"",
        "the counter hears of a success that may have been taken back", tests=("tests/adapters/test_store_undone.py",),
    ),
    Mutation(
        "delivered taken back, in SQLite", SQLITE_BATCH,
        "delivered = max(delivered, excluded.delivered)", "delivered = excluded.delivered",
        "what was told is reversed by itself", tests=("tests/adapters/test_store_contract.py",),
    ),
    Mutation(
        "a look-alike sale in MANUAL forgotten after ten minutes, in SQLite", SQLITE_BATCH,
        "(created_ms > ? OR state NOT IN ('ACKED', 'CONFIRMED'))", "created_ms > ?",
        "a sale a person must look into is settled again", tests=("tests/adapters/test_store_contract.py",),
    ),
    Mutation(
        "a commit that is not on the disk", SQLITE,
        "    connection.execute(\"PRAGMA synchronous = FULL\")", "    connection.execute(\"PRAGMA synchronous = OFF\")",
        "a power cut forgets what has left", tests=("tests/adapters/test_store_sqlite.py",),
    ),
    Mutation(
        "the second of two live reversals taken, in SQLite", SQLITE_BATCH,
        "        return self.connection.execute(_SAF_TAKEN, (saf.original_id, saf.id)).fetchone() is not None",
        "        return False",
        "two 2601 of one settlement are on their way", tests=("tests/adapters/test_store_reversals.py",),
    ),
    Mutation(
        "a move from another state, in SQLite", SQLITE_BATCH,
        "{live} WHERE state = ? AND id IN ({marks})\"", "{live} WHERE ? <> '' AND id IN ({marks})\"",
        "a terminal state changes", tests=("tests/adapters/test_store_contract.py",),
    ),
)  # fmt: skip
