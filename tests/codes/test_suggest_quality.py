"""How good the suggestions are on the sample tables with truth, with and without the old city code (-s prints)."""

from pathlib import Path

import pytest
from suggest_noise import DATA, table, write
from suggest_rig import Score, candidates, suggest, wilson

# system -> (national table, list, least top-1 recall)
SYSTEMS = {
    "drug": ("national_drugs", "drugs", 0.97),
    "service_item": ("national_services", "services", 0.97),
    "consumable": ("national_consumables", "consumables", 0.97),
    "diagnosis": ("national_diagnoses", "diagnoses", 0.97),
    "operation": ("national_operations", "operations", 0.97),
    "chronic_disease": ("chronic_diseases", "chronic_diseases", 0.95),
    "doctor": ("doctors", "doctors", 1.0),
    "nurse": ("nurses", "nurses", 1.0),
    "pharmacist": ("pharmacists", "pharmacists", 1.0),
}


def scored(system: str, folder: Path, without: frozenset[str]) -> Score:
    national, name, _ = SYSTEMS[system]
    local = write(folder / "local.csv", table(f"local_{name}"), without)
    rows = suggest(system, DATA / f"{national}.csv", local, folder)
    truths = table(f"truth_{name}")
    assert [row["local_code"] for row in rows] == [truth["local_code"] for truth in truths]
    right = [truth["national_code"] if truth["match_type"] in ("one", "expired_source") else "" for truth in truths]
    score = Score()
    score.take(rows, right)
    listed = candidates(
        system, table(national), [{k: v for k, v in one.items() if k not in without} for one in table(f"local_{name}")]
    )
    score.five = sum(bool(code) and code in codes[:5] for code, codes in zip(right, listed, strict=True))
    return score


@pytest.mark.parametrize("without", [frozenset[str](), frozenset({"old_city_code"})], ids=["as it is", "no old code"])
def test_the_aims_are_met_on_the_sample_tables(tmp_path: Path, without: frozenset[str]) -> None:
    whole = Score()
    print()
    for system, (_, _, least) in SYSTEMS.items():
        score = scored(system, tmp_path, without)
        print(score.line(system))
        assert score.recall >= least, system
        whole.add(score)
    print(whole.line("all systems"))
    assert whole.precision >= 0.995, whole.wrong
    assert whole.sure_answerable / whole.answerable >= 0.5


def test_a_name_is_enough_for_nobody(tmp_path: Path) -> None:
    """Persons known by name and place only: found, never sure."""
    without = frozenset({"local_certno", "local_prac_cert_no"})
    score = scored("doctor", tmp_path, without)
    assert score.sure == 0
    assert score.recall >= 0.95


@pytest.mark.parametrize(
    ("system", "column"),
    [
        ("drug", "local_aprvno"),
        ("drug", "local_maker"),
        ("drug", "local_spec"),
        ("drug", "local_pack"),
        ("service_item", "local_price_code"),
        ("service_item", "local_unit"),
        ("consumable", "local_udi"),
        ("consumable", "local_reg_no"),
        ("consumable", "local_spec"),
        ("consumable", "local_maker"),
        ("diagnosis", "icd_code"),
        ("operation", "icd9_code"),
        ("doctor", "local_certno"),
        ("doctor", "local_prac_cert_no"),
    ],
)
def test_a_missing_column_makes_no_row_surer(tmp_path: Path, system: str, column: str) -> None:
    national, name, _ = SYSTEMS[system]
    full = suggest(system, DATA / f"{national}.csv", DATA / f"local_{name}.csv", tmp_path)
    local = write(tmp_path / "local.csv", table(f"local_{name}"), frozenset({column}))
    less = suggest(system, DATA / f"{national}.csv", local, tmp_path)
    before, after = (sum(float(row["confidence"] or 0) >= 0.95 for row in rows) for rows in (full, less))
    assert after <= before
    for one, other in zip(full, less, strict=True):
        contradicted = "不同" in one["note"] or "另一条" in one["note"]
        if one["national_code"] == other["national_code"] and one["confidence"] and not contradicted:
            assert float(other["confidence"]) <= float(one["confidence"]), (one, other)


def test_without_strength_pack_or_model_nothing_is_sure(tmp_path: Path) -> None:
    for system, name, column in (("drug", "drugs", "local_spec"), ("consumable", "consumables", "local_spec")):
        rows = [row for row in table(f"local_{name}") if row["local_maker"]]
        without = frozenset({column, "local_udi"})
        local = write(tmp_path / "local.csv", rows, without)
        found = suggest(system, DATA / f"national_{name}.csv", local, tmp_path)
        assert max(float(row["confidence"] or 0) for row in found) < 0.95


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(995, 1000)
    assert (round(low, 4), round(high, 4)) == (0.9883, 0.9979)
    assert wilson(0, 0) == (0.0, 1.0)
