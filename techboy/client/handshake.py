"""Where a caller finds out which dialect the one it called speaks."""

from __future__ import annotations

from typing import Protocol as Interface

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.net.connection_handler import ConnectionHandler
from techboy.net.connection_log import ConnectionLogEntry, null_log_entry
from techboy.net.graceful_close import cut
from techboy.net.sockets import send_promptly
from techboy.net.transport import IStreamTransport
from techboy.wire.frames import Hello, Ping, ServerBye, Welcome
from techboy.wire.lines import LF
from techboy.wire.native import encode, read_server

HANDSHAKE_TIMEOUT = 2.0
"""Seconds for the welcome to come, from somebody who may not speak the native dialect."""

LONGEST_BEFORE = 64 * 1024
"""Bytes before a welcome at most; where there are more there will be none."""


class IHandshakeOwner(Interface):
    """Who calls."""

    @property
    def wants_connection(self) -> bool:
        """Whether a conversation may begin, as nobody ended it meanwhile."""

    def native_protocol(self) -> ConnectionHandler:
        """There is an answer in the native dialect."""

    def plain_protocol(self) -> ConnectionHandler:
        """There is none, and plain lines are spoken."""

    def unanswered(self) -> None:
        """The connection is gone before it was known."""


@implementer(IHalfCloseableProtocol)
class ClientHandshake(Protocol):
    """A connection that begins with ``hello``: it is given a native door when it is answered, or a plain one.

    What came before a welcome is ignored; without one, it is the first that the plain door gets.
    ``may_be_plain``: it is given up in favour of plain lines after PATIENCE seconds, else after ``dead``.
    ``log_entry``: what is written about the connection.
    """

    transport: IStreamTransport
    _before = b""
    _handler: ConnectionHandler | None = None

    def __init__(
        self,
        caller: IHandshakeOwner,
        hello: Hello,
        clock: IReactorTime,
        dead: float,
        *,
        may_be_plain: bool,
        log_entry: ConnectionLogEntry | None = None,
    ) -> None:
        self._caller, self._hello, self._clock = caller, hello, clock
        self._dead, self._may_be_plain = dead, may_be_plain
        self._log_entry = log_entry or null_log_entry(clock.seconds)
        self._silence: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Say hello."""
        send_promptly(self.transport)
        self._write(encode(self._hello))
        timeout = HANDSHAKE_TIMEOUT if self._may_be_plain else self._dead
        self._silence = self._clock.callLater(timeout, self._waited_in_vain)

    def dataReceived(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._handler is not None:
            self._handler.dataReceived(data)
            return
        self._before += data
        answer = answer_at(self._before)
        if answer >= 0:
            self._log_entry.protocol_detected("native")
            self._give_to(self._caller.native_protocol(), self._before[answer:])
        elif len(self._before) > LONGEST_BEFORE:
            self._waited_in_vain()

    def readConnectionLost(self) -> None:
        """The other end closed its half."""
        if self._handler is None and self._before and self._is_plain:
            self._waited_in_vain()
        if self._handler is not None:
            self._handler.readConnectionLost()
        else:
            self._close()

    def writeConnectionLost(self) -> None:
        """Our half is closed."""
        if self._handler is not None:
            self._handler.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone; what came before a welcome that never came may have been plain lines."""
        self._stop_waiting()
        if self._handler is None and self._before and self._is_plain:
            self._waited_in_vain()
        if self._handler is not None:
            self._handler.connectionLost(reason)
        else:
            self._caller.unanswered()
        self._log_entry.closed(clean=reason.check(ConnectionDone) is not None)

    @property
    def _is_plain(self) -> bool:
        """Whether plain lines are spoken now that there is no answer."""
        return self._may_be_plain and self._caller.wants_connection

    def _waited_in_vain(self) -> None:
        if self._is_plain:
            self._log_entry.protocol_detected("plain")
            self._give_to(self._caller.plain_protocol(), self._before)
        else:
            self._close()

    def _give_to(self, handler: ConnectionHandler, data: bytes) -> None:
        self._stop_waiting()
        self._handler, self._before = handler, b""
        handler.makeConnection(self.transport)
        if data:
            handler.dataReceived(data)

    def _write(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def _close(self) -> None:
        cut(self.transport)

    def _stop_waiting(self) -> None:
        if self._silence is not None and self._silence.active():
            self._silence.cancel()


def answer_at(data: bytes) -> int:
    """Return where in ``data`` the first line begins that answers a hello, or -1; each line ends with LF."""
    start = 0
    while (end := data.find(LF, start)) >= 0:
        if _is_answer(data[start:end]):
            return start
        start = end + 1
    return -1


def _is_answer(line: bytes) -> bool:
    return line.startswith(b"{") and isinstance(read_server(line), (Welcome, Ping, ServerBye))
