"""Sums of a message, in exact integers: lines, totals, and the identities a region states (annex X38)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.core.catalogue import Node, Region, Transaction
from gateway.core.jsontext import number_text
from gateway.core.money import scaled


def scaled_field(row: Mapping[str, Any], name: str, decimals: int) -> int | None:
    text = number_text(row.get(name))
    return None if text is None else scaled(text, decimals)


def line_broken(row: Mapping[str, Any]) -> bool:
    """Say whether |pric x cnt - det_item_fee_sumamt| > 0.01 (X38), in integers: 10^-6 x 10^-4 = 10^-10."""
    price, count = scaled_field(row, "pric", 6), scaled_field(row, "cnt", 4)
    amount = scaled_field(row, "det_item_fee_sumamt", 2)
    if price is None or count is None or amount is None:
        return False
    return abs(price * count - amount * 10**8) > 10**8


def total_nodes(transaction: Transaction) -> tuple[Node, Node] | None:
    """Return the object node with medfee_sumamt and the list node with the lines, if the message has both."""
    heads = [n for n in transaction.nodes if n.repeated == "one" and n.field("medfee_sumamt")]
    lines = [n for n in transaction.nodes if n.repeated == "many" and n.field("det_item_fee_sumamt")]
    return (heads[0], lines[0]) if heads and lines else None


def broken_identities(region: Region, row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the total of every identity of a message's row that is off."""
    return identities_off(region, lambda name: scaled_field(row, name, 2))


def identities_off(region: Region, fen: Callable[[str], int | None]) -> Iterator[str]:
    """Yield the total of every identity off by more than 0.01; absolute values, since undo rows are negative.

    fen: the amount of a field, None when it is absent; an identity with an absent term says nothing.
    """
    for identity in region.identities:
        total = fen(identity.total)
        parts = [fen(name) for name in identity.parts]
        if total is None or None in parts:
            continue
        extra = [fen(name) or 0 for name in identity.optional]
        if abs(abs(total) - abs(sum(part for part in parts if part is not None) + sum(extra))) > 1:
            yield identity.total


def identities_hold(region: Region, amounts: Mapping[str, int]) -> bool:
    """Say whether `identities_off` would yield nothing for these amounts (fen, absent ones left out)."""
    fen = amounts.get
    for identity in region.identities:
        total = fen(identity.total)
        if total is None:
            continue
        whole = 0
        for name in identity.parts:
            part = fen(name)
            if part is None:
                break
            whole += part
        else:
            for name in identity.optional:
                whole += fen(name, 0)
            if abs(abs(total) - abs(whole)) > 1:
                return False
    return True


def identity_gates(region: Region) -> list[str]:
    """Return few names of which every identity has one among its terms: without any of them none can be broken."""
    gates: list[str] = []
    for identity in region.identities:
        if not {identity.total, *identity.parts} & set(gates):
            gates.append(identity.parts[0] if identity.parts else identity.total)
    return gates
