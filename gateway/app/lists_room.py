"""Settlement lists at the institutions' door: pieces posted as they become known (docs/lists.md).

    POST /api/v1/lists/{institution}/{piece}    body: the piece, a JSON object with setlinfo.mdtrt_id

Pieces are kept and examined on a thread of their own, one after the other; the answer says what the visit's list still
lacks. Whoever posts is bound to the institution (security T9); what waits is bounded, per institution too.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import attrs
import msgspec

from adapters.transport.server import HttpRequest
from gateway.app.config import Config
from gateway.app.lists_desk import Outcome, desk
from gateway.app.lists_files import NotAList, tree_of
from gateway.core.answers import refusal
from gateway.core.codes import Snapshot
from gateway.core.errors import Complaint
from gateway.core.ports import Clock
from gateway.exchange.door import Institution
from gateway.lists.collecting import KINDS, PieceRefused

PREFIX = b"/api/v1/lists/"
WAITING_MAX = 64
WAITING_EACH_MAX = 16
SOURCE = "http"
_encode = msgspec.json.Encoder().encode


class Runner(Protocol):
    """Runs a call on another thread and brings the result back."""

    def __call__(
        self, call: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None], /
    ) -> None: ...


@attrs.define(eq=False)
class ListsRoom:
    """Takes pieces of lists. report: hears what went wrong of ours."""

    config: Config
    clock: Clock
    entropy: Callable[[int], bytes]
    run: Runner
    report: Callable[[Exception], None]
    _waiting: dict[str, int] = attrs.Factory(dict)

    def receive(self, request: HttpRequest, bound: Mapping[str, Institution]) -> None:
        """Take one request of who may speak for `bound`; answered when the piece rests on disk, or turned away."""
        institution, _, kind = request.path[len(PREFIX) :].decode("ascii", "replace").partition("/")
        if institution not in bound:
            request.respond(*refusal("GW-SOURCE"))
        elif kind not in KINDS:
            request.respond(*refusal("GW-PATH", f"清单的部分应为{'、'.join(KINDS)}"))
        elif request.method != b"POST":
            request.respond(*refusal("GW-METHOD"), extra=b"Allow: POST\r\n")
        elif not request.content_type.startswith(b"application/json"):
            request.respond(*refusal("GW-ENCODING"))
        elif self._crowded(institution) or not bound[institution].take(self.clock.seconds()):
            request.respond(*refusal("GW-RATE"))
        else:
            self._waiting[institution] = self._waiting.get(institution, 0) + 1
            work = partial(self._take, institution, kind, request.body, bound[institution].snapshot)
            done, failed = partial(self._taken, request, institution), partial(self._failed, request, institution)
            self.run(work, done, failed)

    def _crowded(self, institution: str) -> bool:
        return sum(self._waiting.values()) >= WAITING_MAX or self._waiting.get(institution, 0) >= WAITING_EACH_MAX

    def _take(self, institution: str, kind: str, body: bytes, codes: Snapshot) -> Outcome:
        """On the other thread: keep the piece and examine the list. Raises PieceRefused and what the desk raises."""
        tree = tree_of(body)
        if isinstance(tree, NotAList):
            raise PieceRefused("", tree.why)
        opening = desk(self.config, institution, SOURCE, self.entropy, self.clock.seconds, codes)
        with opening as opened, opened.writer.transaction():
            return opened.take(kind, tree, SOURCE)

    def _taken(self, request: HttpRequest, institution: str, outcome: Outcome) -> None:
        self._less(institution)
        body = {
            "infcode": 0, "err_msg": "", "mdtrt_id": outcome.visit, "fresh": outcome.fresh, "errors": outcome.errors,
            "findings": [attrs.asdict(one) for one in outcome.findings],
        }  # fmt: skip
        request.respond(200, _encode(body))

    def _failed(self, request: HttpRequest, institution: str, cause: Exception) -> None:
        self._less(institution)
        if isinstance(cause, PieceRefused):
            _, body = refusal("GW-INVALID", complaints=[Complaint(cause.path, "format", cause.message)])
            request.respond(400, body)  # no envelope answer: nothing was kept
            return
        self.report(cause)
        request.respond(*refusal("GW-NOT-READY"))

    def _less(self, institution: str) -> None:
        left = self._waiting[institution] - 1
        if left:
            self._waiting[institution] = left
        else:
            del self._waiting[institution]
