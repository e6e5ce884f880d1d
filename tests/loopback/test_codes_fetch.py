"""Libraries over real sockets: 13xx, 9102, import in a child process; broken files, lost answers, the inbox."""

# pytest-twisted has no annotations.
# mypy: disable-error-code="untyped-decorator"

import io
import os
import zipfile
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import pytest_twisted
from codes_town import HOSPITAL, CodesTown
from twisted.internet.defer import Deferred

from adapters.store.codes_orders import OrdersStore, WorkStatus
from adapters.store.codes_rounds import RoundsReader
from adapters.store.codes_uploads import UploadsStore
from gateway.app.codes_files import SCRIPTS, reading
from gateway.app.security_desk import security_desk
from gateway.security.retention import FREE, HELD
from simulators import archives, tables
from simulators.faults import Fault
from simulators.platform import Reply

SERVICES = len(tables.rows("national_services"))
FIRST = {"infnos": ["1305"], "ver": ""}


def in_force(town: CodesTown, system: str = "service_item") -> tuple[int, str]:
    with reading(town.store) as reader:
        versions = [one.ver for one in reader.versions() if one.system == system]
        return sum(1 for _ in reader.library(system)), (versions or [""])[-1]


def line(status: WorkStatus) -> dict[str, Any]:
    found = status.result["libraries"]
    assert isinstance(found, list) and len(found) == 1
    only: dict[str, Any] = found[0]
    return only


def answering_9102(town: CodesTown, make: Callable[[bytes], Reply]) -> None:
    """Let the platform answer 9102 with something else; make: is given the right file."""
    serve = town.platform.serve

    def instead(path: str, headers: Any, body: bytes) -> Reply:
        reply = serve(path, headers, body)
        return make(reply.body) if path.endswith("/download") else reply

    town.platform.serve = instead  # type: ignore[method-assign]


def zipped(text: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../etc/x.txt", text)
    return out.getvalue()


@pytest_twisted.ensureDeferred
async def test_a_library_comes_whole_and_the_next_time_only_what_is_newer(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    status = await town.done("fetch", **FIRST)
    assert (status.outcome, line(status)["state"], line(status)["rows"]) == ("done", "imported", SERVICES)
    assert in_force(town) == (SERVICES, line(status)["ver"])
    assert [one["input"]["data"]["ver"] for one in town.arrived if one["infno"] == "1305"] == ["v0000", "F20260901"]
    asked = next(one["input"]["fsDownloadIn"] for one in town.arrived if one["infno"] == "9102")
    assert asked["fixmedins_code"] == "plc"

    again = await town.done("fetch", **FIRST)
    assert (again.outcome, line(again)["state"]) == ("done", "current")
    assert [one["infno"] for one in town.arrived].count("9102") == 1
    found = await town.desk.orders.db(lambda books: books.uploads.downloads("1305"))
    assert (found[0].asked_ver, found[0].rows, len(found[0].digest)) == ("v0000", SERVICES, 64)
    assert town.desk.tally.downloads == {("service_item", "imported"): 1, ("service_item", "current"): 1}


@pytest_twisted.ensureDeferred
async def test_a_library_may_be_fetched_from_its_beginning_again(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    await town.done("fetch", **FIRST)
    town.arrived.clear()
    status = await town.done("fetch", infnos=["1305"], ver="v0000")
    assert (status.outcome, line(status)["state"]) == ("done", "current")  # the same file, digest for digest
    asked = [one["input"]["data"]["ver"] for one in town.arrived if one["infno"] == "1305"]
    assert asked == ["v0000"]


@pytest_twisted.ensureDeferred
async def test_a_platform_that_offers_the_same_again_and_again_is_stopped(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    lines = archives.unzipped(archives.catalogue_file("1305")[0]).splitlines(keepends=True)
    text = "".join(lines[:5]).replace("F20260901", "V9")
    count = iter(range(1000))

    def never_the_same(right: bytes) -> Reply:
        return Reply(200, "application/octet-stream", zipped((text + lines[6 + next(count)]).encode()))

    answering_9102(town, never_the_same)
    offer = {"file_qury_no": "F1", "filename": "x.zip", "data_cnt": 6}
    serve = town.platform._do
    town.platform._do = lambda envelope, infno: offer if infno == "1305" else serve(envelope, infno)  # type: ignore[method-assign]
    status = await town.done("fetch", **FIRST)
    found = status.result["libraries"]
    assert isinstance(found, list)
    assert [one["ver"] for one in found] == ["V9", "V9"]


@pytest_twisted.ensureDeferred
async def test_versions_follow_each_other_until_none_is_newer(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    lines = archives.unzipped(archives.catalogue_file("1305")[0]).splitlines(keepends=True)
    older = "".join(lines[:10]).replace("F20260901", "F20250101")
    newer = "".join(lines[5:12]).replace("F20260901", "F20260801")
    files = [zipped(older.encode()), zipped(newer.encode())]
    answering_9102(town, lambda right: Reply(200, "application/octet-stream", files.pop(0) if files else right))
    status = await town.done("fetch", **FIRST)
    found = status.result["libraries"]
    assert isinstance(found, list)
    assert [one["ver"] for one in found] == ["F20250101", "F20260801", "F20260901"]
    assert [one["rows"] for one in found[:2]] == [10, 7]
    asked = [one["input"]["data"]["ver"] for one in town.arrived if one["infno"] == "1305"]
    assert asked == ["v0000", "F20250101", "F20260801", "F20260901"]


@pytest.mark.parametrize("days", [0, 20])
@pytest_twisted.ensureDeferred
async def test_a_release_says_whose_mappings_die_and_opens_a_round_where_wanted(
    codes_town: CodesTown, days: int
) -> None:
    town = codes_town
    await town.open(f"round_days = {days}")
    lines = archives.unzipped(archives.catalogue_file("1305")[0]).splitlines(keepends=True)
    flag = archives._titles("1305").index("有效标志")
    first, second = (line.split("\t") for line in lines[:2])
    town.mapping(("L1", first[0]), ("L2", second[0]))
    dead = "\t".join([*first[:flag], "0", *first[flag + 1 :]])
    older = "".join(lines[:10]).replace("F20260901", "F20250101")
    files = [zipped(older.encode()), zipped((dead + "".join(lines[10:12])).encode())]
    answering_9102(town, lambda right: Reply(200, "application/octet-stream", files.pop(0)))
    status = await town.done("fetch", **FIRST)
    found = status.result["libraries"]
    assert isinstance(found, list)
    assert [(one["ver"], one["affected"]) for one in found] == [
        ("F20250101", {}), ("F20260901", {HOSPITAL: 1}),
    ]  # fmt: skip
    with reading(town.store) as reader:
        rounds = RoundsReader(reader.connection).rounds()
    if days:
        assert "没有受影响的对码" in found[0]["no_round"]
        assert [(one.ver, one.maker, one.due) for one in rounds] == [("F20260901", "tester", found[1]["due"])]
        assert (found[1]["round"], found[1]["institutions"]) == (rounds[0].id, 1)
    else:
        assert rounds == [] and not any("round" in one or "no_round" in one for one in found)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04" + b"\0" * 500, "压缩文件已损坏"),
        (b"no zip at all", "列"),
        (zipped(b"a\tb\tc\n"), "列"),
        (zipped("\u4e00\t".encode() * 10 + b"\n"), "列"),
        (zipped(b"\0" * 30_000_000), "过大"),
    ],
    ids=["broken", "no-zip", "columns", "other-columns", "bomb"],
)
@pytest_twisted.ensureDeferred
async def test_a_bad_file_leaves_the_old_version_in_force_and_alarms(
    codes_town: CodesTown, content: bytes, words: str
) -> None:
    town = codes_town
    await town.open()
    town.library()
    before = in_force(town)
    answering_9102(town, lambda right: Reply(200, "application/octet-stream", content))
    status = await town.done("fetch", **FIRST)
    assert (status.outcome, line(status)["state"]) == ("failed", "failed")
    assert words in line(status)["message"]
    assert in_force(town) == before
    assert town.ears.alarms == ["catalogue_refused"]
    assert town.desk.tally.downloads == {("service_item", "refused"): 1}


@pytest_twisted.ensureDeferred
async def test_a_cut_file_is_fetched_again(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    cuts = [100]
    answering_9102(
        town,
        lambda right: Reply(200, "application/octet-stream", right, body_sent=cuts.pop() if cuts else -1),
    )
    status = await town.done("fetch", **FIRST)
    assert (status.outcome, in_force(town)[0], cuts) == ("done", SERVICES, [])


@pytest_twisted.ensureDeferred
async def test_a_refusal_instead_of_a_file_is_told_in_the_platforms_words(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.platform.faults = lambda infno, msgid: Fault(business_error="文件已过期") if infno == "9102" else None
    status = await town.done("fetch", **FIRST)
    assert status.outcome == "failed" and "文件已过期" in line(status)["message"]
    town.platform.faults = lambda infno, msgid: Fault(business_error="没有更新的版本") if infno == "1305" else None
    assert line(await town.done("fetch", **FIRST))["state"] == "current"


@pytest_twisted.ensureDeferred
async def test_a_file_larger_than_allowed_is_not_kept(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open("download_bytes_max = 1024")
    status = await town.done("fetch", **FIRST)
    assert status.outcome == "failed" and "超过1024字节" in line(status)["message"]
    assert [path for path in (town.folder / "node" / "codes").rglob("*") if path.is_file()] == []


@pytest_twisted.ensureDeferred
async def test_one_transaction_that_fails_keeps_no_other_from_its_library(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.platform.faults = lambda infno, msgid: Fault(business_error="无权限") if infno == "1301" else None
    status = await town.done("fetch", infnos=["1301", "1305", "1310"], ver="")
    found = status.result["libraries"]
    assert isinstance(found, list)
    assert status.outcome == "failed"
    assert [(one["infno"], one["state"]) for one in found] == [
        ("1301", "failed"),
        ("1305", "imported"),
        ("1310", "current"),
    ]


@pytest_twisted.ensureDeferred
async def test_an_import_cut_short_by_a_stop_is_gone_on_with_and_made_once(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    number = town.order("fetch", **FIRST)
    await town.until(lambda: bool(town.desk._children))
    await town.desk.stop()
    town.open_desk()
    status = await town.ended(number)
    assert (status.outcome, in_force(town)[0]) == ("done", SERVICES)
    assert [one["infno"] for one in town.arrived].count("9102") == 1
    with reading(town.store) as reader:
        assert len(reader.versions()) == 1


@pytest_twisted.ensureDeferred
async def test_a_node_that_died_between_import_and_saying_so_imports_no_second_time(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    await town.done("fetch", **FIRST)
    (done,) = await town.desk.orders.db(lambda books: books.uploads.downloads("1305"))
    await town.desk.stop()
    number = town.order("fetch", **FIRST)
    orders = OrdersStore.open(town.store, SCRIPTS)
    assert orders.take(number, "the dead one", 1)
    store = UploadsStore(orders.connection, "the dead one")
    store.keep_download(attrs.evolve(done, id=0, work_order=number, state="fetched", ver="", rows=0), 2)
    orders.close()
    town.arrived.clear()
    town.open_desk()
    status = await town.ended(number)
    assert (status.outcome, line(status)["state"], line(status)["rows"]) == ("done", "imported", SERVICES)
    with reading(town.store) as reader:
        assert len(reader.versions()) == 1
    assert "9102" not in [one["infno"] for one in town.arrived]


@pytest_twisted.ensureDeferred
async def test_a_stop_does_not_wait_for_a_file_that_never_comes(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    town.platform.faults = lambda infno, msgid: Fault(drop="silent") if infno == "9102" else None
    number = town.order("fetch", **FIRST)
    await town.until(lambda: any(one["infno"] == "9102" for one in town.arrived))
    await Deferred.fromCoroutine(town.desk.stop()).addTimeout(30, town.reactor)  # a file has ten minutes
    town.platform.faults = lambda infno, msgid: None
    town.open_desk()
    assert (await town.ended(number)).outcome == "done"


@pytest_twisted.ensureDeferred
async def test_a_file_laid_into_the_inbox_is_imported_and_put_aside(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open("inbox_s = 0.05")
    inbox = town.folder / "node" / "inbox" / "codes"
    await town.until(inbox.is_dir)
    (inbox / "service_item-1305.zip").write_bytes(archives.catalogue_file("1305")[0])
    await town.until(lambda: (inbox / "done" / "service_item-1305.zip").is_file())
    assert in_force(town)[0] == SERVICES
    (inbox / "drug@V1.csv").write_text("med_list_codg,generic_name\nnonsense,x\n", "utf-8")
    (inbox / "whatever.zip").write_bytes(b"x")
    await town.until(lambda: (inbox / "refused" / "drug@V1.csv").is_file())
    assert "MF09" in (inbox / "refused" / "drug@V1.csv.txt").read_text("utf-8")
    assert (inbox / "whatever.zip").is_file()
    assert in_force(town, "drug") == (0, "")


@pytest_twisted.ensureDeferred
async def test_the_schedule_gives_todays_order_once(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open('poll = "00:00"\ntransactions = ["1305"]')
    orders = town.desk.orders
    seen = []
    while not seen or not seen[0].outcome:
        await orders.sleep(0.05)
        seen = await orders.db(lambda books: books.orders.newest(5, "fetch"))
    assert (seen[0].order.who, seen[0].outcome, len(seen)) == ("schedule", "done", 1)
    await town.desk.stop()
    town.open_desk()
    await town.desk.orders.sleep(1.2)
    assert len(await town.desk.orders.db(lambda books: books.orders.newest(5, "fetch"))) == 1


@pytest_twisted.ensureDeferred
async def test_downloads_on_hold_are_kept_by_every_start(codes_town: CodesTown) -> None:
    town = codes_town
    await town.open()
    old = town.config.path(town.config.node.data_dir) / "codes" / "1305" / "2020-01-01" / "a.bin"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"x")
    os.utime(old, (1, 1))
    now = town.reactor.seconds
    for state in (HELD, FREE):
        with security_desk(town.config, now, town.entropy, make=True) as desk:
            desk.trail.record("zhao", "retention.hold", "retention:downloads", after=state)
        await town.desk.stop()
        town.open_desk()
        assert old.exists() == (state == HELD)
    old.write_bytes(b"x")
    os.utime(old, (1, 1))
    await town.desk.stop()
    room = town.config.room("security")
    kept = room.read_bytes()
    room.write_bytes(b"no database at all, and long enough to be looked at" * 40)
    town.open_desk()  # nobody knows whether there is a hold: told, and they stay
    assert old.exists() and [str(one)[:3] for one in town.failures] == ["安全库"]
    room.write_bytes(kept)
    town.failures.clear()
