"""Where there are accounts, other parties' ledgers and runs by command are somebody's who signed in, on record."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from desk import settled, text
from people import HOSPITAL, Office
from two_people import CONFIG

from adapters.crypto.digest import sm3
from gateway.app.cli import cli
from gateway.app.say import Outside
from gateway.app.security_trail import ChainedTrail
from gateway.core.approval import TrailFailed

DAY = "2026-03-15"
NOW_S = 1_773_700_000.0
FILE = text([settled(1, fixmedins_code=HOSPITAL)])
PROVINCE = ("--date", DAY, "--ledger", "PROV", "--rows", "1")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    (tmp_path / "in.csv").write_text(FILE, "utf-8")
    return Office(tmp_path)


def hand_in(office: Office, scope: str, *words: str, user: str = "", code: int = 0) -> Any:
    return office.run("hand-in", scope, str(office.folder / "in.csv"), *words, user=user, code=code)


def inputs(office: Office) -> list[tuple[str, str, str]]:
    """What was handed in: ledger, scope, by whom."""
    with office.books() as books:
        found = books.connection.execute("SELECT ledger, scope, who FROM input ORDER BY id").fetchall()
    return [tuple(row) for row in found]


def noted(office: Office) -> list[tuple[str, str, str, str]]:
    """What the trail says of the books: who, action, subject, after."""
    with office.town.desk() as desk:
        rows = [row for row, _ in desk.store.rows()]
    return [(one.who, one.action, one.subject, one.after) for one in rows if one.action in ("books.input", "books.run")]


@pytest.mark.parametrize(
    ("scope", "ledger"), [("*", "PROV"), ("*", "INS"), ("*", "AGY"), (HOSPITAL, "AGY"), (HOSPITAL, "INST")]
)
def test_nobody_hands_in_a_ledger_by_command(office: Office, scope: str, ledger: str) -> None:
    told = hand_in(office, scope, "--date", DAY, "--ledger", ledger, "--rows", "1", code=2)
    assert "SEC-WHO" in told["problems"][0]
    assert inputs(office) == []


def test_the_right_is_asked_for(office: Office) -> None:
    assert "SEC-RIGHT" in str(hand_in(office, "*", *PROVINCE, user="qian", code=1))
    assert "SEC-RIGHT" in str(office.run("day", "--date", DAY, user="wang", code=1))
    assert (inputs(office), noted(office)) == ([], [])


def test_what_somebody_hands_in_is_written_down_with_its_digest(office: Office) -> None:
    found = hand_in(office, "*", *PROVINCE, "--operator", "chen", user="zhou")
    digest = sm3(FILE.encode()).hex()
    assert (found["sm3"], found["complete"]) == (digest, True)
    assert inputs(office) == [("PROV", "*", "zhou")]
    assert noted(office) == [("zhou", "books.input", f"PROV:*:{DAY}", digest)]


def test_what_cannot_be_written_down_is_not_taken(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    record = ChainedTrail.record

    def full(trail: ChainedTrail, who: str, action: str, *words: str, **more: Any) -> None:
        if action == "books.input":
            raise TrailFailed("磁盘满")
        record(trail, who, action, *words, **more)

    monkeypatch.setattr(ChainedTrail, "record", full)
    assert "SEC-TRAIL" in str(hand_in(office, "*", *PROVINCE, user="li", code=1))
    assert inputs(office) == []


def test_an_institutions_file_by_command_is_somebodys_too(office: Office) -> None:
    """A file that calls itself complete takes back what it lacks: at the institution's door its certificate answers for
    that, at the command line who signed in does."""
    told = hand_in(office, HOSPITAL, "--date", DAY, "--rows", "1", "--operator", "chen", code=2)
    assert "SEC-WHO" in told["problems"][0] and inputs(office) == []
    assert "SEC-RIGHT" in str(hand_in(office, HOSPITAL, "--date", DAY, "--rows", "1", user="qian", code=1))
    hand_in(office, HOSPITAL, "--date", DAY, "--rows", "1", "--operator", "chen", user="li")
    assert (inputs(office), [one[:3] for one in noted(office)]) == (
        [("INST", HOSPITAL, "li")], [("li", "books.input", f"INST:{HOSPITAL}:{DAY}")],
    )  # fmt: skip


def test_a_run_is_somebodys(office: Office) -> None:
    assert "SEC-WHO" in str(office.run("day", "--date", DAY, code=2))
    told = office.run("day", "--date", DAY, "--role", "insured", user="li", code=2)
    assert "没有正在运行的节点" in str(told)  # who it is, is known: it is about the node now
    assert noted(office) == [("li", "books.run", f"insured:*:{DAY}", "")]


def test_a_configuration_may_leave_it_to_the_system_accounts(office: Office) -> None:
    office.town.file.write_text(CONFIG + "[security]\nbooks_by_people = false\n", "utf-8")
    hand_in(office, "*", *PROVINCE)
    hand_in(office, HOSPITAL, "--date", DAY, "--rows", "1", "--operator", "chen")
    assert inputs(office)[1] == ("INST", HOSPITAL, "chen")
    assert "没有正在运行的节点" in str(office.run("day", "--date", DAY, code=2))
    assert noted(office) == []
    hand_in(office, "*", *PROVINCE, user="li")  # whoever gives a name is written down all the same
    assert [one[0] for one in noted(office)] == ["li"]


def test_a_room_that_was_taken_away_opens_nothing(office: Office) -> None:
    office.town.config.room("security").unlink()
    assert "SEC-TRAIL" in str(hand_in(office, "*", *PROVINCE, code=1))
    assert inputs(office) == []


def test_accounts_that_were_deleted_are_asked_for_all_the_same(office: Office) -> None:
    with office.town.desk() as desk:
        desk.store.connection.execute("DELETE FROM account")
    assert "SEC-WHO" in str(hand_in(office, "*", *PROVINCE, code=2))


def test_without_accounts_the_commands_need_nobody(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(FILE, "utf-8")
    config = tmp_path / "liangding.toml"
    config.write_text(CONFIG, "utf-8")
    outside = Outside(
        run_node=lambda config: 1, simulate=lambda words: 1, now=lambda: NOW_S, entropy=lambda size: bytes(size)
    )
    words = ["books", "hand-in", str(config), "*", str(tmp_path / "in.csv"), *PROVINCE]
    done = CliRunner().invoke(cli, words, obj=outside)
    assert done.exit_code == 0, (done.output, done.exception)
    done = CliRunner().invoke(cli, ["books", "day", str(config), "--date", DAY], obj=outside)
    assert (done.exit_code, "没有正在运行的节点" in done.output) == (2, True), done.output
    assert not list(tmp_path.glob("var/*security*"))  # and looking made no room
