"""The demo around its day: whose folder it empties, how it fails, what it says."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from simulators.__main__ import main
from simulators.arguments import Wrong
from simulators.demo import MARKER, claim


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    found = CliRunner().invoke(main, ["demo", "--once", "--data", str(tmp_path)])
    assert found.exit_code == 2 and "不会清空" in found.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_of_an_earlier_demo_is_emptied(tmp_path: Path) -> None:
    claim(tmp_path / "new")
    mine, other = tmp_path / "new", tmp_path / "other"
    other.mkdir()
    (other / "kept.txt").write_text("kept")
    (mine / "node").mkdir()
    (mine / "node" / "old.sqlite").write_text("old")
    (mine / "old.csv").write_text("old")
    (mine / "link").symlink_to(other)
    claim(mine)
    assert [path.name for path in mine.iterdir()] == [MARKER]
    assert (other / "kept.txt").read_text() == "kept"


def test_an_empty_folder_may_be_used_and_a_file_may_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    claim(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(Wrong, match="--data不能使用"):
        claim(tmp_path / "file" / "below")
