"""What the exchange must know of a message: who, which visit, how much, its digest, its business key, its lane.

Sources: reversal specification §7 (lanes), §8 (digest, business keys); contract-annex X10, X34.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import msgspec

from gateway.core.catalogue import Transaction
from gateway.core.errors import BadJson
from gateway.core.jsontext import encode_sorted
from gateway.core.money import fen_of

Digest = Callable[[bytes], bytes]

# Vouchers of the insured: never stored, never part of a digest (security §6; X34).
VOUCHERS = frozenset(
    {
        "mdtrt_cert_no", "card_sn", "ecToken", "ec_token", "ecQrCode", "ecAuthCode", "auth_no", "authNo", "payAuthNo",
        "payToken", "revsToken", "mdtrtCertNo", "cardSn", "psn_cert_photo", "hcard_basinfo", "hcard_chkinfo",
        "password", "token",
    }
)  # fmt: skip
CANCELS = frozenset({"2103", "2208", "2261", "2305"})
ORDERS = frozenset({"6202", "6203"})  # pay, refund an order of mobile payment
_HOLDERS = frozenset({dict, list})
_SERIAL = frozenset({"feedetl_sn", "bkkp_sn"})
_OWN = ("psn_no", "mdtrt_id", "setl_id", "omsgid", "medfee_sumamt")


@attrs.frozen(kw_only=True)
class Names:
    """What a transaction calls its visit, its order, and what makes two of it the same business, where none of the
    usual names is used. It names no insured person (a citizen's own number is none: it must not rest in clear, X34).

    key: fields of the business key; all: those that are left when `all_of` = (field, value) holds; total: the amount.
    """

    visit: str = ""
    order: str = ""
    key: tuple[str, ...]
    all_of: tuple[str, str] = ("", "")
    all: tuple[str, ...] = ()
    total: str = ""


# Mobile payment: an order is paid once, and a refund has a serial number of the institution's; the whole order is
# refunded once, whatever its number. Purchases elsewhere: after a refund or a reversal the visit gets a new number
# (reversal specification §1), so what was taken back under one is over.
_NAMES: Mapping[str, Names] = {
    "6202": Names(visit="mdtrtId", order="payOrdId", key=("payOrdId",)),
    "6203": Names(
        order="payOrdId",
        key=("payOrdId", "appRefdSn"),
        all_of=("refdType", "ALL"),
        all=("payOrdId",),
        total="totlRefdAmt",
    ),
    "2163": Names(visit="mdtrt_regno", key=("mdtrt_regno",)),
    "2181": Names(visit="mdtrt_regno", key=("mdtrt_regno", "status")),
}

UNNUMBERED = frozenset(_NAMES)  # their answers name no setl_id


@attrs.frozen(kw_only=True)
class Facts:
    """Texts are '' when the message does not carry them; medfee_fen None likewise."""

    psn_no: str = ""
    mdtrt_id: str = ""
    setl_id: str = ""
    omsgid: str = ""
    oinfno: str = ""
    med_type: str = ""
    medfee_fen: int | None = None
    business_key: str = ""
    soft_key: str = ""
    lane: str = ""


def content(infno: str, institution: str, message: Mapping[str, Any]) -> bytes:
    """Return the bytes a digest is made of: keys sorted, numbers as their text, vouchers left out (X10).

    Raises BadJson for a message nested so deep that it cannot be written again (X23).
    """
    try:
        return f"{infno}|{institution}|".encode() + encode_sorted(_without(VOUCHERS, message))
    except (RecursionError, msgspec.EncodeError) as cause:
        raise BadJson("嵌套过深") from cause


def content_slices(infno: str, institution: str, message: Mapping[str, Any], rows: int) -> Iterator[bytes]:
    """Yield `content` a slice of at most `rows` list rows at a time; joined it is the same bytes."""
    clean = sorted(name for name in message if name not in VOUCHERS)
    start = f"{infno}|{institution}|".encode() + b"{"
    for name in clean:
        yield start + encode_sorted(name) + b":"
        start = b","
        node = message[name]
        if type(node) is list:
            for at in range(0, len(node), rows):
                part = encode_sorted(_without(VOUCHERS, node[at : at + rows]))
                yield (b"," if at else b"[") + part[1:-1]
            yield b"]" if node else b"[]"
        else:
            yield encode_sorted(_without(VOUCHERS, node))
    yield b"}" if clean else start + b"}"


def _without(names: frozenset[str], node: Any) -> Any:
    """Return node without the named fields, at any depth; what has none of them is not copied."""
    if type(node) is list:
        return node if _flat(names, node) else [_without(names, row) for row in node]
    if type(node) is not dict:
        return node
    inner = [name for name, value in node.items() if type(value) in _HOLDERS]
    if not inner and names.isdisjoint(node):
        return node
    clean = {name: value for name, value in node.items() if name not in names}
    for name in inner:
        if name in clean:
            clean[name] = _without(names, clean[name])
    return clean


def _flat(names: frozenset[str], rows: list[Any]) -> bool:
    """Say whether a list holds none of the named fields, looking one list deep into its rows: the usual shape."""
    for row in rows:
        if type(row) is not dict or not names.isdisjoint(row):
            return False
        for value in row.values():
            if type(value) is dict or (type(value) is list and not _bare(names, value)):
                return False
    return True


def _bare(names: frozenset[str], rows: list[Any]) -> bool:
    for row in rows:
        if type(row) is not dict or not names.isdisjoint(row):
            return False
        for value in row.values():
            if type(value) in _HOLDERS:
                return False
    return True


def head_name(transaction: Transaction) -> str:
    """Return the name of the input node that says whose and which, '' when these stand directly under input.

    It comes from the catalogue alone: the platform reads that node, so a node of the sender's own invention beside it
    must neither hide it nor speak for it (security T9).
    """
    for node in transaction.nodes:
        if any(node.field(name) is not None for name in _OWN):
            return node.name
    if transaction.root is None and transaction.nodes:
        return transaction.nodes[0].name
    return ""


def head_node(head: str, message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return that node of a message; of a list its first row; {} when it is not there."""
    node = message.get(head) if head else message
    if type(node) is list and node:
        node = node[0]
    return node if isinstance(node, dict) else {}


def is_trial(transaction: Transaction, name: str, message: Mapping[str, Any]) -> bool:
    """Say whether a message only asks what a settlement would come to, as 2206 does: 2260 with setl_flag "0".
    name: of its head node.

    The value must stand there as the catalogue states it; anything else, also a missing one, may move money.
    """
    if not transaction.trial:
        return False
    head = head_node(name, message)
    return all(_text(head, field) == said for field, said in transaction.trial.items())


def facts_of(infno: str, institution: str, message: Mapping[str, Any], digest: Digest, name: str) -> Facts:
    """Return the facts of a checked money message (or any other; most stay empty). name: of its head node."""
    head = head_node(name, message)
    names = _NAMES.get(infno)
    if names is not None:
        return _otherwise_named(infno, institution, head, names)
    psn_no, mdtrt_id, setl_id = _text(head, "psn_no"), _text(head, "mdtrt_id"), _text(head, "setl_id")
    business, soft = _keys(infno[:4], institution, head, message, digest)
    # §7 names (insuplc_admdvs, psn_no); systems send an empty insuplc for local persons and fill it for others, so
    # the person alone is the lane: two requests of one person must never run side by side.
    return Facts(
        psn_no=psn_no,
        mdtrt_id=mdtrt_id,
        setl_id=setl_id,
        omsgid=_text(head, "omsgid"),
        oinfno=_text(head, "oinfno"),
        med_type=_text(head, "med_type"),
        medfee_fen=fen_of(head.get("medfee_sumamt")),
        business_key=business,
        soft_key=soft,
        lane=f"p|{psn_no}" if psn_no else (f"v|{institution}|{mdtrt_id}" if mdtrt_id else ""),
    )


def _otherwise_named(infno: str, institution: str, head: Mapping[str, Any], names: Names) -> Facts:
    """An order's pay and refund share a lane, and a purchase's refund and reversal. What names a visit but no person is
    in the way of all else about that visit (`Lanes`): so its 6202 never runs beside its 2207.
    """
    field, value = names.all_of
    key = names.all if value and _text(head, field) == value else names.key
    visit = _text(head, names.visit) if names.visit else ""
    order = _text(head, names.order) if names.order else ""
    return Facts(
        mdtrt_id=visit,
        medfee_fen=fen_of(head.get(names.total)) if names.total else None,
        business_key="|".join((infno, institution, *(_text(head, one) for one in key))),
        lane=f"o|{institution}|{order}" if order else (f"v|{institution}|{visit}" if visit else ""),
    )


def _text(node: Mapping[str, Any], name: str) -> str:
    value = node.get(name)
    return value if type(value) is str else ""


def _keys(
    infno: str, institution: str, head: Mapping[str, Any], message: Mapping[str, Any], digest: Digest
) -> tuple[str, str]:
    """Return (business key, soft key) of reversal specification §8; 2260 settles a whole bill at once as 2102 does.

    What grows with time stands before the person: neighbours in time are then neighbours in the index, and a commit
    touches few of its pages.
    """
    psn_no = _text(head, "psn_no")
    if infno == "2207":
        return f"2207|{institution}|{_text(head, 'mdtrt_id')}|{_text(head, 'chrg_bchno')}|{psn_no}", ""
    if infno == "2304":
        rest = f"{_text(head, 'mdtrt_id')}|{_text(head, 'mid_setl_flag')}|{_text(head, 'invono')}"
        return f"2304|{institution}|{rest}|{psn_no}", ""
    if infno in CANCELS:
        return f"undo|{institution}|{_text(head, 'setl_id')}", ""
    if infno == "2401":
        return f"2401|{institution}|{psn_no}|{_text(head, 'ipt_no')}", ""
    if infno == "2102":
        if _text(head, "invono"):
            return f"2102|{institution}|{_text(head, 'invono')}|{psn_no}", ""
        return "", _lines_key(infno, institution, head, message.get("drugdetail"), digest)
    if infno == "2260":
        if _text(head, "invono"):  # order_no may be the visit's, which may have several bills
            return f"2260|{institution}|{_text(head, 'invono')}|{psn_no}", ""
        return "", _lines_key(infno, institution, head, message.get("feedetail"), digest)
    return "", ""


def _lines_key(infno: str, institution: str, head: Mapping[str, Any], lines: Any, digest: Digest) -> str:
    """A bill without a number: person, time, total and its lines without their serial numbers."""
    rows = _without(_SERIAL, lines) if type(lines) is list else []
    packed = b"".join(sorted(encode_sorted(row) for row in rows))
    fen = fen_of(head.get("medfee_sumamt"))
    return f"{infno}|{institution}|{_text(head, 'psn_no')}|{_text(head, 'begntime')}|{fen}|{digest(packed).hex()}"


def undone_setl_id(business_key: str) -> str:
    """Return the setl_id of the settlement a cancellation undoes, from its business key; '' for any other key."""
    return business_key.split("|", 2)[2] if business_key.startswith("undo|") else ""


def paid_by(refund_key: str) -> str:
    """Return the business key of the payment (6202) whose order a refund (6203) gives back, '' for any other key."""
    number, _ = order_of(refund_key)
    kind, institution, *_rest = (*refund_key.split("|"), "")
    return f"6202|{institution}|{number}" if number and kind == "6203" else ""


def order_of(business_key: str) -> tuple[str, bool]:
    """Return (payOrdId, whether all of it) from the business key of 6202 or 6203; ('', False) for any other key, and
    for one whose parts cannot be told from each other.
    """
    kind, *rest = business_key.split("|")
    if kind not in ORDERS or len(rest) not in ((2,) if kind == "6202" else (2, 3)):
        return "", False
    return rest[1], len(rest) == 2
