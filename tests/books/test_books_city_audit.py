"""What was audited of the city's application, fund by fund: by two people, or as the province tells."""

import json
from pathlib import Path

import attrs
import pytest
from desk import settled
from people import HOSPITAL, Office

from adapters.province import codec
from adapters.store.books_freeze import Consent
from gateway.app.books_audit_desk import read_amounts
from gateway.app.books_month_desk import BadFile
from gateway.books.clearing import Audit, Refused, told_faults
from gateway.books.month import days_of
from gateway.core.province import FundStatus

MONTH, ON = "2026-02", "month 2026-02"
FEE = {"hifp_pay": "50.00", "hifes_pay": "10.00", "psn_cash_pay": "30.00", "insutype": "310", "clr_type": "11",
       "clr_optins": "510800", "clr_pay_loc": "3", "fixmedins_code": HOSPITAL}  # fmt: skip
APPLIED = {"hifp_pay": 10_000, "hifes_pay": 2_000, "acct_pay": 2_000}  # of two settlements
DEDUCTED = Audit(deducted={"hifp_pay": 500}, withheld={"hifes_pay": 100})


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """The city's application, entered by hand: no province is configured."""
    office = Office(tmp_path)
    with office.books() as books:
        for at, day in enumerate(days_of(MONTH)):
            rows = [settled(n, setl_time=f"{day} 09:00:00", **FEE) for n in range(2)] if at == 0 else []
            books.ran(books.hand_in({"AGY": rows, "PROV": rows}, day, "*"), day, "*")
            row = books.freeze(day, "*")
            for party, who in (("INST", "zhou"), ("AGY", "li")):
                books.writer.consent(row.id, Consent(party, "operator", who, "01", 1))
    return office


def entered(office: Office) -> str:
    [one] = office.run(ON, "build", "--scope", "*", user="qian")["applications"]
    which = ("--id", str(one["id"]))
    office.run(ON, "check", *which, user="qian")
    approval = office.run(ON, "approve", *which, user="qian")["approval"]
    office.approve(int(approval), "sun")
    office.run(ON, "enter", *which, "--event", "E1", user="qian")
    return str(one["id"])


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_two_people_give_what_was_audited_by_fund_and_it_is_cleared(office: Office, kind: str) -> None:
    which = ("--id", entered(office))
    cut = office.folder / "cut.csv"
    cut.write_text("deduction_id,setl_id,fund,amount,kind\nD1,S0,hifp_pay,5.00,DEDUCT\n")
    office.run(ON, "deductions", *which, str(cut), user="qian")
    amounts = {"hifp_pay": {"approved": "90.00", "deposit": "5.00"}, "hifes_pay": "20.00", "acct_pay": "20.00"}
    file = office.folder / f"audit.{kind}"
    rows = "hifp_pay,90.00,5.00\nhifes_pay,20.00,\nacct_pay,20.00,0\n"
    file.write_text(json.dumps(amounts) if kind == "json" else f"fund,approved,deposit\n{rows}")
    proposed = office.run(ON, "audit", *which, str(file), user="qian")
    assert proposed["state"] == "SUBMITTED"  # nothing is entered by one
    assert "可以确认" in office.approve(int(proposed["approval"]), "sun")
    [known] = office.run(ON, "status")["applications"]
    assert (known["state"], known["approved"], known["deposit"]) == ("AUDITED", 13_000, 500)
    office.run(ON, "appeal", *which, "--deduction", "D1", "accept", user="qian")
    assert office.run(ON, "confirm", *which, user="qian")["state"] == "CONFIRMED"
    assert "BM-STATE" in str(office.run(ON, "audit", *which, str(file), user="qian", code=1))


def test_amounts_that_do_not_add_up_are_not_even_proposed(office: Office) -> None:
    which = ("--id", entered(office))
    file = office.folder / "audit.csv"
    file.write_text("fund,approved,deposit\nhifp_pay,99.99,\nhifes_pay,20.00,\nacct_pay,20.00,\n")
    told = str(office.run(ON, "audit", *which, str(file), user="qian", code=1))
    assert "BM-FUND" in told and "hifp_pay：申报10000分" in told and "hifes_pay" not in told


def test_a_deduction_that_came_meanwhile_undoes_what_was_agreed(office: Office) -> None:
    which = ("--id", entered(office))
    file = office.folder / "audit.json"
    file.write_text(json.dumps({"hifp_pay": "100.00", "hifes_pay": "20.00", "acct_pay": "20.00"}))
    approval = office.run(ON, "audit", *which, str(file), user="qian")["approval"]
    cut = office.folder / "cut.csv"
    cut.write_text("deduction_id,setl_id,fund,amount,kind\nD1,S0,hifp_pay,5.00,DEDUCT\n")
    office.run(ON, "deductions", *which, str(cut), user="qian")
    with pytest.raises(Refused, match="BM-FUND"):
        office.approve(int(approval), "sun")
    [known] = office.run(ON, "status")["applications"]
    assert known["state"] == "SUBMITTED"


@pytest.mark.parametrize(
    "content",
    ['{"hifp_pay": "1.234"}', '{"nobody": "1.00"}', '{"hifp_pay": {"deposit": "1.00"}}', "[]", "{",
     '{"hifp_pay": {"approved": "1.00", "paid": "1.00"}}'],
)  # fmt: skip
def test_a_file_that_is_not_clear_is_refused_whole(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)
    with pytest.raises(BadFile):
        read_amounts(file)


# --- as the province tells -------------------------------------------------------------------------


def status(applied: int, approved: int, deducted: int = 0, withheld: int = 0, deposit: int = 0) -> FundStatus:
    return FundStatus(
        applied_fen=applied, approved_fen=approved, deducted_fen=deducted, withheld_fen=withheld, deposit_fen=deposit
    )


TOLD = {"hifp_pay": status(10_000, 9_000, deducted=500, deposit=500), "hifes_pay": status(2_000, 1_900, withheld=100),
        "acct_pay": status(2_000, 2_000)}  # fmt: skip
TOTALS = status(12_000, 10_900, 500, 100, 500)


def test_what_is_told_by_fund_fits_everything_else() -> None:
    assert told_faults(APPLIED, TOLD, TOTALS, DEDUCTED) == []


@pytest.mark.parametrize(
    ("fund", "change", "says"),
    [
        ("hifp_pay", {"approved_fen": 8_999}, "合计不符"),
        ("hifp_pay", {"applied_fen": 10_001, "approved_fen": 9_001}, "申报与本申请不符"),
        ("hifp_pay", {"deducted_fen": 400, "deposit_fen": 600}, "扣款与其明细不符"),
        ("hifes_pay", {"withheld_fen": 0, "approved_fen": 2_000}, "暂扣与其明细不符"),
        ("hifes_pay", {"approved_fen": 1_800, "deposit_fen": 100}, "核定合计"),
    ],
)
def test_what_does_not_fit_is_told_with_its_fund(fund: str, change: dict[str, int], says: str) -> None:
    faults = told_faults(APPLIED, {**TOLD, fund: attrs.evolve(TOLD[fund], **change)}, TOTALS, DEDUCTED)
    assert any(says in one for one in faults)


def test_a_fund_left_out_or_unknown_is_a_fault() -> None:
    assert any("acct_pay：没有" in one for one in told_faults(APPLIED, dict(list(TOLD.items())[:2]), TOTALS, DEDUCTED))
    assert any("不认识" in one for one in told_faults(APPLIED, {**TOLD, "x": status(0, 0)}, TOTALS, DEDUCTED))


def test_a_status_carries_its_funds_and_one_told_twice_is_unreadable() -> None:
    plain = {"found": True, "clr_appy_evt_id": "E1", "app_no": "A", "clr_stas": "40", "opt_time": "x",
             "deductions": 0}  # fmt: skip
    line = {"fund": "hifp_pay", "fund_appy_sum": "100.00", "dfr_amt": "90.00", "det_sumamt": "5.00",
            "whld_sumamt": "0.00", "dpst_sumamt": "5.00"}  # fmt: skip
    assert codec.status(plain).funds == {}
    assert codec.status({**plain, "funds": [line]}).funds == {"hifp_pay": status(10_000, 9_000, 500, 0, 500)}
    with pytest.raises(codec.Unreadable):
        codec.status({**plain, "funds": [line, line]})
