"""How the platform shows a settlement list: 4103 as stored, with its own numbers and amounts; one row of 4104.

The names of the fields are those of schemas/transactions; 4103 calls several items differently than 4101 does.
"""

import functools
from collections.abc import Mapping

import msgspec

import schemas
from simulators import list_review, stamps
from simulators.ledger import Books, Settlement
from simulators.list_desk import KeptList
from simulators.list_sheet import Sheet, minutes, text
from simulators.money import yuan
from simulators.people import AREA
from simulators.settling import fund_lines
from simulators.wording import Json

_HEAD_AS = {  # field of 4103 -> field of 4101
    "emp_poscode": "poscode",
    "opsp_mdtrt_time": "opsp_mdtrt_date",
    "adm_way_code": "adm_way",
    "refl_caty": "refldept_dept",
    "otp_wm_diag_dise_code": "wm_dise_code",
    "otp_tcm_diag_dise_code": "tcm_dise_code",
    "adm_dept_codg": "adm_dept_code",
    "dscg_dept_codg": "dscg_dept_code",
    "hsorg_name": "hsorg",
}
_ITEM_AS = {
    "med_chrgitm_type": "med_chrgitm",
    "item_sumamt": "amt",
    "item_claa_sumfee": "claa_sumfee",
    "item_clab_amt": "clab_amt",
    "item_fulamt_ownpay_amt": "fulamt_ownpay_amt",
    "item_ownpay_amt": "oth_amt",
}
_OWN_NUMBER = {
    "opspdiseinfo": "setl_list_opsp_trt_id",
    "diseinfo": "setl_list_diag_id",
    "iteminfo": "etl_list_chrgitm_id",
    "oprninfo": "setl_list_oprn_id",
    "icuinfo": "setl_list_scs_cutd_id",
    "bldinfo": "setl_List_bld_Id",
}
"""Node -> the number the platform gives each of its records."""

_DURATIONS = {
    "vent_used": "vent_used_dura",
    "bfadm_coma": "pwcry_bfadm_coma_dura",
    "afadm_coma": "pwcry_afadm_coma_dura",
}
_NO_LEVEL = "0"


@functools.cache
def _fields(node: str) -> tuple[str, ...]:
    """Names of the fields of a node of 4103's answer, in their order."""
    raw = dict(schemas.read("transactions", "4103.json"))["transactions/4103.json"]
    return tuple(field["name"] for field in msgspec.json.decode(raw)["output"][node]["fields"])


def _shaped(node: str, *sources: Mapping[str, object]) -> Json:
    """A record with every field of the node: from the first source that fills it, None where none does."""
    return {
        name: next((one[name] for one in sources if one.get(name) not in (None, "")), None) for name in _fields(node)
    }


def _stored(record: Json, names: Mapping[str, str]) -> Json:
    return record | {new: record[old] for new, old in names.items() if old in record}


def whole(books: Books, row: Settlement, kept: KeptList) -> Json:
    """`output` of 4103. Fund lines are the booked ones when the list brought none; fee items only as they came."""
    body = kept.body
    sheet = Sheet(body, row.institution, row, books.visits[row.mdtrt_id], books.people[row.psn_no])
    keys = {"setl_id": row.setl_id, "psn_no": row.psn_no, "mdtrt_id": row.mdtrt_id}
    answer: Json = {"setlinfo": _head(sheet, kept, keys)}
    funds = sheet.rows("payinfo") or fund_lines(row)
    answer["payinfo"] = [_shaped("payinfo", keys, one) for one in funds]
    for node, number in _OWN_NUMBER.items():
        answer[node] = [
            _shaped(node, keys, {number: f"{kept.setl_list_id}-{position}"}, _record(node, record))
            for position, record in enumerate(sheet.rows(node), 1)
        ]
    return answer


def _record(node: str, record: Json) -> Json:
    if node == "iteminfo":
        return _stored(record, _ITEM_AS)
    if node == "oprninfo":
        return record | {"main_oprn_flag": "1" if text(record, "oprn_oprt_type") == "1" else "0"}
    return record


def _head(sheet: Sheet, kept: KeptList, keys: Json) -> Json:
    row, who = sheet.settlement, sheet.person
    own: Json = keys | {
        "setl_list_sn": kept.setl_list_id,
        "stas_type": kept.stas,
        "chk_cont": "；".join(finding.text for finding in kept.findings)[:2000] if kept.returned else "",
        "dcla_time": text(sheet.head, "dcla_time") or stamps.stamp(kept.uploaded_s),
        "setl_time": stamps.stamp(row.now_s),
        "fixmedins_code": row.institution,
        "fixmedins_name": row.institution_name,
        "insutype": row.insutype,
        **_durations(sheet.head),
    }
    known = {
        "psn_name": who.name,
        "gend": who.gend,
        "brdy": who.brdy,
        "naty": "01",
        "patn_cert_type": "01",
        "certno": who.certno,
        "hi_type": row.insutype,
        "insu_admdvs": who.insuplc,
        "ipt_med_type": "1" if sheet.inpatient else None,
        "act_ipt_days": sheet.days if sheet.inpatient else None,
        "diag_code_cnt": len(sheet.western),
        "oprn_oprt_code_cnt": len(sheet.rows("oprninfo")),
        "hsorg_code": AREA,
        **_paid(row),
    }
    return _shaped("setlinfo", own, _stored(sheet.head, _HEAD_AS), known)


def _durations(head: Json) -> Json:
    """Days, hours and minutes apart, as 4103 has them."""
    found: Json = {}
    for short, name in _DURATIONS.items():
        if minutes(text(head, name)) is not None:
            days, hours, rest = (int(part) for part in text(head, name).split("/"))
            found |= {f"{short}_days": days, f"{short}_h_cnt": hours, f"{short}_m_cnt": rest}
    return found


def _paid(row: Settlement) -> Json:
    part = row.split
    large = "jmdbPay" if row.insutype == "390" else "zgdePay"
    return {
        "psn_selfpay": yuan(part.person_fen - part.partition.own_fen),
        "psn_ownpay": yuan(part.partition.own_fen),
        "acct_pay": yuan(part.acct_fen),
        "psn_cashpay": yuan(part.cash_fen),
        "ybtcPay": yuan(part.hifp_fen),
        "gwyPay": yuan(part.cvlserv_fen),
        large: yuan(part.hifes_fen),
        "yljzPay": yuan(part.maf_fen),
    }


def verdict(books: Books, row: Settlement, kept: KeptList) -> Json:
    """One row of 4104. qltctrl_rslt: 1 nothing sends it back, 0 something does (the simulator's choice)."""
    who = books.people[row.psn_no]
    return {
        "fixmedins_code": row.institution,
        "fixmedins_name": row.institution_name,
        "setl_ym": stamps.dense(row.now_s)[:6],
        "setl_id": row.setl_id,
        "psn_no": row.psn_no,
        "psn_name": who.name,
        "qltctrl_rslt": "0" if kept.faulty else "1",
        "err_lv": min((finding.level for finding in kept.findings), default=_NO_LEVEL),
        "retn_flag": "1" if kept.returned else "0",
        "qltctrl_ver": list_review.RULES_VERSION,
        "qltctrl_time": stamps.stamp(kept.uploaded_s),
        "psn_cert_type": "01",
        "cert_no": who.certno,
        "grp_stas": None,
        "detailinfo": [
            {
                "exam_data_fld": finding.field[:20],
                "qltctrl_chk_rslt": finding.text[:100],
                "err_lv": finding.level,
                "retn_flag": "1" if finding.returns else "0",
                "init_val": finding.value[:60],
            }
            for finding in kept.findings
        ],
    }
