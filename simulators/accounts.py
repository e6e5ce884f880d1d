"""An institution's books as people see them: a table on the terminal and the ledger file of the contract (§7)."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table

from simulators.booking import AMOUNTS, Booked
from simulators.his import Institution
from simulators.money import yuan
from simulators.people import AREA
from simulators.postings import pay_loc
from simulators.wording import Json

COLUMNS = (
    "fixmedins_code",
    "setl_id",
    "mdtrt_id",
    "psn_no",
    "msgid",
    "direction",
    "insutype",
    "clr_type",
    "clr_optins",
    "clr_pay_loc",
    "setl_time",
    *AMOUNTS,
)


def write_ledger(institution: Institution, path: Path) -> None:
    """The ledger as CSV: UTF-8, header, amounts in yuan, direction 0 settlement and 1 refund."""
    with path.open("w", encoding="utf-8", newline="") as file:
        _write(institution.code, institution.ledger, file)


def _write(code: str, ledger: Sequence[Booked], file: TextIO) -> None:
    write_rows([ledger_row(code, row) for row in ledger], file)


def write_rows(rows: Iterable[Mapping[str, str]], file: TextIO) -> None:
    """Rows of `ledger_row` as CSV with a header."""
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def ledger_row(code: str, row: Booked) -> dict[str, str]:
    """One row of the contract's ledger file; a refund carries the setl_id of what it cancels (annex B10)."""
    return {
        "fixmedins_code": code,
        "setl_id": row.refund_of or row.setl_id,
        "mdtrt_id": row.mdtrt_id,
        "psn_no": row.psn_no,
        "msgid": row.msgid,
        "direction": "1" if row.refund_of else "0",
        "insutype": row.insutype,
        "clr_type": row.clr_type,
        "clr_optins": row.clr_optins,
        "clr_pay_loc": pay_loc(AREA, row.insuplc or AREA),
        "setl_time": row.setl_time,
        **{name: str(yuan(amount)) for name, amount in row.amounts.items()},
    }


def exit_code(institution: Institution, reasons: Sequence[str]) -> int:
    """0 when something was settled, the books are consistent and no script gave up (reasons), else 1."""
    return 0 if institution.ledger and not institution.problems() and not reasons else 1


def show(institution: Institution, reasons: Sequence[str], console: Console) -> None:
    """Print what was done, what was taken, and what was not done (reasons: why scripts gave up)."""
    work = Table("交易", "笔数", title=f"{institution.code} {institution.name}")
    for name, count in sorted(institution.counts.items()):
        work.add_row(name, str(count))
    console.print(work)
    money = Table("类别", "笔数", "总费用", "基金", "个人账户", "现金", title="本机构账本（元）")
    for title, chosen in (("结算", ""), ("退费", "refund")):
        rows = [row for row in institution.ledger if bool(row.refund_of) == bool(chosen)]
        sums = [sum(row.amounts[name] for row in rows) for name in _SHOWN]
        money.add_row(title, str(len(rows)), *(str(yuan(amount)) for amount in sums))
    console.print(money)
    for infno, text in institution.refused[:20]:
        console.print(f"未成功 {infno}：{text}", markup=False, soft_wrap=True)
    for reason in reasons:
        if reason not in {f"{infno} {text}" for infno, text in institution.refused}:
            console.print(f"没有办成：{reason}", markup=False, soft_wrap=True)
    for problem in institution.problems():
        console.print(f"账本有误：{problem}", markup=False, soft_wrap=True)


_SHOWN = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay", "psn_cash_pay")


def show_load(report: Json, console: Console) -> None:
    """Print what a load run measured."""
    table = Table("指标", "值", title="开环压力")
    for name, title in _LOAD_TITLES.items():
        table.add_row(title, "无（没有回答）" if report[name] is None else str(report[name]))
    console.print(table)
    for kind, count in report["failed"].items():
        console.print(f"未成功 {kind}：{count} 次 {report['texts'].get(kind, '')}", markup=False, soft_wrap=True)


_LOAD_TITLES = {
    "sent": "发出",
    "done": "成功",
    "dropped": "断开或没有回答",
    "seconds": "历时（秒）",
    "done_per_s": "每秒成功",
    "p50_ms": "p50（毫秒）",
    "p99_ms": "p99（毫秒）",
    "p999_ms": "p99.9（毫秒）",
    "max_ms": "最大（毫秒）",
}
