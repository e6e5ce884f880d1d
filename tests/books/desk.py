"""A desk for reconciliations: ledgers written as files, the command run on them, its outputs read again."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from gateway.app.cli import cli

DAY = "2026-03-15"
HOSPITAL = "H51080200001"
FEES = {"medfee_sumamt": "100.00", "fund_pay_sumamt": "60.00", "psn_part_amt": "40.00", "acct_pay": "10.00"}
BACK = {name: f"-{fee}" for name, fee in FEES.items()}

Cells = dict[str, str]


def settled(number: int | str, **cells: str) -> Cells:
    """One settlement of the day, of an own person and visit."""
    return {
        "fixmedins_code": HOSPITAL,
        "setl_id": f"S{number}",
        "mdtrt_id": f"V{number}",
        "psn_no": f"P{number}",
        "msgid": f"M{number}",
        "setl_time": f"{DAY} 10:00:00",
        **FEES,
        **cells,
    }


def refunded(number: int | str, **cells: str) -> Cells:
    """The refund of it, later the same day."""
    return settled(number, **{"direction": "1", "setl_time": f"{DAY} 11:00:00", "msgid": f"N{number}", **BACK, **cells})


def text(rows: Iterable[Mapping[str, str]], columns: Iterable[str] = ()) -> str:
    rows = list(rows)
    names = list(dict.fromkeys([*(columns or settled("")), *(name for row in rows for name in row)]))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


class Desk:
    """A folder, the last run's result, and what it wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        self.result: Result | None = None

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def run(
        self, ledgers: Mapping[str, str | bytes | Iterable[Mapping[str, str]]], *more: str, code: int | None = None
    ) -> list[Cells]:
        """Run the command; return the lines of differences.csv, [] when it wrote none."""
        words = ["books", "files", "--date", DAY, "--out", str(self.out)]
        for name, content in ledgers.items():
            told = content if isinstance(content, str | bytes) else text(content)
            words += ["--ledger", f"{name}={self.file(f'{name}.csv', told)}"]
        self.result = CliRunner().invoke(cli, [*words, *more])
        if self.result.exception is not None and not isinstance(self.result.exception, SystemExit):
            raise self.result.exception
        if code is not None:
            assert self.result.exit_code == code, (self.result.stdout, self.result.stderr)
        path = self.out / "differences.csv"
        return list(csv.DictReader(io.StringIO(path.read_bytes().decode()))) if path.exists() else []

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / "summary.json").read_bytes())
        return found


def three(inst: list[Cells], gw: list[Cells], agy: list[Cells]) -> dict[str, list[Cells]]:
    return {"INST": inst, "GW": gw, "AGY": agy}


def brief(lines: Iterable[Mapping[str, str]]) -> list[tuple[str, ...]]:
    """What is told of each line: (setl_id, leg, class, row, mode, action)."""
    return [tuple(line[name] for name in ("setl_id", "leg", "class", "row", "mode", "action")) for line in lines]
