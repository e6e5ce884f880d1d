"""What comes to an institution's counters in a day, a list of scripts (the same for the same dice), and its playing."""

from collections.abc import Iterator

from simulators import errands
from simulators.drive import Road, Waits, run_all
from simulators.his import Institution, Script
from simulators.hospital import Hospital
from simulators.people import person
from simulators.pharmacy import Pharmacy
from simulators.stay import Ward

_CATALOGUES = ("1301", "1305", "1307")


def day_of(institution: Institution, patients: int, first_person: int) -> list[Script]:
    """Scripts for so many patients, persons numbered from first_person; beside them the day's errands."""
    patient = _hospital_patients if isinstance(institution, Hospital) else _customers
    return [*patient(institution, patients, first_person), *_errands(institution, patients, first_person)]


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


def _hospital_patients(institution: Institution, patients: int, first_person: int) -> Iterator[Script]:
    """Most are outpatients; every seventh stays; some take it back; some never pay."""
    assert isinstance(institution, Hospital)
    ward = Ward(institution)
    for number in range(patients):
        who = person(first_person + number)
        if number % 7 == 5:
            yield ward.stay(who, refund=number % 3 == 2, listed=True)
        elif number % 23 == 16:
            yield ward.false_start(who)
        elif number % 11 == 9:
            yield institution.window_shopper(who)
        else:
            yield institution.outpatient(who, refund=number % 7 == 3)


def _customers(institution: Institution, patients: int, first_person: int) -> Iterator[Script]:
    assert isinstance(institution, Pharmacy)
    for number in range(patients):
        yield institution.purchase(person(first_person + number), refund=number % 6 == 4)


def _errands(institution: Institution, patients: int, first_person: int) -> Iterator[Script]:
    yield errands.look_up(institution, person(first_person))
    yield errands.report_items(institution, min(30, patients))
    yield errands.send_file(institution)
    yield from (errands.fetch_catalogue(institution, infno) for infno in _CATALOGUES)
