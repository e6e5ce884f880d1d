"""What `liangding audit verify` looks at besides the trail itself: chains of other rooms, each a function of its room.

    def findings(config: Config, keys: Keys) -> Iterable[str]

Each finding is one Chinese sentence that names the first bad row. keys: of the operating party's signatures.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module

from gateway.app.config import Config
from gateway.core.approval import Keys

Check = Callable[[Config, Keys], Iterable[str]]

# "module:function", in the order they are told.
CHECKS: list[str] = ["gateway.app.books_freeze_desk:chain_findings"]


def checks(known: Sequence[str] = CHECKS) -> Iterator[Check]:
    """Yield the registered checks."""
    for place in known:
        module, _, name = place.partition(":")
        found: Check = getattr(import_module(module), name)
        yield found
