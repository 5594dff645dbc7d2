"""Protocol detection: the first bytes of a connection tell whether the client is native or plain."""

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
from techboy.server.admission import PendingConnection, uncounted_connection
from techboy.wire.native import is_hello

GREETING_DELAY = 0.25
"""Seconds to wait for a hello; a client that is silent for so long is greeted as a plain one."""


_MAX_BLANKS = 256  # bytes of white space that a hello may begin with


class WireProtocol(Enum):
    """The protocol of a connection; the value is its name in metrics."""

    UNKNOWN = "unknown"  # nothing was received, and the client was not greeted yet
    PLAIN = "plain"
    NATIVE = "native"


class DetectionState(Enum):
    """How far the detection has got."""

    UNKNOWN = auto()  # too little was received
    GREETED = auto()  # the client was silent and was greeted as plain; a hello may still come
    KNOWN = auto()  # the protocol does not change any more
    CLOSING = auto()  # the connection is being closed


class IPlainProtocol(ConnectionHandler, Interface):
    """A plain protocol, which may have to give the connection back."""

    def displaced(self) -> bool:
        """Release the connection: a hello came, and nothing before it.

        No other method is called afterwards. Return whether the connection can still be used.
        """


@implementer(IHalfCloseableProtocol)
class ProtocolDetector(Protocol):
    """A connection that is passed to a ``native`` protocol after a hello, otherwise to a ``plain`` one.

    A late hello, for example through a slow tunnel, is accepted if nothing else came before it. ``log_entry``
    is the connection's entry in the connection log, and ``pending`` its place until it is welcomed.
    """

    transport: IStreamTransport
    _buffer = b""
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
        self._greeting_timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Wait for the first bytes."""
        self._greeting_timer = self._clock.callLater(GREETING_DELAY, isolated, self, self._greet_as_plain)

    def dataReceived(self, data: bytes) -> None:
        """Count ``data``, and pass it on or look for a hello."""
        self._counters.bytes_received += len(data)
        if self._handler is not None:
            self._handler.dataReceived(data)
        elif self._state is not DetectionState.CLOSING:
            self._detect(data)

    @property
    def handler(self) -> ConnectionHandler | None:
        """The protocol that has the connection, or None if it was not detected yet."""
        return self._handler or self._plain_protocol

    @property
    def protocol(self) -> WireProtocol:
        """The protocol of the client, as far as it was detected."""
        if self._plain_protocol is not None:
            return WireProtocol.PLAIN
        return WireProtocol.UNKNOWN if self._handler is None else WireProtocol.NATIVE

    def on_error(self) -> None:
        """Log the exception that is being handled, and close the connection."""
        self._log_entry.failed()
        cut(self.transport)

    def pause_reading(self) -> None:
        """Stop reading until `resume_reading` is called."""
        self.transport.pauseProducing()

    def resume_reading(self) -> None:
        """Read again after `pause_reading`."""
        self.transport.resumeProducing()

    def readConnectionLost(self) -> None:
        """Pass on that the client closed its half."""
        if self._state is not DetectionState.CLOSING:
            self._require_handler().readConnectionLost()

    def writeConnectionLost(self) -> None:
        """Pass on that our half is closed."""
        handler = self._handler or self._plain_protocol
        if handler is not None:
            handler.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Pass on that the connection is closed, and log it."""
        self._stop_timer()
        handler = self._handler or self._plain_protocol
        if handler is not None:
            handler.connectionLost(reason)
        self.pending.closed()
        self._log_entry.closed(clean=reason.check(ConnectionDone) is not None)

    def _detect(self, data: bytes) -> None:
        self._buffer += data
        hello = is_hello(self._buffer)
        if hello is None and len(self._buffer) > _MAX_BLANKS:
            hello = False
        if hello is True:
            self._switch_to_native()
        elif hello is False:
            self._greet_as_plain()
            self._hand_over()

    def _switch_to_native(self) -> None:
        self._stop_timer()
        plain, self._plain_protocol = self._plain_protocol, None
        if plain is not None and not plain.displaced():
            self._state = DetectionState.CLOSING
            cut(self.transport)
            return
        self._log_entry.protocol_detected("native")
        self._handler = self._native()
        self._handler.makeConnection(self.transport)
        self._hand_over()

    def _greet_as_plain(self) -> None:
        """Pass the connection to a plain protocol; a hello may still follow."""
        self._stop_timer()
        if self._state is DetectionState.UNKNOWN:
            self._state = DetectionState.GREETED
            self._log_entry.protocol_detected("plain")
            self._plain_protocol = self._plain()
            self._plain_protocol.makeConnection(self.transport)

    def _hand_over(self) -> None:
        self._state, self._handler = DetectionState.KNOWN, self._handler or self._plain_protocol
        received, self._buffer = self._buffer, b""
        if received and self._handler is not None:
            self._handler.dataReceived(received)

    def _require_handler(self) -> ConnectionHandler:
        if self._handler is None:
            self._greet_as_plain()
            self._hand_over()
        assert self._handler is not None
        return self._handler

    def _stop_timer(self) -> None:
        if self._greeting_timer is not None and self._greeting_timer.active():
            self._greeting_timer.cancel()
