"""The report of a day that really was run: a platform, a gateway, institutions' files, one of them wrong."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import pytest_twisted
from books_town import BooksTown, Once
from town import HOSPITAL, PHARMACY

from simulators.faults import Fault


@pytest_twisted.ensureDeferred
async def test_a_run_day_is_told_with_what_every_ledger_and_the_journal_say(books_town: BooksTown) -> None:
    bills = await books_town.bills(8)
    books_town.platform.faults = Once("2207", Fault(system_error="业务数据不合规"))
    answers = await books_town.pay(bills)
    assert sum(answer.done for answer in answers) == 7
    wrong, lacking, *_ = books_town.ledgers[HOSPITAL].values()
    right = int(wrong["medfee_sumamt"].replace(".", ""))
    wrong["medfee_sumamt"] = f"{(right + 1) // 100}.{(right + 1) % 100:02d}"
    del books_town.ledgers[HOSPITAL][lacking["setl_id"]]
    await books_town.hand_in()
    day = await books_town.day(3)
    assert day["days"][HOSPITAL] == "L1_DIFF" and day["days"][PHARMACY] == "AGREED", day
    out = books_town.folder / "report"
    told = await books_town.books("report", "--date", books_town.today, "--out", str(out), code=3)
    assert told["verdict"] == "账不平" and told["revision"] == day["revision"]
    first = told["legs"]["L1"]
    assert first["state"] == "open" and first["counts"]["open"]["count"] == 2
    assert first["agreed"]["count"] == 5
    assert {(one["class"], one["row"]) for one in told["groups"]} == {("AMOUNT", "A1"), ("L1-INST-MISSING", "")}
    states = {one["code"]: one["state"] for one in told["institutions"]}
    assert states == {HOSPITAL: "L1_DIFF", PHARMACY: "AGREED"}
    pages = {path.name: path.read_text("utf-8") for path in (out / "settlements").iterdir()}
    assert len(pages) == 2 and all("平台办理成功，成功答复已交给机构。" in text for text in pages.values())
    assert any(wrong["setl_id"] in text and "◀" in text for text in pages.values())
    told_by_node = await books_town.ordered("day_report", {"date": books_town.today, "role": "care"})
    assert told_by_node["outcome"] == "findings", told_by_node
    folder = books_town.folder / "node" / "books" / "reports" / f"{books_town.today}-care"
    assert (folder / "report.html").read_bytes() and (folder / "report.xlsx").exists()
    assert {path.name for path in (folder / "settlements").iterdir()} == set(pages)
    one = await books_town.books("report", "--date", books_town.today, "--scope", PHARMACY, code=0)
    assert one["agreed"] and one["legs"]["L1"]["counts"]["open"]["count"] == 0
