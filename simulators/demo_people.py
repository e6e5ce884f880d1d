"""The people of the demonstration's agency: their accounts, passwords and certificates, and how they act.

An administrator makes the accounts, a second person approves their roles and meets their owners; everybody changes the
first password and binds a certificate as second factor, as docs/security.md asks of a real site.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import attrs

from simulators.processes import Processes
from simulators.wording import Json

ADMIN = "admin"
RECONCILER, APPROVER, DESK, WITNESS = "wang", "li", "zhou", "chen"
ROLES = {RECONCILER: "reconciler", APPROVER: "approver", DESK: "operator"}
PERSONS = (ADMIN, *ROLES, WITNESS)
_FIRST = "First-Words-4711x"


@attrs.frozen
class People:
    """The accounts of one configuration. folder: where passwords lie; pki: everybody's certificate."""

    processes: Processes
    config: Path
    folder: Path
    pki: Path

    def enrol(self) -> None:
        """Make every account ready to act. Raises Failed."""
        first = self._secret("first", _FIRST)
        self._user("add", ADMIN, "--role", "security", "--new-password-file", str(first))
        self._own(ADMIN, first)
        self._user("add", WITNESS, "--role", "system", "--new-password-file", str(first), *self.proof(ADMIN))
        self._own(WITNESS, first)
        granted = []
        for name, role in ROLES.items():
            words = ("--role", role, "--new-password-file", str(first), *self.proof(ADMIN), "--json")
            granted.append(str(json.loads(self._user("add", name, *words))["approval"]))
            self._own(name, first)
        self.approve(granted, WITNESS)
        for name in ROLES:
            self._user("confirm", name, "--reason", "演示：当面核对", *self.proof(WITNESS))

    def proof(self, name: str) -> Sequence[str]:
        """Return the options by which somebody acts."""
        return (
            "--user", name, "--password-file", str(self.folder / f"{name}.pw"),
            "--certificate", str(self.pki / f"{name}.pem"), "--key", str(self.pki / f"{name}.key"),
        )  # fmt: skip

    def approve(self, numbers: Sequence[int | str], who: str = APPROVER) -> None:
        """The second person looks at proposals and approves them. Raises Failed."""
        words = [str(number) for number in numbers]
        self.processes.tool("gateway", "security", "approvals", "approve", str(self.config), *words, *self.proof(who))

    def audited(self) -> Json:
        """Return what `audit verify` says. Raises Failed when the trail is not whole."""
        told: Json = json.loads(self.processes.tool("gateway", "audit", "verify", str(self.config), "--json"))
        return told

    def _own(self, name: str, first: Path) -> None:
        """The first password is changed, then the certificate bound."""
        own = self._secret(f"{name}.pw", f"Quiet-Lakes-{PERSONS.index(name)}-83")
        self._user("password", name, "--password-file", str(first), "--new-password-file", str(own))
        pair = ("--bind", str(self.pki / f"{name}.pem"), "--bind-key", str(self.pki / f"{name}.key"))
        self._user("certificate", name, *pair, "--password-file", str(own))

    def _user(self, verb: str, name: str, *words: str) -> str:
        return self.processes.tool("gateway", "security", "user", verb, str(self.config), name, *words)

    def _secret(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        return path
