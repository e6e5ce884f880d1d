"""One question of the gateway's own to the platform, in an institution's name: asked once, told once.

A question never stops whoever asks: a breaker that is open, a fault of ours, silence and nonsense are all "no answer".
What the catalogue counts as clearing (class C) is durable before it leaves (annex X8), though nothing hangs on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from gateway.core.facts import content
from gateway.core.jsontext import objects_once
from gateway.core.model import Accept, Accepted, Advance, Entry, NotAccepted, OpResult
from gateway.core.ports import Reply
from gateway.exchange.door import Link
from gateway.exchange.relay import FILES, file_patience_s
from gateway.exchange.words import TAIL_MAX, own_message, own_msgid

if TYPE_CHECKING:
    from gateway.exchange.saf import StoreForward

Told = Callable[[Reply | None], None]
File = Callable[[bytes | None], None]


def put(
    office: StoreForward,
    link: Link,
    original: Entry,
    infno: str,
    message: Mapping[str, Any],
    told: Told,
    file: File | None = None,
) -> None:
    """Ask; told(None) when there was no answer that can be read.

    original: whose institution, areas and insured locality the envelope carries. file: of 9102, hears the bytes of the
    file instead (None: no file).
    """
    question = _Question(office, link, original, infno, told, file)
    if not link.breaker.admit():
        question.dropped()
        return
    now = office.clock.seconds()
    code = original.fixmedins_code
    msgid = own_msgid(code, now, office.dice.randrange(TAIL_MAX))
    try:
        path, headers = link.codec.request(infno, now)
        body = own_message(infno, msgid, original, office.name_of(original), office.heads.get(code, {}), now, message)
    except Exception:  # boundary: a question that cannot be asked is a question nobody answered
        question.failed()
        return
    if infno not in link.plans or link.plans[infno].transaction.klass != "C":
        question.leave(path, headers, body)
        return
    row = Entry(
        id=office.new_id(), fixmedins_code=code, msgid=msgid, infno=infno, klass="C", link=link.name, state="SENT",
        digest=office.digest(content(infno, code, message)), created_ms=int(now * 1000),
    )  # fmt: skip

    def durable(found: OpResult | NotAccepted) -> None:
        if isinstance(found, Accepted):
            question.row = row
            question.leave(path, headers, body)
        else:
            question.dropped()

    office.queue.submit(Accept(entry=row, reason="statement"), durable)


@attrs.define(eq=False)
class _Question:
    """One question on its way. It is the link's Listener."""

    office: StoreForward
    link: Link
    original: Entry
    infno: str
    told: Told
    file: File | None
    row: Entry | None = None
    retry_safe: bool = True
    _over: bool = False

    def leave(self, path: bytes, headers: bytes, body: bytes) -> None:
        files = self.infno in FILES
        exchange = self.link.files if files else self.link.exchange
        timeout_s = file_patience_s(self.link, body) if files else self.link.timeout_s
        try:
            exchange.send(path, headers, body, self, timeout_s)
        except Exception:  # boundary: our own fault; whoever asked must not wait for ever
            self.failed()

    def answered(self, status: int, content_type: bytes, body: bytes, whole: bool) -> None:
        self.link.breaker.worked()
        if self.file is not None and not content_type.startswith(b"application/json"):
            self._tell(None, body if status == 200 and whole else None)
            return
        try:
            reply = self.link.codec.read(status, body, whole, True)
            clear = status == 200 and objects_once(body, reply.outer) is not None
        except Exception:  # boundary: what we cannot read is no answer
            self.failed()
            return
        self._tell(reply if clear else None)

    def not_sent(self, reason: str) -> None:
        self.link.breaker.failed()
        self._tell(None)

    def silent(self) -> None:
        """A question waits no longer than its deadline; `lost` follows at once."""

    def lost(self, reason: str) -> None:
        self.link.breaker.failed()
        self._tell(None)

    def dropped(self) -> None:
        """It cannot leave now."""
        self._tell(None)

    def failed(self) -> None:
        """A fault of ours."""
        self.office.watch.alarm("internal_error", self.original.fixmedins_code, self.original.msgid)
        self._tell(None)

    def _tell(self, reply: Reply | None, file: bytes | None = None) -> None:
        if self._over:
            return
        self._over = True
        if self.row is not None:
            at_ms = int(self.office.clock.seconds() * 1000)
            reason = "silent" if reply is None else "answered"
            self.office.queue.later(Advance(entry=self.row, was="SENT", to="DONE", at_ms=at_ms, reason=reason))
        if self.file is not None:
            self.file(file)
        else:
            self.told(reply)


def rows_of(reply: Reply | None, node: str) -> list[dict[str, Any]] | None:
    """Return the rows of an answer's node ('': of the output itself); None when it is no readable success."""
    if reply is None or reply.infcode != "0" or reply.tree is None:
        return None
    output = reply.tree.get("output")
    if type(output) is not dict:
        return None
    found = output.get(node) if node else output
    rows = found if type(found) is list else [found] if found else []
    return rows if all(type(row) is dict for row in rows) else None
