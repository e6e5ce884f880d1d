"""Plays a city on growing seeds across the weathers until an invariant breaks; says so in one line of JSON.

Runs in a process of its own whose gateway is a broken copy: python play.py FOLDER FIRST LAST SECONDS WEATHER…
"""

import json
import sys
import time
from pathlib import Path

import adapters
import gateway
from simulators.city import City
from simulators.weather import WEATHERS


def first_fault(seeds: range, seconds: float, weathers: list[str]) -> dict[str, object]:
    """Return where the first invariant broke, {} when none did. The city of money alone goes first: it is quick."""
    until = time.monotonic() + seconds
    for seed in seeds:
        for name in weathers:
            for full in (False, True) if seed % 4 == 3 else (False,):
                if time.monotonic() > until:
                    return {}
                place = f"{name}{' full' if full else ''}"
                city = City(seed, WEATHERS[name], money=18 if full else 50, full=full, traced=False)
                try:
                    faults = city.run().faults()
                except Exception as cause:  # boundary: no kill by itself: the witness must have seen something before
                    faults = city.witness.found
                    if not faults:
                        return {"place": place, "seed": seed, "fell": f"{type(cause).__name__}: {cause}"[:200]}
                if faults:
                    return {"place": place, "seed": seed, "fault": faults[0]}
    return {}


def main() -> None:
    folder, first, last, seconds, *weathers = sys.argv[1:]
    mine = [Path(str(package.__file__)).is_relative_to(folder) for package in (gateway, adapters)]
    assert any(mine), "the copy is not the one that runs"
    print(json.dumps(first_fault(range(int(first), int(last)), float(seconds), weathers), ensure_ascii=False))


if __name__ == "__main__":
    main()
