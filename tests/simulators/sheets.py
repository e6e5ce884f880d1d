"""A settled stay on a simulated platform, and a settlement list of it that nothing is wrong with; both invented."""

import copy
from decimal import Decimal
from random import Random  # noqa: TID251 - seeded dice of a test
from typing import Any

from counter import Counter, translated

from simulators.his import CALL_PATH, Answer
from simulators.hospital import Hospital
from simulators.ledger import Settlement
from simulators.list_desk import ListDesk
from simulators.list_sheet import NODES
from simulators.money import yuan
from simulators.people import person
from simulators.settling import fund_lines
from simulators.stay import Ward
from simulators.wording import Json, write

DOCTOR, OTHER_DOCTOR = "D990101000001", "D990103000002"
MAN, WOMAN, OLD_WOMAN = 1, 10, 0  # born 2001, 1994, 1940
DROP = object()
"""A change that takes a field away."""


class Ready:
    """A hospital whose patient was discharged, settled, and may be listed: admitted 11-19, left 11-21, both at 8."""

    def __init__(self, number: int = MAN, lists: ListDesk | None = None) -> None:
        self.counter = Counter(lists=lists)
        self.home = Hospital(self.counter.clock.seconds, Random(5), "H51080200001", "广元市示例医院")
        self.row = self.stay(number)

    def stay(self, number: int) -> Settlement:
        """One more settled stay."""
        self.counter.translate = translated
        assert self.counter.play(Ward(self.home).stay(person(number))) == ""
        self.counter.translate = lambda value: value
        self.counter.platform.known = lambda system, code, day: None  # the sample library lacks most of what is tested
        return list(self.counter.platform.books.settlements.values())[-1]

    def send(self, infno: str, body: Json) -> Answer:
        self.counter.clock.advance(1)
        return self.counter.post(CALL_PATH, write(self.home.envelope(infno, body, "510800")))

    def refusal(self, changes: Json, full: bool = False) -> str:
        """What the platform says to the good list with these changes; "" when it keeps it."""
        body = changed(twenty_one(self.row) if full else good(self.row), changes)
        found = self.send("4101", body)
        assert found.done is not bool(found.text)
        return found.text

    def state(self) -> str:
        found = self.send("4103", self.keys())
        return str(found.output["setlinfo"]["stas_type"])

    def keys(self, **more: str) -> Json:
        return {"data": {"psn_no": self.row.psn_no, "setl_id": self.row.setl_id} | more}

    def move(self, stas: str) -> Answer:
        return self.send("4102", {"stastinfo": [self.keys(stas_type=stas)["data"]]})

    def results(self, **filters: Any) -> Json:
        """`output` of 4104 for the month of the stays."""
        return self.send("4104", {"data": {"setl_ym": "202611", "page_num": 1, "page_size": 10} | filters}).output


def good(row: Settlement) -> Json:
    """`input` of 4101, current form."""
    return {
        "setlinfo": {
            "psn_no": row.psn_no,
            "mdtrt_id": row.mdtrt_id,
            "setl_id": row.setl_id,
            "medcasno": "BA1",
            "dcla_time": "2026-11-21 12:00:00",
            "ntly": "CHN",
            "prfs": "80",
            "coner_name": "测试联系人",
            "patn_rlts": "1",
            "coner_addr": "示例路1号",
            "coner_tel": "00000000000",
            "adm_way": "1",
            "trt_type": "10",
            "adm_time": "2026-11-19 08:00:00",
            "adm_caty": "A04",
            "dscg_time": "2026-11-21 10:00:00",
            "dscg_caty": "A04",
            "wm_dise_code": "K80.000",
            "spga_nurscare_days": 0,
            "lv1_nurscare_days": 1,
            "scd_nurscare_days": 1,
            "lv3_nurscare_days": 0,
            "dscg_way": "1",
            "bill_code": "510800",
            "bill_no": "1",
            "biz_sn": "BIZ1",
            "days_rinp_flag_31": "1",
            "chfpdr_code": DOCTOR,
            "setl_begn_date": "2026-11-19",
            "setl_end_date": "2026-11-21",
            "medins_fill_dept": "医保科",
            "medins_fill_psn": "测试填报员",
            "stas_type": "0",
            "hi_paymtd": "4",
        },
        "payinfo": [{name: one[name] for name in ("fund_pay_type", "fund_payamt")} for one in fund_lines(row)],
        "diseinfo": [
            {"diag_type": "1", "diag_code": code, "diag_name": name, "adm_cond_type": "1", "maindiag_flag": main}
            for code, name, main in (("K80.000", "胆囊结石伴急性胆囊炎", "1"), ("I10.x00", "原发性高血压", "0"))
        ],
        "oprninfo": [
            {
                "oprn_oprt_type": "1",
                "oprn_oprt_name": "腹腔镜下胆囊切除术",
                "oprn_oprt_code": "51.2300",
                "anst_way": "1",
                "oper_dr_code": DOCTOR,
                "anst_dr_code": OTHER_DOCTOR,
                "oprn_oprt_begntime": "2026-11-20 09:00:00",
                "oprn_oprt_endtime": "2026-11-20 10:30:00",
                "anst_begntime": "2026-11-20 08:40:00",
                "anst_endtime": "2026-11-20 10:40:00",
            }
        ],
        "icuinfo": [
            {
                "scs_cutd_ward_type": "4",
                "scs_cutd_inpool_time": "2026-11-20 11:00:00",
                "scs_cutd_exit_time": "2026-11-20 17:30:00",
                "scs_cutd_sum_dura": "0/6/30",
            }
        ],
        "bldinfo": [{"mdtrt_id": row.mdtrt_id, "setl_id": row.setl_id, "bld_cat": "11", "bld_amt": 2, "bld_unt": "U"}],
    }


def twenty_one(row: Settlement) -> Json:
    """The same in the form of 2021: with the person, the amounts and the fee items."""
    who, part = person(int(row.psn_no[4:])), row.split
    fee = {
        "claa_sumfee": Decimal("0.01"),
        "clab_amt": Decimal(0),
        "fulamt_ownpay_amt": Decimal(0),
        "oth_amt": Decimal(0),
    }
    rest = yuan(part.medfee_fen - 1)
    body = good(row)
    body["setlinfo"] |= {
        "fixmedins_code": "H51080200001",
        "fixmedins_name": "广元市示例医院",
        "psn_name": who.name,
        "gend": who.gend,
        "brdy": who.brdy,
        "naty": "1",
        "patn_cert_type": "01",
        "certno": who.certno,
        "hi_type": row.insutype,
        "insuplc": who.insuplc,
        "ipt_med_type": "1",
        "act_ipt_days": 2,
        "diag_code_cnt": 2,
        "oprn_oprt_code_cnt": 1,
        "acct_pay": yuan(part.acct_fen),
        "psn_cashpay": yuan(part.cash_fen),
    }
    body["iteminfo"] = [
        fee | {"med_chrgitm": "01", "amt": Decimal("0.01")},
        fee | {"med_chrgitm": "06", "amt": rest, "claa_sumfee": rest},
    ]
    return body


def changed(body: Json, changes: Json) -> Json:
    """The list with changes by path: `adm_time` of the header, `diseinfo.1.diag_code`, `icuinfo` whole."""
    found = copy.deepcopy(body)
    for path, value in changes.items():
        names = path.split(".") if path.split(".")[0] in NODES else ["setlinfo", path]
        place: Any = found
        for name in names[:-1]:
            place = place[int(name) if isinstance(place, list) else name]
        key: Any = int(names[-1]) if isinstance(place, list) else names[-1]
        if value is DROP:
            del place[key]
        else:
            place[key] = value
    return found
