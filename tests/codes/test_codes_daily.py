"""When the node gives itself an order, what a file of the inbox is, what a 13xx answer offers."""

from datetime import datetime

import pytest

from gateway.codes.downloads import Offer, read_offer
from gateway.codes.inbox import named
from gateway.codes.schedule import due
from gateway.core.dates import SHANGHAI

SYSTEMS = ("drug", "service_item")


def at(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI).timestamp()


@pytest.mark.parametrize(
    ("when", "jitter_s", "now", "last", "wanted"),
    [
        ("", 0, "2026-11-22 03:00", 0, False),
        ("03:00", 0, "2026-11-22 02:59", 0, False),
        ("03:00", 0, "2026-11-22 03:00", 0, True),
        ("03:00", 0, "2026-11-22 03:01", "2026-11-22 03:00", False),
        ("03:00", 0, "2026-11-22 12:00", "2026-11-21 03:00", True),  # it was down at three
        ("03:00", 0, "2026-11-23 02:00", "2026-11-22 12:00", False),
        ("03:00", 1800, "2026-11-22 03:29", "2026-11-21 03:30", False),
        ("03:00", 1800, "2026-11-22 03:30", "2026-11-21 03:30", True),
        ("23:50", 1800, "2026-11-23 00:19", "2026-11-22 00:20", False),
        ("23:50", 1800, "2026-11-23 00:20", "2026-11-22 00:20", True),  # the jitter reaches past midnight
        ("23:50", 1800, "2026-11-23 00:21", "2026-11-23 00:20", False),
    ],
)
def test_an_order_is_due_once_a_day(when: str, jitter_s: float, now: str, last: str | int, wanted: bool) -> None:
    assert due(when, jitter_s, at(now), at(last) if isinstance(last, str) else 0.0) is wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("drug.zip", ("drug", "")),
        ("service_item@F20260101.csv", ("service_item", "F20260101")),
        ("drug@V1.2-十一月.TXT", ("drug", "V1.2")),
        ("drug-1301.zip", ("drug", "")),
        ("drugs.zip", None),
        ("drug.exe", None),
        ("drug", None),
        (".drug.zip", None),
        ("drug@.zip", None),
    ],
)
def test_the_name_says_what_a_file_is(name: str, wanted: tuple[str, str] | None) -> None:
    assert named(name, SYSTEMS) == wanted


FACTS = {"file_qury_no": "F1.zip", "filename": "a\n/../b.zip", "data_cnt": 12}


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        (FACTS, Offer("F1.zip", "a/../b.zip", 12)),
        ({"data": FACTS}, Offer("F1.zip", "a/../b.zip", 12)),
        ([FACTS], Offer("F1.zip", "a/../b.zip", 12)),
        ({**FACTS, "data_cnt": "0"}, Offer("F1.zip", "a/../b.zip", 0)),
        ({"file_qury_no": "F1"}, Offer("F1", "", -1)),
        ({"file_qury_no": ""}, None),
        ({}, None),
        (None, None),
        ("x", None),
    ],
)
def test_an_offer_is_read_wherever_it_stands(output: object, wanted: Offer | None) -> None:
    assert read_offer(output) == wanted
