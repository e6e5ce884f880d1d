"""Fixtures of the tests of settlement lists."""

from pathlib import Path

import pytest
from lists_place import CONFIG, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "gateway.toml").write_text(CONFIG, "utf-8")
    return Place(tmp_path)
