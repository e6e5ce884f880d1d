"""What is past its time is deleted by two people, and nothing else ever is."""

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from test_cli import Room, options, staffed
from twisted.internet.task import Clock
from two_people import Town

import schemas
from adapters.crypto.keyfile import load_key
from adapters.crypto.vault import Vault
from adapters.files.workplace import Workplace, hold
from adapters.store.books import BooksStore
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app.books_shelf import SCRIPTS
from gateway.app.codes_sweeping import Sweeping
from gateway.app.retention import carry_out
from gateway.app.say import Outside
from gateway.core.approval import NotAllowed
from gateway.core.model import Accept, Advance, Entry
from gateway.security.retention import begin_ms

__all__ = ["staffed"]  # a fixture of the command line's tests
CANARY = b'{"psn_name":"a name that must go","pad":"' + b"x" * 900 + b'"}'
DAY_MS = 86_400_000
OLD, YOUNG = "2016-11-01", "2016-11-30"  # ten years before the town's day, or nearly
WORK = f"books/{YOUNG}/work"
DEAD = (".freeze-a/rows", f"books/{YOUNG}/.in-a/in", f"{WORK}/.books-a/x.duckdb", f"{WORK}/.province-a/whole")
LEFT = (
    *((name, 3) for name in (*DEAD, "codes/part-77-0")), (".freeze-young/rows", 0), ("codes/part-78-0", 0),
    *((name, 3) for name in (
        "kept.csv", "backup.part", ".r.html.part", ".freeze-note", "codes/part-2027-plan.csv",
        ".answers.key.2026111800000000",
        f"{WORK}/GW", f"books/{YOUNG}/work-in/.in-a/x", "inbox/codes/part-1-2", "mine/.freeze-a/x",
    )),
)  # of programs that were killed long ago; of some that may run; people's own  # fmt: skip


@attrs.frozen
class Office:
    room: Room
    town: Town
    who: dict[str, list[str]]

    def told(self, *words: str, code: int = 0) -> Any:
        result = self.room.security("retention", *words, "--json", code=code)
        return json.loads(result.stdout)

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["class"]: row for row in self.told("list")["classes"]}

    def propose(self, verb: str, name: str) -> str:
        return str(self.told(verb, name, "--reason", "期满", *self.who["zhao"])["approval"])

    def approve(self, number: str, code: int = 0) -> str:
        result = self.room.security("approvals", "approve", number, *self.who["li"], code=code)
        return str(result.stdout + result.stderr)

    def refused(self, *words: str) -> str:
        return str(self.room.security("retention", *words, *self.who["zhao"], code=1).stderr)

    @property
    def outside(self) -> Outside:
        return Outside(
            run_node=lambda config: 1, simulate=lambda words: 1, now=lambda: self.room.now_s, entropy=self.room.entropy
        )  # fmt: skip

    def journal(self) -> SqliteJournal:
        config = self.town.config
        vault = Vault(load_key(config.key_file), config.store.cipher, os.urandom)
        return SqliteJournal.open(config.journal, vault, list(schemas.read("migrations/journal", ".sql")))

    def trail(self) -> list[dict[str, Any]]:
        found = self.room.run("audit", "list", self.room.config, "--action", "retention", "--json").stdout
        return list(json.loads(found)["rows"])

    def sealed(self) -> list[str]:
        """The msgids that still have their answer."""
        query = "SELECT msgid FROM journal JOIN outcome ON outcome.journal_id = journal.id WHERE sealed IS NOT NULL"
        with closing(self.journal()) as store:
            return sorted(row[0] for row in store.connection.execute(query))


@pytest.fixture
def office(staffed: tuple[Room, Town]) -> Office:
    """Old and young answers, one of a record that waits for a person; day files; leftovers of a killed program."""
    room, town = staffed
    with town.desk() as desk:
        town.reassign(desk, "li", "approver", "system")
    found = Office(room, town, {name: options(room, town, name) for name in town.passwords})
    now_ms = int(town.now_s * 1000)
    with closing(found.journal()) as store:
        for number, (days, state) in enumerate(((402, "ACKED"), (398, "ACKED"), (500, "MANUAL")), 1):
            entry = Entry(
                id=number, fixmedins_code="H99010300001", msgid=f"m{days}", infno="2207", klass="M", link="national",
                state="SENT", digest=b"d" * 32, created_ms=now_ms - days * DAY_MS, lane=f"p|{number}",
            )  # fmt: skip
            done = Advance(entry=entry, was="SENT", to=state, at_ms=entry.created_ms + 9, reason="answered",
                           setl_id=f"S{number}", answer=CANARY, delivered=True)  # type: ignore[arg-type]  # fmt: skip
            store.commit([Accept(entry=entry)])
            assert store.commit([done]) == [True]
    data = town.config.path("var")
    with closing(BooksStore.open(town.config.room("books"), SCRIPTS)) as books:
        for day, state in ((OLD, "FROZEN"), ("2016-11-02", "AGREED"), (YOUNG, "FROZEN")):
            folder = data / "books" / day / "handed"
            folder.mkdir(parents=True)
            (folder / "INST-x.csv").write_text("rows")
            values = ("care", "*", day, state)
            books.connection.execute("INSERT INTO recon_day VALUES (?,?,?,?,1,0,'')", values)
    for name, days in LEFT:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("half")
        for one in (data / name, (data / name).parent):
            os.utime(one, (town.now_s - days * 86_400,) * 2)
    room.now_s = town.now_s
    return found


def test_the_list_tells_what_is_due_and_changes_nothing(office: Office) -> None:
    rows = office.rows()
    due = {name: (row["how"], row.get("count"), row.get("left")) for name, row in rows.items()}
    assert due == {
        "answers": ("delete", 1, 0), "day-files": ("delete", 1, 1), "temporary": ("delete", 5, 0),
        "downloads": ("node", 0, 0), "replaced": ("node", 0, 0), "journal": ("kept", None, None),
        "frozen": ("kept", None, None), "audit": ("kept", None, None),
    }  # fmt: skip
    assert (rows["answers"]["days"], rows["audit"]["days"], rows["frozen"]["days"]) == (400, 3650, 3650)
    dry = office.told("delete", "day-files", "--dry-run")
    assert (dry["count"], dry["files"]) == (1, [f"books/{OLD}/handed/INST-x.csv"])
    assert office.sealed() == ["m398", "m402", "m500"] and office.rows() == rows


def test_answers_past_their_time_go_by_two_and_the_journal_stays_whole(office: Office) -> None:
    before = office.room.run("journal", "verify", office.room.config).stdout
    number = office.propose("delete", "answers")
    assert "SEC-SAME-PERSON" in office.room.security("approvals", "approve", number, *office.who["zhao"], code=1).stderr
    assert office.sealed() == ["m398", "m402", "m500"]
    assert "清除" in office.approve(number)
    assert office.sealed() == ["m398", "m500"]  # what is young, and what waits for a person
    assert office.room.run("journal", "verify", office.room.config).stdout == before
    told = [(row["action"], row["who"], row["after"]) for row in office.trail()]
    cutoff = office.rows()["answers"]["before"]
    assert told == [
        ("retention.begin", "li", f"BEGUN {cutoff} of 1"), ("retention.delete", "li", f"DELETED 1 before {cutoff}"),
    ]  # fmt: skip
    assert "SEC-NOTHING" in office.refused("delete", "answers")
    assert office.room.run("audit", "verify", office.room.config).stdout.startswith("审计记录完整")


def test_no_answer_is_taken_from_a_node_that_runs(office: Office) -> None:
    number = office.propose("delete", "answers")
    with closing(office.journal()):  # as a node holds it
        assert "须先停止节点" in office.approve(number, code=1)
    assert office.sealed() == ["m398", "m402", "m500"]
    office.room.security("approvals", "execute", number, *office.who["li"])
    assert office.sealed() == ["m398", "m500"]


def test_what_cannot_be_counted_or_opened_is_said_with_what_to_do(office: Office) -> None:
    journal, number = office.town.config.journal, office.propose("delete", "answers")
    for file in journal.parent.glob(f"{journal.name}*"):
        if not file.name.endswith(".mark"):
            file.write_bytes(b"x" * 5000)
    for words in (("list",), ("delete", "answers", "--dry-run"), ("delete", "answers", *office.who["zhao"])):
        said = office.room.security("retention", *words, code=1).stderr
        assert "[SEC-COUNT] 日志库读不出" in said and f"liangding journal verify {office.room.config}" in said
    assert "SEC-EXECUTE" in (said := office.approve(number, code=1)) and "先停止节点" not in said


def test_only_files_of_frozen_days_go(office: Office) -> None:
    books = office.town.config.path("var") / "books"
    office.approve(office.propose("delete", "day-files"))
    assert sorted(str(one.relative_to(books)) for one in books.rglob("*.csv")) == [
        "2016-11-02/handed/INST-x.csv", f"{YOUNG}/handed/INST-x.csv",
    ]  # fmt: skip


def test_only_what_a_dead_program_left_is_temporary(office: Office) -> None:
    data = office.town.config.path("var")
    files = {name for name, _ in LEFT}
    with Workplace.make(".freeze-", data) as used:
        (used / "rows").write_text("x")
        for one in (used / "rows", used):
            os.utime(one, (1, 1))
        dry = office.told("delete", "temporary", "--dry-run")
        assert dry["files"] == sorted([*(str(Path(name).parent) for name in DEAD), "codes/part-77-0"])
        office.approve(office.propose("delete", "temporary"))
        assert (used / "rows").exists()
    assert {name for name in files if not (data / name).exists()} == {*DEAD, "codes/part-77-0"}
    [row] = [one for one in office.trail() if one["action"] == "retention.delete"]
    assert row["after"].startswith("DELETED 5 before")


def test_what_is_in_use_again_at_the_execution_stays(office: Office) -> None:
    number = office.propose("delete", "temporary")
    with (office.town.config.path("var") / "codes" / "part-77-0").open() as stream:
        hold(stream.fileno())
        assert "4项" in office.approve(number)
    assert (office.town.config.path("var") / "codes" / "part-77-0").exists()


@pytest.mark.parametrize(
    ("name", "code"),
    [("audit", "SEC-KEPT"), ("frozen", "SEC-KEPT"), ("journal", "SEC-KEPT"), ("downloads", "SEC-KEPT"),
     ("replaced", "SEC-KEPT"), ("everything", "SEC-CLASS")],
)  # fmt: skip
def test_what_stays_is_not_even_proposed(office: Office, name: str, code: str) -> None:
    assert code in office.refused("delete", name)
    assert code in office.room.security("retention", "delete", name, "--dry-run", code=1).stderr


def test_a_hold_stops_what_was_approved_and_is_lifted_by_two(office: Office) -> None:
    number = office.propose("delete", "answers")
    office.room.security("retention", "hold", "answers", "--reason", "诉讼", *office.who["zhao"])
    assert "SEC-HOLD" in office.approve(number, code=1)
    assert "SEC-HOLD" in office.refused("delete", "answers")
    assert office.sealed() == ["m398", "m402", "m500"] and office.rows()["answers"]["held"]
    office.approve(office.propose("release", "answers"))
    assert not office.rows()["answers"]["held"]
    office.room.security("approvals", "execute", number, *office.who["zhao"])
    assert office.sealed() == ["m398", "m500"]
    assert "SEC-HOLD" in office.refused("release", "answers", "--reason", "x")


def test_a_hold_is_not_lifted_by_what_two_people_agreed_on_before_it(office: Office) -> None:
    def hold(why: str) -> None:
        office.room.security("retention", "hold", "answers", "--reason", why, *office.who["zhao"])

    hold("诉讼甲")
    first = office.propose("release", "answers")
    hold("诉讼乙")
    assert "SEC-CHANGED" in office.approve(first, code=1) and office.rows()["answers"]["held"]
    number = int(office.propose("release", "answers"))  # both, and both are seen
    shown = office.room.security("approvals", "show", str(number), *office.who["li"]).stdout
    assert "诉讼甲" in shown and "诉讼乙" in shown
    with office.town.desk() as desk:
        approved = desk.approvals.get(number), desk.approvals.content(number)
    assert "已解除" in office.approve(str(number)) and not office.rows()["answers"]["held"]
    hold("诉讼丙")
    assert "先前已解除" in carry_out(office.town.config, *approved, office.outside)  # as after a crash
    assert office.rows()["answers"]["held"]
    third = office.propose("release", "answers")
    assert "诉讼甲" not in office.room.security("approvals", "show", third, *office.who["li"]).stdout


def test_a_deletion_that_was_cut_short_tells_the_sum_of_both(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = office.town.config.path("var") / "books" / OLD
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text("rows")
    number, unlink = office.propose("delete", "day-files"), Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        if path.name == "b.csv":
            raise OSError(5, "Input/output error", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", killed)
    said = office.approve(number, code=1)
    assert "SEC-EXECUTE" in said and "b.csv（磁盘读写出错）" in said
    assert f"liangding security approvals execute {office.room.config} {number} --user" in said
    monkeypatch.setattr(Path, "unlink", unlink)
    assert "的3项（上次中断" in office.room.security("approvals", "execute", number, *office.who["li"]).stdout
    listed = json.loads(office.room.run("audit", "list", office.room.config, "--action", "retention", "--json").stdout)
    began, again, done = listed["rows"]
    cutoff = office.rows()["day-files"]["before"]
    assert [row["after"] for row in (began, again)] == [f"BEGUN {cutoff} of 3", f"BEGUN {cutoff} of 2"]
    assert done["after"] == f"DELETED 2 before {cutoff}, 3 in all since row {began['id']}"
    with office.town.desk() as desk:
        approved = desk.approvals.get(int(number)), desk.approvals.content(int(number))
    assert "先前已清除" in carry_out(office.town.config, *approved, office.outside)
    assert json.loads(
        office.room.run("audit", "list", office.room.config, "--action", "retention", "--json").stdout
    ) == listed  # fmt: skip


@pytest.mark.parametrize(("name", "code"), [("audit", "SEC-KEPT"), ("journal", "SEC-KEPT"), ("zzz", "SEC-CLASS")])
def test_what_nobody_deletes_cannot_be_held(office: Office, name: str, code: str) -> None:
    assert code in office.refused("hold", name, "--reason", "x")
    assert not any(row["held"] for row in office.rows().values())


def test_what_a_node_deletes_is_told_with_the_time_and_the_count_it_has(office: Office) -> None:
    more = "\n[codes]\ndownload_keep_days = 7\n[books]\nreplaced_keep_days = 90\n"
    office.town.file.write_text(office.town.file.read_text("utf-8") + more, "utf-8")
    downloads = office.town.config.path("var") / "codes"
    midnight_s = begin_ms("2026-11-11") / 1000
    for number, at_s in enumerate((1, midnight_s - 1, midnight_s, office.town.now_s)):
        path = downloads / "1301" / "2020-01-01" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1234")
        os.utime(path, (at_s, at_s))
    rows = office.rows()
    told = rows["downloads"]
    assert (told["days"], told["before"], told["count"], told["bytes"]) == (7, "2026-11-11", 2, 8)
    assert told["oldest"] == "1970-01-01" and rows["replaced"]["days"] == 90
    clock = Clock()
    clock.advance(office.town.now_s)
    node = Sweeping(office.town.config, clock, downloads, pytest.fail)
    assert node.due()
    node.sweep()
    assert sorted(one.name for one in downloads.rglob("*.bin")) == ["2.bin", "3.bin"] and not node.due()
    assert office.rows()["downloads"]["count"] == 0
    clock.advance(86_400)
    assert node.due()
    node.sweep()
    assert [one.name for one in downloads.rglob("*.bin")] == ["3.bin"]
    office.room.security("retention", "hold", "downloads", "--reason", "诉讼", *office.who["zhao"])
    clock.advance(30 * 86_400)
    node.sweep()
    assert (downloads / "1301" / "2020-01-01" / "3.bin").exists()


def test_more_than_was_approved_is_not_deleted(office: Office) -> None:
    """Files that came into an old day since: the two have not seen them. What went already is no harm."""
    number = int(office.propose("delete", "day-files"))
    late = office.town.config.path("var") / "books" / OLD / "late.csv"
    late.write_text("more")
    assert "SEC-CHANGED" in office.approve(str(number), code=1) and late.exists()
    late.unlink()
    (late.parent / "handed" / "INST-x.csv").unlink()  # as a run that was killed half way
    with office.town.desk() as desk:
        one, content = desk.approvals.get(number), desk.approvals.content(number)

    assert "0项" in carry_out(office.town.config, one, content, office.outside)
    young = content.replace(b'"before":"2016', b'"before":"2017').replace(b'"count":1', b'"count":9')
    with pytest.raises(NotAllowed, match="SEC-YOUNG"):
        carry_out(office.town.config, attrs.evolve(one, id=one.id + 1), young, office.outside)
    assert Path(late.parent.parent / YOUNG).is_dir()
