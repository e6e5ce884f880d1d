"""Planted bugs about what is believed, told and taken back beyond a single settlement's life. Data only."""

from mutation import KNOWN, REVERSAL, SQLITE_BATCH, VERDICT, Mutation

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
)  # fmt: skip
