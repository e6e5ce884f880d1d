"""What may go wrong at a province, on demand: `POST /sim/faults`, `--fault`, or `Province.plant` (docs/province.md).

Three sorts: of answers (a request is lost, its answer is), of statements (late, partial, inconsistent, shifting), and
of books (a row is missing, wrong, doubled): the last change what a party has, as a mistake of its own would.
"""

from collections.abc import Iterator

import attrs

from simulators.wording import Json

OF_ANSWERS = frozenset({"lose_request", "lose_answer", "system_error", "without_effect", "raw", "cut", "foreign_id"})
OF_STATEMENTS = frozenset({
    "late", "incomplete", "missing_last_page", "wrong_totals", "repeated_row", "shifted_pages", "endless",
})  # fmt: skip
OF_BOOKS = frozenset({
    "wrong_amount", "missing_row", "extra_row", "double_post", "wrong_status", "wrong_text", "moved_time",
})  # fmt: skip
COLUMNS = frozenset({"psn_no", "insutype", "clr_type", "mdtrt_id", "msgid", "fixmedins_code"})


@attrs.define(kw_only=True)
class Fault:
    """One misbehaviour. op: of which operation, '' = any; ledger, role: of which statement or book, '' = any.

    times: how often, -1 = until further notice. until: for `late`, yyyy-MM-dd HH:mm:ss. by_fen: how wrong. rows: how
    many rows are left out. column, value: the text that is wrong. seconds: how far a time moves. nth: for books, which
    posting (1 = the first that comes, or is there).
    """

    kind: str
    op: str = ""
    ledger: str = ""
    role: str = ""
    times: int = -1
    until: str = ""
    by_fen: int = 1
    rows: int = 1
    nth: int = 0
    setl_id: str = ""
    component: str = "fund_pay_sumamt"
    status: str = "REVERSED"
    column: str = "insutype"
    value: str = "390"
    seconds: int = 86_400
    body: str = ""
    http_status: int = 200


def fault_of(facts: Json) -> Fault:
    """Read a fault; raises ValueError."""
    kinds = {field.name: field.type for field in attrs.fields(Fault)}
    wrong = sorted(name for name, value in facts.items() if type(value) is not kinds.get(name))
    if wrong or "kind" not in facts:
        raise ValueError(f"kind is missing, or these are unknown or of another type: {', '.join(wrong)}")
    fault = Fault(**facts)
    if fault.kind not in OF_ANSWERS | OF_STATEMENTS | OF_BOOKS:
        raise ValueError(f"no such fault: {fault.kind}")
    if fault.column not in COLUMNS:
        raise ValueError(f"no such column: {fault.column}")
    return fault


def fault_from_text(text: str) -> Fault:
    """Read `kind,name=value,...` of a command line; raises ValueError."""
    kind, *rest = text.split(",")
    pairs = [part.split("=", 1) for part in rest]
    if not all(len(pair) == 2 for pair in pairs):
        raise ValueError(text)
    numbers = {field.name for field in attrs.fields(Fault) if field.type is int}
    return fault_of({"kind": kind, **{name: int(value) if name in numbers else value for name, value in pairs}})


@attrs.define
class Faults:
    """What is planted and still to come."""

    planted: list[Fault] = attrs.Factory(list)

    def take(self, kinds: frozenset[str], op: str, ledger: str = "", role: str = "") -> Iterator[Fault]:
        """Yield what happens now, once each, counting it down."""
        for fault in list(self.planted):
            fits = fault.op in ("", op) and fault.ledger in ("", ledger) and fault.role in ("", role)
            if fault.kind in kinds and fits and fault.times:
                fault.times -= fault.times > 0
                if not fault.times:
                    self.planted.remove(fault)
                yield fault
