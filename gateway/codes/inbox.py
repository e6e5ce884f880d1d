"""What a file in the inbox is: `SYSTEM[@VERSION][-anything].zip|txt|tsv|csv`, told by its name alone. Pure."""

import re
from collections.abc import Collection

_NAME = re.compile(r"(?P<system>[a-z_]+)(@(?P<ver>[A-Za-z0-9._]{1,20}))?(-[^/]*)?\.(zip|txt|tsv|csv)", re.IGNORECASE)


def named(name: str, systems: Collection[str]) -> tuple[str, str] | None:
    """Return (system, version or ''); None when the name says neither."""
    found = _NAME.fullmatch(name)
    if found is None or found["system"] not in systems:
        return None
    return found["system"], found["ver"] or ""
