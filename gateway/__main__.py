"""`python -m gateway` = `liangding`: the only file of the product with the reactor, the real clock and real dice."""

import os
import random
import resource
import secrets
import sys
import time
from contextlib import suppress

from gateway.app.cli import cli
from gateway.app.config import Config
from gateway.app.say import Outside


def run_node(config: Config) -> int:
    """Run a node until it is told to stop; return the exit code."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold keys and patients (security §6)
    if sys.stdout is None:  # it was closed by whoever started this
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # until the end
    from adapters.transport.polling import install

    install()
    from twisted.internet import reactor

    from gateway.app.clock import WallClock, steady
    from gateway.app.entropy import Entropy
    from gateway.app.node import Node
    from gateway.app.running import run

    def die(code: int) -> None:
        os._exit(code)  # no handler may run: nothing may be answered any more

    def say(line: str) -> None:
        with suppress(OSError):  # nobody listens any more; what was to be said is no reason not to do it
            print(line, file=sys.stderr, flush=True)

    entropy = Entropy(secrets.token_bytes)
    steady(reactor, time.monotonic)
    clock = WallClock(time.time, reactor.callLater)
    node = Node(config, reactor, clock, lambda: entropy(16).hex(), entropy, random.SystemRandom(), die, say)
    return run(reactor, node)


def simulate(arguments: list[str]) -> int:
    """Hand over to the simulators, which stand above the product (`liangding demo`)."""
    os.execv(sys.executable, [sys.executable, "-m", "simulators", *arguments])  # noqa: S606  # our own module


def main() -> None:
    """The console script."""
    cli(obj=Outside(run_node=run_node, simulate=simulate, now=time.time, entropy=secrets.token_bytes))


if __name__ == "__main__":
    main()
