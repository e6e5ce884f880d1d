"""`liangding books cases|decide`: what waits for people, and what they decide of it."""

import click

from gateway.app.acting import Credentials, acting, told, waits
from gateway.app.books_deciding import OPEN, Decided, decide, opened
from gateway.app.books_rules import rules
from gateway.app.codes_say import explained
from gateway.app.day_words import ANSWERS
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.app.security_desk import security_desk
from gateway.books.decisions import DECISIONS, NotPossible
from gateway.books.report import words_about
from gateway.core.booked import DiffRow, InquiryRow
from gateway.core.dates import is_date, shanghai
from gateway.core.money import yuan

SHOWN = 200


@click.command("cases", help="待人处理的差异：一人确认，或两人（经办、复核）")
@click.argument("config", type=click.Path())
@click.option("--date", "day", default="", help="业务日期，yyyy-MM-dd")
@click.option("--all", "everything", is_flag=True, help="已有决定的也列出")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def cases_command(outside: Outside, config: str, day: str, everything: bool, as_json: bool) -> None:
    settings = load(config, as_json)
    if day and not is_date(day):
        end(USAGE, f"日期应为yyyy-MM-dd：{day}", as_json=as_json)
    states = (*OPEN, "DECIDED", "CLOSED") if everything else OPEN
    from adapters.store.books_cases import BooksCases, Case  # with the store, only when it is opened
    from adapters.store.books_evidence import BooksEvidence

    found: list[Case] = []
    asked: dict[str, InquiryRow] = {}
    if settings.room("books").exists():  # looking makes no store
        with explained(as_json), opened(settings) as store:
            found = BooksCases(store.connection).cases(states, day)
            asked = BooksEvidence(store.connection).newest([one.diff.diff_id for one in found])
    rows = [
        {
            "case": one.id, "date": one.diff.biz_date, "scope": one.diff.scope, "leg": one.diff.leg,
            "class": one.diff.name, "row": one.diff.row, "mode": one.mode, "state": one.state,
            "setl_id": one.diff.setl_id, "msgid": one.diff.msgid, "component": one.diff.component,
            "left_amt": _yuan(one.diff.left_fen), "right_amt": _yuan(one.diff.right_fen), "prevails": one.diff.prevails,
            "note": one.diff.note, **_todo(one.diff, asked.get(one.diff.diff_id)), "decision": one.decision,
            "reason": one.reason, "maker": one.maker,
            "approval": one.approval, "until": f"{shanghai(one.until_ms / 1000):%Y-%m-%d %H:%M}",
        }
        for one in found
    ]  # fmt: skip
    lines = [
        f"{row['case']:>5}  {row['date']}  {row['scope']}  {row['class']}{row['row'] and '/'}{row['row']}  "
        f"{row['setl_id'] or row['msgid']}  {'两人' if row['mode'] == 'TWO' else '一人'}  期限{row['until']}"
        f"{'  已提出' + str(DECISIONS[str(row['decision'])]) if row['decision'] else ''}"
        for row in rows[:SHOWN]
    ]
    lines = [part for row, line in zip(rows, lines, strict=False) for part in (line, *_said(row))]
    show({"cases": rows, "count": len(rows)}, [*lines, f"共{len(rows)}件"], as_json)
    raise SystemExit(FINDINGS if rows and not everything else DONE)


def _todo(diff: DiffRow, one: InquiryRow | None) -> dict[str, object]:
    """Return what people are told to do, and what the agency said when it was asked about the record (5203)."""

    if one is None:
        return {"todo": words_about(diff, rules())[1], "agency": None}
    answered = f"{shanghai(one.answered_ms / 1000):%Y-%m-%d %H:%M:%S}" if one.answered_ms else ""
    facts = {name: yuan(value) if isinstance(value, int) else value for name, value in one.facts.items()}
    agency = {
        "finding": one.finding, "said": ANSWERS[one.finding], "revision": one.revision,
        "asked": f"{shanghai(one.asked_ms / 1000):%Y-%m-%d %H:%M:%S}", "answered": answered, "facts": facts,
        "answer_sm3": one.answer_sm3,
    }  # fmt: skip
    return {"todo": words_about(diff, rules(), one.finding)[1], "agency": agency}


def _said(row: dict[str, object]) -> list[str]:
    return [f"       {row['todo']}"] if row["agency"] else []


def _yuan(fen: int | None) -> str:
    return "" if fen is None else yuan(fen)


@click.command("decide", help="对个案作出决定；须两人的，提出后由另一人批准（liangding security approvals）")
@click.argument("config", type=click.Path())
@click.argument("case", type=click.IntRange(min=1))
@click.option("--decision", required=True, type=click.Choice(sorted(DECISIONS)), help="决定")
@click.option("--reason", required=True, help="理由，记入审计")
@click.option("--oinfno", default="", help="冲正本网关日志没有的原报文：它是哪个交易，两人核实后写明，如2207")
@acting
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def decide_command(
    outside: Outside, config: str, case: int, decision: str, reason: str, oinfno: str, as_json: bool,
    credentials: Credentials,
) -> None:  # fmt: skip
    settings = load(config, as_json)
    with told(as_json), explained(as_json), security_desk(settings, outside.now, outside.entropy) as desk:
        person = credentials.person(desk)
        desk.allow(person, "books.decide")
        try:
            done: Decided = decide(
                settings, case, decision, reason, person, lambda: desk.approvals, int(outside.now() * 1000), oinfno
            )
        except NotPossible as cause:
            desk.trail.record(person.name, "books.decide", f"case:{case}", reason=reason, result="refused")
            end(FAILED, str(cause), as_json=as_json)
        state = "carried_out" if done.carried_out else "proposed"
        desk.trail.record(
            person.name, "books.decide", f"case:{case}", after=f"{decision} {state}", reason=reason,
            approval=done.approval,
        )  # fmt: skip
    text = f"个案{case}：{DECISIONS[decision]}"
    rest = "，已执行" if done.carried_out else f"，已提出，待另一人批准：{waits(settings, done.approval)}"
    plain = {
        "case": case, "decision": decision, "carried_out": done.carried_out, "approval": done.approval,
    }  # fmt: skip
    show(plain, [text + rest], as_json)
