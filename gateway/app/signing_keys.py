"""The keys that signed: the one in force, and those before it, each known by the word of the one that followed.

    key 1 ──(rows 1..n)──► hand-over signed by both ──► key 2 ──(rows n+1..)──► …

Whoever trusts the public key in force can go back from it: it signed who was before it. Whoever kept an older one can
go on: it signed who comes after it. A key counts for the rows of the trail from its hand-over on to the next, and for
what those tell of: by their numbers, for a clock can be set.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from adapters.crypto.keyfile import KeyFileError, load_key, load_or_make_key
from adapters.crypto.sm2 import Sm2Signer, Sm2Verifier, open_signer
from adapters.store.security import SecurityStore
from gateway.app.config import Config
from gateway.core.trail import HandOver

_LOST = "丢失、损坏或被换掉的，请由备份恢复密钥文件（放回原处，权限0600）：安全库只认登记的那一把，不能另造"


@attrs.frozen
class Key:
    """A public key; last_entry: the last row it answers for; last_ms: when it was handed over; 0 = it is in force."""

    public: bytes
    last_entry: int = 0
    last_ms: int = 0


@attrs.frozen
class KeyRing:
    """Every key whose signatures count, oldest first. hand_overs: as they are kept; faults: Chinese sentences about
    those that do not hold."""

    keys: tuple[Key, ...]
    hand_overs: tuple[HandOver, ...] = ()
    faults: tuple[str, ...] = ()

    @classmethod
    def of(cls, public: bytes, hand_overs: Sequence[HandOver]) -> "KeyRing":
        """Return the ring of the key in force and the hand-overs before it, oldest first."""
        keys = [Key(public)]
        for number in range(len(hand_overs), 0, -1):
            one, message = hand_overs[number - 1], hand_overs[number - 1].message()
            signed = Sm2Verifier(one.old).verify(message, one.by_old) and Sm2Verifier(one.new).verify(
                message, one.by_new
            )
            if one.new != keys[-1].public or not signed:
                text = f"第{number}次更换签名密钥的记录不成立：被改动，或现用密钥不是登记的那一把"
                return cls(tuple(keys[::-1]), tuple(hand_overs), (text,))
            keys.append(Key(one.old, one.entries, one.at_ms))
        return cls(tuple(keys[::-1]), tuple(hand_overs))

    def proves(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Say whether a signature is of this key, and the key one of ours."""
        return any(one.public == public for one in self.keys) and Sm2Verifier(public).verify(message, signature)

    def at(self, entries: int) -> Sm2Verifier:
        """Return what knows signatures of the key that answers for a row of the trail."""
        return Sm2Verifier(next(one.public for one in self.keys if entries <= one.last_entry or not one.last_entry))

    def answers(self, public: bytes, entry: int) -> bool:
        """Say whether a key is the one that answers for a row of the trail: of ours, and neither before nor after."""
        return self.at(entry).public == public


def next_file(path: Path) -> Path:
    """Return where a new key lies until it is in force."""
    return path.with_name(f"{path.name}.next")


def signer_in_force(config: Config, store: SecurityStore, entropy: Callable[[int], bytes], *, fresh: bool) -> Sm2Signer:
    """Return the signer of the key in force; puts a new key in its place when a change of keys was cut short. fresh:
    nothing was signed yet, so the key may be made. Raises KeyFileError when the key is lost or another, SelfTestError.
    """
    path = config.signing_key_file
    try:
        signer = open_signer(path, entropy, fresh=fresh)
    except KeyFileError as cause:
        raise KeyFileError(f"{cause}；{_LOST}") from cause
    wanted = _registered(store)
    if wanted in (b"", signer.public):
        return signer
    following = _following(path)
    if following is None or following.public != wanted:
        raise KeyFileError(f"签名密钥不是登记的那一把：{path}（登记的公钥{wanted.hex()[:16]}…）；{_LOST}")
    install(path)
    return following


def new_signer(path: Path, entropy: Callable[[int], bytes]) -> Sm2Signer:
    """Return the signer of a new key, which lies beside the one in force until `install`. Raises KeyFileError."""
    return Sm2Signer.of(load_or_make_key(next_file(path), entropy))


def install(path: Path) -> None:
    """Put the new key in the place of the old one, which is gone then."""
    if next_file(path).exists():
        os.replace(next_file(path), path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def ring_of(config: Config, store: SecurityStore | None) -> KeyRing:
    """Return the keys by which signatures are verified; nothing is written. Raises KeyFileError."""
    try:
        public = Sm2Signer.of(load_key(config.signing_key_file)).public
    except KeyFileError as cause:
        raise KeyFileError(f"{cause}；{_LOST}") from cause
    hand_overs = [] if store is None else store.hand_overs()
    if hand_overs and hand_overs[-1].old == public:  # cut short before the new key was in its place
        following = _following(config.signing_key_file)
        public = public if following is None else following.public
    return KeyRing.of(public, hand_overs)


def _registered(store: SecurityStore) -> bytes:
    """Return the public key the room goes by: of the last hand-over, else of the last checkpoint; b"" when none."""
    last, signed = store.hand_overs()[-1:], store.checkpoints(1)
    return last[0].new if last else signed[0].public if signed else b""


def _following(path: Path) -> Sm2Signer | None:
    return Sm2Signer.of(load_key(next_file(path))) if next_file(path).exists() else None
