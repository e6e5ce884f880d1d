"""The security desk: who acts, what two people agreed on, and the trail, opened together for any room.

    with security_desk(config, outside.now, outside.entropy) as desk:
        person = desk.authenticate("zhang", password, totp="123456")
        desk.allow(person, "books.run")
        desk.approvals.propose(person, "books.freeze", "care:*:2026-11-21", content, reason)
        desk.trail.record(person.name, "books.run", "care:2026-11-21", after="sm3…")

Blocking (SQLite, scrypt): not on the reactor's thread. A desk belongs to the thread that opened it; several may be open
at once, in one process or many. What is done is durable, with its row of the trail, when the call returns; at the end
the trail is signed.
"""

import getpass
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

import attrs

import schemas
from adapters.crypto.keyfile import KeyFileError
from adapters.crypto.possession import KeyedCertificate
from adapters.crypto.sm2 import Sm2Signer
from adapters.files import checkpoints
from adapters.store.security import SecurityStore
from adapters.store.security_opening import opened
from gateway.app.config import Config
from gateway.app.security_approvals import ApprovalDesk
from gateway.app.security_people import People
from gateway.app.security_room import SCRIPTS, room_is_there
from gateway.app.security_trail import ChainedTrail, SecurityBox, check_outside, check_writable
from gateway.app.signing_keys import signer_in_force
from gateway.core.approval import Approvals, NoSecurityRoom, NotAllowed, Person, Signer, Trail, TrailFailed
from gateway.core.oswords import words_of
from gateway.security.accounts import Factors, Policy, check_session
from gateway.security.approving import Limits
from gateway.security.changing import KIND as ROLE_CHANGE
from gateway.security.roles import Roles, read_roles

_HOUR_MS = 3_600_000


@cache
def the_roles() -> Roles:
    """Return the delivered roles. Raises RolesError."""
    return read_roles((schemas.ROOT / "security" / "roles.toml").read_bytes())


@attrs.frozen(kw_only=True)
class SecurityDesk:
    """What other rooms use: `authenticate`, `allow`, `approvals`, `trail`, `signer`."""

    config: Config
    store: SecurityStore
    roles: Roles
    people: People
    approvals: ApprovalDesk
    trail: ChainedTrail

    @property
    def signer(self) -> Signer:
        """What signs for the operating party now."""
        return self.trail.in_force()

    def authenticate(
        self, name: str, password: str, *, totp: str = "", certificate: KeyedCertificate | None = None,
        factors: Factors = "two",
    ) -> Person:  # fmt: skip
        """Return who this is, proved by password and second factor: a one-time code, or a certificate with its key.

        factors: `one` suffices for looking. Raises NotAllowed (recorded; SEC-LOGIN whatever was wrong), TrailFailed.
        """
        return self.people.authenticate(name, password, code=totp, certificate=certificate, factors=factors)

    def allow(self, person: Person, right: str) -> None:
        """Note that a person uses a right (schemas/security/roles.toml); raise NotAllowed, recorded, without it. What
        does more than look needs a session of two factors."""
        try:
            if not right.endswith(".view"):
                check_session(person)
            roles = self.roles.permit(person, right)
        except NotAllowed as cause:
            self.trail.record(person.name, "right.refused", right, result=cause.code)
            raise
        with self.trail.writing():
            self.people.acted(person.name, roles)

    def checkpoint(self) -> None:
        """Sign what of the trail is not signed yet. Raises TrailFailed."""
        self.trail.checkpoint()


@contextmanager
def security_desk(
    config: Config, now: Callable[[], float], entropy: Callable[[int], bytes], source: str = "", *,
    make: bool = False,
) -> Iterator[SecurityDesk]:  # fmt: skip
    """Open the desk. now: wall clock in seconds; entropy(n): n random bytes; source: from where people act, the
    machine and system account when empty; make: the room and its keys where there are none, for whoever begins (the
    first user, a node). Raises TrailFailed, NoSecurityRoom, KeyFileError, SelfTestError."""

    def now_ms() -> int:
        return int(now() * 1000)

    settings = config.security
    if not room_is_there(config) and not make:
        raise NoSecurityRoom(config.room("security"), config.file)
    with opened(config.room("security"), SCRIPTS, lambda: entropy(16).hex()) as store:
        box = SecurityBox.open(config, entropy, store)
        signer = signer_in_force(config, store, entropy, fresh=_nothing_signed(config, store))
        check_outside(store, config.checkpoint_file)
        check_writable(config.checkpoint_file)
        trail = ChainedTrail(
            store=store, box=box, signer=signer, outside=config.checkpoint_file, now_ms=now_ms,
            source=source or _here(), request=entropy(8).hex(), entries_max=settings.checkpoint_entries,
            age_max_ms=int(settings.checkpoint_s * 1000),
            renewed=lambda: signer_in_force(config, store, entropy, fresh=False),
        )  # fmt: skip
        policy = Policy(
            password_days=settings.password_days, history=settings.password_history,
            failures_max=settings.failures_max, lock_ms=int(settings.lock_s * 1000),
        )  # fmt: skip
        roles = the_roles()
        people = People(
            store=store, box=box, trail=trail, roles=roles, policy=policy, now_ms=now_ms, entropy=entropy,
            config_file=config.file,
        )  # fmt: skip
        trail.roles_of = people.roles_of
        approvals = ApprovalDesk(
            store=store, box=box, trail=trail, people=people, roles=roles, now_ms=now_ms,
            limits=Limits(decide_ms=int(settings.decide_h * _HOUR_MS), use_ms=int(settings.use_h * _HOUR_MS)),
            judges={ROLE_CHANGE: people.judge_roles},
        )  # fmt: skip
        desk = SecurityDesk(
            config=config, store=store, roles=roles, people=people, approvals=approvals, trail=trail
        )  # fmt: skip
        try:
            yield desk
        except BaseException:
            with suppress(TrailFailed):  # a refusal's row is signed too; what was raised is what is told
                trail.checkpoint()
            raise
        trail.checkpoint()


def _nothing_signed(config: Config, store: SecurityStore) -> bool:
    try:
        return not store.checkpoints(1) and checkpoints.newest(config.checkpoint_file) is None
    except OSError as cause:
        raise TrailFailed(f"审计检查点文件不能使用：{config.checkpoint_file}（{words_of(cause)}）") from cause


def _here() -> str:
    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = "unknown"
    return f"{account}@{socket.gethostname()}"


if TYPE_CHECKING:  # what other rooms rely on
    _PORTS: tuple[type[Approvals], type[Trail], type[Signer]] = ApprovalDesk, ChainedTrail, Sm2Signer

__all__ = ["KeyFileError", "SecurityDesk", "security_desk", "the_roles"]
