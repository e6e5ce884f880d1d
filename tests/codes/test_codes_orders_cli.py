"""Commands that leave an order: what they say and how they end, with a node that is played by the test."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from test_codes_cli import CONFIG, HOSPITAL, NOW_S

from adapters.store.codes_orders import NodeMark, OrdersStore, WorkOrder
from adapters.store.codes_uploads import Step, UploadsStore
from gateway.app.cli import cli
from gateway.app.codes_files import SCRIPTS
from gateway.app.codes_library import import_library
from gateway.app.codes_work import import_mapping
from gateway.app.say import Outside

NATIONAL = "001102000010000-110200001"
DIFFERENT = {"kind": "different", "local": "L1", "list_type": "201", "ours": "A 1..2", "theirs": "B 1..2"}
REJECTED = {"local_code": "L2", "national_code": "X", "message": "已对照"}
TOO_LONG = {"row": "3", "column": "fixmedins_hilist_id", "rule": "length", "message": "太长"}


class Counter:
    """A folder with a configuration, and the commands run on it."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "liangding.toml"
        self.config.write_text(CONFIG, "utf-8")
        self.folder, self.store = folder, folder / "var" / "liangding-codes.sqlite"

    def run(self, *words: str) -> Result:
        def nothing(argument: object) -> int:
            raise AssertionError("no process of its own is wanted")

        outside = Outside(run_node=nothing, simulate=nothing, now=lambda: NOW_S, entropy=bytes)
        return CliRunner().invoke(cli, ["codes", *words], obj=outside)

    @contextmanager
    def node(self, outcome: str, result: dict[str, Any]) -> Iterator[list[WorkOrder]]:
        """Play a node: every order ends so."""
        taken: list[WorkOrder] = []
        over = threading.Event()
        orders = OrdersStore.open(self.store, SCRIPTS)
        mark = NodeMark.take(self.store)
        assert mark is not None

        def work() -> None:
            while not over.wait(0.02):
                for order in orders.waiting(1):
                    orders.take(order.id, "me", 1)
                    orders.finish(order.id, "me", outcome, result, 2)
                    taken.append(order)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield taken
        finally:
            over.set()
            thread.join()
            mark.let_go()
            orders.close()


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    return Counter(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("map", "upload", "CONFIG", HOSPITAL, "drug"),
        ("map", "cancel", "CONFIG", HOSPITAL, "drug", "L1"),
        ("map", "compare", "CONFIG", HOSPITAL, "drug"),
        ("fetch", "CONFIG", "drug"),
    ],
)
def test_without_a_node_there_is_no_order(counter: Counter, words: tuple[str, ...]) -> None:
    done = counter.run(*(str(counter.config) if word == "CONFIG" else word for word in words))
    assert done.exit_code == 2 and "没有正在运行的节点" in done.stderr
    assert json.loads(counter.run("orders", str(counter.config), "--json").stdout)["orders"] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("map", "upload", "CONFIG", "H0", "drug"), "配置中没有机构H0"),
        (("map", "upload", "CONFIG", HOSPITAL, "doctor"), "doctor不能上传"),
        (("map", "cancel", "CONFIG", HOSPITAL, "drug"), "--retired"),
        (("fetch", "CONFIG", "nonsense"), "没有这个编码标准"),
        (("fetch", "CONFIG", "drug", "--transaction", "1305"), "没有目录下载交易1305"),
        (("fetch", "CONFIG", "doctor"), "没有目录下载交易"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_ordered(counter: Counter, words: tuple[str, ...], told: str) -> None:
    with counter.node("done", {}) as taken:
        done = counter.run(*(str(counter.config) if word == "CONFIG" else word for word in words))
    assert done.exit_code == 2 and told in done.stderr and taken == []


def test_an_order_says_what_and_who(counter: Counter) -> None:
    with counter.node("done", {"counts": {"cancelled": 2, "gone": 0}}) as taken:
        words = ("map", "cancel", str(counter.config), HOSPITAL, "drug", "L1", "L2", "--settled", "--operator", "张工")
        done = counter.run(*words)
    assert done.exit_code == 0 and "已撤销2行" in done.stdout and "仍在平台" not in done.stdout
    assert (taken[0].kind, taken[0].institution, taken[0].system, taken[0].who) == ("cancel", HOSPITAL, "drug", "张工")
    assert taken[0].arguments == {"codes": ["L1", "L2"], "retired": False, "settled": True}
    listed = counter.run("orders", str(counter.config)).stdout
    assert "撤销对码" in listed and "张工" in listed and "完成" in listed


def test_findings_are_named_one_by_one_and_end_with_3(counter: Counter) -> None:
    rows = {"refused": [TOO_LONG], "rejected": [REJECTED], "differences": [DIFFERENT]}
    with counter.node("findings", {"counts": {"uploaded": 5}, "rows": rows}):
        done = counter.run("map", "upload", str(counter.config), HOSPITAL, "drug")
        plain = counter.run("map", "upload", str(counter.config), HOSPITAL, "drug", "--json")
    assert done.exit_code == 3
    assert done.stderr.splitlines() == [
        "本地检查未通过，未发送：第3行 length 太长",
        "平台拒绝：L2 已对照",
        "不同\tL1\t本地：A 1..2\t平台：B 1..2",
    ]
    assert plain.exit_code == 3 and json.loads(plain.stdout.splitlines()[0])["rows"] == rows


def test_a_failure_is_told_in_its_words(counter: Counter) -> None:
    failed = {"infno": "1301", "system": "drug", "state": "failed", "message": "平台拒绝：无权限"}
    new = {"infno": "1302", "system": "drug", "state": "imported", "ver": "V2", "rows": 7}
    with counter.node("failed", {"libraries": [failed, new]}) as taken:
        done = counter.run("fetch", str(counter.config), "drug", "--ver", "V1")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1:] == ["1301\tdrug\t失败\t平台拒绝：无权限", "1302\tdrug\t已导入\t版本V2，7行"]
    assert taken[0].arguments["ver"] == "V1" and "1301" in taken[0].arguments["infnos"]  # type: ignore[operator]
    with counter.node("failed", {"message": "平台没有应答"}):
        done = counter.run("map", "compare", str(counter.config), HOSPITAL, "drug")
    assert (done.exit_code, done.stderr) == (1, "平台没有应答\n")


def test_a_dry_run_needs_no_node_and_orders_nothing(counter: Counter) -> None:
    library, mapping = counter.folder / "l.csv", counter.folder / "m.csv"
    library.write_text(f"med_list_codg,servitem_name,ver\n{NATIONAL},诊查费,V1\n", "utf-8")
    mapping.write_text(f"local_code,national_code\nL1,{NATIONAL}\n{'X' * 31},{NATIONAL}\n", "utf-8")
    import_library(counter.store, "service_item", library, "", NOW_S, "op", lambda _: None)
    import_mapping(counter.store, HOSPITAL, "service_item", mapping, "a", "b", NOW_S, lambda _: None)
    done = counter.run("map", "upload", str(counter.config), HOSPITAL, "service_item", "--dry-run", "--json")
    plain = json.loads(done.stdout.splitlines()[0])
    assert done.exit_code == 3
    assert plain["upload"] == [
        {
            "fixmedins_hilist_id": "L1",
            "fixmedins_hilist_name": "诊查费",
            "list_type": "201",
            "med_list_codg": NATIONAL,
            "begndate": "2026-11-18",
            "enddate": "2099-12-31",
        }
    ]
    assert [(one["row"], one["rule"]) for one in plain["refused"]] == [(3, "length")]


def test_the_state_and_the_story_of_an_upload_are_shown(counter: Counter) -> None:
    orders = OrdersStore.open(counter.store, SCRIPTS)
    number = orders.place("upload", HOSPITAL, "drug", {}, "who", 1)
    orders.take(number, "me", 1)
    row = ("L1", "101", "X1", "2026-01-01", "2099-12-31")
    uploads = UploadsStore(orders.connection, "me")
    for state, detail in (("sending", ""), ("centre_rejected", "目录不存在")):
        uploads.mark(number, HOSPITAL, "drug", [row], Step(state, "3301", "M1", detail), int(NOW_S * 1000))
    orders.close()
    listed = counter.run("map", "uploads", str(counter.config), HOSPITAL, "drug")
    assert listed.stdout == "L1\tX1\t2026-01-01\tcentre_rejected\t目录不存在\n共1行\n"
    story = counter.run("map", "uploads", str(counter.config), HOSPITAL, "drug", "L1", "--json")
    found = json.loads(story.stdout)["history"]
    assert [(one["state"], one["msgid"], one["at"]) for one in found] == [
        ("sending", "M1", "2026-11-18 19:06:40"),
        ("centre_rejected", "M1", "2026-11-18 19:06:40"),
    ]
