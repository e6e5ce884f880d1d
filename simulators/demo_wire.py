"""What a hospital's own system asks of the gateway in the demonstration: JSON over TLS with its certificate."""

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from simulators.processes import Failed
from simulators.wording import Json

_PATIENCE_S = 30.0


def call(url: str, pki: Path, code: str, message: Json | None = None) -> Json:
    """Send a message (None: only ask) and return the answer. Raises Failed with what the gateway said."""
    trust = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    trust.load_cert_chain(pki / f"{code}.pem", pki / f"{code}.key")
    body = None if message is None else json.dumps(message, ensure_ascii=False).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - our own loopback
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S, context=trust) as answer:  # noqa: S310
            found: Json = json.load(answer)
            return found
    except (OSError, ValueError) as cause:
        why = cause.read().decode("utf-8", "replace")[:300] if isinstance(cause, urllib.error.HTTPError) else cause
        raise Failed(f"网关没有收下{url.rpartition('/')[2]}：{why}") from cause
