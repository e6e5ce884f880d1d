"""The gateway as a real process: killed at random moments under load, told to stop, started twice.

Rules: reversal specification §9, §10 (I1, I3, I4, I9); annex X27. `--kills N` says how often it is killed.
"""

import http.client
import http.server
import json
import queue
import random  # noqa: TID251  # chance of a test
import signal
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from real_processes import NOBODY_THERE, fetch, tool
from town import HOSPITAL, PHARMACY, Town

from simulators import mapping
from simulators.his import Answer, GaveUp, Pause, Script, Send, answer, undecided
from simulators.mixture import Mixture
from simulators.trial import crowd

SYSTEMS = ("drug", "service_item", "consumable", "diagnosis", "doctor")
CLIENTS = 8
MESSAGES_EACH = 25  # settlements a kill


class Till:
    """One till: a keep-alive connection to the gateway."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._wire: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes) -> Answer:
        if self._wire is None:
            self._wire = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            self._wire.request("POST", path, body, {"Content-Type": "application/json"})
            found = self._wire.getresponse()
            return answer(found.status, found.read())
        except (OSError, http.client.HTTPException):
            self._wire.close()
            self._wire = None
            return answer(0, b"")

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()

    def play(self, script: Script) -> None:
        """Run one script of the simulated institutions to its end."""
        given: Answer | None = None
        while True:
            try:
                step = script.send(given)
            except (StopIteration, GaveUp):
                return
            if isinstance(step, Pause):
                time.sleep(min(step.seconds, 0.2))
                given = None
            else:
                assert isinstance(step, Send)
                given = self.post(step.path, step.body)


@attrs.frozen
class Payment:
    """One 2207 and what the till was told about it, in order."""

    msgid: str
    key: tuple[str, str]
    path: str
    body: bytes
    told: list[Answer] = attrs.Factory(list)


def import_mappings(town: Town) -> None:
    files = mapping.write_mappings(town.folder / "mapping")
    for system in SYSTEMS:
        people = ("--maker", "a", "--reviewer", "b")
        arguments = ("codes", "map", "import", str(town.config), HOSPITAL, system, str(files[system]), *people)
        tool("gateway", *arguments)


def prepared(town: Town, dice: random.Random, how_many: int) -> list[Payment]:
    """Bring visits and charge batches onto the platform through the gateway; return a settlement of each batch."""
    now_s = time.clock_gettime(time.CLOCK_REALTIME)
    mixture: Mixture = crowd(lambda: now_s, dice, (HOSPITAL, PHARMACY), 2000)
    plan = ["2207"] * how_many
    scripts: queue.SimpleQueue[Script] = queue.SimpleQueue()
    for script in mixture.prepare(plan):
        scripts.put(script)

    def work() -> None:
        with closing(Till(town.port)) as till:
            while not scripts.empty():
                try:
                    till.play(scripts.get_nowait())
                except queue.Empty:
                    return

    together(work)
    found = []
    for _, path, body in mixture.messages(plan):
        message = json.loads(body)
        data = message["input"]["data"]
        found.append(Payment(message["msgid"], (data["mdtrt_id"], data["chrg_bchno"]), path, body))
    return found


def together(work: Any) -> None:
    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


@attrs.define
class Storm:
    """Pays everything while the gateway dies again and again; the same msgids are repeated until they are decided."""

    town: Town
    dice: random.Random
    kills: int
    payments: list[Payment]
    over: threading.Event = attrs.Factory(threading.Event)

    def run(self) -> None:
        todo: queue.SimpleQueue[Payment] = queue.SimpleQueue()
        for payment in self.payments:
            todo.put(payment)
        killer = threading.Thread(target=self._kill)
        killer.start()
        together(lambda: self._pay(todo))
        killer.join()
        self._ask_again()

    def _pay(self, todo: "queue.SimpleQueue[Payment]") -> None:
        with closing(Till(self.town.port)) as till:
            self._work(till, todo)

    def _work(self, till: Till, todo: "queue.SimpleQueue[Payment]") -> None:
        while True:
            try:
                payment = todo.get_nowait()
            except queue.Empty:
                if self.over.is_set():
                    return
                time.sleep(0.01)
                continue
            payment.told.append(till.post(payment.path, payment.body))
            if undecided(payment.told[-1]) and payment.told[-1].gw_state != "IN_DOUBT":
                time.sleep(0.02)
                todo.put(payment)
            elif not self.over.is_set() and self.dice.random() < 0.3:
                todo.put(payment)  # an impatient till repeats what it knows already

    def _kill(self) -> None:
        gateway = self.town.running[-1]
        for _ in range(self.kills):
            time.sleep(self.dice.random() * 0.3)
            gateway.end(signal.SIGKILL)
            gateway = self.town.start_gateway()
        self.over.set()

    def _ask_again(self) -> None:
        """After the storm every till asks once more."""
        with closing(Till(self.town.port)) as till:
            for payment in self.payments:
                payment.told.append(till.post(payment.path, payment.body))


@pytest.mark.processes
@pytest.mark.timeout(1200)
def test_kills_at_random_moments_never_settle_twice_and_never_lose_a_settlement(town: Town, kills: int) -> None:
    dice = random.Random(20260302 + kills)
    town.start_platform()
    import_mappings(town)
    town.start_gateway()
    payments = prepared(town, dice, kills * MESSAGES_EACH)
    before = sum(town.platform("stats")["counts"].get("2207", {}).values())
    Storm(town, dice, kills, payments).run()

    ledger = {row["msgid"]: row for row in town.platform("ledger")["rows"]}
    journal = {row["msgid"]: row for row in town.journal() if row["infno"] == "2207"}
    assert not list(contradictions(payments, journal, ledger))
    states = Counter(row["state"] for row in journal.values())
    arrived = sum(town.platform("stats")["counts"]["2207"].values()) - before
    decided = states["ACKED"] + states["REJECTED"]
    # Of those in doubt nobody knows whether they arrived; each of the others did, and once.
    assert decided <= arrived <= decided + states["IN_DOUBT"], (arrived, states)
    assert json.loads(tool("gateway", "journal", "verify", str(town.config), "--json"))["ok"]
    assert states["ACKED"] > len(payments) // 2, states


def contradictions(
    payments: list[Payment], journal: dict[str, dict[str, Any]], ledger: dict[str, dict[str, Any]]
) -> Iterator[str]:
    """Compare what the tills heard, what the journal says and what the platform booked."""
    settled = Counter(payment.key for payment in payments if payment.msgid in ledger)
    yield from (f"{key} settled {count} times" for key, count in settled.items() if count > 1)
    for payment in payments:
        row, booked = journal.get(payment.msgid), ledger.get(payment.msgid)
        state = row["state"] if row else ""
        if state == "ACKED" and (booked is None or booked["setl_id"] != row["setl_id"]):  # type: ignore[index]
            yield f"{payment.msgid} is ACKED, the platform has {booked}"
        if booked is not None and state not in ("ACKED", "IN_DOUBT"):
            yield f"{payment.msgid} is booked and {state or 'unknown to the journal'}"
        if state in ("JOURNALED", "SENT"):
            yield f"{payment.msgid} is still {state}"
        successes = {one.body for one in payment.told if one.done}
        if len(successes) > 1:
            yield f"{payment.msgid} heard different successes"
        if successes and state != "ACKED":
            yield f"{payment.msgid} heard success and is {state}"
        if state == "ACKED" and not payment.told[-1].done:
            yield f"{payment.msgid} is ACKED and the last answer was {payment.told[-1].text}"
        if any(one.gw_repeat == "new" for one in payment.told) and state == "ACKED":
            yield f"{payment.msgid} was told to use a new msgid and is ACKED"


# --- told to stop, started twice ------------------------------------------------------------------------------------


class SlowPlatform(http.server.BaseHTTPRequestHandler):
    """Settles whatever it is asked, once the test lets it answer."""

    protocol_version = "HTTP/1.1"
    arrived, may_answer = threading.Event(), threading.Event()

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.arrived.set()
        self.may_answer.wait()
        data = message["input"]["data"]
        info = {"setl_id": "S1", "mdtrt_id": data["mdtrt_id"], "psn_no": data["psn_no"]}
        body = json.dumps({"infcode": 0, "err_msg": "", "output": {"setlinfo": info}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class SlowServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


@contextmanager
def slow_platform(town: Town) -> Iterator[None]:
    SlowPlatform.arrived.clear()
    SlowPlatform.may_answer.clear()
    server = SlowServer(("127.0.0.1", town.platform_port), SlowPlatform)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        SlowPlatform.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()


PAYMENT = {
    "infno": "2207", "msgid": "H51080200001202603020800009999", "mdtrtarea_admvs": "510800", "insuplc_admdvs": "510800",
    "recer_sys_code": "YBXT", "dev_no": "", "dev_safe_info": "", "cainfo": "", "signtype": "", "infver": "V1.0",
    "opter_type": "1", "opter": "OP0001", "opter_name": "测试", "inf_time": "2026-03-02 08:00:00",
    "fixmedins_code": HOSPITAL, "fixmedins_name": "示例", "sign_no": "",
    "input": {"data": {
        "psn_no": "51080000000000000001", "mdtrt_cert_type": "02", "mdtrt_cert_no": "999000194001010004",
        "med_type": "11", "medfee_sumamt": 100, "psn_setlway": "01", "mdtrt_id": "V1", "chrg_bchno": "B1",
        "acct_used_flag": "0", "insutype": "310", "fulamt_ownpay_amt": 0, "overlmt_selfpay": 0, "preselfpay_amt": 0,
        "inscp_scp_amt": 100, "invono": "FP1",
    }},
}  # fmt: skip
PATH = "/fsi/api/rsfComIfsService/callService"


def posted(port: int, body: bytes) -> Answer:
    with closing(Till(port)) as till:
        return till.post(PATH, body)


@pytest.mark.processes
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_node_told_to_stop_finishes_what_is_in_flight_and_takes_nothing_new(town: Town, how: signal.Signals) -> None:
    town.write_config(timeout_s=60.0)
    with slow_platform(town):
        gateway = town.start_gateway()
        heard: list[Answer] = []
        body = json.dumps(PAYMENT).encode()
        waiting = threading.Thread(target=lambda: heard.append(posted(town.port, body)))
        waiting.start()
        assert SlowPlatform.arrived.wait(10)
        gateway.process.send_signal(how)
        gateway.wait_for(town.readyz, 503)
        assert posted(town.port, body).status == NOBODY_THERE
        assert heard == []
        SlowPlatform.may_answer.set()
        waiting.join(20)
        assert heard[0].done, heard[0].body
        assert gateway.process.wait(20) == 0
    (row,) = town.journal()
    assert (row["state"], row["delivered"], row["setl_id"]) == ("ACKED", True, "S1")


@pytest.mark.processes
def test_a_second_node_on_the_same_store_ends_with_2_and_disturbs_nobody(town: Town, tmp_path: Path) -> None:
    first = town.start_gateway()
    second = Town(tmp_path)
    config = second.write_config("second.toml")
    try:
        other = second.start("gateway", "run", str(config))
        assert other.process.wait(30) == 2
        assert fetch(town.readyz)[0] == 200
        first.end(signal.SIGKILL)
        again = second.start("gateway", "run", str(config))
        again.wait_for(second.readyz)
        assert again.end() == 0
    finally:
        second.close()
