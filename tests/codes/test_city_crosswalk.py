"""A city's old catalogue against the national codes: every planted error found, on its rows, and none invented (C4)."""

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from gateway.app.cli_codes import codes

DATA = Path(__file__).parents[1] / "data" / "codes"
RULES = {
    "missing": "MA01", "wrong_target": "MA02", "one_to_many": "MA03", "expired_code": "MA05", "bad_form": "MA06",
    "cross_kind": "MA07",
}  # fmt: skip
KINDS = {
    "YP": ("drug", "national_drugs.csv"),
    "FW": ("service_item", "national_services.csv"),
    "CL": ("consumable", "national_consumables.csv"),
    "BZ": ("diagnosis", "national_diagnoses.csv"),
}
# Annex C4: these are the columns under which a mapping file knows them.
RENAMED = {"city_code": "local_code", "city_name": "local_name", "begndate": "valid_from", "enddate": "valid_to"}


def table(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("renamed", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_planted_errors_are_all_found_and_none_is_invented(tmp_path: Path, kind: str, renamed: bool) -> None:
    system, library = KINDS[kind]
    rows = [row for row in table("city_crosswalk.csv") if row["kind"] == kind]
    planted = {row["city_code"]: RULES[row["error"]] for row in table("truth_city_audit.csv")}
    expected = {
        (line, row["city_code"], planted[row["city_code"]])
        for line, row in enumerate(rows, start=2)
        if row["city_code"] in planted
    }
    assert {rule for _, _, rule in expected} >= {"MA02", "MA03", "MA07"}
    names = RENAMED if renamed else {}
    with (tmp_path / "map.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([names.get(title, title) for title in rows[0]])
        writer.writerows(row.values() for row in rows)
    out = tmp_path / "out.csv"
    arguments = ["map", "check", "--system", system, "--national", str(DATA / library), "--date", "2026-11-22"]
    arguments += ["--mapping", str(tmp_path / "map.csv"), "--out", str(out)]
    result = CliRunner().invoke(codes, arguments, obj=SimpleNamespace(now=lambda: 0.0))
    assert result.exit_code == 3, result.output
    with out.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert list(found[0]) == ["row", "column", "local_code", "national_code", "rule", "level", "message"]
    assert {(int(one["row"]), one["local_code"], one["rule"]) for one in found} == expected
    assert {one["level"] for one in found} == {"error"}
