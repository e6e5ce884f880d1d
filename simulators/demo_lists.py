"""The demonstration's chapter of settlement lists: a hospital's patients were discharged; what its systems know of each
stay comes to the gateway by pieces, one stay as a file; the gateway puts them together, translates, checks and uploads.
One list is sent back by the platform's quality control, corrected, and accepted.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import attrs
from rich.console import Console
from rich.table import Table

from simulators.demo_wire import call
from simulators.discharged import pieces
from simulators.processes import Processes
from simulators.wording import Json

# The agency of this city lets a diagnosis stand twice; the platform's quality control does not.
REGION_RULES = """source = "演示：某市医保局通知，重复诊断只作提示"
levels = {SL-G006 = "warn"}
"""
REVIEW_AFTER_S = 0.5  # the platform's quality control
_FINDINGS = (0, 3)


@attrs.frozen
class ListsChapter:
    """One hospital and its lists. url: where it reaches the gateway; pki: its certificate."""

    processes: Processes
    config: Path
    folder: Path
    code: str
    url: str
    pki: Path
    console: Console
    say: Callable[[str], None]

    def play(self, file: Path) -> None:
        """Collect, upload, correct, report. file: the hospital's discharged patients, one a line. Raises Failed."""
        stays = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.is_file() else []
        if not stays:
            self.console.print("  今天没有结算完毕的出院病人")
            return
        faulty = _twice(stays[0])
        self._collect([faulty, *stays[1:]])
        self.console.print("  " + self._told("upload"))
        time.sleep(REVIEW_AFTER_S)  # the city's platform has judged by then
        self._show("results")
        self.say("改正被退回的清单（诊断部分重新送来），再次上传")
        self._post("diagnosis", dict(pieces(stays[0]))["diagnosis"])
        self.console.print("  " + self._told("upload"))
        time.sleep(REVIEW_AFTER_S)
        self._show("results")
        self._show("counts")
        self.say("清单情况月报")
        pages = (self.folder / "lists.html", self.folder / "lists.xlsx")
        self._table(self._told("report", *(word for page in pages for word in ("--out", str(page))), "--json"))
        self.console.print(f"  可打印的网页：{pages[0]} ，Excel：{pages[1]}")

    def _collect(self, stays: list[Json]) -> None:
        """The last stay comes as a file, the others by pieces over the interface."""
        table = Table(title="出院病人的结算清单：各部分确定时送来，缺项逐步减少", title_justify="left")
        for name in ("就诊", "来源", "送来的部分（之后还有的错误）"):
            table.add_column(name)
        for stay in stays[:-1]:
            left = [f"{piece}{self._post(piece, message)}" for piece, message in pieces(stay)]
            table.add_row(stay["setlinfo"]["mdtrt_id"], "接口", " → ".join(left))
        whole = self.folder / "list.json"
        whole.write_text(json.dumps(stays[-1], ensure_ascii=False), "utf-8")
        told = json.loads(self._told("import", str(whole), "--json"))
        table.add_row(stays[-1]["setlinfo"]["mdtrt_id"], "文件", f"whole{told['errors']}")
        self.console.print(table)

    def _post(self, piece: str, message: Json) -> int:
        """Send one piece; return how many errors the list still has. Raises Failed."""
        told = call(f"{self.url}/api/v1/lists/{self.code}/{piece}", self.pki, self.code, message)
        return int(told["errors"])

    def _table(self, told: str) -> None:
        table = Table(title="清单情况", title_justify="left")
        names = {
            "month": "结算月", "dept": "科室", "due": "应传", "late": "逾期", "waiting": "待质控",
            "accepted": "质控通过",
            "returned": "退回", "refused": "拒绝", "faulty": "有错误", "missing": "没有采集", "judged": "质控已评",
            "first_pass": "一次通过",
        }  # fmt: skip
        for name, title in names.items():
            table.add_column(title, justify="left" if name in ("month", "dept") else "right")
        for row in json.loads(told)["figures"]:
            table.add_row(*(str(row[name]) for name in names))
        self.console.print(table)

    def _show(self, command: str) -> None:
        self.console.print("  " + self._told(command), markup=False, highlight=False, soft_wrap=True)

    def _told(self, command: str, *words: str) -> str:
        """Run `lists COMMAND CONFIG INSTITUTION ...`; findings are no failure."""
        asked = ("lists", command, str(self.config), self.code, *words)
        return self.processes.tool("gateway", *asked, accept=_FINDINGS).strip()


def _twice(stay: Json) -> Json:
    """The same list with its second diagnosis written twice."""
    diseases = [*stay["diseinfo"], stay["diseinfo"][-1]]
    head = stay["setlinfo"] | {"diag_code_cnt": str(len(diseases))}
    return stay | {"diseinfo": diseases, "setlinfo": head}
