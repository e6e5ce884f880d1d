"""The code systems a file may be about: their ids, patterns, and the titles their columns go by.

Ids are those of `schemas/code_systems`, and `department` and `dictionary:NAME` for mappings (annex X11), which have no
pattern and no library. Titles: the names the national interface uses (13xx, 5102 fields) and the Chinese titles of the
13xx downloads as `schemas/transactions` prints them in `file_columns`.
"""

import re
from collections.abc import Mapping

from gateway.core.catalogue import CodeSystemSpec

DICTIONARY = "dictionary:"
_DICTIONARY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

MAPPING_TITLES: Mapping[str, tuple[str, ...]] = {
    # A city's old catalogue against the national codes is checked as a mapping too (annex C4).
    "local_code": ("local_code", "院内编码", "本地编码", "city_code"),
    "national_code": ("national_code", "国家编码", "国家医保编码"),
    "valid_from": ("valid_from", "生效日期", "begndate"),
    "valid_to": ("valid_to", "失效日期", "enddate"),
    "evidence": ("evidence", "依据"),
}
MAPPING_KEY = ("local_code", "national_code")

_COMMON: Mapping[str, tuple[str, ...]] = {
    "begndate": ("begndate", "begntime", "cntr_begntime", "开始日期", "开始时间", "生效时间"),
    "enddate": ("enddate", "endtime", "cntr_endtime", "结束日期", "结束时间", "失效时间"),
    "vali_flag": ("vali_flag", "有效标志"),
    "gray": ("gray",),
    "ver": ("ver", "版本号"),
}
_ITEM = ("med_list_codg", "医疗目录编码")
_CODE_AND_NAME: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "diagnosis": (("diag_code", "诊断代码"), ("diag_name", "诊断名称")),
    "operation": (("oprn_oprt_code", "手术操作代码"), ("oprn_oprt_name", "手术操作名称")),
    "drug": (
        (*_ITEM, "中药配方颗粒代码"),
        ("generic_name", "药品通用名", "注册名称", "药品商品名", "标准名称", "单味药名称", "中药配方颗粒名称"),
    ),
    "service_item": (_ITEM, ("servitem_name", "医疗服务项目名称")),
    "consumable": (_ITEM, ("mcs_name", "hi_genname", "耗材名称", "医保通用名")),
    "chronic_disease": (("opsp_dise_code", "门慢门特病种目录代码"), ("opsp_dise_name", "门慢门特病种名称")),
    "settlement_disease": (
        ("bydise_setl_list_code", "按病种结算病种目录代码"),
        ("bydise_setl_dise_name", "按病种结算病种名称"),
    ),
    "day_surgery": (
        ("daysrg_dise_list_code", "日间手术病种目录代码"),
        ("daysrg_dise_name", "日间手术病种名称"),
    ),
    "medical_institution": (("fixmedins_code",), ("fixmedins_name",)),
    "retail_pharmacy": (("rtal_phac_code", "fixmedins_code"), ("rtal_phac_name", "fixmedins_name")),
    "doctor": (("dr_code", "prac_psn_code"), ("psn_name", "prac_psn_name")),
    "nurse": (("nurs_code", "prac_psn_code"), ("nurs_name", "psn_name", "prac_psn_name")),
    "pharmacist": (("phar_code", "prac_psn_code"), ("phar_name", "psn_name", "prac_psn_name")),
}
_PLAIN = (("code",), ("name",))
# Identity numbers of persons have no use in the library of codes, so they are not taken into it.
UNKEPT_COLUMNS = frozenset({"certno", "psn_cert_no", "证件号码", "身份证号", "身份证号码", "联系电话", "tel", "mob"})


def is_library(system: str, specs: Mapping[str, CodeSystemSpec]) -> bool:
    """Say whether a national library of this id exists."""
    return system in specs


def is_mappable(system: str, specs: Mapping[str, CodeSystemSpec]) -> bool:
    """Say whether local codes may be mapped for this SYSTEM id."""
    if system.startswith(DICTIONARY):
        return _DICTIONARY_NAME.fullmatch(system[len(DICTIONARY) :]) is not None
    return system == "department" or system in specs


def forms(specs: Mapping[str, CodeSystemSpec]) -> dict[str, re.Pattern[str]]:
    """Return the compiled pattern of every system."""
    return {name: re.compile(spec.regex) for name, spec in specs.items()}


def library_titles(system: str) -> dict[str, tuple[str, ...]]:
    """Return our name -> titles for a library file; `code` is the key column."""
    code, name = _CODE_AND_NAME.get(system, _PLAIN)
    return {"code": (*code, "code"), "name": (*name, "name"), **_COMMON}
