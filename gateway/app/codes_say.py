"""How the `codes` commands speak of files: their faults, what reading them raises, a progress bar on a terminal."""

import getpass
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

import click

from adapters.files.tables import ColumnMissing
from adapters.store.codes_reader import OtherVersion
from adapters.store.journal_reader import NotAJournal
from gateway.app.codes_compare import UnknownVersion
from gateway.app.codes_files import code_systems, registers
from gateway.app.codes_library import NotItsTransaction, NoVersion, UnknownRecord
from gateway.app.codes_work import ContentDiffers, SamePerson
from gateway.app.say import FAILED, USAGE, end
from gateway.codes.faults import KEPT_MAX, Fault, Faults
from gateway.core.code_systems import CodeSystemSpec

_SAID: Mapping[type[Exception], tuple[int, str]] = {
    ColumnMissing: (USAGE, "文件缺少必需的列：{}"),
    NoVersion: (USAGE, "{}没有版本号列，请用--ver给出版本号"),
    NotItsTransaction: (USAGE, "交易{}不提供这个目录的文件"),
    UnknownVersion: (USAGE, "没有这个版本：{}"),
    UnknownRecord: (FAILED, "在用目录中没有这个编码：{}"),
    SamePerson: (USAGE, "MA17 经办人与复核人不能为空或是同一人：{}"),
    ContentDiffers: (FAILED, "内容与核对时或导入时的不一致，未生效：{}"),
    OtherVersion: (FAILED, "{}"),
    NotAJournal: (FAILED, "交易日志无法读取：{}"),
    OSError: (FAILED, "编码库或文件读写失败：{}"),
    sqlite3.Error: (FAILED, "编码库或文件读写失败：{}"),
}


def refuse(faults: Faults, file: str, as_json: bool, undone: str = "未导入") -> NoReturn:
    """Print every fault of a refused file (annex C1) and end with exit code 1. undone: what did not happen."""
    if as_json:
        complaints = [fault.record(file) for fault in faults]
        click.echo(json.dumps({"complaints": complaints, "count": faults.count}, ensure_ascii=False))
    lines = [fault.text(file) for fault in faults]
    rest = faults.count - len(lines)
    if rest > 0:
        lines.append(f"另有{rest}处问题未列出")
    end(FAILED, *lines, f"{undone}：{file} 有{faults.count}处问题，库中内容未改变")


def say_faults(faults: Sequence[Fault], file: str) -> None:
    """Print findings on stderr, at most 1,000 of them (annex C1)."""
    for fault in faults[:KEPT_MAX]:
        click.echo(fault.text(file), err=True)
    if len(faults) > KEPT_MAX:
        click.echo(f"另有{len(faults) - KEPT_MAX}处问题未列出", err=True)


def known(system: str, as_json: bool, register: bool = False) -> CodeSystemSpec:
    """Return a library's definition; ends with exit code 2 when there is none. register: the registers count too."""
    found = code_systems() | (registers() if register else {})
    if system not in found:
        end(USAGE, f"没有这个编码标准：{system}（可用：{'、'.join(sorted(found))}）", as_json=as_json)
    return found[system]


def operator_of() -> str:
    """Return the system account that runs the command; the trail wants a name even where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


@contextmanager
def explained(as_json: bool) -> Iterator[None]:
    """Turn what the files and the store raise into a sentence and an exit code."""
    try:
        yield
    except FileNotFoundError as cause:
        end(USAGE, f"文件不存在：{cause.filename}", as_json=as_json)
    except tuple(_SAID) as cause:
        code, text = next(said for kind, said in _SAID.items() if isinstance(cause, kind))
        end(code, text.format(cause), as_json=as_json)
