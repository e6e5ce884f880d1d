"""What a 13xx answer offers, and which version is asked for next. Pure.

`{"ver": last}` brings a file's number, name and row count; 9102 brings the file; its rows carry their version, and the
newest of them is asked for next, until nothing newer comes (code systems, catalogue_download; pitfall 15).
"""

from collections.abc import Iterator, Mapping

import attrs

FIRST_VERSION = "v0000"
CATALOGUE_OWNER = "plc"  # what 9102 wants in fixmedins_code for a catalogue file
NAME_MAX = 200


@attrs.frozen
class Offer:
    """A file the platform has for us. rows: -1 = it did not say."""

    file_qury_no: str
    filename: str
    rows: int


def read_offer(output: object) -> Offer | None:
    """Read the output of 13xx: an offer, or None when it names no file."""
    for node in _objects(output):
        number, name = node.get("file_qury_no"), node.get("filename")
        if isinstance(number, str) and number:
            plain = "".join(letter for letter in str(name or "") if letter.isprintable())[:NAME_MAX]
            return Offer(number, plain, _count(node.get("data_cnt")))
    return None


def _objects(output: object) -> Iterator[Mapping[str, object]]:
    """The file's facts stand in the output itself, or in a node of it."""
    if isinstance(output, Mapping):
        yield output
        for value in output.values():
            yield from _objects(value) if isinstance(value, Mapping | list) else ()
    elif isinstance(output, list):
        for value in output[:1]:
            yield from _objects(value)


def _count(value: object) -> int:
    text = str(value)
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 12 else -1


def fetch_words(file_qury_no: str, filename: str) -> dict[str, object]:
    """Return the input of 9102 for a catalogue file."""
    facts = {"file_qury_no": file_qury_no, "filename": filename, "fixmedins_code": CATALOGUE_OWNER}
    return {"fsDownloadIn": facts}
