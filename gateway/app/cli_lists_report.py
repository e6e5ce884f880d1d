"""`liangding lists report|evidence`: how far the lists are, for the month's meeting; which mapping translated what."""

import json
import re
from pathlib import Path

import click

from adapters.files.whole import write_whole
from adapters.files.workbook import write_workbook
from adapters.store.journal_reader import NotAJournal
from adapters.store.lists import Filter, OtherLists, reading
from adapters.store.lists_compared import compared, counted, differences
from gateway.app.codes_say import explained
from gateway.app.config import Config
from gateway.app.lists_books import known
from gateway.app.lists_desk import SCRIPTS
from gateway.app.lists_report import Report, percent, report_page, report_sheets, share
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.core.dates import day_of, shanghai
from gateway.lists.figures import STAGES, STAGES_ZH, Figures, added_up

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_PATH = click.Path(path_type=Path)
ENDINGS = (".html", ".xlsx")
DIFFERENCES_MAX = 100_000


@click.command(help="清单情况：应传、逾期、退回、拒绝、通过，按机构、月份、科室；一次通过率；可写成网页或Excel")
@click.argument("config", type=click.Path())
@click.argument("institution", default="")
@click.option("--month", default="", help="结算月份yyyy-MM，默认全部")
@click.option("--out", "outs", type=_PATH, multiple=True, help="写成网页（.html，可打印）或Excel（.xlsx）；可以重复")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def report(outside: Outside, config: str, institution: str, month: str, outs: tuple[Path, ...], as_json: bool) -> None:
    settings = load(config, as_json)
    names = {one.fixmedins_code: one.name for one in settings.institution}
    if institution and institution not in names:
        end(USAGE, f"配置中没有机构{institution}", as_json=as_json)
    if month and not _MONTH.fullmatch(month):
        end(USAGE, f"月份应为yyyy-MM：{month}", as_json=as_json)
    if any(out.suffix.lower() not in ENDINGS for out in outs):
        end(USAGE, "--out应以.html或.xlsx结尾", as_json=as_json)
    with explained(as_json):
        try:
            found = _report(settings, institution, month, day_of(outside.now()))
        except (OtherLists, NotAJournal) as cause:
            end(FAILED, str(cause), as_json=as_json)
        made_at = f"{shanghai(outside.now()):%Y-%m-%d %H:%M}"
        for out in outs:
            if out.suffix.lower() == ".html":
                write_whole(out, report_page(found, made_at).encode())
            else:
                write_workbook(out, report_sheets(found, made_at))
    months = added_up(found.known, "institution", "month")
    lines = [f"{code} {one or '月份未知'}：{_said(figures)}" for (code, one), figures in months.items()]
    lines = lines or ["没有应传的结算，也没有采集清单"]
    lines += [f"已写入{out}" for out in outs]
    show(_plain(found), lines, as_json)
    total = found.total
    wrong = total.late or total.of("returned") or total.of("refused") or total.of("unknown")
    raise SystemExit(FINDINGS if wrong or any(not one.agree for one in found.counted) else DONE)


def _report(settings: Config, institution: str, month: str, today: str) -> Report:
    codes = [one.fixmedins_code for one in settings.institution if institution in ("", one.fixmedins_code)]
    rows = [one for one in known(settings, codes, today) if month in ("", one.month)]
    wanted = Filter(institution, month)
    with reading(settings.room("lists"), len(SCRIPTS)) as look:
        connection = look.connection if look is not None else None
        return Report(
            known=tuple(rows),
            counted=tuple(counted(connection, institution, month)) if connection else (),
            differences=tuple(differences(connection, wanted, DIFFERENCES_MAX)) if connection else (),
            compared=_states(compared(connection, wanted)) if connection else {},
            names={one.fixmedins_code: one.name for one in settings.institution},
            month=month,
            day=today,
            due_days=settings.lists.due_days,
        )


def _states(rows: list[tuple[str, str, str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for _, _, state, lists in rows:
        found[state] = found.get(state, 0) + lists
    return found


def _said(one: Figures) -> str:
    parts = [f"应传{one.due}份", f"逾期{one.late}份" if one.late else ""]
    parts += [f"{STAGES_ZH[stage]}{one.of(stage)}份" for stage in STAGES if one.of(stage)]
    first = share(one)
    parts.append(f"一次通过率{first if isinstance(first, str) else percent(first)}" if one.judged else "")
    return "，".join(part for part in parts if part)


def _plain(found: Report) -> dict[str, object]:
    rows = added_up(found.known, "institution", "month", "dept")
    return {
        "day": found.day,
        "due_days": found.due_days,
        "figures": [
            {
                "fixmedins_code": code, "month": month, "dept": dept, "due": one.due, "late": one.late,
                **dict(zip(STAGES, one.stages, strict=True)), "judged": one.judged, "first_pass": one.first,
            }
            for (code, month, dept), one in rows.items()
        ],
    }  # fmt: skip


@click.command(help="凭据：一次就诊的清单中，哪个版本的对码翻译了哪一项")
@click.argument("config", type=click.Path())
@click.argument("institution")
@click.argument("mdtrt_id")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
def evidence(config: str, institution: str, mdtrt_id: str, as_json: bool) -> None:
    settings = load(config, as_json)
    with explained(as_json):
        try:
            with reading(settings.room("lists"), len(SCRIPTS)) as look:
                visit = look.visit(institution, mdtrt_id) if look is not None else None
                packed = look.evidence(visit) if look is not None and visit is not None else ""
        except OtherLists as cause:
            end(FAILED, str(cause), as_json=as_json)
    if visit is None:
        end(FAILED, f"没有采集过就诊{mdtrt_id}的清单", as_json=as_json)
    names = ("path", "system", "local_code", "national_code", "version", "day")
    rows = [dict(zip(names, row, strict=True)) for row in json.loads(packed or "[]")]
    lines = [
        f"{path} {local} → {national}（{system}，版本{version}，{day}）"
        for path, system, local, national, version, day in (one.values() for one in rows)
    ]
    show({"evidence": rows}, lines or ["没有由对码翻译的项目"], as_json)
    raise SystemExit(DONE)
