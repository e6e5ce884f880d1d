"""Consent of both sides to a frozen day (reconciliation §6.5): when it counts. Pure; signatures are an argument.

A signature counts by a key registered for its party, whoever brought it. Without one, somebody who signed in records
the word of a party's operator; then one person cannot speak for both sides.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Protocol

INST, AGY = "INST", "AGY"
PARTIES = (INST, AGY)
TITLES: Mapping[str, str] = {INST: "医药机构", AGY: "经办机构"}
SIGNATURE, OPERATOR = "signature", "operator"

Proves = Callable[[bytes, bytes, bytes], bool]  # (public key, message, signature) -> whether it is


class Consenting(Protocol):
    """One party's consent. who: recorded it; proof: the operator's id, or signature and public key in hex."""

    @property
    def party(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def who(self) -> str: ...
    @property
    def proof(self) -> str: ...


def same_person(consents: Iterable[Consenting], party: str, who: str) -> bool:
    """Say whether this person spoke for another party of the freeze already."""
    return any(one.kind == OPERATOR and one.party != party and one.who == who for one in consents)


def consent_faults(
    freeze_sm3: str, consents: Collection[Consenting], keys: Mapping[str, Collection[bytes]], proves: Proves
) -> Iterator[str]:
    """Yield what does not hold of the consents to one freeze, in Chinese. keys: party -> its registered public keys."""
    for one in consents:
        title = TITLES.get(one.party, one.party)
        if one.kind == SIGNATURE:
            fault = _signed(bytes.fromhex(freeze_sm3), one.proof, keys.get(one.party, ()), proves)
            if fault:
                yield f"{title}的确认{fault}"
        elif one.kind != OPERATOR or not one.proof or not one.who:
            yield f"{title}的确认没有经办人，也没有签名"
    spoken = [one.who for one in consents if one.kind == OPERATOR]
    yield from (
        f"双方的确认由同一人（{who}）登记：须由两人分别登记，或由一方签名"
        for who in sorted({who for who in spoken if spoken.count(who) > 1})
    )


def _signed(message: bytes, proof: str, keys: Collection[bytes], proves: Proves) -> str:
    signature, _, public = proof.partition(" ")
    try:
        raw, key = bytes.fromhex(signature), bytes.fromhex(public)
    except ValueError:
        return "签名已不可读"
    if key not in keys:
        return "所用公钥没有为该方登记（consent_key_file、agency_consent_key_file）"
    return "" if proves(key, message, raw) else "签名不成立：不是对这次固化摘要的签名"
