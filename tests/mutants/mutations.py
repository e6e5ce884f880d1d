"""Planted bugs: ways of breaking the exchange, each of which the city, or a named test, must notice. Data only.

`old` stands exactly once in its file; a test says so, so that the table does not rot. `weathers`: where to look first;
`tests`: who notices what a city cannot see. `why` is what would happen at a counter.
"""

from mutation import (
    CALL,
    CLERK,
    DESK,
    KNOWN,
    LANES,
    MACHINE,
    MEMORY,
    UNDO,
    VERDICT,
    Mutation,
)  # fmt: skip
from mutations_believed import BELIEVED
from mutations_doubt import DOUBTS
from mutations_late import LATES
from mutations_taken_back import TAKEN_BACK

MUTATIONS = (
    # --- sending ---
    Mutation(
        "a timeout read as a refusal", CALL,
        "        self.safely(lambda: self.do(self.machine.fell_silent()))",
        "        self.outcome = (self.first.state_answer('NOT_SENT')[0], Verdict('rejected', 'timeout'))\n"
        "        self.do(self.machine.rejected())",
        "the patient pays in cash what the fund has paid already",
    ),
    Mutation(
        "SENT written after sending", CALL,
        "        self.clerk.queue.submit(op, lambda found: self.safely(self._opened, state, found))",
        "        self.clerk.queue.later(op)\n        self._opened(state, Accepted())",
        "a crash in between forgets a settlement",
    ),
    Mutation(
        "the answer told before it is durable", CALL,
        "        self.clerk.queue.submit(op, lambda moved: self.safely(self._recorded, effect, moved))",
        "        self.clerk.queue.submit(op, lambda moved: self.safely(self._recorded, effect, moved))\n"
        "        for job in self.jobs if effect.to == 'ACKED' and answer is not None else ():\n"
        "            job.reply(answer, 'ok')",
        "a crash turns a told success into a doubt, and the doubt into a reversal",
    ),
    Mutation(
        "retry with a new msgid", CALL,
        "        self.first.link.breaker.failed()\n        self.outcome = None\n",
        "        self.first.link.breaker.failed()\n        self.outcome = None\n"
        "        again = self.first.body.replace(self.entry.msgid.encode(), self.entry.msgid[:-1].encode() + b'Z')\n"
        "        self.first.link.exchange.send(b'', b'', again, self, self.first.link.timeout_s)\n",
        "the fund pays twice",
    ),
    Mutation(
        "retry with the same msgid", CALL,
        "        self.first.link.breaker.failed()\n        self.outcome = None\n",
        "        self.first.link.breaker.failed()\n        self.outcome = None\n"
        "        self.first.link.exchange.send(b'', b'', self.first.body, self, self.first.link.timeout_s)\n",
        "the platform does not know msgids: the fund pays twice",
    ),
    Mutation(
        "a broken connection read as not sent", CALL,
        "        self.outcome = (b\"\", Verdict(\"doubt\", reason))\n"
        "        self.safely(lambda: self.do(self.machine.unclear()))",
        "        self.outcome = (b\"\", Verdict(\"not_sent\", reason))\n"
        "        self.do(self.machine.never_left() if self.entry.state == 'SENT' else self.machine.unclear())",
        "the cashier settles again what is settled",
    ),
    Mutation(
        "a doubt told as not sent", CALL,
        "        self._tell_each(lambda job: job.say_state(state))",
        "        self._tell_each(lambda job: job.say_state('NOT_SENT'))",
        "the cashier settles again what may be settled",
    ),
    Mutation(
        "the late window never closes", CALL,
        "        link.exchange.send(path, headers, job.body, self, left, link.late_s)",
        "        link.exchange.send(path, headers, job.body, self, left, 600.0)",
        "a late answer is believed after the cashier was told to wait",
    ),
    Mutation(
        "a late answer believed by the machine", MACHINE,
        "    for state in (in_doubt, ended):\n",
        "    @in_doubt.upon(Settlement.acked).to(ended)\n"
        "    def believed(machine: Settlement, facts: Facts) -> Effects:\n"
        "        return (Record('IN_DOUBT', 'ACKED'),)\n\n"
        "    in_doubt.upon(Settlement.rejected).loop()(lambda machine, facts: (Note('LATE_RESPONSE'),))\n"
        "    in_doubt.upon(Settlement.unclear).loop()(lambda machine, facts: (Note('LATE_RESPONSE'),))\n"
        "    for state in (ended,):\n",
        "the reversal of a settlement and its success cross",
        tests=("tests/exchange/test_machine.py",),
    ),
    # --- delivery ---
    Mutation(
        "the delivered flag not in the same commit", CALL,
        "            delivered=self.entry.delivered,", "            delivered=False,",
        "a success that was handed over may be reversed after a crash",
    ),
    Mutation(
        "who attached late is not noted as delivered to", CALL,
        "        if state == \"ACKED\" and not self.entry.delivered and any(job.incoming.alive for job in self.jobs):",
        "        if state == \"ACKED\" and self.first is None:",
        "a success that was handed over may be reversed",
    ),
    Mutation(
        "reversal after delivery", CALL,
        "            for job in self.jobs:\n                job.reply(body, result,",
        "            if state == \"ACKED\" and not all(job.incoming.alive for job in self.jobs):\n"
        "                self.clerk.office.begin(self.entry, self.entry, int(self.began * 1000))\n"
        "            for job in self.jobs:\n                job.reply(body, result,",
        "the patient has left with his receipt, and it is taken back",
    ),
    Mutation(
        "a replayed answer re-encoded", KNOWN,
        "    elif entry.state not in (\"ACKED\", \"CONFIRMED\") or entry.delivered or not job.incoming.alive:\n"
        "        job.reply(answer, \"duplicate\")",
        "    elif entry.state not in (\"ACKED\", \"CONFIRMED\") or entry.delivered or not job.incoming.alive:\n"
        "        import json\n"
        "        job.reply(json.dumps(json.loads(answer)).encode(), \"duplicate\")",
        "signatures and amounts are not the platform's any more",
    ),
    Mutation(
        "a replayed success not noted as delivered", KNOWN,
        "    queue.submit(delivering(entry, job.clock), noted)", "    noted(None)",
        "a success that was handed over counts as never told",
    ),
    # --- duplicates ---
    Mutation(
        "the business key not checked", CLERK,
        "            business_key=facts.business_key,", "            business_key=\"\",",
        "two windows settle one visit",
    ),
    Mutation(
        "a duplicate msgid forwarded twice", MEMORY,
        "        if known is not None:\n            return known\n        holder", "        holder",
        "the same message settles twice",
    ),
    Mutation(
        "a repeat does not attach to the one on its way", CLERK,
        "        if call is not None:\n", "        if call is not None and self.queue.full:\n",
        "the first caller is never answered and the lane stays taken",
    ),
    Mutation(
        "the same msgid with another content accepted", KNOWN,
        "    if entry.digest != job.digest and entry.state != \"EXTERNAL\":\n", "    if entry.digest == b\"\":\n",
        "the answer to one bill is given to another",
    ),
    # --- lanes ---
    Mutation(
        "the lane released early", CALL,
        "        self.entry.state = effect.to\n",
        "        self.entry.state = effect.to\n"
        "        if effect.to == 'IN_DOUBT':\n            self.clerk.lanes.leave(self.entry)\n",
        "the next bill of a person leaves while the last one is in doubt",
    ),
    Mutation(
        "who waits is sent when the holder falls into doubt", CALL,
        "        if holder is not None and holder is not self.entry:\n",
        "        if holder is not None and holder.state == 'MANUAL':\n",
        "two bills of a person cross",
    ),
    Mutation(
        "a doubt does not block its lane", CLERK,
        "        elif holder.state in DOUBT:\n            call.ask_first(holder)",
        "        elif holder.state in DOUBT:\n            call.begin()",
        "two bills of a person cross",
    ),
    Mutation(
        "MANUAL blocks the lane for ever", UNDO,
        "            office.lanes.leave(holder)",
        "            if to != \"MANUAL\":\n                office.lanes.leave(holder)",
        "an emergency cannot be settled because of last week's doubt",
    ),
    Mutation(
        "who waits is forgotten when the lane is free", LANES,
        "            waiting.pop(0)()\n", "            waiting.pop(0)\n",
        "a person stands at the counter and hears nothing",
    ),
    Mutation(
        "the visit lock missing", DESK,
        "        if job.infno in (\"2204\", \"2205\"):\n", "        if job.infno in ():\n",
        "the lines change under a settlement in doubt", weathers=("careless",),
    ),
    Mutation(
        "a trial settlement taken as money", DESK,
        "        if klass == \"Q\":\n            self.lookups.ask(job)",
        "        if klass == \"Q\" and job.infno != \"2206\":\n            self.lookups.ask(job)",
        "a question is reversed as if it had been a settlement",
    ),
    # --- reading answers ---
    Mutation(
        "an unknown platform code read as a refusal", VERDICT,
        "            return Verdict(\"doubt\", \"unknown_code\")",
        "            return Verdict(\"rejected\", \"refused\")",
        "the cashier settles again what is settled",
    ),
    Mutation(
        "a system error read as a refusal", VERDICT,
        "            return Verdict(\"doubt\", \"system_error\")",
        "            return Verdict(\"rejected\", \"refused\")",
        "the cashier settles again what is settled",
    ),
    Mutation(
        "HTTP 502 read as a refusal", VERDICT,
        "        if status >= 500:\n            return Verdict(\"doubt\", f\"http_{status}\")",
        "        if status >= 500:\n            return Verdict(\"rejected\", f\"http_{status}\")",
        "the cashier settles again what is settled",
    ),
    Mutation(
        "an unreadable answer read as never executed", VERDICT,
        "            return Verdict(\"doubt\", \"no_infcode\")",
        "            return Verdict(\"not_sent\", \"no_infcode\")",
        "the cashier settles again what is settled",
    ),
    Mutation(
        "an answer of another msgid believed", VERDICT,
        "        if transaction.kind == \"money\" and named and named != entry.msgid:\n", "        if False:\n",
        "somebody else's amounts are printed",
    ),
    *DOUBTS,
    *TAKEN_BACK,
    *LATES,
    *BELIEVED,
)  # fmt: skip
