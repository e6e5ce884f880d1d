"""Brings what the exchange tells to metrics and log. The exchange knows neither."""

import attrs

from gateway.core.model import MONEY
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
        self.log.event("alarm", reason=name.lower(), institution=institution, msgid=msgid)

    def reversal(self, result: str) -> None:
        self.metrics.reversal(result)
