"""The command line `liangding` (contract §2). Exit codes: 0 done, 1 failed, 2 wrong usage or set-up, 3 findings."""

import sys

import click

from gateway.app.facts import all_problems, link_region, read_files
from gateway.app.lazily import Lazy
from gateway.app.say import USAGE, Outside, end, load, show
from gateway.core.catalogue import CatalogueError

# Loaded when it is named: a command does not wait for what another needs (all of them together take a second).
_ELSEWHERE = {
    "audit": "gateway.app.cli_audit:audit",
    "backup": "gateway.app.cli_backup:backup",
    "books": "gateway.app.cli_books:books",
    "codes": "gateway.app.cli_codes:codes",
    "journal": "gateway.app.cli_journal:journal",
    "lists": "gateway.app.cli_lists:lists",
    "recover": "gateway.app.cli_journal:recover",
    "security": "gateway.app.cli_security:security",
}


@click.group(cls=Lazy, elsewhere=_ELSEWHERE, help="两定网关：定点医药机构与医保平台之间的网关")
def cli() -> None:
    """`liangding`."""


@cli.command(help="检查配置，一次报告全部问题")
@click.argument("config", type=click.Path())
@click.option("--json", "as_json", is_flag=True)
def check(config: str, as_json: bool) -> None:
    found = load(config, as_json)
    problems: list[str] = []
    counts: dict[str, int] = {}
    try:
        files = read_files()
    except CatalogueError as cause:
        end(USAGE, *cause.problems, as_json=as_json)
    problems += all_problems(files)
    for name, link in found.platform.items():
        try:
            counts[name] = len(link_region(files, link).transactions)
        except CatalogueError as cause:
            problems += [f"$.platform.{name}.region: {line}" for line in cause.problems]
    if problems:
        end(USAGE, *problems, as_json=as_json)
    lines = [f"配置正确：{len(found.institution)}家机构，{len(found.platform)}条平台链路"]
    lines += [f"  链路{name}：区域{found.platform[name].region}，{count}个交易" for name, count in counts.items()]
    show({"ok": True, "transactions": counts}, lines, as_json)


@cli.command(help="运行一个节点")
@click.argument("config", type=click.Path())
@click.pass_obj
def run(outside: Outside, config: str) -> None:
    sys.exit(outside.run_node(load(config)))


@cli.command(
    help="演示：小城市的一个营业日",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,  # the options are the simulators', and so is the help on them
)
@click.pass_context
def demo(context: click.Context) -> None:
    outside: Outside = context.obj
    sys.exit(outside.simulate(["demo", *context.args]))
