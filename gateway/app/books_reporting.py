"""`liangding books report` at work: where the reports go, what is said. Loaded only when the command is given."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from adapters.files.whole import write_whole
from adapters.files.workbook import write_workbook
from adapters.store.books import OtherBooks
from adapters.store.books_report import NotABooksStore
from gateway.app.books_tasks import Reported, ReportTask
from gateway.app.config import Config
from gateway.app.day_report import PAGES_MAX, SECTIONS_MAX, day_page, settlement_page, verdict, whose
from gateway.app.day_sheets import day_plain, day_sheets
from gateway.app.day_words import LEGS, LOOKS, MOVERS, STANDINGS, money, until
from gateway.app.day_work import Gathered, NoSuchDay, gather
from gateway.app.month_report import STATES, month_page, month_plain, month_sheets
from gateway.app.month_report import verdict as month_verdict
from gateway.app.month_work import MonthGathered, gather_month
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, end, show
from gateway.books.month import ProfileError
from gateway.books.report import STANDINGS as ORDER


def report_day(
    config: Config, role: str, day: str, scope: str, now_ms: int, out: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Write and say a day's report; ends with the exit code of contract §2: 0 when the day agrees, else 3."""
    place(out, as_json)
    kind = "" if out is None else _kind(out)
    most = {"": 0, ".xlsx": 0, ".html": SECTIONS_MAX}.get(kind, PAGES_MAX)
    found = _gathered(config, role, day, scope, now_ms, most, as_json)
    try:
        written = [] if out is None else write_day(found, out)
    except OSError as cause:
        end(FAILED, f"文件写入失败：{cause}", as_json=as_json)
    show(day_plain(found), [*_said(found), *(f"已写入{path}" for path in written)], as_json)
    raise SystemExit(DONE if found.report.agreed else FINDINGS)


def written(task: ReportTask) -> Reported:
    """Write the report of the morning (§4.3), in a child of the node. Raises NotABooksStore, OSError."""
    config = msgspec.json.decode(task.config, type=Config)
    try:
        found = gather(config, task.role, task.date, "", task.now_ms, PAGES_MAX)
    except NoSuchDay:
        return Reported(agreed=False, files=[])
    files = write_day(found, Path(task.folder))
    return Reported(agreed=found.report.agreed, files=[str(one) for one in files])


def place(out: Path | None, as_json: bool) -> None:
    if out is not None and not out.absolute().parent.is_dir():
        end(USAGE, f"没有这个文件夹：{out.parent}（要写{out.name}）", as_json=as_json)
    if out is not None and _kind(out) == "/" and out.exists() and not out.is_dir():
        end(USAGE, f"输出位置不是文件夹，也不是.html或.xlsx：{out}", as_json=as_json)


def _kind(out: Path) -> str:
    """Return what is asked for by the name: '.html', '.xlsx', or '/' for a folder."""
    suffix = out.suffix.lower()
    return suffix if suffix in (".html", ".xlsx") and not out.is_dir() else "/"


def _gathered(config: Config, role: str, day: str, scope: str, now_ms: int, most: int, as_json: bool) -> Gathered:
    try:
        return gather(config, role, day, scope, now_ms, most)
    except NoSuchDay:
        whom = f"机构{scope}" if scope else "本网关"
        end(FAILED, f"{day}没有{whom}的对账记录，请先运行liangding books day", as_json=as_json)
    except NotABooksStore as cause:
        end(FAILED, f"对账库打不开（不是对账库，或已损坏）：{config.room('books')}：{cause}", as_json=as_json)


def write_day(found: Gathered, out: Path) -> list[Path]:
    """Write a day where the name says; return what was written. Raises OSError."""
    kind = _kind(out)
    if kind == ".xlsx":
        write_workbook(out, day_sheets(found), dated=found.report.date)
        return [out]
    if kind == ".html":
        write_whole(out, day_page(found, beside=False).encode())
        return [out]
    pages = out / "settlements"
    pages.mkdir(parents=True, exist_ok=True)
    for diff_id, proof in found.proofs.items():
        write_whole(pages / f"{diff_id}.html", settlement_page(found, proof).encode())
    for page in pages.glob("*.html"):
        if page.stem not in found.proofs:  # of an earlier report: what it tells is open no more
            page.unlink()
    write_workbook(out / "report.xlsx", day_sheets(found), dated=found.report.date)
    write_whole(out / "report.html", day_page(found, beside=True).encode())
    return [out / "report.html", out / "report.xlsx"]


def _said(found: Gathered) -> Iterator[str]:
    one = found.report
    yield f"{one.date} {whose(one)}：{verdict(one)}"
    for leg in one.legs.values():
        agreed = "" if leg.agreed is None else f"，一致{leg.agreed[0]}笔{money(leg.agreed[1])}元"
        counts = "".join(f"，{STANDINGS[name]}{leg.counts[name].lines}条" for name in ORDER if leg.counts[name].lines)
        yield f"  {LEGS[leg.name]}：{LOOKS[leg.look]}{agreed}{counts}"
    for group in one.groups:
        late = f"（超期{group.overdue}条）" if group.overdue else ""
        yield (
            f"  {MOVERS[group.mover]}：{group.title} {group.count.lines}条，{money(group.count.fen)}元，"
            f"最迟{until(group.until_ms)}{late}"
        )
    if found.lost:
        yield "  账目文件无法读取，一致笔数未列出"


def report_month(
    config: Config, role: str, month: str, scope: str, now_ms: int, out: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Write and say a month's report; ends with 0 when nobody has to do anything, else 3."""
    place(out, as_json)
    try:
        found = gather_month(config, role, month, scope, now_ms)
        written = [] if out is None else _write_month(found, out)
    except NoSuchDay:
        whom = f"机构{scope}" if scope else "本网关"
        end(FAILED, f"{month}没有{whom}的对账记录", as_json=as_json)
    except (NotABooksStore, OtherBooks) as cause:
        end(FAILED, f"对账库打不开（不是对账库，或已损坏）：{config.room('books')}：{cause}", as_json=as_json)
    except ProfileError as cause:
        end(USAGE, str(cause), as_json=as_json)
    except OSError as cause:
        end(FAILED, f"文件写入失败：{cause}", as_json=as_json)
    show(month_plain(found), [*_said_month(found), *(f"已写入{path}" for path in written)], as_json)
    raise SystemExit(DONE if found.report.quiet else FINDINGS)


def _write_month(found: MonthGathered, out: Path) -> list[Path]:
    dated = found.report.days[-1].date
    kind = _kind(out)
    if kind == ".xlsx":
        write_workbook(out, month_sheets(found), dated=dated)
        return [out]
    if kind == ".html":
        write_whole(out, month_page(found).encode())
        return [out]
    out.mkdir(parents=True, exist_ok=True)
    write_workbook(out / "month.xlsx", month_sheets(found), dated=dated)
    write_whole(out / "month.html", month_page(found).encode())
    return [out / "month.html", out / "month.xlsx"]


def _said_month(found: MonthGathered) -> Iterator[str]:
    report = found.report
    yield f"{report.month}：{month_verdict(report)}"
    for state, one in report.by_state.items():
        yield (
            f"  {STATES.get(state, state)}{one.count}份：申报{money(one.applied)}元，核准{money(one.approved)}元，"
            f"扣款{money(one.deducted)}元，暂扣{money(one.withheld)}元，拨付{money(one.paid)}元"
        )
    if report.overdue or report.open_deductions:
        yield f"  逾期未拨付{report.overdue}份，待了结扣款{report.open_deductions}条"
    if found.lost:
        yield f"  期限未列出：{found.lost}"
