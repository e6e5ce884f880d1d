"""How the `codes` commands speak of files: their faults, what reading them raises, a progress bar on a terminal."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from adapters.files.tables import ColumnMissing
from adapters.store.codes_reader import OtherVersion
from gateway.app.codes_work import NoVersion, SamePerson
from gateway.app.say import FAILED, USAGE, end
from gateway.codes.faults import KEPT_MAX, Fault, Faults


def refuse(faults: Faults, file: str, as_json: bool) -> NoReturn:
    """Print every fault of a refused import (annex C1) and end with exit code 1."""
    if as_json:
        complaints = [fault.record(file) for fault in faults]
        click.echo(json.dumps({"complaints": complaints, "count": faults.count}, ensure_ascii=False))
    lines = [fault.text(file) for fault in faults]
    rest = faults.count - len(lines)
    if rest > 0:
        lines.append(f"另有{rest}处问题未列出")
    end(FAILED, *lines, f"未导入：{file} 有{faults.count}处问题，库中内容未改变")


def say_faults(faults: Sequence[Fault], file: str) -> None:
    """Print findings on stderr, at most 1,000 of them (annex C1)."""
    for fault in faults[:KEPT_MAX]:
        click.echo(fault.text(file), err=True)
    if len(faults) > KEPT_MAX:
        click.echo(f"另有{len(faults) - KEPT_MAX}处问题未列出", err=True)


@contextmanager
def explained(as_json: bool) -> Iterator[None]:
    """Turn what the files and the store raise into a sentence and an exit code."""
    try:
        yield
    except ColumnMissing as cause:
        end(USAGE, f"文件缺少必需的列：{cause}", as_json=as_json)
    except NoVersion as cause:
        end(USAGE, f"{cause}没有版本号列，请用--ver给出版本号", as_json=as_json)
    except SamePerson as cause:
        end(USAGE, f"MA17 经办人与复核人不能为空或是同一人：{cause}", as_json=as_json)
    except FileNotFoundError as cause:
        end(USAGE, f"文件不存在：{cause.filename}", as_json=as_json)
    except OtherVersion as cause:
        end(FAILED, str(cause), as_json=as_json)
    except (OSError, sqlite3.Error) as cause:
        end(FAILED, f"编码库或文件读写失败：{cause}", as_json=as_json)


@contextmanager
def progress(file: Path, doing: str = "导入") -> Iterator[Callable[[int], None]]:
    """Show a bar over the file's bytes when stderr is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal or not file.exists():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"{doing} {file.name}", total=file.stat().st_size)
        yield lambda done: bar.update(task, completed=done)
