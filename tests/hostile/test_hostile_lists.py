"""Pieces of settlement lists at a real node's door (security T2, T9, T19): who may post, what is kept."""

import json
import sqlite3

import pytest
from hostile_messages import Json, question, raw
from hostile_rig import CITY, CROWD, SLOW, VICTIM, Rig
from hostile_wire import Heard

pytestmark = pytest.mark.processes

NAME, PERSON = "龘靐清单", "999102197806011234"


def path(kind: str = "admission", code: str = VICTIM) -> str:
    return f"/api/v1/lists/{code}/{kind}"


def piece(visit: str, **fields: str) -> bytes:
    head = {"mdtrt_id": visit, "psn_name": NAME, "certno": PERSON, **fields}
    return json.dumps({"setlinfo": head}, ensure_ascii=False).encode()


def told(heard: Heard) -> Json:
    assert heard.status == 200, heard.body
    found: Json = heard.json
    return found


def pieces(rig: Rig, visit: str) -> int:
    with sqlite3.connect(f"{(rig.data / 'liangding-lists.sqlite').as_uri()}?mode=ro", uri=True) as connection:
        query = "SELECT count(*) FROM piece JOIN visit ON visit.id = piece.visit WHERE mdtrt_id = ?"
        return int(connection.execute(query, (visit,)).fetchone()[0])


def test_pieces_are_kept_and_the_answer_says_what_is_missing(rig: Rig) -> None:
    first = told(rig.ask(piece("L1", adm_time="2026-10-08 10:00:00"), VICTIM, path()))
    assert (first["infcode"], first["mdtrt_id"], first["fresh"]) == (0, "L1", True)
    assert "setlinfo.dscg_time" not in {one["path"] for one in first["findings"]}  # not known to be in hospital yet
    second = told(rig.ask(piece("L1", ipt_med_type="1", poscode="12"), VICTIM, path("discharge")))
    found = {(one["rule"], one["path"]) for one in second["findings"]}
    assert {("SL-R022", "setlinfo.dscg_time"), ("SL-F001", "setlinfo.poscode")} <= found
    assert told(rig.ask(piece("L1", ipt_med_type="1", poscode="12"), VICTIM, path("discharge")))["fresh"] is False
    assert pieces(rig, "L1") == 2


def test_codes_are_those_of_the_mapping_in_force(rig: Rig) -> None:
    body = {
        "setlinfo": {"mdtrt_id": "L2", "dscg_time": "2026-10-15 09:00:00", "chfpdr_code": "D0078"},
        "diseinfo": [{"diag_type": "1", "diag_code": "nobody's"}],
    }
    found = told(rig.ask(json.dumps(body).encode(), CITY, path("whole", CITY)))["findings"]
    assert [one["path"] for one in found if one["rule"] == "SL-C005"] == ["diseinfo[0].diag_code"]
    assert "setlinfo.chfpdr_code" not in {one["path"] for one in found}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"{", ""), (b"[]", ""), (b"\xff\xfe", ""), (b"{}", "setlinfo"), (piece(""), "setlinfo.mdtrt_id"),
        (piece("L3", fixmedins_code=CROWD), "setlinfo.fixmedins_code"),
        (b'{"setlinfo": {"mdtrt_id": "L3", "mdtrt_id": "L4"}}', ""),
    ],
    ids=["cut", "array", "no text", "empty", "no visit", "another's", "two visits"],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_with_its_place(rig: Rig, body: bytes, place: str) -> None:
    heard = rig.ask(body, VICTIM, path())
    assert (heard.status, heard.gw_code) == (400, "GW-INVALID")
    assert [one["path"] for one in heard.json["gw_complaints"]] == [place]


@pytest.mark.parametrize(
    ("where", "method", "status", "code"),
    [
        (path(code=CROWD), "POST", 401, "GW-SOURCE"),
        (path("nothing"), "POST", 404, "GW-PATH"),
        ("/api/v1/lists/", "POST", 401, "GW-SOURCE"),
        (path() + "/x", "POST", 404, "GW-PATH"),
        (path(), "GET", 405, "GW-METHOD"),
    ],
)
def test_who_may_post_what_where(rig: Rig, where: str, method: str, status: int, code: str) -> None:
    with rig.wire(VICTIM) as wire:
        body = piece("L5")
        lines = [f"{method} {where} HTTP/1.1", "Host: g", "Content-Type: application/json"]
        wire.send("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        heard = wire.hear()
    assert (heard.status, heard.gw_code) == (status, code)


def test_another_content_type_is_refused(rig: Rig) -> None:
    heard = rig.ask(piece("L6"), VICTIM, path(), "Content-Type: text/xml")
    assert (heard.status, heard.gw_code) == (415, "GW-ENCODING")


def test_too_fast_is_429(rig: Rig) -> None:
    assert rig.ask(piece("L7"), SLOW, path(code=SLOW)).status in (200, 429)
    for _ in range(20):
        while rig.ask(raw(question(SLOW)), SLOW).status != 429:
            pass  # the bucket is one for all an institution sends
        if rig.ask(piece("L7"), SLOW, path(code=SLOW)).status == 429:
            return
    raise AssertionError("never too fast")


def test_nothing_of_the_person_rests_in_log_or_store(rig: Rig) -> None:
    told(rig.ask(piece("L8", poscode="x"), VICTIM, path()))
    log = json.dumps(rig.log_lines(), ensure_ascii=False)
    kept = b"".join(file.read_bytes() for file in rig.data.glob("liangding-lists.sqlite*"))
    for value in (NAME, PERSON):
        assert value not in log
        assert value.encode() not in kept
