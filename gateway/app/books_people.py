"""Who may hand in ledgers and have days run on the command line: somebody signed in, once there are accounts (decision
0012). What an institution does at its own door, and the node by its schedule, needs nobody.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from adapters.store.books_approved import names_approvals
from gateway.app.acting import Credentials
from gateway.app.codes_say import operator_of
from gateway.app.config import Config
from gateway.app.say import Outside
from gateway.app.security_desk import SecurityDesk, security_desk
from gateway.app.security_room import looking
from gateway.app.security_trail import check_outside
from gateway.core.approval import TrailFailed

INPUT, RUN = "books.input", "books.run"  # rights, and what the trail calls their use


@attrs.frozen
class Acting:
    """Who acts. desk: where it is written down; None where nobody signs in."""

    name: str
    desk: SecurityDesk | None = None

    def tell(self, action: str, subject: str, after: str = "", reason: str = "") -> None:
        """Write down what is about to be done. Raises TrailFailed: then it must not be done."""
        if self.desk is not None:
            self.desk.trail.record(self.name, action, subject, after=after, reason=reason)


def demanded(config: Config) -> bool:
    """Say whether somebody must sign in: there are accounts, and the configuration does not say otherwise.

    Raises TrailFailed when the room cannot be read, or was taken away.
    """
    if not config.security.books_by_people:
        return False
    with looking(config) as store:
        if store is None:
            return False
        # What the trail tells of counts, too: who deletes the accounts does not do away with the question.
        if store.accounts() or store.afters("account:"):
            return True
        check_outside(store, config.checkpoint_file)  # a room without people must be the one there always was
        if names_approvals(config.room("books")):
            text = "对账库里有两人批准的记录，安全库里却没有任何用户：安全库被替换"
            raise TrailFailed(f"{text}；请停止办理，由备份恢复安全库：{store.path}")
        return False


@contextmanager
def by_people(config: Config, outside: Outside, credentials: Credentials, right: str) -> Iterator[Acting]:
    """Open the desk for who acts with a right. Raises NotAllowed, NoSecurityRoom, KeyFileError, TrailFailed."""
    if not credentials.name and not demanded(config):
        yield Acting(operator_of())
        return
    with security_desk(config, outside.now, outside.entropy) as desk:
        person = credentials.person(desk)
        desk.allow(person, right)
        yield Acting(person.name, desk)
