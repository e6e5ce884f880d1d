"""What is wrong with a file or a row, located; and the heap in which an import collects it all.

Two kinds (annex C2). File faults MF01.. refuse the import whole. Content faults MA01..MA17 (mapping rules §6) let the
row in as a draft and keep it out of force. The list of file faults:

MF01 encoding · MF02 header, or no data · MF03 number of cells · MF04 quoting · MF05 limits · MF06 formula cell ·
MF07 code or flag missing or malformed · MF08 dates · MF09 national code breaks the pattern of its system ·
MF10 duplicate · MF11 control characters · MF12 packed file
"""

from collections.abc import Callable, Iterator

import attrs

from gateway.core.faults import Fault as Fault  # the heap and what lies on it come from one place

Title = Callable[[str], str]  # what a file calls one of our columns
KEPT_MAX = 1000  # annex C1: all, at most 1,000


@attrs.define(eq=False)
class Faults:
    """Collects faults; keeps the first 1,000 and counts all.

    A row's faults come one after the other. Of one cell the first is kept: what is read as a formula, say, is also no
    code, and the first says what to mend.
    """

    kept: list[Fault] = attrs.Factory(list)
    count: int = 0
    _line: int = -1
    _columns: set[str] = attrs.Factory(set)  # told of this line

    def add(self, line: int, column: str, rule: str, message: str) -> None:
        if line != self._line:
            self._line, self._columns = line, set()
        if column and column in self._columns:
            return
        self._columns.add(column)
        self.count += 1
        if len(self.kept) < KEPT_MAX:
            self.kept.append(Fault(line, column, rule, message))

    def touch(self, line: int, *columns: str) -> bool:
        """Say whether the row at hand has a fault: any, or one in these columns."""
        return line == self._line and (not columns or not self._columns.isdisjoint(columns))

    def __bool__(self) -> bool:
        return self.count > 0

    def __iter__(self) -> Iterator[Fault]:
        return iter(sorted(self.kept, key=lambda fault: fault.line))
