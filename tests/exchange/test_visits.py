"""The local code a visit was sent with comes back, where a national code has several local ones (annex X14)."""

from typing import Any

import attrs
import pytest
from exchange_messages import HOME, OTHER, PERSON, VISIT, Json, envelope
from exchange_rig import Rig

from gateway.core.codes import Libraries, Row, build_snapshot
from gateway.exchange.visits import REMEMBERED_MAX

NATIONAL = "J06.900"


@pytest.fixture
def rig() -> Rig:
    """Both hospitals call one disease by two names of their own, and another by one."""
    found = Rig()
    rows = [Row("diagnosis", local, national, "", "", "m1") for local, national in
            (("L1", NATIONAL), ("L2", NATIONAL), ("L3", "I10.x00"))]  # fmt: skip
    for code in (HOME, OTHER):
        institution = found.room.door.institutions[code]
        whole = institution.snapshot
        mine = build_snapshot(rows, Libraries({}, whole.libraries.forms))
        institution.snapshot = attrs.evolve(
            whole,
            tables={**whole.tables, "diagnosis": mine.tables["diagnosis"]},
            reverse={**whole.reverse, "diagnosis": mine.reverse["diagnosis"]},
            libraries=mine.libraries,
            shared=mine.shared,
        )
    return found


def visit(msgid: str, local: str, mdtrt_id: str = VISIT, code: str = HOME) -> Json:
    """2203: a visit with one diagnosis."""
    head = {
        "mdtrt_id": mdtrt_id, "psn_no": PERSON, "med_type": "11", "begntime": "2026-03-02 08:00:00",
        "main_cond_dscr": "", "dise_codg": "", "dise_name": "", "birctrl_type": "", "birctrl_matn_date": "",
    }  # fmt: skip
    row = {
        "diag_type": "1", "diag_srt_no": 1, "diag_code": local, "diag_name": "x", "diag_dept": "0201",
        "dise_dor_no": "D0080", "dise_dor_name": "测试", "diag_time": "2026-03-02 08:00:00", "vali_flag": "1",
    }  # fmt: skip
    return envelope("2203", msgid, {"mdtrtinfo": head, "diseinfo": [row]}, code)


def sent(rig: Rig, message: Json) -> None:
    caller = rig.ask(message)
    assert rig.far.last.message["msgid"] == message["msgid"], caller.raw
    rig.far.last.reply(0)
    rig.run()
    assert caller.answer["infcode"] == 0


def asked(rig: Rig, msgid: str, mdtrt_id: str = VISIT, code: str = HOME, national: str = NATIONAL) -> Any:
    """Return the diagnosis a query of the visit brings back."""
    caller = rig.ask(envelope("5202", msgid, {"data": {"psn_no": PERSON, "mdtrt_id": mdtrt_id}}, code))
    rig.far.last.reply(0, output={"diseinfo": [{"diag_code": national}]})
    return caller.answer["output"]["diseinfo"][0]["diag_code"]


@pytest.mark.parametrize("local", ["L1", "L2"])
def test_a_visit_gets_back_the_code_it_was_sent_with(rig: Rig, local: str) -> None:
    sent(rig, visit("w1", local))
    assert rig.far.last.message["input"]["diseinfo"][0]["diag_code"] == NATIONAL
    assert asked(rig, "q1") == local


def test_the_last_one_sent_counts(rig: Rig) -> None:
    sent(rig, visit("w1", "L1"))
    sent(rig, visit("w2", "L2"))
    assert asked(rig, "q1") == "L2"


def test_another_visit_or_institution_keeps_the_national_code(rig: Rig) -> None:
    sent(rig, visit("w1", "L2"))
    assert asked(rig, "q1", mdtrt_id="510800M202603020800000000099") == NATIONAL
    assert asked(rig, "q2", code=OTHER) == NATIONAL


def test_what_the_mapping_can_tell_is_not_remembered(rig: Rig) -> None:
    sent(rig, visit("w1", "L3"))
    assert not rig.room.desk.visits._codes
    assert asked(rig, "q1", mdtrt_id="510800M202603020800000000099", national="I10.x00") == "L3"


def test_the_memory_is_bounded_and_forgets_the_oldest(rig: Rig) -> None:
    memory = rig.room.desk.visits
    for number in range(REMEMBERED_MAX):
        memory._codes[HOME, str(number), "diagnosis", NATIONAL] = "L1"
    sent(rig, visit("w1", "L2"))
    assert len(memory._codes) == REMEMBERED_MAX
    assert asked(rig, "q1") == "L2"
    assert memory.code(HOME, "0", "diagnosis", NATIONAL) == ""
    assert memory.code(HOME, "1", "diagnosis", NATIONAL) == "L1"
