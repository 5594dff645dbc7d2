"""Closing a connection without losing data.

Only this module closes connections. A transport never completes `loseConnection` while it has a pull
producer, and completes it late while it has a paused push producer. Therefore the producer is unregistered
first.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime, ISSLTransport


class Transport(Protocol):
    """The methods of a stream transport that are used here."""

    def loseConnection(self) -> None: ...
    def loseWriteConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def unregisterProducer(self) -> None: ...


class Half(Enum):
    """A direction of a connection, or both."""

    OURS = auto()
    THEIRS = auto()
    BOTH = auto()


_FLUSH = 1.0  # seconds for data that is still unsent when the time limit is over


def close(transport: Transport) -> None:
    """Send all written data, then close both halves."""
    transport.unregisterProducer()
    transport.loseConnection()


def cut(transport: Transport) -> None:
    """Close both halves at once, and discard unsent data."""
    transport.unregisterProducer()
    transport.abortConnection()


class GracefulClose:
    """Closes one connection: first our half, and the rest when the peer has closed its half too.

    If a socket with unread data is closed, the kernel resets the connection, and the peer can lose the data
    that was sent last. Therefore data of the peer is read for a limited time. TLS has no half-close: the
    transport sends a close alert and waits for the peer's.
    """

    def __init__(self, transport: Transport, clock: IReactorTime) -> None:
        self._transport, self._clock = transport, clock
        self._deadline: IDelayedCall | None = None
        self._seconds = 0.0
        self.begun = False
        self._closed: set[Half] = set()

    def begin(self, seconds: float, flushed_within: float | None) -> None:
        """Close our half when everything is sent, and the rest at most ``seconds`` seconds later.

        Close both halves if not everything is sent within ``flushed_within`` seconds; None: no limit.
        """
        if Half.BOTH in self._closed:
            return
        self.begun, self._seconds = True, seconds
        if flushed_within is not None:
            self._after(flushed_within, self._cut)
        if Half.THEIRS in self._closed or ISSLTransport.providedBy(self._transport):
            close(self._transport)
        elif Half.OURS in self._closed:
            self.half_closed()
        else:
            self._transport.unregisterProducer()
            self._transport.loseWriteConnection()

    def limit_close(self, seconds: float) -> None:
        """Send everything and close both halves after so many seconds; the last call counts."""
        if Half.BOTH not in self._closed:
            self._after(seconds, self.close)

    def close(self) -> None:
        """Send all written data, for at most a second, and close both halves."""
        if Half.BOTH not in self._closed:
            self._after(_FLUSH, self._cut)
            close(self._transport)

    def cut(self) -> None:
        """Close both halves at once."""
        if Half.BOTH not in self._closed:
            self._cancel()
            self._cut()

    def half_closed(self) -> None:
        """Handle that our half is closed and all data was sent."""
        self._closed.add(Half.OURS)
        if Half.THEIRS in self._closed:
            close(self._transport)
        else:
            self._after(self._seconds, self._close)

    def peer_closed(self) -> None:
        """Handle that the peer closed its half."""
        self._closed.add(Half.THEIRS)
        if Half.OURS in self._closed:
            close(self._transport)

    def done(self) -> None:
        """Cancel all timers: the connection is closed."""
        self._closed.add(Half.BOTH)
        self._cancel()

    def _close(self) -> None:
        close(self._transport)

    def _cut(self) -> None:
        cut(self._transport)

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._cancel()
        self._deadline = self._clock.callLater(seconds, act)

    def _cancel(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
