"""Ledgers side by side: every party has booked the same money, once, to the fen.

A key is (institution, msgid). A ledger keeps a list of bookings a key, so that money booked twice shows as two bookings
instead of one that overwrote the other. Pure; where the rows come from is the caller's business.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import attrs

from simulators.his import Institution
from simulators.money import fen, yuan
from simulators.wording import Json


@attrs.frozen
class Component:
    """One amount all parties hold. column: its name in the platform simulator's ledger; title: in Chinese.

    shown: a column of the demo's table has it; compared are all.
    """

    name: str
    column: str
    title: str
    shown: bool = False


COMPONENTS = (
    Component("medfee_sumamt", "medfee_fen", "医疗费总额", shown=True),
    Component("fund_pay_sumamt", "fund_fen", "基金支付", shown=True),
    Component("acct_pay", "acct_fen", "个人账户", shown=True),
    Component("psn_cash_pay", "cash_fen", "个人现金", shown=True),
    Component("psn_part_amt", "person_fen", "个人负担"),
    Component("hosp_part_amt", "hosp_fen", "医院负担"),
    Component("hifp_pay", "hifp_fen", "统筹基金"),
    Component("cvlserv_pay", "cvlserv_fen", "公务员补助"),
    Component("hifes_pay", "hifes_fen", "补充保险"),
    Component("maf_pay", "maf_fen", "医疗救助"),
)
Key = tuple[str, str]
"""(institution, msgid)"""
Amounts = tuple[int, ...]
"""Fen, in the order of COMPONENTS; a refund's are negative."""
Ledger = dict[Key, list[Amounts]]


@attrs.frozen
class Difference:
    """What the parties do not have alike; `what` is Chinese."""

    key: Key
    what: str

    def __str__(self) -> str:
        return f"{self.key[0]} {self.key[1]}：{self.what}"


def of_platform(rows: Iterable[Json]) -> Ledger:
    """Rows of GET /sim/ledger. What was reversed is as if it had never been (reversal.md §1)."""
    return _ledger(
        ((row["fixmedins_code"], row["msgid"]), tuple(row[one.column] for one in COMPONENTS))
        for row in rows
        if not row["reversed"]
    )


def of_gateway(rows: Iterable[Json]) -> Ledger:
    """Rows of `journal list --full --json`; those that settled nothing are left out."""
    return _ledger(
        ((row["fixmedins_code"], row["msgid"]), amounts_of(row["settled"]))
        for row in rows
        if "medfee_sumamt" in row["settled"]
    )


def of_institutions(institutions: Iterable[Institution]) -> Ledger:
    """What institutions in this process believe."""
    return _ledger(((one.code, row.msgid), amounts_of(row.amounts)) for one in institutions for row in one.ledger)


def of_csv(rows: Iterable[Mapping[str, str]]) -> Ledger:
    """Rows of a ledger file (contract §7), amounts in yuan; raises money.NotMoney."""
    return _ledger(
        ((row["fixmedins_code"], row["msgid"]), tuple(fen(row[one.name]) for one in COMPONENTS)) for row in rows
    )


def amounts_of(found: Mapping[str, Any]) -> Amounts:
    """Amounts by their national names; one that is not there is 0."""
    return tuple(found.get(one.name, 0) for one in COMPONENTS)


def _ledger(bookings: Iterable[tuple[Key, Amounts]]) -> Ledger:
    found: Ledger = {}
    for key, amounts in bookings:
        found.setdefault(key, []).append(amounts)
    return found


def differences(books: Mapping[str, Ledger], still_open: Collection[Key] = ()) -> Iterator[Difference]:
    """Yield every key that not all parties have booked once and alike. books: party (Chinese) -> its ledger.

    still_open: keys of which an institution has not been told the end; a party may have booked them, but only once.
    """
    for key in sorted({key for ledger in books.values() for key in ledger}):
        found = {party: ledger.get(key, []) for party, ledger in books.items()}
        if key in still_open:
            found = {party: bookings for party, bookings in found.items() if bookings}
        if any(len(bookings) != 1 for bookings in found.values()):
            yield Difference(key, "，".join(f"{party}记账{len(bookings)}次" for party, bookings in found.items()))
        elif len({bookings[0] for bookings in found.values()}) != 1:
            yield Difference(key, _unequal({party: bookings[0] for party, bookings in found.items()}))


def _unequal(found: Mapping[str, Amounts]) -> str:
    """The components that differ, with every party's amount in yuan."""
    lines = []
    for number, one in enumerate(COMPONENTS):
        amounts = {party: amounts[number] for party, amounts in found.items()}
        if len(set(amounts.values())) > 1:
            lines.append(f"{one.title} " + " ".join(f"{party}{yuan(amount)}" for party, amount in amounts.items()))
    return "；".join(lines)
