"""A person's account and what may happen to it: proving who one is, failing to, changing a password. Pure.

A record is replaced, never changed. Failures are kept beside it, by name, whether there is such a person or not:
nobody learns from a refusal which names exist (security.md §4).
"""

import re
from typing import Any, Literal

import attrs
import msgspec

from gateway.core.approval import NotAllowed, Person, Role
from gateway.security import passwords, totp

NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}", re.ASCII)
Factors = Literal["two", "own", "one"]
# A session that was proved by less than two factors: it looks, and does nothing.
LOOKING = "look-"
_DAY_MS = 86_400_000


@attrs.frozen(kw_only=True)
class Policy:
    """The numbers of security.md §4."""

    password_days: int = 90
    history: int = 5
    failures_max: int = 5
    lock_ms: int = 30 * 60_000
    delay_ms: int = 1000  # after the first failure; doubled by each further one


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One person. roles: role -> when it was granted (ms); passwords: kept hashes, the one in force first; seed: of the
    authenticator, and next_seed one that is not confirmed yet; step: the last one-time code that was used;
    certificate: SHA-256 of its DER; *_hands: who besides the owner may know the password, or hold a second factor;
    founder: the second person of all, whom the first one made alone (docs/decisions/0012)."""

    name: str
    created_ms: int
    roles: dict[Role, int] = {}
    passwords: tuple[str, ...] = ()
    password_ms: int = 0
    must_change: bool = True
    seed: bytes = b""
    next_seed: bytes = b""
    step: int = 0
    certificate: str = ""
    locked: bool = False
    login_ms: int = 0
    password_hands: tuple[str, ...] = ()
    factor_hands: tuple[str, ...] = ()
    founder: bool = False

    @property
    def hands(self) -> tuple[str, ...]:
        """Who else could prove to be this person: password and second factor both went through their hands."""
        if not self.second_factor:
            return self.password_hands
        return tuple(name for name in self.password_hands if name in self.factor_hands)

    @property
    def unconfirmed(self) -> bool:
        """Whether nobody but such a person vouches that the account is its owner's: then it does not act."""
        return bool(self.hands) and not self.founder

    @property
    def second_factor(self) -> bool:
        """Whether there is a second factor at all."""
        return bool(self.seed or self.certificate)

    def overdue(self, now_ms: int, policy: Policy) -> bool:
        """Say whether the password has to be changed before anything else."""
        return self.must_change or now_ms - self.password_ms > policy.password_days * _DAY_MS


class Attempts(msgspec.Struct, frozen=True):
    """Failures under one name since the last success."""

    failures: int = 0
    failed_ms: int = 0
    locked_until_ms: int = 0

    def check(self, now_ms: int, policy: Policy) -> None:
        """Raise NotAllowed while nothing may be tried under this name. What is tried too early is not looked at."""
        if now_ms < self.locked_until_ms:
            minutes = -(-(self.locked_until_ms - now_ms) // 60_000)
            raise NotAllowed("SEC-LOCKED", f"失败次数过多，{minutes}分钟后再试，或请安全管理员解锁")
        if self.failures and 0 <= now_ms - self.failed_ms < policy.delay_ms << (self.failures - 1):
            raise NotAllowed("SEC-WAIT", "刚才失败过，请稍候几秒再试")

    def failed(self, now_ms: int, policy: Policy) -> "Attempts":
        """Return what there is after one more failure."""
        failures = self.failures + 1
        if failures >= policy.failures_max:
            return Attempts(failed_ms=now_ms, locked_until_ms=now_ms + policy.lock_ms)
        return Attempts(failures=failures, failed_ms=now_ms)


def wrong() -> NotAllowed:
    """Return the one refusal for every way of being wrong."""
    return NotAllowed("SEC-LOGIN", "用户名、口令或第二因素不正确")


def proved(
    account: Account | None, password: str, code: str, certificate: str, now_ms: int, policy: Policy, *,
    factors: Factors = "two",
) -> Account:  # fmt: skip
    """Return the account after its owner proved it; raise NotAllowed, the same for every way of being wrong.

    code: one-time code, or ''; certificate: SHA-256 of one whose key was proved, or ''. factors: `own` for what an
    owner must do before there is a second factor (one that is there is asked for), `one` for looking.
    """
    kept = account.passwords[0] if account is not None and account.passwords else passwords.NOBODY
    right = passwords.matches(password, kept)  # always computed: an unknown name takes as long
    if account is None or not right or account.locked:
        raise wrong()
    step = account.step
    if code:
        step = totp.accepted(account.seed, code, now_ms / 1000, step) if account.seed else 0
        if not step:
            raise wrong()
    if certificate and certificate != account.certificate:
        raise wrong()
    if factors != "one" and account.second_factor and not code and not certificate:
        raise wrong()
    if factors == "two" and not account.second_factor:
        raise NotAllowed("SEC-SECOND-FACTOR", "还没有第二因素：先登记动态口令或证书（security user totp|certificate）")
    if factors == "two":
        check_confirmed(account)
    return msgspec.structs.replace(account, step=step, login_ms=now_ms)


def check_confirmed(account: Account) -> None:
    """Raise NotAllowed (SEC-UNCONFIRMED) while somebody else could be acting in this person's name."""
    if account.unconfirmed:
        hands = "、".join(account.hands)
        text = f"{account.name}的口令和第二因素都经{hands}之手，须由另一名安全管理员或系统管理员当面核对本人后确认"
        raise NotAllowed("SEC-UNCONFIRMED", f"{text}（security user confirm）；此前只能查看和办理本人的口令、第二因素")


def confirmed(account: Account, by: str) -> Account:
    """Return the account after somebody who had no hand in it vouched for its owner. Raises NotAllowed
    (SEC-CONFIRM)."""
    if by == account.name or by in account.hands:
        text = f"{by}不能确认{account.name}：须由没有经手过其口令和第二因素的另一名安全管理员或系统管理员确认"
        raise NotAllowed("SEC-CONFIRM", text)
    if account.must_change or not account.second_factor:
        raise NotAllowed("SEC-CONFIRM", f"{account.name}还没有启用：先由本人修改口令、登记第二因素，再当面核对")
    if not account.hands:
        raise NotAllowed("SEC-CONFIRM", f"{account.name}的口令和第二因素不在他人手里，无须确认")
    return msgspec.structs.replace(account, password_hands=(), factor_hands=(), founder=False)


def with_password(
    account: Account, password: str, salt: bytes, now_ms: int, policy: Policy, *, by: str
) -> Account:  # fmt: skip
    """Return the account with a new password; one that somebody else sets is to be changed at once.

    An owner who proves a second factor for it shuts out who knew the old one and does not hold that factor. Raises
    NotAllowed (SEC-PASSWORD) with everything wrong with it.
    """
    faults = passwords.faults(password, account.name)
    if not faults and passwords.used_before(password, account.passwords[: policy.history]):
        faults = [f"不得与最近{policy.history}次用过的口令相同"]
    if faults:
        raise NotAllowed("SEC-PASSWORD", f"口令不合要求：{'；'.join(faults)}")
    kept, own = (passwords.hashed(password, salt), *account.passwords)[: max(policy.history, 1)], by == account.name
    return msgspec.structs.replace(
        account, passwords=kept, password_ms=now_ms, must_change=not own,
        password_hands=account.hands if own else (by,), founder=account.founder and own,
    )  # fmt: skip


def with_factor(account: Account, **factor: Any) -> Account:
    """Return the account with a new second factor: who could register it has it. One beside another, or in its place,
    was asked for by that other."""
    hands = account.factor_hands if account.second_factor else account.password_hands
    return msgspec.structs.replace(account, factor_hands=hands, **factor)


def without_factor(account: Account, factor: Literal["totp", "certificate"]) -> Account:
    """Return the account without a second factor that was lost."""
    gone: dict[str, Any] = {"certificate": ""} if factor == "certificate" else {"seed": b"", "next_seed": b""}
    return msgspec.structs.replace(account, founder=False, **gone)


def session_of(number: str, factors: Factors) -> str:
    """Return the name of a session, which tells how it was proved."""
    return number if factors == "two" else LOOKING + number


def check_session(person: Person) -> None:
    """Raise NotAllowed when a session was proved by too little to act."""
    if person.session.startswith(LOOKING):
        raise NotAllowed("SEC-SECOND-FACTOR", "这项操作须用第二因素登录（动态口令或证书）")


def check_name(name: str) -> None:
    """Raise NotAllowed when a name is none: names are one way to write each person."""
    if not NAME.fullmatch(name):
        raise NotAllowed("SEC-NAME", "用户名应为2至32个小写字母、数字或._-，以字母开头")
