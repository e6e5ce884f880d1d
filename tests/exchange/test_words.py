"""What the gateway says in its own name: msgids of its own, and what it keeps of an institution's envelope.

Rules: reversal specification §1 (msgid), RV1; contract-annex X34 (no person rests in clear).
"""

import json

from exchange_messages import HOME, envelope, pay
from exchange_rig import T0_S

from gateway.core.model import Entry
from gateway.exchange.words import HEAD, TAIL_MAX, head_of, own_message, own_msgid

ENTRY = Entry(
    id=1, fixmedins_code=HOME, msgid="m1", infno="2207", klass="M", link="n", state="SENT", digest=b"", created_ms=0,
    psn_no="1", insuplc_admdvs="510100",
)  # fmt: skip


def test_own_msgids_have_the_official_form_and_differ_within_a_second() -> None:
    found = {own_msgid(HOME, T0_S, tail) for tail in range(TAIL_MAX)}
    assert len(found) == TAIL_MAX
    for one in found:
        assert len(one) == 30 and one.startswith(f"{HOME}20260302080000R") and one.isalnum() and one.isascii()


def test_a_short_institution_code_gives_a_short_msgid() -> None:
    assert own_msgid("H1", T0_S, 0) == "H120260302080000R000"


def test_of_an_envelope_no_person_and_nothing_odd_is_kept() -> None:
    kept = head_of(
        pay("m1") | {"sign_no": "SN", "opter": "OP77", "opter_name": "某人", "infver": 1, "dev_no": "x" * 201}
    )
    assert kept.keys() <= set(HEAD)
    assert kept["sign_no"] == "SN"
    assert "OP77" not in kept.values() and "某人" not in kept.values()
    assert "infver" not in kept and "dev_no" not in kept


def test_a_message_of_an_institution_never_seen_has_every_field_of_an_envelope() -> None:
    made = json.loads(own_message("2601", "R1", ENTRY, "示例", {}, T0_S, {"data": {}}))
    assert made.keys() == envelope("2601", "R1", {}).keys()
    assert (made["infver"], made["opter_type"], made["insuplc_admdvs"]) == ("V1.0", "1", "510100")
    assert made["mdtrtarea_admvs"] == ""


def test_the_area_is_the_originals_and_only_without_one_the_institutions_last() -> None:
    head = {"mdtrtarea_admvs": "510900", "insuplc_admdvs": "999999", "sign_no": "SN"}
    assert json.loads(own_message("2601", "R1", ENTRY, "示例", head, T0_S, {}))["mdtrtarea_admvs"] == "510900"
    placed = Entry(
        id=1, fixmedins_code=HOME, msgid="m1", infno="2207", klass="M", link="n", state="SENT", digest=b"",
        created_ms=0, mdtrtarea_admvs="510800",
    )  # fmt: skip
    made = json.loads(own_message("2601", "R1", placed, "示例", head, T0_S, {}))
    assert (made["mdtrtarea_admvs"], made["insuplc_admdvs"]) == ("510800", "")
