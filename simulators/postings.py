"""One party's book of remote settlements: what a province, an insured agency or a foreign care agency has posted.

Amounts are fen under the names of the amount components; a refund is a posting of its own, negative, that carries the
setl_id of what it cancels (annex B10).
"""

from collections.abc import Iterable, Iterator

import attrs

from simulators import stamps
from simulators.money import fen, yuan
from simulators.people import AREA
from simulators.wording import Json

AMOUNTS = {
    "medfee_sumamt": "medfee_fen",
    "fund_pay_sumamt": "fund_fen",
    "hifp_pay": "hifp_fen",
    "cvlserv_pay": "cvlserv_fen",
    "hifes_pay": "hifes_fen",
    "maf_pay": "maf_fen",
    "acct_pay": "acct_fen",
    "psn_part_amt": "person_fen",
    "psn_cash_pay": "cash_fen",
    "hosp_part_amt": "hosp_fen",
}
"""Component -> its name in the platform simulator's ledger."""
TOTALLED = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
TEXTS = (
    "setl_id", "prov_sn", "fixmedins_code", "mdtrt_id", "psn_no", "msgid", "direction", "insutype", "clr_type",
    "clr_way", "clr_optins", "clr_pay_loc", "setl_time",
)  # fmt: skip


@attrs.define(kw_only=True)
class Posting:
    """One posted settlement or refund. care, insured: areas; out: taken out again, as if it had never been."""

    prov_sn: str
    setl_id: str
    fixmedins_code: str
    mdtrt_id: str
    psn_no: str
    msgid: str
    direction: str
    insutype: str
    clr_type: str
    setl_time: str
    care: str
    insured: str
    amounts: dict[str, int]
    clr_way: str = "1"
    clr_optins: str = ""
    status: str = ""
    out: bool = False

    @property
    def clr_pay_loc(self) -> str:
        return pay_loc(self.care, self.insured)

    @property
    def key(self) -> tuple[str, str]:
        return self.setl_id, self.direction

    def row(self) -> Json:
        """The row of a statement: texts, and amounts in yuan as texts."""
        found: Json = {name: getattr(self, name) for name in TEXTS}
        return found | {"status": self.status} | written(self.amounts)


def pay_loc(care: str, insured: str) -> str:
    """clr_pay_loc: 2 local, 3 in-province remote, 4 cross-province."""
    return "2" if care == insured else "3" if care[:2] == insured[:2] else "4"


def written(amounts: dict[str, int]) -> Json:
    return {name: str(yuan(amount)) for name, amount in amounts.items()}


def of_platform(row: Json, prov_sn: str) -> Posting:
    """What the care agency's platform forwards of a row of its ledger."""
    return Posting(
        prov_sn=prov_sn,
        setl_id=row["refund_of"] or row["setl_id"],
        fixmedins_code=row["fixmedins_code"],
        mdtrt_id=row["mdtrt_id"],
        psn_no=row["psn_no"],
        msgid=row["msgid"],
        direction="1" if row["refund_of"] else "0",
        insutype=row["insutype"],
        clr_type=row["clr_type"],
        setl_time=row["setl_time"],
        care=AREA,
        insured=row["insuplc_admdvs"],
        clr_optins=row["clr_optins"],
        amounts={name: row[theirs] for name, theirs in AMOUNTS.items()},
    )


def of_facts(facts: Json, values: Json, prov_sn: str, setl_id: str, care: str, insured: str) -> Posting:
    """What a feedback says is missing; raises KeyError, money.NotMoney."""
    return Posting(
        prov_sn=prov_sn,
        setl_id=setl_id,
        care=care,
        insured=insured,
        amounts={name: fen(value) for name, value in values.items()},
        clr_way=facts.get("clr_way") or "1",
        clr_optins=facts.get("clr_optins") or "",
        **{
            name: facts[name]
            for name in (
                "fixmedins_code",
                "mdtrt_id",
                "psn_no",
                "msgid",
                "direction",
                "insutype",
                "clr_type",
                "setl_time",
            )
        },
    )


@attrs.define
class Book:
    """One party's postings by prov_sn, in the order they came."""

    rows: dict[str, Posting] = attrs.Factory(dict)

    def add(self, posting: Posting) -> None:
        self.rows[posting.prov_sn] = posting

    def live(self) -> Iterator[Posting]:
        return (one for one in self.rows.values() if not one.out)

    def find(self, prov_sn: str, setl_id: str, direction: str = "0") -> Posting | None:
        """The living posting a message names: by prov_sn, else by setl_id and direction."""
        if prov_sn:
            found = self.rows.get(prov_sn)
            return found if found is not None and not found.out else None
        return next((one for one in self.live() if setl_id and one.key == (setl_id, direction)), None)

    def of_day(self, date: str) -> list[Posting]:
        """The living postings of a date in the order of a statement."""
        return sorted((one for one in self.live() if one.setl_time[:10] == date), key=_order)


def _order(one: Posting) -> tuple[str, str, str]:
    return one.setl_id, one.direction, one.prov_sn


def totals(rows: Iterable[Posting]) -> Json:
    """Sums in yuan of every component any row carries."""
    sums: dict[str, int] = dict.fromkeys(TOTALLED, 0)
    for one in rows:
        for name, amount in one.amounts.items():
            sums[name] = sums.get(name, 0) + amount
    return written(sums)


@attrs.define
class Serials:
    """The province's own numbers: a letter, the area, the date, seven digits (reconciliation.md §2)."""

    _next: int = 0

    def __call__(self, area: str, now_s: float, letter: str = "A") -> str:
        self._next += 1
        return f"{letter}{area}{stamps.dense(now_s)[2:8]}{self._next:07d}"
