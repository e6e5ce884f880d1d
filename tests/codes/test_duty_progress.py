"""Deadlines of the steps and the progress of a month, by the commands and by the clock."""

import csv
import re
from pathlib import Path

import pytest
from duty_rig import CONFIG, DAY, HOSPITAL, OTHER, DutyRig, doctor

from gateway.app.duties_config import duties_problems, read_duties
from gateway.codes.duties import DutiesError, build_duties
from gateway.codes.duty_codes import propose, unfit


@pytest.fixture
def rig(tmp_path: Path) -> DutyRig:
    return DutyRig(tmp_path)


def test_each_step_has_its_deadline_and_the_last_day_is_in_time(rig: DutyRig) -> None:
    rig.request(doctor(1))  # 2026-11-18
    (one,) = rig.told("list")["entries"]
    assert (one["next"], one["due"], one["late"]) == ("review", "2026-11-28", False)
    rig.now += 10 * DAY
    assert rig.told("list", "--late")["count"] == 0
    rig.now += DAY
    assert rig.told("list", "--late")["count"] == 1
    rig.review("1")  # on the 29th
    (one,) = rig.told("list")["entries"]
    assert (one["next"], one["due"]) == ("assign", "2026-12-04")
    rig.assign("1")
    assert rig.told("list")["entries"][0]["next"] == "report"
    number, _ = rig.export()
    rig.duty("report", f"x{number}", "--operator", "甲", "--receipt", "r")
    (one,) = rig.told("list")["entries"]
    assert (one["next"], one["due"]) == ("", "")


def test_the_progress_of_a_month_counts_due_done_and_late(rig: DutyRig) -> None:
    rig.request(doctor(1), doctor(2), doctor(3))  # due to be reviewed 2026-11-28
    rig.request(doctor(4, 执业机构编号=OTHER), owner=OTHER)
    rig.now += 2 * DAY  # 11-20: in time
    rig.review("1")  # assign by 11-25
    rig.duty("return", "4", "--reviewer", "审核人", "--reason", "x")  # corrected by 11-30
    rig.now += 6 * DAY  # 11-26
    rig.assign("1")  # a day late; report by 12-06
    rig.now += 3 * DAY  # 11-29
    rig.review("2")  # a day late; assign by 12-04; entry 3 is open and late
    told = rig.told("progress", "--month", "2026-11", code=3)
    rows = {one["owner"]: one for one in told["rows"]}
    mine = rows[HOSPITAL]
    assert (mine["due"], mine["done"], mine["late"], mine["open"]) == (4, 3, 3, 1)
    assert mine["tasks"] == {
        "review": {"due": 3, "done": 2, "late": 2, "open": 1},
        "assign": {"due": 1, "done": 1, "late": 1, "open": 0},
    }
    assert mine["events"] == {"filed": 3, "reviewed": 2, "assigned": 1, "returned": 0, "reported": 0}
    other = rows[OTHER]
    assert (other["due"], other["done"], other["late"], other["open"]) == (2, 1, 0, 1)
    assert other["tasks"]["correct"] == {"due": 1, "done": 0, "late": 0, "open": 1}
    rig.request(doctor(4, 执业机构编号=OTHER), owner=OTHER)  # filed again in time
    told = rig.told("progress", "--month", "2026-11", code=3)
    assert {one["owner"]: one for one in told["rows"]}[OTHER]["open"] == 0
    december = rig.told("progress", "--month", "2026-12")
    assert [(one["owner"], one["due"], one["late"]) for one in december["rows"]] == [(OTHER, 1, 0), (HOSPITAL, 2, 0)]
    assert december["report_by"] == "2026-12-23"


def test_what_is_done_on_the_last_day_is_not_late(rig: DutyRig) -> None:
    rig.request(doctor(1), doctor(2))
    rig.now += 10 * DAY
    rig.review("1")
    (one,) = rig.told("progress", "--month", "2026-11")["rows"]
    assert (one["due"], one["done"], one["late"]) == (2, 1, 0)
    rig.now += DAY
    (one,) = rig.told("progress", "--month", "2026-11", code=3)["rows"]
    assert (one["due"], one["done"], one["late"]) == (2, 1, 1)


def test_the_progress_is_written_as_a_table(rig: DutyRig) -> None:
    rig.request(doctor(1))
    out = rig.folder / "progress.csv"
    rig.duty("progress", "--month", "2026-11", "--out", str(out))
    with out.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[1] == ["2026-11", "doctor", HOSPITAL, "1", "0", "0", "1", "1", "0", "0", "0", "0"]
    assert "共0行" in rig.duty("progress", "--month", "2025-01").stdout


def test_the_division_table_says_what_is_wrong_with_it() -> None:
    assert duties_problems({}) == []
    own = {"register": {"doctor": {"reviewrs": ["甲"]}, "nurse": {"division": "nowhere"}, "plan": {}}}
    told = duties_problems(own)
    assert [line.partition(":")[0] for line in told] == [
        "$.duties.register.doctor",
        "$.duties.register.nurse",
        "$.duties.register.plan",
    ]
    assert "reviewrs" in told[0]
    assert "nowhere" in told[1]
    for wrong in ({"days": {"review": 0}}, {"days": 3}, {"register": 3}, {"bogus": 1}, {"region": "atlantis"},
                  {"register": {"doctor": {"unique": []}}}, {"register": {"doctor": {"serial": 0}}},
                  {"register": {"doctor": {"maintainers": ["甲"], "reviewers": ["甲"]}}}):  # fmt: skip
        assert len(duties_problems(wrong)) == 1, wrong


def test_check_reports_a_wrong_division_table_with_the_configuration(tmp_path: Path) -> None:
    rig = DutyRig(tmp_path, CONFIG + '[duties.register.doctor]\nmaintained_by = ["everybody"]\n')
    assert "$.duties.register.doctor" in rig.duty("list", code=2).stderr


def test_a_region_names_only_its_differences() -> None:
    import schemas

    files = [*schemas.read("duties", ".toml"), ("duties/x.toml", b'id = "x"\n[register.nurse]\nassigns = false\n')]
    systems = set(read_duties({}).register)
    found = build_duties(files, "x", {"register": {"nurse": {"days": {"review": 2}}}}, systems)
    assert not found.register["nurse"].assigns
    assert found.register["nurse"].prefix == "N"
    assert (found.days_of("nurse").review, found.days_of("nurse").report) == (2, 10)
    assert found.days_of("doctor").review == 10
    with pytest.raises(DutiesError, match="TOML"):
        build_duties([("duties/y.toml", b"= =")], "y", {}, systems)


def test_serials_run_on_in_their_range_and_end_with_it() -> None:
    register = read_duties({}).register
    wanted = [(1, "990103"), (2, "990204"), (3, "990102"), (4, "")]
    known = ["D990102000009", "D990103000004", "D990204999999", "H99010300001", "X"]
    found = propose(register["doctor"], wanted, known)
    assert [one.code for one in found] == ["D990103000010", "", "D990102000011", ""]
    assert "用完" in found[1].why
    assert "--division" in found[3].why
    assert [one.code for one in propose(register["medical_institution"], wanted[::2], known)] == [
        "H99010300002",
        "H99010200001",
    ]
    assert propose(register["insurance_unit"], [(1, "990103")], [])[0].code == ""
    assert unfit("HJ990103000001", "990103", register["pharmacist"], re.compile(r"H[YJ]\d{12}"), set()) == ""
    assert "区划" in unfit("HJ990203000001", "990103", register["pharmacist"], re.compile(r"H[YJ]\d{12}"), set())


def test_a_desk_without_a_store_is_empty_and_makes_none(rig: DutyRig) -> None:
    assert rig.told("list")["count"] == 0
    assert rig.told("check") == {"checked": 0, "findings": []}
    assert rig.told("progress")["rows"] == []
    assert "没有待上报" in rig.duty("export", "doctor", "--operator", "甲", "--out", str(rig.folder / "x.csv")).stdout
    rig.duty("review", "1", "--reviewer", "审核人", code=2)
    rig.run("round", "list", rig.config)
    assert not rig.store.exists()


def test_the_table_of_the_handbook_is_taken(tmp_path: Path) -> None:
    own = """
[duties.days]
review = 5
[duties.register.doctor]
maintainers = ["王维护", "赵维护"]
reviewers   = ["张审核"]
days = {review = 3}
"""
    rig = DutyRig(tmp_path, CONFIG + own)
    assert "审核3天，赋码5天" in rig.duty("form", "doctor").stdout
    assert "审核5天" in rig.duty("form", "nurse").stdout
