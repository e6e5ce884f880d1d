"""Rule by rule: what leads to which suggestion, and what must never come out sure (mapping rules section 4, C5)."""

from pathlib import Path

import pytest
from suggest_noise import write
from suggest_rig import Row, suggest

DRUG: Row = {
    "med_list_codg": "XC03CAF927A001010199002", "generic_name": "呋塞米片", "alias": "速尿", "dosform": "片剂",
    "spec": "20mg", "pacspec": "100片/瓶", "min_unit": "片", "pack_unit": "瓶", "aprvno": "国药准字H20054781",
    "prodentp_name": "远山制药有限公司", "begndate": "2021-01-01", "enddate": "", "vali_flag": "1", "replaced_by": "",
}  # fmt: skip
LOCAL_DRUG: Row = {
    "local_code": "1", "local_name": "呋塞米片", "local_spec": "20mg", "local_pack": "100片/瓶",
    "local_dosform": "片剂", "local_maker": "远山制药有限公司", "local_aprvno": "国药准字H20054781", "local_unit": "瓶",
}  # fmt: skip
OTHER = "XC03CAF927A001010199003"
ITEM: Row = {
    "med_list_codg": "001206000020000-120600002", "local_price_code": "120600002", "servitem_name": "换药(大)",
    "prcunt": "次", "item_cont": "含材料", "exct_cont": "", "vali_flag": "1",
}  # fmt: skip
LOCAL_ITEM: Row = {"local_code": "1", "local_name": "换药(大)", "local_price_code": "120600002", "local_unit": "次"}
DEVICE: Row = {
    "med_list_codg": "C07030191002002991010000002", "mcs_name": "普通接骨板", "hi_genname": "接骨板",
    "spec_mol": "8孔", "udi_di": "06991816402086", "reg_fil_no": "国械注准20233070333", "reg_fil_end": "2028-12-31",
    "prodentp_name": "远山医疗器械有限公司", "min_unit": "个", "vali_flag": "1",
}  # fmt: skip
LOCAL_DEVICE: Row = {
    "local_code": "1", "local_name": "普通接骨板", "local_spec": "8孔", "local_udi": "06991816402086",
    "local_reg_no": "国械注准20233070333", "local_maker": "远山医疗器械有限公司", "local_unit": "个",
}  # fmt: skip
DISEASE: Row = {
    "diag_code": "I63.900", "diag_name": "脑梗死", "clin_diag_code": "I63.900x001", "gray": "0", "replaced_by": "",
    "vali_flag": "1",
}  # fmt: skip
LOCAL_DISEASE: Row = {"local_code": "1", "local_name": "脑梗死", "icd_code": "I63.900"}
PERSON: Row = {
    "dr_code": "D990101000001", "psn_name": "甲乙丙", "certno": "99901219800101123X", "prac_cert_no": "110000012345678",
    "fixmedins_code": "H99010100001", "prac_stas": "在职", "vali_flag": "1",
}  # fmt: skip
LOCAL_PERSON: Row = {
    "local_code": "1", "local_name": "甲乙丙", "local_certno": "99901219800101123X",
    "local_prac_cert_no": "110000012345678", "fixmedins_code": "H99010100001",
}  # fmt: skip
SYSTEMS = {"drug": (DRUG, LOCAL_DRUG), "service_item": (ITEM, LOCAL_ITEM), "consumable": (DEVICE, LOCAL_DEVICE),
           "diagnosis": (DISEASE, LOCAL_DISEASE), "doctor": (PERSON, LOCAL_PERSON)}  # fmt: skip


class Answer:
    def __init__(self, row: Row) -> None:
        self.code, self.rule, self.note = row["national_code"], row["rule"], row["note"]
        self.runner_up = row["runner_up"]
        self.confidence = float(row["confidence"] or 0)


@pytest.fixture
def ask(tmp_path: Path) -> "Ask":
    return Ask(tmp_path)


class Ask:
    """Asks about one local row: changes against the usual rows, and further national rows as changes of the usual."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, system: str, local: Row, national: Row | None = None, *more: Row) -> Answer:
        usual, mine = SYSTEMS[system]
        rows = [usual | (national or {}), *(usual | one for one in more)]
        theirs = write(self._folder / "national.csv", rows)
        ours = write(self._folder / "local.csv", [mine | local])
        (row,) = suggest(system, theirs, ours, self._folder)
        return Answer(row)


@pytest.mark.parametrize(
    ("system", "local", "rule"),
    [
        ("drug", {}, "drug.approval"),
        ("drug", {"local_name": "速尿", "local_maker": "远山制药"}, "drug.approval"),
        ("drug", {"local_spec": "0.02克", "local_pack": "瓶×100", "local_aprvno": "h20054781"}, "drug.approval"),
        ("drug", {"local_spec": "20mg*100片/瓶", "local_pack": ""}, "drug.approval"),
        ("drug", {"local_maker": ""}, "drug.approval_no_maker"),
        ("drug", {"local_aprvno": ""}, "drug.product"),
        ("drug", {"local_name": "呋噻米片(三楼)"}, "drug.approval_typo"),
        ("service_item", {}, "service.code"),
        ("service_item", {"local_name": "換藥【大】", "local_unit": "人次"}, "service.code"),
        ("service_item", {"local_price_code": "120600002a"}, "service.code_trimmed"),
        ("consumable", {}, "consumable.udi"),
        ("consumable", {"local_udi": "(01)06991816402086(17)290101(10)A1"}, "consumable.udi"),
        ("consumable", {"local_udi": "", "local_reg_no": "20233070333"}, "consumable.registration"),
        ("diagnosis", {}, "icd.exact"),
        ("diagnosis", {"icd_code": "i63900"}, "icd.exact"),
        ("diagnosis", {"icd_code": "I63.900X001"}, "icd.crosswalk"),
        ("diagnosis", {"local_name": "脑梗塞"}, "icd.code_name"),
        ("diagnosis", {"icd_code": "I63.9"}, "icd.partial_name"),
        ("doctor", {}, "staff.identity_licence"),
        ("doctor", {"local_certno": "999012********123X"}, "staff.masked_licence"),
        ("doctor", {"local_certno": "", "local_prac_cert_no": "12345678"}, "staff.licence"),
    ],
)
def test_what_agrees_leads_to_its_rule_and_is_sure(ask: Ask, system: str, local: Row, rule: str) -> None:
    found = ask(system, local)
    assert (found.rule, found.confidence >= 0.95) == (rule, True), (found.confidence, found.note)


@pytest.mark.parametrize(
    ("system", "local", "said"),
    [
        ("drug", {"local_maker": "长河制药有限公司", "local_aprvno": ""}, "生产企业不同"),
        ("drug", {"local_maker": "长河制药有限公司"}, "生产企业不同"),
        ("drug", {"local_spec": "40mg"}, "规格不同"),
        ("drug", {"local_spec": ""}, "规格院内未填"),
        ("drug", {"local_pack": "50片/瓶"}, "包装不同"),
        ("drug", {"local_pack": "100片/盒"}, "包装不同"),
        ("drug", {"local_pack": ""}, "包装院内未填"),
        ("drug", {"local_name": "呋塞米注射液", "local_dosform": "注射液"}, "剂型不同"),
        ("drug", {"local_name": "复方呋塞米片"}, "复方"),
        ("drug", {"local_aprvno": "国药准字H20054782"}, "批准文号"),
        ("drug", {"local_aprvno": "", "local_maker": ""}, "生产企业院内未填"),
        ("drug", {"local_name": "院内呋塞米片", "local_aprvno": ""}, "自制"),
        ("service_item", {"local_unit": "日"}, "计价单位不同"),
        ("service_item", {"local_name": "换药(中)"}, "名称"),
        ("service_item", {"local_price_code": ""}, "物价编码院内未填"),
        ("service_item", {"local_price_code": "120600003"}, "物价编码"),
        ("service_item", {"local_item_cont": "不含材料"}, "项目内涵不同"),
        ("consumable", {"local_spec": "10孔"}, "规格型号不同"),
        ("consumable", {"local_udi": "", "local_reg_no": ""}, "院内未填"),
        ("consumable", {"local_udi": "", "local_maker": "长河医疗器械有限公司"}, "生产企业不同"),
        ("diagnosis", {"local_name": "脑出血"}, "名称"),
        ("diagnosis", {"icd_code": "K35.900"}, "编码不同"),
        ("diagnosis", {"icd_code": "I63.8"}, "编码不同"),
        ("diagnosis", {"icd_code": ""}, "编码院内未填"),
        ("diagnosis", {"local_name": "脑梗死待查"}, "医师"),
        ("doctor", {"local_certno": "999012198001011248", "local_prac_cert_no": ""}, ""),
        ("doctor", {"local_certno": "", "local_prac_cert_no": ""}, "姓名"),
    ],
)
def test_what_differs_or_is_missing_is_said_and_never_sure(ask: Ask, system: str, local: Row, said: str) -> None:
    found = ask(system, local)
    assert found.confidence < 0.95, (found.rule, found.note)
    assert said in found.note, found.note


HERB: Row = {**DRUG, "dosform": "中药饮片", "spec": "", "pacspec": "g", "aprvno": "", "prodentp_name": "", "alias": ""}
RAW = HERB | {"med_list_codg": "T001700001", "generic_name": "黄芪"}
BAKED = HERB | {"med_list_codg": "T001700002", "generic_name": "炙黄芪"}
GRANULE = HERB | {"med_list_codg": "T0017000010010199001", "generic_name": "黄芪配方颗粒", "dosform": "颗粒剂"}
LOOSE: Row = {
    "local_spec": "",
    "local_pack": "",
    "local_maker": "",
    "local_aprvno": "",
    "local_unit": "g",
    "local_dosform": "中药饮片",
}


@pytest.mark.parametrize(
    ("name", "form", "code"),
    [
        ("黄芪", "中药饮片", RAW["med_list_codg"]),
        ("炙黄芪", "中药饮片", BAKED["med_list_codg"]),
        ("黄芪(中药房)", "中药饮片", RAW["med_list_codg"]),
        ("黄芪配方颗粒", "", GRANULE["med_list_codg"]),
    ],
)
def test_herb_processed_herb_and_granule_are_told_apart(ask: Ask, name: str, form: str, code: str) -> None:
    local = LOOSE | {"local_name": name, "local_dosform": form}
    found = ask("drug", local, RAW, BAKED, GRANULE)
    assert found.code == code and found.confidence >= 0.95, found.note


@pytest.mark.parametrize(
    ("name", "form", "national"),
    [
        ("炙黄芪", "中药饮片", RAW),
        ("黄芪", "中药饮片", BAKED),
        ("黄芪", "中药饮片", GRANULE),
        ("黄芪配方颗粒", "", RAW),
    ],
)
def test_the_wrong_kind_of_herb_is_never_sure(ask: Ask, name: str, form: str, national: Row) -> None:
    assert ask("drug", LOOSE | {"local_name": name, "local_dosform": form}, national).confidence < 0.95


def test_a_patent_medicine_is_no_herb(ask: Ask) -> None:
    local = {"local_name": "黄芪", "local_dosform": "片剂", "local_aprvno": "国药准字Z20054781", "local_spec": ""}
    assert ask("drug", local, RAW).confidence < 0.5


def test_two_rows_that_fit_alike_make_neither_sure(ask: Ask) -> None:
    found = ask("drug", {}, {}, {"med_list_codg": OTHER})
    assert found.confidence == 0.5 and found.runner_up and "不能区分" in found.note


def test_a_firm_whose_short_name_fits_two_is_not_taken_for_either(ask: Ask) -> None:
    more = {"med_list_codg": OTHER, "prodentp_name": "远山药业有限公司", "aprvno": "国药准字H20119999"}
    assert ask("drug", {"local_maker": "远山", "local_aprvno": ""}, {}, more).confidence <= 0.5
    assert ask("drug", {"local_maker": "远山制药", "local_aprvno": ""}, {}, more).confidence >= 0.95


def test_an_ended_row_leads_to_what_replaced_it(ask: Ask) -> None:
    ended = {"vali_flag": "0", "enddate": "2024-05-31", "replaced_by": OTHER}
    found = ask("drug", {}, ended, {"med_list_codg": OTHER})
    # The new row fits as well as the old one: nothing is lost by the change of code.
    assert found.code == OTHER and found.confidence >= 0.95
    moved = {"med_list_codg": OTHER, "prodentp_name": "长河制药有限公司", "aprvno": "国药准字H20111111"}
    found = ask("drug", {}, ended, moved)
    assert (found.code, found.rule) == (OTHER, "successor") and found.confidence < 0.95
    assert DRUG["med_list_codg"] in found.note and "不是同一产品" in found.note


def test_an_ended_row_without_successor_is_no_target(ask: Ask) -> None:
    found = ask("drug", {}, {"vali_flag": "0", "enddate": "2024-05-31"})
    assert found.code == "" and "已停用（2024-05-31）" in found.note
    sibling = {"med_list_codg": OTHER, "pacspec": "50片/瓶"}
    found = ask("drug", {}, {"vali_flag": "0", "enddate": "2024-05-31"}, sibling)
    assert found.code == OTHER and found.confidence <= 0.6 and "已停用" in found.note


def test_a_grey_code_is_never_a_target(ask: Ask) -> None:
    grey = {"gray": "1", "replaced_by": "I63.902"}
    heir = {"diag_code": "I63.902", "diag_name": "脑梗死，未特指", "clin_diag_code": ""}
    found = ask("diagnosis", {}, grey, heir)
    assert (found.code, found.rule) == ("I63.902", "successor") and found.confidence >= 0.95 and "灰码" in found.note
    other = heir | {"diag_name": "腔隙综合征"}
    assert ask("diagnosis", {}, grey, other).confidence < 0.95
    assert ask("diagnosis", {}, {"gray": "1"}).code == ""
    assert ask("diagnosis", {}, grey, heir | {"gray": "1", "replaced_by": "I63.900"}).code == ""


def test_a_chain_of_successors_is_followed_but_not_trusted(ask: Ask) -> None:
    first, second = (
        {"gray": "1", "replaced_by": "I63.901"},
        {"diag_code": "I63.901", "gray": "1", "replaced_by": "I63.902"},
    )
    found = ask("diagnosis", {}, first, second, {"diag_code": "I63.902"})
    assert found.code == "I63.902" and found.confidence < 0.95


def test_a_clinical_code_of_two_targets_needs_a_person(ask: Ask) -> None:
    found = ask("diagnosis", {"icd_code": "I63.900x001"}, {}, {"diag_code": "I63.905"})
    assert found.confidence < 0.95


def test_a_code_that_points_elsewhere_makes_a_name_unsure(ask: Ask) -> None:
    elsewhere = {"diag_code": "I63.800", "diag_name": "其他的脑梗死", "clin_diag_code": ""}
    found = ask("diagnosis", {"icd_code": "I63.800"}, {}, elsewhere)
    assert found.confidence <= 0.9 and found.runner_up


def test_who_left_is_suggested_with_a_warning_and_who_expired_is_not(ask: Ask) -> None:
    left = ask("doctor", {}, {"prac_stas": "离职"})
    assert left.code == PERSON["dr_code"] and left.confidence < 0.95 and "离职" in left.note
    gone = ask("doctor", {}, {"vali_flag": "0", "enddate": "2025-06-30"})
    assert gone.code == "" and "已停用" in gone.note


def test_a_registration_that_ran_out_is_only_noted(ask: Ask) -> None:
    found = ask("consumable", {}, {"reg_fil_end": "2025-12-31"})
    assert found.confidence >= 0.95 and "2025-12-31" in found.note
    assert "注册证有效期" not in ask("consumable", {}).note


def test_one_registration_for_two_models_needs_the_model(ask: Ask) -> None:
    more = {"med_list_codg": "C07030191002002991010000003", "spec_mol": "10孔", "udi_di": "06991816402093"}
    assert ask("consumable", {"local_udi": ""}, {}, more).confidence >= 0.95
    assert ask("consumable", {"local_udi": "", "local_spec": ""}, {}, more).confidence <= 0.5


def test_what_was_mapped_so_far_decides_between_equals(ask: Ask) -> None:
    ended = {
        "vali_flag": "0",
        "replaced_by": "XC03CAF927A001010199009",
        "aprvno": "",
        "prodentp_name": "长河制药有限公司",
    }
    heir = {"med_list_codg": "XC03CAF927A001010199009", "aprvno": "", "prodentp_name": "高原制药有限公司"}
    local = {"local_aprvno": "", "local_maker": "", "mapped_now": DRUG["med_list_codg"]}
    found = ask("drug", local, ended, heir, {"med_list_codg": OTHER})
    assert (found.code, found.rule) == (heir["med_list_codg"], "successor") and found.confidence < 0.95
