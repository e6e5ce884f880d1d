"""Decisions on cases: one person's are carried out at once, two people's when the second has approved the very content
(decision 0011; security specification §5). What follows is planned in the same transaction; the node carries it out.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs

from adapters.crypto.digest import sm3
from adapters.store.books import BooksStore
from adapters.store.books_cases import BooksCases, Case
from gateway.app.books_shelf import SCRIPTS
from gateway.app.config import Config
from gateway.app.say import Outside
from gateway.books.decisions import DECISIONS, Following, NotPossible, following
from gateway.core.approval import Approval, Approvals, Person

KIND = "books.case"
OPEN = ("OPEN", "PROPOSED")
_FROZEN = "该日已固化，须先由两人重新打开"


@attrs.frozen(kw_only=True)
class Decided:
    """What came of a decision. approval: its number where two people are needed, else 0."""

    case: int
    decision: str
    carried_out: bool
    approval: int = 0


def decide(
    config: Config, number: int, decision: str, reason: str, person: Person, approvals: Callable[[], Approvals],
    now_ms: int,
) -> Decided:  # fmt: skip
    """Decide a case, or propose it where it takes two. approvals: the security room's. Raises NotPossible, NotAllowed,
    TrailFailed, OtherBooks, sqlite3.Error.
    """
    if not reason.strip():
        raise NotPossible("决定须写明理由")
    with opened(config) as store:
        cases, case, follows = _case(store, number, decision)
        if not follows.two:
            _carry_out(cases, case, follows, decision, reason, person.name, 0, now_ms)
            return Decided(case=number, decision=decision, carried_out=True)
        content = content_of(case, decision, reason)
        proposal = approvals().propose(person, KIND, f"case:{number}", content, reason)
        if not cases.propose(case, decision, reason, person.name, proposal.id, now_ms):
            raise NotPossible(f"个案{number}已经有了决定")
        return Decided(case=number, decision=decision, carried_out=False, approval=proposal.id)


def content_of(case: Case, decision: str, reason: str) -> bytes:
    """Return what both people see and agree on: the difference as it stands, and what is decided of it."""
    diff = case.diff
    plain = {
        "case": case.id, "diff_id": diff.diff_id, "role": diff.role, "date": diff.biz_date, "scope": diff.scope,
        "leg": diff.leg, "class": diff.name, "row": diff.row, "setl_id": diff.setl_id, "msgid": diff.msgid,
        "component": diff.component, "left_fen": diff.left_fen, "right_fen": diff.right_fen, "decision": decision,
        "decision_text": DECISIONS[decision], "reason": reason,
    }  # fmt: skip
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, indent=1).encode()


def carry_out(config: Config, approval: Approval, content: bytes, outside: Outside) -> str | None:
    """The executor of `books.case` (gateway.app.approving). Raises NotPossible when the case is not what both saw."""
    plain = json.loads(content)
    number, decision, reason = int(plain["case"]), str(plain["decision"]), str(plain["reason"])
    with opened(config) as store:
        known = BooksCases(store.connection).case(number)
        if known is not None and known.state in ("DECIDED", "CLOSED") and known.approval == approval.id:
            return f"个案{number}的决定已执行过"
        cases, case, follows = _case(store, number, decision)
        if content_of(case, decision, reason) != content:
            raise NotPossible(f"个案{number}在复核期间有了变化，请重新提出决定")
        _carry_out(cases, case, follows, decision, reason, approval.maker, approval.id, int(outside.now() * 1000))
    text = "，由节点在下一次对账时执行" if follows.kind else ""
    return f"个案{number}：{DECISIONS[decision]}{text}"


def _case(store: BooksStore, number: int, decision: str) -> tuple[BooksCases, Case, Following]:
    cases = BooksCases(store.connection)
    case = cases.case(number)
    if case is None:
        raise NotPossible(f"没有个案{number}")
    if case.state not in OPEN:
        raise NotPossible(f"个案{number}已经有了决定")
    days = store.days(case.diff.biz_date, case.diff.biz_date, case.diff.role)
    if any(one.state == "FROZEN" and one.scope in (case.diff.scope, "*") for one in days):
        raise NotPossible(_FROZEN)
    return cases, case, _following(case, decision)


def _following(case: Case, decision: str) -> Following:
    diff = case.diff
    return following(decision, diff.leg, case.mode, diff.action, diff.msgid, diff.name)


def _carry_out(
    cases: BooksCases, case: Case, follows: Following, decision: str, reason: str, maker: str, approval: int,
    now_ms: int,
) -> None:  # fmt: skip
    diff, action = case.diff, None
    if follows.kind:
        attempt = cases.attempts(diff.diff_id, follows.kind) + 1
        number = sm3(f"{diff.diff_id}|{follows.kind}|{attempt}".encode()).hex()[:32]
        words = {
            "leg": diff.leg, "class": diff.name, "row": diff.row, "setl_id": diff.setl_id, "msgid": diff.msgid,
            "fixmedins_code": diff.fixmedins_code, "component": diff.component, "left_fen": diff.left_fen,
            "right_fen": diff.right_fen, "prevails": diff.prevails, "reason": reason,
        }  # fmt: skip
        action = (number, follows.kind, follows.party, words)
    if not cases.decide(case, decision, reason, maker, approval, follows.diff_state, action, now_ms):
        raise NotPossible(f"个案{case.id}已经有了决定")


@contextmanager
def opened(config: Config) -> Iterator[BooksStore]:
    """Open the store for a command."""
    store = BooksStore.open(config.room("books"), SCRIPTS)
    try:
        yield store
    finally:
        store.close()
