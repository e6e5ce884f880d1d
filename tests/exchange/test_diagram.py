"""The drawing in docs/ shows the machines as they are."""

from pathlib import Path

from docs.draw_machine import drawn


def test_the_drawing_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "machine.md"
    assert page.read_text("utf-8") == drawn(), "make diagram"
