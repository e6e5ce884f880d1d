"""The desk where settlement lists are collected: store, key, codes, journal and rules introduced to each other.

Every piece is sealed under the journal's key (annex X34); after each the visit's list is put together, translated and
examined, and only codes, places and sentences of what was found are kept readable.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

import schemas
from adapters.store import lists as store
from adapters.store.codes_reader import CodesReader
from adapters.store.journal_reader import JournalReader
from adapters.store.journal_reader import reading as journal_reading
from adapters.store.journal_settlement import settlement
from adapters.store.lists import Examination, ListsWriter, StoredPiece
from adapters.store.lists_compared import keep_sent, sent
from gateway.app.codes_files import reading as codes_reading
from gateway.app.config import Config
from gateway.app.lists_charges import catch_up, charged_in
from gateway.app.lists_rules import patterns, rules_of
from gateway.app.sealing import Box as SealingBox
from gateway.codes.loading import EVERYONE, load_snapshots
from gateway.core.codes import Snapshot
from gateway.core.jsontext import decode, encode, encode_sorted
from gateway.core.model import Entry
from gateway.core.money import yuan
from gateway.lists import charged
from gateway.lists.checking import examine
from gateway.lists.collecting import Collected, Piece, merged, visit_of
from gateway.lists.reading import HEAD, Finding, Record, day_of, read_head, unwrapped
from gateway.lists.rules import RuleSet
from gateway.lists.settled import findings_of
from gateway.lists.translating import translated
from gateway.lists.world import CodeRecord, Domain, Surroundings

CATCH_UP_STEPS = 5  # of the journal, at every opening: what is left is taken by the next
SCRIPTS = tuple(schemas.read("migrations/lists", ".sql"))
_CODE = re.compile(r"[A-Za-z0-9._-]{1,30}", re.ASCII)
DEPTS = ("dscg_caty", "dscg_dept_code", "adm_caty", "adm_dept_code", "opsp_diag_caty")


@attrs.frozen
class _Only:
    """A look at the codes store in which there is one institution. See gateway.codes.loading.Tables."""

    look: CodesReader
    institution: str

    def stamps(self) -> Mapping[str, int]:
        return {name: stamp for name, stamp in self.look.stamps().items() if name in (EVERYONE, self.institution)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.look, name)


@attrs.frozen
class _Library:
    """A library of the codes store as the rules ask it. Grey codes are not valid there (record_of)."""

    records: Any

    def get(self, code: str, /) -> CodeRecord | None:
        found = self.records.get(code)
        return None if found is None else CodeRecord(found[0], found[1], found[2])


@attrs.frozen
class Box(SealingBox):
    """Seals pieces of lists."""

    purpose = "liangding settlement lists"


@attrs.define(kw_only=True)
class Outcome:
    """What taking one piece came to."""

    fresh: bool
    visit: str
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        return sum(one.level == "error" for one in self.findings)


@attrs.define(kw_only=True)
class Desk:
    """One institution's desk while its lists are being written."""

    config: Config
    institution: str
    who: str
    writer: ListsWriter
    box: Box
    codes: Snapshot
    journal: JournalReader | None
    rules: RuleSet
    domains: Mapping[str, Domain]
    now: Callable[[], float]

    def take(self, kind: str, tree: Any, source: str) -> Outcome:
        """Keep a piece and examine its visit's list; within a transaction of the writer.

        Raises PieceRefused before anything is kept.
        """
        tree = unwrapped(tree)
        visit_id = visit_of(tree, self.institution)
        content = encode_sorted(tree)
        digest = self.box.name(content)
        visit = self.writer.take_visit(self.institution, visit_id)
        before = self.writer.pieces(visit)
        fresh = all((one.kind, one.digest) != (kind, digest) for one in before)
        at_ms = int(self.now() * 1000)
        if fresh:
            sealed = self.box.vault.seal(content, self._bound_to(visit_id, kind, digest))
            self.writer.add_piece(visit, StoredPiece(kind, digest, sealed), at_ms, self.who, source)
        found = self._examined(visit, visit_id, at_ms)
        return Outcome(fresh=fresh, visit=visit_id, findings=found)

    def _bound_to(self, visit: str, kind: str, digest: str) -> bytes:
        return f"list {self.institution} {visit} {kind} {digest}".encode()

    def collected(self, visit: int, visit_id: str) -> Collected:
        """Open a visit's newest pieces and put them together. Raises VaultError."""
        pieces = (
            Piece(one.kind, decode(self.box.vault.open(one.sealed, self._bound_to(visit_id, one.kind, one.digest))))
            for one in self.writer.pieces(visit)
        )
        return merged(pieces, self.rules.nodes)

    def translated(self, visit: int, visit_id: str) -> dict[str, Any]:
        """Return a visit's list in national codes. Raises VaultError."""
        tree = self.collected(visit, visit_id).tree
        return translated(tree, self.rules.nodes, self.codes, day_of(read_head(tree, self.rules.nodes))).tree

    def keep_sent(self, visit: int, visit_id: str, digest: str, message: dict[str, Any]) -> None:
        """Keep what is about to be sent; within a transaction of the writer."""
        sealed = self.box.vault.seal(encode_sorted(message), self._sent_as(visit_id, digest))
        keep_sent(self.writer.connection, visit, digest, sealed)

    def sent(self, visit: int, visit_id: str) -> dict[str, Any] | None:
        """Return what was sent last of a visit's list; None when nothing was kept. Raises VaultError."""
        kept = sent(self.writer.connection, visit)
        if kept is None:
            return None
        found: dict[str, Any] = decode(self.box.vault.open(kept[1], self._sent_as(visit_id, kept[0])))
        return found

    def _sent_as(self, visit: str, digest: str) -> bytes:
        return f"sent {self.institution} {visit} {digest}".encode()

    def examine_again(self, visit: int, visit_id: str) -> tuple[Finding, ...]:
        """Examine a visit's list as things stand now, and keep what is found. Raises VaultError."""
        with self.writer.transaction():
            return self._examined(visit, visit_id, int(self.now() * 1000))

    def _examined(self, visit: int, visit_id: str, at_ms: int) -> tuple[Finding, ...]:
        collected = self.collected(visit, visit_id)
        day = day_of(read_head(collected.tree, self.rules.nodes))
        done = translated(collected.tree, self.rules.nodes, self.codes, day)
        setl_id = str(done.tree[HEAD].get("setl_id") or "")
        known = self._settlement(setl_id)
        world = Surroundings(self.domains, patterns(), self._records())
        if self.writer.elsewhere(self.institution, setl_id, visit):
            world.seen.add(setl_id)
        if known is not None and known.medfee_fen is not None:
            world.totals = {setl_id: Decimal(yuan(known.medfee_fen))}
        examined = examine(done.tree, self.rules, world)
        found, reading = list(examined.findings), examined.reading
        assert reading is not None  # merged pieces are an object
        if self.journal is not None:
            found += findings_of(reading, known)
            found += charged.findings_of(reading, charged_in(self.writer, self.institution, visit_id))
        told = (*collected.conflicts, *_once(done.found, found))
        self.writer.examined(visit, self._summary(reading.head, day, at_ms, told), [_row(one) for one in told])
        self.writer.keep_evidence(visit, encode(done.evidence).decode() if done.evidence else "")
        return told

    def _settlement(self, setl_id: str) -> Entry | None:
        if self.journal is None or not setl_id:
            return None
        return settlement(self.journal.connection, self.institution, setl_id)

    def _records(self) -> dict[str, _Library]:
        held = self.codes.libraries.records
        return {system: _Library(held[system]) for system in ("diagnosis", "operation") if system in held}

    def _summary(self, head: Record, day: str, at_ms: int, found: tuple[Finding, ...]) -> Examination:
        errors = sum(one.level == "error" for one in found)
        return Examination(
            at_ms=at_ms, rules=self.rules.version, setl_id=_readable(head.texts.get("setl_id", "")), discharged=day,
            dept=next((_readable(head.texts[name]) for name in DEPTS if name in head.texts), ""),
            doctor=_readable(head.texts.get("chfpdr_code", "")), errors=errors, warnings=len(found) - errors,
        )  # fmt: skip


def _readable(code: str) -> str:
    """Return what may rest readable: a code or number in its usual form; whatever else people write there is sealed."""
    return code if _CODE.fullmatch(code) else ""


def _once(unmapped: list[Finding], found: list[Finding]) -> Iterator[Finding]:
    """A code without mapping is told once: what rules say of the code itself follows from that."""
    places = {one.path for one in unmapped}
    yield from unmapped
    yield from (one for one in found if one.path not in places or one.rule[:4] == "SL-R")


def _row(one: Finding) -> tuple[str, str, str, str]:
    return one.rule, one.level, one.path, one.message


def codes_of(config: Config, institution: str) -> Snapshot:
    """Read the codes of one institution that are in force. Raises OtherVersion."""
    with codes_reading(config.room("codes")) as look:
        loaded = load_snapshots(_Only(look, institution), patterns())
    return loaded.get(institution, loaded[EVERYONE])


@contextmanager
def desk(
    config: Config, institution: str, who: str, entropy: Callable[[int], bytes], now: Callable[[], float],
    codes: Snapshot,
) -> Iterator[Desk]:  # fmt: skip
    """Open everything a desk needs. Raises OtherLists, KeyFileError, VaultError, RulesError, NotAJournal, OSError."""
    rules, domains = rules_of(config)
    with store.writing(config.room("lists"), SCRIPTS) as writer, _journal(config.journal) as journal:
        if journal is not None:
            catch_up(writer, journal, CATCH_UP_STEPS)
        yield Desk(
            config=config, institution=institution, who=who, writer=writer, box=Box.open(config, entropy, writer),
            codes=codes, journal=journal, rules=rules, domains=domains, now=now,
        )  # fmt: skip


@contextmanager
def _journal(path: Path) -> Iterator[JournalReader | None]:
    """Open the journal for looking up settlements; None where there is none yet. Raises NotAJournal."""
    if path.exists():
        with journal_reading(path) as journal:
            yield journal
    else:
        yield None
