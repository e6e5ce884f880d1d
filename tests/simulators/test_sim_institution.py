"""An institution obeys answers: it books what is done, asks again what is in doubt, never books what was refused."""

from collections.abc import Sequence
from random import Random  # noqa: TID251 - seeded dice of a test
from typing import Any

import pytest
from counter import MORNING

from simulators.his import ASK_AGAIN_S, Answer, GaveUp, Pause, Send, answer, undecided
from simulators.people import person
from simulators.pharmacy import Pharmacy
from simulators.wording import Json, read_object, write

MONEY = {
    "medfee_sumamt": 25.8,
    "fund_pay_sumamt": 10.0,
    "hifp_pay": 10.0,
    "cvlserv_pay": 0,
    "hifes_pay": 0,
    "hifmi_pay": 0,
    "hifob_pay": 0,
    "maf_pay": 0,
    "oth_pay": 0,
    "psn_part_amt": 15.8,
    "acct_pay": 5.0,
    "psn_cash_pay": 10.8,
    "hosp_part_amt": 0,
}
DONE = {
    "infcode": 0,
    "err_msg": "",
    "output": {
        "setlinfo": {
            "setl_id": "S1",
            "mdtrt_id": "M1",
            "psn_no": "1",
            "insutype": "310",
            "setl_time": "2026-11-21 08:00:00",
        }
        | MONEY
    },
}


def gateway(state: str, repeat: str) -> Json:
    return {
        "infcode": -1,
        "err_msg": f"[GW-{state}] x",
        "gw_code": f"GW-{state}",
        "gw_state": state,
        "gw_repeat": repeat,
    }


DOUBT = gateway("IN_DOUBT", "ask")
REVERSING = gateway("REVERSING", "ask")
REVERSED = gateway("REVERSED", "new")
MANUAL = gateway("MANUAL", "ask")


def settle(answers: Sequence[Json | int]) -> tuple[Pharmacy, str, list[bytes], float]:
    """Play one settlement against a list of answers (a number: an HTTP status without a body). The last one repeats."""
    shop = Pharmacy(lambda: MORNING, Random(1), "P51080200101", "示例药店")
    script = shop.settle("2102", {"druginfo": {}}, "510800", "41")
    sent: list[bytes] = []
    waited = 0.0
    left = list(answers)
    given: Answer | None = None
    while True:
        try:
            step = script.send(given)
        except StopIteration:
            return shop, "", sent, waited
        except GaveUp as why:
            return shop, str(why), sent, waited
        if isinstance(step, Pause):
            waited += step.seconds
            given = None
            continue
        assert isinstance(step, Send)
        sent.append(step.body)
        one = left.pop(0) if len(left) > 1 else left[0]
        given = answer(one, b"") if isinstance(one, int) else answer(200, write(one))


def test_a_success_is_booked_with_its_amounts_in_fen() -> None:
    shop, why, sent, _ = settle([DONE])
    assert why == "" and len(sent) == 1
    (row,) = shop.ledger
    assert (row.setl_id, row.amounts["medfee_sumamt"], row.amounts["psn_cash_pay"]) == ("S1", 2580, 1080)
    assert row.consistent and shop.problems() == []


@pytest.mark.parametrize("doubts", [[DOUBT], [DOUBT, REVERSING], [0], [0, 502], [429], [503, DOUBT]])
def test_doubt_is_asked_again_with_the_same_bytes_and_booked_once(doubts: list[Json | int]) -> None:
    shop, why, sent, waited = settle([*doubts, DONE])
    assert why == "" and len(shop.ledger) == 1
    assert len(sent) == len(doubts) + 1 and len(set(sent)) == 1
    assert waited == sum(ASK_AGAIN_S[: len(doubts)])


def test_what_was_reversed_is_not_booked() -> None:
    shop, why, sent, _ = settle([DOUBT, REVERSING, REVERSED])
    assert why.startswith("2102 [GW-REVERSED]")
    assert shop.ledger == [] and shop.unknown == {} and shop.problems() == []
    assert [sent.count(raw) for raw in dict.fromkeys(sent)] == [3, 1, 1]


def test_after_a_reversal_the_cashier_tries_again_with_a_new_msgid() -> None:
    shop, why, sent, _ = settle([DOUBT, REVERSED, DONE])
    assert why == "" and len(shop.ledger) == 1 and shop.unknown == {}
    first, last = read_object(sent[0]), read_object(sent[-1])
    assert first is not None and last is not None
    assert first["msgid"] != last["msgid"] == shop.ledger[0].msgid
    assert first["input"] == last["input"]


def test_a_refusal_of_the_platform_is_final() -> None:
    shop, why, sent, _ = settle([{"infcode": "-1", "err_msg": "余额不足", "output": {}}, DONE])
    assert why == "2102 余额不足" and len(sent) == 1 and shop.ledger == []
    assert shop.problems() == []


def test_complaints_are_not_repeated() -> None:
    shop, _, sent, _ = settle([gateway("INVALID", "same"), DONE])
    assert len(sent) == 1 and shop.ledger == []


@pytest.mark.parametrize("last", [MANUAL, DOUBT, 0])
def test_what_nobody_knows_stays_open_in_the_books(last: Json | int) -> None:
    shop, why, sent, _ = settle([last])
    assert why and shop.ledger == [] and len(shop.unknown) == 1
    assert "结果未知" in shop.problems()[0]
    assert len(sent) == (1 if last is MANUAL else len(ASK_AGAIN_S) + 1)


def test_a_success_without_amounts_is_not_booked_but_stays_open() -> None:
    shop, why, _, _ = settle([{"infcode": 0, "output": {"setlinfo": {"setl_id": "S1"}}}])
    assert "缺少结算内容" in why and len(shop.unknown) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("medfee_sumamt", 25.81), ("psn_cash_pay", 10.81), ("hifp_pay", 9.99), ("acct_pay", 0)]
)
def test_amounts_that_do_not_add_up_are_a_problem(name: str, value: Any) -> None:
    answered = read_object(write(DONE))
    assert answered is not None
    answered["output"]["setlinfo"][name] = value
    shop, _, _, _ = settle([answered])
    assert shop.problems() == ["S1 金额不平"]


def test_the_word_of_the_gateway_decides_over_the_status() -> None:
    assert undecided(answer(503, write(gateway("NOT_SENT", "same"))))
    assert not undecided(answer(200, write(gateway("NOT_SENT", "new"))))
    assert not undecided(answer(200, write(gateway("INVALID", "same"))))
    assert undecided(answer(502, b"<html>"))
    assert undecided(answer(200, b"[]"))
    assert not undecided(answer(401, write({"infcode": -1, "gw_code": "GW-SOURCE"})))
    assert undecided(answer(404, b"<html>"))


def ask(answers: Sequence[Json | int], undo: bool = False) -> tuple[str, list[str]]:
    """Play one upload (with its undo) against a list of answers; what was sent, as infno and a letter per msgid."""
    shop = Pharmacy(lambda: MORNING, Random(1), "P51080200101", "示例药店")
    script = shop.ask_or_redo("2204", {}, "", ("2205", {})) if undo else shop.ask("2204", {})
    sent: list[str] = []
    names: dict[str, str] = {}
    left, given = list(answers), None
    while True:
        try:
            step = script.send(given)
        except StopIteration:
            return "", sent
        except GaveUp as why:
            return str(why), sent
        given = None
        if isinstance(step, Send):
            envelope = read_object(step.body)
            assert envelope is not None
            name = names.setdefault(envelope["msgid"], "abcdef"[len(names)])
            sent.append(f"{envelope['infno']}{name}")
            one = left.pop(0)
            given = answer(one, b"") if isinstance(one, int) else answer(200, write(one))


SILENT = {"infcode": -1, "err_msg": "[GW-PLATFORM] x", "gw_code": "GW-PLATFORM"}
REFUSED = {"infcode": -1, "err_msg": "重复"}
OK = {"infcode": 0, "output": {}}


def test_an_unanswered_upload_is_repeated_with_the_same_msgid() -> None:
    assert ask([0, 503, SILENT, OK]) == ("", ["2204a"] * 4)
    assert ask([REFUSED]) == ("2204 重复", ["2204a"])


def test_an_upload_whose_end_is_unclear_is_taken_back_and_sent_again() -> None:
    assert ask([SILENT, REFUSED, OK, OK], undo=True) == ("", ["2204a", "2204a", "2205b", "2204c"])
    assert ask([REFUSED], undo=True) == ("2204 重复", ["2204a"])


def test_msgids_are_unique_and_have_the_official_form() -> None:
    shop = Pharmacy(lambda: MORNING, Random(1), "P51080200101", "示例药店")
    numbers = [shop.new_msgid() for _ in range(5000)]
    assert len(set(numbers)) == 5000
    assert {len(number) for number in numbers} == {30}
    assert numbers[0] == "P51080200101202611210800000001"


def test_the_same_dice_give_the_same_bytes() -> None:
    def first_bytes() -> bytes:
        shop = Pharmacy(lambda: MORNING, Random(9), "P51080200101", "示例药店")
        script = shop.purchase(person(3))
        step = script.send(None)
        assert isinstance(step, Send)
        return step.body

    assert first_bytes() == first_bytes()
