"""Throw-away certificates for the transport's loopback tests."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

# Validity is judged by OpenSSL on the machine's clock, so fixed far dates are enough.
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
FAR_AHEAD = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A certificate authority that writes PEM files into a folder."""

    def __init__(self, folder: Path, title: str = "ca") -> None:
        self.folder = folder
        self.title = title
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name(title))
            .issuer_name(name(title))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(LONG_AGO)
            .not_valid_after(FAR_AHEAD)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.file = self._write(title + ".pem", self.certificate.public_bytes(Encoding.PEM))

    def _write(self, file: str, raw: bytes) -> str:
        path = self.folder / file
        path.write_bytes(raw)
        path.chmod(0o600)
        return str(path)

    def issue(
        self, title: str, until: datetime.datetime = FAR_AHEAD, host: str = "localhost", key: Any = None
    ) -> Issued:
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name(title))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(LONG_AGO)
            .not_valid_after(until)
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
                    if host == "localhost"
                    else [x509.DNSName(host)]
                ),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        raw_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Issued(
            certificate,
            self._write(title + ".pem", certificate.public_bytes(Encoding.PEM)),
            self._write(title + ".key", raw_key),
        )

    def revoke(self, *revoked: Issued, until: datetime.datetime = FAR_AHEAD) -> str:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(LONG_AGO)
            .next_update(until)
        )
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(LONG_AGO).build())
        crl = builder.sign(self.key, hashes.SHA256())
        return self._write(self.title + "-crl.pem", crl.public_bytes(Encoding.PEM))


class Issued:
    """A certificate and its key, as files."""

    def __init__(self, certificate: x509.Certificate, certificate_file: str, key_file: str) -> None:
        self.certificate = certificate
        self.certificate_file = certificate_file
        self.key_file = key_file

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()
