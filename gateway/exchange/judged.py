"""The answer to a money-moving request: what it proves, and the bytes the institution gets of it, in its own codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.backward import rewritten, translate_back
from gateway.core.beside import attach
from gateway.core.ports import Reply
from gateway.exchange.verdict import Verdict

if TYPE_CHECKING:
    from gateway.exchange.call import Call


def judged(call: Call, status: int, body: bytes, whole: bool) -> tuple[bytes, Verdict]:
    """Return (the bytes the institution gets, what they prove)."""
    link = call.first.link
    reply = link.codec.read(status, body, whole, True)
    verdict = link.judge.money(status, reply, body, call.first.plan.transaction, call.entry)
    if verdict.kind == "acked" and reply.tree is not None:
        try:
            body = _translated(call, reply, body)
        except Exception:  # boundary: what is proved stays proved; the platform's own bytes say it as well
            call.alarm_internal()
    return body, verdict


def _translated(call: Call, reply: Reply, body: bytes) -> bytes:
    job = call.first
    if job.local:
        return attach(body, job.evidence)
    backward = job.link.backward[job.infno]
    if not backward.nodes or not backward.wanted(job.institution.snapshot):
        return body
    code, visit = call.entry.fixmedins_code, call.entry.mdtrt_id
    new = translate_back(
        backward,
        reply.tree or {},
        job.institution.snapshot,
        job.day,
        lambda slot, national: call.clerk.visit_code(code, visit, slot, national) if visit else "",
    )
    return rewritten(reply, body, new)
