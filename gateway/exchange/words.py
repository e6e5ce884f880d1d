"""Messages the gateway sends in its own name: a reversal, the queries about a doubt, a sign-in.

Whatever they say of the original comes from the journal, never from free input (RV1). The envelope head is the one the
institution sent last; who acts is the gateway, not a person of the institution's.
"""

import re
from collections.abc import Mapping
from typing import Any

from gateway.core.dates import shanghai
from gateway.core.jsontext import encode
from gateway.core.model import Entry

# What is kept of an institution's envelope, in clear: where, to whom, in which version, and the sign-in number. Only
# what looks like a code: free text might hold anything (annex X34).
HEAD = ("mdtrtarea_admvs", "recer_sys_code", "signtype", "infver", "opter_type", "sign_no")
_CODE = re.compile(r"[0-9A-Za-z._\-]{1,40}", re.ASCII)
_DEFAULTS = {"infver": "V1.0", "opter_type": "1"}
_OPTER, _OPTER_NAME = "gateway", "两定网关"
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
TAIL_MAX = len(_ALPHABET) ** 3


def head_of(tree: Mapping[str, Any]) -> dict[str, str]:
    """Return what is kept of an envelope."""
    found = zip(HEAD, raw_head_of(tree), strict=True)
    return {name: value for name, value in found if type(value) is str and _CODE.fullmatch(value)}


def raw_head_of(tree: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the values `head_of` reads, as they came."""
    return tuple(map(tree.get, HEAD))


def own_msgid(institution: str, now_s: float, tail: int) -> str:
    """Return a msgid of the official form, told from an institution's own by the letter R. tail: 0..TAIL_MAX-1."""
    letters = ""
    for _ in range(3):
        tail, digit = divmod(tail, len(_ALPHABET))
        letters += _ALPHABET[digit]
    return f"{institution[:12]}{shanghai(now_s):%Y%m%d%H%M%S}R{letters}"


def own_message(
    infno: str,
    msgid: str,
    original: Entry,
    name: str,
    head: Mapping[str, str],
    now_s: float,
    message: Mapping[str, Any],
) -> bytes:
    """Return the bytes of an envelope sent for an original's institution (called name), area and insured locality."""
    place, insured = original.mdtrtarea_admvs, original.insuplc_admdvs
    return own_envelope(infno, msgid, (original.fixmedins_code, name), head, place, insured, now_s, message)


def own_envelope(
    infno: str,
    msgid: str,
    institution: tuple[str, str],
    head: Mapping[str, str],
    area: str,
    insured_area: str,
    now_s: float,
    message: Mapping[str, Any],
) -> bytes:
    """Return the bytes of an envelope sent for an institution (code, name); area '' = that of the head."""

    def word(name: str) -> str:
        return head.get(name) or _DEFAULTS.get(name, "")

    return encode(
        {
            "infno": infno,
            "msgid": msgid,
            "mdtrtarea_admvs": area or word("mdtrtarea_admvs"),
            "insuplc_admdvs": insured_area,
            "recer_sys_code": word("recer_sys_code"),
            "dev_no": "",
            "dev_safe_info": "",
            "cainfo": "",
            "signtype": word("signtype"),
            "infver": word("infver"),
            "opter_type": word("opter_type"),
            "opter": _OPTER,
            "opter_name": _OPTER_NAME,
            "inf_time": f"{shanghai(now_s):%Y-%m-%d %H:%M:%S}",
            "fixmedins_code": institution[0],
            "fixmedins_name": institution[1],
            "sign_no": "" if infno == "9001" else word("sign_no"),
            "input": message,
        }
    )


def reversal(original: Entry) -> dict[str, Any]:
    """Return the input of 2601 (reversal specification §1)."""
    return {"data": {"psn_no": original.psn_no, "omsgid": original.msgid, "oinfno": original.infno}}


def sign_in() -> dict[str, Any]:
    """Return the input of 9001."""
    return {"signIn": {"opter_no": _OPTER, "mac": "00-00-00-00-00-00", "ip": "127.0.0.1"}}
