"""The protocol of a connection that is rejected."""

from __future__ import annotations

from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.net.graceful_close import GracefulClose
from techboy.net.transport import IStreamTransport
from techboy.wire.plain import notice

_CLOSE_TIMEOUT = 1.0  # seconds for the client to close its half


@implementer(IHalfCloseableProtocol)
class RejectingProtocol(Protocol):
    """Sends ``message``, the reason in the client's protocol, and closes; received data is ignored."""

    transport: IStreamTransport

    def __init__(self, message: bytes, clock: IReactorTime) -> None:
        self._message, self._clock = message, clock

    def connectionMade(self) -> None:
        """Send the message, and close."""
        self._graceful_close = GracefulClose(self.transport, self._clock)
        self.transport.write(self._message)
        self._graceful_close.begin(_CLOSE_TIMEOUT, _CLOSE_TIMEOUT)

    def readConnectionLost(self) -> None:
        """Handle that the client closed its half."""
        self._graceful_close.peer_closed()

    def writeConnectionLost(self) -> None:
        """Handle that the message was sent."""
        self._graceful_close.half_closed()

    def displaced(self) -> bool:
        """Return False: a client that turns out to be native has to reconnect to be told in its protocol."""
        self._graceful_close.done()
        return False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Clean up: the connection is closed."""
        self._graceful_close.done()


def plainly(why: str) -> bytes:
    """Return the reason ``why`` as a message for a plain client."""
    return f"{notice(why)}\n".encode()
