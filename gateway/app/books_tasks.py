"""What the node and its child say to each other about a run of the books: tasks in, results out, as JSON."""

import datetime
from pathlib import Path

import msgspec

from gateway.books.agency import Sums

PACKED_MAX = 64 << 20  # bytes of a result as it travels; 2,000,000 rows (§3.2)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How an institution's statement is made. Of its region's profile."""

    count: str
    refund_rows: str
    base64: bool
    empty_groups: bool
    by_way: bool = False  # rows of different ways of clearing are asked about apart
    way: str = ""  # of rows, and of groups without rows, that name none
    next_day: bool = False  # late lines are asked for over the next day, too (T3)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the child works on. journal, store, data: paths; number: of the order, for file names; early: the day is not
    over, and what an agency says of it now is not its last word."""

    journal: str
    store: str
    data: str
    date: str
    now_ms: int
    number: int
    institutions: dict[str, Asked]
    early: bool = False

    @property
    def day(self) -> datetime.date:
        return datetime.date.fromisoformat(self.date)

    @property
    def next_date(self) -> str:
        return (self.day + datetime.timedelta(days=1)).isoformat()

    @property
    def folder(self) -> Path:
        return Path(self.data) / "books" / self.date

    @property
    def workplace(self) -> Path:
        return self.folder / "work"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an institution: agency, kind of clearing, and where the region wants it the way of clearing.

    totals: insutype -> what 3201 is told; file: the content of 9101 as JSON, below the workplace, '' where it is too
    large to be sent; closely: 3202 is asked whatever 3201 says (§3.2); until: last date asked for, '' = the day itself;
    ahead: the same over two days, None where the next one is of no use; late: own numbers of lines it is asked for.
    """

    optins: str
    clr_type: str
    stem: str
    file: str
    closely: bool
    totals: dict[str, Sums]
    whole: Sums
    clr_way: str = ""
    until: str = ""
    ahead: "Group | None" = None
    late: list[str] = []


class Extracted(msgspec.Struct, frozen=True, kw_only=True):
    input: int
    rows: int
    institutions: dict[str, list[Group]]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one group. result: the file 9102 gave, below the workplace, '' where 3201 called it balanced;
    unbalanced: 3201 said it was not; ahead: the result over two days, '' where it was not asked for, or why it is not
    there."""

    group: Group
    result: str = ""
    unbalanced: bool = False
    ahead: str = ""
    ahead_why: str = ""


class Derive(msgspec.Struct, frozen=True, kw_only=True):
    """An institution's answers. columns: of its region; why: what is missing, '' when everything was answered."""

    institution: str
    columns: tuple[tuple[str, ...], ...]
    groups: list[Answered]
    why: str = ""


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """bad: institutions whose result was refused whole (RESULT_BAD); odd: those with a group that 3201 called not
    balanced and 3202 found no difference in."""

    inputs: list[int]
    bad: list[str]
    odd: list[str]


class DeriveTask(msgspec.Struct, frozen=True, kw_only=True):
    """Step `derive`."""

    task: Task
    answers: list[Derive]

    @property
    def trouble(self) -> list[str]:
        """What agencies did not answer, and what follows from it."""
        found = [f"{one.institution}：{one.why}" for one in self.answers if one.why]
        late = [(one.institution, answer.ahead_why) for one in self.answers for answer in one.groups]
        unheard = "经办没有回答两日的对账（3202），临近午夜的记录等次日账目"
        return found + [f"{code}：{unheard}：{why}" for code, why in late if why]


class RunTask(msgspec.Struct, frozen=True, kw_only=True):
    """What the child works on. institutions: of the configuration; asked_ms: when each one's agency, and `*` the
    province, was looked at last; province: one is configured; provisional: the day is not over, so nothing is
    planned and nobody is asked to decide."""

    store: str
    data: str
    date: str
    role: str
    now_ms: int
    institutions: list[str]
    asked_ms: dict[str, int]
    province: bool = False
    provisional: bool = False
    by_hand: list[str] = []  # institutions for which nothing undelivered is reversed by itself (§5.3, guard 4)
    closes_ms: int = 0  # when the day was over


class ReportTask(msgspec.Struct, frozen=True, kw_only=True):
    """Step `report`: a day's report into a folder. config: the node's, as JSON; folder: path, its parent is there."""

    config: msgspec.Raw
    role: str
    date: str
    now_ms: int
    folder: str


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """agreed: nothing is open; files: their paths, none where the books do not know the day."""

    agreed: bool
    files: list[str]


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. same: these inputs were a run already."""

    run_id: str
    revision: int
    same: bool
    agreed: bool
    keys: int
    summary: dict[str, object]
    days: dict[str, str]


class Reconcile(msgspec.Struct, frozen=True, kw_only=True):
    """Step `reconcile`. derive: None where nobody's agency was asked."""

    run: RunTask
    derive: DeriveTask | None = None


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    ran: Ran
    derived: Derived | None = None
