"""What the exchange knows of a message: digest (annex X10, X34), business key and lane (reversal.md §7, §8)."""

from typing import Any

import pytest
from messages import region

from gateway.core.errors import BadJson
from gateway.core.facts import (
    Facts,
    content,
    content_slices,
    facts_of,
    head_name,
    head_node,
    order_of,
    undone_setl_id,
)
from gateway.core.jsontext import decode, encode_sorted

HERE = region("national")
H1, H2 = "H43010000001", "H43010000002"
PERSON = "43000000000000000001"


def digest(raw: bytes) -> bytes:
    """A digest one can read: the tests compare equality only."""
    return raw


def of(text: str, infno: str = "2207", institution: str = H1) -> bytes:
    return content(infno, institution, decode(text.encode()))


def facts(infno: str, message: Any, institution: str = H1, head: str = "data") -> Facts:
    return facts_of(infno, institution, message, digest, head)


# --- the digest (X10)

BASE = '{"data":{"psn_no":"1","medfee_sumamt":1.00,"n":7},"rows":[{"a":"1","b":2},{"a":"3"}]}'


@pytest.mark.parametrize(
    "same",
    [
        '{"rows":[{"b":2,"a":"1"},{"a":"3"}],"data":{"n":7,"medfee_sumamt":1.00,"psn_no":"1"}}',
        '{ "data" : {"psn_no":\t"1", "medfee_sumamt" :1.00,\n"n":7}, "rows":[{"a":"1","b":2} ,{"a":"3"}] }',
        '{"d\\u0061ta":{"psn_no":"\\u0031","medfee_sumamt":1.00,"n":7},"rows":[{"a":"1","b":2},{"a":"3"}]}',
        BASE.replace('"n":7', '"n":7,"mdtrt_cert_no":"990000199001010004","card_sn":"x"'),
        BASE.replace('"n":7', '"n":7,"ecToken":"one"').replace('"a":"3"', '"a":"3","password":"p"'),
        BASE.replace('{"data"', '{"token":"t","data"'),
    ],
)
def test_order_blanks_escapes_and_vouchers_do_not_count(same: str) -> None:
    assert of(same) == of(BASE)


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("1.00", "1.0"),
        BASE.replace("1.00", "1"),
        BASE.replace("1.00", '"1.00"'),
        BASE.replace("1.00", "1.00e0"),
        BASE.replace("1.00", "-1.00"),
        BASE.replace('"n":7', '"n":8'),
        BASE.replace('"n":7', '"n":7,"m":null'),
        BASE.replace('"psn_no":"1"', '"psn_no":"2"'),
        BASE.replace('[{"a":"1","b":2},{"a":"3"}]', '[{"a":"3"},{"a":"1","b":2}]'),
    ],
)
def test_every_other_difference_counts(other: str) -> None:
    assert of(other) != of(BASE)


def test_transaction_and_institution_count() -> None:
    assert len({of(BASE), of(BASE, infno="2208"), of(BASE, institution=H2)}) == 3


def test_the_envelope_is_no_part_of_it() -> None:
    """inf_time, sign_no and opter change when a HIS sends the same request again."""
    one, two = ({"infno": "2207", "inf_time": t, "opter": o, "sign_no": s, "input": decode(BASE.encode())}
                for t, o, s in (("1", "2", "3"), ("4", "5", "6")))  # fmt: skip
    assert content("2207", H1, one["input"]) == content("2207", H1, two["input"])


# Security specification §6, X34: written down here, so that one taken off the list of the product is missed.
VOUCHERS = (
    "authNo", "auth_no", "cardSn", "card_sn", "ecAuthCode", "ecQrCode", "ecToken", "ec_token", "hcard_basinfo",
    "hcard_chkinfo", "mdtrtCertNo", "mdtrt_cert_no", "password", "payAuthNo", "payToken", "psn_cert_photo", "revsToken",
    "token",
)  # fmt: skip


@pytest.mark.parametrize("voucher", VOUCHERS)
@pytest.mark.parametrize(
    "place",
    [
        '{"%s":"v"}',
        '{"d":{"%s":"v"}}',
        '{"d":[{"%s":"v"}]}',
        '{"d":{"e":{"%s":"v"}}}',
        '{"d":{"e":[{"f":{"%s":"v"}}]}}',
        '{"d":[[{"%s":"v"}]]}',
        '{"d":[{"e":[{"%s":"v"}]}]}',
        '{"d":{"e":[{"a":1},{"%s":"v"}]}}',
        '{"d":{"e":[{"a":[]},[{"%s":"v"}]]}}',
        '{"d":[{"e":[{"f":[{"%s":"v"}]}]}]}',
        '{"d":[{"e":[{"f":{"%s":"v"}}]}]}',
        '{"d":{"x":[1,"2",{"a":1}],"e":[[1,{"%s":"v"}]]}}',
    ],
)
def test_a_voucher_is_left_out_however_deep(voucher: str, place: str) -> None:
    with_it = of(place % voucher)
    assert b'"v"' not in with_it
    assert with_it == of((place % voucher).replace(f'"{voucher}":"v"', ""))


def test_a_voucher_that_is_no_text_is_left_out_as_well() -> None:
    assert of('{"d":{"a":[1],"ecToken":{"v":"1"},"auth_no":["1"]}}') == of('{"d":{"a":[1]}}')


def test_the_message_itself_is_not_changed() -> None:
    message = decode(b'{"data":{"mdtrt_cert_no":"1","rows":[{"ecToken":"2"}]}}')
    content("2207", H1, message)
    assert message == {"data": {"mdtrt_cert_no": "1", "rows": [{"ecToken": "2"}]}}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"d":{"rows":[{"a":1},{"b":[1]}],"n":null}}',
        b'{"d":{"rows":[[1],{"a":{"b":2}},"x",null]}}',
        b'{"d":{"rows":[{"a":1},{"a":2}],"o":{"p":{"q":[]}}}}',
        b'{"d":[],"e":{},"f":[[],{}]}',
    ],
)
def test_all_else_is_in_it(raw: bytes) -> None:
    assert content("2207", H1, decode(raw)) == f"2207|{H1}|".encode() + encode_sorted(decode(raw))


def test_what_is_too_deep_to_be_written_is_no_json_of_ours() -> None:
    deep: dict[str, Any] = {}
    for _ in range(3_000):
        deep = {"a": deep}
    with pytest.raises(BadJson):
        content("2207", H1, deep)


# --- business keys (§8)

SALE = {
    "druginfo": {"psn_no": PERSON, "begntime": "2024-01-05 11:00:00", "medfee_sumamt": "25.80", "invono": ""},
    "drugdetail": [
        {
            "feedetl_sn": "1",
            "med_list_codg": "A",
            "cnt": 1,
            "durg_trac_info": [{"feedetl_sn": "1", "drug_trac_codg": "8"}],
        },
        {"feedetl_sn": "2", "med_list_codg": "B", "cnt": 2},
    ],
}


def parts(infno: str, **more: Any) -> dict[str, Any]:
    base = {
        "psn_no": PERSON,
        "mdtrt_id": "M1",
        "chrg_bchno": "B1",
        "setl_id": "S1",
        "mid_setl_flag": "0",
        "invono": "F1",
    }
    return {"data": {**base, "ipt_no": "Z1", **more}}


@pytest.mark.parametrize(
    ("infno", "counts"),
    [
        ("2207", {"psn_no", "mdtrt_id", "chrg_bchno"}),
        ("2207A", {"psn_no", "mdtrt_id", "chrg_bchno"}),
        ("2304", {"psn_no", "mdtrt_id", "mid_setl_flag", "invono"}),
        ("2304A", {"psn_no", "mdtrt_id", "mid_setl_flag", "invono"}),
        ("2208", {"setl_id"}),
        ("2103", {"setl_id"}),
        ("2305", {"setl_id"}),
        ("2261", {"setl_id"}),
        ("2401", {"psn_no", "ipt_no"}),
        ("2102", {"psn_no", "invono"}),
    ],
)
def test_what_makes_the_same_business(infno: str, counts: set[str]) -> None:
    base = facts(infno, parts(infno))
    assert base.business_key
    assert base.soft_key == ""
    for name in parts(infno)["data"]:
        other = facts(infno, parts(infno, **{name: "other"}))
        assert (other.business_key != base.business_key) is (name in counts), name
    assert facts(infno, parts(infno), H2).business_key != base.business_key


ORDER = {"payOrdId": "P1", "mdtrtId": "V1", "chrgBchno": "B1", "orgBizSer": "Z1", "payToken": "T"}
REFUND = {"payOrdId": "P1", "appRefdSn": "1", "refdType": "HI", "totlRefdAmt": 1, "ecToken": "E"}
PURCHASE = {"mdtrt_regno": "R1", "ssn": "430000199001010001", "status": "1107", "opter_name": "x"}


@pytest.mark.parametrize(
    ("infno", "message", "counts", "visit", "lane"),
    [
        ("6202", ORDER, {"payOrdId"}, "V1", f"o|{H1}|P1"),
        ("6203", REFUND, {"payOrdId", "appRefdSn"}, "", f"o|{H1}|P1"),
        ("6203", REFUND | {"refdType": "ALL"}, {"payOrdId", "refdType"}, "", f"o|{H1}|P1"),
        ("2163", PURCHASE, {"mdtrt_regno"}, "R1", f"v|{H1}|R1"),
        ("2181", PURCHASE, {"mdtrt_regno", "status"}, "R1", f"v|{H1}|R1"),
    ],
)
def test_what_is_otherwise_named_has_its_keys_and_its_lane(
    infno: str, message: dict[str, Any], counts: set[str], visit: str, lane: str
) -> None:
    root = infno in ("2163", "2181")
    head = head_name(region("hunan").transactions[infno])

    def of_one(**changes: Any) -> Facts:
        found = message | changes
        return facts(infno, found if root else {"data": found}, head=head)

    base = of_one()
    assert (base.mdtrt_id, base.lane, base.psn_no, base.omsgid) == (visit, lane, "", "")
    for name in message:
        assert (of_one(**{name: "other"}).business_key != base.business_key) is (name in counts), name
    strange = of_one(
        **{"": "Z"}, psn_no="9", omsgid="M", mdtrt_id="X", setl_id="Y"
    )  # fields it does not have say nothing (T9)
    assert strange == base
    assert "430000" not in repr(base)
    assert "T" not in base.business_key.split("|") and "E" not in base.business_key.split("|")


def test_an_orders_number_is_read_from_the_keys_of_its_payment_and_refund() -> None:
    assert order_of(facts("6202", {"data": ORDER}).business_key) == ("P1", True)
    assert order_of(facts("6203", {"data": REFUND}).business_key) == ("P1", False)
    assert order_of(facts("6203", {"data": REFUND | {"refdType": "ALL"}}).business_key) == ("P1", True)
    assert order_of(facts("2207", parts("2207")).business_key) == ("", False)
    assert order_of(facts("6203", {"data": REFUND | {"appRefdSn": "ALL"}}).business_key) == ("P1", False)
    assert order_of(facts("6202", {"data": ORDER | {"payOrdId": "P|1"}}).business_key) == ("", False)
    assert order_of("") == ("", False)


def test_a_settlement_is_cancelled_once_whatever_cancels_it() -> None:
    assert facts("2208", parts("2208")).business_key == facts("2305", parts("2305")).business_key


BILL = {"psn_no": PERSON, "begntime": "2026-03-02 08:00:00", "order_no": "D1", "med_type": "11"}
LINES = [{"bkkp_sn": "1", "medins_list_codg": "A", "cnt": "1"}, {"bkkp_sn": "2", "medins_list_codg": "B", "cnt": "1"}]


def bill(lines: Any = LINES, **changes: Any) -> Facts:
    message = {"mdtrtinfo": BILL | changes, "feedetail": lines}
    return facts("2260", message, head=head_name(region("guangzhou").transactions["2260"]))


def test_a_bill_settled_at_once_has_its_invoice_number_or_its_lines_as_its_key() -> None:
    """2260 of Guangzhou names neither a visit nor a batch, as 2102."""
    assert (bill(invono="F1").business_key, bill(invono="F1").soft_key) == (f"2260|{H1}|F1|{PERSON}", "")
    assert (bill().business_key, bill().lane) == ("", f"p|{PERSON}")
    assert bill().soft_key.startswith(f"2260|{H1}|{PERSON}|2026-03-02 08:00:00|")
    numbered = [line | {"bkkp_sn": "9"} for line in reversed(LINES)]
    assert bill(numbered).soft_key == bill(order_no="D2").soft_key == bill().soft_key
    others = {bill(LINES[:1]).soft_key, bill(begntime="2026-03-02 09:00:00").soft_key, bill(psn_no="9").soft_key}
    assert bill().soft_key not in others


def test_what_cancels_such_a_bill_cancels_it_once() -> None:
    head = head_name(region("guangzhou").transactions["2261"])
    found = facts("2261", {"mdtrtinfo": {"setl_id": "S1", "mdtrt_id": "V1", "psn_no": PERSON}}, head=head)
    assert (found.business_key, found.mdtrt_id) == (f"undo|{H1}|S1", "V1")
    assert undone_setl_id(found.business_key) == "S1"


@pytest.mark.parametrize("infno", ["1101", "2201", "2204", "2601", "2402"])
def test_other_transactions_have_no_business_key(infno: str) -> None:
    assert (facts(infno, parts(infno)).business_key, facts(infno, parts(infno)).soft_key) == ("", "")


def sale_facts(message: Any) -> Facts:
    return facts("2102", message, head="druginfo")


def sale(**druginfo: Any) -> dict[str, Any]:
    return {"druginfo": {**SALE["druginfo"], **druginfo}, "drugdetail": SALE["drugdetail"]}  # type: ignore[dict-item]


def test_a_sale_without_an_invoice_number_has_a_soft_key() -> None:
    base = sale_facts(SALE)
    assert base.business_key == ""
    assert base.soft_key.startswith(f"2102|{H1}|{PERSON}|2024-01-05 11:00:00|2580|")
    for change in ({"psn_no": "2"}, {"begntime": "2024-01-05 11:00:01"}, {"medfee_sumamt": "25.81"}):
        assert sale_facts(sale(**change)).soft_key != base.soft_key
    assert sale_facts(sale(medfee_sumamt="25.8")).soft_key == base.soft_key
    assert sale_facts(sale(mdtrt_cert_no="990000199001010004")).soft_key == base.soft_key
    assert sale_facts(sale(invono="F1")).soft_key == ""


def test_serial_numbers_and_order_of_the_lines_do_not_count() -> None:
    lines: Any = [
        {"med_list_codg": "B", "cnt": 2, "feedetl_sn": "8"},
        {
            "feedetl_sn": "7",
            "cnt": 1,
            "med_list_codg": "A",
            "durg_trac_info": [{"feedetl_sn": "7", "drug_trac_codg": "8"}],
        },
    ]
    assert sale_facts({**SALE, "drugdetail": lines}).soft_key == sale_facts(SALE).soft_key
    for other in (lines[:1], [*lines, lines[0]], [lines[1], {**lines[0], "cnt": 3}], None):
        assert sale_facts({**SALE, "drugdetail": other}).soft_key != sale_facts(SALE).soft_key


# --- who, which visit, how much, which lane (§7)


def test_facts_of_a_settlement() -> None:
    message = decode(b'{"data":{"psn_no":"1","mdtrt_id":"2","setl_id":"3","medfee_sumamt":-128.6,"chrg_bchno":"4"}}')
    found = facts("2207", message)
    assert (found.psn_no, found.mdtrt_id, found.setl_id, found.medfee_fen, found.lane) == ("1", "2", "3", -12860, "p|1")
    reversal = facts("2601", {"data": {"psn_no": "1", "omsgid": "M", "oinfno": "2207"}})
    assert (reversal.omsgid, reversal.oinfno, reversal.lane) == ("M", "2207", "p|1")


def test_the_lane_is_the_person_else_the_visit_at_this_institution() -> None:
    assert facts("2207", {"data": {"psn_no": "1", "mdtrt_id": "2"}}).lane == "p|1"
    assert facts("2207", {"data": {"psn_no": "1"}}, H2).lane == "p|1"
    assert facts("2207", {"data": {"mdtrt_id": "2"}}).lane == f"v|{H1}|2"
    assert facts("2207", {"data": {"mdtrt_id": "2"}}, H2).lane == f"v|{H2}|2"
    assert facts("2207", {"data": {}}).lane == ""


@pytest.mark.parametrize(
    "message",
    [
        {"extra": {"x": 1}, "data": {"psn_no": "1", "mdtrt_id": "2"}},
        {"data": {"psn_no": "1", "mdtrt_id": "2"}, "extra": {"x": 1}},
        {"extra": {"psn_no": ""}, "data": {"psn_no": "1", "mdtrt_id": "2"}},
        {"rows": [{"psn_no": "9"}], "data": {"psn_no": "1", "mdtrt_id": "2"}},
        {"data": [{"psn_no": "1", "mdtrt_id": "2"}, {"psn_no": "9"}]},
        {"z": {"psn_no": "9", "mdtrt_id": "8", "setl_id": "", "omsgid": ""}, "data": {"psn_no": "1", "mdtrt_id": "2"}},
    ],
)
def test_only_the_node_of_the_catalogue_says_whose_it_is(message: Any) -> None:
    """The platform reads that node: one beside it must neither take a settlement out of its lane nor speak for it."""
    found = facts("2207", message)
    assert (found.psn_no, found.mdtrt_id, found.lane) == ("1", "2", "p|1")


@pytest.mark.parametrize(
    ("infno", "name"),
    [
        ("2207", "data"),
        ("2102", "druginfo"),
        ("2401", "mdtrtinfo"),
        ("2601", "data"),
        ("2204", "feedetail"),
    ],
)
def test_the_head_is_named_by_the_catalogue(infno: str, name: str) -> None:
    assert head_name(HERE.transactions[infno]) == name


def test_the_head_of_a_message() -> None:
    assert head_node("", {"a": 1}) == {"a": 1}
    assert head_node("d", {"d": [{"a": 1}, {"a": 2}]}) == {"a": 1}
    for empty in ({}, {"d": None}, {"d": []}, {"d": [1]}, {"d": "x"}):
        assert head_node("d", empty) == {}


def test_what_is_no_text_is_no_fact() -> None:
    found = facts("2207", {"data": {"psn_no": 1, "mdtrt_id": None, "medfee_sumamt": "x"}, "n": 1})
    assert (found.psn_no, found.mdtrt_id, found.medfee_fen, found.lane) == ("", "", None, "")
    assert facts("2207", {}) == facts("2207", {"n": 1})


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
@pytest.mark.parametrize(
    "message",
    [
        {},
        {"data": {"b": "1", "a": [1, 2]}},
        {"z": [], "a": [{"mdtrt_cert_no": "x", "k": 1}, {"k": 2}, {"k": [{"card_sn": "y", "j": "é"}]}], "m": None},
        {"card_sn": "1", "feedetail": [{"n": str(n), "a": n} for n in range(7)]},
    ],
)
def test_content_in_slices_is_the_same_bytes(message: dict[str, Any], rows: int) -> None:
    assert b"".join(content_slices("2204", "H1", message, rows)) == content("2204", "H1", message)


def test_the_settlement_a_cancellation_undoes_is_read_from_its_key_whatever_its_number_holds() -> None:
    assert undone_setl_id("undo|H51080200001|A|S1") == "A|S1"
    assert undone_setl_id("2207|H51080200001|V1|B1|1") == ""
