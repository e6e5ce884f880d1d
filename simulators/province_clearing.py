"""Clearing at a province: applications in three steps, their walk to payment, deductions, the month's split (清分).

An application moves 10 -> 20 -> 40 -> 50 -> 60 by time, or by `POST /sim/clearing`. At 40 the audit has spoken: every
so-many-th settlement loses a tenth of its pooled fund, what the agency itself uploaded as deducted counts too, and a
share of the rest stays as a deposit.
"""

from collections.abc import Callable, Mapping

import attrs

from simulators import stamps
from simulators.money import fen, share, yuan
from simulators.people import AREA
from simulators.platform import Clock
from simulators.postings import Book, Posting, Serials
from simulators.province_faults import OF_STATEMENTS, Faults
from simulators.province_words import Ask, No
from simulators.wording import Json

WALK = ("10", "20", "40", "50", "60")
PAGE_ROWS = 100
ROWS_MAX = 1000
_KINDS = ("DEDUCT", "WITHHOLD", "PENALTY")
_PARTS = ("hifp_pay", "cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "maf_pay", "oth_pay", "hifdm_pay")


@attrs.define(kw_only=True)
class Application:
    """One application; since_s: when it was submitted; forced: a state given by hand. Amounts in fen."""

    head: Json
    upload_no: str
    rows: dict[int, list[Json]] = attrs.Factory(dict)
    event_id: str = ""
    since_s: float = 0.0
    forced: str = ""
    withdrawn: Json = attrs.Factory(dict)  # who took it back and why; empty while it stands
    reason: str = ""
    deductions: list[Json] = attrs.Factory(list)

    @property
    def app_no(self) -> str:
        return str(self.head["app_no"])

    @property
    def lines(self) -> list[Json]:
        return [row for number in sorted(self.rows) for row in self.rows[number]]

    def deducted(self, *kinds: str) -> int:
        return sum(fen(one["amount"]) for one in self.deductions if one["kind"] in kinds)


@attrs.define
class Clearing:
    """All applications. step_s: seconds a state lasts, 0 = only by hand; deduct_every: which settlements the audit
    finds wanting, 0 = none; deposit: per mille kept back; tells_funds: what was audited is told fund by fund, too."""

    clock: Clock
    book: Book
    faults: Faults
    step_s: float = 2.0
    deduct_every: int = 10
    deposit: int = 50
    tells_funds: bool = True
    applications: list[Application] = attrs.Factory(list)
    _serial: Serials = attrs.Factory(Serials)

    @property
    def operations(self) -> Mapping[str, Callable[[Ask], Json]]:
        return {
            "clearing/begin": self._begin,
            "clearing/rows": self._rows,
            "clearing/submit": self._submit,
            "clearing/withdraw": self._withdraw,
            "clearing/status": self._status,
            "clearing/deductions": self._deductions,
            "clearing/detail": self._detail,
        }

    def _begin(self, ask: Ask) -> Json:
        facts = ask.facts
        if any(one.app_no == facts["app_no"] and one.event_id for one in self.applications):
            raise No("CONFLICT", "这个申请号已申报")
        if len(facts["month"]) != 6 or not facts["rows_total"]:
            raise No("BAD_REQUEST", "月份或行数不符合规定")
        number = self._serial(AREA, self.clock.seconds(), "U")
        self.applications.append(Application(head=facts, upload_no=number))
        return {"upload_no": number}

    def _open(self, number: str) -> Application:
        found = next((one for one in self.applications if one.upload_no == number), None)
        if found is None:
            raise No("NOT_FOUND", "没有这次上传")
        return found

    def _rows(self, ask: Ask) -> Json:
        one, seq, rows = self._open(ask.facts["upload_no"]), int(ask.facts["seq"]), ask.facts["rows"]
        if not 1 <= len(rows) <= ROWS_MAX or seq < 1 or one.event_id:
            raise No("BAD_REQUEST", f"一次应上传1至{ROWS_MAX}行")
        one.rows[seq] = rows
        return {"received": sum(map(len, one.rows.values()))}

    def _submit(self, ask: Ask) -> Json:
        one = self._open(ask.facts["upload_no"])
        if one.event_id:
            raise No("CONFLICT", "这个申请已申报")
        lines = one.lines
        sums = {name: sum(fen(line["values"].get(name, "0")) for line in lines) for name in one.head["totals"]}
        if len(lines) != one.head["rows_total"] or any(
            fen(one.head["totals"][name]) != sum_ for name, sum_ in sums.items()
        ):
            raise No("MISMATCH", "明细与申请的笔数或金额不符")
        if one.head["clr_pay_loc"] != "2":
            self._check_known(lines)
        now_s = self.clock.seconds()
        one.event_id, one.since_s = self._serial(AREA, now_s, "E"), now_s
        one.deductions = [{**cut, "state": "NOTIFIED"} for line in lines for cut in line.get("deductions") or []]
        return {"clr_appy_evt_id": one.event_id}

    def _withdraw(self, ask: Ask) -> Json:
        """By two people, and before the audit has spoken."""
        one = next((one for one in self.standing() if one.event_id == ask.facts["clr_appy_evt_id"]), None)
        if one is None:
            raise No("NOT_FOUND", "没有这个申请")
        people = [str(ask.facts[name]) for name in ("maker", "checker")]
        if not ask.facts["reason"] or not all(people) or people[0] == people[1]:
            raise No("BAD_REQUEST", "撤回须写明原因，由两人办理")
        if self._state(one) >= "40":
            raise No("CLOSED", "申请已审核完成，不能撤回")
        one.withdrawn = {"maker": people[0], "checker": people[1], "reason": ask.facts["reason"]}
        return {"ack_no": self._serial(AREA, self.clock.seconds(), "W")}

    def standing(self) -> list[Application]:
        """Every application that was made and not taken back."""
        return [one for one in self.applications if one.event_id and not one.withdrawn]

    def _check_known(self, lines: list[Json]) -> None:
        known = {one.key: one for one in self.book.live()}
        for line in lines:
            ours = known.get((line["setl_id"], line["direction"]))
            if ours is None or any(fen(amount) != ours.amounts.get(name, 0) for name, amount in line["values"].items()):
                raise No("MISMATCH", f"结算{line['setl_id']}与省平台的账不符")

    def _state(self, one: Application) -> str:
        if one.forced:
            state = one.forced
        elif self.step_s > 0:
            state = WALK[min(len(WALK) - 1, int((self.clock.seconds() - one.since_s) / self.step_s))]
        else:
            state = WALK[0]
        if state >= "40" and not one.head.get("audited"):
            one.head["audited"] = True
            self._audit(one)
        return state

    def _audit(self, one: Application) -> None:
        for number, line in enumerate(one.lines, 1):
            fund = fen(line["values"].get("hifp_pay", "0"))
            if self.deduct_every and number % self.deduct_every == 0 and fund >= 10:
                serial = self._serial(AREA, self.clock.seconds(), "K")
                kind = _KINDS[0] if number % (2 * self.deduct_every) else _KINDS[1]
                one.deductions.append({
                    "deduction_id": serial, "setl_id": line["setl_id"], "fund": "hifp_pay",
                    "amount": str(yuan(share(fund, 100))), "kind": kind, "reason_code": "A01",
                    "reason": "超限定支付范围", "state": "NOTIFIED",
                })  # fmt: skip

    def _status(self, ask: Ask) -> Json:
        event_id, app_no = ask.facts.get("clr_appy_evt_id") or "", ask.facts.get("app_no") or ""
        one = next(
            (one for one in self.standing() if one.event_id == event_id or one.app_no == app_no),
            None,
        )
        if one is None:
            return {"found": False}
        state = self._state(one)
        applied = fen(one.head["fund_appy_sum"])
        audited = state in ("40", "50", "60")
        deducted, withheld = one.deducted("DEDUCT", "PENALTY"), one.deducted("WITHHOLD")
        deposit = share(applied - deducted - withheld, self.deposit) if audited else 0
        approved = applied - deducted - withheld - deposit if audited else 0
        return {
            "found": True,
            "clr_appy_evt_id": one.event_id,
            "app_no": one.app_no,
            "clr_stas": state,
            "opt_time": stamps.stamp(self.clock.seconds()),
            "fund_appy_sum": str(yuan(applied)),
            "dfr_amt": str(yuan(approved)),
            "det_sumamt": str(yuan(deducted if audited else 0)),
            "whld_sumamt": str(yuan(withheld if audited else 0)),
            "dpst_sumamt": str(yuan(deposit)),
            "earlier_sumamt": "0.00",
            "act_dfr_amt": str(yuan(approved if state == "60" else 0)),
            "deductions": len(one.deductions) if audited else 0,
            "reason": one.reason,
            **({"funds": self._by_fund(one, deposit)} if audited and self.tells_funds else {}),
        }

    @staticmethod
    def _by_fund(one: Application, deposit: int) -> list[Json]:
        """What was audited, fund by fund; the deposit is kept of the first funds that have as much left."""
        sums = {name: fen(text) for name, text in one.head["totals"].items()}
        parts = {name: sums.get(name, 0) for name in _PARTS}
        parts["fund_pay_sumamt"] = sums.get("fund_pay_sumamt", 0) - sum(parts.values())
        parts["acct_pay"] = sums.get("acct_pay", 0)
        found = []
        for fund, applied in parts.items():
            cut = [(row["kind"] == "WITHHOLD", fen(row["amount"])) for row in one.deductions if row["fund"] == fund]
            withheld, taken = (sum(amount for held, amount in cut if held is of) for of in (True, False))
            kept = min(deposit, applied - withheld - taken) if fund != "acct_pay" else 0
            deposit -= kept
            left = applied - withheld - taken - kept
            amounts = {"fund_appy_sum": applied, "dfr_amt": left, "det_sumamt": taken, "whld_sumamt": withheld,
                       "dpst_sumamt": kept}  # fmt: skip
            if any(amounts.values()):
                found.append({"fund": fund, **{name: str(yuan(amount)) for name, amount in amounts.items()}})
        return found

    def _deductions(self, ask: Ask) -> Json:
        one = next((one for one in self.standing() if one.event_id == ask.facts["clr_appy_evt_id"]), None)
        if one is None:
            raise No("NOT_FOUND", "没有这个申请")
        rows = one.deductions if self._state(one) in ("40", "50", "60") else []
        sums = {kind: str(yuan(one.deducted(kind) if rows else 0)) for kind in _KINDS}
        return _page(rows, int(ask.facts["startrow"]), sums)

    def _detail(self, ask: Ask) -> Json:
        month = f"{ask.facts['trt_year']}-{ask.facts['trt_month']}"
        wrong = {fault.kind: fault for fault in self.faults.take(OF_STATEMENTS, "clearing/detail")}
        if "late" in wrong:
            raise No("NOT_READY", "清分明细尚未生成")
        found = sorted(
            (one for one in self.book.live() if one.care == AREA and one.setl_time[:7] == month),
            key=lambda one: (one.setl_time, one.prov_sn),
        )
        rows = [_split(number, one) for number, one in enumerate(found, 1)]
        sums = {name: str(yuan(sum(fen(row[name]) for row in rows))) for name in ("medfee_sumamt", "optins_pay_sumamt")}
        if "wrong_totals" in wrong:
            sums["medfee_sumamt"] = str(yuan(fen(sums["medfee_sumamt"]) + wrong["wrong_totals"].by_fen))
        start = int(ask.facts["startrow"])
        page = _page(rows, start, sums)
        if "shifted_pages" in wrong and start > 1:
            page["rows"] = rows[start - 2 : start - 2 + PAGE_ROWS]
        return page

    def move(self, facts: Json) -> Json:
        """`POST /sim/clearing`: {event_id, clr_stas, reason, deduct: [{setl_id, fund, amount, kind}]}; raises No."""
        one = next((one for one in self.applications if one.event_id == facts.get("event_id")), None)
        if one is None:
            raise No("NOT_FOUND", "没有这个申请")
        for cut in facts.get("deduct") or []:
            serial = self._serial(AREA, self.clock.seconds(), "K")
            words = {"reason_code": "B01", "reason": "人工审核扣款", "state": "NOTIFIED"}
            one.deductions.append({"deduction_id": serial, **words, **cut})
        one.forced = str(facts.get("clr_stas") or one.forced)
        one.reason = str(facts.get("reason") or one.reason)
        return {"code": "OK", "clr_stas": self._state(one)}


def _page(rows: list[Json], start: int, sums: Json) -> Json:
    if start < 1:
        raise No("BAD_REQUEST", "startrow从1开始")
    return {"startrow": start, "rows_total": len(rows), "totals": sums, "rows": rows[start - 1 : start - 1 + PAGE_ROWS]}


def _split(number: int, one: Posting) -> Json:
    return {
        "seqno": number,
        "mdtrtarea": one.care,
        "medins_no": one.fixmedins_code,
        "mdtrt_id": one.mdtrt_id,
        "mdtrt_setl_time": one.setl_time,
        "setl_sn": one.prov_sn,
        "fulamt_advpay_flag": "0",
        "medfee_sumamt": str(yuan(one.amounts["medfee_sumamt"])),
        "optins_pay_sumamt": str(yuan(one.amounts.get("hifp_pay", 0))),
    }
