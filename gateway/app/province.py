"""The province of a node: its port made from the configuration, with connections and certificates of its own."""

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from adapters.crypto.keyfile import KeyFileError, read_private
from adapters.province.codec import Signer
from adapters.province.http import HttpProvince, Limits
from adapters.transport.addresses import read_link
from adapters.transport.client import LinkLimits, LinkPool
from adapters.transport.tls import ClientTls, ClientTlsContext, link_endpoint
from gateway.app.config import Config
from gateway.core.ports import Clock, Helper
from gateway.core.province import ProvincialPort

ANSWER_BYTES_MAX = 8 * 1024 * 1024  # 5,000 rows of 1.5 kB
LIMITS = LinkLimits(connections_max=2, queue_max=64, response_bytes_max=ANSWER_BYTES_MAX)


@attrs.frozen(kw_only=True)
class Province:
    """The province as a node holds it. tls: to be reloaded with the other certificates, None over http."""

    port: ProvincialPort
    pool: LinkPool
    tls: ClientTlsContext | None

    def close(self) -> Deferred[None]:
        """Let what was sent end by itself, refuse what comes; fires when no connection is left."""
        return self.pool.close()


def make_province(
    config: Config,
    *,
    reactor: Any,
    clock: Clock,
    helper: Helper,
    entropy: Callable[[int], bytes],
    report: Callable[[Exception], object],
) -> Province | None:
    """Return the province of a checked configuration, None when there is none.

    reactor: opens connections, its timers count steady seconds; clock: the wall's stamps. helper: where answers are
    read and files written. report: hears of faults of ours. Raises KeyFileError, TlsConfigError.
    """
    settings = config.province
    if not settings.url:
        return None
    context = None
    if settings.tls is not None:
        paths = {
            name: str(config.path(text)) if (text := getattr(settings.tls, name)) else ""
            for name in ("ca_file", "certificate_file", "key_file")
        }
        context = ClientTlsContext(
            ClientTls(**paths, server_name=settings.tls.server_name), read_link(settings.url).host
        )
    endpoint, host, path = link_endpoint(reactor, settings.url, context)
    pool = LinkPool(reactor, endpoint, host, LIMITS)
    secret = read_private(config.path(settings.secret_file)).rstrip(b"\r\n")
    if not secret:
        raise KeyFileError(f"密钥文件是空的：{config.path(settings.secret_file)}")
    port = HttpProvince(
        clock=clock,
        exchange=pool,
        helper=helper,
        signer=Signer(settings.account, secret),
        nonce=lambda: entropy(16).hex(),
        base=path.rstrip(b"/") + b"/",
        limits=Limits(
            timeout_s=settings.timeout_s,
            page_rows=settings.page_rows,
            rows_max=settings.rows_max,
            readings_max=settings.readings_max,
            again_s=settings.again_s,
        ),
        report=report,
    )
    return Province(port=port, pool=pool, tls=context)
