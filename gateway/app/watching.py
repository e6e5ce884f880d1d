"""Brings what the exchange and the listeners tell to metrics and log. They know neither."""

from math import inf

import attrs

from gateway.core.model import MONEY
from gateway.core.ports import Clock
from monitoring.logs import Log
from monitoring.metrics import Metrics


@attrs.frozen(eq=False)
class Watcher:
    """The Watch port. Every answered request is one count; money, refusals and failures are a log line too."""

    metrics: Metrics
    log: Log

    def request(
        self, infno: str, klass: str, institution: str, result: str, seconds: float, msgid: str, gw_code: str
    ) -> None:
        self.metrics.request(infno, institution, result, seconds, klass)
        if gw_code or klass in MONEY or result not in ("ok", "refused"):
            self.log.event(
                "request",
                infno=infno,
                klass=klass,
                institution=institution,
                result=result,
                seconds=seconds,
                msgid=msgid,
                gw_code=gw_code,
            )

    def platform(self, link: str, seconds: float) -> None:
        self.metrics.platform(link, seconds)

    def commit(self, seconds: float, batch: int) -> None:
        self.metrics.commit(seconds, batch)

    def translation_miss(self, system: str) -> None:
        self.metrics.translation_miss(system)

    def unknown_value(self, dictionary: str) -> None:
        self.metrics.unknown_value(dictionary)

    def alarm(self, name: str, institution: str, msgid: str) -> None:
        self.metrics.alarm(name.lower())
        self.log.event("alarm", reason=name.lower(), institution=institution, msgid=msgid)

    def reversal(self, result: str) -> None:
        self.metrics.reversal(result)


HANDSHAKE_LINES_S = 5.0


@attrs.define(eq=False)
class Handshakes:
    """TLS handshakes of institutions that failed: every one is counted, one line in 5 s is logged.

    A scanner knocks a thousand times a second; it must fill no disk. A line says how many failures it stands for.
    """

    clock: Clock
    log: Log
    failures: int = 0
    _told: int = 0
    _told_at: float = -inf

    def failed(self, address: str, why: str) -> None:
        """Take one failure; why: a word of ours or of OpenSSL's."""
        self.failures += 1
        now = self.clock.seconds()
        if 0 <= now - self._told_at < HANDSHAKE_LINES_S:  # a clock that was set back must not silence the log
            return
        self.log.event("tls_handshake_failed", peer=address, reason=why, count=self.failures - self._told)
        self._told, self._told_at = self.failures, now
