"""The redactor: what has the shape of a person's number or token goes, what an operator needs stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.redaction import TEXT_CHARS_MAX, is_identity_number, redact

# The worked example of GB 11643-1999 (a published sample, not a person's).
IDENTITY = "11010519491231002X"

HIDDEN = [
    (f"证件{IDENTITY}不存在", "证件[身份证号]不存在"),
    (f"证件{IDENTITY.lower()}不存在", "证件[身份证号]不存在"),
    ("证件１１０１０５１９４９１２３１００２Ｘ", "证件[身份证号]"),
    ("电话13812345678无效", "电话[手机号]无效"),
    ("tel13812345678", "tel[手机号]"),
    ("电话138 1234 5678", "电话[手机号]"),
    ("电话138-1234-5678", "电话[手机号]"),
    ("电话+8613812345678", "电话[手机号]"),
    ("电话１３８１２３４５６７８", "电话[手机号]"),
    ("卡号6222021234567890123", "卡号[卡号]"),
    ("卡号6222 0212 3456 7890 123", "卡号[卡号]"),
    ("旧证110105491231002", "旧证[卡号]"),
    ("人员43000000000000000001", "人员[长编号]"),
    ("token=" + "aB3/" * 8, "[令牌]"),
    ("令牌 " + "aB3+" * 8 + " 无效", "令牌 [令牌] 无效"),
    ("令牌 " + "0f" * 16, "令牌 [令牌]"),
    ("令牌 eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_9 无效", "令牌 [令牌] 无效"),
    ("姓名：测试甲，未参保", "姓名：***，未参保"),
    ('{"psn_name":"测试甲"}', '{"psn_name":"***"}'),
    ("姓名[测试甲]与证件不符", "姓名[***]与证件不符"),
]
KEPT = [
    "该人员参保信息不存在或已停保",
    "姓名不一致",
    "机构H13010200001未开通",
    "机构P15020100123未开通",
    "金额12345678.90超限",
    "交易2207失败，错误码-1",
    "2026-11-21 12:00:00 系统繁忙",
    "目录编码XB05BAN074B002010204154不在有效期",
    "11010519491231",
    "org.springframework.transaction.TransactionException",
    "",
]


@pytest.mark.parametrize(("text", "expected"), HIDDEN)
def test_what_has_a_persons_shape_is_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize("text", KEPT)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert redact(text) == text


def test_values_the_caller_knows_are_replaced_wherever_they_stand() -> None:
    assert redact("参保人测试甲(C1234)不存在", ["C1234", "测试甲", ""]) == "参保人***(***)不存在"
    assert redact("欧阳测试与欧阳", ["欧阳", "欧阳测试"]) == "***与***"


def test_line_ends_escapes_and_direction_marks_become_visible() -> None:
    text = "失败\r\n2026 伪造行\x1b[31m\x00\x9b\u2028\u202e\ud800"
    assert redact(text) == "失败\\u000d\\u000a2026 伪造行\\u001b[31m\\u0000\\u009b\\u2028\\u202e\\ud800"


@pytest.mark.parametrize(
    ("number", "right"),
    [
        (IDENTITY, True),
        ("110105194912310021", False),
        ("11010519491231002x", True),
        ("11010519491231002", False),
        ("1101051949123100２X", False),
        ("A1010519491231002X", False),
    ],
)
def test_the_check_digit_decides(number: str, right: bool) -> None:
    assert is_identity_number(number) is right


@given(st.text(max_size=300), st.integers(0, 10**19), st.text(max_size=300))
def test_no_run_of_fifteen_digits_ever_comes_out(before: str, number: int, after: str) -> None:
    out = redact(f"{before}{number:015d}{after}")
    assert f"{number:015d}" not in out
    assert len(out) <= TEXT_CHARS_MAX


@given(st.text(alphabet='姓名：:[]【】 "0123456789-+xXaZ测试\r\u202e', max_size=400))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


def test_a_number_on_the_edge_of_what_is_read_leaves_no_head() -> None:
    for start in range(1975, 2001):
        # Long runs shrink to a word, so the edge of what is read comes into the two hundred that are shown.
        text = ("a" * 900 + "，" + "b" * 900 + "，").ljust(start, "，") + IDENTITY
        assert IDENTITY[:4] not in redact(text)


@pytest.mark.parametrize(
    "text", ["1" * 10**6, "1 " * 10**5, "姓名" * 10**5, '姓名"' * 10**5, "a" * 10**6, "138-" * 10**5]
)
def test_long_texts_are_cut_before_they_are_searched(text: str) -> None:
    assert len(redact(text)) <= TEXT_CHARS_MAX
