"""What a process of one step does first (design §3): it takes only what is left over, and ends with the node."""

import ctypes
import os
import select
import signal
import time

NICE = 19  # not the idle class, which would never come to anything beside two busy cores
FREE_S = 5.0  # most steps are over by then
GO_S, PAUSE_S = 0.010, 0.030
_PR_SET_PDEATHSIG = 1


def begin(free_s: float = FREE_S) -> None:
    """Go on in a niced child, which this process lets run a quarter of the time once `free_s` are over.

    Being last in line is not enough: a node beside still waits for a disk that writes what a reconciliation has just
    written; with pauses its p99 is what it is alone (docs/performance.md). This process passes the child's end on, and
    both end when standard input ends, which the node holds open as long as it lives. Call it before any thread starts.
    """
    keeper = os.getpid()
    worker = os.fork()
    if worker:
        os._exit(_keep(worker, free_s))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # also for a keeper that is killed
    if os.getppid() != keeper:
        os._exit(1)
    os.nice(NICE)


def _keep(worker: int, free_s: float) -> int:
    """Return the exit code of a worker; stop it and let it go on meanwhile."""
    since = time.monotonic()
    while True:
        ended = _waited(worker, GO_S)
        if ended is None and time.monotonic() - since >= free_s:
            os.kill(worker, signal.SIGSTOP)
            ended = _waited(worker, PAUSE_S)
            if ended is None:
                os.kill(worker, signal.SIGCONT)
        if ended is not None:
            return ended


def _waited(worker: int, seconds: float) -> int | None:
    """Return the exit code of a worker that has ended, after at most so long; it is killed when nobody holds our
    standard input any more."""
    readable, _, _ = select.select([0], [], [], seconds)
    if readable and not os.read(0, 4096):
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        return 1
    number, status = os.waitpid(worker, os.WNOHANG)
    if not number:
        return None
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), signal.SIGKILL)  # what it died of is told by dying, too
    return os.waitstatus_to_exitcode(status)
