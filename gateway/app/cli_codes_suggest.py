"""`liangding codes suggest`: national codes for an institution's own, from two plain files (contract §7, annex C5)."""

from pathlib import Path

import attrs
import click

from gateway.app.bars import progress
from gateway.app.codes_files import code_systems
from gateway.app.codes_say import explained
from gateway.app.say import FAILED, USAGE, Outside, end, show
from gateway.app.suggest_work import FaultyFile, suggest_files
from gateway.core.dates import day_of, is_date

_FILE = click.Path(path_type=Path)


@click.command("suggest", help="为院内编码提出国家编码建议：不需要数据库，只写文件，不会自动对码")
@click.option("--system", required=True, help="编码标准，如drug、service_item、diagnosis")
@click.option("--national", required=True, type=_FILE, help="国家目录文件")
@click.option("--local", required=True, type=_FILE, help="院内目录文件，须有院内编码与名称")
@click.option("--out", required=True, type=_FILE, help="建议写入的CSV文件")
@click.option("--crosswalk", type=_FILE, help="城市旧编码与国家编码的对照表；院内目录须有原城市编码列")
@click.option("--date", "day", default="", help="按哪一天判断有效，yyyy-MM-dd；默认今天")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def suggest(
    outside: Outside,
    system: str,
    national: Path,
    local: Path,
    out: Path,
    crosswalk: Path | None,
    day: str,
    as_json: bool,
) -> None:
    if system not in code_systems():
        end(USAGE, f"没有这个编码标准：{system}（可用：{'、'.join(sorted(code_systems()))}）", as_json=as_json)
    if day and not is_date(day):
        end(USAGE, f"日期应为yyyy-MM-dd：{day}", as_json=as_json)
    if out.resolve() in {file.resolve() for file in (national, local, crosswalk) if file is not None}:
        end(USAGE, "输出文件不能是输入文件", as_json=as_json)
    if not out.parent.is_dir():
        end(USAGE, f"输出文件夹不存在：{out.parent}", as_json=as_json)
    day = day or day_of(outside.now())
    with explained(as_json):
        try:
            tally = suggest_files(system, national, local, out, day, progress, crosswalk)
        except FaultyFile as cause:
            lines = [fault.text(str(cause.file)) for fault in cause.faults]
            end(FAILED, *lines, f"{cause.file}有{cause.faults.count}处问题，没有写出建议", as_json=as_json)
    lines = [
        f"院内{tally.rows}条，国家目录{tally.national}条（按{day}判断有效）",
        f"较确定（置信度≥0.95）{tally.sure}条，待核对{tally.unsure}条，没有建议{tally.none}条；都须两人核对后才能对码",
        f"已写入{out}",
    ]
    show({"date": day, "out": str(out), **attrs.asdict(tally)}, lines, as_json)
