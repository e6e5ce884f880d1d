"""`liangding journal` and `recover` as people run them, on a real journal: texts, objects, exit codes (X29)."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

import schemas
from adapters.crypto.vault import Vault
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app.cli import cli
from gateway.app.say import Outside
from gateway.core.model import Accept, Accepted, Advance, Entry, Recall

HOME = "H51080200001"
NOW_S = 1_772_416_800.0  # 2026-03-02 10:00:00 in Shanghai
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
[platform.texts]
url = "http://127.0.0.1:9000/x"
region = "jilin"
[[institution]]
fixmedins_code = "{HOME}"
name = "一院"
link = "national"
allow_from = ["127.0.0.1/32"]
"""
LINE = ("input.diseinfo[0].diag_code", "diagnosis", "ZD1", "I10.x00", "m1", "2026-03-02")
EVIDENCE = ("path", "system", "local_code", "national_code", "version", "day")


@attrs.define
class Desk:
    """A folder with a configuration and a journal, and the commands run on it."""

    folder: Path
    spent: int = 0
    simulated: list[list[str]] = attrs.Factory(list)

    def entropy(self, size: int) -> bytes:
        self.spent += 1
        return self.spent.to_bytes(size, "big")

    @property
    def path(self) -> Path:
        return self.folder / "data" / "journal.sqlite"

    def store(self) -> SqliteJournal:
        vault = Vault(KEY, "aes-256-gcm", self.entropy)
        return SqliteJournal.open(self.path, vault, list(schemas.read("migrations/journal", ".sql")))

    def run(self, *arguments: str) -> Result:
        def simulate(words: list[str]) -> int:
            self.simulated.append(words)
            return 8

        outside = Outside(run_node=lambda config: 7, simulate=simulate, now=lambda: NOW_S + 60, entropy=self.entropy)
        words = [str(self.folder / "gateway.toml") if one == "CONFIG" else one for one in arguments]
        return CliRunner().invoke(cli, words, obj=outside)


def entry(number: int, msgid: str, state: Any = "SENT", link: str = "national") -> Entry:
    return Entry(
        id=number, fixmedins_code=HOME, msgid=msgid, infno="2207", klass="M", link=link, state=state,
        digest=b"d" * 32, created_ms=int(NOW_S * 1000) + number, lane=f"p|{number}", medfee_fen=12345,
    )  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Three rows: done, on its way when the node died, never sent when it died."""
    found = Desk(tmp_path)
    (tmp_path / "gateway.toml").write_text(CONFIG, "utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "answers.key").write_bytes(KEY)
    (tmp_path / "data" / "answers.key").chmod(0o600)
    store = found.store()
    done = entry(1, "m1")
    rows = [Accept(entry=done, evidence=(LINE,)), Accept(entry=entry(2, "m2"))]
    assert store.commit([*rows, Accept(entry=entry(3, "m3", "JOURNALED", "texts"))]) == [Accepted()] * 3
    moved = Advance(
        entry=done, was="SENT", to="ACKED", at_ms=int(NOW_S * 1000) + 9, reason="answered", setl_id="S1",
        settled='{"medfee_sumamt":12345}', answer=b'{"psn_name":"canary"}', delivered=True,
    )  # fmt: skip
    assert store.commit([moved]) == [True]
    store.close()
    return found


def told(result: Result, code: int = 0) -> Any:
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_the_list_has_the_promised_columns(desk: Desk) -> None:
    found = told(desk.run("journal", "list", "CONFIG", "--json"))
    assert found["count"] == 3
    assert [row["msgid"] for row in found["rows"]] == ["m3", "m2", "m1"]
    assert found["rows"][2] == {
        "msgid": "m1", "infno": "2207", "fixmedins_code": HOME, "state": "ACKED", "setl_id": "S1", "omsgid": "",
        "medfee_sumamt": "123.45", "created_at": "2026-03-02 10:00:00.001", "delivered": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--state", "ACKED"], ["m1"]),
        (["--state", "ACKED", "--state", "JOURNALED"], ["m3", "m1"]),
        (["--msgid", "m2"], ["m2"]),
        (["--institution", "H99"], []),
        (["--limit", "1"], ["m3"]),
        (["--since", "2026-03-02T10:00:00.002"], ["m3", "m2"]),
        (["--since", "2026-03-02T02:00:00.003+00:00"], ["m3"]),
    ],
)
def test_the_list_is_filtered(desk: Desk, filters: list[str], expected: list[str]) -> None:
    found = told(desk.run("journal", "list", "CONFIG", "--json", *filters))
    assert [row["msgid"] for row in found["rows"]] == expected


def test_the_list_for_people(desk: Desk) -> None:
    found = desk.run("journal", "list", "CONFIG")
    assert found.exit_code == 0
    first, *_, last = found.stdout.splitlines()
    assert "m3" in first
    assert "已登记，等待发送" in first
    assert last == "共3条"


def test_one_story(desk: Desk) -> None:
    (story,) = told(desk.run("journal", "show", "CONFIG", "m1", "--json"))["rows"]
    assert [(one["state"], one["reason"]) for one in story["events"]][-1] == ("ACKED", "answered")
    assert story["evidence"] == [dict(zip(EVIDENCE, LINE, strict=True))]
    assert story["settled"] == {"medfee_sumamt": 12345}
    text = desk.run("journal", "show", "CONFIG", "m1").stdout
    for words in ("交易 2207", "平台确认成功", "结算ID S1", "123.45", "ZD1 → I10.x00", "已交付机构：是"):
        assert words in text
    assert "canary" not in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("journal", "show", "CONFIG", "m9"), 1, "日志中没有报文ID m9"),
        (("journal", "list", "CONFIG", "--since", "gestern"), 2, "--since应为ISO时间"),
    ],
)
def test_a_refusal_is_a_line_and_on_demand_an_object(
    desk: Desk, arguments: tuple[str, ...], code: int, words: str
) -> None:
    found = desk.run(*arguments)
    assert (found.exit_code, found.stdout) == (code, "")
    assert words in found.stderr
    plain = told(desk.run(*arguments, "--json"), code)
    assert plain["ok"] is False
    assert words in plain["problems"][0]


def test_a_limit_is_at_least_one(desk: Desk) -> None:
    assert desk.run("journal", "list", "CONFIG", "--limit", "-1").exit_code == 2


def test_the_chain_is_whole_until_somebody_touches_it(desk: Desk) -> None:
    found = desk.run("journal", "verify", "CONFIG")
    assert found.exit_code == 0
    assert found.stdout.startswith("日志链完整：")
    connection = sqlite3.connect(desk.path)
    connection.execute("UPDATE journal SET medfee_fen = 1 WHERE msgid = 'm1'")
    connection.commit()
    connection.close()
    plain = told(desk.run("journal", "verify", "CONFIG", "--json"), 1)
    assert plain["ok"] is False
    assert "m1" in plain["findings"][0]


@pytest.mark.parametrize("command", ["list", "verify"])
@pytest.mark.parametrize(
    ("content", "words"), [(None, "日志库不存在"), (b"no database" * 100, "日志库打不开"), (b"", "日志库打不开")]
)
def test_a_store_that_is_no_journal_is_said(desk: Desk, command: str, content: bytes | None, words: str) -> None:
    desk.path.unlink()
    if content is not None:
        desk.path.write_bytes(content)
    plain = told(desk.run("journal", command, "CONFIG", "--json"), 1)
    assert words in plain["problems"][0]


def test_a_recovery_is_shown_and_then_done(desk: Desk) -> None:
    expected = [("m2", "SENT", "IN_DOUBT"), ("m3", "JOURNALED", "NOT_SENT")]
    found = told(desk.run("recover", "CONFIG", "--json"))
    assert [(row["msgid"], row["was"], row["to"]) for row in found["rows"]] == expected
    assert "待恢复" in desk.run("recover", "CONFIG").stdout
    assert "已恢复" in desk.run("recover", "CONFIG", "--apply").stdout
    assert told(desk.run("recover", "CONFIG", "--json"))["rows"] == []
    store = desk.store()
    (answer,) = store.commit([Recall(HOME, "m3")])
    store.close()
    assert json.loads(answer.answer)["infcode"] == "-1"  # type: ignore[union-attr, arg-type]  # text, as Jilin has it


@pytest.mark.parametrize(
    ("harm", "code", "words"),
    [
        ("locked", 2, "另一个运行中的节点正在使用日志库"),
        ("other key", 2, "密钥文件不是加密此日志库的那一个"),
        ("no key", 2, "answers.key"),
        ("gone", 1, "日志库不存在"),
    ],
)
def test_a_recovery_that_cannot_begin_says_why(desk: Desk, harm: str, code: int, words: str) -> None:
    key = desk.folder / "data" / "answers.key"
    other = desk.store() if harm == "locked" else None
    if harm == "other key":
        key.write_bytes(bytes(32))
    elif harm == "no key":
        key.unlink()
    elif harm == "gone":
        desk.path.unlink()
    found = desk.run("recover", "CONFIG", "--apply")
    if other is not None:
        other.close()
    assert (found.exit_code, found.stdout) == (code, "")
    assert words in found.stderr


def test_the_other_commands_hand_over(desk: Desk) -> None:
    assert desk.run("run", "CONFIG").exit_code == 7
    assert desk.run("demo", "--once", "--seed", "3").exit_code == 8
    assert desk.run("demo", "--help").exit_code == 8
    assert desk.simulated == [["demo", "--once", "--seed", "3"], ["demo", "--help"]]
    found = desk.run("check", "CONFIG")
    assert found.exit_code == 0
    assert "1家机构，2条平台链路" in found.stdout
    assert told(desk.run("check", "CONFIG", "--json"))["transactions"]["texts"] > 200
