"""Registration, visits, admissions, discharges and fee lines: 2201-2205, 2301, 2302, 2401-2405."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from simulators import national
from simulators.benefit import Kind, partition_line
from simulators.ledger import Books, Call, Line, Refusal, Visit
from simulators.money import NotMoney, fen, yuan
from simulators.wording import Json

Handler = Callable[[Books, Call], object]


def _open(books: Books, call: Call, facts: Json, kind: Kind, number: str, letter: str) -> Visit:
    who = books.person(call, facts["psn_no"])
    if facts["insutype"] != who.insutype:
        raise Refusal("险种类型与参保信息不符")
    visit = Visit(
        books.new_id(letter, call.now_s),
        call.msgid,
        call.institution,
        who.psn_no,
        kind,
        who.insutype,
        facts.get("med_type") or "11",
        facts["begntime"],
        number,
        facts,
    )
    books.visits[visit.mdtrt_id] = visit
    return visit


def register(books: Books, call: Call) -> Json:
    """2201"""
    facts = call.body["data"]
    visit = _open(books, call, facts, "outpatient", facts["ipt_otp_no"], "M")
    return {
        "data": {
            "mdtrt_id": visit.mdtrt_id,
            "psn_no": visit.psn_no,
            "ipt_otp_no": visit.number,
            "exp_content": "",
        }
    }


def cancel_registration(books: Books, call: Call) -> Json:
    """2202"""
    facts = call.body["data"]
    visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"], "outpatient")
    if visit.lines:
        raise Refusal("存在费用明细，不能撤销挂号")
    visit.state = "cancelled"
    return {}


def record_visit(books: Books, call: Call) -> Json:
    """2203"""
    facts = call.body["mdtrtinfo"]
    visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"], "outpatient")
    if not call.body.get("diseinfo"):
        raise Refusal("缺少诊断信息")
    visit.med_type = facts["med_type"]
    visit.diagnoses = call.body["diseinfo"]
    return {}


def make_line(facts: Json, batch: str) -> Line:
    """A fee line with its partition; the codes were checked before. Raises Refusal."""
    try:
        amount = fen(facts["det_item_fee_sumamt"])
    except NotMoney as cause:
        raise Refusal("金额格式错误") from cause
    price, count = Decimal(facts["pric"]), Decimal(facts["cnt"])
    part = partition_line(national.item(facts["med_list_codg"]), price, count, amount)
    return Line(str(facts["feedetl_sn"]), batch, price, count, amount, part, facts)


def line_answer(line: Line) -> Json:
    """One row of `result` (2204, 2301) or `detlcutinfo` (2101, 2102)."""
    entry, part = national.item(line.facts["med_list_codg"]), line.partition
    return {
        "feedetl_sn": line.sn,
        "det_item_fee_sumamt": yuan(line.amount_fen),
        "cnt": line.count,
        "pric": line.price,
        "pric_uplmt_amt": entry.price_limit if entry.price_limit is not None else Decimal("999999"),
        "selfpay_prop": Decimal("0.1") if entry.level == "2" else Decimal(0),
        "fulamt_ownpay_amt": yuan(part.own_fen),
        "overlmt_amt": yuan(part.over_fen),
        "preselfpay_amt": yuan(part.first_fen),
        "inscp_scp_amt": yuan(part.inside_fen),
        "chrgitm_lv": f"0{entry.level}",
        "med_chrgitm_type": entry.fee_type,
        "bas_medn_flag": "0",
        "hi_nego_drug_flag": "0",
        "chld_medc_flag": "0",
        "list_sp_item_flag": "0",
        "lmt_used_flag": "0",
        "drt_reim_flag": "0",
        "memo": "",
    }


def _take_lines(books: Books, call: Call, kind: Kind) -> Json:
    taken: list[tuple[Visit, Line]] = []
    seen: set[tuple[str, str]] = set()
    for facts in call.body["feedetail"]:
        visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"], kind)
        if visit.state == "settled":
            raise Refusal("就诊已结算，不能上传明细")
        line = make_line(facts, facts.get("chrg_bchno", ""))
        if line.sn in visit.lines or (visit.mdtrt_id, line.sn) in seen:
            raise Refusal(f"费用明细流水号{line.sn}重复")
        if line.count < 0:
            _check_return(visit, taken, line)
        if any(old.settled_by for old in visit.lines.values() if line.batch and old.batch == line.batch):
            raise Refusal("收费批次已结算")
        seen.add((visit.mdtrt_id, line.sn))
        taken.append((visit, line))
    for visit, line in taken:
        visit.lines[line.sn] = line
    return {"result": [line_answer(line) for _, line in taken]}


def _check_return(visit: Visit, taken: list[tuple[Visit, Line]], line: Line) -> None:
    """A return names the sale it takes back and does not exceed it (example exchange 9)."""
    origin_sn = line.facts.get("init_feedetl_sn") or ""
    here = {old.sn: old for old in visit.lines.values()} | {new.sn: new for owner, new in taken if owner is visit}
    origin = here.get(origin_sn)
    if origin is None:
        raise Refusal("退费明细的原明细不存在")
    back = sum((other.count for other in here.values() if other.facts.get("init_feedetl_sn") == origin_sn), Decimal(0))
    if origin.count + back + line.count < 0 or origin.price != line.price:
        raise Refusal("退费明细与原明细不符")


def outpatient_lines(books: Books, call: Call) -> Json:
    """2204"""
    return _take_lines(books, call, "outpatient")


def inpatient_lines(books: Books, call: Call) -> Json:
    """2301"""
    return _take_lines(books, call, "inpatient")


def drop_batch(books: Books, call: Call) -> Json:
    """2205"""
    facts = call.body["data"]
    visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"], "outpatient")
    batch = [
        line for line in visit.lines.values() if line.batch == facts["chrg_bchno"] or facts["chrg_bchno"] == "0000"
    ]
    if any(line.settled_by for line in batch):
        raise Refusal("已参与结算的明细不能撤销")
    for line in batch:
        del visit.lines[line.sn]
    return {}


def drop_lines(books: Books, call: Call) -> Json:
    """2302; feedetl_sn 0000 takes all unsettled lines of the visit back."""
    doomed: list[tuple[Visit, str]] = []
    for facts in call.body["data"]:
        visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"], "inpatient")
        sn = str(facts["feedetl_sn"])
        if sn == "0000":
            doomed += [(visit, line.sn) for line in visit.lines.values() if not line.settled_by]
            continue
        if sn not in visit.lines:
            raise Refusal(f"费用明细{sn}不存在")
        if visit.lines[sn].settled_by:
            raise Refusal("已参与结算的明细不能撤销")
        doomed.append((visit, sn))
    for visit, sn in doomed:
        visit.lines.pop(sn, None)
    return {}


def admit(books: Books, call: Call) -> Json:
    """2401"""
    facts = call.body["mdtrtinfo"]
    if not call.body.get("diseinfo"):
        raise Refusal("缺少诊断信息")
    for other in books.admissions.values():
        if other.psn_no == facts["psn_no"] and other.state in ("open", "discharged"):
            raise Refusal("该人员存在未结算的住院登记")
    visit = _open(books, call, facts, "inpatient", facts["ipt_no"], "Z")
    visit.diagnoses = call.body["diseinfo"]
    books.admissions[visit.mdtrt_id] = visit
    return {"result": {"mdtrt_id": visit.mdtrt_id, "exp_content": ""}}


def discharge(books: Books, call: Call) -> Json:
    """2402"""
    facts = call.body["dscginfo"]
    visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"], "inpatient")
    if visit.state != "open":
        raise Refusal("就诊状态不允许办理出院")
    visit.state, visit.end = "discharged", facts["endtime"]
    return {}


def change_stay(books: Books, call: Call) -> Json:
    """2403"""
    facts = call.body["adminfo"]
    visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"], "inpatient")
    if visit.state != "open":
        raise Refusal("就诊状态不允许变更")
    visit.facts = visit.facts | facts
    visit.diagnoses = call.body.get("diseinfo") or visit.diagnoses
    return {}


def cancel_admission(books: Books, call: Call) -> Json:
    """2404"""
    facts = call.body["data"]
    visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"], "inpatient")
    withdraw_admission(books, visit)
    return {}


def withdraw_admission(books: Books, visit: Visit) -> None:
    """The admission never was; raises Refusal when something already depends on it."""
    if visit.lines or any(row.live for row in books.settlements_of(visit.mdtrt_id)):
        raise Refusal("存在费用明细或结算，不能撤销入院")
    if visit.state != "open":
        raise Refusal("就诊状态不允许撤销入院")
    visit.state = "cancelled"


def cancel_discharge(books: Books, call: Call) -> Json:
    """2405"""
    facts = call.body["data"]
    visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"], "inpatient")
    if visit.state != "discharged":
        raise Refusal("就诊未办理出院或已结算")
    visit.state, visit.end = "open", ""
    return {}


HANDLERS: Mapping[str, Handler] = {
    "2201": register,
    "2202": cancel_registration,
    "2203": record_visit,
    "2204": outpatient_lines,
    "2205": drop_batch,
    "2301": inpatient_lines,
    "2302": drop_lines,
    "2401": admit,
    "2402": discharge,
    "2403": change_stay,
    "2404": cancel_admission,
    "2405": cancel_discharge,
}
