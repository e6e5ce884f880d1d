"""A pharmacy's till: 1101, 2101, 2102 and sometimes 2103. It sends its own codes for what it sells."""

from decimal import Decimal

from simulators import goods, tables
from simulators.his import Institution, Script, Talk, certificate, plain
from simulators.people import Person
from simulators.wording import Json

CLEARING = "41"


class Pharmacy(Institution):
    """An institution that sells drugs over the counter."""

    def purchase(self, who: Person, *, refund: bool = False, lines: int = 0) -> Script:
        """One sale. lines: 0 = 1 to 5."""
        psn_no, insured = yield from self.identify(who)
        bill = goods.pick(self.dice, ("drug",), lines or self.dice.randrange(1, 6))
        body = self.sale(who, psn_no, insured["insutype"], bill)
        insuplc = insured["insuplc_admdvs"]
        yield from self.ask("2101", body, insuplc)
        body["druginfo"]["invono"] = f"YD{self.serial():010d}"
        done = yield from self.settle("2102", self.traced(body), insuplc, CLEARING)
        if refund:
            yield from self._take_back(done.output["setlinfo"], psn_no, insuplc)

    def _take_back(self, setlinfo: Json, psn_no: str, insuplc: str) -> Talk:
        keys = {"setl_id": setlinfo["setl_id"], "mdtrt_id": setlinfo["mdtrt_id"], "psn_no": psn_no}
        return (yield from self.settle("2103", {"data": keys}, insuplc, CLEARING, refund_of=setlinfo["setl_id"]))

    def sale(self, who: Person, psn_no: str, insutype: str, bill: list[goods.Sold]) -> Json:
        """`input` of 2101."""
        now, stem = self.now(), f"Y{self.serial():010d}"
        doctor = self.dice.choice(tables.matched("doctor"))
        return {
            "druginfo": {
                "psn_no": psn_no,
                **certificate(who),
                "begntime": now,
                "medfee_sumamt": plain(goods.total(bill)),
                "insutype": insutype,
                "dise_codg": "",
                "dise_name": "",
                "acct_used_flag": "1" if insutype == "310" else "0",
                "med_type": "41",
            },
            "drugdetail": [
                {
                    **goods.line(self.dice, sold, f"{stem}{number:03d}", now),
                    "rxno": f"CF{stem}",
                    "rx_circ_flag": "0",
                    "sin_dos_dscr": "1",
                    "used_frqu_dscr": "每日三次",
                    "prd_days": Decimal(3),
                    "medc_way_dscr": "口服",
                    "bilg_dr_codg": doctor.local_code,
                    "bilg_dr_name": doctor.name,
                }
                for number, sold in enumerate(bill, 1)
            ],
        }

    def traced(self, body: Json) -> Json:
        """The sale with a trace code for every line (durg_trac_info, so spelled; since 2024)."""
        for row in body["drugdetail"]:
            code = f"8{self.dice.randrange(0, 10**9):09d}{self.serial():010d}"
            row["durg_trac_info"] = [{"feedetl_sn": row["feedetl_sn"], "drug_trac_codg": code, "trdn_flag": "0"}]
        return body
