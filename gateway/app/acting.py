"""Options by which a person acts on the command line, for any command: who, a password, a second factor.

    @acting
    def command(outside: Outside, config: str, credentials: Credentials) -> None:
        with told(as_json), security_desk(...) as desk:
            person = credentials.person(desk)

No secret stands on the command line: a password comes from a file that only its owner may read, or from a prompt; a
one-time code is worth nothing once it was used.
"""

import functools
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import Any

import attrs
import click

from adapters.crypto.digest import SelfTestError
from adapters.crypto.keyfile import KeyFileError, read_private
from adapters.crypto.possession import KeyedCertificate, ProofError, keyed
from gateway.app.config import Config
from gateway.app.say import FAILED, USAGE, end
from gateway.app.security_desk import SecurityDesk
from gateway.core.approval import NoSecurityRoom, NotAllowed, Person, TrailFailed
from gateway.core.oswords import words_of
from gateway.security.accounts import Factors

_FILE = click.Path(path_type=Path, dir_okay=False)
_PASSWORD_BYTES_MAX = 1024
_CERTIFICATE_BYTES_MAX = 65_536


def command(config: Config, *words: object, who: str) -> str:
    """Return a command of the security room as somebody types it, who to be filled in."""
    group, verb, *rest = map(str, words)
    typed = " ".join(map(shlex.quote, ("liangding", "security", group, verb, config.file, *rest)))
    return f"{typed} --user {who} --totp 动态口令"


def waits(config: Config, number: int) -> str:
    """Return how another person goes on with an approval."""
    return f"第{number}号，{command(config, 'approvals', 'approve', number, who='复核人')}"


class NobodyNamed(NotAllowed):
    """The options do not say who acts, or prove it with half of what it takes: wrong usage (contract §2)."""


@attrs.frozen
class Credentials:
    """What somebody gave to prove who it is; read when it is needed."""

    name: str
    password_file: Path | None
    code: str = attrs.field(repr=False)
    certificate: Path | None
    key: Path | None

    def person(self, desk: SecurityDesk, factors: Factors = "two") -> Person:
        """Return who this is. Raises NotAllowed, KeyFileError, TrailFailed."""
        name, password = self.named(), self.password()
        return desk.authenticate(name, password, totp=self.code, certificate=self.keyed(), factors=factors)

    def owner(self, desk: SecurityDesk, name: str) -> Person:
        """Return the owner of an account, proved for what concerns nobody else: the password may be overdue, and the
        second factor is asked for where there is one. Raises NotAllowed, KeyFileError, TrailFailed."""
        if self.name not in ("", name):
            raise NotAllowed("SEC-RIGHT", f"只能由{name}本人办理")
        password = password_of(self.password_file, f"{name}的口令：", "--password-file")
        return desk.people.authenticate(
            name, password, code=self.code, certificate=self.keyed(), factors="own", overdue=True
        )

    def named(self) -> str:
        """Return the name. Raises NobodyNamed when none was given."""
        if not self.name:
            raise NobodyNamed("SEC-WHO", "须用--user给出用户名")
        return self.name

    def password(self) -> str:
        """Return the password: of the file, or asked for on a terminal. Raises NotAllowed, KeyFileError."""
        return password_of(self.password_file, f"{self.name}的口令：", "--password-file")

    def keyed(self) -> KeyedCertificate | None:
        """Return the certificate with its key, None when none was given. Raises NotAllowed, KeyFileError."""
        if (self.certificate is None) != (self.key is None):
            raise NobodyNamed("SEC-CERTIFICATE", "--certificate和--key须同时给出")
        if self.certificate is None or self.key is None:
            return None
        try:
            return keyed(pem_of(self.certificate), read_private(self.key))
        except ProofError as cause:
            raise NotAllowed("SEC-CERTIFICATE", str(cause)) from cause


def acting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options, and one argument `credentials` in their place."""

    @click.option("--user", "acting_user", default="", help="以哪个用户的身份办理")
    @click.option("--password-file", "acting_password", type=_FILE, help="口令文件（权限0600）；不给时在终端询问")
    @click.option("--totp", "acting_totp", default="", help="第二因素：动态口令")
    @click.option("--certificate", "acting_certificate", type=_FILE, help="第二因素：证书（PEM）")
    @click.option("--key", "acting_key", type=_FILE, help="证书的私钥（PEM，权限0600）")
    @functools.wraps(command)
    def wrapped(
        *args: Any, acting_user: str, acting_password: Path | None, acting_totp: str,
        acting_certificate: Path | None, acting_key: Path | None, **more: Any,
    ) -> Any:  # fmt: skip
        credentials = Credentials(acting_user, acting_password, acting_totp, acting_certificate, acting_key)
        return command(*args, credentials=credentials, **more)

    return wrapped


@contextmanager
def told(as_json: bool, but: type[Exception] | tuple[()] = ()) -> Iterator[None]:
    """Turn what the security room raises into a sentence and an exit code: 1 refused, 2 wrong usage or set-up. but:
    what the caller tells in its own way."""
    try:
        yield
    except but:
        raise
    except NobodyNamed as cause:
        end(USAGE, str(cause), as_json=as_json)
    except NotAllowed as cause:
        end(FAILED, str(cause), as_json=as_json)
    except TrailFailed as cause:
        end(FAILED, f"[SEC-TRAIL] {cause}", as_json=as_json)
    except NoSecurityRoom as cause:
        end(USAGE, str(cause), as_json=as_json)
    except (KeyFileError, SelfTestError) as cause:
        end(USAGE, f"[SEC-KEY] {cause}", as_json=as_json)


def password_of(file: Path | None, prompt: str, option: str) -> str:
    """Return the password in a file (mode 0600; one end of line is cut off), or asked for on a terminal.

    Raises NobodyNamed when there is neither, KeyFileError.
    """
    if file is not None:
        try:
            text = read_private(file, _PASSWORD_BYTES_MAX).decode()
        except UnicodeDecodeError as cause:
            raise KeyFileError(f"口令文件不是UTF-8文本：{file}") from cause
        return text.removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise NobodyNamed("SEC-WHO", f"没有终端可以询问口令，须用{option}给出口令文件")
    return getpass(prompt)


def pem_of(path: Path) -> bytes:
    """Return the bytes of a certificate file. Raises NotAllowed."""
    try:
        with path.open("rb") as file:
            return file.read(_CERTIFICATE_BYTES_MAX)
    except OSError as cause:
        raise NotAllowed("SEC-CERTIFICATE", f"证书文件无法读取：{path}（{words_of(cause)}）") from cause
