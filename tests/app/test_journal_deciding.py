"""What two people see and agree on of a record that waits for them: above all the day it would change (RV10)."""

import json

import pytest

from gateway.app.journal_deciding import proposal
from gateway.core.model import Entry

DAY_MS = 86_400_000
T0_MS = 1_772_409_600_000  # 2026-03-02 08:00 in Shanghai


def entry(**changes: object) -> Entry:
    facts = {
        "id": 1, "fixmedins_code": "H1", "msgid": "M1", "infno": "2207", "klass": "M", "link": "national",
        "state": "ACKED", "digest": b"", "created_ms": T0_MS, "psn_no": "P1", "medfee_fen": 100,
    }  # fmt: skip
    return Entry(**(facts | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settled", "date"), [("", "2026-03-02"), ('{"setl_time": "2026-03-01 23:59:59"}', "2026-03-01")]
)
def test_a_reversal_ordered_days_later_concerns_the_day_of_what_it_takes_back(settled: str, date: str) -> None:
    record = entry(
        id=2, msgid="B1", infno="2601", klass="R", state="MANUAL", omsgid="M1", created_ms=T0_MS + 2 * DAY_MS
    )
    told = json.loads(proposal(record, entry(settled=settled), "REVERSE", {}))
    assert (told["msgid"], told["date"], told["outcome"]) == ("B1", date, "REVERSE")


def test_of_a_settlement_it_is_its_own_day() -> None:
    record = entry(state="MANUAL")
    assert json.loads(proposal(record, record, "ABSENT", {}))["date"] == "2026-03-02"
