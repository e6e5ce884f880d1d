"""One library import in a process of its own, niced: `python -m gateway.app.codes_import_child` (design §3).

Started by the node with the store, what to import and when; prints one JSON object.
Interrupted, the next import of the same file goes on from there.
"""

import sys
from pathlib import Path

import msgspec

from adapters.files.tables import ColumnMissing
from adapters.store.codes_reader import OtherVersion
from gateway.app import child_process
from gateway.app.codes_library import NoVersion, import_library
from gateway.codes.faults import Faults

SHOWN_MAX = 50


def run(store: Path, system: str, file: Path, ver: str, operator: str, now_s: float) -> dict[str, object]:
    """Import; return what came of it: ok, ver, rows, digest, or ok False and the complaints."""
    try:
        done = import_library(store, system, file, ver, now_s, operator, lambda _: None)
    except NoVersion:
        return _refused("文件没有版本号列，请在文件名中给出版本号（编码标准@版本号.zip）")
    except ColumnMissing as cause:
        return _refused(f"文件缺少必需的列，或列数与任何已公布的格式都不符：{cause}")
    except OtherVersion as cause:
        return _refused(str(cause))
    except OSError as cause:
        return _refused(f"文件读写失败：{cause.strerror}")
    if isinstance(done, Faults):
        lines = [fault.text(file.name) for fault in done][:SHOWN_MAX]
        return _refused(f"文件有{done.count}处问题，未导入，原版本仍在使用", lines)
    return {"ok": True, "ver": done.ver, "rows": done.rows, "digest": done.digest}


def _refused(message: str, lines: list[str] | None = None) -> dict[str, object]:
    return {"ok": False, "message": message, "complaints": lines or []}


def main(arguments: list[str]) -> None:
    """arguments: store, system, file, version or '', operator, seconds since the epoch."""
    child_process.begin()
    store, system, file, ver, operator, now = arguments
    found = run(Path(store), system, Path(file), ver, operator, float(now))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main(sys.argv[1:])
