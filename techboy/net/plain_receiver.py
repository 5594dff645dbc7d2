"""What is received from a peer of the plain dialect, whichever way it ends its lines."""

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
"""Bytes in a line, unless said otherwise; its end does not count."""

LONGEST_UNENDED = 64 * 1024
"""Bytes without a line's end after which a peer is closed."""

UNFINISHED = 0.1
"""Seconds after which an unfinished line counts as one, from a peer that never sent a line's end."""

_INSIDE_CHARACTER = 1.0  # the same, where what has arrived ends in the middle of a character
_GOES_ON = 5.0  # the same, where a subclass knows of something longer that begins so
_CLOSED_WITHIN = 1.0  # seconds for the peer to read why it is closed
_RUN_TOGETHER = 0.1  # seconds between two messages within which a peer may read them as one


class LineEnding(Enum):
    """How a peer ends its lines, as far as it is known."""

    UNKNOWN = auto()
    LF = auto()
    NONE = auto()  # the original scripts: what arrives together is a message


class InputMode(Enum):
    """What is done with what arrives."""

    LINES = auto()
    SKIPPING = auto()  # the rest of a line that is too long
    NOTHING = auto()  # the peer said goodbye, or was closed


@implementer(IHalfCloseableProtocol)
class PlainReceiver(BatchReceiver):
    """A connection to a peer that speaks plain lines.

    A subclass defines `came`, `heard`, `left` and `gone`. What it writes goes through `write_lines`.
    ``log_entry``: what is written about the connection.
    """

    _silence: IDelayedCall | None = None
    _ends, _hearing, _skipped = LineEnding.UNKNOWN, InputMode.LINES, 0
    _last_write = float("-inf")

    def __init__(
        self, clock: IReactorTime, max_line: int, log_entry: ConnectionLogEntry | None = None
    ) -> None:
        self.MAX_LENGTH = max_line
        self.clock = clock
        self._log_entry = log_entry or null_log_entry(clock.seconds)

    # what a subclass defines

    def came(self) -> None:
        """The peer is there."""
        raise NotImplementedError

    def heard(self, block: bytes) -> None:
        """The peer sent ``block``, lines joined by their ends."""
        raise NotImplementedError

    def left(self) -> None:
        """The peer closed its half, after all that was heard."""
        raise NotImplementedError

    def gone(self, clean: bool) -> None:
        """The connection is gone: closed in good order (``clean``), or broken."""
        raise NotImplementedError

    def too_long(self) -> None:
        """A line is too long, and will not be `heard`; the peer is told."""

    def goes_on(self, unfinished: bytes) -> bool:
        """Return whether ``unfinished`` is likely to be the beginning of something longer."""
        return False

    # what it may call

    def write(self, data: bytes) -> None:
        """Send ``data``, as it is."""
        self.transport.write(data)

    def write_lines(self, lines: bytes) -> None:
        """Send ``lines``, joined by LF, with the last end only for a peer that ends lines itself."""
        if self._ends is not LineEnding.NONE:
            self.write(lines + LF)
            return
        separator = LF if self.clock.seconds() - self._last_write < _RUN_TOGETHER else b""
        self.wrote_now()
        self.write(separator + lines)

    def notice(self, text: str) -> None:
        """Tell the peer one line about the conversation itself."""
        self.write_lines(notice(text).encode())

    @property
    def ends_lines(self) -> bool:
        """Whether the peer can take lines with their ends, as far as is known."""
        return self._ends is not LineEnding.NONE

    def fail(self) -> None:
        """Log the exception that is being handled, and close the connection."""
        self._log_entry.failed()
        self._graceful_close.cut()

    @property
    def has_listener(self) -> bool:
        """Whether notice is taken of what the peer sends."""
        return self._hearing is not InputMode.NOTHING

    def hear_no_more(self) -> None:
        """Take no notice of what the peer still sends."""
        self._hearing = InputMode.NOTHING
        self.setRawMode()

    def give_up(self) -> None:
        """Close the connection to a peer that can't be understood."""
        self.hear_no_more()
        self.part(_CLOSED_WITHIN, _CLOSED_WITHIN)

    def wrote_now(self) -> None:
        """Remember that the peer may read what comes next together with something that was sent before."""
        self._last_write = self.clock.seconds()

    def retire(self) -> None:
        """Let go of the connection, which somebody else takes over."""
        self.transport.unregisterProducer()
        self._graceful_close.done()
        self._stop_watching()

    def part(self, within: float, flushed_within: float | None) -> None:
        """Say goodbye, as `GracefulClose.begin` has it."""
        self._log_entry.closing(CloseReason.CLOSED)
        self._graceful_close.begin(within, flushed_within)

    def limit_close(self, seconds: float) -> None:
        """Send all and be gone after so many seconds; a later call replaces an earlier one."""
        self._graceful_close.limit_close(seconds)

    # what Twisted calls

    def connectionMade(self) -> None:
        """A peer is there."""
        send_promptly(self.transport)
        self._graceful_close = GracefulClose(self.transport, self.clock)
        self.came()

    def dataReceived(self, data: bytes) -> None:
        """Bytes arrived; what is unfinished is watched until the peer is known to end its lines."""
        super().dataReceived(data)
        if self._ends is not LineEnding.LF:
            self._watch_unfinished()

    def linesReceived(self, block: bytes) -> None:
        """Whole lines arrived."""
        self._ends = LineEnding.LF
        self.heard(block)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line is too long: its author is told, and it is skipped."""
        self.notice(f"a line of more than {self.MAX_LENGTH} bytes was discarded")
        self._log_entry.line_too_long(self.MAX_LENGTH)
        self.too_long()
        self._hearing, self._skipped = InputMode.SKIPPING, 0
        self.setRawMode()
        self.dataReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        """The rest of a line that is too long arrived, or what a peer that has left still sends."""
        if self._hearing is not InputMode.SKIPPING:
            return
        end = data.find(LF)
        if end >= 0:
            self._ends, self._hearing = LineEnding.LF, InputMode.LINES
            self.setLineMode(data[end + 1 :])
            return
        self._skipped += len(data)
        if self._skipped > LONGEST_UNENDED:
            self.notice(f"{LONGEST_UNENDED} bytes without a line end: closed")
            self._log_entry.closing(CloseReason.CLOSED, "no line end")
            self.give_up()

    def readConnectionLost(self) -> None:
        """The peer closed its half; a last line without an end is a line."""
        self._hear_rest()
        self.left()
        self._graceful_close.peer_closed()

    def writeConnectionLost(self) -> None:
        """Our half is closed, all was sent."""
        self._graceful_close.half_closed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        clean_end = reason.check(ConnectionDone) is not None
        if clean_end and not self._graceful_close.begun:
            # a transport without half-close (TLS) says only here that the peer said goodbye
            self._hear_rest()
            self.left()
        self._graceful_close.done()
        self._stop_watching()
        self.gone(clean_end)

    def _hear_rest(self) -> None:
        rest = self.clearLineBuffer()
        if rest:
            self.heard(rest)

    def _watch_unfinished(self) -> None:
        self._stop_watching()
        if self.unfinished or self._hearing is InputMode.SKIPPING:
            self._silence = self.clock.callLater(self._reply_timeout, isolated, self, self._fell_silent)

    @property
    def _reply_timeout(self) -> float:
        if self.goes_on(self.unfinished):
            return _GOES_ON
        return _INSIDE_CHARACTER if ends_inside_character(self.unfinished) else UNFINISHED

    def _stop_watching(self) -> None:
        if self._silence is not None and self._silence.active():
            self._silence.cancel()
        self._silence = None

    def _fell_silent(self) -> None:
        if self.paused or self._ends is LineEnding.LF:
            return
        self._ends = LineEnding.NONE
        if self._hearing is InputMode.SKIPPING:
            self._hearing = InputMode.LINES
            self.setLineMode()
        else:
            self._hear_rest()
