"""Look-ups the gateway answers from its own libraries instead of asking the platform (contract §4, `serve_catalogue`).

What the libraries cannot answer for certain, or not in time, is forwarded like any other query.
"""

from typing import Any

import attrs

from gateway.core.answers import made
from gateway.core.ports import Catalogue, Clock, Found
from gateway.exchange.job import Job
from gateway.exchange.relay import Relay

WAITING_MAX = 64  # look-ups at once; more than that go to the platform
PATIENCE_S = 3.0


@attrs.define(eq=False)
class Lookups:
    """Takes queries. catalogue: None = nothing is answered here; waiting: those that are being looked up."""

    clock: Clock
    relay: Relay
    catalogue: Catalogue | None
    waiting: int = 0

    def ask(self, job: Job) -> None:
        """Answer a query from the libraries, or forward it."""
        catalogue, message = self.catalogue, job.tree["input"]
        if (
            catalogue is None
            or not job.institution.serve_catalogue
            or self.waiting >= WAITING_MAX
            or not catalogue.serves(job.infno, message)
        ):
            self.relay.ask(job)
            return
        lookup = _Lookup(self, job)
        self.waiting += 1
        lookup.timer = self.clock.callLater(PATIENCE_S, lookup.told, None)
        catalogue.look_up(job.infno, job.institution.code, message, job.day, lookup.told)


@attrs.define(eq=False)
class _Lookup:
    """One query that is being looked up; the first answer counts."""

    lookups: Lookups
    job: Job
    timer: Any = None

    def told(self, found: Found | None) -> None:
        """Hear what the libraries say; None = the platform is asked."""
        if self.timer is None:
            return
        if self.timer.active():
            self.timer.cancel()
        self.timer = None
        self.lookups.waiting -= 1
        job = self.job
        if found is None:
            self.lookups.relay.ask(job)
        elif found.content_type:
            job.reply(found.content, "ok", content_type=found.content_type)
        else:
            body = made(
                "GW-CATALOGUE",
                now_s=job.clock.seconds(),
                region_infcode=job.link.infcode,
                admdvs=job.admdvs,
                sequence=job.sequence,
                success=True,
                output=found.output,
            )
            job.reply(body, "ok", "GW-CATALOGUE")
