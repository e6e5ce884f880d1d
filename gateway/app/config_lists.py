"""What the values of `[lists]` mean; every line is one thing wrong: `path: sentence`."""

from collections.abc import Iterator

from gateway.app.config import Config

TRANSACTIONS = ("4101", "4101A")


def lists_meaning(config: Config) -> Iterator[str]:
    """Yield what is wrong with `[lists]`."""
    lists = config.lists
    if lists.transaction not in TRANSACTIONS:
        yield f"$.lists.transaction: 应为{'或'.join(TRANSACTIONS)}"
    if not lists.doubt_ask_s or not all(0 <= step <= 3600 for step in lists.doubt_ask_s):
        yield "$.lists.doubt_ask_s: 不能为空，每步应在0到3600秒之间"
    if not 1 <= lists.patience_s <= 86_400:
        yield "$.lists.patience_s: 应在1到86400之间"
