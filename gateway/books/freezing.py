"""Solidification (数据固化) of an agreed day: what is frozen, byte for byte, and what of it clearing counts (§6.5).

The content of a freeze is one header line and one line for every row of every ledger of the run that is dated the day,
in the order of keys, fixed fields separated by TAB, UTF-8, LF. Records that were carried or withheld stay in it and are
named by a line of their own; corrections of earlier frozen days are lines too (ADJ), and so is what another day counts
(DAY; `gateway.books.midnight`). What clearing may count (`Fee`) follows from these lines alone, so a verifier needs
nothing else. Nothing here reads files, signs or stores.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date as Date
from datetime import timedelta
from typing import Any, NamedTuple

import attrs

from gateway.books.scope import INSURED
from gateway.core.ledgers import AGY, COMPONENTS, GW, INS, INST, NAMES, PROV, SETTLED, STATUSES, TEXTS, Row

CITY = "*"
FORMAT = 1
HELD, ADJUSTMENT, ELSEWHERE = "HELD", "ADJ", "DAY"
NEITHER = 2  # direction of an adjustment of amounts: no settlement, no refund
CARRIED, WITHHELD = "CARRIED", "WITHHELD"
MAY_BE_FROZEN = ("AGREED", "AGREED_WITH_CARRY")
REMOTE = ("3", "4")  # clr_pay_loc
# Whose word counts as the amount: the first of these that the run had; what it does not carry comes from the next.
OWN: Mapping[str, tuple[int, ...]] = {"L1": (AGY, GW, INST), "care": (AGY, PROV, INS), INSURED: (INS, PROV, AGY)}
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_TABLE = str.maketrans(_ESCAPES)
_ATTRIBUTES = ("fixmedins_code", "insutype", "clr_type", "clr_way", "clr_optins", "clr_pay_loc")


class Fee(NamedTuple):
    """One settlement (direction 0), refund (1, negative amounts) or NEITHER as clearing counts it. held: '' or why it
    does not count; adjusts: (freeze, row) of the frozen row an adjustment corrects, else (0, 0); amounts: fen, None =
    absent."""

    key: str
    setl_id: str
    direction: int
    fixmedins_code: str
    insutype: str
    clr_type: str
    clr_way: str
    clr_optins: str
    clr_pay_loc: str
    held: str
    adjusts: tuple[int, int]
    amounts: tuple[int | None, ...]


@attrs.frozen
class InputMark:
    """One file the run was over, as the header names it."""

    ledger: str
    scope: str
    sm3: str
    rows: int


@attrs.frozen(kw_only=True)
class Header:
    """What is frozen. reopened: `freeze_sm3` of the freeze of the same day this one takes the place of, or ''."""

    role: str
    scope: str
    date: str
    revision: int
    run_id: str
    inputs: tuple[InputMark, ...]
    reopened: str = ""

    def line(self) -> str:
        """Return the header as it is hashed: one JSON object, keys sorted, no blanks."""
        plain = {"format": FORMAT, **attrs.asdict(self)}
        return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def read(cls, line: str) -> "Header":
        """The inverse of `line`."""
        plain: dict[str, Any] = json.loads(line)
        plain.pop("format")
        inputs = tuple(InputMark(**one) for one in plain.pop("inputs"))
        return cls(inputs=inputs, **plain)

    @property
    def order(self) -> tuple[int, ...]:
        """The ledgers by whose word the fees go, the first that was given leading."""
        given = {NAMES.index(one.ledger) for one in self.inputs}
        wanted = OWN["L1"] if self.scope != CITY else OWN[self.role]
        return tuple(ledger for ledger in wanted if ledger in given)


@attrs.frozen(kw_only=True)
class Adjustment:
    """A correction of a frozen row, dated in a later open day. kind: CANCEL, CORRECTION, RELEASE (a carried
    record that was resolved; `gateway.books.adjusting`); of: (freeze, row). amounts: what is added, in fen."""

    kind: str
    of: tuple[int, int]
    fee: Fee

    def line(self) -> str:
        fee = self.fee
        cells = [fee.key, ADJUSTMENT, self.kind, str(self.of[0]), str(self.of[1]), fee.setl_id, str(fee.direction)]
        cells += [getattr(fee, name) for name in _ATTRIBUTES]
        return _joined([*cells, *("" if fen is None else str(fen) for fen in fee.amounts)])


# --- may it be frozen? -----------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class DayFacts:
    """What is known of a day before it is frozen. pending_actions: sent or planned, not at their end; pending_gw: its
    records whose journal entry is not terminal; check_faults: internal sums that are wrong (§2.1); unread: newer files
    its last run was not over."""

    state: str
    pending_actions: int = 0
    pending_gw: int = 0
    open_diffs: int = 0
    check_faults: int = 0
    unread: Sequence[str] = ()
    frozen: bool = False


class Objection(NamedTuple):
    """Why something is not done. code: stable; text: Chinese, says what to do."""

    code: str
    text: str


def objections(day: DayFacts, checks_block: bool) -> list[Objection]:
    """Return every reason why a day may not be frozen (§6.5)."""
    found = []
    if day.frozen:
        found.append(Objection("BF-FROZEN", "此日已固化；需要更改请先由两人重开（books reopen）"))
    elif day.state not in MAY_BE_FROZEN:
        found.append(Objection("BF-STATE", f"此日状态为{day.state or '未对账'}，账平（或差异已结转）后才能固化"))
    if day.unread:
        text = f"{'、'.join(day.unread)}有更新的账目还没有对过，请先重新对账（books day）再固化"
        found.append(Objection("BF-NEWER", text))
    if day.pending_actions:
        found.append(Objection("BF-ACTION", f"还有{day.pending_actions}项处理没有结束，请等其结束后再固化"))
    if day.pending_gw:
        found.append(Objection("BF-PENDING", f"网关还有{day.pending_gw}笔交易结果未定，请先排空疑账"))
    if day.open_diffs and day.state in MAY_BE_FROZEN:
        found.append(Objection("BF-DIFF", f"还有{day.open_diffs}条差异没有了结或结转"))
    if checks_block and day.check_faults:
        found.append(Objection("BF-CHECK", f"{day.check_faults}笔的分项与合计不符，本地区规定不得固化，请先改正"))
    return found


def reopening_objections(frozen: bool, applications: Iterable[tuple[str, str]], reason: str) -> list[Objection]:
    """Return why a frozen day may not be opened again. applications: (name, state) of those that contain the day."""
    found = []
    if not frozen:
        found.append(Objection("BF-OPEN", "此日没有固化，无需重开"))
    if not reason.strip():
        found.append(Objection("BF-REASON", "重开必须写明原因（--reason）"))
    for name, state in applications:
        if state not in RELEASING:
            found.append(Objection("BF-APPLIED", f"清算申请{name}（{state}）含有此日：撤回或被退回后才能重开"))
    return found


# An application in one of these does not hold its days (§6.5: not past DRAFT; §7.1: RETURNED, and what was withdrawn).
RELEASING = ("DRAFT", "RETURNED", "WITHDRAWN")


# --- lines -----------------------------------------------------------------------------------------


def line_of(row: Row, date: str) -> str:
    """Return a ledger's row as it is frozen."""
    cells = [row.key, NAMES[row.ledger], *(getattr(row, name) for name in TEXTS), str(row.direction)]
    cells += [STATUSES[row.status], _when(row, date)]
    return _joined([*cells, *("" if fen is None else str(fen) for fen in row.amounts)])


def _when(row: Row, date: str) -> str:
    day = (Date.fromisoformat(date) + timedelta(days=row.day)).isoformat()
    if row.second is None:
        return day
    return f"{day} {row.second // 3600:02d}:{row.second // 60 % 60:02d}:{row.second % 60:02d}"


def _joined(cells: Sequence[str]) -> str:
    return "\t".join(cell.translate(_TABLE) for cell in cells)


def _split(line: str) -> list[str]:
    cells = line.split("\t")
    if "\\" not in line:
        return cells
    back = {written[1]: meant for meant, written in _ESCAPES.items()}
    found = []
    for cell in cells:
        letters = iter(cell)
        found.append("".join(back[next(letters)] if letter == "\\" else letter for letter in letters))
    return found


def _amounts(cells: Sequence[str]) -> tuple[int | None, ...]:
    return tuple(int(cell) if cell else None for cell in cells)


def _row(cells: Sequence[str]) -> Row:
    texts = dict(zip(TEXTS, cells[2 : 2 + len(TEXTS)], strict=True))
    direction, status, when = cells[2 + len(TEXTS) : 5 + len(TEXTS)]
    clock = [int(part) for part in when[11:].split(":")] if when[11:] else []
    return Row(
        ledger=NAMES.index(cells[1]), key=cells[0], direction=int(direction), status=STATUSES.index(status),
        delivered=True, day=0, second=clock[0] * 3600 + clock[1] * 60 + clock[2] if clock else None,
        amounts=_amounts(cells[5 + len(TEXTS) :]), **texts,
    )  # fmt: skip


def ledger_rows(lines: Iterable[str]) -> list[tuple[Row, str]]:
    """Return (row, its time as it stands) of those lines that are rows of ledgers."""
    found = [cells for cells in map(_split, lines) if cells[1] in NAMES]
    return [(_row(cells), cells[4 + len(TEXTS)]) for cells in found]


def lines_of(group: Sequence[Row], date: str, held: str, elsewhere: Mapping[int, str] | None = None) -> list[str]:
    """Return the lines of one key. group: its rows of this day in any order; identical ones count once (D1); elsewhere:
    direction -> the date that counts it."""
    lines = sorted({(row.ledger, line_of(row, date)) for row in group})
    found = [line for _, line in lines]
    found += [_joined([group[0].key, ELSEWHERE, day, str(way)]) for way, day in sorted((elsewhere or {}).items())]
    return [*found, _joined([group[0].key, HELD, held])] if held else found


def elsewhere_of(line: str) -> tuple[tuple[str, int], str] | None:
    """Return ((key, direction), date that counts it) of a line that says so, None of any other."""
    cells = _split(line)
    return ((cells[0], int(cells[3])), cells[2]) if cells[1] == ELSEWHERE else None


def in_scope(group: Sequence[Row], scope: str) -> bool:
    """Say whether a key belongs to what is frozen: to the institution's day, or to the city's (remote patients)."""
    if scope != CITY:
        return next((row.fixmedins_code for row in group if row.fixmedins_code), "") == scope
    return remote(group)


def remote(group: Sequence[Row]) -> bool:
    """Say whether a key is a remote patient's (annex B7): it counts only when the three-way check agreed, too."""
    return any(row.ledger in (PROV, INS) or row.clr_pay_loc in REMOTE for row in group)


def fees_of(group: Sequence[Row], order: Sequence[int], held: str) -> list[Fee]:
    """Return what clearing counts of one key: the rows of the ledger that leads, settled and not taken back.

    A settlement or refund is missing nothing where the leader carries fewer components than the others: each comes
    from the first that has it. Rows of the same ledger and direction stand in the same order in every ledger (D5).
    """
    by_ledger: dict[tuple[int, int], list[Row]] = {}
    rows = {one._replace(delivered=True) for one in group}  # of what lines say, in a complete order: whoever reads them
    # back comes to the same, in another process, too.
    for row in sorted(rows, key=lambda one: (one.second or 0, one.setl_id, one[:-2], str(one.amounts))):
        if row.status == SETTLED:
            by_ledger.setdefault((row.ledger, row.direction), []).append(row)
    found = []
    for direction in (0, 1):
        for number, leader in enumerate(by_ledger.get((order[0], direction), []) if order else []):
            ranked = [leader]
            for ledger in order[1:]:
                ranked += by_ledger.get((ledger, direction), [])[number : number + 1]
            found.append(_fee(ranked, held))
    return found


def _fee(ranked: Sequence[Row], held: str) -> Fee:
    """ranked: the leader's row, then what the others say of the same event."""
    texts = {name: next((text for row in ranked if (text := getattr(row, name))), "") for name in _ATTRIBUTES}
    leader = ranked[0]
    amounts = tuple(
        next((row.amounts[at] for row in ranked if row.amounts[at] is not None), None)
        for at in range(len(COMPONENTS))
    )  # fmt: skip
    setl_id = next((row.setl_id for row in ranked if row.setl_id), "")
    return Fee(
        key=leader.key, setl_id=setl_id, direction=leader.direction, held=held, adjusts=(0, 0), amounts=amounts,
        **texts,
    )  # fmt: skip


def read_back(lines: Iterable[str], order: Sequence[int]) -> Iterator[tuple[list[str], list[Fee]]]:
    """Yield (lines of one key, its fees) from frozen lines: what a verifier compares with what was stored."""
    taken: list[str] = []
    rows: list[Row] = []
    fees: list[Fee] = []
    held = key = ""

    def done() -> tuple[list[str], list[Fee]]:
        return taken, [*fees_of(rows, order, held), *fees]

    for line in lines:
        cells = _split(line)
        if taken and cells[0] != key:
            yield done()
            taken, rows, fees, held = [], [], [], ""
        key = cells[0]
        taken.append(line)
        if cells[1] == HELD:
            held = cells[2]
        elif cells[1] == ADJUSTMENT:
            fees.append(_adjusted(cells))
        elif cells[1] != ELSEWHERE:
            rows.append(_row(cells))
    if taken:
        yield done()


def _adjusted(cells: Sequence[str]) -> Fee:
    end = 7 + len(_ATTRIBUTES)
    texts = dict(zip(_ATTRIBUTES, cells[7:end], strict=True))
    return Fee(
        key=cells[0], setl_id=cells[5], direction=int(cells[6]), held="", adjusts=(int(cells[3]), int(cells[4])),
        amounts=_amounts(cells[end:]), **texts,
    )  # fmt: skip


# --- internal checks (§2.1) ------------------------------------------------------------------------

_AT = {name: at for at, name in enumerate(COMPONENTS)}
FUND_PARTS = ("hifp_pay", "cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "maf_pay", "oth_pay", "hifdm_pay")
_IDENTITIES = (
    ("medfee_sumamt", ("fund_pay_sumamt", "psn_part_amt"), ("hosp_part_amt",)),
    ("psn_part_amt", ("acct_pay", "psn_cash_pay"), ()),
    ("fund_pay_sumamt", FUND_PARTS[:-1], FUND_PARTS[-1:]),
)


def check_fault(fee: Fee) -> str:
    """Return the total whose parts do not add up, or ''. Checked where total and parts are all present (annex X38)."""
    for total, parts, optional in _IDENTITIES:
        whole, shares = fee.amounts[_AT[total]], [fee.amounts[_AT[name]] for name in parts]
        if whole is None or any(share is None for share in shares):
            continue
        shares += [fee.amounts[_AT[name]] for name in optional]
        if whole != sum(share or 0 for share in shares):
            return total
    return ""


# --- sums ------------------------------------------------------------------------------------------

DAY, ADJ, HELD_SUM = "DAY", "ADJ", "HELD"  # of the day, held ones too; corrections; those of the day that are held
Group = tuple[str, ...]  # kind, fixmedins_code, insutype, clr_type, clr_optins, clr_pay_loc


@attrs.define
class Sums:
    """What a freeze sums up to, by what clearing groups by: [settlements, refunds, one sum for each component]."""

    by_group: dict[Group, list[int]] = attrs.Factory(dict)
    faults: int = 0

    def add(self, fee: Fee) -> None:
        self.faults += bool(check_fault(fee))
        self._count(ADJ if fee.adjusts[0] else DAY, fee)
        if fee.held:
            self._count(HELD_SUM, fee)

    def _count(self, kind: str, fee: Fee) -> None:
        group = (kind, fee.fixmedins_code, fee.insutype, fee.clr_type, fee.clr_optins, fee.clr_pay_loc)
        sums = self.by_group.get(group)
        if sums is None:
            sums = self.by_group[group] = [0] * (2 + len(COMPONENTS))
        if fee.direction != NEITHER:
            sums[fee.direction] += 1
        for at, fen in enumerate(fee.amounts, start=2):
            if fen is not None:
                sums[at] += fen

    def rows(self) -> list[tuple[str | int, ...]]:
        """Return the groups in order, flat."""
        return [(*group, *sums) for group, sums in sorted(self.by_group.items())]
