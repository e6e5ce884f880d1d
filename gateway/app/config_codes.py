"""What the values of `[codes]` mean; every line is one thing wrong: `path: sentence`."""

import re
from collections.abc import Iterator

from gateway.app.config import CodesConfig, Config
from gateway.core.dates import is_date

TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_DOWNLOAD = re.compile(r"13[0-9]{2}A?", re.ASCII)
# Smallest and largest value that makes sense.
_RANGES: dict[str, tuple[float, float]] = {
    "jitter_s": (0, 14_400),
    "versions_max": (1, 1000),
    "download_timeout_s": (1, 7200),
    "download_bytes_max": (1024, 268_435_456),  # what the link's files may have
    "download_keep_days": (1, 4000),
    "round_days": (0, 366),
    "inbox_s": (0, 3600),
    "upload_rows": (1, 1000),
    "page_rows": (1, 1000),
    "patience_s": (1, 86_400),
    "unsettled_days": (0, 400),
}


def codes_meaning(config: Config) -> Iterator[str]:
    """Yield what is wrong with `[codes]`."""
    codes = config.codes
    for name in ("poll", "compare"):
        text = getattr(codes, name)
        if text and not TIME.fullmatch(text):
            yield f"$.codes.{name}: 应为HH:MM（北京时间），或留空"
    for name, (low, high) in _RANGES.items():
        if not low <= getattr(codes, name) <= high:
            yield f"$.codes.{name}: 应在{low:g}到{high:g}之间"
    if not codes.doubt_ask_s or not all(0 <= step <= 3600 for step in codes.doubt_ask_s):
        yield "$.codes.doubt_ask_s: 不能为空，每步应在0到3600秒之间"
    if not is_date(codes.far_date):
        yield "$.codes.far_date: 应为yyyy-MM-dd"
    for index, infno in enumerate(codes.transactions):
        if not _DOWNLOAD.fullmatch(infno):
            yield f"$.codes.transactions[{index}]: 应为目录下载交易的编号，如1301"
    try:
        re.compile(codes.no_newer)
    except re.error as cause:
        yield f"$.codes.no_newer: 不是正则表达式：{cause}"
    yield from _names(config, codes)


def _names(config: Config, codes: CodesConfig) -> Iterator[str]:
    if codes.link and codes.link not in config.platform:
        yield f"$.codes.link: 没有名为{codes.link}的平台链路"
    known = {one.fixmedins_code: one.link for one in config.institution}
    if codes.institution and codes.institution not in known:
        yield f"$.codes.institution: 配置中没有机构{codes.institution}"
    elif codes.institution and codes.link and known[codes.institution] != codes.link:
        yield f"$.codes.institution: 机构{codes.institution}不走链路{codes.link}"


def library_place(config: Config) -> tuple[str, str] | None:
    """Return (link, institution) by which libraries come; None when no institution uses the link."""
    codes = config.codes
    link = codes.link or next((one.link for one in config.institution if one.fixmedins_code == codes.institution), "")
    link = link or next(iter(config.platform))
    code = codes.institution or next((one.fixmedins_code for one in config.institution if one.link == link), "")
    return (link, code) if code else None
