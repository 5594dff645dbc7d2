"""Where a caller is asked in: by the first bytes it is known which dialect it speaks."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol as Interface

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.chat.isolation import isolated
from techboy.net.connection_handler import ConnectionHandler
from techboy.net.connection_log import ConnectionLogEntry, null_log_entry
from techboy.net.graceful_close import cut
from techboy.net.transport import IStreamTransport
from techboy.server.unwelcomed import PendingConnection, uncounted_connection
from techboy.wire.native import is_hello

GREETING_DELAY = 0.25
"""Seconds for a hello to come; a caller who says nothing so long is a person, and greeted."""


_MOST_BLANKS = 256  # bytes that a hello may begin with and not be known yet


class WireProtocol(Enum):
    """How a caller speaks; the value is its name for programs."""

    UNKNOWN = "unknown"  # it has not said anything, nor been silent for long
    PLAIN = "plain"
    NATIVE = "native"


class DetectionState(Enum):
    """Who has the connection."""

    UNKNOWN = auto()  # nobody: nothing was sent yet that tells how the caller speaks
    GREETED = auto()  # a plain door, as the caller was silent; a hello may still come
    KNOWN = auto()  # a door, for good
    GIVEN_UP = auto()  # nobody: it is being closed


class IPlainProtocol(ConnectionHandler, Interface):
    """A door that may have to give the connection back."""

    def displaced(self) -> bool:
        """The caller speaks another dialect after all, and has not said anything in this one.

        Nothing is called after that. Return whether the connection can still be used.
        """


@implementer(IHalfCloseableProtocol)
class ProtocolDetector(Protocol):
    """A connection that is not known yet: after a hello it is given a ``native`` door, else a ``plain`` one.

    A hello that comes late, through a slow tunnel, is understood as long as nothing else came before.
    ``log_entry``: what is written about the connection; ``pending``: its place until it is welcomed.
    """

    transport: IStreamTransport
    _beginning = b""
    _state = DetectionState.UNKNOWN
    _handler: ConnectionHandler | None = None
    _plain_protocol: IPlainProtocol | None = None

    def __init__(
        self,
        clock: IReactorTime,
        plain: Callable[[], IPlainProtocol],
        native: Callable[[], ConnectionHandler],
        log_entry: ConnectionLogEntry | None = None,
        pending: PendingConnection | None = None,
    ) -> None:
        self.pending = pending or uncounted_connection()
        self._counters = self.pending.counters
        self._clock, self._plain, self._native = clock, plain, native
        self._log_entry = log_entry or null_log_entry(clock.seconds)
        self._silence: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Somebody is there."""
        self._silence = self._clock.callLater(GREETING_DELAY, isolated, self, self._take_for_plain)

    def dataReceived(self, data: bytes) -> None:
        """Bytes arrived."""
        self._counters.bytes_received += len(data)
        if self._handler is not None:
            self._handler.dataReceived(data)
        elif self._state is not DetectionState.GIVEN_UP:
            self._look_at(data)

    @property
    def handler(self) -> ConnectionHandler | None:
        """What has taken the connection over, None where it is not known yet how the caller speaks."""
        return self._handler or self._plain_protocol

    @property
    def spoken(self) -> WireProtocol:
        """How the caller speaks, as far as is known."""
        if self._plain_protocol is not None:
            return WireProtocol.PLAIN
        return WireProtocol.UNKNOWN if self._handler is None else WireProtocol.NATIVE

    def on_error(self) -> None:
        """Log the exception that is being handled, and close the connection."""
        self._log_entry.failed()
        cut(self.transport)

    def hear_nothing(self) -> None:
        """Read no more, for a while."""
        self.transport.pauseProducing()

    def hear_again(self) -> None:
        """Read again."""
        self.transport.resumeProducing()

    def readConnectionLost(self) -> None:
        """The caller closed its half."""
        if self._state is not DetectionState.GIVEN_UP:
            self._known_door().readConnectionLost()

    def writeConnectionLost(self) -> None:
        """Our half is closed."""
        handler = self._handler or self._plain_protocol
        if handler is not None:
            handler.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._stop_waiting()
        handler = self._handler or self._plain_protocol
        if handler is not None:
            handler.connectionLost(reason)
        self.pending.closed()
        self._log_entry.closed(clean=reason.check(ConnectionDone) is not None)

    def _look_at(self, data: bytes) -> None:
        self._beginning += data
        hello = is_hello(self._beginning)
        if hello is None and len(self._beginning) > _MOST_BLANKS:
            hello = False
        if hello is True:
            self._take_for_native()
        elif hello is False:
            self._take_for_plain()
            self._hand_over()

    def _take_for_native(self) -> None:
        self._stop_waiting()
        plain, self._plain_protocol = self._plain_protocol, None
        if plain is not None and not plain.displaced():
            self._state = DetectionState.GIVEN_UP
            cut(self.transport)
            return
        self._log_entry.protocol_detected("native")
        self._handler = self._native()
        self._handler.makeConnection(self.transport)
        self._hand_over()

    def _take_for_plain(self) -> None:
        """Greet the caller; a hello may still follow."""
        self._stop_waiting()
        if self._state is DetectionState.UNKNOWN:
            self._state = DetectionState.GREETED
            self._log_entry.protocol_detected("plain")
            self._plain_protocol = self._plain()
            self._plain_protocol.makeConnection(self.transport)

    def _hand_over(self) -> None:
        self._state, self._handler = DetectionState.KNOWN, self._handler or self._plain_protocol
        beginning, self._beginning = self._beginning, b""
        if beginning and self._handler is not None:
            self._handler.dataReceived(beginning)

    def _known_door(self) -> ConnectionHandler:
        if self._handler is None:
            self._take_for_plain()
            self._hand_over()
        assert self._handler is not None
        return self._handler

    def _stop_waiting(self) -> None:
        if self._silence is not None and self._silence.active():
            self._silence.cancel()
