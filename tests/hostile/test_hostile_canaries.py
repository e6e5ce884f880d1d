"""Two hundred canaries through every path, success and failure; afterwards none lies anywhere in clear.

Expected: security §6, §7, T27; contract-annex X34. psn_no, mdtrt_id, setl_id, msgid and amounts may be kept. What the
institution itself is answered by its platform is its own; what the gateway writes into an answer is looked at.
"""

import contextlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from random import Random  # noqa: TID251 - seeded dice of a test
from typing import Any

import attrs
import pytest
from hostile_canaries import Canaries, files, hits
from hostile_messages import Json, cancellation, message, new_person, payment, question, raw, reversal
from hostile_platform import Behaviour, Seen, envelope, http, says, settlement, silent
from hostile_rig import (
    CITY,
    GROUP,
    LATE_S,
    MISTRUST,
    NOBODY,
    SLOW,
    STRANGER,
    TIMEOUT_S,
    TRUSTING,
    UNDONE,
    UNLISTED,
    VICTIM,
    Rig,
    client_tls,
)
from hostile_wire import Broken, Heard, Wire, post
from real_processes import page_of, tool

from simulators import goods
from simulators.his import Script, Send, answer
from simulators.hospital import ECHOED, Hospital
from simulators.people import Person

pytestmark = pytest.mark.processes


@attrs.define(eq=False)
class Play:
    """The canaries' way through the town. answers: all of the gateway's own; settled: msgids that went well."""

    rig: Rig
    birds: Canaries
    answers: list[bytes] = attrs.Factory(list)
    settled: list[str] = attrs.Factory(list)
    codes: set[str] = attrs.Factory(set)

    def ask(self, body: bytes, code: str = VICTIM, path: str = "/fsi/api/call", *fields: str) -> Heard:
        heard = self.rig.ask(body, code, path, *fields)
        self._keep(heard)
        return heard

    def _keep(self, heard: Heard) -> None:
        own = heard.json.get("gw_code")
        if own:
            self.codes.add(own)
            self.answers.append(heard.body)

    def tell(self, raw_request: bytes, source: str = "127.0.0.5") -> None:
        """Raw bytes; whatever comes back is looked at."""
        with Wire(self.rig.plain, source) as wire:
            wire.send(raw_request)
            with contextlib.suppress(Broken, ConnectionResetError):
                self._keep(wire.hear())

    # --- messages ---

    def laden(self, found: Json) -> Json:
        """Put canaries wherever the message has room for them."""
        node = next(iter(found["input"].values()))
        facts = self.birds.laden()
        if isinstance(node, dict):
            node.update(facts)
        else:
            found["input"]["_more"] = facts
        found["opter_name"] = self.birds.draw("name")
        found["dev_safe_info"] = self.birds.draw("card")
        found["patient"] = {"tel": self.birds.draw("phone")}
        return found

    def payment(self, code: str = VICTIM, psn_no: str = "") -> Json:
        return self.laden(payment(code, psn_no))

    def lies(self, behave: Behaviour, code: str = VICTIM) -> Json:
        found = self.payment(code)
        self.rig.liar.script[found["msgid"]] = behave
        self.ask(raw(found), code)
        self.ask(raw(found), code)
        return found

    # --- paths ---

    def success(self) -> None:
        """A day at the simulated platform, and answers full of persons from the other one."""
        dice = Random(7)
        hospital = Hospital(time.time, dice, CITY, "示例市第一医院", first_serial=int(time.time()) % 10**8)  # noqa: TID251
        for who in self.birds.people:
            self._drive(visit(hospital, who))
        assert hospital.refused == []
        self.settled += [row.msgid for row in hospital.ledger]
        for _ in range(5):
            found = self.lies(self._chatty)
            self.settled.append(found["msgid"])

    def _drive(self, script: Script) -> None:
        given = None
        while True:
            try:
                step = script.send(given)
            except StopIteration:
                return
            assert isinstance(step, Send)
            body = step.body[:-2] + b',"_more":' + json.dumps(self.birds.laden()).encode() + b"}}"
            heard = self.ask(body, CITY, step.path)
            given = answer(heard.status, heard.body)

    def _chatty(self, seen: Seen, wire: socket.socket) -> bool:
        """A success that names the person, as real ones do."""
        output = settlement(seen, **self.birds.laden())
        output["note"] = self.birds.sentence()
        wire.sendall(http(envelope(0, self.birds.sentence(), output), 200, "application/json", "X-Trace: a"))
        return True

    def refusals(self) -> None:
        """Refused by the platform, with the person in the text; answered again from the journal."""

        def refuses(seen: Seen, wire: socket.socket) -> bool:
            wire.sendall(http(envelope(-1, self.birds.sentence(), self.birds.laden())))
            return True

        for _ in range(5):
            self.lies(refuses)
        self.ask(raw(self.laden(question(CITY))), CITY)
        for infno, node in (("2202", "data"), ("2205", "data")):
            facts = {"psn_no": new_person(), "mdtrt_id": "M1", "ipt_otp_no": "1", "chrg_bchno": "0000"}
            found = self.laden(message(infno, VICTIM, {node: facts}))
            self.rig.liar.script[found["msgid"]] = refuses
            self.ask(raw(found))

    def garbage(self) -> None:
        """Everything a broken platform may say, with persons in it."""
        texts = self.birds.sentence
        bodies: list[tuple[int, str, bytes]] = [
            (502, "text/html", f"<html>{texts()}</html>".encode()),
            (200, "text/html", texts().encode()),
            (200, "application/json", envelope(-1, f"系统异常：{texts()}")),
            (200, "application/json", envelope(-2, texts())),
            (200, "application/json", envelope(0, texts())[:-9]),
            (200, "application/json", texts().encode("gbk")),
            (200, "application/json", json.dumps({"code": 500, "message": texts()}).encode()),
            (401, "application/json", json.dumps({"code": 401, "message": texts()}).encode()),
            (200, "application/json", json.dumps({"infcode": texts(), "err_msg": texts(), texts(): 1}).encode()),
            (500, texts().encode().hex(), envelope(0, texts())),
        ]
        for status, kind, body in bodies:
            self.lies(says(body, status, kind))
            found = self.laden(question(VICTIM))
            self.rig.liar.script[found["msgid"]] = says(body, status, kind)
            self.ask(raw(found))
        lies: tuple[dict[str, object], ...] = ({"psn_no": "1"}, {"medins_setl_id": "x"}, {"psn_cash_pay": 99})
        for changes in lies:
            self.lies(_settles(self, changes))
        reason = self.birds.draw("phone").encode()
        self.lies(
            _raw(b"HTTP/1.1 200 " + reason + b"\r\nX-" + reason + b": " + reason + b"\r\nContent-Length: x\r\n\r\n")
        )
        self.lies(_raw(self.birds.draw("name").encode()))

    def silence(self) -> None:
        def late(seen: Seen, wire: socket.socket) -> bool:
            time.sleep(TIMEOUT_S + LATE_S + 0.5)
            return self._chatty(seen, wire)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.lies, [late, late, silent, silent]))
        for code in (NOBODY, MISTRUST):
            self.ask(raw(self.payment(code)), code)

    def complaints(self) -> None:
        for path in ("medfee_sumamt", "mdtrt_cert_type", "insutype", "psn_no", "mdtrt_id", "med_type", "psn_setlway"):
            for value in (
                None,
                self.birds.draw("name"),
                {"a": self.birds.draw("identity")},
                [self.birds.draw("phone")],
            ):
                found = self.payment()
                found["input"]["data"][path] = value
                if path in ("medfee_sumamt", "mdtrt_cert_type", "insutype") or not isinstance(value, str):
                    self.ask(raw(found))
        for field in ("inf_time", "opter_type", "infver", "insuplc_admdvs", "recer_sys_code", "sign_no"):
            found = self.payment()
            found[field] = self.birds.draw("name") * 40
            self.ask(raw(found))
        found = self.payment()
        found["infno"] = self.birds.draw("phone")
        self.ask(raw(found))
        self.ask(raw(self.laden(message("2203", CITY, {"diseinfo": [{"diag_code": "没有", "diag_type": 7}]}))), CITY)

    def identities(self) -> None:
        found = self.payment()
        found["fixmedins_code"] = self.birds.draw("identity")
        self.ask(raw(found))
        found = self.payment()
        found["input"]["data"]["fixmedins_code"] = self.birds.draw("name")
        self.ask(raw(found))
        self.ask(raw(self.payment(VICTIM)), GROUP[0])
        self.tell(post(raw(self.payment())), STRANGER)
        with Wire(self.rig.tls, "127.0.0.1", client_tls(self.rig.pki, UNLISTED)) as wire:
            wire.send(post(raw(self.payment(TRUSTING))))
            self._keep(wire.hear())
        with contextlib.suppress(OSError, Broken), Wire(self.rig.tls) as wire:
            wire.send(post(raw(self.payment(TRUSTING))))
            wire.hear()

    def repeats(self) -> None:
        """The same msgid with other content, the same business again, a person in doubt, a reversal of nothing."""
        found = self.payment()
        self.ask(raw(found))
        found["input"]["data"]["medfee_sumamt"] = 101
        assert self.ask(raw(found)).gw_code == "GW-MSGID-REUSED"
        again = self.laden({**found, "msgid": payment(VICTIM)["msgid"]})
        assert self.ask(raw(again)).gw_code == "GW-DUPLICATE-SETTLEMENT"
        doubted = self.lies(silent)
        psn_no = doubted["input"]["data"]["psn_no"]
        self.rig.ended(doubted["msgid"], "REVERSING")
        assert self.ask(raw(self.payment(VICTIM, psn_no))).gw_code == "GW-REVERSING"
        self.ask(raw(self.laden(reversal(VICTIM, psn_no, "nothing"))))
        cancelled = self.laden(cancellation(VICTIM, new_person()))
        self.rig.liar.script[cancelled["msgid"]] = silent
        self.ask(raw(cancelled))  # it is asked about, not reversed
        psn_no = cancelled["input"]["data"]["psn_no"]
        assert self.ask(raw(self.payment(VICTIM, psn_no))).gw_code == "GW-LANE-BUSY"
        for _ in range(8):
            self.ask(raw(self.payment(SLOW)), SLOW)

    def reversals(self) -> None:
        """2601 of the gateway's own, answered with persons; then the institution hears what came of it."""
        found = self.payment(UNDONE)
        self.rig.liar.script[found["msgid"]] = silent
        self.rig.liar.undoing[found["msgid"]] = [
            says(envelope(-1, self.birds.sentence(), self.birds.laden())),
            says(self.birds.sentence().encode(), 502, "text/html"),
            says(envelope(0, self.birds.sentence(), self.birds.laden())),
        ]
        self.ask(raw(found), UNDONE)
        self.rig.ended(found["msgid"], "REVERSED", UNDONE)
        assert self.ask(raw(found), UNDONE).gw_code == "GW-REVERSED"

    def wreckage(self) -> None:
        """What is not even a message."""
        body = raw(self.payment())
        for wreck in (
            body[:-1],
            body[:-2] + b',"a":1,"a":2}}',
            body.decode().encode("gb18030"),
            b"[" * 40 + body + b"]" * 40,
            b"[" + body + b"]",
            raw(self.laden(message("1101", VICTIM, {"data": {}}, msgid=None))),
            self.birds.sentence().encode(),
            body[:-1] + b" " * 300_000 + b"}",
        ):
            self.ask(wreck)
        self.ask(body, VICTIM, "/fsi/api/call", "Content-Encoding: gzip")
        self.ask(body, VICTIM, "/fsi/api/call", f"Content-Type: text/{self.birds.draw('phone')}")
        phone, card = self.birds.draw("phone"), self.birds.draw("identity")
        self.ask(body, VICTIM, f"/{phone}?certno={card}")
        self.ask(raw(self.laden(question(VICTIM))), VICTIM, f"/fsi/api/{phone}?certno={card}", f"X-Card: {card}")
        self.tell(f"POST /fsi/api/{phone} HTTP/1.1\r\nX-Card {card}\r\n\r\n".encode() + body)
        self.tell(f"GET /api/v1/codes/diagnosis/{card} HTTP/1.1\r\nHost: {phone}\r\n\r\n".encode())
        self.tell(f"{phone} {card} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.tell(f"POST /fsi/api/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n{card}".encode())
        for page in (f"api/v1/codes/diagnosis/{card}", f"api/v1/codes/{card}/x?date={phone}", card, f"?tel={phone}"):
            self.answers.append(page_of(f"http://127.0.0.1:{self.rig.admin}/{page}"))


def visit(hospital: Hospital, who: Person) -> Script:
    """An outpatient with three drugs, who takes everything back again."""
    psn_no, insured = yield from hospital.identify(who)
    found = hospital.new_visit(who, psn_no, insured["insutype"], insured["insuplc_admdvs"])
    yield from hospital.register(found)
    yield from hospital.diagnose(found)
    bill = goods.pick(hospital.dice, ("drug",), 3)
    yield from hospital.charge(found, bill)
    trial = yield from hospital.ask("2206", {"data": hospital.settlement(found, goods.total(bill))}, found["insuplc"])
    facts: dict[str, Any] = hospital.settlement(found, goods.total(bill))
    facts |= {name: Decimal(trial.output["setlinfo"][name]) for name in ECHOED}
    done = yield from hospital.settle("2207", {"data": facts}, found["insuplc"], "11")
    yield from hospital.cancel("2208", done.output["setlinfo"], psn_no, found["insuplc"], "11")


def _raw(content: bytes) -> Behaviour:
    def behave(seen: Seen, wire: socket.socket) -> bool:
        wire.sendall(content)
        return False

    return behave


def _settles(play: Play, changes: dict[str, object]) -> Behaviour:
    def behave(seen: Seen, wire: socket.socket) -> bool:
        wire.sendall(http(envelope(0, play.birds.sentence(), settlement(seen, **play.birds.laden(), **changes))))
        return True

    return behave


@pytest.fixture(scope="module")
def play(rig: Rig) -> Play:
    """Everything, once."""
    one = Play(rig, Canaries.hatch())
    with ThreadPoolExecutor(1) as waiting:
        slow = waiting.submit(one.silence)
        for path in (one.success, one.refusals, one.garbage, one.complaints, one.identities, one.repeats):
            path()
        one.reversals()
        one.wreckage()
        slow.result()
    time.sleep(TIMEOUT_S)  # late answers have come, logs and journal are written
    return one


def test_two_hundred_canaries_have_flown(play: Play) -> None:
    """The search is worth something only if they really went everywhere."""
    assert len(set(play.birds.all())) == 200
    assert play.birds.unused() == []
    passed = b"".join(one.body for one in play.rig.liar.seen)
    assert len(hits(passed, play.birds.all())) > 120  # the others stopped at the door, or went to the other platform
    assert play.codes >= {
        "GW-JSON", "GW-ENVELOPE", "GW-HTTP", "GW-SOURCE", "GW-PATH", "GW-SIZE", "GW-ENCODING", "GW-RATE",
        "GW-IDENTITY", "GW-INFNO", "GW-INVALID", "GW-UNMAPPED", "GW-MSGID-REUSED", "GW-DUPLICATE-SETTLEMENT",
        "GW-LANE-BUSY", "GW-REVERSING", "GW-REVERSED", "GW-IN-DOUBT", "GW-NOT-SENT", "GW-PLATFORM",
        "GW-REVERSAL-REFUSED",
    }  # fmt: skip


def test_the_search_finds_what_is_there(play: Play, tmp_path: Path) -> None:
    values = play.birds.all()
    for form in (values[0].encode("utf-16-le"), values[45].encode().hex().encode(), json.dumps(values[60]).encode()):
        (tmp_path / "planted").write_bytes(b"\0" * 100 + form)
        assert len(hits(files(tmp_path)[str(tmp_path / "planted")], values)) == 1
    everything = b"".join(files(play.rig.data).values())
    log = play.rig.gateway.out.read_bytes()
    for msgid in play.settled:
        assert msgid.encode() in everything
        assert msgid.encode() in log


def test_the_kept_answers_still_hold_the_person(play: Play) -> None:
    """They rest sealed, not cut: a repeat gets the person's name back (X7, X34)."""
    msgid = play.settled[-1]
    found = play.rig.liar.of(msgid)[0]
    again = play.rig.ask(found.body)
    assert again.json["infcode"] == 0
    assert hits(again.body, play.birds.all())
    assert len(play.rig.liar.of(msgid)) == 1


def test_no_file_holds_one(play: Play) -> None:
    rig = play.rig
    found = files(rig.data, rig.folder / "gateway.tmp")
    assert any(name.endswith("-wal") for name in found)
    assert {name: hits(content, play.birds.all()) for name, content in found.items()} == {name: [] for name in found}


def test_no_log_line_holds_one(play: Play) -> None:
    for path in (play.rig.gateway.out, play.rig.gateway.err):
        assert hits(path.read_bytes(), play.birds.all()) == []


def test_no_page_and_no_metric_holds_one(play: Play) -> None:
    admin = f"http://127.0.0.1:{play.rig.admin}"
    pages = {name: page_of(f"{admin}/{name}") for name in ("metrics", "", "healthz", "readyz")}
    assert b"liangding_requests_total" in pages["metrics"]
    assert {name for name, content in pages.items() if hits(content, play.birds.all())} == set()


def test_no_answer_the_gateway_wrote_holds_one(play: Play) -> None:
    assert len(play.answers) > 80
    assert [body for body in play.answers if hits(body, play.birds.all())] == []


def test_the_journals_commands_show_none(play: Play) -> None:
    config = str(play.rig.config)
    told = tool("gateway", "journal", "list", config, "--limit", "100000", "--full", "--json")
    told += tool("gateway", "journal", "show", config, play.settled[0], "--json")
    assert play.settled[0] in told
    assert hits(told.encode(), play.birds.all()) == []
