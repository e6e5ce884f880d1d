"""The report as page and workbook: the same numbers in both, hostile names harmless, nothing from outside."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from coverage_desk import HOSPITAL, PHARMACY, Desk, config, drug, evidence, figures
from python_calamine import CalamineWorkbook
from xlsxwriter.exceptions import DuplicateWorksheetName

from adapters.files.workbook import Sheet, write_workbook
from gateway.app.drawing import Bar, Curve, bars, trend

HOSTILE = '<script>alert("1")</script>&amp;<b>院</b>'
LOCAL = '<img src=x onerror="alert(1)">'
FORMULA = '=HYPERLINK("http://x","药房")'


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path, config(HOSTILE, FORMULA))
    opened.library([(drug(number), "") for number in range(1, 10)])
    opened.map(*[f"L{number},{drug(number)},,," for number in range(1, 4)], ago=70)
    opened.map(*[f"L{number},{drug(number)},,," for number in range(4, 7)], "L7,,,,", code=3)
    opened.map("P1," + drug(1) + ",,,", who=PHARMACY)
    opened.send(evidence("drug", "L1", drug(1)), evidence("item", LOCAL), visit="V1")
    opened.send(fen=12_345, visit="V1", state="ACKED")
    yield opened
    opened.close()


class Page(HTMLParser):
    """Collects elements, their attributes and the text of a page; knows nothing of what it should hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "small" and self.rows and self.rows[-1]:
            self.rows[-1][-1] += " "

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def pages(desk: Desk, *arguments: str) -> tuple[Page, str, CalamineWorkbook]:
    out, xlsx = desk.folder / "report.html", desk.folder / "report.xlsx"
    desk.run("coverage", desk.config, *arguments, "--out", str(out), "--xlsx", str(xlsx), code=3)
    raw = out.read_text("utf-8")
    return Page(raw), raw, CalamineWorkbook.from_path(xlsx)


def test_hostile_names_stay_text(desk: Desk) -> None:
    page, raw, book = pages(desk)
    assert HOSTILE in page.text and LOCAL in page.text and FORMULA in page.text
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "iframe", "link", "object", "a"}
    assert HOSTILE not in raw and LOCAL not in raw
    names = {row[1] for row in book.get_sheet_by_name("各机构").to_python(skip_empty_area=False)}
    assert {HOSTILE, f"'{FORMULA}"} <= names


def test_the_page_takes_nothing_from_outside_and_runs_nothing(desk: Desk) -> None:
    page, raw, _ = pages(desk)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert not [name for _, attributes in page.tags for name in attributes if name in ("src", "href", "xlink:href")]
    assert "url(" not in raw and "@import" not in raw
    policy = next(attributes for tag, attributes in page.tags if attributes.get("http-equiv"))
    assert "default-src 'none'" in str(policy["content"])
    assert "size: A4" in raw


def test_a_total_that_reaches_its_target_hides_no_institution_that_does_not(desk: Desk) -> None:
    desk.map(*[f"Q{number},{drug(1)},,," for number in range(1_000)], who=PHARMACY)
    page, _, _ = pages(desk)
    total = next(row for row in page.rows if row[:1] == ["药品"] and len(row) == 10)
    assert (total[3], total[9]) == ("99.90% 1007/1008", "1家未达标")


def test_the_page_says_whose_it_is_and_for_when(desk: Desk) -> None:
    page, _, _ = pages(desk, HOSPITAL)
    for words in (HOSPITAL, "2026-11（截至2026-11-18）", "每月23日前", "生成于2026-11-18 19:06:40", "不四舍五入"):
        assert words in page.text
    assert FORMULA not in page.text
    assert [tag for tag, _ in page.tags].count("svg") == 2


def test_page_workbook_and_json_have_the_same_numbers(desk: Desk) -> None:
    page, _, book = pages(desk, HOSPITAL)
    plain = desk.coverage(HOSPITAL, code=3)
    mine = figures(plain, HOSPITAL, "drug")
    shown = next(row for row in page.rows if row[:1] == ["药品"] and len(row) == 10)
    assert shown == [
        "药品", "7", "85.71% 6/7", "85.71% 6/7", "100.00% 6/6", "100.00% 1/1", "100.00% 123.45/123.45", "0", "0",
        "未达标",
    ]  # fmt: skip
    head, *rows = book.get_sheet_by_name("各标准").to_python(skip_empty_area=False)[1:]
    cells = dict(zip(head, next(row for row in rows if row[0] == "药品"), strict=True))
    for name, title in (
        ("maintained", "维护率"),
        ("coded", "赋码率"),
        ("right", "对照正确率"),
        ("by_use", "按使用加权"),
    ):
        assert (cells[f"{title}分子"], cells[f"{title}分母"]) == (mine[name]["numerator"], mine[name]["denominator"])
        assert f"{cells[title] * 100:.2f}%" == mine[name]["percent"]
    assert cells["按金额加权（元）分子"] == 123.45
    assert cells["赋码率"] == 0.8571  # cut, not 0.857142...
    months = [row[:5] for row in page.rows if row and re.fullmatch(r"2026-\d\d", row[0])]
    assert months[-3:] == [
        ["2026-09", "3", "100.00% 3/3", "100.00% 3/3", "100.00% 3/3"],
        ["2026-10", "7", "85.71% 6/7", "85.71% 6/7", "100.00% 6/6"],
        ["2026-11", "8", "75.00% 6/8", "75.00% 6/8", "100.00% 6/6"],
    ]
    lines = book.get_sheet_by_name("逐月").to_python(skip_empty_area=False)[2:]
    assert [(row[0], row[1], row[5], row[6], row[7]) for row in lines[-2:]] == [
        ("2026-10", 7, 6, 7, 0.8571), ("2026-11", 8, 6, 8, 0.75),
    ]  # fmt: skip


def test_the_progress_of_the_month_is_the_difference_to_the_last(desk: Desk) -> None:
    desk.map(*[f"L{number},{drug(number)},,," for number in (7, 8)], ago=2)
    page, _, book = pages(desk, HOSPITAL)
    shown = next(row for row in page.rows if row[:1] == ["药品"] and len(row) == 10 and row[3].startswith("+"))
    assert shown[3:] == ["+1", "+2", "85.71% 6/7", "100.00% 8/8", "0", "0", "0"]
    cells = next(row for row in book.get_sheet_by_name("本月进展").to_python() if row[0] == "药品")
    assert cells[3:5] == [1, 2]


def test_missing_codes_come_with_what_to_do(desk: Desk) -> None:
    page, _, book = pages(desk)
    listed = [row for row in page.rows if row[:1] == [HOSPITAL] and len(row) == 7]
    assert [row[2:5] for row in listed] == [[LOCAL, "1", "1"], ["L7", "0", "0"]]
    assert "no_code:" in listed[1][6]
    assert len(book.get_sheet_by_name("未赋码编码").to_python()) == 2 + 2


def test_a_report_that_cannot_be_written_leaves_nothing_and_says_so(desk: Desk) -> None:
    place = desk.folder / "nowhere" / "report.html"
    assert "report.html" in desk.run("coverage", desk.config, "--out", str(place), code=2).stderr
    assert "a.xlsx" in desk.run("coverage", desk.config, "--xlsx", str(desk.folder / "no" / "a.xlsx"), code=2).stderr


def test_drawings_escape_their_texts_and_hold_what_they_are_given() -> None:
    picture = bars(HOSTILE, ("甲", "乙"), [Bar(LOCAL, ((9_898, "98.98%", True), (10_000, "100.00%", False)))], 9_900)
    root = ElementTree.fromstring(str(picture))
    texts = [one.text for one in root.iter("text")]
    assert LOCAL in texts and "98.98% 未达标" in texts and "100.00%" in texts and "99%" in texts
    widths = [float(one.attrib["width"]) for one in root.iter("rect")][2:]
    assert widths[0] / widths[1] == pytest.approx(0.9898, abs=0.001)
    gap = trend("逐月", ["2026-10", "2026-11"], [Curve("赋码率", (None, 5_000)), Curve("维护率", (None, None))], 9_900)
    root = ElementTree.fromstring(str(gap))
    assert len(list(root.iter("circle"))) == 1
    assert "50%" in [one.text for one in root.iter("text")]


def test_a_workbook_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    write_workbook(path, [Sheet("甲", "题", ("列",), [("+1+1",), (5,)])])
    before = path.read_bytes()
    assert CalamineWorkbook.from_path(path).get_sheet_by_name("甲").to_python() == [["题"], ["列"], ["'+1+1"], [5.0]]
    with pytest.raises(DuplicateWorksheetName):
        write_workbook(path, [Sheet("甲", "题", ("列",), []), Sheet("甲", "题", ("列",), [])])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.xlsx"]
