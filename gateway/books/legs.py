"""What a leg of one key is called: status before presence, unknown never absent (annex B2, B4, B10, B11).

Everything here is a pure function of what each ledger says. The class comes from the table; the circumstances that
choose between the ways of a rule are found here.
"""

from collections.abc import Iterator, Mapping
from itertools import product

import attrs

from gateway.books.rules import Pattern, Rules
from gateway.books.scope import CARE, Scope
from gateway.books.standing import ABSENT_STATES, Standing, State
from gateway.core.ledgers import AGY, GW, INS, INST, PROV

LATE = (0, 23 * 3600 + 30 * 60)  # T3: from 23:30:00 of the day on
WITHHELD = "WITHHELD"
CONTRADICTS = "INST-CONTRADICTS-GW"

States = Mapping[int, State]


@attrs.frozen(kw_only=True)
class Named:
    """What a leg is called. name: class, or '' when the leg is agreed or empty; row: its code; circumstance: which way
    of the rule; notes: said besides."""

    name: str = ""
    row: str = ""
    circumstance: str = ""
    notes: tuple[str, ...] = ()


AGREED = Named()


@attrs.frozen
class Judge:
    """The rules and the scope of one run."""

    rules: Rules
    scope: Scope

    def name(self, leg: str, found: Mapping[int, Standing], depended: bool) -> Named:
        """Return what the leg of a key is called, amounts not yet compared.

        found: of every ledger given; depended: a later transaction of the same person or visit exists (B8).
        """
        members = self.scope.members(leg)
        if all(found[ledger].row is None for ledger in members):
            return AGREED  # none of its ledgers has a row: no line (B4)
        states = {ledger: one.state for ledger, one in found.items()}
        words = {ledger: one.word for ledger, one in found.items()}
        known = self._named(leg, states, words)
        unknown = [ledger for ledger in self.scope.incomplete & self.scope.given if _unknown(found[ledger])]
        for guess in product((State.ABSENT, State.SETTLED), repeat=len(unknown)):
            guessed = dict(zip(unknown, guess, strict=True))
            other = self._named(leg, states | guessed, words | guessed)
            if other.name != known.name:
                return Named(name=WITHHELD)
        if known.row == "S2" and _foreign_reversal(members, found):
            return attrs.evolve(known, row="S4")
        if known.row or known.name in ("", "NETZERO_TRACE"):
            return known
        return self._presence(known, leg, found, depended)

    def _named(self, leg: str, states: States, words: States) -> Named:
        """Name the leg as if nothing were unknown: B2(b), (c), net zero by words; then presence by the day's states."""
        if leg == "L1" and (found := self._reversed_in_vain(words)):
            return found
        members = self.scope.members(leg)
        own = {ledger: words[ledger] for ledger in members}
        if State.ZERO in own.values():
            if State.SETTLED in own.values():
                return Named(name="STATUS", row=self._status_row(words))
            if ABSENT_STATES & set(own.values()):
                return Named(name="NETZERO_TRACE")
            return AGREED
        present = {ledger for ledger, word in words.items() if word is not State.ABSENT}
        if leg == "L1" and states.get(GW) is State.GW_REVERSED and present == {GW}:
            return Named(name="NETZERO_TRACE", row="R4")
        name = self.rules.patterns[self._pattern(states)][leg]
        return AGREED if name in (f"{leg}-OK", f"{leg}-NONE") else Named(name=name)

    def _reversed_in_vain(self, states: States) -> Named | None:
        """B2(b): the journal reversed it, the agency still holds it."""
        if states.get(GW) is not State.GW_REVERSED or states.get(AGY) is not State.SETTLED:
            return None
        if states.get(INST) is State.SETTLED:
            return None  # L1-GW-MISSING by presence, contradicting
        return Named(name="STATUS", row="S3")

    def _status_row(self, states: States) -> str:
        """B2(c). The journal knows of a refund when its own net is zero; whether S2 is S4 no state tells."""
        return "S1" if states.get(GW) is State.ZERO else "S2"

    def _pattern(self, states: States) -> Pattern:
        """Return the presence of the five; a ledger not given says what its neighbour says (B4, B7)."""
        inst, gw, agy, prov, ins = (
            int(states[ledger] is State.SETTLED) if ledger in states else None for ledger in (INST, GW, AGY, PROV, INS)
        )
        prov, ins = prov or 0, ins or 0
        if self.scope.role != CARE:
            return 0, 0, prov if agy is None else agy, prov, ins
        if inst is None and gw is None:
            agy = prov if agy is None else agy
            return agy, agy, agy, prov, ins
        inst, gw = (gw if inst is None else inst) or 0, (inst if gw is None else gw) or 0
        return inst, gw, gw if agy is None else agy, prov, ins

    def _presence(self, known: Named, leg: str, found: Mapping[int, Standing], depended: bool) -> Named:
        """Find the circumstances of a presence class; put T5 or T3 in its place (T5 first, B5)."""
        members = self.scope.members(leg)
        named = attrs.evolve(
            known, circumstance=_circumstance(known.name, found, depended), notes=tuple(_contradiction(known, found))
        )
        if any(found[ledger].far for ledger in members):
            return attrs.evolve(named, row="T5")
        moments = [one.row.moment for one in map(found.__getitem__, members) if one.settled and one.row]
        # What the journal has as refused counts as absent (B1); what it has as reversed was told before dates (B2(b)).
        lacking = [one for one in members if found[one].row is None or found[one].state is State.GW_REJECTED]
        if moments and max(moments) >= LATE and any(ledger not in self.scope.later for ledger in lacking):
            return Named(name="WAIT_NEXT_DAY", row="T3", notes=(known.name,))
        return named


def _unknown(one: Standing) -> bool:
    """An incomplete ledger that says nothing of the key; a row too far away is a word, too."""
    return one.state is State.ABSENT and not one.far


def _circumstance(name: str, found: Mapping[int, Standing], depended: bool) -> str:
    states = {ledger: one.state for ledger, one in found.items()}
    journal = states.get(GW)
    if name == "L1-CENTER-MORE" and journal is State.GW_REJECTED:
        return "rejected"
    if name == "L1-INST-ONLY" and State.SETTLED in (states.get(PROV), states.get(INS)):
        return "elsewhere"
    if name == "L1-GW-MISSING" and journal is State.GW_REVERSED:
        return "contradicts"
    if name == "L1-INST-MISSING" and GW in found:
        if found[GW].delivered:
            return "delivered"
        return "" if depended else "guarded"
    return ""


def _contradiction(known: Named, found: Mapping[int, Standing]) -> Iterator[str]:
    """The institution books what the journal says was refused or reversed (§5.1, B2)."""
    journal = found[GW].state if GW in found else State.ABSENT
    if known.name == "L1-INST-ONLY" and journal in (State.GW_REJECTED, State.GW_REVERSED):
        yield CONTRADICTS
    if known.name == "L1-GW-MISSING" and journal is State.GW_REVERSED:
        yield CONTRADICTS


def _foreign_reversal(members: tuple[int, ...], found: Mapping[int, Standing]) -> bool:
    """S4: a side that is ZERO, other than the gateway, says REVERSED (B2). Only such ledgers are ever `reversed`."""
    return any(found[ledger].reversed for ledger in members)
