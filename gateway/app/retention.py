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
from adapters.store.sqlite_journal import SqliteJournal
from gateway.app.books_region import reading as books_reading
from gateway.app.books_shelf import SCRIPTS as BOOKS
from gateway.app.config import Config
from gateway.app.explain import explain
from gateway.app.say import Outside
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.core.approval import Approval, NotAllowed, Person
from gateway.core.dates import is_date
from gateway.security.retention import (
    FREE,
    HELD,
    KIND,
    Deletion,
    Retention,
    begin_ms,
    hold_of,
    read_deletion,
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
        if held(desk, name) != HELD:
            raise NotAllowed("SEC-HOLD", f"{kept.title}没有冻结清除")
        wanted = Deletion(summary=(f"解除冻结清除：{kept.title}",), name=name, hold=FREE)
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


def carry_out(config: Config, approval: Approval, content: bytes, outside: Outside) -> str:
    """Delete what two people agreed on; killed in between, it goes on at the next execution. Raises NotAllowed,
    TrailFailed, OSError, BooksError."""
    wanted = read_deletion(content)
    title, subject = the_retention(config).of(wanted.name).title, f"deleted:{wanted.name}"
    with security_desk(config, outside.now, outside.entropy) as desk:
        if wanted.hold:
            desk.trail.record(
                approval.checker, "retention.free", hold_of(wanted.name), before=held(desk, wanted.name), after=FREE,
                reason=approval.reason, approval=approval.id,
            )  # fmt: skip
            return f"已解除冻结清除：{title}"
        the_retention(config).check(wanted.name, wanted.before, held(desk, wanted.name), outside.now())
        found = due(config, wanted.name, wanted.before)
        if found.count > wanted.count:
            raise NotAllowed("SEC-CHANGED", f"到期的现有{found.count}项，多于批准的{wanted.count}项，请重新提出")
        desk.trail.record(
            approval.checker, "retention.begin", subject, after=f"BEGUN {wanted.before}", reason=approval.reason,
            approval=approval.id,
        )  # fmt: skip
        gone = _delete(config, wanted, found, outside)
        after = f"DELETED {gone} before {wanted.before}"
        desk.trail.record(approval.checker, "retention.delete", subject, after=after, approval=approval.id)
    return f"已清除{title}：{wanted.before}之前的{gone}项"


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
    except Exception as cause:  # boundary: whatever keeps a journal from being opened is one sentence
        raise NotAllowed("SEC-NODE", f"{explain(cause)[1]}；清除存档答复须先停止节点") from cause
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
