"""Draws the settlement machine's two pages into docs/machine.md, from the machines themselves: `make diagram`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.exchange import machine, resolution

TARGET = Path(__file__).with_name("machine.md")
_HEAD = """# The settlement machine

Drawn from `gateway/exchange/machine.py` (a request, until its answer or doubt) and `gateway/exchange/resolution.py`
(what becomes of a doubt) by `make diagram`; do not edit. An arrow is an input. What is not drawn cannot happen.
"""
_NOTES = {
    "The request": "`sent` and `listening` wait for the platform; `in_doubt` is handed to the second machine.",
    "The doubt": "`due` waits on the queue, `attempting` has a 2601 on its way; `manual` is a person's.",
}


def drawn() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for title, builder in (("The request", machine._build()), ("The doubt", resolution._build())):
        parts += [f"## {title}\n\n{_NOTES[title]}\n", "```mermaid", "stateDiagram-v2", *_lines(builder), "```\n"]
    return "\n".join(parts)


def _lines(builder: Any) -> Iterator[str]:
    automaton = builder._automaton
    yield f"    [*] --> {automaton.initialState.name}"
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, given, after, _ in automaton.allTransitions():
        arrows.setdefault((state.name, after.name), []).append(given)
    for (state, after), inputs in sorted(arrows.items()):
        yield f"    {state} --> {after}: {', '.join(sorted(inputs))}"


if __name__ == "__main__":
    TARGET.write_text(drawn(), "utf-8")
