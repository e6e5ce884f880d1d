"""What `python -m simulators province` is made of: its options, and a province that a platform simulator feeds."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import click
from twisted.internet.defer import Deferred

from simulators import arguments
from simulators.drive import Pool
from simulators.platform import Reply
from simulators.province import Province
from simulators.province_faults import fault_from_text
from simulators.province_words import PREFIX
from simulators.wording import Dice, read_object

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FRESH = (
    f"{PREFIX}statement",
    f"{PREFIX}clearing/",
    f"{PREFIX}monthly/",
    f"{PREFIX}feedback",
    f"{PREFIX}reversal",
    "/sim/",
)


@attrs.frozen
class Fed:
    """A province that asks the city's platform what there is to post before it answers."""

    province: Province
    pool: Pool
    host: str

    def serve(self, path: str, headers: Mapping[str, str], body: bytes) -> "Reply | Deferred[Any]":
        if not path.startswith(_FRESH):
            return self.province.serve(path, headers, body)
        done: Deferred[Any] = Deferred()

        def told(status: int, content: bytes) -> None:
            found = read_object(content) if status == 200 else None
            if found is not None:  # else the platform is away, and the books stand as they stood
                self.province.post(found["rows"])
            done.callback(self.province.serve(path, headers, body))

        self.pool.send(f"GET /sim/remote HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode(), told)
        return done


def province_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of the command, for `made` and for listening."""
    for option in (
        click.option("--ca", type=_FILE, help="要求该CA签发的客户端证书"),
        click.option("--key", type=_FILE, help="TLS私钥"),
        click.option("--cert", type=_FILE, help="TLS证书"),
        click.option(
            "--fault", "faults", multiple=True, help="一开始就有的差错，如missing_row,ledger=PROV,nth=3；可多个"
        ),
        click.option(
            "--deduct-every", type=click.IntRange(0), default=10, show_default=True, help="每N笔扣一笔；0＝不扣"
        ),
        click.option(
            "--clearing-step", type=click.FloatRange(0), default=2.0, show_default=True, help="清分申报每个状态的秒数"
        ),
        click.option(
            "--page-max", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="每页行数上限"
        ),
        click.option("--outside", type=click.IntRange(0), default=0, help="本市参保人每天在外地就医的笔数"),
        click.option("--secret-file", type=_FILE, help="账号的密钥文件"),
        click.option("--account", default="", help="市经办的账号；空＝不验签"),
        click.option("--platform", "platform_url", default="", help="医保平台模拟器：外地参保人的结算由它取得"),
        click.option("--seed", type=int, default=1, show_default=True),
        click.option("--listen", default="tcp:9100:interface=127.0.0.1", show_default=True, help="Twisted端点"),
    ):
        command = option(command)
    return command


def made(
    reactor: Any, dice: Dice, *, platform_url: str, account: str, secret_file: Path | None, outside: int, page_max: int,
    clearing_step: float, deduct_every: int, faults: tuple[str, ...],
) -> Province | Fed:  # fmt: skip
    """A province as its options say. Raises arguments.Wrong."""
    if bool(account) != bool(secret_file):
        raise arguments.Wrong("验签需要--account和--secret-file")
    accounts = {account: secret_file.read_bytes().rstrip(b"\r\n")} if secret_file else {}
    one = Province(reactor, dice, accounts=accounts, outside=outside, page_max=page_max)
    one.clearing.step_s, one.clearing.deduct_every = clearing_step, deduct_every
    for text in faults:
        try:
            one.plant(fault_from_text(text))
        except (ValueError, TypeError, KeyError) as cause:
            raise arguments.Wrong(f"--fault不能使用：{text}") from cause
    if not platform_url:
        return one
    try:
        endpoint, host = arguments.client_endpoint(reactor, platform_url, None, None, None)
    except arguments.Wrong as cause:
        raise arguments.Wrong(
            f"--platform应为http或https地址，例如http://127.0.0.1:9000，而不是{platform_url}"
        ) from cause
    return Fed(one, Pool(reactor, endpoint, host, 2), host)
