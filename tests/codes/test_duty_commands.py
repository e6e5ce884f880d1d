"""The way of an entry by the commands, on a real store: requested, reviewed, given its code, exported, reported."""

import json
import sqlite3
import stat
from pathlib import Path

import pytest
from duty_rig import CONFIG, DAY, HOSPITAL, OTHER, DutyRig, doctor, identity

LIBRARY = "dr_code,psn_name,prac_cert_no,fixmedins_code,begndate,enddate,vali_flag,ver\n"
TWO_DOCTORS = (
    f"D990103000041,某甲,999000000000901,{HOSPITAL},2021-01-01,,1,F1\n"
    f"D990102000077,某乙,999000000000902,{OTHER},2021-01-01,,1,F1\n"
)


@pytest.fixture
def rig(tmp_path: Path) -> DutyRig:
    return DutyRig(tmp_path)


@pytest.fixture
def stocked(rig: DutyRig) -> DutyRig:
    """A rig whose doctors' library was imported."""
    path = rig.folder / "doctors.csv"
    path.write_text(LIBRARY + TWO_DOCTORS, "utf-8")
    rig.run("import", rig.config, "doctor", str(path))
    return rig


def test_the_full_way_of_a_doctor(stocked: DutyRig) -> None:
    (number,) = stocked.request(doctor(1))
    assert stocked.states() == ["filed"]
    assert stocked.review(str(number))["reviewed"] == [number]
    # The serial runs through the city (9901), whatever the county: 000077 is the highest known.
    assert stocked.assign(str(number)) == ["D990103000078"]
    export, rows = stocked.export()
    assert rows == [
        ["申报号", "操作", "编码", "姓名", "证件号码", "执业证书编号", "执业医疗机构名称", "停用日期", "停用原因"],
        ["1", "新增", "D990103000078", "测试医师1", identity(1), "999000000000001", "示例医院", "", ""],
    ]
    assert stat.S_IMODE((stocked.folder / "window.csv").stat().st_mode) == 0o600
    stocked.duty("report", f"x{export}", "--operator", "上报人", "--receipt", "区局〔2026〕1号", "--date", "2026-11-18")
    shown = stocked.told("show", "1")
    assert [(one["step"], one["who"], one["code"]) for one in shown["steps"]] == [
        ("viewed", "审核人", ""),
        ("reviewed", "审核人", ""),
        ("assigned", "审核人", "D990103000078"),
        ("exported", "上报人", ""),
        ("reported", "上报人", ""),
    ]
    assert (shown["steps"][-1]["note"], shown["steps"][-1]["day"]) == ("区局〔2026〕1号", "2026-11-18")
    assert (shown["state"], shown["code"]) == ("reported", "D990103000078")
    assert (
        "没有待上报"
        in stocked.duty("export", "doctor", "--operator", "甲", "--out", str(stocked.folder / "no.csv")).stdout
    )


def test_no_person_is_readable_in_the_store_or_in_what_only_looks(rig: DutyRig) -> None:
    (number,) = rig.request(doctor(1))
    rig.duty("return", str(number), "--reviewer", "审核人", "--reason", "执业证书编号与证件号码不符")
    secrets = [identity(1), "测试医师1", "999000000000001"]
    for path in (rig.folder / "var").iterdir():
        raw = path.read_bytes()
        assert not [one for one in secrets if one.encode() in raw], path
    for command in (("list",), ("show", "1"), ("progress",), ("check", "1")):
        told = rig.duty(*command).stdout + rig.duty(*command, "--json").stdout
        assert not [one for one in secrets if one in told], command
    bad = doctor(2, 证件号码=identity(2)[:-1] + ("0" if identity(2)[-1] != "0" else "1"), 执业机构编号="X1")
    refused = rig.duty("request", HOSPITAL, "doctor", rig.form([bad]), "--maker", "甲", code=1)
    assert "DU05" in refused.stderr
    assert not [one for one in (bad["证件号码"], bad["姓名"], bad["执业证书编号"]) if one in refused.stderr]


def test_a_reviewer_sees_the_whole_content_and_that_is_kept(rig: DutyRig) -> None:
    rig.request(doctor(1))
    shown = rig.duty("review", "1", "--reviewer", "审核人").stdout
    assert identity(1) in shown
    assert "测试医师1" in shown
    assert [one["step"] for one in rig.told("show", "1")["steps"]] == ["viewed"]


def test_a_returned_entry_is_filed_again_and_passes(rig: DutyRig) -> None:
    (first,) = rig.request(doctor(1))
    rig.duty("return", str(first), "--reviewer", "审核人", "--reason", "执业机构编号不对")
    refused = rig.duty("review", str(first), "--reviewer", "审核人", "--accept", "0" * 16, code=1)
    assert "已退回" in refused.stderr
    rig.duty("return", str(first), "--reviewer", "审核人", "--reason", "再退一次", code=1)
    (second,) = rig.request(doctor(1))
    rig.review(str(second))
    assert rig.assign(str(second)) == ["D990103000001"]
    assert rig.states() == ["returned", "assigned"]
    assert [one["next"] for one in rig.told("list")["entries"]] == ["", "report"]


def test_a_returned_entry_with_a_wrong_number_is_corrected_by_naming_it(rig: DutyRig) -> None:
    (first,) = rig.request(doctor(1))
    rig.duty("return", str(first), "--reviewer", "审核人", "--reason", "证件号码不是本人的")
    mended = doctor(2, 更正申报号=str(first))
    assert (
        "DU02"
        in rig.duty(
            "request", HOSPITAL, "doctor", rig.form([doctor(3, 更正申报号="99")]), "--maker", "甲", code=1
        ).stderr
    )
    rig.request(mended)
    assert [one["next"] for one in rig.told("list")["entries"]] == ["", "review"]


def test_a_code_given_to_an_entry_returned_afterwards_is_not_given_again(rig: DutyRig) -> None:
    rig.request(doctor(1))
    rig.review("1")
    assert rig.assign("1") == ["D990103000001"]
    rig.duty("return", "1", "--reviewer", "审核人", "--reason", "上级退回")
    rig.request(doctor(1))
    rig.review("2")
    assert rig.assign("2") == ["D990103000002"]


def test_nobody_reviews_returns_or_numbers_what_they_filed(rig: DutyRig) -> None:
    rig.request(doctor(1))
    seen = rig.told("review", "1", "--reviewer", "审核人")["accept"]
    for name in ("申报人", " 申报人 "):
        for command in (("review", "1", "--reviewer", name), ("review", "1", "--reviewer", name, "--accept", seen),
                        ("return", "1", "--reviewer", name, "--reason", "x")):  # fmt: skip
            assert "MA17" in rig.duty(*command, code=1).stderr
    rig.duty("review", "1", "--reviewer", " ", "--accept", seen, code=2)
    rig.duty("review", "1", "--reviewer", "审核人", "--accept", seen)
    code = rig.told("assign", "1")["accept"]
    assert "MA17" in rig.duty("assign", "1", "--operator", "申报人", "--accept", code, code=1).stderr
    told = rig.duty("assign", "1", "--accept", code, code=2).stderr
    assert "--operator" in told and "审核人" not in told
    assert rig.states() == ["reviewed"]


def test_what_was_not_seen_does_not_pass(rig: DutyRig) -> None:
    rig.request(doctor(1), doctor(2))
    seen = rig.told("review", "1", "--reviewer", "审核人")["accept"]
    for entries in (("2",), ("1-2",), ("f1",)):
        assert "核对码" in rig.duty("review", *entries, "--reviewer", "审核人", "--accept", seen, code=1).stderr
    assert rig.states() == ["filed", "filed"]
    rig.duty("review", "1", "--reviewer", "审核人", "--accept", seen)
    assert rig.states() == ["reviewed", "filed"]


def test_a_check_value_handed_on_by_a_colleague_is_not_enough(rig: DutyRig) -> None:
    rig.request(doctor(1))
    seen = rig.told("review", "1", "--reviewer", "审核人")["accept"]
    assert "本人" in rig.duty("review", "1", "--reviewer", "另一人", "--accept", seen, code=1).stderr
    assert rig.states() == ["filed"]


def test_a_content_changed_behind_the_desks_back_does_not_pass(rig: DutyRig) -> None:
    rig.request(doctor(1), doctor(2))
    seen = rig.told("review", "1", "--reviewer", "审核人")["accept"]
    connection = sqlite3.connect(rig.store)
    with pytest.raises(sqlite3.IntegrityError, match="never edited"):
        connection.execute("UPDATE duty_entry SET code = ''")
    connection.execute("DROP TRIGGER duty_entry_no_update")
    connection.execute("UPDATE duty_entry SET sealed = (SELECT sealed FROM duty_entry WHERE id = 2) WHERE id = 1")
    connection.commit()
    connection.close()
    refused = rig.duty("review", "1", "--reviewer", "审核人", "--accept", seen, code=1)
    assert "无法解密" in refused.stderr
    assert rig.states() == ["filed", "filed"]


def test_codes_are_proposed_and_given_only_as_seen(rig: DutyRig) -> None:
    rig.request(doctor(1), doctor(2), doctor(3))
    rig.review("1-3")
    told = rig.told("assign", "1-2")
    assert (told["assigned"], [one["code"] for one in told["codes"]]) == (False, ["D990103000001", "D990103000002"])
    assert rig.states() == ["reviewed"] * 3
    rig.assign("3")  # takes what was proposed to entry 1
    refused = rig.duty("assign", "1-2", "--operator", "审核人", "--accept", told["accept"], code=1)
    assert "核对码" in refused.stderr
    assert rig.assign("1-2") == ["D990103000002", "D990103000003"]


@pytest.mark.parametrize(
    ("code", "why"),
    [("D99010300001", "编码规则"), ("D990102000077", "已被使用"), ("D990104000100", "区划")],
)
def test_a_code_given_by_hand_must_fit(stocked: DutyRig, code: str, why: str) -> None:
    stocked.request(doctor(1))
    stocked.review("1")
    told = stocked.told("assign", "1", "--code", code, code=3)
    assert why in told["codes"][0]["why"]
    stocked.duty("assign", "1", "--operator", "审核人", "--code", code, "--accept", told["accept"], code=1)
    good = stocked.told("assign", "1", "--code", "D990103000500")["accept"]
    stocked.duty("assign", "1", "--operator", "审核人", "--code", "D990103000500", "--accept", good)
    assert stocked.told("list")["entries"][0]["code"] == "D990103000500"


def test_a_person_who_is_there_already_is_found_whoever_asks(stocked: DutyRig) -> None:
    stocked.request(doctor(1))
    twice = stocked.request(doctor(1), owner=OTHER, code=3)
    assert "DU08" in stocked.duty("check", str(twice[0]), code=3).stdout
    known = stocked.request(doctor(9, 执业证书编号="999000000000902"), code=3)
    assert "D990102000077" in stocked.duty("check", str(known[0]), code=3).stdout
    refused = stocked.review(str(known[0]), code=3)
    assert [one["rule"] for one in refused["refused"]] == ["DU08"]
    # When the first is returned the second may pass.
    stocked.duty("return", "1", "--reviewer", "审核人", "--reason", "x")
    assert stocked.review(str(twice[0]))["reviewed"] == twice


def test_a_code_retires_once_and_changes_only_while_in_force(stocked: DutyRig) -> None:
    gone = {"医保医师代码": "D990103000041", "停用日期": "2026-11-30", "停用原因": "调离"}
    (first,) = stocked.request(gone, action="retire")
    assert stocked.request(gone, action="retire", code=3) == [2]  # another one under way
    assert stocked.request({**doctor(5), "医保医师代码": "D990103009999"}, action="change", code=3) == [3]
    assert "DU09" in stocked.duty("check", "3", code=3).stdout
    stocked.review(str(first))
    assert "不需要本机构赋码" in stocked.duty("assign", "1", code=1).stderr
    number, rows = stocked.export()
    assert rows[1][:3] == ["1", "停用", "D990103000041"]
    assert rows[1][-2:] == ["2026-11-30", "调离"]
    stocked.duty("report", f"x{number}", "--operator", "上报人", "--receipt", "r1")
    assert stocked.request({**doctor(5), "医保医师代码": "D990103000041"}, action="change", code=3) == [4]


def test_faults_of_form_are_located_and_store_nothing(rig: DutyRig) -> None:
    rows = [
        doctor(1, 姓名=""),
        doctor(2, 证件号码="999000194001010000", 合同开始日期="2026-02-30"),
        doctor(3, 合同开始日期="2026-02-01", 合同结束日期="2026-01-01"),
        doctor(4, 多点执业标志="是", 执业证书编号="9" * 51),
        doctor(5, 执业机构编号="H9901"),
        doctor(6, 医保医师代码="D990103000001"),
        doctor(7), doctor(7),
        doctor(8, 证件类型="16", 证件号码="G99900001"),
        doctor(9, 姓名="=1+1"),
    ]  # fmt: skip
    told = rig.told("request", HOSPITAL, "doctor", rig.form(rows), "--maker", "甲", code=1)
    assert [(one["row"], one["column"], one["rule"]) for one in told["complaints"]] == [
        (2, "姓名", "DU01"),
        (3, "证件号码", "DU05"),
        (3, "合同开始日期", "DU06"),
        (4, "合同结束日期", "DU06"),
        (5, "执业证书编号", "DU02"),
        (5, "多点执业标志", "DU02"),
        (6, "执业机构编号", "DU02"),
        (7, "医保医师代码", "DU02"),
        (9, "", "DU07"),
        (11, "姓名", "MF06"),
    ]
    assert rig.told("list")["count"] == 0
    missing = {name: text for name, text in doctor(1).items() if name != "证件号码"}
    assert "证件号码" in rig.duty("request", HOSPITAL, "doctor", rig.form([missing]), "--maker", "甲", code=2).stderr


def test_institutions_are_numbered_in_their_own_division(rig: DutyRig) -> None:
    clinic = {
        "机构名称": "示例诊所", "统一社会信用代码": "91350100M000100Y43", "医院等级": "11", "协议服务对象": "参保人员",
        "协议服务范围": "门诊", "协议状态": "有效", "行政区划": "990103",
    }  # fmt: skip
    bad = {**clinic, "统一社会信用代码": "91350100M000100Y44"}
    refused = rig.duty("request", "990100", "medical_institution", rig.form([bad]), "--maker", "甲", code=1)
    assert "DU04" in refused.stderr
    rig.request(clinic, owner="990100", system="medical_institution")
    rig.review("1")
    assert rig.assign("1") == ["H99010300001"]


def test_diseases_are_reviewed_and_reported_without_a_code_of_ours(rig: DutyRig) -> None:
    disease = {
        "病种名称": "示例病种",
        "病种内涵": "内涵",
        "保障对象": "职工",
        "政策文件号": "示医保发〔2026〕1号",
        "医保区划": "990100",
    }
    rig.duty("request", HOSPITAL, "chronic_disease", rig.form([disease]), "--maker", "甲", code=2)
    rig.request(disease, owner="990100", system="chronic_disease")
    rig.review("1")
    rig.duty("assign", "1", code=1)
    _, rows = rig.export("window.xlsx.csv", "chronic_disease")
    assert rows[0][3:7] == ["病种名称", "病种内涵", "保障对象", "政策文件号"]
    assert rig.states() == ["exported"]


def test_the_window_form_can_be_excel_and_cells_stay_text(rig: DutyRig) -> None:
    python_calamine = pytest.importorskip("python_calamine")
    rig.request(doctor(1, 执业证书编号="000999000000001"))
    rig.review("1")
    rig.assign("1")
    out = rig.folder / "window.xlsx"
    rig.duty("export", "doctor", "--operator", "甲", "--out", str(out))
    rows = python_calamine.CalamineWorkbook.from_path(str(out)).get_sheet_by_index(0).to_python()
    assert rows[1][5] == "000999000000001"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_who_maintains_and_reviews_is_configuration(tmp_path: Path) -> None:
    own = '[duties.register.doctor]\nmaintainers = ["申报人"]\nreviewers = ["张审"]\n[duties.days]\nreview = 3\n'
    rig = DutyRig(tmp_path, CONFIG + own)
    rig.request(doctor(1))
    rig.duty("request", HOSPITAL, "doctor", rig.form([doctor(2)]), "--maker", "路人", code=2)
    assert "分工表" in rig.duty("review", "1", "--reviewer", "审核人", code=2).stderr
    rig.review("1", reviewer="张审")
    seen = rig.told("assign", "1")["accept"]
    rig.duty("assign", "1", "--operator", "审核人", "--accept", seen, code=2)
    assert "审核3天" in rig.duty("form", "doctor").stdout


def test_wrong_numbers_and_owners_are_wrong_usage(rig: DutyRig) -> None:
    rig.request(doctor(1))
    for text in ("9", "a", "f9", "x1", "1-"):
        rig.duty("review", text, "--reviewer", "审核人", code=2)
    rig.duty("request", "H00000000000", "doctor", rig.form([doctor(2)]), "--maker", "甲", code=2)
    rig.duty("request", HOSPITAL, "drug", rig.form([doctor(2)]), "--maker", "甲", code=2)
    rig.duty("progress", "--month", "2026-13", code=2)
    rig.duty("return", "1", "--reviewer", "审核人", "--reason", f"号码{identity(1)[:17]}不对", code=2)
    rig.review("1")
    rig.assign("1")
    rig.duty("report", "1", "--operator", "甲", "--receipt", "r", code=1)  # not exported yet
    rig.export()
    rig.duty("report", "1", "--operator", "甲", "--receipt", "r", "--date", "2026-11-19", code=2)


def test_nothing_was_reported_before_it_was_exported(rig: DutyRig) -> None:
    rig.request(doctor(1))
    rig.review("1")
    rig.assign("1")
    rig.export()
    rig.now += DAY
    rig.duty("export", "doctor", "1", "--operator", "上报人", "--out", str(rig.folder / "again.csv"))
    report = ("report", "1", "--operator", "上报人", "--receipt", "r", "--date")
    assert "1号在2026-11-18才导出" in rig.duty(*report, "2026-11-17", code=2).stderr
    assert rig.states() == ["exported"]
    rig.duty(*report, "2026-11-18")


def test_the_key_is_made_once_and_a_lost_one_is_not_replaced(rig: DutyRig) -> None:
    rig.request(doctor(1))
    key = rig.folder / "var" / "answers.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.rename(key.with_name("away"))
    rig.duty("request", HOSPITAL, "doctor", rig.form([doctor(2)]), "--maker", "甲", code=2)
    assert not key.exists()
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    assert "无法解密" in rig.duty("review", "1", "--reviewer", "审核人", code=1).stderr


def test_a_blank_form_names_the_columns_a_request_takes(rig: DutyRig) -> None:
    out = rig.folder / "blank.csv"
    told = rig.told("form", "nurse", "--out", str(out))
    titles = out.read_text("utf-8-sig").strip().split(",")
    assert titles == [one["title"] for one in told["columns"]]
    assert "医保护士代码" not in titles
    assert json.dumps(told["maintains"], ensure_ascii=False) == '"定点医疗机构、定点零售药店"'
