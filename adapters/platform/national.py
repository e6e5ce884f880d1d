"""The national JSON interface, platform side: where a request goes, what an answer says. Pure.

Address shapes and wrappers per region: envelope.md §4; infcode is a number or a text (annex X1, X3).
"""

import re
from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from adapters.platform.signing import Signer
from gateway.core.catalogue import Region
from gateway.core.errors import BadJson
from gateway.core.jsontext import Raw, decode
from gateway.core.ports import Reply

_FILE_PATHS = {"9101": b"/fsi/api/fileupload/upload", "9102": b"/fsi/api/fileupload/download"}
_NOTHING = Reply("", "", False, None)


class _Head(msgspec.Struct):
    """The part of an answer that decides; everything else is only proved to be JSON."""

    infcode: Any = None
    err_msg: Any = None
    code: Any = None
    message: Any = None
    data: Any = None


_shallow = msgspec.json.Decoder(_Head, float_hook=Raw)


@attrs.frozen(eq=False)
class NationalCodec:
    """One link's dialect. path: of the link's URL; rest: infno -> path below it, in regions that use one each."""

    path: bytes
    signer: Signer
    access_codes: frozenset[str]
    access_text: re.Pattern[str]
    wrapper: str
    path_mode: str
    rest: Mapping[str, bytes]

    @classmethod
    def of(cls, region: Region, path: bytes, signer: Signer) -> "NationalCodec":
        """Make the codec of a link of a region."""
        answers = region.answers
        return cls(
            path,
            signer,
            frozenset(str(code) for code in answers.access_codes),
            re.compile(answers.access_messages),
            answers.wrapper,
            region.path_mode,
            {infno: one.rest_path.encode() for infno, one in region.transactions.items() if one.rest_path},
        )

    def request(self, infno: str, now_s: float) -> tuple[bytes, bytes]:
        """Return (path, signature header lines)."""
        headers = self.signer(infno, now_s)
        if infno in _FILE_PATHS:
            return _FILE_PATHS[infno], headers
        if self.path_mode == "infno":
            return self.path.rstrip(b"/") + b"/" + infno.encode(), headers
        if self.path_mode == "rest" and infno in self.rest:
            return self.path.rstrip(b"/") + self.rest[infno], headers
        return self.path, headers

    def read(self, status: int, body: bytes, whole: bool, deep: bool) -> Reply:
        """Read an answer; what cannot be read has no infcode (so money is in doubt)."""
        if body[:3] == b"\xef\xbb\xbf":
            body = body[3:]
        if not deep and not self.wrapper:
            return self._read_shallow(status, body)
        try:
            tree = decode(body)
        except BadJson:
            return _NOTHING
        if type(tree) is not dict:
            return _NOTHING
        outer = tree
        if self.wrapper and "infcode" not in tree and type(tree.get(self.wrapper)) is dict:
            tree = tree[self.wrapper]
        infcode = _code_text(tree.get("infcode"))
        if not infcode:
            access = self._access(status, tree.get("code"), tree.get("message"))
            return Reply("", "", access, None)
        err_msg = tree.get("err_msg")
        return Reply(infcode, err_msg if type(err_msg) is str else "", False, tree, outer)

    def _read_shallow(self, status: int, body: bytes) -> Reply:
        try:
            head = _shallow.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _NOTHING
        infcode = _code_text(head.infcode)
        if not infcode:
            return Reply("", "", self._access(status, head.code, head.message), None)
        return Reply(infcode, head.err_msg if type(head.err_msg) is str else "", False, None)

    def _access(self, status: int, code: Any, message: Any) -> bool:
        """A refusal of the access layer in its own form: certainly not executed (envelope.md §4.2; X1)."""
        if type(message) is not str or status not in (200, 401, 403):
            return False
        return _code_text(code) in self.access_codes and self.access_text.search(message) is not None


def _code_text(value: Any) -> str:
    if type(value) is str:
        return value.strip()
    if type(value) is int:
        return str(value)
    if type(value) is Raw:
        text = bytes(value).decode("ascii")
        return text[:-2] if text.endswith(".0") else text
    return ""
