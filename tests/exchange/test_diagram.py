"""The drawing in docs/ shows the machines as they are."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_drawing_is_up_to_date() -> None:
    drawn = runpy.run_path(str(DOCS / "draw_machine.py"))["drawn"]
    assert (DOCS / "machine.md").read_text("utf-8") == drawn(), "make diagram"
