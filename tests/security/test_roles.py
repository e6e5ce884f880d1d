"""Roles as data: who may do what, and what one person may not be at once (security.md §5)."""

from itertools import combinations

import pytest

import schemas
from gateway.core.approval import NotAllowed, Person, Role
from gateway.security.roles import ROLES, RolesError, read_roles

CONTENT = (schemas.ROOT / "security" / "roles.toml").read_bytes()
DELIVERED = read_roles(CONTENT)
BUSINESS: tuple[Role, ...] = ("operator", "reconciler", "approver", "finance")


def person(*roles: Role) -> Person:
    return Person("zhang", frozenset(roles), "s1")


@pytest.mark.parametrize("pair", list(combinations(ROLES, 2)), ids="-".join)
def test_which_two_roles_one_person_may_never_hold(pair: tuple[Role, Role]) -> None:
    forbidden = "auditor" in pair or ("security" in pair and not {*pair}.isdisjoint(BUSINESS))
    if not forbidden:
        DELIVERED.compatible(pair)
        return
    with pytest.raises(NotAllowed, match="SEC-INCOMPATIBLE"):
        DELIVERED.compatible(pair)


def test_what_is_incompatible_within_a_case_or_a_month_is_known() -> None:
    assert [(one.one, one.other) for one in DELIVERED.clashes(ROLES, "case")] == [("reconciler", "approver")]
    assert [(one.one, one.other) for one in DELIVERED.clashes(ROLES, "month")] == [("finance", "reconciler")]


def test_what_is_not_said_is_refused() -> None:
    for right in ("", "books", "books.fly", "security.users.all"):
        with pytest.raises(NotAllowed, match="SEC-RIGHT"):
            DELIVERED.permit(person(*BUSINESS), right)
    for kind in ("", "codes.map", "bookshop", "security.grant"):
        with pytest.raises(NotAllowed, match="SEC-KIND"):
            DELIVERED.maker(person(*BUSINESS), kind)


def test_a_right_is_used_by_the_roles_that_give_it() -> None:
    assert DELIVERED.permit(person("operator", "finance"), "books.run") == {"operator"}
    assert DELIVERED.maker(person("reconciler", "approver"), "books.case") == {"reconciler"}
    assert DELIVERED.checker(person("reconciler", "approver"), "books.freeze.reopen") == {"approver"}
    assert DELIVERED.maker(person("finance"), "month.submit") == {"finance"}
    with pytest.raises(NotAllowed, match=r"SEC-RIGHT.*对账员"):
        DELIVERED.maker(person("approver"), "books.case")
    with pytest.raises(NotAllowed, match="SEC-RIGHT"):
        DELIVERED.checker(person("reconciler"), "books.case")


def test_roles_that_clash_give_no_right_at_use_either() -> None:
    with pytest.raises(NotAllowed, match="SEC-INCOMPATIBLE"):
        DELIVERED.permit(person("auditor", "operator"), "books.run")


def test_the_auditor_looks_and_changes_nothing() -> None:
    for name, roles in DELIVERED.rights.items():
        assert ("auditor" not in roles) or name.endswith((".view", ".report")), name
    for two in DELIVERED.two.values():
        assert "auditor" not in two.maker | two.checker


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"[role.system]", b"[role.other]", "other"),
        (b'"books.run" = ["operator", "reconciler"]', b'"books.run" = []', "books.run"),
        (b'checker = ["approver"]', b"checker = []", "two.books"),
        (b'within = "case"', b'within = "day"', "day"),
        (b'business = true', b'business = true\nextra = 1', "extra"),
    ],
)  # fmt: skip
def test_a_file_that_contradicts_itself_is_refused(old: bytes, new: bytes, problem: str) -> None:
    assert old in CONTENT
    with pytest.raises(RolesError, match=problem):
        read_roles(CONTENT.replace(old, new, 1))
