"""Which values coded items of a settlement list may have: the dictionaries, and what the domains of the list add."""

import re
import unicodedata
from collections.abc import Mapping

from simulators import shapes

_ADDED = {  # settlement_list.yaml, domains: values the dictionary of the same meaning lacks (annex L5: both count)
    "hi_paymtd": {"7", "8"},
    "fund_pay_type": {"391100", "501000", "610200", "999999"},
}
_PADDED = {"naty", "patn_rlts"}  # 1 is 01 (annex L5, X31)
_BLOOD_UNIT = "bld_unt"

DOMAINS: Mapping[str, Mapping[str, str]] = {
    "setlinfo": {
        "gend": "gend",
        "hi_type": "mdcs_type",
        "prfs": "prfs",
        "patn_rlts": "patn_rlts",
        "ntly": "nat_regn_code",
        "naty": "naty",
        "patn_cert_type": "patn_cert_type",
        "sp_psn_type": "sp_psn_type",
        "nwb_adm_type": "nwb_adm_type",
        "trt_type": "trt_type",
        "adm_way": "adm_way",
        "ipt_med_type": "ipt_med_type",
        "dscg_way": "dscg_way",
        "hi_paymtd": "hi_paymtd",
        "days_rinp_flag_31": "days_rinp_flag_31",
        "hi_setl_lv": "hi_setl_lv",
        "adm_caty": "dept",
        "dscg_caty": "dept",
        "stas_type": "stas_type",
    },
    "diseinfo": {"adm_cond_type": "adm_cond_type", "diag_type": "diag_type", "maindiag_flag": "maindiag_flag"},
    "oprninfo": {"anst_way": "anst_mtd_code", "oprn_oprt_type": "oprn_oprt_type"},
    "icuinfo": {"scs_cutd_ward_type": "icu_type"},
    "bldinfo": {"bld_cat": "bld_cat_code", "bld_unt": _BLOOD_UNIT},
    "iteminfo": {"med_chrgitm": "med_chrgitm_type"},
    "payinfo": {"fund_pay_type": "fund_pay_type"},
}
"""Node -> item -> dictionary (SL-D001-D027)."""


def allowed(domain: str, value: str) -> bool:
    if domain == _BLOOD_UNIT:  # text, not a dictionary (annex L5)
        return re.fullmatch("ml|u|单位|治疗量", unicodedata.normalize("NFKC", value).lower()) is not None
    values = shapes.dictionaries()[domain] | _ADDED.get(domain, set())
    return value in values or (domain in _PADDED and bool({value.zfill(2), value.lstrip("0")} & values))
