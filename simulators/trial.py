"""One load run from beginning to end: prepare the platform, make the messages, run the open loop."""

import gc
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from simulators.drive import Pool, run_all
from simulators.load import OpenLoop, Tally
from simulators.mixture import BusyHospital, BusyPharmacy, Mixture, Numbers
from simulators.wire import post_bytes
from simulators.wording import Dice

_SERIALS = 10**10


class TooFew(Exception):
    """Preparation did not bring what the run needs; the text (Chinese) says why."""


def crowd(clock_s: Callable[[], float], dice: Dice, codes: Sequence[str], persons: int) -> Mixture:
    """The institutions of a run: codes with H are hospitals, with P pharmacies; one of each at least."""
    start_s = clock_s()
    first = int(start_s * 100) % _SERIALS
    hospitals, shops = [], []
    for code in codes:
        if code.startswith("H"):
            hospital = BusyHospital(clock_s, dice, code, f"压力医院{code[-2:]}", first_serial=first)
            hospital.numbers = Numbers(code, start_s)
            hospitals.append(hospital)
        else:
            shop = BusyPharmacy(clock_s, dice, code, f"压力药店{code[-2:]}", first_serial=first)
            shop.numbers = Numbers(code, start_s)
            shops.append(shop)
    if not hospitals or not shops:
        raise TooFew("至少需要一家医院和一家药店")
    return Mixture(dice, hospitals, shops, persons)


class Trial:
    """Runs a mix against the gateway behind `pool`. host: value of the Host header."""

    def __init__(self, clock: IReactorTime, pool: Pool, host: str, mixture: Mixture, at_once: int) -> None:
        self._clock = clock
        self._pool = pool
        self._host = host
        self._mixture = mixture
        self._at_once = at_once

    def run(self, mix: str, rate_per_s: int, seconds: int, say: Callable[[str], object]) -> Deferred[Tally]:
        """Fires with the Tally; fails with TooFew. say: told (in Chinese) what is going on."""
        plan = self._mixture.plan(mix, rate_per_s * seconds)
        first = self._mixture.prepare(plan)
        say(f"准备：{len(first)} 组就诊、住院和售药")
        done = run_all(self._clock, self._pool, first, self._at_once)

        def gave_up(reasons: list[str]) -> None:
            if reasons:
                say(f"准备中有 {len(reasons)} 组没有办成，例如：{reasons[0]}")

        def second(reasons: list[str]) -> Deferred[list[str]]:
            gave_up(reasons)
            return run_all(self._clock, self._pool, self._mixture.finish(plan), self._at_once)

        def third(reasons: list[str]) -> Deferred[Tally]:
            gave_up(reasons)
            requests = self._requests(plan)
            say(f"开始：{len(requests)} 个请求，每秒 {rate_per_s} 个")
            gc.collect()
            gc.freeze()  # the messages are garbage to nobody; a full collection would show as latency
            loop = OpenLoop(self._clock, self._pool, requests, rate_per_s)
            loop.start()
            return loop.done

        return done.addCallback(second).addCallback(third)

    def _requests(self, plan: Sequence[str]) -> list[tuple[str, bytes]]:
        try:
            return [(infno, post_bytes(self._host, path, body)) for infno, path, body in self._mixture.messages(plan)]
        except (IndexError, KeyError) as cause:
            why = "；".join(self._mixture.refusals()) or "无"
            raise TooFew(f"准备不足，未成功的准备：{why}") from cause
