"""What makes the platform refuse a settlement list: its form (`simulators.list_form`), and whether it makes sense.

Sense is checked only when the form is right. SL-…: the rule of settlement_list.yaml a check was read from.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from simulators import shapes
from simulators.list_form import DURATIONS, FORM, NURSING, PARTS
from simulators.list_sheet import Check, Note, Sheet, between, day, in_order, minutes, number, text, when
from simulators.money import NotMoney, fen

_WEIGHT = (100, 9999)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def whose(sheet: Sheet) -> Iterator[Note]:
    """The list is of the person and institution of the settlement (4101: psn_no, setl_id; SL-F005)."""
    head = sheet.head
    if text(head, "psn_no") not in ("", sheet.person.psn_no):
        yield Note("psn_no", "【人员编号】与结算不符", text(head, "psn_no"))
    if not sheet.infant and text(head, "certno") not in ("", sheet.person.certno):
        yield Note("certno", "【证件号码】与参保人不符", text(head, "certno"))
    if text(head, "fixmedins_code") not in ("", sheet.institution):
        yield Note("fixmedins_code", "【定点医药机构编号】与报文不符", text(head, "fixmedins_code"))


def identity_number(sheet: Sheet) -> Iterator[Note]:
    """Check character (GB 11643) and date of birth of an identity card number (SL-F002, F003)."""
    head = sheet.head
    certno = text(head, "certno").upper()
    if text(head, "patn_cert_type") != "01":
        return
    if not re.fullmatch(r"[0-9]{17}[0-9X]", certno):
        yield Note("certno", "【证件号码】身份证号长度或校验码错误", certno)
        return
    total = sum(int(digit) * weight for digit, weight in zip(certno, _ID_WEIGHTS, strict=False))
    if certno[-1] != "10X98765432"[total % 11]:
        yield Note("certno", "【证件号码】身份证号长度或校验码错误", certno)
    elif certno[6:14] != text(head, "brdy")[:10].replace("-", ""):
        yield Note("brdy", "【出生日期】与身份证号不一致", text(head, "brdy"))


def dates(sheet: Sheet) -> Iterator[Note]:
    """What begins before it ends (SL-T001, T002, T004, T005, T009, T010)."""
    head = sheet.head
    if not in_order(sheet.admitted, sheet.left):
        yield Note("adm_time", "【入院时间】晚于【出院时间】", text(head, "adm_time"))
    if not in_order(day(head, "brdy"), day(head, "adm_time")):
        yield Note("brdy", "【出生日期】晚于入院时间", text(head, "brdy"))
    if not in_order(sheet.left, when(head, "dcla_time")):
        yield Note("dcla_time", "【申报时间】早于出院时间", text(head, "dcla_time"))
    if not in_order(day(head, "setl_begn_date"), day(head, "setl_end_date")):
        yield Note("setl_begn_date", "【结算期间】开始日期晚于结束日期", text(head, "setl_begn_date"))
    for row in sheet.rows("oprninfo"):
        for begin, end, title in (
            ("oprn_oprt_begntime", "oprn_oprt_endtime", "手术操作"),
            ("anst_begntime", "anst_endtime", "麻醉"),
        ):
            if not in_order(when(row, begin), when(row, end)):
                yield Note(begin, f"【{title}起止时间】先后错误", text(row, begin))


def lengths(sheet: Sheet) -> Iterator[Note]:
    """Days and hours that cannot be longer than the stay (SL-T003, T014-T016)."""
    head, days = sheet.head, sheet.days
    stay = between(sheet.admitted, sheet.left)
    if days is None or stay is None:
        return
    told = number(head, "act_ipt_days")
    if told is not None and told != days:
        yield Note("act_ipt_days", f"【实际住院天数】应为{days}", text(head, "act_ipt_days"))
    for name in ("vent_used_dura", "pwcry_afadm_coma_dura"):
        if (minutes(text(head, name)) or 0) > stay:
            yield Note(name, f"【{DURATIONS[name]}】超过住院时长", text(head, name))
    if sum((number(head, name) or Decimal(0) for name in NURSING), Decimal(0)) > days + 1:
        yield Note("lv1_nurscare_days", "【护理天数】合计超过住院天数")


def intensive_care(sheet: Sheet) -> Iterator[Note]:
    """In, out and sum agree, lie within the stay and do not overlap (SL-T010-T013)."""
    last = None
    for row in sorted(sheet.rows("icuinfo"), key=lambda row: text(row, "scs_cutd_inpool_time")):
        begin, end = when(row, "scs_cutd_inpool_time"), when(row, "scs_cutd_exit_time")
        told, real = minutes(text(row, "scs_cutd_sum_dura")), between(begin, end)
        if not in_order(begin, end):
            yield Note("scs_cutd_inpool_time", "【重症监护】进入时间晚于退出时间", text(row, "scs_cutd_inpool_time"))
        elif not in_order(sheet.admitted, begin, end, sheet.left):
            yield Note("scs_cutd_inpool_time", "【重症监护】不在住院期间", text(row, "scs_cutd_inpool_time"))
        elif told is None or real is None or abs(told - real) > 1:
            yield Note("scs_cutd_sum_dura", "【重症监护合计时长】与进出时间不符", text(row, "scs_cutd_sum_dura"))
        if not in_order(last, begin):
            yield Note("scs_cutd_inpool_time", "【重症监护】多段时间重叠", text(row, "scs_cutd_inpool_time"))
        last = end


def mains_and_counts(sheet: Sheet) -> Iterator[Note]:
    """One western main diagnosis, one main operation, counts as told (SL-G001, G002, O001, G015, G016)."""
    mains = sum(text(row, "maindiag_flag") == "1" for row in sheet.western)
    if mains > 1 or (sheet.inpatient and mains != 1):
        yield Note("maindiag_flag", "西医主要诊断必须且只能有一个", str(mains))
    operations = sheet.codes("oprninfo", "oprn_oprt_type")
    if operations and operations.count("1") != 1:
        yield Note("oprn_oprt_type", "主要手术及操作必须且只能有一个", str(operations.count("1")))
    for name, title, count in (
        ("diag_code_cnt", "诊断代码计数", len(sheet.western)),
        ("oprn_oprt_code_cnt", "手术及操作代码计数", len(operations)),
    ):
        told = number(sheet.head, name)
        if told is not None and told != count:
            yield Note(name, f"【{title}】应为{count}", text(sheet.head, name))


def weights(sheet: Sheet) -> Iterator[Note]:
    """Weights of newborns in grams, several separated by commas (SL-N003, N005, N009)."""
    for name in ("nwb_bir_wt", "nwb_adm_wt", "mul_nwb_bir_wt", "mul_nwb_adm_wt"):
        found = text(sheet.head, name)
        grams = [number({"wt": part}, "wt") for part in found.split(",")] if found else []
        if any(one is None or not _WEIGHT[0] <= one <= _WEIGHT[1] for one in grams):
            yield Note(name, "【新生儿体重】应为100-9999克", found)


def leaving(sheet: Sheet) -> Iterator[Note]:
    """Where the patient went (SL-W003, W005); blood that was given is more than nothing (SL-B002)."""
    head, way = sheet.head, text(sheet.head, "dscg_way")
    if way not in ("", "2", "3") and (text(head, "acp_medins_name") or text(head, "acp_optins_code")):
        yield Note("acp_medins_name", "非转院离院不应填写拟接收机构", text(head, "acp_medins_name"))
    if way == "5" and text(head, "days_rinp_flag_31") == "2":
        yield Note("days_rinp_flag_31", "死亡患者不能有再住院计划", "2")
    for row in sheet.rows("bldinfo"):
        if (number(row, "bld_amt") or 0) <= 0:
            yield Note("bld_amt", "【输血量】应大于0", text(row, "bld_amt"))


def amounts(sheet: Sheet) -> Iterator[Note]:
    """Money agrees to the fen with the settlement the platform itself booked (SL-X002, M002, M012; M005, M008)."""
    booked = sheet.settlement.split
    try:
        yield from _against(sheet, booked.fund_fen, booked.medfee_fen)
        for name, title, amount in (
            ("acct_pay", "个人账户支出", booked.acct_fen),
            ("psn_cashpay", "个人现金支付", booked.cash_fen),
        ):
            if text(sheet.head, name) and fen(text(sheet.head, name)) != amount:
                yield Note(name, f"【{title}】与结算不符", text(sheet.head, name))
    except NotMoney as cause:
        yield Note("fund_payamt", "金额应为两位小数", str(cause))


def _against(sheet: Sheet, fund_fen: int, medfee_fen: int) -> Iterator[Note]:
    funds = [row for row in sheet.rows("payinfo") if text(row, "fund_pay_type") != "310200"]
    if funds and sum(fen(text(row, "fund_payamt")) for row in funds) != fund_fen:
        yield Note("fund_payamt", "【基金支付金额】合计与结算不符")
    items = sheet.rows("iteminfo")
    if items and sum(fen(text(row, "amt")) for row in items) != medfee_fen:
        yield Note("amt", "清单总金额与结算的医疗费总额不一致")
    for row in items:
        if any(fen(text(row, name) or "0") < 0 for name in ("amt", *PARTS)):
            yield Note("amt", "收费金额不能为负", text(row, "amt"))


def items_add_up(sheet: Sheet) -> Iterator[Note]:
    """A fee item is the sum of its four parts and stands once (SL-M001, M006)."""
    seen = set()
    for row in sheet.rows("iteminfo"):
        kind = text(row, "med_chrgitm")
        if kind in seen:
            yield Note("med_chrgitm", "同一收费项目类别重复", kind)
        seen.add(kind)
        parts: list[Any] = [number(row, name) for name in PARTS]
        if any(part is not None for part in parts) and number(row, "amt") != sum(part or 0 for part in parts):
            yield Note("amt", "收费项目【金额】应等于甲类+乙类+自费+其他", text(row, "amt"))


SENSE: tuple[Check, ...] = (
    whose, identity_number, dates, lengths, intensive_care, mains_and_counts, weights, leaving, amounts, items_add_up,
)  # fmt: skip


def complaints(sheet: Sheet) -> list[str]:
    """Why the list is refused, at most COMPLAINTS_MAX reasons; empty when it may be kept."""
    for checks in (FORM, SENSE):
        found = [note.text for check in checks for note in check(sheet)]
        if found:
            return found[: shapes.COMPLAINTS_MAX]
    return []
