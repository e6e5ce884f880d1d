"""A platform that lies on demand: every request is recorded, every answer is bytes of the test's choice.

Its own small HTTP on sockets and threads, since it must be able to send half an answer, two of them, or none.
"""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import attrs

_ABOUT = {"2601": "omsgid", "5203": "setl_id"}


@attrs.frozen
class Seen:
    """One request as it arrived."""

    path: str
    head: bytes
    body: bytes
    connection: int

    @property
    def envelope(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def msgid(self) -> str:
        try:
            return str(self.envelope.get("msgid"))
        except (ValueError, AssertionError):
            return ""

    @property
    def about(self) -> str:
        """What a 2601 reverses (omsgid) or a 5203 asks for (setl_id), '' for everything else."""
        try:
            found = self.envelope
            return str(found["input"]["data"][_ABOUT[found["infno"]]])
        except (ValueError, AssertionError, LookupError, TypeError):
            return ""


Behaviour = Callable[[Seen, socket.socket], bool]
"""Answers one request on its socket; False = the connection ends here."""


def http(body: bytes, status: int = 200, kind: str = "application/json", *fields: str) -> bytes:
    """A whole answer of a platform."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def envelope(infcode: object, err_msg: str = "", output: object = None) -> bytes:
    """The response envelope (envelope.md §2)."""
    return json.dumps(
        {
            "infcode": infcode,
            "inf_refmsgid": "510800202603020900000000000001",
            "refmsg_time": "20260302090000000",
            "respond_time": "20260302090000000",
            "err_msg": err_msg,
            "output": {} if output is None else output,
        },
        ensure_ascii=False,
    ).encode()


def settlement(seen: Seen, **changes: object) -> dict[str, Any]:
    """`output` of a settlement that fits the request, with the changes a liar wants; None removes a field."""
    facts = seen.envelope["input"]["data"]
    info: dict[str, Any] = {
        "setl_id": f"S{seen.msgid[-16:]}",
        "mdtrt_id": facts.get("mdtrt_id", ""),
        "psn_no": facts["psn_no"],
        "insutype": "310",
        "setl_time": "2026-03-02 09:00:00",
        "medfee_sumamt": 100.00,
        "fund_pay_sumamt": 60.00,
        "hifp_pay": 60.00,
        "cvlserv_pay": 0,
        "hifes_pay": 0,
        "hifmi_pay": 0,
        "hifob_pay": 0,
        "maf_pay": 0,
        "oth_pay": 0,
        "psn_part_amt": 40.00,
        "acct_pay": 10.00,
        "psn_cash_pay": 30.00,
        "hosp_part_amt": 0,
        "medins_setl_id": seen.msgid,
        "clr_way": "1",
        "clr_type": "11",
    }
    info.update(changes)
    return {"setlinfo": {name: value for name, value in info.items() if value is not None}}


def honest(seen: Seen, wire: socket.socket) -> bool:
    """Answer as a platform should; 1101 and everything else say whose msgid it was."""
    infno = seen.envelope["infno"]
    output = settlement(seen) if infno in ("2207", "2208") else {"echo": seen.msgid}
    wire.sendall(http(envelope(0, "", output)))
    return True


def says(body: bytes, status: int = 200, kind: str = "application/json", *fields: str) -> Behaviour:
    """Answers everything with this body."""

    def behave(seen: Seen, wire: socket.socket) -> bool:
        wire.sendall(http(body, status, kind, *fields))
        return True

    return behave


def silent(seen: Seen, wire: socket.socket) -> bool:
    """Says nothing until the gateway hangs up."""
    return bool(wire.recv(1))


def hangs_up(seen: Seen, wire: socket.socket) -> bool:
    """Has it all, says nothing, goes."""
    return False


def resets(seen: Seen, wire: socket.socket) -> bool:
    """Goes without a goodbye."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return False


def shows(make: Callable[[bytes], bytes]) -> Behaviour:
    """Answers with `make(good answer)`, raw bytes, and hangs up."""

    def behave(seen: Seen, wire: socket.socket) -> bool:
        wire.sendall(make(envelope(0, "", settlement(seen) if seen.envelope["infno"] == "2207" else {})))
        return False

    return behave


def settles(infcode: object = 0, **changes: object) -> Behaviour:
    """Books, and changes what it says of it."""

    def behave(seen: Seen, wire: socket.socket) -> bool:
        wire.sendall(http(envelope(infcode, "", settlement(seen, **changes))))
        return True

    return behave


@attrs.define(eq=False)
class Liar:
    """The server. script: msgid -> behaviour; what is not in it is answered honestly.

    undoing: omsgid -> behaviours for one 2601 after the other (their msgids are the gateway's own), then honestly;
    setl_id -> the same for 5203.
    broke: what a behaviour stumbled over. To the gateway it looks like a platform that hung up, so a test that expects
    doubt would pass without ever having played its lie.
    """

    script: dict[str, Behaviour] = attrs.Factory(dict)
    undoing: dict[str, list[Behaviour]] = attrs.Factory(dict)
    seen: list[Seen] = attrs.Factory(list)
    broke: list[BaseException | None] = attrs.Factory(list)
    busy: int = 0
    busiest: int = 0
    _lock: threading.Lock = attrs.Factory(threading.Lock)
    _server: ThreadingTCPServer | None = None
    _connections: int = 0

    def open(self) -> int:
        """Listen on a free port; return it."""
        liar = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                liar.serve(self.request)

        class Server(ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 256

            def handle_error(self, request: Any, client_address: Any) -> None:
                liar.broke.append(sys.exception())

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return int(self._server.server_address[1])

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def count(self) -> int:
        with self._lock:
            return len(self.seen)

    def of(self, msgid: str) -> list[Seen]:
        """Every request that carried this msgid."""
        with self._lock:
            return [one for one in self.seen if one.msgid == msgid]

    def reversals(self, omsgid: str) -> list[Seen]:
        """Every 2601 of this original, whoever sent it; or every 5203 about this setl_id."""
        with self._lock:
            return [one for one in self.seen if one.about == omsgid]

    def wait_for(self, msgid: str, within_s: float = 5.0) -> bool:
        """Wait until a request with this msgid has arrived."""
        deadline = time.monotonic() + within_s
        while not self.of(msgid):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def serve(self, wire: socket.socket) -> None:
        """One connection, to its end."""
        with self._lock:
            self._connections += 1
            number = self._connections
        rest = b""
        try:
            while True:
                found, rest = self._read(wire, rest, number)
                if found is None:
                    return
                with self._lock:
                    self.seen.append(found)
                    self.busy += 1
                    self.busiest = max(self.busiest, self.busy)
                    lies = self.undoing.get(found.about)
                    behave = lies.pop(0) if lies else self.script.get(found.msgid, honest)
                try:
                    keep = behave(found, wire)
                finally:
                    with self._lock:
                        self.busy -= 1
                if not keep:
                    return
        except ConnectionError:
            return  # the gateway hung up: what half of these tests are about

    @staticmethod
    def _read(wire: socket.socket, rest: bytes, number: int) -> tuple[Seen | None, bytes]:
        while b"\r\n\r\n" not in rest:
            found = wire.recv(65536)
            if not found:
                return None, b""
            rest += found
        head, _, rest = rest.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(rest) < length:
            found = wire.recv(1 << 20)
            if not found:
                return None, b""
            rest += found
        path = head.split(b" ", 2)[1].decode("latin-1")
        return Seen(path, head, rest[:length], number), rest[length:]
