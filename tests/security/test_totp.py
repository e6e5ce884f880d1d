"""One-time codes: RFC 6238's own examples, and each code once."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.security.totp import accepted, code_at, code_of, seed_text, seed_uri

SEED = b"12345678901234567890"  # RFC 6238 appendix B; its codes have eight digits, of which ours are the last six


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "94287082"), (1_111_111_109, "07081804"), (1_111_111_111, "14050471"), (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"), (20_000_000_000, "65353130"),
    ],
)  # fmt: skip
def test_the_standards_examples(at_s: int, code: str) -> None:
    assert code_at(SEED, at_s) == code[-6:]


@given(st.integers(10, 10**9), st.integers(-3, 3))
def test_a_code_is_good_one_step_around_now_and_never_again(step: int, off: int) -> None:
    code, now_s = code_of(SEED, step + off), step * 30 + 15
    nearby = {code_of(SEED, one): one for one in (step + 1, step, step - 1)}
    expected = nearby.get(code, 0)
    assert accepted(SEED, code, now_s, 0) == expected
    if abs(off) <= 1:
        assert expected
        later = accepted(SEED, code, now_s, max(nearby.values()))
        assert later == 0


def test_an_older_code_is_not_good_after_a_newer_one() -> None:
    step = 40_000_000
    newer = accepted(SEED, code_of(SEED, step + 1), step * 30, 0)
    assert newer == step + 1
    assert accepted(SEED, code_of(SEED, step), step * 30, newer) == 0


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "一二三四五六", "12345\n"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert accepted(SEED, code, 59, 0) == 0


def test_an_authenticator_reads_the_seed() -> None:
    assert base64.b32decode(seed_text(SEED)) == SEED
    uri = seed_uri(SEED, "zhang", "两定网关 n")
    assert uri.startswith("otpauth://totp/") and f"secret={seed_text(SEED)}&" in uri
    assert uri.isascii() and " " not in uri
