"""Why a TLS handshake with a client failed, as one English word for the log: never anything the client has written."""

import re
from typing import Any

from OpenSSL import SSL

# Numbers of OpenSSL's X509_V_ERR_*: what a hospital's technician can mend differs for each.
_REFUSED = {
    3: "crl_missing",
    7: "signature_invalid",
    9: "certificate_not_yet_valid",
    10: "certificate_expired",
    11: "crl_not_yet_valid",
    12: "crl_expired",
    18: "unknown_ca",  # signed by itself
    19: "unknown_ca",
    20: "unknown_ca",
    21: "unknown_ca",
    23: "certificate_revoked",
}
_NOT_WORD = re.compile(r"[^a-z0-9]+")


def note_refusal(connection: SSL.Connection, certificate: object, error: int, depth: int, ok: int) -> bool:
    """OpenSSL's question about a client's certificate: agree with its own verdict, and remember why it refused."""
    if not ok:
        connection.set_app_data(_REFUSED.get(error, f"certificate_refused_{error}"))
    return bool(ok)


def note_timeout(connection: SSL.Connection) -> None:
    """We are about to cut it; what its end looks like then is a client that left."""
    connection.set_app_data("timeout")


def why_failed(cause: BaseException | None, connection: Any) -> str:
    """Return the word for a connection that ended before its handshake was complete.

    timeout: we cut it; closed: the client left, or never meant TLS; else what OpenSSL says.
    """
    noted = connection.get_app_data() if connection is not None else None
    if isinstance(noted, str):
        return noted
    if isinstance(cause, SSL.Error):
        queue = cause.args[0] if cause.args else ()
        reason = str(queue[0][-1]) if isinstance(queue, list) and queue else ""
        return _NOT_WORD.sub("_", reason.lower()).strip("_0123456789")[:40] or "tls_error"
    return "closed"
