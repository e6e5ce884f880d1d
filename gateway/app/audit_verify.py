"""What `liangding audit verify` computes again: the trail row by row, its signatures, the checkpoints outside, the
states it tells of, and what other rooms registered (T23; gateway.app.audit_checks)."""

import re
from collections.abc import Iterable, Iterator

import attrs

from adapters.crypto.digest import derive, hmac_sm3, sm3
from adapters.crypto.keyfile import load_key
from adapters.crypto.sm2 import self_test
from adapters.files import checkpoints
from adapters.store.security import SecurityStore, facts
from adapters.store.security_opening import reading
from gateway.app.audit_checks import Check, checks
from gateway.app.config import Config
from gateway.app.security_approvals import mac_content
from gateway.app.security_people import account_content
from gateway.app.security_room import SCRIPTS, looking, missing, room_is_there
from gateway.app.security_trail import SecurityBox
from gateway.app.signing_keys import KeyRing, ring_of
from gateway.core.approval import NoSecurityRoom, TrailFailed
from gateway.core.oswords import words_of
from gateway.core.trail import GENESIS, Checkpoint, HandOver, linked

_TRIGGER = re.compile(rb"CREATE TRIGGER (\w+)")
FINDINGS_MAX = 100


@attrs.frozen(kw_only=True)
class Verified:
    """What was found. findings: Chinese sentences, the first bad row first; row: its number, 0 = none; signed: up to
    which row the trail is signed; notices: what is no fault."""

    entries: int = 0
    signed: int = 0
    inside: int = 0
    outside: int = 0
    row: int = 0
    findings: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@attrs.define
class _Found:
    """The trail as it is computed again: chain of each row somebody signed."""

    entries: int = 0
    chains: dict[int, bytes] = attrs.Factory(dict)
    bad: int = 0
    findings: list[str] = attrs.Factory(list)
    notices: list[str] = attrs.Factory(list)
    handed: list[tuple[int, HandOver]] = attrs.Factory(list)  # outside, by line


def verify_audit(config: Config, registered: Iterable[Check] | None = None) -> Verified:
    """Compute everything again; nothing is written. Raises KeyFileError, SelfTestError, TrailFailed,
    NoSecurityRoom."""
    self_test()
    path, gone = config.room("security"), missing(config)
    if gone and not config.signing_key_file.exists():
        raise TrailFailed(gone)  # nothing is left to verify anything by
    if not gone and not room_is_there(config):
        raise NoSecurityRoom(path, config.file)  # nothing to verify is not "whole"
    naming = derive(load_key(config.key_file), SecurityBox.purpose)
    found = _Found()
    with reading(path, len(SCRIPTS)) as store:
        keys = ring_of(config, store)
        found.findings += [gone] * bool(gone) + list(keys.faults)
        outside = _outside(config, found)
        inside = [] if store is None else store.checkpoints()
        if store is not None:
            _walk(store, {one.entries for one in (*inside, *outside)}, found)
            _signatures(inside, "库内检查点", store.id, keys, found)
            _signatures(outside, "库外检查点", store.id, keys, found)
            inside_handed = store.hand_overs()
            found.findings += [
                f"库外检查点文件第{number}行的换钥记录，安全库里没有：安全库由换钥以前的备份恢复，或有人改动了该文件"
                for number, one in found.handed
                if one not in inside_handed
            ]
            if not found.bad:  # states are told by the trail: where it is broken they say nothing
                found.findings += _states(store, naming)
            found.findings += _triggers(store)
            found.findings += (f"安全库文件损坏或被改动：{text}" for text in store.damages())
    for check in checks() if registered is None else registered:
        found.findings += check(config, keys)
    signed = max((one.entries for one in inside), default=0)
    if found.entries > signed and not found.bad:
        found.notices.append(f"末尾{found.entries - signed}条尚未签名（下一次办理结束时签名）")
    return Verified(
        entries=found.entries, signed=signed, inside=len(inside), outside=len(outside), row=found.bad,
        findings=tuple(found.findings), notices=tuple(found.notices),
    )  # fmt: skip


def _outside(config: Config, found: _Found) -> list[Checkpoint]:
    kept: list[Checkpoint] = []
    try:
        for number, one in checkpoints.read(config.checkpoint_file):
            if one is None:
                found.notices.append(f"库外检查点文件第{number}行不完整，略过")
            elif isinstance(one, HandOver):
                found.handed.append((number, one))
            else:
                kept.append(one)
    except OSError as cause:
        raise TrailFailed(f"库外检查点文件读不出：{config.checkpoint_file}（{words_of(cause)}）") from cause
    return kept


def keys_of(config: Config) -> KeyRing:
    """Return what knows the operating party's signatures. Raises KeyFileError, NoSecurityRoom, TrailFailed."""
    with looking(config) as store:
        if store is None:
            raise NoSecurityRoom(config.room("security"), config.file)
        return ring_of(config, store)


def _walk(store: SecurityStore, wanted: set[int], found: _Found) -> None:
    """Compute the chain again; stop at the first row that does not fit."""
    chain = GENESIS
    try:
        for row, stored in store.rows():
            chain = linked(sm3, chain, row)
            if row.id != found.entries + 1:
                found.bad = found.entries + 1
                found.findings.append(f"审计记录第{found.bad}条不见了（其后是第{row.id}条）")
                return
            if chain != stored:
                found.bad = row.id
                found.findings.append(f"审计记录第{row.id}条被改动，或其前一条被替换：与链值不符")
                return
            found.entries = row.id
            if row.id in wanted:
                found.chains[row.id] = chain
    except TrailFailed as cause:
        found.bad = found.entries + 1
        found.findings.append(f"审计记录第{found.bad}条读不出：{cause}")


def _signatures(signed: list[Checkpoint], whose: str, store: str, keys: KeyRing, found: _Found) -> None:
    good = 0
    for one in signed:
        text = _against(one, store, keys, found, good)
        if text:
            found.findings.append(f"{whose}（第{one.entries}条）{text}")
            if len(found.findings) >= FINDINGS_MAX:
                found.findings.append("其余从略")
                return
        else:
            good = one.entries


def _against(one: Checkpoint, store: str, keys: KeyRing, found: _Found, good: int) -> str:
    """Return what a checkpoint says against the trail; '' when nothing."""
    key = keys.at(one.entries)
    if one.public != key.public:
        return "签名所用的密钥不是当时登记的那一把"
    if not key.verify(one.message(), one.signature):
        return "签名不符：不是本机密钥所签，或被改动"
    if one.store != store:
        return "属于另一个安全库：库被替换"
    if found.bad and one.entries >= found.bad:
        return ""  # told already, by its row
    if one.entries > found.entries:
        found.bad = found.bad or found.entries + 1
        return f"之后的记录被删除：库中只有{found.entries}条，第{found.entries + 1}至{one.entries}条不见了"
    if found.chains[one.entries] != one.chain:
        found.bad = found.bad or good + 1
        return f"与重算的链不符：第{good + 1}至{one.entries}条之间有记录被改动并重算过"
    return ""


def _states(store: SecurityStore, naming: bytes) -> Iterator[str]:
    """Compare accounts and proposals with what the trail says of them."""
    told = store.afters("account:")
    for name, sealed in store.accounts():
        if told.pop(f"account:{name}", "") != hmac_sm3(naming, account_content(sealed)).hex():
            yield f"用户{name}的记录与审计记录不符：被绕过程序改动，或换回了旧记录"
    yield from (f"{subject.replace('account:', '用户')}被绕过程序删除" for subject in told)
    told = store.afters("approval:")
    for stored in store.every_case():
        number = stored.case.approval.id
        mac = hmac_sm3(naming, mac_content(facts(stored.case))).hex()
        if told.pop(f"approval:{number}", "") != f"{stored.case.state} {mac}" or mac != stored.mac:
            yield f"第{number}号事项与审计记录不符：被绕过程序改动，或换回了旧状态"
    yield from (f"第{subject.removeprefix('approval:')}号事项被绕过程序删除" for subject in told)


def _triggers(store: SecurityStore) -> Iterator[str]:
    wanted = {name.decode() for _, script in SCRIPTS for name in _TRIGGER.findall(script)}
    yield from (f"安全库缺少触发器{name}：有人改过库结构" for name in sorted(wanted - store.triggers()))
