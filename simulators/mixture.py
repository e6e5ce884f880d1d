"""What a load run sends: the business mix, and for each message the state on the platform it needs.

A settlement can succeed only once and only for lines that were uploaded, so before the clock starts `prepare` brings
the visits, batches and stays onto the platform, through the gateway like everything else.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

import attrs

from simulators import goods, stamps
from simulators.audit import audit_question
from simulators.his import CALL_PATH, Institution, Script
from simulators.hospital import ECHOED, SOLD, Hospital
from simulators.listing import settlement_list
from simulators.people import Person, person
from simulators.pharmacy import Pharmacy
from simulators.stay import Ward
from simulators.wording import Dice, Json, write

MIXES: Mapping[str, Mapping[str, int]] = {  # per mille
    "default": {
        "1101": 180,
        "2001": 30,
        "5206": 30,
        "5301": 20,
        "2201": 90,
        "2203": 110,
        "2204": 140,
        "2206": 120,
        "2207": 110,
        "2101": 40,
        "2102": 40,
        "2208": 5,
        "2103": 5,
        "2304": 3,
        "2401": 4,
        "2402": 3,
        "2301": 30,
        "3101": 30,
        "4101": 10,
    },
    "2102": {"2102": 1000},
    "2207": {"2207": 1000},
    "1101": {"1101": 1000},
}
_BATCHES = 4  # charge batches of one prepared visit
_PARTS = ("fulamt_ownpay_amt", "overlmt_amt", "preselfpay_amt", "inscp_scp_amt")


class Numbers:
    """Message numbers of a load run: four digits of a counter, and a second that moves on when they are used up."""

    def __init__(self, code: str, start_s: float) -> None:
        self._code, self._start_s, self._next = code, start_s, 0

    def __call__(self) -> str:
        second, number = divmod(self._next, 10_000)
        self._next += 1
        return f"{self._code}{stamps.dense(self._start_s + second)}{number:04d}"


class BusyHospital(Hospital):
    """A hospital whose msgids do not repeat at thousands a second."""

    def new_msgid(self) -> str:
        return self.numbers()

    numbers: Callable[[], str]


class BusyPharmacy(Pharmacy):
    """Likewise."""

    def new_msgid(self) -> str:
        return self.numbers()

    numbers: Callable[[], str]


@attrs.define
class Stock:
    """What is ready to be used once."""

    visits: list[Json] = attrs.Factory(list)
    batches: deque[tuple[Hospital, Json]] = attrs.Factory(deque)
    settled: deque[tuple[Hospital, Json]] = attrs.Factory(deque)
    sold: deque[tuple[Pharmacy, Json]] = attrs.Factory(deque)
    stays: list[tuple[Hospital, Json]] = attrs.Factory(list)
    leaving: deque[tuple[Hospital, Json]] = attrs.Factory(deque)
    ready: deque[tuple[Hospital, Json]] = attrs.Factory(deque)
    owners: dict[str, Hospital] = attrs.Factory(dict)


class Mixture:
    """Makes the messages of one run. hospitals and pharmacies: at least one of each."""

    def __init__(
        self, dice: Dice, hospitals: Sequence[BusyHospital], pharmacies: Sequence[BusyPharmacy], persons: int
    ) -> None:
        self._dice = dice
        self._hospitals = hospitals
        self._pharmacies = pharmacies
        self._persons = persons
        self._newcomer = persons
        self.stock = Stock()
        self._makers: Mapping[str, Callable[[], tuple[Institution, Json, str]]] = {
            "1101": self._identify,
            "2001": self._benefits,
            "5206": self._question("cum_ym"),
            "5301": self._question(""),
            "2201": self._registration,
            "2203": self._findings,
            "2204": self._lines,
            "2206": self._trial,
            "2207": self._settlement,
            "2101": self._sale_trial,
            "2102": self._sale,
            "2208": self._refund,
            "2103": self._sale_refund,
            "2304": self._stay_settlement,
            "2401": self._admission,
            "2402": self._farewell,
            "2301": self._stay_lines,
            "3101": self._audit,
            "4101": self._list,
        }

    def plan(self, mix: str, how_many: int) -> list[str]:
        """infnos in a shuffled order with the shares of the mix."""
        shares = MIXES[mix]
        bag = [infno for infno, share in shares.items() for _ in range(share)]
        return [self._dice.choice(bag) for _ in range(how_many)]

    def prepare(self, plan: Sequence[str]) -> list[Script]:
        """Scripts that bring everything the plan uses up onto the platform."""
        need = Counter(plan)
        settled = need["2208"] + need["4101"]
        batches = need["2207"] + settled + min(need["2206"], 50)
        visits = max(-(-batches // _BATCHES), min(200, need["2203"] + need["2204"] + need["3101"]), 1)
        stays = need["2304"] + need["2402"] + (10 if need["2301"] else 0)
        return [
            *(self._make_visit(number < -(-batches // _BATCHES)) for number in range(visits)),
            *(self._make_stay(number) for number in range(stays)),
            *(self._make_sale() for _ in range(need["2103"])),
        ]

    def finish(self, plan: Sequence[str]) -> list[Script]:
        """A second round of preparation: what must already be settled, and stays that are ready to be."""
        need = Counter(plan)
        settled = need["2208"] + need["4101"]
        # one person's batches far apart: settlements of a person are taken one at a time (reversal.md §7)
        self.stock.batches = deque(sorted(self.stock.batches, key=lambda entry: str(entry[1]["batch"])[-1]))
        leaving = [self.stock.leaving.popleft() for _ in range(min(need["2304"], len(self.stock.leaving)))]
        return [
            *(self._pay(*self.stock.batches.popleft()) for _ in range(min(settled, len(self.stock.batches)))),
            *(self._leave(home, case) for home, case in leaving),
        ]

    def messages(self, plan: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
        """(infno, path, body) of every message of the plan, in order."""
        for infno in plan:
            home, body, insuplc = self._makers[infno]()
            yield infno, CALL_PATH, write(home.envelope(infno, body, insuplc))

    def refusals(self) -> list[str]:
        """Why preparation failed where it did, at most five reasons."""
        found = [f"{infno} {text}" for home in (*self._hospitals, *self._pharmacies) for infno, text in home.refused]
        return list(dict.fromkeys(found))[:5]

    # -- preparation

    def _make_visit(self, with_batches: bool) -> Script:
        home, who = self._hospital(), self._anyone()
        visit = home.new_visit(who, who.psn_no, who.insutype, who.insuplc)
        yield from home.register(visit)
        yield from home.diagnose(visit)
        self.stock.visits.append(visit)
        self.stock.owners[visit["mdtrt_id"]] = home
        for number in range(_BATCHES if with_batches else 0):
            batch = visit | {"batch": f"{visit['batch']}-{number}"}
            bill = goods.pick(self._dice, SOLD, self._dice.randrange(4, 9))
            found = yield from home.charge(batch, bill)
            rows = found.output["result"]
            parts = {echo: _sum(rows, part) for echo, part in zip(ECHOED, _PARTS, strict=True)}
            self.stock.batches.append((home, batch | {"parts": parts, "amount": goods.total(bill)}))

    def _make_stay(self, number: int) -> Script:
        home, who = self._hospital(), self._new_person()
        ward = Ward(home)
        case = ward.new_case(who, who.psn_no, who.insutype, who.insuplc, 3)
        yield from ward.admit(case)
        yield from ward.charge(case, 0)
        if number < 10:
            self.stock.stays.append((home, case))
        else:
            self.stock.leaving.append((home, case))

    def _leave(self, home: Hospital, case: Json) -> Script:
        yield from Ward(home).discharge(case)
        self.stock.ready.append((home, case))

    def _make_sale(self) -> Script:
        shop, body, insuplc = self._sale()
        assert isinstance(shop, Pharmacy)
        done = yield from shop.settle("2102", body, insuplc, "41")
        self.stock.sold.append((shop, done.output["setlinfo"]))

    def _pay(self, home: Hospital, batch: Json) -> Script:
        done = yield from home.settle("2207", self._settlement_of(home, batch), batch["insuplc"], "11")
        self.stock.settled.append((home, batch | {"setlinfo": done.output["setlinfo"]}))

    # -- who and where

    def _hospital(self) -> BusyHospital:
        found: BusyHospital = self._dice.choice(self._hospitals)
        return found

    def _anyone(self) -> Person:
        return person(self._dice.randrange(0, self._persons))

    def _new_person(self) -> Person:
        """Nobody is admitted twice: from the last person downwards."""
        self._newcomer -= 1
        return person(self._newcomer % self._persons)

    # -- messages

    def _identify(self) -> tuple[Institution, Json, str]:
        home, who = self._hospital(), self._anyone()
        return home, {"data": home.identity_question(who)}, ""

    def _benefits(self) -> tuple[Institution, Json, str]:
        home, who = self._hospital(), self._anyone()
        facts = {
            "psn_no": who.psn_no,
            "insutype": who.insutype,
            "fixmedins_code": home.code,
            "med_type": "11",
            "begntime": home.now(),
        }
        return home, {"data": facts}, who.insuplc

    def _question(self, extra: str) -> Callable[[], tuple[Institution, Json, str]]:
        def make() -> tuple[Institution, Json, str]:
            home, who = self._hospital(), self._anyone()
            return home, {"data": {"psn_no": who.psn_no} | ({extra: ""} if extra else {})}, who.insuplc

        return make

    def _registration(self) -> tuple[Institution, Json, str]:
        home, who = self._hospital(), self._anyone()
        return home, home.registration(home.new_visit(who, who.psn_no, who.insutype, who.insuplc)), who.insuplc

    def _visit(self) -> tuple[Hospital, Json]:
        visit: Json = self._dice.choice(self.stock.visits)
        return self.stock.owners[visit["mdtrt_id"]], visit

    def _findings(self) -> tuple[Institution, Json, str]:
        home, visit = self._visit()
        return home, home.findings(visit), visit["insuplc"]

    def _lines(self) -> tuple[Institution, Json, str]:
        home, visit = self._visit()
        fresh = visit | {"batch": f"B{home.serial():010d}"}
        bill = goods.pick(self._dice, SOLD, self._dice.randrange(4, 9))
        return home, home.bill(fresh, bill), visit["insuplc"]

    def _trial(self) -> tuple[Institution, Json, str]:
        """2206 of a batch that stays open for it: those at the end are never settled first."""
        home, batch = self.stock.batches[-1 - self._dice.randrange(0, min(50, len(self.stock.batches)))]
        return home, {"data": home.settlement(batch, batch["amount"])}, batch["insuplc"]

    @staticmethod
    def _settlement_of(home: Hospital, batch: Json) -> Json:
        facts = home.settlement(batch, batch["amount"]) | batch["parts"]
        return {"data": facts | {"invono": f"FP{home.serial():010d}"}}

    def _settlement(self) -> tuple[Institution, Json, str]:
        home, batch = self.stock.batches.popleft()
        return home, self._settlement_of(home, batch), batch["insuplc"]

    def _sale_trial(self) -> tuple[Institution, Json, str]:
        shop, who = self._dice.choice(self._pharmacies), self._anyone()
        bill = goods.pick(self._dice, ("drug",), 10)
        return shop, shop.sale(who, who.psn_no, who.insutype, bill), who.insuplc

    def _sale(self) -> tuple[Institution, Json, str]:
        shop, body, insuplc = self._sale_trial()
        assert isinstance(shop, Pharmacy)
        body["druginfo"]["invono"] = f"YD{shop.serial():010d}"
        return shop, shop.traced(body), insuplc

    @staticmethod
    def _refund_of(setlinfo: Json) -> Json:
        return {"data": {name: setlinfo[name] for name in ("setl_id", "mdtrt_id", "psn_no")}}

    def _refund(self) -> tuple[Institution, Json, str]:
        home, batch = self.stock.settled.popleft()
        return home, self._refund_of(batch["setlinfo"]), batch["insuplc"]

    def _sale_refund(self) -> tuple[Institution, Json, str]:
        shop, setlinfo = self.stock.sold.popleft()
        return shop, self._refund_of(setlinfo), ""

    def _stay_settlement(self) -> tuple[Institution, Json, str]:
        home, case = self.stock.ready.popleft()
        facts = Ward(home).settlement(case) | {"invono": f"FP{home.serial():010d}"}
        return home, {"data": facts}, case["insuplc"]

    def _admission(self) -> tuple[Institution, Json, str]:
        home, who = self._hospital(), self._new_person()
        ward = Ward(home)
        return home, ward.admission(ward.new_case(who, who.psn_no, who.insutype, who.insuplc, 1)), who.insuplc

    def _farewell(self) -> tuple[Institution, Json, str]:
        home, case = self.stock.leaving.popleft()
        return home, Ward(home).farewell(case), case["insuplc"]

    def _stay_lines(self) -> tuple[Institution, Json, str]:
        home, case = self._dice.choice(self.stock.stays)
        return home, Ward(home).bill(case, 1, f"C{home.serial():010d}-"), case["insuplc"]

    def _audit(self) -> tuple[Institution, Json, str]:
        home, visit = self._visit()
        return home, audit_question(home, visit, goods.pick(self._dice, SOLD, 4)), visit["insuplc"]

    def _list(self) -> tuple[Institution, Json, str]:
        """4101 of the settlement at the end: refunds take from the front. A settlement has one list."""
        home, batch = self.stock.settled.pop()
        case = batch | {"diseases": [home.diagnosis(), home.diagnosis()], "begin_s": home.now_s() - 172_800}
        return home, settlement_list(home, case, batch["setlinfo"], []), batch["insuplc"]


def _sum(rows: Sequence[Json], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows), Decimal(0))
