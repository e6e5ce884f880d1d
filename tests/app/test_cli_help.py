"""What `--help` of a group says of its commands: whole sentences, though Chinese has no blanks to cut at."""

import re

import pytest
from click.testing import CliRunner

from gateway.app.cli import cli


@pytest.mark.parametrize("words", [(), ("books",), ("books", "month"), ("codes", "map"), ("codes",), ("lists",)])
def test_no_command_is_told_by_dots(words: tuple[str, ...]) -> None:
    said = CliRunner().invoke(cli, [*words, "--help"], terminal_width=80).stdout
    told = re.findall(r"^  ([a-z-]+)  +(\S.*)$", said.partition("Commands:")[2], re.M)
    assert told and not [name for name, text in told if text.endswith("...")]
