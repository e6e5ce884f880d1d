"""`liangding books freeze|reopen|frozen|verify`: solidified days (数据固化), by two people, and their proof."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from adapters.ledgers.engine import EngineFailed
from adapters.ledgers.source import LedgerRefused
from adapters.store.books import BooksError, OtherBooks
from adapters.store.books_freeze import FreezeReader, NotInForce
from gateway.app.acting import Credentials, acting, told, waits
from gateway.app.audit_verify import keys_of
from gateway.app.books_freeze_desk import chain_findings, propose, propose_reopening
from gateway.app.books_region import ROLES, reading, scopes_of
from gateway.app.config import Config
from gateway.app.say import DONE, FAILED, FINDINGS, USAGE, Outside, end, load, show
from gateway.app.security_desk import security_desk
from gateway.books.freezing import CITY
from gateway.core.approval import Approval
from gateway.core.dates import is_date
from gateway.core.ledgers import COMPONENTS
from gateway.core.money import yuan
from gateway.core.oswords import words_of

_MEDFEE, _FUND = 8 + COMPONENTS.index("medfee_sumamt"), 8 + COMPONENTS.index("fund_pay_sumamt")


@contextmanager
def explained(as_json: bool) -> Iterator[None]:
    """Turn what the books room raises into a sentence and an exit code."""
    try:
        with told(as_json):
            yield
    except (OtherBooks, EngineFailed, NotInForce) as cause:
        end(FAILED, str(cause) or "账目同时被他人更改，没有改动，请重新查看", as_json=as_json)
    except LedgerRefused as cause:
        end(FAILED, *(fault.text(str(cause.file)) for fault in cause.faults), as_json=as_json)
    except BooksError as cause:
        end(FAILED, f"对账库无法使用：{cause}", as_json=as_json)
    except OSError as cause:
        end(FAILED, f"文件读写失败：{words_of(cause)}", as_json=as_json)


def day(given: str, as_json: bool) -> str:
    if not is_date(given):
        end(USAGE, f"日期应为yyyy-MM-dd：{given}", as_json=as_json)
    return given


def scope_of(config: Config, scope: str, as_json: bool) -> str:
    if scope not in scopes_of(config):
        end(USAGE, f"配置中没有机构{scope}（全市用'{CITY}'）", as_json=as_json)
    return scope


@click.command(help="固化已对平的日子：提出，第二人核准后执行；--all为当日全部机构和全市")
@click.argument("config", type=click.Path())
@click.option("--date", "date", required=True, help="业务日期，yyyy-MM-dd")
@click.option("--role", type=click.Choice(ROLES), default="care", show_default=True, help="care就医地，insured参保地")
@click.option("--scope", default="", help="定点机构编码，全市用'*'")
@click.option("--all", "everything", is_flag=True, help="当日对过账的全部范围")
@click.option("--reason", default="日终对平，数据固化", show_default=True, help="提出的理由")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@acting
@click.pass_obj
def freeze(
    outside: Outside, config: str, date: str, role: str, scope: str, everything: bool, reason: str, as_json: bool,
    credentials: Credentials,
) -> None:  # fmt: skip
    settings = load(config, as_json)
    date = day(date, as_json)
    if bool(scope) == everything:
        end(USAGE, "请给出--scope或--all之一", as_json=as_json)
    with explained(as_json), security_desk(settings, outside.now, outside.entropy) as desk:
        person = credentials.person(desk)
        wanted = _all_scopes(settings, role, date) if everything else [scope_of(settings, scope, as_json)]
        found = list(propose(settings, desk, person, [(role, one, date) for one in wanted], reason))
    if not found:
        end(FAILED, f"{date}没有对过账的日子", as_json=as_json)
    lines = []
    for one in found:
        if one.objections:
            lines.append(f"{one.scope} {date}：不能固化")
            lines += [f"  [{why.code}] {why.text}" for why in one.objections]
            continue
        medfee, fund = (sum(int(row[at]) for row in one.sums if row[0] != "HELD") for at in (_MEDFEE, _FUND))
        lines.append(
            f"{one.scope} {date}：{one.rows}行，{one.fees}笔，医疗费{yuan(medfee)}元，基金{yuan(fund)}元，"
            f"结转或暂不计{one.held}笔{_waiting(one.unchecked)}；"
            f"请另一人核准：{waits(settings, one.approval)}"
        )
    plain = [one.record() for one in found]
    show({"date": date, "role": role, "days": plain}, lines, as_json)
    raise SystemExit(FINDINGS if any(one.objections for one in found) else DONE)


def _waiting(unchecked: int) -> str:
    return f"（其中{unchecked}笔异地结算：全市当日与省平台还没有对平）" if unchecked else ""


def _all_scopes(config: Config, role: str, date: str) -> list[str]:
    with reading(config) as connection:
        return FreezeReader(connection).scopes(role, date) if connection is not None else []


@click.command(help="重开已固化的日子：提出，第二人核准后执行；原固化保留")
@click.argument("config", type=click.Path())
@click.option("--date", "date", required=True, help="业务日期，yyyy-MM-dd")
@click.option("--role", type=click.Choice(ROLES), default="care", show_default=True)
@click.option("--scope", required=True, help="定点机构编码，全市用'*'")
@click.option("--reason", required=True, help="重开的原因")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
@acting
@click.pass_obj
def reopen(
    outside: Outside, config: str, date: str, role: str, scope: str, reason: str, as_json: bool,
    credentials: Credentials,
) -> None:  # fmt: skip
    settings = load(config, as_json)
    wanted = (role, scope_of(settings, scope, as_json), day(date, as_json))
    with explained(as_json), security_desk(settings, outside.now, outside.entropy) as desk:
        person = credentials.person(desk)
        found = propose_reopening(settings, desk, person, wanted, reason)
    if not isinstance(found, Approval):
        end(FAILED, *(f"[{one.code}] {one.text}" for one in found), as_json=as_json)
    text = f"{scope} {date}：请另一人核准：{waits(settings, found.id)}"
    show({"approval": found.id}, [text], as_json)


@click.command(help="已固化的日子：摘要、双方确认、合计")
@click.argument("config", type=click.Path())
@click.option("--month", default="", help="yyyy-MM；默认全部")
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
def frozen(config: str, month: str, as_json: bool) -> None:
    settings = load(config, as_json)
    found: list[dict[str, Any]] = []
    with explained(as_json), reading(settings) as connection:
        look = FreezeReader(connection) if connection is not None else None
        for row in look.all() if look is not None else []:
            if look is None or not row.biz_date.startswith(month):
                continue
            parties = [one.party for one in look.consents(row.id)]
            names = ("role", "scope", "biz_date", "rows", "fees", "freeze_sm3", "maker", "checker", "opened")
            found.append({**{name: getattr(row, name) for name in names}, "consents": parties})
    lines = [
        f"{one['scope']} {one['biz_date']} {one['fees']}笔 {one['freeze_sm3'][:16]}… "
        f"{'已重开' if one['opened'] else '有效'}，确认：{'、'.join(one['consents']) or '无'}"
        for one in found
    ]
    show({"frozen": found}, lines or ["没有固化的日子"], as_json)


@click.command(help="验证全部固化：链、签名、每一行、清算明细与合计、双方确认")
@click.argument("config", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="输出一个JSON对象")
def verify(config: str, as_json: bool) -> None:
    settings = load(config, as_json)
    if not settings.room("books").exists():
        text = f"[BV-EMPTY] 对账库还没有建立：{settings.room('books')}；请核对配置中的数据位置，或先对账（books day）"
        end(USAGE, text, as_json=as_json)
    with explained(as_json):
        with reading(settings) as connection:
            count = sum(1 for _ in FreezeReader(connection).all()) if connection is not None else 0
        found = chain_findings(settings, keys_of(settings)) if count else []
    show({"ok": not found, "freezes": count, "findings": found}, found or [f"{count}次固化全部成立"], as_json)
    raise SystemExit(FINDINGS if found else DONE)
