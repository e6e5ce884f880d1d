"""Settlements that exist twice: one message posted twice (D3), one business settled twice (D4) (§5.5, annex B9).

A business key only proposes: what it finds goes to two people and moves no money (§6.1, K3).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

import attrs

from gateway.core.ledgers import AGY, GW, Row


@attrs.frozen
class Double:
    """keys: what belongs together; keep: the one told; others: setl_ids of the rest."""

    keys: frozenset[str]
    keep: str
    others: tuple[str, ...]


class Settled(Protocol):
    """What D4 needs of a key."""

    @property
    def key(self) -> str: ...
    def text(self, name: str) -> str: ...
    def settled(self, ledger: int) -> bool: ...


def double_posts(rows: Sequence[Row]) -> Iterator[Double]:
    """Yield the keys that one (institution, message) produced, by direction-0 rows of any ledgers (D3). What a ledger
    has cancelled is no second settlement any more: so a double post ends."""
    left: Counter[tuple[int, str]] = Counter()
    for row in rows:
        left[row.ledger, row.setl_id] += -1 if row.direction else 1
    made: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    named: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.direction == 0 and row.msgid and row.setl_id and left[row.ledger, row.setl_id] > 0:
            made[row.fixmedins_code, row.msgid][row.setl_id] = row.key
            if row.ledger == GW:
                message = (row.fixmedins_code, row.msgid)
                named[message] = min(named.get(message, row.setl_id), row.setl_id)
    for message in sorted(made):
        ids = made[message]
        if len(ids) > 1:
            keep = named.get(message) or min(ids)
            yield Double(frozenset(ids.values()), ids[keep], tuple(sorted(set(ids) - {keep})))


def double_settlements(subjects: Sequence[Settled], given: Collection[int]) -> Iterator[Double]:
    """Yield the keys of one business that are both effective, by different messages (D4)."""
    authority = AGY if AGY in given else GW
    by_business: dict[tuple[str, ...], list[Settled]] = defaultdict(list)
    for one in subjects:
        if not one.settled(authority) or not one.text("setl_id"):
            continue
        visit = tuple(one.text(name) for name in ("fixmedins_code", "psn_no", "mdtrt_id"))
        for name in ("chrg_bchno", "invono"):
            if all(visit) and one.text(name):
                by_business[*visit, name, one.text(name)].append(one)
    told: set[str] = set()
    for _, ones in sorted(by_business.items()):
        ones = [one for one in ones if one.key not in told]
        if len(ones) > 1 and len({one.text("msgid") for one in ones}) > 1:
            ids = sorted((one.text("setl_id"), one.key) for one in ones)
            told |= {key for _, key in ids}
            yield Double(frozenset(key for _, key in ids), ids[0][1], tuple(setl_id for setl_id, _ in ids[1:]))
