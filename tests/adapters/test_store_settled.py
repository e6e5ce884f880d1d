"""The store port's contract about daily statements, against every implementation (reversal specification §4.1, RV9)."""

import sqlite3
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pytest
from journals import HOME, SCRIPTS, T0_MS, Book, open_sqlite

from adapters.store.journal_reader import reading
from adapters.store.sqlite_journal import migrate
from gateway.core.model import (
    Admitted,
    Advance,
    Compared,
    Entry,
    Keep,
    Kinds,
    Known,
    Numbered,
    Page,
    Recall,
    Settled,
    State,
    StoreBroken,
)


def advance(entry: Entry, was: State, to: State, **changes: Any) -> Advance:
    return Advance(entry=entry, was=was, to=to, at_ms=T0_MS + 5, reason="test", **changes)


def test_settled_rows_of_an_institution_are_found_newest_first_since_a_time(book: Book) -> None:
    """Nothing of others, of earlier, of what failed, is open, or has no number."""
    for number in range(12):
        entry = book.accept(f"m{number}", created_ms=T0_MS + number * 1000)
        if number != 7:
            assert book.do(advance(entry, "SENT", "ACKED", setl_id=f"S{number}", settled='{"medfee_sumamt":1}')) is True
    other = book.accept("o1", fixmedins_code="P1", created_ms=T0_MS + 20_000)
    assert book.do(advance(other, "SENT", "ACKED", setl_id="SO")) is True
    nameless = book.accept("n1", created_ms=T0_MS + 20_000)
    assert book.do(advance(nameless, "SENT", "ACKED")) is True
    refused = book.accept("f1", created_ms=T0_MS + 20_000)
    assert book.do(advance(refused, "SENT", "REJECTED", setl_id="SF")) is True

    away = book.accept("a1", link="province", created_ms=T0_MS + 20_000)
    assert book.do(advance(away, "SENT", "ACKED", setl_id="SA")) is True

    def since(ms: int, rows_max: int = 100, ids_max: int = 100) -> list[list[str]]:
        """The pages, as the numbers of their messages."""
        pages: list[list[str]] = []
        before: int | None = None
        while before != 0:
            op = Settled(
                fixmedins_code=HOME, link="national", since_ms=ms, before=before, rows_max=rows_max, ids_max=ids_max
            )
            found = book.do(op)
            assert isinstance(found, Page)
            pages.append([row.msgid[1:] for row in found.rows])
            before = found.before
        return pages

    assert since(0) == [["11", "10", "9", "8", "6", "5", "4", "3", "2", "1", "0"]]
    assert since(T0_MS + 4_001) == since(T0_MS + 5_000) == [["11", "10", "9", "8", "6", "5"]]
    assert since(T0_MS + 10**9) == [[]]
    assert [row for page in since(T0_MS + 4_001, rows_max=2) for row in page] == ["11", "10", "9", "8", "6", "5"]
    assert since(T0_MS + 4_001, rows_max=4)[0] == ["11", "10", "9", "8"]
    few = since(T0_MS + 4_001, ids_max=3)  # of everybody's rows
    assert [len(page) for page in few] == [0, 2, 2, 2]
    assert [row for page in few for row in page] == ["11", "10", "9", "8", "6", "5"]


def test_a_settlement_is_found_by_its_number_and_cancelled_on_its_own_platform(book: Book) -> None:
    for msgid, link, code in (("m1", "national", HOME), ("m2", "province", HOME), ("m3", "national", "P1")):
        entry = book.accept(msgid, link=link, fixmedins_code=code)
        assert book.do(advance(entry, "SENT", "ACKED", setl_id="S1")) is True

    def numbered(setl_id: str) -> list[tuple[str, bool]]:
        found = book.do(Numbered(fixmedins_code=HOME, setl_id=setl_id))
        assert isinstance(found, Page)
        return [(row.msgid, row.cancelled) for row in found.rows]

    assert numbered("S1") == [("m2", False), ("m1", False)]
    assert numbered("S2") == numbered("") == []
    refund = book.accept("c1", infno="2208", link="province")
    assert book.do(advance(refund, "SENT", "ACKED", cancels="S1")) is True
    assert numbered("S1") == [("m2", True), ("m1", False)]


def test_nothing_is_settled_in_an_empty_journal(book: Book) -> None:
    op = Settled(fixmedins_code=HOME, link="national", since_ms=0, before=None, rows_max=5, ids_max=5)
    assert book.do(op) == Page((), 0)


def test_what_only_a_statement_knows_is_one_event_and_open_to_nobody(book: Book) -> None:
    book.accept("x1", "EXTERNAL", digest=b"")
    found = book.do(Recall(HOME, "x1"))
    assert isinstance(found, Known)
    assert (found.entry.state, found.answer) == ("EXTERNAL", None)
    assert book.journal.open_entries() == []
    assert [state for _, state, _ in book.events()] == ["EXTERNAL"]


def settle(book: Book, msgid: str, group: tuple[str, str], **changes: Any) -> None:
    entry = book.accept(msgid, **changes)
    told = f'{{"clr_type":"{group[1]}","clr_optins":"{group[0]}","medfee_sumamt":1}}'
    assert book.do(advance(entry, "SENT", "ACKED", setl_id=f"S{msgid}", settled=told)) is True


def kinds(book: Book, since_ms: int = 0, rows_max: int = 100, link: str = "national") -> list[tuple[str, ...]]:
    found = book.do(Kinds(fixmedins_code=HOME, link=link, since_ms=since_ms, rows_max=rows_max))
    assert isinstance(found, tuple)
    return [(one.infno, one.insuplc_admdvs, one.med_type, one.clr_optins, one.clr_type) for one in found]


def test_the_kinds_of_settlements_are_told_once_with_the_group_they_were_listed_in(book: Book) -> None:
    """Nothing of others, of another platform, of what failed, or of what names no group."""
    day_ms = 86_400_000
    for number in range(3):
        settle(book, f"m{number}", ("510800", "11"), created_ms=T0_MS + number * day_ms)
    settle(book, "m7", ("510800", "14"), med_type="14")
    settle(book, "m8", ("330100", "11"), insuplc_admdvs="330100", link="province")
    settle(book, "m9", ("510800", ""), infno="2304")
    settle(book, "p1", ("510800", "41"), fixmedins_code="P1", infno="2102")
    entry = book.accept("f1", infno="2102")
    assert book.do(advance(entry, "SENT", "REJECTED", settled='{"clr_type":"41","clr_optins":"510800"}')) is True
    assert sorted(kinds(book)) == [("2207", "", "", "510800", "11"), ("2207", "", "14", "510800", "14")]
    assert kinds(book, since_ms=T0_MS + 2 * day_ms - 1) == [("2207", "", "", "510800", "11")]
    assert kinds(book, link="province") == [("2207", "330100", "", "330100", "11")]
    assert len(kinds(book, rows_max=1)) == 1


def test_a_discharge_is_of_the_kind_its_admission_names(book: Book) -> None:
    for number, med_type in ((1, "21"), (2, "52")):
        key = f"2401|{HOME}|{number}|ZY{number}"
        entry = book.accept(
            f"a{number}", infno="2401", klass="A", psn_no=str(number), mdtrt_id="", business_key=key, med_type=med_type
        )
        assert book.do(advance(entry, "SENT", "ACKED", mdtrt_id=f"V{number}")) is True
    for number in (2, 3):
        settle(book, f"m{number}", ("510800", "21"), infno="2304", psn_no=str(number), mdtrt_id=f"V{number}")

    def admitted(psn_no: str, mdtrt_id: str) -> list[str]:
        found = book.do(Admitted(fixmedins_code=HOME, psn_no=psn_no, mdtrt_id=mdtrt_id))
        assert isinstance(found, Page)
        return [row.msgid for row in found.rows]

    assert sorted(kinds(book)) == [("2304", "", "", "510800", "21"), ("2304", "", "52", "510800", "21")]
    assert (admitted("1", "V1"), admitted("2", "V1"), admitted("1", ""), admitted("", "V1")) == (["a1"], [], [], [])
    taken_back = Keep(entry=book.entry("w1", "DONE", infno="2404", klass="W"), cancels="V1", psn_no="1")
    assert book.do(taken_back) is True
    assert admitted("1", "V1") == []


def test_a_kind_is_written_down_again_when_its_commit_failed(tmp_path: Path) -> None:
    """And what is known to be there is not written again the same day."""
    journal = open_sqlite(tmp_path)
    book = Book(journal)
    first, second = book.accept("m1"), book.accept("m2")
    told = '{"clr_type":"11","clr_optins":"510800"}'
    journal.connection.execute("UPDATE chain_head SET owner = owner + 1")  # this commit will be refused
    with pytest.raises(StoreBroken):
        book.do(advance(first, "SENT", "ACKED", settled=told))
    journal.connection.execute("UPDATE chain_head SET owner = owner - 1")
    assert kinds(book) == []
    assert book.do(advance(first, "SENT", "ACKED", settled=told)) is True
    assert kinds(book) == [("2207", "", "", "510800", "11")]
    seen: list[str] = []
    journal.connection.set_trace_callback(seen.append)
    assert book.do(advance(second, "SENT", "ACKED", settled=told)) is True
    assert not [statement for statement in seen if "settled_kind" in statement]
    journal.close()
    journal = open_sqlite(tmp_path)
    assert kinds(Book(journal)) == [("2207", "", "", "510800", "11")]
    journal.close()


def test_what_an_older_journal_settled_is_found_at_its_first_opening(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    migrate(connection, SCRIPTS[:3])
    told = {1: '{"clr_type":"11","clr_optins":"510800"}', 2: "", 3: '{"clr_type":"11"}', 4: '{"clr_type":"11"'}
    for number, settled in told.items():
        connection.execute(
            "INSERT INTO journal (id, fixmedins_code, msgid, infno, klass, link, state, digest, business_key, "
            "soft_key, lane, psn_no, mdtrt_id, omsgid, insuplc_admdvs, med_type, created_ms, changed_ms) VALUES "
            "(?, ?, ?, '2207', 'M', 'national', 'ACKED', x'', '', '', '', '1', 'V', '', '', '11', ?, ?)",
            (number, HOME, f"m{number}", T0_MS, T0_MS),
        )
        connection.execute("INSERT INTO outcome VALUES (?, 'S', 'V', ?, 1, NULL)", (number, settled))
    connection.close()
    journal = open_sqlite(tmp_path)
    assert kinds(Book(journal)) == [("2207", "", "11", "510800", "11")]
    journal.close()


def test_what_a_recovery_asked_is_kept_the_newest_of_each_platform(tmp_path: Path) -> None:
    journal = open_sqlite(tmp_path)
    book, day = Book(journal), date(2026, 3, 2)
    one = Compared(
        fixmedins_code=HOME, link="national", at_ms=T0_MS, days=(day, day), groups=(("510800", "11"),), theirs=2,
        unnamed=1,
    )  # fmt: skip
    newer = attrs.evolve(one, at_ms=T0_MS + 1, groups=(), theirs=0, unnamed=0)
    assert [book.do(op) for op in (one, newer, attrs.evolve(one, link="province"))] == [True] * 3
    journal.close()
    with reading(tmp_path / "journal.sqlite") as reader:
        assert reader.compared() == [newer, attrs.evolve(one, link="province")]
