"""The journal's evidence read by time: nothing missed or twice; and what no mapping gave, found without the rest."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import schemas
from adapters.crypto.vault import Vault
from adapters.store.journal_usage import STEP, Used, newest_id, used, without_mapping
from adapters.store.sqlite_journal import SqliteJournal
from gateway.core.model import Accept, Entry
from gateway.core.translation import Evidence

HOSPITAL, OTHER = "H99010300001", "H99010300002"
APART_MS = 3 * 86_400_000
HOUR_MS = 3_600_000
MAPPED = ("p", "drug", "L", "N", "m1", "2026-11-01")
NAMED = ("p", "diagnosis:name", "感冒", "急性上呼吸道感染", "", "2026-11-01")
MISSED = ("p", "diagnosis", "D", "", "unmapped", "2026-11-01")
ENDED = ("p", "drug", "L", "", "expired", "2026-11-01")
BOTH = ("p", "item", "L", "N", "", "2026-11-01")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Rows far apart, so that several looks and halves are needed; each three days after the one before."""
    vault = Vault(bytes(32), "aes-256-gcm", lambda size: bytes(size))
    store = SqliteJournal.open(tmp_path / "j.sqlite", vault, list(schemas.read("migrations/journal", ".sql")))
    rows: list[tuple[Evidence, ...]] = [(MAPPED,), (MISSED, NAMED), (NAMED,), (), (BOTH,), (MAPPED, ENDED), (MISSED,)]
    for number, evidence in enumerate(rows):
        entry = Entry(
            id=1 + number * 2 * STEP, fixmedins_code=OTHER if number == 6 else HOSPITAL, msgid=f"m{number}",
            infno="2204", klass="W", link="core", state="DONE", digest=b"d" * 32, created_ms=number * APART_MS,
        )  # fmt: skip
        store.commit([Accept(entry=entry, evidence=evidence)])
    connection = sqlite3.connect(tmp_path / "j.sqlite")
    yield connection
    connection.close()
    store.close()


def msgids(found: Iterable[Used]) -> list[str]:
    return [one.msgid for one in found]


@pytest.mark.parametrize("first", range(8))
@pytest.mark.parametrize("last", range(8))
def test_a_span_of_time_brings_exactly_its_requests(journal: sqlite3.Connection, first: int, last: int) -> None:
    found = msgids(used(journal, "", first * APART_MS, last * APART_MS))
    assert found == [f"m{number}" for number in range(first, min(last, 7))]


def test_one_institution_brings_only_its_own(journal: sqlite3.Connection) -> None:
    assert msgids(used(journal, OTHER, 0, 99 * APART_MS)) == ["m6"]


def test_what_no_mapping_gave_is_found_without_the_rest(journal: sqlite3.Connection) -> None:
    last = newest_id(journal)
    found = list(without_mapping(journal, 0, last, 0))
    assert msgids(found) == ["m1", "m4", "m5", "m6"]
    assert found[2].rows == (MAPPED, ENDED)
    assert msgids(without_mapping(journal, found[0].id, last, 5 * APART_MS)) == ["m5", "m6"]
    assert msgids(without_mapping(journal, 0, last - 1, 0)) == ["m1", "m4", "m5"]


def test_a_clock_set_back_by_hours_hides_nothing(journal: sqlite3.Connection) -> None:
    journal.execute("UPDATE journal SET created_ms = ? WHERE msgid = 'm3'", (2 * APART_MS,))
    journal.execute("UPDATE journal SET created_ms = ? WHERE msgid = 'm2'", (2 * APART_MS + 9 * HOUR_MS,))
    assert msgids(used(journal, "", 2 * APART_MS + HOUR_MS, 3 * APART_MS)) == ["m2"]
