"""3101 as a hospital's doctor workstation asks it before an order is signed."""

from collections.abc import Sequence
from decimal import Decimal

from simulators import goods, tables
from simulators.hospital import Hospital
from simulators.people import AREA
from simulators.wording import Json


def audit_question(home: Hospital, visit: Json, bill: Sequence[goods.Sold]) -> Json:
    """`input` of 3101: one patient, one encounter, one order a line."""
    patient = {
        "patn_id": visit["psn_no"],
        "patn_name": "测试病人",
        "gend": "1",
        "brdy": "1980-01-01",
        "poolarea": AREA,
        "curr_mdtrt_id": visit["mdtrt_id"],
        "fsi_encounter_dtos": [_encounter(home, visit, bill)],
    }
    return {"data": {"patient_dtos": [patient], "rule_ids": [], "trig_scen": "2"}}


def _encounter(home: Hospital, visit: Json, bill: Sequence[goods.Sold]) -> Json:
    chronic = home.dice.choice(tables.matched("chronic_disease"))
    return {
        "mdtrt_id": visit["mdtrt_id"],
        "medins_id": home.code,
        "medins_name": home.name,
        "medins_admdvs": AREA,
        "medins_type": "1",
        "medins_lv": "03",
        "adm_date": visit["begin"],
        "dscg_date": visit["begin"],
        "dscg_main_dise_codg": chronic.local_code,
        "dscg_main_dise_name": chronic.name,
        "fsi_diagnose_dtos": [
            {
                "dise_id": f"{visit['mdtrt_id']}D",
                "inout_dise_type": "1",
                "maindise_flag": "1",
                "dias_srt_no": "1",
                "dise_codg": chronic.local_code,
                "dise_name": chronic.name,
                "dise_date": visit["begin"],
            }
        ],
        "dr_codg": visit["doctor"].local_code,
        "adm_dept_codg": visit["department"][0],
        "adm_dept_name": visit["department"][1],
        "dscg_dept_codg": visit["department"][0],
        "dscg_dept_name": visit["department"][1],
        "med_mdtrt_type": "1",
        "med_type": "11",
        "fsi_order_dtos": [_order(home, visit, sold, number) for number, sold in enumerate(bill, 1)],
        "matn_stas": "0",
        "medfee_sumamt": goods.total(bill),
        "ownpay_amt": Decimal(0),
        "selfpay_amt": Decimal(0),
        "setl_totlnum": Decimal(0),
        "insutype": visit["insutype"],
        "reim_flag": "0",
        "out_setl_flag": "0",
    }


def _order(home: Hospital, visit: Json, sold: goods.Sold, number: int) -> Json:
    return {
        "rx_id": f"{visit['batch']}{number:03d}",
        "rxno": f"R{visit['batch']}",
        "long_drord_flag": "0",
        "hilist_type": {"drug": "101", "service_item": "201", "consumable": "301"}[sold.item.system],
        "chrg_type": "09",
        "drord_bhvr": "0",
        "hilist_code": sold.item.local_code,
        "hilist_name": sold.item.name,
        "hilist_lv": "01",
        "hilist_pric": sold.item.price,
        "hosplist_code": sold.item.local_code,
        "hosplist_name": sold.item.name,
        "cnt": sold.count,
        "pric": sold.item.price,
        "sumamt": sold.amount,
        "ownpay_amt": Decimal(0),
        "selfpay_amt": Decimal(0),
        "spec": "无",
        "spec_unt": "无",
        "drord_begn_date": visit["begin"],
        "drord_dept_codg": visit["department"][0],
        "drord_dept_name": visit["department"][1],
        "drord_dr_codg": visit["doctor"].local_code,
        "drord_dr_name": visit["doctor"].name,
        "drord_dr_profttl": "1",
        "curr_drord_flag": "1",
    }
