"""Planted bugs about answers that come late, and about time that passes otherwise than it seems. Data only."""

from mutation import CALL, CLIENT, LATE, MODEL, RECOVERY, UNDO, Mutation

_TESTS = ("tests/exchange/test_late.py",)
_ROAD = ("tests/adapters/test_transport_late.py",)

LATES = (
    Mutation(
        "a late answer not kept", LATE,
        "        office.queue.submit(op, kept)\n", "        kept(op.success)\n",
        "nobody can prove that the platform said yes", weathers=("sleepers",), tests=_TESTS,
    ),
    Mutation(
        "a late success not followed up", LATE,
        "            if owed is True:\n", "            if owed is None:\n",
        "the fund pays for what the cashier was told did not happen", weathers=("sleepers",), tests=_TESTS,
    ),
    Mutation(
        "a late success forgotten because its end came later", LATE,
        "            if how in (\"absent\", \"nothing\"):\n", "            if how == \"manual\":\n",
        "the fund pays for what the cashier was told did not happen", tests=_TESTS,
    ),
    Mutation(
        "a success taken back is taken back again", MODEL,
        "        reason == \"reversed_absent\" or", "        reason.startswith(\"reversed\") or",
        "2601 without a reason, which the agency counts", weathers=("sleepers",), tests=_TESTS,
    ),
    Mutation(
        "a start forgets the late successes", RECOVERY,
        "    office.late.resume(overheard)\n", "    del overheard\n",
        "a crash leaves a booking nobody believes in", tests=_TESTS,
    ),
    Mutation(
        "the connection cut when the late window closes", CLIENT,
        "            self._listen(link)\n", "            link.abandon()\n",
        "a late answer is never read", tests=_ROAD,
    ),
    Mutation(
        "a connection with an answer to come used for another", CLIENT,
        "        if link in self.listening:\n            link.retire()\n        elif self._waiting:",
        "        if self._waiting:",
        "one person's answer is read as another's", tests=_ROAD,
    ),
    Mutation(
        "what the wall clock says taken for time that passed", UNDO,
        "        self._calm_down(min(max(since_s, 0.0), self.link.timeout_s + self.link.late_s))\n",
        "        self._calm_down(since_s)\n",
        "\"not found\" is believed while the settlement is on its way", weathers=("sleepers",), tests=_TESTS,
    ),
    Mutation(
        "a reversal sleeps until what the wall clock said before", UNDO,
        "        self._sleep(self.row.next_ms - self.row.opened_ms)\n",
        "        self._sleep(self.row.next_ms - self._now_ms())\n",
        "a clock that is set back leaves a person blocked for as long",
        tests=("tests/exchange/test_undo_writing.py",),
    ),
    Mutation(
        "a clock that is set back makes a deadline later", CALL,
        "min(job.began + link.timeout_s - now, link.timeout_s)", "job.began + link.timeout_s - now",
        "a cashier waits an hour for an answer", tests=("tests/exchange/test_clerk_waiting.py",),
    ),
    Mutation(
        "a refusal waits for a slow disk", CALL,
        "        self.clerk.clock.callLater(AT_ONCE_S, self._at_once)\n", "",
        "a person stands at the counter, and nothing is said", weathers=("disks",),
        tests=("tests/exchange/test_clerk_waiting.py",),
    ),
)  # fmt: skip
