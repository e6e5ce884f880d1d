"""The configuration of a node whose codes are tested: addresses nobody listens on, institutions nobody has."""

from collections.abc import Sequence

NOW_S = 1_795_000_000.0  # 2026-11-18 19:06:40 in Shanghai


def institution(code: str, name: str = "示例医院", link: str = "national", more: str = "") -> str:
    """Return the table of one institution. more: further lines."""
    return f"""[[institution]]
fixmedins_code = "{code}"
name = '{name}'
link = "{link}"
allow_from = ["127.0.0.1/32"]
{more}
"""


def configured(*institutions: str, platforms: Sequence[str] = ("national",)) -> str:
    """Return a configuration, the first platform at port 9000."""
    links = "".join(
        f'[platform.{name}]\nurl = "http://127.0.0.1:{port}/x"\n' for port, name in enumerate(platforms, start=9000)
    )
    return f"""[node]
name = "n"
data_dir = "var"
[listen]
institutions = "tcp:8080:interface=127.0.0.1"
[store]
url = "sqlite:var/liangding.sqlite"
{links}{"".join(institutions)}"""
