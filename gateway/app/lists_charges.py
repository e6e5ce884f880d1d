"""Taking what was charged out of the journal (2301, 2204) into the lists' store, some rows at a time."""

from adapters.store import lists_charged as store
from adapters.store.journal_charged import billed, is_row, step
from adapters.store.journal_reader import JournalReader
from adapters.store.lists import ListsReader, ListsWriter
from gateway.lists.charged import NOTHING, Charged, charged_of


def charged_in(reader: ListsReader, institution: str, mdtrt_id: str) -> Charged:
    """Return what is known of a visit."""
    found = store.charged(reader.connection, institution, mdtrt_id)
    if found is None:
        return NOTHING
    return Charged(frozenset(found[0].split(",")) - {""}, found[1], found[2])


def catch_up(writer: ListsWriter, journal: JournalReader, steps: int) -> None:
    """Take at most so many steps forward; outside of any transaction."""
    at, msgid = store.charged_to(writer.connection)
    if at and not is_row(journal.connection, at, msgid):
        with writer.transaction():  # an older journal was put in its place
            store.forget(writer.connection)
        at = 0
    for _ in range(steps):
        found = step(journal.connection, at)
        if found is None:
            return
        upto, msgid = found
        with writer.transaction():
            for one in billed(journal.connection, at, upto):
                known = charged_in(writer, one.fixmedins_code, one.mdtrt_id) | charged_of(one.rows)
                facts = (",".join(sorted(known.kinds)), known.first_day, known.last_day)
                store.keep(writer.connection, one.fixmedins_code, one.mdtrt_id, facts)
            store.move_to(writer.connection, upto, msgid)
        at = upto
