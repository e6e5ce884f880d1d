"""`liangding lists check`: files of lists, findings as JSON lines, the printed form, exit codes (contract §2, §7)."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from listed import EXAMPLES, changed

from gateway.app.cli import cli
from gateway.app.say import Outside

GOOD, NEWBORN = EXAMPLES["good"], changed(EXAMPLES["newborn"], {"setlinfo.setl_id": "S2"})
BAD = changed(GOOD, {"setlinfo.setl_id": "S3", "setlinfo.bill_no": ""})
DIAGNOSES = (
    "diag_code,diag_name,gray,begndate,enddate,vali_flag\n"
    "K80.000,胆囊结石伴有急性胆囊炎,0,2021-01-01,{end},1\nI10.x00x002,{name},{gray},2021-01-01,,1\n"
)


def never(*_: object) -> Any:
    raise AssertionError


def run(*words: object) -> Result:
    outside = Outside(run_node=never, simulate=never, now=lambda: 1_790_000_000.0, entropy=never)
    return CliRunner().invoke(cli, ["lists", "check", *map(str, words)], obj=outside)


def found(result: Result) -> list[tuple[int, str]]:
    return [(one["list"], one["rule"]) for one in map(json.loads, result.stdout.splitlines())]


def written(folder: Path, content: str | bytes, name: str = "lists.json") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def text(tree: Any, indent: int | None = None) -> str:
    return json.dumps(tree, ensure_ascii=False, indent=indent)


@pytest.mark.parametrize(
    "content",
    [
        text([GOOD, NEWBORN, BAD]), text([GOOD, NEWBORN, BAD], 1), "\n".join(map(text, [GOOD, NEWBORN, BAD])),
        "\ufeff" + "\r\n".join(map(text, [GOOD, NEWBORN, BAD])) + "\r\n\r\n", "\n \n" + text([GOOD, NEWBORN, BAD], 1),
    ],
    ids=["array", "array over lines", "lines", "lines of windows", "blank lines first"],
)  # fmt: skip
def test_an_array_and_lines_are_read_alike(tmp_path: Path, content: str) -> None:
    result = run(written(tmp_path, content))
    assert result.exit_code == 3
    assert found(result) == [(2, "SL-R032")]
    assert json.loads(result.stdout) == {
        "list": 2, "rule": "SL-R032", "level": "error", "path": "setlinfo.bill_no", "message": "【票据号码】未填写",
    }  # fmt: skip
    assert "3份清单，2份没有问题；错误1处，提示0处" in result.stderr


@pytest.mark.parametrize("content", [text(GOOD), text(GOOD, 2), text({"infno": "4101", "input": GOOD}), "[]"])
def test_without_findings_nothing_is_printed_and_the_exit_code_is_0(tmp_path: Path, content: str) -> None:
    result = run(written(tmp_path, content))
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (text(GOOD) + '\n{"setlinfo":\n' + text(BAD), [(1, "SL-S001"), (2, "SL-R032")]),
        ('{"setlinfo": \n' + text(GOOD) + "\n" + text(BAD), [(0, "SL-S001"), (2, "SL-R032")]),
        (text(GOOD) + "\n[1]\n" + text(BAD), [(1, "SL-S001"), (2, "SL-R032")]),
        (text([GOOD, 3, BAD]), [(1, "SL-S001"), (2, "SL-R032")]),
        (text(GOOD, 1)[:-5], [(0, "SL-S001")]),
        (text([GOOD, BAD])[:-5], [(0, "SL-S001")]),
        (text(GOOD).encode("gb18030"), [(0, "SL-S001")]),
        (text(GOOD).encode("utf-16"), [(0, "SL-S001")]),
        ("", [(0, "SL-S001")]),
        (text(GOOD)[:-1] + ', "setlinfo": {}}', [(0, "SL-S001")]),
        (text(GOOD) + "\n" + text(GOOD), [(1, "SL-X001")]),
    ],
    ids=[
        "a broken line", "a broken first line", "a line that is an array", "an array with a number", "cut object",
        "cut array", "GB18030", "UTF-16", "empty", "two setlinfo", "twice the same settlement",
    ],
)  # fmt: skip
def test_what_is_no_list_is_told_and_checking_goes_on(
    tmp_path: Path, content: str | bytes, expected: list[tuple[int, str]]
) -> None:
    result = run(written(tmp_path, content))
    assert result.exit_code == 3
    assert [one for one in found(result) if one[1] in ("SL-S001", "SL-R032", "SL-X001")][:3] == expected


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (text(GOOD, 1)[:-5], "行第"), ('{"setlinfo": {"a": 1,}}', "第1行第"), ("{'a': 1}", "第1行第2个字符"),
        (text(GOOD).encode("gb18030"), "不是UTF-8编码（第"), ('{"a": NaN}', "NaN"), ("[" * 5000, "嵌套"),
        ('{"a": ' + "9" * 5000 + "}", "数字过长"), ("[1,", "第1行第4个字符"),
    ],
    ids=["cut", "comma", "quotes", "encoding", "nan", "deep", "digits", "array"],
)  # fmt: skip
def test_why_a_text_is_no_json_is_told_with_its_place(tmp_path: Path, content: str | bytes, why: str) -> None:
    result = run(written(tmp_path, content))
    (one,) = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, one["rule"]) == (3, "SL-S001")
    assert why in one["message"]
    assert GOOD["setlinfo"]["psn_name"] not in one["message"]


def test_a_line_beyond_the_limit_is_one_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.app.lists_files.LINE_MAX", 8000)
    long = changed(GOOD, {"setlinfo.curr_addr": "x" * 20_000})
    result = run(written(tmp_path, "\n".join([text(GOOD), text(long), text(BAD)])))
    assert found(result) == [(1, "SL-S001"), (2, "SL-R032")]


def test_a_large_file_that_is_no_json_lines_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.app.lists_files.WHOLE_MAX", 8000)
    result = run(written(tmp_path, text([GOOD, BAD, BAD], 1)))
    assert result.exit_code == 1
    assert "JSON lines" in result.stderr


def test_findings_go_to_a_file_and_the_figures_to_the_reader(tmp_path: Path) -> None:
    out = tmp_path / "found.jsonl"
    file = written(tmp_path, text([GOOD, BAD]))
    result = run(file, "--out", out)
    assert result.exit_code == 3
    assert [json.loads(line)["rule"] for line in out.read_text("utf-8").splitlines()] == ["SL-R032"]
    assert "2份清单，1份没有问题" in result.stdout
    told = json.loads(run(file, "--out", out, "--json").stdout)
    assert told == {"lists": 2, "clean": 1, "errors": 1, "warnings": 0, "rules": {"SL-R032": 1}}
    assert [one["list"] for one in json.loads(run(file, "--json").stdout)["findings"]] == [1]


def test_the_form_of_the_message_decides_which_rules_and_fields_there_are(tmp_path: Path) -> None:
    current = {
        "setlinfo": {key: value for key, value in GOOD["setlinfo"].items() if key not in {"gend", "psn_name", "brdy"}},
        "diseinfo": GOOD["diseinfo"],
    }
    del current["setlinfo"]["bill_no"], current["setlinfo"]["coner_tel"]
    result = run(written(tmp_path, text(current)), "--form", "4101")
    rules = {rule for _, rule in found(result)}
    assert {"SL-R018", "SL-R032", "SL-S003"} <= rules  # contact's telephone, bill; names the present form has not
    assert not {"SL-R007", "SL-R008", "SL-R009", "SL-M007"} & rules
    of_2021 = run(written(tmp_path, text(GOOD)), "--form", "4101-2021")
    assert found(of_2021) == [(0, "SL-S006")]
    assert json.loads(of_2021.stdout)["path"] == "setlinfo.maindiag_flag"
    assert found(run(written(tmp_path, text(changed(GOOD, {"setlinfo.hi_no": ""}))), "--form", "4101-2021"))[0] == (
        0, "SL-R005",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("end", "name", "gray", "expected"),
    [
        ("", "高血压", "0", []),
        ("2026-10-15", "高血压", "0", []),
        ("2026-10-14", "高血压", "0", ["SL-G003", "SL-G018"]),
        ("", "高血脂", "0", ["SL-G004"]),
        ("", "高血压", "1", ["SL-G005"]),
    ],
)
def test_with_the_libraries_a_code_must_be_valid_on_the_day_of_discharge(
    tmp_path: Path, end: str, name: str, gray: str, expected: list[str]
) -> None:
    folder = tmp_path / "codes"
    folder.mkdir()
    written(folder, DIAGNOSES.format(end=end, name=name, gray=gray), "national_diagnoses.csv")
    result = run(written(tmp_path, text(GOOD)), "--codes", folder)
    assert [rule for _, rule in found(result)] == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("K80.000,旧名,0,2010-01-01,2020-12-31,0", []),  # the record that ended says nothing about today
        ("K80.000,旧名,1,2026-10-16,,1", []),  # nor does the one to come
        ("K80.000,旧名,0,2010-01-01,,0\nI10.x00x002,旧名,1,2010-01-01,2020-12-31,1", []),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_of_several_records_of_a_code_the_one_valid_on_the_day_of_discharge_counts(
    tmp_path: Path, rows: str, expected: list[str], first: bool
) -> None:
    head, *known = DIAGNOSES.format(end="", name="高血压", gray="0").splitlines()
    lines = [head, rows, *known] if first else [head, *known, rows]
    written(tmp_path, "\n".join(lines), "national_diagnoses.csv")
    result = run(written(tmp_path, text(GOOD)), "--codes", tmp_path)
    assert [rule for _, rule in found(result)] == expected


@pytest.mark.parametrize(
    ("begins", "end", "expected"),
    [
        ("20261001", "20261015", []), ("2026-10-15 00:00:00", "2026/10/15", []),
        ("20261016", "", ["SL-G003", "SL-G018"]), ("2021-01-01", "2026-10-14 23:59:59", ["SL-G003", "SL-G018"]),
    ],
)  # fmt: skip
def test_days_of_a_library_are_read_as_downloads_write_them(
    tmp_path: Path, begins: str, end: str, expected: list[str]
) -> None:
    library = DIAGNOSES.format(end=end, name="高血压", gray="0").replace("0,2021-01-01", f"0,{begins}", 1)
    written(tmp_path, library, "national_diagnoses.csv")
    result = run(written(tmp_path, text(GOOD)), "--codes", tmp_path)
    assert [rule for _, rule in found(result)] == expected


def test_a_library_with_a_day_that_never_was_is_not_used(tmp_path: Path) -> None:
    written(tmp_path, DIAGNOSES.format(end="2026-02-30", name="高血压", gray="0"), "national_diagnoses.csv")
    result = run(written(tmp_path, text(GOOD)), "--codes", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "enddate" in result.stderr and "MF08" in result.stderr


def test_a_region_has_its_own_rules(tmp_path: Path) -> None:
    rules = tmp_path / "region.toml"
    rules.write_text(
        'source = "x"\noff = ["SL-R032"]\nlevels = {SL-T006 = "error"}\ndomains = {hi_paymtd = ["1"]}\n', "utf-8"
    )
    file = written(tmp_path, text(changed(BAD, {"setlinfo.setl_end_date": "2026-10-31"})))
    told = map(json.loads, run(file, "--rules", rules).stdout.splitlines())
    assert [(one["rule"], one["level"]) for one in told] == [("SL-D013", "error"), ("SL-T006", "error")]
    for wrong in ('source = "x"\noff = ["SL-Z999"]', "x = [", 'source = "x"\ndomains = {nobody = ["1"]}'):
        rules.write_text(wrong, "utf-8")
        assert run(file, "--rules", rules).exit_code == 2
    assert run(file, "--rules", tmp_path / "none.toml").exit_code == 2


def test_wrong_usage_is_exit_code_2_and_an_unreadable_file_1(tmp_path: Path) -> None:
    file = written(tmp_path, text(GOOD))
    assert run(file, "--form", "4102").exit_code == 2
    assert run(file, "--codes", tmp_path / "none").exit_code == 2
    assert run(file, "--codes", tmp_path).exit_code == 2
    assert run(file, "--out", file).exit_code == 2
    assert run(file, "--out", tmp_path / "none" / "x").exit_code == 2
    assert run(tmp_path / "none.json").exit_code == 1
    assert run(tmp_path).exit_code == 1
    assert file.read_text("utf-8") == text(GOOD)


@pytest.mark.parametrize("option", ["--out", "--html"])
def test_a_device_is_never_written_over_and_a_link_is_followed(tmp_path: Path, option: str) -> None:
    file = written(tmp_path, text([GOOD, BAD]))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert run(file, option, pipe).exit_code == 2
    assert pipe.is_fifo()
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old", "utf-8")
    link.symlink_to(target)
    assert run(file, option, link).exit_code == 3
    assert link.is_symlink()
    assert "SL-R032" in target.read_text("utf-8")


def test_a_broken_list_in_an_array_is_told_by_itself(tmp_path: Path) -> None:
    result = run(written(tmp_path, f'[{text(GOOD)},{{"a": [}}]}},{text(BAD)}]'))
    assert result.exit_code == 3
    assert "SL-S001" in {rule for _, rule in found(result)}


def test_the_printed_form_has_the_findings_beside_the_items_and_hides_the_person(tmp_path: Path) -> None:
    page = tmp_path / "forms.html"
    faulty = changed(BAD, {"diseinfo[1].diag_code": "K80.1", "setlinfo.curr_addr": "<b>^"})
    result = run(written(tmp_path, text([GOOD, faulty])), "--html", page)
    assert result.exit_code == 3
    html = page.read_text("utf-8")
    assert html.count('<section class="sheet">') == 1
    assert re.search(r"105 票据号码</small> <b>—</b><span class=\"told error\">SL-R032 【票据号码】未填写", html)
    assert re.search(r"<td>K80.1</td>.*?<td class=\"findings\"><span class=\"told error\">SL-G003", html)
    assert "1 男" in html
    for person in (GOOD["setlinfo"]["certno"], GOOD["setlinfo"]["psn_name"], GOOD["setlinfo"]["coner_tel"], "<b>^"):
        assert person not in html
    assert "<script" not in html
    assert "http://" not in html and "https://" not in html


def test_a_file_without_findings_is_printed_once_to_be_filed(tmp_path: Path) -> None:
    page = tmp_path / "forms.html"
    assert run(written(tmp_path, text([GOOD, NEWBORN])), "--html", page).exit_code == 0
    html = page.read_text("utf-8")
    assert html.count('<section class="sheet">') == 1
    assert 'class="told' not in html
