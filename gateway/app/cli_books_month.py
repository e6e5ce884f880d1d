"""`liangding books month CONFIG --month yyyy-MM ACTION`: a month's clearing, from frozen days to the payment."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import attrs
import click

from adapters.store.books_month import ClearingRow, MonthReader, MonthWriter, Moved
from adapters.store.lists import OtherLists
from gateway.app import books_month_desk as desk_work
from gateway.app.acting import Credentials, acting, waits
from gateway.app.books_month_work import CannotBuild, apply
from gateway.app.books_month_work import build as build_month
from gateway.app.books_region import ROLES, scopes_of, writing
from gateway.app.cli_books_freeze import explained
from gateway.app.config import Config
from gateway.app.lazily import Group
from gateway.app.say import FAILED, USAGE, Outside, end, load, show
from gateway.app.security_desk import security_desk
from gateway.books.clearing import Facts, Input, Refused
from gateway.books.month import ProfileError
from gateway.books.workdays import CalendarError
from gateway.core.dates import day_of, is_date
from gateway.core.money import fen_of, yuan

# Loaded when it is named.
_ELSEWHERE = {
    "appeal": "gateway.app.cli_books_month_audit", "audit": "gateway.app.cli_books_month_audit",
    "deductions": "gateway.app.cli_books_month_audit",
    "confirm-split": "gateway.app.cli_books_month_send", "report": "gateway.app.cli_books_month_report",
    "rollback-split": "gateway.app.cli_books_month_send", "split": "gateway.app.cli_books_month_send",
    "resolve": "gateway.app.cli_books_month_send",
    "status": "gateway.app.cli_books_month_status",
    "submit": "gateway.app.cli_books_month_send", "sync": "gateway.app.cli_books_month_send",
    "upload": "gateway.app.cli_books_month_send",
    "withdraw": "gateway.app.cli_books_month_send",
}  # fmt: skip


class _Actions(Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Accept `CONFIG --month yyyy-MM ACTION`, as the contract has it: a group takes its options first."""
        if args and not args[0].startswith("-"):
            config, *rest = args
            options: list[str] = []
            while rest and rest[0].startswith("--") and rest[0] != "--help":
                count = 1 if "=" in rest[0] else 2
                options, rest = [*options, *rest[:count]], rest[count:]
            args = [*options, config, *rest]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(import_module(_ELSEWHERE[cmd_name]), cmd_name.replace("-", "_"))
        return found


@attrs.frozen(kw_only=True)
class Month:
    """What every action works on."""

    config: Config
    month: str
    role: str
    outside: Outside

    @property
    def now_ms(self) -> int:
        return int(self.outside.now() * 1000)

    @property
    def today(self) -> str:
        return day_of(self.outside.now())


@click.group(cls=_Actions, help="月度清算：由已固化的日子生成申请，审批、申报、审核扣款、拨付")
@click.argument("config", type=click.Path())
@click.option("--month", "month_of", required=True, help="yyyy-MM")
@click.option("--role", type=click.Choice(ROLES), default="care", show_default=True, help="care就医地，insured参保地")
@click.pass_context
def month(context: click.Context, config: str, month_of: str, role: str) -> None:
    if not is_date(f"{month_of}-01"):
        end(USAGE, f"月份应为yyyy-MM：{month_of}")
    context.obj = Month(config=load(config), month=month_of, role=role, outside=context.obj)


@contextmanager
def explained_month(as_json: bool) -> Iterator[None]:
    """Turn what the month raises into sentences and an exit code."""
    try:
        with explained(as_json):
            yield
    except Refused as cause:
        end(FAILED, *(f"[{one.code}] {one.text}" for one in cause.objections), as_json=as_json)
    except Moved as cause:
        end(FAILED, f"{cause}同时被他人更改，没有改动，请重新查看", as_json=as_json)
    except desk_work.BadFile as cause:
        end(FAILED, *cause.lines, "文件有问题，整份不采用", as_json=as_json)
    except (CalendarError, ProfileError) as cause:
        end(USAGE, str(cause), as_json=as_json)
    except OtherLists as cause:
        end(FAILED, str(cause), as_json=as_json)


json_option = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
number_option = click.option("--id", "number", type=int, required=True, help="申请编号（month status）")


def the_row(look: MonthReader, given: Month, number: int, as_json: bool) -> ClearingRow:
    """Return an application of the month; ends with exit code 2 when there is none."""
    row = look.one(number)
    if row is None or (row.month, row.role) != (given.month, given.role):
        end(USAGE, f"{given.month}没有编号为{number}的申请", as_json=as_json)
    return row


def told_row(row: ClearingRow) -> dict[str, Any]:
    names = [
        "id", "scope", "month", "clr_type", "insutype", "clr_optins", "clr_pay_loc", "revision", "state", "doubt",
        "maker", "checker", "event_id", "clr_stas",
    ]  # fmt: skip
    return {**{name: getattr(row, name) for name in names}, "content": json.loads(row.content)}


@month.command(help="由已固化的日子生成申请；缺日则列出，不生成")
@click.option("--scope", required=True, help="定点机构编码，全市用'*'")
@json_option
@acting
@click.pass_obj
def build(given: Month, scope: str, as_json: bool, credentials: Credentials) -> None:
    if scope not in scopes_of(given.config):
        end(USAGE, f"配置中没有机构{scope}", as_json=as_json)
    where = (given.role, scope, given.month)

    def work(writer: MonthWriter, who: str) -> Any:
        return build_month(writer, where, who, given.now_ms)

    try:
        found = worked(given, credentials, "month.build", "/".join(where), as_json, work)
    except CannotBuild as cause:
        lines = [f"{day}没有固化" for day in cause.missing]
        lines += [f"[{one.code}] {one.text}" for one in cause.objections]
        end(FAILED, *lines, "没有生成申请", as_json=as_json)
    lines = [line_of(row) for row in found.applications]
    lines += [f"不计入：{one[0]} 结算{one[1] or one[2]} {one[3]} {yuan(one[8] or 0)}元" for one in found.held[:20]]
    plain = {"applications": [told_row(row) for row in found.applications], "held": [list(one) for one in found.held]}
    show(plain, lines or ["本月没有可申请的费用"], as_json)


def line_of(row: ClearingRow) -> str:
    content = json.loads(row.content)
    sums = content["sums"]
    figures = "，".join(
        f"{title}{yuan(sums.get(name, 0))}元"
        for title, name in (("医疗费", "medfee_sumamt"), ("基金", "fund_pay_sumamt"), ("账户", "acct_pay"))
    )
    return f"{row.id} {row.name} {row.state}：结算{content['settlements']}笔、退费{content['refunds']}笔，{figures}"


def worked(
    given: Month, credentials: Credentials, right: str, subject: str, as_json: bool,
    work: Callable[[MonthWriter, str], Any],
) -> Any:  # fmt: skip
    """Do one thing as a person with a right, with its row in the trail first."""
    with explained_month(as_json), security_desk(given.config, given.outside.now, given.outside.entropy) as desk:
        person = credentials.person(desk)
        desk.allow(person, right)
        with writing(given.config) as connection:
            desk.trail.record(person.name, right, subject)
            return work(MonthWriter(connection), person.name)


def moved(
    given: Month,
    number: int,
    right: str,
    as_json: bool,
    credentials: Credentials,
    work: Callable[[MonthWriter, ClearingRow, str], ClearingRow],
) -> None:
    """Move one application and say where it stands."""

    def whole(writer: MonthWriter, who: str) -> ClearingRow:
        return work(writer, the_row(writer, given, number, as_json), who)

    row = worked(given, credentials, right, f"clearing:{number}", as_json, whole)
    show(told_row(row), [line_of(row)], as_json)


@month.command(help="核对申请：各日固化、双方确认、逐基金合计")
@number_option
@json_option
@acting
@click.pass_obj
def check(given: Month, number: int, as_json: bool, credentials: Credentials) -> None:
    def work(writer: MonthWriter, row: ClearingRow, who: str) -> ClearingRow:
        return desk_work.check(given.config, writer, row, who, given.now_ms)

    moved(given, number, "month.build", as_json, credentials, work)


@month.command(help="提交审批：另一人核准后为APPROVED；二人都不得是本月对账员")
@number_option
@click.option("--reason", default="月度清算申请", show_default=True)
@json_option
@acting
@click.pass_obj
def approve(given: Month, number: int, reason: str, as_json: bool, credentials: Credentials) -> None:
    with explained_month(as_json), security_desk(given.config, given.outside.now, given.outside.entropy) as desk:
        person = credentials.person(desk)
        with writing(given.config) as connection:
            writer = MonthWriter(connection)
            row = the_row(writer, given, number, as_json)
            approval = desk_work.propose_approval(desk, writer, row, person, reason)
    text = f"申请{row.name}：请另一人核准：{waits(given.config, approval.id)}"
    show({"approval": approval.id, **told_row(row)}, [text], as_json)


@month.command(help="作废尚未申报的申请")
@number_option
@click.option("--reason", required=True)
@json_option
@acting
@click.pass_obj
def discard(given: Month, number: int, reason: str, as_json: bool, credentials: Credentials) -> None:
    def work(writer: MonthWriter, row: ClearingRow, who: str) -> ClearingRow:
        return apply(writer, row, Input.DISCARD, Facts(), who, given.now_ms, reason)

    moved(given, number, "month.build", as_json, credentials, work)


@month.command(help="登记在经办平台人工录入后的申报号（本地区没有申报接口时）")
@number_option
@click.option("--event", "event_id", required=True, help="清算申请事件号")
@json_option
@acting
@click.pass_obj
def enter(given: Month, number: int, event_id: str, as_json: bool, credentials: Credentials) -> None:
    def work(writer: MonthWriter, row: ClearingRow, who: str) -> ClearingRow:
        return desk_work.enter(given.config, writer, row, event_id, who, given.now_ms)

    moved(given, number, "month.send", as_json, credentials, work)


@month.command(help="登记平台退回，写明原因；改正后重新生成")
@number_option
@click.option("--reason", required=True)
@json_option
@acting
@click.pass_obj
def returned(given: Month, number: int, reason: str, as_json: bool, credentials: Credentials) -> None:
    def work(writer: MonthWriter, row: ClearingRow, who: str) -> ClearingRow:
        return apply(writer, row, Input.RETURN, Facts(), who, given.now_ms, reason)

    moved(given, number, "month.send", as_json, credentials, work)


@month.command(help="确认审核结果：申报＝核准＋扣款＋暂扣＋保证金，逐基金到分")
@number_option
@json_option
@acting
@click.pass_obj
def confirm(given: Month, number: int, as_json: bool, credentials: Credentials) -> None:
    def work(writer: MonthWriter, row: ClearingRow, who: str) -> ClearingRow:
        return desk_work.confirm(given.config, writer, row, who, given.now_ms)

    moved(given, number, "month.send", as_json, credentials, work)


@month.command(help="登记到账：金额＝核准±以前月份（含退还的暂扣、保证金），到分")
@number_option
@click.option("--amount", required=True, help="到账金额，元")
@click.option("--earlier", default="0", show_default=True, help="以前月份调整，元，可为负")
@json_option
@acting
@click.pass_obj
def paid(given: Month, number: int, amount: str, earlier: str, as_json: bool, credentials: Credentials) -> None:
    fen, before = fen_of(amount), fen_of(earlier)
    if fen is None or before is None:
        end(USAGE, "金额应为至多两位小数的元", as_json=as_json)

    def work(writer: MonthWriter, row: ClearingRow, who: str) -> ClearingRow:
        return desk_work.paid(given.config, writer, row, int(fen), int(before), who, given.now_ms)

    moved(given, number, "month.send", as_json, credentials, work)


@month.command(help="结案")
@number_option
@json_option
@acting
@click.pass_obj
def close(given: Month, number: int, as_json: bool, credentials: Credentials) -> None:
    def work(writer: MonthWriter, row: ClearingRow, who: str) -> ClearingRow:
        return apply(writer, row, Input.CLOSE, Facts(), who, given.now_ms)

    moved(given, number, "month.send", as_json, credentials, work)
