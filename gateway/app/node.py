"""A node's life: start in order (store, recovery, mappings, listeners), serve, stop without losing anything (X27).

The reactor is an argument; only `gateway.__main__` has one.
"""

import gc
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import globalLogBeginner

import schemas
from adapters.crypto.digest import self_test
from adapters.crypto.keyfile import load_key, load_or_make_key, read_private
from adapters.crypto.vault import Vault
from adapters.store.checkpoint import Checkpoints
from adapters.store.sqlite_journal import SqliteJournal
from adapters.store.writer import WriterThread
from adapters.transport.addresses import read_link
from adapters.transport.client import LinkPool
from adapters.transport.server import HttpServerFactory
from adapters.transport.tls import (
    ClientTls,
    ClientTlsContext,
    ServerTls,
    ServerTlsContext,
    TlsConfigError,
    link_endpoint,
    listen_endpoint,
)
from gateway.app.admin import CodeLookup, admin_site
from gateway.app.assemble import (
    Room,
    assemble_exchange,
    compile_region,
    make_institution,
    make_link,
    quiesce_s,
    regions_of,
    signer_of,
)
from gateway.app.books_room import BooksRoom
from gateway.app.codes_room import CodesRoom
from gateway.app.config import Config
from gateway.app.facts import read_files
from gateway.app.frontdoor import FrontDoor
from gateway.app.link_limits import FILE_LIMITS, limits_of
from gateway.app.lists_room import ListsRoom
from gateway.app.node_trail import NodeTrail
from gateway.app.rounds import Rounds
from gateway.app.watching import Handshakes, Watcher
from gateway.core.answers import refusal
from gateway.core.ports import Clock, Dice
from gateway.exchange.door import Link
from gateway.exchange.recovery import recover
from gateway.exchange.restoration import Restoration, begin_again
from monitoring.health import Health
from monitoring.logs import Log, TwistedObserver, make_logger
from monitoring.metrics import Metrics

_BREAKER = {"closed": 0.0, "half_open": 1.0, "open": 2.0}
RELOAD_S = 60.0
GC_OBJECTS = 50_000
CHECKPOINT_S = 2.0
# A commit costs the processor about as much as eight requests do; two milliseconds of company make it worth while.
LINGER_S = 0.002


@attrs.define(eq=False)
class Node:
    """One running node. `die(code)` ends the process at once; `say` writes one line for the operator on stderr."""

    config: Config
    reactor: Any  # its timers count steady seconds
    clock: Clock  # stamps and business days are the wall's
    new_id: Callable[[], str]
    entropy: Callable[[int], bytes]
    dice: Dice
    die: Callable[[int], object]
    say: Callable[[str], object]
    room: Room = attrs.field(init=False)
    store: SqliteJournal = attrs.field(init=False)
    metrics: Metrics = attrs.field(init=False)
    health: Health = attrs.field(init=False)
    links: dict[str, Link] = attrs.field(init=False)
    _log: Log = attrs.field(init=False)
    _writer: WriterThread = attrs.field(init=False)
    _helper: WriterThread = attrs.field(init=False)
    _codes: CodesRoom = attrs.field(init=False)
    _books: BooksRoom = attrs.field(init=False)
    _tls: dict[str, Any] = attrs.Factory(dict)
    _pools: dict[str, LinkPool] = attrs.Factory(dict)
    _ports: list[Any] = attrs.Factory(list)
    _admin: list[Any] = attrs.Factory(list)
    _restoration: Restoration | None = None
    _factories: list[HttpServerFactory] = attrs.Factory(list)
    _rounds: Rounds = attrs.field(init=False)
    _trail: NodeTrail = attrs.field(init=False)

    def start(self) -> Deferred[Any]:
        """Do everything up to listening; raises what is wrong before any listener is open."""
        self_test()
        config = self.config
        log = make_logger(sys.stdout.buffer, self.clock)
        self._log = log
        globalLogBeginner.beginLoggingTo(
            [TwistedObserver(log, self.reactor.callFromThread)], redirectStandardIO=False, discardBuffer=True
        )
        self._rounds = Rounds(self.reactor, lambda cause: log.failure("loop_failed", cause))
        self._trail = NodeTrail(config, self.reactor, self.clock, self.entropy, log, self.say)
        files = read_files()
        regions = regions_of(config, files)
        infnos = {infno for region in regions.values() for infno in region.transactions}
        self.metrics = Metrics(infnos, [one.fixmedins_code for one in config.institution])
        for folder in (config.path(config.node.data_dir), config.key_file.parent, config.journal.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = not config.journal.exists()
        key = load_or_make_key(config.key_file, self.entropy) if fresh else load_key(config.key_file)
        vault = Vault(key, config.store.cipher, self.entropy)
        scripts = list(schemas.read("migrations/journal", ".sql"))
        self.store = SqliteJournal.open(config.journal, vault, scripts)
        self._writer = WriterThread(self.reactor.callFromThread)
        self._helper = WriterThread(self.reactor.callFromThread, "helper")
        links = {name: self._link(name, regions[name]) for name in config.platform}
        self.links = links
        watch = Watcher(self.metrics, log)
        self._codes = codes = CodesRoom(
            reactor=self.reactor, clock=self.clock, dice=self.dice, entropy=self.entropy, config=config, files=files,
            metrics=self.metrics, log=log,
        )  # fmt: skip
        self.room = assemble_exchange(
            clock=self.clock,
            institutions={one.fixmedins_code: make_institution(one, links) for one in config.institution},
            links=links,
            store=self.store,
            last_id=self.store.last_id,
            runner=self._writer,
            watch=watch,
            on_broken=self._broken,
            dice=self.dice,
            helper=self._helper,
            catalogue=codes.catalogue(),
            linger_s=LINGER_S,
        )
        if self.store.restored_ms is None:
            recover(self.store, self.room.lanes, self.room.office, self.clock.seconds())
        else:
            begin_again(self.store, self.room.office, self.clock.seconds())
        codes.load(self.room.swap, self._rounds)
        codes.take_orders(self.room, self._pools, watch, self.new_id())
        self._books = BooksRoom(
            reactor=self.reactor, clock=self.clock, config=config, room=self.room, pools=self._pools,
            errands=codes.desk.errands, watch=watch, owner=self.new_id(), metrics=self.metrics, log=log,
            entropy=self.entropy,
        )  # fmt: skip
        if self._books.tls is not None:
            self._tls["province"] = self._books.tls
        self._watch_readings()
        gc.collect()
        gc.freeze()
        # Nearly everything a request makes dies by itself; looking for cycles every 700 objects is work for nothing.
        gc.set_threshold(GC_OBJECTS, 20, 50)
        self._keep_log_short()
        return self._listen()

    def _link(self, name: str, region: Any) -> Link:
        settings = self.config.platform[name]
        context = None
        if settings.tls is not None:
            tls = settings.tls
            paths = {
                label: str(self.config.path(value)) if value else ""
                for label, value in (
                    ("ca_file", tls.ca_file),
                    ("certificate_file", tls.certificate_file),
                    ("key_file", tls.key_file),
                )
            }
            context = ClientTlsContext(ClientTls(**paths, server_name=tls.server_name), read_link(settings.url).host)
            self._tls[name] = context
        endpoint, host_header, path = link_endpoint(self.reactor, settings.url, context)
        pool = LinkPool(self.reactor, endpoint, host_header, limits_of(settings.connections_max, quiesce_s(settings)))
        self._pools[name] = pool
        # Files are big and rare: their own few connections, so that a catalogue never waits before a settlement.
        files = LinkPool(self.reactor, endpoint, host_header, FILE_LIMITS)
        self._pools[f"{name}_files"] = files
        local = any(one.regime == "local" and one.link == name for one in self.config.institution)
        signer = signer_of(self.config, settings, lambda file: read_private(Path(file)), self.new_id)
        return make_link(name, settings, compile_region(region, local), pool, files, path, signer, self.reactor)

    def _watch_readings(self) -> None:
        room, metrics, log = self.room, self.metrics, self._log
        metrics.watch("liangding_in_doubt", lambda: float(room.lanes.in_doubt()))
        metrics.watch("liangding_saf_depth", lambda: float(room.office.depth))
        metrics.watch(
            "liangding_breaker_state", lambda: {name: _BREAKER[one.breaker.state] for name, one in self.links.items()}
        )
        metrics.watch("liangding_ready", lambda: float(self.health.readyz().ok))
        metrics.watch(
            "liangding_in_flight", lambda: float(sum(one.in_flight for one in room.door.institutions.values()))
        )
        metrics.watch("liangding_journal_free_bytes", lambda: float(self._free_bytes()))
        metrics.watch("liangding_connections", self._connections)
        metrics.watch("liangding_certificate_expires_timestamp_seconds", self._expiries)
        metrics.watch("liangding_log_fields_dropped_total", lambda: float(log.losses.fields))
        metrics.watch("liangding_log_lines_lost_total", lambda: float(log.losses.lines))
        self.health = Health(
            alive={"journal": lambda: "日志写入失败，进程即将退出" if room.queue.broken else ""},
            ready={
                "space": lambda: "磁盘空间不足，暂停受理资金交易" if room.queue.full else "",
                "stopping": lambda: "正在停止" if room.stopping else "",
                "recovery": self._recovering,
            },
        )

    def _recovering(self) -> str:
        if self._restoration is None:
            return ""
        left = "、".join(sorted(self._restoration.left))
        return f"日志由备份恢复，尚未与平台核对：{left}" if left else "日志由备份恢复，核对结果正在写入日志"

    def _connections(self) -> dict[str, float]:
        found = {"institutions": float(sum(factory.connections for factory in self._factories))}
        return found | {name: float(pool.busy + pool.idle + len(pool.listening)) for name, pool in self._pools.items()}

    def _expiries(self) -> dict[str, float]:
        """When our certificates and the revocation list end (annex X36; warned of 30 days before)."""
        found = {}
        for name, context in self._tls.items():
            if context.not_after is not None:
                found[name] = context.not_after.timestamp()
            if getattr(context, "crl_next_update", None) is not None:
                found[f"{name}_crl"] = context.crl_next_update.timestamp()
        return found

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.config.journal.parent).free

    def _listen(self) -> Deferred[Any]:
        config = self.config
        context = None
        if config.tls is not None:
            tls = config.tls
            context = ServerTlsContext(
                self.reactor,
                ServerTls(
                    certificate_file=str(config.path(tls.certificate_file)),
                    key_file=str(config.path(tls.key_file)),
                    client_ca_file=str(config.path(tls.client_ca_file)) if tls.client_ca_file else "",
                    crl_file=str(config.path(tls.crl_file)) if tls.crl_file else "",
                    min_version=tls.min_version,
                ),
            )
            self._tls["listen"] = context
        handshakes = Handshakes(self.reactor, self._log)
        self.metrics.watch("liangding_tls_handshake_failures_total", lambda: float(handshakes.failures))
        lookup = CodeLookup(self.clock, self._snapshot)
        pieces = WriterThread(self.reactor.callFromThread, "lists").run
        report = partial(self._log.failure, "list_not_taken")
        lists = ListsRoom(config, self.clock, self.entropy, pieces, report)
        front = FrontDoor(self.room, lookup, lists, self._books.door)
        doors = []
        for text in config.institution_endpoints:
            factory = HttpServerFactory(
                self.reactor, front.handle, refusal, gate=front, on_handshake_failed=handshakes.failed
            )
            self._factories.append(factory)
            doors.append((listen_endpoint(self.reactor, text, context), factory))
        admin = []
        if config.listen.admin:
            texts = WriterThread(self.reactor.callFromThread, "metrics")
            site = admin_site(self.metrics, self.health, self._status, lookup, texts.run)
            admin.append(listen_endpoint(self.reactor, config.listen.admin, context).listen(site))
        if self._tls:
            self._rounds.every(RELOAD_S, self.reload_tls)

        def open_doors(_: object) -> Deferred[Any]:
            opening = [endpoint.listen(factory) for endpoint, factory in doors]
            return gatherResults(opening, consumeErrors=True).addCallback(self._opened)

        return gatherResults(admin, consumeErrors=True).addCallback(self._asked_since).addCallback(open_doors)

    def _asked_since(self, ports: list[Any]) -> Deferred[None]:
        """RECOVERY: fire once the platform was asked about everything since a restored backup; else at once."""
        self._admin = ports
        done: Deferred[None] = Deferred()
        room, since_ms = self.room, self.store.restored_ms
        if since_ms is None:
            done.callback(None)
            return done

        def over() -> None:
            self._restoration = None
            self.say("与平台核对完毕：问过哪些、平台单方有几笔，见 liangding journal recovered；没有列出的没有问过")
            done.callback(None)

        self._restoration = Restoration(room.office, room.door.institutions, since_ms, over)
        self.say("日志由备份恢复：先向平台核对其后的交易，核对完才受理（liangding recover --open 由人决定不再等待）")
        self._log.event("recovery", node=self.config.node.name)
        self._restoration.start()
        return done

    def _snapshot(self, institution: str) -> Any:
        institutions = self.room.door.institutions
        if not institution and institutions:
            return next(iter(institutions.values())).snapshot
        found = institutions.get(institution)
        return found.snapshot if found is not None else None

    def _opened(self, ports: list[Any]) -> None:
        self._ports = ports
        self._codes.desk.orders.start()
        self._books.start(self._rounds)
        self._trail.started(self._rounds)
        places = "、".join(f"{p.getHost().host}:{p.getHost().port}" for p in [*ports, *self._admin])
        self.say(f"两定网关 {self.config.node.name} 已就绪，监听 {places}")
        self._log.event("listening", node=self.config.node.name, pid=os.getpid())

    def _status(self) -> list[tuple[str, str]]:
        verdict = self.health.readyz()
        room = self.room
        rows = [
            ("节点", self.config.node.name),
            ("状态", "可受理交易" if verdict.ok else "；".join(text for _, text in verdict.reasons)),
            ("机构数", str(len(room.door.institutions))),
            ("处理中的请求", str(sum(one.in_flight for one in room.door.institutions.values()))),
            ("结果未知的交易", str(room.lanes.in_doubt())),
            ("待冲正的交易", str(room.office.depth)),
            ("日志队列", str(room.queue.depth)),
        ]
        words = {"closed": "正常", "half_open": "试探中", "open": "熔断"}
        rows += [(f"平台链路 {name}", words[link.breaker.state]) for name, link in self.links.items()]
        rows += [(f"对码条数 {code}", str(one.snapshot.rows)) for code, one in room.door.institutions.items()]
        return rows

    # --- while it runs ---

    def _keep_log_short(self) -> None:
        checkpoints = Checkpoints(
            path=self.config.journal,
            truncate=self.store.truncate_log,
            helper=self._helper,
            writer=self._writer,
            report=lambda cause: self._log.failure("checkpoint_failed", cause),
        )
        self._rounds.every(CHECKPOINT_S, checkpoints.look)
        mark_failed = partial(self._log.failure, "mark_failed")
        self._rounds.every(CHECKPOINT_S, lambda: self._writer.run(self.store.mark, lambda _: None, mark_failed))

    def reload_tls(self) -> None:
        """Re-read certificates, keys and revocations; a broken file leaves what was in force."""
        for context in self._tls.values():
            try:
                context.reload()
            except TlsConfigError as cause:
                self._log.failure("tls_reload_failed", cause)
                self.say(f"证书未更新，仍使用原来的：{cause}")

    def _broken(self, cause: Exception) -> None:
        """A write or fsync failed: nothing may be answered any more (reversal specification §9)."""
        self._log.failure("journal_broken", cause)
        self._log.sink.flush()
        self.say("[GW-NOT-ACCEPTED] 日志写入失败，进程退出")
        self.die(1)

    # --- the end ---

    async def stop(self) -> None:
        """Close listeners, finish what is in flight, make everything durable, close."""
        self.room.stopping = True
        for pool in self._pools.values():
            pool.hurry()
        for port in self._ports:
            await port.stopListening()
        for factory in self._factories:
            await factory.drain()
        await self._codes.desk.stop()
        await self._books.stop()
        self._rounds.stop()
        self._codes.watcher.stop()
        idle: Deferred[None] = Deferred()
        self.room.queue.when_idle(lambda: idle.callback(None))
        await idle
        for pool in self._pools.values():
            await pool.close()
        self._helper.stop()
        self._writer.stop()
        self.store.close()
        await self._trail.stopped()
        for port in self._admin:  # the admin side last: /readyz says 503 to the end
            await port.stopListening()
        self._log.event("stopped", node=self.config.node.name)
        self._log.sink.flush()
