"""One thing wrong with a file, as every command that reads files tells it (annex C1)."""

import attrs


@attrs.frozen
class Fault:
    """One fault. line: of the file, header = 1, 0 = the file; column: its title, '' = the row."""

    line: int
    column: str
    rule: str
    message: str

    def text(self, file: str) -> str:
        """Return `FILE:ROW:COLUMN rule message` (annex C1)."""
        return f"{file}:{self.line}:{self.column} {self.rule} {self.message}"

    def record(self, file: str) -> dict[str, str | int]:
        """Return the fault as `--json` shows it (annex C1)."""
        return {"file": file, "row": self.line, "column": self.column, "rule": self.rule, "message": self.message}
