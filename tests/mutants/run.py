"""`make mutants`: plants every bug of the table in a copy of the gateway and lets the city, or its tests, look for it.

A bug that nobody notices is a survivor, and the exit code is 1. One that only keeps the gateway from starting counts as
nothing: it proves nothing.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import attrs

sys.path.insert(0, str(Path(__file__).parent))
from mutation import Mutation
from mutations import MUTATIONS

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "var" / "mutants"
WEATHERS = ("storm", "crashes", "silence", "careless", "disks", "outages", "liars", "sleepers")
SEEDS, SECONDS = 200, 150.0
JOBS = 2


@attrs.frozen
class Outcome:
    """What became of one planted bug. by: the invariant or test that saw it, '' when nobody did."""

    mutation: Mutation
    by: str
    where: str
    seconds: float
    note: str = ""


def planted(mutation: Mutation) -> str:
    """Return the file's text with the bug in it. Raises ValueError when the place is gone or not the only one."""
    text = (ROOT / mutation.file).read_text("utf-8")
    count = text.count(mutation.old)
    if count != 1:
        raise ValueError(f"{mutation.name}: the place stands {count} times in {mutation.file}")
    return text.replace(mutation.old, mutation.new)


def copied(mutation: Mutation) -> Path:
    """Return a folder with the packages a city may have broken; everything else is found beside it."""
    folder = HERE / "".join(sign if sign.isalnum() else "-" for sign in mutation.name)
    shutil.rmtree(folder, ignore_errors=True)
    for package in ("gateway", "adapters"):
        shutil.copytree(ROOT / package, folder / package)  # with what is compiled
    (folder / mutation.file).write_text(planted(mutation), "utf-8")
    return folder


def child(folder: Path, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run Python where the copy is found before the original."""
    path = os.pathsep.join((str(folder), str(ROOT)))
    # Sets are never iterated where the order shows; a fixed seed makes a slip here the same in every run.
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds,
    )  # fmt: skip


def hunted(mutation: Mutation, seeds: int = SEEDS) -> Outcome:
    """Plant one bug and look for it."""
    began = time.monotonic()
    folder = copied(mutation)
    try:
        city = partial(_by_city, folder, mutation, seeds)
        tests = partial(_by_tests, folder, mutation)
        # Where no weather is named, tests are known to be nearer; they take seconds.
        ways = (city, tests) if mutation.weathers or not mutation.tests else (tests, city)
        by, where, note = ways[0]()
        if not by and not note and mutation.tests:
            by, where, note = ways[1]()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Outcome(mutation, by, where, time.monotonic() - began, note)


def _by_city(folder: Path, mutation: Mutation, seeds: int) -> tuple[str, str, str]:
    """Return (invariant, where, why nothing was found out). A seed that breaks the sound gateway too is no kill."""
    weathers = [*mutation.weathers, *(name for name in WEATHERS if name not in mutation.weathers)]
    seconds, first = SECONDS if not mutation.tests else SECONDS / 5, 0
    while True:
        found = _played(folder, first, seeds, seconds, weathers)
        if not found or "trouble" in found:
            return "", "", str(found.get("trouble", ""))
        place, first = str(found["place"]), int(found["seed"]) + 1
        if not _played(ROOT, first - 1, first, seconds, [place.split()[0]]):
            break
    where = f"{place} {first - 1}"
    if "fell" in found:
        return "", "", f"{where} falls over: {found['fell']}"
    return str(found["fault"]).split(":")[0], where, ""


def _played(folder: Path, first: int, last: int, seconds: float, weathers: list[str]) -> dict[str, Any]:
    play = str(Path(__file__).parent / "play.py")
    try:
        done = child(folder, play, str(folder), str(first), str(last), str(seconds), *weathers, seconds=seconds + 60)
    except subprocess.TimeoutExpired:
        return {"trouble": "the city hangs"}
    if done.returncode:
        return {"trouble": f"does not start: {done.stderr.strip().splitlines()[-1:]}"}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _by_tests(folder: Path, mutation: Mutation) -> tuple[str, str, str]:
    files = [str(ROOT / name) for name in mutation.tests]
    options = ("-m", "pytest", "-q", "-x", "-c", str(ROOT / "setup.cfg"), "--rootdir", str(ROOT))
    try:
        done = child(folder, *options, *files, seconds=SECONDS)
    except subprocess.TimeoutExpired:
        return "", "", "the tests hang"
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED")]
    return ("test", failed[0].split("::", 1)[-1], "") if done.returncode == 1 and failed else ("", "", "")


def hunt(mutations: Iterable[Mutation], jobs: int) -> Iterator[Outcome]:
    """Hunt for all of them, so many at a time; in the order of the table."""
    HERE.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(hunted, mutations)


def row(outcome: Outcome) -> str:
    by = outcome.by or f"SURVIVED {outcome.note}".strip()
    return f"{outcome.mutation.name:<58} {by:<6} {outcome.where:<34} {outcome.seconds:6.1f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of the name")
    parser.add_argument("--jobs", type=int, default=JOBS)
    arguments = parser.parse_args()
    chosen = [one for one in MUTATIONS if arguments.only in one.name]
    survivors = []
    for outcome in hunt(chosen, arguments.jobs):
        print(row(outcome), flush=True)
        if not outcome.by:
            survivors.append(outcome.mutation)
    print(f"{len(chosen)} planted, {len(chosen) - len(survivors)} noticed")
    for one in survivors:
        print(f"nobody noticed: {one.name} ({one.why})")
    return 1 if survivors or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
