"""The gateway as a real process: killed at random moments under load, told to stop, started twice.

Rules: reversal specification §9, §10 (I1, I3, I4, I7, I8, I9); annex X27. `--kills N` says how often it is killed.
"""

import http.server
import json
import random  # noqa: TID251  # chance of a test
import signal
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from real_processes import NOBODY_THERE, fetch
from tills import Rush, Till, evening, import_mappings, prepared
from town import HOSPITAL, Town

from simulators.his import Answer

MESSAGES_EACH = 25  # settlements a kill


@pytest.mark.processes
@pytest.mark.timeout(3600)
def test_kills_at_random_moments_never_settle_twice_and_never_lose_a_settlement(town: Town, kills: int) -> None:
    """After every restart the gateway ends by itself what it does not know; in the evening the three ledgers agree."""
    dice = random.Random(20260302 + kills)
    town.start_platform()
    import_mappings(town)
    town.start_gateway()
    rush = Rush(town, dice, prepared(town, dice, kills * MESSAGES_EACH), limit_s=120.0 + 15.0 * kills)

    def kill() -> None:
        gateway = town.running[-1]
        for _ in range(kills):
            time.sleep(dice.random() * 0.3)
            gateway.send_signal(signal.SIGKILL)
            gateway.wait()
            gateway = town.start_gateway()

    rush.run(kill)
    states = evening(rush)
    assert states["ACKED"] == len(rush.payments)
    assert states["REVERSED"] > 0


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
    town.link = town.link.replace("timeout_s = 5.0", "timeout_s = 60.0")
    town.write_config()
    with slow_platform(town):
        gateway = town.start_gateway(anew=True)
        heard: list[Answer] = []
        body = json.dumps(PAYMENT).encode()
        waiting = threading.Thread(target=lambda: heard.append(posted(town.port, body)))
        waiting.start()
        assert SlowPlatform.arrived.wait(10)
        gateway.send_signal(how)
        while fetch(f"http://127.0.0.1:{town.admin_port}/readyz")[0] != 503:
            assert gateway.poll() is None
            time.sleep(0.02)
        assert posted(town.port, body).status == NOBODY_THERE
        assert heard == []
        SlowPlatform.may_answer.set()
        waiting.join(20)
        assert heard[0].done, heard[0].body
        assert gateway.wait(20) == 0
    (row,) = town.journal()
    assert (row["state"], row["delivered"], row["setl_id"]) == ("ACKED", True, "S1")


@pytest.mark.processes
def test_a_second_node_on_the_same_store_ends_with_2_and_disturbs_nobody(town: Town, tmp_path: Path) -> None:
    first = town.start_gateway()
    second = Town(tmp_path)
    config = second.write_config("second.toml")
    try:
        other = second.start("gateway", "run", str(config))
        assert other.wait(30) == 2
        assert fetch(f"http://127.0.0.1:{town.admin_port}/readyz")[0] == 200
        first.send_signal(signal.SIGKILL)
        first.wait()
        again = second.start("gateway", "run", str(config))
        while fetch(f"http://127.0.0.1:{second.admin_port}/readyz")[0] != 200:
            assert again.poll() is None
            time.sleep(0.02)
        again.send_signal(signal.SIGTERM)
        assert again.wait(20) == 0
    finally:
        second.close()
