"""A day of the books as a workbook and as one object: the page's numbers, all lines, typed cells."""

from collections.abc import Iterator, Sequence
from typing import Any

from adapters.files.workbook import Amount, Cell, Sheet
from gateway.app.books_report import ACTIONS, COMPONENT_TITLES, MODES, PREVAILS
from gateway.app.books_rules import rules
from gateway.app.day_report import keys_of, ranked, verdict, whose
from gateway.app.day_words import (
    ACTION_STATES,
    CASE_STATES,
    DAY_STATES,
    DIFF_STATES,
    LEGS,
    LOOKS,
    MOVERS,
    PARTIES,
    PARTY_STATES,
    STANDINGS,
    until,
    when,
)
from gateway.app.day_work import Gathered
from gateway.books.report import STANDINGS as ORDER
from gateway.books.report import (
    Count,
    DayReport,
    Group,
    Leg,
    fen_of,
    mover_of,
    standing_of,
    state_of_action,
    until_of,
    words_about,
)
from gateway.core.booked import FreezeRow, Item

_LEG_HEAD = (
    "账段", "状态", "一致（笔）", "一致金额",
    *(text for name in ORDER for text in (f"{STANDINGS[name]}（条）", f"{STANDINGS[name]}金额")),
)  # fmt: skip
_DIFF_HEAD = (
    "账段", "结算ID", "报文ID", "定点机构", "类别", "说明", "代码", "方式", "处理", "以谁为准", "归属日", "金额项",
    "左方金额", "右方金额", "涉及金额", "现状", "库中状态", "由谁", "最迟", "备注", "差异号",
)  # fmt: skip
_ACTION_HEAD = ("动作", "次数", "发往", "状态", "回执", "复核单", "计划时间", "变更时间", "结算ID", "差异号", "动作号")
_CASE_HEAD = (
    "案件", "方式", "状态", "处理", "理由", "提出人", "复核单", "立案时间", "期限", "变更时间", "结算ID", "差异号",
)  # fmt: skip


def day_sheets(found: Gathered) -> list[Sheet]:
    """Return the sheets: overview, differences, actions, cases, institutions."""
    report = found.report
    left_out = f"（另有{report.left_out}条未列出）" if report.left_out else ""
    title = f"{report.date} {whose(report)}"
    sheets = [
        Sheet("总览", f"{title} 对账：{verdict(report)}{_known(report)}", _LEG_HEAD, list(_overview(report))),
        _parties(report),
        Sheet("待办", f"{title} 谁、做什么、到什么时候", _GROUP_HEAD, [_group(one) for one in report.groups]),
        Sheet("差异", f"{title} 差异{left_out}", _DIFF_HEAD, [_diff(one) for one in report.items]),
        Sheet("动作", f"{title} 动作{left_out}", _ACTION_HEAD, list(_actions(report.items))),
        Sheet("案例", f"{title} 案例{left_out}", _CASE_HEAD, list(_cases(report.items))),
        Sheet("各机构", f"{title} 各机构（L1）", _INSTITUTION_HEAD, list(_institutions(report))),
    ]
    if found.freezes:
        sheets.append(Sheet("固化", f"{title} 固化", _FREEZE_HEAD, [_freeze(one) for one in found.freezes]))
    return sheets


_GROUP_HEAD = ("由谁", "账段", "类别", "代码", "说明", "如何处理", "现状", "条数", "涉及金额", "最迟", "超期条数")
_INSTITUTION_HEAD = (
    "机构", "名称", "状态",
    *(f"{PARTIES[name]}{text}" for name in ("INST", "GW", "AGY") for text in ("行数", "医疗费", "基金")),
    *(text for name in ORDER for text in (f"{STANDINGS[name]}（条）", f"{STANDINGS[name]}金额")),
)  # fmt: skip
_FREEZE_HEAD = ("固化号", "范围", "归属日", "行数", "经手", "复核", "复核单", "时间", "已重新打开", "同意", "SM3")


def _known(report: DayReport) -> str:
    keys = keys_of(report)
    count = "" if keys is None else f"，共{keys}笔"
    revision = f"，第{report.run.revision}次核对" if report.run else ""
    return f"{count}{revision}，制表{when(report.now_ms)}"


def _overview(report: DayReport) -> Iterator[tuple[Cell, ...]]:
    for leg in report.legs.values():
        agreed: tuple[Cell, ...] = ("—", "—") if leg.agreed is None else (leg.agreed[0], Amount(leg.agreed[1]))
        yield (LEGS[leg.name], LOOKS[leg.look], *agreed, *_both(leg.counts[name] for name in ORDER))
        if leg.apart is not None:
            yield (
                f"{leg.name} 两份账不同的",
                "",
                leg.apart.lines,
                Amount(leg.apart.fen),
                *("" for _ in ORDER for _ in "12"),
            )
    yield ("合计", "", "", "", *_both(report.total(name) for name in ORDER))


def _parties(report: DayReport) -> Sheet:
    names = [name for name in COMPONENT_TITLES if any(name in one.sums for one in report.parties)]
    head = ("各方", "账目", "文件数", "行数", *(COMPONENT_TITLES[name] for name in names))
    rows: list[tuple[Cell, ...]] = []
    for one in report.parties:
        sums = [Amount(one.sums[name]) if name in one.sums else "" for name in names]
        rows.append((PARTIES[one.name], PARTY_STATES[one.state], one.files, one.rows, *sums))
    return Sheet("各方", f"{report.date} {whose(report)} 各方账目，当日合计", head, rows)


def _both(counts: Iterator[Count]) -> Iterator[Cell]:
    for count in counts:
        yield count.lines
        yield Amount(count.fen)


def _group(one: Group) -> tuple[Cell, ...]:
    return (
        MOVERS[one.mover], LEGS[one.leg], one.name, one.row, one.title, one.todo, STANDINGS[one.standing],
        one.count.lines, Amount(one.count.fen), until(one.until_ms), one.overdue,
    )  # fmt: skip


def _diff(item: Item) -> tuple[Cell, ...]:
    diff = item.diff
    left, right, fen = ("" if one is None else Amount(one) for one in (diff.left_fen, diff.right_fen, fen_of(item)))
    title, _ = words_about(diff, rules())
    return (
        LEGS[diff.leg], diff.setl_id, diff.msgid, diff.fixmedins_code, diff.name, title, diff.row, MODES[diff.mode],
        ACTIONS[diff.action], PREVAILS[diff.prevails], diff.biz_date,
        COMPONENT_TITLES.get(diff.component, diff.component), left, right, fen, STANDINGS[standing_of(item)],
        DIFF_STATES.get(diff.state, diff.state), MOVERS[mover_of(item)], until(until_of(item)), diff.note, diff.diff_id,
    )  # fmt: skip


def _actions(items: Sequence[Item]) -> Iterator[tuple[Cell, ...]]:
    for item in items:
        for one in item.actions:
            yield (
                ACTIONS.get(one.kind, one.kind), one.attempt, PARTIES.get(one.party, one.party),
                ACTION_STATES[state_of_action(one)], one.receipt, one.approval or "", when(one.created_ms),
                when(one.changed_ms), item.diff.setl_id or item.diff.msgid, one.diff_id, one.action_id,
            )  # fmt: skip


def _cases(items: Sequence[Item]) -> Iterator[tuple[Cell, ...]]:
    for item in items:
        if (one := item.case) is not None:
            yield (
                one.id, MODES.get(one.mode, one.mode), CASE_STATES.get(one.state, one.state),
                ACTIONS.get(one.decision, one.decision), one.reason, one.maker, one.approval or "",
                when(one.opened_ms), until(one.until_ms), when(one.changed_ms), item.diff.setl_id or item.diff.msgid,
                one.diff_id,
            )  # fmt: skip


def _institutions(report: DayReport) -> Iterator[tuple[Cell, ...]]:
    for one in ranked(report):
        books: list[Cell] = []
        for name in ("INST", "GW", "AGY"):
            rows, *fees = one.ledgers.get(name, (0, 0, 0))
            books += [rows, *(Amount(fen) for fen in fees)] if name in one.ledgers else ["", "", ""]
        state = DAY_STATES.get(one.state, one.state)
        yield (one.code, one.name, state, *books, *_both(one.counts[name] for name in ORDER))


def _freeze(one: FreezeRow) -> tuple[Cell, ...]:
    consents = "；".join(f"{PARTIES[party]}：{who} {when(at)}" for party, (who, at) in one.consents.items())
    return (
        one.id, "全市" if one.scope == "*" else one.scope, one.biz_date, one.rows, one.maker, one.checker,
        one.approval or "", when(one.at_ms), "是" if one.reopened else "", consents, one.freeze_sm3,
    )  # fmt: skip


# --- one object -------------------------------------------------------------------------------------------------------


def day_plain(found: Gathered) -> dict[str, Any]:
    """Return the same as one object; amounts in fen."""
    report = found.report
    return {
        "date": report.date,
        "role": report.role,
        "scope": report.scope,
        "verdict": verdict(report),
        "agreed": report.agreed,
        "provisional": report.provisional,
        "revision": report.run.revision if report.run else None,
        "keys": keys_of(report),
        "lines": report.lines,
        "totals": {name: _count(report.total(name)) for name in ORDER},
        "days": [{"scope": one.scope, "state": one.state, "revision": one.revision} for one in report.days],
        "parties": [
            {"name": one.name, "state": one.state, "files": one.files, "rows": one.rows, "sums_fen": dict(one.sums)}
            for one in report.parties
        ],
        "legs": {name: _leg(leg) for name, leg in report.legs.items()},
        "groups": [
            {
                "who": one.mover, "leg": one.leg, "class": one.name, "row": one.row, "title": one.title,
                "standing": one.standing, **_count(one.count), "until": until(one.until_ms), "overdue": one.overdue,
            }
            for one in report.groups
        ],
        "institutions": [
            {
                "code": one.code, "name": one.name, "state": one.state,
                "ledgers": {name: dict(zip(("rows", "medfee_fen", "fund_fen"), line, strict=True))
                            for name, line in one.ledgers.items()},
                "counts": {name: _count(one.counts[name]) for name in ORDER},
            }
            for one in ranked(report)
        ],
        "actions": [
            {"kind": kind, "party": party, "state": state, "count": count}
            for (kind, party, state), count in sorted(report.actions.items())
        ],
        "cases": [
            {"mode": mode, "state": state, "count": count} for (mode, state), count in sorted(report.cases.items())
        ],
        "freezes": [{"id": one.id, "scope": one.scope, "freeze_sm3": one.freeze_sm3} for one in found.freezes],
        "evidence": not found.lost,
    }  # fmt: skip


def _count(one: Count) -> dict[str, int]:
    return {"count": one.lines, "fen": one.fen, "without_amount": one.unknown}


def _leg(leg: Leg) -> dict[str, Any]:
    agreed = None if leg.agreed is None else {"count": leg.agreed[0], "fen": leg.agreed[1]}
    counts = {name: _count(leg.counts[name]) for name in ORDER}
    apart = {} if leg.apart is None else {"apart": {"count": leg.apart.lines, "fen": leg.apart.fen}}
    return {"state": leg.look, "agreed": agreed, "inside_inst_gw": _count(leg.inside), "counts": counts, **apart}
