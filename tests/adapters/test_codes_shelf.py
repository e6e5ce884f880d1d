"""Looking records of a big library up: pinned to versions, from any thread, without holding the store's log back."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import schemas
from adapters.store.codes import CodesStore, CodesWriter, Deed
from adapters.store.codes_libraries import LibraryWriter
from adapters.store.codes_library_reader import LibraryLook, StoredRecord, columns_of
from gateway.codes.spelling import fits, question, words

SCRIPTS = list(schemas.read("migrations/codes", ".sql"))
DEED = Deed("甲", 1000)


@pytest.fixture
def store(tmp_path: Path) -> CodesStore:
    return CodesStore.open(tmp_path / "liangding-codes.sqlite", SCRIPTS)


@pytest.fixture
def writer(store: CodesStore) -> Iterator[CodesWriter]:
    opened = CodesWriter.open(store.path, SCRIPTS)
    yield opened
    opened.close()


def release(writer: CodesWriter, ver: str, *rows: tuple[str, str], system: str = "drug", whole: bool = False) -> None:
    version = LibraryWriter.begin(writer, system, f"{ver}.csv", DEED, whole=whole, columns=["name"])
    cells = [(code, name, "2021-01-01", "", "1", "0", "", n, "{}", words(name)) for n, (code, name) in enumerate(rows)]
    list(version.add(cells))
    list(version.enter())
    version.release(ver, "00", DEED)


def search(store: CodesStore, text: str, most: int = 9, system: str = "drug") -> list[str]:
    reader = store.tables()
    look = LibraryLook.of(reader, system)
    found = look.search(text, question(text), lambda record: fits(text, record.name), most)
    reader.close()
    return [one.code for one in found]


def test_a_shelf_sees_its_versions_and_no_later_ones(store: CodesStore, writer: CodesWriter) -> None:
    release(writer, "F1", ("X1", "旧"), ("X2", "二"))
    look = store.tables()
    shelf = look.shelf("drug")
    look.close()
    release(writer, "F2", ("X1", "新"), ("X3", "三"))
    assert shelf.find("X1") == ("旧", "2021-01-01", "", "1", "0")
    assert shelf.find("X3") is None
    look = store.tables()
    later = look.shelf("drug")
    look.close()
    assert [(later.find(code) or ("",))[0] for code in ("X1", "X2", "X3", "X4")] == ["新", "二", "三", ""]


def test_a_shelf_sees_nothing_of_other_systems_and_of_unreleased_versions(
    store: CodesStore, writer: CodesWriter
) -> None:
    release(writer, "F1", ("A", "药"))
    release(writer, "F1", ("B", "械"), system="consumable")
    unreleased = LibraryWriter.begin(writer, "drug", "f", DEED)
    list(unreleased.add([("C", "", "", "", "1", "0", "", 2, "{}", "")]))
    list(unreleased.enter())
    look = store.tables()
    shelf = look.shelf("drug")
    look.close()
    assert [shelf.find(code) is not None for code in "ABC"] == [True, False, False]


def test_a_whole_version_leaves_nothing_of_what_came_before(store: CodesStore, writer: CodesWriter) -> None:
    release(writer, "F1", ("X1", "一"), ("X2", "二"))
    release(writer, "F2", ("X2", "二"), ("X3", "三"), whole=True)
    look = store.tables()
    shelf, library = look.shelf("drug"), LibraryLook.of(look, "drug")
    assert shelf.find("X1") is None
    assert sorted(row[0] for row in look.library("drug")) == ["X2", "X3"]
    assert [one.code for one in library.records(library.up_to())] == ["X2", "X3"]
    assert [one.code for one in library.records(library.up_to("F1"))] == ["X1", "X2"]
    assert look.sizes() == {"drug": 2}
    with pytest.raises(KeyError):
        library.up_to("F9")
    look.close()
    assert search(store, "一") == []


def test_threads_look_up_side_by_side(store: CodesStore, writer: CodesWriter) -> None:
    release(writer, "F1", *((f"X{n}", f"名{n}") for n in range(500)))
    look = store.tables()
    shelf = look.shelf("drug")
    look.close()
    wrong: list[str] = []

    def work() -> None:
        for n in range(500):
            found = shelf.find(f"X{n}")
            if found is None or found[0] != f"名{n}":
                wrong.append(f"X{n}")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []


def test_a_look_up_holds_no_read_transaction(store: CodesStore, writer: CodesWriter) -> None:
    """A reader that stayed in one would keep the write-ahead log from being emptied."""
    release(writer, "F1", ("X1", "一"))
    look = store.tables()
    shelf = look.shelf("drug")
    look.close()
    assert shelf.find("X1") is not None
    release(writer, "F2", ("X2", "二"))
    busy, pages, moved = writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert (busy, pages, moved) == (0, 0, 0)
    with pytest.raises(sqlite3.OperationalError):
        shelf.shelves.connection().execute("DELETE FROM library")


def test_search_by_code_name_and_initials(store: CodesStore, writer: CodesWriter) -> None:
    release(writer, "F1", ("X100", "阿莫西林胶囊"), ("X200", "头孢克肟胶囊"), ("Y100", "西林瓶"))
    assert search(store, "X1") == ["X100"]
    assert search(store, "西林") == ["X100", "Y100"]
    assert search(store, "胶囊", most=1) == ["X100"]
    assert search(store, "amx") == ["X100"]
    assert search(store, "囊") == ["X100", "X200"]
    assert search(store, "林西") == search(store, "〔〕") == search(store, "西林", system="doctor") == []


def test_search_offers_only_what_is_in_force(store: CodesStore, writer: CodesWriter) -> None:
    release(writer, "F1", ("X1", "阿莫西林"), ("X2", "阿莫西林"))
    release(writer, "F2", ("X1", "氨苄西林"))
    assert search(store, "阿莫西林") == ["X2"]
    assert search(store, "西林") == ["X1", "X2"]
    assert search(store, "X") == ["X1", "X2"]


def test_versions_migrated_from_before_the_index_are_searched_too(store: CodesStore, writer: CodesWriter) -> None:
    release(writer, "F1", ("X1", "阿莫西林"))
    writer.connection.execute("UPDATE release SET worded = 0")
    assert search(store, "西林") == ["X1"]


def test_what_differs_between_two_versions(store: CodesStore, writer: CodesWriter) -> None:
    release(writer, "F1", ("X1", "一"), ("X2", "二"))
    release(writer, "F2", ("X2", "贰"), ("X3", "三"))
    release(writer, "F3", ("X3", "三"), whole=True)
    reader = store.tables()
    look = LibraryLook.of(reader, "drug")

    def names(before: str, after: str) -> list[tuple[str, str]]:
        pairs = look.differing(look.up_to(before), look.up_to(after))
        return [(one.name if one else "", other.name if other else "") for one, other in pairs]

    assert names("F1", "F2") == [("二", "贰"), ("", "三")]
    assert names("F2", "F3") == [("一", ""), ("贰", ""), ("三", "三")]
    assert names("F2", "F2") == []
    assert columns_of(look.versions[0]) == {"name"}
    assert list(look.lives()) == [("X1", [1]), ("X2", [1, 2]), ("X3", [2, 3])]
    reader.close()


def test_a_store_of_the_first_version_is_brought_over(tmp_path: Path) -> None:
    """Records, versions, what is in force and what was never released: nothing is lost, nothing appears."""
    path = tmp_path / "old.sqlite"
    old = sqlite3.connect(path, isolation_level=None)
    old.executescript(SCRIPTS[0][1].decode())
    old.execute("PRAGMA user_version = 1")
    for number, ver in ((1, "F1"), (2, "F2"), (3, "")):
        old.execute("INSERT INTO library VALUES (?, 'drug', ?, 'f.csv', '甲', 1)", (number, ver))
        raw = '{"replaced_by":"X9"}' if number == 1 else "{}"
        old.execute("INSERT INTO library_row VALUES (?,?,?,'','','1','0',2,?)", (number, "X1", f"名{number}", raw))
    old.execute("INSERT INTO library_row VALUES (1,'X2','二','','','1','0',3,'{}')")
    old.executemany("INSERT INTO release VALUES (?,?,'00',1)", [(1, 2), (2, 1)])
    old.close()
    CodesWriter.open(path, SCRIPTS).close()
    store = CodesStore.open(path, SCRIPTS)
    look = store.tables()
    assert {row[0]: row[1] for row in look.library("drug")} == {"X1": "名2", "X2": "二"}
    history: list[StoredRecord] = LibraryLook.of(look, "drug").history("X1")
    assert [(one.name, one.replaced_by) for one in history] == [("名2", ""), ("名1", "X9")]
    assert look.shelf("drug").find("X1") == ("名2", "", "", "1", "0")
    assert look.connection.execute("SELECT count(*) FROM library_row").fetchone() == (3,)
    look.close()
    assert search(store, "名") == ["X1"]
