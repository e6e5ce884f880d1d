"""The fake wire of the transport's tests."""

from twisted.internet.testing import StringTransport


class Wire(StringTransport):
    """A string transport that remembers an abort."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()  # type: ignore[no-untyped-call]
