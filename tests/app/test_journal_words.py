"""Every word the journal may hold is told as a sentence."""

import re
from pathlib import Path
from typing import get_args

from gateway.app.journal_words import STATES, reason_in_chinese
from gateway.core.model import State
from gateway.exchange.resolution import Finding
from gateway.exchange.verdict import Undoing

ROOT = Path(__file__).parents[2]


def test_every_state_has_a_name() -> None:
    assert STATES.keys() == set(get_args(State))


def test_every_word_the_journal_may_hold_has_a_sentence() -> None:
    """Words with a number or a class name in them are told by their beginning."""
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "gateway/exchange").glob("*.py"))
    words = {
        *get_args(Undoing),
        *get_args(Finding),
        *(f"statement_{one}" for one in ("found", "nothing")),
        "reversed",
        "reversed_absent",
        "manual",
        "sent",
        "done",
    }
    words |= set(re.findall(r'Verdict\("\w+", "(\w+)"', sources))
    words |= set(re.findall(r'_reason = "(\w+)"', sources)) | set(re.findall(r'"(\w+)", saf=', sources))
    words |= set(re.findall(r'reason="(\w+)"', sources))
    words |= set(re.findall(r'return "(?:silent|never_left)", "(\w+)"', sources))
    words |= set(re.findall(r'return "(other_\w+)"', sources))
    link = (ROOT / "adapters/transport/link.py").read_text("utf-8")
    words |= set(re.findall(r'Error, "([a-z A-Z]+)"\),', link)) | set(re.findall(r'_fault = .*"([a-z ]+)"', link))
    client = (ROOT / "adapters/transport/client.py").read_text("utf-8")
    words |= set(re.findall(r'(?:lost|not_sent)\("([a-z ]+)"\)', client))
    assert words >= {"cancelled", "time_is_up", "reversal_queued", "internal", "restarted", "refused", "delivered"}
    assert len(words) > 45
    assert not [word for word in sorted(words) if reason_in_chinese(word) == word]
    assert reason_in_chinese("http_502") == "平台或中间设备答HTTP 502"
    assert reason_in_chinese("connect failed: ConnectError") == "连接平台失败，没有发出"
