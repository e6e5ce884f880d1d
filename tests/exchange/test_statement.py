"""The daily statement as the last question before a person (Q5): what goes up, what comes back, what it ends.

Rules: reversal specification §4.1, §4.3; reconciliation specification §3.2.
"""

import json

import pytest
from exchange_agency import GROUP, OTHERS, Agency, differing, known_group, zipped
from exchange_messages import PERSON, VISIT, pay, refund
from exchange_rig import T0_S, Rig
from exchange_undo import admit, at_once, by_table, discharge, fall_into_doubt, reasons, row_on_queue, sent_of

from gateway.exchange.recovery import recover

HOUR_S = 3600.0


def proving(rig: Rig) -> Rig:
    """A region whose profile says that a daily statement lists everything the agency has."""
    by_table(rig, statement_consistent=True)
    return rig


def given_up(rig: Rig, agency: Agency, hours: float = 17.5) -> None:
    """Let a settlement fall into doubt and its reversal stay without an answer until it is half past midnight."""
    rig.far.plays = agency
    fall_into_doubt(rig)
    rig.run(hours * HOUR_S)


def test_a_settlement_no_statement_knows_is_absent() -> None:
    rig, agency = proving(at_once()), Agency()
    setl_id = known_group(rig)
    given_up(rig, agency)
    assert agency.uploads == [f"{setl_id}\t{VISIT}\t{OTHERS}\t100.00\t0.00\t0.00\t0\n"]
    (asked,) = sent_of(rig, "3202")
    assert asked.message["input"]["data"] == {
        "setl_optins": "510800", "file_qury_no": "U1", "stmt_begndate": "2026-03-02", "stmt_enddate": "2026-03-03",
        "medfee_sumamt": 100.0, "fund_pay_sumamt": 0.0, "cash_payamt": 100.0, "fixmedins_setl_cnt": 1,
        "clr_type": "11", "refd_setl_flag": "", "fixmedins_refd_setl_flag": "0",
    }  # fmt: skip
    assert (rig.state("m1"), reasons(rig)[-1], row_on_queue(rig).state) == ("REVERSED", "reversed_absent", "DONE")
    assert rig.ask(pay("m1")).said == (200, "GW-REVERSED", "REVERSED", "new")
    rig.far.plays = None
    rig.settle(pay("m2"))


def test_one_it_shows_is_a_persons_who_reads_that_the_platform_has_it() -> None:
    rig = proving(at_once())
    known_group(rig)
    given_up(rig, Agency([differing("m1", "100.00")]))
    assert (rig.state("m1"), reasons(rig)[-1]) == ("MANUAL", "statement_found")
    assert row_on_queue(rig).state == "DEAD"


@pytest.mark.parametrize(
    "agency",
    [
        Agency([differing("m1", "100.01")]),
        Agency([differing("m1", "100.00", psn_no=OTHERS)]),
        Agency([differing("m1", "100.00"), differing("m1", "100.00")]),
        Agency(["a\tb\n"]),  # a row that does not fit spoils the file
        Agency([differing("m9", "1e3")]),
        Agency(packed=b"PK\x03\x04"),
        Agency(packed=zipped("", "")),
        Agency(packed=zipped("x" * 5_000_000)),
        Agency(deaf="9101"),
        Agency(deaf="3202"),
        Agency(deaf="9102"),
    ],
)
def test_what_cannot_be_read_whole_or_does_not_fit_says_nothing(agency: Agency) -> None:
    rig = proving(at_once())
    known_group(rig)
    given_up(rig, agency)
    assert (rig.state("m1"), reasons(rig)[-1]) == ("MANUAL", "time_is_up")
    assert not rig.room.office.live


@pytest.mark.parametrize("person", [OTHERS, "null"])
@pytest.mark.parametrize("known", ["null", "S?"])
def test_a_row_of_the_agency_without_a_msgid_might_be_it(person: str, known: str) -> None:
    rig = proving(at_once())
    known_group(rig)
    given_up(rig, Agency([differing("null", "77.00", psn_no=person, known=known)]))
    assert rig.state("m1") == "MANUAL"


def test_a_row_of_another_locality_might_be_listed_elsewhere() -> None:
    rig = proving(at_once())
    rig.settle(pay("m0", "B0", psn_no=OTHERS, visit="V0") | {"insuplc_admdvs": "110000"}, **GROUP)
    given_up(rig, Agency())
    assert rig.state("m1") == "MANUAL"


@pytest.mark.parametrize(("seen", "state"), [("11", "REVERSED"), ("14", "MANUAL"), ("", "MANUAL")])
def test_a_row_of_another_kind_of_treatment_might_be_listed_elsewhere(seen: str, state: str) -> None:
    """2207 of an outpatient (11) and of a chronic disease (14) are cleared apart."""
    rig = proving(at_once())
    known = pay("m0", "B0", psn_no=OTHERS, visit="V0")
    known["input"]["data"]["med_type"] = seen or "11"
    rig.settle(known, **GROUP)
    rig.row("m0").med_type = seen
    given_up(rig, Agency())
    assert rig.state("m1") == state


@pytest.mark.parametrize(
    ("admitted", "seen", "state"),
    [("21", "21", "REVERSED"), ("52", "21", "MANUAL"), ("", "21", "MANUAL"), ("", "", "MANUAL")],
)
def test_a_discharge_is_as_its_admission_says(admitted: str, seen: str, state: str) -> None:
    """2304 itself names no kind of treatment; where the journal has no admission, nothing is known."""
    rig = proving(at_once())
    for msgid, treatment in (("a0", seen), ("a1", admitted)):
        if treatment:
            number = f"ZY{msgid}"
            rig.ask(admit(msgid, number))
            rig.far.last.reply(0, output={"result": {"mdtrt_id": f"V{msgid}", "psn_no": PERSON}})
            rig.run()
            rig.row(msgid).med_type = treatment
    rig.settle(discharge("m0", mdtrt_id="Va0", invono="F0"), **GROUP | {"mdtrt_id": "Va0"})
    rig.far.plays = Agency()
    fall_into_doubt(rig, discharge("m1", mdtrt_id="Va1"))
    rig.run(17.5 * HOUR_S)
    assert rig.state("m1") == state


def test_a_kind_of_treatment_that_was_not_seen_for_a_week_may_be_listed_elsewhere_by_now() -> None:
    rig = proving(at_once())
    known_group(rig)
    rig.run(9 * 24 * HOUR_S)
    given_up(rig, Agency())
    assert len(sent_of(rig, "3202")) == 1
    assert rig.state("m1") == "MANUAL"


def test_a_region_whose_statements_do_not_prove_it_leaves_it_to_a_person() -> None:
    rig = at_once()  # as delivered: a group of settlements nobody asked about may hold it
    known_group(rig)
    given_up(rig, Agency())
    assert rig.state("m1") == "MANUAL"


def test_where_nothing_was_settled_nobody_can_be_asked() -> None:
    rig = proving(at_once())
    given_up(rig, Agency())
    assert rig.state("m1") == "MANUAL"
    assert [one for infno in ("9101", "3202", "9102") for one in sent_of(rig, infno)] == []


def test_every_group_is_asked_about() -> None:
    rig, agency = proving(at_once()), Agency()
    known_group(rig)
    rig.settle(pay("m8", "B8", psn_no=OTHERS, visit="V0"), **GROUP | {"clr_type": "14"})
    given_up(rig, agency)
    assert [one.message["input"]["data"]["clr_type"] for one in sent_of(rig, "3202")] == ["11", "14"]
    assert [len(text.splitlines()) for text in agency.uploads] == [1, 1]
    assert rig.state("m1") == "REVERSED"


def test_one_statement_serves_all_who_wait_and_the_next_leaves_ten_minutes_later() -> None:
    rig, agency = proving(at_once()), Agency()
    known_group(rig)
    by_table(rig, give_up_s=400.0)
    rig.far.plays = agency
    for number, wait_s in ((1, 0.2), (2, 60.0), (3, 300.0)):
        fall_into_doubt(rig, pay(f"m{number}", f"B{number}", psn_no=f"{number:020d}", visit=f"V{number}"))
        rig.run(wait_s)
    rig.run(1500)
    assert {rig.state(f"m{number}") for number in (1, 2, 3)} == {"REVERSED"}
    began = [one.at - T0_S for one in sent_of(rig, "9101")]
    assert len(began) == 2
    assert began[1] - began[0] >= 600


def test_clearing_messages_are_durable_before_they_leave() -> None:
    rig = proving(at_once())
    known_group(rig)
    given_up(rig, Agency())
    for infno in ("9101", "3202"):
        (sent,) = sent_of(rig, infno)
        msgid = sent.message["msgid"]
        assert rig.log.index(f"durable {msgid} SENT Accepted") < rig.log.index(f"send {msgid}")
        assert rig.states(msgid) == ["JOURNALED", "SENT", "DONE"]


# --- cancellations ----------------------------------------------------------------------------------------------------


def doubtful_refund(rig: Rig, agency: Agency) -> None:
    setl_id = known_group(rig)
    rig.far.plays = agency
    fall_into_doubt(rig, refund("m1", setl_id, psn_no=OTHERS))
    rig.run(800)


def test_a_cancellation_the_statement_shows_is_confirmed() -> None:
    rig = proving(at_once())
    doubtful_refund(rig, Agency([differing("m1", "-100.00", psn_no=OTHERS, refd="1")]))
    assert (rig.state("m1"), reasons(rig)[-1]) == ("CONFIRMED", "statement_found")
    assert rig.row("m0").cancelled
    told = rig.ask(refund("m1", rig.row("m0").setl_id, psn_no=OTHERS))
    assert told.said == (200, "GW-CONFIRMED", "CONFIRMED", "no")
    assert told.answer["output"]["setlinfo"]["medfee_sumamt"] == -100.0
    assert json.loads(rig.row("m1").settled)["medfee_sumamt"] == -10_000


def test_a_cancellation_it_does_not_show_is_a_persons() -> None:
    rig = proving(at_once())
    doubtful_refund(rig, Agency())
    assert rig.state("m1") == "MANUAL"
    assert not rig.row("m0").cancelled


def test_a_restart_meanwhile_begins_again() -> None:
    rig = proving(at_once())
    known_group(rig)
    given_up(rig, Agency(mute="9102"), hours=16.51)
    assert len(sent_of(rig, "9102")) == 1
    rig.kill()
    rig.start()
    proving(rig)  # the profile is read before the queue is
    recover(rig.store, rig.room.lanes, rig.room.office, rig.clock.seconds())
    rig.run(10)
    assert rig.state("m1") == "REVERSING"
    rig.far.plays = Agency()
    rig.run(1000)
    assert rig.state("m1") == "REVERSED"


def test_nobody_asks_while_something_may_still_be_booked() -> None:
    rig = proving(at_once())
    known_group(rig)
    by_table(rig, give_up_s=1.0)
    rig.link.quiesce_s = 300.0
    rig.far.plays = Agency()
    fall_into_doubt(rig)
    rig.run(200)
    assert sent_of(rig, "9101") == []
    rig.run(200)
    assert (len(sent_of(rig, "9101")), rig.state("m1")) == (1, "REVERSED")
    assert sent_of(rig, "9101")[0].at - T0_S > 299
