"""The command line `liangding` (contract §2). Exit codes: 0 done, 1 failed, 2 wrong usage or set-up, 3 findings."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import click

from gateway.app.config import Config, ConfigError, read_config
from gateway.app.facts import all_problems, read_files
from gateway.core.catalogue import CatalogueError
from gateway.core.regions import build_region


@attrs.frozen(kw_only=True)
class Outside:
    """What only the entry point may hold: the reactor's run, the simulators, the clock, the dice."""

    run_node: Callable[[Config], int]
    simulate: Callable[[list[str]], int]
    now: Callable[[], float]
    entropy: Callable[[int], bytes]
    cwd: Path


def fail(problems: list[str], as_json: bool = False, code: int = 2) -> None:
    """Say what is wrong, every line of it, on stderr (or as one object), and end."""
    if as_json:
        click.echo(json.dumps({"ok": False, "problems": problems}, ensure_ascii=False))
    for line in problems:
        click.echo(line, err=True)
    sys.exit(code)


def load(path: str, as_json: bool = False) -> Config:
    """Read a configuration or end with exit code 2."""
    try:
        return read_config(Path(path))
    except ConfigError as cause:
        fail(cause.problems, as_json)
        raise AssertionError from cause  # fail does not return


@click.group(help="两定网关：定点医药机构与医保平台之间的网关")
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
        fail(cause.problems, as_json)
        return
    problems += all_problems(files)
    for name, link in found.platform.items():
        try:
            counts[name] = len(build_region(files, link.region, tuple(link.extensions)).transactions)
        except CatalogueError as cause:
            problems += [f"$.platform.{name}.region: {line}" for line in cause.problems]
    if problems:
        fail(problems, as_json)
    if as_json:
        click.echo(json.dumps({"ok": True, "transactions": counts}, ensure_ascii=False))
        return
    click.echo(f"配置正确：{len(found.institution)}家机构，{len(found.platform)}条平台链路")
    for name, count in counts.items():
        click.echo(f"  链路{name}：区域{found.platform[name].region}，{count}个交易")


@cli.command(help="运行一个节点")
@click.argument("config", type=click.Path())
@click.pass_obj
def run(outside: Outside, config: str) -> None:
    sys.exit(outside.run_node(load(config)))


@cli.command(
    help="演示：小城市的一个营业日",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.pass_context
def demo(context: click.Context) -> None:
    outside: Outside = context.obj
    sys.exit(outside.simulate(["demo", *context.args]))


def _mount(group: Any) -> None:
    from gateway.app.cli_codes import codes
    from gateway.app.cli_journal import journal, recover

    group.add_command(codes)
    group.add_command(journal)
    group.add_command(recover)


_mount(cli)
