"""What the books room keeps of a day, as plain rows: for whoever tells people about it (schemas/migrations/books).

Words stay as the tables have them; nothing here decides. Times are milliseconds since the epoch, money is fen.
"""

from collections.abc import Mapping

import attrs

VANISHED = "vanished"  # receipt of an action that was planned for a difference the next run did not find
REPLACED = "replaced"  # of one that was planned and had not left when people decided otherwise
DROPPED = (VANISHED, REPLACED)


@attrs.frozen(kw_only=True)
class DayRow:
    """One day of one container. scope: fixmedins_code for leg L1, `*` for the city's legs."""

    role: str
    scope: str
    biz_date: str
    state: str
    revision: int
    changed_ms: int
    note: str = ""


@attrs.frozen(kw_only=True)
class InputRow:
    """One ledger file a run compared. sums: component -> fen of the whole file; path: below the data directory."""

    id: int
    ledger: str
    scope: str
    biz_date: str
    source: str
    sm3: str
    rows: int
    complete: bool
    sums: Mapping[str, int]
    path: str
    who: str
    at_ms: int


@attrs.frozen(kw_only=True)
class RunRow:
    """The newest evaluation of a day. sums: ledger -> component -> fen of the rows dated that day (annex B17)."""

    run_id: str
    revision: int
    at_ms: int
    agreed: bool
    keys: int
    sums: Mapping[str, Mapping[str, int]]


@attrs.frozen(kw_only=True)
class DiffRow:
    """One line of differences.csv and where it stands. state: OPEN, WAIT, RESOLVED, VANISHED, CARRIED; said_sm3: SM3 in
    hex of all that the ledgers say of the record, None = not known."""

    diff_id: str
    role: str
    scope: str
    biz_date: str
    leg: str
    name: str
    row: str
    mode: str
    action: str
    prevails: str
    setl_id: str
    msgid: str
    fixmedins_code: str
    component: str
    left_fen: int | None
    right_fen: int | None
    note: str
    agreed: bool
    first_revision: int
    last_revision: int
    state: str
    changed_ms: int
    said_sm3: str | None = None


@attrs.frozen(kw_only=True)
class ActionRow:
    """Something sent to a party. state: PLANNED, SENT, DONE, FAILED, IN_DOUBT."""

    action_id: str
    diff_id: str
    kind: str
    attempt: int
    party: str
    state: str
    receipt: str
    approval: int
    created_ms: int
    changed_ms: int


@attrs.frozen(kw_only=True)
class CaseRow:
    """A difference that needs people. mode: ONE, TWO; state: OPEN, PROPOSED, DECIDED, CLOSED."""

    id: int
    diff_id: str
    mode: str
    state: str
    decision: str
    reason: str
    maker: str
    approval: int
    opened_ms: int
    until_ms: int
    changed_ms: int


@attrs.frozen(kw_only=True)
class InquiryRow:
    """What the agency was asked about a difference, and said (5203). revision: of the run that asked; finding: a word
    of `gateway.books.inquiring`; facts: of the record it has, amounts in fen; answer_sm3: of the whole answer."""

    diff_id: str
    revision: int
    asked_ms: int
    answered_ms: int
    finding: str
    facts: Mapping[str, str | int]
    answer_sm3: str


@attrs.frozen(kw_only=True)
class Item:
    """A difference with what is being done about it. actions: oldest first; inquiry: the newest."""

    diff: DiffRow
    actions: tuple[ActionRow, ...] = ()
    case: CaseRow | None = None
    inquiry: InquiryRow | None = None


@attrs.frozen(kw_only=True)
class FreezeRow:
    """One solidified day (§6.5). consents: party -> (who, at_ms); reopened: it is in force no more."""

    id: int
    scope: str
    biz_date: str
    rows: int
    freeze_sm3: str
    maker: str
    checker: str
    approval: int
    at_ms: int
    reopened: bool
    consents: Mapping[str, tuple[str, int]]


@attrs.frozen(kw_only=True, eq=False)
class Correction:
    """What people decided of a record of the gateway's own ledger. kind: VOID, BOOK, CORRECT; record: the cells that
    hold from now on, of the last two."""

    kind: str
    fixmedins_code: str
    setl_id: str
    msgid: str
    record: Mapping[str, str] = attrs.Factory(dict)
