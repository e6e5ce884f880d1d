"""Freezing and re-opening days by two people: what is proposed, and what carries it out (gateway.app.approving)."""

import json
from collections.abc import Iterable, Iterator, Mapping

import attrs

from adapters.crypto.digest import sm3
from adapters.store.books_freeze import FreezeReader, FreezeRow
from adapters.store.books_freeze_writer import FreezeWriter
from adapters.store.books_month import MonthReader
from adapters.store.security_opening import reading as trail_reading
from gateway.app.books_freezing import (
    CannotFreeze,
    Finding,
    Plan,
    carry_out,
    content,
    judged,
    plan,
    read_through,
    verify,
)
from gateway.app.books_region import profile_of, reading, writing
from gateway.app.config import Config
from gateway.app.consent_keys import faults_of
from gateway.app.say import Outside
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.app.security_room import SCRIPTS
from gateway.books.consenting import TITLES, Consenting
from gateway.books.freezing import CITY, Header, Objection, reopening_objections
from gateway.core.approval import Approval, Keys, Person

FREEZE, REOPEN, CONSENT = "books.freeze", "books.reopen", "books.consent"
_CLOCK_MS = 600_000  # so much a clock may be set right between a freeze and its row


@attrs.frozen(kw_only=True)
class Proposed:
    """One day proposed to be frozen, or why not. rows, fees: of what would be frozen; held: of its keys, unchecked of
    them because the three-way check has not agreed."""

    scope: str
    date: str
    approval: int = 0
    rows: int = 0
    fees: int = 0
    held: int = 0
    unchecked: int = 0
    sums: tuple[tuple[str | int, ...], ...] = ()
    objections: tuple[Objection, ...] = ()

    def record(self) -> dict[str, object]:
        """Return it as `--json` shows it; sums: kind, institution, insutype, clr_type, clr_optins, clr_pay_loc,
        settlements, refunds, one sum in fen for each component."""
        plain = attrs.asdict(self, recurse=False)
        return {**plain, "objections": [one._asdict() for one in self.objections]}


def propose(
    config: Config, desk: SecurityDesk, person: Person, days: Iterable[tuple[str, str, str]], reason: str
) -> Iterator[Proposed]:
    """Propose days (role, scope, date) one by one. Raises NotAllowed, TrailFailed, EngineFailed, LedgerRefused."""
    data_dir = config.path(config.node.data_dir)
    for role, scope, date in days:
        with writing(config) as connection:
            look = FreezeReader(connection)
            try:
                planned = plan(look, data_dir, role, scope, date, province=role in config.province.roles)
                passed = read_through(planned)
                found = judged(look, planned, passed, profile_of(config, scope).checks_block)
            except CannotFreeze as cause:
                yield Proposed(scope=scope, date=date, objections=cause.objections)
                continue
        if found:
            yield Proposed(scope=scope, date=date, objections=tuple(found))
            continue
        wanted = content(planned, passed)
        approval = desk.approvals.propose(person, FREEZE, f"{role}:{scope}:{date}", wanted, reason)
        yield Proposed(
            scope=scope, date=date, approval=approval.id, rows=passed.rows, fees=passed.fees,
            held=len(planned.held) + passed.unchecked, unchecked=passed.unchecked, sums=tuple(passed.sums.rows()),
        )  # fmt: skip


def carry_out_freeze(config: Config, approval: Approval, wanted: bytes, outside: Outside) -> str:
    """Freeze what two people agreed on. Raises CannotFreeze, NotInForce and what reading raises."""
    head = _header(wanted)
    with writing(config) as connection:
        writer = FreezeWriter(connection)
        done = writer.day(head.role, head.scope, head.date)
        if done is not None and done.approval == approval.id:
            return f"{head.scope} {head.date}已固化：{done.freeze_sm3}"
        seen = head.role in config.province.roles
        data_dir = config.path(config.node.data_dir)
        planned: Plan = plan(writer, data_dir, head.role, head.scope, head.date, province=seen)
        people = (approval.maker, approval.checker, approval.id)
        blocks = profile_of(config, head.scope).checks_block
        with security_desk(config, outside.now, outside.entropy) as desk:

            def tell(row: FreezeRow) -> None:
                with desk.trail.writing():
                    if desk.signer.public.hex() != row.key_id:  # the row would be another key's
                        raise CannotFreeze([Objection("BF-SIGNER", "固化期间更换了签名密钥；批准仍有效，请再次执行")])
                    desk.trail.note(
                        approval.checker, FREEZE, f"{row.role}:{row.scope}:{row.biz_date}", before=row.prev_sm3,
                        after=row.freeze_sm3, reason=approval.reason, approval=approval.id,
                    )  # fmt: skip

            now_ms = max(int(outside.now() * 1000), writer.last_ms())  # it does not fall when a clock is set back
            row = carry_out(writer, planned, wanted, people, desk.signer, now_ms, blocks, tell)
    return f"{row.scope} {row.biz_date}已固化：{row.rows}行，{row.fees}笔，{row.freeze_sm3}"


def _header(wanted: bytes) -> Header:
    return Header.read(json.dumps(json.loads(wanted)["header"]))


# --- re-opening ------------------------------------------------------------------------------------


def reopening(look: FreezeReader, row: FreezeRow | None, reason: str) -> list[Objection]:
    """Return why a frozen day may not be opened again."""
    applications = MonthReader(look.connection).containing(row.id) if row is not None else []
    return reopening_objections(row is not None, applications, reason)


def propose_reopening(
    config: Config, desk: SecurityDesk, person: Person, day: tuple[str, str, str], reason: str
) -> Approval | list[Objection]:
    """Propose that a frozen day be opened again; the objections when it may not. Raises NotAllowed, TrailFailed."""
    with reading(config) as connection:
        look = FreezeReader(connection) if connection is not None else None
        row = look.day(*day) if look is not None else None
        found = reopening(look, row, reason) if look is not None else reopening_objections(False, [], reason)
        if found or row is None:
            return found
    wanted = json.dumps({"freeze": row.id, "freeze_sm3": row.freeze_sm3, "reason": reason}, sort_keys=True).encode()
    return desk.approvals.propose(person, REOPEN, ":".join(day), wanted, reason)


def carry_out_reopening(config: Config, approval: Approval, wanted: bytes, outside: Outside) -> str:
    """Open a frozen day again. Raises CannotFreeze, NotInForce."""
    plain = json.loads(wanted)
    with writing(config) as connection:
        writer = FreezeWriter(connection)
        row = writer.one(int(plain["freeze"]))
        if row is not None and row.opened:
            return f"{row.scope} {row.biz_date}已重开"
        if found := reopening(writer, row, str(plain["reason"])):
            raise CannotFreeze(found)
        assert row is not None  # reopening() objects to a day that is not frozen
        people = (approval.maker, approval.checker, approval.id)
        with security_desk(config, outside.now, outside.entropy) as desk:
            desk.trail.record(
                approval.checker, REOPEN, f"{row.role}:{row.scope}:{row.biz_date}", before=row.freeze_sm3,
                after="REOPENED", reason=str(plain["reason"]), approval=approval.id,
            )  # fmt: skip
        writer.reopen(row, str(plain["reason"]), people, int(outside.now() * 1000))
    return f"{row.scope} {row.biz_date}已重开，原固化{row.freeze_sm3}保留"


# --- verifying -------------------------------------------------------------------------------------


def chain_findings(config: Config, keys: Keys) -> list[str]:
    """Return what does not hold of the frozen days (`audit verify`, `books verify`), one sentence each."""
    with reading(config) as connection:
        if connection is None:
            return []
        look = FreezeReader(connection)
        found = verify(look, _Named(keys, {row.freeze_sm3: _raw(row.key_id) for row in look.all()}))
        found += _told_findings(config, look, keys)
        found += _consent_findings(config, look)
    found.sort(key=lambda one: one.freeze)
    return [
        f"[{one.code}] 第{one.freeze}次固化（{'全市' if one.scope == CITY else one.scope} {one.date}）：{one.text}"
        for one in found
    ]


def _told_findings(config: Config, look: FreezeReader, keys: Keys) -> Iterator[Finding]:
    """Yield the freezes that are not as the trail tells of them, at the time it tells, by the key of that row."""
    with trail_reading(config.room("security"), len(SCRIPTS)) as trail:
        told = {} if trail is None else {row.after: row for row in trail.of_action(FREEZE)}
    before_ms = 0
    for one in look.all():
        row = told.get(one.freeze_sm3)
        is_about = (f"{one.role}:{one.scope}:{one.biz_date}", one.prev_sm3, one.checker, one.approval)
        if row is None or (row.subject, row.before, row.who, row.approval) != is_about:
            text = "审计记录里没有这次固化，或办理人、事项编号与审计记录不同：绕过程序写入，或被改动"
            yield Finding(one.id, one.scope, one.biz_date, "BV-TRAIL", text)
        else:
            if not keys.answers(_raw(one.key_id), row.id):
                text = f"签名密钥不是固化时（审计记录第{row.id}条）有效的那一把"
                yield Finding(one.id, one.scope, one.biz_date, "BV-KEY", text)
            if not before_ms - _CLOCK_MS <= one.at_ms <= max(before_ms, row.at_ms) + _CLOCK_MS:
                text = f"固化时间早于前一次固化，或晚于审计记录第{row.id}条：被改动，或本机时间曾被大幅调整"
                yield Finding(one.id, one.scope, one.biz_date, "BV-TIME", text)
        before_ms = one.at_ms


def consent_words(one: Consenting) -> str:
    """Return what the trail says of a consent: party, kind and the digest of what proves it."""
    return f"{one.party} {one.kind} {sm3(one.proof.encode()).hex()}"


def _consent_findings(config: Config, look: FreezeReader) -> Iterator[Finding]:
    """Yield what does not hold of the parties' consents: by themselves, and against the trail of who recorded them."""
    with trail_reading(config.room("security"), len(SCRIPTS)) as trail:
        for row in look.all():
            given = look.consents(row.id)
            texts = faults_of(config, row.scope, row.freeze_sm3, given)
            subject = f"{row.role}:{row.scope}:{row.biz_date}"
            told = trail.told_of(subject, CONSENT) if given and trail is not None else []
            recorded = {(who, after) for who, before, after in told if before == row.freeze_sm3}
            texts += [
                f"{TITLES.get(one.party, one.party)}的确认没有审计记录：绕过程序写入，或被改动"
                for one in given
                if (one.who, consent_words(one)) not in recorded
            ]
            yield from (Finding(row.id, row.scope, row.biz_date, "BV-CONSENT", text) for text in texts)


@attrs.frozen
class _Named:
    """Verifies each freeze by the key it names. names: freeze_sm3 -> public key."""

    keys: Keys
    names: Mapping[str, bytes]

    def verify(self, message: bytes, signature: bytes) -> bool:
        return self.keys.proves(self.names.get(message.hex(), b""), message, signature)


def _raw(text: str) -> bytes:
    """Return the bytes of a key's name; none where it was changed past reading."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
