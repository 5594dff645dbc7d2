"""Tests of `techboy.doors.parting`, for what no door shows."""

from __future__ import annotations

from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer

from techboy.doors.parting import Parting
from tests.transports import FakeTransport, connected


@implementer(IHalfCloseableProtocol)
class Parted(Protocol):
    """A protocol that has nothing but its parting."""

    parting: Parting

    def readConnectionLost(self) -> None:
        self.parting.peer_closed()

    def writeConnectionLost(self) -> None:
        self.parting.half_closed()

    def connectionLost(self, reason: object) -> None:
        self.parting.done()
        self.reason: Failure = reason


def parted() -> tuple[Parting, FakeTransport, Clock]:
    """Return a parting, the transport it closes and its clock."""
    protocol, clock = Parted(), Clock()
    transport = connected(protocol)
    protocol.parting = Parting(transport, clock)
    return protocol.parting, transport, clock


class PartingTests:
    """`Parting`."""

    def test_peer_first(self) -> None:
        """Where the peer closed its half already, the whole is closed when all is sent."""
        parting, transport, clock = parted()
        parting.peer_closed()
        parting.begin(1, 5)
        assert transport.events == ["close"]
        transport.flush()
        assert clock.getDelayedCalls() == []

    def test_peer_closes_while_we_send(self) -> None:
        """Where the peer closes its half before all is sent, the whole is closed after that."""
        parting, transport, _ = parted()
        parting.begin(1, 5)
        parting.peer_closed()
        assert transport.events == ["half close"]
        transport.flush()
        assert transport.events == ["half close", "close"]

    def test_stuck(self) -> None:
        """Where sending may take only so long, the connection is cut after that."""
        parting, transport, clock = parted()
        parting.begin(1, 5)
        clock.advance(5)
        assert transport.events == ["half close", "abort"]
        assert clock.getDelayedCalls() == []

    def test_more_hurry(self) -> None:
        """A second goodbye replaces the patience of the first."""
        parting, transport, clock = parted()
        parting.begin(5, None)
        transport.flush()
        parting.begin(1, 5)
        clock.advance(1)
        assert transport.events == ["half close", "close"]

    def test_tls(self) -> None:
        """TLS, which has no half-close, is closed as a whole."""
        parting, transport, _ = parted()
        directlyProvides(transport, ISSLTransport)
        parting.begin(1, 5)
        assert transport.events == ["close"]

    def test_gone(self) -> None:
        """Where the connection is gone, nothing is done."""
        parting, transport, clock = parted()
        parting.done()
        parting.begin(1, 5)
        parting.end_within(1)
        assert transport.events == []
        assert clock.getDelayedCalls() == []
