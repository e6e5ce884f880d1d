"""`liangding lists import|status`: pieces kept under seal, examined together, and shown by department and doctor."""

import csv
import json
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from listed import EXAMPLES, changed, rules
from lists_place import GOOD, HOME, Place

import schemas
from gateway.lists.xsd import schema_of

NEWBORN = EXAMPLES["newborn"]


def test_a_list_grows_by_pieces_until_nothing_is_missing(place: Place) -> None:
    head = GOOD["setlinfo"]
    first = {
        "setlinfo": {name: head[name] for name in ("mdtrt_id", "adm_time", "adm_caty", "psn_name", "gend", "brdy")}
    }
    found = place.take(first, "--piece", "admission")
    assert (found["taken"], found["fresh"], found["clean"]) == (1, 1, 0)
    assert {"SL-R002", "SL-R010", "SL-M007"} <= set(found["rules"])
    (month,) = place.status()["months"]
    assert (month["fixmedins_code"], month["month"], month["faulty"]) == (HOME, "", 1)
    lacks = {one["rule"]: one for one in place.status()["lacks"]}
    assert lacks["SL-R010"] == {
        "fixmedins_code": HOME, "dept": "A04.01", "doctor": "", "rule": "SL-R010", "path": "setlinfo.ntly",
        "message": "【国籍】未填写", "lists": 1,
    }  # fmt: skip
    rest = {**GOOD, "setlinfo": {name: value for name, value in head.items() if name not in ("psn_name", "gend")}}
    found = place.take(rest, "--piece", "settlement")
    assert (found["clean"], found["errors"]) == (1, 0)
    (month,) = place.status("--month", "2026-10")["months"]
    assert (month["lists"], month["clean"], month["faulty"]) == (1, 1, 0)
    assert place.run("status", "CONFIG").exit_code == 0


def test_the_same_piece_again_changes_nothing(place: Place) -> None:
    assert place.take(GOOD)["fresh"] == 1
    again = place.take(GOOD)
    assert (again["taken"], again["fresh"], again["clean"]) == (1, 0, 1)


def test_contradicting_pieces_are_told_and_both_stay(place: Place) -> None:
    place.take(GOOD)
    other = {"setlinfo": {"mdtrt_id": GOOD["setlinfo"]["mdtrt_id"], "dscg_time": "2026-10-15 11:00:00"}}
    found = place.take(other, "--piece", "discharge")
    assert found["rules"] == {"SL-C001": 1}
    with sqlite3.connect(place.store) as connection:
        assert connection.execute("SELECT kind FROM piece ORDER BY id").fetchall() == [("whole",), ("discharge",)]
        with pytest.raises(sqlite3.IntegrityError, match="pieces stay"):
            connection.execute("DELETE FROM piece")
    corrected = changed(GOOD, {"setlinfo.dscg_time": "2026-10-15 11:00:00"})
    assert place.take(corrected)["errors"] == 0


def test_one_settlement_has_one_list(place: Place) -> None:
    assert place.take(GOOD)["errors"] == 0
    assert place.take(changed(GOOD, {"setlinfo.mdtrt_id": "M9"}))["rules"] == {"SL-X001": 1}
    assert place.take(GOOD)["errors"] == 1  # nobody can say which of the two is right


def test_an_envelope_is_taken_off(place: Place) -> None:
    assert place.take({"infno": "4101", "input": GOOD})["clean"] == 1


def test_what_is_no_code_does_not_rest_readable(place: Place) -> None:
    place.take(changed(GOOD, {"setlinfo.chfpdr_code": "张三13800000000", "setlinfo.dscg_caty": "a\x1bb"}))
    content = b"".join(path.read_bytes() for path in (place.folder / "data").iterdir())
    assert b"13800000000" not in content.replace(GOOD["setlinfo"]["coner_tel"].encode(), b"")
    assert {(one["dept"], one["doctor"]) for one in place.status()["lacks"]} == {("", "")}


def test_nothing_of_a_person_rests_readable(place: Place) -> None:
    place.take(changed(GOOD, {"setlinfo.bill_no": ""}))
    content = b"".join(path.read_bytes() for path in (place.folder / "data").iterdir())
    for name in ("psn_name", "certno", "coner_tel", "curr_addr"):
        assert GOOD["setlinfo"][name].encode() not in content
    assert (place.store.stat().st_mode & 0o777) == 0o600


def test_what_cannot_be_kept_is_refused_by_itself_and_the_rest_is_taken(place: Place) -> None:
    other = changed(GOOD, {"setlinfo.fixmedins_code": "H99010100002"})
    found = place.take([GOOD, other, 7])
    assert (found["lists"], found["taken"]) == (3, 1)
    assert [(one["list"], one["path"]) for one in found["refused"]] == [(1, "setlinfo.fixmedins_code"), (2, "")]


def test_the_journal_says_whether_the_settlement_stands_and_what_it_came_to(place: Place) -> None:
    place.settle(1_000_000, GOOD["setlinfo"]["setl_id"])
    assert place.take(GOOD)["errors"] == 0
    assert place.take(changed(GOOD, {"setlinfo.psn_no": "P2"}))["rules"] == {"SL-C004": 1}
    assert place.take(changed(GOOD, {"setlinfo.setl_id": "S9"}))["rules"] == {"SL-C002": 1}
    less = changed(GOOD, {"iteminfo[0].amt": "349.00", "iteminfo[0].claa_sumfee": "349.00"})
    assert set(place.take(less)["rules"]) == {"SL-M002", "SL-X002"}


def table(folder: Path, node: str, rows: list[dict[str, str]]) -> None:
    with (folder / f"{node}.csv").open("w", encoding="gb18030", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def tables(folder: Path) -> Path:
    """The good list as a hospital's export: own titles for two columns, own words for the sex."""
    folder.mkdir()
    head = {**GOOD["setlinfo"], "gend": "男"}
    visit = head.pop("mdtrt_id")
    table(folder, "setlinfo", [{"住院流水号": visit, "费别": "医保", **head}])
    for node in ("payinfo", "diseinfo", "iteminfo", "oprninfo"):
        table(folder, node, [{"mdtrt_id": visit, **row} for row in GOOD[node]])
    return folder


def test_a_set_of_tables_is_one_list_a_visit(place: Place) -> None:
    folder = tables(place.folder / "export")
    mapping = place.folder / "titles.toml"
    mapping.write_text('[setlinfo]\n"住院流水号" = "mdtrt_id"\n[values.gend]\n"男" = "1"\n"女" = "2"\n', "utf-8")
    result = place.run("import", "CONFIG", HOME, folder, "--mapping", mapping, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["clean"] == 1
    table(folder, "setlinfo", [{"住院流水号": "M1", "gend": "男"}] * 2)
    twice = place.run("import", "CONFIG", HOME, folder, "--mapping", mapping)
    assert twice.exit_code == 1
    assert "MF10" in twice.stderr


@pytest.mark.parametrize(
    "text",
    ["[", '[setlinfo]\n"a" = "nobody"', '[nobody]\n"a" = "b"', '[values.nobody]\n"a" = "b"', "[values.gend]\na = 1"],
)
def test_a_faulty_mapping_is_wrong_usage(place: Place, text: str) -> None:
    mapping = place.folder / "titles.toml"
    mapping.write_text(text, "utf-8")
    folder = tables(place.folder / "export")
    result = place.run("import", "CONFIG", HOME, folder, "--mapping", mapping)
    assert result.exit_code == 2
    assert "titles.toml" in result.stderr


def dbf(path: Path, rows: list[dict[str, str]], kinds: str) -> bytes:
    """A dBASE III table of texts (C), numbers (N) and dates (D), as old systems write it."""
    widths = [max(len(row[name].encode("gb18030")) for row in rows) for name in rows[0]]
    fields = b"".join(
        name.upper().encode("ascii").ljust(11, b"\0") + kind.encode() + b"\0" * 4 + bytes([width, 0]) + b"\0" * 14
        for name, kind, width in zip(rows[0], kinds, widths, strict=True)
    )
    head = struct.pack("<BBBBIHH20x", 3, 126, 10, 15, len(rows), 32 + len(fields) + 1, 1 + sum(widths))
    body = b"".join(
        b" " + b"".join(text.encode("gb18030").ljust(width) for text, width in zip(row.values(), widths, strict=True))
        for row in rows
    )
    path.write_bytes(head + fields + b"\r" + body + b"\x1a")
    return head + fields + b"\r" + body


def test_tables_may_be_dbf_with_their_numbers_as_written(place: Place) -> None:
    folder = tables(place.folder / "export")
    (folder / "iteminfo.csv").unlink()
    visit = GOOD["setlinfo"]["mdtrt_id"]
    theirs = {"LB": "med_chrgitm", "JE": "amt", "JL": "claa_sumfee", "YL": "clab_amt", "ZF": "fulamt_ownpay_amt"}
    rows = [{"ZYLSH": visit, **{title: row[name] for title, name in theirs.items()}} for row in GOOD["iteminfo"]]
    whole = dbf(folder / "iteminfo.dbf", rows, "CCNNNN")
    mapping = place.folder / "titles.toml"
    mapping.write_text(
        '[setlinfo]\n"住院流水号" = "mdtrt_id"\n[values.gend]\n"男" = "1"\n[iteminfo]\nZYLSH = "mdtrt_id"\n'
        'LB = "med_chrgitm"\nJE = "amt"\nJL = "claa_sumfee"\nYL = "clab_amt"\nZF = "fulamt_ownpay_amt"\n', "utf-8"
    )  # fmt: skip
    result = place.run("import", "CONFIG", HOME, folder, "--mapping", mapping, "--json")
    assert (result.exit_code, json.loads(result.stdout)["clean"]) == (0, 1), result.output
    for broken in (whole[:-40], b"x" * 50, b""):
        (folder / "iteminfo.dbf").write_bytes(broken)
        result = place.run("import", "CONFIG", HOME, folder, "--mapping", mapping)
        assert result.exit_code == 1
        assert "MF12 iteminfo.dbf" in result.stderr


def xml(*lists: dict[str, Any]) -> str:
    def record(row: dict[str, str]) -> str:
        return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in row.items())

    def node(name: str, value: Any) -> str:
        inner = record(value) if name == "setlinfo" else "".join(f"<row>{record(row)}</row>" for row in value)
        return f"<{name}>{inner}</{name}>"

    inner = "".join(f"<list>{''.join(node(*one) for one in tree.items())}</list>" for tree in lists)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<lists xmlns="urn:liangding:settlement-lists:1">\n{inner}</lists>'


def test_lists_may_come_as_xml(place: Place) -> None:
    file = place.folder / "lists.xml"
    file.write_text(xml(GOOD, changed(NEWBORN, {"setlinfo.mdtrt_id": "M2", "setlinfo.setl_id": "S2"})), "utf-8")
    result = place.run("import", "CONFIG", HOME, file, "--json")
    assert (result.exit_code, json.loads(result.stdout)["clean"]) == (0, 2), result.output


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text.replace("<certno>", "<cert_no>").replace("</certno>", "</cert_no>"), "元素cert_no"),
        (lambda text: text[:-20], "不是完好的XML"),
        (lambda text: text.replace("<lists", "<!DOCTYPE x [<!ENTITY a 'b'>]><lists"), "DOCTYPE"),
        (lambda text: text.replace("settlement-lists:1", "settlement-lists:9"), "lists"),
        (lambda text: "", "不是完好的XML"),
        (lambda text: text.replace("UTF-8", "GB2312"), "不是完好的XML"),
    ],
    ids=["unknown element", "cut", "doctype", "namespace", "empty", "encoding"],
)
def test_nothing_is_taken_of_xml_that_is_not_as_it_should_be(
    place: Place, spoil: Callable[[str], str], words: str
) -> None:
    file = place.folder / "lists.xml"
    file.write_text(spoil(xml(GOOD, changed(NEWBORN, {"setlinfo.mdtrt_id": "M2"}))), "utf-8")
    result = place.run("import", "CONFIG", HOME, file)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert GOOD["setlinfo"]["certno"] not in result.output
    assert place.status()["months"] == []


def test_the_xsd_is_that_of_the_fields() -> None:
    assert (schemas.ROOT / "settlement_list" / "lists.xsd").read_text("utf-8") == schema_of(rules().nodes)


def test_a_mapping_that_is_no_text_is_wrong_usage(place: Place) -> None:
    mapping = place.folder / "titles.toml"
    folder = tables(place.folder / "export")
    for content in (b"\xff", b"[setlinfo]\na = [1]", b"[setlinfo]\na = {x = 1}"):
        mapping.write_bytes(content)
        assert place.run("import", "CONFIG", HOME, folder, "--mapping", mapping).exit_code == 2


def test_wrong_usage(place: Place) -> None:
    file = place.folder / "x.json"
    file.write_text("[]", "utf-8")
    assert place.run("import", "CONFIG", "H00000000000", file).exit_code == 2
    assert place.run("import", "CONFIG", HOME, file, "--piece", "nothing").exit_code == 2
    assert place.run("import", "CONFIG", HOME, place.folder / "none").exit_code == 2
    assert place.run("import", "CONFIG", HOME, place.folder).exit_code == 2  # no setlinfo.csv
    assert place.run("status", "CONFIG", "--month", "2026-13").exit_code == 2
    assert place.run("status", "CONFIG", "H00000000000").exit_code == 2


def test_what_is_missing_is_written_as_a_table(place: Place) -> None:
    place.take([GOOD, changed(NEWBORN, {"setlinfo.mdtrt_id": "M2", "setlinfo.setl_id": "S2", "setlinfo.ntly": ""})])
    out = place.folder / "lacks.csv"
    result = place.run("status", "CONFIG", HOME, "--out", out)
    assert result.exit_code == 3
    assert "2026-10：2份，可以上传1份，有错误1份" in result.stdout
    with out.open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["dept"], row["doctor"], row["path"], row["lists"]) == ("A07.01", "D990101000001", "setlinfo.ntly", "1")


def test_a_store_of_a_newer_program_is_left_alone(place: Place) -> None:
    place.take(GOOD)
    with sqlite3.connect(place.store) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert place.run("status", "CONFIG").exit_code == 1
    file = place.folder / "piece.json"
    assert place.run("import", "CONFIG", HOME, file).exit_code == 1
