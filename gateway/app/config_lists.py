"""What the values of `[lists]` mean; every line is one thing wrong: `path: sentence`."""

import re
from collections.abc import Iterator

from gateway.app.config import Config, ListsConfig
from gateway.app.config_codes import TIME
from gateway.lists.rules import RulesError

_KIND = re.compile(r"[0-9A-Za-z]{1,10}", re.ASCII)
TRANSACTIONS = ("4101", "4101A")


def lists_meaning(config: Config) -> Iterator[str]:
    """Yield what is wrong with `[lists]`."""
    lists = config.lists
    if lists.transaction not in TRANSACTIONS:
        yield f"$.lists.transaction: 应为{'或'.join(TRANSACTIONS)}"
    if not 1 <= lists.due_days <= 400:
        yield "$.lists.due_days: 应在1到400之间"
    yield from _times(lists)
    yield from _rules(config)
    if not lists.doubt_ask_s or not all(0 <= step <= 3600 for step in lists.doubt_ask_s):
        yield "$.lists.doubt_ask_s: 不能为空，每步应在0到3600秒之间"
    if not 1 <= lists.patience_s <= 86_400:
        yield "$.lists.patience_s: 应在1到86400之间"


def _times(lists: ListsConfig) -> Iterator[str]:
    for name in ("upload", "results"):
        text = getattr(lists, name)
        if text and not TIME.fullmatch(text):
            yield f"$.lists.{name}: 应为HH:MM（北京时间），或留空"
    if not 0 <= lists.jitter_s <= 14_400:
        yield "$.lists.jitter_s: 应在0到14400之间"
    for index, kind in enumerate(lists.med_types):
        if not _KIND.fullmatch(kind):
            yield f"$.lists.med_types[{index}]: 应为医疗类别的代码，如21"
    if not lists.med_types:
        yield "$.lists.med_types: 不能为空"


def _rules(config: Config) -> Iterator[str]:
    if not config.lists.rules:
        return
    if not config.path(config.lists.rules).is_file():
        yield f"$.lists.rules: 没有这个文件：{config.lists.rules}"
        return
    from gateway.app.lists_rules import rules_of  # compiling the rules is for who changes them

    try:
        rules_of(config)
    except RulesError as cause:
        yield from (f"$.lists.rules: {problem}" for problem in cause.problems)
