"""`liangding codes compare` on a real journal and a real codes store: what the national regime would have refused."""

import csv
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from configured import NOW_S, configured, institution

import schemas
from adapters.crypto.vault import Vault
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app.cli import cli
from gateway.app.say import Outside
from gateway.core.model import Accept, Entry

HOSPITAL, MODERN = "H99010300001", "H99010300002"
DAY_MS = 86_400_000
CONFIG = configured(
    institution(HOSPITAL, link="core", more='regime = "local"\nremote_link = "province"'),
    institution(MODERN, "示例二院", link="province"),
    platforms=("core", "province"),
)
DAY = "2026-11-17"
FOUND = ("input.data.dise_codg", "chronic_disease", "GXY", "M03900", "m1", DAY)
LOST = ("input.data.dise_codg", "chronic_disease", "TNB", "", "unmapped", DAY)
GONE = ("input.feedetail[0].med_list_codg", "item", "YP1", "", "expired", "2026-11-16")


class Desk:
    """A folder with a configuration and a journal, and the commands run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "gateway.toml").write_text(CONFIG, "utf-8")
        (folder / "var").mkdir()
        self._counter = itertools.count(1)
        vault = Vault(bytes(32), "aes-256-gcm", lambda size: bytes(size))
        self.store = SqliteJournal.open(
            folder / "var" / "liangding.sqlite", vault, list(schemas.read("migrations/journal", ".sql"))
        )

    def settle(
        self,
        *evidence: Any,
        fen: int | None = 1000,
        code: str = HOSPITAL,
        link: str = "core",
        ago: int = 1,
        visit: str = "",
    ) -> None:
        number = next(self._counter)
        entry = Entry(
            id=number, fixmedins_code=code, msgid=f"m{number}", infno="2207", klass="M", link=link, state="SENT",
            digest=b"d" * 32, created_ms=int(NOW_S * 1000) - ago * DAY_MS, medfee_fen=fen, mdtrt_id=visit,
        )  # fmt: skip
        self.store.commit([Accept(entry=entry, evidence=evidence)])

    def run(self, *arguments: str, code: int = 0) -> Result:
        outside = Outside(run_node=lambda config: 7, simulate=lambda words: 8, now=lambda: NOW_S, entropy=bytes)
        result = CliRunner().invoke(cli, ["codes", *arguments], obj=outside)
        assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
        return result

    def compare(self, *options: str, code: int) -> dict[str, Any]:
        plain = self.run("compare", str(self.folder / "gateway.toml"), HOSPITAL, "--json", *options, code=code).stdout
        found: dict[str, Any] = json.loads(plain)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_would_have_been_refused_is_counted_by_request_by_code_and_in_money(desk: Desk) -> None:
    desk.settle(FOUND)
    desk.settle(FOUND, LOST, fen=2550)
    desk.settle(LOST, LOST, GONE, fen=-50)
    desk.settle(LOST, fen=None)
    found = desk.compare(code=3)
    assert {name: found[name] for name in ("requests", "refused", "still_refused", "codes", "missing")} == {
        "requests": 4, "refused": 3, "still_refused": 3, "codes": 7, "missing": 5,
    }  # fmt: skip
    assert found["refused_amt"] == "26.00"
    assert [
        (gap["system"], gap["local_code"], gap["rule"], gap["lines"], gap["requests"]) for gap in found["gaps"]
    ] == [
        ("chronic_disease", "TNB", "unmapped", "4", "3"),
        ("item", "YP1", "expired", "1", "1"),
    ]
    assert {gap["now"] for gap in found["gaps"]} == {"unmapped"}


def test_a_settlement_falls_with_the_details_of_its_visit(desk: Desk) -> None:
    desk.settle(fen=5000, visit="V1")
    desk.settle(LOST, fen=None, visit="V1")
    desk.settle(fen=7000, visit="V2")
    desk.settle(fen=900)
    found = desk.compare(code=3)
    assert (found["refused"], found["refused_amt"]) == (1, "50.00")


def test_other_days_other_institutions_and_the_provinces_link_do_not_count(desk: Desk) -> None:
    desk.settle(FOUND)
    desk.settle(LOST, ago=40)
    desk.settle(LOST, code=MODERN, link="province")
    desk.settle(LOST, link="province")
    found = desk.compare(code=0)
    assert (found["requests"], found["refused"], found["gaps"]) == (1, 0, [])
    assert desk.compare("--since", "2026-10-01", code=3)["refused"] == 1
    assert desk.compare("--since", "2026-10-01", "--until", "2026-10-31", code=3)["requests"] == 1


def test_what_was_mapped_since_is_told_from_what_is_still_missing(desk: Desk) -> None:
    desk.settle(LOST, GONE)
    desk.settle(LOST)
    (desk.folder / "map.csv").write_text("local_code,national_code\nTNB,M01600\n", "utf-8")
    path = str(desk.folder / "gateway.toml")
    desk.run(
        "map",
        "import",
        path,
        HOSPITAL,
        "chronic_disease",
        str(desk.folder / "map.csv"),
        "--maker",
        "甲",
        "--reviewer",
        "乙",
    )
    out = desk.folder / "gaps.csv"
    found = desk.compare("--out", str(out), code=3)
    assert (found["refused"], found["still_refused"]) == (2, 1)
    rows = list(csv.DictReader(out.read_text("utf-8").splitlines()))
    assert [(row["local_code"], row["now"], row["first_day"], row["last_day"]) for row in rows] == [
        ("TNB", "M01600", DAY, DAY),
        ("YP1", "unmapped", "2026-11-16", "2026-11-16"),
    ]
    text = desk.run("compare", path, HOSPITAL, code=3).stdout
    assert "现已对码M01600" in text
    assert "其中1个仍会被拒绝" in text


def test_an_institution_that_settles_nationally_has_nothing_to_compare(desk: Desk) -> None:
    path = str(desk.folder / "gateway.toml")
    assert "已按国家编码结算" in desk.run("compare", path, MODERN, code=2).stderr
    assert "没有机构" in desk.run("compare", path, "H0", code=2).stderr
    assert "yyyy-MM-dd" in desk.run("compare", path, HOSPITAL, "--since", "yesterday", code=2).stderr


def test_without_a_journal_there_is_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(CONFIG, "utf-8")
    outside = Outside(run_node=lambda config: 7, simulate=lambda words: 8, now=lambda: NOW_S, entropy=bytes)
    result = CliRunner().invoke(cli, ["codes", "compare", str(tmp_path / "gateway.toml"), HOSPITAL], obj=outside)
    assert result.exit_code == 1
    assert "日志库不存在" in result.stderr
