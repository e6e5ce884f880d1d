"""When the node gives itself an order: once a day, at a time of day in Shanghai and a little later. Pure."""

from gateway.core.dates import shanghai


def due(at: str, jitter_s: float, now_s: float, last_s: float) -> bool:
    """Say whether the daily order is due.

    at: HH:MM, '' = never; jitter_s: how much later; last_s: when it was given last, 0 = never. A node that was down at
    its time makes up for it the same day.
    """
    if not at:
        return False
    hours, minutes = at.split(":")
    moment = shanghai(now_s - jitter_s)
    when = moment.replace(hour=int(hours), minute=int(minutes), second=0, microsecond=0)
    return moment >= when and last_s - jitter_s < when.timestamp()
