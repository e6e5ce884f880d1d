"""`liangding books month CONFIG --month yyyy-MM status`: where the month's applications and uploads stand."""

from collections.abc import Sequence
from typing import Any

import attrs
import click

from adapters.store.books_month import ClearingRow, MonthReader
from gateway.app import books_month_desk as desk_work
from gateway.app.books_region import reading
from gateway.app.books_upload_look import uploads_of
from gateway.app.cli_books_month import Month, explained_month, json_option, line_of, told_row
from gateway.app.say import DONE, FINDINGS, show
from gateway.books.freezing import CITY


@click.command(help="本月全部申请：状态、金额、扣款、拨付期限（工作日），上传到省平台的明细；有逾期或结果未知时退出码3")
@click.option("--scope", default="", help="定点机构编码，全市用'*'")
@json_option
@click.pass_obj
def status(given: Month, scope: str, as_json: bool) -> None:
    plain: list[dict[str, Any]] = []
    lines: list[str] = []
    with explained_month(as_json), reading(given.config) as connection:
        look = MonthReader(connection) if connection is not None else None
        rows: Sequence[ClearingRow] = look.of_month(given.role, scope, given.month) if look is not None else []
        found = [desk_work.standing(given.config, look, row, given.today) for row in rows if look is not None]
        events = {one.row.id: look.events(one.row.id) for one in found} if look is not None else {}
        uploads = (
            [] if connection is None or scope not in ("", CITY) else uploads_of(connection, given.role, given.month)
        )
    for one in found:
        figures = {name: getattr(one, name) for name in ("applied", "approved", "deducted", "withheld", "deposit")}
        names = ("input", "before", "after", "who", "note", "at_ms")
        history = [dict(zip(names, event, strict=True)) for event in events[one.row.id]]
        plain.append(
            {**told_row(one.row), **figures, "paid": one.row.paid, "due": one.due, "overdue": one.overdue,
             "deductions": [attrs.asdict(each) for each in one.deductions], "events": history}
        )  # fmt: skip
        lines.append(line_of(one.row))
        lines += [f"  拨付期限{days}个工作日：{last}{'，已逾期' if late else ''}" for days, last, late in one.due]
        alarms = [event for event in history if event["input"] == "alarm"]
        lines += [f"  告警：{event['note']}" for event in alarms[-3:]]
    lines += [one.text for one in uploads]
    told = [one.plain for one in uploads]
    show({"applications": plain, "uploads": told}, lines or ["本月没有申请"], as_json)
    raise SystemExit(FINDINGS if any(one.overdue for one in found) or any(one.doubt for one in uploads) else DONE)
