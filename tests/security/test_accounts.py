"""Passwords, failures and proofs, decided without any store."""

import base64

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.approval import NotAllowed
from gateway.security import passwords, totp
from gateway.security.accounts import Account, Attempts, Policy, check_name, proved, with_password

NOW_MS = 1_795_000_000_000
POLICY = Policy()
SEED = b"12345678901234567890"
PASSWORD = "Quiet-Lakes-83"
KEPT = passwords.hashed(PASSWORD, b"\x07" * 16)
ZHANG = Account(
    name="zhang", created_ms=0, passwords=(KEPT,), password_ms=NOW_MS, must_change=False, seed=SEED,
    certificate="ab" * 32,
)  # fmt: skip


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("Short-1", "长度"),
        ("x" * 257, "长度"),
        ("onlylowercaseletters", "3类"),
        ("lower-case-with-signs", "3类"),
        ("Zhangwei-and-9-more", "用户名"),
        ("Password1234!", "常见"),
        ("Aa1Aa1Aa1Aa1", "太少"),
        ("Quiet-Lakes\x1b83", "控制"),
    ],
)
def test_a_weak_password_is_refused(password: str, fault: str) -> None:
    assert fault in "；".join(passwords.faults(password, "zhangwei"))


@pytest.mark.parametrize("password", [PASSWORD, "静水-流深-Quiet-8", "correct Horse battery 9"])
def test_a_long_one_of_three_kinds_may_be_used(password: str) -> None:
    assert passwords.faults(password, "zhang") == []


def test_the_hash_is_scrypt_with_n_32768_as_another_library_computes_it() -> None:
    name, n, r, p, salt, digest = KEPT.split("$")
    assert (name, int(n)) == ("scrypt", 2**15)
    other = Scrypt(salt=base64.b64decode(salt), length=32, n=int(n), r=int(r), p=int(p)).derive(PASSWORD.encode())
    assert base64.b64encode(other).decode() == digest
    assert passwords.matches(PASSWORD, KEPT)
    assert not passwords.matches(PASSWORD + " ", KEPT)
    assert not passwords.matches("\0", passwords.NOBODY)


def test_the_last_passwords_are_not_taken_again_and_the_one_before_them_is() -> None:
    assert POLICY.history == 5
    policy = Policy(history=2)
    kept = tuple(passwords.hashed(f"Quiet-Lakes-{number}x", bytes([number]) * 16) for number in range(3))
    account = Account(name="zhang", created_ms=0, passwords=kept)
    for number in (0, 1):
        with pytest.raises(NotAllowed, match=r"SEC-PASSWORD.*最近2次"):
            with_password(account, f"Quiet-Lakes-{number}x", bytes(16), NOW_MS, policy, by="zhang")
    after = with_password(account, "Quiet-Lakes-2x", bytes(16), NOW_MS, policy, by="zhang")
    assert after.passwords[1:] == kept[:1] and passwords.matches("Quiet-Lakes-2x", after.passwords[0])


def test_a_password_is_good_for_ninety_days_and_a_first_one_for_none() -> None:
    day = 86_400_000
    assert not ZHANG.overdue(NOW_MS + 90 * day, POLICY)
    assert ZHANG.overdue(NOW_MS + 90 * day + 1, POLICY)
    fresh = with_password(ZHANG, "Other-Lakes-84", bytes(16), NOW_MS, POLICY, by="zhao")
    assert fresh.overdue(NOW_MS, POLICY)


@pytest.mark.parametrize(
    ("password", "code", "certificate"),
    [
        ("Quiet-Lakes-84", totp.code_at(SEED, NOW_MS / 1000), ""),  # wrong password
        (PASSWORD, "000000", ""),
        (PASSWORD, "", "cd" * 32),  # another's certificate
        (PASSWORD, totp.code_at(SEED, NOW_MS / 1000), "cd" * 32),
        (PASSWORD, "", ""),  # no second factor
    ],
)
def test_every_way_of_being_wrong_sounds_the_same(password: str, code: str, certificate: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        proved(ZHANG, password, code, certificate, NOW_MS, POLICY)
    with pytest.raises(NotAllowed) as unknown:
        proved(None, password, code, certificate, NOW_MS, POLICY)
    assert str(refused.value) == str(unknown.value)


def test_either_second_factor_proves_and_a_code_only_once() -> None:
    code = totp.code_at(SEED, NOW_MS / 1000)
    after = proved(ZHANG, PASSWORD, code, "", NOW_MS, POLICY)
    assert after.step == NOW_MS // 30_000 and after.login_ms == NOW_MS
    with pytest.raises(NotAllowed, match="SEC-LOGIN"):
        proved(after, PASSWORD, code, "", NOW_MS + 1000, POLICY)
    proved(after, PASSWORD, "", "ab" * 32, NOW_MS, POLICY)


def test_one_factor_is_for_looking_and_for_an_owner_who_has_no_second_yet() -> None:
    bare = Account(name="li", created_ms=0, passwords=(KEPT,), password_ms=NOW_MS, must_change=False)
    with pytest.raises(NotAllowed, match="SEC-SECOND-FACTOR"):
        proved(bare, PASSWORD, "", "", NOW_MS, POLICY)
    proved(bare, PASSWORD, "", "", NOW_MS, POLICY, factors="own")
    with pytest.raises(NotAllowed, match="SEC-LOGIN"):
        proved(ZHANG, PASSWORD, "", "", NOW_MS, POLICY, factors="own")
    proved(ZHANG, PASSWORD, "", "", NOW_MS, POLICY, factors="one")


@pytest.mark.parametrize("name", ["", "a", "Zhang", "张", "z" * 33, "zh ang", "1zhang", "zhang\n", "../etc"])
def test_a_name_has_one_way_to_be_written(name: str) -> None:
    with pytest.raises(NotAllowed, match="SEC-NAME"):
        check_name(name)


@given(st.lists(st.integers(0, 20_000), max_size=200))
def test_however_often_somebody_tries_five_guesses_in_half_an_hour_are_the_most(gaps_ms: list[int]) -> None:
    attempts, now, guesses = Attempts(), NOW_MS, []
    for gap in gaps_ms:
        now += gap
        try:
            attempts.check(now, POLICY)
        except NotAllowed as cause:
            assert cause.code in ("SEC-LOCKED", "SEC-WAIT")
            continue
        attempts = attempts.failed(now, POLICY)
        guesses.append(now)
    for at in guesses:
        assert sum(at <= one < at + POLICY.lock_ms for one in guesses) <= 2 * POLICY.failures_max - 1
    for first, sixth in zip(guesses, guesses[5:], strict=False):
        assert sixth - first >= POLICY.lock_ms


def test_the_lock_ends_after_thirty_minutes_and_the_delay_doubles() -> None:
    attempts = Attempts()
    for wait_ms in (1000, 2000, 4000, 8000):
        attempts = attempts.failed(NOW_MS, POLICY)
        with pytest.raises(NotAllowed, match="SEC-WAIT"):
            attempts.check(NOW_MS + wait_ms - 1, POLICY)
        attempts.check(NOW_MS + wait_ms, POLICY)
    attempts = attempts.failed(NOW_MS, POLICY)
    with pytest.raises(NotAllowed, match=r"SEC-LOCKED.*30分钟"):
        attempts.check(NOW_MS, POLICY)
    with pytest.raises(NotAllowed, match="SEC-LOCKED"):
        attempts.check(NOW_MS + POLICY.lock_ms - 1, POLICY)
    attempts.check(NOW_MS + POLICY.lock_ms, POLICY)
