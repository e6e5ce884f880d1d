"""The demonstration's chapter of codes: a hospital starts without a single mapping and reaches its figure by the
commands its people would use: suggestions, what a person looks up besides, review by a second one, approval,
upload, coverage.
"""

import csv
import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
from rich.console import Console
from rich.table import Table

from simulators import tables
from simulators.processes import Processes
from simulators.wording import Json

MAKER, REVIEWER = "对码员", "复核员"
SURE = 0.95
UPLOADED = ("drug", "service_item", "consumable")
ENDING = 3  # codes of the new release that end soon
ENDS_IN_DAYS = 20
_SINCE = "2024-01-01"
_FINDINGS = (0, 3)


@attrs.frozen
class Chapter:
    """One hospital and its way. library: SYSTEM -> file of the national library."""

    processes: Processes
    config: Path
    folder: Path
    code: str
    library: Mapping[str, Path]
    console: Console
    say: Callable[[str], None]

    def map_everything(self) -> None:
        """Suggest, complete, import, review and approve every list of the hospital."""
        with ThreadPoolExecutor(2) as pool:
            suggested = dict(zip(self.library, pool.map(self._suggest, self.library), strict=True))
        table = Table(title="中医院对码：建议、人工核对、两人复核", title_justify="left")
        for name in ("编码标准", "院内", "建议较确定", "人工核对", "暂无编码", "生效"):
            table.add_column(name, justify="left" if name == "编码标准" else "right")
        for system, rows in suggested.items():
            file, sure, known = self._mapping_file(system, rows)
            approved = self._approve(system, file)
            table.add_row(system, *(str(n) for n in (len(rows), sure, known, len(rows) - sure - known, approved)))
        self.console.print(table)

    def _suggest(self, system: str) -> list[dict[str, str]]:
        out = self.folder / f"suggest_{system}.csv"
        local = tables.DATA / f"local_{tables.LOCAL_STEM[system]}.csv"
        self.processes.tool(
            "gateway", "codes", "suggest", "--system", system, "--national", str(self.library[system]),
            "--local", str(local), "--out", str(out),
        )  # fmt: skip
        with out.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def _mapping_file(self, system: str, rows: list[dict[str, str]]) -> tuple[Path, int, int]:
        """Write what the clerk proposes: sure suggestions, and what the hospital's papers say of the rest."""
        papers = {one.local_code: one.national_code for one in tables.matched(system)}
        own = {row["local_code"]: row for row in tables.rows(f"local_{tables.LOCAL_STEM[system]}")}
        titles = [title for title in next(iter(own.values())) if title != "local_code"]
        sure = known = 0
        lines = []
        for row in rows:
            local = row["local_code"]
            if row["national_code"] and float(row["confidence"]) >= SURE:
                target, evidence, sure = row["national_code"], f"{row['rule']} {row['confidence']}", sure + 1
            elif local in papers:
                target, evidence, known = papers[local], "人工核对：采购与执业资料", known + 1
            else:
                continue
            lines.append([local, target, _SINCE, "", evidence, *(own[local][title] for title in titles)])
        path = self.folder / f"mapping_{system}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["local_code", "national_code", "valid_from", "valid_to", "evidence", *titles])
            writer.writerows(lines)
        return path, sure, known

    def _approve(self, system: str, file: Path) -> int:
        """One person proposes, another looks through and approves; return how many rows are in force.

        Items dearer than the national cap stay out (MA09); the hospital lowers their price and proposes them again.
        """
        approved, refused = self._proposed(system, file)
        dear = {one["row"] for one in refused if one["rule"] == "MA09"}
        if dear:
            self.console.print(f"  {system}：{len(dear)}项价格超过限价未生效（MA09），改价后重新提交")
            approved += self._proposed(system, _cheaper(file, dear))[0]
        return approved

    def _proposed(self, system: str, file: Path) -> tuple[int, list[Json]]:
        """Import, review and approve one file; return (rows in force, refusals)."""
        self._codes("map", "import", system, str(file), "--maker", MAKER)
        self._codes("map", "review", system, "--reviewer", REVIEWER)
        told = self._codes("map", "approve", system, "--reviewer", REVIEWER, "--json")
        found = json.loads(told)["approvals"]
        return sum(one["approved"] for one in found), [row for one in found for row in one["refused"]]

    def upload(self) -> None:
        """Bring items to the platform (3301), and compare what it holds (1317)."""
        for system in UPLOADED:
            self.console.print(f"  {system} " + self._codes("map", "upload", system).strip().splitlines()[-1])
            self.console.print(f"  {system} " + self._codes("map", "compare", system).strip().splitlines()[-1])

    def coverage(self, report: Path) -> None:
        """Print the hospital's figure and write the report to be printed."""
        told = self._tool("codes", "coverage", str(self.config), self.code, "--out", str(report))
        self.console.print(told.rstrip(), markup=False, highlight=False, soft_wrap=True)
        self.console.print(f"  可打印的月报：{report}")

    def new_release(self) -> None:
        """A new drug library arrives while requests run: some codes end soon, and who maps to them is told."""
        file = self.folder / "drug_new.csv"
        today = dt.date.fromisoformat(json.loads(self._tool("codes", "libraries", str(self.config), "--json"))["date"])
        last_day, after = (str(today + dt.timedelta(days=days)) for days in (ENDS_IN_DAYS, ENDS_IN_DAYS + 1))
        _write(file, _ending(set(self._in_force("drug")), last_day))
        diff = self._tool("codes", "diff", str(self.config), "drug", "--file", str(file), "--date", after)
        self.console.print(diff.rstrip(), markup=False, highlight=False, soft_wrap=True)
        told = self._tool("codes", "import", str(self.config), "drug", str(file))
        self.console.print(told.rstrip(), markup=False, highlight=False, soft_wrap=True)
        for line in self._codes("map", "check", "drug").splitlines():
            if ",MA05," in line:
                self.console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)

    def _in_force(self, system: str) -> list[str]:
        told = json.loads(self._codes("map", "export", system, "--json"))
        return [row["national_code"] for row in told["rows"] if row["national_code"]]

    def _codes(self, *words: str) -> str:
        """Run `codes WORD WORD CONFIG INSTITUTION ...`; findings are no failure."""
        return self._tool("codes", *words[:2], str(self.config), self.code, *words[2:])

    def _tool(self, *words: str) -> str:
        return self.processes.tool("gateway", *words, accept=_FINDINGS)


def _cheaper(file: Path, lines: set[int]) -> Path:
    """Write those lines of a mapping file anew, at the lowest of the national caps."""
    caps = {row["med_list_codg"]: row["price_lv1"] for row in tables.rows("national_services")}
    out = file.with_name(f"{file.stem}_again.csv")
    with file.open(encoding="utf-8", newline="") as source, out.open("w", encoding="utf-8", newline="") as target:
        rows = csv.DictReader(source)
        writer = csv.DictWriter(target, rows.fieldnames or [], lineterminator="\n")
        writer.writeheader()
        for line, row in enumerate(rows, start=2):
            if line in lines:
                writer.writerow({**row, "local_price": caps[row["national_code"]], "evidence": "改价后重新核对"})
    return out


def _ending(wanted: set[str], last_day: str) -> Iterator[dict[str, str]]:
    """Yield records of mapped codes that end, each with another code of the same name in its place."""
    rows = tables.rows("national_drugs")
    found = 0
    for row in rows:
        other = next(
            (
                one["med_list_codg"]
                for one in rows
                if one["generic_name"] == row["generic_name"] and one["med_list_codg"] != row["med_list_codg"]
            ),
            "",
        )
        if found < ENDING and other and row["med_list_codg"] in wanted:
            found += 1
            yield {**row, "enddate": last_day, "replaced_by": other, "ver": "F20261201", "ver_name": "V20261201"}


def _write(path: Path, rows: Iterator[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(tables.rows("national_drugs")[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
