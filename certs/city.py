"""The throw-away PKI of a small city: who gets a certificate, and how the files are laid out (annex X36)."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import attrs

from certs.authority import DAY_S, Issued, issue, make_authority, revocation_list

INSTITUTIONS = ("H51080200001", "H51080200002", "P51080200101", "P51080200102", "P51080200103")
PARTIES = (("gateway", "网关"), ("platform", "医保平台"), ("province", "省平台"), ("operator", "运维人员"))

_CODE = re.compile(r"[HP][0-9]{11}").fullmatch
_PERSON = re.compile(r"[a-z][a-z0-9._-]{1,31}").fullmatch  # as the security room names people
_AUTHORITY_DAYS, _CERTIFICATE_DAYS = 3650, 825
_SLACK_S = DAY_S  # certificates begin a day ago: machines of one test need not agree on the hour


class CityError(Exception):
    """The PKI cannot be made as asked: a bad institution code, or files already stand there. The text is Chinese."""


@attrs.frozen(kw_only=True)
class Made:
    """One certificate that was written: `name`.pem and `name`.key. purpose is Chinese, for people."""

    name: str
    purpose: str
    issued: Issued


def make_city(
    folder: Path, institutions: Sequence[str], now_s: float, *, replace: bool = False, persons: Sequence[str] = ()
) -> tuple[Made, ...]:
    """Write the city's PKI into folder and return what was made, authority first.

    Files: ca.pem, ca.key, crl.pem, foreign-ca.pem, and NAME.pem, NAME.key (mode 0600) for gateway, platform,
    province, operator, each institution, each person (a second factor), expired, revoked and foreign. now_s: seconds
    since the epoch. Raises CityError, with nothing written, for a code that is not H or P and 11 digits, an odd name of
    a person, anything given twice, or a folder that already holds an authority (unless replace); OSError when the
    folder cannot be written.
    """
    _check(folder, institutions, replace)
    _check_persons(persons)
    begin_s, end_s = now_s - _SLACK_S, now_s + _CERTIFICATE_DAYS * DAY_S
    authority_end_s = now_s + _AUTHORITY_DAYS * DAY_S
    authority = make_authority("两定网关测试根", begin_s - DAY_S * 60, authority_end_s)
    stranger = make_authority("外部测试根", begin_s, authority_end_s)

    made = [Made(name="ca", purpose="测试根证书", issued=authority)]
    people = [*PARTIES, *((code, "定点医院" if code[0] == "H" else "定点药店") for code in institutions)]
    people += [(name, "工作人员（第二因素）") for name in persons]
    made += [Made(name=name, purpose=text, issued=issue(authority, name, begin_s, end_s)) for name, text in people]
    expired = issue(authority, "expired", now_s - 31 * DAY_S, now_s - DAY_S)
    revoked = issue(authority, "revoked", begin_s, end_s)
    # It bears the first institution's name on purpose: a name proves nothing, the issuer and the digest do.
    foreign = issue(stranger, institutions[0] if institutions else "foreign", begin_s, end_s)
    made += [
        Made(name="expired", purpose="已过期（测试用）", issued=expired),
        Made(name="revoked", purpose="已吊销（测试用）", issued=revoked),
        Made(name="foreign", purpose="非本根签发（测试用）", issued=foreign),
    ]

    folder.mkdir(parents=True, exist_ok=True)
    for one in made:
        _write(folder / f"{one.name}.pem", one.issued.certificate_pem, 0o644)
        _write(folder / f"{one.name}.key", one.issued.key_pem, 0o600)
    _write(folder / "foreign-ca.pem", stranger.certificate_pem, 0o644)
    _write(folder / "crl.pem", revocation_list(authority, [revoked], now_s, end_s), 0o644)
    return tuple(made)


def _check_persons(persons: Sequence[str]) -> None:
    taken = {name for name, _ in PARTIES} | {"ca", "crl", "foreign", "foreign-ca", "expired", "revoked"}
    for name in persons:
        if not _PERSON(name) or name in taken:
            raise CityError(f"不能作人员名：{name}（2至32个小写字母、数字或._-，以字母开头，不与其他证书同名）")
        taken.add(name)


def _check(folder: Path, institutions: Sequence[str], replace: bool) -> None:
    for code in institutions:
        if not _CODE(code):
            raise CityError(f"定点医药机构编号应为H或P加11位数字：{code!r}")
    if len(set(institutions)) != len(institutions):
        raise CityError("定点医药机构编号重复")
    if not replace and ((folder / "ca.pem").exists() or (folder / "ca.key").exists()):
        raise CityError(f"{folder} 中已有证书，未改动；确需重做请加 --force")


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a new file with the mode from its first byte on, never through a link that stands there."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, mode)  # whatever the umask says
        file.write(content)
