"""What each kind of rows brings to a run: how it is found, compared, and spoken of."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from gateway.codes.suggest.records import Compared, Entry, Local
from gateway.codes.suggest.text import Namer

Lens = Callable[[Entry], Compared]
NO_LIMIT = (1.0, "")


class Desk(Protocol):
    """One kind of rows, for one run. Keys are text with a prefix for their kind (`aprv:H20057567`)."""

    namer: Namer

    def entry_keys(self, entry: Entry) -> Iterable[str]:
        """Return the strong keys of a national row; called once for every row of the file."""

    def local_keys(self, local: Local) -> Iterable[str]:
        """Return the strong keys of a local row."""

    def lens(self, local: Local) -> Lens:
        """Return what compares national rows with this local row."""

    def texts(self, local: Local, entry: Entry) -> Mapping[str, tuple[str, str]]:
        """Return field -> (local text, national text) for the note; ("", "") where no text may be shown."""

    def limit(self, local: Local, entry: Entry) -> tuple[float, str]:
        """Return the most the confidence may be, and why in Chinese; NO_LIMIT when nothing holds it back."""

    def same_product(self, old: Entry, new: Entry) -> bool:
        """Say whether a successor is the same thing as what it replaces (annex C5)."""

    def remarks(self, local: Local, entry: Entry, day: str) -> list[str]:
        """Return what else a person should know, in Chinese; it does not change the confidence."""
