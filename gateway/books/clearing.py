"""The life of one clearing application (reconciliation §7.1, annex B19): every state and input on one page, and guards.

`step` decides; whoever calls it stores the input and the new state together, and only then sends anything. What may not
happen is refused with a stable code. IN_DOUBT is never left by sending again: only by asking (FOUND, ABSENT).
"""

from collections.abc import Mapping, Sequence
from enum import Enum

import attrs

from gateway.books.freezing import FUND_PARTS, Objection
from gateway.core.province import FundStatus


class State(Enum):
    DRAFT = "DRAFT"
    CHECKED = "CHECKED"
    APPROVED = "APPROVED"
    SUBMITTING = "SUBMITTING"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    RETURNED = "RETURNED"
    AUDITED = "AUDITED"
    DISPUTED = "DISPUTED"
    CONFIRMED = "CONFIRMED"
    DISBURSED = "DISBURSED"
    CLOSED = "CLOSED"
    WITHDRAWING = "WITHDRAWING"
    WITHDRAWN = "WITHDRAWN"
    IN_DOUBT = "IN_DOUBT"


class Input(Enum):
    CHECK = "check"  # its sums were compared with the frozen days
    APPROVE = "approve"  # two persons
    DISCARD = "discard"  # a person gives it up before it was sent
    SUBMIT = "submit"  # it is about to be sent (3203)
    ENTER = "enter"  # a person entered it on the agency's platform and brings its number
    ANSWERED = "answered"  # a success was read
    REFUSED = "refused"  # the platform said no
    NOT_SENT = "not_sent"  # certainly never arrived
    SILENT = "silent"  # no readable answer
    FOUND = "found"  # asked (3205A): it is there
    ABSENT = "absent"  # asked: it is certainly not there
    WITHDRAW = "withdraw"  # two persons; about to be sent (3204)
    ACCEPT = "accept"  # the platform's states, as `read_status` understands them
    RETURN = "return"
    AUDIT = "audit"
    DISPUTE = "dispute"  # an appeal was made
    SETTLE = "settle"  # the last appeal was decided
    CONFIRM = "confirm"  # the institution agrees with the audit; never what a platform says
    CLEARED = "cleared"  # the platform says that it has cleared
    DISBURSE = "disburse"
    CLOSE = "close"


_S, _I = State, Input
# Where an input leads; what is not here is refused. IN_DOUBT leads to where the interrupted action began or went.
TABLE: Mapping[tuple[State, Input], State] = {
    (_S.DRAFT, _I.CHECK): _S.CHECKED,
    (_S.DRAFT, _I.DISCARD): _S.WITHDRAWN,
    (_S.CHECKED, _I.CHECK): _S.CHECKED,
    (_S.CHECKED, _I.APPROVE): _S.APPROVED,
    (_S.CHECKED, _I.DISCARD): _S.WITHDRAWN,
    (_S.APPROVED, _I.SUBMIT): _S.SUBMITTING,
    (_S.APPROVED, _I.ENTER): _S.SUBMITTED,
    (_S.APPROVED, _I.DISCARD): _S.WITHDRAWN,
    (_S.SUBMITTING, _I.ANSWERED): _S.SUBMITTED,
    (_S.SUBMITTING, _I.REFUSED): _S.APPROVED,
    (_S.SUBMITTING, _I.NOT_SENT): _S.APPROVED,
    (_S.SUBMITTING, _I.SILENT): _S.IN_DOUBT,
    (_S.WITHDRAWING, _I.ANSWERED): _S.WITHDRAWN,
    (_S.WITHDRAWING, _I.REFUSED): _S.SUBMITTED,
    (_S.WITHDRAWING, _I.NOT_SENT): _S.SUBMITTED,
    (_S.WITHDRAWING, _I.SILENT): _S.IN_DOUBT,
    (_S.IN_DOUBT, _I.FOUND): _S.SUBMITTED,
    (_S.IN_DOUBT, _I.ABSENT): _S.APPROVED,  # of a submission; of a withdrawal: WITHDRAWN
    (_S.IN_DOUBT, _I.SILENT): _S.IN_DOUBT,
    (_S.SUBMITTED, _I.WITHDRAW): _S.WITHDRAWING,
    (_S.SUBMITTED, _I.ACCEPT): _S.ACCEPTED,
    (_S.SUBMITTED, _I.RETURN): _S.RETURNED,
    (_S.SUBMITTED, _I.AUDIT): _S.AUDITED,
    (_S.ACCEPTED, _I.ACCEPT): _S.ACCEPTED,
    (_S.ACCEPTED, _I.WITHDRAW): _S.WITHDRAWING,
    (_S.ACCEPTED, _I.RETURN): _S.RETURNED,
    (_S.ACCEPTED, _I.AUDIT): _S.AUDITED,
    (_S.AUDITED, _I.AUDIT): _S.AUDITED,
    (_S.AUDITED, _I.RETURN): _S.RETURNED,
    (_S.AUDITED, _I.DISPUTE): _S.DISPUTED,
    (_S.AUDITED, _I.CONFIRM): _S.CONFIRMED,
    (_S.DISPUTED, _I.DISPUTE): _S.DISPUTED,
    (_S.DISPUTED, _I.AUDIT): _S.DISPUTED,
    (_S.DISPUTED, _I.SETTLE): _S.AUDITED,
    (_S.AUDITED, _I.CLEARED): _S.AUDITED,  # heard and kept in mind: it is the institution that confirms
    (_S.DISPUTED, _I.CLEARED): _S.DISPUTED,
    (_S.CONFIRMED, _I.DISBURSE): _S.DISBURSED,
    (_S.DISBURSED, _I.CLOSE): _S.CLOSED,
}
# What may be asked for again and again without anything happening (polls, late answers).
QUIET = {
    (_S.SUBMITTED, _I.FOUND), (_S.ACCEPTED, _I.FOUND), (_S.AUDITED, _I.ACCEPT), (_S.CONFIRMED, _I.AUDIT),
    (_S.CONFIRMED, _I.ACCEPT), (_S.DISBURSED, _I.DISBURSE), (_S.DISPUTED, _I.ACCEPT), (_S.CONFIRMED, _I.CLEARED),
    (_S.DISBURSED, _I.CLEARED),
}  # fmt: skip
FUNDS = (*FUND_PARTS, "fund_pay_sumamt", "acct_pay")  # fund_pay_sumamt: what no part carries
Fens = Mapping[str, int]


@attrs.frozen(kw_only=True)
class Audit:
    """What the audit came to, by fund, fen. deducted, withheld: of deductions (`gateway.books.deductions`)."""

    approved: Fens = attrs.field(factory=dict)
    deducted: Fens = attrs.field(factory=dict)
    withheld: Fens = attrs.field(factory=dict)
    deposit: Fens = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Facts:
    """What guards ask. Everything is empty where an input does not need it.

    missing: days not frozen, or frozen anew since; unconsented: days to which a party has not consented;
    consent_faults: consents that do not count (texts); sums: what does not fit (texts); maker, checker, reconcilers:
    persons; approved: two persons approved exactly this content; stored: it rests on disk under its idempotency key;
    event_id: clr_appy_evt_id; open_deductions: NOTIFIED or APPEALED; unmatched: deductions that point at nothing
    frozen; paid, earlier: fen (B19); manual: the platform is told by a person; was: the state a withdrawal began in.
    """

    missing: Sequence[str] = ()
    unconsented: Sequence[str] = ()
    consent_faults: Sequence[str] = ()
    sums: Sequence[str] = ()
    maker: str = ""
    checker: str = ""
    reconcilers: frozenset[str] = frozenset()
    approved: bool = False
    stored: bool = False
    manual: bool = False
    event_id: str = ""
    clr_stas: int = 0
    audited_from: int = 40
    applied: Fens = attrs.field(factory=dict)
    audit: Audit | None = None
    open_deductions: int = 0
    unmatched: int = 0
    paid: int | None = None
    earlier: int = 0
    was: State = State.SUBMITTED


class Refused(Exception):
    """The application stays as it is. objections: every reason."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__("；".join(f"[{one.code}] {one.text}" for one in objections))
        self.objections = tuple(objections)


def step(state: State, doubt: str, given: Input, facts: Facts) -> tuple[State, str]:
    """Return (new state, what is in doubt: '', submit or withdraw). Raises Refused."""
    if (state, given) in QUIET:
        return state, doubt
    new = TABLE.get((state, given))
    if new is None:
        raise Refused([Objection("BM-STATE", f"申请处于{state.value}，不能{TITLES[given]}")])
    if found := _objections(state, given, facts):
        raise Refused(found)
    if new is State.SUBMITTED and "withdraw" in (doubt, _doubt(state)):  # it came to nothing: as if never begun
        return facts.was, ""
    if state is State.IN_DOUBT:
        if given is Input.ABSENT and doubt == "withdraw":
            return State.WITHDRAWN, ""
        return new, doubt if new is State.IN_DOUBT else ""
    if new is State.IN_DOUBT:
        return new, _doubt(state)
    return new, ""


def _doubt(state: State) -> str:
    """Return what is in doubt when no answer comes in a state."""
    return {State.SUBMITTING: "submit", State.WITHDRAWING: "withdraw"}.get(state, "")


def lifts(state: State, given: Input) -> bool:
    """Whether an input leads from a state to another one."""
    return TABLE.get((state, given), state) is not state


def unconfirmed(state: State, given: Input) -> bool:
    """Whether the platform says cleared or disbursed while the institution has not agreed with the audit (§7.1)."""
    return given in (Input.CLEARED, Input.DISBURSE) and state in (
        State.SUBMITTED, State.ACCEPTED, State.AUDITED, State.DISPUTED,
    )  # fmt: skip


TITLES: Mapping[Input, str] = {
    _I.CHECK: "核对", _I.APPROVE: "审批", _I.DISCARD: "作废", _I.SUBMIT: "申报", _I.ENTER: "登记申报号",
    _I.ANSWERED: "收到应答", _I.REFUSED: "被拒绝", _I.NOT_SENT: "未发出", _I.SILENT: "应答丢失", _I.FOUND: "查到",
    _I.ABSENT: "查无", _I.WITHDRAW: "撤回", _I.ACCEPT: "受理", _I.RETURN: "退回", _I.AUDIT: "登记审核结果",
    _I.DISPUTE: "申诉", _I.SETTLE: "了结申诉", _I.CONFIRM: "确认",
    _I.CLEARED: "听平台称已清算", _I.DISBURSE: "拨付", _I.CLOSE: "结案",
}  # fmt: skip


def _objections(state: State, given: Input, facts: Facts) -> list[Objection]:
    guard = _GUARDS.get(given)
    return guard(state, facts) if guard is not None else []


def _check(state: State, facts: Facts) -> list[Objection]:
    found = [Objection("BM-DAY", f"{day}没有固化，或固化后又重开过：请先固化并重新生成申请") for day in facts.missing]
    found += [Objection("BM-CONSENT", f"{day}的固化没有双方确认（books consent）") for day in facts.unconsented]
    found += [Objection("BM-CONSENT", text) for text in facts.consent_faults]
    found += [Objection("BM-SUM", text) for text in facts.sums]
    return found


def _approve(state: State, facts: Facts) -> list[Objection]:
    found = []
    if not facts.approved:
        found.append(Objection("BM-TWO", "须由两人：一人提出，另一人核准同一内容"))
    if facts.maker == facts.checker:
        found.append(Objection("BM-SAME", "编制人和审核人必须是两个人"))
    for person in sorted({facts.maker, facts.checker} & facts.reconcilers):
        found.append(Objection("BM-DUTY", f"{person}参与了本月对账，不得编制或审核本月清算申请"))
    return found


def _submit(state: State, facts: Facts) -> list[Objection]:
    found = []
    if facts.manual:
        found.append(Objection("BM-MANUAL", "本地区不经接口申报：请在两定平台录入后用 month enter 登记申报号"))
    if not facts.stored:
        found.append(Objection("BM-STORED", "申请没有以幂等号落盘，不得发送"))
    return found + _check(state, facts)


def _event(state: State, facts: Facts) -> list[Objection]:
    if facts.event_id or state is State.WITHDRAWING:
        return []
    return [Objection("BM-EVENT", "没有清算申请事件号（clr_appy_evt_id），不能视为已申报")]


def _withdraw(state: State, facts: Facts) -> list[Objection]:
    found = []
    if not facts.approved or facts.maker == facts.checker:
        found.append(Objection("BM-TWO", "撤回须由两人：一人提出，另一人核准"))
    if facts.clr_stas >= facts.audited_from:
        found.append(Objection("BM-AUDITED", "平台已审核完成，不能撤回"))
    return found


def _audit(state: State, facts: Facts) -> list[Objection]:
    if facts.unmatched:
        return [Objection("BM-DEDUCT", f"{facts.unmatched}条扣款没有对应到固化记录，审核结果不采用")]
    return []


def _confirm(state: State, facts: Facts) -> list[Objection]:
    if facts.audit is None:
        return [Objection("BM-AUDIT", "还没有审核结果，不能确认")]
    if facts.open_deductions:
        text = f"还有{facts.open_deductions}条扣款未表态或在申诉中，不能确认"
        return [Objection("BM-OPEN", text)]
    return identity_faults(facts.applied, facts.audit)


def identity_faults(applied: Fens, audit: Audit) -> list[Objection]:
    """Return the funds for which applied = approved + deducted + withheld + deposit does not hold, to the fen (B19)."""
    found = []
    parts = (audit.approved, audit.deducted, audit.withheld, audit.deposit)
    for fund in sorted({*applied, *(name for part in parts for name in part)}):
        left, right = applied.get(fund, 0), sum(part.get(fund, 0) for part in parts)
        if left != right:
            text = f"{fund}：申报{left}分，核准、扣款、暂扣、保证金合计{right}分，相差{left - right}分"
            found.append(Objection("BM-FUND", text))
    return found


def told_faults(applied: Fens, told: Mapping[str, FundStatus], totals: FundStatus, found: Audit) -> list[str]:
    """Return where what a party tells by fund is not what we applied for, does not add up, or contradicts its totals or
    its deductions: then nothing of it is used (§7.1, B19). found: of its deductions. Personal accounts stand in no
    total."""
    texts = []
    for fund in sorted({*applied, *told, *found.deducted, *found.withheld}):
        one = told.get(fund)
        if fund not in FUNDS or one is None:
            texts.append(f"{fund}：{'不认识的基金' if fund not in FUNDS else '没有审核金额'}")
            continue
        parts = one.approved_fen + one.deducted_fen + one.withheld_fen + one.deposit_fen
        for title, left, right in (
            ("申报与本申请", one.applied_fen, applied.get(fund, 0)),
            ("申报与核定、扣款、暂扣、保证金合计", one.applied_fen, parts),
            ("扣款与其明细", one.deducted_fen, found.deducted.get(fund, 0)),
            ("暂扣与其明细", one.withheld_fen, found.withheld.get(fund, 0)),
        ):  # fmt: skip
            if left != right:
                texts.append(f"{fund}：{title}不符，{left}分和{right}分")
    for field, title in _TOTALS.items():
        left = sum(getattr(one, field) for fund, one in told.items() if fund != "acct_pay")
        if left != getattr(totals, field):
            texts.append(f"各基金{title}合计{left}分，总额{getattr(totals, field)}分")
    return texts


_TOTALS = {"applied_fen": "申报", "approved_fen": "核定", "deposit_fen": "保证金"}


def _disburse(state: State, facts: Facts) -> list[Objection]:
    if facts.paid is None or facts.audit is None:
        return [Objection("BM-PAID", "没有拨付金额")]
    due = sum(facts.audit.approved.values()) + facts.earlier
    if facts.paid != due:
        text = f"拨付{facts.paid}分，应为核准加以前月份调整{due}分，相差{facts.paid - due}分"
        return [Objection("BM-PAID", text)]
    return identity_faults(facts.applied, facts.audit)


_GUARDS = {
    Input.CHECK: _check, Input.APPROVE: _approve, Input.SUBMIT: _submit, Input.ANSWERED: _event, Input.FOUND: _event,
    Input.ENTER: _event, Input.WITHDRAW: _withdraw, Input.AUDIT: _audit, Input.CONFIRM: _confirm,
    Input.DISBURSE: _disburse,
}  # fmt: skip


# --- what the platform says (clr_stas) -------------------------------------------------------------

# What a clr_stas may mean: what people decide is none of it.
SAID = frozenset({Input.FOUND, Input.ACCEPT, Input.RETURN, Input.AUDIT, Input.CLEARED, Input.DISBURSE})


@attrs.frozen
class Heard:
    """A clr_stas read. input: what follows, or None; alarm: what a person must be told, or ''."""

    input: Input | None
    number: int
    alarm: str = ""


def read_status(value: str, before: int, meanings: Mapping[str, str]) -> Heard:
    """Read a status. meanings: clr_stas -> input's word, or '' (nothing follows). before: the number heard last.

    Unknown: keep the state, alarm. Backwards: a case, and nothing follows (§7.1).
    """
    text = value.strip()
    meaning = meanings.get(text)
    if meaning is None or not text.isdigit():
        return Heard(None, before, f"平台的清算状态{text or '为空'}不在对照表中，申请状态不变，请核实")
    number = int(text)
    if number < before:
        return Heard(None, before, f"平台的清算状态由{before}退回到{number}，已立案，请核实原因")
    return Heard(Input(meaning) if meaning else None, number)
