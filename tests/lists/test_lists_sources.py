"""What `lists import` reads and holds lists against: a workbook's sheets, a region's rules, what was charged."""

import json
from pathlib import Path
from typing import Any

import xlsxwriter
from listed import changed
from lists_place import CONFIG, GOOD, HOME, Place

from adapters.store.journal_reader import reading as journal_reading
from adapters.store.journal_settlement import SETTLEMENT
from adapters.store.lists import ELSEWHERE, READY, reading
from adapters.store.lists_charged import charged, charged_to
from adapters.store.lists_compared import THERE
from gateway.app.codes_work import import_mapping
from gateway.app.lists_desk import SCRIPTS

VISIT = GOOD["setlinfo"]["mdtrt_id"]
SURGERY = ("feedetail[0].med_list_codg", "service_item", "S1", "003309000140000-330900014", "m1", "2026-10-10")


def workbook(file: Path, **sheets: list[list[str]]) -> Path:
    with xlsxwriter.Workbook(file) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return file


def sheets(*left_out: str) -> dict[str, list[list[str]]]:
    head = GOOD["setlinfo"]
    found = {"SetlInfo": [list(head), list(head.values())], "notes": [["nothing"], ["to read"]]}
    for node in ("payinfo", "diseinfo", "iteminfo", "oprninfo"):
        rows = [{"mdtrt_id": VISIT, **row} for row in GOOD[node]]
        found[node] = [list(rows[0]), *(list(row.values()) for row in rows)]
    return {name: rows for name, rows in found.items() if name not in left_out}


def test_the_sheets_of_one_workbook_are_a_set_of_tables(place: Place) -> None:
    file = workbook(place.folder / "lists.xlsx", **sheets())
    result = place.run("import", "CONFIG", HOME, file, "--json")
    assert (result.exit_code, json.loads(result.stdout)["clean"]) == (0, 1), result.output


def test_a_workbook_without_heads_or_with_a_formula_is_not_taken(place: Place) -> None:
    file = workbook(place.folder / "lists.xlsx", **sheets("SetlInfo"))
    result = place.run("import", "CONFIG", HOME, file)
    assert (result.exit_code, "setlinfo" in result.stderr) == (2, True)
    given = sheets()
    given["diseinfo"][1][1] = "=1+1"
    result = place.run("import", "CONFIG", HOME, workbook(file, **given))
    assert (result.exit_code, "MF06" in result.stderr) == (1, True)
    file.write_bytes(file.read_bytes()[:-900])
    result = place.run("import", "CONFIG", HOME, file)
    assert result.exit_code == 3 and "没有采集" in result.stdout  # no workbook any more, and no list either


def test_a_regions_own_rules_hold_for_what_is_collected(place: Place) -> None:
    faulty = changed(GOOD, {"setlinfo.bill_no": ""})
    assert place.take(faulty)["rules"] == {"SL-R032": 1}
    own = place.folder / "own.toml"
    own.write_text('source = "local notice"\noff = ["SL-R032"]\n', "utf-8")
    (place.folder / "gateway.toml").write_text(f'{CONFIG}[lists]\nrules = "own.toml"\n', "utf-8")
    assert place.take(faulty)["rules"] == {}
    own.write_text('source = "local notice"\noff = ["SL-R999"]\n', "utf-8")
    result = place.run("import", "CONFIG", HOME, place.folder / "piece.json")
    assert (result.exit_code, "$.lists.rules" in result.stderr, "SL-R999" in result.stderr) == (2, True, True)
    own.unlink()
    assert "没有这个文件" in place.run("import", "CONFIG", HOME, place.folder / "piece.json").stderr


def kept(place: Place) -> tuple[Any, str]:
    with reading(place.store, len(SCRIPTS)) as look:
        assert look is not None
        visit = look.visit(HOME, VISIT)
        assert visit is not None
        return charged(look.connection, HOME, VISIT), look.evidence(visit)


def test_what_the_journal_saw_charged_is_held_against_the_list(place: Place) -> None:
    place.settle(1_000_000, GOOD["setlinfo"]["setl_id"], bill=[SURGERY])
    assert place.take(GOOD)["errors"] == 0
    assert kept(place)[0] == ("surgery", "2026-10-10", "2026-10-10")
    without = changed(GOOD, {"oprninfo": [], "setlinfo.oprn_oprt_code_cnt": "0"})
    place.take(without)
    told = [one for one in place.status()["lacks"] if one["rule"] == "SL-C008"]
    assert [one["path"] for one in told] == ["oprninfo"]
    late = (*SURGERY[:3], "XA01ABD075A002010100483", "m1", "2026-10-16")
    place.settle(1, "S2", bill=[(late[0], "drug", *late[2:])])
    place.take(GOOD)
    assert kept(place)[0] == ("surgery,western", "2026-10-10", "2026-10-16")
    assert [one["path"] for one in place.status()["lacks"]] == ["setlinfo.dscg_time"]


def test_another_journal_in_its_place_is_read_from_the_start(place: Place) -> None:
    place.settle(1, "S1", bill=[SURGERY])
    place.take(GOOD)
    for file in (place.folder / "data").glob("journal.sqlite*"):
        file.unlink()
    place.rows = 100
    place.settle(1, "S1", bill=[(*SURGERY[:3], "001201000010000-120100001", "m1", "2026-10-09")])
    place.take(GOOD)
    assert kept(place)[0] == ("intensive", "2026-10-09", "2026-10-09")
    with reading(place.store, len(SCRIPTS)) as look:
        assert look is not None
        assert charged_to(look.connection) == (102, "m102")


def test_which_mapping_translated_what_is_kept_beside_the_list(place: Place) -> None:
    place.take(GOOD)
    assert kept(place)[1] == ""
    file = place.folder / "map.csv"
    file.write_text("local_code,national_code,valid_from,valid_to\nYS01,D990101000001,2026-01-01,\n", "utf-8")
    store = place.folder / "data" / "journal-codes.sqlite"
    import_mapping(store, HOME, "doctor", file, "maker", "reviewer", 1.79e9, lambda _: None)
    place.take(changed(GOOD, {"setlinfo.chfpdr_code": "YS01"}))
    rows = json.loads(kept(place)[1])
    assert [row[:4] + row[5:] for row in rows] == [
        ["setlinfo.chfpdr_code", "doctor", "YS01", "D990101000001", "2026-10-15"]
    ]
    assert rows[0][4]
    result = place.run("evidence", "CONFIG", HOME, VISIT, "--json")
    assert json.loads(result.stdout)["evidence"][0]["local_code"] == "YS01"
    assert place.run("evidence", "CONFIG", HOME, "NOBODY").exit_code == 1


def test_what_is_asked_of_every_list_does_not_go_through_all_of_them(place: Place) -> None:
    """100,000 lists were once looked through for each of them: the partial index was not seen to serve."""
    place.take(GOOD)
    with reading(place.store, len(SCRIPTS)) as look:
        assert look is not None

        def plan(query: str, *values: object) -> str:
            return str(look.connection.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall())

        assert "examined_setl (setl_id=?" in plan(ELSEWHERE, "S", HOME, 1)
        for found in (plan(READY, HOME, 0, 50), plan(THERE, HOME, 0, "", "", 50)):
            assert "fixmedins_code=?" not in found and "TEMP B-TREE" not in found, found
    place.settle(1, "S1")
    with journal_reading(place.folder / "data" / "journal.sqlite") as journal:
        rows = journal.connection.execute(f"EXPLAIN QUERY PLAN {SETTLEMENT}", ("S1", HOME)).fetchall()
    assert "outcome_setl (setl_id=?" in str(rows) and "fixmedins_code=?" not in str(rows), rows
