"""One line of `differences.csv`: its columns, its lasting identity, its order (contract §7; annex B12, B16)."""

from collections.abc import Callable

import attrs

from gateway.core.money import yuan

HEADER = (
    "diff_id", "setl_id", "msgid", "fixmedins_code", "leg", "class", "row", "mode", "action", "prevails", "biz_date",
    "component", "left_amt", "right_amt", "note",
)  # fmt: skip
ID_CHARACTERS = 32

Digest = Callable[[bytes], bytes]


@attrs.frozen(kw_only=True)
class Line:
    """One finding. name: its class; key: what it is about, as `diff_id` has it; left, right: fen or None;
    guard_fen: the medfee a reversal of it would move, for the volume guard, None = unknown; missed: the ledger that
    lacks a refund the others have (S1), '' = another matter; said: what the ledgers say of it, amounts above all, in
    one text that is another when any of it is."""

    key: str
    setl_id: str
    msgid: str
    fixmedins_code: str
    leg: str
    name: str
    row: str
    mode: str
    action: str
    prevails: str
    biz_date: str
    agreed: bool = False
    component: str = ""
    left: int | None = None
    right: int | None = None
    notes: tuple[str, ...] = ()
    guard_fen: int | None = None
    missed: str = ""
    said: str = ""

    @property
    def order(self) -> tuple[str, ...]:
        """B16; code points sort as their UTF-8 bytes do. The rest only tells apart what has no setl_id."""
        return self.setl_id, self.msgid, self.leg, self.key, self.fixmedins_code

    @property
    def reverses(self) -> bool:
        """Whether the gateway would reverse by itself."""
        return self.mode == "AUTO" and self.action == "REVERSE"


def identity(line: Line, date: str, digest: Digest) -> str:
    """Return `diff_id`: the same for every run that finds the same (specification §4.1, B16)."""
    scope = line.fixmedins_code if line.leg == "L1" else "-"
    return digest("|".join((line.leg, scope, date, line.key, line.name)).encode()).hex()[:ID_CHARACTERS]


def cells(line: Line, date: str, digest: Digest) -> tuple[str, ...]:
    """Return the line in the order of HEADER. date: of the run, yyyy-MM-dd."""
    return (
        identity(line, date, digest), line.setl_id, line.msgid, line.fixmedins_code, line.leg, line.name, line.row,
        line.mode, line.action, line.prevails, line.biz_date, line.component, _amount(line.left), _amount(line.right),
        "; ".join(line.notes),
    )  # fmt: skip


def _amount(fen: int | None) -> str:
    return "" if fen is None else yuan(fen)
