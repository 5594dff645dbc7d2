"""A transport and its events, for tests of what is connected to one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

JULIET = IPv4Address("TCP", "127.0.0.1", 33770)


class FakeTransport:
    """A stream transport with half-close, whose peer and kernel are played by the test.

    What is written waits until `flush`, as where the peer takes nothing; `events` tells what was asked for.
    """

    disconnecting = False

    def __init__(self, protocol: Any, peer: object = JULIET) -> None:
        self.protocol, self._peer = protocol, peer
        self.written, self.sent = b"", b""
        self.events: list[str] = []
        self.reading = True
        self.producer: Any = None
        self._when_flushed: Callable[[], None] = lambda: None
        self._half_closed = False

    # what the protocol calls

    def getPeer(self) -> object:
        return self._peer

    def write(self, data: bytes) -> None:
        assert not self._half_closed, "written after our half was closed"
        self.written += data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        assert IPushProducer.providedBy(producer)
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def loseWriteConnection(self) -> None:
        self.events.append("half close")
        self._when_flushed = self._close_half

    def loseConnection(self) -> None:
        self.events.append("close")
        self.disconnecting = True
        if self._half_closed:
            self.lost(ConnectionDone())
        else:
            self._when_flushed = lambda: self.lost(ConnectionDone())

    def abortConnection(self) -> None:
        self.events.append("abort")
        self.lost(ConnectionAborted())

    # what the test calls

    def flush(self) -> bytes:
        """Let the peer take all that was written, and return it."""
        taken, self.written = self.written, b""
        self.sent += taken
        then, self._when_flushed = self._when_flushed, lambda: None
        then()
        return taken

    def receive(self, data: bytes) -> None:
        """Bytes come from the peer."""
        assert self.reading, "the protocol does not want to read now"
        self.protocol.dataReceived(data)

    def peer_closes(self) -> None:
        """The peer closes its half in good order."""
        self.protocol.readConnectionLost()

    def breaks(self) -> None:
        """The connection is reset."""
        self.lost(ConnectionLost())

    def lost(self, reason: Exception) -> None:
        """The connection is gone."""
        self.protocol.connectionLost(Failure(reason))

    def _close_half(self) -> None:
        self._half_closed = True
        self.protocol.writeConnectionLost()


def connected(protocol: Protocol, peer: object = JULIET) -> FakeTransport:
    """Connect ``protocol`` and return its transport."""
    transport = FakeTransport(protocol, peer)
    protocol.makeConnection(transport)  # type: ignore[arg-type]
    return transport


def cuts(data: bytes) -> list[list[bytes]]:
    """Return ``data`` whole, byte by byte, and cut in two at every place."""
    halves = [[data[:at], data[at:]] for at in range(1, len(data))]
    return [[data], [data[at : at + 1] for at in range(len(data))], *halves]
