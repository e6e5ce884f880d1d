"""Planted bugs about what is believed, told and taken back beyond a single settlement's life. Data only."""

from mutation import KNOWN, LATE, MODEL, REVERSAL, SQLITE_BATCH, VERDICT, Mutation

EXTRACT = "gateway/app/books_extract.py"
DECIDING_APP = "gateway/app/journal_deciding.py"
FACTS = "gateway/core/facts.py"

_ORDERS = ("tests/exchange/test_orders.py",)
_WAITING = ("tests/exchange/test_reversal_waiting.py",)
_UNDONE = ("tests/adapters/test_store_undone.py",)

BELIEVED = (
    Mutation(
        "an order that was only taken counts as paid", VERDICT,
        "str(state) in table.paid else \"order_not_paid\"", "str(state) not in table.unpaid else \"order_not_paid\"",
        "the hospital hands the drugs out, and the fund never pays", tests=_ORDERS,
    ),
    Mutation(
        "an answer about another order believed", VERDICT,
        "        return \"other_order\"\n", "        pass\n",
        "one person's payment is read as another's", tests=_ORDERS,
    ),
    Mutation(
        "what failed long ago is reversed at the platform", REVERSAL,
        "            if self.first.institution.forward_settled_reversal and self._of_today(original):\n",
        "            if self.first.institution.forward_settled_reversal:\n",
        "a frozen day changes (RV10)", tests=_WAITING,
    ),
    Mutation(
        "a failure told otherwise after its reversal", KNOWN,
        "not entry.delivered and entry.state not in FAILED:", "not entry.delivered:",
        "one msgid has two answers (X7)", tests=_WAITING,
    ),
    Mutation(
        "a success told while people find out whether the books took it back", SQLITE_BATCH,
        "ORDER BY state <> 'MANUAL', id LIMIT 1", "ORDER BY id LIMIT 1",
        "the patient leaves with a settlement that is gone", tests=_UNDONE,
    ),
    Mutation(
        "a day agrees while an institution's 2601 is open", EXTRACT,
        "undoing = self.undoing.get((entry.fixmedins_code, entry.msgid), \"\")", "undoing = \"\"",
        "a frozen day changes (RV10)", tests=("tests/books/test_books_journal.py",),
    ),
    Mutation(
        "people's reversal asks about the day of the order", DECIDING_APP,
        "\"date\": date_of(original)", "\"date\": date_of(record)",
        "a frozen day changes (RV10)", tests=("tests/app/test_journal_deciding.py",),
    ),
    Mutation(
        "what a restored backup heard is followed up again", MODEL,
        "all(reason != RESTORED for", "all(reason != \"\" for",
        "2601 for what was taken back long ago", tests=("tests/exchange/test_restoration.py",),
    ),
    Mutation(
        "a bill of Guangzhou without a key", FACTS,
        "    if infno == \"2260\":\n", "    if infno == \"226\":\n",
        "the same bill is settled twice", tests=("tests/core/test_facts.py",),
    ),
    Mutation(
        "a trial is whatever has no flag", FACTS,
        "_text(head, field) == said for", "_text(head, field) in (said, \"\") for",
        "a bill is settled and nobody knows", tests=("tests/exchange/test_trial.py",),
    ),
    Mutation(
        "a late success remembered for ever", LATE,
        "            self._standing.discard(record.id)\n", "",
        "memory that only grows", tests=("tests/exchange/test_growth.py",),
    ),
)  # fmt: skip
