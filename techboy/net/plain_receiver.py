"""Receiving plain text lines, also from peers that send no line ends."""

from __future__ import annotations

from enum import Enum, auto

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from techboy.chat.isolation import isolated
from techboy.net.batch_receiver import BatchReceiver
from techboy.net.connection_log import CloseReason, ConnectionLogEntry, null_log_entry
from techboy.net.graceful_close import GracefulClose
from techboy.net.sockets import send_promptly
from techboy.wire.lines import LF, ends_inside_character
from techboy.wire.plain import notice

MAX_LINE = 4096
"""Default of the maximum length of a line in bytes, without its line end."""

UNENDED_LIMIT = 64 * 1024
"""Bytes without a line end after which the connection is closed."""

IDLE_TIMEOUT = 0.1
"""Seconds of silence after which data is treated as a line, from a peer that has never sent a line end."""

_IDLE_IN_CHARACTER = 1.0  # the same, if the data ends inside a character
_IDLE_CONTINUED = 5.0  # the same, if `may_continue` expects more
_CLOSE_TIMEOUT = 1.0  # seconds for the peer to read why the connection is closed
_SEPARATE_WITHIN = 0.1  # seconds between two writes within which a peer may read them as one


class LineEnding(Enum):
    """How the peer ends its lines, as far as that is known."""

    UNKNOWN = auto()
    LF = auto()
    NONE = auto()  # as the original scripts: data that arrives together is a line


class InputMode(Enum):
    """What is done with received data."""

    LINES = auto()
    SKIPPING = auto()  # the rest of a line that is too long is discarded
    NOTHING = auto()  # everything is discarded: one of the peers said goodbye


@implementer(IHalfCloseableProtocol)
class PlainReceiver(BatchReceiver):
    """A plain connection.

    Subclasses define `on_connected`, `on_lines`, `on_peer_closed` and `on_closed`, and write with
    `write_lines`. ``log_entry`` is the connection's entry in the connection log.
    """

    _idle_timer: IDelayedCall | None = None
    _line_ending, _mode, _skipped_bytes = LineEnding.UNKNOWN, InputMode.LINES, 0
    _last_write = float("-inf")

    def __init__(
        self, clock: IReactorTime, max_line: int, log_entry: ConnectionLogEntry | None = None
    ) -> None:
        self.MAX_LENGTH = max_line
        self.clock = clock
        self._log_entry = log_entry or null_log_entry(clock.seconds)

    # defined by subclasses

    def on_connected(self) -> None:
        """Handle that the connection is open."""
        raise NotImplementedError

    def on_lines(self, block: bytes) -> None:
        """Handle the lines of ``block``, which are joined by LF."""
        raise NotImplementedError

    def on_peer_closed(self) -> None:
        """Handle that the peer closed its half, after all its lines were handled."""
        raise NotImplementedError

    def on_closed(self, clean: bool) -> None:
        """Handle that the connection was closed, or lost if it was not ``clean``."""
        raise NotImplementedError

    def on_line_too_long(self) -> None:
        """Handle that a line was discarded because it is too long; the peer is sent a notice."""

    def may_continue(self, unfinished: bytes) -> bool:
        """Return whether ``unfinished`` data is probably the beginning of something longer."""
        return False

    # called by subclasses

    def write(self, data: bytes) -> None:
        """Send ``data`` unchanged."""
        self.transport.write(data)

    def write_lines(self, lines: bytes) -> None:
        """Send ``lines``, joined by LF; the last LF is only sent to a peer that sends line ends itself."""
        if self._line_ending is not LineEnding.NONE:
            self.write(lines + LF)
            return
        separator = LF if self.clock.seconds() - self._last_write < _SEPARATE_WITHIN else b""
        self.note_write()
        self.write(separator + lines)

    def notice(self, text: str) -> None:
        """Send the notice ``text``."""
        self.write_lines(notice(text).encode())

    @property
    def ends_lines(self) -> bool:
        """Whether the peer uses line ends, as far as that is known."""
        return self._line_ending is not LineEnding.NONE

    def on_error(self) -> None:
        """Log the exception that is being handled, and close the connection."""
        self._log_entry.failed()
        self._graceful_close.cut()

    @property
    def accepts_input(self) -> bool:
        """Whether received data is handled."""
        return self._mode is not InputMode.NOTHING

    def ignore_input(self) -> None:
        """Discard everything that is received from now on."""
        self._mode = InputMode.NOTHING
        self.setRawMode()

    def give_up(self) -> None:
        """Close the connection: the peer sends no line ends."""
        self.ignore_input()
        self.part(_CLOSE_TIMEOUT, _CLOSE_TIMEOUT)

    def note_write(self) -> None:
        """Note that the peer may read the next data together with what was just sent."""
        self._last_write = self.clock.seconds()

    def release_transport(self) -> None:
        """Release the transport, which another protocol takes over."""
        self.transport.unregisterProducer()
        self._graceful_close.done()
        self._stop_idle_timer()

    def part(self, within: float, flushed_within: float | None) -> None:
        """Close gracefully; see `GracefulClose.begin`."""
        self._log_entry.closing(CloseReason.CLOSED)
        self._graceful_close.begin(within, flushed_within)

    def limit_close(self, seconds: float) -> None:
        """Send everything and close after so many seconds; a later call replaces an earlier one."""
        self._graceful_close.limit_close(seconds)

    # called by Twisted

    def connectionMade(self) -> None:
        """Prepare the transport, and call `on_connected`."""
        send_promptly(self.transport)
        self._graceful_close = GracefulClose(self.transport, self.clock)
        self.on_connected()

    def dataReceived(self, data: bytes) -> None:
        """Handle whole lines; start the idle timer, unless the peer is known to send line ends."""
        super().dataReceived(data)
        if self._line_ending is not LineEnding.LF:
            self._start_idle_timer()

    def linesReceived(self, block: bytes) -> None:
        """Call `on_lines`: a line end was received."""
        self._line_ending = LineEnding.LF
        self.on_lines(block)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Send a notice, and discard the rest of the line."""
        self.notice(f"a line of more than {self.MAX_LENGTH} bytes was discarded")
        self._log_entry.line_too_long(self.MAX_LENGTH)
        self.on_line_too_long()
        self._mode, self._skipped_bytes = InputMode.SKIPPING, 0
        self.setRawMode()
        self.dataReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        """Discard data up to the next line end, or all data in the mode `InputMode.NOTHING`."""
        if self._mode is not InputMode.SKIPPING:
            return
        end = data.find(LF)
        if end >= 0:
            self._line_ending, self._mode = LineEnding.LF, InputMode.LINES
            self.setLineMode(data[end + 1 :])
            return
        self._skipped_bytes += len(data)
        if self._skipped_bytes > UNENDED_LIMIT:
            self.notice(f"{UNENDED_LIMIT} bytes without a line end: closed")
            self._log_entry.closing(CloseReason.CLOSED, "no line end")
            self.give_up()

    def readConnectionLost(self) -> None:
        """Handle a last line without a line end, then that the peer closed its half."""
        self._flush_unfinished()
        self.on_peer_closed()
        self._graceful_close.peer_closed()

    def writeConnectionLost(self) -> None:
        """Handle that our half is closed and all data was sent."""
        self._graceful_close.half_closed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Clean up: the connection is closed."""
        clean = reason.check(ConnectionDone) is not None
        if clean and not self._graceful_close.begun:
            # without half-close (TLS), the peer's goodbye is only reported here
            self._flush_unfinished()
            self.on_peer_closed()
        self._graceful_close.done()
        self._stop_idle_timer()
        self.on_closed(clean)

    def _flush_unfinished(self) -> None:
        rest = self.clearLineBuffer()
        if rest:
            self.on_lines(rest)

    def _start_idle_timer(self) -> None:
        self._stop_idle_timer()
        if self.unfinished or self._mode is InputMode.SKIPPING:
            self._idle_timer = self.clock.callLater(self._idle_timeout, isolated, self, self._on_idle)

    @property
    def _idle_timeout(self) -> float:
        if self.may_continue(self.unfinished):
            return _IDLE_CONTINUED
        return _IDLE_IN_CHARACTER if ends_inside_character(self.unfinished) else IDLE_TIMEOUT

    def _stop_idle_timer(self) -> None:
        if self._idle_timer is not None and self._idle_timer.active():
            self._idle_timer.cancel()
        self._idle_timer = None

    def _on_idle(self) -> None:
        if self.paused or self._line_ending is LineEnding.LF:
            return
        self._line_ending = LineEnding.NONE
        if self._mode is InputMode.SKIPPING:
            self._mode = InputMode.LINES
            self.setLineMode()
        else:
            self._flush_unfinished()
