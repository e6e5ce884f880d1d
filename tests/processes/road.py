"""The road between gateway and platform: a TCP relay whose weather a test makes."""

import socket
import struct
import threading
from contextlib import suppress
from typing import Literal

import attrs

# silent: bytes of both sides vanish. deaf: requests arrive, answers vanish. reset: the connection breaks when an answer
# comes. half: half of an answer, then it breaks. closed: nobody takes connections, those that stand are broken.
Weather = Literal["clear", "silent", "deaf", "reset", "half", "closed"]
_ABORT = struct.pack("ii", 1, 0)


@attrs.define(eq=False)
class Road:
    """Carries connections from its own port to the platform's. Change `weather` at any time through `turn`."""

    port: int
    platform_port: int
    weather: Weather = "clear"
    _open: set[socket.socket] = attrs.Factory(set)
    _lock: threading.Lock = attrs.Factory(threading.Lock)
    _listener: socket.socket | None = None
    _threads: list[threading.Thread] = attrs.Factory(list)

    def start(self) -> None:
        self._listener = listener = socket.create_server(("127.0.0.1", self.port))
        self._spawn(self._accept, listener)

    def turn(self, weather: Weather) -> None:
        before, self.weather = self.weather, weather
        if weather == "closed":
            self.stop()
        elif before == "closed":
            self.start()

    def stop(self) -> None:
        """Take no connection any more and break those that stand."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            self._listener.close()
            self._listener = None
        with self._lock:
            ends = list(self._open)
        for end in ends:
            self._break(end)
        for thread in self._threads:
            thread.join(10)
        self._threads.clear()

    def _spawn(self, call: object, *arguments: object) -> None:
        thread = threading.Thread(target=call, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near = listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.platform_port), timeout=5)
                far.settimeout(None)
            except OSError:
                self._break(near)
                continue
            with self._lock:
                self._open |= {near, far}
            self._spawn(self._carry, near, far, False)
            self._spawn(self._carry, far, near, True)

    def _carry(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(65536):
                weather = self.weather
                if weather == "silent" or (answers and weather == "deaf"):
                    continue
                if answers and weather == "reset":
                    break
                if answers and weather == "half":
                    target.sendall(data[: len(data) // 2])
                    break
                target.sendall(data)
        except OSError:
            pass
        self._break(source)
        self._break(target)

    def _break(self, end: socket.socket) -> None:
        with self._lock:
            self._open.discard(end)
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            end.shutdown(socket.SHUT_RDWR)
        end.close()
