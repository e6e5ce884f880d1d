"""What SQLite's refusal means, in the operator's language, with SQLite's own name for it behind."""

import sqlite3

_WORDS = {
    sqlite3.SQLITE_ERROR: "内容与本程序不符",
    sqlite3.SQLITE_BUSY: "正被其他程序占用",
    sqlite3.SQLITE_LOCKED: "正被其他程序占用",
    sqlite3.SQLITE_READONLY: "文件只读",
    sqlite3.SQLITE_IOERR: "磁盘读写出错",
    sqlite3.SQLITE_CORRUPT: "文件已损坏",
    sqlite3.SQLITE_FULL: "磁盘空间不足",
    sqlite3.SQLITE_CANTOPEN: "文件打不开",
    sqlite3.SQLITE_NOTADB: "不是数据库文件，或已损坏",
}


def primary(cause: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 when the error is not SQLite's own."""
    return int(getattr(cause, "sqlite_errorcode", 0)) & 0xFF


def sqlite_words(cause: sqlite3.Error) -> str:
    """Return a few Chinese words and the name of the error: `磁盘读写出错（SQLITE_IOERR_FSYNC）`."""
    name = getattr(cause, "sqlite_errorname", "") or type(cause).__name__
    return f"{_WORDS.get(primary(cause), '数据库出错')}（{name}）"
