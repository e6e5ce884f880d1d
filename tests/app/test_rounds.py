"""What a node does again and again goes on when it fails once, and never stands in the way of the end."""

from twisted.internet.task import Clock

from gateway.app.rounds import Rounds


def test_a_round_that_fails_is_told_and_is_not_the_last() -> None:
    clock, told, calls = Clock(), list[Exception](), list[float]()
    rounds = Rounds(clock, told.append)

    def fail_at_first() -> None:
        calls.append(clock.seconds())
        if len(calls) < 3:
            raise OSError("gone for a moment")

    rounds.every(2.0, fail_at_first)
    for _ in range(5):
        clock.advance(2.0)
    assert calls == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert [str(cause) for cause in told] == ["gone for a moment"] * 2


def test_one_that_fails_takes_no_other_with_it() -> None:
    clock, told, calls = Clock(), list[Exception](), list[str]()
    rounds = Rounds(clock, told.append)
    rounds.every(1.0, lambda: {}["nothing"])
    rounds.every(1.0, lambda: calls.append("other"))
    clock.advance(1.0)
    clock.advance(1.0)
    assert calls == ["other"] * 2 and len(told) == 2


def test_the_end_ends_all_and_may_come_twice() -> None:
    clock, calls = Clock(), list[str]()
    rounds = Rounds(clock, lambda cause: None)
    rounds.every(1.0, lambda: calls.append("a"))
    rounds.every(1.0, lambda: calls.append("b"))
    rounds.stop()
    rounds.stop()
    clock.advance(5.0)
    assert not calls and not clock.getDelayedCalls()


def test_a_round_may_itself_be_the_end() -> None:
    """A stop from inside a round comes while the loop runs; the stop after it finds it ended."""
    clock = Clock()
    rounds = Rounds(clock, lambda cause: None)
    rounds.every(1.0, rounds.stop)
    clock.advance(1.0)
    rounds.stop()
    assert not clock.getDelayedCalls()
