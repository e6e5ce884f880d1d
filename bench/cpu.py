"""Processor time of other processes, by the scheduler's own account, and pinning to a core."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import attrs

PROC = Path("/proc")
_GONE = (FileNotFoundError, ProcessLookupError)  # a process or thread that ended while it was looked at
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@attrs.frozen
class Cpu:
    """Nanoseconds. total: of every thread, by the scheduler; user and system: by ticks, for the share only."""

    total: int = 0
    user: int = 0
    system: int = 0

    def __add__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.total + other.total, self.user + other.user, self.system + other.system)

    def __sub__(self, earlier: "Cpu") -> "Cpu":
        return Cpu(self.total - earlier.total, self.user - earlier.user, self.system - earlier.system)


def children(pid: int) -> list[int]:
    """The processes a process has started and that are there now; none when it is gone itself."""
    found = []
    for path in (PROC / str(pid) / "task").glob("*/children"):
        with suppress(*_GONE):
            found += [int(text) for text in path.read_text().split()]
    return found


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for child in children(pid):
        found += family(child)
    return found


def parse_stat(text: str) -> tuple[int, int]:
    """(utime, stime) in nanoseconds out of /proc/PID/stat; the name may hold blanks and brackets."""
    fields = text.rpartition(")")[2].split()
    return int(fields[11]) * _TICK_NS, int(fields[12]) * _TICK_NS


def spent(pid: int) -> dict[int, Cpu]:
    """Processor time so far of a process and of every descendant it has now, by process.

    Threads that ended count only in user and system.
    """
    found = {}
    for one in family(pid):
        with suppress(*_GONE):
            total = sum(int(path.read_text().split()[0]) for path in (PROC / str(one) / "task").glob("*/schedstat"))
            user, system = parse_stat((PROC / str(one) / "stat").read_text())
            found[one] = Cpu(total, user, system)
    return found


def between(earlier: Mapping[int, Cpu], later: Mapping[int, Cpu]) -> Cpu:
    """What a family spent between two looks; one that came meanwhile counts whole, one that went not at all."""
    return sum((cpu - earlier.get(pid, Cpu()) for pid, cpu in later.items()), Cpu())


def memory_kb(pid: int, field: str = "VmRSS") -> int:
    """A line of /proc/PID/status in KiB."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise KeyError(field)


def cores() -> tuple[set[int], set[int]]:
    """(the proxy's core, everybody else's): disjoint where there are two, else the same."""
    have = sorted(os.sched_getaffinity(0))
    return ({have[0]}, set(have[1:]) or {have[0]})
