"""What a new release means here, in a process of its own: `python -m gateway.app.codes_round_child`.

Counts the mappings that die, and opens a catalogue round when the configuration gives institutions days for one.
Started by the node after an import it ordered itself; prints one JSON object. Done twice, it opens no second round.
"""

import sys
from datetime import date, timedelta
from pathlib import Path

import msgspec

from gateway.app import child_process
from gateway.app.codes_checks import affected_mappings
from gateway.app.codes_files import code_systems, reading
from gateway.app.round_work import RoundRefused, open_round
from gateway.core.dates import day_of


def run(store: Path, system: str, ver: str, maker: str, days: int, now_s: float) -> dict[str, object]:
    """Return affected: institution -> mappings that are dead or soon will be; and round: its number, or why there is
    none. days: calendar days until the round is due, 0 = none is opened.
    """
    today = day_of(now_s)
    with reading(store) as reader:
        found: dict[str, object] = {"affected": affected_mappings(reader, code_systems(), system, today)}
    if days:
        due = (date.fromisoformat(today) + timedelta(days=days)).isoformat()
        try:
            done = open_round(store, system, ver, due, maker, {}, now_s, only_changes=True)
            found |= {"round": done.number, "due": due, "institutions": done.institutions}
        except RoundRefused as cause:
            found["no_round"] = str(cause)
    return found


def main(arguments: list[str]) -> None:
    """arguments: store, system, version, maker, days, seconds since the epoch."""
    child_process.begin()
    store, system, ver, maker, days, now = arguments
    found = run(Path(store), system, ver, maker, int(days), float(now))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main(sys.argv[1:])
