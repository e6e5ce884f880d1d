"""A settlement list (4101) as a hospital sends it: its own diagnosis, operation, doctor and nurse codes."""

from decimal import Decimal
from typing import Any

from simulators import tables
from simulators.his import Institution
from simulators.stamps import stamp
from simulators.wording import Json


def settlement_list(home: Institution, case: Json, setlinfo: Json, funds: list[Json]) -> Json:
    """`input` of 4101 for a settled stay. case: doctor, department, diseases, begin_s of the stay."""
    keys = {"psn_no": setlinfo.get("psn_no") or "", "mdtrt_id": setlinfo["mdtrt_id"], "setl_id": setlinfo["setl_id"]}
    return {
        "setlinfo": keys | _header(home, case),
        "payinfo": [
            {"fund_pay_type": row["fund_pay_type"], "fund_payamt": Decimal(row["fund_payamt"])} for row in funds
        ],
        "diseinfo": _diseases(case),
        "oprninfo": _operations(home, case),
        "icuinfo": [],
        "bldinfo": [],
    }


def _header(home: Institution, case: Json) -> Json:
    begin, end = stamp(case["begin_s"]), home.now()
    department = case["department"]
    nurse = home.dice.choice(tables.matched("nurse"))
    return {
        "medcasno": f"BA{home.serial():010d}",
        "dcla_time": end,
        "ntly": "CHN",
        "prfs": "24",
        "curr_addr": "",
        "coner_name": "测试联系人",
        "patn_rlts": "1",
        "coner_addr": "示例路1号",
        "coner_tel": "00000000000",
        "adm_way": "1",
        "trt_type": "10",
        "adm_time": begin,
        "adm_dept_code": department[0],
        "adm_dept_name": department[1],
        "adm_caty": department[2],
        "dscg_time": end,
        "dscg_dept_code": department[0],
        "dscg_dept_name": department[1],
        "dscg_caty": department[2],
        "otp_wm_dise": case["diseases"][0].name,
        "wm_dise_code": case["diseases"][0].local_code,
        "spga_nurscare_days": Decimal(0),
        "lv1_nurscare_days": Decimal(1),
        "scd_nurscare_days": Decimal(1),
        "lv3_nurscare_days": Decimal(0),
        "dscg_way": "1",
        "bill_code": "510800",
        "bill_no": f"{home.serial():010d}",
        "biz_sn": f"{home.code}{home.serial():010d}",
        "days_rinp_flag_31": "1",
        "chfpdr_code": case["doctor"].local_code,
        "setl_begn_date": begin[:10],
        "setl_end_date": end[:10],
        "medins_fill_dept": "医保科",
        "medins_fill_psn": "测试填报员",
        "resp_nurs_code": nurse.local_code,
        "stas_type": "0",
        "hi_paymtd": "1",
    }


def _diseases(case: Json) -> list[Json]:
    return [
        {
            "diag_type": "1",
            "diag_code": disease.local_code,
            "diag_name": disease.name,
            "adm_cond_type": "1",
            "maindiag_flag": "1" if number == 0 else "0",
        }
        for number, disease in enumerate(case["diseases"])
    ]


def _operations(home: Institution, case: Json) -> list[Json]:
    operation: Any = home.dice.choice(tables.matched("operation"))
    anaesthetist: Any = home.dice.choice(tables.matched("doctor"))
    return [
        {
            "oprn_oprt_type": "1",
            "oprn_oprt_name": operation.name,
            "oprn_oprt_code": operation.local_code,
            "anst_way": "1",
            "oper_dr_code": case["doctor"].local_code,
            "anst_dr_code": anaesthetist.local_code,
            "oprn_oprt_begntime": stamp(case["begin_s"] + 3600),
            "oprn_oprt_endtime": stamp(case["begin_s"] + 7200),
        }
    ]
