"""The desk: reads one request, finds out whose it is and what it wants, checks and translates it, and hands it on.

Order: readiness, source, JSON, envelope, institution, rate, transaction, size, checks and translation, then by class to
the relay (Q, W, C) or the clerk (M, A, R). Everything refused here was recorded nowhere and forwarded nowhere.
Rules: contract §4; contract-annex X4-X23; security T3-T5, T9, T19.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import attrs

from gateway.core.answers import refusal
from gateway.core.beside import missed
from gateway.core.checks import examine_slices
from gateway.core.dates import day_of
from gateway.core.errors import TRANSLATION_RULES, BadJson, Complaint
from gateway.core.facts import Digest, content, is_trial
from gateway.core.jsontext import decode, decode_exact, encode, minus_zero, plain, shape_complaint, skeleton
from gateway.core.model import Known, NotAccepted, OpResult, Recall, Source
from gateway.core.plan import Plan
from gateway.core.ports import Clock, Incoming, Watch
from gateway.core.translation import Work
from gateway.exchange.bigbody import BIG_BYTES, BigBody, Hasher, shallow
from gateway.exchange.clerk import Clerk
from gateway.exchange.door import Door
from gateway.exchange.following import follow, names_none
from gateway.exchange.job import Job
from gateway.exchange.known import answer_known
from gateway.exchange.lookups import Lookups
from gateway.exchange.queue import JournalQueue
from gateway.exchange.relay import Relay
from gateway.exchange.reversal import Reversals
from gateway.exchange.visits import Visits, visit_of

Route = Literal["call", "upload", "download"]
ROUTES: dict[bytes, Route] = {
    b"/fsi/api/fileupload/upload": "upload",
    b"/fsi/api/fileupload/download": "download",
}
PREFIX = b"/fsi/api/"
_WANTED: dict[Route, str] = {"upload": "9101", "download": "9102"}


@attrs.define(eq=False)
class Desk:
    """Takes whole requests.

    hasher: makes a digest that grows, for big messages. why_not: '' while the node is ready, else the gw_code that
    says why it is not.
    """

    clock: Clock
    door: Door
    queue: JournalQueue
    relay: Relay
    lookups: Lookups
    clerk: Clerk
    watch: Watch
    digest: Digest
    why_not: Callable[[], str]
    visits: Visits
    reversals: Reversals
    hasher: Callable[[], Hasher]
    _sequence: int = 0

    def receive(self, incoming: Incoming, source: Source, route: Route = "call") -> None:
        """Answer one request, now or later. A fault of ours is answered too, and raised again for the log."""
        try:
            job = self._job(incoming, source)
        except BadJson as cause:
            self._turn_away(incoming, "GW-JSON", "invalid", str(cause))
            return
        if job is not None:
            self._safely(job, self._admit, job, route)

    def _safely(self, job: Job, step: Callable[..., None], *arguments: Any) -> None:
        """Take one step of a request; whatever goes wrong, the institution gets an answer that promises nothing."""
        try:
            step(*arguments)
        except BadJson as cause:
            job.turn_away("GW-JSON", "invalid", str(cause))
        except Exception:  # boundary: a bug of ours; the log gets type and place
            self.watch.alarm("internal", job.institution.code, job.msgid)
            if job.dispatched:
                job.say_state("IN_DOUBT", "internal")
            else:
                job.turn_away("GW-NOT-READY", "internal")
            raise

    def _job(self, incoming: Incoming, source: Source) -> Job | None:
        """Read one request up to whose it is; None when it was answered already."""
        why = self.why_not()
        if why:
            self._turn_away(incoming, why, "refused")
            return None
        bound = self.door.bound(source)
        if not bound:
            self.watch.alarm("unknown_source", "", "")
            self._turn_away(incoming, "GW-SOURCE", "identity")
            return None
        raw = incoming.body
        tree = shallow(raw) if len(raw) > BIG_BYTES else decode(raw)
        if not _is_envelope(tree):
            complaint = shape_complaint(raw, decode(raw))
            self._turn_away(incoming, "GW-JSON" if complaint else "GW-ENVELOPE", "invalid", complaint)
            return None
        code, admdvs = tree.get("fixmedins_code"), tree.get("mdtrtarea_admvs")
        known = bound.get(code) if isinstance(code, str) else None
        institution = known or next(iter(bound.values()))
        insured_at = tree.get("insuplc_admdvs")
        treated_at = admdvs if isinstance(admdvs, str) else ""
        link, local = institution.route(insured_at if isinstance(insured_at, str) else "", treated_at)
        plans = link.beside if local else link.plans
        self._sequence += 1
        return Job(
            incoming=incoming,
            institution=institution,
            link=link,
            local=local,
            infno=tree["infno"],
            msgid=tree["msgid"],
            plan=plans.get(tree["infno"]) or next(iter(plans.values())),
            clock=self.clock,
            watch=self.watch,
            sequence=self._sequence,
            began=self.clock.seconds(),
            admdvs=treated_at,
            tree=tree,
        )

    def _admit(self, job: Job, route: Route) -> None:
        """Let a request in: rate, identity, transaction, size; then it is checked."""
        institution, tree, raw = job.institution, job.tree, job.incoming.body
        admitted = institution.take(job.began)
        institution.in_flight += 1  # given back by the answer
        if not admitted:
            job.turn_away("GW-RATE", "rate")
        elif tree.get("fixmedins_code") not in (None, "", institution.code):
            self._foreign(job)
        elif job.infno not in job.link.plans:
            self._unknown(job)
        elif len(raw) > job.plan.transaction.body_bytes_max:
            limit = f"{len(raw)}字节，上限{job.plan.transaction.body_bytes_max}字节"
            job.turn_away("GW-SIZE", "invalid", limit, [Complaint("input", "size", limit)])
        elif route != "call" and job.infno != _WANTED[route]:
            job.refuse("GW-INFNO", "invalid", detail=f"此地址只接受{_WANTED[route]}")
        elif names_none(job):
            follow(job, self.queue, self.clerk.office.links, partial(self._safely, job, self._followed, job))
        else:
            self._check(job, tree)

    def _followed(self, job: Job, fault: NotAccepted | None) -> None:
        if fault is not None:
            job.turn_away("GW-NOT-ACCEPTED", "not_sent")
        elif job.infno not in job.link.plans:
            self._unknown(job)
        else:
            self._check(job, job.tree)

    def _unknown(self, job: Job) -> None:
        raw = job.incoming.body
        complaint = shape_complaint(raw, decode(raw))
        if complaint:
            job.turn_away("GW-JSON", "invalid", complaint)
        else:
            job.infno = "other"
            job.reply(job.made("GW-INFNO"), "invalid", "GW-INFNO")

    def _foreign(self, job: Job) -> None:
        self.watch.alarm("identity", job.institution.code, job.msgid)
        job.refuse("GW-IDENTITY", "identity")

    def _turn_away(self, incoming: Incoming, code: str, result: str, detail: str = "") -> None:
        status, body = refusal(code, detail)
        incoming.respond(status, body)
        self.watch.request("other", "", "", result, 0.0, "", code)

    # --- checks and translation ---

    def _work(self, job: Job) -> Work:
        institution = job.institution
        return Work(
            institution.snapshot,
            day_of(self.clock.seconds()),
            institution.code,
            names=job.link.national_names,
            beside=job.local,
        )

    def _check(self, job: Job, tree: dict[str, Any]) -> None:
        if len(job.incoming.body) > BIG_BYTES:
            self._check_big(job, tree)
            return
        if job.klass != "Q" and type(tree.get("input")) is dict:
            job.digest = self.digest(content(job.infno, job.institution.code, tree["input"]))
        work = self._work(job)
        self._checked(job, tree, work, job.plan.run(tree, work))

    def _check_big(self, job: Job, tree: dict[str, Any]) -> None:
        work = self._work(job)
        big = BigBody(
            job, tree, work, self.hasher, lambda read, keys, bones: self._checked(job, read, work, keys, bones)
        )
        self._turn(job, big.steps())

    def _turn(self, job: Job, steps: Iterator[None]) -> None:
        """Take one step of a big message; the next one when others had their turn."""
        for _ in steps:
            self.clock.callLater(0, self._safely, job, self._turn, job, steps)
            return

    def _checked(self, job: Job, tree: dict[str, Any], work: Work, keys: int, bones: bytes | None = None) -> None:
        raw = job.incoming.body
        if keys < 0 or not plain(skeleton(raw) if bones is None else bones, keys):
            self._turn(job, self._explain(job))
        else:
            self._hand_on(job, tree, work)

    def _explain(self, job: Job) -> Iterator[None]:
        """Walk the slow, complete way, in slices: what the plan did not say yes to."""
        raw = job.incoming.body
        tree = decode_exact(raw) if minus_zero(raw) else decode(raw)
        if len(raw) > BIG_BYTES:
            yield
        complaint = shape_complaint(raw, tree)
        if complaint:
            job.turn_away("GW-JSON", "invalid", complaint)
            return
        work = self._work(job)
        yield from examine_slices(job.plan.region, job.plan.transaction, tree, work)
        if work.foreign:
            self._foreign(job)
        elif work.complaints:
            self._complain(job, work)
        else:
            self._hand_on(job, tree, work)

    def _hand_on(self, job: Job, tree: dict[str, Any], work: Work) -> None:
        for dictionary in work.unknown:
            self.watch.unknown_value(dictionary)
        for system in missed(work.evidence) if job.local else ():
            self.watch.translation_miss(system)
        job.tree, job.evidence, job.day = tree, tuple(work.evidence), work.day
        self.visits.remember(job)
        if job.insured_at:
            tree["insuplc_admdvs"] = job.insured_at
            work.changed = True
        job.body = encode(tree) if work.changed else job.incoming.body
        job.trial = is_trial(job.plan.transaction, job.plan.head, tree["input"])
        klass = job.klass
        job.dispatched = True
        if klass == "Q":
            self.lookups.ask(job)
        elif klass == "W":
            self._write(job)
        elif klass == "C":
            self.relay.clear(job)
        elif job.infno == "2601":
            self.reversals.take(job)
        else:
            self.clerk.take(job)

    def _write(self, job: Job) -> None:
        """Fee details of a visit must not change under a settlement in doubt (reversal specification §7)."""
        if job.infno in ("2204", "2205"):
            holder = self.clerk.lanes.blocked_visit(job.institution.code, visit_of(job))
            if holder is not None:
                job.refuse("GW-REVERSING" if holder.state == "REVERSING" else "GW-LANE-BUSY", "refused", other=holder)
                return
        self.relay.write(job)

    def _complain(self, job: Job, work: Work) -> None:
        """Refuse with everything that is wrong; but a msgid the journal knows is answered from there first (X7)."""

        def refuse(found: OpResult | NotAccepted = None) -> None:
            if isinstance(found, Known):
                answer_known(job, found, self.queue, self.clerk.lanes)
                return
            complaints = work.complaints
            misses = [c for c in complaints if c.rule in TRANSLATION_RULES]
            for complaint in misses:
                self.watch.translation_miss(_system_of(job.plan, complaint))
            code = "GW-UNMAPPED" if misses else "GW-INVALID"
            job.refuse(code, "unmapped" if misses else "invalid", complaints=complaints)

        if job.klass == "Q":
            refuse()
        else:
            self.queue.submit(Recall(job.institution.code, job.msgid), refuse)


def _is_envelope(tree: Any) -> bool:
    """X16: an object with text infno and text msgid, both non-empty."""
    if type(tree) is not dict:
        return False
    infno, msgid = tree.get("infno"), tree.get("msgid")
    return type(infno) is str and bool(infno) and type(msgid) is str and bool(msgid)


def _system_of(plan: Plan, complaint: Complaint) -> str:
    """Return the code system of the field a miss stands at."""
    name = complaint.path.rsplit(".", 1)[-1]
    for node in (*plan.transaction.nodes, *((plan.transaction.root,) if plan.transaction.root else ())):
        field = node.field(name)
        if field is not None and field.system:
            system: str = field.system
            return system
    return "other"
