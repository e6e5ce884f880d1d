"""A month cleared from the command line: built from frozen days, checked, approved, entered, audited, paid."""

import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
from days import Room
from desk import BACK, Cells, settled
from people import HOSPITAL, Office
from python_calamine import CalamineWorkbook
from twisted.internet.defer import Deferred, succeed

from adapters.crypto.sm2 import Sm2Signer
from adapters.store.books_freeze import Consent
from adapters.store.lists import Examination
from adapters.store.lists import writing as lists_writing
from gateway.app.books_month_watch import MonthWatch
from gateway.app.lists_desk import SCRIPTS
from gateway.books.clearing import Refused
from gateway.books.month import days_of

MONTH = "2026-02"  # the shortest
NOT_IN_THE_CALENDAR_MS = 2_000_000_000_000  # 2033
ON = f"month {MONTH}"
DIMS = {"insutype": "310", "clr_type": "11", "clr_optins": "510800", "clr_pay_loc": "2", "fixmedins_code": HOSPITAL}
FEE = {"hifp_pay": "50.00", "hifes_pay": "10.00", "psn_cash_pay": "30.00", **DIMS}


def fee(number: int, day: str, **cells: str) -> Cells:
    return settled(number, setl_time=f"{day} 09:00:00", **{**FEE, **cells})


def freeze_month(books: Room, skip: str = "") -> None:
    """Days 1 to 3 have rows: six settlements of two kinds, one carried, one refunded; the others are empty."""
    days = days_of(MONTH)
    for at, day in enumerate(days):
        if day == skip:
            continue
        rows = [fee(at * 10 + n, day, clr_type="11" if n else "21") for n in range(2)] if at < 3 else []
        if at == 2:
            back = {name: f"-{fen}" for name, fen in FEE.items() if name.endswith("_pay") and name != "clr_pay_loc"}
            rows.append(fee(1, day, direction="1", msgid="N1", **BACK, **back))
        state = "AGREED_WITH_CARRY" if at == 1 else "AGREED"
        books.ran(books.hand_in({"INST": rows, "AGY": rows}, day, HOSPITAL), day, HOSPITAL, state)
        if at == 1:
            books.differs("AMOUNT", "CARRIED", "S11", day, HOSPITAL)
        row = books.freeze(day, HOSPITAL)
        for party, who in (("INST", "zhou"), ("AGY", "li")):
            books.writer.consent(row.id, Consent(party, "operator", who, "01", 1))


@pytest.fixture(scope="module")
def frozen_town(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """A region without an interface for applications: everything can be done without a node. Frozen once."""
    office = Office(tmp_path_factory.mktemp("town"))
    url = 'url = "http://127.0.0.1:9000/x"'
    office.town.file.write_text(office.town.file.read_text().replace(url, f'{url}\nregion = "hunan"'))
    with office.books() as books:
        freeze_month(books)
    return office


@pytest.fixture
def office(frozen_town: Office, tmp_path: Path) -> Office:
    """A copy of it for each test: what a test does to one is not in another."""
    shutil.copytree(frozen_town.folder, tmp_path / "town")
    copy = deepcopy(frozen_town)
    copy.folder = copy.town.folder = tmp_path / "town"
    copy.town.file = copy.folder / frozen_town.town.file.name
    return copy


def act(office: Office, *words: str, code: int = 0, user: str = "qian") -> dict[str, object]:
    found: dict[str, object] = office.run(ON, *words, user=user, code=code)
    return found


def built(office: Office) -> dict[str, int]:
    """Build; return clr_type -> number of the application."""
    found = office.run(ON, "build", "--scope", HOSPITAL, user="qian")
    return {one["clr_type"]: one["id"] for one in found["applications"]}


def test_applications_are_the_frozen_rows_without_what_was_carried(office: Office) -> None:
    found = office.run(ON, "build", "--scope", HOSPITAL, user="qian")
    figures = {
        one["clr_type"]: (one["content"]["settlements"], one["content"]["refunds"], one["content"]["sums"])
        for one in found["applications"]
    }
    each = {"medfee_sumamt": 10_000, "fund_pay_sumamt": 6_000, "hifp_pay": 5_000, "hifes_pay": 1_000, "acct_pay": 1_000,
            "psn_part_amt": 4_000, "psn_cash_pay": 3_000}  # fmt: skip
    assert figures["21"] == (3, 0, {name: 3 * fen for name, fen in each.items()})
    assert figures["11"] == (2, 1, each)  # one of three was carried, one cancelled later
    assert [one[1:4] for one in found["held"]] == [["S11", "S11", "CARRIED"]]


def test_a_missing_day_is_listed_and_nothing_is_built(office: Office) -> None:
    with office.books() as books:
        row = books.writer.day("care", HOSPITAL, "2026-02-17")
        assert row is not None
        books.writer.reopen(row, "x", ("li", "wang", 1), 5)
    found = office.run(ON, "build", "--scope", HOSPITAL, user="qian", code=1)
    assert found["problems"] == ["2026-02-17没有固化", "没有生成申请"]
    assert office.run(ON, "status")["applications"] == []


def test_a_month_goes_from_the_frozen_days_to_the_payment(office: Office) -> None:
    number = str(built(office)["21"])
    which = ("--id", number)
    act(office, "approve", *which, code=1)  # not checked yet
    assert act(office, "check", *which)["state"] == "CHECKED"
    approval = act(office, "approve", *which)["approval"]
    assert "可以申报" in office.approve(int(str(approval)), "sun")
    entered = act(office, "enter", *which, "--event", "EVT1")
    assert (entered["state"], entered["event_id"]) == ("SUBMITTED", "EVT1")
    # A day that was applied for stays shut; one of the month before does not concern it.
    office.run("reopen", "--date", "2026-02-01", "--scope", HOSPITAL, "--reason", "x", user="li", code=1)
    audit = office.folder / "audit.csv"
    audit.write_text("fund,approved,deposit\nhifp_pay,120.00,10.00\nhifes_pay,30.00,\nacct_pay,30.00,0\n")
    cut = office.folder / "cut.csv"
    cut.write_text(
        "deduction_id,setl_id,fund,amount,kind,reason_code,text,dept,doctor\n"
        "D1,S0,hifp_pay,15.00,DEDUCT,R1,超限用药,内科,D001\nD2,S10,hifp_pay,5.00,WITHHOLD,R2,待核,外科,D002\n"
    )
    assert act(office, "deductions", *which, str(cut)) == {"added": 2}
    assert act(office, "deductions", *which, str(cut)) == {"added": 0}
    assert act(office, "audit", *which, str(audit))["state"] == "AUDITED"
    assert "BM-OPEN" in str(act(office, "confirm", *which, code=1))
    proof = office.folder / "proof.txt"
    proof.write_text("病程记录")
    appealed = act(
        office,
        "appeal",
        *which,
        "--deduction",
        "D1",
        "appeal",
        "--note",
        "符合适应症",
        "--file",
        str(proof),
        "--by-hand",
    )
    assert appealed["state"] == "DISPUTED"
    assert act(office, "appeal", *which, "--deduction", "D2", "accept")["state"] == "DISPUTED"
    revised = act(office, "appeal", *which, "--deduction", "D1", "revised", "--amount", "12.00")
    assert revised["state"] == "AUDITED"
    assert "相差300分" in str(act(office, "confirm", *which, code=1))  # what was revised is approved now
    audit.write_text("fund,approved,deposit\nhifp_pay,123.00,10.00\nhifes_pay,30.00,\nacct_pay,30.00,0\n")
    act(office, "audit", *which, str(audit))
    assert act(office, "confirm", *which)["state"] == "CONFIRMED"
    assert "BM-STATE" in str(act(office, "audit", *which, str(audit), code=1))  # what was agreed to stays
    assert "BM-PAID" in str(act(office, "paid", *which, "--amount", "183.00", "--earlier", "-1.00", code=1))
    assert act(office, "paid", *which, "--amount", "182.00", "--earlier", "-1.00")["state"] == "DISBURSED"
    assert act(office, "close", *which)["state"] == "CLOSED"
    [_, one] = office.run(ON, "status")["applications"]
    assert (one["applied"], one["approved"], one["deducted"], one["withheld"], one["deposit"]) == (
        21_000, 18_300, 1_200, 500, 1_000,
    )  # fmt: skip
    assert [event["after"] for event in one["events"]][:4] == ["DRAFT", "CHECKED", "APPROVED", "SUBMITTED"]
    assert {each["state"] for each in one["deductions"]} == {"APPLIED"}
    reported(office)
    [kept] = (office.town.config.path("var") / "books" / "appeals").rglob("*.txt")
    assert kept.read_text() == "病程记录"


def reported(office: Office) -> None:
    """The month on paper: page and workbook have the numbers of the command."""
    html, book = office.folder / "month.html", office.folder / "month.xlsx"
    told = office.run(ON, "report", "--scope", HOSPITAL, "--out", str(html), "--out", str(book))
    assert (told["totals"]["settlements"], told["totals"]["medfee_sumamt"]) == (5, 40_000)
    assert sum(fen for _, fen in told["structure"]) == 40_000  # who pays adds up to what it cost
    assert told["departments"] == [["内科", "D001", 1, 1_200], ["外科", "D002", 1, 500]]
    text = html.read_text()
    for shown in ("182.00", "400.00", "内科", "S11", "EVT1", "已结案"):
        assert shown in text
    assert "<script" not in text and "http" not in text.replace("http-equiv", "").replace("http://www.w3.org", "")
    sheets = {name: CalamineWorkbook.from_path(book).get_sheet_by_name(name).to_python() for name in ("概况", "科室")}
    assert {str(row[0]): row[1] for row in sheets["概况"][2:]}["到账"] == 182.0
    assert [row[3] for row in sheets["科室"][2:]] == [12.0, 5.0]


def test_a_file_of_deductions_with_one_bad_row_is_refused_whole(office: Office) -> None:
    number = str(built(office)["21"])
    cut = office.folder / "cut.csv"
    cut.write_text("deduction_id,setl_id,fund,amount,kind\nD1,S0,hifp_pay,1.00,DEDUCT\nD2,S0,hifp_pay,50.00,DEDUCT\n")
    assert "BD-OVER" in str(act(office, "deductions", "--id", number, str(cut), code=1))
    cut.write_text("deduction_id,setl_id,fund,amount,kind\nD1,S0,hifp_pay,1.00,DEDUCT\nD2,S1,hifp_pay,1.00,DEDUCT\n")
    assert "BD-ROW" in str(
        act(office, "deductions", "--id", number, str(cut), code=1)
    )  # S1 is of the other application
    cut.write_text("deduction_id,setl_id,fund,amount,kind\nD1,S0,hifp_pay,1e1,DEDUCT\n")
    assert ":2:" in str(act(office, "deductions", "--id", number, str(cut), code=1))
    [_, one] = office.run(ON, "status")["applications"]
    assert one["deductions"] == []


def test_an_appeal_after_ten_working_days_is_too_late(office: Office) -> None:
    number = str(built(office)["21"])
    for words in (("check",),):
        act(office, *words, "--id", number)
    approval = act(office, "approve", "--id", number)["approval"]
    office.approve(int(str(approval)), "sun")
    act(office, "enter", "--id", number, "--event", "E")
    files = office.folder / "a.csv"
    files.write_text("deduction_id,setl_id,fund,amount,kind\nD1,S0,hifp_pay,1.00,DEDUCT\n")
    act(office, "deductions", "--id", number, str(files), "--notified", "2026-11-02")  # today is the 18th: 12 days
    files.write_text("fund,approved\nhifp_pay,1.00\n")
    act(office, "audit", "--id", number, str(files))
    words = ("appeal", "--id", number, "--deduction", "D1", "appeal", "--note", "x")
    assert "BD-LATE" in str(act(office, *words, "--by-hand", code=1))
    assert "没有正在运行的节点" in str(act(office, *words, code=2))  # by interface it is the node that sends


def test_payment_deadlines_are_told_in_working_days(office: Office) -> None:
    number = str(built(office)["21"])
    act(office, "check", "--id", number)
    office.approve(int(str(act(office, "approve", "--id", number)["approval"])), "sun")
    act(office, "enter", "--id", number, "--event", "E")
    due = office.run(ON, "status", "--scope", HOSPITAL)["applications"][1]["due"]
    assert due == [[20, "2026-12-16", False], [30, "2026-12-30", False]]
    office.town.now_s += 29 * 86400  # 17 December
    late = office.run(ON, "status", code=3)["applications"][1]
    assert [one[2] for one in late["due"]] == [True, False]


def test_departments_come_from_the_settlement_lists_where_the_agency_names_none(office: Office) -> None:
    with lists_writing(office.town.config.room("lists"), SCRIPTS) as writer, writer.transaction():
        for setl_id, dept, doctor in (("S0", "A03.01", "D7"), ("S10", "A04", "D8"), ("S20", "", "")):
            visit = writer.take_visit(HOSPITAL, f"V{setl_id}")
            found = Examination(0, "1", setl_id, "2026-02-01", dept, doctor, 0, 0)
            writer.examined(visit, found, [])
    number = str(built(office)["21"])
    cut = office.folder / "a.csv"
    cut.write_text(
        "deduction_id,setl_id,fund,amount,kind,dept,doctor\nD1,S0,hifp_pay,1.00,DEDUCT,,\n"
        "D2,S10,hifp_pay,2.00,DEDUCT,骨科,\nD3,S20,hifp_pay,3.00,DEDUCT,,\n"
    )
    act(office, "deductions", "--id", number, str(cut))
    told = office.run(ON, "report", "--scope", HOSPITAL, "--out", str(office.folder / "m.xlsx"))
    assert told["departments"] == [["", "", 1, 300], ["骨科", "", 1, 200], ["A03.01", "D7", 1, 100]]


class Ears:
    """A node's watch, and the orders' thread."""

    def __init__(self, office: Office) -> None:
        self.office, self.alarms = office, []  # type: ignore[var-annotated]

    def alarm(self, name: str, institution: str, msgid: str) -> None:
        self.alarms.append((name, institution, msgid))

    def seconds(self) -> float:
        return self.office.town.now_s

    def db(self, call: Callable[[object], object]) -> "Deferred[object]":
        return succeed(call(None))


def test_a_node_tells_once_what_of_a_month_waits_for_people(office: Office) -> None:
    number = built(office)["21"]
    act(office, "check", "--id", str(number))
    office.approve(int(str(act(office, "approve", "--id", str(number))["approval"])), "sun")
    act(office, "enter", "--id", str(number), "--event", "E")
    cut = office.folder / "a.csv"
    cut.write_text("deduction_id,setl_id,fund,amount,kind\nD1,S0,hifp_pay,1.00,DEDUCT\n")
    act(office, "deductions", "--id", str(number), str(cut))
    ears = Ears(office)
    with office.books() as books:
        watch = MonthWatch(office.town.config, ears, ears, lambda: books)  # type: ignore[arg-type]
        watch.orders = ears  # type: ignore[assignment]

        def after(days: float) -> dict[str, int]:
            office.town.now_s += days * 86400
            Deferred.fromCoroutine(watch.tick())
            return {what: count for what, count in watch.attention.items() if count}

        assert after(0) == {}
        assert after(15) == {"appeal": 1}
        assert after(14) == {"appeal": 1, "payment": 1}  # 17 December
        books.connection.execute("UPDATE clearing SET state = 'IN_DOUBT', changed_ms = ?", (ears.seconds() * 1000,))
        assert after(0.002) == {"appeal": 1, "payment": 1}  # too soon to look again
        assert after(0.004) == {"appeal": 1, "payment": 1, "doubt": 2}
        books.connection.execute("UPDATE clearing SET state = 'ACCEPTED', submitted_ms = ?", (NOT_IN_THE_CALENDAR_MS,))
        assert after(1) == {"calendar": 2}
        books.connection.execute(f"UPDATE clearing SET state = 'AUDITED', clr_stas = 50 WHERE id = {number}")
        assert after(1) == {"calendar": 2, "unconfirmed": 1}  # cleared there; the institution has not agreed
        books.connection.execute(f"UPDATE clearing SET state = 'CONFIRMED' WHERE id = {number}")
        assert after(1) == {"calendar": 2}
    name = f"2026-02.{number}"
    assert ears.alarms[:2] == [("clearing_appeal", HOSPITAL, name), ("clearing_payment", HOSPITAL, name)]
    assert [one[0] for one in ears.alarms[2:]] == [
        *["clearing_doubt"] * 2, *["clearing_calendar"] * 2, "clearing_unconfirmed",
    ]  # fmt: skip


def test_whoever_reconciled_the_month_neither_builds_nor_checks_it(office: Office) -> None:
    with office.books() as books:
        books.connection.execute(
            "INSERT INTO recon_case VALUES (1, 'dAMOUNTS11', 'TWO', 'DECIDED', '', '', 'sun', 0, 0, 0, 0)"
        )
    number = str(built(office)["21"])
    act(office, "check", "--id", number)
    approval = int(str(act(office, "approve", "--id", number)["approval"]))
    with pytest.raises(Exception, match="SEC-"):
        office.approve(approval, "sun")
    act(office, "check", "--id", number, user="li", code=1)  # not a right of reconcilers


def approvals_told(office: Office) -> list[str]:
    """Return what the trail says became of applications, by who approved them."""
    with office.town.desk() as desk:
        return [row.after for row in desk.approvals.store.of_action("month.approve") if row.after]


def test_an_approval_that_is_refused_is_not_told_as_one(office: Office) -> None:
    """Who approves turns reconciler while it waits: the trail said APPROVED, and the application stayed CHECKED."""
    number = str(built(office)["21"])
    act(office, "check", "--id", number)
    approval = int(str(act(office, "approve", "--id", number)["approval"]))
    with office.books() as books:
        books.connection.execute(
            "INSERT INTO recon_case VALUES (1, 'dAMOUNTS11', 'TWO', 'DECIDED', '', '', 'sun', 0, 0, 0, 0)"
        )
    with pytest.raises(Refused, match="BM-DUTY"):
        office.approve(approval, "sun")
    assert approvals_told(office) == []
    again = int(str(act(office, "approve", "--id", number)["approval"]))
    office.approve(again, "wang")
    assert approvals_told(office) == ["APPROVED"]


def test_what_a_node_must_do_needs_a_running_node(office: Office) -> None:
    number = str(built(office)["21"])
    for words in (
        ("submit", "--id", number),
        ("sync", "--scope", HOSPITAL),
        ("withdraw", "--id", number, "--reason", "x"),
    ):
        found = act(office, *words, code=2)
        assert "liangding run" in str(found)


def test_building_again_gives_up_the_draft_and_counts_the_revision(office: Office) -> None:
    first = built(office)
    second = built(office)
    rows = {one["id"]: (one["state"], one["revision"]) for one in office.run(ON, "status")["applications"]}
    assert [rows[first["21"]], rows[second["21"]]] == [("WITHDRAWN", 1), ("DRAFT", 2)]
    act(office, "check", "--id", str(second["21"]))
    assert "BM-BUSY" in str(office.run(ON, "build", "--scope", HOSPITAL, user="qian", code=1))


def test_a_check_fails_without_the_consent_of_both_sides(office: Office) -> None:
    number = str(built(office)["21"])
    with office.books() as books:
        books.connection.execute("DROP TRIGGER freeze_consent_remains")
        books.connection.execute("DELETE FROM freeze_consent WHERE freeze = 5 AND party = 'AGY'")
    assert "[BM-CONSENT] 2026-02-05" in str(act(office, "check", "--id", number, code=1))


def test_a_check_fails_when_one_person_spoke_for_both_sides(office: Office) -> None:
    number = str(built(office)["21"])
    with office.books() as books:
        books.connection.execute("DROP TRIGGER freeze_consent_stays")
        books.connection.execute("UPDATE freeze_consent SET who = 'li' WHERE freeze = 6")
    told = act(office, "check", "--id", number, code=1)["problems"]
    assert isinstance(told, list)
    assert [text.split("：")[0] for text in told] == ["[BM-CONSENT] 2026-02-06"]


def test_a_check_fails_on_a_signature_by_a_key_of_nobody(office: Office) -> None:
    number, stranger = str(built(office)["21"]), Sm2Signer.of(b"x" * 32)
    key = office.folder / "hospital.key.txt"
    office.town.file.write_text(office.town.file.read_text() + f'consent_key_file = "{key.name}"\n')
    key.write_text(Sm2Signer.of(b"h" * 32).public.hex())
    with office.books() as books:
        row = books.writer.one(7)
        assert row is not None
        books.connection.execute("DROP TRIGGER freeze_consent_stays")
        proof = f"{stranger.sign(bytes.fromhex(row.freeze_sm3)).hex()} {stranger.public.hex()}"
        change = "UPDATE freeze_consent SET kind = 'signature', proof = ? WHERE freeze = 7 AND party = 'INST'"
        books.connection.execute(change, (proof,))
    assert "[BM-CONSENT] 2026-02-07：医药机构的确认所用公钥" in str(act(office, "check", "--id", number, code=1))
    key.write_text(stranger.public.hex())  # registered, it counts
    act(office, "check", "--id", number)


def test_a_day_frozen_anew_needs_a_new_application(office: Office) -> None:
    number = str(built(office)["21"])
    with office.books() as books:
        row = books.writer.day("care", HOSPITAL, "2026-02-20")
        assert row is not None
        books.writer.reopen(row, "x", ("li", "wang", 1), 5)
        books.connection.execute("UPDATE recon_day SET state = 'AGREED' WHERE biz_date = '2026-02-20'")
        books.freeze("2026-02-20", HOSPITAL)
    assert "[BM-DAY] 2026-02-20" in str(act(office, "check", "--id", number, code=1))
