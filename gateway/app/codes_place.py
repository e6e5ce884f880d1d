"""Which institution and which system a command on mappings is about: named on the command line, found in the set-up."""

from pathlib import Path

import attrs

from gateway.app.codes_files import code_systems
from gateway.app.say import USAGE, end, load
from gateway.codes.systems import is_mappable


@attrs.frozen
class Place:
    """Where a mapping lives. names_sent: the institution's link sends national names (annex X12)."""

    store: Path
    names_sent: bool


def known_system(system: str, as_json: bool) -> None:
    """End with exit code 2 unless local codes may be mapped for this SYSTEM id."""
    if not is_mappable(system, code_systems()):
        known = "、".join([*sorted(code_systems()), "department", "dictionary:NAME"])
        end(USAGE, f"没有这个编码标准：{system}（可用：{known}）", as_json=as_json)


def place(path: str, institution: str, system: str, as_json: bool) -> Place:
    """Read the configuration and check that the institution and the system exist (a typing error ends here)."""
    config = load(path, as_json)
    links = {one.fixmedins_code: one.link for one in config.institution}
    if institution not in links:
        end(USAGE, f"配置中没有机构{institution}", as_json=as_json)
    known_system(system, as_json)
    return Place(config.room("codes"), config.platform[links[institution]].national_names)
