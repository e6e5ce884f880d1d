"""The agencies where remote patients are insured: their own book, posted from what the province forwards.

Also the people of our own city who are treated elsewhere: made up here, since no hospital of ours sees them.
"""

import attrs

from simulators.people import AREA, ELSEWHERE, person
from simulators.postings import Book, Posting
from simulators.wording import Dice

HOSPITALS = {"510100": "H51010000011", "510700": "H51070000022", "500100": "H50010000033", "440100": "H44010000044"}


@attrs.define
class InsuredAgencies:
    """All insured agencies as one book. Each posts what concerns its own people."""

    book: Book = attrs.Factory(Book)

    def post(self, posting: Posting) -> None:
        """Post what the province forwards. The agency writes its own row; later changes at the province do not reach it
        unless it is told."""
        self.book.add(attrs.evolve(posting, amounts=dict(posting.amounts)))

    def repost(self, posting: Posting) -> None:
        """Post again what it lacked, or under a number it had taken out."""
        self.post(attrs.evolve(posting, out=False))


def treated_elsewhere(dice: Dice, number: int, prov_sn: str, setl_time: str) -> Posting:
    """Settlement `number` of a person of our city at a hospital elsewhere; amounts add up (annex X38)."""
    care = ELSEWHERE[number % len(ELSEWHERE)]
    who = person(number)
    medfee = 100 * dice.randrange(50, 90_000)
    hifp = medfee * (55 if who.insutype == "390" else 70) // 100
    cash = medfee - hifp
    stem = f"{care}S{setl_time[:10].replace('-', '')}{number:07d}"
    return Posting(
        prov_sn=prov_sn,
        setl_id=stem,
        fixmedins_code=HOSPITALS[care],
        mdtrt_id=stem.replace("S", "M"),
        psn_no=who.psn_no,
        msgid=f"{HOSPITALS[care]}{setl_time[:10].replace('-', '')}{number:010d}",
        direction="0",
        insutype=who.insutype,
        clr_type="21" if number % 3 == 0 else "11",
        setl_time=setl_time,
        care=care,
        insured=AREA,
        clr_optins=f"{care[:2]}0000",
        amounts={
            "medfee_sumamt": medfee,
            "fund_pay_sumamt": hifp,
            "hifp_pay": hifp,
            "acct_pay": 0,
            "psn_part_amt": cash,
            "psn_cash_pay": cash,
        },
    )
