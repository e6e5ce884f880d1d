"""`[codes]`: every setting is typed and bounded, and said to be wrong with its path."""

from pathlib import Path

import pytest
from test_config import GOOD, faults, read

from gateway.app.config_codes import library_place


def test_without_the_table_nothing_is_fetched_by_itself(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert (found.codes.poll, found.codes.compare, found.codes.far_date) == ("", "", "2099-12-31")
    assert library_place(found) == ("national", "H51080200001")


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ('poll = "3:00"', "poll"),
        ('compare = "24:00"', "compare"),
        ("jitter_s = -1", "jitter_s"),
        ("upload_rows = 0", "upload_rows"),
        ("page_rows = 1001", "page_rows"),
        ("download_bytes_max = 1", "download_bytes_max"),
        ("doubt_ask_s = []", "doubt_ask_s"),
        ("doubt_ask_s = [-1]", "doubt_ask_s"),
        ('far_date = "2099-13-31"', "far_date"),
        ('transactions = ["2207"]', "transactions[0]"),
        ('no_newer = "("', "no_newer"),
        ('link = "other"', "link"),
        ('institution = "H0"', "institution"),
        ("unsettled_days = 401", "unsettled_days"),
        ("inbox_s = 3601", "inbox_s"),
        ("upload_row = 5", "upload_row"),
        ('upload_rows = "5"', "upload_rows"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, line: str, path: str) -> None:
    found = faults(tmp_path, f"{GOOD}\n[codes]\n{line}\n")
    assert len(found) == 1 and found[0].startswith(f"$.codes.{path}: "), found


def test_the_institution_must_use_the_link(tmp_path: Path) -> None:
    more = (
        '\n[platform.other]\nurl = "http://127.0.0.1:9001/x"\n[codes]\nlink = "other"\ninstitution = "H51080200001"\n'
    )
    assert faults(tmp_path, GOOD + more) == ["$.codes.institution: 机构H51080200001不走链路other"]
    more = '\n[platform.other]\nurl = "http://127.0.0.1:9001/x"\n[codes]\nlink = "other"\n'
    assert library_place(read(tmp_path, GOOD + more)) is None
