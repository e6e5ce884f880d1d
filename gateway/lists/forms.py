"""The forms of message 4101 (the present one, 4101A, that of 2021): what each needs filled in (annex L1)."""

from collections.abc import Iterable, Iterator

import attrs

from gateway.core.catalogue import WhenSpec
from gateway.lists.reading import HEAD, Finding, Reading, Record


@attrs.frozen
class Needed:
    """A field the message definition requires, where `when` holds."""

    node: str
    field: str
    zh: str
    when: WhenSpec | None = None


def missing(reading: Reading, needed: Iterable[Needed], told: Iterable[Finding]) -> Iterator[Finding]:
    """Yield what the form requires and the list lacks, unless a rule has told of that place already (SL-S006)."""
    places = {one.path for one in told}
    for one in needed:
        for record in reading.nodes.get(one.node, []):
            place = f"{one.node}.{one.field}" if one.node == HEAD else f"{one.node}[{record.index}].{one.field}"
            if one.field not in record.texts and place not in places and _wanted(one.when, record):
                yield Finding("SL-S006", "error", place, f"【{one.zh}】报文定义要求必填")


def _wanted(when: WhenSpec | None, record: Record) -> bool:
    if when is None:
        return True
    if when.present:
        return when.field in record.texts
    return record.texts.get(when.field, "") in when.equals
