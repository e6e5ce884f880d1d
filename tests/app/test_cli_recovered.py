"""`liangding journal recovered`: what a recovery from a backup asked the platforms, and what that leaves open."""

import json
from datetime import date
from pathlib import Path

from click.testing import CliRunner

import schemas
from adapters.crypto.vault import Vault
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app.cli import cli
from gateway.core.model import Compared

HOME = "H51080200001"
NOW_S = 1_772_416_800.0  # 2026-03-02 10:00:00 in Shanghai
CONFIG = f"""
[node]
name = "n1"
data_dir = "data"
[listen]
institutions = "tcp:8080:interface=127.0.0.1"
[store]
url = "sqlite:journal.sqlite"
[platform.national]
url = "http://127.0.0.1:9000/x"
[[institution]]
fixmedins_code = "{HOME}"
name = "一院"
link = "national"
allow_from = ["127.0.0.1/32"]
"""


def said(folder: Path, *options: str) -> str:
    result = CliRunner().invoke(cli, ["journal", "recovered", str(folder / "gateway.toml"), *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_what_was_asked_is_told_and_what_was_not(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(CONFIG, "utf-8")
    vault = Vault(bytes(range(32)), "aes-256-gcm", lambda size: bytes(size))
    scripts = list(schemas.read("migrations/journal", ".sql"))
    SqliteJournal.open(tmp_path / "journal.sqlite", vault, scripts).close()
    assert "没有由备份恢复后的核对" in said(tmp_path)
    store = SqliteJournal.open(tmp_path / "journal.sqlite", vault, scripts)
    asked = Compared(
        fixmedins_code=HOME, link="national", at_ms=int(NOW_S * 1000), days=(date(2026, 3, 2), date(2026, 3, 4)),
        groups=(("510800", "11"), ("510800", "21")), theirs=3, unnamed=1,
    )  # fmt: skip
    assert store.commit([asked]) == [True]
    store.close()
    text = said(tmp_path)
    assert "2026-03-02 10:00:00.000  H51080200001  national  2026-03-02至2026-03-04" in text
    assert "510800/11、510800/21；平台单方有3笔，其中没有报文ID的1笔" in text
    assert "没有列出的经办机构和清算类别没有问过" in text
    (row,) = json.loads(said(tmp_path, "--json"))["rows"]
    assert (row["fixmedins_code"], row["rows"], row["without_msgid"]) == (HOME, 3, 1)
    assert row["groups"][1] == {"clr_optins": "510800", "clr_type": "21"}
