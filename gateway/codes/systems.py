"""The code systems a file may be about: their ids, patterns, and the titles their columns go by.

Ids are those of `schemas/code_systems`, and `department` and `dictionary:NAME` for mappings (annex X11), which have no
pattern and no library. The titles of a library's columns stand in its definition; those of a mapping file stand here.
"""

import re
from collections.abc import Mapping

from gateway.core.code_systems import CodeSystemSpec

DICTIONARY = "dictionary:"
_DICTIONARY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

MAPPING_TITLES: Mapping[str, tuple[str, ...]] = {
    "local_code": ("local_code", "院内编码", "本地编码"),
    "national_code": ("national_code", "国家编码", "国家医保编码"),
    "valid_from": ("valid_from", "生效日期"),
    "valid_to": ("valid_to", "失效日期"),
    "evidence": ("evidence", "依据"),
}
MAPPING_KEY = ("local_code", "national_code")

# Identity numbers of persons have no use in the library of codes, so they are not taken into it.
UNKEPT_COLUMNS = frozenset({"certno", "psn_cert_no", "证件号码", "身份证号", "身份证号码", "联系电话", "tel", "mob"})


def is_library(system: str, specs: Mapping[str, CodeSystemSpec]) -> bool:
    """Say whether a national library of this id exists."""
    return system in specs


def is_mappable(system: str, specs: Mapping[str, CodeSystemSpec]) -> bool:
    """Say whether local codes may be mapped for this SYSTEM id."""
    if system.startswith(DICTIONARY):
        return _DICTIONARY_NAME.fullmatch(system[len(DICTIONARY) :]) is not None
    return system == "department" or system in specs


def forms(specs: Mapping[str, CodeSystemSpec]) -> dict[str, re.Pattern[str]]:
    """Return the compiled pattern of every system."""
    return {name: re.compile(spec.regex) for name, spec in specs.items()}


def record_form(spec: CodeSystemSpec) -> re.Pattern[str]:
    """Return the pattern of the codes a library may hold: every kind there is, also one known only by hearsay.

    Wider than `forms`, by which a code is judged while no library is there to ask.
    """
    return re.compile(
        "|".join(f"(?:{regex})" for regex in (spec.regex, *(one.regex for one in spec.variants)) if regex)
    )


ROLES = ("code", "name", "begndate", "enddate", "vali_flag", "gray", "replaced_by", "ver")


def library_titles(spec: CodeSystemSpec) -> dict[str, tuple[str, ...]]:
    """Return our name -> titles for a library file; `code` is the key column, or the parts of the key are."""
    found = {role: tuple(dict.fromkeys((*spec.titles(role), role))) for role in ROLES}
    for part in spec.key:
        found[part] = next(column.accepted for column in spec.record_fields if part in column.accepted)
    return found


def library_key(spec: CodeSystemSpec) -> tuple[str, ...]:
    """Return which columns a library file must have."""
    return spec.key or ("code",)
