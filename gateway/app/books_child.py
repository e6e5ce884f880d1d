"""One step of a books run in a process of its own, niced: `python -m gateway.app.books_child` (design §3).

Its task comes as a file of JSON whose path is the one argument after the step; it prints one JSON object. Its standard
input is held open by the node: when that ends, so does this process, and the next run goes on from what is durable.
"""

import sys
from pathlib import Path

import msgspec

from adapters.ledgers.engine import EngineFailed
from adapters.ledgers.source import LedgerRefused
from adapters.store.books import BooksError, OtherBooks
from adapters.store.books_report import NotABooksStore
from adapters.store.journal_reader import NotAJournal
from gateway.app import child_process
from gateway.app.books_derive import derive
from gateway.app.books_extract import extract
from gateway.app.books_run import run
from gateway.app.books_tasks import Derived, Reconcile, Reconciled, ReportTask, RunTask, Task
from gateway.books.scope import NothingToCompare


def step(name: str, task: bytes) -> object:
    """Do one step; return what it told."""
    if name == "extract":
        return extract(msgspec.json.decode(task, type=Task))
    if name == "report":
        from gateway.app.books_reporting import written  # its templates are no run's business

        return written(msgspec.json.decode(task, type=ReportTask))
    asked = msgspec.json.decode(task, type=Reconcile)
    derived = None if asked.derive is None else derive(asked.derive.task, asked.derive.answers)
    return Reconciled(derived=derived, ran=run(_looked(asked, derived)))


def _looked(asked: Reconcile, derived: Derived | None) -> RunTask:
    """An agency whose answer could not be used was not looked at: nothing is known to be in vain there."""
    if asked.derive is None or derived is None:
        return asked.run
    blind = {*derived.bad, *(one.institution for one in asked.derive.answers if one.why)}
    seen = {code: at_ms for code, at_ms in asked.run.asked_ms.items() if code not in blind}
    return msgspec.structs.replace(asked.run, asked_ms=seen)


def main(arguments: list[str]) -> None:
    """arguments: step (extract, reconcile, report), the file of its task."""
    child_process.begin()
    name, file = arguments
    try:
        told: object = {"ok": True, "told": step(name, Path(file).read_bytes())}
    except LedgerRefused as cause:
        faults = [fault.text(cause.file.name) for fault in cause.faults[:10]]
        told = {"ok": False, "message": f"{cause.file.name}有问题：{'；'.join(faults)}"}
    except NothingToCompare:
        told = {"ok": False, "message": "[BK-NOTHING] 该日还没有可以相互核对的两方账目，请先交账（books hand-in）"}
    except EngineFailed as cause:
        told = {"ok": False, "message": f"对账引擎未能完成：{cause}"}
    except (OtherBooks, NotABooksStore, NotAJournal) as cause:
        told = {"ok": False, "message": str(cause)}
    except BooksError as cause:
        told = {"ok": False, "message": f"对账库读写失败：{cause}"}
    except OSError as cause:
        told = {"ok": False, "message": f"文件读写失败：{cause.strerror}"}
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main(sys.argv[1:])
