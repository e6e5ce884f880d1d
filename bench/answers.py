"""What the bench's far end answers: ready answers of real size, with the few values filled in that a gateway checks.

Stateless and cheap on purpose: the far end must never be what is measured. It echoes msgid, person, visit and total
where an answer that does not would not be believed (medins_setl_id, psn_no, medfee_sumamt); everything is paid in cash,
so that the identities of a settlement hold for every total.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Json = dict[str, Any]
_infno = re.compile(rb'"infno"\s*:\s*"(\w+)"').search
_msgid = re.compile(rb'"msgid"\s*:\s*"([^"]+)"').search
_psn = re.compile(rb'"psn_no"\s*:\s*"([^"]+)"').search
_visit = re.compile(rb'"mdtrt_id"\s*:\s*"([^"]+)"').search
_total = re.compile(rb'"medfee_sumamt"\s*:\s*([0-9.]+)').search
_STAMP = "20260315093000123"
_ROW_MARK = b'"feedetl_sn"'
_ROWS_MAX = 40


def _envelope(output: Json) -> bytes:
    """Encode a whole answer; amounts marked `@total@` lose their quotes."""
    body = {
        "infcode": 0,
        "inf_refmsgid": "510800202603150930000000000001",
        "refmsg_time": _STAMP,
        "respond_time": _STAMP,
        "err_msg": "",
        "output": output,
    }
    return msgspec.json.encode(body).replace(b'"@total@"', b"@total@")


def _setlinfo(total: Any, settled: bool, sign: int = 1) -> Json:
    zero = 0
    info: Json = {"mdtrt_id": "@visit@"}
    if settled:
        info["setl_id"] = "S@tail@"
    return info | {
        "psn_no": "@psn@", "psn_name": "测试参保人", "psn_cert_type": "01", "certno": "999000194001010001",
        "gend": "1", "naty": "01", "brdy": "1940-01-01", "age": msgspec.Raw(b"86.0"), "insutype": "310",
        "psn_type": "11", "cvlserv_flag": "0", "setl_time": "2026-03-15 09:30:00", "mdtrt_cert_type": "02",
        "med_type": "11", "medfee_sumamt": total, "fulamt_ownpay_amt": zero, "overlmt_selfpay": zero,
        "preselfpay_amt": zero, "inscp_scp_amt": total, "act_pay_dedc": zero, "hifp_pay": zero,
        "pool_prop_selfpay": zero, "cvlserv_pay": zero, "hifes_pay": zero, "hifmi_pay": zero, "hifob_pay": zero,
        "maf_pay": zero, "oth_pay": zero, "fund_pay_sumamt": zero, "psn_part_amt": total, "acct_pay": zero,
        "psn_cash_pay": total, "hosp_part_amt": zero, "balc": msgspec.Raw(b"1520.35"), "acct_mulaid_pay": zero,
        "medins_setl_id": "@msgid@" if settled and sign > 0 else "", "clr_optins": "510800", "clr_way": "1",
        "clr_type": "11",
    }  # fmt: skip


_FUND = {
    "fund_pay_type": "310100", "inscp_scp_amt": 0, "crt_payb_lmt_amt": 0, "fund_payamt": 0,
    "fund_pay_type_name": "", "setl_proc_info": "",
}  # fmt: skip
_BACK = msgspec.Raw(b"-128.60")
_PERSON = {
    "baseinfo": {
        "psn_no": "51080000000000000001", "psn_cert_type": "01", "certno": "999000194001010001",
        "psn_name": "测试参保人", "gend": "1", "naty": "01", "brdy": "1940-01-01", "age": msgspec.Raw(b"86.0"),
    },
    "insuinfo": [
        {
            "balc": msgspec.Raw(b"1520.35"), "insutype": "310", "psn_type": "11", "psn_insu_stas": "1",
            "psn_insu_date": "2010-01-01", "paus_insu_date": "", "cvlserv_flag": "0", "insuplc_admdvs": "510800",
            "emp_name": "示例单位",
        },
    ],
    "idetinfo": [{"psn_idet_type": "01", "psn_type_lv": "", "memo": "", "begntime": "2010-01-01", "endtime": ""}],
}  # fmt: skip
_LINE = {
    "det_item_fee_sumamt": msgspec.Raw(b"25.60"), "cnt": 2, "pric": msgspec.Raw(b"12.8"), "pric_uplmt_amt": 0,
    "selfpay_prop": 0, "fulamt_ownpay_amt": 0, "overlmt_amt": 0, "preselfpay_amt": 0, "inscp_scp_amt": 0,
    "chrgitm_lv": "01", "med_chrgitm_type": "09", "bas_medn_flag": "1", "hi_nego_drug_flag": "0",
    "chld_medc_flag": "0", "list_sp_item_flag": "0", "lmt_used_flag": "0", "drt_reim_flag": "0", "memo": "",
}  # fmt: skip


def _lines(count: int) -> list[Json]:
    return [{"feedetl_sn": str(number)} | _LINE for number in range(1, count + 1)]


def _settled(sign: int = 1) -> Json:
    total: Any = "@total@" if sign > 0 else _BACK
    return {"setlinfo": _setlinfo(total, True, sign), "setldetail": [_FUND]}


_TRIAL = {"setlinfo": _setlinfo("@total@", False), "setldetail": [_FUND]}
_ENQUIRY = [
    {"insutype": "310", "year": "2026", "cum_ym": "202603", "cum_type_code": f"YLZJ{n:02d}", "cum": n * 100}
    for n in range(6)
]
_OUTPUTS: Mapping[str, Json] = {
    "1101": _PERSON,
    "2001": {"trtinfo": [{"psn_no": "@psn@", "trt_chk_type": "1", "fund_pay_type": "310100", "trt_enjymnt_flag": "1",
                          "begndate": "2026-01-01", "enddate": "", "trt_chk_rslt": ""} for _ in range(3)]},
    "5206": {"cuminfo": _ENQUIRY},
    "5301": {"feedetail": []},
    "2201": {"data": {"mdtrt_id": "V@tail@", "psn_no": "@psn@", "ipt_otp_no": "1", "exp_content": ""}},
    "2203": {},
    "2206": _TRIAL,
    "2303": _TRIAL,
    "2101": _TRIAL,
    "2207": _settled(),
    "2102": _settled() | {"detlcutinfo": _lines(10)},
    "2304": _settled(),
    "2208": _settled(-1),
    "2103": _settled(-1),
    "2305": _settled(-1),
    "2401": {"result": {"mdtrt_id": "V@tail@", "psn_no": "@psn@"}},
    "2402": {},
    "3101": {"result": []},
    "4101": {"setl_list_id": "L0000000001"},
    "9001": {"signinoutb": {"sign_time": "2026-03-15 08:00:00", "sign_no": "B0001"}},
}  # fmt: skip
_BY_ROWS = ("2204", "2301")

Filler = Callable[[bytes], bytes]


def _found(match: re.Match[bytes] | None, otherwise: bytes = b"") -> bytes:
    return match[1] if match else otherwise


_PIECES: Mapping[str, Filler] = {
    "@msgid@": lambda body: _found(_msgid(body)),
    "@psn@": lambda body: _found(_psn(body)),
    "@visit@": lambda body: _found(_visit(body), b"Y0000000001"),
    "@total@": lambda body: _found(_total(body), b"0"),
    "@tail@": lambda body: _found(_msgid(body))[12:],
}


def _filler(template: bytes) -> Filler:
    """Cut a template at its marks once; filling it is one search a mark and one join."""
    cut = re.split(b"(" + b"|".join(mark.encode() for mark in _PIECES) + b")", template)
    fixed, marks = cut[0::2], [mark.decode() for mark in cut[1::2]]
    wanted = [(mark, _PIECES[mark]) for mark in dict.fromkeys(marks)]

    def fill(body: bytes) -> bytes:
        known = {mark: piece(body) for mark, piece in wanted}
        parts = [fixed[0]]
        for mark, rest in zip(marks, fixed[1:], strict=True):
            parts += (known[mark], rest)
        return b"".join(parts)

    return fill if marks else lambda body: template


def _rows() -> Filler:
    ready = [_envelope({"result": _lines(count)}) for count in range(_ROWS_MAX + 1)]
    return lambda body: ready[min(body.count(_ROW_MARK), _ROWS_MAX)]


_FILL: dict[bytes, Filler] = {infno.encode(): _filler(_envelope(output)) for infno, output in _OUTPUTS.items()}
_FILL |= {infno.encode(): _rows() for infno in _BY_ROWS}
_OTHER = _envelope({})


def answer(body: bytes) -> bytes:
    """Return the answer's bytes for a request's; an unknown transaction succeeds with an empty output."""
    found = _infno(body)
    fill = _FILL.get(found[1]) if found else None
    return fill(body) if fill else _OTHER
