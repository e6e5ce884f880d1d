"""A platform that ended without warning has the same books again (simulators.diary)."""

from pathlib import Path
from random import Random  # noqa: TID251 - seeded dice of a test

from counter import MORNING, Counter
from twisted.internet.task import Clock

from simulators.day import day_of
from simulators.diary import Diary
from simulators.hospital import Hospital
from simulators.platform import Platform


def test_a_platform_reads_its_books_out_of_its_diary(tmp_path: Path) -> None:
    path = tmp_path / "platform.diary"
    diary = Diary(path)
    counter = Counter(diary=diary.write)
    hospital = Hospital(counter.clock.seconds, Random(5), "H51080200001", "广元市示例医院")
    for script in day_of(hospital, 6, 0):
        counter.play(script)
        counter.clock.advance(7)
    diary.close()
    with path.open("ab") as file:
        file.write(b'{"at_s": 1, "requ')  # the process ended while it wrote this one
    assert counter.platform.ledger()

    clock = Clock()
    clock.advance(MORNING + 86_400)
    later = Diary(path)
    again = Platform(clock, Random(2), persons=50, diary=later.write)
    assert later.read_to(again) == len(path.read_bytes().splitlines()) > 20
    assert again.ledger() == counter.platform.ledger()
    assert again.counts == counter.platform.counts
    size = path.stat().st_size
    again.handle("/fsi/api/x", {}, b'{"infno": "9001"}')
    later.close()
    assert path.stat().st_size > size
    assert path.read_bytes().count(b"requ") == len(path.read_bytes().splitlines())


class Running(Clock):
    """A clock that goes on while somebody works: every look at it is a good half second later."""

    def seconds(self) -> float:
        self.rightNow += 0.57
        return float(self.rightNow)


def test_numbers_made_of_the_time_are_the_same_again(tmp_path: Path) -> None:
    """A second may pass between the moment a request is written down and the moment its numbers are made."""
    diary = Diary(tmp_path / "platform.diary")
    clock = Running()
    counter = Counter(diary=diary.write, clock=clock)
    hospital = Hospital(clock.seconds, Random(5), "H51080200001", "广元市示例医院")
    for script in day_of(hospital, 3, 0):
        counter.play(script)
    diary.close()
    again = Platform(Clock(), Random(2), persons=50)
    later = Diary(tmp_path / "platform.diary")
    later.read_to(again)
    later.close()
    assert counter.platform.ledger() and again.ledger() == counter.platform.ledger()
