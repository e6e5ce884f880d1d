"""Between the institutions' listener and the rooms: methods, paths, connections per institution, code look-ups."""

import attrs

from adapters.transport.server import HttpRequest, Peer
from gateway.app.admin import CodeLookup
from gateway.app.assemble import Room
from gateway.app.books_door import PREFIX as BOOKS
from gateway.app.books_door import BooksDoor
from gateway.app.lists_room import PREFIX as LISTS
from gateway.app.lists_room import ListsRoom
from gateway.core.answers import refusal
from gateway.core.model import Source
from gateway.exchange.desk import PREFIX, ROUTES

CODES = b"/api/v1/codes/"
CONNECTIONS_UNKNOWN_MAX = 16  # sources nobody registered get an answer, but not the whole listener


@attrs.define(eq=False)
class FrontDoor:
    """The transport's handler and gate."""

    room: Room
    codes: CodeLookup
    lists: ListsRoom
    books: BooksDoor
    _open: dict[str, int] = attrs.Factory(dict)

    def handle(self, request: HttpRequest) -> None:
        """Take one whole HTTP request."""
        path = request.path
        source = Source(address=request.peer.address, certificate_sha256=request.peer.certificate_sha256)
        if path.startswith(PREFIX):
            if request.method != b"POST":
                request.respond(*refusal("GW-METHOD"), extra=b"Allow: POST\r\n")
                return
            self.room.desk.receive(request, source, ROUTES.get(path, "call"))
        elif path.startswith(CODES):
            self._look_up(request, source)
        elif path.startswith(LISTS):
            self.lists.receive(request, self.room.door.bound(source))
        elif path.startswith(BOOKS):
            self.books.receive(request, self.room.door.bound(source))
        else:
            request.respond(*refusal("GW-PATH"))

    def _look_up(self, request: HttpRequest, source: Source) -> None:
        """REST look-ups for the bound institution only (annex X30)."""
        bound = self.room.door.bound(source)
        if not bound:
            request.respond(*refusal("GW-SOURCE"))
            return
        if request.method != b"GET":
            request.respond(*refusal("GW-METHOD"), extra=b"Allow: GET\r\n")
            return
        status, content_type, body = self.codes.for_institution(request.path, request.query, set(bound))
        request.respond(status, body, content_type.encode())

    # --- the transport's gate: connections per institution (security T6) ---

    def opened(self, peer: Peer) -> str:
        key, limit = self._share(peer)
        if self._open.get(key, 0) >= limit:
            return "GW-RATE"
        self._open[key] = self._open.get(key, 0) + 1
        return ""

    def closed(self, peer: Peer) -> None:
        key, _ = self._share(peer)
        left = self._open.get(key, 0) - 1
        if left > 0:
            self._open[key] = left
        else:
            self._open.pop(key, None)

    def _share(self, peer: Peer) -> tuple[str, int]:
        source = Source(address=peer.address, certificate_sha256=peer.certificate_sha256)
        bound = self.room.door.bound(source)
        if not bound:
            return f"?{peer.address}", CONNECTIONS_UNKNOWN_MAX
        return ",".join(bound), sum(one.in_flight_max for one in bound.values())
