"""Connections in memory with the semantics of TCP sockets.

Bytes go from the sender's socket buffer to the receiver's when `Link.deliver` says so, any number at a time.
A link can be cut, stalled, or closed in order by either end, as a TCP connection can.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from enum import Enum, auto

from twisted.internet.address import IPv4Address
from twisted.internet.tcp import Connection

CAPACITY = 4096
"""Bytes that one direction of a link holds, sent but not received."""

_LINGER_ZERO = struct.pack("ii", 1, 0)

Tap = Callable[[bytes], None]


class InjectedError(Exception):
    """Raised on purpose by a socket, as by a fault that nobody knows of; it concerns ``link`` alone."""

    def __init__(self, link: Link) -> None:
        super().__init__(f"injected at link {link.number}")
        self.link = link


class Ending(Enum):
    """How far the end of a direction has got."""

    OPEN = auto()
    SENT = auto()  # the sender has closed it; the receiver does not know yet
    RECEIVED = auto()


class Pipe:
    """One direction of a link: ``sent`` is on its way, ``received`` waits to be read."""

    def __init__(self) -> None:
        self.sent, self.received = bytearray(), bytearray()
        self.ending = Ending.OPEN
        self.passed = 0
        self.tap: Tap | None = None

    @property
    def room(self) -> int:
        """How many bytes more can be sent."""
        return max(CAPACITY - len(self.sent) - len(self.received), 0)

    @property
    def in_flight(self) -> bool:
        """Whether there is something to deliver: bytes, or the end."""
        return bool(self.sent) or self.ending is Ending.SENT

    def deliver(self, size: int) -> None:
        """Let the receiver have the next ``size`` bytes, and the end if it comes right after them."""
        data = bytes(self.sent[:size])
        del self.sent[:size]
        self.received += data
        self.passed += len(data)
        if data and self.tap is not None:
            self.tap(data)
        if not self.sent and self.ending is Ending.SENT:
            self.ending = Ending.RECEIVED


class SimulatedSocket:
    """One end of a link, with the methods of a socket that Twisted's transport calls."""

    def __init__(self, link: Link, incoming: Pipe, outgoing: Pipe) -> None:
        self.link, self.incoming, self.outgoing = link, incoming, outgoing
        self.open, self.was_reset = True, False
        self.has_fault = False
        self._linger_zero = False

    # what the transport calls

    def send(self, data: bytes | memoryview) -> int:
        """Take as much of ``data`` as there is room for; raise OSError as a socket does."""
        if self.has_fault:
            self.has_fault = False
            raise InjectedError(self.link)
        if self.was_reset:
            raise ConnectionResetError(errno.ECONNRESET, "reset")
        if self.outgoing.ending is not Ending.OPEN:
            raise BrokenPipeError(errno.EPIPE, "shut down")
        taken = bytes(data[: self.outgoing.room])
        if not taken:
            raise BlockingIOError(errno.EAGAIN, "full")
        self.outgoing.sent += taken
        return len(taken)

    def recv(self, size: int) -> bytes:
        """Return what was received, ``b""`` at the end; raise OSError as a socket does."""
        received = self.incoming.received
        if received:
            data = bytes(received[:size])
            del received[:size]
            return data
        if self.was_reset:
            raise ConnectionResetError(errno.ECONNRESET, "reset")
        if self.incoming.ending is Ending.RECEIVED:
            return b""
        raise BlockingIOError(errno.EAGAIN, "nothing there")

    def shutdown(self, how: int) -> None:
        """Close our direction in order, after what was sent."""
        if self.outgoing.ending is Ending.OPEN:
            self.outgoing.ending = Ending.SENT

    def setsockopt(self, level: int, option: int, value: object) -> None:
        """Remember to reset the connection when it is closed, if that is asked for."""
        if option == socket.SO_LINGER:
            self._linger_zero = value == _LINGER_ZERO

    def close(self) -> None:
        """Close the socket: a reset if bytes were left unread, as the kernel does it."""
        if not self.open:
            return
        self.open = False
        if self._linger_zero or self.incoming.received:
            self.link.reset()
        else:
            self.shutdown(2)

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def fileno(self) -> int:
        """Return a number that is no descriptor."""
        return -1

    # what the simulation asks

    @property
    def is_readable(self) -> bool:
        """Whether `recv` would not raise BlockingIOError."""
        return bool(self.incoming.received) or self.was_reset or self.incoming.ending is Ending.RECEIVED

    @property
    def is_writable(self) -> bool:
        """Whether `send` would not raise BlockingIOError."""
        return self.was_reset or self.outgoing.ending is not Ending.OPEN or self.outgoing.room > 0


class Link:
    """A connection: ``near`` is the socket of the one who called, ``far`` that of the server."""

    def __init__(self, number: int, now: float) -> None:
        self.number = number
        self.up, self.down = Pipe(), Pipe()
        self.near = SimulatedSocket(self, self.down, self.up)
        self.far = SimulatedSocket(self, self.up, self.down)
        self.stalled = False
        self.dead = False  # nothing gets through any more, and nobody is told
        self.was_disturbed = False  # it was stalled, or one of its ends did not read
        self.moved_at = now

    def deliver(self, pipe: Pipe, size: int, now: float) -> None:
        """Deliver ``size`` bytes of ``pipe``; what arrives at a closed socket is answered with a reset."""
        self.moved_at = now
        receiver = self.far if pipe is self.up else self.near
        if not receiver.open and pipe.sent:
            self.reset()
        else:
            pipe.deliver(size)

    @property
    def deliverable(self) -> list[Pipe]:
        """The directions in which something can be delivered now."""
        if self.stalled or self.dead:
            return []
        return [pipe for pipe in (self.up, self.down) if pipe.in_flight]

    @property
    def is_over(self) -> bool:
        """Whether both sockets are closed."""
        return not (self.near.open or self.far.open)

    def stall(self) -> None:
        """Deliver nothing for a while."""
        self.stalled = self.was_disturbed = True

    def break_down(self) -> None:
        """Deliver nothing any more, and tell nobody."""
        self.dead = self.was_disturbed = True

    def reset(self, *ends: SimulatedSocket) -> None:
        """Reset the connection for ``ends``, both by default; what is on its way is lost."""
        for end in ends or (self.near, self.far):
            end.was_reset = True
        for pipe in (self.up, self.down):
            pipe.sent.clear()
        if ends and len(ends) < 2:
            self.break_down()


class SimulatedConnection(Connection):
    """Twisted's own TCP transport on a simulated socket."""

    socket: SimulatedSocket  # type: ignore[assignment]  # it has all that is called

    def __init__(self, skt: SimulatedSocket, protocol: object, reactor: object, peer: IPv4Address) -> None:
        super().__init__(skt, protocol, reactor)  # type: ignore[arg-type]  # as above, each has all that is called
        self._peer = peer
        self.logstr = "simulated"
        self.connected = 1
        self.startReading()

    def getPeer(self) -> IPv4Address:
        """Return where the other end is."""
        return self._peer

    def getHost(self) -> IPv4Address:
        """Return where this end is."""
        return IPv4Address("TCP", "127.0.0.1", 4444)
