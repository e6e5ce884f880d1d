"""What a simulator is told on its command line, made usable before anything starts.

What cannot be used raises `Wrong`: one Chinese sentence and exit code 2, instead of a traceback out of a reactor that
then runs for ever with nothing to do.
"""

import errno
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import click
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from simulators import secure


class Wrong(click.ClickException):
    """An argument cannot be used; the text says which one, in one Chinese sentence. Nothing was started."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.format_message(), file=file, err=file is None)


def server_endpoint(reactor: Any, listen: str) -> IStreamServerEndpoint:
    """Raises Wrong."""
    try:
        found: IStreamServerEndpoint = serverFromString(reactor, listen)  # type: ignore[no-untyped-call]
    except Exception as cause:  # its parsers raise whatever their Python raises, up to StopIteration in disguise
        raise Wrong(f"--listen不是可用的端点：{listen}（例如tcp:9000:interface=127.0.0.1）") from cause
    return found


def listening(endpoint: IStreamServerEndpoint, factory: IProtocolFactory, listen: str) -> "Deferred[IListeningPort]":
    """Listen; fails with Wrong."""

    def failed(why: Failure) -> IListeningPort:
        taken = isinstance(why.value, CannotListenError) and why.value.socketError.errno == errno.EADDRINUSE
        raise Wrong(f"不能在{listen}监听：{'端口已被占用' if taken else '地址或端口不可用'}") from why.value

    done: Deferred[IListeningPort] = endpoint.listen(factory)
    return done.addErrback(failed)


def tls(factory: Factory, cert: Path | None, key: Path | None, ca: Path | None) -> IProtocolFactory:
    """factory under TLS when there is a certificate, else as it is. Raises Wrong."""
    _pair(cert, key)
    if cert is None or key is None:
        if ca is not None:
            raise Wrong("平台只给--ca而没有--cert和--key，就不是TLS，也不会查验客户端证书")
        return factory
    try:
        return secure.tls_server(factory, cert=cert, key=key, ca=ca)
    except Exception as cause:  # OpenSSL's own errors have no common parent
        raise Wrong(_unreadable(cert, key, ca)) from cause


def client_endpoint(
    reactor: Any, gateway: str, ca: Path | None, cert: Path | None, key: Path | None
) -> tuple[IStreamClientEndpoint, str]:
    """(endpoint, value of the Host header) of a gateway's origin. Raises Wrong."""
    _pair(cert, key)
    if not _is_origin(gateway):
        raise Wrong(f"--gateway应为http或https地址，例如http://127.0.0.1:8080，而不是{gateway}")
    if urlsplit(gateway).scheme == "http" and (ca or cert):
        raise Wrong("--ca、--cert、--key只用于https的网关地址，http地址不会用到")
    try:
        return secure.client_endpoint(reactor, gateway, ca=ca, cert=cert, key=key)
    except Exception as cause:  # OpenSSL's and idna's own errors have no common parent
        raise Wrong(_unreadable(cert, key, ca) if ca or cert else f"--gateway的主机名不可用：{gateway}") from cause


def writable(option: str, path: Path | None) -> None:
    """See now, not after a day's work, that the file can be written; raises Wrong."""
    if path is None:
        return
    try:
        path.open("a").close()
    except OSError as cause:
        raise Wrong(f"{option}不能写入：{path}") from cause


def _pair(cert: Path | None, key: Path | None) -> None:
    if (cert is None) != (key is None):
        raise Wrong("--cert和--key必须一起给出")


def _is_origin(url: str) -> bool:
    try:
        uri = urlsplit(url)
        return uri.scheme in ("http", "https") and bool(uri.hostname) and uri.port != 0
    except ValueError:
        return False


def _unreadable(*paths: Path | None) -> str:
    return f"证书、私钥或CA读不出，或证书与私钥不配对：{'、'.join(path.name for path in paths if path)}"
