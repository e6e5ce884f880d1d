"""Planted bugs about how a doubt ends: reversals, statements, the queue, the disk, the restart. See `mutations`."""

from mutation import (
    ASKING,
    DOOR,
    LANES,
    MEMORY,
    QUEUE,
    RECOVERY,
    RESOLUTION,
    REVERSAL,
    SAF,
    SENDING,
    UNDO,
    WORDS,
    Mutation,
)  # fmt: skip

DOUBTS = (
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
        "a statement asked for before quiescence", UNDO,
        "        if self.quiet and not self._ended:\n", "        if not self._ended:\n",
        "what is booked a minute later is told as never booked",
        tests=("tests/exchange/test_statement.py",),
    ),
    Mutation(
        "a statement believed about a group nobody asked", "gateway/exchange/comparing.py",
        "found.knows(original) and not", "not",
        "a settlement of another agency is told as never booked, and paid again",
        tests=("tests/exchange/test_statement.py",),
    ),
    Mutation(
        "an original nobody saw being made has nothing after it", "gateway/exchange/bypass.py",
        "    return row != original and row.psn_no in (\"\", original.psn_no)\n", "    return False\n",
        "what a later settlement counted on is taken back",
        tests=("tests/exchange/test_bypass.py",),
    ),
    Mutation(
        "only younger records of the journal are later than one it never saw", REVERSAL,
        "self._last_look(original, day_start_ms(today))", "self._last_look(original, None)",
        "what a later settlement counted on is taken back",
        tests=("tests/exchange/test_bypass.py",),
    ),
    Mutation(
        "a cancellation marks a settlement of another platform", MEMORY,
        "                where = other.fixmedins_code, other.link, other.setl_id\n",
        "                where = other.fixmedins_code, row.link, other.setl_id\n",
        "what another platform settled under that number may be settled again",
        tests=("tests/exchange/test_local_regime.py",),
    ),
    Mutation(
        "a cancellation without a locality stays in the city", "gateway/exchange/following.py",
        "        if rows and {row.link", "        if not rows and {row.link",
        "what is told as refused by the city was settled beyond, and stays there",
        tests=("tests/exchange/test_local_regime.py",),
    ),
    Mutation(
        "a cancellation follows another person's settlement", "gateway/exchange/following.py",
        "found.rows if row.psn_no == psn_no]", "found.rows if psn_no]",
        "a cancellation reaches a platform that knows neither person nor number",
        tests=("tests/exchange/test_local_regime.py",),
    ),
    Mutation(
        "a discharge without a known treatment taken for any discharge", "gateway/exchange/statement.py",
        "        return bool(original.med_type) and kind_of", "        return kind_of",
        "a birth is told as never booked because an illness would have been listed, and paid again",
        tests=("tests/exchange/test_statement.py",),
    ),
    Mutation(
        "a group taken to be one for all of a transaction's treatments", "gateway/exchange/statement.py",
        "    return one.infno[:4], one.insuplc_admdvs, one.med_type\n",
        "    return one.infno[:4], one.insuplc_admdvs, \"\"\n",
        "a chronic disease's settlement is told as never booked because an outpatient's would have been listed",
        tests=("tests/exchange/test_statement.py",),
    ),
    Mutation(
        "half of a statement that cannot be read taken for agreement", "gateway/exchange/comparison.py",
        "        if found is None and part.first == part.last:\n            self.told(None)\n            return\n",
        "        if found is None and part.first == part.last:\n            found = []\n",
        "a settlement on a page nobody read is told as never booked",
        tests=("tests/exchange/test_statement.py",),
    ),
    Mutation(
        "only the newest page of our settlements uploaded", "gateway/exchange/comparison.py",
        "        elif found.before:\n", "        elif found.before and not self._ours:\n",
        "the agency lists what we have too, and a restored journal takes it for another's",
        tests=("tests/exchange/test_comparison.py",),
    ),
    Mutation(
        "a row without a msgid taken for nobody's", "gateway/exchange/comparing.py",
        " and not found.unnamed else", " else",
        "a settlement the agency has under no name is told as never booked, and paid again",
        tests=("tests/exchange/test_statement.py",),
    ),
    Mutation(
        "a row without a msgid dropped after a restored backup", "gateway/exchange/restoration.py",
        "        for row in rows:\n            seen", "        for row in rows[:0]:\n            seen",
        "what the fund has paid since the backup is known to nobody",
        tests=("tests/exchange/test_restoration.py",),
    ),
    Mutation(
        "a restored journal asks about last week's groups only", "gateway/exchange/comparison.py",
        "GROUP_DAYS = 400 ", "GROUP_DAYS = 7 ",
        "what was settled since in a rarer kind of clearing is settled again",
        tests=("tests/exchange/test_restoration.py",),
    ),
    Mutation(
        "an unknown original reversed though no statement shows it", "gateway/exchange/bypass.py",
        "        if len(rows) != 1 or rows[0].psn_no != original.psn_no or rows[0].refund:\n",
        "        if not found:\n",
        "another person's settlement is taken back",
        tests=("tests/exchange/test_bypass.py",),
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
        "    place, insured = original.mdtrtarea_admvs, original.insuplc_admdvs",
        "    place, insured = original.mdtrtarea_admvs, original.mdtrtarea_admvs",
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
        "        if original.delivered and not job.institution.his_may_reverse_acked:",
        "        if original.delivered and job.infno == \"\":",
        "what was paid is taken back without a cancellation", weathers=("careless",),
    ),
    Mutation(
        "a settled success told as nothing to undo", REVERSAL,
        "        elif state in (\"ACKED\", \"CONFIRMED\", \"EXTERNAL\"):\n            self._known_success(original)",
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
        "    for entry in plan.holders:\n        lanes.take_back(entry)\n", "",
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
    # --- orders of mobile payment, purchases elsewhere ---
    Mutation(
        "an order without a business key", "gateway/core/facts.py",
        "        business_key=\"|\".join((infno, institution, *(_text(head, one) for one in key))),\n", "",
        "an order is paid twice", tests=("tests/exchange/test_orders.py",),
    ),
    Mutation(
        "an order beside a settlement of its visit", LANES,
        "        return visit if visit is not None and not (visit.psn_no and entry.psn_no) else None",
        "        return None",
        "a visit is paid at the counter while its mobile payment is in doubt", tests=("tests/exchange/test_orders.py",),
    ),
    Mutation(
        "an order that is not known to have failed called paid", ASKING,
        "    if state in table.paid:\n        return \"found\", rows[0]\n    return",
        "    if state not in table.unpaid:\n        return \"found\", rows[0]\n    return",
        "goods are handed over for what was revoked", tests=("tests/exchange/test_orders.py",),
    ),
    Mutation(
        "a part's refund confirmed by the state of its order", ASKING,
        "        if state in table.refunded and whole:", "        if state in table.refunded:",
        "a refund nobody made is given out", tests=("tests/exchange/test_orders.py",),
    ),
    Mutation(
        "a question that names nothing", SAF,
        "    if order or (own and original.infno[:4] in CANCELS):", "    if order or cancels:",
        "a platform is asked about nobody, for ten minutes", tests=("tests/exchange/test_elsewhere.py",),
    ),
    Mutation(
        "an institution's own reversal taken for a sending", RECOVERY,
        "    return entry.klass == \"R\" and bool(entry.omsgid) and not entry.business_key",
        "    return entry.klass == \"R\"",
        "a crash forgets a 2181 that may have been executed", tests=("tests/exchange/test_elsewhere.py",),
    ),
)  # fmt: skip
