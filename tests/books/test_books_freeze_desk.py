"""Freezing from the command line by two people, with the operating party's SM2 key; consent; re-opening; verifying."""

from pathlib import Path

import pytest
from desk import settled
from people import HOSPITAL, Office

from gateway.app import books_freeze_desk
from gateway.app.audit_checks import checks
from gateway.app.audit_verify import keys_of, verify_audit
from gateway.app.books_freezing import CannotFreeze, carry_out
from gateway.app.signing_keys import new_signer
from gateway.core.approval import NotAllowed

DAY = "2026-03-15"
ROW = settled(1, fixmedins_code=HOSPITAL)
OF_DAY = ("--date", DAY, "--scope", HOSPITAL)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    with office.books() as books:
        books.ran(books.hand_in({"INST": [ROW], "AGY": [ROW]}, scope=HOSPITAL), scope=HOSPITAL)
    return office


def frozen(office: Office) -> str:
    [day] = office.run("freeze", *OF_DAY, user="li")["days"]
    office.approve(day["approval"])
    [row] = office.run("frozen", "--month", "2026-03")["frozen"]
    return str(row["freeze_sm3"])


def test_one_proposes_the_other_approves_and_the_day_is_frozen(office: Office) -> None:
    [day] = office.run("freeze", "--date", DAY, "--all", user="li")["days"]
    assert (day["rows"], day["fees"], day["objections"]) == (2, 1, [])
    assert office.run("frozen")["frozen"] == []
    with pytest.raises(NotAllowed):
        office.approve(day["approval"], "li")
    assert "已固化" in office.approve(day["approval"])
    [row] = office.run("frozen")["frozen"]
    assert (row["maker"], row["checker"], row["consents"], row["opened"]) == ("li", "wang", [], False)
    assert office.run("verify") == {"ok": True, "freezes": 1, "findings": []}


def test_a_day_that_may_not_be_frozen_says_why(office: Office) -> None:
    with office.books() as books:
        books.connection.execute("UPDATE recon_day SET state = 'L1_DIFF'")
    [day] = office.run("freeze", *OF_DAY, user="li", code=3)["days"]
    assert [one["code"] for one in day["objections"]] == ["BF-STATE"]


def test_a_day_is_opened_again_by_two_and_verified_with_both_freezes(office: Office) -> None:
    first = frozen(office)
    number = office.run("reopen", *OF_DAY, "--reason", "漏记一笔", user="li")["approval"]
    assert first in office.approve(number)
    second = frozen_again(office)
    assert second != first
    assert office.run("verify")["freezes"] == 2
    office.run("reopen", "--date", "2026-03-16", "--scope", HOSPITAL, "--reason", "x", user="li", code=1)


def frozen_again(office: Office) -> str:
    with office.books() as books:
        books.connection.execute("UPDATE recon_day SET state = 'AGREED'")
    [day] = office.run("freeze", *OF_DAY, user="li")["days"]
    office.approve(day["approval"])
    return str(office.run("frozen")["frozen"][-1]["freeze_sm3"])


def test_a_flipped_byte_is_found_by_both_commands(office: Office) -> None:
    frozen(office)
    with office.books() as books:
        books.connection.execute("DROP TRIGGER frozen_row_stays")
        books.connection.execute("UPDATE frozen_row SET line = replace(line, '10000', '10001') WHERE n = 2")
    found = office.run("verify", code=3)["findings"]
    assert [one[:9] for one in found] == ["[BV-ROWS]", "[BV-FEES]", "[BV-SUMS]"]
    [check] = list(checks())
    assert list(check(office.town.config, keys_of(office.town.config))) == found


def test_what_changed_between_proposal_and_approval_is_not_frozen(office: Office) -> None:
    [day] = office.run("freeze", *OF_DAY, user="li")["days"]
    with office.books() as books:
        more = [ROW, settled(2, fixmedins_code=HOSPITAL)]
        books.ran(books.hand_in({"INST": more, "AGY": more}, scope=HOSPITAL), scope=HOSPITAL)
    with pytest.raises(CannotFreeze, match="BF-CHANGED"):
        office.approve(day["approval"])


def test_days_frozen_under_an_older_key_are_verified_after_a_change_of_keys(office: Office) -> None:
    frozen(office)
    config = office.town.config
    with office.town.desk() as desk:
        old = desk.signer.public
        one = desk.approvals.propose(office.town.person(desk, "li"), "books.case", "c", b"{}", "r")
        desk.trail.hand_over(new_signer(config.signing_key_file, office.town.entropy), one)
    office.town.now_s += 60
    office.run("reopen", *OF_DAY, "--reason", "漏记一笔", user="li")
    office.approve(office.run("reopen", *OF_DAY, "--reason", "漏记一笔", user="li")["approval"])
    frozen_again(office)
    assert office.run("verify") == {"ok": True, "freezes": 2, "findings": []}
    with office.books() as books:
        names = [row[0] for row in books.connection.execute("SELECT key_id FROM freeze ORDER BY id")]
        assert names[0] == old.hex() != names[1]
        books.connection.execute("DROP TRIGGER freeze_stays")
        books.connection.execute("UPDATE freeze SET key_id = ? WHERE id = 2", (old.hex(),))  # not in force then
    assert {text[:8] for text in office.run("verify", code=3)["findings"]} == {"[BV-SIGN", "[BV-KEY]"}
    assert "BV-KEY" in "".join(verify_audit(config).findings)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("at_ms = 1", "[BV-TIME]"), ("at_ms = at_ms + 86400000", "[BV-TIME]"), ("checker = 'sun'", "[BV-TRAIL]"),
        ("approval = approval + 1", "[BV-TRAIL]"),
    ],
)  # fmt: skip
def test_a_freeze_is_as_its_row_of_the_trail_tells(office: Office, change: str, code: str) -> None:
    frozen(office)
    office.approve(office.run("reopen", *OF_DAY, "--reason", "漏记一笔", user="li")["approval"])
    office.town.now_s += 3600
    frozen_again(office)
    with office.books() as books:
        books.connection.execute("DROP TRIGGER freeze_stays")
        books.connection.execute(f"UPDATE freeze SET {change} WHERE id = 2")
    assert [text.split("]")[0] + "]" for text in office.run("verify", code=3)["findings"]] == [code]


def test_a_clock_that_was_set_back_makes_no_finding(office: Office) -> None:
    frozen(office)
    office.approve(office.run("reopen", *OF_DAY, "--reason", "漏记一笔", user="li")["approval"])
    with office.books() as books:
        books.connection.execute("UPDATE recon_day SET state = 'AGREED'")
    [day] = office.run("freeze", *OF_DAY, user="li")["days"]
    with office.town.desk() as desk:
        approval = desk.approvals.approve(office.town.person(desk, "wang"), day["approval"])
        content = desk.approvals.content(day["approval"])
    office.town.now_s -= 3600
    books_freeze_desk.carry_out_freeze(office.town.config, approval, content, office.outside)
    assert office.run("verify") == {"ok": True, "freezes": 2, "findings": []}


def test_a_day_is_not_frozen_by_a_key_that_was_handed_over_meanwhile(office: Office) -> None:
    [day] = office.run("freeze", *OF_DAY, user="li")["days"]
    config, town = office.town.config, office.town
    with town.desk() as desk:
        kept = desk.signer
        one = desk.approvals.propose(town.person(desk, "li"), "books.case", "c", b"{}", "r")
        desk.trail.hand_over(new_signer(config.signing_key_file, town.entropy), one)
    with pytest.MonkeyPatch.context() as patch:  # the day was read by a program that was open before
        patch.setattr(books_freeze_desk, "carry_out", lambda *given: carry_out(*given[:4], kept, *given[5:]))
        with pytest.raises(CannotFreeze, match="BF-SIGNER"):
            office.approve(day["approval"])
    assert office.run("frozen")["frozen"] == []
