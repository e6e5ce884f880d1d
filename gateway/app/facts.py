"""The schema files, read once: the catalogue, the regions a configuration uses, the forms of the code systems."""

import re
from collections.abc import Mapping

import schemas
from gateway.app.config import Platform
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


def link_region(files: Files, link: Platform) -> Region:
    """Return a link's region; raises CatalogueError, also where the link's own words do not fit it."""
    region = build_region(files, link.region, tuple(link.extensions))
    table = link.status or region.status
    if (link.resolve or region.resolve) == "Q3":
        if table is None:
            raise CatalogueError(["resolve为Q3时要写出status：省里的状态查询用哪个交易、怎么问、怎么读"])
        known = region.transactions.get(table.infno)
        if known is not None and known.klass != "Q":
            raise CatalogueError([f"status.infno: {table.infno}不是查询类交易"])
    return region


def all_problems(files: Files) -> list[str]:
    """Return what is wrong with any region at all, for `liangding check`."""
    problems: list[str] = []
    for name in sorted(files.regions):
        try:
            build_region(files, name)
        except CatalogueError as cause:
            problems += cause.problems
    return problems


__all__ = ["Region", "all_problems", "code_forms", "link_region", "read_files"]
