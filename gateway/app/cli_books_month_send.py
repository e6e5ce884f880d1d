"""`liangding books month CONFIG --month yyyy-MM submit|withdraw|sync|resolve|split|...`: what the running node does."""

from typing import NoReturn

import click

from adapters.store.books import BooksStore
from adapters.store.books_month import ClearingRow, MonthReader, MonthWriter
from adapters.store.codes_orders import OrdersStore, WorkStatus, node_runs
from gateway.app.acting import Credentials, acting
from gateway.app.books_clearing_job import SUBMIT, SYNC, WITHDRAW
from gateway.app.books_month_desk import WITHDRAW as TWO_WITHDRAW
from gateway.app.books_month_desk import withdrawal
from gateway.app.books_month_work import apply
from gateway.app.books_region import reading
from gateway.app.books_shelf import SCRIPTS
from gateway.app.books_split_job import CONFIRM, ROLLBACK, SPLIT
from gateway.app.books_upload_job import ROLE, UPLOAD
from gateway.app.cli_books_month import Month, explained_month, json_option, moved, number_option, the_row
from gateway.app.orders_wait import order_and_wait
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, end, show
from gateway.app.security_desk import security_desk
from gateway.books.clearing import Facts, Input
from gateway.books.freezing import CITY
from gateway.core.approval import NotAllowed
from gateway.core.money import fen_of


def ordered(given: Month, kind: str, scope: str, arguments: dict[str, object], who: str, as_json: bool) -> NoReturn:
    """Have the node do it, say how it ended and end with the exit code."""
    store = given.config.room("books")

    def opened() -> OrdersStore:
        return OrdersStore(BooksStore.open(store, SCRIPTS).connection)

    arguments = {**arguments, "scope": scope}
    link = scope if scope != CITY else given.config.institution[0].fixmedins_code
    status = order_and_wait(store, opened, (kind, link, given.month), arguments, who, given.outside.now, as_json)
    show({"order": status.order.id, "outcome": status.outcome, **status.result}, _lines(status), as_json)
    raise SystemExit({"done": DONE, "findings": FINDINGS}.get(status.outcome, FAILED))


def _lines(status: WorkStatus) -> list[str]:
    result = status.result
    lines = [f"{name}：{result[name]}" for name in result if name not in ("alarms", "differences", "message")]
    for one in (result.get("alarms"), result.get("differences")):
        lines += [f"  {item}" for item in one[:20]] if isinstance(one, list) else []
    return [*lines, *([str(result["message"])] if result.get("message") else [])]


def allowed(given: Month, credentials: Credentials, subject: str) -> str:
    """Return who acts, with the right to send and a row in the trail."""
    with security_desk(given.config, given.outside.now, given.outside.entropy) as desk:
        person = credentials.person(desk)
        desk.allow(person, "month.send")
        desk.trail.record(person.name, "month.send", subject)
    return person.name


@click.command(help="申报（3203，全市的经省平台）：由运行中的节点发出；应答丢失时只查询，不重发")
@number_option
@json_option
@acting
@click.pass_obj
def submit(given: Month, number: int, as_json: bool, credentials: Credentials) -> None:
    with explained_month(as_json):
        scope = scope_of_row(given, number, as_json)
        who = allowed(given, credentials, f"clearing:{number} submit")
        ordered(given, SUBMIT, scope, {"id": number}, who, as_json)


def scope_of_row(given: Month, number: int, as_json: bool) -> str:
    with reading(given.config) as connection:
        if connection is None:
            end(USAGE, "还没有申请", as_json=as_json)
        return the_row(MonthReader(connection), given, number, as_json).scope


@click.command(help="撤回（3204，全市的经省平台）：第一次提出，另一人核准后再次执行即由节点发出")
@number_option
@click.option("--reason", required=True)
@json_option
@acting
@click.pass_obj
def withdraw(given: Month, number: int, reason: str, as_json: bool, credentials: Credentials) -> None:
    with explained_month(as_json):
        with reading(given.config) as connection:
            if connection is None:
                end(USAGE, "还没有申请", as_json=as_json)
            row = the_row(MonthReader(connection), given, number, as_json)
        if not node_runs(given.config.room("books")):  # before an approval is used up
            end(USAGE, "没有正在运行的节点，此命令需由节点执行；请先启动：liangding run 配置文件", as_json=as_json)
        wanted = withdrawal(row, reason)
        with security_desk(given.config, given.outside.now, given.outside.entropy) as desk:
            person = credentials.person(desk)
            desk.allow(person, "month.send")
            try:
                approval = desk.approvals.use(TWO_WITHDRAW, row.name, wanted)
            except NotAllowed:
                one = desk.approvals.propose(person, TWO_WITHDRAW, row.name, wanted, reason)
                text = f"撤回{row.name}：第{one.id}号事项，请另一人核准，然后再次执行本命令"
                show({"approval": one.id}, [text], as_json)
                return
        arguments: dict[str, object] = {
            "id": number, "approval": approval.id, "maker": approval.maker, "checker": approval.checker,
            "reason": reason,
        }  # fmt: skip
        ordered(given, WITHDRAW, row.scope, arguments, person.name, as_json)


@click.command(help="应答丢失而平台不能查询时，登记在经办平台核实的结果：有此申请（--event），或没有（--absent）")
@number_option
@click.option("--event", "event_id", default="", help="清算申请事件号")
@click.option("--absent", is_flag=True, help="平台上没有此申请")
@json_option
@acting
@click.pass_obj
def resolve(
    given: Month, number: int, event_id: str, absent: bool, as_json: bool, credentials: Credentials
) -> None:  # fmt: skip
    if bool(event_id) == absent:
        end(USAGE, "请给出--event或--absent之一", as_json=as_json)

    def work(writer: MonthWriter, row: ClearingRow, who: str) -> ClearingRow:
        if absent:
            return apply(writer, row, Input.ABSENT, Facts(), who, given.now_ms, "人工核实")
        changes = {"event_id": event_id, "submitted_ms": row.submitted_ms or given.now_ms}
        return apply(writer, row, Input.FOUND, Facts(event_id=event_id), who, given.now_ms, "人工核实", changes)

    moved(given, number, "month.send", as_json, credentials, work)


@click.command(
    help="向平台查询本月申请的清算状态（3205A，全市的向省平台，并下载审核扣款）；未知或倒退的状态告警，不改变申请"
)
@click.option("--scope", required=True, help="定点机构编码，全市用'*'")
@json_option
@acting
@click.pass_obj
def sync(given: Month, scope: str, as_json: bool, credentials: Credentials) -> None:
    with explained_month(as_json):
        who = allowed(given, credentials, f"clearing:{scope}/{given.month} sync")
        ordered(given, SYNC, scope, {"role": given.role, "month": given.month}, who, as_json)


@click.command(
    help="上传本月明细到省平台：通过第1段和三方核对的全市费用，逐笔连同扣款；由运行中的节点发出，应答丢失时只查询"
)
@json_option
@acting
@click.pass_obj
def upload(given: Month, as_json: bool, credentials: Credentials) -> None:
    if given.role != ROLE:
        end(USAGE, "月度明细由就医地上传（--role care）", as_json=as_json)
    with explained_month(as_json):
        who = allowed(given, credentials, f"upload:{given.month}")
        ordered(given, UPLOAD, CITY, {"month": given.month}, who, as_json)


@click.command(help="下载异地清分明细（3260）并与固化记录核对；对账单的行数和金额齐备才算完整")
@click.option("--scope", required=True, help="定点机构编码")
@click.option("--rows", type=int, help="对账单：行数")
@click.option("--medfee", default="", help="对账单：总金额，元")
@click.option("--optins", default="", help="对账单：统筹支付，元")
@json_option
@acting
@click.pass_obj
def split(
    given: Month, scope: str, rows: int | None, medfee: str, optins: str, as_json: bool, credentials: Credentials
) -> None:  # fmt: skip
    arguments: dict[str, object] = {"month": given.month}
    if rows is not None or medfee or optins:
        fens = fen_of(medfee or "x"), fen_of(optins or "x")
        if rows is None or fens[0] is None or fens[1] is None:
            end(USAGE, "--rows、--medfee、--optins须同时给出，金额为元", as_json=as_json)
        arguments |= {"rows": rows, "medfee": int(fens[0]), "optins": int(fens[1])}
    with explained_month(as_json):
        who = allowed(given, credentials, f"split:{scope}/{given.month}")
        ordered(given, SPLIT, scope, arguments, who, as_json)


@click.command(help="分批确认清分（3261，每批至多100行）：相符的确认，其余不确认")
@click.option("--scope", required=True, help="定点机构编码")
@json_option
@acting
@click.pass_obj
def confirm_split(given: Month, scope: str, as_json: bool, credentials: Credentials) -> None:
    with explained_month(as_json):
        who = allowed(given, credentials, f"split:{scope}/{given.month} confirm")
        ordered(given, CONFIRM, scope, {"month": given.month}, who, as_json)


@click.command(help="回退清分确认（3262）：逐批回退；有一批结果未知时回退全月")
@click.option("--scope", required=True, help="定点机构编码")
@json_option
@acting
@click.pass_obj
def rollback_split(given: Month, scope: str, as_json: bool, credentials: Credentials) -> None:
    with explained_month(as_json):
        who = allowed(given, credentials, f"split:{scope}/{given.month} rollback")
        ordered(given, ROLLBACK, scope, {"month": given.month}, who, as_json)
