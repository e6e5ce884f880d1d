"""TLS for the simulators: endpoints for clients with a certificate, a wrapper for a platform that asks for one."""

from pathlib import Path
from urllib.parse import urlsplit

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IReactorTCP, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, CertificateOptions, PrivateCertificate, optionsForClientTLS
from twisted.protocols.tls import TLSMemoryBIOFactory


def _own(cert: Path, key: Path) -> PrivateCertificate:
    own: PrivateCertificate = PrivateCertificate.loadPEM(  # type: ignore[no-untyped-call]
        cert.read_bytes() + b"\n" + key.read_bytes()
    )
    return own


def client_endpoint(
    reactor: IReactorTCP, url: str, *, ca: Path | None, cert: Path | None, key: Path | None
) -> tuple[IStreamClientEndpoint, str]:
    """(endpoint, value of the Host header) for the origin of url. https trusts `ca` only; cert and key go together."""
    uri = urlsplit(url)
    host = uri.hostname or "127.0.0.1"
    port = uri.port or (443 if uri.scheme == "https" else 80)
    plain = HostnameEndpoint(reactor, host, port)
    if uri.scheme != "https":
        return plain, f"{host}:{port}"
    trust = Certificate.loadPEM(ca.read_bytes()) if ca else None
    mine = _own(cert, key) if cert and key else None
    return wrapClientTLS(optionsForClientTLS(host, trust, mine), plain), f"{host}:{port}"


def tls_server(inner: Factory, *, cert: Path, key: Path, ca: Path | None) -> TLSMemoryBIOFactory:
    """inner under TLS; with `ca` a client certificate it issued is required."""
    own = _own(cert, key)
    options = CertificateOptions(
        privateKey=own.privateKey.original,
        certificate=own.original,
        trustRoot=Certificate.loadPEM(ca.read_bytes()) if ca else None,
    )
    return TLSMemoryBIOFactory(options, False, inner)
