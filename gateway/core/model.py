"""The glossary: one word for one thing, the same in code, journal, metric, log and alert.

States are those of the reversal specification §3; classes those of §2.
"""

from collections.abc import Iterable
from datetime import date
from typing import Literal

import attrs

from gateway.core.translation import Evidence

State = Literal[
    "JOURNALED",
    "SENT",
    "ACKED",
    "REJECTED",
    "IN_DOUBT",
    "NOT_SENT",
    "REVERSING",
    "CONFIRMED",
    "ABSENT",
    "REVERSED",
    "MANUAL",
    "DONE",
    "EXTERNAL",
]
# EXTERNAL: a settlement nobody sent through this journal, known from the platform's statement (RV9, a restored
# backup).
# DONE: a W or C request whose answer is stored, a reversal that found nothing to undo, or one sending of a reversal
# that stayed without an answer (the queue sends another).
TERMINAL: frozenset[State] = frozenset(
    {"ACKED", "REJECTED", "NOT_SENT", "CONFIRMED", "ABSENT", "REVERSED", "DONE", "EXTERNAL"}
)
FAILED: frozenset[State] = frozenset({"REJECTED", "NOT_SENT", "ABSENT", "REVERSED"})
OPEN: frozenset[State] = frozenset({"JOURNALED", "SENT", "IN_DOUBT", "REVERSING"})
DOUBT: frozenset[State] = frozenset({"IN_DOUBT", "REVERSING"})
MONEY: frozenset[str] = frozenset({"M", "A", "R"})

Result = Literal[
    "ok", "refused", "invalid", "unmapped", "identity", "duplicate", "in_doubt", "not_sent", "platform_error", "rate",
    "internal",
]  # fmt: skip


@attrs.frozen(kw_only=True)
class Source:
    """Who is on the other end of a connection: its address, and the hash of its client certificate if it has one."""

    address: str
    certificate_sha256: str = ""


@attrs.define(kw_only=True, slots=True)
class Entry:
    """One journal row: a request of class M, A, R, C or W in the gateway's own words.

    digest: of the content (X10). business_key: '' when the class has none. lane: money of one insured person runs one
    at a time. medfee_fen: None when the message has no total. Times are milliseconds since the epoch.
    """

    id: int
    fixmedins_code: str
    msgid: str
    infno: str
    klass: str
    link: str
    state: State
    digest: bytes
    created_ms: int
    business_key: str = ""
    soft_key: str = ""
    lane: str = ""
    psn_no: str = ""
    mdtrt_id: str = ""
    setl_id: str = ""
    omsgid: str = ""
    insuplc_admdvs: str = ""
    mdtrtarea_admvs: str = ""
    med_type: str = ""
    medfee_fen: int | None = None
    delivered: bool = False
    cancelled: bool = False
    settled: str = ""


@attrs.frozen(kw_only=True)
class Saf:
    """A row of the store-and-forward queue: one reversal that must come to an end (reversal specification §5.1).

    id: the journal record that ends with it; original_id: what is reversed (the same record, unless the institution
    asked for the reversal of a known success). attempt: sendings so far. refusals: answers nobody could read so far.
    sent_ms: when the original left at the latest. At most one live row an original (RV5).
    """

    id: int
    original_id: int
    state: Literal["QUEUED", "INFLIGHT", "DONE", "DEAD"]
    opened_ms: int
    sent_ms: int
    attempt: int = 0
    refusals: int = 0
    next_ms: int = 0


@attrs.frozen
class Known:
    """The journal already holds this msgid: its row, and the stored answer if there is one.

    undoing: the state of a 2601 of it that has not failed, the institution's own or one the books ordered (MANUAL
    before others); looked up for a success nobody heard of.
    """

    entry: Entry
    answer: bytes | None
    undoing: str = ""


@attrs.frozen
class Duplicate:
    """Another msgid holds the same business key. soft: a possible duplicate (no invoice number), not a proof."""

    entry: Entry
    soft: bool = False


@attrs.frozen
class Accepted:
    """The row is durable."""


AcceptResult = Accepted | Known | Duplicate


@attrs.frozen(kw_only=True)
class Accept:
    """Make a new row durable, unless its msgid or business key is known.

    state: the row's first state, taken when the operation is made: the entry itself may have moved on by the time
    the store gets to it. saf: the queue's row this sending belongs to, as it stands from now on.
    """

    entry: Entry
    evidence: tuple[Evidence, ...] = ()
    reason: str = "accepted"
    saf: Saf | None = None
    state: State = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "state", self.entry.state)


@attrs.frozen
class Recall:
    """Look up a msgid; result Known or None. Costs no durable write."""

    fixmedins_code: str
    msgid: str


@attrs.frozen(kw_only=True)
class Advance:
    """Move a row from one state to another (compare and set); result True when exactly one row moved.

    settled: what the answer says of the settlement (JSON, no person). answer: the bytes the institution gets, stored
    sealed. cancels: setl_id of a settlement this one undoes; undoes: the journal id of one. saf: the queue's row as it
    stands from now on; a second live one for an original is not taken (result False, nothing moves).
    """

    entry: Entry
    was: State
    to: State
    at_ms: int
    reason: str
    setl_id: str = ""
    mdtrt_id: str = ""
    settled: str = ""
    answer: bytes | None = None
    delivered: bool = False
    cancels: str = ""
    undoes: int = 0
    saf: Saf | None = None


@attrs.frozen(kw_only=True)
class LateAnswer:
    """Keep as evidence that a row's answer came when nobody waited for it any more; its state stays (§4.4).

    said: the verdict on it, a stable word; setl_id: what a success named. Result True when a success came to a row that
    ended as never booked: it is to be followed up.
    """

    entry: Entry
    at_ms: int
    said: str
    setl_id: str = ""

    @property
    def reason(self) -> str:
        return f"{LATE} {self.said} {self.setl_id}".rstrip()

    @property
    def success(self) -> bool:
        """Whether it says that a settlement or admission stands."""
        return self.said == "acked" and self.entry.klass in ("M", "A")


LATE = "late_response"
LATE_SUCCESS = f"{LATE} acked"
RESTORED = "restored"


def followup_msgid(original: Entry) -> str:
    """Return the msgid of the record that follows a late success up: always the same, so there is never a second."""
    return f"{original.fixmedins_code}L{original.id}"


def ended_as_absent(events: Iterable[tuple[str, str]]) -> bool:
    """Say whether a row with these (state, reason) ended because the platform had nothing; not by people's decision,
    and not in a backup that was restored since: what followed is lost.
    """
    told = [*events]
    return all(reason != RESTORED for _, reason in told) and any(
        reason == "reversed_absent" or (state == "ABSENT" and not reason.startswith(("decided_", LATE)))
        for state, reason in told
    )


@attrs.frozen(kw_only=True)
class Keep:
    """Store a finished W request with its answer; nobody waits for it.

    cancels: mdtrt_id of an admission of psn_no that this request took back (2404), '' otherwise.
    """

    entry: Entry
    evidence: tuple[Evidence, ...] = ()
    answer: bytes = b""
    cancels: str = ""
    psn_no: str = ""


@attrs.frozen(kw_only=True)
class Remember:
    """Keep an institution's envelope head (JSON, no person): a reversal after a restart must carry it."""

    fixmedins_code: str
    head: str


@attrs.frozen(kw_only=True)
class Later:
    """Ask whether any institution has a later record of the same person, that may build on this one; result a bool.

    since_ms: of one that was recorded after the fact, every other record since then may be later; None = it was not.
    """

    entry: Entry
    since_ms: int | None = None


@attrs.frozen(kw_only=True)
class Settled:
    """Ask for an institution's settlements and refunds with a platform since a time (ms); result a Page, newest first.

    before: the id the page begins below, None = the newest. ids_max: how many rows of the whole journal it may pass.
    """

    fixmedins_code: str
    link: str
    since_ms: int
    before: int | None
    rows_max: int
    ids_max: int


@attrs.frozen(kw_only=True)
class Numbered:
    """Ask for an institution's settlements with a setl_id, of every platform; result a Page, at most NUMBERED_MAX."""

    fixmedins_code: str
    setl_id: str


NUMBERED_MAX = 10


@attrs.frozen(kw_only=True)
class Admitted:
    """Ask for the admission (2401) of a visit that stands; result a Page of at most one row."""

    fixmedins_code: str
    psn_no: str
    mdtrt_id: str


@attrs.frozen
class Page:
    """Some rows, newest first. before: where the next page begins, 0 when this was the last."""

    rows: tuple[Entry, ...]
    before: int


@attrs.frozen
class Kind:
    """A kind of settlement an institution has had with a platform, and the group a daily statement lists it in.

    clr_optins, clr_type: agency and kind of clearing. last_ms: when the newest was made, to a day.
    """

    infno: str
    insuplc_admdvs: str
    med_type: str
    clr_optins: str
    clr_type: str
    last_ms: int


@attrs.frozen(kw_only=True)
class Kinds:
    """Ask for the kinds of an institution's settlements with a platform since a time (ms); result a tuple of Kind."""

    fixmedins_code: str
    link: str
    since_ms: int
    rows_max: int


@attrs.frozen(kw_only=True)
class Compared:
    """Keep what RECOVERY asked a platform about an institution and what that told; the newest of each stands.

    groups: (agency, kind of clearing). theirs: rows only the agency has; unnamed: those of them without a msgid.
    """

    fixmedins_code: str
    link: str
    at_ms: int
    days: tuple[date, date]
    groups: tuple[tuple[str, str], ...]
    theirs: int
    unnamed: int


@attrs.frozen
class Reopen:
    """The platform was asked about everything since the backup this journal was restored from (RECOVERY is over)."""


Op = (
    Accept | Recall | Advance | LateAnswer | Keep | Remember | Later | Settled | Numbered | Admitted | Kinds | Compared
    | Reopen
)  # fmt: skip
OpResult = AcceptResult | bool | Page | tuple[Kind, ...] | None
READS: frozenset[type] = frozenset({Recall, Later, Settled, Numbered, Admitted, Kinds})  # cost no durable write


@attrs.frozen
class Unfinished:
    """What a start finds on the queue: its row, the record that ends with it, and the original."""

    saf: Saf
    record: Entry
    original: Entry


class StoreFull(Exception):
    """No space: the batch was rolled back. Nothing is accepted until space returns; promises are tried again."""


class StoreBroken(Exception):
    """A write or fsync failed: the page cache can no longer be trusted. The process must end (reversal.md §9)."""


class NotAccepted(Exception):
    """The journal could not make a request durable. Certainly not executed; may be repeated with the same msgid."""
