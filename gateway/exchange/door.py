"""Who may come in: institutions bound to their sources, their share of the node, and the links they go to.

Rules: contract-annex X15 (identity), security T9, T19 (rate, concurrency). Mutable runtime records; one reactor thread.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import attrs

from gateway.core.backward import Backward
from gateway.core.catalogue import Region
from gateway.core.codes import EMPTY_SNAPSHOT, Snapshot
from gateway.core.model import Source
from gateway.core.plan import Plan
from gateway.core.ports import Clock, Exchange, PlatformCodec
from gateway.core.tables import StatusTable
from gateway.exchange.verdict import Judge

Network = IPv4Network | IPv6Network
PROBE_S = 1.0


@attrs.define(eq=False)
class Breaker:
    """Counts a link's failures in a row; open, it turns requests away; then one a second may try
    (half-open)."""

    clock: Clock
    failures_max: int = 20
    open_s: float = 5.0
    failures: int = 0
    _opened_at: float | None = None
    _probed_at: float = 0.0

    @property
    def state(self) -> str:
        """closed | open | half_open"""
        if self._opened_at is None:
            return "closed"
        return "half_open" if self.clock.seconds() - self._opened_at >= self.open_s else "open"

    def admit(self) -> bool:
        """Say whether a request may go to the platform now."""
        if self._opened_at is None:
            return True
        now = self.clock.seconds()
        if self.state == "half_open" and now - self._probed_at >= PROBE_S:
            self._probed_at = now
            return True
        return False

    def worked(self) -> None:
        self.failures, self._opened_at = 0, None

    def failed(self) -> None:
        self.failures += 1
        if self._opened_at is not None or self.failures >= self.failures_max:
            self._opened_at = self.clock.seconds()


@attrs.define(eq=False, kw_only=True)
class Link:
    """One platform link at run time. plans, backward: by infno, compiled at start; files: the way of 9101, 9102.

    beside: the plans of the local regime, where some institution here is in it.

    resolve: how doubt is asked about (reversal specification §4.1); status: what Q3 asks; quiesce_s: how long after its
    sending a request may still be booked; schedule_s: the delays between sendings of a reversal, the last repeats.
    """

    name: str
    region: Region
    plans: Mapping[str, Plan]
    backward: Mapping[str, Backward]
    beside: Mapping[str, Plan]
    exchange: Exchange
    files: Exchange
    codec: PlatformCodec
    judge: Judge
    breaker: Breaker
    timeout_s: float = 20.0
    late_s: float = 3.0
    infcode: str = "number"
    national_names: bool = True
    resolve: str = "Q4"
    status: StatusTable | None = None
    quiesce_s: float = 120.0
    schedule_s: tuple[float, ...] = (0.0, 5.0, 15.0, 45.0, 120.0, 300.0, 600.0)
    attempts_alarm: int = 6


@attrs.define(eq=False, kw_only=True)
class Institution:
    """One institution at run time. snapshot is swapped whole when its mappings change.

    local: it settles with its own codes (regime "local"), except for persons insured elsewhere: these go out in
    national codes over `remote`. areas: how the divisions of its own city begin; empty = as the place of care's first
    four digits.
    """

    code: str
    name: str
    link: Link
    networks: tuple[Network, ...] = ()
    certificates: frozenset[str] = frozenset()
    rate_per_s: float = 200.0
    in_flight_max: int = 64
    snapshot: Snapshot = EMPTY_SNAPSHOT
    his_may_reverse_acked: bool = False
    forward_settled_reversal: bool = False
    serve_catalogue: bool = False
    local: bool = False
    remote: Link | None = None
    areas: tuple[str, ...] = ()
    reverse_unknown: bool = False
    in_flight: int = 0
    _tokens: float = -1.0
    _filled_at: float = 0.0

    def route(self, insured_at: str, treated_at: str) -> tuple[Link, bool]:
        """Return the link of a message, and whether it keeps its local codes. Divisions of the envelope, '' = here."""
        if not self.local:
            return self.link, False
        if insured_at and not insured_at.startswith(self.areas or treated_at[:4]):
            return self.remote or self.link, False
        return self.link, True

    def take(self, now: float) -> bool:
        """Take one token of the bucket (one second's burst); False = too fast or too many at once."""
        burst = max(self.rate_per_s, 1.0)
        if self._tokens < 0:
            self._tokens, self._filled_at = burst, now
        self._tokens = min(burst, self._tokens + max(0.0, now - self._filled_at) * self.rate_per_s)
        self._filled_at = now
        if self._tokens < 1.0 or self.in_flight >= self.in_flight_max:
            return False
        self._tokens -= 1.0
        return True


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse allow_from; raises ValueError."""
    return tuple(ip_network(text) for text in texts)


@attrs.define(eq=False)
class Door:
    """Finds the institutions a source may speak for. Certificates decide where there are any, else addresses."""

    institutions: dict[str, Institution]
    _by_source: dict[tuple[str, str], dict[str, Institution]] = attrs.Factory(dict)

    def bound(self, source: Source) -> dict[str, Institution]:
        """Return the institutions bound to a source, by code; empty = unknown source."""
        key = source.address, source.certificate_sha256  # a tuple is hashed by C, twice as fast as the record
        found = self._by_source.get(key)
        if found is None:
            found = {code: one for code, one in self.institutions.items() if _binds(one, source)}
            if len(self._by_source) > 10_000:
                self._by_source.clear()
            self._by_source[key] = found
        return found


def _binds(institution: Institution, source: Source) -> bool:
    if source.certificate_sha256:
        if source.certificate_sha256 not in institution.certificates:
            return False
        # A bound certificate may come from anywhere unless networks narrow it.
        return not institution.networks or _inside(institution.networks, source.address)
    return not institution.certificates and _inside(institution.networks, source.address)


def _inside(allowed: tuple[Network, ...], address: str) -> bool:
    try:
        here = ip_address(address)
    except ValueError:
        return False
    if here.version == 6 and here.ipv4_mapped is not None:
        here = here.ipv4_mapped
    return any(here.version == network.version and here in network for network in allowed)
