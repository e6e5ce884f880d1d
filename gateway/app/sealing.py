"""Contents that rest sealed under the journal's key, in whatever room (annex X34)."""

from collections.abc import Callable
from typing import ClassVar, Protocol, Self

import attrs

from adapters.crypto.digest import derive, hmac_sm3
from adapters.crypto.keyfile import load_key, load_or_make_key
from adapters.crypto.vault import Vault
from gateway.app.config import Config


class Sealed(Protocol):
    """A look at a store of sealed contents."""

    def any_sealed(self) -> bool:
        """Say whether anything is sealed at all: then a new key would be the wrong one."""


@attrs.frozen
class Box:
    """Seals contents and names them, both under keys derived from the journal's. purpose: a room's own, of names."""

    purpose: ClassVar[str]
    vault: Vault
    naming: bytes

    @classmethod
    def open(cls, config: Config, entropy: Callable[[int], bytes], reader: Sealed) -> Self:
        """Load the key, or make the first one of a new installation. Raises KeyFileError."""
        fresh = not config.journal.exists() and not reader.any_sealed()
        if fresh:
            config.key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = load_or_make_key(config.key_file, entropy) if fresh else load_key(config.key_file)
        return cls(Vault(key, config.store.cipher, entropy), derive(key, cls.purpose))

    def name(self, content: bytes) -> str:
        """Return what names a content without telling it: a plain digest of an identity number can be guessed."""
        return hmac_sm3(self.naming, content).hex()
