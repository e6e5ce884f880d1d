"""The provincial platform and the agencies behind it: statements, feedback, reversals. Without sockets.

It reads docs/province.md by itself. Its own book is filled with what the city's platform forwards of remote patients
(`post`), and it forwards to the insured agencies. Care-locality data prevail: a feedback corrects its book at once, and
the next statement shows it. Clearing is `province_clearing`, misbehaviour `province_faults`.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from simulators import stamps
from simulators.insured import InsuredAgencies, treated_elsewhere
from simulators.money import NotMoney, fen
from simulators.people import AREA, ELSEWHERE
from simulators.platform import JSON_TYPE, Clock, Reply
from simulators.postings import Book, Posting, Serials, of_facts, of_platform
from simulators.province_clearing import Clearing
from simulators.province_faults import OF_ANSWERS, OF_BOOKS, Fault, Faults, fault_of
from simulators.province_monthly import Monthly
from simulators.province_statements import Statements
from simulators.province_words import PREFIX, Answered, Ask, No
from simulators.wording import Dice, Json, read_object, write

WINDOW_MS = 300_000
REMEMBERED_MAX = 100_000
_CHANGES = frozenset({
    "feedback", "reversal", "clearing/begin", "clearing/rows", "clearing/submit", "clearing/withdraw", "monthly/begin",
    "monthly/rows", "monthly/submit",
})  # fmt: skip


class Province:
    """One province.

    clock: seconds() is the time of all stamps. accounts: name -> secret of each agency that may ask; empty = nobody is
    checked. outside: so many people of our city are treated elsewhere every day that is asked about.
    page_max: rows of one statement page at most.
    """

    def __init__(
        self, clock: Clock, dice: Dice, *, accounts: Mapping[str, bytes] | None = None, outside: int = 0,
        page_max: int = 1000,
    ) -> None:  # fmt: skip
        self.faults = Faults()
        self.books: dict[str, Book] = {"PROV": Book(), "AGY": Book()}
        self.insured = InsuredAgencies()
        self.books["INS"] = self.insured.book
        self.clearing = Clearing(clock, self.books["PROV"], self.faults)
        self.monthly = Monthly(clock, self.books["PROV"])
        self.statements = Statements(clock, self.books, self.faults, page_max)
        self.counts: dict[str, int] = {}
        self._clock = clock
        self._dice = dice
        self._accounts = dict(accounts or {})
        self._outside = outside
        self._generated: set[str] = set()
        self._serial = Serials()
        self._posted: dict[str, str] = {}  # number at the city's platform -> prov_sn
        self._withdrawn: set[str] = set()
        self._remembered: dict[tuple[str, str], tuple[str, bytes, Json]] = {}
        self._answered = Answered()
        self._nonces: dict[str, float] = {}
        self._arrivals: dict[str, int] = {}
        self._does: Mapping[str, Callable[[Ask], Json]] = {
            "statement": self._statement,
            "feedback": self._feedback,
            "reversal": self._reversal,
            "receipt": self._receipt,
            **self.clearing.operations,
            **self.monthly.operations,
        }

    # --- what comes in by itself ---

    def post(self, rows: list[Json]) -> None:
        """Take what the city's platform has on its ledger: new remote rows are posted, reversed ones withdrawn."""
        for row in rows:
            if row["clr_pay_loc"] == "2":
                continue
            number = row["setl_id"]
            if number not in self._posted:
                posting = of_platform(row, self._serial(AREA, self._clock.seconds()))
                self._posted[number] = posting.prov_sn
                self.forward(posting)
            if row["reversed"] and number not in self._withdrawn:
                self._withdrawn.add(number)
                self._take_out(self._posted[number])

    def forward(self, posting: Posting) -> None:
        """Post at the province and at the insured agency, with the mistakes that were planted."""
        self.books["PROV"].add(posting)
        self.insured.post(posting)
        for name in ("PROV", "INS"):
            self._arrivals[name] = self._arrivals.get(name, 0) + 1
            for fault in [one for one in self.faults.planted if one.kind in OF_BOOKS and one.nth]:
                if fault.ledger == name and fault.nth == self._arrivals[name]:
                    self.faults.planted.remove(fault)
                    self._spoil(self.books[name], fault, self.books[name].rows[posting.prov_sn])

    def _take_out(self, prov_sn: str) -> None:
        for name in ("PROV", "INS"):
            found = self.books[name].rows.get(prov_sn)
            if found is not None:
                found.out = True

    def treat_elsewhere(self, date: str) -> None:
        """Our people's settlements elsewhere on a date, made once."""
        if date in self._generated or not self._outside:
            return
        self._generated.add(date)
        for number in range(self._outside):
            when = f"{date} {9 + number % 9:02d}:{number % 60:02d}:00"
            sn = self._serial(ELSEWHERE[number % len(ELSEWHERE)], self._clock.seconds())
            posting = treated_elsewhere(self._dice, number, sn, when)
            self.books["AGY"].add(attrs.evolve(posting, amounts=dict(posting.amounts)))
            self.forward(posting)

    # --- mistakes ---

    def plant(self, fault: Fault) -> None:
        """Let something go wrong. Of books: at once in the posting named by setl_id or, when it is there, by nth."""
        if fault.kind not in OF_BOOKS:
            self.faults.planted.append(fault)
            return
        book = self.books[fault.ledger or "PROV"]
        rows = [one for one in book.live() if fault.setl_id in ("", one.setl_id)]
        number = max(1, fault.nth)
        if fault.setl_id or not fault.nth or len(rows) >= number:
            if len(rows) < number:
                raise ValueError("no such posting")
            self._spoil(book, fault, rows[number - 1])
        else:
            fault.ledger = fault.ledger or "PROV"
            self.faults.planted.append(fault)

    def _spoil(self, book: Book, fault: Fault, victim: Posting) -> None:
        if fault.kind == "wrong_amount":
            victim.amounts[fault.component] = victim.amounts.get(fault.component, 0) + fault.by_fen
        elif fault.kind == "missing_row":
            del book.rows[victim.prov_sn]
        elif fault.kind == "wrong_status":
            victim.status = fault.status
        elif fault.kind == "wrong_text":
            setattr(victim, fault.column, fault.value)
        elif fault.kind == "moved_time":
            victim.setl_time = stamps.later(victim.setl_time, fault.seconds)
        else:
            sn = self._serial(victim.care, self._clock.seconds())
            twin = attrs.evolve(victim, prov_sn=sn, amounts=dict(victim.amounts))
            if fault.kind == "extra_row":
                twin.setl_id, twin.msgid, twin.mdtrt_id = f"X{sn}", f"X{sn}", f"M{sn}"
                twin.direction = "0"  # nobody would look for the settlement of a refund that nobody else has
                twin.amounts = {name: abs(amount) for name, amount in victim.amounts.items()}
            book.add(twin)

    # --- the wire ---

    def serve(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one request; headers with lower-case names."""
        if path.startswith("/sim/"):
            return self._about(path, body)
        if not path.startswith(PREFIX):
            return Reply(404, JSON_TYPE, write({"code": "BAD_REQUEST", "message": "地址不存在"}))
        op = path.removeprefix(PREFIX)
        self.counts[op] = self.counts.get(op, 0) + 1
        denied = self._denied(path, headers, body)
        if denied:
            return Reply(401, JSON_TYPE, write({"code": "DENIED", "message": denied}))
        first = next(self.faults.take(OF_ANSWERS, op), None)  # one trouble a request
        faults = {first.kind: first} if first is not None else {}
        if "lose_request" in faults:
            return Reply(200, JSON_TYPE, b"", drop="reset")
        reply = self._answer(op, headers.get("x-province-account", ""), body, "without_effect" in faults)
        if "raw" in faults:
            raw = faults["raw"]
            return Reply(raw.http_status, JSON_TYPE, raw.body.replace("@ID@", _id(body)).encode())
        if "foreign_id" in faults:
            reply = reply._replace(body=write((read_object(reply.body) or {}) | {"request_id": "another"}))
        if "system_error" in faults:
            said = {"request_id": _id(body), "code": "ERROR", "message": "系统繁忙", "data": {}}
            reply = reply._replace(body=write(said))
        if "lose_answer" in faults:
            reply = reply._replace(drop="reset")
        return reply._replace(body_sent=40) if "cut" in faults else reply

    def _denied(self, path: str, headers: Mapping[str, str], body: bytes) -> str:
        if not self._accounts:
            return ""
        account, stamp, nonce, given = (
            headers.get(f"x-province-{name}", "") for name in ("account", "timestamp", "nonce", "signature")
        )
        secret = self._accounts.get(account)
        now_ms = self._clock.seconds() * 1000
        if secret is None or not stamp.isdigit() or abs(int(stamp) - now_ms) > WINDOW_MS or len(nonce) < 32:
            return "账号、时间戳或随机数无效"
        text = "\n".join(("POST", path, stamp, nonce, hashlib.new("sm3", body).hexdigest()))
        if not hmac.compare_digest(hmac.new(secret, text.encode(), "sm3").hexdigest(), given):
            return "签名错误"
        if nonce in self._nonces:
            return "随机数重复"
        self._nonces[nonce] = now_ms
        for old in [one for one, at_ms in self._nonces.items() if at_ms < now_ms - 2 * WINDOW_MS][:100]:
            del self._nonces[old]
        return ""

    def _answer(self, op: str, account: str, body: bytes, without_effect: bool) -> Reply:
        facts = read_object(body)
        number = _id(body)
        try:
            does = self._does.get(op)
            if facts is None or not 1 <= len(number) <= 64 or does is None:
                raise No("BAD_REQUEST", "报文不是JSON对象，或没有request_id，或没有这个操作")
            code, data = "OK", self._once(does, Ask(account, op, number, facts), body, without_effect)
            message = ""
        except No as no:
            code, data, message = no.code, {}, str(no)
        except (KeyError, TypeError, ValueError, NotMoney) as cause:
            code, data, message = "BAD_REQUEST", {}, f"报文内容不符合规定：{type(cause).__name__}"
        return Reply(200, JSON_TYPE, write({"request_id": number, "code": code, "message": message, "data": data}))

    def _once(self, does: Callable[[Ask], Json], ask: Ask, body: bytes, without_effect: bool) -> Json:
        """Do it once a request_id: a repeat gets the first answer, other content under it is a conflict. Of questions,
        too: who asks again what may have changed meanwhile, does so under a new one."""
        known = self._remembered.get((ask.account, ask.request_id)) or self._answered.get(ask.account, ask.request_id)
        digest = hashlib.sha256(body).digest()
        if known is not None:
            if known[:2] != (ask.op, digest):
                raise No("CONFLICT", "同一请求号的内容不同")
            return known[2]
        if ask.op not in _CHANGES:
            answer = does(ask)
            self._answered.keep(ask.account, ask.request_id, ask.op, digest, answer)
            return answer
        found = self._pretend(ask) if without_effect else does(ask)
        self._remembered[ask.account, ask.request_id] = (ask.op, digest, found)
        if len(self._remembered) > REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]
        return found

    def _pretend(self, ask: Ask) -> Json:
        """Say yes to a reversal or a feedback, and do nothing."""
        number = self._serial(AREA, self._clock.seconds(), "L")
        if ask.op == "reversal":
            return {"ack_no": number, "result": "REVERSED"}
        said = [{"item_id": one["item_id"], "taken": True, "code": "", "message": ""} for one in ask.facts["items"]]
        return {"receipt_no": number, "received_at": stamps.stamp(self._clock.seconds()), "items": said}

    # --- operations ---

    def _statement(self, ask: Ask) -> Json:
        self.treat_elsewhere(str(ask.facts["date"]))
        return self.statements.page(ask.facts)

    def _receipt(self, ask: Ask) -> Json:
        known = self._remembered.get((ask.account, str(ask.facts["about"])))
        if known is None:
            return {"found": False}
        return {"found": True, "operation": known[0], "code": "OK", "data": known[2]}

    def _feedback(self, ask: Ask) -> Json:
        items = ask.facts["items"]
        if not 1 <= len(items) <= 500:
            raise No("BAD_REQUEST", "一次应反馈1至500条")
        said = []
        for item in items:
            code, message = self._correct(item)
            said.append({"item_id": item["item_id"], "taken": not code, "code": code, "message": message})
        number = self._serial(AREA, self._clock.seconds(), "F")
        return {"receipt_no": number, "received_at": stamps.stamp(self._clock.seconds()), "items": said}

    def _correct(self, item: Json) -> tuple[str, str]:
        """Correct one record; (code, why not), empty when it was taken."""
        kind, party = item["kind"], item["party"]
        if party not in ("PROV", "INS") or len(str(item["evidence_sm3"])) != 64 or not item["operator"]:
            return "BAD_REQUEST", "缺少对象、证据摘要或操作人"
        book = self.books[party]
        found = book.find(item.get("prov_sn") or "", item.get("setl_id") or "", item.get("direction") or "0")
        if kind in ("MISSING_AT_PROV", "MISSING_AT_INS"):
            return ("", "") if found is not None else self._add_missing(item, party)
        if found is None:
            return "NOT_FOUND", "没有这笔记录"
        if kind == "DUPLICATE":
            twins = [one for one in book.live() if one.key == found.key]
            if not item.get("prov_sn") or len(twins) < 2:
                return "NOT_FOUND", "没有重复的记录"
            found.out = True
        elif kind == "STATUS":
            found.status = "" if item["status"] == "SETTLED" else item["status"]
        elif kind == "AMOUNT":
            found.amounts |= {name: fen(value) for name, value in item["values"].items()}
        else:
            return "BAD_REQUEST", "没有这种反馈"
        return "", ""

    def _add_missing(self, item: Json, party: str) -> tuple[str, str]:
        setl_id, direction = item["setl_id"], item.get("direction") or "0"
        other = self.books["INS" if party == "PROV" else "PROV"].find("", setl_id, direction)
        was = next((one for one in self.books[party].rows.values() if one.key == (setl_id, direction)), None)
        known = other or was
        sn = known.prov_sn if known else self._serial(AREA, self._clock.seconds())
        care, insured = (known.care, known.insured) if known else (AREA, ELSEWHERE[0])
        facts = {"direction": direction, **item["facts"]}
        posting = of_facts(facts, item["values"], sn, setl_id, care, insured)
        if party == "INS":
            self.insured.repost(posting)
        else:
            self.books["PROV"].add(posting)
        return "", ""

    def _reversal(self, ask: Ask) -> Json:
        """Take a record out of a party's book; again and again is the same."""
        facts = ask.facts
        if not facts.get("reason") or not facts.get("operator"):
            raise No("BAD_REQUEST", "缺少原因或操作人")
        rows = list(self.books[facts["party"]].rows.values())
        if facts.get("prov_sn"):
            named = [one for one in rows if one.prov_sn == facts["prov_sn"]]
        elif facts.get("omsgid") and facts.get("oinfno"):
            named = [one for one in rows if one.msgid == facts["omsgid"]]
        else:
            raise No("BAD_REQUEST", "应给出prov_sn，或omsgid和oinfno")
        if not named:
            raise No("NOT_FOUND", "没有这笔记录")
        already = all(one.out for one in named)
        for one in named:
            one.out = True
        number = self._serial(AREA, self._clock.seconds(), "R")
        return {"ack_no": number, "result": "ALREADY" if already else "REVERSED"}

    # --- about itself ---

    def _about(self, path: str, body: bytes) -> Reply:
        if path == "/sim/ledger":
            shown = {name: [one.row() for one in book.live()] for name, book in self.books.items()}
            return Reply(200, JSON_TYPE, write(shown | {"count": len(shown["PROV"])}))
        if path == "/sim/stats":
            planted: list[Any] = [attrs.asdict(one) for one in self.faults.planted]
            return Reply(200, JSON_TYPE, write({"counts": self.counts, "faults": planted}))
        if path == "/sim/faults":
            try:
                self.plant(fault_of(read_object(body) or {}))
            except (ValueError, TypeError, KeyError) as cause:
                return Reply(400, JSON_TYPE, write({"code": "BAD_REQUEST", "message": str(cause)}))
            return Reply(200, JSON_TYPE, write({"code": "OK"}))
        if path == "/sim/clearing":
            return self._move(read_object(body) or {})
        return Reply(404, JSON_TYPE, write({"code": "BAD_REQUEST", "message": "地址不存在"}))

    def _move(self, facts: Json) -> Reply:
        try:
            return Reply(200, JSON_TYPE, write(self.clearing.move(facts)))
        except No as no:
            return Reply(400, JSON_TYPE, write({"code": no.code, "message": str(no)}))


def _id(body: bytes) -> str:
    number = (read_object(body) or {}).get("request_id")
    return number if isinstance(number, str) else ""
