"""What only the agency has and the journal never saw: its transaction by evidence or by two people's word, no guess;
the case ends with the agency's record gone (reconciliation specification §5.1, L1-CENTER-MORE)."""

import json
import os
from pathlib import Path

import pytest
from book_town import CODE, DAY, BookTown

import schemas
from adapters.crypto.vault import Vault
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app.assemble import regions_of
from gateway.app.books_deciding import decide
from gateway.books.decisions import NotPossible
from gateway.books.original import Chosen, choose
from gateway.core.approval import Person

REVERSIBLE = ("2102", "2207", "2304", "2401")
TABLE = {"11": ("2207",), "21": ("2304",), "51": ("2207", "2304"), "52": ("2299",)}


@pytest.mark.parametrize(
    ("stated", "clr_type", "chosen"),
    [
        ("", "11", Chosen(oinfno="2207", basis="clr_type=11")),
        ("", "21", Chosen(oinfno="2304", basis="clr_type=21")),
        ("2102", "99", Chosen(oinfno="2102", basis="stated")),
        ("2304", "11", Chosen(oinfno="2304", basis="stated")),  # people know more than a table
    ],
)
def test_the_transaction_is_known_by_evidence_or_by_peoples_word(stated: str, clr_type: str, chosen: Chosen) -> None:
    assert choose(stated, clr_type, REVERSIBLE, TABLE) == chosen


@pytest.mark.parametrize(
    ("stated", "clr_type"), [("", "99"), ("", ""), ("", "51"), ("", "52"), ("2208", "11"), ("22", "11"), ("x", "")]
)
def test_what_is_not_certain_is_not_guessed(stated: str, clr_type: str) -> None:
    with pytest.raises(NotPossible, match="2207"):
        choose(stated, clr_type, REVERSIBLE, TABLE)


class Town(BookTown):
    """A town whose journal is there, and has never seen what the agency has."""

    def __init__(self, folder: Path, **agency: str) -> None:
        super().__init__(folder)
        scripts = list(schemas.read("migrations/journal", ".sql"))
        self.config.journal.parent.mkdir(parents=True, exist_ok=True)
        SqliteJournal.open(self.config.journal, Vault(b"k" * 32, "aes-256-gcm", os.urandom), scripts).close()
        self.put("1", AGY={"clr_pay_loc": "", **agency})
        self.hand_in()
        self.run()

    def ends(self) -> None:
        """Carry out what was decided; the agency's record is gone and the day agrees."""
        self.act()
        assert self.actions() == [("S1", "L1", "REVERSE", "AGY", "DONE")]
        assert [(one.party, one.kind, one.effect) for one in self.parties.received] == [("AGY", "REVERSE", True)]
        assert self.parties.of("AGY", "S1") == []
        assert self.round(lambda case: "").days[CODE] == "AGREED"


def test_the_kind_of_clearing_names_the_transaction_and_the_record_is_gone(tmp_path: Path) -> None:
    town = Town(tmp_path, clr_type="11")
    assert town.decide(lambda case: "reverse") == 1
    content = json.loads(town.proposals.contents[0])
    assert (content["oinfno"], content["oinfno_basis"], len(content["agency_row_sm3"])) == ("2207", "clr_type=11", 64)
    assert "P1" not in town.proposals.contents[0].decode()
    town.ends()
    [stated] = town.wire.stated
    assert (stated.oinfno, stated.psn_no, stated.link, stated.medfee_fen) == ("2207", "P1", "national", 10_000)
    assert json.loads(stated.settled)["setl_time"] == DAY


def test_where_that_says_nothing_two_people_state_it(tmp_path: Path) -> None:
    town = Town(tmp_path, clr_type="99")
    with pytest.raises(NotPossible, match="--oinfno"):
        town.decide(lambda case: "reverse")
    with pytest.raises(NotPossible, match="只有2102"):
        town.decide(lambda case: "reverse", "2208")
    assert (town.actions(), town.proposals.contents) == ([], [])
    assert town.decide(lambda case: "reverse", "2304") == 1
    assert json.loads(town.proposals.contents[0])["oinfno_basis"] == "stated"
    town.ends()
    assert [one.oinfno for one in town.wire.stated] == ["2304"]


def test_people_may_have_the_agency_take_it_back_all_the_same(tmp_path: Path) -> None:
    town = Town(tmp_path, clr_type="99")
    assert town.decide(lambda case: "correct") == 1
    town.act()
    town.fetch()
    assert town.parties.of("AGY", "S1") == []


def test_a_record_that_changes_between_the_two_people_is_not_reversed(tmp_path: Path) -> None:
    town = Town(tmp_path, clr_type="11")
    with town.store() as store:
        from adapters.store.books_cases import BooksCases

        [case] = BooksCases(store.connection).cases(("OPEN",))
    person = Person("zhang", frozenset(), "")
    decide(town.config, case.id, "reverse", "核实", person, lambda: town.proposals, town.now_ms)  # type: ignore[arg-type, return-value]
    town.parties.books["AGY"][0]["psn_no"] = "P2"
    town.hand_in()
    with pytest.raises(NotPossible, match="有了变化"):
        town.approve(1)
    assert town.actions() == []


def test_a_transaction_is_stated_of_such_a_reversal_only(tmp_path: Path) -> None:
    town = Town(tmp_path, clr_type="11")
    with pytest.raises(NotPossible, match="--oinfno"):
        town.decide(lambda case: "correct", "2207")


def test_every_region_names_transactions_it_can_reverse(tmp_path: Path) -> None:
    for region in regions_of(BookTown(tmp_path).config).values():
        named = {one for every in region.statement.transactions.values() for one in every}
        assert named and named <= set(region.reversible)
