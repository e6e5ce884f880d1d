"""Runs of the suggestions on files, and how they are scored (README of tests/data/codes)."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from gateway.app.codes_files import code_systems
from gateway.app.suggest_work import suggest_files
from gateway.codes.suggest.columns import local_titles, national_titles
from gateway.codes.suggest.run import Run

SURE = 0.95
DAY = "2026-11-21"
Row = dict[str, str]


@contextmanager
def no_bar(file: Path, doing: str) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def suggest(system: str, national: Path, local: Path, folder: Path, day: str = DAY) -> list[Row]:
    out = folder / "suggestions.csv"
    suggest_files(system, national, local, out, day, no_bar)
    return read(out)


def sure(row: Row) -> bool:
    return bool(row["confidence"]) and float(row["confidence"]) >= SURE


def candidates(system: str, national: Sequence[Row], local: Sequence[Row], day: str = DAY) -> list[tuple[str, ...]]:
    """The codes found for each local row, best first; the file tells the first two."""
    run = Run(system, day)
    run.learn([list(row.values()) for row in national], _places(national[0], national_titles(code_systems()[system])))
    found = run.suggest([list(row.values()) for row in local], _places(local[0], local_titles(system)))
    return [(one.national, *one.others) for one in found]


def _places(row: Row, titles: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    header = list(row)
    known = {name: next((title for title in accepted if title in header), "") for name, accepted in titles.items()}
    return {name: header.index(title) for name, title in known.items() if title}


@attrs.define
class Score:
    """Counts of one or more runs. top: first suggestion right; five: right among the first five, where looked at."""

    answerable: int = 0
    top: int = 0
    five: int = 0
    sure: int = 0
    sure_right: int = 0
    sure_answerable: int = 0
    wrong: list[str] = attrs.Factory(list)

    def take(self, rows: Sequence[Row], truths: Sequence[str]) -> None:
        """truths: the right code of each row, "" where nothing sure may be said."""
        for row, truth in zip(rows, truths, strict=True):
            right = bool(truth) and row["national_code"] == truth
            self.answerable += bool(truth)
            self.top += right
            if sure(row):
                self.sure += 1
                self.sure_right += right
                self.sure_answerable += bool(truth)
                if not right:
                    self.wrong.append(f"{row['local_code']} {row['rule']} {row['note']} (right: {truth or 'none'})")

    def add(self, other: "Score") -> None:
        for field in ("answerable", "top", "five", "sure", "sure_right", "sure_answerable"):
            setattr(self, field, getattr(self, field) + getattr(other, field))
        self.wrong += other.wrong

    @property
    def recall(self) -> float:
        return self.top / self.answerable if self.answerable else 1.0

    @property
    def precision(self) -> float:
        return self.sure_right / self.sure if self.sure else 1.0

    def line(self, name: str) -> str:
        low, high = wilson(self.sure_right, self.sure)
        five = f"top-5 {self.five / self.answerable:7.2%}  " if self.five else ""
        return (
            f"{name:32} answerable {self.answerable:5}  top-1 {self.recall:7.2%}  {five}"
            f"sure {self.sure:5}  precision {self.precision:8.3%} [{low:.2%}, {high:.2%}]"
        )


def wilson(right: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a proportion."""
    if not of:
        return 0.0, 1.0
    z, share = 1.959964, right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)
