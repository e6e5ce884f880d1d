"""Errands: what the gateway asks a platform in an institution's name outside any doubt about money (codes, lists).

One message goes out by the link's own connections and breaker, and ends in one Outcome. The envelope is the one the
institution sent last. An errand never waits in front of money: whoever sends many asks `crowded` before each.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Protocol

import attrs

from gateway.core.jsontext import objects_once
from gateway.core.ports import Clock, Dice, Listener, Reply, Watch
from gateway.exchange.door import Link
from gateway.exchange.verdict import Judge
from gateway.exchange.words import TAIL_MAX, own_envelope, own_msgid
from gateway.exchange.words import sign_in as sign_in_words

Kind = Literal["done", "refused", "sign_in", "unknown", "not_sent"]
WORDS_MAX = 200


@attrs.frozen
class Outcome:
    """What came of a message. unknown: the platform may have acted; not_sent: certainly not; sign_in: refused because
    nobody is signed in. text: the platform's words, or a stable English word; output, refmsgid (inf_refmsgid): of a
    success.
    """

    kind: Kind
    text: str = ""
    output: Any = None
    refmsgid: str = ""


def outcome_of(judge: Judge, status: int, reply: Reply, body: bytes) -> Outcome:
    """Read an answer to a query or write (annex X1): what is no clear yes or no is unknown."""
    if reply.access:
        return Outcome("not_sent", "access_refused")
    if status >= 500 or not reply.infcode or reply.tree is None:
        return Outcome("unknown", f"http_{status}" if status >= 500 else "no_infcode")
    if objects_once(body, reply.outer) is None:
        return Outcome("unknown", "keys_twice")
    if reply.infcode == "0":
        if status != 200:
            return Outcome("unknown", f"http_{status}")
        number = reply.tree.get("inf_refmsgid")
        return Outcome("done", "", reply.tree.get("output"), number if isinstance(number, str) else "")
    text = "".join(letter for letter in reply.err_msg.strip() if letter.isprintable())[:WORDS_MAX]
    if reply.infcode not in judge.region.answers.business_codes or not text or judge.system.search(text):
        return Outcome("unknown", text or "no_err_msg")
    wanted = next((pattern for name, pattern in judge.undoing if name == "sign_in"), None)
    return Outcome("sign_in" if wanted is not None and wanted.search(text) else "refused", text)


@attrs.define(eq=False, kw_only=True)
class Errands:
    """Sends errands. heads, names: what an institution's envelope said last, and what it is called; fallback: the head
    of an institution that has sent nothing yet.
    """

    clock: Clock
    dice: Dice
    watch: Watch
    heads: Mapping[str, Mapping[str, str]]
    names: Mapping[str, str]
    fallback: Mapping[str, str]
    learn: Callable[[str, Mapping[str, str]], object]  # a sign-in number was given to an institution
    _tails: Iterator[int] | None = None

    def head(self, institution: str) -> dict[str, str]:
        """Return the envelope head to be sent for an institution."""
        return {**self.fallback, **{name: text for name, text in self.heads.get(institution, {}).items() if text}}

    def lacking(self, institution: str) -> list[str]:
        """Return what the envelope of an institution would lack that every platform wants (envelope.md §1)."""
        head = self.head(institution)
        return [name for name in ("mdtrtarea_admvs", "recer_sys_code") if not head.get(name)]

    def msgid(self, institution: str) -> str:
        """Return a message id of our own: a counter from a random start, so that one second holds 39,304 of them."""
        if self._tails is None:
            start = self.dice.randrange(TAIL_MAX)
            self._tails = (number % TAIL_MAX for number in itertools.count(start))
        return own_msgid(institution, self.clock.seconds(), next(self._tails))

    def body(self, infno: str, msgid: str, institution: str, words: Mapping[str, Any]) -> bytes:
        """Return the message's bytes."""
        now, name = self.clock.seconds(), self.names.get(institution, institution)
        return own_envelope(infno, msgid, (institution, name), self.head(institution), "", "", now, words)

    def send(
        self, link: Link, infno: str, msgid: str, institution: str, words: Mapping[str, Any],
        told: Callable[[Outcome], object], retry_safe: bool,
    ) -> None:  # fmt: skip
        """Send one message; `told` is called once, perhaps before this returns. retry_safe: a query."""
        if not link.breaker.admit():
            told(Outcome("not_sent", "breaker_open"))
            return
        now = self.clock.seconds()
        path, headers = link.codec.request(infno, now)
        body = self.body(infno, msgid, institution, words)
        link.exchange.send(path, headers, body, _Errand(self, link, told, now, retry_safe), link.timeout_s)

    def sign_in(self, link: Link, institution: str, told: Callable[[Outcome], object]) -> None:
        """Sign the institution in (9001); what it is sent afterwards carries the number."""

        def answered(outcome: Outcome) -> None:
            node = outcome.output.get("signinoutb") if isinstance(outcome.output, dict) else None
            number = node.get("sign_no") if isinstance(node, dict) else None
            if outcome.kind == "done" and isinstance(number, str):
                self.learn(institution, {**self.heads.get(institution, {}), "sign_no": number})
            told(outcome)

        self.send(link, "9001", self.msgid(institution), institution, sign_in_words(), answered, True)


@attrs.define(eq=False)
class _Errand:
    """One message on its way. It is the link's Listener."""

    errands: Errands
    link: Link
    told: Callable[[Outcome], object]
    began: float
    retry_safe: bool

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        link = self.link
        link.breaker.worked()
        self.errands.watch.platform(link.name, self.errands.clock.seconds() - self.began)
        try:
            outcome = outcome_of(link.judge, status, link.codec.read(status, body, whole, True), body)
        except Exception:  # boundary: a fault of ours while reading an answer is no answer
            self.errands.watch.alarm("internal_error", "", "")
            outcome = Outcome("unknown", "internal")
        self.told(outcome)

    def not_sent(self, reason: str) -> None:
        self.link.breaker.failed()
        self.told(Outcome("not_sent", reason))

    def silent(self) -> None:
        """An errand waits no longer than its deadline; `lost` follows at once."""

    def lost(self, reason: str) -> None:
        self.link.breaker.failed()
        self.told(Outcome("unknown", reason))


class FileExchange(Protocol):
    """A link's way of files: like Exchange, and a big answer goes to a sink piece by piece."""

    def send(
        self,
        path: bytes,
        headers: bytes,
        body: bytes,
        listener: Listener,
        timeout_s: float,
        late_s: float = 0.0,
        sink: Callable[[bytes], object] | None = None,
    ) -> None: ...

    def hang_up(self) -> None:
        """Cut what goes to a sink; each listener hears `lost`."""


@attrs.frozen
class Fetched:
    """What came of a 9102. kind: file (the sink has it all), answer (it is an answer in words), unknown, not_sent."""

    kind: Literal["file", "answer", "unknown", "not_sent"]
    text: str = ""
    status: int = 0


@attrs.define(eq=False)
class FileErrand:
    """One 9102 on its way. It is the link's Listener; told is called once."""

    errands: Errands
    link: Link
    told: Callable[[Fetched], object]
    retry_safe: bool = False  # half a file may be in the sink

    def go(
        self, files: FileExchange, institution: str, words: Mapping[str, Any], sink: Callable[[bytes], object],
        timeout_s: float,
    ) -> None:  # fmt: skip
        if not self.link.breaker.admit():
            self.told(Fetched("not_sent", "breaker_open"))
            return
        path, headers = self.link.codec.request("9102", self.errands.clock.seconds())
        body = self.errands.body("9102", self.errands.msgid(institution), institution, words)
        files.send(path, headers, body, self, timeout_s, sink=sink)

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        self.link.breaker.worked()
        if not whole:
            self.told(Fetched("unknown", "answer truncated", status))
            return
        words = status != 200 or content_type.lower().startswith(b"application/json")
        self.told(Fetched("answer" if words else "file", "", status))

    def not_sent(self, reason: str) -> None:
        self.link.breaker.failed()
        self.told(Fetched("not_sent", reason))

    def silent(self) -> None:
        """A file waits no longer than its deadline; `lost` follows at once."""

    def lost(self, reason: str) -> None:
        self.link.breaker.failed()
        self.told(Fetched("unknown", reason))
