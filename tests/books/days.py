"""A books room on disk with days as a run leaves them: files, inputs, runs, states. Signatures are by a test key."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from desk import DAY, HOSPITAL, Cells, text

import schemas
from adapters.crypto.digest import hmac_sm3, sm3
from adapters.store.books_freeze import FreezeRow
from adapters.store.books_freeze_writer import FreezeWriter
from adapters.store.books_writing import writing
from gateway.app.books_freezing import carry_out, content, plan, read_through

SCRIPTS = tuple(schemas.read("migrations/books", ".sql"))
PEOPLE = ("li", "wang", 0)  # of no approval: books that name one belong to a security room


class Key:
    """A signer whose signatures only it can make; what SM2 adds is that others can check them."""

    public = b"test"

    def sign(self, message: bytes) -> bytes:
        return hmac_sm3(b"key", message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        return signature == self.sign(message)


class Room:
    """The room's file, open for writing."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder, self.connection = folder, connection
        self.writer = FreezeWriter(connection)
        self.key = Key()

    def hand_in(self, ledgers: Mapping[str, Sequence[Cells]], date: str = DAY, scope: str = HOSPITAL) -> list[int]:
        """Store ledger files as inputs of a day; return their numbers."""
        place = self.folder / "books" / date
        place.mkdir(parents=True, exist_ok=True)
        numbers = []
        for name, rows in ledgers.items():
            data = text(rows).encode()
            path = place / f"{name}-{sm3(data).hex()}.csv"
            path.write_bytes(data)
            values = (
                name, scope, date, "file", sm3(data).hex(), len(rows), 1, "{}", str(path.relative_to(self.folder)),
                "li", 0,
            )  # fmt: skip
            statement = "INSERT INTO input (ledger, scope, biz_date, source, sm3, rows, complete, sums, path, who, at_ms) VALUES (?,?,?,?,?,?,?,?,?,?,?)"  # noqa: E501
            numbers.append(int(self.connection.execute(statement, values).lastrowid or 0))
        return numbers

    def inputs_of(self, date: str) -> list[int]:
        """Return the numbers of all that was handed in for a day."""
        return [one for (one,) in self.connection.execute("SELECT id FROM input WHERE biz_date = ?", (date,))]

    def ran(
        self, inputs: Sequence[int], date: str = DAY, scope: str = HOSPITAL, state: str = "AGREED", role: str = "care",
    ) -> None:  # fmt: skip
        """Say that a run over inputs left a day in a state."""
        found = self.connection.execute("SELECT count(*) FROM recon_run WHERE biz_date = ?", (date,)).fetchone()
        revision = found[0] + 1
        run = sm3(json.dumps([date, role, list(inputs), revision]).encode()).hex()
        self.connection.execute("INSERT INTO recon_run VALUES (?,?,?,?,0,1,0,'{}')", (run, role, date, revision))
        self.connection.executemany("INSERT INTO run_input VALUES (?,?)", [(run, one) for one in inputs])
        self.connection.execute(
            "INSERT OR REPLACE INTO recon_day VALUES (?,?,?,?,?,0,'')", (role, scope, date, state, revision)
        )

    def differs(
        self, name: str, state: str, setl_id: str, date: str = DAY, scope: str = HOSPITAL, agreed: int = 0
    ) -> None:
        """Note a difference of the day."""
        values = (
            f"d{name}{setl_id}", "care", scope, date, "L1", name, "", "TWO", "CASE", "AGY", setl_id, "", scope, "",
            None, None, "", agreed, 1, 1, state, 0, None,
        )  # fmt: skip
        self.connection.execute(f"INSERT INTO diff VALUES ({','.join('?' * len(values))})", values)

    def freeze(
        self, date: str = DAY, scope: str = HOSPITAL, role: str = "care", block: bool = True, province: bool = False,
    ) -> FreezeRow:  # fmt: skip
        """Propose and carry out, as the two people do. province: the node has one configured."""
        planned = plan(self.writer, self.folder, role, scope, date, province=province)
        approved = content(planned, read_through(planned))
        return carry_out(self.writer, planned, approved, PEOPLE, self.key, 1_000, block)

    def agreed(self, rows: Sequence[Cells], date: str = DAY, scope: str = HOSPITAL) -> FreezeRow:
        """A day on which institution and agency have the same rows, frozen."""
        self.ran(self.hand_in({"INST": rows, "AGY": rows}, date, scope), date, scope)
        return self.freeze(date, scope)


@contextmanager
def room(folder: Path) -> Iterator[Room]:
    with writing(folder / "x-books.sqlite", SCRIPTS) as connection:
        yield Room(folder, connection)


__all__ = ["PEOPLE", "SCRIPTS", "Key", "Room", "room"]
