"""A folder with a configuration and a journal, and the commands of lists run on it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
from click.testing import CliRunner, Result
from listed import EXAMPLES

import schemas
from adapters.crypto.vault import Vault
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app.cli import cli
from gateway.app.say import Outside
from gateway.core.model import Accept, Advance, Entry

GOOD = EXAMPLES["good"]
HOME = GOOD["setlinfo"]["fixmedins_code"]
NOW_S = 1_795_000_000.0
KEY = bytes(range(32))
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
fixmedins_code = "{HOME}"
name = "一院"
link = "national"
allow_from = ["127.0.0.1/32"]
"""


def never(*_: object) -> Any:
    raise AssertionError


@attrs.define
class Place:
    """A folder with a configuration, and the commands run on it."""

    folder: Path
    spent: int = 0
    rows: int = 0

    def entropy(self, size: int) -> bytes:
        self.spent += 1
        return self.spent.to_bytes(size, "big")

    def run(self, *words: object) -> Result:
        outside = Outside(run_node=never, simulate=never, now=lambda: NOW_S, entropy=self.entropy)
        named = [str(self.folder / "gateway.toml") if one == "CONFIG" else str(one) for one in words]
        return CliRunner().invoke(cli, ["lists", *named], obj=outside)

    def take(self, tree: Any, *options: object) -> Any:
        file = self.folder / "piece.json"
        file.write_text(json.dumps(tree, ensure_ascii=False), "utf-8")
        return json.loads(self.run("import", "CONFIG", HOME, file, "--json", *options).stdout)

    def status(self, *options: object) -> Any:
        return json.loads(self.run("status", "CONFIG", "--json", *options).stdout)

    @property
    def store(self) -> Path:
        return self.folder / "data" / "journal-lists.sqlite"

    def settle(
        self, medfee_fen: int, setl_id: str, settled: str = "", mdtrt_id: str = "", created_ms: int = int(NOW_S * 1000),
        bill: Sequence[tuple[str, str, str, str, str, str]] = (),
    ) -> None:  # fmt: skip
        """Let the journal know a settlement of the good list's visit. bill: the evidence of fee lines before it."""
        (self.folder / "data").mkdir(exist_ok=True)
        key = self.folder / "data" / "answers.key"
        key.write_bytes(KEY)
        key.chmod(0o600)
        journal = SqliteJournal.open(
            self.folder / "data" / "journal.sqlite", Vault(KEY, "aes-256-gcm", self.entropy),
            list(schemas.read("migrations/journal", ".sql")),
        )  # fmt: skip
        self.rows += 1
        visit = mdtrt_id or GOOD["setlinfo"]["mdtrt_id"]
        if bill:
            fees = Entry(
                id=self.rows, fixmedins_code=HOME, msgid=f"m{self.rows}", infno="2301", klass="A", link="national",
                state="SENT", digest=b"f" * 32, created_ms=created_ms, psn_no="P1", mdtrt_id=visit,
            )  # fmt: skip
            journal.commit([Accept(entry=fees, evidence=tuple(bill))])
            self.rows += 1
        row = Entry(
            id=self.rows, fixmedins_code=HOME, msgid=f"m{self.rows}", infno="2304", klass="M", link="national",
            state="SENT", digest=b"d" * 32, created_ms=created_ms, lane="p|1", psn_no="P1",
            mdtrt_id=visit, medfee_fen=medfee_fen, business_key=f"2304|{HOME}|{visit}||{self.rows}|P1",
        )  # fmt: skip
        journal.commit([Accept(entry=row)])
        answered = Advance(
            entry=row, was="SENT", to="ACKED", at_ms=row.created_ms, reason="answered", setl_id=setl_id, settled=settled
        )
        journal.commit([answered])
        journal.close()
