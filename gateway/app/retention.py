"""Deletion after the time of retention (security.md §9): what is due, proposed by one, approved by another, carried out
with a row of the trail before and after. What is kept for ever by the database is only told."""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

import schemas
from adapters.crypto.keyfile import load_key
from adapters.crypto.vault import Vault
from adapters.store.books import BooksStore
from adapters.store.journal_reader import reading
from adapters.store.journal_retention import forget_answers, sealed_before
from adapters.store.sqlite_journal import SqliteJournal
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

# Written whole under such a name first, then put in place: what still has it belongs to a program that died.
_LEFT_OVER = re.compile(r"\..+\.part|.+\.part|part-.+|\..+\.key\.[0-9a-f]{16}")
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
    """Return what of a class is older than a day (yyyy-MM-dd). Raises OSError, BooksError, NotAJournal."""
    if name == "answers":
        if not config.journal.exists():
            return Due()
        with reading(config.journal) as reader:
            found = sealed_before(reader.connection, begin_ms(before))
        return Due(count=found.count, size=found.size, oldest=told_day(found.oldest_ms))
    root = config.path(config.node.data_dir)
    if name == "temporary":
        return _of_files([one for one in _left_over(root) if one.lstat().st_mtime * 1000 < begin_ms(before)])
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
    if wanted.name != "answers":
        for file in found.files:
            file.unlink(missing_ok=True)
        for folder in sorted({file.parent for file in found.files}, key=lambda one: -len(one.parts)):
            if wanted.name == "day-files" and not any(folder.iterdir()):
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


def _left_over(root: Path) -> Iterator[Path]:
    inbox = root / "inbox"  # others put files there
    for one in sorted(root.rglob("*")) if root.is_dir() else []:
        if _LEFT_OVER.fullmatch(one.name) and one.is_file() and not one.is_symlink() and inbox not in one.parents:
            yield one


def _of_files(files: list[Path]) -> Due:
    facts = [one.lstat() for one in files]
    oldest = told_day(int(min((one.st_mtime for one in facts), default=0.0) * 1000))
    return Due(count=len(files), size=sum(one.st_size for one in facts), oldest=oldest, files=tuple(files))


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
