"""The division table an installation works by: the region's file, and [duties] of the configuration over it."""

from collections.abc import Mapping
from typing import Any

import schemas
from gateway.codes.duties import BASE, Duties, DutiesError, build_duties


def read_duties(own: Mapping[str, Any]) -> Duties:
    """Return the table; own: [duties] as it stands in the configuration. Raises DutiesError."""
    region = own.get("region", BASE)
    systems = {
        path.removeprefix("code_systems/").removesuffix(".json") for path, _ in schemas.read("code_systems", ".json")
    }
    rest = {name: value for name, value in own.items() if name != "region"}
    return build_duties(schemas.read("duties", ".toml"), str(region), rest, systems)


def duties_problems(own: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the division table, for `liangding check`."""
    try:
        read_duties(own)
    except DutiesError as cause:
        return cause.problems
    return []
