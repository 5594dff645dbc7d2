"""A transport and its events, for tests of what is connected to one."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IPullProducer,
    IPushProducer,
    ISystemHandle,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

ROMEO = IPv4Address("TCP", "127.0.0.1", 4444)
JULIET = IPv4Address("TCP", "127.0.0.1", 33770)

T = TypeVar("T", bound="FakeTransport")

ANY = sys.maxsize
"""Room for any number of bytes."""


@implementer(ITransport)
class FakeTransport:
    """A stream transport with half-close, whose peer and kernel are played by the test.

    What is written waits until `flush`, as where the peer takes nothing; `events` tells what was asked for.
    """

    connected, disconnecting = True, False

    def __init__(self, protocol: Any, peer: IAddress = JULIET) -> None:
        self.protocol, self._peer = protocol, peer
        self.written, self.sent = b"", b""
        self.events: list[str] = []
        self.reading = True
        self.producer: Any = None
        self.asks_producer = False  # it has a pull producer, asked for more whenever nothing is left
        self._when_flushed: Callable[[], None] = lambda: None
        self._half_closed = False

    # what the protocol calls

    def getPeer(self) -> IAddress:
        return self._peer

    def getHost(self) -> IAddress:
        return ROMEO

    def write(self, data: bytes) -> None:
        assert not self._half_closed, "written after our half was closed"
        self.written += data

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert (IPushProducer if streaming else IPullProducer).providedBy(producer)
        assert self.producer is None
        self.producer, self.asks_producer = producer, not streaming
        if self.asks_producer:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer, self.asks_producer = None, False

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
        self._flushed(taken)
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
        self.connected = False
        if self.producer is not None:
            self.producer.stopProducing()
            self.unregisterProducer()
        self.protocol.connectionLost(Failure(reason))

    def _flushed(self, taken: bytes) -> None:
        """Do what Twisted does when nothing is left: who has a pull producer asks it, and does not close."""
        if self.asks_producer:
            if taken:
                self.producer.resumeProducing()
            return
        then, self._when_flushed = self._when_flushed, lambda: None
        then()

    def _close_half(self) -> None:
        self._half_closed = True
        self.protocol.writeConnectionLost()


class FakeSocket:
    """The socket of a transport: takes what there is room for, or fails with ``error``."""

    def __init__(self, transport: SocketTransport) -> None:
        self._transport = transport
        self.error: Exception | None = None
        self.writes: list[bytes] = []

    def send(self, data: bytes) -> int:
        """Take the beginning of ``data``."""
        if self.error is not None:
            raise self.error
        if not self._transport.room:
            raise BlockingIOError(errno.EAGAIN, "full")
        self.writes.append(data)
        return self._transport.take(data)


@implementer(ISystemHandle)
class SocketTransport(FakeTransport):
    """A transport whose socket takes ``room`` bytes more, from whoever writes to it.

    What it takes is in ``sent``, in the order in which it is taken. What was written to the transport is sent
    by `drain`, which the reactor would do in its next turn.
    """

    def __init__(self, protocol: Any, peer: IAddress = JULIET, room: int = ANY) -> None:
        super().__init__(protocol, peer)
        self.socket, self.room, self._seen = FakeSocket(self), room, 0

    def getHandle(self) -> FakeSocket:
        """Return the socket."""
        return self.socket

    def take(self, data: bytes) -> int:
        """Let the socket take what there is room for of ``data``, and return how much that was."""
        taken = data[: self.room]
        self.room -= len(taken)
        self.sent += taken
        return len(taken)

    def drain(self) -> None:
        """Send what was written, as far as there is room."""
        waiting = self.written
        self.written = waiting[self.take(waiting) :]
        if not self.written:
            self._flushed(waiting)

    def make_room(self, size: int = ANY) -> None:
        """Let the peer take ``size`` bytes more."""
        self.room = min(self.room + size, ANY)
        self.drain()

    def flush(self) -> bytes:
        """Send what was written, as far as there is room; return what was sent since the last time."""
        self.drain()
        taken, self._seen = self.sent[self._seen :], len(self.sent)
        return taken


@overload
def connected(protocol: IProtocol | None, peer: IAddress = JULIET) -> FakeTransport: ...
@overload
def connected(protocol: IProtocol | None, peer: IAddress = JULIET, *, kind: type[T]) -> T: ...
def connected(
    protocol: IProtocol | None, peer: IAddress = JULIET, *, kind: type[FakeTransport] = FakeTransport
) -> FakeTransport:
    """Connect ``protocol`` by a transport of that ``kind`` and return it."""
    assert protocol is not None
    transport = kind(protocol, peer)
    protocol.makeConnection(transport)
    return transport


def cuts(data: bytes) -> list[list[bytes]]:
    """Return ``data`` whole, byte by byte, and cut in two at every place."""
    halves = [[data[:at], data[at:]] for at in range(1, len(data))]
    return [[data], [data[at : at + 1] for at in range(len(data))], *halves]
