"""A platform that makes daily statements, for tests: 9101, 3202, 9102 (reconciliation specification §3.2)."""

import base64
import io
import zipfile
from collections.abc import Sequence
from typing import Any

import attrs
from exchange_messages import HOME, PERSON, pay
from exchange_rig import Rig, Sent

GROUP = {"clr_type": "11", "clr_optins": "510800", "setl_time": "2026-03-02 08:00:00"}
OTHERS = "51080000000000000009"


def zipped(*texts: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, text in enumerate(texts):
            archive.writestr(f"result{number}.txt", text)
    return out.getvalue()


def differing(msgid: str, medfee: str, *, psn_no: str = PERSON, refd: str = "0", known: str = "null") -> str:
    """A row of the result: of what only the agency has, setl_id and mdtrt_id are null."""
    return "\t".join((psn_no, known, known, msgid, "101", refd, "null", medfee, "0.00", "0.00")) + "\n"


@attrs.define
class Agency:
    """A platform that is silent about 2601 and 5203, and compares."""

    rows: Sequence[str] = ()
    packed: bytes | None = None
    deaf: str = ""
    mute: str = ""
    uploads: list[str] = attrs.Factory(list)

    def __call__(self, one: Sent) -> None:
        infno, data = one.message["infno"], next(iter(one.message["input"].values()))
        if infno == self.mute:
            return
        if infno in (self.deaf, "2601", "5203"):
            one.listener.lost("connection lost")
        elif infno == "9101":
            with zipfile.ZipFile(io.BytesIO(base64.b64decode(data["in"]))) as archive:
                self.uploads += [archive.read(name).decode() for name in archive.namelist()]
            one.reply(0, output={"file_qury_no": "U1", "filename": data["filename"], "fixmedins_code": HOME})
        elif infno == "3202":
            one.reply(0, output={"fileinfo": {"file_qury_no": "D1", "filename": "result.zip", "dld_endtime": ""}})
        elif infno == "9102":
            packed = zipped("".join(self.rows)) if self.packed is None else self.packed
            one.listener.answered(200, b"application/octet-stream", packed, True)
        else:
            one.settled()


def known_group(rig: Rig, **changes: Any) -> str:
    """Settle once, so that the journal tells which agency and kind of clearing the institution has."""
    rig.settle(pay("m0", "B0", psn_no=OTHERS, visit="V0"), **GROUP, **changes)
    return str(rig.row("m0").setl_id)
