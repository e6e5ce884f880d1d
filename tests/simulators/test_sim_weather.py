"""Stays, statements, files, access and misbehaviour of the platform."""

import base64
import hashlib
import io
import zipfile
from random import Random  # noqa: TID251 - seeded dice of a test

import pytest
from counter import Counter

from simulators import access, archives, errands, tables
from simulators.faults import Fault
from simulators.his import CALL_PATH, Answer
from simulators.hospital import Hospital
from simulators.ledger import Refusal
from simulators.people import person
from simulators.stay import Ward
from simulators.wording import Json, read_object, write


def admitted(counter: Counter, home: Hospital, number: int = 0) -> tuple[Ward, Json]:
    ward, who = Ward(home), person(number)
    case = ward.new_case(who, who.psn_no, who.insutype, who.insuplc, 3)
    assert counter.play(ward.admit(case)) == ""
    return ward, case


def ask(counter: Counter, home: Hospital, infno: str, body: Json) -> Answer:
    return counter.post(CALL_PATH, write(home.envelope(infno, body, "510800")))


def test_a_stay_is_settled_only_after_discharge(counter: Counter, hospital: Hospital) -> None:
    ward, case = admitted(counter, hospital)
    assert counter.play(ward.charge(case, 1)) == ""
    body = {"data": ward.settlement(case) | {"invono": ""}}
    assert "未办理出院登记" in ask(counter, hospital, "2304", body).text
    assert ask(counter, hospital, "2303", body).done
    assert counter.play(ward.discharge(case)) == ""
    assert ask(counter, hospital, "2304", body).done
    assert "该就诊已结算" in ask(counter, hospital, "2304", body).text
    assert "已结算" in counter.play(ward.charge(case, 2))


def test_a_return_cannot_exceed_what_was_sold(counter: Counter, hospital: Hospital) -> None:
    ward, case = admitted(counter, hospital)
    rows = ward.bill(case, 1, "A")["feedetail"]
    back = next(row for row in rows if row["init_feedetl_sn"])
    origin = next(row for row in rows if row["feedetl_sn"] == back["init_feedetl_sn"])
    assert ask(counter, hospital, "2301", {"feedetail": rows}).done
    again = back | {
        "feedetl_sn": "X1",
        "cnt": -origin["cnt"],
        "det_item_fee_sumamt": -origin["det_item_fee_sumamt"],
    }
    assert "退费明细与原明细不符" in ask(counter, hospital, "2301", {"feedetail": [again]}).text


def test_nobody_is_admitted_twice(counter: Counter, hospital: Hospital) -> None:
    admitted(counter, hospital)
    who = person(0)
    ward = Ward(hospital)
    case = ward.new_case(who, who.psn_no, who.insutype, who.insuplc, 1)
    assert "未结算的住院登记" in counter.play(ward.admit(case))


def test_an_admission_can_be_reversed_by_its_msgid(counter: Counter, hospital: Hospital) -> None:
    _, case = admitted(counter, hospital)
    omsgid = counter.seen[-1]["msgid"]
    body = {"data": {"psn_no": case["psn_no"], "omsgid": omsgid, "oinfno": "2401"}}
    assert ask(counter, hospital, "2601", body).done
    assert "原交易已冲正" in ask(counter, hospital, "2601", body).text
    admitted(counter, hospital)


def test_the_evening_agrees_and_an_orphan_is_named_by_its_msgid_alone(counter: Counter, hospital: Hospital) -> None:
    for number in range(4):
        assert counter.play(hospital.outpatient(person(number), refund=number == 0)) == ""
    assert counter.play(errands.evening(hospital)) == ""
    lost = hospital.ledger.pop()
    assert "结算笔数不符" in counter.play(errands.evening(hospital))
    _, content = list(counter.platform.books.files.values())[-1]
    (row,) = archives.unzipped(content).splitlines()
    assert row.split("\t")[:4] == [lost.psn_no, "null", "null", lost.msgid]
    assert len(row.split("\t")) == 10


def test_a_damaged_archive_is_refused_in_words() -> None:
    whole, dice, refused = archives.zipped("a.txt", "一\t二\n" * 300), Random(7), 0
    for _ in range(500):
        raw = bytearray(whole)
        raw[dice.randrange(4, len(raw))] = dice.randrange(256)
        try:
            archives.unzipped(bytes(raw))
        except Refusal as cause:
            refused += 1
            assert "ZIP" in str(cause)
    assert refused > 100


def test_a_row_only_the_institution_has_and_one_that_differs_are_listed(counter: Counter, hospital: Hospital) -> None:
    for number in (0, 1):
        assert counter.play(hospital.outpatient(person(number))) == ""
    hospital.ledger[0].amounts["medfee_sumamt"] += 1
    hospital.ledger[1].setl_id = "unheard-of"
    assert "不符" in counter.play(errands.evening(hospital))
    _, content = list(counter.platform.books.files.values())[-1]
    results = sorted(row.split("\t")[4] for row in archives.unzipped(content).splitlines())
    assert results == ["101", "102", "103"]


def test_the_drug_catalogue_comes_as_zip_with_all_columns(counter: Counter, hospital: Hospital) -> None:
    found = ask(counter, hospital, "1301", {"data": {"ver": "v0000"}})
    body = {"file_qury_no": found.output["file_qury_no"], "filename": "x", "fixmedins_code": "plc"}
    envelope = hospital.envelope("9102", {"fsDownloadIn": body})
    status, kind, content = counter.platform.handle("/fsi/api/fileupload/download", {}, write(envelope))
    assert (status, kind) == (200, "application/octet-stream")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = [line.split("\t") for line in archive.read(archive.namelist()[0]).decode().splitlines()]
    assert len(rows) == found.output["data_cnt"]
    assert {len(row) for row in rows} == {97}  # columns of 【1301】 in the provincial text
    first = tables.rows("national_drugs")[0]
    assert rows[0][0] == first["med_list_codg"] and rows[0][3] == first["generic_name"]
    assert rows[0][17] == "null"
    missing = hospital.envelope("9102", {"fsDownloadIn": body | {"file_qury_no": "nothing"}})
    assert b"-1" in counter.platform.handle("/fsi/api/fileupload/download", {}, write(missing))[2]


def test_an_upload_may_be_base64_or_an_array_of_bytes() -> None:
    assert archives.file_bytes(base64.b64encode(b"\x00\xffPK").decode()) == b"\x00\xffPK"
    assert archives.file_bytes([0, 255]) == b"\x00\xff"
    bad: object
    for bad in ("***", [256], {}, None):
        with pytest.raises(Refusal, match="文件内容格式错误"):
            archives.file_bytes(bad)


def test_tif_signatures_are_checked_like_the_published_vector() -> None:
    gate = access.tif_gate("PAAS", b"TOKENEXAMPLE0123")
    headers = {
        "x-tif-paasid": "PAAS",
        "x-tif-timestamp": "1700000000",
        "x-tif-nonce": "abcdef0123456789",
        "x-tif-signature": "92e4cc74cfcc093aebe9db26e4bf1f7c5cf5822c9f3cddfef8fdc5404ce2fad2",
    }
    assert gate(headers | {"x-tif-signature": "0" * 64}, "1101", 1_700_000_000.0) == "签名错误"
    assert gate(headers, "1101", 1_700_000_100.0) is None
    assert gate(headers, "1101", 1_700_000_100.0) == "签名随机数重复"
    assert gate(headers, "1101", 1_700_005_000.0) == "请求时间戳过期"
    assert gate({}, "1101", 1_700_000_000.0) == "缺少或错误的x-tif headers"


def test_csb_signatures_are_checked_like_the_published_vector() -> None:
    gate = access.csb_gate("AKEXAMPLE", b"SKEXAMPLE")
    headers = {
        "_api_access_key": "AKEXAMPLE",
        "_api_name": "1101",
        "_api_timestamp": "1700000000000",
        "_api_version": "1.0.0",
        "_api_signature": "Wva+fdkmlU7V+4lg7raeUaC6/WQ=",
    }
    assert gate(headers, "1101", 1_700_000_000.0) is None
    assert gate(headers | {"_api_name": "2207"}, "2207", 1_700_000_000.0) == "签名错误"
    assert gate(headers, "1101", 1_700_009_999.0) == "请求时间戳过期"
    assert gate(headers | {"_api_access_key": "X"}, "1101", 1_700_000_000.0) == "access_key不存在"


def test_an_unsigned_call_never_reaches_the_books(hospital: Hospital) -> None:
    counter = Counter(gate=access.tif_gate("PAAS", b"key"))
    status, _, body = counter.platform.handle(CALL_PATH, {}, write(hospital.envelope("9001", {"signIn": {}})))
    assert status == 401 and read_object(body) == {"code": 401, "message": "缺少或错误的x-tif headers"}
    now = int(counter.clock.seconds())
    text = f"{now}keyn{now}".encode()
    signed = {
        "x-tif-paasid": "PAAS",
        "x-tif-timestamp": str(now),
        "x-tif-nonce": "n",
        "x-tif-signature": hashlib.sha256(text).hexdigest(),
    }
    good = hospital.envelope("9001", {"signIn": {"opter_no": "1", "mac": "m", "ip": "i"}})
    assert counter.platform.handle(CALL_PATH, signed, write(good))[0] == 200


def weather(counter: Counter, infno: str, fault: Fault) -> None:
    """The fault strikes the first message of this kind, then the sky is clear."""
    left = [fault]
    counter.platform.faults = lambda now, msgid: left.pop() if now == infno and left else None


@pytest.mark.parametrize("fault", [Fault(drop="silent"), Fault(http_status=502), Fault(garbage=True)])
def test_an_answer_that_got_lost_was_booked_all_the_same(counter: Counter, hospital: Hospital, fault: Fault) -> None:
    weather(counter, "2207", fault)
    why = counter.play(hospital.outpatient(person(0)))
    # nobody stands between: the hospital asks again, and the platform does not know it said so already
    assert why == "2207 收费批次已结算"
    assert len(counter.platform.ledger()) == 1 and hospital.ledger == []


def test_work_that_was_not_done_leaves_no_row(counter: Counter, hospital: Hospital) -> None:
    weather(counter, "2207", Fault(http_status=500, processed=False))
    assert counter.play(hospital.outpatient(person(0))) == ""
    assert len(counter.platform.ledger()) == 1


def test_a_business_error_books_nothing_and_is_not_asked_again(counter: Counter, hospital: Hospital) -> None:
    weather(counter, "2207", Fault(business_error="余额不足"))
    assert counter.play(hospital.outpatient(person(0))) == "2207 余额不足"
    assert counter.platform.ledger() == [] and hospital.unknown == {}


def test_a_system_error_hides_a_booking(counter: Counter, hospital: Hospital) -> None:
    weather(counter, "2207", Fault(system_error="系统异常"))
    assert counter.play(hospital.outpatient(person(0))) == "2207 系统异常"
    assert len(counter.platform.ledger()) == 1


def test_a_late_booking_comes_after_the_reversal_found_nothing(counter: Counter, hospital: Hospital) -> None:
    weather(counter, "2207", Fault(book_late_s=30.0))
    script = hospital.outpatient(person(0))
    given: Answer | None = None
    while counter.seen[-1:] == [] or counter.seen[-1]["infno"] != "2207":
        step = script.send(given)
        given = counter.post(step.path, step.body)  # type: ignore[union-attr]
    assert given is not None and given.status == 0
    body = {"data": {"psn_no": person(0).psn_no, "omsgid": counter.seen[-1]["msgid"], "oinfno": "2207"}}
    assert "原交易不存在" in ask(counter, hospital, "2601", body).text
    counter.clock.advance(31)
    assert len(counter.platform.ledger()) == 1
    assert ask(counter, hospital, "2601", body).done
    assert counter.platform.ledger()[0]["reversed"] is True


def test_the_platform_may_book_twice_lie_and_mix_up(counter: Counter, hospital: Hospital) -> None:
    weather(counter, "2207", Fault(twice=True))
    assert counter.play(hospital.outpatient(person(0))) == ""
    assert [row["msgid"] for row in counter.platform.ledger()] == [hospital.ledger[0].msgid] * 2
    weather(counter, "2601", Fault(without_effect=True))
    body = {"data": {"psn_no": person(0).psn_no, "omsgid": hospital.ledger[0].msgid, "oinfno": "2207"}}
    assert ask(counter, hospital, "2601", body).done
    assert not any(row["reversed"] for row in counter.platform.ledger())
    weather(counter, "2207", Fault(foreign_msgid=True))
    assert counter.play(hospital.outpatient(person(1))) == ""
    assert counter.platform.ledger()[-1]["msgid"] == hospital.ledger[-1].msgid


def test_a_closed_day_is_closed(counter: Counter, hospital: Hospital) -> None:
    assert counter.play(hospital.outpatient(person(0))) == ""
    counter.platform.books.closed_days.add("2026-11-21")
    row = hospital.ledger[0]
    keys = {"setl_id": row.setl_id, "mdtrt_id": row.mdtrt_id, "psn_no": row.psn_no}
    assert "已日结" in ask(counter, hospital, "2208", {"data": keys}).text
    body = {"data": {"psn_no": row.psn_no, "omsgid": row.msgid, "oinfno": "2207"}}
    assert "已日结" in ask(counter, hospital, "2601", body).text
    assert [(one["refunded"], one["reversed"]) for one in counter.platform.ledger()] == [(False, False)]


def test_catalogue_mappings_are_taken_shown_and_deleted(counter: Counter, hospital: Hospital) -> None:
    item = tables.matched("drug")[0]
    key = {"fixmedins_hilist_id": item.local_code, "list_type": "101", "med_list_codg": item.national_code}
    days = {"begndate": "2026-01-01", "enddate": "2099-12-31"}
    rows = [{**key, **days, "fixmedins_hilist_name": item.name}]
    for _ in range(2):  # an equal row changes nothing
        assert ask(counter, hospital, "3301", {"data": rows}).done
    other = {**rows[0], "begndate": "2026-02-01"}
    assert "请先撤销" in ask(counter, hospital, "3301", {"data": [other]}).text
    page = {"updt_time": "2000-01-01", "page_num": 1, "page_size": 10}
    found = ask(counter, hospital, "1317", {"data": page}).output
    assert [row["medins_list_codg"] for row in found["data"]] == [item.local_code] and found["recordCounts"] == 1
    facts = {"fixmedins_code": hospital.code, **key}
    assert ask(counter, hospital, "3302", {"data": facts}).done
    assert "对照关系不存在" in ask(counter, hospital, "3302", {"data": facts}).text


def test_unknown_transactions_are_refused(counter: Counter, hospital: Hospital) -> None:
    assert "交易编号不存在" in ask(counter, hospital, "9999", {}).text
    assert (
        "未开通交易5302"
        in ask(counter, hospital, "5302", {"data": {"psn_no": person(0).psn_no, "biz_appy_type": "03"}}).text
    )
