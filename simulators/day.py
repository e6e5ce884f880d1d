"""What comes to an institution's counters in a day, a list of scripts (the same for the same dice), and its playing."""

from collections.abc import Callable, Iterator

from simulators import errands
from simulators.drive import Road, Waits, run_all
from simulators.his import Institution, Script
from simulators.hospital import Hospital
from simulators.people import person
from simulators.pharmacy import Pharmacy
from simulators.stay import Ward
from simulators.wording import Json

Keep = Callable[[Json], object]
MORE_STAYS = 2
_CATALOGUES = ("1301", "1305", "1307")


def day_of(institution: Institution, patients: int, first_person: int, keep: Keep | None = None) -> list[Script]:
    """Scripts for so many patients, persons numbered from first_person; beside them the day's errands.

    keep: takes the settlement lists of a hospital's stays, in the place of 4101; then some more patients stay.
    """
    scripts = (
        _hospital_patients(institution, patients, first_person, keep) if isinstance(institution, Hospital)
        else _customers(institution, patients, first_person)
    )  # fmt: skip
    return [*scripts, *_errands(institution, patients, first_person)]


async def play_day(
    clock: Waits, road: Road, institution: Institution, scripts: list[Script], at_once: int, evening: bool
) -> list[str]:
    """Sign in, play the day and, if wanted, reconcile with the platform; return why scripts gave up.

    Nothing is sold without a sign-in.
    """
    reasons = await run_all(clock, road, [institution.sign_in()], 1)
    if institution.sign_no:
        reasons += await run_all(clock, road, scripts, at_once)
        if evening:
            reasons += await run_all(clock, road, [errands.evening(institution)], 1)
    return reasons


def _hospital_patients(institution: Hospital, patients: int, first_person: int, keep: Keep | None) -> Iterator[Script]:
    """Most are outpatients; every seventh stays; some take it back; some never pay."""
    ward = Ward(institution)
    for number in range(patients):
        who = person(first_person + number)
        if number % 7 == 5:
            yield ward.stay(who, refund=number % 3 == 2, listed=True, keep=keep)
        elif number % 23 == 16:
            yield ward.false_start(who)
        elif number % 11 == 9:
            yield institution.window_shopper(who)
        else:
            yield institution.outpatient(who, refund=number % 7 == 3)
    if keep is not None:
        yield from (ward.stay(person(first_person + patients + more), keep=keep) for more in range(MORE_STAYS))


def _customers(institution: Institution, patients: int, first_person: int) -> Iterator[Script]:
    assert isinstance(institution, Pharmacy)
    for number in range(patients):
        yield institution.purchase(person(first_person + number), refund=number % 6 == 4)


def _errands(institution: Institution, patients: int, first_person: int) -> Iterator[Script]:
    yield errands.look_up(institution, person(first_person))
    yield errands.report_items(institution, min(30, patients))
    yield errands.send_file(institution)
    yield from (errands.fetch_catalogue(institution, infno) for infno in _CATALOGUES)
