"""Closing a connection without losing what is on its way.

Nothing else here closes a connection. A transport with a producer never completes `loseConnection` (with a
pull producer) or completes it late (with a push producer that is paused), so the producer always goes first.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime, ISSLTransport


class Transport(Protocol):
    """What is asked of a stream transport here."""

    def loseConnection(self) -> None: ...
    def loseWriteConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def unregisterProducer(self) -> None: ...


class Half(Enum):
    """A direction of a connection, or the whole of it."""

    OURS = auto()
    THEIRS = auto()
    BOTH = auto()


_FLUSH = 1.0  # seconds for what is still unsent when a connection's time is over


def close(transport: Transport) -> None:
    """Send what was written, then close both halves."""
    transport.unregisterProducer()
    transport.loseConnection()


def cut(transport: Transport) -> None:
    """Close both halves at once, and send nothing any more."""
    transport.unregisterProducer()
    transport.abortConnection()


class GracefulClose:
    """The end of one connection: our half is closed first, and the rest when the peer's is closed too.

    A socket closed while something unread is waiting is reset by the kernel, and the reset can destroy
    what we sent last on its way; so the peer is heard out, for a limited time. TLS has no half-close: there
    the close alert is sent and the transport waits for the peer's.
    """

    def __init__(self, transport: Transport, clock: IReactorTime) -> None:
        self._transport, self._clock = transport, clock
        self._deadline: IDelayedCall | None = None
        self._reply_timeout = 0.0
        self.begun = False
        self._closed: set[Half] = set()

    def begin(self, reply_timeout: float, flushed_within: float | None) -> None:
        """Close our half when all is sent, and the rest ``reply_timeout`` seconds later at the latest."""
        if Half.BOTH in self._closed:
            return
        self.begun, self._reply_timeout = True, reply_timeout
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
        """Send all and close both halves after so many seconds."""
        if Half.BOTH not in self._closed:
            self._after(seconds, self.close)

    def close(self) -> None:
        """Send what was written, for a second at most, and close both halves."""
        if Half.BOTH not in self._closed:
            self._after(_FLUSH, self._cut)
            close(self._transport)

    def cut(self) -> None:
        """Close both halves at once."""
        if Half.BOTH not in self._closed:
            self._cancel()
            self._cut()

    def half_closed(self) -> None:
        """Our half is closed: all was sent."""
        self._closed.add(Half.OURS)
        if Half.THEIRS in self._closed:
            close(self._transport)
        else:
            self._after(self._reply_timeout, self._close)

    def peer_closed(self) -> None:
        """The peer closed its half: its goodbye, or the answer to ours."""
        self._closed.add(Half.THEIRS)
        if Half.OURS in self._closed:
            close(self._transport)

    def done(self) -> None:
        """The connection is gone."""
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
