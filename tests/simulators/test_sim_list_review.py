"""The platform's quality control of settlement lists: what it finds in a list it has kept, seen through 4104."""

import pytest
from sheets import MAN, OLD_WOMAN, WOMAN, Ready, good

from simulators.list_desk import ListDesk
from simulators.wording import Json

BIRTH = {"diseinfo.0.diag_code": "O80.000", "diseinfo.1.diag_code": "Z37.000"}
CHILD = {"age_days": 20, "nwb_adm_type": "1", "nwb_adm_wt": 2150, "diseinfo.0.diag_code": "P07.300"}

ERROR: list[tuple[int, Json, str, str]] = [
    (MAN, {"diseinfo.1.diag_code": "C56.x00"}, "diag_code", "诊断与性别（男）不符"),
    (WOMAN, {"diseinfo.1.diag_code": "C61.x00"}, "diag_code", "诊断与性别（女）不符"),
    (MAN, {"oprninfo.0.oprn_oprt_code": "74.1x01"}, "oprn_oprt_code", "手术操作与性别（男）不符"),
    (WOMAN, {"oprninfo.0.oprn_oprt_code": "60.2900"}, "oprn_oprt_code", "手术操作与性别（女）不符"),
    (MAN, {"oprninfo.0.oprn_oprt_date": "2026-11-18"}, "oprn_oprt_begntime", "【手术操作日期】不在住院期间"),
    (MAN, {"oprninfo.0.anst_begntime": "2026-11-19 07:59:00"}, "anst_begntime", "【麻醉起止时间】不在住院期间"),
    (MAN, {"diseinfo.1.diag_code": "K80.000"}, "diag_code", "同一诊断代码重复填报"),
    (MAN, CHILD | {"nwb_adm_type": ""}, "nwb_adm_type", "【新生儿入院类型】不能为空"),
    (MAN, CHILD | {"nwb_adm_wt": "", "age_days": 28}, "nwb_adm_wt", "【新生儿入院体重】不能为空"),
    (MAN, {"diseinfo.0.diag_code": "P07.300"}, "diag_code", "围生期疾病但患者已超过1岁"),
    (WOMAN, {"diseinfo.1.diag_code": "O80.000", "nwb_bir_wt": 3200}, "diag_code", "应填写分娩结局Z37"),
    (WOMAN, BIRTH, "nwb_bir_wt", "【新生儿出生体重】必填"),
    (OLD_WOMAN, BIRTH | {"nwb_bir_wt": 3200}, "diag_code", "产科诊断与年龄不符"),
    (MAN, {"trt_type": "30"}, "diag_type", "须填中医主病和主证诊断"),
]
HINT: list[tuple[int, Json, str, str]] = [
    (MAN, {"diseinfo.0.diag_code": "W19.x00"}, "diag_code", "主要诊断不应为外因编码"),
    (MAN, {"diseinfo.0.diag_code": "R10.400"}, "diag_code", "症状体征编码"),
    (MAN, {"diseinfo.0.adm_cond_type": "4"}, "adm_cond_type", "一般不应作为主要诊断"),
    (MAN, {"diseinfo.0.diag_code": "S72.000"}, "diag_code", "应填外部原因"),
    (MAN, {"setl_begn_date": "2026-11-18"}, "setl_begn_date", "【结算期间】不在入院至出院之间"),
    (MAN, {"adm_time": "2026-11-18 08:00:00"}, "adm_time", "【入院时间】与入院登记不符"),
    (MAN, {"oprninfo.0.oprn_oprt_code": "96.7101"}, "vent_used_dura", "【呼吸机使用时间】为空"),
    (MAN, {"pwcry_bfadm_coma_dura": "0/1/0"}, "pwcry_bfadm_coma_dura", "无颅脑损伤诊断"),
    (MAN, {"icuinfo.0.scs_cutd_ward_type": "2"}, "scs_cutd_ward_type", "非新生儿填写NICU"),
    (MAN, CHILD | {"nwb_adm_wt": 2155}, "nwb_adm_wt", "应精确到10克"),
    (MAN, {"dscg_way": "9"}, "dscg_way", "离院方式为其他"),
    (MAN, {"coner_name": ""}, "coner_name", "【联系人姓名】未填写"),
    (MAN, {"prfs": "17", "curr_addr": "示例路1号"}, "emp_name", "【单位名称】未填写"),
    (MAN, {"dscg_way": "2"}, "acp_medins_name", "【拟接收机构名称】未填写"),
]
NOTHING: list[tuple[int, Json]] = [
    (MAN, {"diseinfo.1.diag_code": "C61.x00"}),
    (WOMAN, {"diseinfo.1.diag_code": "C56.x00"}),
    (MAN, {"oprninfo.0.oprn_oprt_code": "60.2900"}),
    (WOMAN, {"oprninfo.0.oprn_oprt_code": "68.2900"}),
    (MAN, CHILD),
    (MAN, CHILD | {"diseinfo.1.diag_code": "C56.x00"}),  # whose sex nobody tells
    (WOMAN, BIRTH | {"nwb_bir_wt": 3200}),
    (WOMAN, BIRTH | {"diseinfo.1.diag_code": "Z37.100"}),
    (WOMAN, BIRTH | {"diseinfo.0.diag_code": "O83.400"}),
    (MAN, {"diseinfo.0.diag_code": "S72.000", "diseinfo.1.diag_code": "W19.x00"}),
    (MAN, {"diseinfo.0.diag_code": "S06.000", "diseinfo.1.diag_code": "W19.x00", "pwcry_afadm_coma_dura": "0/1/0"}),
    (MAN, {"oprninfo.0.oprn_oprt_code": "96.7101", "vent_used_dura": "0/9/0"}),
    (MAN, CHILD | {"icuinfo.0.scs_cutd_ward_type": "2"}),
]


@pytest.fixture(scope="module")
def wards() -> dict[int, Ready]:
    return {number: Ready(number, ListDesk(overwrite=True)) for number in (MAN, WOMAN, OLD_WOMAN)}


def found(ready: Ready, changes: Json) -> list[Json]:
    """What quality control says of the good list with these changes."""
    assert ready.refusal(changes) == ""
    (shown,) = ready.results()["data"]
    details: list[Json] = shown["detailinfo"]
    assert shown["err_lv"] == min((one["err_lv"] for one in details), default="0")
    return details


@pytest.mark.parametrize(("table", "level", "returns"), [(ERROR, "1", "1"), (HINT, "2", "0")])
def test_every_finding_is_told_with_its_item_and_whether_it_sends_back(
    wards: dict[int, Ready], table: list[tuple[int, Json, str, str]], level: str, returns: str
) -> None:
    said_of = [(field, said, found(wards[number], changes)) for number, changes, field, said in table]
    missed = [
        (said, details)
        for field, said, details in said_of
        if not any(
            (one["exam_data_fld"], one["err_lv"], one["retn_flag"]) == (field[:20], level, returns)
            and said in one["qltctrl_chk_rslt"]
            for one in details
        )
    ]
    assert missed == []


def test_what_fits_is_not_found_fault_with(wards: dict[int, Ready]) -> None:
    said = [(changes, found(wards[number], changes)) for number, changes in NOTHING]
    assert [one for one in said if one[1]] == []


def test_the_fee_of_an_operation_nobody_named_is_found() -> None:
    ready = Ready()
    none = {"oprninfo": [], "oprn_oprt_code_cnt": 0}
    assert ready.refusal(none, full=True) == ""
    (detail,) = ready.results()["data"][0]["detailinfo"]
    assert (detail["exam_data_fld"], detail["retn_flag"], detail["init_val"]) == ("med_chrgitm", "1", "06")


def test_chinese_medicine_with_both_its_diagnoses_is_fine(wards: dict[int, Ready]) -> None:
    rows = good(wards[MAN].row)["diseinfo"]
    both = [
        {"diag_type": kind, "diag_code": f"A{kind}", "diag_name": "虚构", "adm_cond_type": "1", "maindiag_flag": "0"}
        for kind in ("2", "3")
    ]
    assert found(wards[MAN], {"trt_type": "21", "diseinfo": [rows[0], *both]}) == []
