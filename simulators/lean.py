"""A platform that knows nothing but money, so that a hundred thousand days can be played.

It is as strict about money as the full one: it books by business and refuses what is booked already, takes back by
2601, answers 5203. What it leaves out is everything around that: checks of fields, benefits, catalogues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from simulators import archives, stamps
from simulators.his import Script
from simulators.ledger import Refusal
from simulators.people import AREA
from simulators.platform import JSON_TYPE, Clock, Platform, Reply
from simulators.till import Till
from simulators.wording import Dice, Json

if TYPE_CHECKING:
    from simulators.city import City

_CODES = ("H51080200001", "H51080200002", "P51080200101")
_PARTS = ("hifp_pay", "cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "maf_pay", "oth_pay")


@attrs.define
class Row:
    """One booking of the platform's. key: its business; fen: negative for a refund."""

    msgid: str
    infno: str
    institution: str
    psn_no: str
    mdtrt_id: str
    setl_id: str
    key: str
    fen: int
    refund_of: str = ""
    state: str = "live"  # live, refunded, reversed
    day: int = 0  # which of the platform's days it was booked on


class LeanPlatform(Platform):
    """Books money by business; misbehaves like the full platform (`Fault`)."""

    def __init__(self, clock: Clock, dice: Dice) -> None:
        super().__init__(clock, dice, persons=1)
        self.rows: list[Row] = []
        self.by_msgid: dict[str, list[Row]] = {}
        self.mixes_up: Callable[[], bool] = lambda: False
        self.files: dict[str, bytes] = {}
        self.day = 0

    def check_open_day(self, row: Row) -> None:
        """Raises Refusal when the day of the settlement is closed."""
        if row.day < self.day:
            raise Refusal("原交易所在日期已日结，不能撤销或冲正")

    def _do(self, envelope: Json, infno: str) -> object:
        handler = _HANDLERS.get(infno)
        if handler is None:
            raise Refusal(f"平台未开通交易{infno}")
        return handler(self, envelope, envelope["input"])

    def _process(self, envelope: Json, infno: str) -> Reply:
        try:
            if infno == "9102":
                number = envelope["input"]["fsDownloadIn"]["file_qury_no"]
                return Reply(200, "application/octet-stream", self.files[number])
            return Reply(200, JSON_TYPE, self._envelope(0, "", self._do(envelope, infno)))
        except Refusal as refusal:
            return Reply(200, JSON_TYPE, self._envelope(-1, str(refusal), {}))

    def _book_again(self, msgid: str) -> None:
        rows = self.by_msgid.get(msgid)
        if rows:
            self.add(attrs.evolve(rows[-1], setl_id=f"{rows[-1].setl_id}D"))

    def _count(self, infno: str, result: str) -> None:
        """Nobody looks at a lean platform's counts."""

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self.by_msgid.setdefault(row.msgid, []).append(row)

    def book(self, envelope: Json, key: str, fen: int, mdtrt_id: str, refund_of: str = "") -> Row:
        if any(row.key == key and row.state == "live" for row in self.rows):
            raise Refusal("该笔费用已结算，不能重复结算")
        number = len(self.rows) + 1
        data = next(iter(envelope["input"].values()))
        row = Row(
            envelope["msgid"], envelope["infno"], envelope["fixmedins_code"], data["psn_no"],
            mdtrt_id or f"V{number}", f"S{number}", key, fen, refund_of, day=self.day,
        )  # fmt: skip
        self.add(row)
        return row

    def find(self, setl_id: str) -> Row | None:
        return next((row for row in self.rows if row.setl_id == setl_id and not row.refund_of), None)

    def effective(self) -> Iterator[Row]:
        """Yield what counts: everything that was not taken back by 2601."""
        return (row for row in self.rows if row.state != "reversed")


def info(row: Row, now_s: float) -> Json:
    """`setlinfo` whose identities hold (annex X38)."""
    total = Decimal(row.fen).scaleb(-2)
    return {
        "psn_no": row.psn_no, "setl_id": row.setl_id, "mdtrt_id": row.mdtrt_id, "medfee_sumamt": total,
        "fund_pay_sumamt": total, "hifp_pay": total, **dict.fromkeys(_PARTS[1:], 0), "psn_part_amt": 0,
        "hosp_part_amt": 0, "acct_pay": 0, "psn_cash_pay": 0, "setl_time": stamps.stamp(now_s), "insutype": "310",
        "medins_setl_id": "" if row.refund_of else row.msgid, "clr_type": "11", "clr_optins": AREA,
    }  # fmt: skip


def _settle(platform: LeanPlatform, envelope: Json, body: Json) -> Json:
    data = next(iter(body.values()))
    business = data.get("chrg_bchno") or data.get("invono")
    key = f"{envelope['fixmedins_code']} {data['psn_no']} {business}"
    fen = int(Decimal(str(data["medfee_sumamt"])).scaleb(2))
    row = platform.book(envelope, key, fen, data.get("mdtrt_id", ""))
    return {"setlinfo": info(row, platform._clock.seconds())}


def _refund(platform: LeanPlatform, envelope: Json, body: Json) -> Json:
    found = platform.find(body["data"]["setl_id"])
    if found is None or found.psn_no != body["data"]["psn_no"]:
        raise Refusal("结算信息不存在")
    if found.state != "live":
        raise Refusal("该结算已撤销")
    platform.check_open_day(found)
    row = platform.book(envelope, f"refund {found.setl_id}", -found.fen, found.mdtrt_id, found.setl_id)
    found.state = "refunded"
    return {"setlinfo": info(row, platform._clock.seconds())}


def _admit(platform: LeanPlatform, envelope: Json, body: Json) -> Json:
    data = body["mdtrtinfo"]
    row = platform.book(envelope, f"{envelope['fixmedins_code']} {data['ipt_no']}", 0, "")
    return {"result": {"mdtrt_id": row.mdtrt_id}}


def _reverse(platform: LeanPlatform, envelope: Json, body: Json) -> Json:
    data = body["data"]
    rows = [
        row
        for row in platform.by_msgid.get(data["omsgid"], ())
        if (row.psn_no, row.infno, row.institution) == (data["psn_no"], data["oinfno"], envelope["fixmedins_code"])
    ]
    if not rows:
        raise Refusal("原交易不存在")
    if all(row.state == "reversed" for row in rows):
        raise Refusal("原交易已冲正")
    if any(row.state == "refunded" for row in rows):
        raise Refusal("原交易已撤销")
    for row in rows:
        platform.check_open_day(row)
    for row in rows:
        row.state = "reversed"
    return {}


def _query(platform: LeanPlatform, envelope: Json, body: Json) -> Json:
    data = body["data"]
    for row in platform.rows:
        ours = row.setl_id == data["setl_id"] if data["setl_id"] else row.mdtrt_id == data["mdtrt_id"]
        if ours and row.psn_no == data["psn_no"] and not row.refund_of and row.state != "reversed":
            flag = "1" if row.state == "refunded" else "0"
            found = info(row, platform._clock.seconds()) | {"refd_setl_flag": flag}
            if not data["setl_id"] and platform.mixes_up():
                other = {"medins_setl_id": f"X{row.msgid[1:]}"}, {"medfee_sumamt": found["medfee_sumamt"] + 1}
                found |= other[platform._dice.randrange(0, 2)]
            return {"setlinfo": found}
    raise Refusal("未查询到结算信息")


def _upload(platform: LeanPlatform, envelope: Json, body: Json) -> Json:
    facts = body["fsUploadIn"]
    number = f"U{len(platform.files)}"
    platform.files[number] = archives.file_bytes(facts["in"])
    return {"file_qury_no": number, "filename": facts["filename"]}


def _compare(platform: LeanPlatform, envelope: Json, body: Json) -> Json:
    """3202: names what the uploaded file lacks, without its numbers (the full one knows days as well)."""
    text = archives.unzipped(platform.files[body["data"]["file_qury_no"]])
    theirs = {line.split("\t", 1)[0] for line in text.split("\n")}
    rows = [
        [row.psn_no, "", "", row.msgid, "101", "1" if row.refund_of else "0", "", *[_yuan(row)] * 2, "0"]
        for row in platform.effective()
        if row.institution == envelope["fixmedins_code"] and row.infno != "2401" and row.setl_id not in theirs
    ]
    number = f"D{len(platform.files)}"
    platform.files[number] = archives.zipped("result.txt", archives.tab_rows(rows))
    return {"fileinfo": {"file_qury_no": number, "filename": "result.zip"}}


def _yuan(row: Row) -> str:
    return str(Decimal(row.fen).scaleb(-2))


def _nothing(platform: LeanPlatform, envelope: Json, body: Json) -> Json:
    return {}


_HANDLERS: dict[str, Callable[[LeanPlatform, Json, Json], Json]] = {
    "2102": _settle, "2207": _settle, "2304": _settle, "2103": _refund, "2208": _refund, "2305": _refund,
    "2401": _admit, "2601": _reverse,
    "9101": _upload, "3202": _compare,
    "5203": _query, "2206": _nothing, "9001": lambda *_: {"signinoutb": {"sign_time": "", "sign_no": "SIGN"}},
}  # fmt: skip


class LeanPeople:
    """Who lives in a city of money alone, and what each side's books say (as `simulators.full`)."""

    def __init__(self, city: City) -> None:
        weather = city.weather
        self._city = city
        self.platform = LeanPlatform(city.clock, city.dice_of(1))
        self.platform.mixes_up = lambda: city.happens("mixed_up")
        habits = (weather.impatient, weather.takes_back, weather.careless)
        self.institutions = [
            Till(city.clock.seconds, city.dice_of(number), code, *habits) for number, code in enumerate(_CODES, start=2)
        ]
        for till in self.institutions:
            till.neighbours = [other for other in self.institutions if other is not till]

    def close_day(self) -> None:
        """The platform closes its day: nothing booked so far is taken back any more."""
        self.platform.day += 1

    def day(self) -> Iterator[tuple[float, Till, Script]]:
        persons = [f"5108000000000000{number:04d}" for number in range(max(4, self._city.money // 4))]
        for till in self.institutions:
            scripts = till.day(persons, self._city.money // len(self.institutions))
            for script in scripts:
                yield self._city.weather.storm_s * self._city.dice.random(), till, script

    def evening(self) -> Iterator[tuple[Till, Script]]:
        for till in self.institutions:
            yield till, till.evening()

    def booked(self) -> Iterator[tuple[str, str, int]]:
        """Yield (msgid, setl_id, fen) of what the platform booked and did not take back."""
        return ((row.msgid, row.setl_id if row.fen else "", row.fen) for row in self.platform.effective())

    def bookings(self, msgid: str) -> int:
        """Return how many rows of the platform's carry a msgid."""
        return len(self.platform.by_msgid.get(msgid, ()))

    def believed(self) -> Iterator[tuple[str, str, int]]:
        for till in self.institutions:
            for row in till.ledger:
                yield row.msgid, row.setl_id, row.fen

    def unknown(self) -> set[str]:
        return {msgid for till in self.institutions for msgid in till.open}

    def asked(self) -> set[str]:
        """What the institutions reversed themselves."""
        return {msgid for till in self.institutions for msgid in till.asked}

    def businesses(self) -> Iterator[tuple[str, str]]:
        """Yield (business, msgid) of every settlement in force: none may stand there twice (I4)."""
        return ((row.key, row.msgid) for row in self.platform.rows if row.state == "live" and not row.refund_of)
