"""The security desk on a real store: two people, each step in the trail, nothing past either."""

from pathlib import Path

import pytest
from two_people import Town

from gateway.core.approval import NotAllowed

KIND, SUBJECT, CONTENT = "books.case", "case:17", b'{"decision":"REVERSE"}'


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path)
    town.add("wang", "reconciler")
    town.add("li", "approver")
    return town


def test_two_people_agree_on_one_content_and_it_is_used_once(town: Town) -> None:
    with town.desk() as desk:
        one = desk.approvals.propose(town.person(desk, "wang"), KIND, SUBJECT, CONTENT, "机构已退现金")
        assert [(found.id, found.state) for found in desk.approvals.open("books")] == [(one.id, "PROPOSED")]
        with pytest.raises(NotAllowed, match="SEC-NOT-APPROVED"):
            desk.approvals.use(KIND, SUBJECT, CONTENT)
        assert desk.approvals.approve(town.person(desk, "li"), one.id).state == "APPROVED"
        with pytest.raises(NotAllowed, match="SEC-NOT-APPROVED"):
            desk.approvals.use(KIND, SUBJECT, CONTENT + b" ")
        used = desk.approvals.use(KIND, SUBJECT, CONTENT)
        assert (used.state, used.maker, used.checker) == ("USED", "wang", "li")
        with pytest.raises(NotAllowed, match="SEC-NOT-APPROVED"):
            desk.approvals.use(KIND, SUBJECT, CONTENT)
