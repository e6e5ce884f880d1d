"""Clients that send a byte a second. The deadline is 10 s, so they start with the session and are looked at last."""

import threading

import attrs
from hostile_rig import ADDRESS, VICTIM, Rig
from hostile_wire import Broken, Heard, Wire

STARTS = {
    "head": b"POST /fsi/api/call HTTP/1.1\r\nHost: x\r\nX: ",
    "body": b"POST /fsi/api/call HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n",
}


@attrs.define(eq=False)
class Dribble:
    """One of them. heard: the answer it got; sent: single bytes until then; over: the connection has ended."""

    heard: Heard | None = None
    sent: int = 0
    over: threading.Event = attrs.Factory(threading.Event)
    stop: threading.Event = attrs.Factory(threading.Event)
    _thread: threading.Thread | None = None

    def start(self, rig: Rig, where: str) -> None:
        self._thread = threading.Thread(target=self._run, args=(rig, STARTS[where]))
        self._thread.start()

    def end(self) -> None:
        self.stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, rig: Rig, start: bytes) -> None:
        with Wire(rig.plain, ADDRESS[VICTIM]) as wire:
            wire.send(start)
            wire.socket.settimeout(1.0)
            while not self.stop.is_set() and self.heard is None:
                wire.send(b"a")
                self.sent += 1
                try:
                    self.heard = wire.hear()
                except TimeoutError:
                    continue
                except (Broken, ConnectionResetError):
                    break
        self.over.set()
