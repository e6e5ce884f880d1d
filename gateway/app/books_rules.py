"""The decision table of schemas/books, compiled once; without the engine, which the node does not load."""

from functools import cache

from gateway.books.rules import Rules, compile_rules
from schemas import ROOT


@cache
def rules() -> Rules:
    """Return the compiled table. Raises RulesError."""
    folder = ROOT / "books"
    return compile_rules((folder / "patterns.csv").read_bytes(), (folder / "rules.toml").read_bytes())
