"""All content checks over the rows of one institution and system (mapping rules §6, annex C1, C2, C4).

Pure: rows and ground in, findings out, in the order of lines. MA17 concerns persons and is decided where they act
(`gateway.codes.content.same_person`).
"""

from collections.abc import Iterable, Sequence

from gateway.codes.checks.findings import Finding
from gateway.codes.checks.ground import Ground
from gateway.codes.checks.prices import price_findings
from gateway.codes.checks.products import Comparison, many_to_one, product_findings
from gateway.codes.checks.targets import dying, target_findings, useless
from gateway.codes.checks.use import upload_findings, use_findings
from gateway.codes.mapping import Proposed

# With one of these the row's target is in question: to compare its facts would say the same thing twice.
_MOOT = frozenset({"MA01", "MA03", "MA06", "MA07"})


def check(rows: Sequence[Proposed], ground: Ground) -> list[Finding]:
    """Return every finding, by line and rule."""
    targets = target_findings(rows, ground)
    live = [row for row in rows if row.until >= ground.today]
    sound = [row for row in live if row.line not in targets or targets[row.line].rule not in _MOOT]
    findings = [*targets.values()]
    findings += (one for one in dying(live, ground) if one.line not in targets)
    findings += useless(sound, ground)
    compared = Comparison(ground)
    for row in sound:
        if (one := ground.target(row.national)) is not None:
            compared.take(row, one)
            findings += product_findings(row, one)
            findings += use_findings(row, one, ground)
    findings += compared.findings()
    findings += many_to_one(sound, ground)
    findings += price_findings(sound, ground)
    findings += upload_findings(rows, ground)
    return sorted(findings, key=lambda one: (one.line, one.rule, one.column, one.message))


def blocking(findings: Iterable[Finding], names_sent: bool) -> dict[int, Finding]:
    """Return line -> first finding that keeps the row out of force: errors do, warnings do not.

    names_sent: the link sends the national name of every code (annex X12). Then a local name that differs (MA16) is the
    doctor's word for the same thing and reaches nobody, so it holds nothing up.
    """
    kept: dict[int, Finding] = {}
    for one in findings:
        if one.level == "error" and one.line and not (names_sent and one.rule == "MA16"):
            kept.setdefault(one.line, one)
    return kept
