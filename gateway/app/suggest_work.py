"""Suggestions from two files into a third: tables and decisions introduced to each other, no database needed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import attrs

from adapters.files.export import write_table
from adapters.files.tables import Limits, Shape, Table, TableRefused, open_table
from gateway.app.codes_files import Tick, layouts
from gateway.app.codes_library import definition
from gateway.codes.faults import Faults
from gateway.codes.library import day_text
from gateway.codes.suggest.columns import LOCAL_KEY, NATIONAL_KEY, local_titles, national_titles
from gateway.codes.suggest.crosswalk import NO_CROSSWALK, Crosswalk
from gateway.codes.suggest.records import Suggestion
from gateway.codes.suggest.run import Run
from gateway.codes.suggest.words import rules
from gateway.codes.systems import MAPPING_KEY, MAPPING_TITLES
from gateway.core.codes import LATEST

# Contract section 7.
HEADER = ("local_code", "national_code", "confidence", "rule", "runner_up", "runner_up_confidence", "note")
# Shows how far the reading of a file is, under a word for what is being done with it.
Bar = Callable[[Path, str], AbstractContextManager[Tick]]
LOCAL_LIMITS = Limits(size_bytes=512 << 20, rows=1_000_000)


class FaultyFile(Exception):
    """An input cannot be used; nothing was written. file: its name; faults: what is wrong, located."""

    def __init__(self, file: Path, faults: Faults) -> None:
        super().__init__(str(file))
        self.file, self.faults = file, faults


@attrs.define
class Tally:
    """What a run came to."""

    national: int = 0
    rows: int = 0
    sure: int = 0
    unsure: int = 0
    none: int = 0

    def take(self, one: Suggestion) -> None:
        self.rows += 1
        if one.confidence is None:
            self.none += 1
        elif one.confidence >= rules().sure:
            self.sure += 1
        else:
            self.unsure += 1


def suggest_files(
    system: str, national: Path, local: Path, out: Path, day: str, bar: Bar, crosswalk: Path | None = None
) -> Tally:
    """Write a suggestion for each row of `local`; return how it went. day: yyyy-MM-dd; crosswalk: the city's old codes.

    Raises FaultyFile, ColumnMissing, OSError; then `out` is as it was.
    """
    known = NO_CROSSWALK if crosswalk is None else read_crosswalk(crosswalk, day)
    run, tally = Run(system, day, known), Tally()
    with ExitStack() as stack:
        shape = Shape(titles=local_titles(system), key=LOCAL_KEY)
        mine, my_faults = _opened(local, shape, stack, LOCAL_LIMITS)
        spec = definition(system)
        shape = Shape(titles=national_titles(spec), key=NATIONAL_KEY, layouts=layouts(spec))
        theirs, faults = _opened(national, shape, stack, Limits())
        with bar(national, "读取") as tick:
            tally.national = run.learn(_rows(theirs, faults, tick), theirs.at)
        if faults:
            raise FaultyFile(national, faults)
        with bar(local, "比较") as tick:
            lines = _lines(run.suggest(_rows(mine, my_faults, tick, "local_code"), mine.at), tally)
            write_table(out, HEADER, _unless_faulty(lines, local, my_faults))
    return tally


def read_crosswalk(file: Path, day: str) -> Crosswalk:
    """Return old city code -> national codes on a day, of a table as annex C4 has it. Raises FaultyFile, ColumnMissing,
    OSError.
    """
    found: dict[str, set[str]] = {}
    with ExitStack() as stack:
        table, faults = _opened(file, Shape(titles=MAPPING_TITLES, key=MAPPING_KEY), stack, LOCAL_LIMITS)
        try:
            for line, cells in table.rows(faulty=True):
                cell = {name: cells[place] for name, place in table.at.items()}
                days = [day_text(cell.get(name, "")) for name in ("valid_from", "valid_to")]
                for name, read in zip(("valid_from", "valid_to"), days, strict=True):
                    if read is None:
                        faults.add(line, table.title(name), "MF08", "不是有效日期")
                if cell["national_code"] and (days[0] or "") <= day <= (days[1] or LATEST):
                    found.setdefault(cell["local_code"], set()).add(cell["national_code"])
        except TableRefused as cause:
            faults.add(cause.line, "", cause.rule, cause.message)
    if faults:
        raise FaultyFile(file, faults)
    return found


def _opened(file: Path, shape: Shape, stack: ExitStack, limits: Limits) -> tuple[Table, Faults]:
    faults = Faults()
    try:
        return open_table(file, shape, faults.add, stack, limits), faults
    except TableRefused as cause:
        faults.add(cause.line, "", cause.rule, cause.message)
        raise FaultyFile(file, faults) from cause


def _rows(table: Table, faults: Faults, tick: Tick, as_written: str = "") -> Iterator[list[str]]:
    """Yield a table's rows; what ends the reading becomes a fault like the others."""
    try:
        for number, (_, cells) in enumerate(table.rows(as_written)):
            if number % 500 == 0:
                tick(table.place())
            yield cells
    except TableRefused as cause:
        faults.add(cause.line, "", cause.rule, cause.message)


def _lines(suggestions: Iterator[Suggestion], tally: Tally) -> Iterator[tuple[str, ...]]:
    for one in suggestions:
        tally.take(one)
        yield (
            one.local,
            one.national,
            _number(one.confidence),
            one.rule,
            one.runner_up,
            _number(one.runner_up_confidence),
            one.note,
        )


def _unless_faulty(lines: Iterator[tuple[str, ...]], file: Path, faults: Faults) -> Iterator[tuple[str, ...]]:
    """Hand the lines on; a row that could not be read would have no line of its own, so then nothing is written."""
    yield from lines
    if faults:
        raise FaultyFile(file, faults)


def _number(confidence: float | None) -> str:
    return "" if confidence is None else f"{confidence:.3f}"
