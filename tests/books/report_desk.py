"""A desk for reports: a real reconciliation of test ledgers put into the books store by SQL, the command run on it."""

import html.parser
import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from desk import DAY, HOSPITAL, Cells, text

import schemas
from adapters.crypto.digest import sm3
from gateway.app.bars import progress
from gateway.app.books_work import reconciled
from gateway.app.cli import cli
from gateway.app.say import Outside
from gateway.books.lines import cells
from gateway.books.scope import Scope
from gateway.core.ledgers import NAMES

NOW_S = 1_773_619_200.0  # 2026-03-16 08:00:00 in Shanghai
T3 = 1_773_849_600_000  # the end of 2026-03-18
OTHER = "P51080200002"
CONFIG = f"""
[node]
name = "n1"
data_dir = "data"
[listen]
institutions = "tcp:8080:interface=127.0.0.1"
[store]
url = "sqlite:data/journal.sqlite"
[platform.national]
url = "http://127.0.0.1:9000/x"
[[institution]]
fixmedins_code = "{HOSPITAL}"
name = "示例第一医院"
link = "national"
allow_from = ["127.0.0.1/32"]
[[institution]]
fixmedins_code = "{OTHER}"
name = "示例大药房"
link = "national"
allow_from = ["127.0.0.1/32"]
"""
DIFF = (
    "diff_id, role, scope, biz_date, leg, class, row, mode, action, prevails, setl_id, msgid, fixmedins_code,"
    " component, left_fen, right_fen, note, agreed, first_revision, last_revision, state, changed_ms"
)


class ReportDesk:
    """A data directory, its books store, and what the last command said and wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        (folder / "gateway.toml").write_text(CONFIG, "utf-8")
        (folder / "data").mkdir()
        self.base = sqlite3.connect(folder / "data" / "journal-books.sqlite")
        scripts = list(schemas.read("migrations/books", ".sql"))
        for _, script in scripts:
            self.base.executescript(script.decode())
        self.base.execute(f"PRAGMA user_version = {len(scripts)}")

    def day(
        self, ledgers: Mapping[str, Iterable[Cells]], *, incomplete: Iterable[str] = (), role: str = "care",
        revision: int = 1,
    ) -> None:  # fmt: skip
        """Reconcile the ledgers and keep the run as a node does: institutions' files one by one."""
        files, whole = [], self.folder / "whole"
        whole.mkdir(exist_ok=True)
        for name, rows in ledgers.items():
            rows = list(rows)
            (whole / f"{name}.csv").write_text(text(rows), "utf-8")
            codes = sorted({row["fixmedins_code"] for row in rows}) if name == "INST" else ["*"]
            for code in codes or ["*"]:
                own = [row for row in rows if code in ("*", row["fixmedins_code"])]
                files.append((name, code, text(own).encode(), len(own), name not in incomplete))
        scope = Scope(
            date=DAY, given=frozenset(map(NAMES.index, ledgers)),
            incomplete=frozenset(map(NAMES.index, incomplete)), role=role,
        )  # fmt: skip
        run = f"run{revision}"
        paths = {NAMES.index(name): whole / f"{name}.csv" for name in ledgers}
        with reconciled(paths, scope, whole, progress, lambda _: None) as found:
            record = found.summary.record()
            self.base.execute(
                "INSERT INTO recon_run VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (run, role, DAY, revision, int(NOW_S * 1000) - 5_000, found.summary.agreed, found.summary.keys,
                 json.dumps(record)),
            )  # fmt: skip
            for line in found.lines():
                code = line.fixmedins_code if line.leg == "L1" else "*"
                state = "WAIT" if line.action.startswith("WAIT") else "OPEN"
                self.base.execute(
                    f"INSERT INTO diff ({DIFF}) VALUES ({','.join('?' * 22)})",
                    (cells(line, DAY, sm3)[0], role, code, DAY, line.leg, line.name, line.row, line.mode, line.action,
                     line.prevails, line.setl_id, line.msgid, line.fixmedins_code, line.component, line.left,
                     line.right, "; ".join(line.notes), line.agreed, revision, revision, state, int(NOW_S * 1000)),
                )  # fmt: skip
        for number, (name, code, content, count, complete) in enumerate(files, start=1):
            path = Path("books") / DAY / f"{run}-{number}.csv"
            (self.folder / "data" / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / "data" / path).write_bytes(content)
            self.base.execute(
                "INSERT INTO input VALUES (NULL, ?, ?, ?, 'file', 'x', ?, ?, '{}', ?, 'tester', 1)",
                (name, code, DAY, count, complete, str(path)),
            )
            self.base.execute("INSERT INTO run_input VALUES (?, last_insert_rowid())", (run,))
        scopes = {code for _, code, *_ in files} | {HOSPITAL, "*"}
        for code in sorted(scopes):
            self.base.execute(
                "INSERT OR REPLACE INTO recon_day VALUES (?, ?, ?, 'L1_DIFF', ?, 1, '')", (role, code, DAY, revision)
            )
        self.base.commit()

    def diff(self, setl_id: str, leg: str = "L1") -> str:
        found: str = self.base.execute(
            "SELECT diff_id FROM diff WHERE setl_id = ? AND leg = ?", (setl_id, leg)
        ).fetchone()[0]
        return found

    def act(self, setl_id: str, kind: str, party: str, state: str, receipt: str = "", leg: str = "L1") -> None:
        diff_id = self.diff(setl_id, leg)
        self.base.execute(
            "INSERT INTO action VALUES (?, ?, ?, 1, ?, ?, '{}', ?, 0, ?, ?)",
            (f"a-{diff_id}-{kind}", diff_id, kind, party, state, receipt, int(NOW_S * 1000), int(NOW_S * 1000) + 1000),
        )
        self.base.commit()

    def case(self, setl_id: str, state: str, mode: str = "TWO", **more: Any) -> None:
        values = {"decision": "", "reason": "", "maker": "", "approval": 0, "until_ms": T3} | more
        self.base.execute(
            "INSERT INTO recon_case (diff_id, mode, state, decision, reason, maker, approval, opened_ms, until_ms,"
            " changed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self.diff(setl_id), mode, state, values["decision"], values["reason"], values["maker"],
             values["approval"], int(NOW_S * 1000), values["until_ms"], int(NOW_S * 1000)),
        )  # fmt: skip
        self.base.commit()

    def put(self, setl_id: str, state: str, leg: str = "L1") -> None:
        """Let a difference stand elsewhere."""
        self.base.execute("UPDATE diff SET state = ? WHERE diff_id = ?", (state, self.diff(setl_id, leg)))
        self.base.commit()

    def run(self, *words: str, now_s: float = NOW_S) -> Result:
        outside = Outside(
            run_node=lambda _: 7, simulate=lambda _: 8, now=lambda: now_s, entropy=lambda size: bytes(size)
        )
        command = ["books", "report", str(self.folder / "gateway.toml"), *words]
        result = CliRunner().invoke(cli, command, obj=outside)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def plain(self, *words: str, code: int = 3) -> dict[str, Any]:
        result = self.run("--date", DAY, "--json", *words)
        assert result.exit_code == code, (result.stdout, result.stderr)
        found: dict[str, Any] = json.loads(result.stdout)
        return found


class Page(html.parser.HTMLParser):
    """A page taken apart: tags with attributes, tables as rows of texts, all text."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self._cell: list[str] | None = None
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "link", "img"):
            self._open.append(tag)
        if tag == "br" and self._cell is not None:
            self._cell.append(" ")
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell is not None:
            self._cell.append(data)
