"""`liangding codes map check`: the content checks on a file or on what the store holds (annex C1, C4)."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from adapters.files.export import write_rows, write_table
from gateway.app.codes_caps import read_approved, read_caps
from gateway.app.codes_checks import Beside, Refused, check_file, check_store, file_ground, ground_of
from gateway.app.codes_files import code_systems, reading
from gateway.app.codes_place import place
from gateway.app.codes_say import explained
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, show
from gateway.codes.checks.findings import COLUMNS, Finding
from gateway.codes.checks.ground import WARN_DAYS, Ground
from gateway.codes.mapping import Proposed
from gateway.core.dates import day_of, is_date


@click.command(
    "check", help="检查对码：文件，或库中现行与待复核的对码；不用数据库时给出--system、--national和--mapping"
)
@click.argument("config", required=False, type=click.Path())
@click.argument("institution", required=False)
@click.argument("system_id", metavar="[SYSTEM]", required=False)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--system", "system", default="", help="编码标准（不用数据库时）")
@click.option("--national", type=click.Path(path_type=Path), help="国家目录文件（不用数据库时）")
@click.option("--mapping", "mapping_file", type=click.Path(path_type=Path), help="对码文件（不用数据库时）")
@click.option("--date", "day", default="", help="按哪一天判断有效，yyyy-MM-dd；不给时为当天")
@click.option("--caps", type=click.Path(path_type=Path), help="限价文件（1318的各列），用于检查价格")
@click.option("--items", type=click.Path(path_type=Path), help="省价格项目清单（物价编码列），不在其中的按自创项目提出")
@click.option(
    "--warn-days", default=WARN_DAYS, show_default=True, type=click.IntRange(0, 366), help="提前多少天提醒停用"
)
@click.option("--out", type=click.Path(path_type=Path), help="结果文件（CSV）；不给时写到标准输出")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def check_command(
    outside: Outside,
    config: str | None,
    institution: str | None,
    system_id: str | None,
    file: Path | None,
    system: str,
    national: Path | None,
    mapping_file: Path | None,
    day: str,
    caps: Path | None,
    items: Path | None,
    warn_days: int,
    out: Path | None,
    as_json: bool,
) -> None:
    today = day or day_of(outside.now())
    if not is_date(today):
        end(USAGE, f"--date不是yyyy-MM-dd的真实日期：{day}", as_json=as_json)
    with explained(as_json):
        try:
            approved = read_approved(items) if items else None
            beside = Beside(caps=read_caps(caps) if caps else {}, approved=approved, warn_days=warn_days)
            if config is None:
                findings = _of_files(system, national, mapping_file, today, beside, as_json)
            elif institution is None or system_id is None or system or national or mapping_file:
                end(USAGE, "用法：map check CONFIG INSTITUTION SYSTEM [FILE]，不与--system等同用", as_json=as_json)
            else:
                findings = _of_place(config, institution, system_id, file, today, beside, as_json)
        except Refused as cause:
            _refuse(cause, as_json)
        _tell(findings, out, as_json)
    sys.exit(FINDINGS if findings else DONE)


def _of_files(
    system: str, national: Path | None, mapping_file: Path | None, today: str, beside: Beside, as_json: bool
) -> Sequence[Finding]:
    if not system or national is None or mapping_file is None:
        end(USAGE, "不用数据库时，--system、--national和--mapping都要给出", as_json=as_json)
    specs = code_systems()
    if system not in specs:
        end(USAGE, f"没有这个编码标准：{system}（可用：{'、'.join(sorted(specs))}）", as_json=as_json)
    return check_file(mapping_file, system, file_ground(national, specs, system, today, beside))


def _of_place(
    config: str, institution: str, system: str, file: Path | None, today: str, beside: Beside, as_json: bool
) -> Sequence[Finding]:
    store = place(config, institution, system, as_json).store
    specs = code_systems()
    with reading(store) as reader:
        if file is None:
            return check_store(reader, specs, system, institution, today, beside)

        def ground(rows: Sequence[Proposed]) -> Ground:
            return ground_of(reader, specs, system, institution, rows, today, judge_closed=True, beside=beside)

        return check_file(file, system, ground)


def _refuse(cause: Refused, as_json: bool) -> None:
    """Print why a file cannot be checked and end with exit code 1."""
    faults, name = list(cause.faults), str(cause.file)
    if as_json:
        show({"complaints": [fault.record(name) for fault in faults], "count": cause.faults.count}, (), True)
    end(FAILED, *(fault.text(name) for fault in faults), f"不能检查：{name} 有{cause.faults.count}处问题")


def _tell(findings: Sequence[Finding], out: Path | None, as_json: bool) -> None:
    rows = [one.cells() for one in findings]
    if out is not None:
        write_table(out, COLUMNS, rows)
    errors = sum(one.level == "error" for one in findings)
    summary = f"检查完成：{errors}处错误，{len(findings) - errors}处提醒"
    plain = [dict(zip(COLUMNS, cells, strict=True)) | {"row": int(cells[0])} for cells in rows]
    if as_json or out is not None:
        show({"findings": plain, "errors": errors, "count": len(plain)}, [f"{summary}，已写入{out}"], as_json)
    else:
        write_rows(sys.stdout, COLUMNS, rows)
        click.echo(summary, err=True)
