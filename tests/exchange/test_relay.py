"""What moves no money: queries, writes, clearing requests (annex X8, X14, X20, X24; reversal specification §2)."""

from typing import Any

import pytest
from exchange_messages import HOME, charge, envelope, register, statement, who
from exchange_rig import Rig

DAY_S = 24 * 3600.0
FILE = {"file_qury_no": "f1", "filename": "x.zip", "fixmedins_code": HOME}


# --- queries --------------------------------------------------------------------------------------------------------


def test_a_query_is_never_stored_and_every_repeat_is_asked_again(rig: Rig) -> None:
    for number in range(3):
        caller = rig.ask(who("q1"))
        body = rig.far.last.reply(0, output={"baseinfo": {"psn_no": str(number)}})
        rig.run(1)
        assert caller.raw == body
    assert len(rig.far.sent) == 3
    assert rig.store.journal.rows == {}
    assert rig.disk.batches == []


def test_a_msgid_of_a_query_reserves_nothing(rig: Rig) -> None:
    rig.ask(who("x1"))
    rig.far.last.reply(0)
    rig.ask(register("x1"))
    assert rig.far.last.message["infno"] == "2201"


def test_a_query_goes_on_while_the_disk_is_full_or_held(rig: Rig) -> None:
    rig.disk.full = True
    rig.ask(statement("c0"))
    caller = rig.ask(who("q1"))
    rig.far.last.reply(0)
    assert caller.answer["infcode"] == 0


@pytest.mark.parametrize("message", [who("x"), register("x"), statement("x")])
def test_without_a_readable_answer_the_institution_is_told_and_may_repeat(rig: Rig, message: Any) -> None:
    endings: list[Any] = [
        lambda far: far.listener.lost("no answer in time"),
        lambda far: far.listener.not_sent("connection refused"),
        lambda far: far.raw(b"<html>", 502),
        lambda far: far.raw(b'{"infcode":0}', 503),
        lambda far: far.raw(b'{"code":401,"message":"x"}', 401),
        lambda far: far.raw(None),  # a fault of our own
    ]
    for number, end in enumerate(endings):
        caller = rig.ask(message)
        assert len(rig.far.sent) == number + 1, "a request without answer is forwarded again"
        rig.far.last.listener.silent()
        assert caller.status == 0
        end(rig.far.last)
        rig.run(1)
        assert caller.said[:2] == (200, "GW-PLATFORM")
        assert caller.answer["infcode"] == -1


def test_an_open_breaker_turns_queries_and_writes_away(rig: Rig) -> None:
    for _ in range(rig.link.breaker.failures_max):
        rig.link.breaker.failed()
    for message in (who("q1"), register("w1")):
        assert rig.ask(message).said[:2] == (200, "GW-PLATFORM")
    assert rig.far.sent == []


# --- writes ---------------------------------------------------------------------------------------------------------


def test_a_completed_write_is_replayed_for_a_day_and_forwarded_again_after_it(rig: Rig) -> None:
    first = rig.ask(register("w1"))
    body = rig.far.last.reply(0, output={"data": {"mdtrt_id": "V1"}})
    assert first.raw == body
    assert rig.ask(register("w1")).raw == body, "also before its answer is on disk"
    rig.run(DAY_S - 10)
    assert rig.ask(register("w1")).raw == body
    assert len(rig.far.sent) == 1
    rig.run(20)
    rig.ask(register("w1"))
    assert len(rig.far.sent) == 2


def test_a_write_the_platform_refused_is_replayed_too(rig: Rig) -> None:
    first = rig.ask(register("w1"))
    rig.far.last.reply(-1, "就诊ID不存在")
    rig.run(1)
    assert rig.ask(register("w1")).raw == first.raw
    assert len(rig.far.sent) == 1


def test_a_write_without_answer_is_forwarded_again(rig: Rig) -> None:
    rig.ask(register("w1"))
    rig.far.last.listener.lost("x")
    second = rig.ask(register("w1"))
    body = rig.far.last.reply(0)
    assert second.raw == body
    assert len(rig.far.sent) == 2


def test_a_repeat_attaches_to_a_write_on_its_way(rig: Rig) -> None:
    callers = [rig.post(register("w1")), rig.post(register("w1"))]
    rig.run()
    callers.append(rig.ask(register("w1")))
    body = rig.far.last.reply(0)
    assert [caller.raw for caller in callers] == [body] * 3
    assert len(rig.far.sent) == 1


@pytest.mark.parametrize("over", [True, False])
def test_a_write_msgid_with_another_content_is_refused(rig: Rig, over: bool) -> None:
    rig.ask(register("w1"))
    if over:
        rig.far.last.reply(0)
        rig.run(1)
    caller = rig.ask(register("w1", number="MZ2"))
    assert caller.said[:2] == (200, "GW-MSGID-REUSED")
    assert ("msgid_reused", "w1") in rig.watch.alarms
    assert len(rig.far.sent) == 1


def test_a_write_needs_no_durability(rig: Rig) -> None:
    rig.disk.full = True
    rig.ask(statement("c0"))  # finds out that space is gone
    caller = rig.ask(register("w1"))
    rig.far.last.reply(0)
    assert caller.answer["infcode"] == 0
    rig.run(5)
    rig.disk.full = False
    rig.run(5)
    rig.ask(register("w1"))
    assert len(rig.far.sent) == 2, "its answer was not kept, so it is forwarded again"


def test_local_codes_leave_as_national_ones_and_the_evidence_rests_in_the_journal(rig: Rig) -> None:
    rig.ask(charge("w1"))
    line = rig.far.last.message["input"]["feedetail"][0]
    assert line["medins_list_codg"] == "YP01274"
    assert line["med_list_codg"] not in ("", "YP01274")
    rig.far.last.reply(0)
    rig.run(1)
    evidence = rig.store.journal.evidence[rig.row("w1").id]
    assert ("drug", "YP01274", line["med_list_codg"]) in {row[1:4] for row in evidence}


# --- clearing -------------------------------------------------------------------------------------------------------


def test_a_clearing_request_is_durable_before_it_leaves_and_its_answer_stays(rig: Rig) -> None:
    caller = rig.ask(statement("c1"))
    assert rig.log == ["durable c1 SENT Accepted", "send c1"]
    body = rig.far.last.reply(0, output={"stmtinfo": {"stmt_rslt": "0"}})
    assert caller.raw == body
    assert rig.ask(statement("c1")).raw == body
    rig.run(400 * DAY_S)
    assert rig.ask(statement("c1")).raw == body
    assert rig.state("c1") == "DONE"
    assert len(rig.far.sent) == 1


def test_a_clearing_request_without_answer_is_forwarded_again_also_after_a_restart(rig: Rig) -> None:
    rig.ask(statement("c1"))
    rig.far.last.listener.lost("x")
    rig.start()
    rig.ask(statement("c1"))
    rig.far.last.reply(0)
    rig.run(1)
    assert rig.states("c1") == ["JOURNALED", "SENT", "DONE"]
    assert len(rig.far.sent) == 2


def test_without_space_a_clearing_request_is_not_accepted(rig: Rig) -> None:
    rig.disk.full = True
    assert rig.ask(statement("c1")).said[:2] == (503, "GW-NOT-ACCEPTED")
    assert rig.far.sent == []


def test_a_clearing_msgid_with_another_content_is_refused(rig: Rig) -> None:
    rig.ask(statement("c1"))
    assert rig.ask(statement("c1", total=200)).said[1] == "GW-MSGID-REUSED"
    rig.far.last.reply(0)
    rig.run(1)
    assert rig.ask(statement("c1", total=200)).said[1] == "GW-MSGID-REUSED"


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_file_passes_with_its_bytes_and_its_type(rig: Rig) -> None:
    data = {"file_qury_no": "f1", "filename": "x.zip", "fixmedins_code": "plc"}
    caller = rig.ask(envelope("9102", "d1", {"fsDownloadIn": data}), route="download")
    assert rig.far.last.path == b"/fsi/api/fileupload/download"
    rig.far.last.listener.answered(200, b"application/octet-stream", b"PK\x03\x04\xff", True)
    assert (caller.status, caller.raw, caller.content_type) == (200, b"PK\x03\x04\xff", b"application/octet-stream")


@pytest.mark.parametrize("infno", ["9101", "9102"])
def test_a_file_begins_in_time_or_not_at_all(rig: Rig, infno: str) -> None:
    """X6: a silent platform keeps nobody waiting longer for a file than for anything else."""
    node = {"9101": "fsUploadIn", "9102": "fsDownloadIn"}[infno]
    data = {"in": "QUJD", "file_qury_no": "f1", "filename": "x.zip", "fixmedins_code": HOME}
    rig.ask(envelope(infno, "d2", {node: data}))
    assert rig.far.last.timeout_s < rig.timeout_s + 1


def test_a_big_upload_has_the_time_to_leave(rig: Rig) -> None:
    data = {"in": "QUJD" * 2_000_000, "filename": "x.zip", "fixmedins_code": HOME}
    rig.ask(envelope("9101", "d3", {"fsUploadIn": data}), route="upload")
    assert rig.timeout_s + 30 < rig.far.last.timeout_s < rig.timeout_s + 32


@pytest.mark.parametrize("kind", [b"application/json", b"application/json;charset=UTF-8", b"text/plain"])
def test_words_instead_of_a_file_pass_with_their_type_too(rig: Rig, kind: bytes) -> None:
    """X24"""
    caller = rig.ask(envelope("9102", "d4", {"fsDownloadIn": FILE}), route="download")
    words = b'{"infcode": -1, "err_msg": "\xe6\xb2\xa1\xe6\x9c\x89"}'
    rig.far.last.listener.answered(200, kind, words, True)
    assert (caller.status, caller.raw, caller.content_type) == (200, words, kind)


def test_a_file_that_may_be_cut_is_no_file(rig: Rig) -> None:
    """X25: without a length only JSON proves itself whole."""
    caller = rig.ask(envelope("9102", "d5", {"fsDownloadIn": FILE}), route="download")
    rig.far.last.listener.answered(200, b"application/zip", b"PK\x03", False)
    assert caller.said[:2] == (200, "GW-PLATFORM")
