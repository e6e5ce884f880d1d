"""What the care localities upload each month: settlements that passed every check, with their deductions.

Read from docs/province.md §2 and booked by month; whatever does not add up, or is not in the province's own book, is
refused whole. A later revision takes the place of an earlier one, never the other way round.
"""

from collections.abc import Callable, Mapping

import attrs

from simulators.money import fen, yuan
from simulators.people import AREA
from simulators.platform import Clock
from simulators.postings import Book, Serials
from simulators.province_words import Ask, No
from simulators.wording import Json

ROWS_MAX = 1000
_KINDS = ("DEDUCT", "WITHHOLD", "PENALTY")


@attrs.define(kw_only=True)
class Upload:
    """One upload; receipt: '' until it is booked."""

    account: str
    head: Json
    pages: dict[int, list[Json]] = attrs.Factory(dict)
    receipt: str = ""

    @property
    def lines(self) -> list[Json]:
        return [row for number in sorted(self.pages) for row in self.pages[number]]

    @property
    def cuts(self) -> list[Json]:
        return [cut for line in self.lines for cut in line["deductions"]]


@attrs.define
class Monthly:
    """Uploads by number, and what is booked by (account, month)."""

    clock: Clock
    book: Book
    uploads: dict[str, Upload] = attrs.Factory(dict)
    booked: dict[tuple[str, str], Upload] = attrs.Factory(dict)
    _serial: Serials = attrs.Factory(Serials)

    @property
    def operations(self) -> Mapping[str, Callable[[Ask], Json]]:
        return {
            "monthly/begin": self._begin, "monthly/rows": self._rows, "monthly/submit": self._submit,
            "monthly/status": self._status,
        }  # fmt: skip

    def _begin(self, ask: Ask) -> Json:
        head = ask.facts
        if len(head["month"]) != 6 or int(head["revision"]) < 1 or not head["upload_key"] or not head["rows_total"]:
            raise No("BAD_REQUEST", "月份、修订号、上传号或行数不符合规定")
        self._check_newer(ask.account, head)
        number = self._serial(AREA, self.clock.seconds(), "M")
        self.uploads[number] = Upload(account=ask.account, head=head)
        return {"upload_no": number}

    def _check_newer(self, account: str, head: Json) -> None:
        before = self.booked.get((account, head["month"]))
        if before is not None and int(before.head["revision"]) >= int(head["revision"]):
            raise No("CONFLICT", f"本月已有修订{before.head['revision']}")

    def _open(self, ask: Ask) -> Upload:
        found = self.uploads.get(ask.facts["upload_no"])
        if found is None or found.account != ask.account:
            raise No("NOT_FOUND", "没有这次上传")
        if found.receipt:
            raise No("CLOSED", "这次上传已经办结")
        return found

    def _rows(self, ask: Ask) -> Json:
        one, rows = self._open(ask), ask.facts["rows"]
        if not 1 <= len(rows) <= ROWS_MAX or int(ask.facts["seq"]) < 1:
            raise No("BAD_REQUEST", f"一次应上传1至{ROWS_MAX}行")
        one.pages[int(ask.facts["seq"])] = rows
        return {"received": len(one.lines)}

    def _submit(self, ask: Ask) -> Json:
        one = self._open(ask)
        if sorted(one.pages) != list(range(1, len(one.pages) + 1)):
            raise No("MISMATCH", "页不连续")
        self._check_newer(ask.account, one.head)
        self._check_sums(one)
        self._check_book(one)
        self._check_deductions(one)
        one.receipt = self._serial(AREA, self.clock.seconds(), "N")
        self.booked[ask.account, one.head["month"]] = one
        return {"receipt_no": one.receipt}

    def _check_sums(self, one: Upload) -> None:
        head, lines, cuts = one.head, one.lines, one.cuts
        if (len(lines), len(cuts)) != (head["rows_total"], head["deductions_total"]):
            raise No("MISMATCH", "行数或扣款条数与明细不符")
        names = {name for line in lines for name in line["values"]} | set(head["totals"])
        sums = {name: sum(fen(line["values"].get(name, "0")) for line in lines) for name in names}
        by_kind = {kind: sum(fen(cut["amount"]) for cut in cuts if cut["kind"] == kind) for kind in _KINDS}
        wrong = [name for name in sorted(names) if fen(head["totals"].get(name, "0")) != sums[name]]
        wrong += [kind for kind in _KINDS if fen(head["deduction_totals"].get(kind, "0")) != by_kind[kind]]
        if wrong:
            raise No("MISMATCH", f"合计与明细不符：{'、'.join(wrong)}")

    def _check_book(self, one: Upload) -> None:
        """Row by row: what a settlement's rows come to is what our own book has of it, in that month."""
        told: dict[tuple[str, str], dict[str, int]] = {}
        for line in one.lines:
            own = told.setdefault((line["setl_id"], line["direction"]), {})
            for name, amount in line["values"].items():
                own[name] = own.get(name, 0) + fen(amount)
        known = {posting.key: posting for posting in self.book.live() if posting.care == AREA}
        for key, values in told.items():
            ours = known.get(key)
            if ours is None or ours.setl_time[:7].replace("-", "") != one.head["month"]:
                raise No("MISMATCH", f"省平台没有结算{key[0]}")
            if any(amount != ours.amounts.get(name, 0) for name, amount in values.items()):
                raise No("MISMATCH", f"结算{key[0]}与省平台的账不符")

    @staticmethod
    def _check_deductions(one: Upload) -> None:
        """Every deduction is of the settlement it stands with, once, and takes no more of a fund than there is."""
        seen: set[str] = set()
        for line in one.lines:
            taken: dict[str, int] = {}
            for cut in line["deductions"]:
                amount = fen(cut["amount"])
                if cut["setl_id"] != line["setl_id"] or cut["kind"] not in _KINDS or amount <= 0:
                    raise No("MISMATCH", f"扣款{cut['deduction_id']}不是结算{line['setl_id']}的，或类别、金额不正确")
                if cut["deduction_id"] in seen:
                    raise No("MISMATCH", f"扣款{cut['deduction_id']}重复")
                seen.add(cut["deduction_id"])
                taken[cut["fund"]] = taken.get(cut["fund"], 0) + amount
            for fund, amount in taken.items():
                if amount > fen(line["values"].get(fund, "0")):
                    raise No("MISMATCH", f"结算{line['setl_id']}的{fund}扣款超过其金额")

    def _status(self, ask: Ask) -> Json:
        key = ask.facts["upload_key"]
        every = [one for one in self.uploads.values() if one.account == ask.account and one.receipt]
        found = next((one for one in every if one.head["upload_key"] == key), None)
        if found is None:
            return {"found": False}
        sums: dict[str, int] = {}
        for line in found.lines:
            for name, amount in line["values"].items():
                sums[name] = sums.get(name, 0) + fen(amount)
        by_kind = {kind: sum(fen(cut["amount"]) for cut in found.cuts if cut["kind"] == kind) for kind in _KINDS}
        return {
            "found": True, "receipt_no": found.receipt,
            "revision": int(self.booked[ask.account, found.head["month"]].head["revision"]),
            "rows_total": len(found.lines), "totals": {name: str(yuan(sum_)) for name, sum_ in sums.items()},
            "deductions_total": len(found.cuts),
            "deduction_totals": {kind: str(yuan(sum_)) for kind, sum_ in by_kind.items()},
        }  # fmt: skip
