"""Is the target one: MA01, MA03, MA05, MA06, MA07, each told and each silent (mapping rules §6, annex C4)."""

import json
import re
from typing import Any

import attrs
import pytest

from gateway.codes.checks.audit import blocking, check
from gateway.codes.checks.ground import Ground, institution_of
from gateway.codes.checks.national import national
from gateway.codes.mapping import Proposed

TODAY = "2026-11-22"
FORMS = {
    "diagnosis": re.compile(r"[A-Z]\d{2}\.(?:\d|x)\d{2}(?:x\d{3})?(?:\+[A-Z]\d{2}(?:\.\d)?\*)?"),
    "drug": re.compile(r"X[A-Z]\d{2}[A-Z]{2}[A-Z]\d{3}[A-Z]\d{3}\d{9}|T\d{9}"),
    "consumable": re.compile(r"C\d{19}(?:\d{7})?"),
    "day_surgery": re.compile(r"[A-Z]{1,2}[0-9A-Za-z.]{3,29}"),
}
DRUG, PIECE, DEVICE = "XJ01CAA900E001020299007", "T001700310", "C03010190102002991070000001"
LIBRARY = [
    ("I10.x00", "高血压", "2021-01-01", "", "1", "0", {}),
    ("I10.x00x002", "高血压病1级", "2021-01-01", "", "1", "0", {}),
    ("N18.900", "慢性肾脏病", "2021-01-01", "", "1", "1", {"replaced_by": "N18.902"}),
    ("N18.902", "慢性肾衰竭", "2021-01-01", "", "1", "0", {}),
    ("A01.000", "伤寒", "2021-01-01", "2026-12-10", "1", "0", {"replaced_by": "I10.x00"}),
    ("A02.000", "旧病", "2021-01-01", "2025-12-31", "1", "0", {}),
    ("A03.000", "将来的病", "2027-01-01", "", "1", "0", {}),
]


def ground(system: str = "diagnosis", library: Any = LIBRARY, **more: Any) -> Ground:
    rows = [(*row[:6], json.dumps(row[6])) for row in library]
    values: dict[str, Any] = {
        "system": system, "today": TODAY, "warn_until": "2026-12-22", "form": FORMS[system], "forms": FORMS,
        "records": {row[0]: national(row) for row in rows}, "library": lambda: rows, "judge_closed": True,
    }  # fmt: skip
    return Ground(**(values | more))


def row(line: int, local: str, code: str, since: str = "", until: str = "", **facts: str) -> Proposed:
    return Proposed(line, local, code, since, until, facts.pop("evidence", ""), facts)


def rules(*rows: Proposed, on: Ground | None = None) -> list[tuple[int, str, str]]:
    return [(one.line, one.rule, one.level) for one in check(rows, on or ground())]


def told(*rows: Proposed, on: Ground | None = None) -> str:
    return "".join(one.message for one in check(rows, on or ground()))


def test_sound_rows_have_no_finding() -> None:
    assert rules(row(2, "A", "I10.x00", name="高血压"), row(3, "B", "I10.x00"), row(4, "C", "N18.902")) == []


def test_ma01_a_row_without_target_needs_a_decision() -> None:
    assert rules(row(2, "A", "")) == [(2, "MA01", "error")]
    assert rules(row(2, "A", "", evidence="no_code:自费")) == []


def test_ma03_two_targets_on_one_day_and_which_of_them_has_another_name() -> None:
    two = (row(2, "A", "I10.x00", name="高血压"), row(3, "A", "N18.902", name="高血压"))
    assert rules(*two) == [(2, "MA03", "error"), (3, "MA03", "error")]
    assert "慢性肾衰竭" in check(two, ground())[1].message
    assert "不一致" not in check(two, ground())[0].message
    assert rules(row(2, "A", "I10.x00", "", "2026-10-01"), row(3, "A", "N18.902", "2026-10-02", "")) == []


def test_ma05_dead_targets_and_what_stands_in_their_place() -> None:
    assert rules(row(2, "A", "A02.000"), row(3, "B", "N18.900")) == [(2, "MA05", "error"), (3, "MA05", "error")]
    assert "N18.902（慢性肾衰竭）" in told(row(3, "B", "N18.900"))
    assert rules(row(2, "A", "A03.000", "", "2026-12-01")) == [(2, "MA05", "error")]
    assert rules(row(2, "A", "A03.000")) == []


def test_ma05_a_target_that_dies_soon_is_told_in_advance_and_holds_nothing_up() -> None:
    findings = check([row(2, "A", "A01.000")], ground())
    assert [(one.rule, one.level) for one in findings] == [("MA05", "warn")]
    assert "2026-12-10后停用，替代编码为I10.x00（高血压）" in findings[0].message
    assert blocking(findings, names_sent=True) == {}
    assert rules(row(2, "A", "A01.000", "", "2026-12-10")) == []
    assert rules(row(2, "A", "A01.000"), on=ground(warn_until="2026-12-09")) == []


def test_ma05_an_item_whose_only_rows_are_closed() -> None:
    """Annex C4. An item closed on purpose, and one with a row that goes on, are none."""
    closed = row(2, "A", "I10.x00", "2021-07-01", "2024-12-31")
    assert rules(closed) == [(2, "MA05", "error")]
    assert rules(closed, row(3, "A", "N18.902", "2025-01-01", "")) == []
    assert rules(closed, row(3, "A", "N18.902", "2025-01-01", "2025-12-31")) == [(3, "MA05", "error")]
    assert rules(closed, on=ground(closing=frozenset("A"))) == []
    assert rules(closed, on=ground(judge_closed=False)) == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("I10.xOO", "第6位疑似把数字误作字母O"),
        ("i10.x00", "大小写不符"),
        ("I10.X00", "大小写不符"),
        ("E87.20O", "第7位疑似把数字误作字母O"),
        ("I10", "不符合编码规则"),
        ("B99.900", "不在已导入的国家目录中"),
    ],
)
def test_ma06_codes_that_cannot_be(code: str, hint: str) -> None:
    assert rules(row(2, "A", code)) == [(2, "MA06", "error")]
    assert hint in told(row(2, "A", code))


def test_ma06_an_extension_that_was_cut_off() -> None:
    assert rules(row(2, "A", "I10.x00", name="高血压病1级")) == [(2, "MA06", "error")]
    assert "I10.x00x002" in told(row(2, "A", "I10.x00", name="高血压病1级"))
    assert rules(row(2, "A", "I10.x00x002", name="高血压病1级")) == []


def test_ma07_a_code_of_another_catalogue() -> None:
    """A pattern as wide as that of day surgery claims nothing for itself."""
    assert rules(row(2, "A", DRUG), row(3, "B", DEVICE)) == [(2, "MA07", "error"), (3, "MA07", "error")]
    assert "药品的编码，不能用于疾病诊断" in told(row(2, "A", DRUG))


@pytest.mark.parametrize(
    ("code", "list_type", "wrong"),
    [(DRUG, "102", True), (DRUG, "101", False), (PIECE, "101", True), (PIECE, "102", False), (PIECE, "饮片", False)],
)
def test_ma07_the_kind_the_local_side_states(code: str, list_type: str, wrong: bool) -> None:
    library = [(one, "名", "", "", "1", "0", {}) for one in (DRUG, PIECE)]
    found = rules(row(2, "A", code, list_type=list_type), on=ground("drug", library))
    assert found == ([(2, "MA07", "error")] if wrong else [])


def test_ma07_what_a_pharmacy_has_no_use_for() -> None:
    on = attrs.evolve(ground(), system="operation", institution=institution_of("P99010300001"))
    assert rules(row(2, "A", "I10.x00"), on=on) == [(2, "MA07", "warn")]
    assert rules(row(2, "A", "I10.x00"), on=attrs.evolve(on, institution=institution_of("H99010300001"))) == []
    assert rules(row(2, "A", "I10.x00"), on=ground(institution=institution_of("P99010300001"))) == []


def test_one_trouble_with_the_target_makes_the_others_moot() -> None:
    assert rules(row(2, "A", "E87.20O", name="高血压")) == [(2, "MA06", "error")]
    assert rules(row(2, "A", DRUG, name="伤寒")) == [(2, "MA07", "error")]


def test_without_a_library_only_form_and_number_count() -> None:
    none = ground(records=None)
    assert rules(row(2, "A", "B99.900", name="x", maker="y"), row(3, "B", ""), on=none) == [(3, "MA01", "error")]
    assert rules(row(2, "A", "B99.9OO"), on=none) == [(2, "MA06", "error")]


def test_malformed_second_targets_still_make_two() -> None:
    assert rules(row(2, "A", "I10.x00"), row(3, "A", DRUG)) == [(2, "MA03", "error"), (3, "MA07", "error")]


def test_levels_of_hospitals_are_read_in_words_only() -> None:
    """In one dictionary in use `2` is a hospital of the third level."""
    found = [institution_of("H1", text).level for text in ("3甲", "二级", "1级", "三级甲等", "2", "", "无")]
    assert found == [3, 2, 1, 3, None, None, None]
