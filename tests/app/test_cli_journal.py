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
from gateway.core.model import Accept, Accepted, Advance, Entry, Keep, Recall, Saf

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


MS = int(NOW_S * 1000)


def sending(number: int, msgid: str) -> Entry:
    return Entry(
        id=number, fixmedins_code=HOME, msgid=msgid, infno="2601", klass="R", link="national", state="SENT",
        digest=b"r" * 32, created_ms=MS + number * 1000, omsgid="m2",
    )  # fmt: skip


def doubted(desk: Desk, *more: Any) -> None:
    """m2 fell into doubt, its reversal is queued and was sent once without an answer; then what `more` says."""
    two, first = entry(2, "m2"), sending(11, "r1")
    store = desk.store()
    queued = Saf(id=2, original_id=2, state="QUEUED", opened_ms=MS + 5000, sent_ms=MS, next_ms=MS + 5000)
    flying = attrs.evolve(queued, state="INFLIGHT", attempt=1)
    waiting = attrs.evolve(flying, state="QUEUED", next_ms=MS + 20_000)
    for op in (
        Advance(entry=two, was="SENT", to="IN_DOUBT", at_ms=MS + 5000, reason="http_502"),
        Advance(entry=two, was="IN_DOUBT", to="REVERSING", at_ms=MS + 5000, reason="reversal_queued", saf=queued),
        Accept(entry=first, reason="reversal", saf=flying),
        Advance(entry=first, was="SENT", to="DONE", at_ms=MS + 12_000, reason="no answer in time", saf=waiting),
        *more,
    ):
        assert store.commit([op]) in ([True], [Accepted()])
    store.close()


def test_a_doubt_is_told_from_the_first_byte_to_its_end(desk: Desk) -> None:
    """Who reads it knows why the settlement ended as it did: no answer, two reversals, the second taken."""
    second = sending(21, "r2")
    over = Saf(id=2, original_id=2, state="DONE", opened_ms=MS + 5000, sent_ms=MS, attempt=2)
    doubted(
        desk,
        Accept(entry=second, reason="reversal", saf=attrs.evolve(over, state="INFLIGHT")),
        Advance(entry=second, was="SENT", to="ACKED", at_ms=MS + 22_000, reason="answered"),
        Advance(
            entry=entry(2, "m2"), was="REVERSING", to="REVERSED", at_ms=MS + 22_000, reason="reversed", saf=over,
            answer=b"{}",
        ),
    )  # fmt: skip
    (story,) = told(desk.run("journal", "show", "CONFIG", "m2", "--json"))["rows"]
    assert [(one["msgid"], one["by"], one["state"]) for one in story["reversals"]] == [
        ("r1", "gateway", "DONE"), ("r2", "gateway", "ACKED"),
    ]  # fmt: skip
    assert (story["queue"]["state"], story["queue"]["attempt"], story["queue"]["next_at"]) == ("DONE", 2, "")
    assert story["told"] == {"delivered": False, "gw_code": "GW-REVERSED", "gw_repeat": "new"}
    lines = desk.run("journal", "show", "CONFIG", "m2").stdout.splitlines()
    assert [line.strip() for line in lines] == [
        f"报文 m2  交易 2207  机构 {HOME}",
        "结果：已冲正  结算ID -",
        "医疗费总额 123.45  已交付机构：否",
        "结论：平台或中间设备答HTTP 502，网关自动冲正：平台记的账已冲回，本笔没有成功；可用新报文ID重新办理。",
        "2026-03-02 10:00:00.002  已登记，等待发送：收到机构的请求，已落盘",
        "2026-03-02 10:00:00.002  已标记发送，等待平台应答：落盘后开始发往平台",
        "2026-03-02 10:00:05.000  结果未知：平台或中间设备答HTTP 502",
        "2026-03-02 10:00:05.000  冲正进行中：冲正已排入队列，到时自动发送",
        "2026-03-02 10:00:11.000    → 网关第1次冲正，报文 r1",
        "2026-03-02 10:00:12.000    ← 网关第1次冲正：等到最后也没有应答",
        "2026-03-02 10:00:21.000    → 网关第2次冲正，报文 r2",
        "2026-03-02 10:00:22.000    ← 网关第2次冲正：平台答复成功",
        "2026-03-02 10:00:22.000  已冲正：平台确认已冲正",
        "冲正队列：已了结，已发送2次，自 2026-03-02 10:00:05.000",
        "机构问起时的答复：[GW-REVERSED] 原交易未成功(已冲正)；可用新的报文ID重新发起",
    ]


def test_a_doubt_that_waits_says_when_it_goes_on(desk: Desk) -> None:
    doubted(desk)
    text = desk.run("journal", "show", "CONFIG", "m2").stdout
    assert "网关正在冲正；此间不要重新收费" in text
    assert "冲正队列：等待发送，已发送1次，自 2026-03-02 10:00:05.000，下次 2026-03-02 10:00:20.000" in text
    assert "[GW-REVERSING]" in text


def test_a_person_who_must_take_over_reads_why(desk: Desk) -> None:
    dead = Saf(id=2, original_id=2, state="DEAD", opened_ms=MS + 5000, sent_ms=MS, attempt=1)
    given_up = Advance(
        entry=entry(2, "m2"), was="REVERSING", to="MANUAL", at_ms=MS + 90_000, reason="time_is_up", saf=dead
    )
    doubted(desk, given_up)
    text = desk.run("journal", "show", "CONFIG", "m2").stdout
    assert "网关不能自行了结（到了最晚时限，冲正仍无结果）；请与平台核实后人工处理" in text
    assert "冲正队列：已停止，转人工，已发送1次" in text


def test_a_reversal_of_the_institution_is_not_one_of_the_gateway(desk: Desk) -> None:
    asked = attrs.evolve(sending(31, "h1"), state="DONE")
    doubted(desk)
    store = desk.store()
    assert store.commit([Keep(entry=asked, answer=b"{}")]) == [True]
    store.close()
    (story,) = told(desk.run("journal", "show", "CONFIG", "m2", "--json"))["rows"]
    assert [(one["msgid"], one["by"]) for one in story["reversals"]] == [("r1", "gateway"), ("h1", "institution")]
    text = desk.run("journal", "show", "CONFIG", "m2").stdout
    assert "← 机构发来的2601（报文 h1）：网关答复原交易没有成功，不必冲正" in text


@pytest.mark.parametrize("delivered", [False, True])
def test_a_success_reversed_before_anybody_heard_of_it_is_told_as_reversed(desk: Desk, delivered: bool) -> None:
    """As the exchange answers: not "confirmed", which it would be but for that."""
    store = desk.store()
    found = Advance(
        entry=entry(2, "m2"), was="IN_DOUBT", to="CONFIRMED", at_ms=MS + 9000, reason="found", delivered=delivered
    )
    doubt = Advance(entry=entry(2, "m2"), was="SENT", to="IN_DOUBT", at_ms=MS + 5000, reason="http_502")
    undone = attrs.evolve(sending(31, "h1"), business_key="2601|x")
    assert store.commit([doubt]) == store.commit([found]) == [True]
    assert store.commit([Accept(entry=undone)]) == [Accepted()]
    over = Advance(entry=undone, was="SENT", to="ACKED", at_ms=MS + 9900, reason="answered", undoes=2)
    assert store.commit([over]) == [True]
    store.close()
    (story,) = told(desk.run("journal", "show", "CONFIG", "m2", "--json"))["rows"]
    assert story["cancelled"] is True
    expected = ("GW-CONFIRMED", "no") if delivered else ("GW-REVERSED", "new")
    assert (story["told"]["gw_code"], story["told"]["gw_repeat"]) == expected


def test_a_sending_names_its_original(desk: Desk) -> None:
    doubted(desk)
    text = desk.run("journal", "show", "CONFIG", "r1").stdout
    assert "冲正的原报文：m2" in text
    assert "网关自动发起冲正" in text


def test_a_recovery_tells_what_goes_on_by_itself(desk: Desk) -> None:
    doubted(desk)
    found = told(desk.run("recover", "CONFIG", "--json"))
    assert [(row["msgid"], row["queue"]["attempt"]) for row in found["queue"]] == [("m2", 1)]
    assert found["doubts"] == []
    assert "冲正队列1笔，节点启动后继续发送" in desk.run("recover", "CONFIG").stdout


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


def test_a_person_says_that_a_backup_was_put_back_and_that_it_was_looked_at(desk: Desk) -> None:
    text = desk.run("recover", "CONFIG", "--restored").stdout
    assert "下次启动先向平台核对" in text
    refused = desk.run("recover", "CONFIG", "--apply")
    assert (refused.exit_code, "日志由备份恢复" in refused.stderr) == (2, True)
    opened = told(desk.run("recover", "CONFIG", "--open", "--json"))
    assert [(row["msgid"], row["was"], row["to"]) for row in opened["rows"]] == [
        ("m2", "SENT", "MANUAL"), ("m3", "JOURNALED", "MANUAL"),
    ]  # fmt: skip
    assert told(desk.run("recover", "CONFIG", "--json"))["rows"] == []
    assert "日志由备份恢复，其后的经过已丢失" in desk.run("journal", "show", "CONFIG", "m2").stdout
    assert desk.run("recover", "CONFIG", "--open", "--apply").exit_code == 2
