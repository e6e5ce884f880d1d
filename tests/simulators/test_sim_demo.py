"""The demo around its day: whose folder it empties, how it fails, what it says."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner
from rich.console import Console

from simulators.__main__ import main
from simulators.accounts import COLUMNS
from simulators.agreement import COMPONENTS
from simulators.arguments import Wrong
from simulators.demo import MARKER, NAMES, Demo, claim
from simulators.processes import Failed, Processes, free_port


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    found = CliRunner().invoke(main, ["demo", "--once", "--data", str(tmp_path)])
    assert found.exit_code == 2 and "不会清空" in found.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_of_an_earlier_demo_is_emptied(tmp_path: Path) -> None:
    claim(tmp_path / "new")
    mine, other = tmp_path / "new", tmp_path / "other"
    other.mkdir()
    (other / "kept.txt").write_text("kept")
    (mine / "node").mkdir()
    (mine / "node" / "old.sqlite").write_text("old")
    (mine / "old.csv").write_text("old")
    (mine / "link").symlink_to(other)
    claim(mine)
    assert [path.name for path in mine.iterdir()] == [MARKER]
    assert (other / "kept.txt").read_text() == "kept"


def test_an_empty_folder_may_be_used_and_a_file_may_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    claim(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(Wrong, match="--data不能使用"):
        claim(tmp_path / "file" / "below")


@attrs.define
class Broken(Processes):
    """Processes of which the first one brings bad luck."""

    luck: BaseException = attrs.field(kw_only=True)

    def tool(self, module: str, *arguments: str) -> str:
        raise self.luck


def played(folder: Path, luck: BaseException) -> tuple[int, list[str]]:
    console = Console(record=True, width=120, file=io.StringIO())
    code = Demo(folder, 7, 3, console, Broken(folder, luck=luck)).play(once=True)
    return code, [line for line in console.export_text().splitlines() if "演示失败" in line]


@pytest.mark.parametrize(
    ("luck", "words"),
    [
        (Failed("网关在30秒内没有结束"), "网关在30秒内没有结束"),
        (Failed("日志里有[/red]和[x]"), "日志里有[/red]和[x]"),
        (OSError(28, "No space left on device", "a.csv"), "a.csv No space left on device"),
        (ConnectionResetError("gone"), "gone"),
    ],
)
def test_a_day_that_fails_says_so_in_a_sentence(tmp_path: Path, luck: BaseException, words: str) -> None:
    assert played(tmp_path / "demo", luck) == (1, [f"演示失败：{words}"])


def test_a_day_that_is_cut_short_has_not_agreed(tmp_path: Path) -> None:
    assert played(tmp_path / "demo", KeyboardInterrupt()) == (1, [])


@attrs.define
class Shops(Processes):
    """Institutions of which some leave something undone; what is begun and awaited is written down."""

    undone: tuple[str, ...] = attrs.field(kw_only=True)
    seen: list[tuple[str, str]] = attrs.Factory(list)

    def start(self, name: str, module: str, *arguments: str) -> None:
        self.seen.append(("begun", name))
        assert "--evening" in arguments

    def wait_ended(self, name: str, title: str, seconds: float) -> None:
        self.seen.append(("awaited", name))
        if name in self.undone:
            raise Failed(f"{title}没有正常结束：没有办成：3201 [结算笔数]不符")


@attrs.define
class Chapters:
    """The chapter of codes, of which only the order of things is of interest here."""

    seen: list[tuple[str, str]]

    def new_release(self) -> None:
        self.seen.append(("released", "drug"))

    def arguments(self, code: str) -> list[str]:
        """As the chapter of the books: what an institution is started with."""
        return ["--send-day-file"]


def test_an_institution_that_left_something_undone_does_not_hide_the_others(tmp_path: Path) -> None:
    second = list(NAMES)[1]
    shops = Shops(tmp_path, undone=(second,))
    console = Console(record=True, width=120, file=io.StringIO())
    day = Demo(tmp_path, 7, 3, console, shops)
    day.chapter = day.books = Chapters(shops.seen)  # type: ignore[assignment]
    assert day._business() == 1
    begun, awaited = ([(word, code) for code in NAMES] for word in ("begun", "awaited"))
    assert shops.seen == [*begun, ("released", "drug"), *awaited]  # the new release comes while they are open
    assert f"{NAMES[second]}的一天没有正常结束：没有办成：3201 [结算笔数]不符" in console.export_text()


@attrs.define
class Told(Demo):
    """A day of which only the end is left."""

    undone: int = 0
    unlisted: int = 0
    agreed: bool = True

    def _open_city(self) -> int:
        return 1

    def _business(self) -> int:
        return self.undone

    def _lists(self) -> int:
        return self.unlisted

    def _evening(self) -> bool:
        return self.agreed


@pytest.mark.parametrize(("undone", "agreed", "code"), [(0, True, 0), (1, True, 1), (0, False, 3), (1, False, 3)])
def test_the_exit_code_of_a_day(tmp_path: Path, undone: int, agreed: bool, code: int) -> None:
    day = Told(tmp_path, 7, 3, Console(file=io.StringIO()), Processes(tmp_path), undone=undone, agreed=agreed)
    assert day.play(once=True) == code


@attrs.define
class Road:
    """A gateway's lists that never get there."""

    def play(self, file: Path) -> None:
        raise Failed("清单的部分diagnosis没有被收下：HTTP 503")


def test_lists_that_do_not_get_there_are_told_and_the_books_compared_all_the_same(tmp_path: Path) -> None:
    console = Console(record=True, width=120, file=io.StringIO())
    day = Demo(tmp_path, 7, 3, console, Processes(tmp_path))
    day.lists = Road()  # type: ignore[assignment]
    assert day._lists() == 1 and "HTTP 503" in console.export_text()
    told = Told(tmp_path, 7, 3, Console(file=io.StringIO()), Processes(tmp_path), unlisted=1)
    assert told.play(once=True) == 1


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(tmp_path)
    yield found
    found.close()
    assert all(process.returncode is not None for process in found.running.values())


@pytest.mark.processes
def test_a_command_that_does_not_end_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="simulators --help在0秒内没有结束"):
        Processes(tmp_path, tool_s=0.0).tool("simulators", "--help")
    with pytest.raises(Failed, match="no_such_module没有成功"):
        Processes(tmp_path).tool("no_such_module")


@pytest.mark.processes
def test_a_day_that_does_not_end_is_told(processes: Processes) -> None:
    processes.start("shop", "simulators", "platform", "--persons", "1", "--listen", "tcp:0:interface=127.0.0.1")
    with pytest.raises(Failed, match="某药店的一天在0秒内没有结束"):
        processes.wait_ended("shop", "某药店的一天", 0.0)


@pytest.mark.processes
def test_a_process_that_ends_is_not_waited_for(processes: Processes) -> None:
    processes.start("platform", "simulators", "platform", "--listen", "nowhere")
    with pytest.raises(Failed, match="平台没有启动：--listen不是可用的端点"):
        processes.wait_ready("platform", "平台", f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(Failed, match="平台没有正常结束：--listen"):
        processes.wait_ended("platform", "平台", 30.0)


def test_a_process_without_room_for_its_log_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="网关不能启动"):
        Processes(tmp_path / "nowhere").start("网关", "simulators")


# --- the evening's ledgers


class _Ledger(BaseHTTPRequestHandler):
    """A platform that shows its ledger: one row that holds and one that was reversed."""

    def do_GET(self) -> None:  # the standard library's name
        amounts = {one.column: 100 for one in COMPONENTS}
        rows = [{"fixmedins_code": "P1", "msgid": msgid, "reversed": msgid == "M2"} | amounts for msgid in ("M1", "M2")]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"rows": rows}).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def evening(folder: Path, port: int) -> Demo:
    folder.mkdir(exist_ok=True)
    return Demo(folder, 7, 3, Console(file=io.StringIO()), Processes(folder), (port, 0, 0))


def test_the_platforms_ledger_leaves_out_what_was_reversed(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), _Ledger) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        found = evening(tmp_path, server.server_port)._platform_ledger()
    assert list(found) == [("P1", "M1")]


def test_a_platform_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="平台的账本取不到"):
        evening(tmp_path, free_port())._platform_ledger()


@pytest.mark.parametrize("text", [None, "fixmedins_code,msgid\nP1,M1\n", ",".join(COLUMNS) + "\n" + "x," * 23 + "x\n"])
def test_a_ledger_file_that_cannot_be_read_is_told(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        for code in NAMES:
            (tmp_path / f"{code}.csv").write_text(text, "utf-8")
    with pytest.raises(Failed, match="示例市第一医院的账本读不出"):
        evening(tmp_path, 1)._institution_ledgers()
