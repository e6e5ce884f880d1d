"""Differences between the books that nobody can undo from here, and why a person looks at each: given up by the node,
a lie only other books can show (S3, D3), or a second copy on the road that ran after the first was refused (annex X9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.core.model import LATE_SUCCESS

if TYPE_CHECKING:
    from simulators.witness import Witness

SUCCESS = {"ACKED", "CONFIRMED"}
ENDED = {"REVERSED", "ABSENT"}
_decode = msgspec.json.Decoder().decode


def cases_of(witness: Witness) -> dict[str, str]:
    """Return msgid -> why."""
    rows = [row for row in witness.city.journal.rows.values() if row.state == "MANUAL"]
    given_up = {msgid: "MANUAL" for row in rows for msgid in (row.msgid, row.omsgid)}
    lied = witness.city.lies | _lied_reversals(witness)
    return (
        given_up
        | lied
        | _booked_copies(witness)
        | _copied_reversals(witness)
        | _copied_requests(witness)
        | _unheard(witness)
    )


def _unheard(witness: Witness) -> dict[str, str]:
    """What the platform took up longer after it was sent than it may, when its success could not be heard (§5.3)."""
    journal = witness.city.journal
    kept = {number for number, _, _, reason in journal.events if reason.startswith(LATE_SUCCESS)}
    rows = (journal.rows[number] for number in journal.rows.keys() - kept)
    ended = [row.msgid for row in rows if row.msgid in witness.city.held and row.state in ENDED]
    return {msgid: "unheard" for msgid in ended if witness.patience.could_not_hear(msgid)}


def _copied_requests(witness: Witness) -> dict[str, str]:
    """What a counter's twin did after the first was refused and nothing recorded: busy lane, open breaker (X9)."""
    found = {}
    for key, answers in witness.heard_of.items():
        refused = any(one.repeat in ("same", "no") and not one.done and not one.recorded for one in answers)
        row = witness.row(*key) if refused and witness.contents.get(key) in witness.twins else None
        if row is not None and row.state in SUCCESS and key not in witness.undoing:
            found[key[1]] = "copy"
    return found


def _copied_reversals(witness: Witness) -> dict[str, str]:
    """What an institution's 2601 took back after it had been refused.

    A second copy of it on the road came when the original stood in the journal. A refusal reserves nothing (annex
    X9), so the copy was a new request.
    """
    refused = {
        key: witness.undoing[key]
        for key, answers in witness.heard_of.items()
        if key in witness.undoing and any(one.code == "GW-REVERSAL-REFUSED" for one in answers)
    }
    rows = ((witness.row(*key), omsgid) for key, omsgid in refused.items())
    return {omsgid: "copy" for row, omsgid in rows if row is not None and row.state in SUCCESS}


def _booked_copies(witness: Witness) -> dict[str, str]:
    """What a second copy on the road booked or took back after the first was refused (L1-CENTER-MORE, -LESS)."""
    found = {}
    for message in map(_decode, witness.doubled):
        row = witness.row(message["fixmedins_code"], message["msgid"])
        count = witness.city.people.bookings(message["msgid"])
        if message["infno"] == "2601" and row is not None and row.state == "REJECTED":
            found[message["input"]["data"]["omsgid"]] = "doubled"
        if count > 1 or (count and row is not None and row.state == "REJECTED"):
            found[message["msgid"]] = "doubled"
    return found


def _lied_reversals(witness: Witness) -> dict[str, str]:
    rows = witness.city.journal.rows.values()
    return {row.omsgid: "no_effect" for row in rows if row.klass == "R" and row.msgid in witness.city.lies}
