"""A change of somebody's roles as two people see it, and what it must not do (security.md §5): asked when it is
proposed, again when it is approved, and a third time when it is carried out. Pure."""

from collections.abc import Collection, Iterable

from gateway.core.approval import NotAllowed, Role
from gateway.security.contents import Content
from gateway.security.roles import ROLES, Roles

KIND = "security.roles"


class Change(Content, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is approved. held: the roles the change was proposed on, which it needs to find."""

    name: str
    held: tuple[Role, ...]
    grant: tuple[Role, ...] = ()
    revoke: tuple[Role, ...] = ()

    def after(self) -> tuple[Role, ...]:
        """Return the roles held when it is done."""
        return _ordered((set(self.held) | set(self.grant)) - set(self.revoke))


def change_of(
    name: str, held: Collection[Role], grant: Collection[Role], revoke: Collection[Role], roles: Roles
) -> Change:
    """Return a change of the roles somebody holds now, told for people."""
    lines = [f"用户{name}现有角色：{_titles(held, roles)}"]
    lines += [f"授予：{_titles(grant, roles)}"] if grant else []
    lines += [f"收回：{_titles(revoke, roles)}"] if revoke else []
    return Change(summary=tuple(lines), name=name, held=_ordered(held), grant=_ordered(grant), revoke=_ordered(revoke))


def check_change(change: Change, held: Collection[Role], who: str, roles: Roles) -> None:
    """Raise NotAllowed when a change may not be. held: the roles of now; who: proposes or approves it, '' for nobody
    (then it is being carried out)."""
    if who == change.name:
        raise NotAllowed("SEC-OWN-ROLES", "不得提出或复核本人角色的变更，请由另外的人办理")
    if _ordered(held) != change.held:
        raise NotAllowed("SEC-CHANGED", f"{change.name}的角色在提出之后变动过，请重新提出")
    if again := set(change.grant) & set(change.held):
        raise NotAllowed("SEC-ROLE", f"{change.name}已有角色{_titles(again, roles)}")
    if missing := set(change.revoke) - set(change.held):
        raise NotAllowed("SEC-ROLE", f"{change.name}没有角色{_titles(missing, roles)}")
    if change.after() == change.held:
        raise NotAllowed("SEC-ROLE", "没有要变更的角色")
    if change.grant:  # what is only taken away makes nothing worse
        roles.compatible(change.after())


def _ordered(roles: Iterable[Role]) -> tuple[Role, ...]:
    wanted = set(roles)
    return tuple(role for role in ROLES if role in wanted)


def _titles(held: Iterable[Role], roles: Roles) -> str:
    return "、".join(roles.title(role) for role in _ordered(held)) or "无"
