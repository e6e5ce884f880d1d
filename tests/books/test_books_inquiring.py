"""What an answer to 5203 proves, what is kept of it, and what people are told because of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from book_town import CODE, DAY, BookTown, Proposals

from adapters.store.books_evidence import BooksEvidence
from gateway.app.books_rules import rules
from gateway.app.day_report import section
from gateway.app.day_work import gather
from gateway.books.decisions import NotPossible
from gateway.books.inquiring import FINDINGS, Answer, Asked, asked_by, read_answer
from gateway.core.approval import Approval
from gateway.core.model import Entry
from gateway.core.ports import Reply

ASKED = Asked(psn_no="P1", setl_id="S1", mdtrt_id="V1")
ROW = {
    "psn_no": "P1", "setl_id": "S1", "mdtrt_id": "V1", "refd_setl_flag": "0", "medfee_sumamt": "100.00",
    "fund_pay_sumamt": "60.00", "psn_name": "张三", "certno": "510800199001011234", "setl_time": "2026-03-31 10:00:00",
}  # fmt: skip
FACTS = {"medfee_sumamt": 10_000, "fund_pay_sumamt": 6_000, "setl_time": "2026-03-31 10:00:00"}


def said(*rows: Any, infcode: str = "0", text: str = "", access: bool = False) -> Reply:
    found: Any = list(rows) if len(rows) > 1 else rows[0] if rows else None
    return Reply(infcode=infcode, err_msg=text, access=access, tree={"output": {"setlinfo": found} if rows else {}})


@pytest.mark.parametrize(
    ("reply", "finding"),
    [
        (said(ROW), "confirmed"),
        (said({**ROW, "refd_setl_flag": "1"}), "refunded"),
        (said(ROW, {**ROW, "setl_id": "S2", "medfee_sumamt": "-100.00"}), "refunded"),
        (said(), "nothing"),
        (said(infcode="-1", text="未查询到结算信息"), "nothing"),
        (said(infcode="-1", text="结算记录不存在"), "nothing"),
        (said(infcode="-1", text="系统繁忙，请稍后"), "no_answer"),
        (said(infcode="-1", text="人员参保状态异常"), "no_answer"),
        (said(infcode="-9", text="未查询到结算信息"), "no_answer"),
        (None, "no_answer"),
        (said(ROW, access=True), "no_answer"),
        (said("text"), "no_answer"),
        (said({**ROW, "psn_no": "P2"}), "unclear"),
        (said({**ROW, "mdtrt_id": "V2"}), "unclear"),
        (said({**ROW, "setl_id": "S2"}), "unclear"),
        (said(ROW, ROW), "unclear"),
        (said({**ROW, "refd_setl_flag": "x"}), "unclear"),
        (said({**ROW, "medfee_sumamt": "1e2"}), "unclear"),
    ],
)
def test_only_what_an_answer_clearly_says_is_concluded(reply: Reply | None, finding: str) -> None:
    found = read_answer(reply, ASKED, ("-1",))
    assert found.finding == finding
    assert found.facts == (FACTS if finding in ("confirmed", "refunded") else {})


def test_what_is_kept_of_an_answer_names_nobody() -> None:
    odd = {**ROW, "setl_time": "张三", "clr_type": "510800199001011234\n张", "clr_optins": "510800"}
    assert read_answer(said(odd), ASKED, ()).facts == {
        "medfee_sumamt": 10_000, "fund_pay_sumamt": 6_000, "clr_optins": "510800",
    }  # fmt: skip


@pytest.mark.parametrize("lacking", ["psn_no", "mdtrt_id", "setl_id"])
def test_all_three_numbers_are_wanted(lacking: str) -> None:
    facts = {"psn_no": "P1", "mdtrt_id": "V1", "setl_id": "S1"}
    whole = Entry(id=1, fixmedins_code=CODE, msgid="M1", infno="2207", klass="M", link="l", state="ACKED", digest=b"",
                  created_ms=1, **facts)  # fmt: skip
    assert asked_by(whole, "") == ASKED
    setattr(whole, lacking, "")
    assert asked_by(whole, "") is None and asked_by(None, "S1") is None


def test_every_kind_of_answer_tells_people_something_of_its_own() -> None:
    classes, rows = rules().answerable()
    assert (sorted(classes), sorted(rows)) == (["L1-AGY-MISSING", "L1-GW-ONLY"], ["A2", "A3"])
    for rule in [rules().classes[name] for name in classes] + [rules().rows[name] for name in rows]:
        assert len({rule.todo, *(rule.answers[one] for one in FINDINGS)}) == len(FINDINGS) + 1


class Town(BookTown):
    """A town whose agency lacks one record that institution and journal have, with its run and its case."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        here = {"clr_pay_loc": "", "delivered": "1"}
        self.put("1", INST=here, GW=here)
        self.hand_in()
        self.run()

    def unasked(self, most: int = 10) -> list[Any]:
        with self.store() as store:
            return BooksEvidence(store.connection).unasked("care", DAY, *rules().answerable(), most)

    def hear(self, answer: Answer) -> bool:
        """Ask, as the node does, and hear; False when nothing is to be asked."""
        for diff in self.unasked():
            with self.store() as store:
                evidence = BooksEvidence(store.connection)
                assert evidence.ask(diff, self.now_ms)
                if answer.finding != "no_answer":
                    evidence.answer(diff, answer.finding, answer.facts, "f" * 64, self.now_ms + 1)
            return True
        return False


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_a_record_is_asked_about_at_most_once_a_revision_also_over_a_crash(town: Town) -> None:
    [diff] = town.unasked()
    with town.store() as store:
        evidence = BooksEvidence(store.connection)
        assert (evidence.ask(diff, 1), evidence.ask(diff, 2)) == (True, False)  # and now the node dies
        assert evidence.newest([diff.diff_id])[diff.diff_id].finding == "no_answer"
    assert town.unasked() == []
    town.put("2", INST={"clr_pay_loc": ""})
    town.hand_in()
    town.run()  # new inputs: a new revision
    assert [one.setl_id for one in town.unasked()] == ["S1"]


def test_an_answer_is_written_once_and_stays(town: Town) -> None:
    assert town.hear(Answer(finding="nothing"))
    with town.store() as store:
        evidence = BooksEvidence(store.connection)
        [found] = store.diffs(DAY)
        evidence.answer(found, "confirmed", {}, "", 9)
        assert evidence.newest([found.diff_id])[found.diff_id].finding == "nothing"
        for statement in ("UPDATE inquiry SET finding = 'confirmed'", "DELETE FROM inquiry"):
            with pytest.raises(Exception, match="kept"):
                store.connection.execute(statement)


def test_the_report_tells_the_answer_and_what_to_do_by_it(town: Town) -> None:
    before = gather(town.config, "care", DAY, "", town.now_ms, 5)
    town.hear(Answer(finding="confirmed", facts=FACTS))
    after = gather(town.config, "care", DAY, "", town.now_ms, 5)
    assert [one.todo for one in before.report.groups] != [one.todo for one in after.report.groups]
    told = section(next(iter(after.proofs.values())))
    story = " ".join(text for _, text in told["happened"])
    assert (
        "不得作废" in told["brief"]["todo"]
        and "（5203）" in story
        and "有这一笔，未退费" in story
        and "100.00元" in story
    )
    assert "P1" not in story


def test_nobody_voids_what_the_agency_has_and_nothing_moves_by_an_answer(town: Town) -> None:
    town.hear(Answer(finding="confirmed", facts=FACTS))
    town.act()
    assert (town.actions(), town.parties.received) == ([], [])
    with pytest.raises(NotPossible, match="不得作废"):
        town.decide(lambda case: "void")
    assert town.decide(lambda case: "correct") == 1  # the agency puts it into its statement
    town.act()
    town.fetch()
    assert town.round(lambda case: "").days[CODE] == "AGREED"


def test_what_it_does_not_have_is_voided_and_the_books_agree(town: Town) -> None:
    town.hear(Answer(finding="nothing"))
    assert town.decide(lambda case: "void") == 1
    town.act()
    town.fetch()
    town.round(lambda case: "")
    assert town.round(lambda case: "").days[CODE] == "AGREED"


class Meanwhile(Proposals):
    """Before the second person approves, a new run has asked again."""

    town: "Town"

    def propose(self, person: Any, kind: str, subject: str, content: bytes, reason: str) -> Approval:
        with self.town.store() as store:
            store.connection.execute("UPDATE diff SET last_revision = 2")
            evidence = BooksEvidence(store.connection)
            [again] = store.diffs(DAY)
            evidence.ask(again, 5)
            evidence.answer(again, "unclear", {}, "", 6)
        return super().propose(person, kind, subject, content, reason)


def test_both_people_see_the_answer_and_another_one_voids_the_proposal(town: Town) -> None:
    town.hear(Answer(finding="nothing"))
    town.proposals = meanwhile = Meanwhile()
    meanwhile.town = town
    with pytest.raises(NotPossible, match="有了变化"):
        town.decide(lambda case: "void")
    assert json.loads(meanwhile.contents[0])["agency_answer"] == {"finding": "nothing", "facts": {}}
    assert town.actions() == []


def test_what_was_settled_past_the_gateway_is_an_incident_once(tmp_path: Path) -> None:
    town = BookTown(tmp_path)
    town.put("1", INST={"clr_pay_loc": ""}, AGY={"clr_pay_loc": ""})
    town.put("2", INST={"clr_pay_loc": ""}, GW={"clr_pay_loc": ""}, AGY={"clr_pay_loc": "", "status": "REVERSED"})
    town.put("3", INST={"clr_pay_loc": ""}, GW={"clr_pay_loc": ""}, AGY={"clr_pay_loc": ""})
    town.hand_in()
    town.run()
    with town.store() as store:
        evidence = BooksEvidence(store.connection)
        found = evidence.incidents("care", DAY, 10)
        assert sorted((one.name, one.row, one.msgid) for one in found) == [
            ("L1-GW-MISSING", "", "M1"), ("STATUS", "S4", "M2"),
        ]  # fmt: skip
        evidence.alarmed(found[:1], 1)
        assert evidence.incidents("care", DAY, 10) == found[1:]
