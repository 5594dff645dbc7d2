"""The door for a caller who can't come in now."""

from __future__ import annotations

from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.net.graceful_close import GracefulClose
from techboy.net.transport import IStreamTransport
from techboy.wire.plain import notice

_PATIENCE = 1.0  # seconds that the caller has for closing its half


@implementer(IHalfCloseableProtocol)
class RejectingProtocol(Protocol):
    """Tells the caller why, in ``words`` that its dialect has for it, closes at once and takes nothing."""

    transport: IStreamTransport

    def __init__(self, words: bytes, clock: IReactorTime) -> None:
        self._words, self._clock = words, clock

    def connectionMade(self) -> None:
        """Say why, and goodbye."""
        self._graceful_close = GracefulClose(self.transport, self._clock)
        self.transport.write(self._words)
        self._graceful_close.begin(_PATIENCE, _PATIENCE)

    def readConnectionLost(self) -> None:
        """The caller closed its half."""
        self._graceful_close.peer_closed()

    def writeConnectionLost(self) -> None:
        """The line was sent."""
        self._graceful_close.half_closed()

    def displaced(self) -> bool:
        """The caller speaks another dialect: it has to call again to be told."""
        self._graceful_close.done()
        return False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The caller is gone."""
        self._graceful_close.done()


def plainly(why: str) -> bytes:
    """Return ``why`` for a caller who speaks plain lines."""
    return f"{notice(why)}\n".encode()
