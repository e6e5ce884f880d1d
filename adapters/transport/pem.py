"""Certificates, keys and revocation lists from files, each checked before OpenSSL sees it.

Everything wrong with them is a TlsConfigError that names the setting and the file. What is done with them: `tls.py`.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from OpenSSL import SSL
from OpenSSL.crypto import Error as StoreError

from gateway.core.oswords import words_of

_END_OF_CRL = b"-----END X509 CRL-----"


class TlsConfigError(Exception):
    """A TLS setting or file is wrong. The operator's fault: correct it; what was in force stays in force.

    setting: name inside `[tls]` or `tls = {...}`; path: the file, "" when the setting itself is wrong; problem: in
    Chinese.
    """

    def __init__(self, setting: str, path: str, problem: str) -> None:
        super().__init__(f"{setting}：{path}：{problem}" if path else f"{setting}：{problem}")
        self.setting = setting
        self.path = path
        self.problem = problem


@contextmanager
def usable(setting: str, path: str) -> Iterator[None]:
    """Turn what the libraries say against a file into TlsConfigError: a key too short, an algorithm they lack."""
    try:
        yield
    except (SSL.Error, StoreError) as cause:
        raise TlsConfigError(setting, path, f"OpenSSL不接受（{_first_word(cause)}）") from cause
    except UnsupportedAlgorithm as cause:
        raise TlsConfigError(setting, path, "算法不受支持（TLS只支持RSA和ECDSA证书）") from cause
    except (ValueError, TypeError) as cause:
        raise TlsConfigError(setting, path, "内容不合规范") from cause


def _first_word(cause: Exception) -> str:
    """The reason in OpenSSL's own words, which is what a search finds."""
    queue = cause.args[0] if cause.args else ()
    return str(queue[0][-1]) if isinstance(queue, list) and queue else type(cause).__name__


def read_file(setting: str, path: str) -> bytes:
    """Return a file's bytes."""
    return _read(setting, path, private=False)


def read_key(setting: str, path: str) -> bytes:
    """Return the bytes of a private key that only its owner may read (0600 or stricter)."""
    return _read(setting, path, private=True)


def _read(setting: str, path: str, private: bool) -> bytes:
    try:
        with open(path, "rb") as file:
            # Of the file that is open: the name may mean another one by now.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if private and mode & 0o077:
                raise TlsConfigError(setting, path, f"私钥文件权限为{mode:04o}，应为0600")
            return file.read()
    except OSError as cause:
        raise TlsConfigError(setting, path, f"文件无法读取（{words_of(cause)}）") from cause


def certificates_of(setting: str, path: str, raw: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, at least one."""
    try:
        return x509.load_pem_x509_certificates(raw)
    except ValueError as cause:
        raise TlsConfigError(setting, path, "不是PEM格式的证书") from cause


def key_of(setting: str, path: str, raw: bytes, certificate: x509.Certificate) -> PrivateKeyTypes:
    """Return the private key of a PEM file; it must be the certificate's."""
    shape = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with usable(setting, path):
        try:
            key = load_pem_private_key(raw, None)
        except (ValueError, TypeError) as cause:
            raise TlsConfigError(setting, path, "不是未加密的PEM格式私钥") from cause
        same = key.public_key().public_bytes(*shape) == certificate.public_key().public_bytes(*shape)
    if not same:
        raise TlsConfigError(setting, path, "私钥与证书不匹配")
    return key


def crls_of(path: str, raw: bytes, authorities: list[x509.Certificate]) -> list[x509.CertificateRevocationList]:
    """Return the revocation lists of a PEM file, at least one; each must be signed by one of the authorities."""
    blocks = [block + _END_OF_CRL for block in raw.split(_END_OF_CRL)[:-1]]
    try:
        crls = [x509.load_pem_x509_crl(block) for block in blocks]
    except ValueError as cause:
        raise TlsConfigError("crl_file", path, "不是PEM格式的吊销列表") from cause
    if not crls:
        raise TlsConfigError("crl_file", path, "不是PEM格式的吊销列表")
    for crl in crls:
        issuers = [authority for authority in authorities if authority.subject == crl.issuer]
        with usable("crl_file", path):
            signed = any(crl.is_signature_valid(issuer.public_key()) for issuer in issuers)  # type: ignore[arg-type]
        if not signed:
            raise TlsConfigError("crl_file", path, "吊销列表不是client_ca_file中的CA签发的")
    return crls
