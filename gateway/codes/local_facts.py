"""What an institution says of its own item: the descriptive columns of a mapping file that are recognised and kept.

Titles are those of the usual exports of hospital systems and their Chinese names. Everything else is ignored. Identity
numbers of persons have no use here and are never kept, whatever column they stand in.
"""

import re
from collections.abc import Mapping

from gateway.core.dates import is_date

PREFIX = "fact:"  # in front of a fact's name where it stands beside the columns of the mapping itself
CHARACTERS_MAX = 2000
NO_FACTS: Mapping[str, str] = {}

_ANY: Mapping[str, tuple[str, ...]] = {
    "name": ("local_name", "city_name", "院内名称", "本地名称", "项目名称", "名称"),
    "old_code": ("old_city_code", "city_code", "原城市编码", "旧城市编码", "旧编码"),
    "enabled": ("enabled", "启用标志", "在用标志"),
    "store": ("store", "local_store", "库房", "药房", "科室库"),
    "chrgitm": ("local_chrgitm", "med_chrgitm_type", "收费类别", "收费项目类别"),
    "list_type": ("list_type", "目录类别"),
    "level": ("hosp_lv", "institution_level", "医院等级", "机构等级"),
    "cover": ("local_chrgitm_lv", "chrgitm_lv", "收费项目等级", "报销类别", "医保类别"),
    "self_made": ("self_made", "自创项目", "院内自定"),
    "his_check": ("his_check", "HIS限制校验", "限制校验"),
    "gender": ("local_gender_limit", "gender_limit", "限性别", "性别限制"),
}
_GOODS: Mapping[str, tuple[str, ...]] = {
    "spec": ("local_spec", "spec", "规格", "规格型号"),
    "pack": ("local_pack", "pacspec", "包装", "包装规格"),
    "unit": ("local_unit", "prcunt", "unit", "单位", "计价单位"),
    "ratio": ("local_ratio", "ratio", "转换比", "包装转换比"),
    "maker": ("local_maker", "prodentp_name", "生产企业", "生产厂家", "产地"),
    "price": ("local_price", "pric", "price", "单价", "价格"),
    "stock_code": ("stock_code", "进货国家编码", "入库国家编码"),
}
_STAFF: Mapping[str, tuple[str, ...]] = {
    "licence": ("local_prac_cert_no", "prac_cert_no", "执业证书编号"),
    "dept": ("local_dept", "dept", "科室"),
    "institution": ("fixmedins_code", "机构编码", "所在机构编码"),
}
_OF_SYSTEM: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "drug": {
        **_GOODS,
        "dosform": ("local_dosform", "dosform", "剂型"),
        "approval": ("local_aprvno", "aprvno", "批准文号"),
    },
    "consumable": {
        **_GOODS,
        "registration": ("local_reg_no", "reg_fil_no", "注册证号", "注册备案号"),
        "device": ("local_udi", "udi_di", "医疗器械唯一标识码", "UDI"),
    },
    "service_item": {
        "unit": _GOODS["unit"],
        "price": _GOODS["price"],
        "price_code": ("local_price_code", "物价编码", "收费编码"),
        "content": ("item_cont", "项目内涵", "内涵"),
        "except": ("exct_cont", "除外内容"),
    },
    "diagnosis": {
        "icd": ("icd_code", "ICD编码"),
        "icd_version": ("icd_version", "ICD版本"),
    },
    "operation": {"icd": ("icd9_code", "ICD编码")},
    "doctor": _STAFF,
    "nurse": _STAFF,
    "pharmacist": _STAFF,
    "medical_institution": {"uscc": ("uscc", "统一社会信用代码")},
    "retail_pharmacy": {"uscc": ("uscc", "统一社会信用代码"), "permit": ("drug_biz_lic_no", "许可证号")},
}
_TITLE = {name: titles[0] for facts in (_ANY, *_OF_SYSTEM.values()) for name, titles in facts.items()}
_IDENTITY = re.compile(r"[0-9*]{17}[0-9Xx*]|[0-9]{15}")
_MASKED = re.compile(r"[0-9]{6,14}\*{3,}[0-9Xx*]{1,6}")


def fact_titles(system: str) -> dict[str, tuple[str, ...]]:
    """Return `fact:NAME` -> titles of the descriptive columns a mapping file of this system may have."""
    return {f"{PREFIX}{name}": titles for name, titles in {**_ANY, **_OF_SYSTEM.get(system, {})}.items()}


def title(fact: str) -> str:
    """Return the title a finding names a fact's column by."""
    return _TITLE.get(fact, fact)


def is_identity(text: str) -> bool:
    """Say whether a text is, or masks, a resident identity number (GB 11643: day of birth in the middle)."""
    if _MASKED.fullmatch(text):
        return True
    if not _IDENTITY.fullmatch(text):
        return False
    if "*" in text:
        return True
    day = text[6:14] if len(text) == 18 else f"19{text[6:12]}"
    return is_date(f"{day[:4]}-{day[4:6]}-{day[6:]}")
