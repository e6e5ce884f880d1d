"""One finding of the content checks MA01..MA17 (mapping rules §6), and the table it goes into (annex C1)."""

from typing import Literal

import attrs

from gateway.codes.faults import Fault
from gateway.codes.local_facts import title
from gateway.codes.mapping import Proposed

Level = Literal["error", "warn"]
COLUMNS = ("row", "column", "local_code", "national_code", "rule", "level", "message")


@attrs.frozen
class Finding:
    """line: of the file, header = 1, 0 = no row; column: the title the trouble is in."""

    line: int
    column: str
    local: str
    national: str
    rule: str
    level: Level
    message: str

    def cells(self) -> tuple[str, ...]:
        """Return the row of the findings table."""
        return str(self.line), self.column, self.local, self.national, self.rule, self.level, self.message

    def fault(self) -> Fault:
        """Return it as the commands print it."""
        return Fault(self.line, self.column, self.rule, self.message)


def found(row: Proposed, column: str, rule: str, message: str, level: Level = "error") -> Finding:
    """Return a finding about a row. column: a column of the mapping, or the fact it is about."""
    return Finding(row.line, title(column), row.local, row.national, rule, level, message)
