"""From the rows of some keys to the lines about them: the evaluation order of annex B2, one line per key and open leg.

Theory of operation. The engine hands over *clusters*: all rows of all keys that may concern each other (one key as a
rule; several when they share a message or a business key). Within a cluster: identical rows are counted once (D1);
keys that one message produced (D3) are told and closed; each key's ledgers are brought to one standing each, which
finds D2, D6 and R1-R3; two effective settlements of one business are told and closed (D4); then each key goes leg by
leg: open journal, status, dates, presence, amounts, attributes. The first that fires names the line.

Nothing is acted upon here. No clock, no chance: the same rows in any order give the same lines.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import attrs

from gateway.books import amounts
from gateway.books.doubles import Double, double_posts, double_settlements
from gateway.books.legs import WITHHELD, Judge
from gateway.books.lines import Line
from gateway.books.rules import Rule, Rules, Way
from gateway.books.scope import CARE, Scope
from gateway.books.standing import Standing, State, standings, without_repeats
from gateway.core.ledgers import AGY, GW, INS, INST, MEDFEE, NAMES, PROV, Row

DATE_ORDER = (AGY, PROV, INS, GW, INST)  # B5: whose date a line bears
TEXT_ORDER = (GW, AGY, INST, PROV, INS)  # whose msgid and institution a line bears
REMOTE = ("3", "4")  # clr_pay_loc of a patient insured elsewhere (B7)
SKEW_S = 60  # T6
OTHERS_MAX = 50  # further settlements a note names
_SHOWN: Mapping[str, tuple[int, int]] = {"L1": (INST, AGY), "L2": (AGY, PROV), "L4": (PROV, INS)}
# Whose medfee a reversal on the leg moves: whose record it takes back, else the first that says it (B8).
_MOVED: Mapping[str, tuple[int, ...]] = {"L1": (AGY, GW, INST), "L2": (PROV, INS), "L4": (INS, PROV)}


@attrs.define
class Tally:
    """What goes into the summary besides the lines: rows counted once too often, T6, D5."""

    repeats: list[Row] = attrs.Factory(list)
    rows: dict[str, int] = attrs.Factory(dict)

    def count(self, row: str, how_many: int = 1) -> None:
        if how_many:
            self.rows[row] = self.rows.get(row, 0) + how_many


@attrs.frozen
class Subject:
    """One key as a line names it. rows: settlements before refunds, then as TEXT_ORDER says; ambiguous: another key
    bears its serial, too."""

    key: str
    rows: Sequence[Row]
    found: Mapping[int, Standing]
    ambiguous: bool = False

    def text(self, name: str) -> str:
        """Return the first value of a column that is there."""
        return next((value for row in self.rows if (value := str(getattr(row, name)))), "")

    def day(self) -> int:
        """Return the business date as days after the run's."""
        for ledger in DATE_ORDER:
            if ledger in self.found and (row := self.found[ledger].dated):
                return row.day
        return 0

    def settled(self, ledger: int) -> bool:
        return ledger in self.found and self.found[ledger].settled

    def medfee(self, ledger: int) -> int | None:
        one = self.found.get(ledger)
        return one.row.amounts[MEDFEE] if one and one.settled and one.row else None

    def said(self, ledgers: Iterable[int]) -> str:
        """Return the amounts, direction, insurance and kind of every row that some ledgers have of it."""
        told = []
        for ledger in ledgers:
            one = self.found.get(ledger)
            rows = () if one is None else one.live if one.row is None or one.row in one.live else (one.row, *one.live)
            for row in rows:
                fens = ",".join("" if fen is None else str(fen) for fen in row.amounts)
                told.append(f"{NAMES[ledger]} {row.direction} {row.insutype} {row.clr_type} {fens}")
        return "; ".join(told)

    def moved(self, leg: str) -> int | None:
        """Return the fen a reversal on a leg would move, None when no ledger says; what it reversed in vain, too."""
        for ledger in _MOVED[leg]:
            row = self.found[ledger].row if ledger in self.found else None
            if row is not None and (fen := row.amounts[MEDFEE]) is not None:
                return abs(fen)
        return None


class Decider:
    """The rules applied to clusters of one run."""

    def __init__(self, rules: Rules, scope: Scope) -> None:
        self.rules, self.scope = rules, scope
        self._judges: dict[str, Judge] = {}
        self.tally = Tally()

    def _judge(self, subject: "Subject") -> Judge:
        """Return the judge with the scope of the subject's institution: what is complete there is its own."""
        code = subject.text("fixmedins_code")
        if code not in self._judges:
            self._judges[code] = Judge(self.rules, self.scope.of(code))
        return self._judges[code]

    def decide(
        self, cluster: Iterable[Row], depended: frozenset[str], ambiguous: frozenset[str] = frozenset()
    ) -> list[Line]:
        """Return the lines about a cluster; the tally grows. depended: keys a later transaction depends on (B8);
        ambiguous: keys whose serial another key bears, too (B14)."""
        rows, extra = without_repeats(self._own_keys(cluster))
        self.tally.repeats += [row for row in extra if row.day == 0]
        repeated = {(row.key, row.ledger) for row in extra}
        by_key: dict[str, list[Row]] = {}
        for row in rows:
            by_key.setdefault(row.key, []).append(row)
        subjects = {
            key: attrs.evolve(self._subject(key, by_key[key], repeated), ambiguous=key in ambiguous)
            for key in sorted(by_key)
        }
        closed: set[str] = set()
        lines: list[Line] = []
        for post in double_posts(rows):
            closed |= post.keys
            lines += self._double(post, "D3", subjects)
        whole = [one for key, one in subjects.items() if key not in closed and not _broken(one)]
        for pair in double_settlements(whole, self.scope.given):
            closed |= pair.keys
            lines += self._double(pair, "D4", subjects)
        for key, subject in subjects.items():
            if key not in closed and _today(subject):
                lines += self._key(subject, key in depended)
        return lines

    def _own_keys(self, cluster: Iterable[Row]) -> Iterable[Row]:
        """Give what an institution books under another's settlement a key of its own, in a run for a city.

        There each hands in its own ledger: nobody may speak for a neighbour, block his day or cover what he lacks.
        """
        rows = list(cluster)
        if self.scope.later_at is None or len({row.fixmedins_code for row in rows} - {""}) < 2:
            return rows
        owners: dict[str, str] = {}
        for row in sorted(rows, key=lambda row: (TEXT_ORDER.index(row.ledger), row.fixmedins_code)):
            if row.fixmedins_code:
                owners.setdefault(row.key, row.fixmedins_code)
        return [
            row._replace(key=f"{row.key} {row.fixmedins_code}")
            if row.ledger == INST and row.fixmedins_code not in ("", owners.get(row.key))
            else row
            for row in rows
        ]

    def _subject(self, key: str, own: Sequence[Row], repeated: Collection[tuple[str, int]]) -> Subject:
        again = frozenset(ledger for ledger in range(len(NAMES)) if (key, ledger) in repeated)
        found: dict[int, Standing] = {ledger: Standing(ledger=ledger) for ledger in self.scope.given}
        named = sorted(own, key=lambda row: (row.direction, TEXT_ORDER.index(row.ledger)))
        return Subject(key, named, found | standings(own, again))

    def _double(self, double: Double, code: str, subjects: Mapping[str, Subject]) -> Iterator[Line]:
        """Yield the line of a D3 or D4, none when no row of it is of this day."""
        if any(_today(subjects[key]) for key in double.keys):
            rest = len(double.others) - OTHERS_MAX
            notes = (*double.others[:OTHERS_MAX], *((f"+{rest}",) if rest > 0 else ()))
            leg = self.scope.home(frozenset({INST}))
            line = self._line(subjects[double.keep], leg, self.rules.rows[code], notes=notes)
            members = self.scope.members(leg)
            yield attrs.evolve(line, said="; ".join(subjects[key].said(members) for key in sorted(double.keys)))

    def _key(self, subject: Subject, depended: bool) -> list[Line]:
        """Evaluate one key, in the order of B2."""
        self.tally.count("D5", int(any(one.again for one in subject.found.values())))
        if self.scope.role == CARE:
            closing = self._closing(subject)
        else:
            closing = self._finding(subject, frozenset({PROV, INS, AGY}))
        if closing:
            return [self._with_repeats(closing, subject, None)]
        self._clocks(subject)
        lines: list[Line] = []
        remote = any(row.clr_pay_loc in REMOTE or row.ledger in (PROV, INS) for row in subject.rows)
        legs = self.scope.legs(remote)
        for leg in legs:
            line = self._leg(leg, subject, depended)
            if line:
                lines.append(self._behind(line, lines))
        lines += self._elsewhere(subject, legs)
        return self._repeats(lines, subject)

    def _elsewhere(self, subject: Subject, legs: Sequence[str]) -> Iterator[Line]:
        """Yield D6 of a ledger whose leg is off: it is told on that leg all the same (B9)."""
        homes = {self._home_of(ledger) for ledger, one in subject.found.items() if one.finding == "D6"}
        for leg in sorted(homes - set(legs)):
            yield self._line(subject, leg, self.rules.rows["D6"])

    def _closing(self, subject: Subject) -> Line | None:
        """Return the one line of a key that is not evaluated further: D2, R1-R3, S5, S6."""
        if line := self._finding(subject, frozenset(range(len(NAMES)))):
            return line
        journal = subject.found[GW].state if GW in subject.found else None
        if journal in (State.PENDING, State.MANUAL):
            return self._line(subject, "L1", self.rules.rows["S5" if journal is State.PENDING else "S6"])
        return None

    def _finding(self, subject: Subject, ledgers: frozenset[int]) -> Line | None:
        """Return the line about duplicates or refunds inside a ledger; a duplicate comes before a refund."""
        codes = {ledger: one.finding for ledger, one in subject.found.items() if one.finding and ledger in ledgers}
        codes = {ledger: code for ledger, code in codes.items() if code != "D6"}
        if not codes:
            return None
        code = min(codes.values())
        concerned = frozenset(ledger for ledger, one in codes.items() if one == code)
        rule = self.rules.rows[code]
        if code == "R1" and concerned <= self._judge(subject).scope.incomplete:
            # What it cancels may stand in the part that is missing: that is no finding (B4).
            rule = self.rules.classes[WITHHELD]
        secondary = tuple(sorted({self.rules.rows[other].name for other in codes.values() if other != code}))
        notes = (",".join(NAMES[ledger] for ledger in sorted(concerned)), *secondary)
        return self._line(subject, self.scope.home(concerned), rule, notes=notes)

    def _leg(self, leg: str, subject: Subject, depended: bool) -> Line | None:
        """Return the line of one leg as if it stood alone."""
        members = self.scope.members(leg)
        if any(subject.found[ledger].finding == "D6" for ledger in members if leg == self._home_of(ledger)):
            return self._line(subject, leg, self.rules.rows["D6"])
        named = self._judge(subject).name(leg, subject.found, depended)
        if not named.name:
            return self._settled(leg, subject)
        rule = self.rules.rows[named.row] if named.row not in ("", "T5") else self.rules.classes[named.name]
        line = self._line(subject, leg, rule, named.circumstance, notes=named.notes)
        line = attrs.evolve(line, row=named.row or line.row, guard_fen=subject.moved(leg))
        if named.name.startswith("L") or named.row == "T3":
            left, right = _SHOWN[leg]
            line = attrs.evolve(
                line, component="medfee_sumamt", left=subject.medfee(left), right=subject.medfee(right),
                notes=(*line.notes, *self._secondary(leg, subject)),
            )  # fmt: skip
        if named.row == "S1":
            line = attrs.evolve(line, missed=next((NAMES[one] for one in members if subject.settled(one)), ""))
        return self._never(line, leg, subject)

    def _home_of(self, ledger: int) -> str:
        return self.scope.home(frozenset({ledger}))

    def _never(self, line: Line, leg: str, subject: Subject) -> Line:
        """Take the reversal from a line that may not have one (B4, T5), whose key was refunded on a later day, or
        whose serial is another key's, too: the order goes by the serial and could take out the other record."""
        short = self._judge(subject).scope.incomplete & set(self.scope.members(leg))
        far = any(one.far or one.refunded_later for one in subject.found.values())
        unseen = leg == "L2" and not self.scope.given & {INST, GW}
        twofold = leg != "L1" and subject.ambiguous
        if line.action == "REVERSE" and (short or far or unseen or twofold):
            return attrs.evolve(line, mode="TWO", action="CASE")
        return line

    def _behind(self, line: Line, before: Sequence[Line]) -> Line:
        """B3: behind an open leg there is nothing to do but wait."""
        open_leg = next((one.leg for one in before if not one.agreed), "")
        if not open_leg or line.action in ("NONE", "WAIT"):
            return line
        return attrs.evolve(line, action=f"WAIT_LEG{open_leg[1]}")

    def _settled(self, leg: str, subject: Subject) -> Line | None:
        """Return what is left to say of a leg on which all have the settlement: amounts, attributes, dates."""
        standing = {ledger: subject.found[ledger] for ledger in self.scope.members(leg)}
        rows = {ledger: one.row for ledger, one in standing.items() if one.settled and one.row}
        days = {row.day for row in rows.values()}
        timing = ("TIMING",) if len(days) > 1 else ()
        found = amounts.compare(leg, rows)
        wrong = amounts.attributes(rows)
        if found:
            names = (",".join(found.others),) if found.others else ()
            notes = (*names, *timing, *(("ATTRIBUTE " + ",".join(wrong),) if wrong else ()))
            rule, told = self.rules.rows[found.verdict or found.row], self.rules.rows[found.row]
            line = attrs.evolve(self._line(subject, leg, rule, notes=notes), name=told.name, row=told.row)
            return attrs.evolve(line, component=found.component, left=found.left, right=found.right)
        if wrong:  # before T1: whose settlement it is must not hide behind a date
            line = self._line(subject, leg, self.rules.rows["A9"], notes=(*wrong[1:], *timing))
            return attrs.evolve(line, component=wrong[0])
        if timing:
            months = {self.scope.day(day)[:7] for day in days}
            return self._line(subject, leg, self.rules.rows["T2" if len(months) > 1 else "T1"])
        return None

    def _secondary(self, leg: str, subject: Subject) -> Iterator[str]:
        """Yield what else is wrong with a leg whose class is one of presence."""
        standing = {ledger: subject.found[ledger] for ledger in self.scope.members(leg)}
        rows = {ledger: one.row for ledger, one in standing.items() if one.settled and one.row}
        if found := amounts.compare(leg, rows):
            yield f"{found.row} {','.join((found.component, *found.others))}"
        if wrong := amounts.attributes(rows):
            yield f"A9 {','.join(wrong)}"
        if len({row.day for row in rows.values()}) > 1:
            yield "TIMING"

    def _repeats(self, lines: list[Line], subject: Subject) -> list[Line]:
        """Tell identical rows: in the note of the leg's line, else on a line of their own (D1)."""
        repeated = {self._home_of(ledger) for ledger, one in subject.found.items() if one.repeated}
        lines = [self._with_repeats(line, subject, line.leg) for line in lines]
        told = {line.leg for line in lines}
        return lines + [self._line(subject, leg, self.rules.rows["D1"]) for leg in sorted(repeated - told)]

    def _with_repeats(self, line: Line, subject: Subject, leg: str | None) -> Line:
        homes = {self._home_of(ledger) for ledger, one in subject.found.items() if one.repeated}
        if (leg in homes) if leg else homes:
            return attrs.evolve(line, notes=(*line.notes, "DUP_ROW"))
        return line

    def _clocks(self, subject: Subject) -> None:
        """T6: count a key whose sender's clock is off the agency's by more than a minute on one date."""
        if self.scope.role != CARE:
            return
        agency = subject.found[AGY].row if AGY in subject.found and subject.found[AGY].settled else None
        if agency is None or agency.second is None:
            return
        for ledger in (INST, GW):
            one = subject.found.get(ledger)
            if one is None or not one.settled or one.row is None or one.row.second is None:
                continue
            if one.row.day == agency.day and abs(one.row.second - agency.second) > SKEW_S:
                self.tally.count("T6")
                return

    def _line(
        self, subject: Subject, leg: str, rule: Rule, circumstance: str = "", notes: tuple[str, ...] = ()
    ) -> Line:
        way = rule.when.get(circumstance, Way(rule.mode, rule.action))
        setl_id, msgid, prov_sn = subject.text("setl_id"), subject.text("msgid"), subject.text("prov_sn")
        key = setl_id or (f"m:{msgid}" if msgid else f"p:{prov_sn}")
        if not setl_id and not msgid:
            notes = (f"prov_sn={prov_sn}", *notes)
        return Line(
            key=key, setl_id=setl_id, msgid=msgid, fixmedins_code=subject.text("fixmedins_code"), leg=leg,
            name=rule.name, row=rule.row, mode=way.mode, action=way.action, prevails=rule.prevails,
            biz_date=self.scope.day(subject.day()), agreed=rule.agreed, notes=notes,
            said=subject.said(self.scope.members(leg)),
        )  # fmt: skip


def _today(subject: Subject) -> bool:
    return any(row.day == 0 for row in subject.rows)


def _broken(subject: Subject) -> bool:
    return any(one.finding and one.finding != "D6" for one in subject.found.values())
