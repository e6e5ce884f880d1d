"""How every command speaks: exit codes, faults one a line on stderr or as one object, results as text or object."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import attrs
import click

from gateway.app.config import Config, ConfigError, read_config

DONE, FAILED, USAGE, FINDINGS = 0, 1, 2, 3


@attrs.frozen(kw_only=True)
class Outside:
    """What only the entry point may hold: the reactor's run, the simulators, the clock, the dice."""

    run_node: Callable[[Config], int]
    simulate: Callable[[list[str]], int]
    now: Callable[[], float]
    entropy: Callable[[int], bytes]


def end(code: int, *lines: str, as_json: bool = False) -> NoReturn:
    """Say why on stderr and end; as one object too when that was asked for."""
    if as_json and code != DONE:
        click.echo(json.dumps({"ok": False, "problems": list(lines)}, ensure_ascii=False))
    for line in lines:
        click.echo(line, err=True)
    sys.exit(code)


def load(path: str, as_json: bool = False) -> Config:
    """Read the configuration; ends with exit code 2 when it is wrong."""
    try:
        return read_config(Path(path))
    except ConfigError as cause:
        end(USAGE, *cause.problems, as_json=as_json)


def show(plain: object, text: Iterable[str], as_json: bool) -> None:
    """Print one machine-readable object, or the lines for people."""
    if as_json:
        click.echo(json.dumps(plain, ensure_ascii=False))
        return
    for line in text:
        click.echo(line)
