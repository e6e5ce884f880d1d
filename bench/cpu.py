"""Processor time of other processes, by the scheduler's own account, and pinning to a core."""

import os
from collections.abc import Iterable
from pathlib import Path

import attrs

PROC = Path("/proc")
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@attrs.frozen
class Cpu:
    """Nanoseconds. total: of every thread, by the scheduler; user and system: by ticks, for the share only."""

    total: int = 0
    user: int = 0
    system: int = 0

    def __sub__(self, earlier: "Cpu") -> "Cpu":
        return Cpu(self.total - earlier.total, self.user - earlier.user, self.system - earlier.system)


def children(pid: int) -> list[int]:
    """The processes a process has started and that are there now."""
    found = []
    for path in (PROC / str(pid) / "task").glob("*/children"):
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


def spent(pids: Iterable[int]) -> Cpu:
    """Processor time of these processes so far; threads that ended count only in user and system."""
    total = user = system = 0
    for pid in pids:
        for path in (PROC / str(pid) / "task").glob("*/schedstat"):
            total += int(path.read_text().split()[0])
        one = parse_stat((PROC / str(pid) / "stat").read_text())
        user, system = user + one[0], system + one[1]
    return Cpu(total, user, system)


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
