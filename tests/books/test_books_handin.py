"""Day files of the wrong day: they are no complete ledger of the date they are handed in for (reconciliation §6.2)."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from desk import Cells, settled, text
from test_books_door import Street
from test_books_run import CONFIG, DAY, NEXT, NOW_MS, A

from gateway.app.books_handin import DayAhead, HandedIn, hand_in
from gateway.app.cli import cli
from gateway.app.config import read_config
from gateway.app.say import Outside
from gateway.core.ledgers import AGY, INST

EVE, TODAY, TOMORROW = "2026-03-14", "2026-03-17", "2026-03-18"


def put(folder: Path, *moments: str, date: str = DAY, ledger: int = INST) -> HandedIn:
    """Hand in one row of each moment, with the marker that fits."""
    (folder / "c.toml").write_text(CONFIG, "utf-8")
    rows = [settled(number, fixmedins_code=A, setl_time=when) for number, when in enumerate(moments)]
    file = folder / "in.csv"
    file.write_text(text(rows), "utf-8")
    return hand_in(read_config(folder / "c.toml"), ledger, A, date, file, {"rows": len(rows)}, "t", NOW_MS)


@pytest.mark.parametrize(
    "moments",
    [
        [f"{EVE} 10:00:00"], [f"{NEXT} 10:00:00"] * 3, ["2025-03-15 10:00:00"] * 2,
        [f"{DAY} 10:00:00", f"{EVE} 10:00:00", f"{EVE} 11:00:00"], [f"{EVE} 23:59:59"], [EVE, EVE],
        [f"{EVE} 23:29:59", f"{NEXT} 00:30:00", f"{DAY} 10:00:00"],
    ],
    ids=["the eve", "the morrow", "a year ago", "a minority", "the eve's last", "days alone", "not near midnight"],
)  # fmt: skip
@pytest.mark.parametrize("ledger", [INST, AGY])
def test_a_file_of_another_day_is_not_the_days_complete_ledger(tmp_path: Path, moments: list[str], ledger: int) -> None:
    found = put(tmp_path, *moments, ledger=ledger)
    own = sum(when.startswith(DAY) for when in moments)
    assert (found.complete, found.rows) == (False, len(moments))
    assert found.misfits == (f"日期：文件{len(moments)}行中只有{own}行是{DAY}的，像是别日的账",)


@pytest.mark.parametrize(
    "moments",
    [
        [], [f"{DAY} 00:00:00"], [DAY], [""], [f"{DAY} 11:00:00", f"{EVE} 10:00:00"],
        [f"{DAY} 23:50:00", f"{EVE} 23:59:59", f"{NEXT} 00:00:01", f"{NEXT} 00:29:59"],
    ],
    ids=["no settlement that day", "its first second", "a day alone", "no time", "a refund and what it cancels",
         "around midnight"],
)  # fmt: skip
def test_a_file_of_the_day_is_complete_with_its_neighbours_too(tmp_path: Path, moments: list[str]) -> None:
    found = put(tmp_path, *moments)
    assert (found.complete, found.misfits) == (True, ())


def test_a_day_that_has_not_begun_takes_no_file(tmp_path: Path) -> None:
    assert put(tmp_path, f"{TODAY} 01:00:00", date=TODAY).complete
    for date in (TOMORROW, "2099-03-15"):
        with pytest.raises(DayAhead, match=f"{date}还没有到"):
            put(tmp_path, f"{date} 01:00:00", date=date)
        assert not (tmp_path / "var" / "books" / date).exists()


def test_the_command_says_so(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(CONFIG, "utf-8")
    outside = Outside(
        run_node=lambda config: 1, simulate=lambda words: 1, now=lambda: NOW_MS / 1000, entropy=lambda size: b""
    )
    (tmp_path / "in.csv").write_text(text([settled(1, fixmedins_code=A, setl_time=f"{EVE} 10:00:00")]), "utf-8")

    def told(date: str, code: int) -> str:
        words = ["books", "hand-in", str(tmp_path / "c.toml"), A, str(tmp_path / "in.csv"), "--date", date]
        done = CliRunner().invoke(cli, [*words, "--rows", "1"], obj=outside)
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    assert "像是别日的账" in told(DAY, 3)
    assert "GW-DAY-AHEAD" in told(TOMORROW, 1)
    told(EVE, 0)


def test_the_door_says_so(tmp_path: Path) -> None:
    street = Street(tmp_path)

    def told(date: str, *rows: Cells) -> tuple[int, dict[str, object]]:
        asked = street.ask(
            path=f"/api/v1/books/{A}/{date}".encode(), query=f"rows={len(rows)}".encode(), body=text(rows).encode()
        )
        [(status, answer)] = asked.said
        return status, json.loads(json.dumps(answer))

    row = settled(1, fixmedins_code=A, setl_time=f"{EVE} 10:00:00")
    status, answer = told(DAY, row)
    assert (status, answer["complete"], "像是别日的账" in str(answer["misfits"])) == (200, False, True)
    status, answer = told("2099-01-01", row)
    assert (status, answer["gw_code"]) == (400, "GW-DAY-AHEAD")
    assert told(EVE, row)[1]["complete"] is True
    assert street.faults == []
