"""`[lists]`: every setting is typed and bounded, and said to be wrong with its path."""

from pathlib import Path

import pytest
from test_config import GOOD, faults, read


def test_without_the_table_nothing_is_sent_by_itself(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD).lists
    assert (found.upload, found.results, found.rules, found.due_days) == ("", "", "", 10)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ('upload = "1:30"', "upload"),
        ('results = "24:00"', "results"),
        ("jitter_s = 14401", "jitter_s"),
        ("due_days = 0", "due_days"),
        ("med_types = []", "med_types"),
        ('med_types = ["21", "-"]', "med_types[1]"),
        ('rules = "nowhere.toml"', "rules"),
        ('transaction = "4102"', "transaction"),
        ("doubt_ask_s = []", "doubt_ask_s"),
        ("patience_s = 0", "patience_s"),
        ('uploads = "01:30"', "uploads"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, line: str, path: str) -> None:
    found = faults(tmp_path, f"{GOOD}\n[lists]\n{line}\n")
    assert len(found) == 1 and found[0].startswith(f"$.lists.{path}: "), found


def test_a_regions_rules_must_compile(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('source = "s"\nlevels = {SL-R999 = "warn"}\n', "utf-8")
    (one,) = faults(tmp_path, f'{GOOD}\n[lists]\nrules = "own.toml"\n')
    assert one.startswith("$.lists.rules: ") and "SL-R999" in one
