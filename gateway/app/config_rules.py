"""What the values of a configuration mean together; every line is one thing wrong: `path: sentence` (contract §3)."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import schemas
from gateway.app.config import Config, InstitutionConfig, Platform


def meaning(config: Config) -> Iterator[str]:
    if not config.store.url.startswith("sqlite:") or len(config.store.url) <= len("sqlite:"):
        yield "$.store.url: 目前只支持sqlite:文件路径"
    if not 0 <= config.store.archive_days <= 30:
        yield "$.store.archive_days: 应为0到30"
    for label in ("name", "data_dir"):
        if not getattr(config.node, label):
            yield f"$.node.{label}: 不能为空"
    yield from _tls(config)
    for index, text in enumerate(config.institution_endpoints):
        yield from _endpoint(config, text, f"$.listen.institutions[{index}]", plain_loopback_only=True)
    if config.listen.feedback:
        yield from _endpoint(config, config.listen.feedback, "$.listen.feedback", plain_loopback_only=True)
    if config.listen.admin:
        yield from _endpoint(config, config.listen.admin, "$.listen.admin", plain_loopback_only=False)
    for name, link in config.platform.items():
        yield from _link(config, name, link)
    yield from _institutions(config)


def _tls(config: Config) -> Iterator[str]:
    for label in ("certificate_file", "key_file", "client_ca_file", "crl_file") if config.tls is not None else ():
        file = getattr(config.tls, label)
        if file and not config.path(file).is_file():
            yield f"$.tls.{label}: 文件不存在：{file}"


def _endpoint(config: Config, text: str, path: str, plain_loopback_only: bool) -> Iterator[str]:
    kind, _, rest = text.partition(":")
    if kind == "ssl":
        yield f"{path}: ssl:端点不能要求客户端证书，请使用tls:端口:interface=地址"
        return
    if kind not in ("tcp", "tls"):
        yield f"{path}: 应为tcp:端口:interface=地址或tls:端口:interface=地址"
        return
    interface = rest.replace("\\:", ":").partition("interface=")[2]
    try:
        loopback = ip_address(interface).is_loopback
    except ValueError:
        yield f"{path}: 缺少interface=IP地址"
        return
    port = rest.partition(":")[0]
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        yield f"{path}: 端口应为0到65535的数字"
    if kind == "tls" and config.tls is None:
        yield f"{path}: tls:监听需要[tls]配置"
    if kind == "tcp" and plain_loopback_only and not loopback:
        yield f"{path}: 明文监听只允许在本机回环地址，其他地址请使用tls:"


def _link(config: Config, name: str, link: Platform) -> Iterator[str]:
    path = f"$.platform.{name}"
    parts = urlsplit(link.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield f"{path}.url: 平台地址必须以http://或https://开头"
    if parts.scheme == "https" and link.tls is None:
        yield f"{path}.tls: https地址需要tls配置（ca_file）"
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
    if link.resolve not in ("", "Q1", "Q2", "Q3", "Q4", "Q5"):
        yield f"{path}.resolve: 应为Q1至Q5"
    if not link.reversal_schedule_s or min(link.reversal_schedule_s) < 0:
        yield f"{path}.reversal_schedule_s: 不能为空，不能为负"
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
        if one.regime != "national":
            yield f"{path}.regime: 本版本只支持national；local（沿用原编码结算）由后续版本提供"
        if one.dialect != "national":
            yield f"{path}.dialect: 未知的接口方言{one.dialect}"
        if one.rate_per_s <= 0 or one.connections_max <= 0:
            yield f"{path}: rate_per_s和connections_max应大于0"


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
