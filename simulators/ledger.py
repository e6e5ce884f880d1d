"""What the platform has on its books: persons, visits, fee lines, settlements. State only; the rules are elsewhere."""

from decimal import Decimal

import attrs

from simulators import stamps
from simulators.benefit import Kind, Partition, Split
from simulators.clearing_book import ClearingBook
from simulators.list_desk import ListDesk
from simulators.people import AREA, PROVINCE, Person, person
from simulators.wording import Json


class Refusal(Exception):
    """The platform says no: infcode -1 with this Chinese text. Nothing was changed."""


@attrs.frozen
class Call:
    """One request that passed the checks. now_s: epoch seconds of its arrival."""

    infno: str
    msgid: str
    institution: str
    institution_name: str
    operator: str
    now_s: float
    body: Json

    @property
    def day(self) -> str:
        return stamps.day(self.now_s)


@attrs.define
class Line:
    """One fee line of a visit."""

    sn: str
    batch: str
    price: Decimal
    count: Decimal
    amount_fen: int
    partition: Partition
    facts: Json
    settled_by: str = ""


@attrs.define
class Visit:
    """One visit: outpatient, inpatient or a purchase. state: open, discharged, settled, cancelled."""

    mdtrt_id: str
    msgid: str
    institution: str
    psn_no: str
    kind: Kind
    insutype: str
    med_type: str
    begin: str
    number: str
    facts: Json
    state: str = "open"
    end: str = ""
    diagnoses: list[Json] = attrs.Factory(list)
    lines: dict[str, Line] = attrs.Factory(dict)


@attrs.define
class Settlement:
    """One row of the ledger. A refund is a row of its own with sign -1 and refund_of set.

    refunded: a later refund row exists; reversed: taken back by 2601, as if it had never been.
    """

    setl_id: str
    msgid: str
    infno: str
    institution: str
    institution_name: str
    psn_no: str
    mdtrt_id: str
    kind: Kind
    insutype: str
    med_type: str
    cert_type: str
    split: Split
    now_s: float
    batch: str = ""
    invono: str = ""
    middle: bool = False
    sign: int = 1
    refund_of: str = ""
    refunded: bool = False
    reversed: bool = False
    insuplc: str = AREA

    @property
    def clr_optins(self) -> str:
        """Who clears it: our agency, or the province for people insured elsewhere (reconciliation.md §3.1)."""
        return AREA if self.insuplc == AREA else PROVINCE

    @property
    def clr_pay_loc(self) -> str:
        """2 local, 3 in the province, 4 beyond it."""
        return "2" if self.insuplc == AREA else "3" if self.insuplc[:2] == AREA[:2] else "4"

    @property
    def live(self) -> bool:
        return self.sign > 0 and not self.refunded and not self.reversed

    @property
    def clr_type(self) -> str:
        return {"outpatient": "11", "inpatient": "21", "pharmacy": "41"}[self.kind]

    def row(self) -> Json:
        """The ledger row as GET /sim/ledger gives it; amounts in fen, refunds negative."""
        part, sign = self.split, self.sign
        return {
            "setl_id": self.setl_id,
            "msgid": self.msgid,
            "fixmedins_code": self.institution,
            "psn_no": self.psn_no,
            "mdtrt_id": self.mdtrt_id,
            "infno": self.infno,
            "insutype": self.insutype,
            "clr_type": self.clr_type,
            "clr_optins": self.clr_optins,
            "clr_pay_loc": self.clr_pay_loc,
            "insuplc_admdvs": self.insuplc,
            "setl_time": stamps.stamp(self.now_s),
            "medfee_fen": sign * part.medfee_fen,
            "fund_fen": sign * part.fund_fen,
            "acct_fen": sign * part.acct_fen,
            "cash_fen": sign * part.cash_fen,
            "hosp_fen": sign * part.hosp_fen,
            "hifp_fen": sign * part.hifp_fen,
            "cvlserv_fen": sign * part.cvlserv_fen,
            "hifes_fen": sign * part.hifes_fen,
            "maf_fen": sign * part.maf_fen,
            "person_fen": sign * part.person_fen,
            "refund_of": self.refund_of,
            "refunded": self.refunded,
            "reversed": self.reversed,
        }


class Books:
    """Everything the platform remembers; in memory, lost with the process."""

    def __init__(self, persons: int, lists: ListDesk | None = None, remote_every: int = 0) -> None:
        """persons: how many people are known here (numbers 0..persons-1); every so-many-th is insured elsewhere."""
        self.people: dict[str, Person] = {}
        self.by_certno: dict[str, Person] = {}
        for number in range(persons):
            who = person(number, remote_every)
            self.people[who.psn_no] = self.by_certno[who.certno] = who
        self.visits: dict[str, Visit] = {}
        self.settlements: dict[str, Settlement] = {}
        self.by_msgid: dict[str, list[Settlement]] = {}
        self.by_person: dict[str, list[Settlement]] = {}
        self.admissions: dict[str, Visit] = {}
        self.files: dict[str, tuple[str, bytes]] = {}
        self.signed_in: dict[str, str] = {}
        self.closed_days: set[str] = set()
        """yyyy-MM-dd: settlements of these days can no longer be taken back."""
        self.filed: dict[str, list[Json]] = {}
        self.mapped: dict[tuple[str, str, str, str], Json] = {}
        """Catalogue mappings in force: (institution, its own code, list type, national code) -> the row of 3301."""
        self.lists = lists or ListDesk()
        self.clearing = ClearingBook()
        self._serial = 0

    def new_id(self, letter: str, now_s: float) -> str:
        """A number of the platform's own, unique over restarts that are a second apart."""
        self._serial += 1
        return f"{AREA}{letter}{stamps.dense(now_s)}{self._serial:07d}"

    def new_list_id(self) -> str:
        """A setl_list_id: nine characters (4101)."""
        self._serial += 1
        return f"{self._serial:09d}"

    def keep_file(self, letter: str, filename: str, content: bytes, now_s: float) -> str:
        """Store a file; gives its file_qury_no (at most 30 characters)."""
        self._serial += 1
        number = f"{letter}{stamps.dense(now_s)}{self._serial:07d}.zip"
        self.files[number] = (filename, content)
        return number

    def person(self, call: Call, psn_no: str) -> Person:
        who = self.people.get(psn_no)
        if who is None:
            raise Refusal("人员编号不存在或未参保")
        return who

    def visit(self, call: Call, mdtrt_id: str, psn_no: str, kind: Kind | None = None) -> Visit:
        """The institution's own visit of this person; raises Refusal."""
        visit = self.visits.get(mdtrt_id)
        if visit is None or visit.institution != call.institution or (kind is not None and visit.kind != kind):
            raise Refusal("就诊ID不存在")
        if visit.psn_no != psn_no:
            raise Refusal("就诊ID与人员编号不符")
        if visit.state == "cancelled":
            raise Refusal("就诊已撤销")
        return visit

    def settlements_of(self, mdtrt_id: str) -> list[Settlement]:
        visit = self.visits.get(mdtrt_id)
        return [row for row in self.by_person.get(visit.psn_no, ()) if row.mdtrt_id == mdtrt_id] if visit else []

    def add(self, row: Settlement) -> None:
        self.settlements[row.setl_id] = row
        self.by_msgid.setdefault(row.msgid, []).append(row)
        self.by_person.setdefault(row.psn_no, []).append(row)
        self.move(row, row.sign)

    def move(self, row: Settlement, sign: int) -> None:
        """Take (+1) or give back (-1) what the row moved on the person's accounts."""
        who, part = self.people[row.psn_no], row.split
        who.balance_fen -= sign * part.acct_fen
        who.deductible_used_fen += sign * part.deductible_fen
        who.fund_paid_fen += sign * part.fund_fen

    def check_open_day(self, row: Settlement) -> None:
        """Raises Refusal when the day of the settlement is closed."""
        if stamps.day(row.now_s) in self.closed_days:
            raise Refusal("原交易所在日期已日结，不能撤销或冲正")

    def rows(self) -> list[Json]:
        return [row.row() for row in self.settlements.values()]
