"""A province's statements: one ledger of one day of one role, by pages, with totals (docs/province.md §3)."""

from collections.abc import Mapping

import attrs

from simulators import stamps
from simulators.money import fen, yuan
from simulators.people import AREA
from simulators.platform import Clock
from simulators.postings import Book, Posting, totals
from simulators.province_faults import OF_STATEMENTS, Fault, Faults
from simulators.province_words import No
from simulators.wording import Json

_LEDGERS = {"care": ("PROV", "INS"), "insured": ("AGY", "PROV", "INS")}


@attrs.frozen
class Statements:
    """Makes pages out of the books as they stand at that moment, which is why they shift."""

    clock: Clock
    books: Mapping[str, Book]
    faults: Faults
    page_max: int

    def page(self, facts: Json) -> Json:
        """Answer `statement`; raises No, KeyError, ValueError."""
        role, date, ledger = facts["role"], facts["date"], facts["ledger"]
        number, size = int(facts["page_num"]), min(self.page_max, int(facts["page_size"]))
        if ledger not in _LEDGERS.get(role, ()) or number < 1 or size < 1:
            raise No("BAD_REQUEST", "角色、账或页不符合规定")
        wrong = {fault.kind: fault for fault in self.faults.take(OF_STATEMENTS, "statement", ledger, role)}
        self._check_made(date, wrong.get("late"))
        rows = self._rows(ledger, role, date)
        shown = [one.row() for one in self._spoilt(rows, wrong)]
        total, sums = len(rows), totals(rows)
        if "wrong_totals" in wrong:
            sums["fund_pay_sumamt"] = str(yuan(fen(sums["fund_pay_sumamt"]) + wrong["wrong_totals"].by_fen))
        if "incomplete" in wrong:
            left = rows[: max(0, total - wrong["incomplete"].rows)]
            total, sums = len(left), totals(left)
        return {
            "statement_no": f"T{AREA}{date.replace('-', '')}{role[0].upper()}{ledger}",
            "role": role,
            "date": date,
            "ledger": ledger,
            "area": AREA,
            "complete": "incomplete" not in wrong,
            "made_at": stamps.stamp(self.clock.seconds()),
            "rows_total": total,
            "totals": sums,
            "page_num": number,
            "page_size": size,
            "rows": self._cut(shown, number, size, wrong),
        }

    def _check_made(self, date: str, late: Fault | None) -> None:
        now = stamps.stamp(self.clock.seconds())
        if date > now[:10] or (late is not None and now < (late.until or "9999")):
            raise No("NOT_READY", "对账单尚未生成")

    def _rows(self, ledger: str, role: str, date: str) -> list[Posting]:
        rows = self.books[ledger].of_day(date)
        return [one for one in rows if (one.care if role == "care" else one.insured) == AREA]

    @staticmethod
    def _spoilt(rows: list[Posting], wrong: Mapping[str, Fault]) -> list[Posting]:
        if "incomplete" in wrong:
            return rows[: max(0, len(rows) - wrong["incomplete"].rows)]
        return [*rows, rows[0]] if "repeated_row" in wrong and rows else rows

    @staticmethod
    def _cut(shown: list[Json], number: int, size: int, wrong: Mapping[str, Fault]) -> list[Json]:
        first = (number - 1) * size
        if "endless" in wrong:
            return (shown * size)[:size]
        if "missing_last_page" in wrong and first + size >= len(shown):
            return []
        if "shifted_pages" in wrong and number > 1:
            # Rows were put in (or taken out, when negative) before the ones that had been read.
            first = max(0, first - wrong["shifted_pages"].rows)
        return shown[first : first + size]
