"""Trial and real settlements, refunds and the reversal 2601 (reversal.md §1; annex X38; example exchanges 5-11)."""

from collections.abc import Mapping
from decimal import Decimal

from simulators import stamps, visits
from simulators.benefit import Kind, Partition, Split, split, total
from simulators.ledger import Books, Call, Line, Refusal, Settlement, Visit
from simulators.money import NotMoney, fen, yuan
from simulators.visits import Handler
from simulators.wording import Json

REVERSIBLE = ("2102", "2207", "2304", "2401")
_FUNDS = {"310": ("310100", "310300"), "390": ("390102", "390200")}  # basic fund, large-expense fund


def _money(facts: Json, name: str) -> int:
    try:
        return fen(facts[name])
    except NotMoney as cause:
        raise Refusal(f"{name}金额格式错误") from cause


def _check_total(facts: Json, sums: Partition) -> None:
    if _money(facts, "medfee_sumamt") != sums.amount_fen:
        raise Refusal("医疗费总额与费用明细合计不符")
    if sums.amount_fen <= 0:
        raise Refusal("医疗费总额应大于零")


def _check_echo(facts: Json, sums: Partition, *, required: bool) -> None:
    """The settlement echoes the four partition sums of its trial (pitfalls §4, Amounts)."""
    expected = {
        "fulamt_ownpay_amt": sums.own_fen,
        "overlmt_selfpay": sums.over_fen,
        "preselfpay_amt": sums.first_fen,
        "inscp_scp_amt": sums.inside_fen,
    }
    for name, value in expected.items():
        if (required or facts.get(name) not in (None, "")) and _money(facts, name) != value:
            raise Refusal(f"{name}与预结算结果不符，请重新预结算")


def fund_lines(row: Settlement) -> list[Json]:
    part, sign = row.split, row.sign
    basic, large = _FUNDS["390" if row.insutype == "390" else "310"]
    amounts = [(basic, part.hifp_fen), ("320100", part.cvlserv_fen), (large, part.hifes_fen), ("610100", part.maf_fen)]
    return [
        {
            "fund_pay_type": fund,
            "inscp_scp_amt": yuan(sign * part.partition.inside_fen),
            "crt_payb_lmt_amt": yuan(0),
            "fund_payamt": yuan(sign * amount),
            "fund_pay_type_name": "",
            "setl_proc_info": "",
        }
        for fund, amount in amounts
        if amount or fund == basic
    ]


def amounts(part: Split, sign: int) -> Json:
    """The amount fields of setlinfo, in yuan."""

    def money(amount_fen: int) -> Decimal:
        return yuan(sign * amount_fen)

    return {
        "medfee_sumamt": money(part.medfee_fen),
        "fulamt_ownpay_amt": money(part.partition.own_fen),
        "overlmt_selfpay": money(part.partition.over_fen),
        "preselfpay_amt": money(part.partition.first_fen),
        "inscp_scp_amt": money(part.partition.inside_fen),
        "act_pay_dedc": money(part.deductible_fen),
        "hifp_pay": money(part.hifp_fen),
        "pool_prop_selfpay": Decimal(part.ratio).scaleb(-3),
        "cvlserv_pay": money(part.cvlserv_fen),
        "hifes_pay": money(part.hifes_fen),
        "hifmi_pay": money(0),
        "hifob_pay": money(0),
        "maf_pay": money(part.maf_fen),
        "oth_pay": money(0),
        "fund_pay_sumamt": money(part.fund_fen),
        "psn_part_amt": money(part.person_fen),
        "acct_pay": money(part.acct_fen),
        "psn_cash_pay": money(part.cash_fen),
        "hosp_part_amt": money(part.hosp_fen),
        "acct_mulaid_pay": money(0),
        "hifdm_pay": money(0),
    }


def setlinfo(books: Books, row: Settlement, now_s: float) -> Json:
    """`setlinfo` of a row; of a trial when setl_id is empty."""
    who = books.people[row.psn_no]
    trial_use = row.split.acct_fen if not row.setl_id else 0
    info: Json = {"mdtrt_id": row.mdtrt_id}
    if row.setl_id:
        info["setl_id"] = row.setl_id
    return info | {
        "psn_no": row.psn_no,
        "psn_name": who.name,
        "psn_cert_type": "01",
        "certno": who.certno,
        "gend": who.gend,
        "naty": "01",
        "brdy": who.brdy,
        "age": Decimal(stamps.moment(now_s).year - int(who.brdy[:4])).quantize(Decimal("0.1")),
        "insutype": row.insutype,
        "psn_type": who.psn_type,
        "cvlserv_flag": "1" if who.civil_servant else "0",
        "setl_time": stamps.stamp(row.now_s),
        "mdtrt_cert_type": row.cert_type,
        "med_type": row.med_type,
        **amounts(row.split, row.sign),
        "balc": yuan(who.balance_fen - trial_use),
        "medins_setl_id": row.msgid if row.setl_id and row.sign > 0 else "",
        "clr_optins": row.clr_optins,
        "clr_way": "1",
        "clr_type": row.clr_type,
    }


def _row(books: Books, call: Call, visit: Visit, facts: Json, part: Split, setl_id: str) -> Settlement:
    return Settlement(
        setl_id,
        call.msgid,
        call.infno,
        call.institution,
        call.institution_name,
        visit.psn_no,
        visit.mdtrt_id,
        visit.kind,
        visit.insutype,
        visit.med_type,
        facts["mdtrt_cert_type"],
        part,
        call.now_s,
        batch=facts.get("chrg_bchno") or "",
        invono=facts.get("invono") or "",
        middle=facts.get("mid_setl_flag") == "1",
        insuplc=books.people[visit.psn_no].insuplc,
    )


def _outpatient_open(books: Books, call: Call, facts: Json) -> tuple[Visit, list[Line]]:
    visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"], "outpatient")
    if not visit.diagnoses:
        raise Refusal("未上传就诊信息")
    batch = [line for line in visit.lines.values() if line.batch == facts["chrg_bchno"]]
    if not batch:
        raise Refusal("收费批次没有费用明细")
    if any(line.settled_by for line in batch):
        raise Refusal("收费批次已结算")
    return visit, batch


def _inpatient_open(books: Books, call: Call, facts: Json, *, final: bool) -> tuple[Visit, list[Line]]:
    visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"], "inpatient")
    if visit.state == "settled":
        raise Refusal("该就诊已结算")
    if final and facts["mid_setl_flag"] != "1" and visit.state != "discharged":
        raise Refusal("未办理出院登记")
    unsettled = [line for line in visit.lines.values() if not line.settled_by]
    if not unsettled:
        raise Refusal("没有未结算的费用明细")
    return visit, unsettled


def _cover(books: Books, visit: Visit, facts: Json, lines: list[Line]) -> Split:
    if facts["insutype"] != visit.insutype:
        raise Refusal("险种类型与就诊登记不符")
    sums = total(line.partition for line in lines)
    _check_total(facts, sums)
    who = books.people[visit.psn_no]
    return split(visit.kind, who, visit.insutype, sums, use_account=facts.get("acct_used_flag") == "1")


def _trial(books: Books, call: Call, visit: Visit, facts: Json, lines: list[Line]) -> Json:
    row = _row(books, call, visit, facts, _cover(books, visit, facts, lines), "")
    return {"setlinfo": setlinfo(books, row, call.now_s), "setldetail": fund_lines(row)}


def _settle(books: Books, call: Call, visit: Visit, facts: Json, lines: list[Line]) -> Json:
    row = _row(books, call, visit, facts, _cover(books, visit, facts, lines), books.new_id("S", call.now_s))
    books.add(row)
    for line in lines:
        line.settled_by = row.setl_id
    return {"setlinfo": setlinfo(books, row, call.now_s), "setldetail": fund_lines(row)}


def trial_outpatient(books: Books, call: Call) -> Json:
    """2206"""
    facts = call.body["data"]
    visit, lines = _outpatient_open(books, call, facts)
    return _trial(books, call, visit, facts, lines)


def settle_outpatient(books: Books, call: Call) -> Json:
    """2207"""
    facts = call.body["data"]
    visit, lines = _outpatient_open(books, call, facts)
    _check_echo(facts, total(line.partition for line in lines), required=True)
    return _settle(books, call, visit, facts, lines)


def trial_inpatient(books: Books, call: Call) -> Json:
    """2303"""
    facts = call.body["data"]
    visit, lines = _inpatient_open(books, call, facts, final=False)
    return _trial(books, call, visit, facts, lines)


def settle_inpatient(books: Books, call: Call) -> Json:
    """2304; mid_setl_flag 1 settles what has come up so far and leaves the stay open."""
    facts = call.body["data"]
    visit, lines = _inpatient_open(books, call, facts, final=True)
    _check_echo(facts, total(line.partition for line in lines), required=False)
    answer = _settle(books, call, visit, facts, lines)
    if facts["mid_setl_flag"] != "1":
        visit.state = "settled"
    return answer


def _purchase(books: Books, call: Call, mdtrt_id: str) -> tuple[Visit, list[Line], Json]:
    facts = call.body["druginfo"]
    if not call.body.get("drugdetail"):
        raise Refusal("缺少药品明细")
    who = books.person(call, facts["psn_no"])
    lines = [visits.make_line(line, "") for line in call.body["drugdetail"]]
    if len({line.sn for line in lines}) != len(lines):
        raise Refusal("费用明细流水号重复")
    visit = Visit(
        mdtrt_id, call.msgid, call.institution, who.psn_no, "pharmacy", who.insutype, facts["med_type"],
        facts["begntime"], facts.get("invono") or "", facts, lines={line.sn: line for line in lines},
    )  # fmt: skip
    return visit, lines, facts


def trial_purchase(books: Books, call: Call) -> Json:
    """2101"""
    visit, lines, facts = _purchase(books, call, books.new_id("Y", call.now_s))
    answer = _trial(books, call, visit, facts, lines)
    return answer | {"detlcutinfo": [visits.line_answer(line) for line in lines]}


def settle_purchase(books: Books, call: Call) -> Json:
    """2102 makes the visit and settles it. Nothing in it tells a repeat from a second sale, so none is refused."""
    visit, lines, facts = _purchase(books, call, books.new_id("Y", call.now_s))
    _cover(books, visit, facts, lines)
    books.visits[visit.mdtrt_id] = visit
    answer = _settle(books, call, visit, facts, lines)
    return answer | {"detlcutinfo": [visits.line_answer(line) for line in lines]}


def _release(books: Books, row: Settlement) -> None:
    """What the settlement had closed is open again."""
    visit = books.visits[row.mdtrt_id]
    for line in visit.lines.values():
        if line.settled_by == row.setl_id:
            line.settled_by = ""
    if row.kind == "inpatient" and not row.middle and visit.state == "settled":
        visit.state = "discharged"
    if row.kind == "pharmacy":
        visit.state = "cancelled"


def _refund(books: Books, call: Call, kind: Kind) -> Json:
    facts = call.body["data"]
    row = books.settlements.get(facts["setl_id"])
    if row is None or row.institution != call.institution or row.kind != kind or row.sign < 0 or row.reversed:
        raise Refusal("结算ID不存在")
    if row.psn_no != facts["psn_no"] or row.mdtrt_id != facts["mdtrt_id"]:
        raise Refusal("结算ID与人员编号或就诊ID不符")
    if row.refunded:
        raise Refusal("该结算已撤销")
    books.check_open_day(row)
    back = Settlement(
        books.new_id("S", call.now_s), call.msgid, call.infno, row.institution, row.institution_name, row.psn_no,
        row.mdtrt_id, row.kind, row.insutype, row.med_type, row.cert_type, row.split, call.now_s,
        batch=row.batch, invono=row.invono, middle=row.middle, sign=-1, refund_of=row.setl_id,
        insuplc=row.insuplc,
    )  # fmt: skip
    row.refunded = True
    books.add(back)
    _release(books, row)
    info = setlinfo(books, back, call.now_s)
    if kind == "outpatient":
        info["pdn_cash_pay"] = info.pop("psn_cash_pay")  # so spelled in 2208 (pitfall 8)
    return {"setlinfo": info, "setldetail": fund_lines(back)}


def refund_outpatient(books: Books, call: Call) -> Json:
    """2208"""
    return _refund(books, call, "outpatient")


def refund_inpatient(books: Books, call: Call) -> Json:
    """2305"""
    return _refund(books, call, "inpatient")


def refund_purchase(books: Books, call: Call) -> Json:
    """2103"""
    return _refund(books, call, "pharmacy")


def reverse(books: Books, call: Call) -> Json:
    """2601: finds the original by psn_no, omsgid and oinfno; no output."""
    facts = call.body["data"]
    psn_no, omsgid, oinfno = facts["psn_no"], facts["omsgid"], facts["oinfno"]
    if oinfno not in REVERSIBLE:
        raise Refusal("该交易不支持冲正")
    if oinfno == "2401":
        _reverse_admission(books, call, psn_no, omsgid)
        return {}
    rows = [
        row
        for row in books.by_msgid.get(omsgid, ())
        if row.psn_no == psn_no and row.infno == oinfno and row.institution == call.institution
    ]
    if not rows:
        raise Refusal("原交易不存在")
    open_rows = [row for row in rows if not row.reversed]
    if not open_rows:
        raise Refusal("原交易已冲正")
    if any(row.refunded for row in open_rows):
        raise Refusal("原交易已撤销")
    for row in open_rows:
        books.check_open_day(row)
    for row in open_rows:
        row.reversed = True
        books.move(row, -1)
        _release(books, row)
    return {}


def _reverse_admission(books: Books, call: Call, psn_no: str, omsgid: str) -> None:
    for visit in books.admissions.values():
        if visit.msgid == omsgid and visit.psn_no == psn_no and visit.institution == call.institution:
            if visit.state == "cancelled":
                raise Refusal("原交易已冲正")
            visits.withdraw_admission(books, visit)
            return
    raise Refusal("原交易不存在")


HANDLERS: Mapping[str, Handler] = {
    "2101": trial_purchase,
    "2102": settle_purchase,
    "2103": refund_purchase,
    "2206": trial_outpatient,
    "2207": settle_outpatient,
    "2208": refund_outpatient,
    "2303": trial_inpatient,
    "2304": settle_inpatient,
    "2305": refund_inpatient,
    "2601": reverse,
}
