"""A region's tables about answers: what a text means, what adds up, how doubt ends. Parts of a region file."""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

# What a question about a transaction may name: of its request, as they left.
STATUS_FACTS = ("msgid", "infno", "psn_no", "mdtrt_id", "fixmedins_code", "date")
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


# What the gateway can fill in 3201 and 3202: of the group that is asked about, its rows, and the uploaded file.
STATEMENT_FIELDS = (
    "insutype", "clr_type", "clr_way", "setl_optins", "clr_optins", "stmt_begndate", "stmt_enddate", "medfee_sumamt",
    "fund_pay_sumamt", "acct_pay", "cash_payamt", "fixmedins_setl_cnt", "refd_setl_flag", "fixmedins_refd_setl_flag",
)  # fmt: skip
DETAIL_ONLY, TOTAL_ONLY = ("file_qury_no",), ("insutype",)


class StatementTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a region's daily statement is asked for and read (reconciliation specification §3.1, §3.2).

    total, detail: the fields of 3201 and 3202 in the region's edition, of those the gateway can fill. count: what a
    refund counts; refund_rows: whether both rows of a refunded settlement are uploaded; empty_groups: a group without
    rows is asked for, too; columns: of a result, by number; balanced: readings of stmt_rslt, zeros stripped;
    transactions: clr_type -> what a settlement of it can have been made by, so far as that is known;
    fill: texts of further fields (exp_content), and of a known one where the rows say nothing (clr_way);
    next_day: of a day's last half hour, what the agency lacks is asked for once more over two days, this and the next
    (§5.4, T3).
    """

    total: tuple[str, ...]
    detail: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    count: Literal["net", "gross", "exclude_refunded"] = "gross"
    refund_rows: Literal["both", "exclude"] = "both"
    empty_groups: bool = True
    balanced: tuple[str, ...] = ("",)
    transactions: dict[str, tuple[str, ...]] = {}
    fill: dict[str, str] = {}
    next_day: bool = False

    @property
    def by_way(self) -> bool:
        """Whether rows of different ways of clearing (clr_way) are asked about apart."""
        return "clr_way" in (*self.total, *self.detail)

    def faults(self) -> Iterator[str]:
        """Yield `.key: what is wrong`, Chinese: a field that nobody fills would silently not be sent."""
        known = {*STATEMENT_FIELDS, *self.fill}
        for label, names in (
            ("total", set(self.total) - known),
            ("detail", set(self.detail) - (known - set(TOTAL_ONLY)) - set(DETAIL_ONLY)),
        ):
            for name in sorted(names):
                yield f".{label}: 网关不能填写“{name}”，请在fill中给出它的值，或从中去掉"


class StatusTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A province's own question about one transaction (reversal specification §4.1, Q3), and how its answer reads.

    infno: its number; it may be one the catalogue does not have. ask: the fields of the input's `node`, each with the
    fact that stands there (STATUS_FACTS). answer: the node of the output, '' the output itself. state: the field that
    says it; booked, absent: its values, any other is "don't know". msgid, setl_id, mdtrt_id: the fields that carry
    them, '' where the answer has none. consistent: its "absent" is proof, once nothing can be booked any more.
    """

    infno: str
    ask: dict[str, str]
    state: str
    booked: tuple[str, ...]
    absent: tuple[str, ...] = ()
    node: str = "data"
    answer: str = ""
    msgid: str = ""
    setl_id: str = "setl_id"
    mdtrt_id: str = "mdtrt_id"
    consistent: bool = False

    def faults(self) -> Iterator[str]:
        """Yield `.key: what is wrong`, Chinese."""
        unknown = {name: fact for name, fact in self.ask.items() if fact not in STATUS_FACTS}
        for name, fact in unknown.items():
            yield f".ask.{name}: 没有“{fact}”这一项，可用：{'、'.join(STATUS_FACTS)}"
        if not unknown and "msgid" not in self.ask.values():
            yield ".ask: 应有一项为msgid，否则不知问的是哪一笔"
        if not re.fullmatch(r"[0-9A-Za-z]{1,8}", self.infno):
            yield ".infno: 应为交易编号"
        for label in ("node", "state"):
            if not getattr(self, label):
                yield f".{label}: 不能为空"
        if not self.booked:
            yield ".booked: 不能为空"
        for value in set(self.booked) & set(self.absent):
            yield f".absent: “{value}”也在booked中"


class OrderTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What 6301 says of an order of mobile payment by its ordStas; any other value is "don't know".

    paid: the insurance's part is paid, and stands. unpaid: it certainly is not, once nothing can be booked any more.
    refunded: all of the order was refunded, which happens once.
    """

    paid: tuple[str, ...] = ()
    unpaid: tuple[str, ...] = ()
    refunded: tuple[str, ...] = ()

    def faults(self) -> Iterator[str]:
        """Yield `.key: what is wrong`, Chinese."""
        for label, others in (("unpaid", self.paid), ("refunded", (*self.paid, *self.unpaid))):
            for value in getattr(self, label):
                if value in others:
                    yield f".{label}: “{value}”不能又是别的结果"


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """total = sum of parts (+ optional parts when present), checked where total and all parts are present (X38)."""

    total: str
    parts: tuple[str, ...]
    optional: tuple[str, ...] = ()


def faults(
    where: str,
    answers: AnswerTable | None,
    reversal: ReversalTable | None,
    others: Mapping[str, StatusTable | OrderTable | StatementTable | None],
) -> Iterator[str]:
    """Yield a line for every pattern that is none, every time that is none, every field of the daily statement that
    nobody fills. where: the file and `$`; others: tables by their names in a region file."""
    for name, other in others.items():
        if other is not None:
            yield from (f"{where}.{name}{fault}" for fault in other.faults())
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
