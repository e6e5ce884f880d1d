"""Counters that know nothing but money: they book what they are told is done, and believe nothing else.

In doubt they ask again with the same bytes while they are told to ask; some lose patience and reverse by themselves.
"""

from collections.abc import Callable, Generator
from decimal import Decimal

import attrs

from simulators import stamps
from simulators.his import CALL_PATH, NEW_MESSAGE_S, Answer, Pause, Script, Send, Step, Talk, undecided
from simulators.wording import Dice, Json, read_object, write

AREA = "510800"
ELSEWHERE = "510100"
_NOT_OF_STAYS = ("chrg_bchno", "med_type")
ASK_AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)


@attrs.define
class Booking:
    """What a counter believes it was paid, or paid back."""

    msgid: str
    infno: str
    setl_id: str
    fen: int


@attrs.define(eq=False)
class Till:
    """One institution's counters. open: messages whose end is not known, as sent; asked: what it reversed itself."""

    clock_s: Callable[[], float]
    dice: Dice
    code: str
    impatient: float = 0.0
    takes_back: float = 0.0
    careless: float = 0.0
    ledger: list[Booking] = attrs.Factory(list)
    open: dict[str, bytes] = attrs.Factory(dict)
    manual: set[str] = attrs.Factory(set)
    asked: set[str] = attrs.Factory(set)
    neighbours: "list[Till]" = attrs.Factory(list)
    _serial: int = 0

    def day(self, persons: list[str], money: int) -> list[Script]:
        """Scripts that send about so many money messages."""
        return [self._business(self.dice.choice(persons), number) for number in range(money * 5 // 6)]

    def _business(self, psn_no: str, number: int) -> Script:
        kind = self.dice.random()
        total = Decimal(self.dice.randrange(100, 100_000)).scaleb(-2)
        if kind < 0.1:
            yield from self._pay("2401", _admission(psn_no, f"Z{self.code[-3:]}{number}"))
        elif self.code.startswith("P"):
            yield from self._sell("2102", "2103", _sale(psn_no, f"F{self.code[-3:]}{number}", total), psn_no)
        elif kind > 0.8:
            yield from self._sell("2304", "2305", _stay(psn_no, f"Y{self.code[-3:]}{number}", total), psn_no)
        else:
            if kind < 0.3:
                trial = _visit(psn_no, f"M{self.code[-3:]}{number}", total)
                yield Send(CALL_PATH, self._message("2206", trial)[1])
            yield from self._sell("2207", "2208", _visit(psn_no, f"M{self.code[-3:]}{number}", total), psn_no)

    def _sell(self, infno: str, back: str, body: Json, psn_no: str) -> Script:
        found = yield from self._pay(infno, body)
        if found is None or "setlinfo" not in found.output:
            return  # not done, or nobody can say for how much
        row = found.output["setlinfo"]
        if self.dice.random() < 0.15:
            yield Pause(20.0)
            data = {"psn_no": psn_no, "setl_id": row["setl_id"], "mdtrt_id": row["mdtrt_id"]}
            yield from self._pay(back, {"data": data})
        elif self.dice.random() < self.takes_back:
            for msgid in [one.msgid for one in self.ledger if one.setl_id == row["setl_id"] and one.infno == infno]:
                yield from self._reverse(msgid, infno, psn_no)

    def _pay(self, infno: str, body: Json) -> Generator[Step, Answer | None, Answer | None]:
        """Send until it is decided; a new message when it certainly did not happen. Return the answer, or None."""
        psn_no = next(iter(body.values()))["psn_no"]
        for pause_s in (*NEW_MESSAGE_S, 0.0):
            msgid, raw = self._message(infno, body)
            self.open[msgid] = raw
            found = yield from self._decide(raw, msgid, infno, psn_no)
            if self._settled(msgid, infno, found):
                if self._forgets():
                    yield from self._muddle(msgid, infno, body)
                return found
            if undecided(found) or found.gw_repeat != "new":
                return None
            yield Pause(pause_s)
        return None

    def _settled(self, msgid: str, infno: str, found: Answer) -> bool:
        """Write down what an answer says; True when it is done."""
        if found.done:
            row = found.output.get("setlinfo") or {"setl_id": "", "medfee_sumamt": 0}
            self.ledger.append(
                Booking(msgid, infno, row.get("setl_id", ""), int(Decimal(row["medfee_sumamt"]).scaleb(2)))
            )
        elif found.gw_state == "MANUAL":
            self.manual.add(msgid)
        if found.done or not undecided(found):
            self.open.pop(msgid, None)
        return found.done

    def _decide(self, raw: bytes, msgid: str, infno: str, psn_no: str) -> Talk:
        found = yield from _send(raw)
        for pause_s in ASK_AGAIN_S:
            if not undecided(found):
                break
            if self.dice.random() < self.impatient and infno in ("2102", "2207", "2401"):
                taken = yield from self._reverse(msgid, infno, psn_no)
                if taken:
                    return Answer(200, b"", {"infcode": -1, "gw_repeat": "new"})
            yield Pause(pause_s)
            if self._forgets():  # the lines may not change under it
                yield Send(CALL_PATH, self._message("2205", _batch(read_object(raw) or {}))[1])
            found = yield from _send(raw)
        return found

    def _forgets(self) -> bool:
        return bool(self.careless) and self.dice.random() < self.careless

    def _muddle(self, msgid: str, infno: str, body: Json) -> Script:
        """Something that must come to nothing: nobody at the counter notes what is said to it, but a new booking."""
        name, kind = next(iter(body)), self.dice.randrange(0, 3)
        if kind == 0:
            again, raw = self._message(infno, body)  # the same business under another number
            self.open[again] = raw
            self._settled(again, infno, (yield from _send(raw)))
        elif kind == 1:
            other = body | {name: body[name] | {"mdtrt_id": f"X{msgid[-4:]}"}}
            yield from _send(self._message(infno, other, msgid)[1])
        else:
            near = self.dice.choice(self.neighbours)
            theirs = near.ledger[-1] if near.ledger and self.dice.random() < 0.7 else None
            data = {"psn_no": body[name]["psn_no"], "omsgid": msgid, "oinfno": infno}
            data |= {"omsgid": theirs.msgid, "oinfno": theirs.infno} if theirs else {"psn_no": "51080000000000009999"}
            yield from _send(self._message("2601", {"data": data})[1])

    def _reverse(self, omsgid: str, infno: str, psn_no: str) -> Generator[Step, Answer | None, bool]:
        """2601 of its own; True when it is told that the original is undone."""
        self.asked.add(omsgid)
        raw = self._message("2601", {"data": {"psn_no": psn_no, "omsgid": omsgid, "oinfno": infno}})[1]
        found = yield from _send(raw)
        for pause_s in ASK_AGAIN_S:
            if not undecided(found):
                break
            yield Pause(pause_s)
            found = yield from _send(raw)
        if found.done:
            self.ledger = [row for row in self.ledger if row.msgid != omsgid]
        elif undecided(found):
            self.open[f"2601 {omsgid}"] = raw
        return found.done

    def evening(self) -> Script:
        """Ask once more about everything that is still open."""
        for msgid, raw in list(self.open.items()):
            found = yield from _send(raw)
            for pause_s in ASK_AGAIN_S[:3]:
                if found.status == 200:
                    break
                yield Pause(pause_s)
                found = yield from _send(raw)
            if not msgid.startswith("2601 "):
                self._settled(msgid, "", found)
            elif not undecided(found):
                del self.open[msgid]
                if found.done:
                    self.ledger = [row for row in self.ledger if row.msgid != msgid[5:]]

    def _message(self, infno: str, body: Json, msgid: str = "") -> tuple[str, bytes]:
        """Return (msgid, bytes) of a message; of every third person the insurance is elsewhere."""
        self._serial += 1
        now_s = self.clock_s()
        msgid = msgid or f"{self.code}{stamps.dense(now_s)}{self._serial:04d}"
        elsewhere = int(next(iter(body.values()))["psn_no"][-4:]) % 3 == 0
        return msgid, write(
            {
                "infno": infno,
                "msgid": msgid,
                "mdtrtarea_admvs": AREA,
                "insuplc_admdvs": ELSEWHERE if elsewhere else AREA,
                "recer_sys_code": "YBXT",
                "dev_no": "",
                "dev_safe_info": "",
                "cainfo": "",
                "signtype": "",
                "infver": "V1.0",
                "opter_type": "1",
                "opter": "OP0001",
                "opter_name": "测试收费员",
                "inf_time": stamps.stamp(now_s),
                "fixmedins_code": self.code,
                "fixmedins_name": "示例机构",
                "sign_no": "",
                "input": body,
            }
        )


def _send(raw: bytes) -> Talk:
    found = yield Send(CALL_PATH, raw)
    assert found is not None
    return found


def _batch(envelope: Json) -> Json:
    """`input` of 2205: the lines of the visit a message is about."""
    data = next(iter(envelope["input"].values()))
    visit = data.get("mdtrt_id") or "M0"
    return {"data": {"psn_no": data["psn_no"], "mdtrt_id": visit, "chrg_bchno": data.get("chrg_bchno") or "0000"}}


def _visit(psn_no: str, number: str, total: Decimal) -> Json:
    """`data` of 2207 and 2206."""
    return {
        "data": {
            "psn_no": psn_no,
            "mdtrt_cert_type": "02",
            "mdtrt_cert_no": "999000194001010004",
            "med_type": "11",
            "medfee_sumamt": total,
            "psn_setlway": "01",
            "mdtrt_id": number,
            "chrg_bchno": number,
            "acct_used_flag": "0",
            "insutype": "310",
            "fulamt_ownpay_amt": 0,
            "overlmt_selfpay": 0,
            "preselfpay_amt": 0,
            "inscp_scp_amt": total,
            "invono": number,
        }
    }


def _stay(psn_no: str, number: str, total: Decimal) -> Json:
    """`data` of 2304."""
    visit = {name: value for name, value in _visit(psn_no, number, total)["data"].items() if name not in _NOT_OF_STAYS}
    return {"data": visit | {"mid_setl_flag": "0", "dscgTime": "2026-03-02 08:00:00"}}


def _sale(psn_no: str, number: str, total: Decimal) -> Json:
    line = {
        "feedetl_sn": number, "fee_ocur_time": "2026-03-02 08:00:00", "med_list_codg": "",
        "medins_list_codg": "YP01274", "det_item_fee_sumamt": total, "cnt": 1, "pric": total, "rxno": "CF1",
        "rx_circ_flag": "0", "sin_dos_dscr": "1", "used_frqu_dscr": "每日三次", "prd_days": 3, "medc_way_dscr": "口服",
        "bilg_dr_codg": "D0070", "bilg_dr_name": "测试",
    }  # fmt: skip
    head = {
        "psn_no": psn_no, "mdtrt_cert_type": "02", "mdtrt_cert_no": "999000194001010004",
        "begntime": "2026-03-02 08:00:00", "medfee_sumamt": total, "insutype": "310", "dise_codg": "", "dise_name": "",
        "acct_used_flag": "0", "med_type": "41", "invono": number,
    }  # fmt: skip
    return {"druginfo": head, "drugdetail": [line]}


def _admission(psn_no: str, number: str) -> Json:
    head = {
        "psn_no": psn_no, "insutype": "310", "coner_name": "测试", "tel": "", "begntime": "2026-03-02 08:00:00",
        "mdtrt_cert_type": "02", "mdtrt_cert_no": "999000194001010004", "med_type": "21", "ipt_no": number,
        "medrcdno": number, "atddr_no": "D0080", "chfpdr_name": "测试", "adm_diag_dscr": "测试",
        "adm_dept_codg": "0201", "adm_dept_name": "外科", "adm_bed": "01", "dscg_maindiag_code": "J06.900",
        "dscg_maindiag_name": "急性上呼吸道感染", "main_cond_dscr": "", "dise_codg": "", "dise_name": "",
    }  # fmt: skip
    disease = {
        "psn_no": psn_no, "diag_type": "1", "maindiag_flag": "1", "diag_srt_no": 1, "diag_code": "J06.900",
        "diag_name": "急性上呼吸道感染", "diag_dept": "0201", "dise_dor_no": "D0080", "dise_dor_name": "测试",
        "diag_time": "2026-03-02 08:00:00",
    }  # fmt: skip
    return {"mdtrtinfo": head, "diseinfo": [disease]}
