"""Tests of `techboy.net.graceful_close`, for what no door shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer

import techboy
from techboy.net.flow_control import DrainProducer
from techboy.net.graceful_close import GracefulClose
from tests.transports import FakeTransport, connected


@implementer(IHalfCloseableProtocol)
class Parted(Protocol):
    """A protocol that has nothing but its parting."""

    graceful_close: GracefulClose

    def readConnectionLost(self) -> None:
        self.graceful_close.peer_closed()

    def writeConnectionLost(self) -> None:
        self.graceful_close.half_closed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.graceful_close.done()
        self.reason = reason


def parted() -> tuple[GracefulClose, FakeTransport, Clock]:
    """Return a parting, the transport it closes and its clock."""
    protocol, clock = Parted(), Clock()
    transport = connected(protocol)
    protocol.graceful_close = GracefulClose(transport, clock)
    return protocol.graceful_close, transport, clock


class PartingTests:
    """`GracefulClose`."""

    def test_peer_first(self) -> None:
        """Where the peer closed its half already, the whole is closed when all is sent."""
        graceful_close, transport, clock = parted()
        graceful_close.peer_closed()
        graceful_close.begin(1, 5)
        assert transport.events == ["close"]
        transport.flush()
        assert clock.getDelayedCalls() == []

    def test_peer_closes_while_we_send(self) -> None:
        """Where the peer closes its half before all is sent, the whole is closed after that."""
        graceful_close, transport, _ = parted()
        graceful_close.begin(1, 5)
        graceful_close.peer_closed()
        assert transport.events == ["half close"]
        transport.flush()
        assert transport.events == ["half close", "close"]

    def test_stuck(self) -> None:
        """Where sending may take only so long, the connection is cut after that."""
        graceful_close, transport, clock = parted()
        graceful_close.begin(1, 5)
        clock.advance(5)
        assert transport.events == ["half close", "abort"]
        assert clock.getDelayedCalls() == []

    def test_more_hurry(self) -> None:
        """A second goodbye replaces the patience of the first."""
        graceful_close, transport, clock = parted()
        graceful_close.begin(5, None)
        transport.flush()
        graceful_close.begin(1, 5)
        clock.advance(1)
        assert transport.events == ["half close", "close"]

    def test_tls(self) -> None:
        """TLS, which has no half-close, is closed as a whole."""
        graceful_close, transport, _ = parted()
        directlyProvides(transport, ISSLTransport)
        graceful_close.begin(1, 5)
        assert transport.events == ["close"]

    def test_gone(self) -> None:
        """Where the connection is gone, nothing is done."""
        graceful_close, transport, clock = parted()
        graceful_close.done()
        graceful_close.begin(1, 5)
        graceful_close.limit_close(1)
        graceful_close.close()
        graceful_close.cut()
        assert transport.events == []
        assert clock.getDelayedCalls() == []


def producing() -> tuple[GracefulClose, FakeTransport, Clock]:
    """Return the same, for a transport with a pull producer and something left to send."""
    graceful_close, transport, clock = parted()
    transport.registerProducer(DrainProducer(lambda: None), False)
    transport.write(b"the last word")
    return graceful_close, transport, clock


def how_it_ended(transport: FakeTransport) -> type[Exception]:
    """Return what the protocol was told about the end of its connection."""
    reason: Failure = transport.protocol.reason
    assert isinstance(reason.value, Exception)
    return type(reason.value)


class ProducerTests:
    """A transport that has a producer never closes before it is unregistered."""

    def test_close(self) -> None:
        """What was written is sent, then both halves are closed."""
        graceful_close, transport, clock = producing()
        graceful_close.close()
        assert transport.flush() == b"the last word"
        assert how_it_ended(transport) is ConnectionDone
        assert clock.getDelayedCalls() == []

    def test_begin(self) -> None:
        """So it is when our half is closed first."""
        graceful_close, transport, _ = producing()
        graceful_close.begin(1, 5)
        assert transport.flush() == b"the last word"
        graceful_close.peer_closed()
        assert how_it_ended(transport) is ConnectionDone

    def test_end_within(self) -> None:
        """So it is when the time is over."""
        graceful_close, transport, clock = producing()
        graceful_close.limit_close(3)
        clock.advance(3)
        transport.flush()
        assert how_it_ended(transport) is ConnectionDone

    def test_stuck(self) -> None:
        """If what was written is not taken for a second, it is cut."""
        graceful_close, transport, clock = producing()
        graceful_close.close()
        clock.advance(1)
        assert how_it_ended(transport) is ConnectionAborted
        assert transport.sent == b""

    def test_cut(self) -> None:
        """It is cut at once, whatever is left to send."""
        graceful_close, transport, clock = producing()
        graceful_close.limit_close(3)
        graceful_close.cut()
        assert how_it_ended(transport) is ConnectionAborted
        assert clock.getDelayedCalls() == []

    @pytest.mark.parametrize("method", ["loseConnection", "loseWriteConnection", "abortConnection"])
    def test_one_place(self, method: str) -> None:
        """No other module calls what closes a transport, as it would have to think of the producer."""
        sources = Path(techboy.__file__).parent.rglob("*.py")
        callers = [path.name for path in sources if re.search(rf"[.]{method}\b", path.read_text())]
        assert callers == ["graceful_close.py"]
