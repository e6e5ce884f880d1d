"""`liangding books adjust`: what was found after a day was frozen, corrected in a later open day by two people."""

from typing import Any

import attrs
import click

from adapters.store.books_freeze import FreezeReader
from gateway.app.acting import Credentials, acting, waits
from gateway.app.books_adjust_desk import found_later, propose, waiting
from gateway.app.books_region import ROLES, reading, scopes_of
from gateway.app.cli_books_freeze import day, explained, scope_of
from gateway.app.config import Config
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.app.security_desk import security_desk
from gateway.books.adjusting import CANCEL, CORRECT, RELEASE, CannotAdjust, Wanted
from gateway.books.freezing import Fee, read_back
from gateway.core.dates import day_of
from gateway.core.ledgers import COMPONENTS
from gateway.core.money import fen_of, yuan

_KINDS = {"cancel": CANCEL, "correct": CORRECT, "release": RELEASE}
_TITLES = {CANCEL: "撤销", CORRECT: "更正", RELEASE: "放出"}
_ADVICE = {
    "": "退费行随该日固化计入清算，不需调整",
    RELEASE: "结算仍在结转，请放出：--kind release",
    "CASE": "结算没有计入，也没有结转，请核实",
}


@click.command(
    help="调整已固化的记录，记在以后未固化的日子：cancel撤销、correct更正分项、release放出结转；不带--setl则列出发现和已有调整"
)
@click.argument("config", type=click.Path())
@click.option("--role", type=click.Choice(ROLES), default="care", show_default=True)
@click.option("--scope", default="", help="定点机构编码，全市用'*'；列出时可省略")
@click.option("--setl", "setl_id", default="", help="结算ID")
@click.option("--kind", type=click.Choice(list(_KINDS)), help="调整什么")
@click.option("--date", "date", default="", help="调整记在哪一日，yyyy-MM-dd")
@click.option("--set", "values", multiple=True, metavar="NAME=YUAN", help="更正后的分项金额，可写多个")
@click.option("--reason", default="", help="原因")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@acting
@click.pass_obj
def adjust(
    outside: Outside, config: str, role: str, scope: str, setl_id: str, kind: str | None, date: str,
    values: tuple[str, ...], reason: str, as_json: bool, credentials: Credentials,
) -> None:  # fmt: skip
    settings = load(config, as_json)
    if not setl_id:
        _listed(settings, role, scope, as_json)
    if kind is None or not scope or not date or not reason.strip() or bool(values) != (kind == "correct"):
        end(USAGE, "调整须给出--scope、--setl、--kind、--date、--reason；correct另以--set给出金额", as_json=as_json)
    wanted = Wanted(kind=_KINDS[kind], setl_id=setl_id, date=day(date, as_json), values=_amounts(values, as_json))
    where = (role, scope_of(settings, scope, as_json))
    with explained(as_json), security_desk(settings, outside.now, outside.entropy) as desk:
        person = credentials.person(desk)
        try:
            approval, rows = propose(settings, desk, person, where, wanted, reason, day_of(outside.now()))
        except CannotAdjust as cause:
            end(FAILED, *(f"[{one.code}] {one.text}" for one in cause.objections), as_json=as_json)
    lines = [_line(one.kind, one.fee) for one in rows]
    plain = [{"kind": one.kind, "of": one.of, "amounts": _named(one.fee)} for one in rows]
    said = f"记入{date}，请另一人核准：{waits(settings, approval.id)}"
    show({"approval": approval.id, "adjustments": plain}, [*lines, said], as_json)


def _amounts(values: tuple[str, ...], as_json: bool) -> dict[str, int]:
    found = {}
    for one in values:
        name, _, text = one.partition("=")
        fen = fen_of(text)
        if name not in COMPONENTS or fen is None or name in found:
            end(USAGE, f"--set应为 分项=元，每个分项一次（{'、'.join(COMPONENTS)}）：{one}", as_json=as_json)
        found[name] = int(fen)
    return found


def _named(fee: Fee) -> dict[str, int]:
    return {name: fen for name, fen in zip(COMPONENTS, fee.amounts, strict=True) if fen}


def _line(kind: str, fee: Fee) -> str:
    figures = "，".join(f"{name} {yuan(fen)}元" for name, fen in _named(fee).items())
    return f"{_TITLES[kind]} 结算{fee.setl_id}（第{fee.adjusts[0]}次固化第{fee.adjusts[1]}笔）：{figures}"


def _listed(config: Config, role: str, scope: str, as_json: bool) -> None:
    """Show what was found since, and the adjustments there are; ends with 3 when something has to be done."""
    if scope:
        scope_of(config, scope, as_json)
    found, made = [], []
    with explained(as_json), reading(config) as connection:
        look = FreezeReader(connection) if connection is not None else None
        for one in [scope] if scope else scopes_of(config):
            if look is not None:
                found += list(found_later(look, config.path(config.node.data_dir), role, one))
        if look is not None:
            open_ones = {one.id for one in waiting(look, role, scope)}
            made = [(row, row.id not in open_ones) for row in look.adjusted(role, scope)]
    lines = [
        f"{one.scope} {one.date} 结算{one.setl_id}：{'退费' if one.what == 'REFUND' else '结转或暂不计'}，"
        f"见第{one.freeze}次固化；{_ADVICE[one.kind]}"
        for one in found
    ]
    plain: list[dict[str, Any]] = []
    for row, frozen in made:
        [(_, [fee])] = read_back([row.line], ())
        kind = row.line.split("\t")[2]
        names = ("scope", "biz_date", "reason", "maker", "checker", "approval")
        own = {name: getattr(row, name) for name in names}
        plain.append({**own, "kind": kind, "of": fee.adjusts, "frozen": frozen, "amounts": _named(fee)})
        lines.append(f"{row.biz_date}{'已固化' if frozen else '待固化'} {_line(kind, fee)}；{row.reason}")
    show({"found": [attrs.asdict(one) for one in found], "adjustments": plain}, lines or ["没有发现"], as_json)
    raise SystemExit(FINDINGS if any(one.kind for one in found) else DONE)
