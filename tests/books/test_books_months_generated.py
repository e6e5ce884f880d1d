"""Months at random: what is applied for, deducted and paid adds up to the fen, per fund (reconciliation §9.7)."""

import sqlite3
from collections import Counter
from contextlib import closing

from days import SCRIPTS, Key
from desk import settled
from hypothesis import given, settings
from hypothesis import strategies as st
from pure import row_of

from adapters.crypto.digest import sm3
from adapters.store.books_freeze import FreezeRow
from adapters.store.books_freeze_writer import FreezeWriter
from adapters.store.books_month import MonthWriter
from adapters.store.sqlite_journal import migrate
from gateway.app.books_month_work import build, month_sums
from gateway.books.clearing import Audit, identity_faults
from gateway.books.deductions import ACCEPTED, APPEALED, REVISED, REVOKED, UPHELD, Deduction, move, totals
from gateway.books.freezing import Header, InputMark, Sums, fees_of, lines_of
from gateway.books.month import Content, days_of
from gateway.core.ledgers import AGY, COMPONENTS, INST

MONTH, CODE = "2026-02", "H1"
AT = {name: at for at, name in enumerate(COMPONENTS)}
EVENT = st.tuples(
    st.integers(0, 27), st.sampled_from(("11", "21")), st.sampled_from(("310", "390")),
    st.dictionaries(st.sampled_from(("hifp_pay", "hifes_pay", "maf_pay", "acct_pay")), st.integers(0, 10**9)),
    st.sampled_from(("", "", "", "refund", "CARRIED", "WITHHELD")),
)  # fmt: skip


def amounts(parts: dict[str, int], sign: int = 1) -> tuple[int | None, ...]:
    fund = sum(fen for name, fen in parts.items() if name != "acct_pay")
    found: list[int | None] = [None] * len(COMPONENTS)
    for name, fen in {**parts, "fund_pay_sumamt": fund, "medfee_sumamt": fund + parts.get("acct_pay", 0)}.items():
        found[AT[name]] = sign * fen
    return tuple(found)


@settings(max_examples=30, deadline=None)
@given(st.lists(EVENT, max_size=25), st.data())
def test_a_month_is_what_its_rows_are(
    events: list[tuple[int, str, str, dict[str, int], str]], data: st.DataObject
) -> None:
    truth: dict[tuple[str, str], Counter[str]] = {}
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, SCRIPTS)
        writer = FreezeWriter(connection)
        for at, day in enumerate(days_of(MONTH)):
            freeze(writer, day, [(n, one) for n, one in enumerate(events) if one[0] == at], truth)
        month = MonthWriter(connection)
        made = build(month, ("care", CODE, MONTH), "qian", 1).applications
        assert month_sums(month, ("care", CODE, MONTH))[1] == {}
        found = {}
        for row in made:
            content = Content.read(row.content)
            found[row.clr_type, row.insutype] = {name: fen for name, fen in content.funds.items() if fen}
            audited(content.funds, data)
        wanted = {group: {name: fen for name, fen in sums.items() if fen} for group, sums in truth.items()}
        assert found == wanted
        # A fen more in one row is noticed: the days' own sums no longer fit.
        if made:
            connection.execute("DROP TRIGGER frozen_fee_stays")
            connection.execute("UPDATE frozen_fee SET hifp_pay = coalesce(hifp_pay, 0) + 1 WHERE held = ''")
            assert month_sums(month, ("care", CODE, MONTH))[1] != {}


def freeze(
    writer: FreezeWriter, day: str, events: list[tuple[int, tuple[int, str, str, dict[str, int], str]]],
    truth: dict[tuple[str, str], Counter[str]],
) -> None:  # fmt: skip
    head = Header(role="care", scope=CODE, date=day, revision=1, run_id=day, inputs=(InputMark("AGY", CODE, "", 0),))
    writer.connection.execute("INSERT INTO recon_run VALUES (?,'care',?,1,0,1,0,'{}')", (day, day))
    writer.connection.execute("INSERT INTO recon_day VALUES ('care',?,?,'AGREED',1,0,'')", (CODE, day))
    number = writer.begin("care", CODE, day, 1)
    sums, lines, fees = Sums(), [], []
    for n, (_, clr_type, insutype, parts, kind) in events:
        held = kind if kind in ("CARRIED", "WITHHELD") else ""
        cells = {"fixmedins_code": CODE, "clr_type": clr_type, "insutype": insutype, "setl_time": f"{day} 09:00:00"}
        rows = [row_of(name, settled(n, **cells))._replace(day=0, amounts=amounts(parts)) for name in ("AGY", "INST")]
        if kind == "refund":
            rows += [row._replace(direction=1, amounts=amounts(parts, -1)) for row in rows]
        lines += lines_of(rows, day, held)
        fees += fees_of(rows, (AGY, INST), held)
        if not held:
            group = truth.setdefault((clr_type, insutype), Counter())
            group.update({} if kind == "refund" else parts)
    for fee in fees:
        sums.add(fee)
    writer.add(number, list(enumerate(lines, start=1)), enumerate(fees, start=1))
    digest = sm3(f"{writer.last_sm3()}{day}".encode())
    row = FreezeRow(
        id=number, role="care", scope=CODE, biz_date=day, prev_sm3=writer.last_sm3(), header=head.line(),
        rows=len(lines), fees=len(fees), freeze_sm3=digest.hex(), key_id="", signature=Key().sign(digest).hex(),
        maker="li", checker="wang", approval=1, reopens=0, at_ms=1,
    )  # fmt: skip
    writer.enforce(row, sums.rows())


def audited(applied: dict[str, int], data: st.DataObject) -> None:
    """Deduct at random within each fund; what is left is approved, and a fen off is found."""
    deductions = []
    for fund, fen in applied.items():
        cut = data.draw(st.integers(0, fen))
        if cut < 2:
            continue
        one = Deduction(
            deduction_id=fund,
            setl_id="S",
            fund=fund,
            amount=cut,
            kind=data.draw(st.sampled_from(("DEDUCT", "WITHHOLD", "PENALTY"))),
        )
        for state in data.draw(
            st.sampled_from(((ACCEPTED,), (APPEALED, UPHELD), (APPEALED, REVISED), (APPEALED, REVOKED)))
        ):
            one = move(one, state, cut - 1 if state == REVISED else None)
        deductions.append(one)
    deducted, withheld = totals(deductions)
    deposit = {
        fund: data.draw(st.integers(0, fen - deducted.get(fund, 0) - withheld.get(fund, 0)))
        for fund, fen in applied.items()
    }
    approved = {
        fund: fen - deducted.get(fund, 0) - withheld.get(fund, 0) - deposit[fund] for fund, fen in applied.items()
    }
    audit = Audit(approved=approved, deducted=deducted, withheld=withheld, deposit=deposit)
    assert identity_faults(applied, audit) == []
    for fund in applied:
        off = Audit(
            approved={**approved, fund: approved[fund] + 1}, deducted=deducted, withheld=withheld, deposit=deposit
        )
        assert [one.code for one in identity_faults(applied, off)] == ["BM-FUND"]
