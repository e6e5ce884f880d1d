"""Proof that somebody holds the key of a certificate: a fresh challenge, signed (second factor, security.md §4)."""

from collections.abc import Callable

import attrs
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_CONTEXT = b"liangding second factor 1\n"  # what is signed here is nothing else anywhere
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


class ProofError(Exception):
    """A certificate or its key cannot be used, or proves nothing. The text is Chinese and quotes nothing of them."""


@attrs.frozen
class KeyedCertificate:
    """A certificate (PEM) and what signs with its key."""

    pem: bytes
    sign: Callable[[bytes], bytes] = attrs.field(repr=False)


def keyed(pem: bytes, key_pem: bytes) -> KeyedCertificate:
    """Return a certificate whose key lies in a file beside it. Raises ProofError."""
    try:
        key = load_pem_private_key(key_pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise ProofError("证书私钥不是未加密的PEM，或算法不受支持（支持RSA、ECDSA、Ed25519）") from cause

    def sign(challenge: bytes) -> bytes:
        message = _CONTEXT + challenge
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(message, _PSS, hashes.SHA256())
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(message, ec.ECDSA(hashes.SHA256()))
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(message)
        raise ProofError("证书私钥的算法不受支持（支持RSA、ECDSA、Ed25519）")

    return KeyedCertificate(pem, sign)


def proven(one: KeyedCertificate, challenge: bytes, epoch_s: float) -> str:
    """Return the fingerprint of a certificate after its key signed the challenge. Raises ProofError."""
    certificate = _certificate(one.pem, epoch_s)
    signature, message = one.sign(challenge), _CONTEXT + challenge
    try:
        public = certificate.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, message, _PSS, hashes.SHA256())
        elif isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, message)
        else:
            raise ProofError("证书的算法不受支持（支持RSA、ECDSA、Ed25519）")
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise ProofError("证书的算法不受支持（支持RSA、ECDSA、Ed25519）") from cause
    except InvalidSignature as cause:
        raise ProofError("私钥不是这张证书的") from cause
    return certificate.fingerprint(hashes.SHA256()).hex()


def _certificate(pem: bytes, epoch_s: float) -> x509.Certificate:
    try:
        found = x509.load_pem_x509_certificate(pem)
    except ValueError as cause:
        raise ProofError("不是PEM格式的证书") from cause
    if not found.not_valid_before_utc.timestamp() <= epoch_s <= found.not_valid_after_utc.timestamp():
        raise ProofError("证书尚未生效或已过期")
    return found
