"""Deletion after the time of retention (security.md §9): what is due, proposed by one, approved by another, carried out
with a row of the trail before and after. What is kept for ever by the database is only told."""

from collections.abc import Iterable
from pathlib import Path

import attrs

import schemas
from adapters.crypto.keyfile import load_key
from adapters.crypto.vault import Vault
from adapters.files.spool import past
from adapters.files.workplace import LeftOver, left_over, remove_left_over
from adapters.store.books import BooksStore
from adapters.store.books_pruning import BooksPruning
from adapters.store.journal_reader import reading
from adapters.store.journal_retention import forget_answers, sealed_before
from adapters.store.sqlite_journal import SqliteJournal, StoreLocked
from gateway.app.books_region import reading as books_reading
from gateway.app.books_shelf import SCRIPTS as BOOKS
from gateway.app.config import Config
from gateway.app.explain import explain
from gateway.app.say import Outside
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.app.security_trail import reason_of
from gateway.core.approval import Approval, NotAllowed, Person
from gateway.core.dates import is_date
from gateway.core.trail import Row
from gateway.security.contents import read_content
from gateway.security.retention import (
    FREE,
    HELD,
    KIND,
    Deletion,
    Retention,
    begin_ms,
    begun,
    begun_count,
    hold_of,
    read_retention,
    told_day,
)

# Where programs work, below the data directory: under names made up for once, and with copies only.
# Nothing else is a leftover, whatever its name: people keep files there, too.
_WORKPLACES = (
    ".freeze-*/", "books/????-??-??/.in-*/", "books/????-??-??/work/.books-*/",
    "books/????-??-??/work/.province-*/", "codes/part-[0-9]*-[0-9]*",
)  # fmt: skip
_COUNTED_MAX = 100_000
FROZEN = "FROZEN"
_HOLDS_SHOWN = 20


@attrs.frozen(kw_only=True)
class Due:
    """What of a class is due. oldest: a day; left: days that are old enough and stay, for they are not frozen."""

    count: int = 0
    size: int = 0
    oldest: str = ""
    left: int = 0
    files: tuple[Path, ...] = ()


def the_retention(config: Config) -> Retention:
    """Return the classes as this configuration keeps them."""
    set_days = {
        "answers": config.security.answers_days, "day-files": config.security.details_days,
        "downloads": config.codes.download_keep_days, "replaced": config.books.replaced_keep_days,
    }  # fmt: skip
    return read_retention((schemas.ROOT / "security" / "retention.toml").read_bytes(), set_days)


def due(config: Config, name: str, before: str) -> Due:
    """Return what of a class is older than a day (yyyy-MM-dd). Raises OSError, BooksError, OtherBooks, NotAJournal."""
    if name == "answers":
        if not config.journal.exists():
            return Due()
        with reading(config.journal) as reader:
            sealed = sealed_before(reader.connection, begin_ms(before))
        return Due(count=sealed.count, size=sealed.size, oldest=told_day(sealed.oldest_ms))
    root, before_ms = config.path(config.node.data_dir), begin_ms(before)
    if name == "temporary":
        left = [found for pattern in _WORKPLACES for one in root.glob(pattern) if (found := left_over(one)) is not None]
        return _of(one for one in left if one.changed_s * 1000 < before_ms)
    if name == "downloads":
        return _of_files(past(root / "codes", before_ms / 1000))
    if name == "replaced":
        with books_reading(config) as connection:
            inputs = BooksPruning(connection).replaced(before_ms, _COUNTED_MAX) if connection is not None else []
        return _of_files(sorted(path for one in {path for _, path in inputs} if (path := root / one).exists()))
    days = [one for one in _folders(root / "books") if one.name < before]
    frozen = [one for one in days if _is_frozen(config, one.name)]
    files = [file for folder in frozen for file in sorted(folder.rglob("*")) if file.is_file() or file.is_symlink()]
    found_files = _of_files(files)
    return attrs.evolve(found_files, oldest=min((one.name for one in frozen), default=""), left=len(days) - len(frozen))


def held(desk: SecurityDesk, name: str) -> str:
    """Return the state of hold of a class, as the trail tells it: '' when there never was one."""
    return desk.store.last_after(hold_of(name))


def hold(desk: SecurityDesk, person: Person, name: str, reason: str) -> None:
    """Let nothing of a class be deleted until two people lift it. Raises NotAllowed, TrailFailed."""
    the_retention(desk.config).may_hold(name)
    desk.allow(person, "security.retention.hold")
    desk.trail.record(person.name, "retention.hold", hold_of(name), before=held(desk, name), after=HELD, reason=reason)


def propose(
    desk: SecurityDesk, person: Person, name: str, reason: str, now_s: float, *, lift: bool = False
) -> Approval:
    """Propose a deletion of what is due, or that a hold be lifted. Raises NotAllowed and what `due` raises."""
    retention = the_retention(desk.config)
    kept = retention.of(name)
    if lift:
        wanted = _lifting(desk, name, kept.title)
        return desk.approvals.propose(person, KIND, f"{name}:hold", wanted.content(), reason)
    before = retention.cutoff(name, now_s)
    retention.check(name, before, held(desk, name), now_s)
    found = due(desk.config, name, before)
    if not found.count:
        raise NotAllowed("SEC-NOTHING", f"{kept.title}没有到期的")
    summary = (
        f"清除：{kept.title}", f"{before}之前的{found.count}项，{found.size}字节，最早{found.oldest}；清除后不能恢复",
    )  # fmt: skip
    wanted = Deletion(summary=summary, name=name, before=before, count=found.count)
    return desk.approvals.propose(person, KIND, name, wanted.content(), reason)


def _holds(desk: SecurityDesk, name: str) -> list[Row]:
    """Return the rows of the holds that are in force, oldest first."""
    rows = desk.store.told(hold_of(name))
    return rows[max((number for number, row in enumerate(rows, 1) if row.after != HELD), default=0) :]


def _lifting(desk: SecurityDesk, name: str, title: str) -> Deletion:
    """Return what two people decide about when the holds of now are to be lifted. Raises NotAllowed."""
    rows = _holds(desk, name)
    if not rows:
        raise NotAllowed("SEC-HOLD", f"{title}没有冻结清除，无须解除")
    lines = [
        f"第{row.id}条审计记录：{told_day(row.at_ms)}由{row.who}冻结，{reason_of(desk.trail.box, row)}" for row in rows
    ]
    rest = [f"此前另有{len(lines) - _HOLDS_SHOWN}次冻结"] if len(lines) > _HOLDS_SHOWN else []
    summary = (f"解除冻结清除：{title}", *rest, *lines[-_HOLDS_SHOWN:])
    return Deletion(summary=summary, name=name, hold=FREE, last=rows[-1].id)


def carry_out(config: Config, approval: Approval, content: bytes, outside: Outside) -> str:
    """Delete what two people agreed on, or lift holds; killed in between, it goes on at the next execution. Raises
    NotAllowed, TrailFailed, OSError, BooksError."""
    wanted = read_content(Deletion, content)
    with security_desk(config, outside.now, outside.entropy) as desk:
        return (_lift if wanted.hold else _carry_on)(desk, approval, wanted, outside)


def _lift(desk: SecurityDesk, approval: Approval, wanted: Deletion, _: Outside) -> str:
    title, subject = the_retention(desk.config).of(wanted.name).title, hold_of(wanted.name)
    with desk.trail.changing(approval.checker, "retention.free", subject):
        if desk.store.carried_out(subject, approval.id):
            return f"先前已解除冻结清除：{title}"
        newest = max((row.id for row in _holds(desk, wanted.name)), default=0)
        if newest != wanted.last:
            what = f"又有新的冻结（审计记录第{newest}条）" if newest else "已经解除"
            raise NotAllowed("SEC-CHANGED", f"{title}在提出解除之后{what}；仍要解除的，请重新提出（retention release）")
        desk.trail.note(
            approval.checker, "retention.free", subject, before=HELD, after=FREE, reason=approval.reason,
            approval=approval.id,
        )  # fmt: skip
    return f"已解除冻结清除：{title}"


def _carry_on(desk: SecurityDesk, approval: Approval, wanted: Deletion, outside: Outside) -> str:
    """Delete; where an execution was cut short, the last row tells the sum of both."""
    config, retention, subject = desk.config, the_retention(desk.config), f"deleted:{wanted.name}"
    title, who = retention.of(wanted.name).title, approval.checker
    told = desk.store.told(subject, approval.id)
    if told and told[-1].action == "retention.delete":
        return f"先前已清除{title}：{told[-1].after}"
    found = due(config, wanted.name, wanted.before)
    if found.count > wanted.count:
        raise NotAllowed("SEC-CHANGED", f"到期的现有{found.count}项，多于批准的{wanted.count}项，请重新提出")
    with desk.trail.changing(who, "retention.begin", subject):
        retention.check(wanted.name, wanted.before, held(desk, wanted.name), outside.now())
        desk.trail.note(
            who, "retention.begin", subject, after=begun(wanted.before, found.count), reason=approval.reason,
            approval=approval.id,
        )  # fmt: skip
    gone = _delete(config, wanted, found, outside)
    after, said = f"DELETED {gone} before {wanted.before}", f"{wanted.before}之前的{gone}项"
    if told:
        total = max(begun_count(told[0].after) - due(config, wanted.name, wanted.before).count, gone)
        after += f", {total} in all since row {told[0].id}"
        said = f"{wanted.before}之前的{total}项（上次中断，本次接着清除{gone}项；审计记录第{told[0].id}条起）"
    desk.trail.record(who, "retention.delete", subject, after=after, approval=approval.id)
    return f"已清除{title}：{said}"


def _delete(config: Config, wanted: Deletion, found: Due, outside: Outside) -> int:
    if wanted.name == "temporary":
        return sum(remove_left_over(one) for one in found.files)
    if wanted.name != "answers":
        for file in found.files:
            file.unlink(missing_ok=True)
        for folder in sorted({file.parent for file in found.files}, key=lambda one: -len(one.parts)):
            if not any(folder.iterdir()):
                folder.rmdir()
        return len(found.files)
    vault = Vault(load_key(config.key_file), config.store.cipher, outside.entropy)
    try:
        store = SqliteJournal.open(config.journal, vault, list(schemas.read("migrations/journal", ".sql")))
    except StoreLocked as cause:
        raise NotAllowed("SEC-NODE", "节点正在运行，占用着日志库：清除存档答复须先停止节点，清除后再启动") from cause
    except Exception as cause:  # boundary: whatever else keeps a journal from being opened is one sentence
        raise NotAllowed("SEC-JOURNAL", f"{explain(cause)[1]}；没有清除任何答复") from cause
    try:
        return forget_answers(store.connection, begin_ms(wanted.before))
    finally:
        store.close()


def _folders(books: Path) -> list[Path]:
    return sorted(one for one in books.iterdir() if one.is_dir() and is_date(one.name)) if books.is_dir() else []


def _of_files(files: Iterable[Path]) -> Due:
    return _of(LeftOver(one, (facts := one.lstat()).st_size, facts.st_mtime) for one in files)


def _of(found: Iterable[LeftOver]) -> Due:
    found = sorted(found, key=lambda one: one.path)
    return Due(
        count=len(found), size=sum(one.size for one in found), files=tuple(one.path for one in found),
        oldest=told_day(int(min((one.changed_s for one in found), default=0.0) * 1000)),
    )  # fmt: skip


def _is_frozen(config: Config, day: str) -> bool:
    """Say whether every container of a day is frozen: then its rows are in the store, and the files say no more."""
    if not config.room("books").exists():
        return False
    store = BooksStore.open(config.room("books"), BOOKS)
    try:
        days = store.days(day, day)
    finally:
        store.close()
    return bool(days) and all(one.state == FROZEN for one in days)
