"""`liangding codes coverage` on real stores: figures by institution, library and month, and its exit code."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage_desk import HOSPITAL, PHARMACY, Desk, drug, evidence, figures, fraction


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path)
    yield opened
    opened.close()


def rows(first: int, last: int) -> list[str]:
    return [f"L{number},{drug(number)},,," for number in range(first, last + 1)]


def test_ninety_nine_of_a_hundred_is_enough_and_one_less_is_not(desk: Desk) -> None:
    desk.library([(drug(number), "") for number in range(1, 101)])
    desk.map(*rows(1, 99), "L100,,,,", code=3)
    found = desk.coverage(code=0)
    mine = figures(found, HOSPITAL, "drug")
    assert fraction(mine["coded"]) == fraction(mine["maintained"]) == (99, 100)
    assert (mine["coded"]["percent"], mine["coded"]["below"], found["below"]) == ("99.00%", False, [])
    desk.map("L99,,,,no_code:院内自费")
    found = desk.coverage(code=3)
    assert fraction(figures(found, HOSPITAL, "drug")["coded"]) == (98, 99)
    assert figures(found, HOSPITAL, "drug")["coded"]["percent"] == "98.98%"
    assert found["below"] == [{"institution": HOSPITAL, "system": "drug", "rates": ["maintained", "coded"]}]
    assert desk.coverage(PHARMACY, code=0)["below"] == []


def test_a_draft_is_maintained_and_not_coded(desk: Desk) -> None:
    desk.map(*rows(1, 4), reviewer="")
    mine = figures(desk.coverage(code=3), HOSPITAL, "drug")
    assert (fraction(mine["maintained"]), fraction(mine["coded"]), fraction(mine["right"])) == ((4, 4), (0, 4), (0, 0))
    assert mine["right"]["percent"] == "—"


def test_a_code_the_library_ends_spoils_coding_and_correctness(desk: Desk) -> None:
    desk.library([(drug(1), ""), (drug(2), "")])
    desk.map(*rows(1, 2))
    assert desk.coverage(code=0)["below"] == []
    desk.library([(drug(2), "2026-11-10")], ago=9)
    found = desk.coverage(code=3)
    mine = figures(found, HOSPITAL, "drug")
    assert (fraction(mine["maintained"]), fraction(mine["coded"]), fraction(mine["right"])) == ((2, 2), (1, 2), (1, 2))
    assert mine["wrong"] == 1
    assert found["below"][0]["rates"] == ["coded", "right"]
    assert desk.coverage("--date", "2026-11-10", code=0)["below"] == []


def test_what_the_journal_saw_is_in_use_in_its_month_only(desk: Desk) -> None:
    desk.map(*rows(1, 3), ago=60)
    desk.send(evidence("drug", "L1", drug(1)), evidence("item", "NEW"), evidence("chronic_disease", "GXY"), ago=30)
    desk.send(evidence("drug", "L1", drug(1)), evidence("drug", "L1", drug(1)), ago=1)
    october = desk.coverage("--month", "2026-10", code=3)
    assert (october["month"], october["date"]) == ("2026-10", "2026-10-31")
    assert fraction(figures(october, HOSPITAL, "item")["coded"]) == (0, 1)
    assert figures(october, HOSPITAL, "item")["late"] == 1
    assert fraction(figures(october, HOSPITAL, "chronic_disease")["coded"]) == (0, 1)
    november = desk.coverage(code=0)
    assert fraction(figures(november, HOSPITAL, "drug")["by_use"]) == (2, 2)
    assert "item" not in {one["system"] for one in november["systems"] if one["items"]}


def test_an_item_no_mapping_gave_belongs_where_it_was_proposed(desk: Desk) -> None:
    desk.map("NEW,,,,", system="consumable", code=3)
    desk.send(evidence("item", "NEW"), evidence("item", "NEW"))
    found = desk.coverage(code=3)
    mine = figures(found, HOSPITAL, "consumable")
    assert (fraction(mine["coded"]), fraction(mine["by_use"]), mine["late"]) == ((0, 1), (0, 2), 1)
    assert [one["system"] for one in found["systems"]] == ["consumable"]


def test_money_is_weighed_by_whole_visits(desk: Desk) -> None:
    desk.map(*rows(1, 1), system="drug")
    desk.send(evidence("drug", "L1", drug(1)), visit="V1")
    desk.send(fen=10_000, visit="V1", state="ACKED")
    desk.send(evidence("drug", "L1", drug(1)), evidence("diagnosis", "D1"), visit="V2")
    desk.send(fen=2_55, visit="V2", state="ACKED")
    desk.send(fen=1, visit="V3", state="ACKED")
    found = desk.coverage(HOSPITAL, code=3)
    mine = figures(found, HOSPITAL, "drug")
    assert mine["by_money"] == {"coded_amt": "102.55", "amt": "102.55", "percent": "100.00%"}
    assert figures(found, HOSPITAL, "diagnosis")["by_money"] == {"coded_amt": "0.00", "amt": "2.55", "percent": "0.00%"}
    (one,) = found["institutions"]
    assert (one["settled_amt"], one["settled_coded_amt"], one["settled_unknown_amt"]) == ("102.56", "100.00", "0.01")


def test_a_past_month_is_judged_by_what_was_in_force_then(desk: Desk) -> None:
    desk.map(*rows(1, 2), ago=40)
    desk.map(*rows(3, 4), ago=10)
    desk.map("L5,,,,", ago=9, code=3)
    assert fraction(figures(desk.coverage("--month", "2026-10", code=0), HOSPITAL, "drug")["coded"]) == (2, 2)
    assert fraction(figures(desk.coverage("--date", "2026-11-08", code=0), HOSPITAL, "drug")["coded"]) == (4, 4)
    assert fraction(figures(desk.coverage(code=3), HOSPITAL, "drug")["coded"]) == (4, 5)


def test_the_assessment_counts_standards_and_errors_in_points(desk: Desk) -> None:
    desk.library([(drug(1), "")])
    desk.map(*rows(1, 1))
    desk.send(evidence("diagnosis", "D1"), evidence("item", "X"))
    plain = {one["no"]: (one["found"], one["points"], one["full"]) for one in desk.coverage(code=3)["assessment"]}
    # 39: only diagnosis is a standard below; 40: of eleven standards one is introduced; 41: two codes late.
    assert plain == {"39": (1, "1.8", "2"), "40": (10, "0", "2"), "41": (2, "2.6", "3")}


def test_nothing_known_is_said_and_is_no_finding(desk: Desk) -> None:
    text = desk.run("coverage", desk.config, code=0).stdout
    assert text.count("没有在用项目") == 2


def test_without_a_journal_the_mappings_are_still_counted(desk: Desk) -> None:
    desk.map(*rows(1, 3))
    desk.close()
    for file in desk.folder.glob("var/liangding.sqlite*"):
        file.unlink()
    assert fraction(figures(desk.coverage(code=0), HOSPITAL, "drug")["coded"]) == (3, 3)


def test_a_file_that_is_no_journal_is_told(desk: Desk, tmp_path: Path) -> None:
    desk.close()
    shutil.copy(tmp_path / "gateway.toml", desk.journal)
    for file in desk.folder.glob("var/liangding.sqlite-*"):
        file.unlink()
    assert "不是交易日志" in desk.run("coverage", desk.config, code=1).stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["H0"], "没有机构H0"),
        (["--month", "2026-13"], "yyyy-MM"),
        (["--month", "2026-1"], "yyyy-MM"),
        (["--date", "2026-02-30"], "yyyy-MM-dd"),
        (["--month", "2026-10", "--date", "2026-11-01"], "不在2026-10"),
        (["--date", "2026-11-19"], "还没有到"),
        (["--month", "2026-12"], "还没有到"),
    ],
)
def test_a_wrong_question_is_refused(desk: Desk, options: list[str], words: str) -> None:
    assert words in desk.run("coverage", desk.config, *options, code=2).stderr


def test_the_lines_for_people_show_numerator_and_denominator(desk: Desk) -> None:
    desk.map(*rows(1, 2), "L3,,,,", code=3)
    text = desk.run("coverage", desk.config, HOSPITAL, code=3).stdout
    assert "药品\t在用3  维护率66.66%（2/3）未达标  赋码率66.66%（2/3）未达标  对照正确率100.00%（2/2）" in text
