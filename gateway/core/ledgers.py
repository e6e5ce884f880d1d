"""What a ledger is: its parties, columns, states and amounts (reconciliation specification §1, §2; annex B1, B15).

Words and checks of single cells only; what ledgers say about each other is decided in `gateway.books`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.core.dates import is_date, is_datetime

INST, GW, AGY, PROV, INS = range(5)
NAMES = ("INST", "GW", "AGY", "PROV", "INS")
TITLES = ("医药机构", "网关", "就医地经办", "省平台", "参保地经办")

# Order of §2.1: the first that differs names a difference.
COMPONENTS = (
    "medfee_sumamt", "fund_pay_sumamt", "hifp_pay", "cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "maf_pay",
    "oth_pay", "hifdm_pay", "acct_pay", "acct_mulaid_pay", "psn_part_amt", "psn_cash_pay", "hosp_part_amt",
)  # fmt: skip
MEDFEE = COMPONENTS.index("medfee_sumamt")
TEXTS = (
    "setl_id", "fixmedins_code", "mdtrt_id", "psn_no", "msgid", "prov_sn", "insutype", "clr_type", "clr_way",
    "clr_optins", "clr_pay_loc", "chrg_bchno", "invono",
)  # fmt: skip
CODED = ("direction", "status", "delivered")
COLUMNS = (*TEXTS, *CODED, "setl_time", *COMPONENTS)

SETTLED, REFUNDED, REVERSED, IN_DOUBT, REVERSING, REJECTED, MANUAL = range(7)
STATUSES = ("SETTLED", "REFUNDED", "REVERSED", "IN_DOUBT", "REVERSING", "REJECTED", "MANUAL")
OTHERS_STATUSES = STATUSES[:3]  # of every ledger but the gateway's (B1)

CELL_CHARACTERS_MAX = 1_000
# What is trimmed from a cell (B15): Unicode's space separators (Zs; U+3000 and U+00A0 come from Chinese exports), and
# TAB, which they put behind long numbers to keep spreadsheets from rounding them.
BLANKS = "\t \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
AMOUNT = r"-?[0-9]{1,14}(\.[0-9]{1,2})?"
_AMOUNT = re.compile(AMOUNT, re.ASCII)
NAME_CHARACTERS_MAX = 40  # of an unknown column, as it is told
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+|[0-9]{4,}[Xx]?")


def clean(cell: str) -> str:
    """Return the cell without blanks around it; `null` says nothing (B15)."""
    text = cell.strip(BLANKS)
    return "" if text == "null" else text


class Row(NamedTuple):
    """One row of one ledger, read and checked. Texts are '' where the file says nothing.

    ledger: index into NAMES; key: what it is matched by (B14); direction: 0 settlement, 1 refund; status: index into
    STATUSES; delivered: the answer reached the institution; day: days after the date of the run; second: of that day,
    None when only a date was given; amounts: fen in the order of COMPONENTS, None = the ledger does not carry it.
    """

    ledger: int
    key: str
    setl_id: str
    fixmedins_code: str
    mdtrt_id: str
    psn_no: str
    msgid: str
    prov_sn: str
    insutype: str
    clr_type: str
    clr_way: str
    clr_optins: str
    clr_pay_loc: str
    chrg_bchno: str
    invono: str
    direction: int
    status: int
    delivered: int
    day: int
    second: int | None
    amounts: tuple[int | None, ...]

    @property
    def moment(self) -> tuple[int, int]:
        """For comparing times: a date alone is its first second."""
        return self.day, self.second or 0


class CellFault(NamedTuple):
    """What is wrong with one row or header. column: '' for the row itself; rule: LB01..; message: what to do, too."""

    column: str
    rule: str
    message: str


def header_faults(header: Sequence[str]) -> list[CellFault]:
    """Return what is wrong with the column names: exact names, any order, each once (B15)."""
    unknown = [_shown(name) for name in header if name not in COLUMNS]
    found = [CellFault(name, "LB02", "不认识的列，请使用规定的列名或删去此列") for name in unknown]
    repeated = sorted({name for name in header if header.count(name) > 1})
    found += [CellFault(_shown(name), "LB03", "列名重复，请只保留一列") for name in repeated]
    return found


def _shown(name: str) -> str:
    """Return a column's name, short and on one line, without numbers: in a file without a header it is a cell."""
    return _NOT_IN_NAMES.sub("?", name[:NAME_CHARACTERS_MAX])


def row_faults(ledger: int, cells: Mapping[str, str]) -> list[CellFault]:
    """Return what is wrong with one row's cells, by column name; cells are trimmed and without `null`."""
    found = [
        CellFault(name, "LB05", f"单元格超过{CELL_CHARACTERS_MAX}个字符")
        for name, cell in cells.items()
        if len(cell) > CELL_CHARACTERS_MAX
    ]
    found += [
        CellFault(name, "LB06", "不是金额：应为至多两位小数的元，不含千分位和指数，请改正")
        for name in COMPONENTS
        if cells.get(name) and not _AMOUNT.fullmatch(cells[name])
    ]
    accepted = STATUSES if ledger == GW else OTHERS_STATUSES
    for name, values in (("direction", ("0", "1")), ("delivered", ("0", "1")), ("status", accepted)):
        if cells.get(name) and cells[name] not in values:
            found.append(CellFault(name, "LB07", f"只能为空或{'、'.join(values)}，请改正"))
    when = cells.get("setl_time", "")
    if when and not is_datetime(when) and not is_date(when):
        found.append(CellFault("setl_time", "LB08", "不是时间：应为yyyy-MM-dd HH:mm:ss，请改正"))
    has_message = cells.get("msgid") and cells.get("fixmedins_code")
    if not (cells.get("setl_id") or has_message or cells.get("prov_sn")):
        text = "setl_id、fixmedins_code加msgid、prov_sn都没有，这一行无法对应，请补充其中之一"
        found.append(CellFault("", "LB09", text))
    return found
