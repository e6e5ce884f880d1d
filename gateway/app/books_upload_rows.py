"""Rows for the province out of frozen days: each fee that counts, with the lines that made it and its deductions."""

from collections.abc import Collection, Iterable, Iterator
from typing import IO

import attrs
import msgspec

from adapters.store.books_freeze import FreezeReader
from adapters.store.books_month import DeductionRow
from gateway.app.books_month_work import deduction_of
from gateway.books.deductions import Deduction
from gateway.books.freezing import Fee, Header, read_back
from gateway.books.uploading import clearing_row
from gateway.core import province
from gateway.core.ledgers import COMPONENTS

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(province.ClearingRow).decode
Group = tuple[str, str, str, str]  # clr_type, insutype, clr_optins, clr_pay_loc


@attrs.define
class Spooled:
    """What was written: rows, sums in fen that are not zero, deductions and their fen by kind."""

    rows: int = 0
    deductions: int = 0
    _sums: dict[str, int] = attrs.Factory(dict)
    _deducted: dict[str, int] = attrs.Factory(dict)

    def add(self, fee: Fee, told: province.ClearingRow) -> None:
        self.rows += 1
        for name, fen in zip(COMPONENTS, fee.amounts, strict=True):
            self._sums[name] = self._sums.get(name, 0) + (fen or 0)
        self.deductions += len(told.deductions)
        for one in told.deductions:
            self._deducted[one.kind] = self._deducted.get(one.kind, 0) + one.amount_fen

    @property
    def sums(self) -> dict[str, int]:
        return {name: fen for name, fen in self._sums.items() if fen}

    @property
    def deducted(self) -> dict[str, int]:
        return {kind: fen for kind, fen in self._deducted.items() if fen}


def spool(
    freezes: FreezeReader, numbers: Iterable[int], deducted: Iterable[DeductionRow], into: IO[bytes],
    group: Group | None = None, without: Collection[str] = (),
) -> Spooled:  # fmt: skip
    """Write what counts in the freezes, one row a line, and go back to the beginning.

    group: of one application, None for all; without: settlements that stay behind. A settlement's deductions go with
    its first row, once.
    """
    cuts: dict[str, list[Deduction]] = {}
    for one in deducted:
        cuts.setdefault(one.setl_id, []).append(deduction_of(one))
    found = Spooled()
    for number in numbers:
        for fee, lines, order in _counted(freezes, number, group):
            if fee.setl_id in without:
                continue
            own = cuts.pop(fee.setl_id, ()) if fee.direction == 0 else ()
            told = clearing_row(fee, lines, order, own)
            into.write(_encode(told) + b"\n")
            found.add(fee, told)
    into.seek(0)
    return found


def read_rows(spooled: Iterable[bytes]) -> Iterator[province.ClearingRow]:
    """Yield the rows again."""
    return (_decode(line) for line in spooled)


def _counted(
    freezes: FreezeReader, number: int, group: Group | None
) -> Iterator[tuple[Fee, list[str], tuple[int, ...]]]:
    """Yield (fee, the lines of its key, order of ledgers) of what counts in a group."""
    header = _header(freezes, number)
    for lines, fees in read_back(freezes.lines(number), header.order):
        for fee in fees:
            if fee.held or group not in (None, (fee.clr_type, fee.insutype, fee.clr_optins, fee.clr_pay_loc)):
                continue
            if fee.adjusts[0]:
                origin = _header(freezes, fee.adjusts[0])
                yield fee, freezes.lines_of_key(fee.adjusts[0], fee.key), origin.order
            else:
                yield fee, lines, header.order


def _header(freezes: FreezeReader, number: int) -> Header:
    row = freezes.one(number)
    assert row is not None  # a foreign key says so
    return Header.read(row.header)
