"""`liangding security user ...`: accounts, as the security administrator and their owners keep them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from adapters.crypto.keyfile import read_private
from adapters.crypto.possession import ProofError, keyed
from gateway.app.acting import Credentials, acting, password_of, pem_of, told, waits
from gateway.app.say import Outside, load, show
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.app.security_roles import propose
from gateway.app.security_room import room_is_there
from gateway.core.approval import NotAllowed, Role
from gateway.core.dates import shanghai
from gateway.security import totp
from gateway.security.accounts import Account
from gateway.security.roles import ROLES

_CONFIG = click.argument("config", type=click.Path())
_NAME = click.argument("name")
_ROLE = click.argument("role", type=click.Choice(ROLES))
_JSON = click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
_REASON = click.option("--reason", required=True, help="理由，记入审计")
_FILE = click.Path(path_type=Path, dir_okay=False)
_NEW = click.option(
    "--new-password-file", "new_file", type=_FILE, help="新口令的文件（权限0600）；不给时在终端询问"
)  # fmt: skip
RIGHT = "security.users"
# What a command did: as an object, and as lines.
Told = tuple[dict[str, Any], list[str]]


@click.group(help="用户：由安全管理员建立，口令和第二因素由本人办理")
def user() -> None:
    """`liangding security user`."""


@contextmanager
def _desk(outside: Outside, config: str, as_json: bool, *, make: bool = False) -> Iterator[SecurityDesk]:
    found = load(config, as_json)
    with told(as_json), security_desk(found, outside.now, outside.entropy, make=make) as desk:
        yield desk


def _verb(
    help: str, *options: Callable[..., Any], name: str | None = None
) -> Callable[[Callable[..., Told]], click.Command]:
    """Make a command CONFIG NAME [options] [who acts] [--json] of a function that gets the open desk, who acts, the
    person's name and the options, and returns what it did."""

    def made(work: Callable[..., Told]) -> click.Command:
        def run(outside: Outside, config: str, name: str, as_json: bool, credentials: Credentials, **more: Any) -> None:
            with _desk(outside, config, as_json) as desk:
                plain, lines = work(desk, credentials, name, **more)
            show(plain, lines, as_json)

        command: Callable[..., Any] = click.pass_obj(run)
        for option in (_JSON, acting, *reversed(options), _NAME, _CONFIG):
            command = option(command)
        return user.command(name or work.__name__, help=help)(command)

    return made


def _administrator(desk: SecurityDesk, credentials: Credentials) -> str:
    person = credentials.person(desk)
    desk.allow(person, RIGHT)
    return person.name


@user.command(
    help="建立用户；角色待另一人批准。第一个安全管理员不需要--user，他所建的第二人（security或system）也不待批准"
)
@_CONFIG
@_NAME
@click.option("--role", "roles", type=click.Choice(ROLES), multiple=True, required=True, help="角色，可重复")
@click.option("--reason", default="新建用户", show_default=True, help="理由，记入审计")
@_NEW
@acting
@_JSON
@click.pass_obj
def add(
    outside: Outside, config: str, name: str, roles: tuple[Role, ...], reason: str, new_file: Path | None,
    as_json: bool, credentials: Credentials,
) -> None:  # fmt: skip
    beginning = not credentials.name
    with told(as_json):
        if beginning and set(roles) != {"security"} and not room_is_there(load(config, as_json)):
            raise _not_first()
    with _desk(outside, config, as_json, make=beginning) as desk:
        account, number = _added(desk, credentials, name, new_file, frozenset(roles), reason)
        row = _row(desk, account)
        titles = "、".join(map(desk.roles.title, roles))
    text = f"已建立用户{name}：{titles if not number else '还没有角色'}；首次使用须由本人修改口令并登记第二因素"
    lines = [text]
    if number:
        told_how = f"角色{titles}待另一人批准：{waits(desk.config, number)}"
        lines = [text, told_how, "启用后由另一名管理员当面核对本人并确认（security user confirm），此后才能办理"]
    if account.founder:
        lines.append(
            f"{name}是第二个人，由{credentials.name}一人建立：列入权限报告，直到第三人确认（security user confirm）"
        )
    show({"ok": True, "user": row, "approval": number}, lines, as_json)


def _added(
    desk: SecurityDesk, credentials: Credentials, name: str, new_file: Path | None, roles: frozenset[Role], reason: str
) -> tuple[Account, int]:
    """Add a person; return the account and the number of the proposal of its roles. Only the first administrator, and
    the one who is to be the second person of every later grant, come into their role without two."""
    people = desk.people
    if people.nobody_yet() and not credentials.name:
        if roles != {"security"}:
            raise _not_first()
        return people.add("bootstrap", name, _new_password(new_file, name), roles, among=0), 0
    person = credentials.person(desk)
    desk.allow(person, RIGHT)
    if len(people.everybody()) == 1:
        if roles not in ({"security"}, {"system"}):
            text = "须先建立第二个能够复核角色的人（--role security或--role system），再建立其他用户"
            raise NotAllowed("SEC-BOOTSTRAP", text)
        return people.add(person.name, name, _new_password(new_file, name), roles, among=1), 0
    desk.roles.compatible(roles)
    account = people.add(person.name, name, _new_password(new_file, name))
    return account, propose(desk, person, name, roles, (), reason).id


@user.command("list", help="全部用户、角色和状态")
@_CONFIG
@_JSON
@click.pass_obj
def list_users(outside: Outside, config: str, as_json: bool) -> None:
    with _desk(outside, config, as_json) as desk:
        rows = [_row(desk, one) for one in desk.people.everybody()]
    lines = [f"{row['name']:20}  {'、'.join(row['titles']) or '无角色'}  {'，'.join(row['notes'])}" for row in rows]
    show({"rows": rows, "count": len(rows)}, [*lines, f"共{len(rows)}个用户"], as_json)


@user.command("show", help="一个用户的角色、第二因素和状态")
@_CONFIG
@_NAME
@_JSON
@click.pass_obj
def show_user(outside: Outside, config: str, name: str, as_json: bool) -> None:
    with _desk(outside, config, as_json) as desk:
        account = desk.people.load(name)
        if account is None:
            raise NotAllowed("SEC-NAME", f"没有用户{name}")
        row = _row(desk, account)
    granted = [f"  {desk.roles.title(role)}（{role}），授予于{_day(at)}" for role, at in account.roles.items()]
    lines = [f"用户{name}", *granted, f"  证书：{row['certificate'] or '无'}", *(f"  {one}" for one in row["notes"])]
    show(row, lines, as_json)


@_verb("授予角色：提出，另一人批准后生效", _ROLE, _REASON)
def grant(desk: SecurityDesk, credentials: Credentials, name: str, role: Role, reason: str) -> Told:
    number = propose(desk, credentials.person(desk), name, {role}, (), reason).id
    return {"ok": True, "approval": number}, [
        f"已提出授予{name}：{desk.roles.title(role)}，待另一人批准：{waits(desk.config, number)}"
    ]


@_verb("收回角色：提出，另一人批准后生效；紧急时先锁定（lock）", _ROLE, _REASON)
def revoke(desk: SecurityDesk, credentials: Credentials, name: str, role: Role, reason: str) -> Told:
    number = propose(desk, credentials.person(desk), name, (), {role}, reason).id
    text = f"已提出收回{name}的角色：{desk.roles.title(role)}，待另一人批准：{waits(desk.config, number)}"
    return {"ok": True, "approval": number}, [text]


@_verb("锁定用户，直到解锁", _REASON)
def lock(desk: SecurityDesk, credentials: Credentials, name: str, reason: str) -> Told:
    desk.people.lock(_administrator(desk, credentials), name, reason)
    return {"ok": True}, [f"已锁定{name}"]


@_verb("解锁用户，包括因多次失败而锁定的", _REASON)
def unlock(desk: SecurityDesk, credentials: Credentials, name: str, reason: str) -> Told:
    desk.people.unlock(_administrator(desk, credentials), name, reason)
    return {"ok": True}, [f"已解锁{name}"]


@_verb("确认账户在本人手里：另一名安全管理员或系统管理员当面核对后办理；--reason写明怎样核对的", _REASON)
def confirm(desk: SecurityDesk, credentials: Credentials, name: str, reason: str) -> Told:
    person = credentials.person(desk)
    desk.allow(person, "security.confirm")
    account = desk.people.confirm(person.name, name, reason)
    factors = "、".join(
        [*["动态口令"][: bool(account.seed)], *[f"证书{account.certificate}"][: bool(account.certificate)]]
    )
    return {"ok": True, "user": _row(desk, account)}, [f"已确认{name}的账户在本人手里；第二因素：{factors}"]


@_verb("修改本人口令；安全管理员可用--user重设他人的口令（其本人首次使用须修改）", _NEW)
def password(desk: SecurityDesk, credentials: Credentials, name: str, new_file: Path | None) -> Told:
    own = credentials.name in ("", name)
    by = credentials.owner(desk, name).name if own else _administrator(desk, credentials)
    desk.people.set_password(by, name, _new_password(new_file, name))
    return {"ok": True}, [f"已修改{name}的口令" if own else f"已重设{name}的口令，本人首次使用须修改"]


@_verb(
    "登记本人的动态口令验证器：先取得种子，再用--confirm给出它显示的动态口令",
    click.option("--confirm", "code", default="", help="新验证器现在显示的动态口令；从此生效"),
    click.option("--remove", "reason", default="", help="安全管理员撤销遗失的验证器，给出理由"),
    name="totp",
)
def totp_command(desk: SecurityDesk, credentials: Credentials, name: str, code: str, reason: str) -> Told:
    if reason:
        desk.people.forget_factor(_administrator(desk, credentials), name, "totp", reason)
        return {"ok": True}, [f"已撤销{name}的动态口令"]
    credentials.owner(desk, name)
    if code:
        desk.people.confirm_totp(name, code)
        return {"ok": True}, [f"{name}的动态口令已生效"]
    seed = desk.people.begin_totp(name)
    uri, text = totp.seed_uri(seed, name, f"两定网关 {desk.config.node.name}"), totp.seed_text(seed)
    lines = [f"种子（只显示这一次，请录入验证器）：{text}", uri, "录入后用--confirm给出验证器显示的6位数字，即生效"]
    return {"ok": True, "seed": text, "uri": uri}, lines


@_verb(
    "登记本人的证书作第二因素：--bind证书，--bind-key它的私钥（只用来签名证明，不保存）",
    click.option("--bind", "pem", type=_FILE, help="要登记的证书（PEM）"),
    click.option("--bind-key", "key", type=_FILE, help="其私钥（PEM，权限0600）"),
    click.option("--remove", "reason", default="", help="安全管理员撤销遗失的证书，给出理由"),
)
def certificate(
    desk: SecurityDesk, credentials: Credentials, name: str, pem: Path | None, key: Path | None, reason: str
) -> Told:
    if reason:
        desk.people.forget_factor(_administrator(desk, credentials), name, "certificate", reason)
        return {"ok": True}, [f"已撤销{name}的证书"]
    if pem is None or key is None:
        raise NotAllowed("SEC-CERTIFICATE", "须用--bind给出证书，用--bind-key给出其私钥")
    credentials.owner(desk, name)
    try:
        found = desk.people.bind_certificate(name, name, keyed(pem_of(pem), read_private(key)))
    except ProofError as cause:
        raise NotAllowed("SEC-CERTIFICATE", str(cause)) from cause
    return {"ok": True, "certificate": found}, [f"已登记{name}的证书，SHA-256 {found}"]


def _not_first() -> NotAllowed:
    return NotAllowed("SEC-BOOTSTRAP", "第一个用户只能是安全管理员（--role security），由他建立其他用户")


def _new_password(file: Path | None, name: str) -> str:
    return password_of(file, f"{name}的新口令：", "--new-password-file")


def _row(desk: SecurityDesk, account: Account) -> dict[str, Any]:
    now_ms, unlocks = desk.people.now_ms(), desk.people.unlocks_ms(account.name)
    overdue = account.overdue(now_ms, desk.people.policy)
    notes = [
        text
        for holds, text in (
            (account.locked, "已锁定"),
            (unlocks > 0, f"失败过多，{_time(unlocks)}前不能登录"),
            (account.must_change, "须修改初始口令"),
            (overdue and not account.must_change, "口令已过期"),
            (not account.second_factor, "没有第二因素"),
            (account.unconfirmed, f"经{'、'.join(account.hands)}之手，待另一名管理员确认"),
            (account.founder, f"由{'、'.join(account.hands)}一人建立的第二个人，没有第三人确认"),
            (account.login_ms == 0, "从未登录"),
        )
        if holds
    ]
    return {
        "name": account.name, "roles": list(account.roles), "titles": [desk.roles.title(one) for one in account.roles],
        "totp": bool(account.seed), "certificate": account.certificate, "locked": account.locked,
        "hands": list(account.hands), "unconfirmed": account.unconfirmed, "founder": account.founder,
        "locked_until": _time(unlocks) if unlocks else "", "must_change": account.must_change, "overdue": overdue,
        "login_at": _time(account.login_ms) if account.login_ms else "", "notes": notes,
    }  # fmt: skip


def _time(at_ms: int) -> str:
    return shanghai(at_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")


def _day(at_ms: int) -> str:
    return _time(at_ms)[:10]
