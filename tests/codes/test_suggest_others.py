"""The suggestions on other hospitals' untidiness and on traps: what is called sure must hold there too."""

import random  # noqa: TID251  # chance of a test
from pathlib import Path

import pytest
import suggest_noise as noise
import suggest_noise_items as items
from suggest_noise import Case, Row
from suggest_rig import Score, suggest

SEEDS = (11, 12)
DIAGNOSIS = ("diag_code", "diag_name", "icd_code")
OPERATION = ("oprn_oprt_code", "oprn_oprt_name", "icd9_code")


def run(
    system: str, national: list[Row], cases: list[Case], folder: Path, without: frozenset[str] = frozenset()
) -> Score:
    theirs = noise.write(folder / "national.csv", national)
    mine = noise.write(folder / "local.csv", [case.row for case in cases], without)
    rows = suggest(system, theirs, mine, folder)
    assert [row["local_code"] for row in rows] == [case.row["local_code"] for case in cases]
    score = Score()
    score.take(rows, [case.truth for case in cases])
    return score


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_sure_is_right_in_other_hospitals(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    drugs, services = noise.table("national_drugs"), noise.table("national_services")
    consumables, diagnoses = noise.table("national_consumables"), noise.table("national_diagnoses")
    operations, chronic = noise.table("national_operations"), noise.table("chronic_diseases")
    crowd = noise.crowded(dice, drugs)
    runs = [
        ("drug", drugs, noise.drugs(dice, drugs), 0.97),
        ("drug", drugs, noise.drugs(dice, drugs, blank=0.3), 0.95),
        ("drug", drugs, noise.herbs(dice, drugs), 0.97),
        ("drug", crowd, noise.drugs(dice, crowd), 0.95),
        ("service_item", services, items.services(dice, services), 0.97),
        ("consumable", consumables, items.consumables(dice, consumables), 0.97),
        ("diagnosis", diagnoses, items.diagnoses(dice, diagnoses, *DIAGNOSIS), 0.97),
        ("operation", operations, items.diagnoses(dice, operations, *OPERATION), 0.97),
        ("chronic_disease", chronic, items.named(dice, chronic, "opsp_dise_code", "opsp_dise_name"), 0.9),
        ("doctor", noise.table("doctors"), items.staff(dice, noise.table("doctors"), "dr_code"), 1.0),
        ("nurse", noise.table("nurses"), items.staff(dice, noise.table("nurses"), "nurs_code"), 1.0),
        ("pharmacist", noise.table("pharmacists"), items.staff(dice, noise.table("pharmacists"), "phar_code"), 1.0),
    ]
    whole = Score()
    print()
    for system, national, cases, least in runs:
        score = run(system, national, cases, tmp_path)
        print(score.line(system))
        assert score.recall >= least, system
        whole.add(score)
    print(whole.line(f"all systems, seed {seed}"))
    assert whole.precision >= 0.995, whole.wrong
    assert whole.sure_answerable / whole.answerable >= 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_sure_is_said_about_what_the_library_does_not_have(seed: int, tmp_path: Path) -> None:
    """Other producer, strength, pack, unit, content, model; processed herb, granule; neighbour's code; no diagnosis."""
    dice = random.Random(seed)
    drugs, services = noise.table("national_drugs"), noise.table("national_services")
    consumables, diagnoses = noise.table("national_consumables"), noise.table("national_diagnoses")
    operations = noise.table("national_operations")
    runs = [
        ("drug", drugs, noise.drug_traps(dice, drugs)),
        ("drug", noise.crowded(dice, drugs), noise.drug_traps(dice, drugs)),
        ("service_item", services, items.service_traps(dice, services)),
        ("consumable", consumables, items.consumable_traps(dice, consumables)),
        ("diagnosis", diagnoses, items.diagnosis_traps(dice, diagnoses, *DIAGNOSIS)),
        ("operation", operations, items.diagnosis_traps(dice, operations, *OPERATION)),
    ]
    for system, national, cases in runs:
        score = run(system, national, cases, tmp_path)
        assert score.sure == 0, (system, score.wrong[:5])


@pytest.mark.parametrize("column", ["local_aprvno", "local_maker", "local_spec", "local_pack"])
def test_a_column_nobody_fills_costs_confidence_not_precision(column: str, tmp_path: Path) -> None:
    """Among twenty producers of each medicine, one column of the institution's list is not there."""
    dice = random.Random(21)
    national = noise.crowded(dice, noise.table("national_drugs"))
    cases = noise.drugs(dice, national, blank=0.0)
    whole = run("drug", national, cases, tmp_path)
    less = run("drug", national, cases, tmp_path, frozenset({column}))
    assert less.precision >= 0.995, less.wrong
    assert less.sure < whole.sure


@pytest.mark.parametrize("column", ["aprvno", "prodentp_name", "pacspec", "alias", "vali_flag", "replaced_by"])
def test_a_national_file_with_fewer_columns_costs_confidence_not_precision(column: str, tmp_path: Path) -> None:
    dice = random.Random(22)
    rows = noise.live(noise.table("national_drugs"))
    cases = noise.drugs(dice, rows)
    bare = [{name: cell for name, cell in row.items() if name != column} for row in rows]
    score = run("drug", bare, cases, tmp_path)
    assert score.precision >= 0.995, score.wrong


def test_the_order_of_the_national_file_does_not_matter(tmp_path: Path) -> None:
    dice = random.Random(23)
    rows = noise.crowded(dice, noise.table("national_drugs"))
    cases = noise.drugs(dice, rows)
    local = noise.write(tmp_path / "local.csv", [case.row for case in cases])
    first = suggest("drug", noise.write(tmp_path / "a.csv", rows), local, tmp_path)
    dice.shuffle(rows)
    assert suggest("drug", noise.write(tmp_path / "b.csv", rows), local, tmp_path) == first
