"""Whether a settlement list has its form: what must be there is there, can be read, and has values of its domain.

A reading of its own; SL-… beside a check is the rule of settlement_list.yaml it was read from, annex section L decides.
"""

import re
from collections.abc import Iterator

from simulators.list_sheet import NODES, Check, Note, Sheet, minutes, number, text, when
from simulators.list_values import DOMAINS, allowed
from simulators.wording import Json

ROWS_MAX = 50
_ALWAYS = {  # settlement_list.yaml message.current; SL-R001, R002, R010, R014, R030-R037
    "mdtrt_id": "就诊ID",
    "setl_id": "结算ID",
    "ntly": "国籍",
    "prfs": "职业",
    "dscg_caty": "出院科别",
    "bill_code": "票据代码",
    "bill_no": "票据号码",
    "biz_sn": "业务流水号",
    "setl_begn_date": "结算开始日期",
    "setl_end_date": "结算结束日期",
    "hi_paymtd": "医保支付方式",
    "medins_fill_dept": "医疗机构填报部门",
    "medins_fill_psn": "医疗机构填报人",
}
_INPATIENT = {  # SL-R006, R021-R028 (annex L6: R006 when inpatient)
    "medcasno": "病案号",
    "adm_time": "入院时间",
    "dscg_time": "出院时间",
    "adm_caty": "入院科别",
    "trt_type": "治疗类别",
    "dscg_way": "离院方式",
    "chfpdr_code": "主诊医师代码",
}
_FULL = {  # SL-R003, R004, R007-R013, R019, R020: the 2021 form only
    "fixmedins_code": "定点医药机构编号",
    "fixmedins_name": "定点医药机构名称",
    "psn_name": "人员姓名",
    "gend": "性别",
    "brdy": "出生日期",
    "naty": "民族",
    "patn_cert_type": "患者证件类别",
    "certno": "证件号码",
    "hi_type": "医保类型",
    "insuplc": "参保地",
}
_CONTACT = {"patn_rlts": "与患者关系", "coner_addr": "联系人地址", "coner_tel": "联系人电话"}  # SL-R016-R018
_ROWS = {  # SL-G007, O003-O004, I001, B001 and the message tables
    "diseinfo": {"diag_type": "诊断类别", "diag_code": "诊断代码", "diag_name": "诊断名称"},
    "oprninfo": {"oprn_oprt_type": "手术操作类别", "oprn_oprt_code": "手术操作代码", "oper_dr_code": "术者医师代码"},
    "icuinfo": {
        "scs_cutd_ward_type": "重症监护病房类型",
        "scs_cutd_inpool_time": "重症监护进入时间",
        "scs_cutd_exit_time": "重症监护退出时间",
        "scs_cutd_sum_dura": "重症监护合计时长",
    },
    "bldinfo": {"bld_cat": "输血品种", "bld_amt": "输血量", "bld_unt": "输血计量单位"},
    "payinfo": {"fund_pay_type": "基金支付类型", "fund_payamt": "基金支付金额"},
    "iteminfo": {"med_chrgitm": "医疗收费项目", "amt": "金额"},
}
_DATES = {
    "setlinfo": (
        "dcla_time", "adm_time", "dscg_time", "setl_begn_date", "setl_end_date", "opsp_mdtrt_date", "brdy",
    ),
    "oprninfo": ("oprn_oprt_begntime", "oprn_oprt_endtime", "anst_begntime", "anst_endtime", "oprn_oprt_date"),
    "icuinfo": ("scs_cutd_inpool_time", "scs_cutd_exit_time"),
}  # fmt: skip
NURSING = ("spga_nurscare_days", "lv1_nurscare_days", "scd_nurscare_days", "lv3_nurscare_days")
PARTS = ("claa_sumfee", "clab_amt", "fulamt_ownpay_amt", "oth_amt")
_NUMBERS = {
    "setlinfo": (
        *NURSING, "age_days", "nwb_age", "act_ipt_days", "diag_code_cnt", "oprn_oprt_code_cnt", "acct_pay",
        "psn_cashpay", "psn_selfpay", "psn_ownpay",
    ),
    "payinfo": ("fund_payamt",),
    "iteminfo": ("amt", *PARTS),
    "bldinfo": ("bld_amt",),
}  # fmt: skip
DURATIONS = {
    "vent_used_dura": "呼吸机使用时间",
    "pwcry_bfadm_coma_dura": "颅脑损伤患者入院前昏迷时间",
    "pwcry_afadm_coma_dura": "颅脑损伤患者入院后昏迷时间",
}
_PATTERNS = {
    "poscode": (r"[0-9]{6}", "邮编"),  # SL-F001
    "insuplc": (r"[0-9]{6}", "参保地"),  # SL-F012
    "acp_optins_code": (r"H[0-9]{11}", "拟接收机构代码"),  # SL-F013
}


def _missing(record: Json, names: dict[str, str], where: str = "") -> Iterator[Note]:
    for name, title in names.items():
        if not text(record, name):
            yield Note(name, f"{where}【{title}】未填写")


def _places(sheet: Sheet) -> Iterator[tuple[str, str, Json]]:
    """(node, how to point at it, record) of everything in the list."""
    yield "setlinfo", "", sheet.head
    for node in NODES:
        for position, row in enumerate(sheet.rows(node), 1):
            yield node, f"{node}第{position}条", row


def not_too_many(sheet: Sheet) -> Iterator[Note]:
    """At most 50 records a node, objects all of them (general_rules; SL-S005)."""
    for node in NODES:
        if len(sheet.raw(node)) > ROWS_MAX:
            yield Note(node, f"{node}超过{ROWS_MAX}条记录")
        if len(sheet.rows(node)) != len(sheet.raw(node)):
            yield Note(node, f"{node}应为对象")


def required(sheet: Sheet) -> Iterator[Note]:
    """Every item that must be there; and one that says whose list it is (message.current: psn_no; 2021: certno)."""
    head = sheet.head
    if not text(head, "psn_no") and not text(head, "certno"):
        yield Note("psn_no", "【人员编号】未填写")
    yield from _missing(head, _ALWAYS)
    if sheet.inpatient:
        yield from _missing(head, _INPATIENT)
    if sheet.full:
        yield from _missing(head, _FULL)
    if text(head, "coner_name"):
        yield from _missing(head, _CONTACT)
    for node, where, row in _places(sheet):
        yield from _missing(row, _ROWS.get(node, {}), where)


def also_required(sheet: Sheet) -> Iterator[Note]:
    """What one item asks of another: SL-W004, R025, P001, P003, G007, O003, O005."""
    head = sheet.head
    if text(head, "days_rinp_flag_31") == "2":
        yield from _missing(head, {"days_rinp_pup_31": "再住院目的"})
    if sheet.full and sheet.inpatient:
        yield from _missing(head, {"act_ipt_days": "实际住院天数"})
    if not sheet.inpatient and not text(head, "adm_time") and sheet.rows("opspdiseinfo"):
        yield from _missing(head, {"opsp_diag_caty": "门诊慢特病诊断科别", "opsp_mdtrt_date": "门诊慢特病就诊日期"})
    if not sheet.rows("diseinfo") and not sheet.rows("opspdiseinfo"):
        yield Note("diag_code", "门诊慢特病诊断与住院诊断至少填写一类")
    for row in sheet.western:
        yield from _missing(row, {"adm_cond_type": "入院病情类型"}, f"诊断{text(row, 'diag_code')}")
    for row in sheet.rows("oprninfo"):
        where = f"手术{text(row, 'oprn_oprt_code')}"
        if not text(row, "oprn_oprt_date"):
            yield from _missing(row, {"oprn_oprt_begntime": "手术操作日期"}, where)
        if text(row, "anst_way")[:1] in ("1", "2", "4"):
            yield from _missing(row, {"anst_dr_code": "麻醉医师代码"}, where)


def readable(sheet: Sheet) -> Iterator[Note]:
    """Dates and numbers can be read (SL-S002); the header counts nothing below zero; no "^" anywhere (SL-F010)."""
    for node, where, row in _places(sheet):
        for name in _DATES.get(node, ()):
            if text(row, name) and when(row, name) is None:
                yield Note(name, f"{where}{name}不是有效日期", text(row, name))
        for name in _NUMBERS.get(node, ()):
            found = number(row, name)
            if text(row, name) and found is None:
                yield Note(name, f"{where}{name}不是数值", text(row, name))
            elif found is not None and found < 0 and node == "setlinfo":
                yield Note(name, f"{name}不能为负", text(row, name))
        yield from (Note(name, f"{where}{name}不允许含有“^”") for name, value in row.items() if "^" in str(value))


def patterns(sheet: Sheet) -> Iterator[Note]:
    """Durations are days/hours/minutes (SL-F007-F009), codes have their form (SL-F001, F012, F013)."""
    for name, title in DURATIONS.items():
        if text(sheet.head, name) and minutes(text(sheet.head, name)) is None:
            yield Note(name, f"【{title}】格式应为天/小时/分钟", text(sheet.head, name))
    for name, (pattern, title) in _PATTERNS.items():
        if text(sheet.head, name) and not re.fullmatch(pattern, text(sheet.head, name)):
            yield Note(name, f"【{title}】填写不规范", text(sheet.head, name))


def in_domain(sheet: Sheet) -> Iterator[Note]:
    """Coded items have a value of their domain (SL-D001-D027; annex L5)."""
    for node, where, row in _places(sheet):
        for name, domain in DOMAINS.get(node, {}).items():
            if text(row, name) and not allowed(domain, text(row, name)):
                yield Note(name, f"{where}{name}不在值域范围", text(row, name))


FORM: tuple[Check, ...] = (not_too_many, required, also_required, readable, patterns, in_domain)
