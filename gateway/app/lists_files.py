"""Files of settlement lists: one object, an array, or one object a line (annex L1); and the libraries beside them."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from adapters.files.tables import Limits, Shape
from gateway.app.codes_files import lines_of, opened
from gateway.app.codes_library import definition
from gateway.codes.faults import Faults
from gateway.codes.library import day_text
from gateway.core.code_systems import Role
from gateway.core.errors import BadJson
from gateway.core.jsontext import decode, objects_once
from gateway.lists.world import CodeRecord

WHOLE_MAX = 128 << 20  # bytes of a file that is no JSON lines: it is held in memory
LINE_MAX = 8 << 20  # bytes of one list
_BOM = b"\xef\xbb\xbf"
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "diagnosis": ("national_diagnoses.csv", "diagnosis.csv"),
    "operation": ("national_operations.csv", "operation.csv"),
    "doctor": ("doctors.csv", "doctor.csv"),
    "nurse": ("nurses.csv", "nurse.csv"),
}

_ROLES: tuple[Role, ...] = ("code", "name", "begndate", "enddate", "vali_flag", "gray")
_DAYS: tuple[Role, ...] = ("begndate", "enddate")

Tick = Callable[[int], None]


class Unreadable(Exception):
    """The file cannot be checked at all; the text says what to do."""


class NotAList:
    """Stands for a list whose text is no JSON; why is Chinese."""

    def __init__(self, why: str) -> None:
        self.why = why


def lists_of(file: Path, tick: Tick) -> Iterator[Any]:
    """Yield every list of a file as a JSON tree, or a NotAList. Raises Unreadable, OSError."""
    with file.open("rb") as stream:
        if stream.read(3) != _BOM:
            stream.seek(0)
        start = stream.tell()
        first = _first_line(stream)
        stream.seek(start)
        if first.startswith(b"[") or (first.startswith(b"{") and not _complete(first)):
            yield from _whole(stream, file)
        else:
            yield from _by_line(stream, tick)


def _first_line(stream: BinaryIO) -> bytes:
    while line := stream.readline(LINE_MAX):
        if line.strip():
            return line.strip()
    return b""


def _complete(line: bytes) -> bool:
    return not isinstance(tree_of(line), NotAList)


def _by_line(stream: BinaryIO, tick: Tick) -> Iterator[Any]:
    count = 0
    while line := stream.readline(LINE_MAX + 1):
        if len(line) > LINE_MAX:
            while line and not line.endswith(b"\n"):  # the rest of what is too long
                line = stream.readline(LINE_MAX)
            yield NotAList(f"一行超过{LINE_MAX >> 20}MB")
        elif line.strip():
            yield tree_of(line)
        else:
            continue
        count += 1
        if count % 200 == 0:
            tick(stream.tell())
    if not count:
        yield NotAList("文件是空的")


def _whole(stream: BinaryIO, file: Path) -> Iterator[Any]:
    """One object or an array. A file whose first line is broken but whose others are lists is one list a line."""
    if os.fstat(stream.fileno()).st_size > WHOLE_MAX:
        raise Unreadable(f"{file}超过{WHOLE_MAX >> 20}MB：大文件请改为每行一份清单（JSON lines）")
    start = stream.tell()
    raw = stream.read()
    if raw.lstrip().startswith(b"["):
        try:
            items = _ITEMS.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            yield NotAList(_why(raw))
        else:
            del raw
            yield from (tree_of(bytes(item)) for item in items)
        return
    tree = tree_of(raw)
    lines = [line for line in raw.splitlines() if line.strip()] if isinstance(tree, NotAList) else []
    if len(lines) > 1 and any(_complete(line) for line in lines if line.startswith(b"{")):
        stream.seek(start)
        yield from _by_line(stream, lambda _: None)
    else:
        yield tree


def tree_of(raw: bytes) -> Any:
    """Return a list's JSON tree, or a NotAList."""
    try:
        tree = decode(raw)
    except BadJson:
        return NotAList(_why(raw))
    if type(tree) is dict and objects_once(raw, tree) is None:
        return NotAList("同一个对象里有重复的键，无法判断以哪个为准")
    return tree


def _why(raw: bytes) -> str:
    """Return why a text is no JSON and where, without a word of it."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as cause:
        return f"不是UTF-8编码（第{cause.start + 1}个字节），请另存为UTF-8"
    try:
        json.loads(text)
    except json.JSONDecodeError as cause:
        return f"不是JSON：第{cause.lineno}行第{cause.colno}个字符附近有误"
    except (ValueError, RecursionError):
        return "不是JSON：数字过长，或嵌套过深"
    return "不是严格的JSON：不能有NaN、Infinity，嵌套不能过深"


def libraries_of(folder: Path, faults: Faults) -> dict[str, dict[str, CodeRecord]]:
    """Read a folder of national libraries (CSV): SYSTEM -> code -> record.

    Raises Unreadable, ColumnMissing, OSError.
    """
    found: dict[str, dict[str, CodeRecord]] = {}
    for system, files in LIBRARIES.items():
        path = next((folder / name for name in files if (folder / name).is_file()), None)
        if path is not None:
            found[system] = _library(system, path, faults)
    if not found:
        names = "、".join(name for own in LIBRARIES.values() for name in own)
        raise Unreadable(f"{folder}中没有编码库文件（{names}）")
    return found


def _library(system: str, path: Path, faults: Faults) -> dict[str, CodeRecord]:
    spec = definition(system)
    titles = {str(role): spec.titles(role) for role in _ROLES if spec.titles(role)}
    records: dict[str, CodeRecord] = {}
    with ExitStack() as stack:
        table = opened(path, Shape(titles=titles, key=("code",)), faults, stack, Limits())
        if table is None:
            return records
        at = table.at
        for line, row in lines_of(table, faults, lambda _: None):
            cell = {role: row[at[role]] if role in at else "" for role in _ROLES}
            days = {role: day_text(cell[role]) for role in _DAYS}
            for role in (role for role in _DAYS if days[role] is None):
                faults.add(line, table.title(role), "MF08", "不是有效日期")
            records[cell["code"]] = CodeRecord(
                cell["name"], days["begndate"] or "", days["enddate"] or "", cell["vali_flag"] != "0",
                cell["gray"] == "1", records.get(cell["code"]),
            )  # fmt: skip
    return records
