"""A day of the books as pages: one page that prints on A4, and beneath it one page or section for each open difference.

Self-contained, no scripts, nothing from outside; every text is escaped by the template.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from gateway.app.books_report import ACTIONS, MODES
from gateway.app.day_evidence import brief, compare, happened
from gateway.app.day_words import (
    ACTION_STATES,
    CASE_STATES,
    DAY_STATES,
    LEGS,
    LOOKS,
    MOVERS,
    PARTIES,
    ROLES,
    STANDINGS,
    money,
    until,
    when,
)
from gateway.app.day_work import Gathered, Proof
from gateway.app.parties_drawing import parties_drawing
from gateway.books.report import STANDINGS as ORDER
from gateway.books.report import UNSETTLED, DayReport, Institution, standing_of

PAGE_ITEMS, PAGE_INSTITUTIONS = 200, 50  # on the page; the workbook has all
SECTIONS_MAX, PAGES_MAX = 40, PAGE_ITEMS  # differences with evidence: on the one page, beside it
_TEMPLATES = Path(__file__).parent / "templates"


def day_page(found: Gathered, *, beside: bool) -> str:
    """Return the page. beside: evidence lies in files of its own, else below the page."""
    report = found.report
    unsettled = [one for one in report.items if standing_of(one) in UNSETTLED]
    institutions = ranked(report)
    return template("books_day.html").render(
        report=report,
        title="对账日报",
        role=ROLES.get(report.role, report.role),
        whose=whose(report),
        verdict=verdict(report),
        keys=keys_of(report),
        lost=found.lost,
        drawing=parties_drawing(report),
        order=ORDER,
        institutions=institutions[:PAGE_INSTITUTIONS] if not report.scope else (),
        institutions_rest=max(0, len(institutions) - PAGE_INSTITUTIONS),
        items=[_linked(brief(one), found, beside) for one in unsettled[:PAGE_ITEMS]],
        items_rest=sum(report.total(name).lines for name in UNSETTLED) - len(unsettled[:PAGE_ITEMS]),
        sections=[] if beside else [section(proof) for proof in found.proofs.values()],
        freezes=found.freezes,
        standings=STANDINGS, movers=MOVERS, legs=LEGS, looks=LOOKS, parties=PARTIES, day_states=DAY_STATES,
        actions=ACTIONS, action_states=ACTION_STATES, case_states=CASE_STATES, modes=MODES,
    )  # fmt: skip


def settlement_page(found: Gathered, proof: Proof) -> str:
    """Return one difference's page."""
    return template("books_settlement.html").render(date=found.report.date, lost=found.lost, **section(proof))


def section(proof: Proof) -> dict[str, Any]:
    """Return what the template tells of a difference."""
    return {
        "brief": brief(proof.item),
        "compared": compare(proof),
        "happened": happened(proof),
        "stories": proof.stories,
    }


def _linked(told: Mapping[str, str], found: Gathered, beside: bool) -> dict[str, str]:
    known = told["id"] in found.proofs
    place = f"settlements/{told['id']}.html" if beside else f"#e-{told['id']}"
    return {**told, "href": place if known else ""}


def whose(report: DayReport) -> str:
    """Say which institution a report is about, or that it is about all."""
    if not report.scope:
        return "全市"
    name = report.institutions[report.scope].name if report.scope in report.institutions else ""
    return f"{name}（{report.scope}）" if name else report.scope


def verdict(report: DayReport) -> str:
    if report.run is None:
        return "未核对"
    if report.provisional:
        return "业务日未结束：只是预对，未作任何处理，日终后须再对"
    if not report.agreed:
        return "账不平"
    return "账平（有结转）" if report.total("carried").lines else "账平"


def keys_of(report: DayReport) -> int | None:
    """Return how many settlements the day has; None when that is not known."""
    if not report.scope:
        return report.run.keys if report.run else None
    leg = report.legs["L1"]
    unsettled = sum(leg.counts[name].lines for name in UNSETTLED)
    return None if leg.agreed is None else leg.agreed[0] + unsettled


def ranked(report: DayReport) -> Sequence[Institution]:
    """Return the institutions, those with most to do first."""
    return sorted(
        report.institutions.values(),
        key=lambda one: (-sum(one.counts[name].lines for name in UNSETTLED), one.code),
    )


@cache
def template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.globals |= {"money": money, "when": when, "until": until}
    return environment.get_template(name)
