"""Every code the books room refuses with or finds stands in the users' table, once, and the table knows no others."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"\bB[A-Z]-[A-Z]+(?:-[A-Z]+)*\b")


def spoken(tree: ast.Module) -> Iterator[str]:
    """Yield the texts of a module that are no docstrings."""
    notes = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
            yield node.value


def test_the_table_and_the_code_agree() -> None:
    raised = {
        code
        for room in ("gateway", "adapters")
        for path in (ROOT / room).rglob("*.py")
        if CODE.search(module := path.read_text("utf-8"))
        for text in spoken(ast.parse(module))
        for code in CODE.findall(text)
    }
    rows = [line for line in (ROOT / "docs" / "month.md").read_text("utf-8").splitlines() if line.startswith("| `B")]
    listed = Counter(code for row in rows for code in CODE.findall(row.split("|")[1]))
    assert {"BF-STATE", "BV-CHAIN", "BA-ROW", "BD-OVER", "BM-FUND", "BK-DAY-AHEAD"} <= raised
    assert raised == set(listed)
    assert set(listed.values()) == {1}
    assert all(len([cell for cell in row.split("|") if cell.strip()]) == 3 for row in rows)
