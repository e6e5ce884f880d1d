"""A region's tables about answers: what a text means, what adds up, how doubt ends. Parts of a region file."""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


class AnswerTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a region's answers are read (X1): which texts mean a system error, which access bodies prove a non-event."""

    system: str = ""
    business_codes: tuple[str, ...] = ()
    access_codes: tuple[int, ...] = ()
    access_messages: str = ""
    wrapper: str = ""


class ReversalTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a region ends doubt (reversal specification §4, §5.2, RV11): what answers to 2601 mean, and when it stops.

    done, cancelled, failed, not_found, impossible, sign_in: patterns of err_msg. confirm: what is kept when a query
    finds it (others are reversed). query_consistent: a query that finds nothing proves that there is nothing;
    statement_consistent: so does a daily statement, which is asked for before a person takes over (Q5).
    extra_at, manual_at: times of day in Shanghai.
    """

    done: str
    cancelled: str
    failed: str
    not_found: str
    impossible: str
    sign_in: str
    confirm: tuple[str, ...] = ()
    query_consistent: bool = False
    statement_consistent: bool = False
    refusals_max: int = 3
    give_up_s: float = 86400.0
    cancel_give_up_s: float = 600.0
    extra_at: str = "23:30"
    manual_at: str = "00:30"


class StatementTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a region's daily statement is asked for and read (reconciliation specification §3.1, §3.2).

    total, detail: the fields of 3201 and 3202 in the region's edition, of those the gateway can fill. count: what a
    refund counts; refund_rows: whether both rows of a refunded settlement are uploaded; empty_groups: a group without
    rows is asked for, too; columns: of a result, by number; balanced: readings of stmt_rslt, zeros stripped.
    """

    total: tuple[str, ...]
    detail: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    count: Literal["net", "gross", "exclude_refunded"] = "gross"
    refund_rows: Literal["both", "exclude"] = "both"
    empty_groups: bool = True
    balanced: tuple[str, ...] = ("",)


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """total = sum of parts (+ optional parts when present), checked where total and all parts are present (X38)."""

    total: str
    parts: tuple[str, ...]
    optional: tuple[str, ...] = ()


def faults(where: str, answers: AnswerTable | None, reversal: ReversalTable | None) -> Iterator[str]:
    """Yield a line for every pattern that is none, and every time that is none. where: the file and `$`."""
    for name, table, labels in (
        ("answers", answers, ("system", "access_messages")),
        ("reversal", reversal, ("done", "cancelled", "failed", "not_found", "impossible", "sign_in")),
    ):
        for label in labels if table is not None else ():
            try:
                re.compile(getattr(table, label))
            except re.error as cause:
                yield f"{where}.{name}.{label}: {cause}"
    for label in ("extra_at", "manual_at") if reversal is not None else ():
        if _TIME.fullmatch(getattr(reversal, label)) is None:
            yield f"{where}.reversal.{label}: no time of day HH:MM"
