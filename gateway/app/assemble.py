"""Wiring: a checked configuration and the outside's parts in, an exchange out. No decisions here.

`assemble_exchange` takes every outside thing as an argument, so that a node of the simulated city is the same wiring.
"""

from collections.abc import Callable, Mapping

import attrs

from adapters.crypto.digest import sm3, sm3_hasher
from adapters.files import parcel
from adapters.platform.national import NationalCodec
from adapters.platform.signing import Signer, SigningSettings, make_signer
from gateway.app.config import Config, InstitutionConfig, Platform
from gateway.app.facts import link_region, read_files
from gateway.core.backward import Backward, compile_backward
from gateway.core.catalogue import Files, Region
from gateway.core.codes import EMPTY_SNAPSHOT, Snapshot
from gateway.core.plan import Plan, compile_plan
from gateway.core.ports import Catalogue, Clock, Dice, Exchange, Helper, Runner, Store, Watch
from gateway.exchange.clerk import Clerk
from gateway.exchange.desk import Desk
from gateway.exchange.door import Breaker, Door, Institution, Link, networks
from gateway.exchange.lanes import Lanes
from gateway.exchange.late import LateAnswers
from gateway.exchange.lookups import Lookups
from gateway.exchange.ordered import Ordered
from gateway.exchange.queue import JournalQueue
from gateway.exchange.relay import Relay
from gateway.exchange.reversal import Reversals
from gateway.exchange.saf import StoreForward
from gateway.exchange.verdict import Judge
from gateway.exchange.visits import Visits


@attrs.define(eq=False, kw_only=True)
class Room:
    """The assembled exchange and the parts that a node, a test or the city needs to reach."""

    desk: Desk
    door: Door
    queue: JournalQueue
    lanes: Lanes
    clerk: Clerk
    relay: Relay
    office: StoreForward
    links: Mapping[str, Link]
    stopping: bool = False

    def swap(self, snapshots: Mapping[str, Snapshot]) -> None:
        """Bring new mapping tables into force for all institutions at once; '' is for those without mappings."""
        for code, institution in self.door.institutions.items():
            institution.snapshot = snapshots.get(code) or snapshots.get("") or institution.snapshot


def regions_of(config: Config, files: Files | None = None) -> dict[str, Region]:
    """Return link name -> region; raises CatalogueError."""
    files = files or read_files()
    return {name: link_region(files, link) for name, link in config.platform.items()}


def signer_of(config: Config, link: Platform, read_secret: Callable[[str], bytes], new_id: Callable[[], str]) -> Signer:
    """Return a link's signer; raises SigningError, and what read_secret raises."""
    signing = link.signing
    if signing is None:
        return make_signer(SigningSettings(), b"", new_id)
    settings = SigningSettings(
        profile=signing.profile,
        paasid=signing.paasid,
        access_key=signing.access_key,
        api_name=signing.api_name,
        api_version=signing.api_version,
    )
    secret = read_secret(str(config.path(signing.secret_file))) if signing.secret_file else b""
    return make_signer(settings, secret, new_id)


@attrs.frozen
class Compiled:
    """A region with its plans: the same for every link that speaks it."""

    region: Region
    plans: Mapping[str, Plan]
    backward: Mapping[str, Backward]
    beside: Mapping[str, Plan]


def compile_region(region: Region, local: bool = False) -> Compiled:
    """Compile every plan of a region; local: for institutions that settle with their own codes as well."""
    return Compiled(
        region,
        {infno: compile_plan(region, one) for infno, one in region.transactions.items()},
        {infno: compile_backward(one) for infno, one in region.transactions.items()},
        {infno: compile_plan(region, one, beside=True) for infno, one in region.transactions.items()} if local else {},
    )


def quiesce_s(settings: Platform) -> float:
    """Return how long after its sending a request may still be booked (contract-annex X3)."""
    return max(2 * settings.timeout_s, 120.0) if settings.quiesce_s is None else settings.quiesce_s


def make_link(
    name: str,
    settings: Platform,
    compiled: Compiled,
    exchange: Exchange,
    files: Exchange,
    path: bytes,
    signer: Signer,
    clock: Clock,
) -> Link:
    """Put one link together."""
    region = compiled.region
    return Link(
        name=name,
        region=region,
        plans=compiled.plans,
        backward=compiled.backward,
        beside=compiled.beside,
        exchange=exchange,
        files=files,
        codec=NationalCodec.of(region, path, signer),
        judge=Judge.of(region),
        breaker=Breaker(clock, settings.breaker.failures, settings.breaker.open_s),
        timeout_s=settings.timeout_s,
        late_s=settings.late_window_s,
        infcode=settings.infcode or region.infcode,
        national_names=settings.national_names,
        resolve=settings.resolve or region.resolve,
        status=settings.status or region.status,
        quiesce_s=quiesce_s(settings),
        schedule_s=tuple(settings.reversal_schedule_s),
        attempts_alarm=settings.reversal_attempts_alarm,
    )


def make_institution(one: InstitutionConfig, links: Mapping[str, Link]) -> Institution:
    """Put one institution together."""
    return Institution(
        code=one.fixmedins_code,
        name=one.name,
        link=links[one.link],
        local=one.regime == "local",
        remote=links[one.remote_link] if one.remote_link else None,
        areas=tuple(one.areas),
        networks=networks(one.allow_from),
        certificates=frozenset(text.lower() for text in one.certificate_sha256),
        rate_per_s=one.rate_per_s,
        in_flight_max=one.connections_max,
        his_may_reverse_acked=one.his_may_reverse_acked,
        forward_settled_reversal=one.forward_settled_reversal,
        serve_catalogue=one.serve_catalogue,
        reverse_unknown=one.reverse_unknown,
        snapshot=EMPTY_SNAPSHOT,
    )


def assemble_exchange(
    *,
    clock: Clock,
    institutions: Mapping[str, Institution],
    links: Mapping[str, Link],
    store: Store,
    last_id: int,
    runner: Runner,
    watch: Watch,
    on_broken: Callable[[Exception], None],
    dice: Dice,
    helper: Helper,
    catalogue: Catalogue | None = None,
    linger_s: float = 0.0,
) -> Room:
    """Put the exchange together. runner: where the journal works; helper: where files of statements are made."""
    lanes, visits = Lanes(), Visits()
    counter = last_id

    def new_id() -> int:
        nonlocal counter
        counter += 1
        return counter

    queue = JournalQueue(clock, store, runner, watch, on_broken, lambda: clerk.stalled(), linger_s)
    office = StoreForward(
        clock=clock, queue=queue, lanes=lanes, links=links, watch=watch, digest=sm3, dice=dice, new_id=new_id,
        names={code: one.name for code, one in institutions.items()}, parcel=parcel, helper=helper,
        snapshot=lambda code: door.institutions[code].snapshot if code in door.institutions else None,
        visit_code=visits.code,
    )  # fmt: skip
    office.late = LateAnswers(Ordered(office))
    clerk = Clerk(clock, queue, lanes, office, new_id, sm3, visits.code)
    relay = Relay(clock, queue, new_id, visits.code)
    door = Door(dict(institutions))
    desk = Desk(
        clock=clock,
        door=door,
        queue=queue,
        relay=relay,
        lookups=Lookups(clock, relay, catalogue),
        clerk=clerk,
        watch=watch,
        digest=sm3,
        why_not=lambda: "GW-NOT-READY" if room.stopping else "",
        visits=visits,
        reversals=Reversals(clerk),
        hasher=sm3_hasher,
    )
    room = Room(
        desk=desk, door=door, queue=queue, lanes=lanes, clerk=clerk, relay=relay, office=office, links=dict(links)
    )
    return room
