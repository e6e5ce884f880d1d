"""The one TOML file -> one frozen `Config`; everything wrong with it is said at once, with its path (contract §3).

Numbers have a unit in their name, a default and a reason here. Secrets are paths to files. Relative paths are relative
to the configuration file (annex X3).
"""

import tomllib
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec


class ConfigError(Exception):
    """The configuration is wrong. The operator's fault; exit 2. problems: `path: sentence`, Chinese."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    data_dir: str


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    institutions: str | list[str]
    feedback: str = ""
    admin: str = ""


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    certificate_file: str
    key_file: str
    client_ca_file: str = ""
    crl_file: str = ""
    min_version: Literal["1.2", "1.3"] = "1.2"


class StoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: str
    key_file: str = ""
    cipher: Literal["aes-256-gcm", "sm4-gcm"] = "aes-256-gcm"
    archive_days: int = 0


class Signing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    profile: Literal["plain", "tif", "csb"] = "plain"
    paasid: str = ""
    access_key: str = ""
    secret_file: str = ""
    api_name: str = ""
    api_version: str = "1.0.0"


class BreakerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    failures: int = 20  # twenty failures in a row are not weather
    open_s: float = 5.0


class LinkTls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    ca_file: str
    certificate_file: str = ""
    key_file: str = ""
    server_name: str = ""


class Platform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: str
    region: str = "national"
    timeout_s: float = 20.0
    connections_max: int = 64
    signing: Signing | None = None
    late_window_s: float = 3.0
    quiesce_s: float | None = None
    reversal_schedule_s: list[float] = msgspec.field(default_factory=lambda: [0, 5, 15, 45, 120, 300, 600])
    reversal_attempts_alarm: int = 6
    resolve: str = ""
    infcode: Literal["", "number", "text"] = ""
    breaker: BreakerConfig = BreakerConfig()
    tls: LinkTls | None = None
    extensions: list[str] = msgspec.field(default_factory=list)
    national_names: bool = True


class InstitutionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    fixmedins_code: str
    name: str
    dialect: str = "national"
    regime: Literal["national", "local"] = "national"
    link: str
    allow_from: list[str] = msgspec.field(default_factory=list)
    certificate_sha256: list[str] = msgspec.field(default_factory=list)
    rate_per_s: float = 200.0
    connections_max: int = 64
    serve_catalogue: bool = False
    his_may_reverse_acked: bool = False
    reverse_unknown: bool = False
    forward_settled_reversal: bool = False


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole configuration. `folder` is where relative paths start."""

    node: Node
    listen: Listen
    store: StoreConfig
    platform: dict[str, Platform]
    institution: list[InstitutionConfig]
    tls: Tls | None = None
    folder: str = "."

    def path(self, text: str) -> Path:
        """Return a path of the configuration as an absolute one."""
        return (Path(self.folder) / text).absolute()

    @property
    def journal(self) -> Path:
        """The SQLite file named by [store] url."""
        return self.path(self.store.url.removeprefix("sqlite:"))

    @property
    def key_file(self) -> Path:
        """The key that seals stored answers (annex X34)."""
        return self.path(self.store.key_file) if self.store.key_file else self.path(self.node.data_dir) / "answers.key"

    def room(self, name: str) -> Path:
        """The file of another room beside the journal (annex X35)."""
        return self.journal.with_name(f"{self.journal.stem}-{name}.sqlite")

    @property
    def institution_endpoints(self) -> list[str]:
        listen = self.listen.institutions
        return [listen] if isinstance(listen, str) else list(listen)


def read_config(path: Path) -> Config:
    """Read and check a configuration; raise ConfigError with everything wrong."""
    try:
        plain = tomllib.loads(path.read_text("utf-8"))
    except OSError as cause:
        raise ConfigError([f"{path}: 无法读取（{cause.strerror}）"]) from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigError([f"{path}: 不是合法的TOML：{cause}"]) from cause
    problems = list(_shape(plain, Config, "$"))
    if problems:
        raise ConfigError(problems)
    config: Config = msgspec.convert({**plain, "folder": str(path.parent)}, Config)
    problems = list(_meaning(config))
    if problems:
        raise ConfigError(problems)
    return config


def codes_path(path: Path) -> Path:
    """Return the codes room's file of a configuration."""
    return read_config(path).room("codes")


def _shape(value: Any, kind: Any, path: str) -> Iterator[str]:
    """Yield every wrong type, missing and unknown key: msgspec stops at the first, so tables are taken one by one."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if not isinstance(value, dict):
            yield f"{path}: 应为表"
            return
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind) if field.name != "folder"}
        for name in value.keys() - fields.keys():
            yield f"{path}.{name}: 未知的配置项"
        for name, field in fields.items():
            if name in value:
                yield from _field(value[name], field.type, f"{path}.{name}")
            elif field.required:
                yield f"{path}.{name}: 缺少配置项"
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as cause:
        yield f"{path}: {cause}"


def _field(value: Any, kind: Any, path: str) -> Iterator[str]:
    if kind == dict[str, Platform]:
        if not isinstance(value, dict) or not value:
            yield f"{path}: 至少应配置一条平台链路"
            return
        for name, one in value.items():
            yield from _shape(one, Platform, f"{path}.{name}")
    elif kind == list[InstitutionConfig]:
        if not isinstance(value, list) or not value:
            yield f"{path}: 至少应配置一家定点医药机构"
            return
        for index, one in enumerate(value):
            yield from _shape(one, InstitutionConfig, f"{path}[{index}]")
    else:
        struct = next((k for k in getattr(kind, "__args__", (kind,)) if _is_struct(k)), kind)
        yield from _shape(value, struct, path)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


# --- what the values mean together ---------------------------------------------------------------


def _meaning(config: Config) -> Iterator[str]:
    if not config.store.url.startswith("sqlite:") or len(config.store.url) <= len("sqlite:"):
        yield "$.store.url: 目前只支持sqlite:文件路径"
    if not 0 <= config.store.archive_days <= 30:
        yield "$.store.archive_days: 应为0到30"
    for index, text in enumerate(config.institution_endpoints):
        yield from _endpoint(config, text, f"$.listen.institutions[{index}]", plain_loopback_only=True)
    if config.listen.feedback:
        yield from _endpoint(config, config.listen.feedback, "$.listen.feedback", plain_loopback_only=True)
    if config.listen.admin:
        yield from _endpoint(config, config.listen.admin, "$.listen.admin", plain_loopback_only=False)
    for name, link in config.platform.items():
        yield from _link(config, name, link)
    yield from _institutions(config)


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
    if not rest.partition(":")[0].isdecimal():
        yield f"{path}: 端口应为数字"
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
    signing = link.signing
    if signing is not None:
        if signing.profile == "tif" and not (signing.paasid and signing.secret_file):
            yield f"{path}.signing: tif签名需要paasid和secret_file"
        if signing.profile == "csb" and not (signing.access_key and signing.secret_file):
            yield f"{path}.signing: csb签名需要access_key和secret_file"
        if signing.secret_file and not config.path(signing.secret_file).is_file():
            yield f"{path}.signing.secret_file: 文件不存在：{signing.secret_file}"
    for label in ("timeout_s", "connections_max"):
        if not getattr(link, label) > 0:
            yield f"{path}.{label}: 应大于0"
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
        if one.link not in config.platform:
            yield f"{path}.link: 没有名为{one.link}的平台链路"
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
