"""Roles, rights and what may not come together (schemas/security/roles.toml); deny by default. Pure."""

from collections.abc import Collection, Mapping
from typing import Literal, get_args

import attrs
import msgspec

from gateway.core.approval import NotAllowed, Person, Role

Within = Literal["always", "case", "month", "told"]
ROLES: tuple[Role, ...] = get_args(Role)


class RolesError(Exception):
    """The file of roles contradicts itself. Whoever changed it is at fault; nobody may do anything until it is mended.
    problems: `path: sentence`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class RoleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a role is called and does."""

    title: str
    duty: str
    business: bool


class Incompatible(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Roles of `one` that may not come together with roles of `other`."""

    one: frozenset[Role]
    other: frozenset[Role]
    within: Within
    why: str


class Two(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What needs two people."""

    title: str
    maker: frozenset[Role]
    checker: frozenset[Role]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    role: dict[Role, RoleSpec]
    incompatible: list[Incompatible]
    right: dict[str, frozenset[Role]]
    two: dict[str, Two]


@attrs.frozen
class Clash:
    """Two roles that are not to be held together, and why."""

    one: Role
    other: Role
    why: str


@attrs.frozen
class Roles:
    """The file, compiled."""

    specs: Mapping[Role, RoleSpec]
    incompatible: tuple[Incompatible, ...]
    rights: Mapping[str, frozenset[Role]]
    two: Mapping[str, Two]

    def title(self, role: Role) -> str:
        """Return what people call a role."""
        return self.specs[role].title

    def clashes(self, held: Collection[Role], within: Within = "always") -> list[Clash]:
        """Return every pair of held roles that the file forbids, in the file's order of roles."""
        found = []
        for rule in self.incompatible:
            if rule.within == within:
                pairs = ((a, b) for a in ROLES for b in ROLES if a in rule.one and b in rule.other and a != b)
                found += [Clash(a, b, rule.why) for a, b in pairs if a in held and b in held]
        return found

    def compatible(self, held: Collection[Role]) -> None:
        """Raise NotAllowed (SEC-INCOMPATIBLE) when one person may not hold these roles; at granting and at each use."""
        for clash in self.clashes(held):
            one, other = self.title(clash.one), self.title(clash.other)
            text = f"{one}与{other}不能由同一人担任：{clash.why}；请由安全管理员收回其中一个角色"
            raise NotAllowed("SEC-INCOMPATIBLE", text)

    def permit(self, person: Person, right: str) -> frozenset[Role]:
        """Return the person's roles that give the right; raise NotAllowed when none does."""
        return self._by(person, self.rights.get(right, frozenset()), right)

    def maker(self, person: Person, kind: str) -> frozenset[Role]:
        """Return the roles by which a person may propose; raise NotAllowed."""
        return self._by(person, self._two(kind).maker, f"提出{self._two(kind).title}（{kind}）")

    def checker(self, person: Person, kind: str) -> frozenset[Role]:
        """Return the roles by which a person may check; raise NotAllowed."""
        return self._by(person, self._two(kind).checker, f"复核{self._two(kind).title}（{kind}）")

    def _by(self, person: Person, allowed: frozenset[Role], what: str) -> frozenset[Role]:
        self.compatible(person.roles)
        found = person.roles & allowed
        if not found:
            needed = "或".join(self.title(role) for role in ROLES if role in allowed) or "无人"
            raise NotAllowed("SEC-RIGHT", f"{person.name}没有此项权限：{what}；需要角色：{needed}")
        return found

    def _two(self, kind: str) -> Two:
        parts = kind.split(".")
        for length in range(len(parts), 0, -1):
            if found := self.two.get(".".join(parts[:length])):
                return found
        raise NotAllowed("SEC-KIND", f"没有规定谁可以提出和复核这类事项：{kind}（schemas/security/roles.toml）")


def read_roles(content: bytes) -> Roles:
    """Compile the file. Raises RolesError."""
    try:
        file = msgspec.toml.decode(content, type=_File)
    except msgspec.MsgspecError as cause:
        raise RolesError([f"roles.toml: {cause}"]) from cause
    problems = [f"$.role.{name}: 没有说明" for name in ROLES if name not in file.role]
    problems += [f"$.right.{name}: 没有角色" for name, roles in file.right.items() if not roles]
    problems += [
        f"$.two.{name}: maker和checker都不能为空" for name, two in file.two.items() if not two.maker or not two.checker
    ]
    if problems:
        raise RolesError(problems)
    return Roles(file.role, tuple(file.incompatible), file.right, file.two)
