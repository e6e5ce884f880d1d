"""A row of an institution's ledger, made out of a platform's answer; amounts in fen."""

import attrs

from simulators.money import fen
from simulators.people import AREA, PROVINCE
from simulators.wording import Json


@attrs.define
class Booked:
    """One row of the institution's ledger; amounts in fen, a refund negative."""

    setl_id: str
    msgid: str
    infno: str
    mdtrt_id: str
    psn_no: str
    insutype: str
    clr_type: str
    setl_time: str
    amounts: dict[str, int]
    refund_of: str = ""
    insuplc: str = ""
    clr_optins: str = AREA

    @property
    def consistent(self) -> bool:
        """The identities of annex X38 hold to the fen."""
        have = self.amounts
        person = have["acct_pay"] + have["psn_cash_pay"]
        parts = sum(have.get(name, 0) for name in FUND_PARTS)
        return (
            have["medfee_sumamt"] == have["fund_pay_sumamt"] + have["psn_part_amt"] + have.get("hosp_part_amt", 0)
            and have["psn_part_amt"] == person
            and have["fund_pay_sumamt"] == parts
        )


FUND_PARTS = (
    "hifp_pay",
    "cvlserv_pay",
    "hifes_pay",
    "hifmi_pay",
    "hifob_pay",
    "maf_pay",
    "oth_pay",
    "hifdm_pay",
)
AMOUNTS = ("medfee_sumamt", "fund_pay_sumamt", *FUND_PARTS, "psn_part_amt", "acct_pay", "psn_cash_pay", "hosp_part_amt")


def booked(infno: str, msgid: str, clr_type: str, setlinfo: Json, refund_of: str = "", insuplc: str = "") -> Booked:
    """A ledger row out of an answer; insuplc: where the message said that the person is insured.

    Raises KeyError or money.NotMoney when the answer lacks what money needs.
    """
    given = dict(setlinfo)
    if "psn_cash_pay" not in given and "pdn_cash_pay" in given:
        given["psn_cash_pay"] = given["pdn_cash_pay"]  # so spelled in 2208 (pitfall 8)
    amounts = {name: fen(given[name]) for name in AMOUNTS if name in given}
    return Booked(
        given.get("setl_id") or "",  # a refund found by a query has none: nobody but the lost answer named it
        msgid,
        infno,
        given["mdtrt_id"],
        given.get("psn_no") or "",
        given.get("insutype") or "",
        clr_type,
        given["setl_time"],
        amounts,
        refund_of,
        insuplc,
        given.get("clr_optins") or (AREA if insuplc in ("", AREA) else PROVINCE),
    )
