"""python -m simulators platform|province|citycore|hospital|pharmacy|load: who stands round the gateway, each by itself.

The only module here that touches the real reactor, clock and dice.
"""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure

from simulators import access, accounts, arguments
from simulators.arguments import Wrong
from simulators.city_command import city, city_long
from simulators.citycore import CityCore
from simulators.day import day_of, play_day
from simulators.day_file import FAULTS as DAY_FAULTS
from simulators.day_file import DayFile, day_files, send
from simulators.diary import Diary
from simulators.drive import Pool
from simulators.faults import EveryNth
from simulators.his import Institution
from simulators.hospital import Hospital
from simulators.list_desk import ListDesk
from simulators.load import Tally
from simulators.mixture import MIXES
from simulators.people import PERSONS_MAX
from simulators.pharmacy import Pharmacy
from simulators.platform import Platform
from simulators.province_command import made, province_options
from simulators.trial import TooFew, Trial, crowd
from simulators.wire import PlatformFactory
from simulators.wording import Json

reactor: Any = _reactor
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, writable=True, path_type=Path)
_DAY_FAULT = click.Choice(["none", *DAY_FAULTS])
_SIGNED = click.Choice(["none", "tif", "csb"])


@click.group(help="模拟器：医保平台、省平台、医院、药店、压力机。全部为虚构数据。")
def main() -> None:
    pass


def _run(started: Callable[[], "Deferred[Any]"]) -> int:
    """Run the reactor until what was started ends; 1 when it failed, 2 when an argument was to blame."""
    status = [0]

    def failed(why: Failure) -> None:
        wrong = isinstance(why.value, Wrong)
        status[0] = Wrong.exit_code if wrong else 1
        click.echo(f"{'' if wrong else '失败：'}{why.getErrorMessage()}", err=True)

    def begin() -> None:
        maybeDeferred(started).addErrback(failed).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    return status[0]


_SOME, _MANY = click.IntRange(1), click.IntRange(1, PERSONS_MAX)


def _platform_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--diary", type=click.Path(dir_okay=False, path_type=Path), help="请求流水文件：重启后照此恢复账本"
        ),
        click.option(
            "--lists-review-after",
            type=click.FloatRange(0),
            default=5.0,
            show_default=True,
            help="清单提交后几秒出质控结论",
        ),
        click.option("--lists-overwrite", is_flag=True, help="未提交的清单可用同一业务流水号再次上传（覆盖）"),
        click.option(
            "--lose-every", type=click.IntRange(0), default=0, help="每N笔结算丢失一次答复，方式轮换；0＝不丢"
        ),
        click.option("--ca", type=_FILE, help="要求该CA签发的客户端证书"),
        click.option("--key", type=_FILE, help="TLS私钥"),
        click.option("--cert", type=_FILE, help="TLS证书"),
        click.option("--require-sign-in", is_flag=True, help="无有效签到流水号则拒绝"),
        click.option("--secret-file", type=_FILE, help="签名密钥文件"),
        click.option("--account", default="", help="tif的paasid或csb的access_key"),
        click.option(
            "--verify-signature", type=click.Choice(["none", "tif", "csb"]), default="none", show_default=True
        ),
        click.option(
            "--remote-every", type=click.IntRange(0), default=0, help="每N名参保人中一名参保地在外地；0＝没有"
        ),
        click.option("--persons", type=_MANY, default=2000, show_default=True, help="参保人数"),
        click.option("--seed", type=int, default=1, show_default=True),
        click.option("--listen", default="tcp:9000:interface=127.0.0.1", show_default=True, help="Twisted端点"),
    ):
        command = option(command)
    return command


@main.command(help="医保平台：收报文、结算、记账。账本：GET /sim/ledger，统计：GET /sim/stats。")
@_platform_options
def platform(**options: Any) -> None:
    _serve(Platform, "平台", **options)


@main.command(help="市核心系统：同样的报文，只认定点医药机构的原编码（过渡期）。")
@_platform_options
def citycore(**options: Any) -> None:
    _serve(CityCore, "市核心系统", **options)


def _serve(
    kind: type[Platform],
    title: str,
    listen: str,
    seed: int,
    persons: int,
    verify_signature: str,
    account: str,
    secret_file: Path | None,
    require_sign_in: bool,
    cert: Path | None,
    key: Path | None,
    ca: Path | None,
    lose_every: int,
    diary: Path | None,
    lists_overwrite: bool,
    lists_review_after: float,
    remote_every: int,
) -> None:
    gate: access.Gatekeeper = access.open_gate
    if verify_signature != "none":
        if secret_file is None or not account:
            raise Wrong("验签需要--account和--secret-file")
        secret = secret_file.read_bytes().rstrip(b"\r\n")
        gate = access.tif_gate(account, secret) if verify_signature == "tif" else access.csb_gate(account, secret)
    dice = random.Random(seed)  # noqa: S311 - chance of a simulator, no secret
    book = Diary(diary) if diary is not None else None
    keep: dict[str, Any] = {"remote_every": remote_every} | ({} if book is None else {"diary": book.write})
    lists = ListDesk(lists_overwrite, lists_review_after)
    one = kind(reactor, dice, persons=persons, gate=gate, require_sign_in=require_sign_in, lists=lists, **keep)
    if lose_every:
        one.faults = EveryNth(lose_every)
    if book is not None:
        click.echo(f"已按流水恢复{book.read_to(one)}笔请求", err=True)
    factory = arguments.tls(PlatformFactory(one, reactor), cert, key, ca)
    sys.exit(_run(lambda: _forever(factory, listen, title)))


@main.command(
    help="省平台与参保地经办：对账单、反馈、冲正、清分申报。两本账：GET /sim/ledger；制造差错：POST /sim/faults。"
)
@province_options
def province(listen: str, seed: int, cert: Path | None, key: Path | None, ca: Path | None, **options: Any) -> None:
    dice = random.Random(seed)  # noqa: S311 - chance of a simulator, no secret
    factory = arguments.tls(PlatformFactory(made(reactor, dice, **options), reactor), cert, key, ca)
    sys.exit(_run(lambda: _forever(factory, listen, "省平台")))


def _forever(factory: IProtocolFactory, listen: str, title: str) -> "Deferred[Any]":
    """Listen until the process ends; fails with Wrong."""
    forever: Deferred[Any] = Deferred()
    arguments.listening(arguments.server_endpoint(reactor, listen), factory, listen).addCallbacks(
        lambda port: click.echo(f"{title}已在 {port.getHost()} 监听", err=True), forever.errback
    )
    return forever


def _client_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--gateway", default="http://127.0.0.1:8080", show_default=True, help="网关地址"),
        click.option("--ca", type=_FILE, help="信任的CA（https）"),
        click.option("--cert", type=_FILE, help="客户端证书"),
        click.option("--key", type=_FILE, help="客户端私钥"),
    ):
        command = option(command)
    return command


def _institution_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--patients", type=_MANY, default=10, show_default=True, help="人次"),
        click.option(
            "--first-person",
            type=click.IntRange(0, PERSONS_MAX - 1),
            default=0,
            show_default=True,
            help="从第几号参保人开始",
        ),
        click.option("--at-once", type=_SOME, default=4, show_default=True, help="同时办理的窗口数"),
        click.option("--seed", type=int, default=1, show_default=True),
        click.option("--evening", is_flag=True, help="结束后与平台对账（3201、3202）"),
        click.option("--ledger", type=click.Path(dir_okay=False, path_type=Path), help="账本CSV输出文件"),
        click.option("--day-file", type=_FOLDER, help="日终文件（台账CSV和结束标记.end.json）写入的目录"),
        click.option("--day-fault", type=_DAY_FAULT, default="none", show_default=True, help="日终文件里的差错"),
        click.option("--day-fault-row", type=_SOME, default=1, show_default=True, help="差错在第几行"),
        click.option("--send-day-file", is_flag=True, help="把日终文件交给网关（POST /api/v1/books/机构/日期）"),
    ):
        command = option(command)
    return _client_options(command)


def _gateway(options: dict[str, Any]) -> tuple[IStreamClientEndpoint, str]:
    return arguments.client_endpoint(reactor, options["gateway"], options["ca"], options["cert"], options["key"])


def _business(institution: Institution, options: dict[str, Any]) -> int:
    """Play the day, show and write the books; return the exit code."""
    console = Console()
    endpoint, host = _gateway(options)
    arguments.writable("--ledger", options["ledger"])
    reasons: list[str] = []
    files: list[DayFile] = []
    discharged: list[Json] = []

    async def play() -> None:
        pool = Pool(reactor, endpoint, host, options["at_once"])
        try:
            keep = discharged.append if options.get("discharged") else None
            day = day_of(institution, options["patients"], options["first_person"], keep)
            reasons.extend(
                await play_day(reactor, pool, institution, day, options["at_once"], evening=options["evening"])
            )
            fault = options["day_fault"].removeprefix("none")
            files.extend(day_files(institution, fault, options["day_fault_row"]))
            if options["send_day_file"]:
                reasons.extend(await send(pool, host, files))
        finally:
            pool.close()

    failed = _run(lambda: Deferred.fromCoroutine(play()))
    accounts.show(institution, reasons, console)
    if options["ledger"]:
        accounts.write_ledger(institution, options["ledger"])
    for file in files if options["day_file"] else ():
        file.write(options["day_file"])
    if options.get("discharged"):
        lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in discharged]
        options["discharged"].write_text("".join(lines), "utf-8")
    return failed or accounts.exit_code(institution, reasons)


def _identified(make: type[Institution], code: str, name: str, seed: int) -> Institution:
    """An institution whose numbers do not repeat those of an earlier run."""
    dice = random.Random(seed)  # noqa: S311 - chance of a simulator, no secret
    return make(reactor.seconds, dice, code, name, first_serial=int(reactor.seconds() * 100) % 10**10)


@main.command(help="医院：挂号、就诊、收费、结算、退费、住院、清单、目录、对账。")
@click.option("--code", default="H51080200001", show_default=True, help="定点医药机构编号")
@click.option("--name", default="广元市示例医院", show_default=True)
@click.option(
    "--discharged",
    type=click.Path(dir_okay=False, path_type=Path),
    help="出院病人的结算清单写入这个文件（每行一份），不自行上传（4101）",
)
@_institution_options
def hospital(code: str, name: str, **options: Any) -> None:
    sys.exit(_business(_identified(Hospital, code, name, options["seed"]), options))


@main.command(help="药店：查询参保人、预结算、结算、退费。")
@click.option("--code", default="P51080200101", show_default=True, help="定点医药机构编号")
@click.option("--name", default="广元市示例药店", show_default=True)
@_institution_options
def pharmacy(code: str, name: str, **options: Any) -> None:
    sys.exit(_business(_identified(Pharmacy, code, name, options["seed"]), options))


_CODES = ("H51080200001", "H51080200002", "P51080200101", "P51080200102", "P51080200103")


@main.command(help="压力机：按固定速率发送（开环），报告时延和失败。先经网关准备好就诊和费用。")
@click.option("--rate", type=_SOME, default=100, show_default=True, help="每秒请求数")
@click.option("--seconds", type=_SOME, default=10, show_default=True)
@click.option("--mix", type=click.Choice(sorted(MIXES)), default="default", show_default=True)
@click.option("--connections", type=_SOME, default=64, show_default=True)
@click.option("--persons", type=_MANY, default=2000, show_default=True, help="平台的参保人数")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--institution", "codes", multiple=True, default=_CODES, show_default=True, help="机构编号，可多个")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="结果JSON文件")
@_client_options
def load(**options: Any) -> None:
    console = Console()
    dice = random.Random(options["seed"])  # noqa: S311 - chance of a simulator, no secret
    result: list[Tally] = []
    endpoint, host = _gateway(options)
    arguments.writable("--json", options["json_file"])
    try:
        mixture = crowd(reactor.seconds, dice, options["codes"], options["persons"])
    except TooFew as cause:
        raise Wrong(f"--institution不够：{cause}") from cause

    def start() -> "Deferred[Any]":
        pool = Pool(reactor, endpoint, host, options["connections"])
        trial = Trial(reactor, pool, host, mixture, options["connections"])
        done = trial.run(options["mix"], options["rate"], options["seconds"], lambda text: click.echo(text, err=True))

        def keep(tally: Tally) -> None:
            result.append(tally)

        def close(outcome: Any) -> Any:
            pool.close()
            return outcome

        return done.addCallback(keep).addBoth(close)

    failed = _run(start)
    if failed or not result:
        sys.exit(1)
    report = result[0].report()
    accounts.show_load(report, console)
    if options["json_file"]:
        options["json_file"].write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
    sys.exit(0 if report["done"] else 1)


@main.command(help="演示：小城市的一个营业日，三方账本核对到分。")
@click.option("--once", is_flag=True, help="结束后退出，账平返回0")
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--patients", type=_SOME, default=14, show_default=True, help="每家机构的人次")
@click.option("--data", type=click.Path(file_okay=False), default="var/demo", show_default=True, help="数据目录")
def demo(**options: Any) -> None:
    from simulators.demo import arguments_of

    sys.exit(arguments_of(options).play(options["once"]))


main.add_command(city)
main.add_command(city_long)


if __name__ == "__main__":
    main()
