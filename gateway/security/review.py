"""The periodic look at rights: unused ones, too many of them, and accounts that are not as they should be (003 9.2.1:
定期对权限使用情况进行检查). Pure."""

from collections.abc import Iterator, Mapping, Sequence

import attrs

from gateway.core.approval import Role
from gateway.security.accounts import Account, Policy
from gateway.security.roles import Roles, Within

_DAY_MS = 86_400_000
# kind -> what it is called; in the order in which they are told.
KINDS = {
    "incompatible": "角色不相容",
    "within": "同一人须分开办理的角色",
    "excessive": "权限过多",
    "unused": "权限长期未使用",
    "no_second_factor": "没有第二因素",
    "unconfirmed": "账户未经确认",
    "never_login": "从未登录",
    "idle": "长期未登录",
    "password_overdue": "口令逾期",
    "initial_password": "初始口令未修改",
    "locked": "已锁定而仍有角色",
    "lonely": "人手不足",
}

MANY = 3  # so many roles of one person are looked at, whatever they are
_NEEDED = "只保留岗位需要的，收回其余"
_WITHIN: Mapping[Within, tuple[str, str]] = {
    "always": ("incompatible", "收回其中一个角色"),
    "case": ("within", "确有需要方可保留；程序在办理时逐项检查"),
    "month": ("within", "确有需要方可保留；程序在办理时逐项检查"),
    "told": ("excessive", _NEEDED),
}


@attrs.frozen
class Remark:
    """One thing to look at. role: '' = the account, or nobody in particular (name '')."""

    kind: str
    name: str
    role: str
    text: str
    todo: str


def remarks(
    accounts: Sequence[Account], uses: Mapping[tuple[str, str], int], roles: Roles, policy: Policy, now_ms: int,
    unused_days: int,
) -> list[Remark]:  # fmt: skip
    """Return everything to look at, by kind and name. uses: (name, role) -> when somebody last acted by it, in ms."""
    found = [
        one
        for account in accounts
        for one in (
            *_clashes(account, roles),
            *_unused(account, uses, roles, now_ms, unused_days),
            *_account(account, policy, now_ms, unused_days),
        )
    ]
    found += _lonely(accounts, roles)
    order = list(KINDS)
    return sorted(found, key=lambda one: (order.index(one.kind), one.name, one.role))


def _clashes(account: Account, roles: Roles) -> Iterator[Remark]:
    for within, (kind, todo) in _WITHIN.items():
        for clash in roles.clashes(account.roles, within):
            both = f"{roles.title(clash.one)}与{roles.title(clash.other)}"
            yield Remark(kind, account.name, clash.one, f"{both}：{clash.why}", todo)
    if len(account.roles) >= MANY:
        titles = "、".join(map(roles.title, account.roles))
        yield Remark("excessive", account.name, "", f"一人有{len(account.roles)}个角色：{titles}", _NEEDED)


def _unused(
    account: Account, uses: Mapping[tuple[str, str], int], roles: Roles, now_ms: int, days: int
) -> Iterator[Remark]:
    for role, granted_ms in account.roles.items():
        used_ms = uses.get((account.name, role), 0)
        idle = (now_ms - max(granted_ms, used_ms)) // _DAY_MS
        if idle >= days:
            text = f"{roles.title(role)}{'上次使用已过' if used_ms else '授予后从未使用，已过'}{idle}天"
            yield Remark("unused", account.name, role, text, "确认是否仍需要，不需要则收回")


def _account(account: Account, policy: Policy, now_ms: int, days: int) -> Iterator[Remark]:
    since_login = (now_ms - account.login_ms) // _DAY_MS
    age = (now_ms - account.password_ms) // _DAY_MS
    name = account.name
    if not account.second_factor:
        yield Remark("no_second_factor", name, "", "只有口令，不能办理", "本人登记动态口令或证书")
    if account.hands:
        who = "、".join(account.hands)
        text = f"口令和第二因素都经{who}之手" + ("，是他一人建立的第二个人" if account.founder else "，不能办理")
        yield Remark("unconfirmed", name, "", text, "另一名安全管理员或系统管理员当面核对后确认（user confirm）")
    if not account.login_ms:
        yield Remark("never_login", name, "", "建立后从未登录", "确认是否需要，不需要则锁定")
    elif since_login >= days:
        yield Remark("idle", name, "", f"{since_login}天未登录", "确认是否需要，不需要则锁定")
    if account.must_change:
        yield Remark("initial_password", name, "", f"口令由他人设定，已过{age}天", "本人修改口令")
    elif age > policy.password_days:
        yield Remark("password_overdue", name, "", f"口令已用{age}天，上限{policy.password_days}天", "本人修改口令")
    if account.locked and account.roles:
        yield Remark("locked", name, "", "已锁定，角色仍在", "收回全部角色，或解锁")


def _lonely(accounts: Sequence[Account], roles: Roles) -> Iterator[Remark]:
    """What nobody, or only one person, can do: then two people cannot agree, or nobody can help the one."""
    active = [one for one in accounts if not one.locked and one.second_factor and not one.unconfirmed]
    for name, two in roles.two.items():
        able = {"提出": _holders(active, two.maker), "复核": _holders(active, two.checker)}
        for deed, people in able.items():
            if not people:
                yield Remark("lonely", "", "", f"无人可以{deed}{two.title}（{name}）", "授予相应角色并登记第二因素")
        if able["提出"] and able["提出"] == able["复核"] and len(able["复核"]) == 1:
            yield Remark("lonely", "", "", f"{two.title}（{name}）的提出和复核只有同一个人", "再授予一人")


def _holders(accounts: Sequence[Account], wanted: frozenset[Role]) -> set[str]:
    return {one.name for one in accounts if wanted & one.roles.keys()}
