"""What the books need of the province (reconciliation specification §4.4): statements, feedback, reversals, clearing.

Records and one port. No public document of this interface was found, so the port is ours [D]: a province adapter maps
it to whatever a province speaks, and is one file. Our own is `adapters.province`, its protocol docs/province.md.

Every call carries an idempotency key (§6.4): the same key with the same content has one effect however often it is
sent, so what was interrupted is looked up (`receipt_of`) or sent again with the same key, never with a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import attrs

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

Role = Literal["care", "insured"]
"""care: people insured elsewhere were treated here; insured: people insured here were treated elsewhere."""

LEDGERS: Mapping[Role, tuple[str, ...]] = {"care": ("PROV", "INS"), "insured": ("AGY", "PROV", "INS")}
"""The ledgers a role is given, by their names in `gateway.core.ledgers`. AGY of the insured role is what the province
reports of the agency where the care was given (leg L3)."""

Kind = Literal["done", "refused", "not_sent", "unknown"]
T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Outcome(Generic[T]):
    """What came of a call.

    done: value holds it. refused: the party said no, and nothing happened. not_sent: certainly nothing happened, and
    the same call may be repeated. unknown: the party may have acted; look it up, or repeat it with the same key.
    code: stable, in capitals (docs/province.md), '' when done. text: Chinese, for people; the party's own words may
    stand in it, so a log redacts it.
    """

    kind: Kind
    code: str = ""
    text: str = ""
    value: T | None = None

    @property
    def wait(self) -> bool:
        """Whether asking again later may bring what this call did not (WAIT_INPUT)."""
        return self.kind in ("not_sent", "unknown") or (self.kind == "refused" and self.code == "NOT_READY")


@attrs.frozen(kw_only=True)
class Snapshot:
    """One ledger of one day as the party states it, written as a ledger CSV (contract §7), sorted, at `path`.

    rows: lines of the file; repeated: how many of them stand there a second time (difference D1; the party's totals
    count them once). sums_fen: of the file, repeated lines counted once, by component that any row carries.
    sm3: hex, of the file's bytes: the same statement gives the same file. complete False: the party says itself that
    rows are still missing, so absence proves nothing. statement_no: the party's number. readings: how often it was
    read.
    """

    ledger: str
    role: Role
    date: str
    statement_no: str
    path: Path
    rows: int
    repeated: int
    sums_fen: Mapping[str, int]
    sm3: str
    complete: bool
    readings: int


FeedbackKind = Literal["MISSING_AT_PROV", "MISSING_AT_INS", "AMOUNT", "STATUS", "DUPLICATE"]
Party = Literal["PROV", "INS"]


@attrs.frozen(kw_only=True)
class FeedbackItem:
    """One record on which a party's book is wrong.

    item_id: ours, unique (the difference's or the action's id). party: whose book. prov_sn or setl_id names the record
    (for DUPLICATE the prov_sn that is one too many). values_fen: what the care locality has, by component, refunds
    negative. status: what it should be, of STATUS. facts: texts of the care row by column of contract §7; MISSING_*
    needs fixmedins_code, mdtrt_id, psn_no, msgid, direction, insutype, clr_type and setl_time. evidence_sm3: hex of the
    evidence held. operator: who, or `system`.
    """

    item_id: str
    kind: FeedbackKind
    party: Party
    evidence_sm3: str
    operator: str
    setl_id: str = ""
    prov_sn: str = ""
    direction: Literal["0", "1"] = "0"
    values_fen: Mapping[str, int] = attrs.Factory(dict)
    status: Literal["", "SETTLED", "REFUNDED", "REVERSED"] = ""
    facts: Mapping[str, str] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class ItemAnswer:
    """What the party says of one item: taken, or not and why."""

    item_id: str
    taken: bool
    code: str = ""
    text: str = ""


@attrs.frozen(kw_only=True)
class FeedbackReceipt:
    """The party's receipt; answers stand in the order of the items."""

    receipt_no: str
    received_at: str
    answers: tuple[ItemAnswer, ...]


@attrs.frozen(kw_only=True)
class Reversal:
    """Take one record out of a party's book: the record's prov_sn, or the omsgid and oinfno of what made it."""

    party: Party
    reason: str
    operator: str
    prov_sn: str = ""
    omsgid: str = ""
    oinfno: str = ""
    fixmedins_code: str = ""
    psn_no: str = ""


@attrs.frozen(kw_only=True)
class ReversalAck:
    """The party says the record is out. already: it was out before. Only its next statement proves it."""

    ack_no: str
    already: bool


DeductionKind = Literal["DEDUCT", "WITHHOLD", "PENALTY"]


@attrs.frozen(kw_only=True)
class Deduction:
    """One audit deduction (审核扣款拒付, §7.2); fund: the component it is taken from; amount in fen, positive."""

    deduction_id: str
    setl_id: str
    fund: str
    amount_fen: int
    kind: DeductionKind
    reason_code: str
    reason: str
    state: str


@attrs.frozen(kw_only=True)
class ClearingRow:
    """One settlement or refund of a clearing application, with the deductions of this settlement (§7.2)."""

    setl_id: str
    prov_sn: str
    fixmedins_code: str
    mdtrt_id: str
    direction: Literal["0", "1"]
    setl_time: str
    values_fen: Mapping[str, int]
    deductions: tuple[Deduction, ...] = ()


@attrs.frozen(kw_only=True)
class ClearingApp:
    """A clearing application of one institution, or of the city (fixmedins_code `*`).

    month: yyyyMM. app_no: ours, unique with the revision. rows: read once, page by page, while it is sent; rows_count
    and sums_fen: what they add up to, and what the party checks. begndate, enddate: yyyy-MM-dd, both inclusive.
    """

    app_no: str
    fixmedins_code: str
    month: str
    clr_type: str
    insutype: str
    clr_optins: str
    clr_pay_loc: str
    clr_way: str
    begndate: str
    enddate: str
    psntime: int
    fund_appy_fen: int
    rows_count: int
    sums_fen: Mapping[str, int]
    rows: Iterable[ClearingRow]


@attrs.frozen(kw_only=True)
class MonthUpload:
    """A month of remote settlements that passed every check, each with its deductions (§7.2; 003 7.6.4.5 b).

    upload_key: ours, unique with the revision; a later revision takes the place of an earlier one. rows: read once,
    page by page; rows_count, sums_fen, deductions_count and deducted_fen (by kind): what they add up to.
    """

    upload_key: str
    month: str
    revision: int
    rows_count: int
    sums_fen: Mapping[str, int]
    deductions_count: int
    deducted_fen: Mapping[str, int]
    rows: Iterable[ClearingRow]


@attrs.frozen(kw_only=True)
class MonthBooked:
    """What the party has booked of an upload; receipt_no: '' = it has none of that key. revision: what it has of the
    month now."""

    receipt_no: str
    revision: int = 0
    rows_count: int = 0
    sums_fen: Mapping[str, int] = attrs.Factory(dict)
    deductions_count: int = 0
    deducted_fen: Mapping[str, int] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class ClearingWithdrawal:
    """Two people take an application back before it is audited (§7.1)."""

    event_id: str
    reason: str
    maker: str
    checker: str


@attrs.frozen(kw_only=True)
class FundStatus:
    """What the audit made of one fund of an application, fen: applied = approved + deducted + withheld + deposit."""

    applied_fen: int
    approved_fen: int
    deducted_fen: int
    withheld_fen: int
    deposit_fen: int


@attrs.frozen(kw_only=True)
class ClearingStatus:
    """Where an application stands. clr_stas: 10, 20, .. as the party gives it. Amounts in fen, 0 where it says nothing.

    applied, approved, deducted, withheld (暂扣), deposit, paid: of the whole application; earlier: what earlier months
    add to or take from the payment. deductions: how many there are to download. event_id: '' = the party has no such
    application. funds: fund -> the same by fund, personal accounts with them, which the totals leave out; {} = the
    party does not tell.
    """

    event_id: str
    app_no: str
    clr_stas: str
    opt_time: str
    applied_fen: int = 0
    approved_fen: int = 0
    deducted_fen: int = 0
    withheld_fen: int = 0
    deposit_fen: int = 0
    earlier_fen: int = 0
    paid_fen: int = 0
    deductions: int = 0
    reason: str = ""
    funds: Mapping[str, FundStatus] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class ClearingDetail:
    """One row of the monthly split (清分, the 3260 form)."""

    seqno: int
    mdtrtarea: str
    medins_no: str
    mdtrt_id: str
    mdtrt_setl_time: str
    setl_sn: str
    fulamt_advpay_flag: str
    medfee_sumamt_fen: int
    optins_pay_sumamt_fen: int


R = TypeVar("R")


@attrs.frozen(kw_only=True)
class Page(Generic[R]):
    """One page of a list. start: 1-based number of its first row; total: rows of the whole list; sums_fen: likewise."""

    start: int
    rows: tuple[R, ...]
    total: int
    sums_fen: Mapping[str, int]


@attrs.frozen(kw_only=True)
class Remembered:
    """What the party remembers of a key: nothing, or the operation and the answer it gave."""

    found: bool
    operation: str = ""
    code: str = ""
    data: Mapping[str, Any] = attrs.Factory(dict)


class ProvincialPort(Protocol):
    """The province. Every Deferred fires with an Outcome and never fails; nothing blocks the reactor."""

    def fetch_statement(
        self, key: str, role: Role, date: str, ledger: str, target: Path
    ) -> Deferred[Outcome[Snapshot]]:
        """Read one ledger of a day into `target` (a new file, mode 0600, there only when done).

        done: it is whole by the party's own totals, read twice alike; see Snapshot.complete. refused `NOT_READY`: it is
        not made yet. unknown `TOTALS`, `SHIFTING`, `UNREADABLE`: asked for as often as is allowed, and no use (A8).
        """

    def send_feedback(self, key: str, items: tuple[FeedbackItem, ...]) -> Deferred[Outcome[FeedbackReceipt]]:
        """Tell the province which records are wrong, at most FEEDBACK_MAX at a time. A receipt is no correction."""

    def reverse(self, key: str, what: Reversal) -> Deferred[Outcome[ReversalAck]]:
        """Have a record taken out. refused `NOT_FOUND`: the party has no such record."""

    def upload_clearing(self, key: str, app: ClearingApp) -> Deferred[Outcome[str]]:
        """Upload an application; the value is its event id. unknown: never upload again, ask `clearing_status`."""

    def withdraw_clearing(self, key: str, what: ClearingWithdrawal) -> Deferred[Outcome[str]]:
        """Take an application back; the value is the party's receipt. refused `CLOSED`: it is audited, `NOT_FOUND`: the
        party has none. unknown: never send again, ask `clearing_status`: one that is gone is not found."""

    def clearing_status(self, key: str, event_id: str = "", app_no: str = "") -> Deferred[Outcome[ClearingStatus]]:
        """Ask where an application stands, by either number."""

    def clearing_deductions(self, key: str, event_id: str, start: int) -> Deferred[Outcome[Page[Deduction]]]:
        """Read a page of an application's deductions; sums_fen by kind."""

    def upload_month(self, key: str, upload: MonthUpload) -> Deferred[Outcome[str]]:
        """Upload a month; the value is the party's receipt. unknown: never upload again, ask `month_booked`."""

    def month_booked(self, key: str, upload_key: str) -> Deferred[Outcome[MonthBooked]]:
        """Ask what the party has booked of an upload."""

    def download_clearing_detail(
        self, key: str, year: str, month: str, start: int
    ) -> Deferred[Outcome[Page[ClearingDetail]]]:
        """Read one page (at most 100 rows) of a month's split; month: MM, start: 1, 101, ..; sums_fen:
        medfee_sumamt, optins_pay_sumamt."""

    def download_clearing_details(self, key: str, year: str, month: str, target: Path) -> Deferred[Outcome[Snapshot]]:
        """Read the whole split of a month into a CSV as `fetch_statement` does (§7.3); columns: ClearingDetail's."""

    def receipt_of(self, key: str) -> Deferred[Outcome[Remembered]]:
        """Ask what the party remembers of a key: what was interrupted is looked up before it is sent again."""


FEEDBACK_MAX = 500
