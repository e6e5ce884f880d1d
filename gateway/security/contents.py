"""What two people decide about in this room, as the bytes both see: a record, its lines for people first. Pure."""

from typing import TypeVar

import msgspec

from gateway.core.approval import NotAllowed

C = TypeVar("C", bound="Content")


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """summary: for people, in Chinese."""

    summary: tuple[str, ...]

    def content(self) -> bytes:
        """Return the bytes two people decide about."""
        return msgspec.json.encode(self)


def read_content(kind: type[C], content: bytes) -> C:
    """Return what was proposed. Raises NotAllowed (SEC-CONTENT)."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as cause:
        raise NotAllowed("SEC-CONTENT", f"事项的内容本程序读不出（{kind.__name__}），请重新提出") from cause
