"""What only the agency has, and the journal never saw: two people on the command line, a running node, a real 2601."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import json

import attrs
import pytest_twisted
from books_town import BooksTown
from test_journal_decide import enrol, run
from twisted.internet.threads import deferToThread

from adapters.store.journal_reader import reading
from gateway.app.config import read_config

PAST = "H51080200001PASTTHEGATEWAY0001"


@pytest_twisted.ensureDeferred
async def test_two_people_take_back_what_went_past_the_gateway_and_was_lost(books_town: BooksTown) -> None:
    town = books_town
    await town.pay(await town.bills(2))
    rows = town.platform.books.settlements
    known = next(iter(rows.values()))
    town.platform.books.add(attrs.evolve(known, setl_id="PAST", msgid=PAST))
    await town.hand_in()
    told = await town.day(3)
    assert told["classes"] == {"L1-CENTER-MORE": 1}, told
    [case] = (await town.books("cases", code=3))["cases"]
    assert (case["msgid"], case["setl_id"], case["mode"]) == (PAST, "", "TWO")
    zhang = ("zhang", *await deferToThread(enrol, town, "zhang", "reconciler"))
    li = ("li", *await deferToThread(enrol, town, "li", "approver"))
    config = str(town.town.config)
    words = ["books", "decide", config, str(case["case"]), "--decision", "reverse", "--reason", "机构证实没有这一笔"]

    def decided() -> None:
        code, said = run(town, [*words, "--json"], zhang)
        assert code == 0, said
        number = json.loads(said.splitlines()[0])["approval"]
        code, said = run(town, ["security", "approvals", "approve", config, str(number)], li)
        assert code == 0, said

    await deferToThread(decided)
    # There are people now: whoever has a day run is one of them, and the trail tells who.
    refused = await town.day(2)
    assert [one.split("]")[0] for one in refused["problems"]] == ["[SEC-WHO"]
    code, said = await deferToThread(run, town, ["books", "day", config, "--date", town.today, "--json"], zhang, 30)
    assert code == 0, said
    over = json.loads(said.splitlines()[0])
    assert over["days"]["*"] == "AGREED", over
    trail = json.loads(await town.command("audit", "list", config, "--action", "books.run", "--json"))["rows"]
    people = [(one["who"], one["subject"]) for one in trail if one["who"] != "service:gateway"]  # beside the node's own
    assert people == [("zhang", f"care:*:{town.today}")]
    assert (rows["PAST"].reversed, known.reversed, town.count("2601")) == (True, False, 1)
    sent = next(one for one in town.arrived if one["infno"] == "2601")["input"]["data"]
    assert sent == {"psn_no": known.psn_no, "omsgid": PAST, "oinfno": known.infno}
    with reading(read_config(town.town.config).journal) as journal:
        [row] = journal.rows(known.institution, PAST)
    assert (row.state, row.cancelled, row.infno) == ("EXTERNAL", True, known.infno)
    verified = await town.command("journal", "verify", config)
    assert verified
