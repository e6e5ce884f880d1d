"""Inpatients: 2401, 2301 by day with a partial return, 2402, 2303, 2304, and the ways back 2305, 2405, 2302, 2404."""

from collections.abc import Callable, Generator
from decimal import Decimal

from simulators import discharged, goods
from simulators.his import Answer, GaveUp, Script, Step, Talk, certificate, plain
from simulators.hospital import ECHOED, SOLD, Hospital
from simulators.listing import settlement_list
from simulators.people import AREA, Person
from simulators.stamps import stamp
from simulators.wording import Json

_DAY_S = 86_400.0
_IPT = "21"


class Ward:
    """One ward of a hospital, and the scripts that happen in it."""

    def __init__(self, hospital: Hospital) -> None:
        self._hospital = hospital

    def stay(
        self, who: Person, *, days: int = 3, refund: bool = False, listed: bool = False,
        keep: Callable[[Json], object] | None = None,
    ) -> Script:  # fmt: skip
        """A whole stay of so many days that ended now. refund: settled, taken back, settled again; listed: 4101 too.

        keep: takes the settlement list as the hospital's systems know it, in the place of 4101.
        """
        home = self._hospital
        case = yield from self._arrive(who, days, plain=keep is not None)
        for number in range(days):
            yield from self.charge(case, number)
        yield from self.discharge(case)
        done = yield from self._settle(case)
        if refund:
            yield from home.cancel("2305", done.output["setlinfo"], case["psn_no"], case["insuplc"], "21")
            yield from home.undo("2405", {"data": self.keys(case)}, case["insuplc"])
            yield from self.charge(case, days - 1, mark="B")
            yield from self.discharge(case)
            done = yield from self._settle(case)
        if keep is not None:
            keep(discharged.collected(home, who, case, done.output["setlinfo"], done.output.get("setldetail") or []))
        elif listed:
            body = settlement_list(home, case, done.output["setlinfo"], done.output.get("setldetail") or [])
            yield from self._file_list(body, case["insuplc"])

    def _file_list(self, body: Json, insuplc: str) -> Talk:
        """4101; refused after an unanswered attempt, 4103 tells whether that attempt was the one that arrived."""
        home, head = self._hospital, body["setlinfo"]
        try:
            return (yield from home.ask("4101", body, insuplc))
        except GaveUp as why:
            if not why.doubted:
                raise
        return (yield from home.ask("4103", {"data": {name: head[name] for name in ("psn_no", "setl_id")}}, insuplc))

    def false_start(self, who: Person) -> Script:
        """Admitted, charged, and gone before anything was done: 2302 of everything, then 2404."""
        home = self._hospital
        case = yield from self._arrive(who, 1)
        yield from self.charge(case, 0)
        yield from home.undo("2302", {"data": [{"feedetl_sn": "0000", **self.keys(case)}]}, case["insuplc"])
        yield from home.undo("2404", {"data": self.keys(case)}, case["insuplc"])

    def _arrive(self, who: Person, days: int, plain: bool = False) -> Generator[Step, Answer | None, Json]:
        """1101, 2401. plain: with diseases anybody may have."""
        psn_no, insured = yield from self._hospital.identify(who)
        case = self.new_case(who, psn_no, insured["insutype"], insured["insuplc_admdvs"], days)
        if plain:
            case = discharged.suited(self._hospital, case)
        yield from self.admit(case)
        return case

    @staticmethod
    def keys(case: Json) -> Json:
        return {"mdtrt_id": case["mdtrt_id"], "psn_no": case["psn_no"]}

    def new_case(self, who: Person, psn_no: str, insutype: str, insuplc: str, days: int) -> Json:
        """What the ward writes down before it asks the platform for a mdtrt_id; the stay began days - 1 days ago."""
        home = self._hospital
        return {
            "mdtrt_id": "",
            "psn_no": psn_no,
            "insutype": insutype,
            "insuplc": insuplc,
            "doctor": home.doctor(),
            "department": home.department(),
            "diseases": list(dict.fromkeys((home.diagnosis(), home.diagnosis()))),
            "begin_s": home.now_s() - (days - 1) * _DAY_S,
            "number": f"ZY{home.serial():010d}",
            "amount": Decimal(0),
            "charged": {},
            "certificate": certificate(who),
        }

    def admission(self, case: Json) -> Json:
        """`input` of 2401."""
        main = case["diseases"][0]
        facts = {
            "psn_no": case["psn_no"],
            "insutype": case["insutype"],
            "coner_name": "",
            "tel": "",
            "begntime": stamp(case["begin_s"]),
            **case["certificate"],
            "med_type": _IPT,
            "ipt_no": case["number"],
            "medrcdno": case["number"],
            "atddr_no": case["doctor"].local_code,
            "chfpdr_name": case["doctor"].name,
            "adm_diag_dscr": main.name,
            "adm_dept_codg": case["department"][0],
            "adm_dept_name": case["department"][1],
            "adm_bed": f"{self._hospital.dice.randrange(1, 60):02d}",
            "dscg_maindiag_code": main.local_code,
            "dscg_maindiag_name": main.name,
            "main_cond_dscr": "",
            "dise_codg": "",
            "dise_name": "",
        }
        return {"mdtrtinfo": facts, "diseinfo": self._diagnoses(case, {"psn_no": case["psn_no"]})}

    def admit(self, case: Json) -> Talk:
        """2401; the case has its mdtrt_id afterwards."""
        found = yield from self._hospital.settle_free("2401", self.admission(case), case["insuplc"])
        case["mdtrt_id"] = found.output["result"]["mdtrt_id"]
        return found

    def _diagnoses(self, case: Json, keys: Json) -> list[Json]:
        return [
            {
                **keys,
                "diag_type": "1",
                "maindiag_flag": "1" if number == 1 else "0",
                "diag_srt_no": number,
                "diag_code": disease.local_code,
                "diag_name": disease.name,
                "diag_dept": case["department"][0],
                "dise_dor_no": case["doctor"].local_code,
                "dise_dor_name": case["doctor"].name,
                "diag_time": stamp(case["begin_s"]),
            }
            for number, disease in enumerate(case["diseases"], 1)
        ]

    def charge(self, case: Json, number: int, mark: str = "A") -> Talk:
        """2301 of one day"""
        body = self.bill(case, number, mark)
        keys = self.keys(case)
        undo = ("2302", {"data": [keys | {"feedetl_sn": row["feedetl_sn"]} for row in body["feedetail"]]})
        return (yield from self._hospital.ask_or_redo("2301", body, case["insuplc"], undo))

    def bill(self, case: Json, number: int, mark: str) -> Json:
        """`input` of 2301 of one day; on every second day things of more than one piece go back in part."""
        home = self._hospital
        when = stamp(case["begin_s"] + number * _DAY_S)
        bill = goods.pick(home.dice, SOLD, home.dice.randrange(3, 8))
        rows = []
        for position, sold in enumerate(bill, 1):
            sn = f"{case['number']}{mark}{number}{position:03d}"
            row = {
                **goods.line(home.dice, sold, sn, when),
                "init_feedetl_sn": "",
                **self.keys(case),
                "drord_no": f"Y{sn[2:]}",
                "med_type": _IPT,
                **home.ordered_by(case),
                "hosp_appr_flag": "0",
            }
            rows.append(row)
            case["amount"] += sold.amount
            kind = discharged.category(sold.item)
            case["charged"][kind] = case["charged"].get(kind, Decimal(0)) + sold.amount
            if number % 2 == 1 and sold.count > 1:
                rows.append(self._part_back(row, sold, f"{sn}R"))
                case["amount"] -= sold.item.price
                case["charged"][kind] -= sold.item.price
        return {"feedetail": rows}

    @staticmethod
    def _part_back(row: Json, sold: goods.Sold, sn: str) -> Json:
        """One piece of a line taken back: price positive, count and amount negative (example exchange 9)."""
        return row | {
            "feedetl_sn": sn,
            "init_feedetl_sn": row["feedetl_sn"],
            "cnt": Decimal(-1),
            "det_item_fee_sumamt": plain(-sold.item.price),
        }

    def discharge(self, case: Json) -> Talk:
        """2402"""
        undo = ("2405", {"data": self.keys(case)})
        return (yield from self._hospital.ask_or_redo("2402", self.farewell(case), case["insuplc"], undo))

    def farewell(self, case: Json) -> Json:
        """`input` of 2402."""
        facts = {
            **self.keys(case),
            "insutype": case["insutype"],
            "endtime": self._hospital.now(),
            "dise_codg": "",
            "dise_name": "",
            "dscg_dept_codg": case["department"][0],
            "dscg_dept_name": case["department"][1],
            "dscg_bed": "01",
            "dscg_way": "1",
        }
        return {"dscginfo": facts, "diseinfo": self._diagnoses(case, self.keys(case))}

    def _settle(self, case: Json) -> Talk:
        """2303, 2304"""
        home, facts = self._hospital, self.settlement(case)
        trial = yield from home.ask("2303", {"data": facts}, case["insuplc"])
        facts |= {name: trial.output["setlinfo"][name] for name in ECHOED}
        case["own"] = facts["fulamt_ownpay_amt"]
        facts["invono"] = f"FP{home.serial():010d}"
        return (yield from home.settle("2304", {"data": facts}, case["insuplc"], "21"))

    def settlement(self, case: Json) -> Json:
        """What 2303 and 2304 have in common."""
        return {
            "psn_no": case["psn_no"],
            **case["certificate"],
            "medfee_sumamt": plain(case["amount"]),
            "psn_setlway": "01",
            "mdtrt_id": case["mdtrt_id"],
            "insutype": case["insutype"],
            "acct_used_flag": "1" if case["insutype"] == "310" else "0",
            "insuplc_admdvs": case["insuplc"],
            "mdtrtarea_admvs": AREA,
            "mid_setl_flag": "0",
            "dscgTime": self._hospital.now(),
        }
