"""Decisions on cases: one person's are carried out at once, two people's when the second has approved the very content
(decision 0011; security specification §5). What follows is planned in the same transaction; the node carries it out.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import attrs

from adapters.crypto.digest import sm3
from adapters.store.books import EVERYWHERE, BooksStore
from adapters.store.books_cases import BooksCases, Case
from adapters.store.books_evidence import BooksEvidence
from adapters.store.journal_reader import NotAJournal, reading
from gateway.app.assemble import regions_of
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_snapshot import read_rows
from gateway.app.config import Config
from gateway.app.say import Outside
from gateway.books.decisions import DECISIONS, Following, NotPossible, check_answer, following, odd_one
from gateway.books.journal import COLUMNS
from gateway.books.original import STATED, choose
from gateway.core.approval import Approval, Approvals, Person
from gateway.core.booked import DiffRow
from gateway.core.ledgers import COMPONENTS

KIND = "books.case"
OPEN = ("OPEN", "PROPOSED")
SHOWN = ("oinfno", "oinfno_basis", "agency_row_sm3")  # to both people; the person's number stays inside
RECORDED = tuple(name for name in COLUMNS if name not in ("direction", "status", "delivered"))
_NEEDLESS = "只有冲正（reverse）本网关日志没有的原报文才用--oinfno：这一笔的交易日志中已有，或决定的不是冲正"
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
    now_ms: int, oinfno: str = "",
) -> Decided:  # fmt: skip
    """Decide a case, or propose it where it takes two. approvals: the security room's; oinfno: by which transaction
    the agency's record was made, where only people know. Raises NotPossible, NotAllowed, TrailFailed, OtherBooks,
    sqlite3.Error.
    """
    if not reason.strip():
        raise NotPossible("决定须写明理由")
    with opened(config) as store:
        cases, case, follows = _case(store, number, decision)
        record = _record(config, store, case, follows)
        original = _original(config, store, case, decision, oinfno)
        answer = _answer(store, case)
        check_answer(decision, case.diff.name, str(answer.get("finding", "")))
        if not follows.two:
            _carry_out(cases, case, follows, decision, reason, (person.name, ""), 0, now_ms, record, original)
            return Decided(case=number, decision=decision, carried_out=True)
        content = content_of(case, decision, reason, record, answer, original)
        proposal = approvals().propose(person, KIND, f"case:{number}", content, reason)
        if not cases.propose(case, decision, reason, person.name, proposal.id, now_ms):
            raise NotPossible(f"个案{number}已经有了决定")
        return Decided(case=number, decision=decision, carried_out=False, approval=proposal.id)


def content_of(
    case: Case, decision: str, reason: str, record: Mapping[str, str] = MappingProxyType({}),
    answer: Mapping[str, object] = MappingProxyType({}), original: Mapping[str, str] = MappingProxyType({}),
) -> bytes:  # fmt: skip
    """Return what both people see and agree on: the difference as it stands, and what is decided of it.

    record: what the gateway's ledger is to hold from now on, where that is what is decided; answer: what the agency
    said when it was asked about it; original: what is stated of a record the journal never saw.
    """
    diff = case.diff
    plain = {
        "case": case.id, "diff_id": diff.diff_id, "role": diff.role, "date": diff.biz_date, "scope": diff.scope,
        "leg": diff.leg, "class": diff.name, "row": diff.row, "setl_id": diff.setl_id, "msgid": diff.msgid,
        "component": diff.component, "left_fen": diff.left_fen, "right_fen": diff.right_fen, "decision": decision,
        "decision_text": DECISIONS[decision], "reason": reason, **({"record": dict(record)} if record else {}),
        **({"agency_answer": dict(answer)} if answer else {}), **({"said_sm3": diff.said_sm3} if diff.said_sm3 else {}),
        **{name: original[name] for name in SHOWN if name in original},
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
        record = _record(config, store, case, follows)
        original = _original(config, store, case, decision, _stated(plain))
        if content_of(case, decision, reason, record, _answer(store, case), original) != content:
            raise NotPossible(f"个案{number}在复核期间有了变化，请重新提出决定")
        _carry_out(
            cases, case, follows, decision, reason, (approval.maker, approval.checker), approval.id,
            int(outside.now() * 1000), record, original,
        )  # fmt: skip
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


def _answer(store: BooksStore, case: Case) -> dict[str, object]:
    """Return what the agency said last of the record (5203), as people decide by it; {} where it was not asked."""
    one = BooksEvidence(store.connection).newest([case.diff.diff_id]).get(case.diff.diff_id)
    return {} if one is None else {"finding": one.finding, "facts": dict(one.facts)}


def _following(case: Case, decision: str) -> Following:
    diff = case.diff
    odd = odd_one(diff.name, diff.row, diff.mode, diff.prevails)
    return following(decision, diff.leg, case.mode, diff.action, diff.msgid, diff.name, diff.row, odd, diff.note)


def _record(config: Config, store: BooksStore, case: Case, follows: Following) -> dict[str, str]:
    """Return what the gateway's ledger is to hold: what the institution and the agency have; where they differ, the
    agency. Raises NotPossible when the agency has nothing."""
    diff = case.diff
    if follows.party != "GW" or follows.kind == "VOID":
        return {}
    found: dict[str, dict[str, str]] = {}
    for ledger, row in _settlements(config, store, diff):
        found[ledger] = {name: row[name] for name in RECORDED if row.get(name)}
    if "AGY" not in found:
        raise NotPossible("经办当日账目中没有这一笔，网关账目无从补记或更正：请与经办核实")
    whole = {**found.get("INST", {}), **found["AGY"]}
    if follows.kind == "CORRECT":
        return {name: cell for name, cell in whole.items() if name in (*COMPONENTS, "psn_no", "insutype", "clr_type")}
    blank = dict.fromkeys(RECORDED, "")
    return {**blank, "setl_time": diff.biz_date, **whole, "fixmedins_code": diff.fixmedins_code}


def _same(row: Mapping[str, str], diff: DiffRow) -> bool:
    name, number = ("setl_id", diff.setl_id) if diff.setl_id else ("msgid", diff.msgid)
    return row.get(name) == number


def _stated(plain: Mapping[str, object]) -> str:
    """Return what people stated; what follows from evidence is found again."""
    return str(plain["oinfno"]) if plain.get("oinfno_basis") == STATED else ""


def _original(config: Config, store: BooksStore, case: Case, decision: str, oinfno: str) -> dict[str, str]:
    """Return what 2601 is to say of a record the journal never saw, {} where that is not the matter. Raises
    NotPossible."""
    diff = case.diff
    if decision != "reverse" or diff.leg != "L1" or _known(config, case, bool(oinfno)):
        if oinfno:
            raise NotPossible(_NEEDLESS)
        return {}
    rows = [row for ledger, row in _settlements(config, store, diff) if ledger == "AGY"]
    if len(rows) != 1 or not rows[0].get("psn_no"):
        raise NotPossible("经办当日账目中没有这个原报文的唯一一笔及其人员编号，无法冲正（2601）：请与经办核实")
    [row] = rows
    link = next((one.link for one in config.institution if one.fixmedins_code == diff.fixmedins_code), "")
    region = regions_of(config).get(link)
    if region is None:
        raise NotPossible(f"配置中没有机构{diff.fixmedins_code}的链路，无法冲正（2601）")
    chosen = choose(oinfno, row.get("clr_type", ""), region.reversible, region.statement.transactions)
    evidence = sm3(json.dumps(row, ensure_ascii=False, sort_keys=True).encode()).hex()
    return {
        "oinfno": chosen.oinfno, "oinfno_basis": chosen.basis, "agency_row_sm3": evidence, "psn_no": row["psn_no"],
        "link": link, "medfee_sumamt": row.get("medfee_sumamt", ""), "clr_type": row.get("clr_type", ""),
        "clr_optins": row.get("clr_optins", ""),
    }  # fmt: skip


def _settlements(config: Config, store: BooksStore, diff: DiffRow) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (ledger, row) of a record in the newest files of its day, institution's and agency's; refunds apart."""
    for one in store.inputs(diff.biz_date):
        if one.ledger in ("INST", "AGY") and one.scope in (diff.scope, EVERYWHERE):
            for row in read_rows(config.path(config.node.data_dir) / one.path):
                if _same(row, diff) and row.get("direction") != "1":
                    yield one.ledger, dict(row)


def _known(config: Config, case: Case, stated: bool) -> bool:
    """Say whether the journal knows by which transaction a record was made: 2601 wants it (oinfno), and no row of 3202
    has it. Where no journal can be read, the node says so when it carries the action out.

    stated: people name one. What the journal only has by their word (EXTERNAL) they may state anew.
    """
    try:
        with reading(config.journal) as journal:
            rows = journal.rows(case.diff.fixmedins_code, case.diff.msgid, limit=1)
    except NotAJournal:
        return True
    return any(one.infno and not (stated and one.state == "EXTERNAL") for one in rows)


def _carry_out(
    cases: BooksCases, case: Case, follows: Following, decision: str, reason: str, people: tuple[str, str],
    approval: int, now_ms: int, record: Mapping[str, str], original: Mapping[str, str],
) -> None:  # fmt: skip
    diff, action = case.diff, None
    if follows.kind:
        attempt = cases.attempts(diff.diff_id, follows.kind) + 1
        number = sm3(f"{diff.diff_id}|{follows.kind}|{attempt}".encode()).hex()[:32]
        words: dict[str, object] = {
            "leg": diff.leg, "class": diff.name, "row": diff.row, "setl_id": diff.setl_id, "msgid": diff.msgid,
            "fixmedins_code": diff.fixmedins_code, "component": diff.component, "left_fen": diff.left_fen,
            "right_fen": diff.right_fen, "prevails": diff.prevails, "reason": reason,
            **({"record": dict(record)} if record else {}), **({"original": dict(original)} if original else {}),
        }  # fmt: skip
        action = (number, follows.kind, follows.party, words)
    maker, checker = people
    if not cases.decide(case, decision, reason, maker, approval, follows.diff_state, action, now_ms, checker):
        raise NotPossible(f"个案{case.id}已经有了决定")


@contextmanager
def opened(config: Config) -> Iterator[BooksStore]:
    """Open the store for a command."""
    store = BooksStore.open(config.room("books"), SCRIPTS)
    try:
        yield store
    finally:
        store.close()
