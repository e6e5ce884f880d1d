"""Questions about persons, benefits, visits, settlements and dictionaries; sign-in; uploads that are only kept."""

import functools
from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

import schemas
from simulators import catalogues, mappings, national, stamps, visits
from simulators.ledger import Books, Call, Refusal, Settlement
from simulators.money import yuan
from simulators.people import AREA, Person
from simulators.settling import amounts, setlinfo
from simulators.visits import Handler
from simulators.wording import Json


def sign_in(books: Books, call: Call) -> Json:
    """9001"""
    sign_no = books.new_id("Q", call.now_s)
    books.signed_in[sign_no] = call.body["signIn"]["opter_no"]
    return {"signinoutb": {"sign_time": stamps.stamp(call.now_s), "sign_no": sign_no}}


def sign_out(books: Books, call: Call) -> Json:
    """9002"""
    if books.signed_in.pop(call.body["signOut"]["sign_no"], None) is None:
        raise Refusal("没有当日签到记录")
    return {"sign_time": stamps.stamp(call.now_s)}


def find_person(books: Books, call: Call) -> Json:
    """1101; every certificate type is taken as the identity number, given as mdtrt_cert_no or certno."""
    facts = call.body["data"]
    who = books.by_certno.get(facts["mdtrt_cert_no"]) or books.by_certno.get(facts.get("certno") or "")
    if who is None:
        raise Refusal("未查询到参保人员信息")
    if facts.get("psn_name") and facts["psn_name"] != who.name:
        raise Refusal("姓名与证件号码不符")
    base = {
        "psn_no": who.psn_no,
        "psn_cert_type": "01",
        "certno": who.certno,
        "psn_name": who.name,
        "gend": who.gend,
        "naty": "01",
        "brdy": who.brdy,
        "age": _age(who, call.now_s),
        "exp_content": "",
    }
    return {"baseinfo": base, "insuinfo": [_insurance(who)], "idetinfo": []}


def _age(who: Person, now_s: float) -> Decimal:
    return Decimal(stamps.moment(now_s).year - int(who.brdy[:4])).quantize(Decimal("0.1"))


def _insurance(who: Person) -> Json:
    return {
        "balc": yuan(who.balance_fen),
        "insutype": who.insutype,
        "psn_type": who.psn_type,
        "psn_insu_stas": "1",
        "psn_insu_date": "2015-01-01",
        "paus_insu_date": None,
        "cvlserv_flag": "1" if who.civil_servant else "0",
        "insuplc_admdvs": who.insuplc,
        "emp_name": "测试单位",
    }


def benefits(books: Books, call: Call) -> Json:
    """2001"""
    facts = call.body["data"]
    who = books.person(call, facts["psn_no"])
    return {
        "trtinfo": [
            {
                "psn_no": who.psn_no,
                "trt_chk_type": "1",
                "fund_pay_type": "390102" if who.insutype == "390" else "310100",
                "trt_enjymnt_flag": "1" if facts["insutype"] == who.insutype else "0",
                "begndate": "2015-01-01",
                "enddate": None,
                "trt_chk_rslt": "",
                "exp_content": "",
            }
        ]
    }


def find_visits(books: Books, call: Call) -> Json:
    """5201: visits of a person in a period at this institution."""
    facts = call.body["data"]
    who = books.person(call, facts["psn_no"])
    begin, end = facts["begntime"][:10], facts["endtime"][:10]
    found = [
        {
            "mdtrt_id": visit.mdtrt_id,
            "psn_no": who.psn_no,
            "psn_cert_type": "01",
            "certno": who.certno,
            "psn_name": who.name,
            "gend": who.gend,
            "insutype": visit.insutype,
            "psn_type": who.psn_type,
            "cvlserv_flag": "1" if who.civil_servant else "0",
            "begntime": visit.begin,
            "endtime": visit.end or visit.begin,
            "med_type": visit.med_type,
            "ipt_otp_no": visit.number,
            "insu_optins": AREA,
        }
        for visit in books.visits.values()
        if visit.psn_no == who.psn_no
        and visit.institution == call.institution
        and visit.state != "cancelled"
        and begin <= visit.begin[:10] <= end
        and visit.med_type == facts["med_type"]
        and facts.get("mdtrt_id") in (None, "", visit.mdtrt_id)
    ]
    return {"mdtrtinfo": found}


def find_diagnoses(books: Books, call: Call) -> Json:
    """5202"""
    facts = call.body["data"]
    visit = books.visit(call, facts["mdtrt_id"], facts["psn_no"])
    return {"diseinfo": [{"diag_info_id": f"{visit.mdtrt_id}-{n}", **row} for n, row in enumerate(visit.diagnoses, 1)]}


def _own_settlement(books: Books, call: Call, facts: Json) -> Settlement:
    row = books.settlements.get(facts["setl_id"])
    if (
        row is None
        or row.reversed
        or row.institution != call.institution
        or row.psn_no != facts["psn_no"]
        or row.mdtrt_id != facts["mdtrt_id"]
    ):
        raise Refusal("未查询到结算信息")
    return row


def find_settlement(books: Books, call: Call) -> Json:
    """5203; refd_setl_flag 1 on a settlement that was refunded and on the refund itself."""
    row = _own_settlement(books, call, call.body["data"])
    info = setlinfo(books, row, call.now_s)
    sums = amounts(row.split, row.sign)
    info |= {
        "pay_loc": "1",
        "fixmedins_code": row.institution,
        "fixmedins_name": row.institution_name,
        "begndate": stamps.day(row.now_s),
        "enddate": stamps.day(row.now_s),
        "psn_pay": sums["psn_part_amt"],
        "cash_payamt": sums["psn_cash_pay"],
        "medins_setl_id": row.msgid if row.sign > 0 else "",
        "refd_setl_flag": "1" if row.refunded or row.sign < 0 else "0",
        "year": stamps.day(row.now_s)[:4],
        "invono": row.invono,
    }
    return {"setlinfo": info, "setldetail": []}


def find_lines(books: Books, call: Call) -> object:
    """5204: an array directly under output (pitfall 7)."""
    row = _own_settlement(books, call, call.body["data"])
    return [
        {
            "mdtrt_id": row.mdtrt_id,
            "setl_id": row.setl_id,
            "med_type": row.med_type,
            "fee_ocur_time": line.facts["fee_ocur_time"],
            **visits.line_answer(line),
            "hilist_code": line.facts["med_list_codg"],
            "hilist_name": national.item(line.facts["med_list_codg"]).name,
            "list_type": national.item(line.facts["med_list_codg"]).list_type,
            "med_list_codg": line.facts["med_list_codg"],
            "medins_list_codg": line.facts["medins_list_codg"],
            "medins_list_name": "",
            "dosform_name": "",
            "bilg_dr_codg": line.facts.get("bilg_dr_codg") or "",
        }
        for line in books.visits[row.mdtrt_id].lines.values()
        if line.settled_by == row.setl_id
    ]


def find_sums(books: Books, call: Call) -> Json:
    """5206: what the person's funds and deductible came to this year."""
    who = books.person(call, call.body["data"]["psn_no"])
    year = call.day[:4]
    rows = (("C0000_ADM_DEDC", who.deductible_used_fen), ("C0000_FUND", who.fund_paid_fen))
    return {
        "cuminfo": [
            {
                "insutype": who.insutype,
                "year": year,
                "cum_ym": f"{year}{call.day[5:7]}",
                "cum_type_code": code,
                "cum": yuan(amount),
            }
            for code, amount in rows
        ]
    }


def find_chronic(books: Books, call: Call) -> Json:
    """5301: every fourth person has one chronic disease on file."""
    who = books.person(call, call.body["data"]["psn_no"])
    if who.number % 4:
        return {"feedetail": []}
    diseases = list(national.library("chronic_disease").values())
    disease = diseases[who.number // 4 % len(diseases)]
    return {
        "feedetail": [
            {
                "opsp_dise_code": disease.code,
                "opsp_dise_name": disease.name,
                "begndate": disease.first_day,
                "enddate": disease.last_day or None,
            }
        ]
    }


@functools.cache
def _dictionary(name: str) -> Mapping[str, str]:
    for _, raw in schemas.read("dictionaries", ".json"):
        facts = msgspec.json.decode(raw)
        if facts["name"] == name:
            return {str(value): str(label) for value, label in (facts.get("values") or {}).items()}
    return {}


def dictionary(books: Books, call: Call) -> Json:
    """1901"""
    facts = call.body["data"]
    values = _dictionary(facts["type"].lower()) or _dictionary(facts["type"])
    if not values:
        raise Refusal("字典类型不存在")
    return {
        "list": [
            {
                "type": facts["type"],
                "label": label,
                "value": value,
                "parentValue": facts["parent_value"],
                "sort": position,
                "valiFlag": "1",
                "createUser": "1",
                "createDate": "2021-01-01 00:00:00",
                "version": 1,
            }
            for position, (value, label) in enumerate(values.items(), 1)
        ]
    }


def audit(books: Books, call: Call) -> Json:
    """3101, 3102: no rule is violated."""
    return {"result": []}


def keep(books: Books, call: Call) -> Json:
    """Uploads the platform takes and keeps without more business of its own."""
    books.filed.setdefault(call.infno, []).append(call.body)
    return {}


def _kept() -> Iterator[str]:
    """Uploads and their undoing that answer nothing of their own: taken and kept."""
    for _, raw in schemas.read("transactions", ".json"):
        facts = msgspec.json.decode(raw)
        if facts["class"] == "W" and not any(node["fields"] for node in facts["output"].values()):
            yield facts["infno"]


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(_kept(), keep),
    **mappings.HANDLERS,
    **catalogues.HANDLERS,
    "1101": find_person,
    "1901": dictionary,
    "2001": benefits,
    "3101": audit,
    "3102": audit,
    "5201": find_visits,
    "5202": find_diagnoses,
    "5203": find_settlement,
    "5204": find_lines,
    "5206": find_sums,
    "5301": find_chronic,
    "9001": sign_in,
    "9002": sign_out,
}
