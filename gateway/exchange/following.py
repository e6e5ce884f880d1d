"""A cancellation goes where its settlement went (regime "local" with a link for persons insured elsewhere).

Such an institution's messages are divided by the insured locality of their envelope, and a cancellation often names
none. Where the journal has its settlement on another link alone, that link and its locality are taken; a message that
names a locality is left to it. Of 2601 `reversal` does the same. Source: design §5; reversal specification RV1.
"""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.core.facts import CANCELS, head_node
from gateway.core.model import NotAccepted, Numbered, OpResult, Page
from gateway.exchange.door import Link
from gateway.exchange.job import Job
from gateway.exchange.queue import JournalQueue

Then = Callable[..., None]


def names_none(job: Job) -> bool:
    """Say whether the journal must be asked where a message goes."""
    return (
        job.local
        and job.institution.remote is not None
        and job.infno[:4] in CANCELS
        and not job.tree.get("insuplc_admdvs")
    )


def follow(job: Job, queue: JournalQueue, links: Mapping[str, Link], then: Then) -> None:
    """Find the settlement and put its link and locality into the job; then(NotAccepted or None) once."""
    head = _head(job)
    setl_id, psn_no = head.get("setl_id"), head.get("psn_no")
    if type(setl_id) is not str or not setl_id:
        then(None)  # the checks say it
        return

    def told(found: OpResult | NotAccepted) -> None:
        if not isinstance(found, Page):
            then(NotAccepted())
            return
        rows = [row for row in found.rows if row.psn_no == psn_no]
        if rows and {row.link for row in rows}.isdisjoint({job.link.name}):
            _take(job, links, rows[0].link, rows[0].insuplc_admdvs)
        then(None)

    queue.submit(Numbered(fixmedins_code=job.institution.code, setl_id=setl_id), told)


def _take(job: Job, links: Mapping[str, Link], name: str, insured_at: str) -> None:
    link = links.get(name)
    if link is not None:
        job.link, job.local, job.insured_at = link, False, insured_at
        job.plan = link.plans.get(job.infno, job.plan)


def _head(job: Job) -> Mapping[str, Any]:
    message = job.tree.get("input")
    return head_node(job.plan.head, message) if type(message) is dict else {}
