"""One text in a zip, in memory: what a daily statement travels as. Small on purpose (security T10).

Nothing here trusts a header: a member is read up to the limit and one byte more.
"""

import io
import zipfile

from adapters.files.archive import Archive, ArchiveBroken

PACKED_BYTES_MAX = 4 * 1024 * 1024
TEXT_BYTES_MAX = 16 * 1024 * 1024  # 50,000 rows of some 150 bytes, twice over
_EPOCH = (2020, 1, 1, 0, 0, 0)  # the same rows give the same bytes


def pack(name: str, text: str) -> bytes:
    """Return a zip with one UTF-8 text."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, _EPOCH), text.encode(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def unpack(packed: bytes, packed_max: int = PACKED_BYTES_MAX, text_max: int = TEXT_BYTES_MAX) -> str | None:
    """Return the one text of a zip (UTF-8, else GB18030, strictly); None for anything else, or when it is too big."""
    if len(packed) > packed_max:
        return None
    try:
        with Archive(io.BytesIO(packed)) as archive:
            members = archive.files()
            if len(members) != 1 or members[0].flag_bits & 1:
                return None
            with archive.open(members[0]) as stream:
                raw = stream.read(text_max + 1)
    except ArchiveBroken:
        return None
    return None if len(raw) > text_max else _decoded(raw)


def _decoded(raw: bytes) -> str | None:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None
