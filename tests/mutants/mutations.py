"""Planted bugs: ways of breaking the exchange, each of which the city, or a named test, must notice. Data only.

`old` stands exactly once in its file; a test says so, so that the table does not rot. `weathers`: where to look first;
`tests`: who notices what a city cannot see. `why` is what would happen at a counter.
"""

from mutation import (
    ASKING,
    CALL,
    CLERK,
    DESK,
    DOOR,
    KNOWN,
    LANES,
    MACHINE,
    MEMORY,
    QUEUE,
    RECOVERY,
    RESOLUTION,
    REVERSAL,
    SAF,
    SENDING,
    UNDO,
    VERDICT,
    WORDS,
    Mutation,
)  # fmt: skip

MUTATIONS = (
    # --- sending ---
    Mutation(
        "a timeout read as a refusal", CALL,
        "        self.do(self.machine.fell_silent())",
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
        "        self.outcome = (b\"\", Verdict(\"doubt\", reason))\n        self.do(self.machine.unclear())",
        "        self.outcome = (b\"\", Verdict(\"not_sent\", reason))\n"
        "        self.do(self.machine.never_left() if self.entry.state == 'SENT' else self.machine.unclear())",
        "the cashier settles again what is settled",
    ),
    Mutation(
        "a doubt told as not sent", CALL,
        "            body, code = job.state_answer(state)\n            job.reply(body, \"in_doubt\", code)\n\n"
        "    def _not_accepted",
        "            body, code = job.state_answer('NOT_SENT')\n            job.reply(body, \"in_doubt\", code)\n\n"
        "    def _not_accepted",
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
        "        queue.submit(delivering(entry, job.clock), noted)", "        noted(None)",
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
        "    if entry.digest != job.digest:\n", "    if entry.digest == b\"\":\n",
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
        "        if klass == \"Q\":\n            self.relay.ask(job)",
        "        if klass == \"Q\" and job.infno != \"2206\":\n            self.relay.ask(job)",
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
    # --- reversals ---
    Mutation(
        "\"not found\" believed before quiescence", RESOLUTION,
        "    if answer == \"not_found\" and quiet:", "    if answer == \"not_found\":",
        "what was still queued is booked after everybody was told that it was not",
    ),
    Mutation(
        "quiescence never waited for", UNDO,
        "        self._later(\"quiet\", self.policy.quiesce_ms / 1000 - since_s, self._calm)",
        "        self._later(\"quiet\", 0.0, self._calm)",
        "what was still queued is booked after everybody was told that it was not",
    ),
    Mutation(
        "a 2601 without an answer given to a person at once", RESOLUTION,
        "    return \"again\"\n", "    return \"beyond_us\"\n",
        "the office spends its day on what a second try would end",
    ),
    Mutation(
        "a lane freed after a bug of ours, whatever the row says", "gateway/exchange/rescue.py",
        "    if state in DOUBT:\n", "    if False:\n",
        "the patient pays again what may be settled",
        tests=("tests/exchange/test_rescue.py",),
    ),
    Mutation(
        "a 2601 without an answer taken as done", RESOLUTION,
        "    if answer == \"done\":\n", "    if answer in (\"done\", \"silent\"):\n",
        "the settlement stands and nobody knows",
    ),
    Mutation(
        "a reversal repeated with the same msgid", SENDING,
        "        self._told(\"silent\", reason)",
        "        link = self.undo.link\n"
        "        link.exchange.send(b'', b'', self.body, self, link.timeout_s)",
        "an idempotent platform repeats its first answer for ever",
    ),
    Mutation(
        "two reversals at once", UNDO,
        "                sending.leave()\n", "                sending.leave()\n                sending.leave()\n",
        "the second is refused, and the refusal is believed",
    ),
    Mutation(
        "wrong omsgid", WORDS, "\"omsgid\": original.msgid,", "\"omsgid\": original.mdtrt_id or original.msgid,",
        "nothing is reversed, or something else",
    ),
    Mutation(
        "wrong oinfno", WORDS, "\"oinfno\": original.infno}", "\"oinfno\": \"2207\"}",
        "a sale is never reversed",
    ),
    Mutation(
        "wrong psn_no", WORDS, "\"psn_no\": original.psn_no,", "\"psn_no\": original.lane,",
        "nothing is reversed, or something of another person",
    ),
    Mutation(
        "wrong insuplc_admdvs", WORDS,
        "            \"insuplc_admdvs\": original.insuplc_admdvs,",
        "            \"insuplc_admdvs\": word(\"mdtrtarea_admvs\"),",
        "the reversal of a stranger goes to the wrong fund",
    ),
    Mutation(
        "confirm without checking the msgid", ASKING,
        "    ours = [row for row in rows if row.get(\"medins_setl_id\") == original.msgid]\n", "    ours = rows\n",
        "the success of another message is told as this one's", weathers=("careless",),
    ),
    Mutation(
        "confirm without checking the amount", ASKING,
        "    return row.get(\"psn_no\") == original.psn_no and same_visit and same_total",
        "    return row.get(\"psn_no\") == original.psn_no and same_visit",
        "the patient's receipt shows another total", weathers=("careless",),
    ),
    Mutation(
        "a 2601 for the message of another institution accepted", REVERSAL,
        "            self._refuse(\"日志中没有原交易\")",
        "            self._end()\n"
        "            self.room.clerk.take(self.first)",
        "one institution undoes what another was paid", weathers=("careless",),
    ),
    Mutation(
        "a 2601 for another person accepted", REVERSAL,
        " or found.entry.psn_no != self.facts.psn_no:", ":",
        "the reversal reaches the wrong person", weathers=("careless",),
    ),
    Mutation(
        "a known success reversed where that is not allowed", REVERSAL,
        "        elif original.delivered and not job.institution.his_may_reverse_acked:",
        "        elif original.delivered and job.infno == \"\":",
        "what was paid is taken back without a cancellation", weathers=("careless",),
    ),
    Mutation(
        "a settled success told as nothing to undo", REVERSAL,
        "        elif state in (\"ACKED\", \"CONFIRMED\"):\n            self._known_success(original)",
        "        elif state in (\"ACKED\", \"CONFIRMED\"):\n            self._nothing_to_undo(original, state)",
        "the institution gives the money back and the fund has paid",
    ),
    # --- the queue, its gates, the breaker ---
    Mutation(
        "a lost queue row", UNDO,
        "        op = self._advance(self.record, self.record.state, to, \"reversal_queued\", saf=self.row)",
        "        op = self._advance(self.record, self.record.state, to, \"reversal_queued\")",
        "a crash forgets the reversal", weathers=("crashes",),
    ),
    Mutation(
        "a reversal refused a second place in its own lane", SAF,
        "        self._crowded.discard(undo.original.lane)\n", "",
        "the second sending never leaves",
    ),
    Mutation(
        "the link's places are never given back", SAF,
        "        self._flying[name] -= 1\n", "",
        "after sixteen sendings no reversal leaves any more",
    ),
    Mutation(
        "the breaker never half-opens", DOOR,
        "        return \"half_open\" if self.clock.seconds() - self._opened_at >= self.open_s else \"open\"",
        "        return \"open\"",
        "after an outage nothing works until somebody restarts", weathers=("outages",),
    ),
    # --- the disk ---
    Mutation(
        "a full disk ignored", QUEUE,
        "                try:\n                    done(NotAccepted())\n",
        "                from gateway.core.model import Accepted\n\n"
        "                try:\n                    done(Accepted())\n",
        "money leaves without a trace in the journal", weathers=("disks",),
    ),
    Mutation(
        "a full disk drops what was promised", QUEUE,
        "        self._pending = [pair for pair in waiting if type(pair[0]) is not Accept]",
        "        self._pending = []",
        "outcomes are lost", weathers=("disks",),
    ),
    Mutation(
        "a failed fsync survived", QUEUE,
        "        if not isinstance(cause, StoreFull):\n            self._break(cause)\n            return\n", "",
        "the gateway goes on on pages that may never reach the platter", weathers=("disks",),
    ),
    Mutation(
        "the fencing token not checked", MEMORY,
        "        if self.journal.owner != self.owner:\n", "        if self.owner == 0:\n",
        "two gateways work on one journal", weathers=("crashes",),
    ),
    # --- the restart ---
    Mutation(
        "a lane in doubt not rebuilt after a restart", RECOVERY,
        "    for entry in plan.holders:\n        lanes.enter(entry)\n", "",
        "the next bill of a person leaves while the last one is in doubt", weathers=("crashes",),
    ),
    Mutation(
        "JOURNALED treated as sent on restart", RECOVERY,
        "            answer = state_made(entry, \"NOT_SENT\", now_s, infcode(entry.link))\n"
        "            ops.append(_advance(entry, \"NOT_SENT\", now_s, answer))",
        "            ops.append(_advance(entry, \"IN_DOUBT\", now_s, None))\n"
        "            entry.state = \"IN_DOUBT\"\n            holders.append(entry)",
        "what never left is reversed", weathers=("crashes",),
    ),
    Mutation(
        "SENT treated as never sent on restart", RECOVERY,
        "            ops.append(_advance(entry, \"IN_DOUBT\", now_s, None))\n"
        "            entry.state = \"IN_DOUBT\"\n            holders.append(entry)",
        "            answer = state_made(entry, \"NOT_SENT\", now_s, infcode(entry.link))\n"
        "            ops.append(_advance(entry, \"NOT_SENT\", now_s, answer))",
        "the cashier settles again what is settled", weathers=("crashes",),
    ),
    Mutation(
        "a sending INFLIGHT forgotten at restart", MEMORY,
        "            if saf.state in (\"QUEUED\", \"INFLIGHT\")\n        ]",
        "            if saf.state == \"QUEUED\"\n        ]",
        "a crash while 2601 is on its way forgets the reversal", weathers=("crashes",),
    ),
    Mutation(
        "the queue not looked at after a restart", RECOVERY,
        "        office.resume(found)\n", "        known = found\n",
        "a crash forgets every reversal", weathers=("crashes",),
    ),
    Mutation(
        "a doubt not taken up again after a restart", RECOVERY,
        "        office.begin(entry, original, int(now_s * 1000))\n", "        continue\n",
        "a crash leaves a doubt for ever", weathers=("crashes",),
    ),
    Mutation(
        "a sending's row left open after a restart", RECOVERY,
        "            ops.append(_advance(entry, \"DONE\", now_s, None))\n", "            continue\n",
        "a row that never ends", weathers=("crashes",),
    ),
)  # fmt: skip
