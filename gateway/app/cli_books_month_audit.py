"""`liangding books month CONFIG --month yyyy-MM deductions|audit|appeal`: what the audit came to, and appeals."""

from pathlib import Path
from typing import NoReturn

import click

from adapters.store.books_month import ClearingRow, MonthReader, MonthWriter
from gateway.app import books_month_desk as desk_work
from gateway.app.acting import Credentials, acting
from gateway.app.books_appeal_job import APPEALS, DEDUCTIONS
from gateway.app.books_audit_desk import propose_audit, read_amounts
from gateway.app.books_region import profile_of, reading, writing
from gateway.app.cli_books_month import (
    Month,
    explained_month,
    json_option,
    moved,
    number_option,
    the_row,
    told_row,
    worked,
)
from gateway.app.cli_books_month_send import allowed, ordered, scope_of_row
from gateway.app.say import USAGE, end, show
from gateway.app.security_desk import security_desk
from gateway.books.deductions import ACCEPTED, APPEALED, REVISED, REVOKED, UPHELD
from gateway.books.freezing import CITY
from gateway.core.dates import is_date
from gateway.core.money import fen_of


@click.command(
    help=f"导入审核扣款；不给文件的由节点经接口取得（3701），连同申诉结果（CSV：{','.join(desk_work.COLUMNS)}；fund为基金分项，kind为DEDUCT、WITHHOLD、PENALTY）"
)
@number_option
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option("--notified", default="", help="通知日期，默认今天；申诉期限由此起算")
@json_option
@acting
@click.pass_obj
def deductions(
    given: Month, number: int, file: Path | None, notified: str, as_json: bool, credentials: Credentials
) -> None:  # fmt: skip
    if notified and not is_date(notified):
        end(USAGE, f"日期应为yyyy-MM-dd：{notified}", as_json=as_json)
    if file is None:
        with explained_month(as_json):
            scope = scope_of_row(given, number, as_json)
            who = allowed(given, credentials, f"clearing:{number} deductions")
            ordered(given, DEDUCTIONS, scope, {"id": number}, who, as_json)

    def work(writer: MonthWriter, who: str) -> int:
        row = the_row(writer, given, number, as_json)
        rows = desk_work.read_deductions(file, notified or given.today)
        return desk_work.take_deductions(writer, row, rows, who, given.now_ms)

    added = worked(given, credentials, "month.send", f"clearing:{number}", as_json, work)
    show({"added": added}, [f"导入扣款{added}条"], as_json)


@click.command(
    help="登记审核结果（CSV：fund,approved,deposit，或JSON：基金 → {approved,deposit}，元）；全市的申请须另一人核准"
)
@number_option
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--reason", default="登记审核结果", show_default=True, help="全市的申请：提出的理由")
@json_option
@acting
@click.pass_obj
def audit(given: Month, number: int, file: Path, reason: str, as_json: bool, credentials: Credentials) -> None:
    with explained_month(as_json):
        scope = scope_of_row(given, number, as_json)
    if scope == CITY:
        _proposed(given, number, file, reason, as_json, credentials)

    def work(writer: MonthWriter, row: ClearingRow, who: str) -> ClearingRow:
        return desk_work.take_audit(given.config, writer, row, read_amounts(file), who, given.now_ms)

    moved(given, number, "month.send", as_json, credentials, work)


def _proposed(
    given: Month, number: int, file: Path, reason: str, as_json: bool, credentials: Credentials
) -> NoReturn:  # fmt: skip
    """Propose the amounts of the city's application to a second person; ends with the exit code."""
    with explained_month(as_json), security_desk(given.config, given.outside.now, given.outside.entropy) as desk:
        person = credentials.person(desk)
        amounts = read_amounts(file)
        with writing(given.config) as connection:
            writer = MonthWriter(connection)
            row = the_row(writer, given, number, as_json)
            approval = propose_audit(desk, writer, row, amounts, person, reason)
    text = f"申请{row.name}：第{approval.id}号事项，请另一人核准：liangding security approvals"
    show({"approval": approval.id, **told_row(row)}, [text], as_json)
    raise SystemExit(0)


_STATES = {"accept": ACCEPTED, "appeal": APPEALED, "upheld": UPHELD, "revised": REVISED, "revoked": REVOKED}
_BY_NODE = ("appeal", "review")


@click.command(
    help="处理一条扣款：接受、申诉（期限内，附材料）、申请合议、申诉结果；本地区有接口的，申诉和合议由节点发出"
)
@number_option
@click.option("--deduction", required=True, help="扣款编号")
@click.argument("what", type=click.Choice([*_STATES, "review"]))
@click.option("--note", default="", help="理由或说明")
@click.option("--amount", default="", help="改判后的金额，元")
@click.option("--file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="材料")
@click.option("--by-hand", is_flag=True, help="已在经办平台办理，只登记")
@json_option
@acting
@click.pass_obj
def appeal(
    given: Month, number: int, deduction: str, what: str, note: str, amount: str, file: Path | None, by_hand: bool,
    as_json: bool, credentials: Credentials,
) -> None:  # fmt: skip
    fen = fen_of(amount) if amount else None
    if bool(amount) != (what == "revised") or (amount and fen is None):
        end(USAGE, "revised须用--amount给出改判金额（元），其他不给", as_json=as_json)
    with explained_month(as_json):
        scope = scope_of_row(given, number, as_json)
        names = profile_of(given.config, scope).appeals
    by_node = scope != CITY and bool(names.appeal if what == "appeal" else names.review) and not by_hand
    if what in _BY_NODE and by_node:
        _sent(given, number, scope, (deduction, what, note), file, as_json, credentials)
    if what == "review":
        end(USAGE, "本地区没有申请合议的接口：请在经办平台办理，结果以upheld、revised、revoked登记", as_json=as_json)

    def work(writer: MonthWriter, row: ClearingRow, who: str) -> ClearingRow:
        place = desk_work.keep_attachment(given.config, row, file) if file is not None else ("", "")
        one = desk_work.Decision(
            deduction_id=deduction, state=_STATES[what], note=note, revised=None if fen is None else int(fen),
            file=place[0], file_sm3=place[1],
        )  # fmt: skip
        return desk_work.decide(given.config, writer, row, one, who, given.now_ms)

    moved(given, number, "month.send", as_json, credentials, work)


def _sent(
    given: Month, number: int, scope: str, about: tuple[str, str, str], file: Path | None, as_json: bool,
    credentials: Credentials,
) -> NoReturn:  # fmt: skip
    """Have the node appeal, or ask for a joint review; ends with the exit code. about: deduction, what, note."""
    deduction, what, note = about
    with explained_month(as_json):
        who = allowed(given, credentials, f"clearing:{number} {what} {deduction}")
        arguments: dict[str, object] = {"id": number, "deduction": deduction, "what": what, "note": note}
        if file is not None:
            with reading(given.config) as connection:
                row = the_row(MonthReader(connection), given, number, as_json)
            place, digest = desk_work.keep_attachment(given.config, row, file)
            arguments |= {"file": place, "file_sm3": digest}
        ordered(given, APPEALS, scope, arguments, who, as_json)
