"""Messages of institutions for tests: shapes of the specification's example exchanges, invented persons."""

from typing import Any

HOME, SHOP, OTHER = "H51080200001", "P51080200101", "H51080200002"
PERSON, VISIT = "51080000000000000001", "510800M202603020800000000001"

Json = dict[str, Any]


def envelope(infno: str, msgid: str, body: Json, code: str = HOME, **changes: Any) -> Json:
    """The 18 fields of the request envelope."""
    found = {
        "infno": infno, "msgid": msgid, "mdtrtarea_admvs": "510800", "insuplc_admdvs": "510800",
        "recer_sys_code": "YBXT", "dev_no": "", "dev_safe_info": "", "cainfo": "", "signtype": "", "infver": "V1.0",
        "opter_type": "1", "opter": "OP0001", "opter_name": "测试", "inf_time": "2026-03-02 08:00:00",
        "fixmedins_code": code, "fixmedins_name": "示例", "sign_no": "", "input": body,
    }  # fmt: skip
    return found | changes


def pay(
    msgid: str, batch: str = "B1", psn_no: str = PERSON, visit: str = VISIT, code: str = HOME, **facts: Any
) -> Json:
    """2207 of one charge batch."""
    data = {
        "psn_no": psn_no, "mdtrt_cert_type": "02", "mdtrt_cert_no": "999000194001010004", "med_type": "11",
        "medfee_sumamt": 100, "psn_setlway": "01", "mdtrt_id": visit, "chrg_bchno": batch, "acct_used_flag": "0",
        "insutype": "310", "fulamt_ownpay_amt": 0, "overlmt_selfpay": 0, "preselfpay_amt": 0, "inscp_scp_amt": 100,
        "invono": "FP1",
    }  # fmt: skip
    return envelope("2207", msgid, {"data": data | facts}, code)


def refund(msgid: str, setl_id: str, psn_no: str = PERSON) -> Json:
    """2208"""
    return envelope("2208", msgid, {"data": {"setl_id": setl_id, "mdtrt_id": VISIT, "psn_no": psn_no}})


def sale(msgid: str, invono: str = "", count: int = 1, psn_no: str = PERSON) -> Json:
    """2102 of one drug in the shop's own code."""
    line = {
        "feedetl_sn": f"Y{msgid}", "fee_ocur_time": "2026-03-02 08:00:00", "med_list_codg": "",
        "medins_list_codg": "YP01274", "det_item_fee_sumamt": 54.48 * count, "cnt": count, "pric": 54.48,
        "rxno": "CF1", "rx_circ_flag": "0", "sin_dos_dscr": "1", "used_frqu_dscr": "每日三次", "prd_days": 3,
        "medc_way_dscr": "口服", "bilg_dr_codg": "D0070", "bilg_dr_name": "测试",
    }  # fmt: skip
    head = {
        "psn_no": psn_no, "mdtrt_cert_type": "02", "mdtrt_cert_no": "999000194001010004",
        "begntime": "2026-03-02 08:00:00", "medfee_sumamt": 54.48 * count, "insutype": "310", "dise_codg": "",
        "dise_name": "", "acct_used_flag": "0", "med_type": "41", "invono": invono,
    }  # fmt: skip
    return envelope("2102", msgid, {"druginfo": head, "drugdetail": [line]}, SHOP)


def register(msgid: str, number: str = "MZ1") -> Json:
    """2201, a write."""
    data = {
        "psn_no": PERSON, "insutype": "310", "begntime": "2026-03-02 08:00:00", "mdtrt_cert_type": "02",
        "mdtrt_cert_no": "999000194001010004", "ipt_otp_no": number, "atddr_no": "D0080", "dr_name": "测试",
        "dept_code": "0201", "dept_name": "外科门诊", "caty": "0201",
    }  # fmt: skip
    return envelope("2201", msgid, {"data": data})


def charge(msgid: str, lines: int = 1, visit: str = VISIT, code: str = "YP01274") -> Json:
    """2204 with so many lines in local codes."""
    rows = [
        {
            "feedetl_sn": f"{msgid}{number:06d}", "fee_ocur_time": "2026-03-02 08:00:00", "med_list_codg": "",
            "medins_list_codg": code, "det_item_fee_sumamt": 54.48, "cnt": 1, "pric": 54.48, "mdtrt_id": visit,
            "psn_no": PERSON, "chrg_bchno": "B1", "dise_codg": "", "rxno": "R1", "rx_circ_flag": "0",
            "bilg_dept_codg": "0201", "bilg_dept_name": "外科", "bilg_dr_codg": "D0080", "bilg_dr_name": "测试",
            "hosp_appr_flag": "0",
        }
        for number in range(lines)
    ]  # fmt: skip
    return envelope("2204", msgid, {"feedetail": rows})


def who(msgid: str) -> Json:
    """1101, a query."""
    data = {
        "mdtrt_cert_type": "02", "mdtrt_cert_no": "999000194001010004", "card_sn": "",
        "begntime": "2026-03-02 08:00:00", "psn_cert_type": "01", "certno": "999000194001010004", "psn_name": "测试",
    }  # fmt: skip
    return envelope("1101", msgid, {"data": data})


def statement(msgid: str, total: int = 100) -> Json:
    """3201, a clearing request."""
    data = {
        "insutype": "310", "clr_type": "11", "setl_optins": "510800", "stmt_begndate": "2026-03-01",
        "stmt_enddate": "2026-03-01", "medfee_sumamt": total, "fund_pay_sumamt": 0, "acct_pay": 0,
        "fixmedins_setl_cnt": 1,
    }  # fmt: skip
    return envelope("3201", msgid, {"data": data})
