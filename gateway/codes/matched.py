"""1317 answered here: an institution's own mappings at the platform, as its uploads and comparisons have shown them.

What the platform holds is the platform's to say: rows are given only where a comparison since the last upload found no
difference. Source: interface specification 1317; mapping rules §10.6.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from gateway.codes.serving import meets, moments_of, page_of, place_of, wanted_of

INFNO = "1317"
Digest = Callable[[bytes], bytes]


@attrs.frozen
class Standing:
    """One row the platform holds or held of ours. cells: (local, list type, national, from, to); times yyyy-MM-dd
    HH:mm:ss."""

    cells: tuple[str, str, str, str, str]
    name: str
    valid: bool
    created: str
    changed: str


def answer(
    data: Mapping[str, Any],
    institution: str,
    area: str,
    rows: Iterable[Standing],
    digest: Digest,
    fields: Sequence[str],
) -> dict[str, Any] | None:
    """Return the `output` of 1317; None = ask the platform.

    area: in which the institution is (insu_admdvs), '' = not known; fields: of an output row.
    """
    place, wanted = place_of(data), wanted_of(data)
    if place is None or not area or wanted.pop("fixmedins_code", institution) != institution:
        return None
    if not all(name in fields for name in wanted):
        return None
    since, day = moments_of(data)
    found = [_row(one, institution, area, digest, fields) for one in rows]
    return page_of([row for row in found if meets(row, wanted, since, day)], *place)


def _row(one: Standing, institution: str, area: str, digest: Digest, fields: Sequence[str]) -> dict[str, str]:
    local, list_type, national, begndate, enddate = one.cells
    row = dict.fromkeys(fields, "")
    row |= {
        "fixmedins_code": institution,
        "medins_list_codg": local,
        "medins_list_name": one.name,
        "insu_admdvs": area,
        "list_type": list_type,
        "med_list_codg": national,
        "begndate": begndate,
        "enddate": enddate,
        "vali_flag": "1" if one.valid else "0",
        # Lasting, and ours: 1317 as the platform gives it has a number of its own here.
        "rid": digest("\x1f".join((institution, *one.cells[:4])).encode()).hex()[:40],
        "updt_time": one.changed,
        "crte_time": one.created,
    }
    return row
