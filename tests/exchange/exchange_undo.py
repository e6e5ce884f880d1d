"""Doubts and reversals for tests: messages of 2601, 2304, 2401, ways into doubt, and platforms that answer by rule."""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec
from exchange_messages import HOME, PERSON, VISIT, Json, envelope, pay
from exchange_rig import Caller, Rig, Sent

from gateway.core.model import Entry, Saf
from gateway.exchange.undo import Undo
from gateway.exchange.verdict import Judge

Platform = Callable[[Sent], object]


@attrs.define
class Wall:
    """A clock on the wall that was set; the timers go on as they were."""

    clock: Any
    set_s: float

    def seconds(self) -> float:
        return float(self.clock.seconds() + self.set_s)

    def callLater(self, *arguments: Any) -> Any:
        return self.clock.callLater(*arguments)


def undo(msgid: str, omsgid: str = "m1", oinfno: str = "2207", psn_no: str = PERSON, code: str = HOME) -> Json:
    """2601 of an institution."""
    return envelope("2601", msgid, {"data": {"psn_no": psn_no, "omsgid": omsgid, "oinfno": oinfno}}, code)


def discharge(msgid: str, psn_no: str = PERSON, **facts: Any) -> Json:
    """2304"""
    data = {
        "psn_no": psn_no, "mdtrt_cert_type": "02", "mdtrt_cert_no": "999000194001010004", "medfee_sumamt": 100,
        "psn_setlway": "01", "mdtrt_id": VISIT, "insutype": "310", "acct_used_flag": "0", "mid_setl_flag": "0",
        "invono": "FP9",
    }  # fmt: skip
    return envelope("2304", msgid, {"data": data | facts})


def admit(msgid: str, number: str = "ZY1") -> Json:
    """2401"""
    info = {
        "psn_no": PERSON, "insutype": "310", "begntime": "2026-03-01 08:00:00", "mdtrt_cert_type": "02",
        "mdtrt_cert_no": "1", "med_type": "21", "ipt_no": number, "atddr_no": "D0089", "chfpdr_name": "测试",
        "adm_diag_dscr": "x", "adm_dept_codg": "0201", "adm_dept_name": "外科", "adm_bed": "1",
        "dscg_maindiag_code": "ZD00276", "dscg_maindiag_name": "x", "main_cond_dscr": "", "dise_codg": "",
        "dise_name": "", "coner_name": "", "tel": "", "medrcdno": number,
    }  # fmt: skip
    illness = {
        "psn_no": PERSON, "diag_type": "1", "maindiag_flag": "1", "diag_srt_no": 1, "diag_code": "ZD00276",
        "diag_name": "x", "diag_dept": "0201", "dise_dor_no": "D0089", "dise_dor_name": "测试",
        "diag_time": "2026-03-01 08:00:00",
    }  # fmt: skip
    return envelope("2401", msgid, {"mdtrtinfo": info, "diseinfo": [illness]})


# --- into doubt -------------------------------------------------------------------------------------------------------


def at_once(**settings: Any) -> Rig:
    """An exchange that reverses every doubt at once (Q4)."""
    return Rig(settings={"resolve": "Q4", **settings})


def fall_into_doubt(rig: Rig, message: Json | None = None) -> Sent:
    """Send a settlement whose answer is lost, whatever the platform plays otherwise; return it."""
    message = pay("m1") if message is None else message
    plays, rig.far.plays = rig.far.plays, None
    rig.ask(message)
    sent, rig.far.plays = rig.far.last, plays
    assert sent.message["msgid"] == message["msgid"]
    sent.listener.lost("connection lost")
    return sent


def reversing(rig: Rig, message: Json | None = None) -> Sent:
    """Let a settlement fall into doubt and its first 2601 leave; return that."""
    fall_into_doubt(rig, message)
    rig.run()
    assert rig.far.last.message["infno"] == "2601"
    return rig.far.last


def by_table(rig: Rig, **changes: Any) -> None:
    """Change the region's table of how doubt ends, as a province's profile would."""
    region = attrs.evolve(rig.link.region, reversal=msgspec.structs.replace(rig.link.region.reversal, **changes))
    rig.link.region, rig.link.judge = region, Judge.of(region)


# --- what became of it ------------------------------------------------------------------------------------------------


def sent_of(rig: Rig, infno: str) -> list[Sent]:
    return [one for one in rig.far.sent if one.message["infno"] == infno]


def live(rig: Rig, msgid: str = "m1", institution: str = HOME) -> Undo:
    return rig.room.office.live[rig.row(msgid, institution).id]


def row_on_queue(rig: Rig, msgid: str = "m1") -> Saf:
    return rig.store.journal.saf[rig.row(msgid).id]


def sending_of(rig: Rig, sent: Sent) -> Entry:
    """The journal row of one sending."""
    found: Entry = rig.row(sent.message["msgid"])
    return found


def reasons(rig: Rig, msgid: str = "m1") -> list[str]:
    number = rig.row(msgid).id
    return [reason for journal_id, _, _, reason in rig.store.journal.events if journal_id == number]


def refused(caller: Caller) -> bool:
    """Whether a 2601 was refused by the gateway."""
    return caller.said[:2] == (200, "GW-REVERSAL-REFUSED") and caller.answer["infcode"] == -1


def undone(caller: Caller) -> bool:
    """Whether a 2601 was answered by the gateway with "nothing to undo (any more)"."""
    return caller.said[:2] == (200, "GW-REVERSED") and caller.answer["infcode"] == 0


# --- platforms --------------------------------------------------------------------------------------------------------


def says(infcode: Any, err_msg: str = "", **answers: Any) -> Platform:
    """A platform that answers 2601 like this, and other transactions by their number (`q5203={...}` is an output)."""

    def play(one: Sent) -> None:
        infno = one.message["infno"]
        if infno == "2601":
            one.reply(infcode, err_msg)
        elif f"q{infno}" in answers:
            one.reply(0, output=answers[f"q{infno}"])
        else:
            one.settled()

    return play


def cut(one: Sent) -> None:
    """A platform that hangs up on everything."""
    one.listener.lost("connection lost")


def by_turns(*steps: Platform) -> Platform:
    """The first request is played by the first, the last one plays all that come later."""
    left = list(steps)
    return lambda one: (left.pop(0) if len(left) > 1 else left[0])(one)
