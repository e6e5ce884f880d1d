"""What the desk does with entry requests: file, show, review, return, assign codes, export, report (维护至上报).

Every function either stores what it says it did, in one transaction, or raises and stores nothing.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs

from adapters.files.tables import Limits, Shape, TableRefused, open_table
from adapters.files.worksheet import write_sheet
from adapters.store.codes_duties import ENTRIES_MAX, DutiesReader, Filing, StepRow
from gateway.app.duty_desk import (
    Box,
    Desk,
    DutyRefused,
    DutyUsage,
    Findings,
    check_person,
    check_steps,
    chosen,
    everything,
    known_of,
    opened,
    sealed,
    sight,
)
from gateway.codes.content import same_person
from gateway.codes.duties import Register
from gateway.codes.duty_codes import Proposal, propose, unfit
from gateway.codes.duty_entries import (
    ACTIONS,
    CORRECTS,
    RETIRE_DAY,
    RETIRE_WHY,
    Action,
    Entry,
    division_of,
    read_entries,
    required_for,
    titles_for,
)
from gateway.codes.duty_steps import Known, StepName, needs_code
from gateway.codes.faults import Fault, Faults
from gateway.core.dates import day_of, is_date

LIMITS = Limits(size_bytes=16 << 20, rows=ENTRIES_MAX)
_OWNER = re.compile(r"[0-9A-Z]{6,30}")
_LONG_NUMBER = re.compile(r"[0-9]{15}")


@attrs.frozen
class Filed:
    """A filing that was stored. findings: (entry, rule, message) of what would keep entries from passing."""

    number: int
    entries: tuple[int, ...]
    findings: tuple[tuple[int, str, str], ...]


@attrs.frozen
class Shown:
    """Entries with their contents as shown to a reviewer, and the check value that names exactly these contents."""

    entries: tuple[tuple[Known, dict[str, str], tuple[str, str] | None], ...]
    sight: str


def file_requests(desk: Desk, owner: str, system: str, action: Action, file: Path, maker: str) -> Filed | Faults:
    """Read a file of entries and store it as one filing; with any fault of form nothing is stored.

    Raises DutyUsage, ColumnMissing, KeyFileError, OSError, sqlite3.Error.
    """
    register = desk.register(system)
    _check_owner(desk, register, owner)
    check_person(maker, register.maintainers, "维护人")
    faults = Faults()
    entries = _read(desk, system, action, file, faults)
    with desk.looking() as reader:
        box = Box.open(desk.config, desk.entropy, reader)
        _check_corrections(reader, owner, system, entries, faults)
        if not faults and not entries:
            faults.add(0, "", "MF02", "文件没有数据行")
    if faults:
        return faults
    filing = Filing(owner, system, action, maker, desk.at_ms)
    cells = [sealed(box, owner, system, action, register, one, division_of(register, one.values)) for one in entries]
    with desk.writing() as writer:
        number, ids = writer.file(filing, cells)
    with desk.looking() as reader:
        judge = Findings(desk, box, reader)
        found = [(one.id, judge.of(one)) for one in known_of(reader, reader.of_filing(number))]
    return Filed(number, tuple(ids), tuple((entry, *fault) for entry, fault in found if fault))


def _check_owner(desk: Desk, register: Register, owner: str) -> None:
    institution = owner in {one.fixmedins_code for one in desk.config.institution}
    if institution:
        if "institution" not in register.maintained_by:
            raise DutyUsage(f"按分工表，该库由{register.maintains}维护，不由定点机构申报")
    elif "agency" not in register.maintained_by:
        raise DutyUsage(f"配置中没有机构{owner}；按分工表，该库由{register.maintains}维护")
    elif not _OWNER.fullmatch(owner):
        raise DutyUsage(f"申报单位应为机构编号或区划代码：{owner}")


def _read(desk: Desk, system: str, action: Action, file: Path, faults: Faults) -> list[Entry]:
    register = desk.register(system)
    shape = Shape(titles=titles_for(register, action), key=required_for(register, action))
    with ExitStack() as stack:
        try:
            table = open_table(file, shape, faults.add, stack, LIMITS)
            return read_entries(table.rows(), table.header, table.at, register, action, desk.form(system), faults)
        except TableRefused as cause:
            faults.add(cause.line, "", cause.rule, cause.message)
            return []


def _check_corrections(reader: DutiesReader, owner: str, system: str, entries: Iterable[Entry], faults: Faults) -> None:
    for entry in entries:
        text = entry.values.get("corrects", "")
        if text.isdecimal() and len(text) <= 16:
            found = known_of(reader, reader.by_number(int(text), int(text)))
            if not any(one.state == "returned" and (one.owner, one.system) == (owner, system) for one in found):
                faults.add(entry.line, CORRECTS.zh, "DU02", "更正申报号应是本单位本库已退回的申报")


def check_again(desk: Desk, texts: Sequence[str]) -> list[tuple[Known, tuple[str, str] | None]]:
    """Judge the named entries, or all that wait for review, as things stand now."""
    with desk.looking() as reader:
        entries = chosen(reader, texts) if texts else [one for one in everything(reader) if one.state == "filed"]
        if not entries:
            return []
        judge = Findings(desk, Box.open(desk.config, desk.entropy, reader), reader)
        return [(one, judge.of(one)) for one in entries]


def contents(desk: Desk, texts: Sequence[str], reviewer: str) -> Shown:
    """Show the contents to a reviewer, and keep that they were shown. Raises VaultError, DutyRefused."""
    with desk.looking() as reader:
        entries = chosen(reader, texts)
        for one in entries:
            check_person(reviewer, desk.register(one.system).reviewers, "审核人")
        check_steps(desk, entries, "viewed", reviewer, second=True)
        box = Box.open(desk.config, desk.entropy, reader)
        judge = Findings(desk, box, reader)
        shown = tuple((one, opened(box, reader, one), judge.of(one)) for one in entries)
    _step(desk, entries, "viewed", reviewer)
    return Shown(shown, sight(entries))


def review(desk: Desk, texts: Sequence[str], reviewer: str, seen: str) -> tuple[list[Known], list[Fault]]:
    """Let the entries pass whose contents the reviewer saw; return (passed, why others may not: line = entry number).

    Raises DutyRefused when the check value names other contents than the store holds.
    """
    with desk.looking() as reader:
        entries = chosen(reader, texts)
        for one in entries:
            check_person(reviewer, desk.register(one.system).reviewers, "审核人")
        check_steps(desk, entries, "reviewed", reviewer, second=True)
        if seen != sight(entries):
            raise DutyRefused("核对码与申报内容不符：请重新查看内容，再用新的核对码")
        if unseen := [str(one.id) for one in entries if not _seen_by(one, reviewer)]:
            raise DutyRefused(f"{'、'.join(unseen)}号：审核人本人还没有查看过内容，请先不带--accept执行一次")
        box = Box.open(desk.config, desk.entropy, reader)
        for one in entries:
            opened(box, reader, one)  # what passes must be what the digest names
        judge = Findings(desk, box, reader)
        found = [(one, judge.of(one)) for one in entries]
    passed = [one for one, fault in found if fault is None]
    _step(desk, passed, "reviewed", reviewer, note=seen)
    return passed, [Fault(one.id, "", *fault) for one, fault in found if fault]


def _seen_by(entry: Known, reviewer: str) -> bool:
    return any(step.step == "viewed" and same_person(step.who, reviewer) for step in entry.steps)


def give_back(desk: Desk, texts: Sequence[str], reviewer: str, reason: str) -> list[Known]:
    """Return entries to who filed them, with the reason."""
    if not reason.strip() or len(reason) > 500:
        raise DutyUsage("退回原因不能为空，不超过500字")
    if _LONG_NUMBER.search(reason):
        raise DutyUsage("退回原因中不要写证件号码，指出是哪一列即可")
    with desk.looking() as reader:
        entries = chosen(reader, texts)
    for one in entries:
        check_person(reviewer, desk.register(one.system).reviewers, "审核人")
    check_steps(desk, entries, "returned", reviewer, second=True)
    _step(desk, entries, "returned", reviewer, note=reason.strip())
    return entries


def proposals(
    desk: Desk, texts: Sequence[str], division: str = "", code: str = ""
) -> tuple[list[Known], list[Proposal], str]:
    """Return the entries, the code proposed for each (or `code`, given by hand), and the check value of both."""
    with desk.looking() as reader:
        entries = chosen(reader, texts)
        check_steps(desk, entries, "assigned", "", second=False)
        systems = {one.system for one in entries}
        if len(systems) != 1:
            raise DutyUsage("一次只能为一个库赋码")
        (system,) = systems
        if code and len(entries) != 1:
            raise DutyUsage("--code一次只能给一条申报")
        if division and not re.fullmatch("[0-9]{6}", division):
            raise DutyUsage("--division应为6位行政区划代码")
        known = {code for code, *_ in reader.records(system)} | reader.assigned(system)
    register, form = desk.register(system), desk.form(system)
    if code:
        found = [Proposal(entries[0].id, code, "")]
    else:
        found = propose(register, ((one.id, division or one.division) for one in entries), known)
    for place, (one, proposal) in enumerate(zip(entries, found, strict=True)):
        why = unfit(proposal.code, division or one.division, register, form, known) if proposal.code else ""
        if why:
            found[place] = Proposal(one.id, "", why)
    return entries, found, sight(entries, [one.code for one in found])


def assign(
    desk: Desk, texts: Sequence[str], operator: str, seen: str, division: str = "", code: str = ""
) -> list[Proposal]:
    """Give the entries the codes that were proposed and seen.

    Raises DutyUsage without an operator, DutyRefused when the codes would be others now.
    """
    if not operator.strip():
        raise DutyUsage("MA17 赋码须用--operator给出赋码人，须与申报人不同")
    entries, found, now = proposals(desk, texts, division, code)
    for one in entries:
        check_person(operator, desk.register(one.system).reviewers, "审核人")
    check_steps(desk, entries, "assigned", operator, second=True)
    if problems := [f"{one.entry}号：{one.why}" for one in found if not one.code]:
        raise DutyRefused(*problems)
    if seen != now:
        raise DutyRefused("核对码与建议的编码不符：可能已有别的赋码，请重新查看建议")
    codes = {one.entry: one.code for one in found}
    _step(desk, entries, "assigned", operator, codes=codes)
    return found


def export(desk: Desk, system: str, operator: str, out: Path, texts: Sequence[str] = ()) -> tuple[int, int, int]:
    """Write what waits to be reported in the columns of the national window.

    Return (export number, entries written, entries left for another export).

    The file is written first: a command that dies in between leaves a file that counts for nothing.
    """
    register = desk.register(system)
    check_person(operator, (), "经办人")
    with desk.looking() as reader:
        rest = 0
        if texts:
            entries = chosen(reader, texts)
            if any(one.system != system for one in entries):
                raise DutyUsage(f"所列申报不都属于{system}")
            check_steps(desk, entries, "exported", operator, second=False)
        else:
            ready = [one for one in everything(reader, system) if _ready(one, register)]
            entries, rest = ready[:ENTRIES_MAX], max(0, len(ready) - ENTRIES_MAX)
        if not entries:
            return 0, 0, 0
        box = Box.open(desk.config, desk.entropy, reader)
        rows = [_window_row(register, one, opened(box, reader, one)) for one in entries]
    write_sheet(out, window_columns(register), rows, private=True, title=system[:31])
    return _step(desk, entries, "exported", operator, export=True), len(entries), rest


def _ready(entry: Known, register: Register) -> bool:
    return entry.state == ("assigned" if needs_code(entry, register.assigns) else "reviewed")


def window_columns(register: Register) -> list[str]:
    """Return the titles of the national window's form: the division table's words, and what the gateway adds."""
    names = [field.zh for field in register.fields if field.window]
    return ["申报号", "操作", "编码", *names, RETIRE_DAY.zh, RETIRE_WHY.zh]


def _window_row(register: Register, entry: Known, values: dict[str, str]) -> list[str]:
    named = [values.get(field.name, "") for field in register.fields if field.window]
    retired = [values.get(RETIRE_DAY.name, ""), values.get(RETIRE_WHY.name, "")]
    return [str(entry.id), ACTIONS[entry.action], entry.new_code, *named, *retired]


def report(desk: Desk, texts: Sequence[str], operator: str, receipt: str, day: str) -> list[Known]:
    """Mark exported entries as reported up, with the day and the receipt.

    Raises DutyUsage for a day after today or before the entry was first exported: nothing was there to be reported.
    """
    if not receipt.strip() or len(receipt) > 200:
        raise DutyUsage("上报回执号不能为空，不超过200字")
    if not is_date(day) or day > desk.today:
        raise DutyUsage("上报日期应为yyyy-MM-dd，不晚于今天")
    check_person(operator, (), "经办人")
    with desk.looking() as reader:
        entries = chosen(reader, texts)
    check_steps(desk, entries, "reported", operator, second=False)
    early = [
        f"{one.id}号在{since}才导出，上报日期不能早于这一天" for one in entries if day < (since := _export_day(one))
    ]
    if early:
        raise DutyUsage(*early)
    _step(desk, entries, "reported", operator, note=receipt.strip(), day=day)
    return entries


def _export_day(entry: Known) -> str:
    """Return the day an exported entry was exported first; a second file of it changes nothing."""
    return day_of(next(step.at_ms for step in entry.steps if step.step == "exported") / 1000)


def _step(
    desk: Desk,
    entries: Sequence[Known],
    name: StepName,
    who: str,
    *,
    note: str = "",
    day: str = "",
    codes: dict[int, str] | None = None,
    export: bool = False,
) -> int:
    """Store one step for all entries or for none; return the export number."""
    seen = {} if name == "viewed" else {one.id: len(one.steps) for one in entries}
    given = codes or {}
    with desk.writing() as writer:
        number = writer.next_export() if export else 0
        steps = [StepRow(one.id, name, who, desk.at_ms, given.get(one.id, ""), note, day, number) for one in entries]
        writer.add_steps(steps, seen)
    return number
