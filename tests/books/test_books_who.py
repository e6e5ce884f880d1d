"""Commands of two people without saying who acts: wrong usage, exit code 2 (contract §2), and nothing is done."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from people import HOSPITAL, Office

from gateway.app.cli import cli

ON = "month 2026-02"
DAY = ("--date", "2026-03-15", "--scope", HOSPITAL)
ADJUSTED = ("--setl", "S1", "--kind", "cancel", "--date", "2026-03-16", "--reason", "r")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("town"))


@pytest.mark.parametrize(
    "words",
    [
        ("decide", "1", "--decision", "accept", "--reason", "r"),
        ("freeze", *DAY),
        ("reopen", *DAY, "--reason", "r"),
        ("consent", *DAY, "--party", "AGY", "--operator", "zhang"),
        ("adjust", "--scope", HOSPITAL, *ADJUSTED),
        (ON, "approve", "--id", "1"),
        (ON, "confirm", "--id", "1"),
    ],
)
def test_a_command_that_does_not_say_who_acts_is_wrong_usage(office: Office, words: tuple[str, ...]) -> None:
    told = office.run(*words, code=2)
    assert (told["ok"], [one.split("]")[0] for one in told["problems"]]) == (False, ["[SEC-WHO"])


def test_half_a_proof_is_wrong_usage_and_a_wrong_one_is_refused(office: Office, tmp_path: Path) -> None:
    words = ["books", "decide", str(office.town.file), "1", "--decision", "accept", "--reason", "r", "--user", "li"]
    for more, code, rule in (
        ((), 2, "SEC-WHO"),  # no password, and no terminal to ask for it
        (("--password-file", str(secret(tmp_path, office.town.passwords["li"])), "--certificate", "x"), 2, "SEC-CERT"),
        (("--password-file", str(secret(tmp_path, "wrong")), "--totp", "000000"), 1, "SEC-"),
    ):
        done = CliRunner().invoke(cli, [*words, *more], obj=office.outside)
        assert (done.exit_code, rule in done.stderr) == (code, True), done.output


def secret(folder: Path, text: str) -> Path:
    path = folder / "secret"
    path.write_text(text)
    path.chmod(0o600)
    return path
