"""The schema files, read once: the catalogue, the regions a configuration uses, the forms of the code systems."""

import re
from collections.abc import Mapping

import schemas
from gateway.core.catalogue import CatalogueError, Files, Region, decode_files
from gateway.core.regions import build_region


def read_files() -> Files:
    """Decode every schema file; raises CatalogueError."""
    return decode_files(
        schemas.read("transactions", ".json"),
        schemas.read("dictionaries", ".json"),
        schemas.read("regions", ".toml"),
        schemas.read("code_systems", ".json"),
        (schemas.ROOT / "envelope.json").read_bytes(),
        schemas.read("registers", ".json"),
    )


def code_forms(files: Files) -> Mapping[str, re.Pattern[str]]:
    """Return SYSTEM -> the pattern of its national codes."""
    return {name: re.compile(spec.regex) for name, spec in files.code_systems.items()}


def all_problems(files: Files) -> list[str]:
    """Return what is wrong with any region at all, for `liangding check`."""
    problems: list[str] = []
    for name in sorted(files.regions):
        try:
            build_region(files, name)
        except CatalogueError as cause:
            problems += cause.problems
    return problems


__all__ = ["Region", "all_problems", "code_forms", "read_files"]
