"""The two people of the books room on the command line: proposals, approvals carried out, passwords in files."""

import copy
import functools
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from click.testing import CliRunner
from days import Room
from two_people import CONFIG, Town

from gateway.app.approving import executor
from gateway.app.books_region import writing
from gateway.app.cli import cli
from gateway.app.say import Outside
from gateway.security import passwords

HOSPITAL = "H99010300001"
_KEPT: list[tempfile.TemporaryDirectory[str]] = []  # removed when the tests end


@functools.cache
def _people() -> Town:
    """Five people, made once. A hash names its own cost: theirs is the least there is, so signing in is quick here;
    what the product's hashes cost is tests/security's business."""
    _KEPT.append(tempfile.TemporaryDirectory())
    with mock.patch.object(passwords, "_N", 2):
        town = Town(Path(_KEPT[-1].name))
        makers, checkers = (("li", "reconciler"), ("zhou", "operator")), (("wang", "approver"), ("sun", "approver"))
        for name, role in (*makers, *checkers, ("qian", "finance")):
            town.add(name, role)  # type: ignore[arg-type]
    return town


class Office:
    """A configured town, its people, the command line, and the books room behind it."""

    def __init__(self, folder: Path, more: str = "") -> None:
        town = _people()
        shutil.copytree(town.folder, folder, dirs_exist_ok=True)
        self.town = copy.deepcopy(town)
        self.town.move(folder)
        self.town.file.write_text(CONFIG + more, "utf-8")
        self.folder = folder

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
