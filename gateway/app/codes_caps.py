"""Files given beside a mapping: price caps of 1318 (MA09), the items a province approved (MA11; mapping rules §6)."""

from contextlib import ExitStack
from pathlib import Path

from adapters.files.tables import Limits, Shape
from gateway.app.codes_checks import Refused, lines_of, opened
from gateway.codes.checks.ground import Cap
from gateway.codes.checks.text import number
from gateway.codes.checks.use import approved_codes
from gateway.codes.faults import Faults
from gateway.codes.library import day_text

# 1318 names the benefit code; where the place has none of its own it is the national one (mapping rules §1).
_SHAPE = Shape(
    titles={
        "code": ("med_list_codg", "医疗目录编码", "hilist_code", "医保目录编码"),
        "amount": ("hilist_pric_uplmt_amt", "医保目录定价上限金额"),
        "level": ("lmtpric_hosp_lv", "限价医院等级", "hilist_lmtpric_type", "医保目录限价类型"),
        "begndate": ("begndate", "开始日期"),
        "enddate": ("enddate", "结束日期"),
        "vali_flag": ("vali_flag", "有效标志"),
    },
    key=("code", "amount"),
)
_ITEMS = Shape(
    titles={"price_code": ("物价编码", "local_price_code", "收费编码", "价格编码", "项目编码")}, key=("price_code",)
)
_LEVELS = {"1": 1, "2": 2, "3": 3, "": None}  # dictionaries lmtpric_hosp_lv and hilist_lmtpric_type


def read_approved(file: Path) -> frozenset[str]:
    """Return the price codes of a province's list, as the checks look them up.

    Raises Refused, ColumnMissing, OSError.
    """
    faults = Faults()
    with ExitStack() as stack:
        table = opened(file, _ITEMS, faults, stack, Limits())
        codes = [cells[table.at["price_code"]] for _, cells in lines_of(file, table, faults)]
    if not codes:
        faults.add(0, "", "MF02", "文件没有数据行")
    if faults:
        raise Refused(file, faults)
    return approved_codes(codes)


def read_caps(file: Path) -> dict[str, tuple[Cap, ...]]:
    """Return national code -> its caps. Raises Refused, ColumnMissing, OSError."""
    faults = Faults()
    caps: dict[str, list[Cap]] = {}
    with ExitStack() as stack:
        table = opened(file, _SHAPE, faults, stack, Limits())
        for line, cells in lines_of(file, table, faults):
            cell = {name: cells[place] for name, place in table.at.items()}
            amount, level = number(cell["amount"]), cell.get("level", "")
            begndate, enddate = (day_text(cell.get(name, "")) for name in ("begndate", "enddate"))
            if amount is None or level not in _LEVELS:
                wrong = table.title("amount" if amount is None else "level")
                faults.add(line, wrong, "MF07", "限价金额或限价医院等级不能识别")
            elif begndate is None or enddate is None:
                faults.add(line, table.title("begndate"), "MF08", "不是有效日期")
            elif cell.get("vali_flag", "1") != "0":
                one = Cap(amount=amount, level=_LEVELS[level], begndate=begndate, enddate=enddate)
                caps.setdefault(cell["code"], []).append(one)
    if faults:
        raise Refused(file, faults)
    return {code: tuple(found) for code, found in caps.items()}
