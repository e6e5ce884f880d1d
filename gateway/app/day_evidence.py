"""One difference for people: what every ledger says, side by side, the odd one marked; what was done, decided and sent.

A person's number is shown by its end; names stand nowhere.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from adapters.ledgers.evidence import Mention
from gateway.app.books_report import ACTIONS, MODES, PREVAILS
from gateway.app.books_report import COMPONENT_TITLES as COMPONENTS
from gateway.app.books_rules import rules
from gateway.app.day_words import (
    ACTION_STATES,
    ANSWERS,
    APPROVAL_STATES,
    ATTRIBUTES,
    CASE_STATES,
    DIFF_STATES,
    LEGS,
    MOVERS,
    PARTIES,
    STANDINGS,
    cell,
    money,
    until,
    when,
)
from gateway.app.day_work import Proof
from gateway.books.report import PAIRS, fen_of, mover_of, standing_of, state_of_action, until_of, words_about
from gateway.core.approval import Approval
from gateway.core.booked import DROPPED, ActionRow, InquiryRow, Item

COLUMNS_MAX = 10  # rows of ledgers side by side
_SAME = ("msgid", "psn_no", "insutype", "clr_type")  # attributes that are marked when they differ


@attrs.frozen
class Line:
    """One line of the comparison: a title, and (text, odd) of each column."""

    title: str
    cells: tuple[tuple[str, bool], ...]


@attrs.frozen
class Side:
    """One column: a ledger's row, or that it has none. name: of the ledger; lacking: nothing stands there."""

    name: str
    title: str
    lacking: bool


@attrs.frozen
class Comparison:
    """The ledgers side by side. left_out: rows beyond COLUMNS_MAX."""

    sides: tuple[Side, ...]
    lines: tuple[Line, ...]
    left_out: int


def compare(proof: Proof) -> Comparison:
    """Return the ledgers' rows of a difference side by side; the parties of its leg always have a column."""
    columns: list[tuple[Side, Mention | None]] = []
    for name, title in PARTIES.items():
        own = [one for one in proof.mentions if one.ledger == name]
        if not own and name in PAIRS[proof.item.diff.leg]:
            columns.append((Side(name, title, True), None))
        for number, one in enumerate(own, start=1):
            columns.append((Side(name, f"{title}（{number}）" if len(own) > 1 else title, False), one))
    shown = columns[:COLUMNS_MAX]
    mentions = [mention for _, mention in shown]
    lines = [*_attributes(mentions), *_amounts(mentions)]
    return Comparison(tuple(side for side, _ in shown), tuple(lines), len(columns) - len(shown))


def _attributes(mentions: Sequence[Mention | None]) -> list[Line]:
    lines = []
    for name, title in ATTRIBUTES.items():
        texts = [mention.cells.get(name, "") if mention else "" for mention in mentions]
        if any(texts):
            odd = _odd([text or None for text in texts]) if name in _SAME else [False] * len(texts)
            shown = [cell(name, text) if mention else "" for text, mention in zip(texts, mentions, strict=True)]
            lines.append(Line(title, tuple(zip(shown, odd, strict=True))))
    return lines


def _amounts(mentions: Sequence[Mention | None]) -> list[Line]:
    lines = []
    for name, title in COMPONENTS.items():
        fens = [mention.amounts.get(name) if mention else None for mention in mentions]
        if any(fen is not None for fen in fens):
            # Only like with like: a refund is no odd settlement.
            odd = [False] * len(fens)
            for direction in ("0", "1"):
                same = [mention is not None and _direction(mention) == direction for mention in mentions]
                marks = _odd([fen if is_same else None for fen, is_same in zip(fens, same, strict=True)])
                odd = [one or other for one, other in zip(odd, marks, strict=True)]
            shown = ["—" if fen is None else money(fen) for fen in fens]
            lines.append(Line(title, tuple(zip(shown, odd, strict=True))))
    return lines


def _direction(mention: Mention) -> str:
    return mention.cells.get("direction", "") or "0"


def _odd(values: Sequence[object]) -> list[bool]:
    """Mark what differs from the majority of those that say anything; all of them when there is no majority."""
    counted = Counter(value for value in values if value is not None)
    if len(counted) < 2:
        return [False] * len(values)
    (usual, most), (_, next_most) = counted.most_common(2)
    return [value is not None and (value != usual or most == next_most) for value in values]


def brief(item: Item) -> Mapping[str, str]:
    """Return what a difference shows in a list."""
    diff, fen = item.diff, fen_of(item)
    title, todo = words_about(diff, rules(), item.inquiry.finding if item.inquiry is not None else "")
    return {
        "id": diff.diff_id,
        "leg": LEGS[diff.leg].split()[0],
        "key": diff.setl_id or diff.msgid or diff.note,
        "institution": diff.fixmedins_code,
        "title": title,
        "todo": todo,
        "class": f"{diff.name}{' ' + diff.row if diff.row else ''}",
        "standing": STANDINGS[standing_of(item)],
        "state": DIFF_STATES.get(diff.state, diff.state),
        "does": f"{MODES[diff.mode]}·{ACTIONS[diff.action]}",
        "mover": MOVERS[mover_of(item)],
        "until": until(until_of(item)),
        "prevails": PREVAILS[diff.prevails],
        "component": COMPONENTS.get(diff.component, diff.component),
        "left": "—" if diff.left_fen is None else money(diff.left_fen),
        "right": "—" if diff.right_fen is None else money(diff.right_fen),
        "fen": "—" if fen is None else money(fen),
        "note": diff.note,
        "revisions": f"{diff.first_revision}—{diff.last_revision}",
        "changed": when(diff.changed_ms),
    }


def happened(proof: Proof) -> list[tuple[str, str]]:
    """Return (when, what) of actions, decisions and approvals, oldest first."""
    found: list[tuple[int, str]] = [line for action in proof.item.actions for line in _acted(action)]
    found += [line for approval in proof.approvals for line in _approved(approval)]
    if proof.item.inquiry is not None:
        found += inquired(proof.item.inquiry)
    case = proof.item.case
    if case is not None:
        found.append((case.opened_ms, f"立案（第{case.id}号，{MODES.get(case.mode, case.mode)}）"))
        if case.maker:
            reason = f"；理由：{case.reason}" if case.reason else ""
            decision = ACTIONS.get(case.decision, case.decision) or "—"
            found.append((case.changed_ms, f"{case.maker}提出处理：{decision}{reason}"))
        if case.state == "OPEN":
            return _told(found)
        approval = f"，复核单第{case.approval}号" if case.approval else ""
        found.append((case.changed_ms, f"案件现状：{CASE_STATES.get(case.state, case.state)}{approval}"))
    return _told(found)


def inquired(one: InquiryRow) -> list[tuple[int, str]]:
    """Return (ms, what) of a question to the agency and of what it said."""
    figures = "，".join(
        f"{COMPONENTS.get(name, name)}{money(value)}元" for name, value in one.facts.items() if isinstance(value, int)
    )
    said = f"经办应答：{ANSWERS[one.finding]}{f'（{figures}）' if figures else ''}"
    if one.finding == "not_asked":
        return [(one.asked_ms, ANSWERS["not_asked"])]
    asked = f"第{one.revision}次对账后以机构名义向经办查询这一笔（5203）"
    if one.finding == "no_answer":
        return [(one.asked_ms, f"{asked}，{ANSWERS['no_answer']}")]
    return [(one.asked_ms, asked), (one.answered_ms, said)]


def _told(found: list[tuple[int, str]]) -> list[tuple[str, str]]:
    return [(when(at), text) for at, text in sorted(found, key=lambda one: one[0])]


def _approved(one: Approval) -> list[tuple[int, str]]:
    lines = [(one.proposed_ms, f"{one.maker}提出复核单第{one.id}号")]
    if one.decided_ms:
        state = APPROVAL_STATES.get(one.state, one.state)
        lines.append((one.decided_ms, f"{one.checker or '系统'}对复核单第{one.id}号：{state}"))
    return lines


def _acted(action: ActionRow) -> list[tuple[int, str]]:
    name = f"第{action.attempt}次{ACTIONS.get(action.kind, action.kind)}，发往{PARTIES.get(action.party, action.party)}"
    approval = f"（复核单第{action.approval}号）" if action.approval else ""
    lines = [(action.created_ms, f"计划{name}{approval}")]
    if action.state != "PLANNED":
        receipt = f"，回执：{action.receipt}" if action.receipt not in ("", *DROPPED) else ""
        lines.append((action.changed_ms, f"{name}：{ACTION_STATES[state_of_action(action)]}{receipt}"))
    return lines
