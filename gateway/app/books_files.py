"""`liangding books files`: the run, its four output files, what it says. Loaded only when the command is given."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from adapters.files.export import write_table
from adapters.files.whole import write_whole
from adapters.files.workbook import write_workbook
from adapters.ledgers import spark_home
from adapters.ledgers.engine import Limits
from adapters.ledgers.source import LedgerRefused
from adapters.ledgers.steps import EngineFailed
from gateway.app.bars import progress
from gateway.app.books_report import page, sheets
from gateway.app.books_rules import rules
from gateway.app.books_work import Reconciled, embedded, on_spark, reconciled
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, end, show
from gateway.books.lines import HEADER
from gateway.books.scope import NothingToCompare, Scope, default_role
from gateway.core.ledgers import NAMES


def reconcile_files(
    files: Mapping[int, Path], incomplete: frozenset[int], day: str, role: str | None, out: Path, as_json: bool,
    engine: str = "duckdb", limits: Limits | None = None,
) -> None:  # fmt: skip
    """Reconcile, write `out`, say what was found; ends with the exit code of contract §2."""
    if engine == "spark" and (lacking := spark_home.missing()):
        end(USAGE, f"--engine spark还缺少{lacking}。没有Spark时请用--engine duckdb", as_json=as_json)
    given = frozenset(files)
    scope = Scope(date=day, given=given, incomplete=incomplete, role=role or default_role(given))
    try:
        scope.check()
    except NothingToCompare:
        end(USAGE, "给出的账没有可以相互核对的两方", as_json=as_json)
    opened = on_spark if engine == "spark" else embedded
    try:
        with (
            _folder(out), _saying() as say, reconciled(files, scope, out, progress, say, opened, limits) as found
        ):  # fmt: skip
            write_all(found, out)
    except LedgerRefused as cause:
        lines = [fault.text(str(cause.file)) for fault in cause.faults]
        rest = ["其余问题未列出"] if cause.more else []
        end(FAILED, *lines, *rest, f"{cause.file}有问题，整份账不采用，没有对账", as_json=as_json)
    except EngineFailed as cause:
        end(FAILED, f"对账引擎未能完成：{cause}", as_json=as_json)
    except OSError as cause:
        end(FAILED, f"文件读写失败：{cause}", as_json=as_json)
    summary = found.summary
    show(summary.record(), _said(found, out), as_json)
    raise SystemExit(DONE if summary.agreed else FINDINGS)


@contextmanager
def _folder(out: Path) -> Iterator[None]:
    """Make the output folder; leave none behind that the run had nothing to put into."""
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if made:
            with suppress(OSError):  # not empty: it worked
                out.rmdir()


@contextmanager
def _saying() -> Iterator[Callable[[str], None]]:
    """Show what is being done when stderr is a terminal. Bars over files take its place while they run."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    status = Console(stderr=True).status("")
    try:

        def say(text: str) -> None:
            status.start()
            status.update(text)

        yield say
    finally:
        status.stop()


def write_all(found: Reconciled, out: Path) -> None:
    """Write the four files, each whole; the summary last: whoever sees it finds the others there."""
    write_table(out / "differences.csv", HEADER, found.records())
    write_workbook(out / "report.xlsx", sheets(found, rules()), dated=found.scope.date)
    write_whole(out / "report.html", page(found, rules()).encode())
    text = json.dumps(found.summary.record(), ensure_ascii=False, indent=1)
    write_whole(out / "summary.json", text.encode() + b"\n")


def _said(found: Reconciled, out: Path) -> Iterator[str]:
    summary, titles = found.summary, rules().titles
    counts = "，".join(f"{NAMES[ledger]} {count}行" for ledger, count in found.counts.items())
    yield f"{summary.date}：{counts}，共{summary.keys}笔"
    for name, count in sorted(summary.classes.items()):
        yield f"  {name}（{titles[name]}）：{count}"
    yield "账平" if summary.agreed else "账不平"
    yield f"已写入{out}"
