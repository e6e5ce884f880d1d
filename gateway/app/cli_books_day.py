"""`liangding books hand-in|day|status`: files in, an order to the running node, and where every day stands."""

from collections.abc import Mapping
from pathlib import Path

import click

from adapters.ledgers.source import LedgerRefused
from adapters.store.books import BooksStore, OtherBooks
from adapters.store.books_cases import BooksCases
from adapters.store.codes_orders import OrdersStore
from gateway.app.acting import Credentials, acting, told
from gateway.app.books_handin import MARKED, DayAhead, DayFrozen, WrongMarker, hand_in, marker_beside, marker_of
from gateway.app.books_people import INPUT, RUN, by_people
from gateway.app.books_rules import rules
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_snapshot import scope_of
from gateway.app.codes_say import explained
from gateway.app.orders_wait import order_and_wait
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.core.dates import is_date
from gateway.core.ledgers import NAMES
from gateway.core.money import yuan

KIND = "day"
EVERYWHERE = "*"
STATES = {
    "OPEN": "未开始", "COLLECTING": "业务日未结束", "WAIT_INPUT": "等待账目", "L1_DIFF": "第1段有差异",
    "L1_AGREED": "第1段已平", "L2_DIFF": "第2段有差异", "L4_DIFF": "第4段有差异",
    "AGREED": "账平", "AGREED_WITH_CARRY": "账平（有结转）",
    "FROZEN": "已固化", "REOPENED": "已重开",
}  # fmt: skip
AGREED = ("AGREED", "AGREED_WITH_CARRY", "FROZEN")
SHOWN = 20


@click.command("hand-in", help="交账：把一方一日的账目文件（CSV）交给网关，以日终标志封账")
@click.argument("config", type=click.Path())
@click.argument("institution")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--date", "day", required=True, help="账目日期，yyyy-MM-dd")
@click.option("--ledger", default="INST", type=click.Choice(["INST", "AGY", "PROV", "INS"]), help="哪一方的账")
@click.option("--role", type=click.Choice(["care", "insured"]), default="care", help="全市一份的账是哪一角色的")
@click.option("--rows", type=int, help="日终标志：行数；没有日终标志的文件只作不完整的账")
@click.option("--medfee", help="日终标志：医疗费总额合计（元）")
@click.option("--fund", help="日终标志：基金支付总额合计（元）")
@click.option("--total", "totals", multiple=True, metavar="NAME=元", help="日终标志：其他金额合计，可重复")
@click.option("--operator", default="", help="经办人；默认为系统账号")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@acting
@click.pass_obj
def hand_in_command(
    outside: Outside, config: str, institution: str, file: Path, day: str, ledger: str, role: str, rows: int | None,
    medfee: str | None, fund: str | None, totals: tuple[str, ...], operator: str, as_json: bool,
    credentials: Credentials,
) -> None:  # fmt: skip
    settings = load(config, as_json)
    known = {one.fixmedins_code for one in settings.institution}
    if institution not in known and not (institution == EVERYWHERE and ledger != "INST"):
        end(USAGE, f"配置中没有机构{institution}（全市一份的账写*）", as_json=as_json)
    _dated(day, as_json)
    given: dict[str, object] = {} if rows is None else {"rows": rows}
    given |= {name: text for name, text in (("medfee_sumamt", medfee), ("fund_pay_sumamt", fund)) if text is not None}
    for one in totals:
        name, _, text = one.partition("=")
        if name not in MARKED:
            end(USAGE, f"--total应为NAME=元，不认识：{one}", as_json=as_json)
        given[name] = text
    scope = scope_of(role) if institution == EVERYWHERE else institution
    now_ms, reason = int(outside.now() * 1000), f"经办人{operator}" if operator else ""
    # An institution's certificate speaks for it at its own door; here nothing does, whosever ledger it is.
    people = by_people(settings, outside, credentials, INPUT)
    with explained(as_json), told(as_json), people as person:
        who = person.name if person.desk is not None else operator or person.name
        tell = lambda sm3: person.tell(INPUT, f"{ledger}:{scope}:{day}", sm3, reason)  # noqa: E731
        try:
            marker = marker_of(given or marker_beside(file))
            found = hand_in(settings, NAMES.index(ledger), scope, day, file, marker, who, now_ms, tell)
        except WrongMarker as cause:
            end(USAGE, str(cause), as_json=as_json)
        except (DayAhead, DayFrozen) as cause:
            end(FAILED, f"[{cause.code}] {cause}", as_json=as_json)
        except OtherBooks as cause:
            end(FAILED, str(cause), as_json=as_json)
        except LedgerRefused as cause:
            lines = [fault.text(str(file)) for fault in cause.faults]
            end(FAILED, *lines, f"{file}有问题，整份不收", as_json=as_json)
    fees = yuan(found.sums.get("medfee_sumamt", 0))
    lines = [f"已收下{ledger}账{day}：{found.rows}行，医疗费总额{fees}元，SM3 {found.sm3[:16]}…"]
    lines += [f"  与日终标志或日期不符，按不完整处理，请核对后重交：{text}" for text in found.misfits]
    lines += [] if found.complete or found.misfits else ["  没有日终标志，按不完整处理：它没有的记录不作零记录"]
    show(found.record(), lines, as_json)
    raise SystemExit(DONE if found.complete else FINDINGS)


def _dated(day: str, as_json: bool) -> None:
    if not is_date(day):
        end(USAGE, f"日期应为yyyy-MM-dd：{day}", as_json=as_json)


@click.command("day", help="对一日的账：由运行中的节点与各方核对、执行动作，等待结果")
@click.argument("config", type=click.Path())
@click.option("--date", "day", required=True, help="业务日期，yyyy-MM-dd")
@click.option("--role", type=click.Choice(["care", "insured"]), default="care", show_default=True)
@click.option("--leg", "legs", multiple=True, type=click.Choice(["L1", "L2", "L3", "L4"]), help="只显示这些段，可重复")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@acting
@click.pass_obj
def day_command(
    outside: Outside, config: str, day: str, role: str, legs: tuple[str, ...], as_json: bool, credentials: Credentials
) -> None:
    settings = load(config, as_json)
    _dated(day, as_json)
    store = settings.room("books")
    with explained(as_json), told(as_json), by_people(settings, outside, credentials, RUN) as person:
        person.tell(RUN, f"{role}:{EVERYWHERE}:{day}")
    with explained(as_json):
        opener = lambda: OrdersStore(BooksStore.open(store, SCRIPTS).connection)  # noqa: E731
        what, words = (KIND, "", day), {"date": day, "role": role}
        status = order_and_wait(store, opener, what, dict(words), person.name, outside.now, as_json)
    result = dict(status.result)
    if status.outcome == "failed":
        text = str(result.get("message", "没有完成"))
        show({"order": status.order.id, "outcome": "failed", **result}, (), as_json)
        if not as_json:
            click.echo(text, err=True)
        raise SystemExit(FAILED)
    if legs:
        classes = result.get("classes")
        kept = _of_legs(settings.room("books"), day, role, legs) if isinstance(classes, dict) else {}
        result["classes"] = kept
    show({"order": status.order.id, "outcome": status.outcome, **result}, _day_lines(result), as_json)
    raise SystemExit(DONE if status.outcome == "done" else FINDINGS)


def _of_legs(path: Path, day: str, role: str, legs: tuple[str, ...]) -> dict[str, int]:
    store = BooksStore.open(path, SCRIPTS)
    try:
        found: dict[str, int] = {}
        for diff in store.diffs(day, role):
            if diff.leg in legs:
                found[diff.name] = found.get(diff.name, 0) + 1
        return found
    finally:
        store.close()


def _day_lines(result: Mapping[str, object]) -> list[str]:

    days, classes = result.get("days"), result.get("classes")
    days, classes = days if isinstance(days, dict) else {}, classes if isinstance(classes, dict) else {}
    city = str(days.get(EVERYWHERE, ""))
    lines = [
        f"{result.get('date')} 第{result.get('revision')}次对账，共{result.get('keys')}笔：{STATES.get(city, city)}"
    ]
    if result.get("provisional"):
        lines.append("  业务日还没有结束，本次只是预对：不冲正、不反馈、不立案；日终后须再对一次")
    lines += [f"  {name}（{rules().titles.get(name, '')}）：{count}" for name, count in sorted(classes.items())]
    lines += [f"  机构{code}：{STATES.get(str(state), state)}" for code, state in days.items() if code != EVERYWHERE][
        :SHOWN
    ]
    trouble, cases = result.get("trouble"), result.get("cases")
    lines += [f"  {text}" for text in (trouble if isinstance(trouble, list) else [])[:SHOWN]]
    lines += [f"待处理个案{cases}件：liangding books cases 配置文件 --date {result.get('date')}"] if cases else []
    return lines


@click.command("status", help="各日、各机构的对账状态")
@click.argument("config", type=click.Path())
@click.option("--date", "day", help="业务日期，yyyy-MM-dd")
@click.option("--month", help="月份，yyyy-MM")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def status_command(outside: Outside, config: str, day: str | None, month: str | None, as_json: bool) -> None:
    settings = load(config, as_json)
    if day is not None:
        _dated(day, as_json)
    if month is not None and not is_date(f"{month}-01"):
        end(USAGE, f"月份应为yyyy-MM：{month}", as_json=as_json)
    since, until = (day, day) if day else (f"{month}-01", f"{month}-31") if month else ("0000-00-00", "9999-99-99")
    if not settings.room("books").exists():  # looking makes no store
        show({"days": [], "inputs": [], "cases": 0}, ["还没有对过账"], as_json)
        raise SystemExit(DONE)
    with explained(as_json):
        store = BooksStore.open(settings.room("books"), SCRIPTS)
        try:
            days = store.days(str(since), str(until))
            inputs = store.inputs(day) if day else []
            cases = BooksCases(store.connection).cases(("OPEN", "PROPOSED"), day or "")
        finally:
            store.close()
    lines = [
        f"{one.biz_date} {'就医地' if one.role == 'care' else '参保地'} {one.scope}：{STATES.get(one.state, one.state)}"
        f"（第{one.revision}次{f'，缺{one.note}' if one.note else ''}）"
        for one in days
    ]
    lines += [
        f"  {one.ledger} {one.scope} {one.rows}行 {'完整' if one.complete else f'不完整（{one.source}）'}"
        for one in inputs
    ]
    plain = {
        "days": [
            {"role": one.role, "scope": one.scope, "date": one.biz_date, "state": one.state, "revision": one.revision,
             "note": one.note}
            for one in days
        ],
        "inputs": [
            {"ledger": one.ledger, "scope": one.scope, "rows": one.rows, "complete": one.complete, "sm3": one.sm3,
             "source": one.source}
            for one in inputs
        ],
        "cases": len(cases),
    }  # fmt: skip
    show(plain, lines or ["还没有对过账"], as_json)
    raise SystemExit(DONE if all(one.state in AGREED for one in days) else FINDINGS)
