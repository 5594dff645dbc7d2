"""Closing a connection without losing what is on its way."""

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


class Parting:
    """The end of one connection: our half is closed first, and the rest when the peer's is closed too.

    A socket closed while something unread is waiting is reset by the kernel, and the reset can destroy
    what we sent last on its way; so the peer is heard out, for a limited time. TLS has no half-close: there
    the close alert is sent and the transport waits for the peer's.
    """

    def __init__(self, transport: Transport, clock: IReactorTime) -> None:
        self._transport, self._clock = transport, clock
        self._deadline: IDelayedCall | None = None
        self._patience = 0.0
        self.begun = False
        self._closed: set[Half] = set()

    def begin(self, patience: float, flushed_within: float | None) -> None:
        """Close our half when all is sent, and the rest ``patience`` seconds later at the latest."""
        if Half.BOTH in self._closed:
            return
        self.begun, self._patience = True, patience
        if flushed_within is not None:
            self._after(flushed_within, self._transport.abortConnection)
        self._transport.unregisterProducer()
        if Half.THEIRS in self._closed or ISSLTransport.providedBy(self._transport):
            self._transport.loseConnection()
        elif Half.OURS in self._closed:
            self.half_closed()
        else:
            self._transport.loseWriteConnection()

    def end_within(self, seconds: float) -> None:
        """Send all and close both halves after so many seconds."""
        if Half.BOTH not in self._closed:
            self._after(seconds, self._close)

    def half_closed(self) -> None:
        """Our half is closed: all was sent."""
        self._closed.add(Half.OURS)
        if Half.THEIRS in self._closed:
            self._transport.loseConnection()
        else:
            self._after(self._patience, self._transport.loseConnection)

    def peer_closed(self) -> None:
        """The peer closed its half: its goodbye, or the answer to ours."""
        self._closed.add(Half.THEIRS)
        if Half.OURS in self._closed:
            self._transport.loseConnection()

    def done(self) -> None:
        """The connection is gone."""
        self._closed.add(Half.BOTH)
        self._cancel()

    def _close(self) -> None:
        self._transport.unregisterProducer()
        self._after(_FLUSH, self._transport.abortConnection)
        self._transport.loseConnection()

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._cancel()
        self._deadline = self._clock.callLater(seconds, act)

    def _cancel(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
