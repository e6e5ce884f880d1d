"""The demonstration's evening: the books of all parties are compared, what was planted wrong is found and put right by
whom it concerns, and the day is solidified by two people and verified.

Planted are an institution that booked a wrong amount, a pharmacy that did not sign its day off, a settlement the
province's platform lost, and one the insured person's agency posted with a fen too much.
"""

import csv
import json
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
from rich.console import Console
from rich.table import Table

from simulators.accounts import write_rows
from simulators.demo_people import DESK, RECONCILER, People
from simulators.demo_wire import call
from simulators.money import fen, yuan
from simulators.processes import Failed, Processes
from simulators.wording import Json

AGREED = "AGREED"
FAULTS = {"H51080200001": "wrong_amount", "P51080200102": "no_marker"}
REMOTE_EVERY = 5  # of the city's patients one in so many is insured elsewhere
NEAR_MIDNIGHT = "WAIT_NEXT_DAY"  # nothing is wrong: the other side's next day is not there yet
_ROUNDS = 4
_FINDINGS = (0, 3)
_TOTALS = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
# What a person of the agency decides of a case, by its leg.
_DECISIONS = {"L1": "correct", "L2": "feedback", "L4": "feedback"}
_STATES = {
    "WAIT_INPUT": "等待账目", "L1_DIFF": "第1段有差异", "L2_DIFF": "第2段有差异", "L4_DIFF": "第4段有差异",
    AGREED: "账平", "AGREED_WITH_CARRY": "账平（有结转）", "FROZEN": "已固化",
}  # fmt: skip


@attrs.frozen
class BooksChapter:
    """The evening of one city. province, gateway: their addresses; names: institution -> its name."""

    processes: Processes
    config: Path
    folder: Path
    pki: Path
    province: str
    gateway: str
    names: Mapping[str, str]
    console: Console
    say: Callable[[str], None]

    @property
    def people(self) -> People:
        return People(self.processes, self.config, self.folder, self.pki)

    def arguments(self, code: str) -> Sequence[str]:
        """Return what an institution is started with: it hands its day in, perhaps with a fault."""
        return "--send-day-file", "--day-fault", FAULTS.get(code, "none")

    def play(self) -> bool:
        """Close every date there were settlements on; True when all is agreed, solidified, verified. Raises Failed."""
        self.say("经办机构的对账员、复核员登记口令与证书（第二因素）")
        self.people.enrol()
        ledgers = {code: self._ledger(code) for code in self.names}
        dates = sorted({row["setl_time"][:10] for rows in ledgers.values() for row in rows})
        self._spoil()
        agreed = [self._close(date, ledgers) for date in dates]
        return all(agreed) and bool(agreed)

    def _close(self, date: str, ledgers: Mapping[str, list[dict[str, str]]]) -> bool:
        told: Json = {}
        for number in range(_ROUNDS):
            self.say(f"{date}对账，第{number + 1}轮：机构—网关—经办—省平台—参保地（3201、3202、省对账单）")
            proof = self.people.proof(DESK)
            told = json.loads(self._tool("day", "--date", date, "--json", *proof, accept=_FINDINGS))
            self._show(told)
            if told["days"].get("*") == AGREED:
                return self._solidify(date)
            self._put_right(date, ledgers)
        near = set(told.get("classes", {})) <= {NEAR_MIDNIGHT, "NETZERO_TRACE"} and NEAR_MIDNIGHT in told["classes"]
        if near:
            self.console.print("  临近午夜：等次日的账目到了再对，现在不能固化（T3）")
        return near

    def _show(self, told: Json) -> None:
        table = Table(title=f"第{told['revision']}次对账，共{told['keys']}笔", title_justify="left")
        table.add_column("范围")
        table.add_column("状态")
        for scope, state in sorted(told["days"].items()):
            name = self.names.get(scope, "全市")
            table.add_row(name, f"[{'green' if state == AGREED else 'yellow'}]{_STATES.get(state, state)}[/]")
        self.console.print(table)
        classes = "，".join(f"{name} {count}笔" for name, count in sorted(told.get("classes", {}).items()))
        self.console.print(f"  差异：{classes or '没有'}；执行的动作：{told.get('actions') or '没有'}")

    # --- what is wrong, and who puts it right -----------------------------------------------------------

    def _spoil(self) -> None:
        """Let the province lose one settlement, and the insured person's agency post another a fen too high."""
        with urllib.request.urlopen(f"{self.province}/sim/ledger", timeout=10) as answer:  # noqa: S310
            books = json.load(answer)
        refunded = {row["setl_id"] for row in books["PROV"] if row["direction"] == "1"}
        whole = [row["setl_id"] for row in books["PROV"] if row["setl_id"] not in refunded]
        self.say(
            f"外地参保人的结算{len(whole)}笔；有意制造差错：机构记错一笔，药店没有封账，省平台丢一笔，参保地多记一分"
        )
        if len(whole) < 2:
            raise Failed("外地参保人的结算不足两笔，演示不了省平台对账：请加大 --patients")
        self._fault({"kind": "missing_row", "ledger": "PROV", "setl_id": whole[0]})
        self._fault(
            {"kind": "wrong_amount", "ledger": "INS", "setl_id": whole[1], "component": "medfee_sumamt", "by_fen": 1}
        )

    def _fault(self, what: Json) -> None:
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            f"{self.province}/sim/faults", json.dumps(what).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            if answer.status != 200:
                raise Failed("省平台模拟器没有收下差错")

    def _put_right(self, date: str, ledgers: Mapping[str, list[dict[str, str]]]) -> None:
        """People decide the cases; an institution that was told of its fault hands its right file in."""
        cases = json.loads(self._tool("cases", "--date", date, "--json", accept=_FINDINGS))["cases"]
        proposals = []
        for case in (one for one in cases if one["state"] == "OPEN"):
            what = f"{case['class']} {case['setl_id'] or case['msgid']}"
            decision = _DECISIONS[case["leg"]]
            words = ("--decision", decision, "--reason", "演示：核对原始凭据", *self.people.proof(RECONCILER))
            done = json.loads(self._decide(case["case"], *words))
            self.console.print(f"  个案{case['case']}（{what}）：{decision}{'' if done['carried_out'] else '，待复核'}")
            if not done["carried_out"]:
                proposals.append(done["approval"])
        if proposals:
            self.people.approve(proposals)
        for code, fault in FAULTS.items():
            if fault == "wrong_amount":
                told = call(f"{self.gateway}/api/v1/books/{code}/{date}", self.pki, code)
                self.console.print(
                    f"  {self.names[code]}取回反馈给它的差异：{len(told['differences'])}条（取走即为回执）"
                )
            self._hand_in(code, date, [row for row in ledgers[code] if row["setl_time"][:10] == date])

    def _hand_in(self, code: str, date: str, rows: list[dict[str, str]]) -> None:
        file = self.folder / f"{code}_{date}_corrected.csv"
        with file.open("w", encoding="utf-8", newline="") as stream:
            write_rows(rows, stream)
        marker = {"rows": len(rows)} | {name: str(yuan(sum(fen(row[name]) for row in rows))) for name in _TOTALS}
        file.with_name(f"{file.name}.end.json").write_text(json.dumps(marker), "utf-8")
        words = (code, str(file), "--date", date, "--operator", "账务员", *self.people.proof(DESK))
        self.processes.tool("gateway", "books", "hand-in", str(self.config), *words)
        self.console.print(f"  {self.names[code]}交来更正的账目和日终标志：{len(rows)}行")

    def _ledger(self, code: str) -> list[dict[str, str]]:
        try:
            with (self.folder / f"{code}.csv").open(encoding="utf-8-sig", newline="") as file:
                return list(csv.DictReader(file))
        except (OSError, ValueError) as cause:
            raise Failed(f"{self.names[code]}的账本读不出：{cause}") from cause

    # --- solidified -------------------------------------------------------------------------------------

    def _solidify(self, date: str) -> bool:
        self.say(f"{date}数据固化：对账员提出，复核员核准，机构与经办确认，然后验证")
        proof = self.people.proof(RECONCILER)
        told = json.loads(self._tool("freeze", "--date", date, "--all", *proof, "--json"))
        self.people.approve([day["approval"] for day in told["days"]])
        for day in told["days"]:
            # Who records the agency's word does not record the institution's, too.
            for party, who in (("INST", DESK), ("AGY", RECONCILER)) if day["scope"] != "*" else (("AGY", RECONCILER),):
                words = ("--date", date, "--scope", day["scope"], "--party", party, "--operator", f"{party}-01")
                self._tool("consent", *words, *self.people.proof(who))
        frozen = json.loads(self._tool("frozen", "--json"))["frozen"]
        table = Table(title="固化的数据（SM3链，SM2签名）", title_justify="left")
        for name in ("范围", "笔数", "摘要", "经办", "复核", "双方确认"):
            table.add_column(name)
        for day in frozen:
            name = self.names.get(day["scope"], "全市")
            digest = day["freeze_sm3"][:16] + "…"
            table.add_row(name, str(day["fees"]), digest, day["maker"], day["checker"], "、".join(day["consents"]))
        self.console.print(table)
        self.console.print("  " + self._tool("verify").strip())
        self.console.print(f"  审计记录{self.people.audited()['entries']}条，链与签名完好")
        pages = self.folder / f"books-{date}"
        self._tool("report", "--date", date, "--out", str(pages))
        self.console.print(f"  对账日报（网页与Excel）：{pages / 'report.html'}")
        return len(frozen) == len(told["days"])

    def _decide(self, case: int, *words: str) -> str:
        return self.processes.tool("gateway", "books", "decide", str(self.config), str(case), *words, "--json")

    def _tool(self, command: str, *words: str, accept: tuple[int, ...] = (0,)) -> str:
        return self.processes.tool("gateway", "books", command, str(self.config), *words, accept=accept)
