"""The addresses of a configuration, read in one place: for `liangding check` and for the sockets (annex X36).

Pure: text in, parts out. A wrong address is an AddressError with a Chinese sentence. What is opened: `tls.py`.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import attrs

_PORT = re.compile(r"[0-9]{1,5}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
# The last label is no number: 10.0.0.256 is an address written wrongly, not a name.
_NAME = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})\.)*[A-Za-z_][A-Za-z0-9_-]{0,62}\.?")
_LISTEN_FORM = "监听地址应为tcp:端口:interface=地址或tls:端口:interface=地址"


class AddressError(ValueError):
    """An address of the configuration is wrong. The operator's fault; str: Chinese."""


@attrs.frozen(kw_only=True)
class ListenAddress:
    """Where to listen. secure: under TLS. port 0: any free one. interface: an IP address. backlog: None = ours."""

    secure: bool
    port: int
    interface: str
    backlog: int | None = None

    @property
    def loopback(self) -> bool:
        """Nobody outside this machine can reach it."""
        return ip_address(self.interface).is_loopback

    def collides(self, other: "ListenAddress") -> bool:
        """Say whether only one of the two can be opened."""
        mine, theirs = ip_address(self.interface), ip_address(other.interface)
        same = mine == theirs or _covers(mine, theirs) or _covers(theirs, mine)
        return same and self.port == other.port != 0


def _covers(one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address) -> bool:
    """`0.0.0.0` takes the port of every IPv4 address, `::` that of every address."""
    return one.is_unspecified and (one.version == 6 or other.version == 4)


def read_listen(text: str) -> ListenAddress:
    r"""Read `tcp:PORT:interface=ADDRESS` or `tls:...`, with `backlog=N` if need be; colons of IPv6 as `\:`.

    Raises AddressError for anything else: `ssl:` cannot ask for a client certificate, and a listener without an
    address would bind them all.
    """
    kind, _, rest = text.partition(":")
    if kind == "ssl":
        raise AddressError("ssl:端点不能要求客户端证书，请使用tls:端口:interface=地址")
    if kind not in ("tcp", "tls"):
        raise AddressError(_LISTEN_FORM)
    port, *options = rest.replace("\\:", "\0").split(":")
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise AddressError("监听端口应为0到65535的数字")
    named: dict[str, str] = {}
    for option in options:
        name, _, value = option.partition("=")
        if name not in ("interface", "backlog") or name in named:
            raise AddressError(f"{_LISTEN_FORM}（IPv6地址中的冒号写作\\:），多余的部分：{option}")
        named[name] = value.replace("\0", ":")
    backlog = named.get("backlog")
    if backlog is not None and (not _PORT.fullmatch(backlog) or int(backlog) < 1):
        raise AddressError("backlog应为1到99999的数字")
    return ListenAddress(
        secure=kind == "tls",
        port=int(port),
        interface=_interface(named.get("interface", "")),
        backlog=None if backlog is None else int(backlog),
    )


def _interface(text: str) -> str:
    if not text:
        raise AddressError("监听地址缺少interface=IP地址")
    try:
        ip_address(text)
    except ValueError:
        raise AddressError(f"监听地址的interface必须是IP地址：{text}") from None
    return text


@attrs.frozen(kw_only=True)
class LinkAddress:
    """A platform. host: a name or an IP address, without brackets. header: for `Host:`. path: never empty."""

    secure: bool
    host: str
    port: int
    header: bytes
    path: bytes


def read_link(url: str) -> LinkAddress:
    """Read an http or https URL. Raises AddressError, also for one with user, query or fragment."""
    if not _VISIBLE.fullmatch(url) or set("?#@\\") & set(url):
        raise AddressError("平台地址不能为空，不能包含用户名、查询参数、片段、空白或非ASCII字符")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:  # brackets that are not those of an IPv6 address
        raise AddressError("平台地址中的方括号内应为IPv6地址") from None
    if parts.scheme not in ("http", "https") or not host:
        raise AddressError("平台地址必须以http://或https://开头，后接主机名或IP地址")
    if not _is_host(host, parts.netloc.startswith("[")):
        raise AddressError(f"平台地址中的主机名或IP地址不正确：{host}")
    secure = parts.scheme == "https"
    return LinkAddress(
        secure=secure,
        host=host,
        port=_port(parts.netloc, 443 if secure else 80),
        header=parts.netloc.encode("ascii"),
        path=(parts.path or "/").encode("ascii"),
    )


def _is_host(host: str, bracketed: bool) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return not bracketed and len(host) <= 253 and bool(_NAME.fullmatch(host))
    return bracketed == (address.version == 6) and "%" not in host


def _port(place: str, default: int) -> int:
    """Return the port of `host:port`, `[address]:port`, or of neither."""
    name, colon, port = place.rpartition("]")[2].partition(":")
    if not colon and ("]" not in place or not name):
        return default
    if not _PORT.fullmatch(port) or not 0 < int(port) <= 65535:
        raise AddressError("平台地址的端口应为1到65535的数字")
    return int(port)
