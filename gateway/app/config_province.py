"""What the values of `[province]` mean; every line is one thing wrong: `path: sentence` (docs/province.md §4)."""

import re
from collections.abc import Callable, Iterator

from adapters.transport.addresses import AddressError, read_link
from gateway.app.config import Config, LinkTls, Tls

_RANGES: dict[str, tuple[float, float]] = {
    "timeout_s": (1, 600),
    "page_rows": (1, 5000),
    "rows_max": (1, 20_000_000),
    "readings_max": (2, 20),
    "again_s": (0, 600),
}
_VISIBLE = re.compile(r"[!-~]{1,64}")
Files = Callable[[Config, str, Tls | LinkTls, tuple[str, ...]], Iterator[str]]


def province_meaning(config: Config, files: Files) -> Iterator[str]:
    """Yield what is wrong with `[province]`. files: says which files of a TLS table are not there."""
    province = config.province
    if not province.url:
        if province.account or province.secret_file or province.tls is not None:
            yield "$.province.url: 不能为空"
        return
    yield from _address(config, files)
    if not _VISIBLE.fullmatch(province.account):
        yield "$.province.account: 应为1至64个可见的ASCII字符"
    if not province.secret_file:
        yield "$.province.secret_file: 不能为空"
    elif not config.path(province.secret_file).is_file():
        yield f"$.province.secret_file: 文件不存在：{province.secret_file}"
    for name, (low, high) in _RANGES.items():
        if not low <= getattr(province, name) <= high:
            yield f"$.province.{name}: 应在{low:g}到{high:g}之间"


def _address(config: Config, files: Files) -> Iterator[str]:
    province = config.province
    try:
        address = read_link(province.url)
    except AddressError as cause:
        yield f"$.province.url: {cause}"
    else:
        if address.secure and province.tls is None:
            yield "$.province.tls: https地址需要tls配置（ca_file）"
        if not address.secure and address.host not in ("127.0.0.1", "::1", "localhost"):
            yield "$.province.url: 明文只允许本机回环地址，其他地址请使用https"
    if province.tls is not None:
        yield from files(config, "$.province.tls", province.tls, ("ca_file",))
        if bool(province.tls.certificate_file) != bool(province.tls.key_file):
            yield "$.province.tls: certificate_file和key_file必须同时配置"
