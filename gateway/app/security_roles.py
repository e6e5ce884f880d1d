"""Roles are granted and taken away by two people: what is proposed, what is asked again at approval, what carries it
out (security.md §5; gateway.app.approving)."""

from collections.abc import Collection

from gateway.app.config import Config
from gateway.app.say import Outside
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.core.approval import Approval, NotAllowed, Person, Role
from gateway.security.changing import KIND, Change, change_of
from gateway.security.contents import read_content


def propose(
    desk: SecurityDesk, person: Person, name: str, grant: Collection[Role], revoke: Collection[Role], reason: str
) -> Approval:
    """Propose a change of somebody's roles. Raises NotAllowed, TrailFailed."""
    account = desk.people.load(name)
    if account is None:
        raise NotAllowed("SEC-NAME", f"没有用户{name}")
    change = change_of(name, account.roles, grant, revoke, desk.roles)
    return desk.approvals.propose(person, KIND, name, change.content(), reason)


def carry_out(config: Config, approval: Approval, content: bytes, outside: Outside) -> str:
    """Change the roles two people agreed on. Raises NotAllowed, TrailFailed."""
    change = read_content(Change, content)
    with security_desk(config, outside.now, outside.entropy) as desk:
        done = desk.people.change_roles(approval.checker, change, approval.reason, approval.id)
    return "；".join(change.summary[1:]) + f"（{change.name}）" + ("" if done else "，先前已办")
