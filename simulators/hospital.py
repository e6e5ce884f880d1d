"""A hospital's system: outpatients here, stays in `simulators.stay`. Sends its own codes; knows no national one."""

from decimal import Decimal

from simulators import goods, tables
from simulators.goods import DEPARTMENTS
from simulators.his import Institution, Script, Talk, certificate, plain
from simulators.people import Person
from simulators.tables import Matched
from simulators.wording import Json

ECHOED = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
SOLD = ("drug", "drug", "service_item", "service_item", "consumable")


class Hospital(Institution):
    """An institution with doctors, departments and diagnoses of its own."""

    def doctor(self) -> Matched:
        found: Matched = self.dice.choice(tables.matched("doctor"))
        return found

    def diagnosis(self) -> Matched:
        found: Matched = self.dice.choice(tables.matched("diagnosis"))
        return found

    def department(self) -> tuple[str, str, str]:
        found: tuple[str, str, str] = self.dice.choice(DEPARTMENTS)
        return found

    def outpatient(self, who: Person, *, refund: bool = False, lines: int = 0) -> Script:
        """1101, 2201, 2203, 2204, 2206, 2207 and, when the patient changes his mind, 2208. lines: 0 = 2 to 8."""
        psn_no, insured = yield from self.identify(who)
        visit = self.new_visit(who, psn_no, insured["insutype"], insured["insuplc_admdvs"])
        yield from self.register(visit)
        yield from self.diagnose(visit)
        bill = goods.pick(self.dice, SOLD, lines or self.dice.randrange(2, 9))
        yield from self.charge(visit, bill)
        trial = yield from self.ask("2206", {"data": self.settlement(visit, goods.total(bill))}, visit["insuplc"])
        body = self.settlement(visit, goods.total(bill))
        body |= {name: trial.output["setlinfo"][name] for name in ECHOED} | {"invono": f"FP{self.serial():010d}"}
        done = yield from self.settle("2207", {"data": body}, visit["insuplc"], "11")
        if refund:
            yield from self.cancel("2208", done.output["setlinfo"], psn_no, visit["insuplc"], "11")

    def window_shopper(self, who: Person) -> Script:
        """A patient who registers, is charged, and goes home without paying: everything is taken back (2205, 2202)."""
        psn_no, insured = yield from self.identify(who)
        visit = self.new_visit(who, psn_no, insured["insutype"], insured["insuplc_admdvs"])
        yield from self.register(visit)
        yield from self.diagnose(visit)
        yield from self.charge(visit, goods.pick(self.dice, SOLD, 3))
        keys = {"mdtrt_id": visit["mdtrt_id"], "psn_no": psn_no}
        yield from self.undo("2205", {"data": keys | {"chrg_bchno": visit["batch"]}}, visit["insuplc"])
        yield from self.undo("2202", {"data": keys | {"ipt_otp_no": visit["number"]}}, visit["insuplc"])

    def cancel(self, infno: str, setlinfo: Json, psn_no: str, insuplc: str, clr_type: str) -> Talk:
        """2208, 2305 or 2103 of one settlement."""
        keys = {"setl_id": setlinfo["setl_id"], "mdtrt_id": setlinfo["mdtrt_id"], "psn_no": psn_no}
        return (yield from self.settle(infno, {"data": keys}, insuplc, clr_type, refund_of=setlinfo["setl_id"]))

    def new_visit(self, who: Person, psn_no: str, insutype: str, insuplc: str) -> Json:
        """What the counter writes down before it asks the platform for a mdtrt_id."""
        number = f"{self.serial():010d}"
        return {
            "mdtrt_id": "",
            "psn_no": psn_no,
            "insutype": insutype,
            "insuplc": insuplc,
            "number": f"MZ{number}",
            "begin": self.now(),
            "doctor": self.doctor(),
            "department": self.department(),
            "batch": f"B{number}",
            "certificate": certificate(who),
        }

    @staticmethod
    def registration(visit: Json) -> Json:
        """`input` of 2201."""
        department = visit["department"]
        facts = {
            "psn_no": visit["psn_no"],
            "insutype": visit["insutype"],
            "begntime": visit["begin"],
            **visit["certificate"],
            "ipt_otp_no": visit["number"],
            "atddr_no": visit["doctor"].local_code,
            "dr_name": visit["doctor"].name,
            "dept_code": department[0],
            "dept_name": department[1],
            "caty": department[0],
        }
        return {"data": facts}

    def register(self, visit: Json) -> Talk:
        """2201; the visit has its mdtrt_id afterwards."""
        found = yield from self.ask("2201", self.registration(visit), visit["insuplc"])
        visit["mdtrt_id"] = found.output["data"]["mdtrt_id"]
        return found

    def diagnose(self, visit: Json) -> Talk:
        """2203"""
        return (yield from self.ask("2203", self.findings(visit), visit["insuplc"]))

    def findings(self, visit: Json) -> Json:
        """`input` of 2203: one or two diagnoses in the hospital's own codes."""
        rows = [
            {
                "diag_type": "1",
                "diag_srt_no": number,
                "diag_code": disease.local_code,
                "diag_name": disease.name,
                "diag_dept": visit["department"][0],
                "dise_dor_no": visit["doctor"].local_code,
                "dise_dor_name": visit["doctor"].name,
                "diag_time": visit["begin"],
                "vali_flag": "1",
            }
            for number, disease in enumerate(dict.fromkeys((self.diagnosis(), self.diagnosis())), 1)
        ]
        facts = {
            "mdtrt_id": visit["mdtrt_id"],
            "psn_no": visit["psn_no"],
            "med_type": "11",
            "begntime": visit["begin"],
            "main_cond_dscr": "",
            "dise_codg": "",
            "dise_name": "",
            "birctrl_type": "",
            "birctrl_matn_date": "",
        }
        return {"mdtrtinfo": facts, "diseinfo": rows}

    def charge(self, visit: Json, bill: list[goods.Sold]) -> Talk:
        """2204"""
        whole_batch = {"mdtrt_id": visit["mdtrt_id"], "psn_no": visit["psn_no"], "chrg_bchno": visit["batch"]}
        undo = ("2205", {"data": whole_batch})
        return (yield from self.ask_or_redo("2204", self.bill(visit, bill), visit["insuplc"], undo))

    def bill(self, visit: Json, bill: list[goods.Sold]) -> Json:
        """`input` of 2204: the lines of one charge batch."""
        rows = [
            {
                **goods.line(self.dice, sold, f"{visit['batch']}{number:03d}", self.now()),
                "mdtrt_id": visit["mdtrt_id"],
                "psn_no": visit["psn_no"],
                "chrg_bchno": visit["batch"],
                "dise_codg": "",
                "rxno": f"R{visit['batch']}",
                "rx_circ_flag": "0",
                **self.ordered_by(visit),
                "hosp_appr_flag": "0",
            }
            for number, sold in enumerate(bill, 1)
        ]
        return {"feedetail": rows}

    def ordered_by(self, visit: Json) -> Json:
        """Who ordered a line, and where."""
        return {
            "bilg_dept_codg": visit["department"][0],
            "bilg_dept_name": visit["department"][1],
            "bilg_dr_codg": visit["doctor"].local_code,
            "bilg_dr_name": visit["doctor"].name,
        }

    def settlement(self, visit: Json, amount: Decimal) -> Json:
        """What 2206 and 2207 have in common."""
        return {
            "psn_no": visit["psn_no"],
            **visit["certificate"],
            "med_type": "11",
            "medfee_sumamt": plain(amount),
            "psn_setlway": "01",
            "mdtrt_id": visit["mdtrt_id"],
            "chrg_bchno": visit["batch"],
            "acct_used_flag": "1" if visit["insutype"] == "310" else "0",
            "insutype": visit["insutype"],
        }
