"""Which of the three encodings a text file is in: UTF-8, UTF-8 with BOM, GB18030 (annex C3). Nothing else is guessed.

A file is read once in pieces to decide, so its size costs time and not memory. GB18030 maps nearly any bytes to some
character, so a text that yields private-use, unassigned or control characters under it is refused rather than taken.
"""

import codecs
import unicodedata
from collections.abc import Callable
from typing import BinaryIO

PIECE_BYTES = 1 << 20
_BLANKS = frozenset("\t\n\r\x1a")


class NotText(Exception):
    """The bytes are not text in an encoding we read. The file's author is at fault; nothing was taken from it."""


def _strange(character: str) -> bool:
    category = unicodedata.category(character)
    return category in ("Co", "Cn", "Cs") or (category == "Cc" and character not in _BLANKS)


def _reads_as(stream: BinaryIO, encoding: str) -> bool:
    """Say whether the whole stream decodes and holds nothing but characters people write."""
    decoder = codecs.getincrementaldecoder(encoding)()
    seen: set[str] = set()
    try:
        while piece := stream.read(PIECE_BYTES):
            seen.update(decoder.decode(piece))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return encoding == "utf-8" or not any(_strange(character) for character in seen)


def detect(opened: Callable[[], BinaryIO]) -> str:
    """Return the codec name of a text ("utf-8-sig", "utf-8" or "gb18030"); `opened` opens it anew. Raises NotText."""
    with opened() as stream:
        if stream.read(3) == codecs.BOM_UTF8:
            with opened() as again:
                if _reads_as(again, "utf-8"):
                    return "utf-8-sig"
            raise NotText("文件带有UTF-8标记，内容却不是UTF-8")
    for encoding in ("utf-8", "gb18030"):
        with opened() as stream:
            if _reads_as(stream, encoding):
                return encoding
    raise NotText("文件编码不是UTF-8或GB18030")
