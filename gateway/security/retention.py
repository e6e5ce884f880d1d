"""What is kept how long (schemas/security/retention.toml, security.md §9). Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import attrs
import msgspec

from gateway.core.approval import NotAllowed
from gateway.core.dates import SHANGHAI, day_of, shanghai
from gateway.security.contents import Content

KIND = "security.retention"
HELD, FREE = "HELD", "FREE"
_DAY_S = 86_400


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One class of data. days: the shortest time (how = node: the very time); how: who deletes it."""

    title: str
    days: int
    how: Literal["delete", "node", "kept"]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    class_: dict[str, Kept] = msgspec.field(name="class")


class Deletion(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What two people decide about. before: yyyy-MM-dd, what is older goes; count: how many; hold:
    FREE when holds are lifted instead, last: by their last row in the trail; a later one is another."""

    name: str
    before: str = ""
    count: int = 0
    hold: str = ""
    last: int = 0


@attrs.frozen
class Retention:
    """The classes, with the times of a configuration where those are longer."""

    classes: Mapping[str, Kept]

    def of(self, name: str) -> Kept:
        """Return a class. Raises NotAllowed."""
        if (found := self.classes.get(name)) is None:
            raise NotAllowed("SEC-CLASS", f"没有这一类数据：{name}（可用：{'、'.join(self.classes)}）")
        return found

    def cutoff(self, name: str, now_s: float) -> str:
        """Return the day (Shanghai) before which a class may go."""
        return day_of(now_s - self.of(name).days * _DAY_S)

    def may_hold(self, name: str) -> Kept:
        """Return a class whose deletion can be held. Raises NotAllowed."""
        if (kept := self.of(name)).how == "kept":
            raise NotAllowed("SEC-KEPT", f"{kept.title}由数据库保证不能删除，无须冻结清除")
        return kept

    def check(self, name: str, before: str, hold: str, now_s: float) -> None:
        """Raise NotAllowed when a class may not be deleted up to a day. hold: its state of hold."""
        kept = self.of(name)
        if kept.how != "delete":
            who = "由节点自行清理" if kept.how == "node" else "由数据库保证不能删除"
            raise NotAllowed("SEC-KEPT", f"{kept.title}不用本命令清除：{who}")
        if hold == HELD:
            raise NotAllowed("SEC-HOLD", f"{kept.title}已冻结清除（司法、审计需要），解除须两人办理")
        if before > self.cutoff(name, now_s):
            raise NotAllowed("SEC-YOUNG", f"{kept.title}至少保留{kept.days}天，{before}之后的还不能清除")


def read_retention(content: bytes, set_days: Mapping[str, int]) -> Retention:
    """Compile the file. set_days: days of a configuration: what two people delete is never kept shorter than the file
    says; what a node deletes goes after exactly these."""
    found = msgspec.toml.decode(content, type=_File).class_

    def days(name: str, kept: Kept) -> int:
        given = set_days.get(name, kept.days)
        return given if kept.how == "node" else max(kept.days, given)

    return Retention({name: msgspec.structs.replace(kept, days=days(name, kept)) for name, kept in found.items()})


def hold_of(name: str) -> str:
    """Return the subject of the trail under which a class's hold stands."""
    return f"retention:{name}"


def begun(before: str, count: int) -> str:
    """Return the state of a deletion that begins. count: of what is due."""
    return f"BEGUN {before} of {count}"


def begun_count(state: str) -> int:
    """Return how many were due when a deletion began; 0 where the state does not say."""
    count = state.rpartition(" of ")[2]
    return int(count) if state.startswith("BEGUN ") and count.isdecimal() else 0


def begin_ms(day: str) -> int:
    """Return when a day begins in Shanghai, in ms."""
    return int(datetime.fromisoformat(day).replace(tzinfo=SHANGHAI).timestamp() * 1000)


def told_day(at_ms: int) -> str:
    """Return the day of a moment, '' for none."""
    return f"{shanghai(at_ms / 1000):%Y-%m-%d}" if at_ms else ""
