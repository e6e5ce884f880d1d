"""The platform's quality control of settlement lists it has kept: what sends a list back, and what only makes it think.

A reading of its own; SL-… is the rule of settlement_list.yaml a check was read from. Which rules refuse at the door,
which send back and which only warn is the simulator's choice, mostly by the level of the rule. Deterministic: the same
list is always judged alike.
"""

import re
from collections.abc import Iterator

import attrs

from simulators.list_sheet import Check, Note, Sheet, day, in_order, minutes, number, text, when

RULES_VERSION = "SIM-2026.11"
_FEMALE = re.compile(r"O|N7[0-9]|N8|N9[0-8]|C5[1-8]|D2[5-7]").match  # annex L4, female_only
_MALE = re.compile(r"N4|N5[01]|C6[0-3]").match  # annex L4, male_only
_DELIVERY = ("O80", "O81", "O82", "O83", "O84")
_BORN_ALIVE = ("Z37.0", "Z37.2", "Z37.3", "Z37.5", "Z37.6")
_STILLBORN = ("Z37.1", "Z37.4", "Z37.7")
_AT_HOME = ("31", "70", "27", "80", "90")  # occupations without an employer (SL-R038)


@attrs.frozen
class Finding:
    """What quality control says. returns: whether it sends the list back."""

    field: str
    text: str
    value: str
    returns: bool

    @property
    def level(self) -> str:
        """err_lv: 1 error, 2 hint. No table tells its values; the simulator's choice."""
        return "1" if self.returns else "2"


def sex(sheet: Sheet) -> Iterator[Note]:
    """SL-G011, G012, O007 (annex L4)"""
    if sheet.gend not in ("1", "2"):
        return
    own, other = ("男", _FEMALE) if sheet.gend == "1" else ("女", _MALE)
    for row in sheet.western:
        if other(text(row, "diag_code")):
            yield Note("diag_code", f"诊断与性别（{own}）不符", text(row, "diag_code"))
    first, last = ("65", "75") if sheet.gend == "1" else ("60", "64")
    for code in sheet.codes("oprninfo", "oprn_oprt_code"):
        if first <= code[:2] <= last:
            yield Note("oprn_oprt_code", f"手术操作与性别（{own}）不符", code)


def during_the_stay(sheet: Sheet) -> Iterator[Note]:
    """SL-T007 by the day, T008 by the minute"""
    head = sheet.head
    for row in sheet.rows("oprninfo"):
        done = day(row, "oprn_oprt_date") or day(row, "oprn_oprt_begntime")
        if not in_order(day(head, "adm_time"), done, day(head, "dscg_time")):
            yield Note("oprn_oprt_begntime", "【手术操作日期】不在住院期间", str(done))
        if not in_order(sheet.admitted, when(row, "anst_begntime"), when(row, "anst_endtime"), sheet.left):
            yield Note("anst_begntime", "【麻醉起止时间】不在住院期间", text(row, "anst_begntime"))


def twice(sheet: Sheet) -> Iterator[Note]:
    """SL-G006"""
    seen = set()
    for row in sheet.rows("diseinfo"):
        key = (text(row, "diag_type"), text(row, "diag_code"))
        if key in seen:
            yield Note("diag_code", "同一诊断代码重复填报", key[1])
        seen.add(key)


def newborns(sheet: Sheet) -> Iterator[Note]:
    """SL-N001, N002; N008: diseases of the first weeks are no main diagnosis after a year"""
    head = sheet.head
    if sheet.newborn:
        if not text(head, "nwb_adm_type"):
            yield Note("nwb_adm_type", "28天内新生儿【新生儿入院类型】不能为空")
        if not text(head, "nwb_adm_wt") and not text(head, "mul_nwb_adm_wt"):
            yield Note("nwb_adm_wt", "28天内新生儿【新生儿入院体重】不能为空")
    age = sheet.age_days
    if text(sheet.main, "diag_code").startswith("P") and age is not None and age > 365:
        yield Note("diag_code", "主要诊断为围生期疾病但患者已超过1岁", text(sheet.main, "diag_code"))


def births(sheet: Sheet) -> Iterator[Note]:
    """SL-G019, N004 as amended (annex L6), G013"""
    deliveries = [code for row in sheet.western if (code := text(row, "diag_code")).startswith(_DELIVERY)]
    if deliveries and not sheet.has("Z37"):
        yield Note("diag_code", "分娩病例应填写分娩结局Z37", deliveries[0])
    alive = (deliveries and not sheet.has(*_STILLBORN)) or sheet.has(*_BORN_ALIVE)
    exempt = bool(deliveries) and set(deliveries) == {"O83.400"}
    if alive and not exempt and not text(sheet.head, "nwb_bir_wt") and not text(sheet.head, "mul_nwb_bir_wt"):
        yield Note("nwb_bir_wt", "存在分娩诊断时【新生儿出生体重】必填")
    years = _years(sheet)
    if sheet.has("O") and years is not None and not 10 <= years <= 60:
        yield Note("diag_code", "产科诊断与年龄不符", str(years))


def _years(sheet: Sheet) -> int | None:
    """Completed years at admission."""
    at, born = day(sheet.head, "adm_time"), sheet.born
    if at is None or sheet.infant:
        return None
    return at.year - born.year - ((at.month, at.day) < (born.month, born.day))


def chinese_medicine(sheet: Sheet) -> Iterator[Note]:
    """SL-G017"""
    kinds = sheet.codes("diseinfo", "diag_type")
    if text(sheet.head, "trt_type") in ("21", "22", "30") and not {"2", "3"} <= set(kinds):
        yield Note("diag_type", "中医、民族医、中西医治疗须填中医主病和主证诊断", text(sheet.head, "trt_type"))


def surgery_fee(sheet: Sheet) -> Iterator[Note]:
    """SL-O008"""
    paid = any(text(row, "med_chrgitm") == "06" and number(row, "amt") for row in sheet.rows("iteminfo"))
    if paid and not sheet.rows("oprninfo"):
        yield Note("med_chrgitm", "有手术费但未填手术操作", "06")


def odd_mains(sheet: Sheet) -> Iterator[Note]:
    """SL-G008, G009, G010, G014"""
    code = text(sheet.main, "diag_code")
    if code[:1] in ("V", "W", "X", "Y"):
        yield Note("diag_code", "主要诊断不应为外因编码", code)
    if code.startswith("R"):
        yield Note("diag_code", "主要诊断为症状体征编码，请核实", code)
    if text(sheet.main, "adm_cond_type") == "4":
        yield Note("adm_cond_type", "入院后新发的诊断一般不应作为主要诊断", "4")
    if code[:1] in ("S", "T") and not sheet.has("V", "W", "X", "Y"):
        yield Note("diag_code", "主要诊断为损伤、中毒时应填外部原因", code)


def registered_stay(sheet: Sheet) -> Iterator[Note]:
    """SL-T006 as amended; and the days the platform knows from 2401 and 2402 (the simulator's own)"""
    head = sheet.head
    if sheet.settlement.kind != "inpatient":
        return
    days = (day(head, "adm_time"), day(head, "setl_begn_date"), day(head, "setl_end_date"), day(head, "dscg_time"))
    if not in_order(*days):
        yield Note("setl_begn_date", "【结算期间】不在入院至出院之间", text(head, "setl_begn_date"))
    for name, title, known in (("adm_time", "入院", sheet.visit.begin), ("dscg_time", "出院", sheet.visit.end)):
        if known and text(head, name)[:10] != known[:10]:
            yield Note(name, f"【{title}时间】与{title}登记不符", text(head, name))


def odd_care(sheet: Sheet) -> Iterator[Note]:
    """SL-O011, O013, O014, N006, W006"""
    head = sheet.head
    ventilated = any(code.startswith("96.7") for code in sheet.codes("oprninfo", "oprn_oprt_code"))
    if ventilated and not minutes(text(head, "vent_used_dura")):
        yield Note("vent_used_dura", "有呼吸机治疗操作但【呼吸机使用时间】为空")
    coma = [minutes(text(head, name)) or 0 for name in ("pwcry_bfadm_coma_dura", "pwcry_afadm_coma_dura")]
    if any(coma) and not sheet.has("S06"):
        yield Note("pwcry_bfadm_coma_dura", "填写昏迷时间但无颅脑损伤诊断")
    age = sheet.age_days
    if "2" in sheet.codes("icuinfo", "scs_cutd_ward_type") and age is not None and age > 365:
        yield Note("scs_cutd_ward_type", "非新生儿填写NICU", "2")
    grams = number(head, "nwb_adm_wt")
    if grams is not None and grams % 10:
        yield Note("nwb_adm_wt", "【新生儿入院体重】应精确到10克", text(head, "nwb_adm_wt"))
    if text(head, "dscg_way") == "9":
        yield Note("dscg_way", "离院方式为其他，请核实", "9")


def thin(sheet: Sheet) -> Iterator[Note]:
    """SL-R015 as amended, R038, R040, W001 as amended"""
    head = sheet.head
    wanted = {"coner_name": "联系人姓名"} if sheet.inpatient else {}
    if text(head, "prfs") not in _AT_HOME:
        wanted |= {"emp_name": "单位名称", "curr_addr": "现住址"}
    if text(head, "dscg_way") in ("2", "3"):
        wanted["acp_medins_name"] = "拟接收机构名称"
    for name, title in wanted.items():
        if not text(head, name):
            yield Note(name, f"【{title}】未填写")


RETURNING: tuple[Check, ...] = (sex, during_the_stay, twice, newborns, births, chinese_medicine, surgery_fee)
WARNING: tuple[Check, ...] = (odd_mains, registered_stay, odd_care, thin)


def findings(sheet: Sheet) -> tuple[Finding, ...]:
    """Everything quality control finds, what sends the list back first."""
    return tuple(
        Finding(note.field, note.text, note.value, checks is RETURNING)
        for checks in (RETURNING, WARNING)
        for check in checks
        for note in check(sheet)
    )
