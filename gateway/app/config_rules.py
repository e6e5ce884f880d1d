"""What the values of a configuration mean together; every line is one thing wrong: `path: sentence` (contract §3)."""

from collections.abc import Iterator
from ipaddress import ip_network
from math import isfinite
from typing import Any

import schemas
from adapters.transport.addresses import AddressError, ListenAddress, read_link, read_listen
from gateway.app.config import Config, InstitutionConfig, LinkTls, Platform, Tls
from gateway.app.config_books import books_meaning
from gateway.app.config_codes import codes_meaning
from gateway.app.config_lists import lists_meaning
from gateway.app.config_province import province_meaning
from gateway.app.config_security import security_meaning
from gateway.app.duties_config import duties_problems

DAY_S = 86400.0


def endless(value: Any, path: str) -> Iterator[str]:
    """Yield where TOML's nan or inf stands: no limit and no delay is one, and no comparison finds nan."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from endless(one, f"{path}.{name}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from endless(one, f"{path}[{index}]")
    elif isinstance(value, float) and not isfinite(value):
        yield f"{path}: 应为有限的数"


def meaning(config: Config) -> Iterator[str]:
    if not config.store.url.startswith("sqlite:") or len(config.store.url) <= len("sqlite:"):
        yield "$.store.url: 目前只支持sqlite:文件路径"
    if not 0 <= config.store.archive_days <= 30:
        yield "$.store.archive_days: 应为0到30"
    for label in ("name", "data_dir"):
        if not getattr(config.node, label):
            yield f"$.node.{label}: 不能为空"
    yield from _tls(config)
    yield from _listeners(config)
    for name, link in config.platform.items():
        yield from _link(config, name, link)
    yield from _institutions(config)
    yield from codes_meaning(config)
    yield from lists_meaning(config)
    yield from security_meaning(config)
    yield from books_meaning(config.books)
    yield from _consents(config)
    yield from province_meaning(config, _files)
    yield from duties_problems(config.duties)


def _consents(config: Config) -> Iterator[str]:
    if config.books.agency_consent_key_file or any(one.consent_key_file for one in config.institution):
        from gateway.app.consent_keys import consent_keys_meaning  # SM2 is loaded by those who use it

        yield from consent_keys_meaning(config)


def _tls(config: Config) -> Iterator[str]:
    if config.tls is not None:
        yield from _files(config, "$.tls", config.tls, required=("certificate_file", "key_file"))


def _files(config: Config, path: str, table: Tls | LinkTls, required: tuple[str, ...]) -> Iterator[str]:
    """Yield the files of a TLS table that are not there."""
    for label in (name for name in table.__struct_fields__ if name.endswith("_file")):
        file = getattr(table, label)
        if not file and label in required:
            yield f"{path}.{label}: 不能为空"
        if file and not config.path(file).is_file():
            yield f"{path}.{label}: 文件不存在：{file}"


def _listeners(config: Config) -> Iterator[str]:
    listen = config.listen
    texts = {f"$.listen.institutions[{index}]": text for index, text in enumerate(config.institution_endpoints)}
    texts |= {f"$.listen.{name}": getattr(listen, name) for name in ("feedback", "admin") if getattr(listen, name)}
    opened: dict[str, ListenAddress] = {}
    for path, text in texts.items():
        try:
            address = read_listen(text)
        except AddressError as cause:
            yield f"{path}: {cause}"
            continue
        if address.secure and config.tls is None:
            yield f"{path}: tls:监听需要[tls]配置"
        if not address.secure and not address.loopback and path != "$.listen.admin":
            yield f"{path}: 明文监听只允许在本机回环地址，其他地址请使用tls:"
        for other, taken in opened.items():
            if address.collides(taken):
                yield f"{path}: 与{other}占用同一地址和端口"
        opened[path] = address


def _link(config: Config, name: str, link: Platform) -> Iterator[str]:
    path = f"$.platform.{name}"
    try:
        secure = read_link(link.url).secure
    except AddressError as cause:
        secure = False
        yield f"{path}.url: {cause}"
    if secure and link.tls is None:
        yield f"{path}.tls: https地址需要tls配置（ca_file）"
    if link.tls is not None:
        yield from _files(config, f"{path}.tls", link.tls, required=("ca_file",))
        if bool(link.tls.certificate_file) != bool(link.tls.key_file):
            yield f"{path}.tls: certificate_file和key_file必须同时配置"
    if not (schemas.ROOT / "regions" / f"{link.region}.toml").is_file():
        yield f"{path}.region: 没有名为{link.region}的区域"
    yield from _signing(config, path, link)
    yield from _numbers(path, link)


def _signing(config: Config, path: str, link: Platform) -> Iterator[str]:
    signing = link.signing
    if signing is not None:
        if signing.profile == "tif" and not (signing.paasid and signing.secret_file):
            yield f"{path}.signing: tif签名需要paasid和secret_file"
        if signing.profile == "csb" and not (signing.access_key and signing.secret_file):
            yield f"{path}.signing: csb签名需要access_key和secret_file"
        if signing.secret_file and not config.path(signing.secret_file).is_file():
            yield f"{path}.signing.secret_file: 文件不存在：{signing.secret_file}"


def _numbers(path: str, link: Platform) -> Iterator[str]:
    for label in ("timeout_s", "connections_max"):
        if not getattr(link, label) > 0:
            yield f"{path}.{label}: 应大于0"
    if link.breaker.failures < 1 or link.breaker.open_s <= 0:
        yield f"{path}.breaker: failures至少为1，open_s应大于0"
    if link.resolve not in ("", "Q1", "Q2", "Q3", "Q4"):
        yield f"{path}.resolve: 应为Q1、Q2、Q3或Q4（Q5在转人工之前自动使用）"
    if link.status is not None:
        yield from (f"{path}.status{fault}" for fault in link.status.faults())
    if not link.reversal_schedule_s or not all(0 <= step <= DAY_S for step in link.reversal_schedule_s):
        yield f"{path}.reversal_schedule_s: 不能为空，每步应在0到86400秒之间"
    if link.quiesce_s is not None and not 0 < link.quiesce_s <= DAY_S:
        yield f"{path}.quiesce_s: 应大于0，不超过86400"
    if link.reversal_attempts_alarm < 1:
        yield f"{path}.reversal_attempts_alarm: 至少为1"
    if link.late_window_s < 0:
        yield f"{path}.late_window_s: 不能为负"


def _institutions(config: Config) -> Iterator[str]:
    seen: set[str] = set()
    for index, one in enumerate(config.institution):
        path = f"$.institution[{index}]"
        if one.fixmedins_code in seen:
            yield f"{path}.fixmedins_code: 重复的机构编号{one.fixmedins_code}"
        seen.add(one.fixmedins_code)
        yield from _sources(path, one)
        if config.platform and one.link not in config.platform:
            yield f"{path}.link: 没有名为{one.link}的平台链路"
        if not one.fixmedins_code:
            yield f"{path}.fixmedins_code: 不能为空"
        yield from _regime(config, path, one)
        if one.dialect != "national":
            yield f"{path}.dialect: 未知的接口方言{one.dialect}"
        if one.rate_per_s <= 0 or one.connections_max <= 0:
            yield f"{path}: rate_per_s和connections_max应大于0"


def _regime(config: Config, path: str, one: InstitutionConfig) -> Iterator[str]:
    if one.regime == "national" and (one.remote_link or one.areas):
        yield f'{path}: remote_link和areas只用于regime = "local"（沿用原编码结算）'
    if one.remote_link and config.platform and one.remote_link not in config.platform:
        yield f"{path}.remote_link: 没有名为{one.remote_link}的平台链路"
    for text in one.areas:
        if not (text.isascii() and text.isdigit() and 2 <= len(text) <= 6):
            yield f"{path}.areas: 应为2至6位行政区划代码的开头：{text}"


def _sources(path: str, one: InstitutionConfig) -> Iterator[str]:
    for text in one.allow_from:
        try:
            ip_network(text)
        except ValueError:
            yield f"{path}.allow_from: 不是网段：{text}"
    for text in one.certificate_sha256:
        if len(text) != 64 or any(c not in "0123456789abcdef" for c in text.lower()):
            yield f"{path}.certificate_sha256: 应为64位十六进制：{text}"
    if not one.allow_from and not one.certificate_sha256:
        yield f"{path}: allow_from与certificate_sha256至少配置一项"
