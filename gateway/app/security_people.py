"""People and their proofs: accounts sealed in the store, every change with its row in the trail."""

from collections.abc import Callable
from typing import Any, Literal

import attrs
import msgspec

from adapters.crypto.possession import KeyedCertificate, ProofError, proven
from adapters.crypto.vault import VaultError
from adapters.store.security import SecurityStore
from gateway.app.security_trail import ChainedTrail, SecurityBox
from gateway.core.approval import NotAllowed, Person, Role
from gateway.security import totp
from gateway.security.accounts import (
    Account,
    Attempts,
    Factors,
    Policy,
    check_name,
    confirmed,
    proved,
    session_of,
    with_factor,
    with_password,
    without_factor,
    wrong,
)
from gateway.security.changing import Change, check_change
from gateway.security.contents import read_content
from gateway.security.passwords import SALT_BYTES
from gateway.security.roles import ROLES, Roles

_decode = msgspec.json.Decoder(Account).decode
_replace = msgspec.structs.replace


@attrs.define(eq=False, kw_only=True)
class People:
    """Accounts, and the proof of who somebody is. Whatever is changed is in the trail, or does not happen."""

    store: SecurityStore
    box: SecurityBox
    trail: ChainedTrail
    roles: Roles
    policy: Policy
    now_ms: Callable[[], int]
    entropy: Callable[[int], bytes]
    config_file: str = "CONFIG"  # for what people are told to type

    # Looking

    def load(self, name: str) -> Account | None:
        """Return an account, None when there is none. Raises NotAllowed (SEC-TAMPERED) when it was changed past us."""
        sealed = self.store.account(name)
        return None if sealed is None else self._opened(name, sealed)

    def everybody(self) -> list[Account]:
        """Return all accounts, by name. Raises NotAllowed (SEC-TAMPERED)."""
        return [self._opened(name, sealed) for name, sealed in self.store.accounts()]

    def nobody_yet(self) -> bool:
        """Say whether there is no account at all."""
        return not self.store.accounts()

    def roles_of(self, name: str) -> str:
        """Return the roles of somebody for the trail: sorted, by commas."""
        try:
            account = self.load(name)
        except NotAllowed:
            return "?"  # the row that tells of it must be written all the same
        return "" if account is None else ",".join(sorted(account.roles))

    def unlocks_ms(self, name: str) -> int:
        """Return until when a name is locked after failures; 0 when it is not."""
        until = self.store.attempts(self._attempt(name))[2]
        return until if until > self.now_ms() else 0

    # Proving

    def authenticate(
        self, name: str, password: str, *, code: str = "", certificate: KeyedCertificate | None = None,
        factors: Factors = "two", overdue: bool = False,
    ) -> Person:  # fmt: skip
        """Prove a person; the proof is one session. overdue: the password may be one that has to be changed.

        Raises NotAllowed, recorded; TrailFailed.
        """
        shown, refused = "", None
        if certificate is not None:
            try:
                shown = proven(certificate, self.entropy(32), self.now_ms() / 1000)
            except ProofError as cause:
                refused = NotAllowed("SEC-CERTIFICATE", str(cause))
        person: Person | None = None
        with self.trail.writing():
            try:
                if refused is not None:
                    raise refused
                account = self._proved(name, password, code, shown, factors)
                if account.overdue(self.now_ms(), self.policy) and not overdue:
                    text = f"口令须先由本人修改：liangding security user password {self.config_file} {name}"
                    raise NotAllowed("SEC-PASSWORD-CHANGE", text)
                person = Person(name, frozenset(account.roles), session_of(self.entropy(16).hex(), factors), shown)
                self.roles.compatible(person.roles)
            except NotAllowed as cause:
                person, refused = None, cause
                who = name if self.store.account(name) is not None else "unknown"  # a password may be typed there
                self.trail.note(who, "login.refused", f"session:{self.trail.request}", result=cause.code)
        if person is None:
            assert refused is not None
            raise refused
        return person

    def _proved(self, name: str, password: str, code: str, shown: str, factors: Factors) -> Account:
        key, now_ms = self._attempt(name), self.now_ms()
        attempts = Attempts(*self.store.attempts(key))
        attempts.check(now_ms, self.policy)
        try:
            account = proved(self.load(name), password, code, shown, now_ms, self.policy, factors=factors)
        except NotAllowed as cause:
            if cause.code == wrong().code:
                self.store.put_attempts(key, *msgspec.structs.astuple(attempts.failed(now_ms, self.policy)))
            raise
        self.store.forget_attempts(key)
        factor = "certificate" if shown else "totp" if code else "password"
        self._keep(name, "login", account, reason=factor)
        return account

    def acted(self, name: str, roles: frozenset[Role]) -> None:
        """Note by which roles somebody acted; within a transaction. For the report of unused rights."""
        for role in sorted(roles):
            self.store.put_use(name, role, self.now_ms())

    # Changing. by: who acts; each is one transaction and one row.

    def add(
        self, by: str, name: str, password: str, roles: frozenset[Role] = frozenset(), *, among: int | None = None
    ) -> Account:
        """Add a person with a first password, to be changed at once; among: only when there are exactly so many
        people, 0 or 1: who founds the room, alone. Raises NotAllowed, TrailFailed."""
        check_name(name)
        now_ms = self.now_ms()
        fresh = Account(name=name, created_ms=now_ms, roles={role: now_ms for role in ROLES if role in roles})
        with self.trail.changing(by, "account.add", _subject(name)):
            if self.store.account(name) is not None:
                raise NotAllowed("SEC-NAME", f"已有用户{name}")
            if among is not None and len(self.store.accounts()) != among:
                raise NotAllowed("SEC-BOOTSTRAP", "已有其他用户，不能再这样建立；角色须由两人授予")
            self.roles.compatible(roles)
            account = with_password(fresh, password, self.entropy(SALT_BYTES), now_ms, self.policy, by=by)
            reason = "角色：" + "、".join(map(self.roles.title, account.roles))
            if among == 0:  # nobody else is there who could have a hand in it
                account = _replace(account, password_hands=())
            elif among:
                account, reason = _replace(account, founder=True), f"{reason}；第二个人，由{by}一人建立"
            self._keep(by, "account.add", account, reason=reason)
        return account

    def change_roles(self, by: str, change: Change, reason: str, approval: int) -> bool:
        """Change roles as two people agreed; False when this approval was carried out before. Raises NotAllowed (the
        roles are others by now, or may not come together), TrailFailed."""
        name, now_ms = change.name, self.now_ms()
        with self.trail.changing(by, "account.roles", _subject(name)):
            if self.store.carried_out(_subject(name), approval):
                return False
            account = self._there(name)
            check_change(change, account.roles, "", self.roles)
            after = {role: account.roles.get(role, now_ms) for role in change.after()}
            text = f"{'；'.join(change.summary[1:])}：{reason}"
            self._keep(by, "account.roles", _replace(account, roles=after), reason=text, approval=approval)
        return True

    def judge_roles(self, person: Person, content: bytes) -> None:
        """Raise NotAllowed when a person may not propose or approve this change of roles."""
        change = read_content(Change, content)
        check_change(change, self._there(change.name).roles, person.name, self.roles)

    def lock(self, by: str, name: str, reason: str) -> None:
        """Lock an account until it is unlocked."""
        self._change(by, "account.lock", name, reason, locked=True)

    def unlock(self, by: str, name: str, reason: str) -> None:
        """Unlock an account, also after failures."""
        with self.trail.changing(by, "account.unlock", _subject(name)):
            self.store.forget_attempts(self._attempt(name))
            self._keep(by, "account.unlock", _replace(self._there(name), locked=False), reason=reason)

    def set_password(self, by: str, name: str, password: str) -> None:
        """Set a new password; one that somebody else sets has to be changed at once. Raises NotAllowed."""
        with self.trail.changing(by, "account.password", _subject(name)):
            account = with_password(
                self._there(name), password, self.entropy(SALT_BYTES), self.now_ms(), self.policy, by=by
            )  # fmt: skip
            self._keep(by, "account.password", account)

    def begin_totp(self, name: str) -> bytes:
        """Return a new seed for the owner's authenticator; it counts after `confirm_totp`."""
        seed = self.entropy(totp.SEED_BYTES)
        self._change(name, "account.totp.begin", name, "", next_seed=seed)
        return seed

    def confirm_totp(self, name: str, code: str) -> None:
        """Let a new seed count after its first code. Raises NotAllowed."""
        with self.trail.changing(name, "account.totp", _subject(name)):
            account = self._there(name)
            step = totp.accepted(account.next_seed, code, self.now_ms() / 1000, 0) if account.next_seed else 0
            if not step:
                raise NotAllowed("SEC-TOTP", "动态口令不正确：请核对验证器与本机的时间，或重新登记")
            after = with_factor(account, seed=account.next_seed, next_seed=b"", step=step)
            self._keep(name, "account.totp", after)

    def bind_certificate(self, by: str, name: str, one: KeyedCertificate) -> str:
        """Bind a certificate, whose key is proved, as second factor and return its fingerprint. Raises NotAllowed:
        it is another's, or nothing is proved."""
        try:
            found = proven(one, self.entropy(32), self.now_ms() / 1000)
        except ProofError as cause:
            raise NotAllowed("SEC-CERTIFICATE", str(cause)) from cause
        with self.trail.changing(by, "account.certificate", _subject(name)):
            for other in self.everybody():
                if other.certificate == found and other.name != name:
                    text = f"这张证书已绑定用户{other.name}；一张证书只属于一个人"
                    raise NotAllowed("SEC-CERTIFICATE", text)
            account = with_factor(self._there(name), certificate=found)
            self._keep(by, "account.certificate", account, reason=f"SHA-256 {found[:16]}…")
        return found

    def forget_factor(self, by: str, name: str, factor: Literal["totp", "certificate"], reason: str) -> None:
        """Take a second factor away, for one that was lost."""
        action = f"account.{factor}.remove"
        with self.trail.changing(by, action, _subject(name)):
            self._keep(by, action, without_factor(self._there(name), factor), reason=reason)

    def confirm(self, by: str, name: str, reason: str) -> Account:
        """Note that somebody met the owner of an account and found it in the owner's hands. Raises NotAllowed."""
        with self.trail.changing(by, "account.confirm", _subject(name)):
            account = confirmed(self._there(name), by)
            self._keep(by, "account.confirm", account, reason=reason)
        return account

    # Within

    def _attempt(self, name: str) -> str:
        return self.box.name(b"attempt\0" + name.encode())

    def _there(self, name: str) -> Account:
        account = self.load(name)
        if account is None:
            raise NotAllowed("SEC-NAME", f"没有用户{name}")
        return account

    def _change(self, by: str, action: str, name: str, reason: str, **changes: Any) -> None:
        with self.trail.changing(by, action, _subject(name)):
            self._keep(by, action, _replace(self._there(name), **changes), reason=reason)

    def _keep(self, by: str, action: str, account: Account, *, reason: str = "", approval: int = 0) -> None:
        subject = _subject(account.name)
        sealed = self.box.vault.seal(msgspec.json.encode(account), _bound_to(account.name))
        before, after = self.store.last_after(subject), self._digest(sealed)
        # The row first: it tells the roles of who acts, and between the two an account differs from its row.
        self.trail.note(by, action, subject, before=before, after=after, reason=reason, approval=approval)
        self.store.put_account(account.name, sealed)

    def _digest(self, sealed: bytes) -> str:
        return self.box.name(account_content(sealed))

    def _opened(self, name: str, sealed: bytes) -> Account:
        subject = _subject(name)
        try:
            account = _decode(self.box.vault.open(sealed, _bound_to(name)))
        except (VaultError, msgspec.MsgspecError) as cause:
            raise _tampered(name) from cause
        if self.store.last_after(subject) != self._digest(sealed):  # an old record put back
            raise _tampered(name)
        return account


def _subject(name: str) -> str:
    return f"account:{name}"


def account_content(sealed: bytes) -> bytes:
    """Return what the trail's state of an account is a keyed digest of."""
    return b"account\0" + sealed


def _bound_to(name: str) -> bytes:
    return f"account {name}".encode()


def _tampered(name: str) -> NotAllowed:
    return NotAllowed(
        "SEC-TAMPERED", f"用户{name}的记录与审计记录不符，可能被绕过程序改动；请运行 liangding audit verify"
    )
