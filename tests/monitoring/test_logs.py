"""Logs: one JSON object a line, nothing but allowed fields of the right shape, written in batches, never in the way."""

import io
import json
import string
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python import log as legacy_log
from twisted.python.failure import Failure

from monitoring.log_fields import FIELDS
from monitoring.logs import BUFFER_BYTES_MAX, Log, TwistedObserver, make_logger, stamp
from monitoring.redaction import redact

EPOCH_S = 1_763_700_000.5  # 2025-11-21T04:40:00.500Z
MSGID = "H51080200001202511211240000001"


class Tape(io.BytesIO):
    """A stream that remembers how often it was written to."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, raw: object) -> int:
        self.writes += 1
        return super().write(raw)  # type: ignore[arg-type]  # bytes; the base class says Buffer


class Room:
    """A log on a tape and a stepped clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(EPOCH_S)
        self.tape = Tape()
        self.log: Log = make_logger(self.tape, self.clock)

    def lines(self) -> list[dict[str, object]]:
        self.log.sink.flush()
        raw = self.tape.getvalue()
        assert raw == b"" or raw.endswith(b"\n")
        return [json.loads(line) for line in raw.decode().splitlines()]


@pytest.fixture
def room() -> Room:
    return Room()


def test_a_line_is_one_json_object_with_time_and_event(room: Room) -> None:
    room.log.event("request", infno="2207", institution="H51080200001", msgid=MSGID, result="ok", seconds=0.0123456789)
    assert room.lines() == [
        {
            "ts": "2025-11-21T04:40:00.500Z",
            "event": "request",
            "infno": "2207",
            "institution": "H51080200001",
            "msgid": MSGID,
            "result": "ok",
            "seconds": 0.012346,
        }
    ]


@pytest.mark.parametrize(
    ("epoch_s", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1.9996, "1970-01-01T00:00:02.000Z"),
        (951782400.25, "2000-02-29T00:00:00.250Z"),
    ],
)
def test_stamps(epoch_s: float, text: str) -> None:
    assert stamp(epoch_s) == text


@pytest.mark.parametrize(
    "field", ["psn_name", "certno", "mdtrt_cert_no", "body", "input", "tel", "ecToken", "anything"]
)
def test_a_field_that_is_not_listed_is_dropped_and_counted(room: Room, field: str) -> None:
    room.log.event("request", infno="1101", **{field: "x"})
    assert set(room.lines()[0]) == {"ts", "event", "infno"}
    assert room.log.losses.fields == 1


@pytest.mark.parametrize(
    ("field", "good"),
    [
        ("path", "input.feedetail[3].med_list_codg"),
        ("path", "fixmedins_name"),
        ("path", "input.data.rxChkInfo"),
        ("peer", "10.1.2.3"),
        ("peer", "::1"),
        ("peer", "fe80::1:2"),
        ("peer", "::ffff:10.0.0.1"),
        ("gw_code", "GW-DUPLICATE-SETTLEMENT"),
        ("state", "IN_DOUBT"),
        ("system", "dictionary:fixmedins_refd_setl_flag"),
        ("version", "20251121-01"),
        ("link", "national"),
        ("infno", "100001"),
        ("listen", "tcp:8080:interface=127.0.0.1"),
        ("listen", "tls:8443:interface=\\:\\:1"),
        ("error", "monitoring.logs.Some.<locals>.Error"),
        ("namespace", "twisted.web.http.HTTPChannel"),
        ("request_id", "0123456789abcdef0123456789abcdef"),
        ("signal", "SIGTERM"),
        ("setl_id", "510802202511210000001"),
        ("medfee_fen", 123456),
        ("infcode", -1),
        ("ready", False),
        ("seconds", 2),
    ],
)
def test_a_value_of_the_right_shape_is_written_as_it_is(room: Room, field: str, good: object) -> None:
    room.log.event("request", **{field: good})
    assert room.lines()[0][field] == good
    assert room.log.losses.fields == 0


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("infno", "2207 or 1=1"),
        ("institution", "张三"),
        ("institution", "H51080200001\n"),
        ("msgid", "11010519491231002X"),  # an identity number in the place of an id
        ("setl_id", "x" * 41),
        ("msgid", "a\nb"),
        ("psn_tail", "12345"),
        ("status", "200"),
        ("status", True),
        ("count", 2**60),
        ("seconds", float("nan")),
        ("seconds", float("inf")),
        ("seconds", "0.1"),
        ("path", "input.张三"),
        ("error", "ValueError: psn_name=x"),
        ("place", "a.py:1 张三"),
        ("result", ["ok"]),
        ("err_msg", b"bytes"),
        ("err_msg", {"psn_name": "x"}),
        ("template", "刷卡失败 张三"),
        ("ready", 1),
    ],
)
def test_a_value_of_another_shape_is_dropped_and_counted(room: Room, field: str, bad: object) -> None:
    room.log.event("request", **{field: bad})
    assert set(room.lines()[0]) == {"ts", "event"}
    assert room.log.losses.fields == 1


def test_none_is_nothing_and_costs_nothing(room: Room) -> None:
    room.log.event("request", setl_id=None, status=None)
    assert set(room.lines()[0]) == {"ts", "event"}
    assert room.log.losses.fields == 0


@pytest.mark.parametrize("name", ["参保人张三", "a b", "x\ny", "", "e" * 41])
def test_a_message_in_disguise_is_no_event_name(room: Room, name: str) -> None:
    room.log.event(name, infno="1101")
    assert room.lines()[0]["event"] == "unnamed"


def test_bound_fields_stand_in_every_line_and_obey_the_list(room: Room) -> None:
    room.log.bind(link="national", psn_name="张三").event("breaker_opened", count=20)
    assert room.lines()[0] | {"ts": ""} == {"ts": "", "event": "breaker_opened", "link": "national", "count": 20}
    assert room.log.losses.fields == 1


def test_lines_wait_a_fifth_of_a_second_and_leave_together(room: Room) -> None:
    for index in range(10):
        room.log.event("request", count=index)
    assert room.tape.writes == 0
    room.clock.advance(0.19)
    assert room.tape.writes == 0
    room.clock.advance(0.02)
    assert room.tape.writes == 1
    assert [line["count"] for line in room.lines()] == list(range(10))
    assert room.clock.getDelayedCalls() == []
    room.log.event("request", count=10)
    room.clock.advance(0.21)
    assert room.tape.writes == 2


def test_a_full_buffer_does_not_wait(room: Room) -> None:
    for _ in range(BUFFER_BYTES_MAX // 60):
        room.log.event("request", msgid=MSGID, infno="2207")
    assert room.tape.writes == 1
    assert BUFFER_BYTES_MAX <= len(room.tape.getvalue()) < BUFFER_BYTES_MAX + 200


class FullDisk(Tape):
    """A stream that fails while `full`."""

    full = True

    def write(self, raw: object) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(raw)


def test_a_failing_stream_costs_lines_and_nothing_else(room: Room) -> None:
    disk = FullDisk()
    log = make_logger(disk, room.clock)
    for _ in range(3):
        log.event("request", infno="2207")
    room.clock.advance(1)
    assert log.losses.lines == 3
    disk.full = False
    log.event("request", infno="1101")
    room.clock.advance(1)
    assert [json.loads(line)["infno"] for line in disk.getvalue().splitlines()] == ["1101"]
    disk.close()
    log.event("request", infno="1101")
    room.clock.advance(1)
    assert log.losses.lines == 4


def test_control_characters_cannot_forge_a_line(room: Room) -> None:
    room.log.event("request", err_msg='失败\r\n{"event":"forged"}\x1b[2J\x7f\u2028')
    (line,) = room.lines()
    assert line["err_msg"] == '失败\\u000d\\u000a{"event":"forged"}\\u001b[2J\\u007f\\u2028'
    assert not any(ord(char) < 32 for char in str(line["err_msg"]))


def fail(secret: str) -> None:
    raise ValueError(f"bad certno {secret}")


def test_an_exception_is_its_type_and_place(room: Room) -> None:
    try:
        fail("11010519491231002X")
    except ValueError as error:
        room.log.failure("answer_failed", error, infno="2207")
    (line,) = room.lines()
    assert line["error"] == "builtins.ValueError"
    places = str(line["place"]).split(" < ")
    assert [place.split(":")[0] for place in places] == ["test_logs.py", "test_logs.py"]
    assert line["infno"] == "2207"
    assert "certno" not in room.tape.getvalue().decode()


def test_an_exception_that_was_never_raised_has_no_place(room: Room) -> None:
    room.log.failure("answer_failed", KeyError("x"))
    assert set(room.lines()[0]) == {"ts", "event", "error"}
    assert room.log.losses.fields == 0


# --- Twisted's own log


@pytest.fixture
def twisted_logger(room: Room) -> Logger:
    publisher = LogPublisher(TwistedObserver(room.log))
    return Logger(namespace="twisted.web.server", observer=publisher)


def test_twisteds_warnings_come_with_their_template_and_no_values(room: Room, twisted_logger: Logger) -> None:
    twisted_logger.warn("request from {who} failed", who="张三 11010519491231002X")
    twisted_logger.info("Starting factory {factory}", factory="x")
    (line,) = room.lines()
    assert line | {"ts": ""} == {
        "ts": "",
        "event": "twisted",
        "namespace": "twisted.web.server",
        "level": "warn",
        "template": "request from {who} failed",
    }


def test_twisteds_failures_come_as_type_and_place(room: Room, twisted_logger: Logger) -> None:
    try:
        fail("11010519491231002X")
    except ValueError:
        twisted_logger.failure("unhandled in {who}", who="张三")
    cleaned = Failure(ValueError("11010519491231002X"))
    cleaned.cleanFailure()
    twisted_logger.emit(LogLevel.info, "gone", log_failure=cleaned)
    first, second = room.lines()
    assert (first["error"], first["level"]) == ("builtins.ValueError", "critical")
    assert str(first["place"]).startswith("test_logs.py:")
    assert second["error"] == "builtins.ValueError"
    assert "1101051949" not in room.tape.getvalue().decode()
    assert "张三" not in room.tape.getvalue().decode()


def test_the_old_twisted_log_says_no_text(room: Room) -> None:
    observer = legacy_log.LogPublisher(publishPublisher=LogPublisher(TwistedObserver(room.log)))
    observer.msg("certno 11010519491231002X", isError=1)
    for line in room.lines():
        assert line.get("template") in (None, "{log_text}")
    assert "1101051949" not in room.tape.getvalue().decode()


def test_events_of_other_threads_go_through_the_reactor(room: Room) -> None:
    handed: list[Callable[[], object]] = []
    logger = Logger("worker", observer=TwistedObserver(room.log, handed.append))
    worker = threading.Thread(target=lambda: logger.warn("slow"))
    worker.start()
    worker.join()
    assert room.lines() == []
    handed.pop()()
    assert room.lines()[0]["template"] == "slow"
    logger.warn("here")
    assert handed == []
    assert [line["template"] for line in room.lines()] == ["slow", "here"]


# --- Canaries: whatever is thrown at it, a person does not come out (security.md §7)

CANARIES = [
    "测试人甲乙丙",
    "11010519491231002X",
    "13912345678",
    "6222021234567890123",
    "43000000000000000001",
    "E5108020000112345678901234567890ABCDEF",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0",
    "四川省广元市示例路1号",
]

CHOSEN_IDS = {"msgid", "omsgid", "setl_id", "mdtrt_id"}  # stored and logged by security.md §6: digits are their form
NO_SHAPE = {CANARIES[0], CANARIES[-1]}  # in free text a bare name goes only when the caller names it


@pytest.mark.parametrize("canary", CANARIES)
def test_no_canary_comes_out_of_any_field(room: Room, canary: str) -> None:
    """Every listed field, every unlisted one, bound or not; the canary alone, in a sentence, inside containers."""
    shapes: list[object] = [canary, f"msg {canary}", f"姓名：{canary}", canary.encode(), [canary], {"psn_name": canary}]
    for shape in shapes:
        for field in [*FIELDS, "psn_name", "certno", "body", "mdtrt_cert_no"]:
            if shape == canary and field in CHOSEN_IDS and canary.isdigit():
                continue
            if field == "err_msg" and canary in NO_SHAPE and shape in (canary, f"msg {canary}"):
                continue
            room.log.event("request", **{field: shape})
            room.log.bind(**{field: shape}).event("request")
    room.log.failure("answer_failed", ValueError(canary))
    TwistedObserver(room.log)({"log_format": "{x}", "x": canary, "log_level": LogLevel.error, "log_text": canary})
    assert canary not in room_text(room)


def room_text(room: Room) -> str:
    assert room.lines()
    return room.tape.getvalue().decode()


def test_no_canary_comes_out_of_an_error_text_whose_values_are_known(room: Room) -> None:
    text = "，".join(CANARIES)
    room.log.event("request", err_msg=redact(text, NO_SHAPE))
    found = room_text(room)
    assert [canary for canary in CANARIES if canary in found] == []


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=60) | st.integers() | st.floats() | st.none()))
def test_the_log_never_raises_and_every_line_is_json(fields: dict[str, object]) -> None:
    room = Room()
    room.log.event("request", **fields)
    (line,) = room.lines()
    free = {"err_msg", "template"}
    plain = set(string.printable)
    assert all(set(str(value)) <= plain for key, value in line.items() if key not in free)
