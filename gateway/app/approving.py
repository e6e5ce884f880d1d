"""What is done when two people have agreed: kind -> a function of the room that asked.

    def carry_out(config: Config, approval: Approval, content: bytes, outside: Outside) -> str | None

It is called right after the checker's approval with exactly the bytes both have seen, and returns a Chinese line of
what was done. When it raises, the approval stays APPROVED and `security approvals execute` calls it again; when it
returns, the approval is USED. A crash between the two calls it once more, so it does nothing when `approval.id` was
carried out already. No desk of the security room is held open while it runs; it may open its own, and may call
`approvals.use`.
"""

from collections.abc import Callable, Mapping
from importlib import import_module

from adapters.store.books import BooksError
from adapters.store.journal_reader import NotAJournal
from adapters.store.sqlite_words import sqlite_words
from gateway.app.config import Config
from gateway.app.say import Outside
from gateway.core.approval import Approval
from gateway.core.oswords import words_of
from monitoring.redaction import redact

CarryOut = Callable[[Config, Approval, bytes, Outside], str | None]

# kind -> "module:function"; a kind without one is carried out by the command that calls `approvals.use`.
EXECUTORS: dict[str, str] = {
    "books.adjust": "gateway.app.books_adjust_desk:carry_out",
    "books.case": "gateway.app.books_deciding:carry_out",
    "books.journal": "gateway.app.journal_deciding:carry_out",
    "books.freeze": "gateway.app.books_freeze_desk:carry_out_freeze",
    "books.reopen": "gateway.app.books_freeze_desk:carry_out_reopening",
    "security.key": "gateway.app.signing_rotation:carry_out",
    "security.retention": "gateway.app.retention:carry_out",
    "security.roles": "gateway.app.security_roles:carry_out",
    "month.approve": "gateway.app.books_month_desk:carry_out_approval",
    "month.audit": "gateway.app.books_audit_desk:carry_out",
}


def why(cause: Exception) -> str:
    """Return what stopped an execution as its two people are told it: what our own errors say, what the system's mean,
    else that it is a fault of the program."""
    if isinstance(cause, OSError):
        return f"文件或网络不能使用：{cause.filename or ''}（{words_of(cause)}）"
    if isinstance(cause, NotAJournal):
        return f"日志库读不出：{cause}"
    if isinstance(cause, BooksError):
        return f"数据库不能使用：{sqlite_words(cause)}"
    if type(cause).__module__.partition(".")[0] in ("gateway", "adapters"):
        return redact(str(cause))
    return f"程序出错（{type(cause).__name__}：{redact(str(cause))}），请记下并联系维护方"


def executor(kind: str, known: Mapping[str, str] = EXECUTORS) -> CarryOut | None:
    """Return what carries a kind out, None when a later command does."""
    place = known.get(kind)
    if place is None:
        return None
    module, _, name = place.partition(":")
    found: CarryOut = getattr(import_module(module), name)
    return found
