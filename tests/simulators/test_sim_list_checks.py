"""What the platform refuses in a settlement list (4101), item by item; the good list with one change each."""

from decimal import Decimal

import pytest
from sheets import DROP, MAN, WOMAN, Ready, changed, good, twenty_one

from simulators.list_desk import ListDesk
from simulators.people import person
from simulators.wording import Json

LATER = {"scs_cutd_inpool_time": "2026-11-20 17:00:00", "scs_cutd_exit_time": "2026-11-20 18:00:00"}


@pytest.fixture(scope="module")
def ready() -> Ready:
    """One stay for all: what is refused changes nothing; what is kept may be overwritten."""
    return Ready(lists=ListDesk(overwrite=True))


def unsaid(ready: Ready, table: list[tuple[Json, str]], full: bool = False) -> list[tuple[Json, str]]:
    """(change, what the platform said) where it did not say what was expected."""
    return [(changes, found) for changes, said in table if said not in (found := ready.refusal(changes, full))]


@pytest.mark.parametrize("number", [MAN, WOMAN])
def test_a_good_list_of_either_form_is_kept_and_nothing_is_found(number: int) -> None:
    for form in (good, twenty_one):
        ready = Ready(number)
        assert ready.send("4101", form(ready.row)).output["data"]["setl_list_id"].isdigit()
        (shown,) = ready.results()["data"]
        assert (shown["qltctrl_rslt"], shown["err_lv"], shown["detailinfo"]) == ("1", "0", [])


FORM: list[tuple[Json, str]] = [
    ({"psn_no": ""}, "【人员编号】未填写"),
    ({"hi_paymtd": ""}, "【医保支付方式】未填写"),
    ({"bill_no": DROP}, "bill_no不能为空"),
    ({"medcasno": "-"}, "【病案号】未填写"),
    ({"dscg_time": ""}, "【出院时间】未填写"),
    ({"chfpdr_code": ""}, "【主诊医师代码】未填写"),
    ({"coner_tel": ""}, "coner_tel不能为空"),
    ({"days_rinp_flag_31": "2"}, "【再住院目的】未填写"),
    ({"diseinfo.0.adm_cond_type": "-"}, "【入院病情类型】未填写"),
    ({"diseinfo": []}, "至少填写一类"),
    ({"oprninfo.0.oprn_oprt_begntime": ""}, "【手术操作日期】未填写"),
    ({"oprninfo.0.oper_dr_code": "-"}, "【术者医师代码】未填写"),
    ({"oprninfo.0.anst_dr_code": ""}, "【麻醉医师代码】未填写"),
    ({"icuinfo.0.scs_cutd_sum_dura": "-"}, "【重症监护合计时长】未填写"),
    ({"bldinfo.0.bld_unt": ""}, "【输血计量单位】未填写"),
    ({"dscg_time": "2026-11-31 10:00:00"}, "dscg_time不是有效日期"),
    ({"lv1_nurscare_days": -1}, "lv1_nurscare_days不能为负"),
    ({"bill_code": "51^08"}, "不允许含有“^”"),
    ({"vent_used_dura": "1/25/0"}, "【呼吸机使用时间】格式"),
    ({"pwcry_afadm_coma_dura": "90分"}, "入院后昏迷时间】格式"),
    ({"poscode": "62800"}, "【邮编】填写不规范"),
    ({"dscg_way": "2", "acp_medins_name": "某院", "acp_optins_code": "X1"}, "【拟接收机构代码】填写不规范"),
    ({"trt_type": "1"}, "trt_type不在值域范围"),
    ({"ntly": "CHX"}, "ntly不在值域范围"),
    ({"patn_rlts": "X"}, "patn_rlts不在值域范围"),
    ({"dscg_caty": "B99"}, "dscg_caty不在值域范围"),
    ({"diseinfo.1.adm_cond_type": "5"}, "diseinfo第2条adm_cond_type不在值域范围"),
    ({"oprninfo.0.anst_way": "99", "oprninfo.0.anst_dr_code": ""}, "anst_way不在值域范围"),
    ({"icuinfo.0.scs_cutd_ward_type": "8"}, "scs_cutd_ward_type不在值域范围"),
    ({"bldinfo.0.bld_unt": "袋"}, "bld_unt不在值域范围"),
    ({"payinfo.0.fund_pay_type": "000000"}, "fund_pay_type不在值域范围"),
]


def test_a_list_without_its_form_is_refused(ready: Ready) -> None:
    assert unsaid(ready, FORM) == []


SENSE: list[tuple[Json, str]] = [
    ({"psn_no": person(2).psn_no}, "【人员编号】与结算不符"),
    ({"mdtrt_id": "M0"}, "【就诊ID】与结算不符"),
    ({"adm_time": "2026-11-22 08:00:00"}, "【入院时间】晚于【出院时间】"),
    ({"dcla_time": "2026-11-20 08:00:00"}, "【申报时间】早于出院时间"),
    ({"setl_begn_date": "2026-11-22"}, "【结算期间】开始日期晚于结束日期"),
    ({"oprninfo.0.oprn_oprt_endtime": "2026-11-20 08:59:59"}, "【手术操作起止时间】先后错误"),
    ({"oprninfo.0.anst_endtime": "2026-11-20 08:00:00"}, "【麻醉起止时间】先后错误"),
    ({"vent_used_dura": "2/2/1"}, "【呼吸机使用时间】超过住院时长"),
    ({"pwcry_afadm_coma_dura": "3/0/0"}, "入院后昏迷时间】超过住院时长"),
    ({"lv1_nurscare_days": Decimal("2.1")}, "【护理天数】合计超过住院天数"),
    ({"icuinfo.0.scs_cutd_exit_time": "2026-11-20 10:00:00"}, "【重症监护】进入时间晚于退出时间"),
    ({"icuinfo.0.scs_cutd_exit_time": "2026-11-21 10:01:00"}, "【重症监护】不在住院期间"),
    ({"icuinfo.0.scs_cutd_sum_dura": "0/6/28"}, "【重症监护合计时长】与进出时间不符"),
    ({"diseinfo.0.maindiag_flag": "0"}, "西医主要诊断必须且只能有一个"),
    ({"diseinfo.1.maindiag_flag": "1"}, "西医主要诊断必须且只能有一个"),
    ({"oprninfo.0.oprn_oprt_type": "2"}, "主要手术及操作必须且只能有一个"),
    ({"nwb_bir_wt": 99}, "【新生儿体重】应为100-9999克"),
    ({"mul_nwb_adm_wt": "2100,2200,"}, "【新生儿体重】应为100-9999克"),
    ({"acp_medins_name": "某院"}, "非转院离院不应填写拟接收机构"),
    ({"dscg_way": "5", "days_rinp_flag_31": "2", "days_rinp_pup_31": "复查"}, "死亡患者不能有再住院计划"),
    ({"bldinfo.0.bld_amt": 0}, "【输血量】应大于0"),
    ({"payinfo.0.fund_payamt": Decimal("0.01")}, "【基金支付金额】合计与结算不符"),
]


def test_a_list_without_sense_is_refused(ready: Ready) -> None:
    assert unsaid(ready, SENSE) == []


FULL: list[tuple[Json, str]] = [
    ({"psn_name": ""}, "【人员姓名】未填写"),
    ({"gend": "3"}, "gend不在值域范围"),
    ({"act_ipt_days": ""}, "【实际住院天数】未填写"),
    ({"act_ipt_days": 3}, "【实际住院天数】应为2"),
    ({"diag_code_cnt": 3}, "【诊断代码计数】应为2"),
    ({"oprn_oprt_code_cnt": "0"}, "【手术及操作代码计数】应为1"),
    ({"insuplc": "5108"}, "【参保地】填写不规范"),
    ({"fixmedins_code": "H51080200002"}, "【定点医药机构编号】与报文不符"),
    ({"certno": person(2).certno, "brdy": person(2).brdy}, "【证件号码】与参保人不符"),
    ({"certno": "999000199001010000"}, "校验码错误"),
    ({"certno": "99900019900101"}, "长度或校验码错误"),
    ({"brdy": "1950-01-02"}, "【出生日期】与身份证号不一致"),
    ({"brdy": "2026-11-20", "patn_cert_type": "02"}, "【出生日期】晚于入院时间"),
    ({"acct_pay": Decimal("0.01")}, "【个人账户支出】与结算不符"),
    ({"psn_cashpay": "0.02"}, "【个人现金支付】与结算不符"),
    ({"psn_cashpay": "0.001"}, "金额应为两位小数"),
    ({"iteminfo.0.amt": "0.02"}, "清单总金额与结算的医疗费总额不一致"),
    ({"iteminfo.0.claa_sumfee": "0.02"}, "应等于甲类+乙类+自费+其他"),
    ({"iteminfo.0.clab_amt": "-0.01"}, "收费金额不能为负"),
    ({"iteminfo.1.med_chrgitm": "01"}, "同一收费项目类别重复"),
    ({"iteminfo.1.med_chrgitm": "15"}, "med_chrgitm不在值域范围"),
    ({"iteminfo.0.amt": "1e3"}, "iteminfo第1条amt不是数值"),
    ({"iteminfo": [1]}, "iteminfo应为对象"),
]


def test_the_form_of_2021_is_checked_for_what_it_has_more(ready: Ready) -> None:
    assert unsaid(ready, FULL, full=True) == []


MAY_BE: list[Json] = [
    {"stas_type": ""},
    {"coner_name": "", "patn_rlts": "", "coner_addr": "", "coner_tel": ""},
    {"payinfo": []},
    {"oprninfo": [], "icuinfo": [], "bldinfo": []},
    {"oprninfo.0.anst_way": "3", "oprninfo.0.anst_dr_code": ""},
    {"bldinfo.0.bld_unt": "ＭＬ"},
    {"icuinfo.0.scs_cutd_sum_dura": "0/6/29"},
    {"mul_nwb_adm_wt": "2100,2200.00"},
    {"dscg_way": "2", "acp_medins_name": "某院", "acp_optins_code": "H51080200002"},
    {"hi_paymtd": "7"},
]


def test_what_may_be_so_is_kept(ready: Ready) -> None:
    assert [changes for changes in MAY_BE if ready.refusal(changes)] == []


def test_fifty_records_are_kept_and_one_more_is_refused(ready: Ready) -> None:
    row = good(ready.row)["diseinfo"][1]
    many = [row | {"diag_code": f"I10.x{number:02d}"} for number in range(50)]
    main = good(ready.row)["diseinfo"][0]
    assert ready.refusal({"diseinfo": [main, *many[:49]]}) == ""
    assert "diseinfo超过50条记录" in ready.refusal({"diseinfo": [main, *many]})


def test_two_stretches_of_intensive_care_may_follow_but_not_overlap(ready: Ready) -> None:
    first = good(ready.row)["icuinfo"][0]
    second = first | LATER | {"scs_cutd_sum_dura": "0/1/0"}
    assert "【重症监护】多段时间重叠" in ready.refusal({"icuinfo": [second, first]})
    assert (
        ready.refusal(
            {
                "icuinfo": [
                    second | {"scs_cutd_inpool_time": "2026-11-20 17:30:00", "scs_cutd_sum_dura": "0/0/30"},
                    first,
                ]
            }
        )
        == ""
    )


def test_a_list_of_the_outpatient_chronic_names_department_and_day() -> None:
    ready = Ready()
    ready.row.kind = "outpatient"
    outside = {"adm_time": "", "dscg_time": "", "diseinfo": [], "opspdiseinfo": [{"oprn_oprt_code": "99.2500"}]}
    rest = {"oprninfo": [], "icuinfo": [], "bldinfo": []}
    assert "【门诊慢特病诊断科别】未填写" in ready.refusal(outside | rest)
    assert ready.refusal(outside | rest | {"opsp_diag_caty": "A03", "opsp_mdtrt_date": "2026-11-21"}) == ""


def test_codes_count_on_the_day_of_discharge(ready: Ready) -> None:
    asked = set()
    ready.counter.platform.known = lambda system, code, day: asked.add((system, day))
    assert ready.refusal({}) == ""
    assert asked >= {("diagnosis", "2026-11-21"), ("operation", "2026-11-21"), ("doctor", "2026-11-21")}


@pytest.mark.parametrize("infno", ["4101", "4101A"])
def test_whatever_stands_in_an_item_is_answered(infno: str) -> None:
    """Nothing a hospital writes may break the platform: every item of the list in turn, and every node."""
    ready = Ready()
    body = twenty_one(ready.row)
    items = [f"{node}.0.{name}" for node in body if node != "setlinfo" for name in body[node][0]]
    for path in (*body["setlinfo"], *items, *(node for node in body if node != "setlinfo")):
        for odd in ([], {}, "x", -1, "2026-02-30 00:00:00+08:00"):
            found = ready.send(infno, changed(body, {path: odd}))
            assert found.status == 200 and found.envelope, (path, odd)


def test_4101a_says_by_itself_what_its_open_table_does_not() -> None:
    """No field of 4101A is required or typed by its table (transactions.yaml, unverified)."""
    ready = Ready()
    body = changed(good(ready.row), {"adm_time": "19/11/2026", "payinfo": DROP})
    assert "adm_time不是有效日期" in ready.send("4101A", body).text
    assert "【票据代码】未填写" in ready.send("4101A", changed(good(ready.row), {"bill_code": DROP})).text
    assert "【联系人电话】未填写" in ready.send("4101A", changed(good(ready.row), {"coner_tel": "-"})).text
    assert ready.send("4101A", changed(good(ready.row), {"payinfo": DROP})).done
