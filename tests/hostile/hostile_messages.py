"""Messages of an institution, as small as the specification allows, and serial numbers for them."""

import itertools
import json
import threading
from typing import Any

Json = dict[str, Any]

_serial = itertools.count(1)
_lock = threading.Lock()


def serial() -> int:
    with _lock:
        return next(_serial)


def new_msgid(code: str) -> str:
    """Institution, time, four digits (envelope.md §1)."""
    number = serial()
    return f"{code}20260302{number // 10000:06d}{number % 10000:04d}"


def new_person() -> str:
    """A psn_no nobody had before: its own lane."""
    return f"5108{9_000_000 + serial():016d}"


def message(infno: str, code: str, body: Json, /, **changes: object) -> Json:
    """The 18 fields of envelope.md §1; None removes one."""
    found: Json = {
        "infno": infno,
        "msgid": new_msgid(code),
        "mdtrtarea_admvs": "510800",
        "insuplc_admdvs": "510800",
        "recer_sys_code": "YBXT",
        "dev_no": "",
        "dev_safe_info": "",
        "cainfo": "",
        "signtype": "",
        "infver": "V1.0",
        "opter_type": "1",
        "opter": "OP0001",
        "opter_name": "测试收费员",
        "inf_time": "2026-03-02 09:00:00",
        "fixmedins_code": code,
        "fixmedins_name": "示例机构",
        "sign_no": "",
        "input": body,
    }
    found.update(changes)
    return {name: value for name, value in found.items() if value is not None}


def question(code: str, /, **changes: object) -> Json:
    """A 1101 about nobody in particular."""
    facts: Json = {
        "mdtrt_cert_type": "02",
        "mdtrt_cert_no": "999001194001010015",
        "psn_cert_type": "01",
        "certno": "999001194001010015",
        "psn_name": "测试",
    }
    facts.update(changes)
    return message("1101", code, {"data": {name: value for name, value in facts.items() if value is not None}})


def payment(code: str, psn_no: str = "", /, **changes: object) -> Json:
    """A 2207 of 100 yuan, for a person of its own unless one is named."""
    facts: Json = {
        "psn_no": psn_no or new_person(),
        "mdtrt_cert_type": "02",
        "mdtrt_cert_no": "999001194001010015",
        "med_type": "11",
        "medfee_sumamt": 100,
        "psn_setlway": "01",
        "mdtrt_id": f"M{serial():012d}",
        "chrg_bchno": f"B{serial():012d}",
        "acct_used_flag": "0",
        "insutype": "310",
        "invono": f"F{serial():012d}",
        "fulamt_ownpay_amt": 0,
        "overlmt_selfpay": 0,
        "preselfpay_amt": 0,
        "inscp_scp_amt": 100,
    }
    facts.update(changes)
    return message("2207", code, {"data": {name: value for name, value in facts.items() if value is not None}})


def reversal(code: str, psn_no: str, omsgid: str) -> Json:
    """A 2601 of a 2207."""
    return message("2601", code, {"data": {"psn_no": psn_no, "omsgid": omsgid, "oinfno": "2207"}})


def cancellation(code: str, psn_no: str) -> Json:
    """A 2208 of a settlement the gateway never saw."""
    facts = {"setl_id": f"S{serial():012d}", "mdtrt_id": f"M{serial():012d}", "psn_no": psn_no}
    return message("2208", code, {"data": facts})


def raw(found: Json) -> bytes:
    return json.dumps(found, ensure_ascii=False).encode()
