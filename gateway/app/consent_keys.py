"""Public keys by which the parties consent to frozen days: files named in the configuration (decision 0014).

A file is text: one public key a line, 64 bytes (x, y) in hex; a line that begins with # is a note. The first is the key
in use; those after it are earlier ones, which keep what they signed proved.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from adapters.crypto.sm2 import Sm2Verifier, on_curve
from gateway.app.config import Config
from gateway.books.consenting import AGY, INST, Consenting, consent_faults
from gateway.core.oswords import words_of

_BYTES_MAX = 65_536

Keys = Mapping[str, tuple[bytes, ...]]  # party -> its keys


class ConsentKeyError(Exception):
    """A file of public keys cannot be used: the configuration's fault."""


def keys_in(path: Path) -> tuple[bytes, ...]:
    """Return the public keys of a file, 64 bytes each. Raises ConsentKeyError."""
    try:
        with path.open("rb") as file:
            lines = file.read(_BYTES_MAX).decode().split("\n")
    except OSError as cause:
        raise ConsentKeyError(f"公钥文件无法读取：{path}（{words_of(cause)}）") from cause
    except UnicodeDecodeError as cause:
        raise ConsentKeyError(f"公钥文件应为文本，每行一把公钥的十六进制：{path}") from cause
    found = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text and not text.startswith("#"):
            try:
                key = bytes.fromhex(text)
            except ValueError:
                key = b""
            if not on_curve(key):
                raise ConsentKeyError(f"公钥文件第{number}行应为SM2公钥（64字节的十六进制文本）：{path}")
            found.append(key)
    if not found:
        raise ConsentKeyError(f"公钥文件中没有公钥：{path}")
    return tuple(found)


def consent_keys(config: Config, scope: str) -> Keys:
    """Return party -> its registered keys for days of a scope; a party without has none. Raises ConsentKeyError."""
    files = {
        INST: next((one.consent_key_file for one in config.institution if one.fixmedins_code == scope), ""),
        AGY: config.books.agency_consent_key_file,
    }
    return {party: keys_in(config.path(file)) if file else () for party, file in files.items()}


def proves(public: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether a DER signature of message is of this public key."""
    return Sm2Verifier(public).verify(message, signature)


def faults_of(config: Config, scope: str, freeze_sm3: str, consents: Collection[Consenting]) -> list[str]:
    """Return what does not hold of the consents to one freeze; keys that cannot be read prove nothing."""
    try:
        keys = consent_keys(config, scope)
    except ConsentKeyError as cause:
        return [str(cause)]
    return list(consent_faults(freeze_sm3, consents, keys, proves))


def consent_keys_meaning(config: Config) -> Iterator[str]:
    """Yield what is wrong with the files; every line is one thing wrong: `path: sentence`."""
    files = {"$.books.agency_consent_key_file": config.books.agency_consent_key_file}
    files |= {
        f"$.institution[{at}].consent_key_file": one.consent_key_file for at, one in enumerate(config.institution)
    }
    owners: dict[bytes, str] = {}
    for place, file in files.items():
        try:
            found = keys_in(config.path(file)) if file else ()
        except ConsentKeyError as cause:
            yield f"{place}: {cause}"
            continue
        for key in found:
            if owners.setdefault(key, place) != place:
                yield f"{place}: 与{owners[key]}是同一把公钥，不能证明是两方"
