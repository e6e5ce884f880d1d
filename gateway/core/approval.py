"""Two people and a trail: what rooms need of the security room (security specification §4, §5). Records and ports.

A maker proposes one content; a checker sees the same content and approves it once, within a day, with a second factor.
Whatever is changed leaves a row in the trail; where no row can be written nothing is changed.
"""

from typing import Literal, Protocol

import attrs

Role = Literal["operator", "reconciler", "approver", "finance", "auditor", "security", "system"]
ApprovalState = Literal["PROPOSED", "APPROVED", "REFUSED", "EXPIRED", "VOID", "USED"]


class NotAllowed(Exception):
    """A person may not do this. code: stable, `SEC-...`; the text is Chinese and says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"[{code}] {message}")
        self.code = code


class TrailFailed(Exception):
    """The trail cannot be written; the action must not happen."""


@attrs.frozen
class Person:
    """Who acts, proved by password and second factor. session: of this proof; certificate: SHA-256 in hex, or ''."""

    name: str
    roles: frozenset[Role]
    session: str
    certificate: str = ""


@attrs.frozen(kw_only=True)
class Approval:
    """One proposal and what became of it. kind: `books.freeze`, `books.case`, ...; subject: what it is about, in ids;
    content_sm3: hex of what both have seen. Times in ms."""

    id: int
    kind: str
    subject: str
    content_sm3: str
    maker: str
    reason: str
    proposed_ms: int
    state: ApprovalState = "PROPOSED"
    checker: str = ""
    decided_ms: int = 0


class Trail(Protocol):
    """The audit trail: append-only and chained."""

    def record(
        self, who: str, action: str, subject: str, *, before: str = "", after: str = "", reason: str = "",
        approval: int = 0, result: str = "ok",
    ) -> None:  # fmt: skip
        """Append one row, durable when this returns; before, after: hashes or states, no content. Raises
        TrailFailed."""


class Approvals(Protocol):
    """Proposals of two people."""

    def propose(self, maker: Person, kind: str, subject: str, content: bytes, reason: str) -> Approval:
        """Propose; a proposal of the same kind and subject that is still open becomes VOID. Raises NotAllowed,
        TrailFailed."""

    def open(self, kind: str = "", subject: str = "") -> list[Approval]:
        """Return what waits for a checker."""

    def use(self, kind: str, subject: str, content: bytes) -> Approval:
        """Use up the approval of exactly this content, once. Raises NotAllowed when there is none."""
