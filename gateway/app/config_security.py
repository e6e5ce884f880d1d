"""What the values of `[security]` mean; every line is one thing wrong: `path: sentence`."""

from collections.abc import Iterator

from gateway.app.config import Config

# Smallest and largest value: nothing may be set weaker than level 3 asks for (security requirements §4, §5).
_RANGES: dict[str, tuple[float, float]] = {
    "checkpoint_entries": (1, 1000),
    "checkpoint_s": (1, 300),
    "password_days": (1, 90),
    "password_history": (5, 24),
    "failures_max": (1, 5),
    "lock_s": (1800, 86_400),
    "decide_h": (0.1, 24),
    "use_h": (1, 240),
    "unused_days": (1, 366),
    "answers_days": (400, 36_500),
    "details_days": (3650, 36_500),
}


def security_meaning(config: Config) -> Iterator[str]:
    """Yield what is wrong with `[security]`."""
    security = config.security
    for name, (low, high) in _RANGES.items():
        if not low <= getattr(security, name) <= high:
            yield f"$.security.{name}: 应在{low:g}到{high:g}之间"
    if config.checkpoint_file in (config.signing_key_file, config.key_file, config.room("security")):
        yield "$.security.checkpoint_file: 不能与密钥文件或安全库是同一个文件"
    if config.signing_key_file == config.key_file:
        yield "$.security.signing_key_file: 不能与[store] key_file是同一个文件"
    for name in ("checkpoint_file", "signing_key_file"):
        path = getattr(config, name)
        if getattr(security, name) and not path.parent.is_dir():
            yield f"$.security.{name}: 文件夹不存在：{path.parent}"
