"""Five parties with ledgers of their own that do what they are told, and nothing else: a town of books without sockets.

By their own reading of the reconciliation specification (§1, §5): an institution voids, books and corrects by what the
agency has; an agency takes back by 2601, restores and corrects when people ask it to; care-locality data prevail at the
province and behind it. Rows are the cells of ledger files; amounts are yuan as texts. What was received is kept.
"""

from collections.abc import Mapping

import attrs

from simulators.money import yuan
from simulators.wording import Json

Cells = dict[str, str]
PARTIES = ("INST", "GW", "AGY", "PROV", "INS")


@attrs.frozen
class Received:
    """One thing a party was told. number: of the order; effect: it changed the party's book."""

    party: str
    kind: str
    key: str
    number: str
    effect: bool


def is_amount(name: str) -> bool:
    return name.endswith(("_pay", "_amt", "_sumamt", "_payamt"))


def refund_of(row: Mapping[str, str], when: str) -> Cells:
    """The refund of a settlement, exactly negative."""
    cells = {name: f"-{cell}" if is_amount(name) and cell else cell for name, cell in row.items()}
    return {**cells, "direction": "1", "msgid": f"R{row['msgid']}", "setl_time": when, "status": ""}


@attrs.define
class BookParties:
    """The books of one day. stubborn: (party, key) -> how many more times it says yes and does nothing."""

    books: dict[str, list[Cells]] = attrs.Factory(lambda: {name: [] for name in PARTIES})
    received: list[Received] = attrs.Factory(list)
    stubborn: dict[tuple[str, str], int] = attrs.Factory(dict)
    _orders: set[tuple[str, str]] = attrs.Factory(set)
    _numbers: int = 0

    def of(self, party: str, key: str) -> list[Cells]:
        """The rows of a record: by setl_id, or by msgid where a row has no other number."""
        return [row for row in self.books[party] if key and key in (row["setl_id"], row["msgid"])]

    def has(self, party: str, key: str) -> bool:
        """Whether a record stands in a book, net of refunds."""
        rows = self.of(party, key)
        gone = ("REFUNDED", "REVERSED", "REJECTED")
        settled = sum(row["direction"] != "1" and row["status"] not in gone for row in rows)
        return settled > sum(row["direction"] == "1" and row["status"] not in gone for row in rows)

    def _settlement(self, party: str, key: str) -> Cells | None:
        return next((row for row in self.of(party, key) if row["direction"] != "1"), None)

    def _drop(self, party: str, rows: list[Cells]) -> bool:
        kept = [row for row in self.books[party] if not any(row is one for one in rows)]
        done = len(kept) < len(self.books[party])
        self.books[party] = kept
        return done

    def _copy(self, party: str, source: str, key: str) -> bool:
        """Take another's record into a book: amounts, person and times of it, or the record itself."""
        theirs, own = self._settlement(source, key), self._settlement(party, key)
        if theirs is None:
            return False
        if own is None:
            self.books[party].append({name: cell for name, cell in theirs.items() if name != "delivered"})
            return True
        before = dict(own)
        own.update({name: cell for name, cell in theirs.items() if is_amount(name) or name in ("psn_no", "insutype")})
        return own != before

    def _take(self, party: str, kind: str, key: str, number: str, changed: bool) -> bool:
        self.received.append(Received(party, kind, key, number, changed))
        return changed

    def _first(self, party: str, number: str) -> bool:
        """Whether a party sees an order for the first time; it keeps the numbers of all."""
        new = (party, number) not in self._orders
        self._orders.add((party, number))
        return new

    # --- the institution ---

    def institution(self, order: Json) -> None:
        """Do one of the `actions` an institution fetches (GET /api/v1/books/...)."""
        if not self._first("INST", order["action_id"]):
            return
        key, kind, name = order["setl_id"] or order["msgid"], order["kind"], order["class"]
        own = self.of("INST", key)
        if name in ("DOUBLE_POST", "DOUBLE_SETTLEMENT"):  # the other one is cancelled at the agency, by setl_id
            other = order["note"].split(";")[0]
            changed = self._drop("INST", self.of("INST", other))
            for row in [one for one in self.of("AGY", other) if one["direction"] != "1"]:
                changed = True
                for party in ("AGY", "GW"):  # through the gateway, whether it knows the settlement or not
                    self.books[party].append(refund_of(row, row["setl_time"]))
                self.books["INST"] += [dict(row), refund_of(row, row["setl_time"])]
        elif name in ("DUP_CONFLICT", "REFUND_MISMATCH", "DOUBLE_REFUND", "REVERSAL_UNMATCHED"):
            changed = self._drop("INST", own)  # it makes the record again, from what the agency has
            self.books["INST"] += [{**row, "delivered": ""} for row in self.of("AGY", key)]
        elif kind == "BOOK" or (kind in ("CORRECT", "FEEDBACK") and name in ("AMOUNT", "COMP_SPLIT", "ATTRIBUTE")):
            changed = self._copy("INST", "AGY", key)
        elif kind == "VOID" or (kind, name) == ("FEEDBACK", "L1-INST-ONLY"):
            changed = self._drop("INST", own)
        elif name == "STATUS":
            changed = self.has("INST", key)
            if changed:
                self.books["INST"].append(refund_of(own[0], own[0]["setl_time"]))
        else:
            changed = False
        self._take("INST", kind, key, order["action_id"], changed)

    # --- the agency ---

    def reversal(self, omsgid: str, number: str) -> bool:
        """2601: take the settlement of a message back; the gateway's journal notes what was acknowledged."""
        if not self._first("AGY", number):
            return True
        key = next((row["setl_id"] or omsgid for row in self.books["GW"] if row["msgid"] == omsgid), omsgid)
        rows = [row for row in self.books["AGY"] if row["msgid"] == omsgid and row["direction"] != "1"]
        changed = False if self._waves("AGY", key) else self._drop("AGY", rows)
        for row in self.books["GW"]:
            if row["msgid"] == omsgid and row["status"] == "":
                row["status"] = "REVERSED"
        self._take("AGY", "REVERSE", key, number, changed)
        return True

    def agency(self, kind: str, name: str, key: str, number: str) -> None:
        """What people tell the agency by telephone; there is no interface for it."""
        if not self._first("AGY", number):
            return
        if name == "L1-CENTER-MORE":
            changed = self._drop("AGY", self.of("AGY", key))
        elif name == "STATUS":
            row = self._settlement("AGY", key)
            changed = row is not None and self.has("AGY", key)
            if row is not None and changed:
                self.books["AGY"].append(refund_of(row, row["setl_time"]))
        else:
            changed = self._copy("AGY", "GW", key)
        self._take("AGY", kind, key, number, changed)

    def _waves(self, party: str, key: str) -> bool:
        left = self.stubborn.get((party, key), 0)
        self.stubborn[party, key] = left - 1
        return left > 0

    # --- the province and the insured person's agency ---

    def feedback(self, number: str, item: Json) -> bool:
        """Care-locality data prevail: post what is missing, correct what differs, take out what is one too many."""
        party, key, kind = item["party"], item["setl_id"], item["kind"]
        if not self._first(party, number):
            return True
        own = self._settlement(party, key)
        amounts = {name: str(yuan(fen)) for name, fen in item["values_fen"].items()}
        changed = False
        if kind in ("MISSING_AT_PROV", "MISSING_AT_INS"):
            changed = own is None
            if changed:
                self._numbers += 1
                blank = {"status": "", "prov_sn": f"POSTED{self._numbers}"}
                self.books[party].append({**blank, **item["facts"], "setl_id": key, **amounts})
        elif kind == "AMOUNT" and own is not None:
            changed = {**own, **amounts} != own
            own.update(amounts)
        elif kind == "STATUS" and own is not None:
            before = self.has(party, key)
            self._drop(party, [row for row in self.of(party, key) if row["direction"] == "1"])
            own["status"] = "" if item["status"] == "SETTLED" else item["status"]
            changed = self.has(party, key) != before
        elif kind == "DUPLICATE":
            changed = self._drop(party, [row for row in self.of(party, key) if row["prov_sn"] == item["prov_sn"]])
        self._take(party, kind, key, number, changed)
        return True

    def withdrawal(self, number: str, party: str, prov_sn: str, omsgid: str) -> bool:
        """A record is taken out of a book; False = there is none."""
        if not self._first(party, number):
            return True
        rows = [row for row in self.books[party] if (row["prov_sn"] == prov_sn if prov_sn else row["msgid"] == omsgid)]
        key = rows[0]["setl_id"] if rows else omsgid
        changed = False if self._waves(party, key) else self._drop(party, rows)
        self._take(party, "REVERSE", key, number, changed)
        return bool(rows)
