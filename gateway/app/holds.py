"""Holds and times (security.md §9), for what a node or one person deletes: a look at the trail, nothing written."""

from gateway.app.config import Config
from gateway.app.retention import the_retention
from gateway.app.security_room import looking
from gateway.security.retention import HELD, begin_ms, hold_of


def is_held(config: Config, *names: str) -> bool:
    """Say whether any of these classes is on hold; none is where there is no security room. Raises TrailFailed when
    the room cannot be read, or is gone: then nobody knows, and nothing may be deleted."""
    with looking(config) as store:
        return store is not None and any(store.last_after(hold_of(name)) == HELD for name in names)


def past_ms(config: Config, name: str, now_s: float) -> int:
    """Return the moment before which a node deletes of a class: the beginning of the day `retention list` tells."""
    return begin_ms(the_retention(config).cutoff(name, now_s))
