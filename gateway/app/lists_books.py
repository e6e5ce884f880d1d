"""What our own books say of an institution's settlement lists: the journal's settlements beside the lists' store."""

from collections.abc import Iterable, Mapping

import attrs

from adapters.store.journal_listed import Settled, settled
from adapters.store.journal_reader import reading as journal_reading
from adapters.store.lists import ListsReader, reading
from adapters.store.lists_figures import listed
from gateway.app.config import Config
from gateway.app.lists_desk import SCRIPTS
from gateway.core.dates import day_of, is_date
from gateway.lists.figures import Known, Listed, known_of

AT_PLATFORM = frozenset({"uploaded", "submitted", "returned"})


def settlements(config: Config, institution: str) -> dict[str, str]:
    """Return setl_id -> day of settlement of those in force that need a list. Raises NotAJournal."""
    if not config.journal.exists():
        return {}
    with journal_reading(config.journal) as journal:
        return {one.setl_id: _day(one) for one in settled(journal, institution, config.lists.med_types)}


def _day(one: Settled) -> str:
    """The platform's own day decides, as in the daily statement."""
    day = one.setl_time[:10]
    return day if is_date(day) else day_of(one.created_ms / 1000)


def uploaded(config: Config, institution: str) -> dict[str, str]:
    """Return setl_id -> day of discharge of the lists that are at the platform. Raises OtherLists."""
    with reading(config.room("lists"), len(SCRIPTS)) as look:
        rows = _listed(look, institution)
    return {one.setl_id: one.discharged for one in rows if one.state in AT_PLATFORM}


def _listed(look: ListsReader | None, institution: str) -> list[Listed]:
    return [Listed(*row) for row in listed(look.connection, institution)] if look is not None else []


def months_of(lists: Mapping[str, str], settled_on: Mapping[str, str]) -> list[str]:
    """Return the months of settlement of some lists, newest first; what the journal does not know by discharge."""
    days: Iterable[str] = (settled_on.get(setl_id) or discharged for setl_id, discharged in lists.items())
    return sorted({day[:7] for day in days if is_date(day)}, reverse=True)


@attrs.frozen
class OurCounts:
    """Settlements of a month that need a list, and how many of these lists are at the platform."""

    due: int
    there: int


def our_counts(config: Config, institution: str, months: Iterable[str]) -> dict[str, OurCounts]:
    """Count for the months wanted. Raises NotAJournal, OtherLists."""
    settled_on, there = settlements(config, institution), uploaded(config, institution)
    found = {}
    for month in months:
        own = {setl_id for setl_id, day in settled_on.items() if day.startswith(month)}
        found[month] = OurCounts(len(own), len(own & there.keys()))
    return found


def known(config: Config, institutions: Iterable[str], today: str) -> list[Known]:
    """Return all that is due or collected, for the figures. Raises NotAJournal, OtherLists."""
    found: list[Known] = []
    with reading(config.room("lists"), len(SCRIPTS)) as look:
        for one in institutions:
            rows = _listed(look, one)
            found += known_of(one, settlements(config, one), rows, today, config.lists.due_days)
    return found
