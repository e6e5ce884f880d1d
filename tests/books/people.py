"""The two people of the books room on the command line: proposals, approvals carried out, passwords in files."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from days import Room
from two_people import Town

from gateway.app.approving import executor
from gateway.app.books_region import writing
from gateway.app.cli import cli
from gateway.app.say import Outside

HOSPITAL = "H99010300001"


class Office:
    """A configured town, its people, the command line, and the books room behind it."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.town = Town(folder, more)
        self.folder = folder
        self.town.add("li", "reconciler")
        self.town.add("wang", "approver")
        self.town.add("qian", "finance")
        self.town.add("sun", "approver")

    @property
    def outside(self) -> Outside:
        return Outside(
            run_node=lambda config: 1, simulate=lambda words: 1, now=lambda: self.town.now_s,
            entropy=self.town.entropy,
        )  # fmt: skip

    @contextmanager
    def books(self) -> Iterator[Room]:
        config = self.town.config
        with writing(config) as connection:
            yield Room(config.path(config.node.data_dir), connection)

    def run(self, *words: str, user: str = "", code: int = 0) -> Any:
        """Run `liangding books ... --json`; return its object. A month's action: "month 2026-02", action, ..."""
        name, _, month = words[0].partition(" ")
        options = ["--month", month] if month else []
        arguments = ["books", name, str(self.town.file), *options, *words[1:], "--json"]
        if user:
            secret = self.folder / f"{user}.txt"
            secret.write_text(self.town.passwords[user])
            secret.chmod(0o600)
            arguments += ["--user", user, "--password-file", str(secret), "--totp", self.town.code(user)]
        result = CliRunner().invoke(cli, arguments, obj=self.outside)
        assert result.exit_code == code, (result.output, result.exception)
        return json.loads(result.stdout.splitlines()[0])

    def approve(self, number: int, who: str = "wang") -> str:
        """Approve as the second person and carry it out, as `security approvals approve` does."""
        with self.town.desk() as desk:
            approval = desk.approvals.approve(self.town.person(desk, who), number)
            content = desk.approvals.content(number)
        carry_out = executor(approval.kind)
        assert carry_out is not None
        said = carry_out(self.town.config, approval, content, self.outside)
        assert carry_out(self.town.config, approval, content, self.outside)  # again after a crash: nothing more happens
        with self.town.desk() as desk:
            desk.approvals.use_up(number)
        return said or ""
