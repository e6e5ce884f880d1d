"""The life of a settlement list on the platform: 4101 to 4105, its states, what is read back, what is counted."""

import copy
from random import Random  # noqa: TID251 - seeded dice of a test

import pytest
from counter import Counter
from sheets import MAN, WOMAN, Ready, changed, good, twenty_one

from simulators.faults import Fault
from simulators.hospital import Hospital
from simulators.list_desk import ListDesk
from simulators.money import yuan
from simulators.people import person
from simulators.stay import Ward
from simulators.wording import Json, read_object

BAD = {"diseinfo.1.diag_code": "C56.x00"}  # of women


@pytest.fixture
def ready() -> Ready:
    return Ready()


def test_only_a_settlement_in_force_of_the_same_institution_has_a_list(ready: Ready) -> None:
    body = good(ready.row)
    elsewhere = Hospital(ready.counter.clock.seconds, Random(1), "H51080200002", "另一家")
    here, ready.home = ready.home, elsewhere
    assert "结算ID不存在或已撤销" in ready.send("4101", body).text
    ready.home = here
    assert "结算ID不存在或已撤销" in ready.refusal({"setl_id": "S0"})
    back = {"data": {name: body["setlinfo"][name] for name in ("setl_id", "mdtrt_id", "psn_no")}}
    assert ready.send("2305", back).done
    assert "结算ID不存在或已撤销" in ready.send("4101", body).text
    refund = list(ready.counter.platform.books.settlements)[-1]
    assert "结算ID不存在或已撤销" in ready.refusal({"setl_id": refund})


def test_a_list_number_has_nine_characters_and_stays(ready: Ready) -> None:
    ready.counter.platform.books.lists.overwrite = True
    first = ready.send("4101", good(ready.row)).output["data"]["setl_list_id"]
    assert len(first) == 9
    assert ready.send("4101", good(ready.row)).output["data"]["setl_list_id"] == first


def test_the_same_settlement_twice_is_refused_unless_the_platform_overwrites(ready: Ready) -> None:
    assert ready.refusal({}) == ""
    assert ready.refusal({"medcasno": "BA2"}) == "结算清单已上传，不能重复上传"
    ready.counter.platform.books.lists.overwrite = True
    assert "已以业务流水号BIZ1上传" in ready.refusal({"biz_sn": "BIZ2"})
    assert ready.refusal({"medcasno": "BA2"}) == ""
    assert ready.send("4103", ready.keys()).output["setlinfo"]["medcasno"] == "BA2"


def test_what_is_submitted_or_approved_is_not_overwritten() -> None:
    ready = Ready(lists=ListDesk(overwrite=True))
    assert ready.refusal({"stas_type": "1"}) == ""
    assert ready.refusal({}) == "结算清单已提交，不能修改"
    ready.counter.clock.advance(5)
    assert ready.refusal({}) == "结算清单审核通过，不能修改"
    assert "只能为0未提交或1已提交" in Ready().refusal({"stas_type": "2"})


def test_an_institution_moves_from_draft_to_submitted_and_no_further(ready: Ready) -> None:
    assert "未查询到结算清单" in ready.move("1").text
    ready.send("4101", good(ready.row))
    assert "未提交，不能改为未提交" in ready.move("0").text
    assert "未提交，不能改为审核通过" in ready.move("2").text
    assert "未提交，不能改为9" in ready.move("9").text
    assert ready.move("1").output == {} and ready.state() == "1"
    assert "已提交，不能改为已提交" in ready.move("1").text
    assert "已提交，不能改为未提交" in ready.move("0").text
    ready.counter.clock.advance(5)
    assert ready.state() == "2"
    for stas in "0123":
        assert "审核通过，不能改为" in ready.move(stas).text


def test_quality_control_sends_a_faulty_list_back_and_approves_the_corrected_one(ready: Ready) -> None:
    assert ready.refusal(BAD | {"stas_type": "1"}) == ""
    assert [row["retn_flag"] for row in ready.results()["data"]] == ["0"]
    ready.counter.clock.advance(5)
    (shown,) = ready.results(err_lv="1", retn_flag="1")["data"]
    assert (shown["qltctrl_rslt"], shown["psn_name"], shown["setl_id"]) == ("0", person(MAN).name, ready.row.setl_id)
    read = ready.send("4103", ready.keys()).output["setlinfo"]
    assert (read["stas_type"], read["chk_cont"]) == ("3", "诊断与性别（男）不符")
    assert "审核不通过，不能改为审核不通过" in ready.move("3").text
    assert ready.refusal({"biz_sn": "BIZ2"}) == "" and ready.state() == "0"
    assert ready.refusal({"biz_sn": "BIZ3"}) == "结算清单已上传，不能重复上传"
    assert ready.move("1").done
    ready.counter.clock.advance(5)
    assert ready.state() == "2" and ready.results(retn_flag="1")["data"] == []


def test_what_was_sent_back_may_be_taken_up_again_or_submitted_as_it_is(ready: Ready) -> None:
    assert ready.refusal(BAD | {"stas_type": "1"}) == ""
    ready.counter.clock.advance(5)
    assert ready.move("0").done and ready.state() == "0"
    assert ready.refusal(BAD | {"stas_type": "1"}) == ""
    ready.counter.clock.advance(5)
    assert ready.move("1").done and ready.state() == "1"
    ready.counter.clock.advance(5)
    assert ready.state() == "3"


def test_rows_of_4102_move_together_or_not_at_all_in_either_wrapping(ready: Ready) -> None:
    first, second = ready.row, ready.stay(WOMAN)
    ready.send("4101", good(first))
    rows = [{"psn_no": row.psn_no, "setl_id": row.setl_id, "stas_type": "1"} for row in (first, second)]
    assert f"未查询到结算清单{second.setl_id}" in ready.send("4102", {"stastinfo": rows}).text
    ready.send("4101", good(second))
    assert "结算ID重复" in ready.send("4102", {"stastinfo": [rows[0], rows[0]]}).text
    wrong = [rows[0], rows[1] | {"stas_type": "2"}]
    assert f"{second.setl_id}清单未提交，不能改为审核通过" in ready.send("4102", {"stastinfo": wrong}).text
    assert "【人员编号】与结算不符" in ready.send("4102", {"stastinfo": [rows[0] | {"psn_no": second.psn_no}]}).text
    assert ready.state() == "0"
    assert ready.send("4102", {"data": {"stastinfo": rows[:1]}}).done and ready.state() == "1"
    assert ready.send("4102", {"stastinfo": rows[1]}).done


def test_the_list_of_a_settlement_taken_back_is_not_submitted(ready: Ready) -> None:
    ready.send("4101", good(ready.row))
    back = {"psn_no": ready.row.psn_no, "omsgid": ready.row.msgid, "oinfno": "2304"}
    assert ready.send("2601", {"data": back}).done
    assert "结算已撤销" in ready.move("1").text
    assert ready.state() == "0"


def test_4103_gives_back_what_was_stored_under_its_own_names(ready: Ready) -> None:
    listed = changed(good(ready.row), {"vent_used_dura": "0/13/24", "poscode": "628000", "bldinfo.0.bld_unt": "ml"})
    number = ready.send("4101", listed).output["data"]["setl_list_id"]
    found = ready.send("4103", ready.keys()).output
    head, who, part = found["setlinfo"], person(MAN), ready.row.split
    same = ("setl_id", "mdtrt_id", "psn_no", "biz_sn", "adm_time", "dscg_time", "hi_paymtd", "dcla_time", "coner_name")
    assert {name: head[name] for name in same} == {name: listed["setlinfo"][name] for name in same}
    assert (head["setl_list_sn"], head["psn_name"], head["certno"]) == (number, who.name, who.certno)
    assert (head["emp_poscode"], head["adm_way_code"], head["otp_wm_diag_dise_code"]) == ("628000", "1", "K80.000")
    assert [head[f"vent_used_{part}"] for part in ("days", "h_cnt", "m_cnt")] == [0, 13, 24]
    assert (head["act_ipt_days"], head["diag_code_cnt"], head["oprn_oprt_code_cnt"]) == (2, 2, 1)
    assert (head["acct_pay"], head["psn_cashpay"]) == (yuan(part.acct_fen), yuan(part.cash_fen))
    assert head["psn_selfpay"] + head["psn_ownpay"] == head["acct_pay"] + head["psn_cashpay"]
    assert [one["diag_code"] for one in found["diseinfo"]] == ["K80.000", "I10.x00"]
    assert found["diseinfo"][1]["setl_list_diag_id"] == f"{number}-2"
    assert (found["oprninfo"][0]["main_oprn_flag"], found["bldinfo"][0]["bld_unt"]) == ("1", "ml")
    assert sum(one["fund_payamt"] for one in found["payinfo"]) == yuan(part.fund_fen)
    assert found["iteminfo"] == []
    assert "未查询到结算清单" in ready.send("4103", ready.keys(setl_id="S0")).text
    assert "【人员编号】与结算不符" in ready.send("4103", ready.keys(psn_no=person(2).psn_no)).text


def test_4103_tells_the_fee_items_of_2021_and_booked_funds_where_none_came(ready: Ready) -> None:
    listed = changed(twenty_one(ready.row), {"payinfo": []})
    assert ready.send("4101", listed).done
    found = ready.send("4103", ready.keys()).output
    assert [one["med_chrgitm_type"] for one in found["iteminfo"]] == ["01", "06"]
    assert sum(one["item_sumamt"] for one in found["iteminfo"]) == yuan(ready.row.split.medfee_fen)
    assert sum(one["fund_payamt"] for one in found["payinfo"]) == yuan(ready.row.split.fund_fen)


def test_4104_pages_the_lists_of_a_month_and_filters(ready: Ready) -> None:
    second = ready.stay(WOMAN)
    ready.send("4101", changed(good(ready.row), BAD))
    ready.send("4101", good(second))
    page = ready.results(page_num="2.0", page_size=1)
    assert [row["setl_id"] for row in page["data"]] == [second.setl_id]
    assert (page["pages"], page["recordCounts"], page["lastPage"]) == (2, 2, True)
    for filters, count in (
        ({"psn_no": second.psn_no}, 1), ({"setl_id": ready.row.setl_id}, 1), ({"err_lv": "1"}, 1), ({"err_lv": "2"}, 0),
        ({"retn_flag": "0"}, 2), ({"setl_ym": "202610"}, 0), ({"fixmedins_code": "H51080200001"}, 2),
    ):  # fmt: skip
        assert ready.results(**filters)["recordCounts"] == count, filters
    asked = {"data": {"setl_ym": "202613", "page_num": 1, "page_size": 10}}
    assert "yyyyMM" in ready.send("4104", asked).text
    asked["data"] |= {"setl_ym": "202611", "fixmedins_code": "H51080200002"}
    assert "fixmedins_code与报文不符" in ready.send("4104", asked).text


def test_the_counts_tell_how_many_lists_are_in_each_state(ready: Ready) -> None:
    ready.send("4101", changed(good(ready.row), {"stas_type": "1"}))
    ready.stay(WOMAN)
    stats = [read_object(ready.counter.platform.handle("/sim/stats", {}, b"")[2]) or {}]
    ready.counter.clock.advance(5)
    stats.append(read_object(ready.counter.platform.handle("/sim/stats", {}, b"")[2]) or {})
    assert [one["lists"] for one in stats] == [{"0": 0, "1": int(now), "2": int(not now), "3": 0} for now in (1, 0)]


def counted(ready: Ready, **changes: object) -> tuple[int, int]:
    facts = {
        "fixmedins_code": "H51080200001",
        "medtype_list": "21,22",
        "stt_begntime": "2026-11-01 00:00:00",
        "stt_endtime": "2026-11-30",
    }
    found = ready.send("4105", {"data": facts | changes})
    assert found.done, found.text
    return found.output["needUploadCnt"], found.output["uploadedCnt"]


def test_4105_counts_settlements_that_need_a_list_and_those_that_have_one(ready: Ready) -> None:
    ready.send("4101", good(ready.row))
    second = ready.stay(WOMAN)
    assert counted(ready) == (2, 1)
    assert counted(ready, medtype_list=["21", {}]) == (2, 1)
    assert counted(ready, medtype_list="11") == (0, 0)
    assert counted(ready, stt_endtime="2026-11-20 23:59:59") == (0, 0)
    assert counted(ready, stt_begntime="2026-11-22 00:00:00") == (0, 0)
    back = {"data": {"setl_id": second.setl_id, "mdtrt_id": second.mdtrt_id, "psn_no": second.psn_no}}
    assert ready.send("2305", back).done
    assert counted(ready) == (1, 1)
    assert counted(ready, refdset_flag="1") == (3, 1)


def test_a_platform_brought_back_from_its_diary_has_the_same_lists() -> None:
    told: list[tuple[float, Json]] = []
    ready = Ready()
    ready.counter.platform._diary = lambda at_s, request: told.append((at_s, copy.deepcopy(request)))
    assert ready.refusal(BAD | {"stas_type": "1"}) == ""
    before = Ready()
    for at_s, request in told:
        before.counter.platform.again(at_s, request)
    before.counter.clock.advance(10)
    assert before.state() == "3"


def test_a_hospital_that_heard_nothing_reads_its_list_back() -> None:
    """The platform keeps the list, the answer is lost, the repeat is refused: 4103 shows that it arrived."""
    counter = Counter()
    home = Hospital(counter.clock.seconds, Random(5), "H51080200001", "广元市示例医院")
    lost = [True]
    counter.platform.faults = lambda infno, _: Fault(drop="silent") if infno == "4101" and lost and lost.pop() else None
    assert counter.play(Ward(home).stay(person(MAN), listed=True)) == ""
    assert [envelope["infno"] for envelope in counter.seen[-3:]] == ["4101", "4101", "4103"]
    assert counter.platform.counts["4101"]["refused"] == 1


def test_a_list_that_is_plainly_refused_ends_the_stay() -> None:
    counter = Counter()
    home = Hospital(counter.clock.seconds, Random(5), "H51080200001", "广元市示例医院")
    counter.platform.faults = lambda infno, _: (
        Fault(business_error="清单不符", processed=False) if infno == "4101" else None
    )
    assert counter.play(Ward(home).stay(person(MAN), listed=True)) == "4101 清单不符"
