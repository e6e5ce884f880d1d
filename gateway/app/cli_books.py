"""`liangding books`: the books of institutions, gateway, agency and province against each other (contract §2, §7)."""

from pathlib import Path

import click

from gateway.app.lazily import Lazy
from gateway.app.say import USAGE, end
from gateway.core.dates import is_date
from gateway.core.ledgers import NAMES

# Loaded when it is named: `books files` needs neither a node nor the security room.
_ELSEWHERE = {
    "adjust": "gateway.app.cli_books_adjust:adjust",
    "cases": "gateway.app.cli_books_cases:cases_command",
    "consent": "gateway.app.cli_books_consent:consent",
    "day": "gateway.app.cli_books_day:day_command",
    "decide": "gateway.app.cli_books_cases:decide_command",
    "freeze": "gateway.app.cli_books_freeze:freeze",
    "frozen": "gateway.app.cli_books_freeze:frozen",
    "hand-in": "gateway.app.cli_books_day:hand_in_command",
    "month": "gateway.app.cli_books_month:month",
    "prune": "gateway.app.cli_books_prune:prune_command",
    "reopen": "gateway.app.cli_books_freeze:reopen",
    "report": "gateway.app.cli_books_report:report",
    "status": "gateway.app.cli_books_day:status_command",
    "verify": "gateway.app.cli_books_freeze:verify",
}


@click.group(cls=Lazy, elsewhere=_ELSEWHERE, help="对账：医药机构、网关、经办、省平台、参保地的账相互核对")
def books() -> None:
    """`liangding books`."""


@books.command("files", help="核对几份账目文件：--ledger INST=a.csv GW=b.csv AGY=c.csv ……，不需要数据库")
@click.option("--ledger", "ledgers", multiple=True, help="NAME=FILE，可写多份；NAME为INST、GW、AGY、PROV、INS")
@click.argument("more", nargs=-1, metavar="[NAME=FILE]...")
@click.option("--date", "day", required=True, help="对账日期，yyyy-MM-dd，以经办的结算时间为准")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="输出文件夹")
@click.option("--role", type=click.Choice(["care", "insured"]), help="care就医地，insured参保地")
@click.option("--incomplete", multiple=True, help="账目不完整的一方：它没有的记录不作零记录，可重复")
@click.option(
    "--engine",
    type=click.Choice(["duckdb", "spark"]),
    default="duckdb",
    show_default=True,
    help="duckdb在本机内嵌运行；spark另需pyspark和Java 17",
)
@click.option("--threads", type=click.IntRange(1, 256), help="最多用几个线程，缺省为处理器数，至多4")
@click.option("--memory-mb", type=click.IntRange(512, 1 << 20), help="引擎最多用多少内存，缺省2400")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
def files(
    ledgers: tuple[str, ...], more: tuple[str, ...], day: str, out: Path, role: str | None,
    incomplete: tuple[str, ...], engine: str, threads: int | None, memory_mb: int | None, as_json: bool,
) -> None:  # fmt: skip
    if not is_date(day):
        end(USAGE, f"日期应为yyyy-MM-dd：{day}", as_json=as_json)
    given = _files((*ledgers, *more), as_json)
    missing = frozenset(_ledger(name, as_json) for name in incomplete)
    if not missing <= set(given):
        end(USAGE, "--incomplete所指的账没有用--ledger给出", as_json=as_json)
    if out.exists() and not out.is_dir():
        end(USAGE, f"输出位置不是文件夹：{out}", as_json=as_json)
    if set(str(out.resolve())) & set("*?[]{}"):
        end(USAGE, f"输出文件夹的路径不能含*?[]{{}}：{out}", as_json=as_json)
    # Only here, so that no other command waits for the engine to load.
    from adapters.ledgers.engine import Limits
    from gateway.app.books_files import reconcile_files

    asked = {"threads": threads, "memory_mb": memory_mb}
    limits = Limits(**{name: most for name, most in asked.items() if most is not None})
    reconcile_files(given, missing, day, role, out, as_json, engine, limits)


def _files(words: tuple[str, ...], as_json: bool) -> dict[int, Path]:
    """Return the files by ledger; ends with exit code 2 on what is no NAME=FILE."""
    found: dict[int, Path] = {}
    for word in words:
        name, separator, file = word.partition("=")
        if not separator or not file:
            end(USAGE, f"应为NAME=FILE：{word}", as_json=as_json)
        ledger = _ledger(name, as_json)
        if ledger in found:
            end(USAGE, f"{name}给出了两次", as_json=as_json)
        if not Path(file).is_file():
            end(USAGE, f"文件不存在：{file}", as_json=as_json)
        found[ledger] = Path(file)
    if len(found) < 2:
        end(USAGE, "至少要两份账：--ledger NAME=FILE NAME=FILE", as_json=as_json)
    return found


def _ledger(name: str, as_json: bool) -> int:
    if name not in NAMES:
        end(USAGE, f"没有这个账：{name}（可用：{'、'.join(NAMES)}）", as_json=as_json)
    return NAMES.index(name)
