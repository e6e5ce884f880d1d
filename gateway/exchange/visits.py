"""What local code a visit was sent with, where a national code has several local ones (annex X14)."""

from collections import OrderedDict

import attrs

from gateway.core.codes import SLOT_OF
from gateway.core.facts import head_node
from gateway.exchange.job import Job

REMEMBERED_MAX = 200_000


def visit_of(job: Job) -> str:
    """Return the mdtrt_id a message is about, '' when it names none."""
    mdtrt_id = head_node(job.plan.head, job.tree["input"]).get("mdtrt_id")
    return mdtrt_id if isinstance(mdtrt_id, str) else ""


@attrs.define(eq=False)
class Visits:
    """Remembers only what cannot be told from the mapping alone; bounded, the oldest go first."""

    _codes: OrderedDict[tuple[str, str, str, str], str] = attrs.Factory(OrderedDict)

    def remember(self, job: Job) -> None:
        """Keep the local codes of a message whose national code has more than one."""
        shared = job.institution.snapshot.shared
        visit = None
        for _, system, local, national, _, _ in job.evidence:
            if national in shared:
                visit = visit_of(job) if visit is None else visit
                for slot in SLOT_OF.get(system, ()) if visit else ():
                    self._codes[job.institution.code, visit, slot, national] = local
        while len(self._codes) > REMEMBERED_MAX:
            self._codes.popitem(last=False)

    def code(self, institution: str, visit: str, slot: str, national: str) -> str:
        """Return the local code, '' when none is remembered."""
        return self._codes.get((institution, visit, slot, national), "")
