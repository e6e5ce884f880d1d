"""TLS for listeners and links, and the endpoints of both (contract-annex X36; security §2, T26).

Certificates are read from files, checked, and made into an OpenSSL context. `reload` reads them again: when a file has
changed and everything is in order, new handshakes use the new context; open connections keep theirs; a broken file
changes nothing and is reported. Twisted's own `ssl:` endpoint cannot ask for a client certificate, hence `tls:` here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import X509, X509StoreFlags
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    quoteStringArgument,
    serverFromString,
)
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.ssl import Certificate, TLSVersion, optionsForClientTLS
from twisted.internet.ssl import trustRootFromCertificates as trust_root_from_certificates
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from adapters.transport.addresses import read_link, read_listen
from adapters.transport.handshakes import note_refusal, note_timeout
from adapters.transport.pem import TlsConfigError, certificates_of, crls_of, key_of, read_file, read_key, usable

__all__ = [
    "ClientTls",
    "ClientTlsContext",
    "ServerTls",
    "ServerTlsContext",
    "TlsConfigError",
    "link_endpoint",
    "listen_endpoint",
]

_VERSIONS = {"1.2": (SSL.TLS1_2_VERSION, TLSVersion.TLSv1_2), "1.3": (SSL.TLS1_3_VERSION, TLSVersion.TLSv1_3)}
# TLS 1.2 with forward secrecy and AEAD only (security §3, "TLS"); TLS 1.3 has nothing else.
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
_HANDSHAKE_S = 5.0
_BACKLOG = 512
# Resumed sessions are not verified again, so they must not outlive a revocation for long.
_SESSION_S = 300


@attrs.frozen(kw_only=True)
class ServerTls:
    """`[tls]` of the configuration (X36). With client_ca_file every client must show a certificate of that CA."""

    certificate_file: str
    key_file: str
    client_ca_file: str = ""
    crl_file: str = ""
    min_version: str = "1.2"


@attrs.frozen(kw_only=True)
class ClientTls:
    """`tls = {...}` of a link (X36). Only ca_file is trusted; server_name "" = the host of the URL."""

    ca_file: str
    certificate_file: str = ""
    key_file: str = ""
    server_name: str = ""
    min_version: str = "1.2"


def _version(settings: ServerTls | ClientTls) -> tuple[int, Any]:
    try:
        return _VERSIONS[settings.min_version]
    except KeyError:
        raise TlsConfigError("min_version", "", "只能是1.2或1.3") from None


# -- contexts ---------------------------------------------------------------------------------------------------------


@implementer(IOpenSSLServerConnectionCreator)
class ServerTlsContext:
    """The server side of TLS, reloadable. Cuts a handshake that takes longer than handshake_s (security T6).

    Raises TlsConfigError when made from broken files. `not_after` is when the own certificate ends,
    `crl_next_update` when the revocation list does (None without one); after that OpenSSL refuses every client.
    """

    def __init__(self, clock: IReactorTime, settings: ServerTls, handshake_s: float = _HANDSHAKE_S) -> None:
        self._clock = clock
        self._settings = settings
        self._handshake_s = handshake_s
        self._files: tuple[bytes, ...] = ()
        self.reload()

    def reload(self) -> bool:
        """Read the files again; True when a new context is in force. Raises TlsConfigError and keeps the old one."""
        settings = self._settings
        certificate = read_file("certificate_file", settings.certificate_file)
        key = read_key("key_file", settings.key_file)
        authority = read_file("client_ca_file", settings.client_ca_file) if settings.client_ca_file else b""
        crl = read_file("crl_file", settings.crl_file) if settings.crl_file else b""
        files = (certificate, key, authority, crl)
        if files == self._files:
            return False  # a new context would forget the session tickets for nothing
        chain = certificates_of("certificate_file", settings.certificate_file, certificate)
        own_key = key_of("key_file", settings.key_file, key, chain[0])
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(_version(settings)[0])
        context.set_cipher_list(_CIPHERS)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
        # Without an id OpenSSL refuses to resume a session that had a client certificate.
        context.set_session_id(b"liangding")
        context.set_timeout(_SESSION_S)
        with usable("certificate_file", settings.certificate_file):
            context.use_certificate(chain[0])
            for intermediate in chain[1:]:
                context.add_extra_chain_cert(intermediate)
            context.use_privatekey(own_key)  # type: ignore[arg-type]
        crls = self._trust(context, authority, crl)
        self._context = context
        self._files = files
        self.not_after = chain[0].not_valid_after_utc
        self.crl_next_update = min((item.next_update_utc for item in crls if item.next_update_utc), default=None)
        return True

    def _trust(self, context: SSL.Context, authority: bytes, crl: bytes) -> list[x509.CertificateRevocationList]:
        """Demand client certificates of `authority`, less those revoked in `crl`."""
        settings = self._settings
        if not settings.client_ca_file:
            if settings.crl_file:
                raise TlsConfigError("crl_file", settings.crl_file, "没有client_ca_file，吊销列表不起作用")
            return []
        store = context.get_cert_store()
        assert store is not None
        authorities = certificates_of("client_ca_file", settings.client_ca_file, authority)
        with usable("client_ca_file", settings.client_ca_file):
            for one in authorities:
                store.add_cert(X509.from_cryptography(one))
                context.add_client_ca(one)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, note_refusal)
        if not settings.crl_file:
            return []
        crls = crls_of(settings.crl_file, crl, authorities)
        with usable("crl_file", settings.crl_file):
            for item in crls:
                store.add_crl(item)
        store.set_flags(X509StoreFlags.CRL_CHECK)
        return crls

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Make the TLS side of one accepted connection, and start its handshake's deadline."""
        connection = SSL.Connection(self._context, None)

        def too_slow() -> None:
            # The client's Finished message is the end of every handshake, resumed ones too.
            if tlsProtocol.connected and connection.get_peer_finished() is None:
                note_timeout(connection)
                tlsProtocol.abortConnection()  # type: ignore[no-untyped-call]

        self._clock.callLater(self._handshake_s, too_slow)
        return connection


class ClientTlsContext:
    """The client side of TLS for one host, reloadable. Raises TlsConfigError when made from broken files."""

    def __init__(self, settings: ClientTls, host: str) -> None:
        self._settings = settings
        self._host = settings.server_name or host
        self._files: tuple[bytes, ...] = ()
        self.creator: IOpenSSLClientConnectionCreator
        self.not_after: datetime | None = None
        self.reload()

    def reload(self) -> bool:
        """Read the files again; True when something changed. Raises TlsConfigError and keeps what was in force."""
        settings = self._settings
        authority = read_file("ca_file", settings.ca_file)
        if bool(settings.certificate_file) != bool(settings.key_file):
            raise TlsConfigError("certificate_file", settings.certificate_file, "证书和私钥必须同时配置")
        certificate = read_file("certificate_file", settings.certificate_file) if settings.certificate_file else b""
        key = read_key("key_file", settings.key_file) if settings.key_file else b""
        files = (authority, certificate, key)
        if files == self._files:
            return False
        creator = self._trusting(certificates_of("ca_file", settings.ca_file, authority))
        not_after = None
        if certificate:
            chain = certificates_of("certificate_file", settings.certificate_file, certificate)
            own_key = key_of("key_file", settings.key_file, key, chain[0])
            with usable("certificate_file", settings.certificate_file):
                _show(SSL.Context(SSL.TLS_CLIENT_METHOD), chain[0], own_key)  # now, not at the first connection
            creator = _WithCertificate(creator, chain, own_key)
            not_after = chain[0].not_valid_after_utc
        self.not_after = not_after
        self.creator = creator
        self._files = files
        return True

    def _trusting(self, roots: list[x509.Certificate]) -> IOpenSSLClientConnectionCreator:
        """Make what begins connections that believe nobody else and only this host's name."""
        version = _version(self._settings)[1]
        with usable("ca_file", self._settings.ca_file):
            trust = trust_root_from_certificates(
                [Certificate.loadPEM(one.public_bytes(Encoding.PEM)) for one in roots]  # type: ignore[no-untyped-call]
            )
        with usable("server_name", ""):
            return optionsForClientTLS(self._host, trustRoot=trust, extraCertificateOptions={"raiseMinimumTo": version})


def _show(to: SSL.Context | SSL.Connection, certificate: x509.Certificate, key: PrivateKeyTypes) -> None:
    to.use_certificate(certificate)
    to.use_privatekey(key)  # type: ignore[arg-type]


@implementer(IOpenSSLClientConnectionCreator)
class _WithCertificate:
    """Shows our certificate. Twisted's own way hands pyOpenSSL a kind of object that it has deprecated."""

    def __init__(
        self, creator: IOpenSSLClientConnectionCreator, chain: list[x509.Certificate], key: PrivateKeyTypes
    ) -> None:
        self._creator = creator
        self._certificate = chain[0]
        self._intermediates = chain[1:]
        self._key = key

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Make the TLS side of one connection to the platform."""
        connection: SSL.Connection = self._creator.clientConnectionForTLS(tlsProtocol)
        context = connection.get_context()
        while self._intermediates:  # the context is one for all connections
            context.add_extra_chain_cert(self._intermediates.pop(0))
        _show(connection, self._certificate, self._key)
        return connection


# -- endpoints --------------------------------------------------------------------------------------------------------


def _tls_factory(creator: Any, client: bool, factory: IProtocolFactory, clock: IReactorTime) -> TLSMemoryBIOFactory:
    wrapped = TLSMemoryBIOFactory(creator, client, factory, clock=clock)
    # Every message of ours is one write: Twisted's collecting of small writes would only cost a timer each.
    wrapped.protocol = TLSMemoryBIOProtocol
    wrapped.noisy = False
    return wrapped


@attrs.frozen
class ListenEndpoint:
    """Where to listen: `listen(factory)` gives a Deferred of the port."""

    reactor: Any
    description: str
    interface: str
    tls: ServerTlsContext | None

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Open the port. Fails with CannotListenError."""
        if self.tls is not None:
            factory = _tls_factory(self.tls, False, factory, self.reactor)
        endpoint = serverFromString(self.reactor, self.description)  # type: ignore[no-untyped-call]
        listening: Deferred[IListeningPort] = endpoint.listen(factory)
        return listening


def listen_endpoint(reactor: Any, description: str, tls: ServerTlsContext | None = None) -> ListenEndpoint:
    """Read `tcp:PORT:interface=ADDRESS` or `tls:PORT:interface=ADDRESS` (X36).

    Raises ValueError with a Chinese sentence for anything else, and for `tls:` without a context.
    """
    address = read_listen(description)
    if address.secure and tls is None:
        raise ValueError("tls:监听需要[tls]配置")
    interface = quoteStringArgument(address.interface)  # type: ignore[no-untyped-call]
    tcp = f"tcp:{address.port}:interface={interface}:backlog={address.backlog or _BACKLOG}"
    return ListenEndpoint(reactor, tcp, address.interface, tls if address.secure else None)


@implementer(IStreamClientEndpoint)
@attrs.frozen
class _TlsClientEndpoint:
    reactor: Any
    tcp: IStreamClientEndpoint
    creator: IOpenSSLClientConnectionCreator

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect; the handshake goes on after the Deferred has fired."""
        return self.tcp.connect(_tls_factory(self.creator, True, protocolFactory, self.reactor))


def link_endpoint(
    reactor: Any, url: str, tls: ClientTlsContext | None = None, connect_s: float = 5.0
) -> tuple[Callable[[], IStreamClientEndpoint], bytes, bytes]:
    """Read an http or https URL: (maker of endpoints, Host header, path).

    An IP address is connected to without any resolver. Raises ValueError with a Chinese sentence for a URL that
    `read_link` does not take, and for https without a context.
    """
    address = read_link(url)
    if address.secure and tls is None:
        raise ValueError("https地址需要tls配置（ca_file）")
    host, port = address.host, address.port
    tcp: IStreamClientEndpoint
    if isIPAddress(host):
        tcp = TCP4ClientEndpoint(reactor, host, port, timeout=connect_s)
    elif isIPv6Address(host):
        tcp = TCP6ClientEndpoint(reactor, host, port, timeout=connect_s)  # type: ignore[no-untyped-call]
    else:
        tcp = HostnameEndpoint(reactor, host.encode("ascii"), port, timeout=connect_s)
    if address.secure and tls is not None:
        context = tls
        return (lambda: _TlsClientEndpoint(reactor, tcp, context.creator)), address.header, address.path
    return (lambda: tcp), address.header, address.path
