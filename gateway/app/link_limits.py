"""How many connections a platform link has, and for what."""

from adapters.transport.client import LinkLimits

# A catalogue of 100 MB takes its time; but it must begin like any answer, and go on (annex X6).
FILE_LIMITS = LinkLimits(connections_max=4, queue_max=64, response_bytes_max=256 * 1024 * 1024, answer_s=120.0)


def limits_of(connections_max: int, listen_s: float) -> LinkLimits:
    """An eighth of a link, at least one connection, is kept for queries: a slow settlement must not starve them.

    listen_s: how long a connection that fell silent is still listened to.
    """
    kept = max(1, connections_max // 8) if connections_max > 1 else 0
    return LinkLimits(connections_max=connections_max, late_max=connections_max - kept, listen_s=listen_s)
