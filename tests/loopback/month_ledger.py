"""What `month_town.remote` freezes, on the platform's own ledger: of local patients, by its own kinds of funds."""

import datetime

from simulators.benefit import Partition, Split
from simulators.ledger import Books, Settlement

FEES = Split(
    medfee_fen=10_000, partition=Partition(inside_fen=10_000), deductible_fen=0, ratio=700, hifp_fen=5_500,
    cvlserv_fen=500, hifes_fen=0, maf_fen=0, hosp_fen=0, acct_fen=1_000,
)  # fmt: skip


def settled_there(books: Books, institution: str, number: int, day: str) -> Settlement:
    """Book settlement `number` of a day there."""
    at_s = datetime.datetime.fromisoformat(f"{day}T09:00:00+08:00").timestamp()
    row = Settlement(
        setl_id=f"S{number}", msgid=f"M{number}", infno="2207", institution=institution, institution_name="x",
        psn_no=f"P{number}", mdtrt_id=f"V{number}", kind="outpatient", insutype="310", med_type="11", cert_type="01",
        split=FEES, now_s=at_s,
    )  # fmt: skip
    books.settlements[row.setl_id] = row
    return row


__all__ = ["settled_there"]
