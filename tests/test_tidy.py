"""The house's own rules that no linter states: sizes, names, what may not lie in git."""

import ast
import re
import subprocess
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).parents[1]
LINES_MAX = 400
BANNED_NAMES = {"utils.py", "common.py", "helpers.py", "base.py", "manager.py"}
STRAY = re.compile(r"\b(FIXME|XXX)\b|\bTODO\b(?! \(#[0-9]+\))")  # work that is left belongs to an issue


def tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).exists()]


def test_no_file_is_longer_than_400_lines() -> None:
    found = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in tracked("*.py")}
    assert "tests/test_tidy.py" in found
    assert {name: lines for name, lines in found.items() if lines > LINES_MAX} == {}


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not [p for p in tracked("*.py") if p.name in BANNED_NAMES]


def test_every_product_module_says_what_it_is() -> None:
    rooms = ("gateway/", "adapters/", "monitoring/", "simulators/", "certs/", "schemas/")
    silent = [
        p for p in tracked("*.py")
        if str(p.relative_to(ROOT)).startswith(rooms) and p.read_text("utf-8").strip()
        and not p.read_text("utf-8").lstrip().startswith('"""')
    ]  # fmt: skip
    assert not silent


def test_no_key_and_no_stray_marker_lies_in_git() -> None:
    for path in tracked("*"):
        if path.suffix in {".png", ".zip"} or not path.is_file():
            continue
        text = path.read_text("utf-8", errors="replace")
        if path != Path(__file__):
            assert "PRIVATE KEY-----" not in text, path
            assert not STRAY.search(text) or path.suffix in {".json", ".csv", ".tsv"}, path


@pytest.mark.parametrize(
    ("text", "stray"),
    [("# TODO later", True), ("# TODO (#12): later", False), ("FIXME", True), ("# XXX", True), ("TODOS, XXXL", False)],
)
def test_what_counts_as_a_stray_marker(text: str, stray: bool) -> None:
    assert bool(STRAY.search(text)) is stray


def swallowed(source: str) -> list[int]:
    """Return the lines where every error there is is caught and nothing is done about it."""
    return [node.lineno for node in ast.walk(ast.parse(source)) if _silent_handler(node) or _broad_suppress(node)]


def _silent_handler(node: ast.AST) -> TypeGuard[ast.ExceptHandler]:
    return (
        isinstance(node, ast.ExceptHandler)
        and (node.type is None or _broad(node.type))
        and all(isinstance(one, ast.Pass | ast.Continue) or _is_words(one) for one in node.body)
    )


def _broad_suppress(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("suppress", "contextlib.suppress")
        and any(map(_broad, node.args))
    )


def _broad(caught: ast.expr) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return not {ast.unparse(name) for name in names}.isdisjoint({"Exception", "BaseException"})


def _is_words(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def test_no_error_is_swallowed() -> None:
    found = {str(path.relative_to(ROOT)): swallowed(path.read_text("utf-8")) for path in tracked("*.py")}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("try: f()\nexcept: pass", [2]),
        ("try: f()\nexcept Exception as cause:\n    # why\n    ...", [2]),
        ("for x in y:\n    try: f()\n    except (OSError, BaseException): continue", [3]),
        ("with suppress(Exception): f()", [1]),
        ("try: f()\nexcept OSError: pass", []),
        ("try: f()\nexcept Exception as cause: log(cause)", []),
        ("with contextlib.suppress(KeyError): f()", []),
    ],
)
def test_what_counts_as_swallowing(source: str, lines: list[int]) -> None:
    assert swallowed(source) == lines


def test_every_target_of_make_that_makes_no_file_is_phony() -> None:
    """A folder called `setup` must not make `make setup` say that all is done."""
    text = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert targets == set(phony[1].split())
