"""The platform alone: its checks, its books, its refusals. Expected numbers are worked out by hand."""

from collections.abc import Iterator
from decimal import Decimal
from random import Random  # noqa: TID251 - seeded dice of a test
from typing import Any

import pytest
from counter import Counter, translated

from simulators import tables
from simulators.day import day_of
from simulators.his import CALL_PATH, Answer, GaveUp
from simulators.hospital import Hospital
from simulators.people import person
from simulators.pharmacy import Pharmacy
from simulators.wording import Json, read_object, write

NATIONAL_DRUG = "XJ01CAA900E001020299007"  # class A, valid since 2023-03-01
DOCTOR = "D990101000001"


def send(counter: Counter, home: Hospital | Pharmacy, infno: str, body: Json, msgid: str = "") -> Answer:
    """One message with national codes, as a gateway forwards it."""
    counter.clock.advance(1)
    envelope = home.envelope(infno, body, "510800")
    if msgid:
        envelope["msgid"] = msgid
    return counter.post(CALL_PATH, write(envelope))


def fee_line(visit: Json, **changes: Any) -> Json:
    return {
        "feedetl_sn": "F1",
        "mdtrt_id": visit["mdtrt_id"],
        "psn_no": visit["psn_no"],
        "chrg_bchno": "B1",
        "rx_circ_flag": "0",
        "fee_ocur_time": "2026-11-21 08:10:00",
        "med_list_codg": NATIONAL_DRUG,
        "medins_list_codg": "LOCAL-1",
        "det_item_fee_sumamt": Decimal("128.60"),
        "cnt": 2,
        "pric": Decimal("64.30"),
        "bilg_dept_codg": "A03",
        "bilg_dept_name": "内科",
        "bilg_dr_codg": DOCTOR,
        "bilg_dr_name": "测试医师",
        "hosp_appr_flag": "0",
    } | changes


def visit_of(counter: Counter, home: Hospital, number: int = 0) -> Json:
    """A registered and diagnosed outpatient of national codes; nothing charged yet."""
    who = person(number)
    visit = home.new_visit(who, who.psn_no, who.insutype, who.insuplc)
    assert counter.play(home.register(visit)) == ""
    assert counter.play(home.diagnose(visit)) == ""
    return visit | {"batch": "B1"}


def settlement(visit: Json, **changes: Any) -> Json:
    return {
        "data": {
            "psn_no": visit["psn_no"],
            **visit["certificate"],
            "med_type": "11",
            "medfee_sumamt": Decimal("128.60"),
            "psn_setlway": "01",
            "mdtrt_id": visit["mdtrt_id"],
            "chrg_bchno": "B1",
            "insutype": visit["insutype"],
            "acct_used_flag": "1",
            "invono": "FP1",
            "fulamt_ownpay_amt": 0,
            "overlmt_selfpay": 0,
            "preselfpay_amt": 0,
            "inscp_scp_amt": Decimal("128.60"),
        }
        | changes
    }


@pytest.fixture
def charged(counter: Counter, hospital: Hospital) -> Json:
    counter.translate = plainly
    visit = visit_of_national(counter, hospital)
    assert send(counter, hospital, "2204", {"feedetail": [fee_line(visit)]}).done
    return visit


def plainly(value: object) -> object:
    return value


def visit_of_national(counter: Counter, home: Hospital) -> Json:
    counter.translate = translated
    visit = visit_of(counter, home)
    counter.translate = plainly
    return visit


def identities(info: Json) -> Iterator[tuple[Decimal, Decimal]]:
    """The three sums of annex X38, read out of an answer."""
    cash = info["psn_cash_pay"] if "psn_cash_pay" in info else info["pdn_cash_pay"]
    yield info["medfee_sumamt"], info["fund_pay_sumamt"] + info["psn_part_amt"] + info["hosp_part_amt"]
    yield info["psn_part_amt"], info["acct_pay"] + cash
    funds = ("hifp_pay", "cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "maf_pay", "oth_pay", "hifdm_pay")
    yield info["fund_pay_sumamt"], sum((info[name] for name in funds), Decimal(0))
    parts = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
    yield info["medfee_sumamt"], sum((info[name] for name in parts), Decimal(0))


def test_a_day_of_hospital_and_pharmacy_leaves_equal_books(counter: Counter, hospital: Hospital) -> None:
    pharmacy = Pharmacy(counter.clock.seconds, Random(6), "P51080200101", "示例药店")
    for home in (hospital, pharmacy):
        assert counter.play(home.sign_in()) == ""
        assert [why for why in map(counter.play, day_of(home, 30, 0)) if why] == []
        assert home.problems() == []
        mine = sorted(
            (row.setl_id, row.msgid, row.amounts["medfee_sumamt"], row.amounts["acct_pay"]) for row in home.ledger
        )
        theirs = sorted(
            (row["setl_id"], row["msgid"], row["medfee_fen"], row["acct_fen"])
            for row in counter.platform.ledger()
            if row["fixmedins_code"] == home.code
        )
        assert mine == theirs
        assert len(mine) > 30
    seen = {envelope["infno"] for envelope in counter.seen}
    assert seen >= {
        "1101",
        "1301",
        "1901",
        "2001",
        "2101",
        "2102",
        "2103",
        "3301",
        "4101",
        "5206",
        "5301",
        "9101",
        "9102",
    }
    assert seen >= {f"220{number}" for number in range(1, 9)}
    assert seen >= {f"230{number}" for number in range(1, 6)}
    assert seen >= {"2401", "2402", "2404", "2405"}


def test_every_settlement_answer_adds_up(counter: Counter, hospital: Hospital) -> None:
    answers: list[Json] = []
    post = counter.post

    def listening(path: str, body: bytes) -> Answer:
        found = post(path, body)
        if "setlinfo" in found.output:
            answers.append(found.output["setlinfo"])
        return found

    counter.post = listening  # type: ignore[method-assign]
    for script in day_of(hospital, 40, 0):
        counter.play(script)
    assert len(answers) > 60
    for info in answers:
        for left, right in identities(info):
            assert left == right, info
    assert any(info["hosp_part_amt"] or info["maf_pay"] for info in answers)
    assert any(info["cvlserv_pay"] for info in answers)


def test_the_split_of_a_class_a_drug_is_worked_out_by_hand(counter: Counter, hospital: Hospital, charged: Json) -> None:
    """128.60 inside the policy, all of it under the deductible of 200.00 a year: no fund, account first (500.00)."""
    found = send(counter, hospital, "2207", settlement(charged))
    info = found.output["setlinfo"]
    assert (info["act_pay_dedc"], info["hifp_pay"], info["acct_pay"]) == (Decimal("128.60"), 0, Decimal("128.60"))
    assert info["balc"] == Decimal("371.40")
    assert info["medins_setl_id"] == counter.seen[-1]["msgid"]
    assert send(counter, hospital, "2204", {"feedetail": [fee_line(charged, feedetl_sn="F2", chrg_bchno="B2")]}).done
    again = send(counter, hospital, "2207", settlement(charged, chrg_bchno="B2")).output["setlinfo"]
    # 71.40 of the deductible are left; 70 % of 57.20 = 40.04
    assert (again["act_pay_dedc"], again["hifp_pay"]) == (Decimal("71.40"), Decimal("40.04"))


def test_the_trial_moves_nothing_and_names_no_settlement(counter: Counter, hospital: Hospital, charged: Json) -> None:
    body = settlement(charged)
    for name in ("invono", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt"):
        del body["data"][name]
    first = send(counter, hospital, "2206", body).output["setlinfo"]
    assert "setl_id" not in first and first["medins_setl_id"] == ""
    assert first["balc"] == Decimal("371.40")
    assert counter.platform.ledger() == []
    assert send(counter, hospital, "2206", body).output["setlinfo"]["balc"] == first["balc"]


def test_a_batch_settles_once_whatever_the_msgid(counter: Counter, hospital: Hospital, charged: Json) -> None:
    first = send(counter, hospital, "2207", settlement(charged))
    same = send(counter, hospital, "2207", settlement(charged), counter.seen[-1]["msgid"])  # type: ignore[arg-type]
    other = send(counter, hospital, "2207", settlement(charged))
    assert first.done and not same.done and not other.done
    assert other.text == "收费批次已结算"
    assert len(counter.platform.ledger()) == 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"medfee_sumamt": Decimal("128.61")}, "医疗费总额与费用明细合计不符"),
        ({"inscp_scp_amt": Decimal("128.59")}, "inscp_scp_amt与预结算结果不符"),
        ({"preselfpay_amt": Decimal("0.01")}, "preselfpay_amt与预结算结果不符"),
        ({"chrg_bchno": "B9"}, "收费批次没有费用明细"),
        ({"mdtrt_id": "M0"}, "就诊ID不存在"),
        ({"psn_no": "51080000000000000001"}, "就诊ID与人员编号不符"),
        ({"insutype": "390"}, "险种类型与就诊登记不符"),
    ],
)
def test_a_settlement_that_does_not_fit_is_refused(
    counter: Counter, hospital: Hospital, charged: Json, changes: Json, text: str
) -> None:
    found = send(counter, hospital, "2207", settlement(charged, **changes))
    assert text in found.text
    assert counter.platform.ledger() == []


def test_a_refund_is_a_new_negative_row_and_opens_the_batch_again(
    counter: Counter, hospital: Hospital, charged: Json
) -> None:
    done = send(counter, hospital, "2207", settlement(charged)).output["setlinfo"]
    keys = {name: done[name] for name in ("setl_id", "mdtrt_id", "psn_no")}
    back = send(counter, hospital, "2208", {"data": keys}).output["setlinfo"]
    assert back["setl_id"] != done["setl_id"]
    assert (back["medfee_sumamt"], back["acct_pay"]) == (Decimal("-128.60"), Decimal("-128.60"))
    assert back["medins_setl_id"] == "" and back["balc"] == 500
    assert "该结算已撤销" in send(counter, hospital, "2208", {"data": keys}).text
    rows = counter.platform.ledger()
    assert [(row["medfee_fen"], row["refunded"]) for row in rows] == [(12860, True), (-12860, False)]
    assert rows[1]["refund_of"] == done["setl_id"]
    assert send(counter, hospital, "2207", settlement(charged)).done


def test_a_refund_needs_the_right_person_and_the_right_institution(
    counter: Counter, hospital: Hospital, charged: Json
) -> None:
    done = send(counter, hospital, "2207", settlement(charged)).output["setlinfo"]
    keys = {name: done[name] for name in ("setl_id", "mdtrt_id", "psn_no")}
    assert not send(counter, hospital, "2208", {"data": keys | {"psn_no": person(1).psn_no}}).done
    elsewhere = Hospital(counter.clock.seconds, Random(1), "H51080200002", "另一家")
    assert "结算ID不存在" in send(counter, elsewhere, "2208", {"data": keys}).text
    assert "结算ID不存在" in send(counter, hospital, "2305", {"data": keys}).text


def reversal(visit: Json, omsgid: object, oinfno: str = "2207", **changes: Any) -> Json:
    return {"data": {"psn_no": visit["psn_no"], "omsgid": omsgid, "oinfno": oinfno} | changes}


def test_a_reversal_takes_the_settlement_back_once(counter: Counter, hospital: Hospital, charged: Json) -> None:
    send(counter, hospital, "2207", settlement(charged))
    omsgid = counter.seen[-1]["msgid"]
    assert "原交易不存在" in send(counter, hospital, "2601", reversal(charged, "nobody")).text
    assert "原交易不存在" in send(counter, hospital, "2601", reversal(charged, omsgid, psn_no=person(1).psn_no)).text
    assert "原交易不存在" in send(counter, hospital, "2601", reversal(charged, omsgid, "2304")).text
    assert "不支持冲正" in send(counter, hospital, "2601", reversal(charged, omsgid, "2208")).text
    done = send(counter, hospital, "2601", reversal(charged, omsgid))
    assert done.done and done.output == {}
    assert counter.platform.books.people[charged["psn_no"]].balance_fen == 50_000
    assert [row["reversed"] for row in counter.platform.ledger()] == [True]
    assert "原交易已冲正" in send(counter, hospital, "2601", reversal(charged, omsgid)).text
    assert send(counter, hospital, "2207", settlement(charged)).done


def test_lines_of_a_settlement_cannot_be_taken_back(counter: Counter, hospital: Hospital, charged: Json) -> None:
    send(counter, hospital, "2207", settlement(charged))
    batch = {"mdtrt_id": charged["mdtrt_id"], "chrg_bchno": "B1", "psn_no": charged["psn_no"]}
    assert "已参与结算的明细不能撤销" in send(counter, hospital, "2205", {"data": batch}).text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"med_list_codg": "YP01274"}, "不是国家编码"),
        ({"bilg_dr_codg": "D0000"}, "不是国家编码"),
        ({"bilg_dr_codg": ""}, "bilg_dr_codg不能为空"),
        ({"etip_flag": "2"}, "etip_flag不在字典内"),
        ({"fee_ocur_time": "2026/11/21"}, "日期格式"),
        ({"pric": Decimal("64.3000001")}, "小数超过6位"),
        ({"det_item_fee_sumamt": Decimal("128.62")}, "单价乘数量与金额不符"),
        ({"det_item_fee_sumamt": "1e3"}, "应为数值"),
        ({"feedetl_sn": "F" * 31}, "feedetl_sn"),
        ({"medins_list_codg": "x" * 151}, "超过长度"),
        ({"hosp_appr_flag": 0}, "应为文本"),
        ({"cnt": -1, "det_item_fee_sumamt": Decimal("-64.30")}, "原明细不存在"),
    ],
)
def test_a_wrong_fee_line_is_refused(
    counter: Counter, hospital: Hospital, charged: Json, changes: Json, text: str
) -> None:
    line = fee_line(charged, feedetl_sn="F7", chrg_bchno="B7") | changes
    found = send(counter, hospital, "2204", {"feedetail": [line]})
    assert text in found.text, found.text
    assert list(counter.platform.books.visits[charged["mdtrt_id"]].lines) == ["F1"]


def test_a_code_counts_on_the_day_of_service(counter: Counter, hospital: Hospital, charged: Json) -> None:
    old = next(row for row in tables.rows("national_drugs") if row["enddate"])
    line = fee_line(charged, feedetl_sn="F7", chrg_bchno="B7", med_list_codg=old["med_list_codg"])
    assert "失效" in send(counter, hospital, "2204", {"feedetail": [line]}).text
    line["fee_ocur_time"] = f"{old['enddate']} 10:00:00"
    assert send(counter, hospital, "2204", {"feedetail": [line]}).done


def test_local_codes_are_refused_everywhere(counter: Counter, hospital: Hospital) -> None:
    counter.translate = plainly
    why = counter.play(hospital.outpatient(person(0)))
    assert why.startswith("2201 ") and "不是国家编码" in why


def test_the_envelope_is_checked(counter: Counter, hospital: Hospital) -> None:
    envelope = hospital.envelope("9001", {"signIn": {"opter_no": "1", "mac": "m", "ip": "i"}})
    for name, value in (("msgid", "x" * 31), ("opter_type", "9"), ("input", []), ("infver", "")):
        found = counter.platform.handle(CALL_PATH, {}, write(envelope | {name: value}))
        assert found[0] == 200 and read_object(found[2])["infcode"] == -1, name  # type: ignore[index]
    assert read_object(counter.platform.handle(CALL_PATH, {}, b"[1]")[2])["infcode"] == -1  # type: ignore[index]
    assert counter.platform.handle("/elsewhere", {}, b"{}")[0] == 404
    assert read_object(counter.platform.handle(CALL_PATH, {}, write(envelope))[2])["infcode"] == 0  # type: ignore[index]


def test_a_visit_belongs_to_its_institution(counter: Counter, hospital: Hospital, charged: Json) -> None:
    elsewhere = Hospital(counter.clock.seconds, Random(1), "H51080200002", "另一家")
    line = fee_line(charged, feedetl_sn="F9", chrg_bchno="B9")
    assert "就诊ID不存在" in send(counter, elsewhere, "2204", {"feedetail": [line]}).text


def test_sign_in_can_be_asked_for(hospital: Hospital) -> None:
    counter = Counter(require_sign_in=True)
    assert "签到" in send(counter, hospital, "5301", {"data": {"psn_no": person(1).psn_no}}).text
    assert counter.play(hospital.sign_in()) == ""
    assert send(counter, hospital, "5301", {"data": {"psn_no": person(1).psn_no}}).done
    assert counter.play(hospital.sign_out()) == ""
    with pytest.raises(GaveUp):
        script = hospital.sign_out()
        given: Any = None
        while True:
            step: Any = script.send(given)
            given = counter.post(step.path, step.body)


def test_the_ledger_and_the_counts_are_served(counter: Counter, hospital: Hospital, charged: Json) -> None:
    send(counter, hospital, "2207", settlement(charged))
    status, kind, body = counter.platform.handle("/sim/ledger", {}, b"")
    found = read_object(body)
    assert status == 200 and kind.startswith("application/json") and found is not None
    assert found["count"] == 1 and found["rows"][0]["medfee_fen"] == 12860
    stats = read_object(counter.platform.handle("/sim/stats", {}, b"")[2])
    assert stats is not None and stats["counts"]["2207"] == {"done": 1}
