"""Two people and more, as tests of any room need them: a configuration, a clock, accounts with their second factors."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.app.config import Config, read_config
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.core.approval import Person, Role
from gateway.security.changing import change_of
from gateway.security.totp import code_at

CONFIG = """[node]
name = "n"
data_dir = "var"
[listen]
institutions = "tcp:8080:interface=127.0.0.1"
[store]
url = "sqlite:var/liangding.sqlite"
[platform.national]
url = "http://127.0.0.1:9000/x"
[[institution]]
fixmedins_code = "H99010300001"
name = "示例医院"
link = "national"
allow_from = ["127.0.0.1/32"]
"""
NOW_S = 1_795_000_000.0  # 2026-11-18 19:06:40 in Shanghai


class Dice:
    """Bytes that look random, the same in every run; given out once."""

    def __init__(self, seed: str = "") -> None:
        self._seed, self._count = seed, 0

    def __call__(self, count: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(f"{self._seed} {self._count}".encode()).digest(count)


class Town:
    """A folder with a configuration, a clock that moves by hand, and what people know."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.move(folder)
        self.file.write_text(CONFIG + more, "utf-8")
        self.now_s = NOW_S
        self.entropy = Dice()
        self.passwords: dict[str, str] = {}
        self.seeds: dict[str, bytes] = {}
        self.approvals = 1_000_000  # no proposal has such numbers

    def move(self, folder: Path) -> None:
        """It lies in another folder now."""
        self.folder, self.file = folder, folder / "liangding.toml"

    @property
    def store(self) -> Path:
        return self.config.room("security")

    @property
    def config(self) -> Config:
        return read_config(self.file)

    @contextmanager
    def desk(self, source: str = "test") -> Iterator[SecurityDesk]:
        with security_desk(self.config, lambda: self.now_s, self.entropy, source, make=True) as desk:
            yield desk

    def add(self, name: str, *roles: Role) -> None:
        """A person who changed the first password and confirmed an authenticator, and whom somebody met."""
        with self.desk() as desk:
            desk.people.add("root", name, "First-Words-4711x", frozenset(roles))
            self.passwords[name] = f"Quiet-Lakes-{len(self.passwords)}-83"
            desk.people.set_password(name, name, self.passwords[name])
            self.seeds[name] = desk.people.begin_totp(name)
            desk.people.confirm_totp(name, code_at(self.seeds[name], self.now_s))
            desk.people.confirm("notary", name, "met in person")
        self.now_s += 60

    def reassign(self, desk: SecurityDesk, name: str, *roles: Role) -> None:
        """Give somebody these roles and no others, as two people's approval does."""
        account = desk.people.load(name)
        held = set(account.roles) if account is not None else set()
        self.approvals += 1
        change = change_of(name, held, set(roles) - held, held - set(roles), desk.roles)
        desk.people.change_roles("zhao", change, "test", self.approvals)

    def code(self, name: str) -> str:
        """The code of now; each is good once, so the clock moves on first."""
        self.now_s += 30
        return code_at(self.seeds[name], self.now_s)

    def person(self, desk: SecurityDesk, name: str) -> Person:
        """A new session of somebody."""
        return desk.authenticate(name, self.passwords[name], totp=self.code(name))
