"""`liangding lists`: settlement lists. `check` works on files alone, for vendors (contract §2, annex L1 to L3)."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from adapters.files.whole import written_whole
from gateway.app.bars import progress
from gateway.app.cli_lists_collect import import_lists, status
from gateway.app.cli_lists_compare import compare, counts
from gateway.app.cli_lists_report import evidence, report
from gateway.app.cli_lists_upload import results, upload
from gateway.app.codes_say import explained, say_faults
from gateway.app.lazily import Group
from gateway.app.lists_files import LIBRARIES, Unreadable, libraries_of
from gateway.app.lists_form import Sheet, page
from gateway.app.lists_rules import COLLECTED, FORMS, region_rules
from gateway.app.lists_work import Tally, check_file, line_of, means_for, plain
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, show
from gateway.codes.faults import Faults
from gateway.core.dates import shanghai
from gateway.lists.reading import Finding
from gateway.lists.rules import RulesError
from gateway.lists.world import CodeRecord

_FILE = click.Path(path_type=Path)
_SHOWN = 10
_LIBRARIES = "、".join(names[0] for names in LIBRARIES.values())


@click.group(cls=Group, help="医保结算清单")
def lists() -> None:
    """`liangding lists`."""


@lists.command(help="检查清单文件（JSON、JSON数组或每行一份）：一次报告全部问题；不需要数据库")
@click.argument("file", type=_FILE)
@click.option("--form", default=COLLECTED, help="collected（默认，全部规则）、4101、4101A、4101-2021")
@click.option(
    "--codes",
    "codes",
    type=_FILE,
    help=f"编码库文件夹：{_LIBRARIES}中有的",
)
@click.option("--rules", "region", type=_FILE, help="地区规则（TOML：off停用、levels改级别、domains收窄值域）")
@click.option("--out", type=_FILE, help="把问题写入这个文件（JSON lines）；默认写到标准输出")
@click.option("--html", "html", type=_FILE, help="按清单样式写出可打印的网页，问题写在项目旁")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@click.pass_obj
def check(
    outside: Outside, file: Path, form: str, codes: Path | None, region: Path | None, out: Path | None,
    html: Path | None, as_json: bool,
) -> None:  # fmt: skip
    if form not in (COLLECTED, *FORMS):
        end(USAGE, f"没有这种形式：{form}（可用：{'、'.join((COLLECTED, *FORMS))}）", as_json=as_json)
    _distinct_files(file, out, html, as_json)
    if not file.is_file():
        end(FAILED, f"读不了这个文件：{file}（不存在，或不是文件）", as_json=as_json)
    with explained(as_json):
        records = _records(codes, as_json)
        try:
            means = means_for(form, records, region_rules(region) if region is not None else None)
        except RulesError as cause:
            end(USAGE, *cause.problems, as_json=as_json)
        sheets: list[Sheet] = []
        kept: list[dict[str, object]] = []
        with ExitStack() as stack:
            stream = stack.enter_context(written_whole(out)) if out is not None else None

            def tell(number: int, one: Finding) -> None:
                if stream is not None:
                    stream.write(line_of(number, one) + b"\n")
                elif as_json:
                    kept.append({"list": number, **plain(one)})
                else:
                    click.echo(line_of(number, one))

            try:
                with progress(file, "检查") as tick:
                    tally = check_file(file, means, tell, sheets, tick)
            except Unreadable as cause:
                end(FAILED, str(cause), as_json=as_json)
            except BrokenPipeError:  # whoever was reading has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                sys.exit(FINDINGS)
        if html is not None:
            made_at = f"{shanghai(outside.now()):%Y-%m-%d %H:%M}"
            with written_whole(html) as paper:
                paper.write(page(file.name, form, tally.lists, tally.clean, sheets, made_at, means.rules).encode())
    _say(tally, file, out, html, kept, as_json)


def _distinct_files(file: Path, out: Path | None, html: Path | None, as_json: bool) -> None:
    named = [path.resolve() for path in (file, out, html) if path is not None]
    if len(set(named)) != len(named):
        end(USAGE, "清单文件、--out和--html应是不同的文件", as_json=as_json)
    for path in (out, html):
        if path is not None and not path.parent.is_dir():
            end(USAGE, f"输出文件夹不存在：{path.parent}", as_json=as_json)
        if path is not None and path.exists() and not path.is_file():
            end(USAGE, f"输出不能是设备或文件夹：{path}", as_json=as_json)


def _records(folder: Path | None, as_json: bool) -> dict[str, dict[str, CodeRecord]]:
    if folder is None:
        return {}
    if not folder.is_dir():
        end(USAGE, f"编码库文件夹不存在：{folder}", as_json=as_json)
    faults = Faults()
    try:
        found = libraries_of(folder, faults)
    except Unreadable as cause:
        end(USAGE, str(cause), as_json=as_json)
    if faults:
        say_faults(tuple(faults), str(folder))
        end(FAILED, f"编码库文件有{faults.count}处问题，没有检查", as_json=as_json)
    return found


def _say(
    tally: Tally, file: Path, out: Path | None, html: Path | None, kept: list[dict[str, object]], as_json: bool
) -> None:
    found = tally.errors + tally.warnings
    whole: dict[str, object] = {
        "lists": tally.lists, "clean": tally.clean, "errors": tally.errors, "warnings": tally.warnings,
        "rules": dict(tally.rules.most_common()),
    }  # fmt: skip
    if out is None:
        whole["findings"] = kept
    lines = [f"{file.name}：{tally.lists}份清单，{tally.clean}份没有问题；错误{tally.errors}处，提示{tally.warnings}处"]
    lines += [f"  {rule} {count}处" for rule, count in tally.rules.most_common(_SHOWN)]
    lines += [f"已写入{path}" for path in (out, html) if path is not None]
    if out is None and not as_json:  # standard output holds the findings and nothing else
        for line in lines:
            click.echo(line, err=True)
    else:
        show(whole, lines, as_json)
    raise SystemExit(FINDINGS if found else DONE)


for _command in (compare, counts, evidence, import_lists, report, results, status, upload):
    lists.add_command(_command)
